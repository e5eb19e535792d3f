//! Verifying: whether everything in the store is what its name says, and repairing what is not.
//!
//! Blobs and the directories of trees are hashed. A prefix is read back as a tree, with its patches undone, and that is
//! hashed; a file that is a link to a blob is read once for both. A result has no digest of its own: it is read, and
//! that is all. What is not there is no damage, since it is fetched or made when it is needed; but for the tree of a prefix
//! that is there, without which nobody knows which blobs it is made of.

mod checkouts;
mod memory;
mod mending;
mod prefix;
mod reading;
mod repair;
mod showing;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::flaw::Flaw;
use super::{Error, Store, blobs, results};
use crate::digest::{BlobDigest, TreeDigest};
use crate::disk::{self, Identity, Kind};
pub use memory::Memory;
pub use prefix::Examined;
pub use repair::Repair;
pub use showing::LookedOver;

/// What was looked at, and what is not as it should be.
#[derive(Debug, Default)]
pub struct Report {
    /// How many there are of each kind.
    pub checked: BTreeMap<&'static str, usize>,
    /// What is damaged, by kind and path.
    pub damaged: Vec<Damage>,
}

/// Something in the store that is not what its name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The kind of thing: `blobs`, `trees`, `results`, `prefixes` or `checkouts`.
    pub kind: &'static str,
    /// Where it is in the store.
    pub path: PathBuf,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

/// What hashing found of the files that blobs are, which prefixes link to.
type Hashed = HashMap<Identity, (BlobDigest, u64)>;

impl Store {
    /// Look at everything.
    pub fn verify(&self) -> Result<Report, Error> {
        let _using = self.using();
        let mut report = Report::default();
        let hashed = self.verify_blobs(&mut report)?;
        self.verify_named(TREES, tree_damage, &mut report)?;
        self.verify_named("results", |path, _| result_damage(path), &mut report)?;
        self.verify_prefixes(&hashed, &mut report)?;
        self.verify_checkouts(&mut report)?;
        Ok(report)
    }

    fn verify_blobs(&self, report: &mut Report) -> Result<Hashed, Error> {
        let paths = self.named(BLOBS)?;
        report.checked.insert(BLOBS, paths.len());
        let look = |(path, hex): &(PathBuf, String)| {
            let hashed = blobs::hash(path);
            let damage = blob_damage(path, hex, &hashed).filter(|_| disk::exists(path));
            let damage = damage.map(|found| self.damage(BLOBS, path, format!("sha256:{hex}"), found));
            (hashed.ok().and_then(|found| Some((disk::identity(path).ok()?, found))), damage)
        };
        let (hashed, damaged): (Vec<_>, Vec<_>) = paths.par_iter().map(look).unzip();
        report.damaged.extend(damaged.into_iter().flatten());
        Ok(hashed.into_iter().flatten().collect())
    }

    /// Look at every file of a kind that is named by a digest. What is removed meanwhile is no damage.
    fn verify_named(
        &self,
        kind: &'static str,
        look: impl Fn(&Path, &str) -> Option<(String, String)> + Sync,
        report: &mut Report,
    ) -> Result<(), Error> {
        let paths = self.named(kind)?;
        let damage = |(path, hex): &(PathBuf, String)| {
            let (expected, found) = look(path, hex).filter(|_| disk::exists(path))?;
            Some(self.damage(kind, path, expected, found))
        };
        report.checked.insert(kind, paths.len());
        report.damaged.par_extend(paths.par_iter().filter_map(damage));
        Ok(())
    }

    fn verify_prefixes(&self, hashed: &Hashed, report: &mut Report) -> Result<(), Error> {
        let digests = self.ready_prefixes()?;
        report.checked.insert(PREFIXES, digests.len());
        let looked = digests.par_iter().map(|digest| self.prefix_damage(*digest, hashed));
        let (damaged, missing): (Vec<_>, Vec<_>) = looked.collect::<Result<Vec<_>, Error>>()?.into_iter().unzip();
        for digest in missing.into_iter().flatten().collect::<BTreeSet<_>>() {
            let damage = self.damage(TREES, &self.path_of(TREES, &digest), digest.to_string(), "nothing".to_owned());
            report.damaged.push(damage);
        }
        report.damaged.extend(damaged.into_iter().flatten());
        Ok(())
    }

    /// What is wrong with a prefix, and the directory of its tree that is not here.
    fn prefix_damage(&self, digest: TreeDigest, hashed: &Hashed) -> Result<(Vec<Damage>, Option<TreeDigest>), Error> {
        let place = self.prefix_path(digest);
        let flaws = self.examine_knowing(digest, &prefix::hashed_already(hashed))?.flaws;
        let damage = |flaw: Flaw| {
            let path = if flaw.path.is_empty() { place.clone() } else { place.join(&flaw.path) };
            self.damage(PREFIXES, &path, flaw.expected, flaw.found)
        };
        Ok((flaws.into_iter().map(damage).collect(), self.missing_directory(digest)))
    }

    /// The digests of all prefixes that are there.
    fn ready_prefixes(&self) -> Result<Vec<TreeDigest>, Error> {
        let entries = disk::list_if_exists(&self.root().join(PREFIXES))?;
        let directories = entries.into_iter().filter(|(_, kind)| *kind == Kind::Directory);
        let names = directories.filter_map(|(name, _)| name.into_string().ok());
        Ok(names.filter_map(|name| TreeDigest::from_hex(&name).ok()).collect())
    }

    fn damage(&self, kind: &'static str, path: &Path, expected: String, found: String) -> Damage {
        let path = path.strip_prefix(self.root()).unwrap_or(path).to_owned();
        Damage { kind, path, expected, found }
    }

    /// The files of a kind that have a digest for a name, with its digits.
    fn named(&self, kind: &str) -> Result<Vec<(PathBuf, String)>, Error> {
        let mut files = Vec::new();
        let top = self.root().join(kind);
        for (begin, _) in disk::list_if_exists(&top)? {
            for (end, _) in disk::list_if_exists(&top.join(&begin))? {
                let name = format!("{}{}", begin.to_string_lossy(), end.to_string_lossy());
                let hex = name.strip_suffix(".x").unwrap_or(&name);
                files.push((top.join(&begin).join(&end), hex.to_owned()));
            }
        }
        Ok(files)
    }
}

const BLOBS: &str = "blobs";
const TREES: &str = "trees";
const PREFIXES: &str = "prefixes";

fn unreadable(error: &disk::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("something that cannot be read{}", cause.unwrap_or_default())
}

/// What the directory of a tree should be and is, where that differs.
fn tree_damage(path: &Path, hex: &str) -> Option<(String, String)> {
    let found = match disk::read(path) {
        Ok(bytes) => TreeDigest::of(&bytes).to_string(),
        Err(error) => unreadable(&error),
    };
    let expected = format!("sha256:{hex}");
    (found != expected).then_some((expected, found))
}

/// What a result should be and is, where that differs.
fn result_damage(path: &Path) -> Option<(String, String)> {
    let found = match disk::read(path) {
        Ok(bytes) => results::read(&bytes).is_none().then(|| "something else".to_owned()),
        Err(error) => Some(unreadable(&error)),
    };
    found.map(|found| ("the result of an action".to_owned(), found))
}

/// What a blob is, where that is not what it should be.
fn blob_damage(path: &Path, hex: &str, hashed: &disk::Result<(BlobDigest, u64)>) -> Option<String> {
    let executable = repair::is_executable(path);
    match hashed {
        Ok((found, _)) if found.hex() != *hex => Some(found.to_string()),
        Ok(_) if disk::kind(path).ok()? != (Kind::File { executable }) => Some("the same with another mode".to_owned()),
        Ok(_) => None,
        Err(error) => Some(unreadable(error)),
    }
}

#[cfg(test)]
mod tests;
