//! The plan of a build: what is used as recorded, and what has to be made. Pure.

use crate::digest::TreeDigest;
use crate::lock::{Lockfile, Output};
use crate::package::PackageId;
use crate::platform::Platform;

/// What a build will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// One for each package, dependencies first.
    pub packages: Vec<Planned>,
}

/// What a build will do for one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The package.
    pub id: PackageId,
    /// What will be done.
    pub step: Step,
}

/// Where the output of a package comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The lockfile records it, and it is here.
    Use(Output),
    /// It has to be found by its action, or built.
    Make,
}

/// Decide for every locked package. `here` tells whether all of a tree is at hand.
pub fn plan(lockfile: &Lockfile, platform: Platform, here: impl Fn(TreeDigest) -> bool) -> Plan {
    let packages = lockfile.packages.values().map(|package| {
        let recorded = lockfile.outputs(&package.id.name, platform).find(|output| here(output.tree));
        let step = recorded.map_or(Step::Make, |output| Step::Use(output.clone()));
        Planned { id: package.id.clone(), step }
    });
    Plan { packages: packages.collect() }
}

impl Plan {
    /// The packages that have to be made.
    pub fn to_make(&self) -> impl Iterator<Item = &PackageId> {
        self.packages.iter().filter(|planned| planned.step == Step::Make).map(|planned| &planned.id)
    }
}
