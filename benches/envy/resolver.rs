//! The solver beside resolvo, that of pixi, on the same universes.

mod fixture;
mod made;
mod rival;
mod universe;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use envy::package::{PackageName, Version};
use envy::resolve::{Problem, Strategy};
use resolvo::HintDependenciesAvailable;

use crate::measure::{Limit, Report, Side};
use universe::Universe;

/// Make the fixture anew.
pub fn make_fixture(cache: &Path) {
    fixture::make(cache);
}

/// Everything, each beside resolvo.
pub fn case(report: &mut Report, rounds: usize) {
    beside(report, rounds, "solving 1,000 packages with 50 versions each", &made::plain(1000, 50));
    beside(report, rounds, "solving a hard one, with a choice", &made::tangle(40, 12, 50, 3));
    beside(report, rounds, "solving a hard one, without a choice", &made::tangle(40, 12, 45, 3));
    beside(report, rounds, "solving 8 pigeons in 7 holes, without a choice", &made::pigeons(8, 7));
    let real = fixture::read();
    for roots in [4, 8, 12, 16, 20, 24] {
        let part = Universe { roots: real.roots.iter().take(roots).cloned().collect(), ..real.clone() };
        let count = solved(&part).map_or(0, |chosen| chosen.len());
        beside(report, rounds, &format!("solving real crates, {count} packages"), &part);
    }
}

fn solved(universe: &Universe) -> Option<BTreeMap<PackageName, Version>> {
    let nothing = BTreeMap::new();
    let problem = Problem { requirements: &universe.roots, preferred: &nothing, strategy: Strategy::Highest };
    let Ok(answer) = envy::resolve::choose(&problem, universe);
    answer.ok()
}

fn beside(report: &mut Report, rounds: usize, title: &str, universe: &Universe) {
    let world = rival::World::new(universe);
    let (ours, theirs) = (solved(universe), world.solve(HintDependenciesAvailable::None));
    assert_eq!(ours.is_some(), theirs.is_some(), "the two disagree on whether there is a choice");
    report.note(&told(universe, ours.as_ref(), theirs.as_ref()));
    let sides = vec![
        Side::call("envy", || drop(solved(universe))),
        Side::call("resolvo", || drop(world.solve(HintDependenciesAvailable::None))),
        Side::call("resolvo, all known before", || drop(world.solve(HintDependenciesAvailable::All))),
    ];
    report.group_of(rounds, title, sides, &[Limit::Part { of: "resolvo", at_most: 1.0 }]);
}

/// How the two answers differ: there may be several that are right.
fn told(universe: &Universe, ours: Option<&BTreeMap<PackageName, Version>>, theirs: Option<&BTreeMap<PackageName, Version>>) -> String {
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        return format!("of {} packages; there is no choice", universe.packages.len());
    };
    let [one, other]: [BTreeSet<_>; 2] = [ours, theirs].map(|chosen| chosen.iter().collect());
    let same = one.intersection(&other).count();
    format!("of {} packages envy takes {}, resolvo {}; {same} are the same", universe.packages.len(), ours.len(), theirs.len())
}
