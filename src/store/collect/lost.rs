//! Trees that are lost: what a root leads to, and nobody knows any more what is below. Pure.
//!
//! A tree that is damaged is lost to every root that leads to it, and one that is missing to the sites that show a prefix
//! of it. What else is missing was never here, or is made again.

use super::Root;
use super::graph::{Graph, Kind, Name};

/// A tree that is lost.
#[derive(Debug, PartialEq, Eq)]
pub struct Lost {
    /// Its digest.
    pub tree: Name,
    /// In which way.
    pub how: &'static str,
    /// The number of the root.
    pub root: usize,
    /// The number of what it needs.
    pub need: usize,
}

/// The first tree that is lost.
pub fn first(graph: &Graph, roots: &[Root]) -> Option<Lost> {
    let damaged = |at: u32| graph.get(at).is_damaged.then(|| graph.get(at).name);
    let is_prefix = |at: u32| graph.get(at).kind == Kind::Prefix;
    let damaged = walk(graph, roots, |_| true, damaged).map(|found| (found, "damaged"));
    let lost =
        damaged.or_else(|| walk(graph, roots, is_prefix, |at| graph.missing_below(at)).map(|it| (it, "missing")));
    lost.map(|((root, need, tree), how)| Lost { tree, how, root, need })
}

/// Look at all that roots lead to, from those of their needs that count.
fn walk(
    graph: &Graph,
    roots: &[Root],
    counts: impl Fn(u32) -> bool,
    look: impl Fn(u32) -> Option<Name>,
) -> Option<(usize, usize, Name)> {
    let mut seen = vec![false; graph.len()];
    for (number, root) in roots.iter().enumerate() {
        for (need, from) in graph.needed(root).filter(|(_, from)| counts(*from)) {
            let mut open = vec![from];
            while let Some(at) = open.pop() {
                if std::mem::replace(&mut seen[at as usize], true) {
                    continue;
                }
                if let Some(tree) = look(at) {
                    return Some((number, need, tree));
                }
                open.extend(&graph.get(at).below);
            }
        }
    }
    None
}
