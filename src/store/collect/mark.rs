//! What keeps each thing in a store. Pure.

use super::Root;
use super::graph::{Graph, Kind};

/// What keeps something; of several, the strongest counts, which is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grip {
    /// It was made or used a short time ago.
    Recent,
    /// A lockfile names it.
    Lockfile,
    /// A process that runs may rely on it.
    Busy,
    /// A generation of a site shows it.
    Generation,
}

impl Grip {
    /// The word for it in documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Recent => "recent",
            Self::Lockfile => "lockfile",
            Self::Busy => "busy",
            Self::Generation => "generation",
        }
    }
}

/// What keeps each thing.
#[derive(Debug)]
pub struct Marks {
    grips: Vec<Option<Grip>>,
}

/// A thing that is kept for its own sake, how, and when it was used last.
type Entry = (u32, Grip, i128);

impl Marks {
    /// Mark what roots need, what was used since a time, and what runs may rely on.
    pub fn new(graph: &Graph, roots: &[Root], busy: i128, kept_since: i128) -> Self {
        Self::of(graph, &entries(graph, roots, busy, kept_since))
    }

    fn of(graph: &Graph, entries: &[Entry]) -> Self {
        let mut marks = Self { grips: vec![None; graph.len()] };
        for (at, grip, _) in entries {
            marks.mark(graph, *at, *grip);
        }
        marks.mark_origins(graph);
        marks
    }

    /// What keeps a thing.
    pub fn grip(&self, at: u32) -> Option<Grip> {
        self.grips[at as usize]
    }

    fn mark(&mut self, graph: &Graph, from: u32, grip: Grip) {
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            let known = &mut self.grips[at as usize];
            // What leads on from there was marked as strongly.
            if known.is_some_and(|known| known >= grip) {
                continue;
            }
            *known = Some(grip);
            open.extend(&graph.get(at).below);
        }
    }

    /// Records of where a tree came from stay as long as it does.
    fn mark_origins(&mut self, graph: &Graph) {
        for (at, thing) in graph.things() {
            if !matches!(thing.kind, Kind::Result | Kind::Source) {
                continue;
            }
            let tree = thing.below.iter().find(|below| graph.get(**below).kind == Kind::Tree);
            if let Some(grip) = tree.and_then(|tree| self.grip(*tree)) {
                self.mark(graph, at, grip);
            }
        }
    }

    /// The same in a store that takes no more than so many bytes: what was used longest ago goes first, of what neither a
    /// generation shows nor a running process may rely on.
    pub fn within(self, graph: &Graph, roots: &[Root], busy: i128, kept_since: i128, largest: u64) -> Self {
        if self.bytes(graph) <= largest {
            return self;
        }
        let is_firm = |entry: &Entry| matches!(entry.1, Grip::Generation | Grip::Busy);
        let (firm, mut loose): (Vec<_>, Vec<_>) =
            entries(graph, roots, busy, kept_since).into_iter().partition(is_firm);
        loose.sort_unstable_by_key(|(at, grip, used)| (std::cmp::Reverse(*used), *at, *grip));
        // The more of them are kept, the larger the store: the most that fit are found by halving.
        let with = |count: usize| Self::of(graph, &[&firm, &loose[..count]].concat());
        let (mut fits, mut too_many) = (0, loose.len());
        while fits + 1 < too_many {
            let half = fits.midpoint(too_many);
            if with(half).bytes(graph) <= largest { fits = half } else { too_many = half }
        }
        with(fits)
    }

    fn bytes(&self, graph: &Graph) -> u64 {
        graph.things().filter(|(at, _)| self.grip(*at).is_some()).map(|(_, thing)| thing.bytes).sum()
    }
}

/// What is kept for its own sake. The strongest come first, so that marking passes over what is marked already.
fn entries(graph: &Graph, roots: &[Root], busy: i128, kept_since: i128) -> Vec<Entry> {
    let mut entries = Vec::new();
    for root in roots {
        let entry = |(number, at): (usize, u32)| (at, root.needs[number].grip, graph.get(at).used);
        entries.extend(graph.needed(root).map(entry));
    }
    for (at, thing) in graph.things() {
        if thing.used.max(thing.changed) >= busy {
            entries.push((at, Grip::Busy, thing.used));
        } else if thing.used >= kept_since {
            entries.push((at, Grip::Recent, thing.used));
        }
    }
    entries.sort_unstable_by_key(|(at, grip, _)| (std::cmp::Reverse(*grip), *at));
    entries.dedup();
    entries
}
