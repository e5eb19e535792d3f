//! What is to blame where a clause cannot hold: a new clause, and in the end the facts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use super::{ClauseId, DECAY, Engine, Fact, Origin, Set, Term, World};

/// Where a clause that was learnt comes from.
pub(super) struct Learnt {
    clauses: Vec<ClauseId>,
    /// Terms left out of it, since they can never hold.
    never: Vec<Term>,
}

impl<W: World> Engine<W> {
    /// The change that made a term impossible; nothing if it always was.
    pub(super) fn false_since(&self, package: u32, set: &Set) -> Option<u32> {
        let changes = self.package(package).changes.iter().rev();
        changes.copied().find(|change| !self.trail[*change as usize].before.misses(set))
    }

    /// Learn from a clause that cannot hold, go back, and follow what was learnt. Gives the clause if that was all.
    pub(super) fn learn(&mut self, conflict: ClauseId) -> Option<ClauseId> {
        let mut blame = Blame::default();
        blame.take(self, conflict, None);
        while let Some((package, since)) = blame.latest() {
            let level = self.trail[since as usize].level;
            let alone = blame.terms.values().filter(|(_, when)| self.trail[*when as usize].level == level).count() == 1;
            let Some(reason) = self.trail[since as usize].reason.filter(|_| !alone && level > 0) else { break };
            blame.take(self, reason, Some(package));
        }
        for package in &blame.met {
            self.packages[*package as usize].as_mut().expect("it was met").weight += self.step;
        }
        self.forget();
        let (terms, level, never) = blame.sorted(self);
        let level = self.kept(&terms, level);
        let learnt = match blame.clauses.as_slice() {
            // All of its terms are watched, so it need not be said again.
            [only] if self.clauses[*only as usize].terms.len() <= 2 => *only,
            _ => self.add(terms, Origin::Learnt(Learnt { clauses: blame.clauses, never })),
        };
        self.back_to(level);
        (!self.obey(learnt)).then_some(learnt)
    }

    /// Where to go back to. What only forbids need not be undone as far as it could have been known: should that be
    /// forgotten, nothing goes wrong before the package is narrowed again, and then the clause is looked at.
    fn kept(&self, terms: &[Term], level: u32) -> u32 {
        match terms {
            [(package, set), ..] if set.has(self.package(*package).count) => {
                let since = self.false_since(*package, set);
                since.map_or(level, |since| self.trail[since as usize].level - 1)
            }
            _ => level,
        }
    }

    /// Later conflicts count more.
    fn forget(&mut self) {
        self.step /= DECAY;
        if self.step > 1e100 {
            self.packages.iter_mut().flatten().for_each(|one| one.weight *= 1e-100);
            self.step *= 1e-100;
        }
    }

    /// The facts because of which a clause can never hold.
    pub(super) fn facts_against(&self, clause: ClauseId) -> Vec<Fact> {
        let mut facts: Vec<Fact> = Vec::new();
        let (mut seen, mut done) = (HashSet::new(), HashSet::new());
        let mut clauses = vec![clause];
        let mut terms = self.clauses[clause as usize].terms.clone();
        loop {
            if let Some(clause) = clauses.pop() {
                if !done.insert(clause) {
                    continue;
                }
                match &self.clauses[clause as usize].origin {
                    Origin::Fact(fact) => facts.push(fact.clone()),
                    Origin::Learnt(learnt) => {
                        clauses.extend(&learnt.clauses);
                        terms.extend(learnt.never.iter().cloned());
                    }
                }
            } else if let Some((package, set)) = terms.pop() {
                let Some(since) = self.false_since(package, &set) else { continue };
                let Some(reason) = self.trail[since as usize].reason else { continue };
                if !seen.insert((package, set.clone())) {
                    continue;
                }
                clauses.push(reason);
                for (other, of) in &self.clauses[reason as usize].terms {
                    let term = if *other == package { (package, of.and(&set)) } else { (*other, of.clone()) };
                    terms.push(term);
                }
            } else {
                return facts;
            }
        }
    }
}

/// Terms that cannot all be impossible, while all are.
#[derive(Default)]
struct Blame {
    /// With the change that made it impossible.
    terms: BTreeMap<u32, (Set, u32)>,
    clauses: Vec<ClauseId>,
    met: Vec<u32>,
}

impl Blame {
    /// The term that became impossible last.
    fn latest(&self) -> Option<(u32, u32)> {
        self.terms.iter().map(|(package, (_, since))| (*package, *since)).max_by_key(|(_, since)| *since)
    }

    /// Combine with a clause; of two terms about `about`, what they have in common is left.
    fn take<W: World>(&mut self, engine: &Engine<W>, clause: ClauseId, about: Option<u32>) {
        self.clauses.push(clause);
        for (package, set) in &engine.clauses[clause as usize].terms {
            let mut set = set.clone();
            if let Some((before, _)) = self.terms.get(package) {
                if about == Some(*package) {
                    set = set.and(before);
                } else {
                    set.join(before);
                }
            } else {
                self.met.push(*package);
            }
            match engine.false_since(*package, &set) {
                Some(since) => self.terms.insert(*package, (set, since)),
                None => self.terms.remove(package),
            };
        }
    }

    /// The terms of a new clause, that to be followed first; the level where it is to be; and what can never hold.
    fn sorted<W: World>(&self, engine: &Engine<W>) -> (Vec<Term>, u32, Vec<Term>) {
        let level = |since: u32| engine.trail[since as usize].level;
        let mut all: Vec<_> =
            self.terms.iter().map(|(package, (set, since))| (*since, *package, set.clone())).collect();
        all.sort_by_key(|(since, ..)| Reverse(*since));
        let never = all.iter().filter(|(since, ..)| level(*since) == 0);
        let never = never.map(|(_, package, set)| (*package, set.clone())).collect();
        all.retain(|(since, ..)| level(*since) > 0);
        let back = all.get(1).map_or(0, |(since, ..)| level(*since));
        (all.into_iter().map(|(_, package, set)| (package, set)).collect(), back, never)
    }
}
