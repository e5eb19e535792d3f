//! What two lockfiles have in common: pins of packages that did not move, and outputs that are still theirs. Pure.

use std::collections::BTreeMap;

use super::super::{Lockfile, Package, Pin, Toolchain, Wish};
use crate::digest::Commit;
use crate::package::{PackageId, PackageName, Version};
use crate::platform::{Platform, Platforms};
use crate::recipe::Purpose;

/// The lockfile before, and whether its compiler stays.
pub(in crate::lock) struct Kept<'a> {
    old: Option<&'a Lockfile>,
    same_toolchain: bool,
}

impl<'a> Kept<'a> {
    pub fn new(old: Option<&'a Lockfile>, toolchain: Option<&Toolchain>) -> Self {
        let rust = |toolchain: Option<&Toolchain>| toolchain.map(|toolchain| toolchain.rust.clone());
        let same_toolchain = old.is_some_and(|old| rust(old.toolchain.as_ref()) == rust(toolchain));
        Self { old, same_toolchain }
    }

    /// The old pin of a package, if it is still of the chosen version, and from where it shall come from.
    pub fn pin(&self, id: &PackageId, wish: &Wish) -> Option<&'a Package> {
        let package = self.old?.packages.get(&id.name)?;
        // The text counts too, since addresses may hold it.
        let same = package.id == *id && package.id.version.to_string() == id.version.to_string();
        (same && same_origin(&package.source, &wish.source_text)).then_some(package)
    }

    /// The old pin of an archive of the chosen version at the same address, however it is read now: its sum still holds.
    pub fn archive(&self, id: &PackageId, wish: &Wish) -> Option<&'a Package> {
        let package = self.old?.packages.get(&id.name)?;
        let same = package.id.version.to_string() == id.version.to_string();
        (same && address(&package.source) == address(&wish.source_text)).then_some(package)
    }

    /// The old pin, as what is asked for now.
    pub fn unmoved(&self, id: &PackageId, wish: &Wish, all: &Platforms) -> Option<Package> {
        let mut package = self.pin(id, wish)?.clone();
        package.source.clone_from(&wish.source_text);
        package.dependencies = wish.needed(Purpose::Run).cloned().collect();
        package.build_dependencies = wish.needed(Purpose::Build).cloned().collect();
        package.platforms = on_some(wish, all);
        package.needed_on = wish.needed_on_some();
        if !self.holds_outputs(&package) {
            package.outputs.clear();
        }
        Some(package)
    }

    /// A package with the outputs that it had, for the platforms on which it is the same as it was.
    pub fn with_outputs(&self, new: Package) -> Package {
        let old = self.old.and_then(|old| old.packages.get(&new.id.name)).filter(|old| self.holds_outputs(old));
        let outputs = old.into_iter().flat_map(|old| {
            let stay = old.outputs.iter().filter(|output| same(old, &new, output.platform));
            stay.cloned().collect::<Vec<_>>()
        });
        Package { outputs: outputs.collect(), ..new }
    }

    /// Forget what was made of packages that need something which is not what it was, or is not needed any more.
    pub fn drop_outputs_of_others(&self, new: &mut Lockfile) {
        let stays = |name: &PackageName, platform: Platform| {
            let old = self.old.and_then(|old| old.packages.get(name));
            let both = old.zip(new.packages.get(name));
            both.is_some_and(|(old, now)| same(old, now, platform) && self.holds_outputs(old))
        };
        let still_made_so = |name: &PackageName, platform: Platform| {
            let inputs = new.inputs(name, platform);
            let around = |lockfile: &Lockfile| {
                (
                    lockfile.inputs(name, platform) == inputs,
                    lockfile.beside(name, platform) == new.beside(name, platform),
                )
            };
            self.old.is_some_and(|old| around(old) == (true, true)) && inputs.iter().all(|name| stays(name, platform))
        };
        let mut kept = BTreeMap::new();
        for (name, package) in &new.packages {
            let outputs = package.outputs.iter().filter(|output| still_made_so(name, output.platform));
            kept.insert(name.clone(), outputs.cloned().collect());
        }
        for (name, outputs) in kept {
            new.packages.get_mut(&name).expect("it was there just now").outputs = outputs;
        }
    }

    /// What another compiler made is not this package's any more. Where none was needed, none matters.
    fn holds_outputs(&self, package: &Package) -> bool {
        self.same_toolchain || package.crates.is_none()
    }
}

/// Whether a package builds the same for a platform as another one, but for what it needs.
fn same(old: &Package, now: &Package, platform: Platform) -> bool {
    let pinned = match (&old.pin, &now.pin) {
        (Pin::Archives(old), Pin::Archives(now)) => old.get(&platform) == now.get(&platform),
        (old, now) => old == now,
    };
    let rest = |one: &Package| (one.id.clone(), one.patches.clone(), one.recipe, one.crates.clone());
    pinned && rest(old) == rest(now)
}

/// The platforms that a package is for, as lockfiles have it: nothing where that is all there are.
pub(in crate::lock) fn on_some(wish: &Wish, all: &Platforms) -> Platforms {
    if wish.platforms == *all { Platforms::new() } else { wish.platforms.clone() }
}

/// The version and the commit of an old pin, if it is from where the package shall come from now.
pub fn kept_commit(package: &Package, wish: &Wish) -> Option<(Version, Commit)> {
    let Pin::Git { commit, .. } = package.pin else { return None };
    same_origin(&package.source, &wish.source_text).then(|| (package.id.version.clone(), commit))
}

/// Whether two sources, as lockfiles write them, are one place, whichever versions are asked of it.
pub fn same_origin(one: &str, other: &str) -> bool {
    origin(one) == origin(other)
}

/// An archive's source without what only says how it is read.
fn address(source: &str) -> (&str, Vec<&str>) {
    let (url, parts) = source.split_once('#').unwrap_or((source, ""));
    let says_how = |part: &&str| part.starts_with("strip=") || part.starts_with("subdir=");
    (url, parts.split('&').filter(|part| !part.is_empty() && !says_how(part)).collect())
}

/// A source without the versions that were asked of it: where it comes from, whichever of them is chosen.
fn origin(source: &str) -> String {
    let Some((url, query)) = source.strip_prefix("git+").and_then(|rest| rest.rsplit_once('?')) else {
        return source.to_owned();
    };
    let parts: Vec<_> =
        query.split('&').map(|part| if part.starts_with("version=") { "version" } else { part }).collect();
    format!("git+{url}?{}", parts.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_that_is_read_another_way_is_the_same_one() {
        let same = |one: &str, other: &str| address(one) == address(other);
        let url = "archive+https://example.org/get?release=aa";
        assert!(same(url, &format!("{url}#strip=1&subdir=x")));
        assert!(!same(url, "archive+https://example.org/get?release=bb"));
        assert!(!same(&format!("{url}#platforms=12"), &format!("{url}#strip=0&platforms=34")));
    }

    #[test]
    fn another_range_of_versions_is_the_same_origin() {
        let of = |query: &str| origin(&format!("git+https://example.org/a.git{query}"));
        assert_eq!(of("?version=^1"), of("?version=^2"));
        assert_eq!(of("?version=^1&subdir=a"), of("?version=^2&subdir=a"));
        for [a, b] in [["?version=^1", "?tag=v1"], ["?version=^1&subdir=a", "?version=^1"], ["?branch=a", "?branch=b"]]
        {
            assert_ne!(of(a), of(b));
        }
    }
}
