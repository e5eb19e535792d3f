//! Merging the lockfiles of two branches, package by package. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{Lockfile, Output, Package, Prefix};
use crate::package::PackageName;
use crate::platform::Platform;

/// What came of two lockfiles that have one ancestor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// What both agree on, with what only one of them changed. Its digest of the requirements is that of one side.
    pub lockfile: Lockfile,
    /// The packages that both changed, each differently. They are left out.
    pub disputed: BTreeSet<PackageName>,
    /// What else both changed differently, by its key. There it has our side.
    pub disputed_keys: Vec<&'static str>,
}

impl Merged {
    /// Whether nothing was changed differently on both sides.
    pub fn is_settled(&self) -> bool {
        self.disputed.is_empty() && self.disputed_keys.is_empty()
    }
}

/// Merge two lockfiles that were changed from the same one.
pub fn merge(base: &Lockfile, ours: &Lockfile, theirs: &Lockfile) -> Merged {
    let mut disputed_keys = Vec::new();
    let toolchain = settled("toolchain", [&base.toolchain, &ours.toolchain, &theirs.toolchain], &mut disputed_keys);
    let times = [&base.exclude_newer, &ours.exclude_newer, &theirs.exclude_newer];
    let exclude_newer = settled("exclude-newer", times, &mut disputed_keys);
    let recipes = settled("recipes", [&base.recipes, &ours.recipes, &theirs.recipes], &mut disputed_keys);
    let requirements = either(&base.requirements, &ours.requirements, &theirs.requirements);
    let (packages, disputed) = packages(base, ours, theirs);
    let prefixes = prefixes(&packages, ours, theirs);
    let requirements = *requirements.unwrap_or(&ours.requirements);
    let lockfile = Lockfile { requirements, exclude_newer, toolchain, recipes, packages, prefixes };
    Merged { lockfile, disputed, disputed_keys }
}

/// What three values come to; nothing where both sides changed it differently.
fn either<'a, T: PartialEq>(base: &'a T, ours: &'a T, theirs: &'a T) -> Option<&'a T> {
    if ours == theirs || theirs == base { Some(ours) } else { (ours == base).then_some(theirs) }
}

fn settled<T: PartialEq + Clone>(
    key: &'static str,
    [base, ours, theirs]: [&T; 3],
    disputed: &mut Vec<&'static str>,
) -> T {
    let settled = either(base, ours, theirs);
    if settled.is_none() {
        disputed.push(key);
    }
    settled.unwrap_or(ours).clone()
}

fn packages(
    base: &Lockfile,
    ours: &Lockfile,
    theirs: &Lockfile,
) -> (BTreeMap<PackageName, Package>, BTreeSet<PackageName>) {
    let (mut packages, mut disputed) = (BTreeMap::new(), BTreeSet::new());
    let names: BTreeSet<_> = [base, ours, theirs].into_iter().flat_map(|side| side.packages.keys()).collect();
    for name in names {
        let [base, ours, theirs] = [base, ours, theirs].map(|side| side.packages.get(name));
        match (either(&base, &ours, &theirs), ours, theirs) {
            (Some(package), ..) => packages.extend(package.map(|package| (name.clone(), package.clone()))),
            (None, Some(ours), Some(theirs)) if unbuilt(ours) == unbuilt(theirs) => {
                packages.insert(name.clone(), united(ours, theirs));
            }
            (None, ..) => {
                disputed.insert(name.clone());
            }
        }
    }
    (packages, disputed)
}

/// A package without what was built of it.
fn unbuilt(package: &Package) -> Package {
    Package { outputs: Vec::new(), ..package.clone() }
}

/// A package with what both sides built of it.
fn united(ours: &Package, theirs: &Package) -> Package {
    let outputs: BTreeSet<Output> = ours.outputs.iter().chain(&theirs.outputs).cloned().collect();
    Package { outputs: outputs.into_iter().collect(), ..ours.clone() }
}

/// The prefixes of the side whose packages these are: no other prefix was made of them.
fn prefixes(
    packages: &BTreeMap<PackageName, Package>,
    ours: &Lockfile,
    theirs: &Lockfile,
) -> BTreeMap<Platform, Prefix> {
    let mut kept = BTreeMap::new();
    for side in [theirs, ours].into_iter().filter(|side| side.packages == *packages) {
        kept.extend(side.prefixes.iter().map(|(platform, prefix)| (*platform, *prefix)));
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::{ActionDigest, TextDigest, TreeDigest};
    use crate::lock::Pin;
    use crate::package::{PackageId, Version};
    use crate::platform::Needs;

    fn package(name: &str, minor: u64) -> Package {
        Package {
            id: PackageId { name: name.parse().unwrap(), version: Version::new(1, minor, 0) },
            source: "none".to_owned(),
            pin: Pin::Nothing,
            patches: Vec::new(),
            recipe: TextDigest::of(b"recipe"),
            crates: None,
            dependencies: Vec::new(),
            build_dependencies: Vec::new(),
            stated: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// A lockfile with these packages, by name and minor version.
    fn lockfile(packages: &[(&str, u64)]) -> Lockfile {
        let mut lockfile = Lockfile::empty(TextDigest::of(b""));
        for (name, minor) in packages {
            lockfile.packages.insert(name.parse().unwrap(), package(name, *minor));
        }
        lockfile
    }

    #[test]
    fn each_side_adds_its_package() {
        let merged = merge(&lockfile(&[("a", 0)]), &lockfile(&[("a", 0), ("b", 0)]), &lockfile(&[("a", 0), ("c", 0)]));
        assert_eq!(merged.lockfile, lockfile(&[("a", 0), ("b", 0), ("c", 0)]));
        assert!(merged.is_settled());
    }

    #[test]
    fn what_one_side_removed_is_gone() {
        let merged = merge(&lockfile(&[("a", 0), ("b", 0)]), &lockfile(&[("b", 0)]), &lockfile(&[("a", 0), ("b", 1)]));
        assert_eq!(merged.lockfile, lockfile(&[("b", 1)]));
    }

    #[test]
    fn what_both_moved_differently_is_in_dispute() {
        let merged = merge(&lockfile(&[("a", 0)]), &lockfile(&[("a", 1)]), &lockfile(&[("a", 2)]));
        assert!(merged.lockfile.packages.is_empty());
        assert_eq!(merged.disputed, BTreeSet::from(["a".parse().unwrap()]));
        let removed = merge(&lockfile(&[("a", 0)]), &lockfile(&[]), &lockfile(&[("a", 2)]));
        assert!(!removed.is_settled());
    }

    #[test]
    fn outputs_of_both_sides_are_united() {
        let built = |action: &[u8]| {
            let mut lockfile = lockfile(&[("a", 0)]);
            let platform = Platform::host();
            let (action, tree) = (ActionDigest::of(action), TreeDigest::of(b"tree"));
            let output = Output { platform, action, tree, needs: Needs::default() };
            lockfile.packages.values_mut().for_each(|package| package.outputs.push(output.clone()));
            lockfile
        };
        let merged = merge(&lockfile(&[("a", 0)]), &built(b"one"), &built(b"two"));
        assert!(merged.is_settled());
        assert_eq!(merged.lockfile.packages.values().next().unwrap().outputs.len(), 2);
    }

    fn any_lockfile() -> impl Strategy<Value = Lockfile> {
        proptest::collection::btree_map(0_usize..5, 0_u64..3, 0..5).prop_map(|chosen| {
            let chosen: Vec<_> = chosen.into_iter().map(|(at, minor)| (["a", "b", "c", "d", "e"][at], minor)).collect();
            lockfile(&chosen)
        })
    }

    proptest! {
        #[test]
        fn a_side_that_changed_nothing_gives_the_other(base in any_lockfile(), other in any_lockfile()) {
            let [ours, theirs] = [merge(&base, &other, &base), merge(&base, &base, &other)];
            prop_assert!(ours.is_settled() && theirs.is_settled());
            prop_assert_eq!(&ours.lockfile, &other);
            prop_assert_eq!(&theirs.lockfile, &other);
        }

        #[test]
        fn which_side_is_ours_makes_no_difference(a in any_lockfile(), b in any_lockfile(), c in any_lockfile()) {
            prop_assert_eq!(merge(&a, &b, &c), merge(&a, &c, &b));
        }
    }
}
