//! What candidates need, as clauses that are told only when a candidate is the last one left.

use super::{ClauseId, Engine, Fact, Origin, Set, Term, World};

impl<W: World> Engine<W> {
    /// Learn what a candidate needs, and follow it.
    pub(super) fn require(&mut self, package: u32, candidate: u32) -> Result<Option<ClauseId>, W::Error> {
        let needs = self.world.needs(package, candidate)?;
        self.package_mut(package).known.insert(candidate);
        let mut clauses = Vec::with_capacity(needs.len());
        for (to, allowed) in needs {
            self.meet(to)?;
            clauses.extend(self.add_need(package, candidate, to, allowed));
        }
        // Together with what other candidates need, it may have mattered before now.
        let levels = clauses.iter().filter_map(|clause| {
            let of = |(one, set): &Term| (*one == package).then(|| self.false_since(*one, set)).flatten();
            let since = self.clauses[*clause as usize].terms.iter().find_map(of)?;
            Some(self.trail[since as usize].level)
        });
        let level = levels.min().unwrap_or(self.level);
        self.back_to(level);
        Ok(clauses.into_iter().find(|clause| !self.obey(*clause)))
    }

    /// A candidate's need as a clause; those of several that need the same become one.
    fn add_need(&mut self, package: u32, candidate: u32, to: u32, allowed: Set) -> Option<ClauseId> {
        let count = self.package(package).count;
        if to == package {
            if allowed.has(candidate) {
                return None;
            }
            let one = Set::of(count, [candidate]);
            let fact = Fact { from: Some((package, one.clone())), to, allowed };
            return Some(self.add(vec![(package, one.complement(count))], Origin::Fact(fact)));
        }
        let like = |clause: &&ClauseId| matches!(&self.clauses[**clause as usize].origin, Origin::Fact(fact) if fact.to == to && fact.allowed == allowed);
        let before = self.package(package).needs.iter().position(|clause| like(&clause));
        let mut from = Set::of(count, [candidate]);
        if let Some(at) = before {
            let clause = self.package_mut(package).needs.swap_remove(at);
            let old = &mut self.clauses[clause as usize];
            old.replaced = true;
            if let Origin::Fact(Fact { from: Some((_, others)), .. }) = &old.origin {
                from.join(others);
            }
        }
        let terms = vec![(package, from.complement(count)), (to, allowed.clone())];
        let clause = self.add(terms, Origin::Fact(Fact { from: Some((package, from)), to, allowed }));
        self.package_mut(package).needs.push(clause);
        Some(clause)
    }
}
