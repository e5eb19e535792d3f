//! The lockfile that one site gets from another. Pure.

use std::collections::BTreeSet;

use super::merge::still_built;
use super::{Difference, Lockfile, Output};
use crate::platform::Platform;

impl Lockfile {
    /// This lockfile as it takes the place of another one: where the packages are the very same, outputs that only the other
    /// one has stay, but only for platforms that this one has none for. Elsewhere, no other bytes shall be taken for these.
    pub fn in_place_of(&self, other: &Self) -> Self {
        let (mut all, built) = (self.clone(), still_built(self, other));
        for (name, package) in &mut all.packages {
            let own: BTreeSet<Platform> = package.outputs.iter().map(|output| output.platform).collect();
            let theirs = built.packages.get(name).into_iter().flat_map(|package| &package.outputs);
            let more: Vec<Output> = theirs.filter(|output| !own.contains(&output.platform)).cloned().collect();
            package.outputs.extend(more);
            package.outputs.sort();
        }
        if Difference::between(self, other).is_empty() {
            // Where some outputs are its own, the other one's prefix was made of others.
            let is_own = |platform: &Platform| {
                self.packages.values().flat_map(|one| &one.outputs).any(|own| own.platform == *platform)
            };
            for (platform, prefix) in other.prefixes.iter().filter(|(platform, _)| !is_own(platform)) {
                all.prefixes.entry(*platform).or_insert(*prefix);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use crate::digest::{ActionDigest, TextDigest, TreeDigest};
    use crate::lock::{Lockfile, Output, Package, Pin, Prefix};
    use crate::package::PackageId;
    use crate::platform::Needs;

    /// A lockfile with a package of this version, and outputs of it: platform, and what made it.
    fn lockfile(version: &str, outputs: &[(&str, &str)]) -> Lockfile {
        let output = |(platform, of): &(&str, &str)| Output {
            platform: platform.parse().unwrap(),
            action: ActionDigest::of(of.as_bytes()),
            tree: TreeDigest::of(of.as_bytes()),
            needs: Needs::default(),
        };
        let package = Package {
            id: PackageId { name: "tool".parse().unwrap(), version: version.parse().unwrap() },
            source: String::new(),
            pin: Pin::Nothing,
            patches: Vec::new(),
            recipe: TextDigest::of(b""),
            crates: None,
            dependencies: Vec::new(),
            build_dependencies: Vec::new(),
            platforms: Default::default(),
            needed_on: Default::default(),
            stated: Default::default(),
            outputs: outputs.iter().map(output).collect(),
        };
        let mut lockfile = Lockfile::empty(TextDigest::of(b""));
        lockfile.packages.insert(package.id.name.clone(), package);
        lockfile
    }

    fn check(from: &Lockfile, to: &Lockfile, expected: &Lockfile) {
        assert_eq!(&from.in_place_of(to), expected);
    }

    #[test]
    fn outputs_for_other_platforms_stay_where_the_packages_are_the_same() {
        let (x86, arm) = ("x86_64-linux-gnu", "aarch64-linux-gnu");
        let from = lockfile("1.0.0", &[(x86, "ours")]);
        check(&from, &lockfile("1.0.0", &[(x86, "theirs")]), &from);
        check(&from, &lockfile("2.0.0", &[(arm, "theirs")]), &from);
        let mut both = lockfile("1.0.0", &[(x86, "ours"), (arm, "theirs")]);
        both.packages.values_mut().for_each(|package| package.outputs.sort());
        check(&from, &lockfile("1.0.0", &[(arm, "theirs"), (x86, "theirs")]), &both);

        let prefix = |of: &str| Prefix { outputs: TextDigest::of(of.as_bytes()), tree: TreeDigest::of(of.as_bytes()) };
        let mut theirs = lockfile("1.0.0", &[(arm, "theirs"), (x86, "theirs")]);
        theirs.prefixes = [(arm, "arm"), (x86, "x86")].map(|(on, of)| (on.parse().unwrap(), prefix(of))).into();
        both.prefixes = [(arm.parse().unwrap(), prefix("arm"))].into();
        check(&from, &theirs, &both);
    }
}
