//! What each root costs. Pure.

use std::collections::HashMap;

use super::Root;
use super::graph::Graph;

/// What a root costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// The bytes of all that it leads to.
    pub all: u64,
    /// The bytes of what no other root leads to.
    pub alone: u64,
}

/// Who leads to a thing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Nobody,
    One(usize),
    Several,
}

/// What each root costs.
pub fn shares(graph: &Graph, roots: &[Root]) -> Vec<Share> {
    let entries: Vec<Vec<u32>> = roots.iter().map(|root| entries(graph, root)).collect();
    let mut shares = vec![Share::default(); roots.len()];
    let mut owners = vec![Owner::Nobody; graph.len()];
    for (root, entries) in entries.iter().enumerate() {
        own(graph, root, entries, &mut owners);
    }
    for (at, thing) in graph.things() {
        if let Owner::One(root) = owners[at as usize] {
            shares[root].alone += thing.bytes;
        }
    }
    // Many sites may show the same, and that is added up once.
    let (mut known, mut seen) = (HashMap::new(), vec![usize::MAX; graph.len()]);
    for (root, entries) in entries.iter().enumerate() {
        shares[root].all = *known.entry(entries).or_insert_with(|| reached(graph, root, entries, &mut seen));
    }
    shares
}

fn entries(graph: &Graph, root: &Root) -> Vec<u32> {
    let mut entries: Vec<_> = graph.needed(root).map(|(_, at)| at).collect();
    entries.sort_unstable();
    entries.dedup();
    entries
}

fn own(graph: &Graph, root: usize, entries: &[u32], owners: &mut [Owner]) {
    let mut open = entries.to_vec();
    while let Some(at) = open.pop() {
        let owner = &mut owners[at as usize];
        *owner = match *owner {
            Owner::Nobody => Owner::One(root),
            Owner::One(other) if other != root => Owner::Several,
            // All that it leads to is known to be so too.
            Owner::One(_) | Owner::Several => continue,
        };
        open.extend(&graph.get(at).below);
    }
}

fn reached(graph: &Graph, root: usize, entries: &[u32], seen: &mut [usize]) -> u64 {
    let (mut open, mut bytes) = (entries.to_vec(), 0);
    while let Some(at) = open.pop() {
        if std::mem::replace(&mut seen[at as usize], root) != root {
            bytes += graph.get(at).bytes;
            open.extend(&graph.get(at).below);
        }
    }
    bytes
}
