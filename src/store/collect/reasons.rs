//! Why something is kept: the ways that lead to it.

use std::collections::HashMap;
use std::path::PathBuf;

use prost::Message as _;

use super::Root;
use super::graph::{Graph, Kind, Thing};
use super::mark::{Grip, Marks};
use super::removal::path;
use crate::disk;
use crate::store::Store;
use crate::tree::message::Directory;

/// Why one thing is kept.
#[derive(Clone, Debug)]
pub struct Reasons {
    /// What kind of thing it is.
    pub kind: Kind,
    /// Its digest.
    pub digest: String,
    /// What it takes of the disk by itself.
    pub bytes: u64,
    /// How long ago it was made or used, in seconds, as far as it says that itself.
    pub idle: u64,
    /// What keeps it; nothing, where it would go.
    pub grip: Option<Grip>,
    /// One way to it from each root that has one.
    pub chains: Vec<Chain>,
    /// A way from what is kept since it was used of late, or is in use.
    pub recent: Option<Vec<String>>,
}

/// A way from a root to a thing.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The site.
    pub site: PathBuf,
    /// What of it needs the first step.
    pub because: String,
    /// Each thing on the way, for people.
    pub steps: Vec<String>,
}

/// Things with a digest that begins so, and why they are kept.
pub fn find(store: &Store, graph: &Graph, marks: &Marks, roots: &[Root], begin: &str, now: i128) -> Vec<Reasons> {
    let begin = begin.strip_prefix("sha256:").unwrap_or(begin);
    let found = graph.things().filter(|(_, thing)| thing.name.hex().starts_with(begin));
    let mut reasons: Vec<_> = found.map(|(at, _)| of(store, graph, marks, roots, at, now)).collect();
    reasons.sort_by(|one, other| (&one.digest, one.kind).cmp(&(&other.digest, other.kind)));
    reasons
}

fn of(store: &Store, graph: &Graph, marks: &Marks, roots: &[Root], at: u32, now: i128) -> Reasons {
    let thing = graph.get(at);
    let above = above(graph, at);
    let steps = |way: Vec<u32>| steps(store, graph, &way);
    let chains = roots.iter().filter_map(|root| {
        let (number, from) = graph.needed(root).find(|(_, from)| above.contains_key(from))?;
        let because = root.needs[number].because.clone();
        Some(Chain { site: root.site.clone(), because, steps: steps(way(&above, from)) })
    });
    let chains: Vec<_> = chains.collect();
    let kept_by_itself =
        |at: &&u32| matches!(marks.grip(**at), Some(Grip::Recent | Grip::Busy)) && above.contains_key(*at);
    let mut candidates: Vec<_> = above.keys().filter(kept_by_itself).copied().collect();
    // The newest of those that lead here is what keeps it.
    candidates.sort_by_key(|at| (std::cmp::Reverse(graph.get(*at).used), *at));
    let recent = match (chains.is_empty(), candidates.first()) {
        (true, Some(first)) => Some(steps(way(&above, *first))),
        _ => None,
    };
    Reasons {
        kind: thing.kind.shown(),
        digest: format!("sha256:{}", thing.name.hex()),
        bytes: thing.bytes,
        idle: u64::try_from((now - thing.used) / 1_000_000_000).unwrap_or(0),
        grip: marks.grip(at),
        chains,
        recent,
    }
}

/// Everything that leads to a thing, each with the next step on a shortest way there; the thing itself leads to itself.
fn above(graph: &Graph, to: u32) -> HashMap<u32, u32> {
    let mut up: HashMap<u32, Vec<u32>> = HashMap::new();
    for (at, thing) in graph.things() {
        for below in &thing.below {
            up.entry(*below).or_default().push(at);
        }
    }
    let (mut next, mut layer) = (HashMap::from([(to, to)]), vec![to]);
    while !layer.is_empty() {
        let mut higher = Vec::new();
        for at in layer {
            for above in up.get(&at).into_iter().flatten() {
                if !next.contains_key(above) {
                    next.insert(*above, at);
                    higher.push(*above);
                }
            }
        }
        layer = higher;
    }
    next
}

fn way(next: &HashMap<u32, u32>, from: u32) -> Vec<u32> {
    let mut way = vec![from];
    while let Some(step) = next.get(way.last().expect("it begins with one")).filter(|step| Some(*step) != way.last()) {
        way.push(*step);
    }
    way
}

/// Each thing of a way, for people: with the name that it has in the one before, where that is a tree.
fn steps(store: &Store, graph: &Graph, way: &[u32]) -> Vec<String> {
    let mut before: Option<&Thing> = None;
    let mut steps = Vec::new();
    for thing in way.iter().map(|at| graph.get(*at)) {
        let named = before.and_then(|above| name_in(store, above, thing));
        let named = named.map(|name| format!("`{name}`, ")).unwrap_or_default();
        steps.push(format!("{named}{} sha256:{}", thing.kind.word(), thing.name.hex()));
        before = Some(thing);
    }
    steps
}

fn name_in(store: &Store, above: &Thing, thing: &Thing) -> Option<String> {
    if above.kind != Kind::Tree {
        return None;
    }
    let bytes = disk::read_if_exists(&path(store, above)).ok().flatten()?;
    let directory = Directory::decode(bytes.as_slice()).ok()?;
    let hex = thing.name.hex();
    let is_it = |digest: &Option<crate::tree::message::Digest>| digest.as_ref().is_some_and(|it| it.hash == hex);
    match thing.kind {
        Kind::Tree => {
            directory.directories.into_iter().find(|one| is_it(&one.digest)).map(|one| format!("{}/", one.name))
        }
        _ => directory.files.into_iter().find(|one| is_it(&one.digest)).map(|one| one.name),
    }
}
