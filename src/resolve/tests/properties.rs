//! What holds of every answer, whatever the universe; checked on random small ones with the oracle.

use proptest::prelude::*;

use super::oracle::Choice;
use super::*;
use crate::resolve::known::Known;
use crate::resolve::proof::{Edge, From, Proof};
use crate::resolve::question::Question;
// Not proptest's.
use crate::resolve::Strategy;
use proptest::strategy::Strategy as _;

const STRATEGIES: [Strategy; 3] = [Strategy::Highest, Strategy::Lowest, Strategy::LowestDirect];

fn answer(universe: &Universe, asked: &[Requirement], preferred: &Choice, strategy: Strategy) -> Result<Choice, Proof> {
    let problem = Problem { requirements: asked, preferred, strategy };
    let Ok(answer) = crate::resolve::solve::search(&Question::plain(&problem), &Known::new(universe));
    answer
}

/// A package's number and a range: a requirement. A package may require itself, or another one twice.
type Draft = (usize, String);

/// A version, whether it is hidden, and what it requires.
type DraftVersion = (Version, bool, Vec<Draft>);

/// Few requirements, of all kinds, and for a package too that there is not.
fn loose() -> impl proptest::strategy::Strategy<Value = (Vec<Vec<DraftVersion>>, Vec<Draft>)> {
    const PACKAGES: usize = 5;
    let ranges = vec!["*", "1", "2", "=1.0.0", ">=1.1", "<2", "~1.1", "=2.1.0", "3", ">=1.2, <3"];
    let draft = (0..=PACKAGES, prop::sample::select(ranges).prop_map(str::to_owned));
    let version = (1..3u64, 0..3u64).prop_map(|(major, minor)| Version::new(major, minor, 0));
    let version = (version, prop::bool::weighted(0.12), prop::collection::vec(draft.clone(), 0..4));
    (prop::collection::vec(prop::collection::vec(version, 1..5), PACKAGES), prop::collection::vec(draft, 1..4))
}

/// Nearly everything stands in the way of something else.
fn tight() -> impl proptest::strategy::Strategy<Value = (Vec<Vec<DraftVersion>>, Vec<Draft>)> {
    const PACKAGES: usize = 4;
    let range = (1..6u64, 1..4u64).prop_map(|(low, more)| format!(">={low}, <{}", low + more));
    let version = (1..7u64).prop_map(|major| Version::new(major, 0, 0));
    let version = (version, prop::bool::weighted(0.05), prop::collection::vec((0..PACKAGES, range), 0..4));
    let asked = (1..=PACKAGES).prop_map(|count| (0..count).map(|package| (package, "*".to_owned())).collect());
    (prop::collection::vec(prop::collection::vec(version, 4..8), PACKAGES), asked)
}

fn universes() -> impl proptest::strategy::Strategy<Value = (Universe, Vec<Requirement>)> {
    prop_oneof![loose(), tight()].prop_map(|(packages, asked)| {
        let called = |number: usize| format!("p{number}");
        let mut universe = Universe::default();
        for (number, versions) in packages.into_iter().enumerate() {
            let mut candidates: Vec<Candidate> = Vec::new();
            for (version, yanked, needs) in versions {
                if candidates.iter().all(|one| one.version != version) {
                    let id = PackageId { name: name(&called(number)), version: version.clone() };
                    let by = id.to_string();
                    let needs = needs.iter().map(|(what, range)| asks(&by, &called(*what), range)).collect();
                    universe.requirements.insert(id, needs);
                    candidates.push(Candidate { version, hidden: yanked.then_some(Hidden::Yanked) });
                }
            }
            universe.versions.insert(name(&called(number)), candidates);
        }
        let asked = asked.iter().enumerate();
        let asked = asked.map(|(at, (what, range))| asks(&format!("asker {at}"), &called(*what), range));
        (universe, asked.collect())
    })
}

/// The same with every list the other way round.
fn reversed(universe: &Universe) -> Universe {
    let mut other = universe.clone();
    other.versions.values_mut().for_each(|candidates| candidates.reverse());
    other.requirements.values_mut().for_each(|needs| needs.reverse());
    other
}

/// Whether any one package could be nearer to what a strategy wants, with all others as they are.
fn could_be_better(universe: &Universe, asked: &[Requirement], choice: &Choice, strategy: Strategy) -> bool {
    choice.iter().any(|(package, version)| {
        let direct = asked.iter().any(|one| one.name == *package);
        let lower = strategy == Strategy::Lowest || strategy == Strategy::LowestDirect && direct;
        let others = universe.versions[package].iter().map(|one| &one.version);
        let mut better = others.filter(|other| if lower { *other < version } else { *other > version });
        better.any(|other| {
            let mut changed = choice.clone();
            changed.insert(package.clone(), other.clone());
            universe.is_satisfied(asked, &changed)
        })
    })
}

/// The candidates of a package, the lowest version first: what numbers in facts mean.
fn sorted<'u>(universe: &'u Universe, package: &PackageName) -> Vec<&'u Version> {
    let mut versions: Vec<_> = universe.versions.get(package).into_iter().flatten().map(|one| &one.version).collect();
    versions.sort();
    versions
}

/// Whether somebody who requires these means just the candidates that a fact says.
fn is_meant(universe: &Universe, edge: &Edge, needs: &[Requirement]) -> bool {
    let about: Vec<_> = needs.iter().filter(|one| one.name == edge.to).collect();
    let all = sorted(universe, &edge.to).into_iter().enumerate();
    let mut all = all.map(|(number, version)| (number as u32, about.iter().all(|one| one.versions.matches(version))));
    !about.is_empty() && all.all(|(number, fits)| edge.allowed.contains(&number) == fits)
}

fn is_true(universe: &Universe, asked: &[Requirement], edge: &Edge) -> bool {
    match &edge.from {
        From::Asker(by) => {
            let asked: Vec<_> = asked.iter().filter(|one| one.by == *by).cloned().collect();
            is_meant(universe, edge, &asked)
        }
        From::Package(package, numbers) => numbers.iter().all(|number| {
            let version = sorted(universe, package)[*number as usize].clone();
            let id = PackageId { name: package.clone(), version };
            is_meant(universe, edge, &universe.requirements[&id])
        }),
    }
}

/// A universe in which nothing is required but what a proof says.
fn only(universe: &Universe, asked: &[Requirement], proof: &Proof) -> (Universe, Vec<Requirement>) {
    let mut less = universe.clone();
    for (id, needs) in &mut less.requirements {
        let number = sorted(universe, &id.name).iter().position(|version| **version == id.version).unwrap() as u32;
        needs.retain(|need| proof.holds(&id.name, number, &need.name));
    }
    let asked = asked.iter().filter(|one| proof.holds_asked(&one.by, &one.name)).cloned().collect();
    (less, asked)
}

// `PROPTEST_CASES` in the environment asks for more of them.
proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_chosen_satisfies_everyone_and_holds_nothing_else((universe, asked) in universes()) {
        for strategy in STRATEGIES {
            let Ok(choice) = answer(&universe, &asked, &Choice::new(), strategy) else { continue };
            prop_assert!(universe.is_satisfied(&asked, &choice), "{choice:?}");
            prop_assert_eq!(universe.needed(&asked, &choice), choice.keys().cloned().collect::<Vec<_>>());
        }
    }

    #[test]
    fn there_is_no_answer_only_where_there_is_no_choice((universe, asked) in universes()) {
        let there_is = universe.has_a_choice(&asked);
        for strategy in STRATEGIES {
            prop_assert_eq!(answer(&universe, &asked, &Choice::new(), strategy).is_ok(), there_is);
        }
    }

    #[test]
    fn no_single_package_could_be_nearer_to_the_strategy((universe, asked) in universes()) {
        for strategy in STRATEGIES {
            let Ok(choice) = answer(&universe, &asked, &Choice::new(), strategy) else { continue };
            prop_assert!(!could_be_better(&universe, &asked, &choice, strategy), "{strategy:?}: {choice:?}");
        }
    }

    #[test]
    fn an_answer_does_not_depend_on_any_order((universe, asked) in universes()) {
        let backwards: Vec<_> = asked.iter().rev().cloned().collect();
        for strategy in STRATEGIES {
            let one = answer(&universe, &asked, &Choice::new(), strategy);
            let other = answer(&reversed(&universe), &backwards, &Choice::new(), strategy);
            prop_assert_eq!(one, other);
        }
    }

    #[test]
    fn an_answer_that_is_preferred_is_given_again((universe, asked) in universes()) {
        for (first, then) in STRATEGIES.into_iter().flat_map(|first| STRATEGIES.map(|then| (first, then))) {
            let Ok(choice) = answer(&universe, &asked, &Choice::new(), first) else { continue };
            prop_assert_eq!(&answer(&universe, &asked, &choice, then).unwrap(), &choice);
        }
    }

    #[test]
    fn a_proof_rests_on_true_facts_that_leave_no_choice((universe, asked) in universes()) {
        let Err(proof) = answer(&universe, &asked, &Choice::new(), Strategy::Highest) else { return Ok(()) };
        for edge in &proof.edges {
            prop_assert!(is_true(&universe, &asked, edge), "{edge:?}");
        }
        let (less, asked) = only(&universe, &asked, &proof);
        prop_assert!(!less.has_a_choice(&asked), "{proof:?}");
    }
}
