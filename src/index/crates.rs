//! Crates of one registry, as candidates.

#[cfg(test)]
#[path = "crates_tests.rs"]
mod tests;

use std::collections::BTreeMap;

use crate::package::{Cutoffs, PackageId, PackageName, Range, Requirement, Version};
use crate::resolve::{Candidate, Hidden, Index};
use crate::source::{self, CrateVersion, Crates};

/// Crates of a registry, as candidates.
pub struct CrateIndex<'a> {
    crates: &'a Crates<'a>,
    locked: &'a BTreeMap<PackageName, Version>,
    rust: Option<Version>,
    cutoffs: Cutoffs,
}

impl<'a> CrateIndex<'a> {
    /// An index over crates. A yanked version is offered only where it is `locked`, and one that needs a newer
    /// compiler than `rust` is hidden.
    pub fn new(crates: &'a Crates<'a>, locked: &'a BTreeMap<PackageName, Version>, rust: Option<Version>) -> Self {
        Self { crates, locked, rust, cutoffs: Cutoffs::default() }
    }

    /// Hide versions that were published after a package's cut-off, locked ones too, and those of which the index does
    /// not say when they were.
    pub fn with_cutoffs(self, cutoffs: Cutoffs) -> Self {
        Self { cutoffs, ..self }
    }

    /// Ask for the versions of many crates at once, before the solver asks for them one by one.
    pub fn prefetch(&self, names: &[PackageName]) -> Result<(), source::Error> {
        self.crates.versions(names)?;
        Ok(())
    }

    fn candidate(&self, name: &PackageName, version: &CrateVersion) -> Candidate {
        let locked = self.locked.get(name) == Some(&version.version);
        let too_new = version.rust_version.as_ref().zip(self.rust.as_ref()).filter(|(needed, have)| needed > have);
        let hidden = match too_new {
            _ if version.yanked && !locked => Some(Hidden::Yanked),
            Some((needed, have)) => Some(Hidden::NeedsRust { needed: needed.clone(), have: have.clone() }),
            None => self.too_new(name, version),
        };
        Candidate { version: version.version.clone(), hidden }
    }

    fn too_new(&self, name: &PackageName, version: &CrateVersion) -> Option<Hidden> {
        let cutoff = self.cutoffs.of(name)?;
        match version.published {
            None => Some(Hidden::NoTime { cutoff }),
            Some(published) => (published > cutoff).then_some(Hidden::Newer { published, cutoff }),
        }
    }
}

impl Index for CrateIndex<'_> {
    type Error = source::Error;

    fn candidates(&self, name: &PackageName) -> Result<Option<Vec<Candidate>>, source::Error> {
        let mut versions = self.crates.versions(std::slice::from_ref(name))?;
        let versions = versions.remove(name).flatten();
        Ok(versions.map(|versions| versions.iter().map(|version| self.candidate(name, version)).collect()))
    }

    /// A crate's programs need no other package of the site.
    fn requirements(&self, _id: &PackageId) -> Result<Vec<Requirement>, source::Error> {
        Ok(Vec::new())
    }

    fn owner(&self, _name: &PackageName) -> String {
        self.crates.title().to_owned()
    }

    fn written(&self, name: &PackageName, versions: &Range) -> Option<String> {
        Some(format!("{name} = \"{versions}\""))
    }

    fn similar(&self, name: &PackageName) -> Vec<String> {
        self.crates.similar(name)
    }
}
