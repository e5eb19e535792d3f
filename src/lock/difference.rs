//! How one lockfile differs from another: what it adds, what it leaves out, what it has otherwise. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use super::{Lockfile, Package, Pin, SharedRecipes, Toolchain, same_origin};
use crate::package::PackageName;

/// How a later lockfile differs from an earlier one. Outputs are not compared: they follow from the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference<'l> {
    /// The compilers, where they are not the same.
    pub toolchain: Option<(Option<&'l Toolchain>, Option<&'l Toolchain>)>,
    /// The cut-offs, where they are not the same.
    pub exclude_newer: Option<(Option<Timestamp>, Option<Timestamp>)>,
    /// Recipes that the project shares, by their names in `[recipes]`.
    pub recipes: BTreeMap<&'l str, Change<'l, SharedRecipes>>,
    /// Packages.
    pub packages: BTreeMap<&'l PackageName, Change<'l, Package>>,
}

/// What became of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'l, T> {
    /// Only the later one has it.
    Added(&'l T),
    /// Only the earlier one had it.
    Removed(&'l T),
    /// Both have it, not the same: as it was, and as it is.
    Changed(&'l T, &'l T),
}

impl<'l, T> Change<'l, T> {
    /// What it is called in data, and the thing as it was and as it is.
    pub fn sides(&self) -> (&'static str, Option<&'l T>, Option<&'l T>) {
        match *self {
            Self::Added(now) => ("added", None, Some(now)),
            Self::Removed(before) => ("removed", Some(before), None),
            Self::Changed(before, now) => ("changed", Some(before), Some(now)),
        }
    }
}

/// In what a package may differ from what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// Its version.
    Version,
    /// Where it comes from, or what is asked there.
    Source,
    /// The commit of its repository.
    Commit,
    /// The archive that it is, or one of them.
    Archive,
    /// Patches to it.
    Patches,
    /// What is in its source, where nothing of the above says so.
    Content,
    /// The recipe that makes it, or its params.
    Recipe,
    /// The Cargo.lock that it builds with.
    Crates,
    /// Which packages it needs.
    Needs,
    /// The platforms that it is for.
    Platforms,
}

impl Aspect {
    /// What it is called in data.
    pub fn word(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Source => "source",
            Self::Commit => "commit",
            Self::Archive => "archive",
            Self::Patches => "patches",
            Self::Content => "content",
            Self::Recipe => "recipe",
            Self::Crates => "crates",
            Self::Needs => "needs",
            Self::Platforms => "platforms",
        }
    }
}

impl<'l> Difference<'l> {
    /// How `now` differs from `before`.
    pub fn between(before: &'l Lockfile, now: &'l Lockfile) -> Self {
        let toolchain = (before.toolchain.as_ref(), now.toolchain.as_ref());
        let exclude_newer = (before.exclude_newer, now.exclude_newer);
        let mut packages = changes(&before.packages, &now.packages);
        packages.retain(|_, change| match change {
            Change::Changed(before, now) => !aspects(before, now).is_empty(),
            Change::Added(_) | Change::Removed(_) => true,
        });
        let recipes = changes(&before.recipes, &now.recipes);
        Self {
            toolchain: (toolchain.0 != toolchain.1).then_some(toolchain),
            exclude_newer: (exclude_newer.0 != exclude_newer.1).then_some(exclude_newer),
            recipes: recipes.into_iter().map(|(name, change)| (name.as_str(), change)).collect(),
            packages,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What became of recipes and of packages, in a line each, as far as it matters to who locks.
    pub fn lines(&self) -> Vec<String> {
        let packages = self.packages.values().filter_map(Change::line);
        self.recipe_lines().into_iter().chain(packages).collect()
    }

    /// What became of recipes, in a line each.
    pub fn recipe_lines(&self) -> Vec<String> {
        self.recipes.iter().map(|(name, change)| shared_line(name, change)).collect()
    }
}

fn changes<'l, K: Ord, T: PartialEq>(
    before: &'l BTreeMap<K, T>,
    now: &'l BTreeMap<K, T>,
) -> BTreeMap<&'l K, Change<'l, T>> {
    let names: BTreeSet<&K> = before.keys().chain(now.keys()).collect();
    let change = |name: &'l K| match (before.get(name), now.get(name)) {
        (None, Some(now)) => Some(Change::Added(now)),
        (Some(before), None) => Some(Change::Removed(before)),
        (Some(before), Some(now)) if before != now => Some(Change::Changed(before, now)),
        _ => None,
    };
    names.into_iter().filter_map(|name| Some((name, change(name)?))).collect()
}

/// In what a package differs from what it was.
pub fn aspects(before: &Package, now: &Package) -> Vec<Aspect> {
    let mut aspects = Vec::new();
    let mut note = |differs: bool, aspect: Aspect| aspects.extend(differs.then_some(aspect));
    note(before.id != now.id, Aspect::Version);
    note(before.source != now.source, Aspect::Source);
    note(before.pin != now.pin, pinned_otherwise(before, now));
    note(before.patches != now.patches, Aspect::Patches);
    note(before.recipe != now.recipe, Aspect::Recipe);
    note(before.crates != now.crates, Aspect::Crates);
    let needs = |one: &Package| (one.dependencies.clone(), one.build_dependencies.clone(), one.needed_on.clone());
    note(needs(before) != needs(now), Aspect::Needs);
    note(before.platforms != now.platforms, Aspect::Platforms);
    aspects
}

/// What a pin that is another says first.
fn pinned_otherwise(before: &Package, now: &Package) -> Aspect {
    match (&before.pin, &now.pin) {
        (Pin::Git { commit: old, .. }, Pin::Git { commit: new, .. }) if old != new => Aspect::Commit,
        (Pin::Archive(old) | Pin::Crate(old), Pin::Archive(new) | Pin::Crate(new)) if old.archive != new.archive => {
            Aspect::Archive
        }
        (Pin::Archives(_), Pin::Archives(_)) => Aspect::Archive,
        _ => Aspect::Content,
    }
}

impl Change<'_, Package> {
    /// It in a line, unless it is of no matter to who locks.
    fn line(&self) -> Option<String> {
        let moved = self.to_string();
        let Self::Changed(before, now) = self else { return Some(moved) };
        if !same_origin(&before.source, &now.source) {
            return Some(format!("{moved}, from {} instead of {}", now.source, before.source));
        }
        let why = aspects(before, now).into_iter().find_map(|aspect| self.reason(aspect))?;
        Some(format!("{moved}{why}"))
    }

    fn reason(&self, aspect: Aspect) -> Option<String> {
        let Self::Changed(before, now) = self else { return None };
        Some(match (aspect, &before.pin, &now.pin) {
            (Aspect::Version, ..) => String::new(),
            (Aspect::Commit, Pin::Git { commit: old, .. }, Pin::Git { commit: new, .. }) => {
                format!(", commit {} -> {}", old.short(), new.short())
            }
            (Aspect::Archive, Pin::Archives(_), _) => ", other archives".to_owned(),
            // A crate's archive is its content, and no other may come.
            (Aspect::Archive, Pin::Archive(_), _) => ", another archive".to_owned(),
            (Aspect::Patches, ..) => ", other patches".to_owned(),
            (Aspect::Archive | Aspect::Commit | Aspect::Content, ..) => self.content_or_patches(),
            (Aspect::Recipe, ..) => ", other params or another recipe".to_owned(),
            (Aspect::Crates, ..) => ", another Cargo.lock".to_owned(),
            (Aspect::Platforms, ..) => ", for other platforms".to_owned(),
            (Aspect::Source | Aspect::Needs, ..) => return None,
        })
    }

    /// Patches are in the content too, and say more.
    fn content_or_patches(&self) -> String {
        match self {
            Self::Changed(before, now) if before.patches != now.patches => ", other patches".to_owned(),
            _ => ", other content".to_owned(),
        }
    }
}

impl fmt::Display for Change<'_, Package> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(now) => write!(f, "+ {}", now.id),
            Self::Removed(before) => write!(f, "- {}", before.id),
            Self::Changed(before, now) if before.id == now.id => write!(f, "~ {}", now.id),
            Self::Changed(before, now) => write!(f, "~ {} -> {}", before.id, now.id.version),
        }
    }
}

fn shared_line(name: &str, change: &Change<'_, SharedRecipes>) -> String {
    match change {
        Change::Added(now) => {
            let at = now.commit.map(|commit| format!(", commit {}", commit.short())).unwrap_or_default();
            format!("+ recipes {name}{at}")
        }
        Change::Removed(_) => format!("- recipes {name}"),
        Change::Changed(before, now) if before.source != now.source => {
            format!("~ recipes {name}, from {} instead of {}", now.source, before.source)
        }
        Change::Changed(before, now) => match (before.commit, now.commit) {
            (Some(old), Some(new)) => format!("~ recipes {name}, commit {} -> {}", old.short(), new.short()),
            _ => format!("~ recipes {name}, other content"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{BlobDigest, TextDigest, TreeDigest};
    use crate::lock::graph::tests::lockfile;

    fn changed(change: impl FnOnce(&mut Package)) -> (Vec<Aspect>, Vec<String>) {
        let before = lockfile(&[("app", &[], &[])]);
        let mut now = before.clone();
        let package = now.packages.values_mut().next().unwrap();
        package.pin = Pin::Git { commit: [1; 20].into(), tree: TreeDigest::of(b"1") };
        let before = now.clone();
        change(now.packages.values_mut().next().unwrap());
        let difference = Difference::between(&before, &now);
        let all = difference.packages.values();
        let aspects = all.flat_map(|change| match change {
            Change::Changed(before, now) => aspects(before, now),
            _ => Vec::new(),
        });
        (aspects.collect(), difference.lines())
    }

    #[test]
    fn what_changed_is_said_in_a_line_and_in_full() {
        let (aspects, lines) = changed(|package| {
            package.id.version = "2.0.0".parse().unwrap();
            package.pin = Pin::Git { commit: [2; 20].into(), tree: TreeDigest::of(b"2") };
        });
        assert_eq!(
            (&aspects[..], &lines[..]),
            (&[Aspect::Version, Aspect::Commit][..], &["~ app 1.0.0 -> 2.0.0".to_owned()][..])
        );
        let (_, lines) =
            changed(|package| package.pin = Pin::Git { commit: [2; 20].into(), tree: TreeDigest::of(b"2") });
        assert_eq!(lines, ["~ app 1.0.0, commit 0101010101 -> 0202020202"]);
        let (_, lines) = changed(|package| {
            package.patches = vec![BlobDigest::of(b"")];
            package.pin = Pin::Git { commit: [1; 20].into(), tree: TreeDigest::of(b"2") };
        });
        assert_eq!(lines, ["~ app 1.0.0, other patches"]);
        let (aspects, lines) = changed(|package| package.recipe = TextDigest::of(b"other"));
        assert_eq!(
            (&aspects[..], &lines[..]),
            (&[Aspect::Recipe][..], &["~ app 1.0.0, other params or another recipe".to_owned()][..])
        );
        let (_, lines) = changed(|package| package.source = "registry+company".to_owned());
        assert_eq!(lines, ["~ app 1.0.0, from registry+company instead of registry+crates.io"]);
    }

    #[test]
    fn outputs_are_no_difference_and_needs_are_none_that_is_told() {
        let (aspects, lines) = changed(|package| package.dependencies = vec!["zlib".parse().unwrap()]);
        assert_eq!((&aspects[..], lines.len()), (&[Aspect::Needs][..], 0));
        let (before, now) = (lockfile(&[("app", &[], &[])]), lockfile(&[("app", &[], &[]), ("new", &[], &[])]));
        assert!(Difference::between(&before, &before.clone()).is_empty());
        assert_eq!(Difference::between(&before, &now).lines(), ["+ new 1.0.0"]);
        assert_eq!(Difference::between(&now, &before).lines(), ["- new 1.0.0"]);
    }
}
