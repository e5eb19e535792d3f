use super::*;
use crate::digest::BlobDigest;
use crate::package::Version;
use crate::source::{LockedCrate, LockedSource, Reference as GitReference, crate_sources};
use expect_test::expect;

/// The bytes stand in actions, whose digests lockfiles record.
#[test]
fn crates_of_crates_io_need_no_more_than_this() {
    expect![[r#"
        [source.crates-io]
        replace-with = "envy"

        [source.envy]
        directory = "/envy/crates"

        [net]
        offline = true

        [build]
        incremental = false
    "#]]
    .assert_eq(&of_home("", &[], &BTreeMap::new()));
    assert!(of_home("/tmp/x", &[], &BTreeMap::new()).contains("directory = \"/tmp/x/envy/crates\""));
}

fn locked(source: LockedSource) -> LockedCrate {
    LockedCrate { name: "a".into(), version: Version::new(1, 0, 0), source }
}

fn git(url: &str, reference: GitReference) -> LockedCrate {
    let commit = "4f1c0d2e4f1c0d2e4f1c0d2e4f1c0d2e4f1c0d2e".parse().unwrap();
    locked(LockedSource::Git(crate::source::GitSource { url: url.to_owned(), reference, commit }))
}

#[test]
fn every_other_source_is_replaced_by_a_directory() {
    let registry =
        |address: &str| locked(LockedSource::Registry { address: address.to_owned(), checksum: BlobDigest::of(b"a") });
    let sources = crate_sources(&[
        registry("sparse+https://a.example/"),
        registry("registry+https://b.example/index"),
        git("https://c.example/r", GitReference::Default),
        git("https://c.example/r", GitReference::Branch("a\"b\\é".into())),
    ])
    .unwrap();
    let registries = [("my\"own".to_owned(), "sparse+https://a.example/".to_owned())].into();
    let text = of_home("/x", &sources, &registries);
    expect![[r#"
        [source.crates-io]
        replace-with = "envy"

        [source.envy]
        directory = "/x/envy/crates"

        [source."replaced-1"]
        registry = "https://b.example/index"
        replace-with = "envy-1"

        [source."envy-1"]
        directory = "/x/envy/crates.1"

        [source."replaced-2"]
        registry = "sparse+https://a.example/"
        replace-with = "envy-2"

        [source."envy-2"]
        directory = "/x/envy/crates.2"

        [source."replaced-3"]
        git = "https://c.example/r"
        replace-with = "envy-3"

        [source."envy-3"]
        directory = "/x/envy/crates.3"

        [source."replaced-4"]
        git = "https://c.example/r"
        branch = "a\"b\\é"
        replace-with = "envy-4"

        [source."envy-4"]
        directory = "/x/envy/crates.4"

        [registries."my\"own"]
        index = "sparse+https://a.example/"

        [net]
        offline = true

        [build]
        incremental = false
    "#]]
    .assert_eq(&text);
    let read: toml::Table = text.parse().unwrap();
    assert_eq!(read["source"]["replaced-4"]["branch"].as_str(), Some("a\"b\\é"));
}

#[test]
fn quoted_strings_read_back() {
    for text in ["", "a\"b", "\\", "'", "\u{7f}\u{0}\n\t", "é\u{2028}", "${x}", "]\n[source.crates-io]"] {
        let read: toml::Table = format!("a = {}", quoted(text)).parse().unwrap();
        assert_eq!(read["a"].as_str(), Some(text));
    }
}

#[test]
fn what_a_project_says_of_compiling_counts() {
    let text = r#"# How we build.
[build]
rustflags = ["-Ctarget-cpu=x86-64-v3"] # new machines only

[target.x86_64-unknown-linux-gnu]
linker = "clang"
rustflags = ["-Clink-arg=-fuse-ld=lld"]

[profile.release]
lto = "thin"

[env]
GREETING = { value = "hello", relative = true }

[unstable]
gc = true

[alias]
b = "build"
"#;
    let config = of_project(text).unwrap();
    assert_eq!((config.text.as_str(), config.dropped.len(), config.target), (text, 0, None));
}

#[test]
fn what_it_says_of_the_host_and_the_network_does_not() {
    let config = of_project(
        r#"
include = ["other.toml"]
paths = ["/home/me/fork"]
build.rustc-wrapper = "/opt/sccache"

[source.crates-io]
replace-with = "mine"

[source.mine]
directory = "/home/me/vendor"

[net]
git-fetch-with-cli = true

[http]
proxy = "http://me:secret@proxy.example"

[registry]
token = "secret"

[registries.my]
index = "sparse+https://a.example/"
token = "secret"

[registries.half]
token = "secret"

[install]
root = "/opt"

[profile.release]
strip = true
"#,
    )
    .unwrap();
    assert_eq!(config.text.trim(), "[profile.release]\nstrip = true");
    let expected = "include paths source net http registry registries install build.rustc-wrapper";
    assert_eq!(config.dropped.join(" "), expected);
    assert_eq!(config.registries, [("my".to_owned(), "sparse+https://a.example/".to_owned())].into());
    assert!(!format!("{config:?}").contains("secret"));
}

#[test]
fn the_target_is_told_and_left_out() {
    let check = |text: &str, expected: Option<&str>| {
        let config = of_project(text).unwrap();
        assert_eq!(config.target.as_deref(), expected, "{text}");
        assert!(config.dropped.contains(&"build.target".to_owned()) && !config.text.contains("target"));
    };
    check("[build]\ntarget = 'a-b-c'", Some("a-b-c"));
    check("build = { target = ['a-b-c'] }", Some("a-b-c"));
    check("build.target = ['a', 'b']", None);
    check("build.target = 1", None);
}

#[test]
fn what_is_no_toml_is_refused() {
    assert!(of_project("<<<<<<< HEAD").is_err());
    assert!(of_project("build = 1\nsource = 2").unwrap().text.contains("build = 1"));
}
