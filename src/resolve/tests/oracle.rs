//! A slow, obvious solver: every version of every package, or none, is tried with every other.

use super::*;

/// One version, or none, for each package.
pub type Choice = BTreeMap<PackageName, Version>;

impl Universe {
    fn needs(&self, package: &PackageName, version: &Version) -> &[Requirement] {
        let id = PackageId { name: package.clone(), version: version.clone() };
        self.requirements.get(&id).map_or(&[], Vec::as_slice)
    }

    fn can_be_chosen(&self, package: &PackageName, version: &Version) -> bool {
        let candidates = self.versions.get(package).into_iter().flatten();
        candidates.into_iter().any(|one| one.version == *version && one.hidden.is_none())
    }

    /// Whether a choice has all that is asked for and all that it needs itself.
    pub fn is_satisfied(&self, asked: &[Requirement], choice: &Choice) -> bool {
        let needed = choice.iter().flat_map(|(package, version)| self.needs(package, version));
        let holds = |one: &Requirement| choice.get(&one.name).is_some_and(|version| one.versions.matches(version));
        choice.iter().all(|(package, version)| self.can_be_chosen(package, version))
            && asked.iter().chain(needed).all(holds)
    }

    /// The packages of a choice that somebody asks for, directly or in turn.
    pub fn needed(&self, asked: &[Requirement], choice: &Choice) -> Vec<PackageName> {
        let (mut needed, mut open) = (Vec::new(), asked.to_vec());
        while let Some(one) = open.pop() {
            if !needed.contains(&one.name) {
                open.extend(self.needs(&one.name, &choice[&one.name]).iter().cloned());
                needed.push(one.name);
            }
        }
        needed.sort();
        needed
    }

    /// Whether any choice would do.
    pub fn has_a_choice(&self, asked: &[Requirement]) -> bool {
        let packages: Vec<_> = self.versions.keys().collect();
        self.any_from(&packages, asked, &mut Choice::new())
    }

    fn any_from(&self, packages: &[&PackageName], asked: &[Requirement], choice: &mut Choice) -> bool {
        let Some((package, rest)) = packages.split_first() else { return self.is_satisfied(asked, choice) };
        let versions = self.versions[*package].iter().map(|one| &one.version);
        for version in versions {
            choice.insert((*package).clone(), version.clone());
            if self.any_from(rest, asked, choice) {
                return true;
            }
        }
        choice.remove(*package);
        self.any_from(rest, asked, choice)
    }
}
