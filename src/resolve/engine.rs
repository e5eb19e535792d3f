//! The search: a solver of our own, since solving is what envy is for. Pure; it knows numbers only.
//!
//! Every package has a *domain*: the candidates that it may still be, and whether it may still be absent. A *clause*
//! says that at least one of its terms "this package is one of these" holds: `a` is none of its versions 3 to 5, or `b`
//! is one of 1 and 2. Where all terms but one have become impossible, the last one narrows a domain. Where all have, the
//! clauses to blame are combined into a new one that forbids the cause, and the search goes back to where that would
//! have mattered first. So it is conflict-driven clause learning (Marques-Silva and Sakallah, "GRASP", 1996; Eén and
//! Sörensson, "An Extensible SAT-solver", 2003, for watched terms) over the terms of PubGrub (Weizenbaum, 2018).
//!
//! Three things follow from how it decides only for packages that somebody needs. Nothing unneeded is chosen. No package
//! could be higher with all others as they are, since what was out of a domain was out for a reason that still stands.
//! And an answer that is given back as what is preferred comes out again.

mod blame;
mod needs;
mod set;

use blame::Learnt;
pub(super) use set::Set;

/// What is solved.
pub(super) trait World {
    /// Why it cannot tell.
    type Error;

    /// What a package offers. Numbers of packages are the world's; the sooner known, the lower.
    fn offer(&mut self, package: u32) -> Result<Offer, Self::Error>;

    /// What a candidate requires: packages, each once, with those of their candidates that would do.
    fn needs(&mut self, package: u32, candidate: u32) -> Result<Vec<(u32, Set)>, Self::Error>;
}

/// What a package offers.
pub(super) struct Offer {
    /// How many candidates there are.
    pub count: u32,
    /// Those that can be chosen.
    pub open: Set,
    /// Which to take first.
    pub preferred: Option<u32>,
    /// Which to take else.
    pub lowest: bool,
}

/// One fact of a world: what is required of a package, and who requires it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    /// A package with those of its candidates that require it; nobody where it was asked.
    pub from: Option<(u32, Set)>,
    pub to: u32,
    pub allowed: Set,
}

/// The chosen candidates, or facts that leave no choice.
pub(super) type Answer = Result<Vec<(u32, u32)>, Vec<Fact>>;

/// Find one candidate for each package that is asked for or needed in turn.
pub(super) fn solve<W: World>(world: W, asked: &[(u32, Set)]) -> Result<Answer, W::Error> {
    let mut engine = Engine::new(world);
    for (package, allowed) in asked {
        engine.meet(*package)?;
        let fact = Fact { from: None, to: *package, allowed: allowed.clone() };
        let clause = engine.add(vec![(*package, allowed.clone())], Origin::Fact(fact));
        if !engine.obey(clause) {
            return Ok(Err(engine.facts_against(clause)));
        }
    }
    engine.run()
}

type Term = (u32, Set);
type ClauseId = u32;

enum Origin {
    Fact(Fact),
    Learnt(Learnt),
}

struct Clause {
    /// The first two are watched: unless one of them holds, neither is impossible unnoticed.
    terms: Vec<Term>,
    origin: Origin,
    /// A stronger one took its place.
    replaced: bool,
}

/// A domain got smaller.
struct Change {
    package: u32,
    before: Set,
    /// What forced it; nothing if it was decided.
    reason: Option<ClauseId>,
    level: u32,
}

struct Package {
    count: u32,
    domain: Set,
    preferred: Option<u32>,
    lowest: bool,
    /// Numbers of changes, the last one last.
    changes: Vec<u32>,
    watched: Vec<ClauseId>,
    /// Candidates whose needs are known.
    known: Set,
    /// Clauses of what its candidates need.
    needs: Vec<ClauseId>,
    /// How much it had to do with conflicts of late.
    weight: f64,
}

impl Package {
    fn required(&self) -> bool {
        !self.domain.has(self.count)
    }

    /// The one candidate that is left.
    fn only(&self) -> Option<u32> {
        (self.required() && self.domain.count() == 1).then(|| self.domain.lowest()).flatten()
    }

    fn best(&self) -> Option<u32> {
        let preferred = self.preferred.filter(|one| self.domain.has(*one));
        preferred.or_else(|| if self.lowest { self.domain.lowest() } else { self.domain.highest() })
    }
}

struct Engine<W> {
    world: W,
    packages: Vec<Option<Package>>,
    clauses: Vec<Clause>,
    trail: Vec<Change>,
    /// So many changes were followed.
    followed: usize,
    /// Packages that came down to one candidate.
    settled: Vec<u32>,
    level: u32,
    step: f64,
}

/// How fast conflicts are forgotten.
const DECAY: f64 = 0.95;

impl<W: World> Engine<W> {
    fn new(world: W) -> Self {
        let (packages, clauses, trail, settled) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { world, packages, clauses, trail, followed: 0, settled, level: 0, step: 1.0 }
    }

    fn run(mut self) -> Result<Answer, W::Error> {
        loop {
            if let Some(clause) = self.propagate()? {
                if self.level == 0 {
                    return Ok(Err(self.facts_against(clause)));
                }
                if let Some(against) = self.learn(clause) {
                    return Ok(Err(self.facts_against(against)));
                }
            } else if let Some((package, candidate)) = self.next() {
                self.level += 1;
                let one = Set::of(self.package(package).count, [candidate]);
                self.narrow(package, &one, None);
            } else {
                return Ok(Ok(self.chosen()));
            }
        }
    }

    fn package(&self, package: u32) -> &Package {
        self.packages[package as usize].as_ref().expect("it was met before anything is said of it")
    }

    fn package_mut(&mut self, package: u32) -> &mut Package {
        self.packages[package as usize].as_mut().expect("it was met before anything is said of it")
    }

    /// Ask what a package offers, once.
    fn meet(&mut self, package: u32) -> Result<(), W::Error> {
        let at = package as usize;
        if self.packages.len() <= at {
            self.packages.resize_with(at + 1, || None);
        }
        if self.packages[at].is_none() {
            let Offer { count, open: mut domain, preferred, lowest } = self.world.offer(package)?;
            domain.insert(count);
            let known = Set::none(count);
            let (changes, watched, needs) = (Vec::new(), Vec::new(), Vec::new());
            let met = Package { count, domain, preferred, lowest, changes, watched, known, needs, weight: 0.0 };
            self.packages[at] = Some(met);
        }
        Ok(())
    }

    fn add(&mut self, terms: Vec<Term>, origin: Origin) -> ClauseId {
        let clause = self.clauses.len() as ClauseId;
        terms.iter().take(2).for_each(|(package, _)| self.package_mut(*package).watched.push(clause));
        self.clauses.push(Clause { terms, origin, replaced: false });
        clause
    }

    /// Let a domain be within a set.
    fn narrow(&mut self, package: u32, to: &Set, reason: Option<ClauseId>) {
        let (number, level) = (self.trail.len() as u32, self.level);
        let one = self.package_mut(package);
        if one.domain.is_within(to) {
            return;
        }
        let narrower = one.domain.and(to);
        let before = std::mem::replace(&mut one.domain, narrower);
        one.changes.push(number);
        if one.only().is_some() {
            self.settled.push(package);
        }
        self.trail.push(Change { package, before, reason, level });
    }

    fn is_impossible(&self, (package, set): &Term) -> bool {
        self.package(*package).domain.misses(set)
    }

    /// Narrow by a clause if but one term is possible; tell whether one is.
    fn obey(&mut self, clause: ClauseId) -> bool {
        let terms = &self.clauses[clause as usize].terms;
        let mut possible = terms.iter().filter(|term| !self.is_impossible(term));
        match (possible.next(), possible.next()) {
            (None, _) => false,
            (Some(_), Some(_)) => true,
            (Some((package, set)), None) => {
                let (package, set) = (*package, set.clone());
                self.narrow(package, &set, Some(clause));
                true
            }
        }
    }

    /// Follow what is forced, to the end; or give a clause that cannot hold.
    fn propagate(&mut self) -> Result<Option<ClauseId>, W::Error> {
        loop {
            while let Some(change) = self.trail.get(self.followed) {
                let package = change.package;
                self.followed += 1;
                if let Some(clause) = self.follow(package) {
                    return Ok(Some(clause));
                }
            }
            let Some(package) = self.settled.pop() else { return Ok(None) };
            let one = self.package(package);
            if let Some(candidate) = one.only().filter(|only| !one.known.has(*only))
                && let Some(clause) = self.require(package, candidate)?
            {
                return Ok(Some(clause));
            }
        }
    }

    /// See what a change of a package means for the clauses that watch it.
    fn follow(&mut self, package: u32) -> Option<ClauseId> {
        let mut watched = std::mem::take(&mut self.package_mut(package).watched);
        let (mut kept, mut at, mut conflict) = (0, 0, None);
        while at < watched.len() {
            let clause = watched[at];
            at += 1;
            let stays = match self.visit(clause, package) {
                Visit::Moved => false,
                Visit::Stays => true,
                Visit::Fails => {
                    conflict = Some(clause);
                    true
                }
            };
            if stays {
                watched[kept] = clause;
                kept += 1;
            }
            if conflict.is_some() {
                break;
            }
        }
        watched.copy_within(at.., kept);
        let rest = watched.len() - at;
        watched.truncate(kept + rest);
        // Nothing begins to watch it meanwhile: its own terms are impossible where watches move.
        self.package_mut(package).watched = watched;
        conflict
    }

    fn visit(&mut self, clause: ClauseId, package: u32) -> Visit {
        let Clause { terms, replaced, .. } = &self.clauses[clause as usize];
        if *replaced {
            return Visit::Moved;
        }
        let mine = usize::from(terms[0].0 != package);
        if !self.is_impossible(&terms[mine]) {
            return Visit::Stays;
        }
        if terms.len() == 1 {
            return Visit::Fails;
        }
        let (other, set) = &terms[1 - mine];
        if self.package(*other).domain.is_within(set) {
            return Visit::Stays;
        }
        if let Some(next) = (2..terms.len()).find(|next| !self.is_impossible(&terms[*next])) {
            let to = terms[next].0;
            self.clauses[clause as usize].terms.swap(mine, next);
            self.package_mut(to).watched.push(clause);
            return Visit::Moved;
        }
        if self.is_impossible(&terms[1 - mine]) {
            return Visit::Fails;
        }
        let (other, set) = (*other, set.clone());
        self.narrow(other, &set, Some(clause));
        Visit::Stays
    }

    /// Undo everything above a level.
    fn back_to(&mut self, level: u32) {
        while self.trail.last().is_some_and(|change| change.level > level) {
            let Some(Change { package, before, .. }) = self.trail.pop() else { break };
            let one = self.package_mut(package);
            one.domain = before;
            one.changes.pop();
        }
        self.followed = self.followed.min(self.trail.len());
        self.level = self.level.min(level);
    }

    /// Who had most to do with conflicts comes next, then who has the fewest candidates left.
    fn next(&self) -> Option<(u32, u32)> {
        let mut best: Option<(f64, u32, u32)> = None;
        for (number, package) in self.packages.iter().enumerate() {
            let Some(package) = package.as_ref().filter(|one| one.required()) else { continue };
            let count = package.domain.count();
            let better = |(weight, least, _)| package.weight > weight || package.weight == weight && count < least;
            if count > 1 && best.is_none_or(better) {
                best = Some((package.weight, count, number as u32));
            }
        }
        let (_, _, number) = best?;
        Some((number, self.package(number).best()?))
    }

    fn chosen(&self) -> Vec<(u32, u32)> {
        let met = self.packages.iter().enumerate();
        met.filter_map(|(number, package)| Some((number as u32, package.as_ref()?.only()?))).collect()
    }
}

enum Visit {
    /// It watches this package no longer.
    Moved,
    Stays,
    /// It cannot hold.
    Fails,
}
