//! The search.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use pubgrub::VersionSet as _;
use pubgrub::{Dependencies, DependencyConstraints, DependencyProvider, PackageResolutionStatistics, PubGrubError};

use super::{Candidate, Conflict, Index, Resolution, explain};
use crate::package::{PackageId, PackageName, Requirement, Version, VersionSet};

/// What PubGrub calls a package: beside real ones, the site, and everyone who asks something of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Node {
    /// The beginning: requires everyone who asks.
    Site,
    /// One who asks; with its own node, its name can stand in an explanation.
    Asker(String),
    /// A package.
    Package(PackageName),
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site => f.write_str("the site"),
            Self::Asker(asker) => f.write_str(asker),
            Self::Package(name) => write!(f, "{name}"),
        }
    }
}

/// Choose a version for everything that is required, directly or in turn.
///
/// # Errors
/// Only the index's own. That there is no choice is a value.
pub fn solve<I: Index>(
    requirements: &[Requirement],
    preferred: &BTreeMap<PackageName, Version>,
    index: &I,
) -> Result<Result<Resolution, Conflict>, I::Error> {
    let search = Search { requirements, preferred, index, memo: RefCell::default() };
    match pubgrub::resolve(&search, Node::Site, Version::new(0, 0, 0)) {
        Ok(chosen) => {
            let packages = chosen.into_iter().filter_map(|(node, version)| match node {
                Node::Package(name) => Some((name, version)),
                Node::Site | Node::Asker(_) => None,
            });
            Ok(Ok(search.resolution(packages.collect())))
        }
        Err(PubGrubError::NoSolution(tree)) => {
            Ok(Err(explain::conflict(&tree, requirements, &search.memo.into_inner(), index)))
        }
        Err(
            PubGrubError::ErrorRetrievingDependencies { source, .. }
            | PubGrubError::ErrorChoosingVersion { source, .. }
            | PubGrubError::ErrorInShouldCancel(source),
        ) => Err(source),
    }
}

/// What an index said of each package, so that it is asked once.
pub(super) type Memo = BTreeMap<PackageName, Option<Vec<Candidate>>>;

struct Search<'a, I> {
    requirements: &'a [Requirement],
    preferred: &'a BTreeMap<PackageName, Version>,
    index: &'a I,
    memo: RefCell<Memo>,
}

impl<I: Index> Search<'_, I> {
    fn with_candidates<T>(&self, name: &PackageName, look: impl FnOnce(&[Candidate]) -> T) -> Result<T, I::Error> {
        if !self.memo.borrow().contains_key(name) {
            let candidates = self.index.candidates(name)?;
            self.memo.borrow_mut().insert(name.clone(), candidates);
        }
        Ok(look(self.memo.borrow()[name].as_deref().unwrap_or_default()))
    }

    /// The preferred version where it fits, else the highest that does.
    fn choose(&self, name: &PackageName, set: &VersionSet) -> Result<Option<Version>, I::Error> {
        self.with_candidates(name, |candidates| {
            let fitting = || candidates.iter().filter(|one| one.hidden.is_none() && set.contains(&one.version));
            let preferred = self.preferred.get(name);
            let kept = fitting().find(|one| Some(&one.version) == preferred);
            kept.or_else(|| fitting().max_by_key(|one| &one.version)).map(|one| one.version.clone())
        })
    }

    pub fn resolution(&self, packages: BTreeMap<PackageName, Version>) -> Resolution {
        let mut hidden = Vec::new();
        let memo = self.memo.borrow();
        for (name, chosen) in &packages {
            let asked: Vec<_> =
                self.requirements.iter().filter(|asked| asked.name == *name).map(Requirement::set).collect();
            let above =
                memo.get(name).and_then(Option::as_ref).into_iter().flatten().filter(|one| one.version > *chosen);
            for candidate in above.filter(|one| asked.iter().all(|set| set.contains(&one.version))) {
                if let Some(why) = &candidate.hidden {
                    let id = PackageId { name: name.clone(), version: candidate.version.clone() };
                    hidden.push((id, why.clone()));
                }
            }
        }
        hidden.sort_by(|a, b| a.0.cmp(&b.0));
        Resolution { packages, hidden }
    }
}

impl<I: Index> DependencyProvider for Search<'_, I> {
    type P = Node;
    type V = Version;
    type VS = VersionSet;
    type Priority = (u32, Reverse<usize>);
    type M = String;
    type Err = I::Error;

    /// Packages with many conflicts first, then those with few candidates left: both narrow the search soonest.
    fn prioritize(&self, node: &Node, set: &VersionSet, statistics: &PackageResolutionStatistics) -> Self::Priority {
        let Node::Package(name) = node else { return (u32::MAX, Reverse(0)) };
        let count = self.with_candidates(name, |candidates| {
            candidates.iter().filter(|one| one.hidden.is_none() && set.contains(&one.version)).count()
        });
        // An index that fails here fails again when the version is chosen, and is reported then.
        (statistics.conflict_count(), Reverse(count.unwrap_or(0)))
    }

    fn choose_version(&self, node: &Node, set: &VersionSet) -> Result<Option<Version>, I::Error> {
        match node {
            Node::Site | Node::Asker(_) => Ok(Some(Version::new(0, 0, 0)).filter(|only| set.contains(only))),
            Node::Package(name) => self.choose(name, set),
        }
    }

    fn get_dependencies(
        &self,
        node: &Node,
        version: &Version,
    ) -> Result<Dependencies<Node, VersionSet, String>, I::Error> {
        let requires = |required: &Requirement| (Node::Package(required.name.clone()), required.set());
        let constraints: DependencyConstraints<_, _> = match node {
            Node::Site => {
                self.requirements.iter().map(|asked| (Node::Asker(asked.by.clone()), VersionSet::full())).collect()
            }
            Node::Asker(asker) => self.requirements.iter().filter(|asked| asked.by == *asker).map(requires).collect(),
            Node::Package(name) => {
                let id = PackageId { name: name.clone(), version: version.clone() };
                self.index.requirements(&id)?.iter().map(requires).collect()
            }
        };
        Ok(Dependencies::Available(constraints))
    }
}

/// What was chosen, with what was passed over.
pub(super) fn resolution<I: Index>(
    packages: BTreeMap<PackageName, Version>,
    requirements: &[Requirement],
    index: &I,
) -> Result<Resolution, I::Error> {
    let preferred = BTreeMap::new();
    let search = Search { requirements, preferred: &preferred, index, memo: RefCell::default() };
    for name in packages.keys() {
        search.with_candidates(name, |_| ())?;
    }
    Ok(search.resolution(packages))
}
