use std::io::Write as _;

use tar::{Builder, EntryType, Header};

use super::*;
use crate::digest::BlobDigest;

/// An archive in the making.
struct Tar(Builder<Vec<u8>>);

impl Tar {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    /// A crate with what a crate must have.
    fn with_manifest() -> Self {
        Self::new().file("a-1.0.0/Cargo.toml", 0o644, b"[package]")
    }

    fn entry(mut self, kind: EntryType, path: &[u8], mode: u32, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        // Written past the library, which refuses what we want to read.
        header.as_old_mut().name[..path.len()].copy_from_slice(path);
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_000_000_000);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    fn file(self, path: &str, mode: u32, content: &[u8]) -> Self {
        self.entry(EntryType::Regular, path.as_bytes(), mode, "", content)
    }

    fn link(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, path.as_bytes(), 0o777, target, b"")
    }

    fn extension(mut self, key: &str, value: &str) -> Self {
        self.0.append_pax_extensions([(key, value.as_bytes())]).unwrap();
        self
    }

    fn pack(self) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&self.0.into_inner().unwrap()).unwrap();
        packer.finish().unwrap()
    }
}

fn texts(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Read an archive, and unpack it, which have to agree.
fn open(packed: &[u8]) -> Result<CrateContents, String> {
    let directory = tempfile::tempdir().unwrap();
    let (path, to) = (directory.path().join("a.crate"), directory.path().join("to"));
    disk::write(&path, packed).unwrap();
    let id = PackageId { name: "a".parse().unwrap(), version: "1.0.0".parse().unwrap() };
    let contents = read(&path, &id).map_err(|error| texts(&error));
    let unpacked = unpack(&path, "a-1.0.0", &to).map_err(|error| texts(&error));
    assert_eq!(disk::list(directory.path()).unwrap().len(), 2, "nothing is written beside the target");
    match &contents {
        Ok(contents) => {
            assert_eq!(unpacked.as_ref(), Ok(&contents.tree));
            check_written(&contents.tree, &to);
        }
        Err(error) if error.contains("Cargo.toml") => {}
        Err(error) => assert_eq!(unpacked.as_ref(), Err(error)),
    }
    contents
}

fn check_written(tree: &Tree, at: &Path) {
    let on_disk: Vec<_> = disk::list(at).unwrap().into_iter().map(|(name, _)| name.into_string().unwrap()).collect();
    assert_eq!(on_disk, tree.entries().map(|(name, _)| name.to_owned()).collect::<Vec<_>>());
    for (name, node) in tree.entries() {
        let path = at.join(name);
        match node {
            Node::Directory(below) => check_written(below, &path),
            Node::Symlink(target) => assert_eq!(disk::read_link(&path), Some(PathBuf::from(target))),
            Node::File(file) => {
                assert_eq!(BlobDigest::of(&disk::read(&path).unwrap()), file.blob);
                assert_eq!(disk::kind(&path).unwrap(), disk::Kind::File { executable: file.executable });
            }
        }
    }
}

fn refused(archive: Tar, expected: &str) {
    let error = open(&archive.pack()).unwrap_err();
    assert!(error.ends_with(expected), "{error}");
}

#[test]
fn a_crate_is_read_in_one_pass() {
    let archive = Tar::with_manifest()
        .entry(EntryType::Directory, b"a-1.0.0/", 0o700, "", b"")
        .file("a-1.0.0/Cargo.lock", 0o600, b"version = 4")
        .file("a-1.0.0/src/main.rs", 0o6777, b"fn main() {}")
        .file("a-1.0.0/.cargo-ok", 0o644, b"ok")
        .link("a-1.0.0/src/link", "../Cargo.toml");
    let contents = open(&archive.pack()).unwrap();
    assert_eq!((contents.manifest.as_str(), contents.cargo_lock.as_deref()), ("[package]", Some("version = 4")));
    assert_eq!(contents.newest, 1_000_000_000);
    assert_eq!(contents.tree.leaves().len(), 5);
    let Some(Node::File(main)) = contents.tree.get("src/main.rs") else { panic!("no file") };
    assert!(main.executable);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    refused(Tar::with_manifest().file("a-1.0.0/../b", 0o644, b""), "entry `a-1.0.0/../b` leads upwards by `..`");
    refused(Tar::with_manifest().file("/a-1.0.0/b", 0o644, b""), "entry `/a-1.0.0/b` has an absolute name");
    refused(
        Tar::with_manifest().file("b-1.0.0/b", 0o644, b""),
        "entry `b-1.0.0/b` lies outside the archive's top directory",
    );
    refused(Tar::with_manifest().file("a-1.0.0.b/b", 0o644, b""), "lies outside the archive's top directory");
    refused(Tar::with_manifest().file("a-1.0.0", 0o644, b""), "lies outside the archive's top directory");
    refused(Tar::with_manifest().file("a-1.0.0//b", 0o644, b""), "has no plain name");
    refused(Tar::with_manifest().file("./a-1.0.0/b", 0o644, b""), "has no plain name");
    refused(Tar::with_manifest().file("a-1.0.0/b/", 0o644, b""), "has no plain name");
    refused(
        Tar::with_manifest().entry(EntryType::Regular, b"a-1.0.0/\xff", 0o644, "", b""),
        "has a name that is not UTF-8",
    );
    refused(
        Tar::with_manifest().extension("path", "../b").file("a-1.0.0/b", 0o644, b""),
        "entry `../b` leads upwards by `..`",
    );
}

#[test]
fn symlinks_that_lead_outside_are_refused() {
    for target in ["..", "../../b", "b/../..", "/etc", "s/../../../b", ""] {
        let error = open(&Tar::with_manifest().link("a-1.0.0/link", target).pack()).unwrap_err();
        assert!(error.contains("`a-1.0.0/link` points"), "{target}: {error}");
    }
    open(&Tar::with_manifest().link("a-1.0.0/x/y/link", "../../b").pack()).unwrap();
}

#[test]
fn nothing_is_written_through_a_symlink() {
    refused(
        Tar::with_manifest().link("a-1.0.0/link", "src").file("a-1.0.0/link/b", 0o644, b""),
        "entry `a-1.0.0/link/b` lies below something that is no directory",
    );
    refused(Tar::with_manifest().link("a-1.0.0/link", "src").file("a-1.0.0/link", 0o644, b""), "is there twice");
}

#[test]
fn other_kinds_of_entries_are_refused() {
    let kinds = [
        (EntryType::Link, "is a hard link"),
        (EntryType::Char, "is a device"),
        (EntryType::Block, "is a device"),
        (EntryType::Fifo, "is a named pipe"),
        (EntryType::Continuous, "is neither a file nor a directory nor a symlink"),
    ];
    for (kind, expected) in kinds {
        refused(Tar::with_manifest().entry(kind, b"a-1.0.0/b", 0o644, "a-1.0.0/Cargo.toml", b""), expected);
    }
}

#[test]
fn a_path_stands_in_an_archive_once() {
    refused(
        Tar::with_manifest().file("a-1.0.0/Cargo.toml", 0o644, b"other"),
        "entry `a-1.0.0/Cargo.toml` is there twice",
    );
    refused(Tar::with_manifest().file("a-1.0.0/Cargo.toml/b", 0o644, b""), "lies below something that is no directory");
    refused(
        Tar::with_manifest().file("a-1.0.0/x/b", 0o644, b"").file("a-1.0.0/x", 0o644, b""),
        "entry `a-1.0.0/x` is there twice",
    );
}

#[test]
fn two_sizes_for_one_entry_are_refused() {
    refused(
        Tar::with_manifest().extension("size", "3").file("a-1.0.0/b", 0o644, b"12345"),
        "entry `a-1.0.0/b` has two sizes",
    );
    open(&Tar::with_manifest().extension("size", "5").file("a-1.0.0/b", 0o644, b"12345").pack()).unwrap();
}

#[test]
fn what_is_cut_or_no_archive_is_refused() {
    let whole = Tar::with_manifest().file("a-1.0.0/b", 0o644, &[7; 5000]).pack();
    for packed in [&whole[..whole.len() / 2], b"nonsense", b""] {
        assert!(open(packed).is_err());
    }
    let error = open(&Tar::new().file("a-1.0.0/b", 0o644, b"").pack()).unwrap_err();
    assert_eq!(error, "the crate `a-1.0.0` has no `Cargo.toml`");
}

#[test]
fn a_directory_with_something_in_it_is_not_unpacked_into() {
    let directory = tempfile::tempdir().unwrap();
    disk::write(&directory.path().join("a.crate"), &Tar::with_manifest().pack()).unwrap();
    let error = unpack(&directory.path().join("a.crate"), "a-1.0.0", directory.path()).unwrap_err();
    assert!(matches!(error, Error::NotEmpty { .. }), "{error}");
}

#[test]
fn a_manifest_is_read_without_what_comes_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.crate");
    let id = PackageId { name: "a".parse().unwrap(), version: "1.0.0".parse().unwrap() };
    let read = |tar: Tar| {
        disk::write_atomic(&path, &tar.pack()).unwrap();
        manifest(&path, &id).map_err(|error| texts(&error))
    };
    let device = Tar::with_manifest().entry(EntryType::Block, b"a-1.0.0/device", 0o644, "", b"");
    assert_eq!(read(device).unwrap(), "[package]");
    let later = Tar::new().file("a-1.0.0/.cargo_vcs_info.json", 0o644, b"{}").file("a-1.0.0/Cargo.toml", 0o644, b"x");
    assert_eq!(read(later).unwrap(), "x");
    assert!(read(Tar::new().file("a-1.0.0/src/lib.rs", 0o644, b"")).unwrap_err().contains("has no `Cargo.toml`"));
    assert!(read(Tar::new().file("b/Cargo.toml", 0o644, b"")).is_err());
    disk::write_atomic(&path, b"no archive").unwrap();
    assert!(manifest(&path, &id).is_err());
}
