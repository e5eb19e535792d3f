//! The plan of a build: what is used as recorded, and what has to be made. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::TreeDigest;
use crate::lock::{Lockfile, Output};
use crate::package::{PackageId, PackageName};
use crate::platform::Platform;
use crate::recipe::Purpose;
use crate::tree::Tree;

/// What a build will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// One for each package that counts, what it needs first.
    pub packages: Vec<Planned>,
}

/// What a build will do for one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The package.
    pub id: PackageId,
    /// What will be done.
    pub step: Step,
    /// Whether it belongs into the prefix; if not, others are built with it.
    pub installed: bool,
}

/// Where the output of a package comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The lockfile records it, and here it is.
    Use(Output, Tree),
    /// It has to be found by its action, or built.
    Make,
}

/// Decide for every locked package that counts: those that are installed, and those that are needed to make one that has
/// to be made. `find` gives a tree if all of it is at hand.
pub fn plan<'a>(
    lockfile: &'a Lockfile,
    installed: impl IntoIterator<Item = &'a PackageName>,
    platform: Platform,
    find: impl Fn(TreeDigest) -> Option<Tree>,
) -> Plan {
    let installed: BTreeSet<_> = installed.into_iter().collect();
    let (mut open, mut steps): (Vec<_>, BTreeMap<&PackageName, Step>) =
        (installed.iter().copied().collect(), BTreeMap::new());
    while let Some(name) = open.pop() {
        if steps.contains_key(name) || !lockfile.packages.contains_key(name) {
            continue;
        }
        let mut recorded = lockfile.outputs(name, platform);
        let found = recorded.find_map(|output| Some((output, find(output.tree)?)));
        let step = found.map_or(Step::Make, |(output, tree)| Step::Use(output.clone(), tree));
        if step == Step::Make {
            open.extend(lockfile.inputs(name, platform));
        }
        steps.insert(name, step);
    }
    let mut packages = Vec::new();
    for name in in_order(lockfile, platform) {
        let Some(step) = steps.remove(name) else { continue };
        packages.push(Planned { id: lockfile.packages[name].id.clone(), step, installed: installed.contains(name) });
    }
    Plan { packages }
}

/// All packages, what they need first, otherwise by name.
fn in_order(lockfile: &Lockfile, platform: Platform) -> Vec<&PackageName> {
    let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
    for name in lockfile.packages.keys() {
        place(name, lockfile, platform, &mut seen, &mut order);
    }
    order
}

fn place<'a>(
    name: &'a PackageName,
    lockfile: &'a Lockfile,
    platform: Platform,
    seen: &mut BTreeSet<&'a PackageName>,
    order: &mut Vec<&'a PackageName>,
) {
    let Some(package) = lockfile.packages.get(name).filter(|_| seen.insert(name)) else { return };
    for purpose in [Purpose::Run, Purpose::Build] {
        package.needed_on(purpose, platform).for_each(|needed| place(needed, lockfile, platform, seen, order));
    }
    order.push(name);
}

impl Plan {
    /// The packages that have to be made.
    pub fn to_make(&self) -> impl Iterator<Item = &PackageId> {
        self.packages.iter().filter(|planned| planned.step == Step::Make).map(|planned| &planned.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::TextDigest;
    use crate::lock::{Package, Pin};
    use crate::platform::{Needs, Platforms};

    /// A lockfile with packages, each with what it needs to run and to be built, and whether an output is recorded.
    fn lockfile(packages: &[(&str, &[&str], &[&str], bool)]) -> Lockfile {
        let mut lockfile = Lockfile::empty(TextDigest::of(b""));
        let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<PackageName>>();
        for (name, run, build, recorded) in packages {
            let output = Output {
                platform: Platform::host(),
                action: crate::digest::ActionDigest::of(name.as_bytes()),
                tree: Tree::default().digest(),
                needs: Needs::default(),
            };
            let package = Package {
                id: PackageId { name: name.parse().unwrap(), version: "1.0.0".parse().unwrap() },
                source: String::new(),
                pin: Pin::Nothing,
                patches: Vec::new(),
                recipe: TextDigest::of(b""),
                crates: None,
                dependencies: names(run),
                build_dependencies: names(build),
                platforms: Platforms::new(),
                needed_on: BTreeMap::new(),
                stated: Default::default(),
                outputs: recorded.then_some(output).into_iter().collect(),
            };
            lockfile.packages.insert(package.id.name.clone(), package);
        }
        lockfile
    }

    fn check(packages: &[(&str, &[&str], &[&str], bool)], installed: &[&str], expected: &[&str]) {
        let lockfile = lockfile(packages);
        let installed: Vec<PackageName> = installed.iter().map(|name| name.parse().unwrap()).collect();
        let plan = plan(&lockfile, &installed, Platform::host(), |_| Some(Tree::default()));
        let told: Vec<_> = plan
            .packages
            .iter()
            .map(|one| {
                let verb = if one.step == Step::Make { "make" } else { "use" };
                format!("{verb} {}{}", one.id.name, if one.installed { "" } else { " to build" })
            })
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_needed_comes_first() {
        let packages: &[(&str, &[&str], &[&str], bool)] =
            &[("a-server", &["tls"], &["tool"], false), ("tls", &[], &["tool"], false), ("tool", &[], &[], false)];
        check(packages, &["a-server", "tls"], &["make tool to build", "make tls", "make a-server"]);
    }

    #[test]
    fn what_only_builds_what_is_there_does_not_count() {
        let packages: &[(&str, &[&str], &[&str], bool)] = &[
            ("server", &["tls"], &["tool"], true),
            ("tls", &[], &["tool"], true),
            ("tool", &["lib"], &[], false),
            ("lib", &[], &[], true),
        ];
        check(packages, &["server", "tls"], &["use tls", "use server"]);
        let packages = &[("server", &["tls"][..], &["tool"][..], false), packages[1], packages[2], packages[3]];
        check(packages, &["server", "tls"], &["use lib to build", "make tool to build", "use tls", "make server"]);
    }
}
