//! From names to the numbers that the engine searches over, and back.
//!
//! Names get their numbers in the order in which they are met, and of those that are met together the lesser name comes
//! first. So the order of requirements and of candidates is nothing to the search.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::engine::{self, Fact, Set, World};
use super::known::{Known, Offer};
use super::proof::{Edge, From, Proof};
use super::question::Question;
use super::{Index, Strategy};
use crate::package::{PackageName, Range, Requirement, Version};

/// What a search came to.
pub(super) type Answer = Result<BTreeMap<PackageName, Version>, Proof>;

/// Choose a version for everything that is required, directly or in turn, or find the facts that leave no choice.
pub(super) fn search<I: Index>(question: &Question<'_>, known: &Known<'_, I>) -> Result<Answer, I::Error> {
    let mut names = Names { question, known, numbers: HashMap::new(), offers: Vec::new(), fitting: Vec::new() };
    let mut requirements: Vec<_> = question.requirements.iter().collect();
    requirements.sort_by(|a, b| (&a.name, &a.by).cmp(&(&b.name, &b.by)));
    let mut asked = Vec::with_capacity(requirements.len());
    for one in &requirements {
        asked.push(names.numbered(one)?);
    }
    match engine::solve(&mut names, &asked)? {
        Ok(chosen) => Ok(Ok(chosen.into_iter().map(|(package, candidate)| names.chosen(package, candidate)).collect())),
        Err(facts) => {
            let mut edges: Vec<_> = facts.iter().flat_map(|fact| names.edges(fact, &requirements)).collect();
            edges.sort_by(|a, b| (&a.from, &a.to).cmp(&(&b.from, &b.to)));
            edges.dedup();
            Ok(Err(Proof { edges }))
        }
    }
}

struct Names<'a, 'i, I> {
    question: &'a Question<'a>,
    known: &'a Known<'i, I>,
    numbers: HashMap<PackageName, u32>,
    offers: Vec<Rc<Offer>>,
    /// What ranges mean for each package: most are written again and again.
    fitting: Vec<Vec<(Range, Set)>>,
}

impl<I: Index> Names<'_, '_, I> {
    fn number(&mut self, name: &PackageName) -> Result<u32, I::Error> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        let number = self.offers.len() as u32;
        self.offers.push(self.known.offer(name)?);
        self.fitting.push(Vec::new());
        self.numbers.insert(name.clone(), number);
        Ok(number)
    }

    fn offered(&self, package: u32) -> &Offer {
        &self.offers[package as usize]
    }

    fn numbered(&mut self, one: &Requirement) -> Result<(u32, Set), I::Error> {
        let package = self.number(&one.name)?;
        let before = self.fitting[package as usize].iter().find(|(range, _)| *range == one.versions);
        if let Some((_, fitting)) = before {
            return Ok((package, fitting.clone()));
        }
        let fitting = self.offered(package).fitting(&one.versions);
        self.fitting[package as usize].push((one.versions.clone(), fitting.clone()));
        Ok((package, fitting))
    }

    fn chosen(&self, package: u32, candidate: u32) -> (PackageName, Version) {
        let id = self.offered(package).id(candidate);
        (id.name, id.version)
    }

    /// A fact as who asks tells it: of what was asked at the top, the first who asked just that.
    fn edges(&self, fact: &Fact, asked: &[&Requirement]) -> Vec<Edge> {
        let target = self.offered(fact.to);
        let allowed: BTreeSet<u32> = fact.allowed.numbers().collect();
        let edge = |from| Edge { from, to: target.name.clone(), allowed: allowed.clone() };
        if let Some((package, candidates)) = &fact.from {
            let candidates = candidates.numbers().collect();
            return vec![edge(From::Package(self.offered(*package).name.clone(), candidates))];
        }
        let same = |one: &&&Requirement| one.name == target.name && target.fitting(&one.versions) == fact.allowed;
        asked.iter().find(same).map(|one| edge(From::Asker(one.by.clone()))).into_iter().collect()
    }
}

impl<I: Index> World for &mut Names<'_, '_, I> {
    type Error = I::Error;

    fn offer(&mut self, package: u32) -> Result<engine::Offer, I::Error> {
        let offer = self.offered(package);
        let open = offer.numbered().filter(|(_, one)| self.question.offers(&offer.name, one));
        let wanted = self.question.preferred.get(&offer.name);
        let preferred = offer.numbered().find(|(_, one)| Some(&one.version) == wanted);
        let lowest = match self.question.strategy {
            Strategy::Highest => false,
            Strategy::Lowest => true,
            Strategy::LowestDirect => self.question.requirements.iter().any(|asked| asked.name == offer.name),
        };
        Ok(engine::Offer {
            count: offer.count(),
            open: Set::of(offer.count(), open.map(|(number, _)| number)),
            preferred: preferred.map(|(number, _)| number),
            lowest,
        })
    }

    fn needs(&mut self, package: u32, candidate: u32) -> Result<Vec<(u32, Set)>, I::Error> {
        let offer = self.offers[package as usize].clone();
        // Whoever has no part in the facts that count need not be asked.
        if self.question.only.is_some_and(|only| !only.is_from(&offer.name, candidate)) {
            return Ok(Vec::new());
        }
        let needs = self.known.needs(&offer.id(candidate))?;
        let mut needs = self.question.counting(&offer.name, candidate, &needs);
        needs.sort_by(|a, b| a.name.cmp(&b.name));
        let mut sets: Vec<(u32, Set)> = Vec::with_capacity(needs.len());
        for need in &needs {
            let (to, allowed) = self.numbered(need)?;
            // Whoever asks twice means both.
            match sets.last_mut().filter(|(last, _)| *last == to) {
                Some((_, both)) => *both = both.and(&allowed),
                None => sets.push((to, allowed)),
            }
        }
        Ok(sets)
    }
}
