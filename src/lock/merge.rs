//! Merging the lockfiles of two branches, package by package. Pure.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::pin::Kept;
use super::{Lockfile, Output, Package, Prefix, SharedRecipes};
use crate::package::PackageName;
use crate::platform::Platform;

/// What came of two lockfiles that have one ancestor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// What both agree on, with what only one of them changed. Its digest of the requirements is that of a manifest
    /// with the changes of both.
    pub lockfile: Lockfile,
    /// The packages that both changed, each differently. They are left out.
    pub disputed: BTreeSet<PackageName>,
    /// Of those in dispute that both sides have at different versions, the higher, without what was built of it.
    pub higher: BTreeMap<PackageName, Package>,
    /// What else both changed differently, in words. There it has our side.
    pub disputed_keys: Vec<String>,
}

impl Merged {
    /// Whether nothing was changed differently on both sides.
    pub fn is_settled(&self) -> bool {
        self.disputed.is_empty() && self.disputed_keys.is_empty()
    }

    /// The lockfile from which what is in dispute is chosen anew: the higher of two versions stays where it fits.
    pub fn preferring_higher(&self) -> Lockfile {
        let mut lockfile = self.lockfile.clone();
        lockfile.packages.extend(self.higher.clone());
        lockfile
    }
}

/// Merge two lockfiles that were changed from the same one.
pub fn merge(base: &Lockfile, ours: &Lockfile, theirs: &Lockfile) -> Merged {
    let mut disputed_keys = Vec::new();
    let toolchain = settled("the toolchain", [&base.toolchain, &ours.toolchain, &theirs.toolchain], &mut disputed_keys);
    let times = [&base.exclude_newer, &ours.exclude_newer, &theirs.exclude_newer];
    let exclude_newer = settled("the time of `exclude-newer`", times, &mut disputed_keys);
    let recipes = recipes(base, ours, theirs, &mut disputed_keys);
    let (packages, disputed) = packages(base, ours, theirs);
    // Of what both ask differently, each change is one of the merged manifest, unless both made the same.
    let requirements = either(&base.requirements, &ours.requirements, &theirs.requirements).copied();
    let requirements =
        requirements.unwrap_or_else(|| ours.requirements.changed(base.requirements, theirs.requirements));
    let prefixes = BTreeMap::new();
    let mut lockfile = Lockfile { requirements, exclude_newer, toolchain, recipes, packages, prefixes };
    put_outputs(&mut lockfile, base, ours, theirs);
    lockfile.prefixes = self::prefixes(&lockfile.packages, ours, theirs);
    let higher = higher(&disputed, ours, theirs);
    Merged { lockfile, disputed, higher, disputed_keys }
}

/// What three values come to; nothing where both sides changed it differently.
fn either<'a, T: PartialEq>(base: &'a T, ours: &'a T, theirs: &'a T) -> Option<&'a T> {
    if ours == theirs || theirs == base { Some(ours) } else { (ours == base).then_some(theirs) }
}

fn settled<T: PartialEq + Clone>(key: &str, [base, ours, theirs]: [&T; 3], disputed: &mut Vec<String>) -> T {
    let settled = either(base, ours, theirs);
    if settled.is_none() {
        disputed.push(key.to_owned());
    }
    settled.unwrap_or(ours).clone()
}

/// Recipes that are shared, name by name.
fn recipes(
    base: &Lockfile,
    ours: &Lockfile,
    theirs: &Lockfile,
    disputed: &mut Vec<String>,
) -> BTreeMap<String, SharedRecipes> {
    let names: BTreeSet<_> = [base, ours, theirs].into_iter().flat_map(|side| side.recipes.keys()).collect();
    let mut recipes = BTreeMap::new();
    for name in names {
        let [base, ours, theirs] = [base, ours, theirs].map(|side| side.recipes.get(name));
        let merged = settled(&format!("recipes `{name}`"), [&base, &ours, &theirs], disputed);
        recipes.extend(merged.map(|merged| (name.clone(), merged.clone())));
    }
    recipes
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
        let [base, ours, theirs] = [base, ours, theirs].map(|package| package.map(unbuilt));
        match either(&base, &ours, &theirs) {
            Some(package) => packages.extend(package.clone().map(|package| (name.clone(), package))),
            None => drop(disputed.insert(name.clone())),
        }
    }
    (packages, disputed)
}

/// A package without what was built of it.
fn unbuilt(package: &Package) -> Package {
    Package { outputs: Vec::new(), ..package.clone() }
}

fn higher(disputed: &BTreeSet<PackageName>, ours: &Lockfile, theirs: &Lockfile) -> BTreeMap<PackageName, Package> {
    let of_one = |name: &PackageName| {
        let (ours, theirs) = (ours.packages.get(name)?, theirs.packages.get(name)?);
        let higher = match ours.id.version.cmp(&theirs.id.version) {
            Ordering::Less => theirs,
            Ordering::Greater => ours,
            Ordering::Equal => return None,
        };
        Some((name.clone(), unbuilt(higher)))
    };
    disputed.iter().filter_map(of_one).collect()
}

/// Put together what both sides built, less what one of them forgot. What was built with other packages than those that
/// the merged lockfile has, or by another compiler, is not of these packages.
fn put_outputs(merged: &mut Lockfile, base: &Lockfile, ours: &Lockfile, theirs: &Lockfile) {
    let built = [ours, theirs].map(|side| still_built(merged, side));
    let whole: Vec<_> = merged.packages.keys().filter(|name| has_all_inputs(merged, name)).cloned().collect();
    for name in whole {
        let outputs = |side: &Lockfile| -> BTreeSet<Output> {
            side.packages.get(&name).into_iter().flat_map(|package| package.outputs.iter().cloned()).collect()
        };
        let kept_by_both = &outputs(ours) & &outputs(theirs);
        let forgotten = &outputs(base) - &kept_by_both;
        let outputs = built.iter().flat_map(outputs).filter(|output| !forgotten.contains(output));
        let outputs: BTreeSet<_> = outputs.collect();
        let package = merged.packages.get_mut(&name).expect("its name is from there");
        package.outputs = outputs.into_iter().collect();
    }
}

/// The merged packages, with those outputs of a side that still are what they would come to.
pub(super) fn still_built(merged: &Lockfile, side: &Lockfile) -> Lockfile {
    let kept = Kept::new(Some(side), merged.toolchain.as_ref());
    let mut built = merged.clone();
    for package in built.packages.values_mut() {
        *package = kept.with_outputs(package.clone());
    }
    kept.drop_outputs_of_others(&mut built);
    built
}

/// Whether nothing that a package is built with is in dispute or gone.
fn has_all_inputs(lockfile: &Lockfile, name: &PackageName) -> bool {
    let (mut open, mut seen) = (lockfile.packages[name].build_dependencies.iter().collect::<Vec<_>>(), BTreeSet::new());
    open.push(name);
    while let Some(needed) = open.pop() {
        let Some(package) = lockfile.packages.get(needed) else { return false };
        open.extend(package.dependencies.iter().filter(|one| seen.insert(*one)));
    }
    true
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
    use crate::digest::{ActionDigest, BlobDigest, TextDigest, TreeDigest};
    use crate::lock::{Crates, Pin, Toolchain};
    use crate::package::{PackageId, Version};
    use crate::platform::{Needs, Platforms};

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
            platforms: Platforms::new(),
            needed_on: BTreeMap::new(),
            stated: Default::default(),
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
    fn each_side_adds_recipes() {
        let with = |name: &str, tree: &[u8]| {
            let mut lockfile = lockfile(&[]);
            let shared = SharedRecipes { source: "path+x".to_owned(), commit: None, tree: TreeDigest::of(tree) };
            lockfile.recipes.insert(name.to_owned(), shared);
            lockfile
        };
        let merged = merge(&lockfile(&[]), &with("one", b"1"), &with("two", b"2"));
        assert!(merged.is_settled() && merged.lockfile.recipes.keys().eq(["one", "two"]));
        let merged = merge(&lockfile(&[]), &with("one", b"1"), &with("one", b"2"));
        assert_eq!(merged.disputed_keys, ["recipes `one`"]);
        assert_eq!(merged.lockfile.recipes, with("one", b"1").recipes);
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
    fn of_two_versions_in_dispute_the_higher_is_preferred() {
        let merged = merge(&lockfile(&[("a", 0)]), &lockfile(&[("a", 2)]), &lockfile(&[("a", 1)]));
        assert_eq!(merged.preferring_higher(), lockfile(&[("a", 2)]));
        let removed = merge(&lockfile(&[("a", 0)]), &lockfile(&[]), &lockfile(&[("a", 2)]));
        assert_eq!(removed.preferring_higher(), lockfile(&[]));
    }

    fn name(text: &str) -> PackageName {
        text.parse().unwrap()
    }

    /// A lockfile in which a package was built.
    fn built(mut lockfile: Lockfile, package: &str, action: &[u8]) -> Lockfile {
        let (platform, action, tree) = (Platform::host(), ActionDigest::of(action), TreeDigest::of(b"tree"));
        let output = Output { platform, action, tree, needs: Needs::default() };
        lockfile.packages.get_mut(&name(package)).unwrap().outputs.push(output);
        lockfile
    }

    /// `app` is built with `lib`.
    fn app_with_lib(lib: u64) -> Lockfile {
        let mut lockfile = lockfile(&[("app", 0), ("lib", lib)]);
        lockfile.packages.get_mut(&name("app")).unwrap().dependencies = vec![name("lib")];
        lockfile
    }

    fn outputs(merged: &Merged, package: &str) -> usize {
        merged.lockfile.packages[&name(package)].outputs.len()
    }

    #[test]
    fn outputs_of_both_sides_are_united() {
        let base = app_with_lib(0);
        let merged = merge(&base, &built(base.clone(), "app", b"one"), &built(base.clone(), "app", b"two"));
        assert!(merged.is_settled());
        assert_eq!(outputs(&merged, "app"), 2);
    }

    #[test]
    fn what_one_side_forgot_does_not_come_back() {
        let base = built(app_with_lib(0), "app", b"one");
        let merged = merge(&base, &app_with_lib(0), &built(base.clone(), "app", b"two"));
        assert_eq!(outputs(&merged, "app"), 1);
    }

    #[test]
    fn what_was_built_with_another_version_of_a_need_is_no_output() {
        let base = app_with_lib(0);
        let theirs = built(base.clone(), "app", b"with lib 1.0.0");
        let merged = merge(&base, &app_with_lib(1), &theirs);
        assert_eq!(merged.lockfile.packages[&name("lib")].id.version, Version::new(1, 1, 0));
        assert_eq!(outputs(&merged, "app"), 0);
        let added = merge(&lockfile(&[("lib", 0)]), &lockfile(&[("lib", 1)]), &theirs);
        assert_eq!(outputs(&added, "app"), 0);
        let in_dispute =
            merge(&lockfile(&[("lib", 0)]), &lockfile(&[("lib", 2)]), &built(app_with_lib(1), "app", b"x"));
        assert_eq!(outputs(&in_dispute, "app"), 0);
    }

    #[test]
    fn what_another_compiler_built_is_no_output() {
        let by = |rust: &str| {
            let mut lockfile = app_with_lib(0);
            let crates = Crates { digest: BlobDigest::of(b"lock"), generated: false, sources: Vec::new() };
            lockfile.packages.get_mut(&name("app")).unwrap().crates = Some(crates);
            lockfile.toolchain = Some(Toolchain { rust: rust.to_owned(), content: BTreeMap::new() });
            lockfile
        };
        let merged = merge(&by("1.94.0"), &by("1.95.0"), &built(by("1.94.0"), "app", b"by 1.94"));
        assert_eq!(outputs(&merged, "app"), 0);
        let merged = merge(&by("1.94.0"), &by("1.95.0"), &built(by("1.95.0"), "app", b"by 1.95"));
        assert_eq!(outputs(&merged, "app"), 1);
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
