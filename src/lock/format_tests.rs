//! What a lockfile's text has to be.

use super::*;
use crate::digest::{ActionDigest, BlobDigest, TextDigest, TreeDigest};
use expect_test::expect_file;

fn sample() -> Lockfile {
    let platform: Platform = "x86_64-linux-gnu".parse().unwrap();
    let package = |name: &str, outputs| Package {
        id: PackageId { name: name.parse().unwrap(), version: "1.0.0".parse().unwrap() },
        source: super::super::CRATES_IO.to_owned(),
        archive: BlobDigest::of(b"archive"),
        tree: TreeDigest::of(b"tree"),
        recipe: TextDigest::of(b"recipe"),
        crates: BlobDigest::of(b"crates"),
        generated: name == "just",
        outputs,
    };
    let output = |needs| Output { platform, action: ActionDigest::of(b"action"), tree: TreeDigest::of(b"out"), needs };
    let needs = Needs { glibc: Some("2.34".into()), libraries: vec!["libgcc_s.so.1".into()], interpreter: None };
    let mut lockfile = Lockfile::empty(TextDigest::of(b"requirements"));
    let content = [(platform, TextDigest::of(b"content"))].into();
    lockfile.toolchain = Some(Toolchain { rust: "1.95.0 (59807616e 2026-04-14)".into(), content });
    for package in [package("hexyl", vec![output(needs)]), package("just", vec![])] {
        lockfile.packages.insert(package.id.name.clone(), package);
    }
    lockfile.prefixes.insert(platform, Prefix { outputs: TextDigest::of(b"outputs"), tree: TreeDigest::of(b"prefix") });
    lockfile
}

fn parse(text: &str) -> Result<Lockfile, String> {
    use std::error::Error as _;
    Lockfile::parse(Path::new("lockfiles/a.lock"), text).map_err(|error| {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{error}{cause}")
    })
}

#[test]
fn version_1_has_this_form() {
    expect_file!["golden/version-1.lock"].assert_eq(&sample().text());
}

#[test]
fn text_reads_back() {
    assert_eq!(parse(&sample().text()).unwrap(), sample());
}

#[test]
fn what_is_no_lockfile_is_refused() {
    let text = sample().text();
    let check = |text: &str, expected: &str| {
        let error = parse(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    check(&format!("{text}\n<<<<<<< ours\n"), "conflict markers");
    check(&text.replace("version = 1\n", "version = 2\n"), "format version 2");
    check(&text.replace("sha256:", "md5:"), "lowercase hexadecimal");
    check(&text.replace("name = \"just\"", "name = \"hexyl\""), "`hexyl` is there twice");
    check(&text.replace("name = \"just\"", "name = \"../just\""), "is not a name");
    check(&text.replace("registry+crates.io", "git+file:///x"), "cannot use");
    check(&text.replace("crates = ", "crate = "), "unknown field");
    check(&text[..text.len() / 2], "cannot be read");
    check("", "missing field");
}
