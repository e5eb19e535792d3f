//! Why there is no choice, in sentences. Pure.
//!
//! A refutation rests on facts: who requires what. Those that it does not need are dropped, equal ones of several
//! versions are put together, and the rest is told from the top down, so that it reads as chains. Then comes what the
//! packages at their ends offer instead.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::known::{Known, Offer};
use super::proof::{Edge, From, Proof};
use super::question::Question;
use super::wording::{self, Fact};
use super::{Index, Problem, hints, solve};
use crate::package::{PackageName, Requirement};

/// No choice of versions satisfies all requirements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What stands against each other, in the order to be read in.
    pub facts: Vec<Fact>,
    /// What might be typed instead, the smallest change first.
    pub hints: Vec<String>,
}

/// How many versions that would fit are named one by one.
const NAMED: usize = 3;

/// The longest refutation that is searched for facts that it does not need.
const LONGEST: usize = 64;

/// Why a problem has no solution.
pub(super) fn conflict<I: Index>(
    problem: &Problem<'_>,
    known: &Known<'_, I>,
    proof: Proof,
) -> Result<Conflict, I::Error> {
    let proof = shortened(problem, known, proof)?;
    let mut facts = requires(problem, known, &proof)?;
    for name in named(&facts) {
        facts.extend(instead(known, &proof, &name)?);
    }
    known.index.only_hints_follow();
    Ok(Conflict { hints: hints::hints(problem, known, &proof), facts })
}

/// The same refutation without the facts that it does not need.
fn shortened<I: Index>(problem: &Problem<'_>, known: &Known<'_, I>, mut proof: Proof) -> Result<Proof, I::Error> {
    let mut at = 0;
    while at < proof.edges.len() && proof.edges.len() <= LONGEST {
        let mut fewer = proof.clone();
        fewer.edges.remove(at);
        match refuted(problem, known, &fewer)? {
            Some(shorter) => proof = shorter,
            None => at += 1,
        }
    }
    Ok(proof)
}

/// A refutation from these facts alone, if they still leave no choice.
fn refuted<I: Index>(problem: &Problem<'_>, known: &Known<'_, I>, facts: &Proof) -> Result<Option<Proof>, I::Error> {
    let plain = Question::plain(problem);
    let counts = |asked: &&Requirement| facts.holds_asked(&asked.by, &asked.name);
    let requirements = problem.requirements.iter().filter(counts).cloned().collect();
    let question = Question { requirements: Cow::Owned(requirements), only: Some(facts), ..plain };
    let answer = solve::search(&question, known)?;
    // A refutation that is no shorter would be looked at for ever.
    Ok(answer.err().filter(|proof| proof.edges.len() <= facts.edges.len()))
}

/// Who requires what, from the top down: below each requirement, what its package requires in turn.
fn requires<I: Index>(problem: &Problem<'_>, known: &Known<'_, I>, proof: &Proof) -> Result<Vec<Fact>, I::Error> {
    let merged = merged(proof);
    let (mut facts, mut told) = (Vec::new(), BTreeSet::new());
    let asked = merged.iter().filter(|edge| matches!(edge.from, From::Asker(_)));
    let mut open: Vec<&Edge> = asked.collect();
    open.reverse();
    while let Some(edge) = open.pop() {
        for fact in sentences(problem, known, edge)? {
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
        if told.insert(edge.to.clone()) {
            let below = |one: &&Edge| matches!(&one.from, From::Package(name, _) if *name == edge.to);
            open.extend(merged.iter().filter(below).rev());
        }
    }
    Ok(facts)
}

/// Facts of several versions of a package that ask for the same, as one.
fn merged(proof: &Proof) -> Vec<Edge> {
    let mut merged: Vec<Edge> = Vec::new();
    for edge in &proof.edges {
        let same = merged
            .iter_mut()
            .find(|one| one.to == edge.to && one.allowed == edge.allowed && one.from.is_like(&edge.from));
        match (same.map(|one| &mut one.from), &edge.from) {
            (Some(From::Package(_, versions)), From::Package(_, more)) => {
                versions.extend(more);
                versions.sort_unstable();
                versions.dedup();
            }
            (Some(From::Asker(_)), _) => {}
            _ => merged.push(edge.clone()),
        }
    }
    merged.sort_by(|a, b| (&a.from, &a.to).cmp(&(&b.from, &b.to)));
    merged
}

/// A fact of a refutation, once for each way in which its requirement was written.
fn sentences<I: Index>(problem: &Problem<'_>, known: &Known<'_, I>, edge: &Edge) -> Result<Vec<Fact>, I::Error> {
    let name = edge.to.clone();
    match &edge.from {
        From::Asker(by) => {
            let asked = problem.requirements.iter().filter(|asked| asked.by == *by && asked.name == name);
            let fact = |one: &Requirement| Fact::Requires {
                by: by.to_string(),
                many: false,
                name: name.clone(),
                versions: one.versions.to_string(),
            };
            Ok(asked.map(fact).collect())
        }
        From::Package(from, numbers) => {
            let offer = known.offer(from)?;
            let mut written: Vec<(String, Vec<u32>)> = Vec::new();
            for number in numbers {
                let needs = known.needs(&offer.id(*number))?;
                let texts: Vec<_> =
                    needs.iter().filter(|need| need.name == name).map(|need| need.versions.to_string()).collect();
                match written.iter_mut().find(|(text, _)| *text == texts.join(", ")) {
                    Some((_, numbers)) => numbers.push(*number),
                    None => written.push((texts.join(", "), vec![*number])),
                }
            }
            let fact = |(versions, numbers): (String, Vec<u32>)| {
                let (by, many) = wording::versions(&offer, &numbers);
                Fact::Requires { by, many, name: name.clone(), versions }
            };
            Ok(written.into_iter().map(fact).collect())
        }
    }
}

/// The packages that are required, in the order of the sentences.
fn named(facts: &[Fact]) -> Vec<PackageName> {
    let mut names: Vec<PackageName> = Vec::new();
    for fact in facts {
        if let Fact::Requires { name, .. } = fact
            && !names.contains(name)
        {
            names.push(name.clone());
        }
    }
    names
}

/// What a package offers instead of what is wanted of it.
fn instead<I: Index>(known: &Known<'_, I>, proof: &Proof, name: &PackageName) -> Result<Vec<Fact>, I::Error> {
    let offer = known.offer(name)?;
    if !offer.exists {
        let (owner, similar) = (known.index.owner(name), known.index.similar(name));
        return Ok(vec![Fact::Unknown { name: name.clone(), owner, similar }]);
    }
    Ok(match unmet(&offer, proof) {
        Some(wanted) => hidden_or_offered(&offer, &wanted),
        None => Vec::new(),
    })
}

/// What is wanted of a package and cannot be had: by one alone where that is so, else by all together. Nothing where it is
/// not this package that is the end of a chain.
pub(super) fn unmet(offer: &Offer, proof: &Proof) -> Option<Wanted> {
    let visible: BTreeSet<u32> =
        offer.numbered().filter(|(_, one)| one.hidden.is_none()).map(|(number, _)| number).collect();
    let sets: Vec<_> = proof.edges.iter().filter(|edge| edge.to == offer.name).map(|edge| &edge.allowed).collect();
    if let Some(alone) = sets.iter().find(|set| set.is_disjoint(&visible)) {
        return Some(Wanted { set: (*alone).clone(), alone: true });
    }
    let every = offer.numbered().map(|(number, _)| number).collect::<BTreeSet<_>>();
    let all = sets.iter().fold(every, |all, set| &all & *set);
    all.is_disjoint(&visible).then_some(Wanted { set: all, alone: false })
}

/// What is wanted of a package and cannot be had.
pub(super) struct Wanted {
    /// The candidates that would do: none, or hidden ones.
    pub set: BTreeSet<u32>,
    /// Whether one who asks wants it by itself.
    pub alone: bool,
}

impl Wanted {
    /// The candidates that would do if they were not hidden, the highest first.
    pub fn hidden<'o>(&self, offer: &'o Offer) -> impl Iterator<Item = &'o super::Candidate> {
        let set = self.set.clone();
        offer
            .numbered()
            .rev()
            .filter(move |(number, one)| set.contains(number) && one.hidden.is_some())
            .map(|(_, one)| one)
    }
}

fn hidden_or_offered(offer: &Offer, wanted: &Wanted) -> Vec<Fact> {
    let name = &offer.name;
    let hidden = |one: &super::Candidate| {
        let (version, why) = (one.version.clone(), one.hidden.clone()?);
        Some(Fact::Hidden { name: name.clone(), version, why })
    };
    let mut facts: Vec<_> = wanted.hidden(offer).filter_map(hidden).collect();
    if facts.len() > NAMED {
        let count = facts.len() - NAMED;
        facts.truncate(NAMED);
        facts.push(Fact::HiddenToo { name: name.clone(), count });
    }
    // Where several ask, and each could be satisfied alone, who asks for what says it all.
    if wanted.alone {
        facts.extend(offered(offer, facts.is_empty()));
    }
    facts
}

/// Which versions there are.
fn offered(offer: &Offer, even_if_none: bool) -> Option<Fact> {
    let name = offer.name.clone();
    let visible = || offer.candidates.iter().filter(|one| one.hidden.is_none()).map(|one| &one.version);
    let mut releases = visible().filter(|version| version.pre.is_empty());
    match (releases.next(), visible().next_back()) {
        (Some(low), _) => {
            let high = releases.next_back().unwrap_or(low);
            Some(Fact::None { name, offered: Some((low.clone(), high.clone())) })
        }
        (None, Some(highest)) => Some(Fact::PrereleasesOnly { name, highest: highest.clone() }),
        (None, None) => even_if_none.then_some(Fact::None { name, offered: None }),
    }
}
