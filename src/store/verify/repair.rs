//! Repairing what verifying found. Prefixes come first: what one of them still has whole is brought back from there, and it
//! takes the place of the old one in one step.
//!
//! Everything is looked at again before it is taken away: a repair before this one, or another process, may have healed it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{BLOBS, Damage, PREFIXES, Report, TREES, blob_damage, checkouts::CHECKOUTS, result_damage, tree_damage};
use crate::digest::{BlobDigest, TreeDigest};
use crate::disk;
use crate::store::{Error, Store, blobs};
use crate::tree::File;

/// How something was repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// It is gone, and will be fetched or made again when it is needed.
    Removed,
    /// It was made anew from what the store has.
    MadeAnew,
    /// It is what it should be: it got its mode again, or was whole elsewhere, or somebody else was faster.
    Healed,
}

impl Store {
    /// Repair what was found, each thing once: of what the store has whole, in whatever place. What nothing here can heal is
    /// removed.
    pub fn repair(&self, report: &Report) -> Result<BTreeMap<PathBuf, Repair>, Error> {
        let _using = self.using();
        let (prefixes, others): (Vec<_>, Vec<_>) = report.damaged.iter().partition(|one| one.kind == PREFIXES);
        let names: BTreeMap<_, _> = prefixes.iter().filter_map(|damage| name_of_prefix(&damage.path)).collect();
        let mut how = BTreeMap::new();
        for (name, digest) in names {
            how.insert(name, self.repair_prefix(digest)?);
        }
        if others.iter().any(|damage| damage.kind == TREES) {
            self.restore_trees()?;
        }
        let mut repaired = BTreeMap::new();
        for damage in others {
            repaired.insert(damage.path.clone(), self.repair_one(damage)?);
        }
        for damage in prefixes {
            let name = name_of_prefix(&damage.path).map(|(name, _)| name);
            repaired.extend(name.and_then(|name| how.get(name)).map(|repair| (damage.path.clone(), *repair)));
        }
        Ok(repaired)
    }

    fn repair_prefix(&self, digest: TreeDigest) -> Result<Repair, Error> {
        let _held = self.hold_prefix(digest)?;
        let place = self.prefix_path(digest);
        if !disk::exists(&place) {
            return Ok(Repair::Removed);
        }
        let examined = self.examine_knowing(digest, &|_, _| None)?;
        if examined.flaws.is_empty() {
            return Ok(Repair::Healed);
        }
        if let Some(tree) = self.mend(digest, &examined)? {
            self.make_prefix(&tree)?;
            return Ok(Repair::MadeAnew);
        }
        // Nobody sees a part of one.
        let aside = disk::temporary_directory_in(&self.temporary_directory()?)?;
        let aside = aside.path().join("prefix");
        disk::set_mode(&place, 0o755)?;
        disk::rename(&place, &aside)?;
        self.put_patches(digest, None)?;
        disk::remove_tree(&aside)?;
        Ok(Repair::Removed)
    }

    /// Bring back the records of trees that ready prefixes are made of.
    fn restore_trees(&self) -> Result<(), Error> {
        for digest in self.ready_prefixes()? {
            if !matches!(self.tree(digest), Ok(Some(_))) {
                let examined = self.examine_knowing(digest, &|_, _| None)?;
                self.restore_tree(digest, &examined)?;
            }
        }
        Ok(())
    }

    fn repair_one(&self, damage: &Damage) -> Result<Repair, Error> {
        let path = self.root().join(&damage.path);
        let hex = digits(&damage.path);
        let is_wrong = match damage.kind {
            BLOBS => return self.repair_blob(&path, &hex),
            CHECKOUTS => self.checkout_damage(&path, &hex).is_some(),
            TREES => tree_damage(&path, &hex).is_some(),
            _ => result_damage(&path).is_some(),
        };
        if !disk::exists(&path) {
            return Ok(Repair::Removed);
        }
        if !is_wrong {
            return Ok(Repair::Healed);
        }
        match damage.kind {
            CHECKOUTS => self.remove_checkout(&path)?,
            _ => disk::remove_file(&path)?,
        }
        Ok(Repair::Removed)
    }

    fn repair_blob(&self, path: &Path, hex: &str) -> Result<Repair, Error> {
        let hashed = blobs::hash(path);
        if !disk::exists(path) {
            return Ok(Repair::Removed);
        }
        let executable = is_executable(path);
        let is_whole = hashed.as_ref().is_ok_and(|(found, _)| found.hex() == hex);
        if blob_damage(path, hex, &hashed).is_none() {
            return Ok(Repair::Healed);
        }
        if is_whole {
            disk::set_mode(path, blobs::mode(executable))?;
            return Ok(Repair::Healed);
        }
        self.proven.remove(path);
        disk::remove_tree(path)?;
        let Ok(blob) = BlobDigest::from_hex(hex) else { return Ok(Repair::Removed) };
        // The same bytes may be here for files that are executable, or are not.
        let twin = self.file_path(File { blob, size: 0, executable: !executable });
        let whole = blobs::hash(&twin).ok().filter(|(found, _)| *found == blob);
        match whole {
            Some((_, size)) if self.copy_in(&twin, File { blob, size, executable })? => Ok(Repair::Healed),
            _ => Ok(Repair::Removed),
        }
    }
}

/// Whether a blob has the name of a file that may be executed.
pub(super) fn is_executable(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "x")
}

/// The digits of the digest that names a file of the store.
fn digits(path: &Path) -> String {
    let name: String = path.iter().skip(1).map(|part| part.to_string_lossy()).collect();
    name.strip_suffix(".x").map(str::to_owned).unwrap_or(name)
}

/// The name of the prefix that a path in the store leads into, and the digest that it is.
fn name_of_prefix(path: &Path) -> Option<(&str, TreeDigest)> {
    let name = path.components().nth(1)?.as_os_str().to_str()?;
    Some((name, TreeDigest::from_hex(name).ok()?))
}
