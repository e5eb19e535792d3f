//! Where dependencies come from.

use super::tests::brief;
use super::*;
use expect_test::expect;

fn source(entry: &str) -> Source {
    let manifest = Manifest::parse("envy.toml", &format!("[sites.a.dependencies]\nx = {{ {entry} }}")).expect(entry);
    manifest.site(&"a".parse().unwrap()).unwrap().dependencies[0].source.clone()
}

#[test]
fn every_source_is_read() {
    let git = |reference, subdir: Option<&str>| Source::Git {
        url: "https://example.org/x.git".into(),
        reference,
        subdir: subdir.map(str::to_owned),
    };
    assert_eq!(source("version = '1'"), Source::crates_io());
    assert_eq!(source("version = '1', registry = 'crates-io'"), Source::crates_io());
    assert_eq!(source("version = '1', registry = 'company'"), Source::Crate { registry: Some("company".into()) });
    let url = "git = 'https://example.org/x.git'";
    assert_eq!(source(url), git(GitReference::Default, None));
    assert_eq!(source(&format!("{url}, version = '^1'")), git(GitReference::Versions, None));
    assert_eq!(source(&format!("{url}, tag = 'v1', version = '1'")), git(GitReference::Tag("v1".into()), None));
    assert_eq!(
        source(&format!("{url}, branch = 'a', subdir = 'b/c/'")),
        git(GitReference::Branch("a".into()), Some("b/c"))
    );
    assert_eq!(source(&format!("{url}, rev = '4f1c0d2'")), git(GitReference::Rev("4f1c0d2".into()), None));
    assert_eq!(source("path = 'services/x'"), Source::Path { path: "services/x".into() });
    let sum = BlobDigest::of(b"x");
    let hex = sum.hex();
    let Source::Archive(archive) = source(&format!(
        "url = 'https://example.org/x-{{version}}.tar.gz', version = '2026.01', sha256 = '{hex}', strip = 2, \
         platform.aarch64-linux-gnu.sha256 = 'sha256:{hex}'"
    )) else {
        panic!("it is an archive")
    };
    assert_eq!((archive.sha256, archive.strip), (Some(sum), Some(2)));
    assert_eq!(archive.platforms[&"aarch64-linux-gnu".parse().unwrap()].sha256, Some(sum));
}

#[test]
fn sources_that_make_no_sense_are_refused() {
    let refused = |entry: &str| brief(&format!("[dependencies]\nx = {{ {entry} }}"));
    refused("git = 'https://example.org/x', path = 'x'").is(expect![[r#"
        envy.toml:2:45: dependency `x` has two sources, `git` and `path`
    "#]]);
    refused("git = 'https://example.org/x', tag = 'v1', rev = 'a'").is(expect![[r#"
        envy.toml:2:56: `tag` and `rev` both say which commit
    "#]]);
    refused("git = 'https://example.org/x', branch = '--upload-pack=x'").is(expect![[r#"
        envy.toml:2:47: `--upload-pack=x` cannot be the name of a branch
    "#]]);
    refused("version = '1', tag = 'v1', sha256 = 'x', install = { 'bin/x' = 'x' }").is(expect![[r#"
        envy.toml:2:28: `tag` belongs to a source that is named by `git`
        envy.toml:2:43: `sha256` belongs to a source that is named by `url`
        envy.toml:2:58: `install` belongs to a source that is named by `url` or `git` or `path`
    "#]]);
    refused("git = 'https://me:secret@example.org/x'").is(expect![[r#"
        envy.toml:2:13: `git` holds credentials, and lockfiles repeat it
    "#]]);
    refused("url = 'http://example.org/x'").is(expect![[r#"
        envy.toml:2:13: what comes over http needs its `sha256`
    "#]]);
    refused("url = 'ftp://example.org/x'").is(expect![[r#"
        envy.toml:2:13: archives come by an address with `https:`, `http:` or `file:`
    "#]]);
    refused("url = 'https://example.org/x-{version}'").is(expect![[r#"
        envy.toml:2:1: dependency `x` has no `version`
    "#]]);
    refused("url = 'https://example.org/x', version = '>=1', sha256 = 'abc', strip = -1").is(expect![[r#"
        envy.toml:2:48: an archive has one version, but `>=1` is not a version: use letters, digits, `.`, `-`, `_`, `+` and `~`
        envy.toml:2:64: `abc` is not a sha256: that is 64 lowercase hexadecimal digits
        envy.toml:2:79: `strip` must be a number of directories, from 0
    "#]]);
    refused("url = 'https://example.org/x', platform.sparc = { url = 'x' }").is(expect![[r#"
        envy.toml:2:47: unknown platform `sparc`; known are x86_64-linux-gnu, x86_64-linux-musl, aarch64-linux-gnu and aarch64-linux-musl
    "#]]);
    refused("path = '', subdir = '../x'").is(expect![[r#"
        envy.toml:2:14: `path` names no directory
        envy.toml:2:27: `subdir` belongs to a source that is named by `git` or `url`
    "#]]);
    refused("version = '1', exclude-newer = 'soon'").is(expect![[r#"
        envy.toml:2:38: `soon` is neither a time (`2026-11-17T09:30:00Z`) nor a date (`2026-11-17`) nor a span of time (`7d`, `2 weeks`, `P7D`)
    "#]]);
    brief("[registries.a]\nindex = 'sparse+https://me:word@a.example/'").is(expect![[r#"
        envy.toml:2:9: `index` holds credentials, which are for nobody else
    "#]]);
    brief("[registries.crates-io]\nindex = 'x'\n[registries.a]").is(expect![[r#"
        envy.toml:1:13: `crates-io` is crates.io, and nothing else
        envy.toml:3:13: registry `a` has no `index`
    "#]]);
}

#[test]
fn a_limit_of_time_is_read() {
    let manifest = Manifest::parse("envy.toml", "[settings]\nbuild-timeout = '30m'").unwrap();
    assert_eq!(manifest.build_timeout(), Some(std::time::Duration::from_secs(1800)));
    brief("[settings]\nbuild-timeout = '0s'").is(expect![[r#"
        envy.toml:2:17: `0s` is not a time: write it as `30m` or `2h`
    "#]]);
}

#[test]
fn placeholders_of_addresses_are_known_ones() {
    source("url = 'https://example.org/{name}/{{x}}-{version}-{os}-{arch}-{platform}-{target}', version = '1'");
    brief("[sites.a.dependencies.x]\nurl = 'https://example.org/{verson}/{}'\nplatform.aarch64-linux-gnu.url = 'https://example.org/x-{'").is(expect![[r#"
        envy.toml:2:28: unknown placeholder `{verson}`
        envy.toml:2:37: unknown placeholder `{}`
        envy.toml:3:57: `{` has no partner
    "#]]);
}

#[test]
fn limits_of_sources_are_read() {
    let manifest = Manifest::parse("envy.toml", "[settings]\nlargest-source = '2 GiB'\nlargest-ratio = 9").unwrap();
    assert_eq!((manifest.largest_source(), manifest.largest_ratio()), (Some(2 << 30), Some(9)));
    brief("[settings]\nlargest-source = 'much'\nlargest-ratio = 0").is(expect![[r#"
        envy.toml:2:18: `much` is not a size: write it as `500 MB` or `8 GiB`
        envy.toml:3:17: a ratio is a whole number, from 1
    "#]]);
}
