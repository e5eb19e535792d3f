mod zips;

use std::io::Write as _;

use proptest::prelude::*;
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

#[test]
fn single_programs_are_named_by_what_they_were_called() {
    for ending in ["", "gz", "xz", "zst", "bz2"] {
        let name = if ending.is_empty() { "tool-1.0".to_owned() } else { format!("tool-1.0.{ending}") };
        assert_eq!(open(&packed(b"#!/bin/sh\necho hello\n", ending), &name).unwrap(), ["tool-1.0*"]);
    }
    assert_eq!(open(&packed(b"data", "gz"), "geo.mmdb.gz").unwrap(), ["geo.mmdb"]);
    assert_eq!(
        open(b"<!doctype html>", "x.tar.gz").unwrap_err(),
        "`x.tar.gz` is no tar or zip archive and no program, nor one of these packed by gzip, xz, zstd or bzip2"
    );
    assert!(open(b"#!/bin/sh", "..").unwrap_err().ends_with("entry `..` has no plain name"));
}

#[test]
fn directories_above_are_taken_off() {
    let two = || Tar::new().file("a/x", b"").file("b/y/z", b"").bytes();
    let strip = |bytes: &[u8], strip| open_as(bytes, "a.tar", strip, Limits::default());
    assert_eq!(strip(&two(), Strip::Common).unwrap(), ["a/x", "b/y/z"]);
    assert_eq!(strip(&two(), Strip::Components(1)).unwrap(), ["x", "y/z"]);
    assert_eq!(strip(&sample(), Strip::Components(0)).unwrap()[0], "x-1.0/bin/x*");
    assert!(
        strip(&two(), Strip::Components(2))
            .unwrap_err()
            .ends_with("entry `x` lies above the directories that are to be taken off")
    );
    let same = Tar::new().file("a/x", b"1").file("b/x", b"2").bytes();
    assert!(
        strip(&same, Strip::Components(1))
            .unwrap_err()
            .ends_with("entry `x` is there twice without the directories that are to be taken off")
    );
    check(Tar::new().file("./a/x", b"").entry(EntryType::Directory, "./", "", b""), &["x"]);
    check(Tar::new().file("x", b""), &["x"]);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    refused(Tar::new().file("../x", b""), "the archive's entry `../x` leads upwards by `..`");
    refused(Tar::new().file("a/../../x", b""), "the archive's entry `a/../../x` leads upwards by `..`");
    refused(Tar::new().file("/etc/x", b""), "the archive's entry `/etc/x` has an absolute name");
    refused(Tar::new().file(".//etc/x", b""), "the archive's entry `.//etc/x` has an absolute name");
    refused(Tar::new().file("a//x", b""), "the archive's entry `a//x` has no plain name");
    refused(Tar::new().extension("path", "../x").file("x", b""), "the archive's entry `../x` leads upwards by `..`");
}

#[test]
fn symlinks_that_lead_out_are_refused() {
    for target in ["/etc/passwd", "", "../../x", "b/../../../x"] {
        let error = open(&Tar::new().file("a/x", b"").link("a/link", target).bytes(), "a.tar").unwrap_err();
        assert!(error.contains("entry `a/link` points"), "{target}: {error}");
    }
    let out_of_what_is_left = Tar::new().file("a/x", b"").link("a/link", "../x");
    refused(out_of_what_is_left, "the archive's entry `link` points outside the archive");
    check(Tar::new().file("a/b/x", b"").link("a/link", "./b/x").file("a/y", b""), &["b/x", "link -> ./b/x", "y"]);
}

#[test]
fn hard_links_are_files_that_came_before() {
    check(Tar::new().file("a/x", b"x").hard("a/y", "./a/x").file("b", b""), &["a/x", "a/y", "b"]);
    let text = "is a hard link to no earlier file of the archive";
    for target in ["/etc/passwd", "../x", "a/none", "a"] {
        refused(Tar::new().file("a/x", b"").hard("a/y", target), &format!("the archive's entry `a/y` {text}"));
    }
    refused(Tar::new().link("a/x", "y").hard("a/z", "a/x"), &format!("the archive's entry `a/z` {text}"));
}

#[test]
fn devices_pipes_and_files_with_holes_are_refused() {
    let kinds = [
        (EntryType::Char, "is a device"),
        (EntryType::Block, "is a device"),
        (EntryType::Fifo, "is a named pipe"),
        (EntryType::Continuous, "is neither a file nor a directory nor a symlink"),
    ];
    for (kind, expected) in kinds {
        refused(Tar::new().entry(kind, "a/x", "", b""), &format!("the archive's entry `a/x` {expected}"));
    }
    for (key, value) in [("GNU.sparse.major", "1"), ("GNU.sparse.name", "a/y")] {
        refused(Tar::new().extension(key, value).file("a/x", b"1"), "the archive's entry `a/x` is a sparse file");
    }
    let mut holes = Header::new_gnu();
    holes.set_path("a/x").unwrap();
    holes.set_entry_type(EntryType::GNUSparse);
    holes.set_size(0);
    holes.as_gnu_mut().unwrap().set_real_size(0);
    holes.set_cksum();
    let mut sparse = Tar::new();
    sparse.0.append(&holes, io::empty()).unwrap();
    refused(sparse, "the archive's entry `a/x` is a sparse file");
}

#[test]
fn a_path_stands_in_an_archive_once() {
    refused(Tar::new().file("a", b"").file("a", b""), "the archive's entry `a` is there twice");
    refused(Tar::new().file("a", b"").file("./a", b""), "the archive's entry `./a` is there twice");
    refused(
        Tar::new().file("a", b"").file("a/b", b""),
        "the archive's entry `a/b` lies below something that is no directory",
    );
    refused(
        Tar::new().file("x", b"").link("a", "x").file("a/b", b""),
        "the archive's entry `a/b` lies below something that is no directory",
    );
    let cases = Tar::new().file("d/STRASSE", b"").file("d/x/y", b"").file("d/strasse", b"");
    refused(cases, "the archive's entry `strasse` differs from `STRASSE` in upper and lower case alone");
    let cases = Tar::new().file("d/\u{c4}/x", b"").file("d/\u{e4}/y", b"");
    refused(cases, "the archive's entry `\u{e4}` differs from `\u{c4}` in upper and lower case alone");
}

#[test]
fn two_readers_may_not_see_two_archives() {
    refused(Tar::new().extension("size", "3").file("a", b"12345"), "the archive's entry `a` has two sizes");
    let global = |key: &str, value: &str| {
        let record = format!("{} {key}={value}\n", key.len() + value.len() + 5);
        Tar::new().entry(EntryType::XGlobalHeader, "g", "", record.as_bytes()).file("a", b"")
    };
    refused(global("size", "3"), "the archive gives one name, size or shape to all of its entries");
    check(global("comment", "a"), &["a"]);
    let mut after = Tar::new().file("a", b"").bytes();
    after.extend(Tar::new().file("b", b"").bytes());
    assert!(open(&after, "a.tar").unwrap_err().ends_with("the archive goes on after its end"));
    let two_names = Tar::new().0;
    let mut builder = two_names;
    let mut long = Header::new_gnu();
    long.set_entry_type(EntryType::GNULongName);
    long.set_size(2);
    long.set_cksum();
    builder.append(&long, &b"b\0"[..]).unwrap();
    refused(Tar(builder).extension("path", "c").file("a", b""), "the archive's entry `b` has two names");
}

#[test]
fn names_are_long_or_not_utf8() {
    let long = format!("{}/{}", "d".repeat(150), "f".repeat(200));
    check(Tar::new().program(&long, 0o755, b"").file("x", b""), &[&format!("{long}*"), "x"]);
    check(Tar::new().extension("path", &long).file("a", b"").file("x", b""), &[&long, "x"]);
    let mut bytes = Tar::new().file("aa", b"").bytes();
    (bytes[0], bytes[154]) = (0xff, b' ');
    let sum: u32 = bytes[..148].iter().chain(&[b' '; 8]).chain(&bytes[156..512]).map(|byte| u32::from(*byte)).sum();
    bytes[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    assert!(open(&bytes, "a.tar").unwrap_err().contains("has a name that is not UTF-8"));
}

#[test]
fn bombs_are_left_early() {
    let limits = Limits { total: 1 << 20, ratio: 1_000_000, entries: 100 };
    let bomb = packed(&Tar::new().file("a", &vec![0; 2 << 20]).bytes(), "gz");
    assert!(
        open_as(&bomb, "a", Strip::Common, limits).unwrap_err().ends_with("the archive unpacks to more than it may")
    );
    let single = packed(&[b"#!".to_vec(), vec![0; 2 << 20]].concat(), "gz");
    assert!(
        open_as(&single, "a", Strip::Common, limits).unwrap_err().ends_with("the archive unpacks to more than it may")
    );
    let names = (0..101).fold(Tar::new(), |tar, number| tar.file(&number.to_string(), b""));
    let error = open_as(&names.bytes(), "a", Strip::Common, limits).unwrap_err();
    assert!(error.ends_with("the archive has more than the 100 entries that it may have"), "{error}");
    assert_eq!(Limits::default().bytes(10 << 20), 2000 << 20);
    assert_eq!(Limits::default().bytes(10), ALWAYS);
    assert_eq!(Limits::default().bytes(1 << 40), 8 << 30);
}

#[test]
fn a_name_of_many_bytes_does_not_fill_the_memory() {
    let value = "x".repeat(2 << 20);
    refused(
        Tar::new().extension("comment", &value).file("a", b""),
        "the archive has an entry whose headers are larger than they may be",
    );
}

#[test]
fn deep_paths_and_directories_that_are_only_named_count_too() {
    let deep = |depth: usize| Tar::new().extension("path", &"d/".repeat(depth)[..depth * 2 - 1]).file("a", b"");
    check(deep(256), &[&"d/".repeat(256)[2..511]]);
    assert!(open(&deep(257).bytes(), "a.tar").unwrap_err().ends_with("has a name that is too long"));
    assert!(open(&deep(200_000).bytes(), "a.tar").unwrap_err().ends_with("has a name that is too long"));
    let limits = Limits { entries: 10, ..Limits::default() };
    let error = open_as(&deep(20).bytes(), "a.tar", Strip::Common, limits).unwrap_err();
    assert!(error.ends_with("the archive has more than the 10 entries that it may have"), "{error}");
}

#[test]
fn a_store_that_takes_nothing_ends_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::at(directory.path().join("store"));
    let blob = directory.path().join("blob");
    let many = (0..2_000).fold(Tar::new(), |tar, number| tar.file(&number.to_string(), number.to_string().as_bytes()));
    for bytes in [many.bytes(), sample()] {
        disk::write(&blob, &bytes).unwrap();
        disk::write_atomic(&directory.path().join("store/blobs"), b"no directory").unwrap();
        let unpacked = unpack_archive(&blob, "a.tar", Strip::Common, Limits::default(), &store);
        assert!(matches!(unpacked, Err(Error::Store(_))), "{unpacked:?}");
    }
}

/// Some names, most of them hostile.
fn name() -> impl Strategy<Value = String> {
    let part = prop_oneof!["[a-c]", Just("..".to_owned()), Just(".".to_owned()), Just(String::new())];
    proptest::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_list_of_entries_gets_out(entries in proptest::collection::vec((0..5_usize, name(), name()), 1..6)) {
        let kinds = [EntryType::Regular, EntryType::Regular, EntryType::Directory, EntryType::Symlink, EntryType::Link];
        let tar = entries.iter().fold(Tar::new(), |tar, (kind, name, link)| {
            let content: &[u8] = if *kind < 2 { b"content" } else { b"" };
            tar.entry(kinds[*kind], name, link, content)
        });
        // What is looked at is in there: nothing beside the store, no tree of what is refused, whole trees otherwise.
        let _ = open(&tar.bytes(), "a.tar");
    }

    #[test]
    fn no_bytes_make_it_panic(mut bytes in Just(sample_small()), changes in proptest::collection::vec((0..4096_usize, any::<u8>()), 1..8)) {
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let _ = list_archive(&bytes, "a.tar", Strip::Common, Limits::default());
    }
}

fn sample_small() -> Vec<u8> {
    Tar::new().file("a/x", b"x").link("a/y", "x").hard("a/z", "a/x").extension("path", "a/w").file("b", b"").bytes()
}
