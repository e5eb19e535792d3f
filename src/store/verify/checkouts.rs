//! Checkouts, verified: each is read back as a tree, and compared with its seal, or with its name where it was made of a tree.

use std::path::Path;

use rayon::prelude::*;

use super::super::checkout::seal_of;
use super::super::{Error, Store};
use super::reading::Reader;
use super::{Damage, Report};
use crate::digest::{BlobDigest, TreeDigest};
use crate::disk;

pub(super) const CHECKOUTS: &str = "checkouts";

impl Store {
    pub(super) fn verify_checkouts(&self, report: &mut Report) -> Result<(), Error> {
        let mut checkouts = self.named(CHECKOUTS)?;
        checkouts.retain(|(path, _)| path.extension().is_none());
        report.checked.insert(CHECKOUTS, checkouts.len());
        let damaged = checkouts.par_iter().filter_map(|(path, hex)| self.checkout_damage(path, hex));
        report.damaged.par_extend(damaged);
        Ok(())
    }

    pub(super) fn checkout_damage(&self, path: &Path, hex: &str) -> Option<Damage> {
        let seal = disk::read_text_if_exists(&seal_of(path)).ok().flatten();
        let expected = match &seal {
            Some(seal) => seal.trim_end().parse().ok(),
            // Before there were seals, crates were unpacked without one. Such a one is made of an archive of its name.
            None if BlobDigest::from_hex(hex).is_ok_and(|archive| disk::is_file(&self.blob_path(archive))) => {
                return None;
            }
            None => TreeDigest::from_hex(hex).ok(),
        };
        let found = Reader::new(None, &|_, _| None).read(path).tree().digest();
        if expected == Some(found) || !disk::is_directory(path) {
            return None;
        }
        let expected = expected.map_or_else(|| "something with a seal".to_owned(), |expected| expected.to_string());
        Some(self.damage(CHECKOUTS, path, expected, found.to_string()))
    }

    /// Take a damaged checkout away; who needs it makes it again.
    pub(super) fn remove_checkout(&self, path: &Path) -> Result<(), Error> {
        disk::remove_tree(path)?;
        Ok(disk::remove_file(&seal_of(path))?)
    }
}
