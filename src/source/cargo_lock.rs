//! What a `Cargo.lock` says: every crate of the graph, and where it comes from. Pure. Versions 1 to 4 of its format.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::digest::BlobDigest;
use crate::package::Version;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockedSource {
    /// The package or workspace that the lock belongs to, or a path beside it.
    Itself,
    /// crates.io, or what replaces it.
    CratesIo { checksum: BlobDigest },
    /// A git repository or another registry, as the lock writes it.
    Other(String),
}

/// All crates of a lock, as they stand in it.
pub fn locked_crates(cargo_lock: &str) -> Result<Vec<LockedCrate>, Error> {
    let lock: Lock = toml::from_str(cargo_lock).map_err(|error| Error::Parse(Box::new(error)))?;
    match lock.version {
        Some(format) if format > NEWEST => return Err(Error::Format(format)),
        _ => {}
    }
    let Lock { root, package, metadata, .. } = lock;
    root.into_iter().chain(package).map(|package| package.locked(&metadata)).collect()
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
}

impl Package {
    fn locked(self, metadata: &BTreeMap<String, String>) -> Result<LockedCrate, Error> {
        let Self { name, version, source, checksum } = self;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(Error::Name { name });
        }
        let source = match source {
            None => LockedSource::Itself,
            Some(source) if is_crates_io(&source) => {
                let old = || metadata.get(&format!("checksum {name} {version} ({source})")).cloned();
                let Some(checksum) = checksum.or_else(old) else { return Err(Error::NoChecksum { name, version }) };
                match BlobDigest::from_hex(&checksum) {
                    Ok(checksum) => LockedSource::CratesIo { checksum },
                    Err(_) => return Err(Error::Checksum { name, version }),
                }
            }
            Some(source) => LockedSource::Other(source),
        };
        Ok(LockedCrate { name, version, source })
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
        for other in
            ["git+https://a.example/a?rev=1#1", "registry+https://a.example/index", "sparse+https://a.example/"]
        {
            assert_eq!(only(&format!("{NAMED}source = '{other}'\n{checksum}")), Ok(LockedSource::Other(other.into())));
        }
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
