//! The plan of a build: what is used as recorded, and what has to be made. Pure.

use crate::digest::TreeDigest;
use crate::lock::{Lockfile, Output};
use crate::package::PackageId;
use crate::platform::Platform;
use crate::tree::Tree;

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
    /// The lockfile records it, and here it is.
    Use(Output, Tree),
    /// It has to be found by its action, or built.
    Make,
}

/// Decide for every locked package. `find` gives a tree if all of it is at hand.
pub fn plan(lockfile: &Lockfile, platform: Platform, find: impl Fn(TreeDigest) -> Option<Tree>) -> Plan {
    let packages = lockfile.packages.values().map(|package| {
        let mut recorded = lockfile.outputs(&package.id.name, platform);
        let found = recorded.find_map(|output| Some((output, find(output.tree)?)));
        let step = found.map_or(Step::Make, |(output, tree)| Step::Use(output.clone(), tree));
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
