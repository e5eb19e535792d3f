//! Holding a Cargo.lock that cargo made just now to a cut-off, which cargo itself knows nothing of.
//!
//! Crates that are too new are moved to the newest version that is not, by cargo, one after the other. What cannot be
//! moved, since others ask for it, stays; that is said.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;

use super::{Error, Pinner};
use crate::package::{PackageId, PackageName, Version};
use crate::progress::Event;
use crate::source::{self, CrateVersion, LockedSource};

/// What cargo is to do with a Cargo.lock.
#[derive(Clone, Copy, Debug)]
pub enum Task<'a> {
    /// Make one.
    Make,
    /// Move a crate of it from one version to another.
    Move {
        /// The crate, as it is.
        from: &'a PackageId,
        /// The version to take.
        to: &'a Version,
    },
}

/// A crate that is newer than it may be.
struct TooNew {
    id: PackageId,
    /// The newest version below it that is not.
    instead: Option<Version>,
}

/// How many crates are named in a message.
const NAMED: usize = 8;

impl Pinner<'_, '_> {
    /// The Cargo.lock in a directory, made for a package and given by its text, held to the package's cut-off.
    pub(super) fn limited(&self, id: &PackageId, directory: &Path, mut text: String) -> Result<String, Error> {
        let Some(cutoff) = self.cutoffs.of(&id.name) else { return Ok(text) };
        let (mut moved, mut stuck) = (BTreeSet::new(), BTreeSet::new());
        loop {
            let too_new = self.too_new(&text, cutoff)?;
            let next = too_new.iter().find(|one| !stuck.contains(&one.id) && !moved.contains(&one.id));
            let Some(next) = next else {
                self.tell_too_new(id, &too_new, cutoff);
                return Ok(text);
            };
            let to = next.instead.as_ref();
            match to.and_then(|to| (self.cargo_lock)(directory, Task::Move { from: &next.id, to }).ok()) {
                Some(new) => {
                    text = new;
                    moved.insert(next.id.clone());
                    // It may have been what held others up.
                    stuck.clear();
                }
                None => drop(stuck.insert(next.id.clone())),
            }
        }
    }

    fn tell_too_new(&self, id: &PackageId, too_new: &[TooNew], cutoff: Timestamp) {
        if too_new.is_empty() {
            return;
        }
        let mut names: Vec<_> = too_new.iter().take(NAMED).map(|one| one.id.to_string()).collect();
        if too_new.len() > NAMED {
            names.push(format!("{} more", too_new.len() - NAMED));
        }
        let (names, cutoff) = (names.join(", "), cutoff.strftime("%F"));
        let note =
            format!("the Cargo.lock made for `{id}` needs crates that may be newer than the cut-off {cutoff}: {names}");
        self.progress.tell(Event::Warning(&note));
    }

    /// The crates of a Cargo.lock that were published after a moment, or nobody says when.
    fn too_new(&self, text: &str, cutoff: Timestamp) -> Result<Vec<TooNew>, Error> {
        let mut by_registry: BTreeMap<Option<String>, Vec<PackageId>> = BTreeMap::new();
        for locked in source::locked_crates(text).map_err(source::Error::from)? {
            let registry = match locked.source {
                LockedSource::CratesIo { .. } => None,
                LockedSource::Registry { address, .. } => Some(address),
                LockedSource::Itself | LockedSource::Git(_) => continue,
            };
            let Ok(name) = locked.name.parse::<PackageName>() else { continue };
            by_registry.entry(registry).or_default().push(PackageId { name, version: locked.version });
        }
        let mut too_new = Vec::new();
        for (registry, ids) in by_registry {
            let crates = match &registry {
                None => self.sources.registry(None)?,
                Some(address) => self.sources.registry_at(address)?,
            };
            let names: Vec<_> = ids.iter().map(|id| id.name.clone()).collect();
            let versions = crates.versions(&names).map_err(source::Error::from)?;
            let listed = |id: &PackageId| versions.get(&id.name).and_then(Option::as_ref);
            too_new.extend(ids.into_iter().filter_map(|id| judge(&id, listed(&id).map_or(&[], |all| all), cutoff)));
        }
        Ok(too_new)
    }
}

/// Whether a version of a crate is too new.
fn judge(id: &PackageId, listed: &[CrateVersion], cutoff: Timestamp) -> Option<TooNew> {
    let old_enough = |one: &&CrateVersion| one.published.is_some_and(|published| published <= cutoff);
    if listed.iter().filter(old_enough).any(|one| one.version == id.version) {
        return None;
    }
    let below = listed.iter().filter(old_enough).filter(|one| !one.yanked && one.version < id.version);
    Some(TooNew { id: id.clone(), instead: below.map(|one| one.version.clone()).max() })
}
