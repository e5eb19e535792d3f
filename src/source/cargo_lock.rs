//! What a `Cargo.lock` says: every crate of the graph, and where it comes from. Pure. Versions 1 to 4 of its format.

mod graph;

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use url::Url;

use super::git::Reference;
use crate::digest::{BlobDigest, Commit};
use crate::download::shown;
use crate::package::Version;
pub use graph::{LockedNode, locked_graph};

/// The newest format that we know.
const NEWEST: u32 = 4;

/// A lock cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not one.
    #[error("could not understand `Cargo.lock`")]
    Parse(#[source] Box<toml::de::Error>),
    /// It is newer than we are.
    #[error("`Cargo.lock` has the format {0}, and the newest that envy knows is {NEWEST}")]
    Format(u32),
    /// A crate that nobody could check.
    #[error("`Cargo.lock` has no checksum for `{name} {version}`")]
    NoChecksum { name: String, version: Version },
    /// A name that cargo would not take.
    #[error("`Cargo.lock` names a package `{}`", name.escape_debug())]
    Name { name: String },
    /// A checksum that is none.
    #[error("`Cargo.lock` has a checksum for `{name} {version}` that is no sha256")]
    Checksum { name: String, version: Version },
    /// A place that no crate can come from.
    #[error("`Cargo.lock` names a source for `{name} {version}` that {what}: `{}`", from.escape_debug())]
    Source { name: String, version: Version, what: &'static str, from: String },
}

/// A crate in a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedCrate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Where it comes from.
    pub source: LockedSource,
}

/// Where a locked crate comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockedSource {
    /// The package or workspace that the lock belongs to, or a path beside it.
    Itself,
    /// crates.io, or what replaces it.
    CratesIo {
        /// Digest of the archive.
        checksum: BlobDigest,
    },
    /// Another registry.
    Registry {
        /// Its index, as the lock writes it: `registry+URL` for one in git, `sparse+URL` for one that is asked over HTTP.
        address: String,
        /// Digest of the archive.
        checksum: BlobDigest,
    },
    /// A git repository.
    Git(GitSource),
}

/// One commit of a git repository, and what was asked for when it was chosen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GitSource {
    /// Address of the repository, without query and fragment. It may hold credentials.
    pub url: String,
    /// What was asked for.
    pub reference: Reference,
    /// The commit.
    pub commit: Commit,
}

/// As a lock writes it, without credentials.
impl fmt::Display for LockedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Itself => f.write_str("the package itself"),
            Self::CratesIo { .. } => f.write_str("crates.io"),
            Self::Registry { address, .. } => f.write_str(&shown_source(address)),
            Self::Git(GitSource { url, commit, .. }) => write!(f, "git+{}#{commit}", shown(url)),
        }
    }
}

/// All crates of a lock, as they stand in it.
pub fn locked_crates(cargo_lock: &str) -> Result<Vec<LockedCrate>, Error> {
    let Lock { root, package, metadata, .. } = parsed(cargo_lock)?;
    root.into_iter().chain(package).map(|package| package.locked(&metadata)).collect()
}

/// A lock of a format that we know.
fn parsed(cargo_lock: &str) -> Result<Lock, Error> {
    let lock: Lock = toml::from_str(cargo_lock).map_err(|error| Error::Parse(Box::new(error)))?;
    match lock.version {
        Some(format) if format > NEWEST => Err(Error::Format(format)),
        _ => Ok(lock),
    }
}

#[derive(Deserialize)]
struct Lock {
    version: Option<u32>,
    /// The package itself, in the oldest locks.
    root: Option<Package>,
    #[serde(default)]
    package: Vec<Package>,
    /// Checksums stood here, in the first format.
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Version,
    source: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Package {
    fn locked(self, metadata: &BTreeMap<String, String>) -> Result<LockedCrate, Error> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if self.name.is_empty() || !self.name.bytes().all(plain) {
            return Err(Error::Name { name: self.name });
        }
        let source = match &self.source {
            None => LockedSource::Itself,
            Some(source) if is_crates_io(source) => LockedSource::CratesIo { checksum: self.sum(source, metadata)? },
            Some(source) => self.foreign(source, metadata)?,
        };
        Ok(LockedCrate { name: self.name, version: self.version, source })
    }

    /// The checksum, which the first format keeps apart.
    fn sum(&self, source: &str, metadata: &BTreeMap<String, String>) -> Result<BlobDigest, Error> {
        let Self { name, version, checksum, .. } = self;
        let old = || metadata.get(&format!("checksum {name} {version} ({source})"));
        let none = || Error::NoChecksum { name: name.clone(), version: version.clone() };
        let checksum = checksum.as_ref().or_else(old).ok_or_else(none)?;
        BlobDigest::from_hex(checksum).map_err(|_| Error::Checksum { name: name.clone(), version: version.clone() })
    }

    fn foreign(&self, source: &str, metadata: &BTreeMap<String, String>) -> Result<LockedSource, Error> {
        let Self { name, version, .. } = self;
        let refused = |what| {
            let from = shown_source(source);
            Error::Source { name: name.clone(), version: version.clone(), what, from }
        };
        let (kind, rest) = source.split_once('+').ok_or_else(|| refused("is no address"))?;
        let url = address(rest).map_err(refused)?;
        match kind {
            "git" => Ok(LockedSource::Git(GitSource::of(url).map_err(refused)?)),
            "registry" | "sparse" if kind == "registry" || matches!(url.scheme(), "http" | "https") => {
                Ok(LockedSource::Registry { address: source.to_owned(), checksum: self.sum(source, metadata)? })
            }
            _ => Err(refused("is of no kind that envy knows")),
        }
    }
}

impl GitSource {
    /// What the address in a lock means: what was asked for is its query, the commit its fragment.
    fn of(mut url: Url) -> Result<Self, &'static str> {
        let commit = url.fragment().unwrap_or_default().parse().map_err(|_| "names no commit")?;
        let mut reference = Reference::Default;
        for (key, value) in url.query_pairs() {
            // The last one counts, and `ref` is an old word for `branch`, as cargo has it.
            reference = match &*key {
                "branch" | "ref" => Reference::Branch(value.into_owned()),
                "tag" => Reference::Tag(value.into_owned()),
                "rev" => Reference::Rev(value.into_owned()),
                _ => continue,
            };
        }
        if reference.key().is_some_and(|(_, name)| name.is_empty() || name.starts_with('-') || has_control(name)) {
            return Err("names nothing that git could have");
        }
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self { url: url.into(), reference, commit })
    }
}

/// An address whose every byte counts. The parser would pass over blanks and line breaks, and git over what a scheme
/// like `ext` runs.
fn address(text: &str) -> Result<Url, &'static str> {
    if has_control(text) || text.contains(char::is_whitespace) {
        return Err("has blanks in its address");
    }
    let url = Url::parse(text).map_err(|_| "is no address")?;
    match url.scheme() {
        "https" | "http" | "ssh" | "git" if url.host_str().is_some_and(|host| !host.starts_with('-')) => Ok(url),
        "file" => Ok(url),
        _ => Err("is of no kind that envy knows"),
    }
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// A source as a message may hold it.
fn shown_source(source: &str) -> String {
    match source.split_once('+') {
        Some((kind @ ("git" | "registry" | "sparse"), url)) => format!("{kind}+{}", shown(url)),
        _ => shown(source),
    }
}

/// Locks name crates.io by its git index, whichever way cargo asks it.
fn is_crates_io(source: &str) -> bool {
    source.strip_prefix("registry+") == Some(tame_index::CRATES_IO_INDEX) || source == tame_index::CRATES_IO_HTTP_INDEX
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED: &str = "[[package]]\nname = 'a'\nversion = '1.0.0'\n";

    fn source(of: &str) -> String {
        format!("source = 'registry+{}'\n{of}", tame_index::CRATES_IO_INDEX)
    }

    fn only(lock: &str) -> Result<LockedSource, String> {
        locked_crates(lock).map(|mut crates| crates.remove(0).source).map_err(|error| error.to_string())
    }

    #[test]
    fn sources_are_told_apart() {
        let digest = BlobDigest::of(b"a");
        let checksum = format!("checksum = '{}'", digest.hex());
        assert_eq!(only(NAMED), Ok(LockedSource::Itself));
        let crates_io = LockedSource::CratesIo { checksum: digest };
        assert_eq!(only(&format!("version = 4\n{NAMED}{}", source(&checksum))), Ok(crates_io.clone()));
        let sparse = format!("{NAMED}source = '{}'\n{checksum}", tame_index::CRATES_IO_HTTP_INDEX);
        assert_eq!(only(&sparse), Ok(crates_io));
        for address in
            ["registry+https://a.example/index", "sparse+https://a.example/", "registry+ssh://git@a.example/i"]
        {
            let expected = LockedSource::Registry { address: address.into(), checksum: digest };
            assert_eq!(only(&format!("{NAMED}source = '{address}'\n{checksum}")), Ok(expected));
        }
        let refused = only(&format!("{NAMED}source = 'sparse+https://a.example/'"));
        assert_eq!(refused, Err("`Cargo.lock` has no checksum for `a 1.0.0`".into()));
    }

    const COMMIT: &str = "4f1c0d2e4f1c0d2e4f1c0d2e4f1c0d2e4f1c0d2e";

    fn git(source: &str) -> Result<(String, Reference), String> {
        match only(&format!("{NAMED}source = \"{source}#{COMMIT}\""))? {
            LockedSource::Git(git) if git.commit.to_string() == COMMIT => Ok((git.url, git.reference)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn git_sources_say_what_was_asked_for() {
        use Reference::{Branch, Default, Rev, Tag};
        let check = |query: &str, expected: Reference| {
            assert_eq!(
                git(&format!("git+https://a.example/a.git{query}")),
                Ok(("https://a.example/a.git".into(), expected))
            );
        };
        check("", Default);
        check("?branch=main", Branch("main".into()));
        check("?ref=main", Branch("main".into()));
        check("?tag=v1.0", Tag("v1.0".into()));
        check("?rev=4f1c0d2", Rev("4f1c0d2".into()));
        check("?rev=refs/pull/1/head", Rev("refs/pull/1/head".into()));
        check("?branch=a%2Fb%2Bc%26d%20e%C3%A9", Branch("a/b+c&d eé".into()));
        check("?branch=one+two", Branch("one two".into()));
        check("?branch=%zz%", Branch("%zz%".into()));
        check("?colour=red", Default);
    }

    #[test]
    fn git_addresses_stay_as_they_are() {
        for url in ["ssh://git@a.example/a", "file:///tmp/a%20b", "http://u:p@a.example:81/a/", "git://a.example/a"] {
            assert_eq!(git(&format!("git+{url}")), Ok((url.to_owned(), Reference::Default)));
        }
    }

    #[test]
    fn sources_that_nothing_can_come_from_are_refused() {
        let check = |source: &str, expected: &str| {
            let lock = format!("{NAMED}source = \"{source}\"\nchecksum = '{}'", BlobDigest::of(b"a").hex());
            let error = only(&lock).unwrap_err();
            let expected = format!("`Cargo.lock` names a source for `a 1.0.0` that {expected}");
            assert!(error.starts_with(&expected), "{error}");
            assert!(!error.contains("secret"), "{error}");
        };
        check("git+https://u:secret@a.example/a", "names no commit: `git+https://a.example/a`");
        check("git+https://a.example/a#main", "names no commit");
        check(&format!("git+https://a.example/a#{}", COMMIT.to_uppercase()), "names no commit");
        check(&format!("git+https://a.example/a#{COMMIT}0"), "names no commit");
        check(&format!("git+https://a.example/a?branch=#{COMMIT}"), "names nothing that git could have");
        check(&format!("git+https://a.example/a?tag=--upload-pack=x#{COMMIT}"), "names nothing that git could have");
        check(&format!("git+https://a.example/a?rev=%0Aa#{COMMIT}"), "names nothing that git could have");
        check(&format!("git+ext::sh -c true#{COMMIT}"), "has blanks in its address");
        check(&format!("git+ext::sh#{COMMIT}"), "is of no kind that envy knows");
        check(&format!("git+ssh://-oProxyCommand/a#{COMMIT}"), "is of no kind that envy knows");
        check(&format!("git+git@a.example:a#{COMMIT}"), "is no address");
        check("git+https://a.example/a\\n#x", "has blanks in its address");
        check("sparse+file:///a", "is of no kind that envy knows");
        check("directory+file:///a", "is of no kind that envy knows");
        check("https://u:secret@a.example/a", "is no address");
        check("", "is no address");
    }

    #[test]
    fn a_source_is_shown_without_its_secrets() {
        let lock = format!("{NAMED}source = 'git+https://u:secret@a.example/a?branch=b#{COMMIT}'");
        assert_eq!(only(&lock).unwrap().to_string(), format!("git+https://a.example/a#{COMMIT}"));
    }

    #[test]
    fn the_first_format_keeps_checksums_apart() {
        let digest = BlobDigest::of(b"a");
        let key = format!("checksum a 1.0.0 (registry+{})", tame_index::CRATES_IO_INDEX);
        let lock = format!(
            "[root]\nname = 'r'\nversion = '0.1.0'\n{NAMED}{}\n[metadata]\n'{key}' = '{}'",
            source(""),
            digest.hex()
        );
        let crates = locked_crates(&lock).unwrap();
        assert_eq!(crates[0].source, LockedSource::Itself);
        assert_eq!(crates[1].source, LockedSource::CratesIo { checksum: digest });
    }

    #[test]
    fn locks_that_cannot_be_relied_on_are_refused() {
        let check = |lock: &str, expected: &str| assert_eq!(only(lock), Err(expected.to_owned()));
        check(&format!("{NAMED}{}", source("")), "`Cargo.lock` has no checksum for `a 1.0.0`");
        check(
            &format!("{NAMED}{}", source("checksum = '<none>'")),
            "`Cargo.lock` has a checksum for `a 1.0.0` that is no sha256",
        );
        check("version = 5", "`Cargo.lock` has the format 5, and the newest that envy knows is 4");
        check("<<<<<<< HEAD", "could not understand `Cargo.lock`");
    }
}
