//! Which sources the crates of a Cargo.lock come from, beside crates.io. Pure.
//!
//! One source is what cargo's configuration can replace as a whole: a registry, or a git repository with what was asked
//! of it. Two spellings of a repository's address that are one to cargo are one here: cargo refuses a configuration that
//! names such a repository twice.

use std::collections::BTreeMap;

use url::Url;

use super::cargo_lock::{GitSource, LockedCrate, LockedSource};
use super::crates::Archive;
use crate::download::shown;
use crate::package::Version;

/// A source of crates that is not crates.io, and what a Cargo.lock takes from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrateSource {
    /// Its number among the sources of that Cargo.lock, from one.
    pub number: usize,
    /// Where it is, and what is taken from it.
    pub crates: SourceCrates,
}

/// Where crates come from that do not come from crates.io.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceCrates {
    /// Another registry.
    Registry {
        /// Its index: `registry+URL` or `sparse+URL`.
        address: String,
        /// The archives.
        archives: Vec<Archive>,
    },
    /// A git repository.
    Git {
        /// The commit, and what was asked for when it was chosen.
        source: GitSource,
        /// Names and versions of the packages.
        packages: Vec<(String, Version)>,
    },
}

/// A Cargo.lock takes two commits for one.
#[derive(Debug, thiserror::Error)]
#[error("`Cargo.lock` has two commits of one repository for the same wish: `{url}` at {one} and {other}")]
pub struct Error {
    url: String,
    one: String,
    other: String,
}

/// All sources of a lock's crates beside crates.io: registries, then repositories, by address. The order and with it the
/// numbers follow from the lock alone.
pub fn crate_sources(locked: &[LockedCrate]) -> Result<Vec<CrateSource>, Error> {
    let mut registries = BTreeMap::<&str, Vec<Archive>>::new();
    let mut repositories = BTreeMap::<_, (GitSource, Vec<(String, Version)>)>::new();
    for LockedCrate { name, version, source } in locked {
        match source {
            LockedSource::Itself | LockedSource::CratesIo { .. } => {}
            LockedSource::Registry { address, checksum } => {
                let archive = Archive { name: name.clone(), version: version.to_string(), checksum: *checksum };
                registries.entry(address).or_default().push(archive);
            }
            LockedSource::Git(git) => {
                let key = (canonical(&git.url), &git.reference);
                let (first, packages) = repositories.entry(key).or_insert_with(|| (git.clone(), Vec::new()));
                if first.commit != git.commit {
                    let (one, other) = (first.commit.to_string(), git.commit.to_string());
                    return Err(Error { url: shown(&git.url), one, other });
                }
                packages.push((name.clone(), version.clone()));
            }
        }
    }
    let registries = registries
        .into_iter()
        .map(|(address, archives)| SourceCrates::Registry { address: address.to_owned(), archives });
    let repositories = repositories.into_values().map(|(source, packages)| SourceCrates::Git { source, packages });
    let all = registries.chain(repositories);
    Ok(all.zip(1..).map(|(crates, number)| CrateSource { number, crates }).collect())
}

/// The address that stands for all spellings of a repository's that are the same to cargo.
fn canonical(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else { return url.to_owned() };
    if let Ok(mut parts) = parsed.path_segments_mut() {
        parts.pop_if_empty();
    }
    // One host has names in any case, and cargo knows which: it is that of crates.io's own repository.
    let any_case = Url::parse(tame_index::CRATES_IO_INDEX).ok();
    let mut path = parsed.path().strip_suffix(".git").unwrap_or(parsed.path()).to_owned();
    let mut scheme = parsed.scheme().to_owned();
    if any_case.is_some_and(|known| known.host_str() == parsed.host_str()) {
        path = path.to_lowercase();
        scheme = "https".to_owned();
    }
    parsed.set_path(&path);
    format!("{scheme}{}", &parsed[url::Position::AfterScheme..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::BlobDigest;
    use crate::source::Reference as GitReference;

    fn git(name: &str, url: &str, reference: GitReference, commit: &str) -> LockedCrate {
        let commit = commit.repeat(40).parse().unwrap();
        let source = LockedSource::Git(GitSource { url: url.to_owned(), reference, commit });
        LockedCrate { name: name.to_owned(), version: Version::new(1, 0, 0), source }
    }

    fn registry(name: &str, address: &str) -> LockedCrate {
        let source = LockedSource::Registry { address: address.to_owned(), checksum: BlobDigest::of(name.as_bytes()) };
        LockedCrate { name: name.to_owned(), version: Version::new(1, 0, 0), source }
    }

    /// Each source as its number, its address and its crates.
    fn check(locked: &[LockedCrate], expected: &[&str]) {
        let line = |CrateSource { number, crates }: CrateSource| match crates {
            SourceCrates::Registry { address, archives } => {
                let names: Vec<_> = archives.iter().map(|one| one.name.as_str()).collect();
                format!("{number} {address}: {}", names.join(" "))
            }
            SourceCrates::Git { source, packages } => {
                let names: Vec<_> = packages.iter().map(|(name, _)| name.as_str()).collect();
                format!("{number} {} {:?}: {}", source.url, source.reference, names.join(" "))
            }
        };
        let found: Vec<_> = crate_sources(locked).unwrap().into_iter().map(line).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn crates_are_gathered_by_their_source() {
        use GitReference::{Branch, Default};
        let itself = LockedCrate { name: "z".into(), version: Version::new(1, 0, 0), source: LockedSource::Itself };
        check(&[itself], &[]);
        check(
            &[
                git("a", "https://b.example/r", Default, "1"),
                git("b", "https://b.example/r", Branch("main".into()), "2"),
                registry("c", "sparse+https://a.example/"),
                git("d", "https://b.example/r", Default, "1"),
                registry("e", "registry+https://a.example/"),
            ],
            &[
                "1 registry+https://a.example/: e",
                "2 sparse+https://a.example/: c",
                "3 https://b.example/r Default: a d",
                "4 https://b.example/r Branch(\"main\"): b",
            ],
        );
    }

    #[test]
    fn spellings_of_one_repository_are_one_source() {
        let any_case = tame_index::CRATES_IO_INDEX;
        let shouted = format!("{}.git", any_case.to_uppercase());
        let both = [
            git("a", "https://a.example/r.git", GitReference::Default, "1"),
            git("b", "https://a.example/r/", GitReference::Default, "1"),
            git("c", "https://a.example/R", GitReference::Default, "1"),
        ];
        check(&both, &["1 https://a.example/R Default: c", "2 https://a.example/r.git Default: a b"]);
        assert_eq!(canonical(&shouted), canonical(any_case));
        assert_ne!(canonical("file:///a"), canonical("file:///A"));
    }

    #[test]
    fn two_commits_for_one_wish_are_refused() {
        let two = ["1", "2"].map(|commit| git("a", "https://u:secret@a.example/r", GitReference::Default, commit));
        let expected = "`Cargo.lock` has two commits of one repository for the same wish: `https://a.example/r` at 1111111111111111111111111111111111111111 and 2222222222222222222222222222222222222222";
        assert_eq!(crate_sources(&two).unwrap_err().to_string(), expected);
    }
}
