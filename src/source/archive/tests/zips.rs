//! Zip archives, good and bad.

use std::io::Cursor;

use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, ZipWriter};
use proptest::prelude::*;

use super::*;

fn options() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o644)
}

/// A zip archive of these files.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, options()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Where a name stands in an archive: first before its entry, then in the directory.
fn places(bytes: &[u8], name: &str) -> Vec<usize> {
    (0..bytes.len() - name.len()).filter(|at| bytes[*at..].starts_with(name.as_bytes())).collect()
}

/// The archive with another name of the same length, in both places.
fn renamed(mut bytes: Vec<u8>, from: &str, to: &[u8]) -> Vec<u8> {
    for at in places(&bytes, from) {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

/// Where the directory at the end tells of an entry.
fn central(bytes: &[u8], name: &str) -> usize {
    places(bytes, name).pop().unwrap() - 46
}

/// The archive with the unix mode of an entry being this, with its kind.
fn with_mode(mut bytes: Vec<u8>, name: &str, mode: u16) -> Vec<u8> {
    let at = central(&bytes, name);
    bytes[at + 40..at + 42].copy_from_slice(&mode.to_le_bytes());
    bytes
}

#[track_caller]
fn refused(bytes: &[u8], expected: &str) {
    let error = open(bytes, "a.zip").unwrap_err();
    assert!(error.starts_with("could not unpack `a.zip`: ") && error.contains(expected), "{error}");
}

#[test]
fn files_directories_and_symlinks_are_unpacked() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let packed = options().compression_method(CompressionMethod::Deflated);
    writer.add_directory("x-1.0", options()).unwrap();
    writer.start_file("x-1.0/bin/x", packed.unix_permissions(0o4755)).unwrap();
    writer.write_all(b"#!/bin/sh\n").unwrap();
    writer.start_file("x-1.0/large", packed).unwrap();
    writer.write_all(&b"0123456789".repeat(300_000)).unwrap();
    writer.add_symlink("x-1.0/bin/y", "x", options()).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    assert_eq!(open(&bytes, "download").unwrap(), ["bin/x*", "bin/y -> x", "large"]);
}

#[test]
fn without_modes_content_tells_what_is_a_program() {
    let bytes = zip(&[("tool", b"\x7fELF"), ("text", b"text")]);
    let bytes = with_mode(with_mode(bytes, "tool", 0), "text", 0);
    assert_eq!(open(&bytes, "a.zip").unwrap(), ["text", "tool*"]);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let named = |name: &[u8]| renamed(zip(&[("aaaaaa", b"")]), "aaaaaa", name);
    refused(&named(b"../aaa"), "entry `../aaa` leads upwards by `..`");
    refused(&named(b"/aaaaa"), "entry `/aaaaa` has an absolute name");
    refused(&named(b"a//aaa"), "entry `a//aaa` has no plain name");
    refused(&named(b"..\\aaa"), "entry `..\\aaa` has a name with a backslash");
    refused(&named(b"aaaaa\xff"), "has a name that is not UTF-8");
    refused(&named(b"aaaaa\0"), "has no plain name");
}

#[test]
fn symlinks_that_lead_out_are_refused() {
    for target in ["/etc/passwd", "../../x", ""] {
        let bytes = with_mode(zip(&[("a/link", target.as_bytes()), ("b", b"")]), "a/link", 0o120_777);
        refused(&bytes, "entry `a/link` points");
    }
    let long = "x/".repeat(3000);
    refused(&with_mode(zip(&[("link", long.as_bytes())]), "link", 0o120_777), "points to no place in the archive");
}

#[test]
fn devices_and_pipes_are_refused() {
    for (mode, expected) in [(0o020_644, "is a device"), (0o060_644, "is a device"), (0o010_644, "is a named pipe")] {
        refused(&with_mode(zip(&[("node", b"")]), "node", mode), &format!("entry `node` {expected}"));
    }
    refused(&with_mode(zip(&[("node", b"")]), "node", 0o040_755), "entry `node` is neither a file nor");
}

#[test]
fn a_path_stands_in_an_archive_once() {
    refused(&renamed(zip(&[("aa", b"1"), ("bb", b"2")]), "bb", b"aa"), "the archive has a name that is there twice");
    refused(&zip(&[("./a", b"1"), ("a", b"2")]), "entry `a` is there twice");
    refused(&zip(&[("a", b"1"), ("a/b", b"2")]), "entry `a/b` lies below something that is no directory");
    refused(&zip(&[("a", b"1"), ("A", b"2")]), "in upper and lower case alone");
}

#[test]
fn headers_that_disagree_are_refused() {
    let bytes = zip(&[("name", b"content")]);
    let [local, _] = places(&bytes, "name")[..] else { panic!("a name stands in two places") };
    let mut other_name = bytes.clone();
    other_name[local] = b'N';
    refused(&other_name, "inconsisten");
    let mut other_size = bytes.clone();
    other_size[local - 30 + 22] = 3;
    refused(&other_size, "inconsisten");
    let mut other_sum = bytes;
    let at = central(&other_sum, "name");
    for at in [at + 16, local - 30 + 14] {
        other_sum[at] ^= 1;
    }
    refused(&other_sum, "cannot be read");
}

#[test]
fn entries_that_share_bytes_are_refused() {
    let mut bytes = zip(&[("aa", b"same"), ("ab", b"same")]);
    let (first, second) = (central(&bytes, "aa"), central(&bytes, "ab"));
    let offset: [u8; 4] = bytes[first + 42..first + 46].try_into().unwrap();
    bytes[second + 42..second + 46].copy_from_slice(&offset);
    refused(&bytes, "the archive has entries that share bytes");
}

#[test]
fn an_entry_that_the_directory_does_not_list_is_refused() {
    let (hidden, seen) = (zip(&[("hidden", b"1")]), zip(&[("seen", b"2")]));
    let entry = &hidden[..central(&hidden, "hidden")];
    // Before the rest, as in a self-extracting archive, where it belongs to nothing.
    let bytes = [entry, &seen].concat();
    assert!(open(&bytes, "a.zip").is_err());
}

#[test]
fn what_is_encrypted_or_packed_otherwise_is_refused() {
    let mut encrypted = zip(&[("name", b"content")]);
    let [local, at] = places(&encrypted, "name")[..] else { panic!("a name stands in two places") };
    for flags in [local - 30 + 6, at - 46 + 8] {
        encrypted[flags] |= 1;
    }
    refused(&encrypted, "entry `name` is encrypted");
    let mut method = zip(&[("name", b"content")]);
    for at in [local - 30 + 8, at - 46 + 10] {
        method[at] = 98;
    }
    refused(&method, "entry `name` is packed by the method");
}

#[test]
fn bombs_are_left_early() {
    let limits = Limits { total: 1 << 20, ratio: 1_000_000, entries: 3 };
    let packed = options().compression_method(CompressionMethod::Deflated);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["a", "b"] {
        writer.start_file(name, packed).unwrap();
        writer.write_all(&vec![0; 700 << 10]).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    let error = open_as(&bytes, "a.zip", Strip::Common, limits).unwrap_err();
    assert!(error.ends_with("the archive unpacks to more than it may"), "{error}");
    let many = zip(&[("a", b""), ("b", b""), ("c", b""), ("d", b"")]);
    let error = open_as(&many, "a.zip", Strip::Common, limits).unwrap_err();
    assert!(error.ends_with("more than the 3 entries that it may have"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(changes in proptest::collection::vec((0..4096_usize, any::<u8>()), 1..8)) {
        let mut bytes = zip(&[("a/x", b"x"), ("a/y", b"yy"), ("b", b"")]);
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let _ = list_archive(&bytes, "a.zip", Strip::Common, Limits::default());
    }
}
