//! The same universe for resolvo. What resolvo wants to be given as numbers is made before its time counts.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::{self, Display};

use envy::package::{PackageName, Range, Requirement, Version};
use resolvo::utils::{Pool, VersionSet};
use resolvo::{
    Candidates, Condition, ConditionId, ConditionalRequirement, Dependencies, DependencyProvider,
    HintDependenciesAvailable, Interner, KnownDependencies, NameId, Problem, SolvableId, Solver, SolverCache, StringId,
    UnsolvableOrCancelled, VersionSetId, VersionSetUnionId,
};

use super::universe::Universe;

/// A range, as resolvo keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Allowed(semver::VersionReq);

impl VersionSet for Allowed {
    type V = Version;
}

impl Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What resolvo asks.
#[derive(Clone)]
pub struct Provider<'p> {
    pool: &'p Pool<Allowed>,
    /// By the number of the name, the highest version first.
    candidates: &'p [Vec<SolvableId>],
    /// By the number of the candidate.
    requires: &'p [Vec<ConditionalRequirement>],
    hint: HintDependenciesAvailable,
}

/// A universe in resolvo's terms.
pub struct World {
    pool: Pool<Allowed>,
    candidates: Vec<Vec<SolvableId>>,
    requires: Vec<Vec<ConditionalRequirement>>,
    roots: Vec<ConditionalRequirement>,
}

impl World {
    /// Number everything.
    pub fn new(universe: &Universe) -> Self {
        let pool = Pool::new();
        let requirement = |asked: &Requirement| {
            let Range::Req(range) = &asked.versions else { panic!("universes ask for ranges") };
            let name = pool.intern_package_name(asked.name.as_str());
            ConditionalRequirement::from(pool.intern_version_set(name, Allowed(range.clone())))
        };
        let mut by_name: BTreeMap<NameId, Vec<SolvableId>> = BTreeMap::new();
        let mut requires = Vec::new();
        for (name, versions) in &universe.packages {
            let name = pool.intern_package_name(name.as_str());
            for (version, needs) in versions.iter().rev() {
                by_name.entry(name).or_default().push(pool.intern_solvable(name, version.clone()));
                requires.push(needs.iter().map(requirement).collect());
            }
        }
        let roots = universe.roots.iter().map(requirement).collect();
        let count = by_name.keys().map(|name| name.into_raw() + 1).max().unwrap_or(0);
        let candidates = (0..count).map(|name| by_name.remove(&NameId::from_raw(name)).unwrap_or_default()).collect();
        Self { pool, candidates, requires, roots }
    }

    /// Solve it: the chosen versions, or nothing where there is no choice.
    pub fn solve(&self, hint: HintDependenciesAvailable) -> Option<BTreeMap<PackageName, Version>> {
        let provider = Provider { pool: &self.pool, candidates: &self.candidates, requires: &self.requires, hint };
        let mut solver = Solver::new(provider);
        match solver.solve(Problem::new().requirements(self.roots.clone())) {
            Ok(chosen) => Some(chosen.into_iter().map(|one| self.named(one)).collect()),
            Err(UnsolvableOrCancelled::Unsolvable(_)) => None,
            Err(UnsolvableOrCancelled::Cancelled(_)) => panic!("nobody cancels"),
        }
    }

    fn named(&self, one: SolvableId) -> (PackageName, Version) {
        let solvable = self.pool.resolve_solvable(one);
        (super::universe::name(self.pool.resolve_package_name(solvable.name)), solvable.record.clone())
    }
}

impl DependencyProvider for Provider<'_> {
    async fn filter_candidates(&self, candidates: &[SolvableId], set: VersionSetId, inverse: bool) -> Vec<SolvableId> {
        let Allowed(range) = self.pool.resolve_version_set(set);
        let fits = |one: &SolvableId| range.matches(&self.pool.resolve_solvable(*one).record) != inverse;
        candidates.iter().copied().filter(fits).collect()
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates> {
        let candidates = self.candidates.get(name.into_raw() as usize).filter(|all| !all.is_empty())?.clone();
        Some(Candidates { candidates, hint_dependencies_available: self.hint.clone(), ..Candidates::default() })
    }

    async fn sort_candidates(&self, _solver: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        solvables.sort_unstable_by_key(|one| Reverse(&self.pool.resolve_solvable(*one).record));
    }

    async fn get_dependencies(&self, one: SolvableId) -> Dependencies {
        let requirements = self.requires[one.into_raw() as usize].clone();
        Dependencies::Known(KnownDependencies { requirements, constrains: Vec::new() })
    }
}

impl Interner for Provider<'_> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, one: SolvableId) -> impl Display + '_ {
        let solvable = self.pool.resolve_solvable(one);
        format!("{} {}", self.pool.resolve_package_name(solvable.name), solvable.record)
    }

    fn display_name(&self, name: NameId) -> impl Display + '_ {
        self.pool.resolve_package_name(name)
    }

    fn display_version_set(&self, set: VersionSetId) -> impl Display + '_ {
        self.pool.resolve_version_set(set)
    }

    fn display_string(&self, text: StringId) -> impl Display + '_ {
        self.pool.resolve_string(text)
    }

    fn version_set_name(&self, set: VersionSetId) -> NameId {
        self.pool.resolve_version_set_package_name(set)
    }

    fn solvable_name(&self, one: SolvableId) -> NameId {
        self.pool.resolve_solvable(one).name
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        self.pool.resolve_version_set_union(union)
    }

    fn resolve_condition(&self, condition: ConditionId) -> Condition {
        self.pool.resolve_condition(condition).clone()
    }
}
