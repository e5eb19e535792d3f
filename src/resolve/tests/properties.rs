//! What holds of every answer, whatever the universe; checked on random small ones with the oracle.

use super::oracle::Choice;
use super::*;
use crate::resolve::known::Known;
use crate::resolve::proof::{Edge, From, Proof};
use crate::resolve::question::Question;
// Not proptest's.
use crate::resolve::Strategy;
use proptest::strategy::Strategy as _;

const STRATEGIES: [Strategy; 3] = [Strategy::Highest, Strategy::Lowest, Strategy::LowestDirect];

/// Enough to find what is wrong in seconds; `PROPERTY_CASES` asks for more.
fn cases() -> u32 {
    option_env!("PROPERTY_CASES").and_then(|text| text.parse().ok()).unwrap_or(400)
}

fn answer(universe: &Universe, asked: &[Requirement], preferred: &Choice, strategy: Strategy) -> Result<Choice, Proof> {
    let problem = Problem { requirements: asked, preferred, strategy };
    let Ok(answer) = crate::resolve::solve::search(&Question::plain(&problem), &Known::new(universe));
    answer
}

/// A requirement of a package for another one; both may be the same, and there may be several.
type Draft = (usize, &'static str);

fn draft(packages: usize) -> impl proptest::strategy::Strategy<Value = Draft> {
    (0..packages, prop::sample::select(vec!["*", "1", "2", "=1.0.0", ">=1.1", "<2", "~1.1", "=2.1.0", "3", ">=1.2, <3"]))
}

fn universes() -> impl proptest::strategy::Strategy<Value = (Universe, Vec<Requirement>)> {
    const PACKAGES: usize = 6;
    let version = (1..3u64, 0..3u64, prop::bool::weighted(0.12), prop::collection::vec(draft(PACKAGES), 0..4));
    // One package more is asked for than there is.
    let packages = prop::collection::vec(prop::collection::vec(version, 1..5), PACKAGES - 1);
    (packages, prop::collection::vec(draft(PACKAGES - 1), 1..4)).prop_map(|(packages, asked)| {
        let called = |number: usize| name(&format!("p{number}"));
        let mut universe = Universe::default();
        for (number, versions) in packages.into_iter().enumerate() {
            let mut candidates: Vec<Candidate> = Vec::new();
            for (major, minor, yanked, needs) in versions {
                let version = Version::new(major, minor, 0);
                if candidates.iter().all(|one| one.version != version) {
                    let id = PackageId { name: called(number), version: version.clone() };
                    let by = id.to_string();
                    let needs = needs.iter().map(|(what, range)| asks(&by, called(*what).as_str(), range)).collect();
                    universe.requirements.insert(id, needs);
                    candidates.push(Candidate { version, hidden: yanked.then_some(Hidden::Yanked) });
                }
            }
            universe.versions.insert(called(number), candidates);
        }
        let asked = asked.iter().enumerate();
        let asked = asked.map(|(at, (what, range))| asks(&format!("asker {at}"), called(*what).as_str(), range));
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
    let mut versions: Vec<_> =
        universe.versions.get(package).into_iter().flatten().map(|one| &one.version).collect();
    versions.sort();
    versions
}

/// Whether somebody who requires these means just the candidates that a fact says.
fn is_meant(universe: &Universe, edge: &Edge, needs: &[Requirement]) -> bool {
    let about: Vec<_> = needs.iter().filter(|one| one.name == edge.to).collect();
    let all = sorted(universe, &edge.to).into_iter().enumerate();
    let mut all = all.map(|(number, version)| (number as u32, about.iter().all(|one| one.versions.matches(version))));
    !about.is_empty() && all.all(|(number, fits)| edge.allowed.has(number) == fits)
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

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

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
