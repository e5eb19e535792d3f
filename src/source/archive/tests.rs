use std::io::Write as _;

use ::zip::ZipWriter;
use ::zip::write::SimpleFileOptions;
use tar::{Builder, EntryType, Header};

use super::*;
use crate::digest::BlobDigest;

/// A tar archive in the making.
struct Tar(Builder<Vec<u8>>);

impl Tar {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn entry(mut self, kind: EntryType, path: &str, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        // Written past the library, which refuses what we want to read.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_mtime(1_000_000_000);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    fn file(self, path: &str, content: &[u8]) -> Self {
        self.entry(EntryType::Regular, path, "", content)
    }

    fn program(mut self, path: &str, mode: u32, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        self.0.append_data(&mut header, path, content).unwrap();
        self
    }

    fn link(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, path, target, b"")
    }

    fn hard(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Link, path, target, b"")
    }

    fn extension(mut self, key: &str, value: &str) -> Self {
        self.0.append_pax_extensions([(key, value.as_bytes())]).unwrap();
        self
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

fn texts(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What is in an archive: unpacked into a store, and listed without one, which have to agree.
fn open_as(bytes: &[u8], name: &str, strip: Strip, limits: Limits) -> Result<Vec<String>, String> {
    let directory = tempfile::tempdir().unwrap();
    let (blob, store) = (directory.path().join("blob"), Store::at(directory.path().join("store")));
    disk::write(&blob, bytes).unwrap();
    let unpacked = unpack_archive(&blob, name, strip, limits, &store);
    let listed = list_archive(bytes, name, strip, limits);
    assert_eq!(disk::list(directory.path()).unwrap().len(), 2, "nothing is written beside the store");
    let (unpacked, listed) = match (unpacked, listed) {
        (Ok(unpacked), Ok(listed)) => (unpacked, listed),
        (unpacked, listed) => {
            let (error, same) = (texts(&unpacked.unwrap_err()), texts(&listed.unwrap_err()));
            assert_eq!(error, same);
            assert!(!directory.path().join("store/trees").exists(), "a refused archive leaves no tree");
            return Err(error);
        }
    };
    assert_eq!((&unpacked.tree, unpacked.newest), (&listed.tree, listed.newest));
    assert_eq!(store.whole_tree(unpacked.tree.digest()).unwrap().as_ref(), Some(&unpacked.tree));
    for file in unpacked.tree.files() {
        assert_eq!(BlobDigest::of(&disk::read(&store.file_path(file)).unwrap()), file.blob);
        assert_eq!(disk::kind(&store.file_path(file)).unwrap(), disk::Kind::File { executable: file.executable });
    }
    Ok(shown(&unpacked.tree))
}

/// A tree's leaves, as in `bin/x*`, `lib -> lib64`.
fn shown(tree: &Tree) -> Vec<String> {
    let show = |(path, node): (String, &Node)| match node {
        Node::File(file) => format!("{path}{}", if file.executable { "*" } else { "" }),
        Node::Symlink(target) => format!("{path} -> {target}"),
        Node::Directory(_) => path,
    };
    tree.leaves().into_iter().map(show).collect()
}

fn open(bytes: &[u8], name: &str) -> Result<Vec<String>, String> {
    open_as(bytes, name, Strip::Common, Limits::default())
}

fn check(archive: Tar, expected: &[&str]) {
    assert_eq!(open(&archive.bytes(), "a.tar").unwrap(), expected);
}

#[track_caller]
fn refused(archive: Tar, expected: &str) {
    assert_eq!(open(&archive.bytes(), "a.tar").unwrap_err(), format!("could not unpack `a.tar`: {expected}"));
}

fn packed(bytes: &[u8], ending: &str) -> Vec<u8> {
    match ending {
        "gz" | "tgz" => {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(bytes).unwrap();
            packer.finish().unwrap()
        }
        "xz" => {
            let mut packer = liblzma::write::XzEncoder::new(Vec::new(), 1);
            packer.write_all(bytes).unwrap();
            packer.finish().unwrap()
        }
        "zst" => zstd::encode_all(bytes, 1).unwrap(),
        "bz2" => {
            let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            packer.write_all(bytes).unwrap();
            packer.finish().unwrap()
        }
        _ => bytes.to_vec(),
    }
}

fn sample() -> Vec<u8> {
    // Larger than what is handed over whole, and no multiple of anything.
    let large: Vec<u8> = (0..3_000_001_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    Tar::new()
        .entry(EntryType::Directory, "x-1.0/", "", b"")
        .program("x-1.0/bin/x", 0o4755, b"\x7fELF")
        .file("x-1.0/empty", b"")
        .file("x-1.0/large", &large)
        .link("x-1.0/bin/y", "x")
        .hard("x-1.0/bin/z", "x-1.0/bin/x")
        .bytes()
}

const SAMPLE: [&str; 5] = ["bin/x*", "bin/y -> x", "bin/z*", "empty", "large"];

#[test]
fn every_packing_gives_the_same_tree() {
    for ending in ["", "gz", "xz", "zst", "bz2"] {
        let bytes = packed(&sample(), ending);
        assert_eq!(open(&bytes, "a.tar").unwrap(), SAMPLE, "{ending}");
        assert_eq!(open(&bytes, "download").unwrap(), SAMPLE, "the first bytes count, not the name");
    }
}

#[test]
fn packed_parts_one_after_another_are_read_to_the_end() {
    let (first, second) = (sample()[..1_000_003].to_vec(), sample()[1_000_003..].to_vec());
    for ending in ["gz", "xz", "zst", "bz2"] {
        let bytes = [packed(&first, ending), packed(&second, ending)].concat();
        assert_eq!(open(&bytes, "a.tar").unwrap(), SAMPLE, "{ending}");
    }
}

#[test]
fn what_is_cut_anywhere_is_refused() {
    for ending in ["gz", "xz", "zst", "bz2"] {
        let bytes = packed(&sample(), ending);
        for cut in [1, 2, 9, bytes.len() / 2, bytes.len() - 100] {
            assert!(open(&bytes[..bytes.len() - cut], "a.tar").is_err(), "{ending} without {cut}");
        }
    }
    assert!(open(&sample()[..2_000_000], "a.tar").is_err());
    assert_eq!(open(b"", "a.tar").unwrap_err(), "could not unpack `a.tar`: the archive has no files in it");
}

#[test]
fn the_time_is_that_of_the_latest_entry() {
    let listed = list_archive(&sample(), "a.tar", Strip::Common, Limits::default()).unwrap();
    assert_eq!(listed.newest, 1_000_000_000);
}
