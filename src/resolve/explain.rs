//! Why there is no choice, in sentences. Pure.

use std::collections::BTreeSet;

use pubgrub::VersionSet as _;
use pubgrub::{DerivationTree, External};

use super::derive::{Memo, Node};
use super::{Candidate, Hidden, Index};
use crate::package::{PackageName, Requirement, Version, VersionSet};

/// No choice of versions satisfies all requirements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What stands against each other, in the order to be read in.
    pub facts: Vec<Fact>,
    /// What might be typed instead.
    pub hint: Option<String>,
}

/// One thing that is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Somebody asks for a package.
    Requires {
        /// Who.
        by: String,
        /// Which package.
        name: PackageName,
        /// Which versions of it, as they were written.
        versions: String,
    },
    /// There is no package of this name.
    Unknown {
        /// The name.
        name: PackageName,
        /// Who would have it.
        owner: String,
        /// Names like it that exist.
        similar: Vec<String>,
    },
    /// No version fits.
    None {
        /// The package.
        name: PackageName,
        /// The lowest and the highest version that could be chosen at all.
        offered: Option<(Version, Version)>,
    },
    /// A version would fit, but cannot be chosen.
    Hidden {
        /// The package.
        name: PackageName,
        /// The version.
        version: Version,
        /// Why not.
        why: Hidden,
    },
    /// Only pre-releases would fit, and nobody asked for one.
    PrereleasesOnly {
        /// The package.
        name: PackageName,
        /// The highest of them.
        highest: Version,
    },
}

impl std::fmt::Display for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Requires { by, name, versions } => write!(f, "{by} requires {name} {versions}"),
            Self::Unknown { name, owner, similar } => {
                write!(f, "{owner} has no crate `{name}`")?;
                match similar.as_slice() {
                    [] => Ok(()),
                    names => write!(f, "; there is `{}`", names.join("`, `")),
                }
            }
            Self::None { name, offered: Some((low, high)) } if low == high => {
                write!(f, "the only version of {name} is {low}")
            }
            Self::None { name, offered: Some((low, high)) } => {
                write!(f, "the versions of {name} go from {low} to {high}")
            }
            Self::None { name, offered: None } => write!(f, "no version of {name} can be chosen"),
            Self::Hidden { name, version, why } => write!(f, "{name} {version} would fit, but {why}"),
            Self::PrereleasesOnly { name, highest } => {
                write!(f, "{name} has only pre-releases, up to {highest}, and they are taken only if asked for")
            }
        }
    }
}

type Derivation = DerivationTree<Node, VersionSet, String>;

/// How many versions that would fit are named one by one.
const NAMED: usize = 3;

pub(super) fn conflict<I: Index>(tree: &Derivation, requirements: &[Requirement], memo: &Memo, index: &I) -> Conflict {
    let packages = packages(tree);
    let mut facts = requires(tree, requirements);
    let mut hint = None;
    for name in &packages {
        match memo.get(name) {
            Some(None) => {
                let similar = index.similar(name);
                hint = similar.first().map(|similar| format!("write `{similar}` instead of `{name}` in `envy.toml`"));
                facts.push(Fact::Unknown { name: name.clone(), owner: index.owner(name), similar });
            }
            Some(Some(candidates)) => {
                let wanted: Vec<_> = requirements.iter().filter(|asked| asked.name == *name).collect();
                let (more, advice) = unmet(name, candidates, &wanted);
                facts.extend(more);
                hint = hint.or(advice);
            }
            None => {}
        }
    }
    Conflict { facts, hint }
}

/// The packages that the explanation is about.
fn packages(tree: &Derivation) -> BTreeSet<PackageName> {
    let names = tree.packages().into_iter().filter_map(|node| match node {
        Node::Package(name) => Some(name.clone()),
        Node::Site | Node::Asker(_) => None,
    });
    names.collect()
}

/// Who asks for what, of those requirements that the explanation rests on.
fn requires(tree: &Derivation, requirements: &[Requirement]) -> Vec<Fact> {
    let mut edges = Vec::new();
    collect_edges(tree, &mut edges);
    let mut facts = Vec::new();
    for (by, set, name) in edges {
        let written = requirements.iter().find(|asked| asked.by == by && asked.name == name);
        let versions = written.map_or_else(|| set.to_string(), |asked| asked.versions.to_string());
        let fact = Fact::Requires { by, name, versions };
        if !facts.contains(&fact) {
            facts.push(fact);
        }
    }
    facts
}

fn collect_edges(tree: &Derivation, edges: &mut Vec<(String, VersionSet, PackageName)>) {
    match tree {
        DerivationTree::External(External::FromDependencyOf(from, _, Node::Package(to), set))
            if *from != Node::Site =>
        {
            edges.push((from.to_string(), set.clone(), to.clone()));
        }
        DerivationTree::External(_) => {}
        DerivationTree::Derived(derived) => {
            collect_edges(&derived.cause1, edges);
            collect_edges(&derived.cause2, edges);
        }
    }
}

/// What a package offers instead of what is wanted, and what to ask for.
fn unmet(name: &PackageName, candidates: &[Candidate], wanted: &[&Requirement]) -> (Vec<Fact>, Option<String>) {
    let set = wanted.iter().fold(VersionSet::full(), |all, asked| all.intersection(&asked.set()));
    let mut fitting: Vec<_> = candidates.iter().filter(|one| set.contains(&one.version)).collect();
    fitting.sort_by(|a, b| b.version.cmp(&a.version));
    let mut facts: Vec<_> = fitting.iter().filter_map(|one| hidden_fact(name, one)).take(NAMED).collect();
    let alone =
        |asked: &&&Requirement| candidates.iter().any(|one| one.hidden.is_none() && asked.set().contains(&one.version));
    if wanted.len() > 1
        && let Some(unmet_alone) = wanted.iter().find(|asked| !alone(asked))
    {
        // Whatever the others ask for, this one cannot be met.
        return unmet(name, candidates, &[*unmet_alone]);
    }
    if wanted.len() > 1 {
        // Several ask, and each could be satisfied alone: who asks for what says it all.
        return (facts, Some(format!("change one of the requirements of `{name}` in `envy.toml`")));
    }
    if fitting.iter().any(|one| matches!(one.hidden, Some(Hidden::Newer { .. } | Hidden::NoTime { .. }))) {
        let advice = format!(
            "to take it all the same, write `exclude-newer = false` beside `{name}` in `envy.toml`, or add it with `--exclude-newer false`"
        );
        return (facts, Some(advice));
    }
    let mut offered: Vec<_> = candidates.iter().filter(|one| one.hidden.is_none()).map(|one| &one.version).collect();
    offered.sort();
    let releases: Vec<_> = offered.iter().filter(|version| version.pre.is_empty()).collect();
    match (releases.first(), releases.last(), offered.last()) {
        (Some(low), Some(high), _) => {
            facts.push(Fact::None { name: name.clone(), offered: Some(((**low).clone(), (**high).clone())) });
            let advice = format!("ask for {name} ^{}.{} in `envy.toml`", high.major, high.minor);
            (facts, Some(advice))
        }
        (_, _, Some(highest)) => {
            facts.push(Fact::PrereleasesOnly { name: name.clone(), highest: (*highest).clone() });
            (facts, Some(format!("ask for {name} ={highest} in `envy.toml`")))
        }
        _ => {
            if facts.is_empty() {
                facts.push(Fact::None { name: name.clone(), offered: None });
            }
            (facts, None)
        }
    }
}

fn hidden_fact(name: &PackageName, candidate: &Candidate) -> Option<Fact> {
    let why = candidate.hidden.clone()?;
    Some(Fact::Hidden { name: name.clone(), version: candidate.version.clone(), why })
}
