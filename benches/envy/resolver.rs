//! The solver beside resolvo, that of pixi, on the same universes, with the same wish for the highest versions.

mod fixture;
mod made;
mod rival;
mod universe;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use envy::package::{PackageName, Version};
use envy::resolve::{Problem, Strategy};
use resolvo::HintDependenciesAvailable;

use crate::measure::{Limit, Report, Side};
use crate::picture::{self, Line, Panel, Scale};
use universe::Universe;

/// Versions for all that is needed.
type Choice = BTreeMap<PackageName, Version>;

/// Make the fixture anew.
pub fn make_fixture(cache: &Path) {
    fixture::make(cache);
}

/// Everything, each beside resolvo.
pub fn case(report: &mut Report, rounds: usize) {
    // The hard ones take seconds.
    let few = rounds.min(9);
    beside(report, few, "solving 1,000 packages with 50 versions each", &made::plain(1000, 50));
    beside(report, few, "solving a tangle of 40 packages, with a choice", &made::tangle(40, 12, 45, 1));
    beside(report, few, "solving a tangle of 60 packages, without a choice", &made::tangle(60, 10, 35, 1));
    beside(report, few, "solving 9 pigeons in 8 holes, without a choice", &made::pigeons(9, 8));
    let real = fixture::read();
    for roots in [2, 4, 8, 14, 20] {
        let part = first(&real, roots);
        let count = solved(&part).map_or(0, |choice| choice.len());
        beside(report, rounds, &format!("solving real crates, {count} packages"), &part);
    }
}

/// The same with fewer wishes.
fn first(universe: &Universe, roots: usize) -> Universe {
    Universe { roots: universe.roots.iter().take(roots).cloned().collect(), ..universe.clone() }
}

fn solved(universe: &Universe) -> Option<Choice> {
    let nothing = BTreeMap::new();
    let problem = Problem { requirements: &universe.roots, preferred: &nothing, strategy: Strategy::Highest };
    let Ok(answer) = envy::resolve::choose(&problem, universe);
    answer.ok()
}

fn beside(report: &mut Report, rounds: usize, title: &str, universe: &Universe) {
    let world = rival::World::new(universe);
    let (ours, theirs) = (solved(universe), world.solve(HintDependenciesAvailable::None));
    assert_eq!(ours.is_some(), theirs.is_some(), "the two disagree on whether there is a choice");
    let sides = vec![
        Side::call("envy", || drop(solved(universe))),
        Side::call("resolvo", || drop(world.solve(HintDependenciesAvailable::None))),
        Side::call("resolvo, all known before", || drop(world.solve(HintDependenciesAvailable::All))),
    ];
    report.group_of(rounds, title, sides, &[Limit::Part { of: "resolvo", at_most: 1.0 }]);
    if let (Some(ours), Some(theirs)) = (&ours, &theirs) {
        report.note(&compared(universe, ours, theirs));
    }
}

/// How the two answers differ: there may be several that are right.
fn compared(universe: &Universe, ours: &Choice, theirs: &Choice) -> String {
    let [one, other]: [BTreeSet<_>; 2] = [ours, theirs].map(|choice| choice.iter().collect());
    let (all, same) = (universe.packages.len(), one.intersection(&other).count());
    format!("of {all} packages envy takes {}, resolvo {}; {same} versions are the same", ours.len(), theirs.len())
}

/// Draw the time that each takes for real crates against how many are chosen.
pub fn draw(file: &Path) {
    let real = fixture::read();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for roots in 1..=real.roots.len() {
        let part = first(&real, roots);
        let world = rival::World::new(&part);
        let count = solved(&part).expect("real crates can be had").len() as f64;
        ours.push((count, shortest(|| drop(solved(&part)))));
        theirs.push((count, shortest(|| drop(world.solve(HintDependenciesAvailable::None)))));
    }
    let lines = vec![
        Line { name: "resolvo", colour: "#b35806", points: theirs },
        Line { name: "envy", colour: "#2166ac", points: ours },
    ];
    let panel = Panel { across: "packages chosen", up: "milliseconds", scale: Scale::Even, lines };
    std::fs::write(file, picture::draw(&[panel])).expect("there is room for a picture");
}

/// The shortest of many times, in milliseconds.
fn shortest(work: impl Fn()) -> f64 {
    let time = |_| {
        let begun = Instant::now();
        work();
        begun.elapsed()
    };
    (0..60).map(time).min().unwrap_or_default().as_secs_f64() * 1e3
}
