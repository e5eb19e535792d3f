//! What two sides have otherwise. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::side::Side;
use crate::digest::TreeDigest;
use crate::lock::{Difference, Package};
use crate::package::PackageName;
use crate::platform::Platform;
use crate::site::{Config, ShownFile, differences};
use crate::tree::{Node, Tree};

/// How one side differs from the other.
pub struct Compared<'s> {
    pub from: &'s Side,
    pub to: &'s Side,
    /// What the lockfiles say.
    pub locked: Difference<'s>,
    /// Packages that both sides have, and that came out otherwise, by platform.
    pub outputs: BTreeMap<&'s PackageName, Vec<OtherOutput>>,
    /// Files of the prefix, where both trees are here.
    pub files: Option<Vec<(String, Became)>>,
    /// What the site shows beside its packages, in words.
    pub config: Vec<String>,
}

/// One platform on which a package came out otherwise.
pub struct OtherOutput {
    pub platform: Platform,
    pub before: BTreeSet<TreeDigest>,
    pub now: BTreeSet<TreeDigest>,
}

/// What became of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    Added,
    Removed,
    Changed,
}

impl Became {
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }

    pub fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
        }
    }
}

impl<'s> Compared<'s> {
    /// Compare two sides; `trees` are those of their prefixes, where both are here.
    pub fn new(from: &'s Side, to: &'s Side, trees: Option<(&Tree, &Tree)>, of_one_site: bool) -> Self {
        Self {
            from,
            to,
            locked: Difference::between(&from.lockfile, &to.lockfile),
            outputs: outputs(from, to),
            files: trees.map(|(from, to)| files(from, to)),
            config: if of_one_site { config(from, to) } else { Vec::new() },
        }
    }

    /// Whether they are the same, as far as it matters to what is installed.
    pub fn is_same(&self) -> bool {
        let files = self.files.as_ref().is_none_or(Vec::is_empty);
        self.locked.is_empty() && self.outputs.is_empty() && files && self.config.is_empty() && !self.other_prefix()
    }

    /// Whether both prefixes are known, and not the same.
    pub fn other_prefix(&self) -> bool {
        self.from.prefix().zip(self.to.prefix()).is_some_and(|(from, to)| from != to)
    }

    /// The packages of which anything is told, with how they are on each side.
    pub fn packages(&self) -> BTreeMap<&'s PackageName, (Option<&'s Package>, Option<&'s Package>)> {
        let names = self.locked.packages.keys().chain(self.outputs.keys());
        names
            .map(|name| (*name, (self.from.lockfile.packages.get(*name), self.to.lockfile.packages.get(*name))))
            .collect()
    }

    /// How many paths were added, removed and changed.
    pub fn counts(&self) -> Option<[usize; 3]> {
        let count = |files: &[(String, Became)], one| files.iter().filter(|(_, became)| *became == one).count();
        let files = self.files.as_ref()?;
        Some([Became::Added, Became::Removed, Became::Changed].map(|one| count(files, one)))
    }
}

/// Outputs that have no tree in common on a platform that both sides know of.
fn outputs<'s>(from: &'s Side, to: &'s Side) -> BTreeMap<&'s PackageName, Vec<OtherOutput>> {
    let both = from.lockfile.packages.keys().filter(|name| to.lockfile.packages.contains_key(*name));
    let other = |name: &'s PackageName| {
        let mut now = to.outputs(name);
        let pairs = from.outputs(name).into_iter().filter_map(|(platform, before)| {
            let now = now.remove(&platform)?;
            before.is_disjoint(&now).then_some(OtherOutput { platform, before, now })
        });
        let others: Vec<_> = pairs.collect();
        (!others.is_empty()).then_some((name, others))
    };
    both.filter_map(other).collect()
}

fn files(from: &Tree, to: &Tree) -> Vec<(String, Became)> {
    let (from, to): (BTreeMap<String, &Node>, BTreeMap<String, &Node>) =
        (from.leaves().into_iter().collect(), to.leaves().into_iter().collect());
    let paths: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let became = |path: &String| match (from.get(path), to.get(path)) {
        (None, Some(_)) => Some(Became::Added),
        (Some(_), None) => Some(Became::Removed),
        (from, to) => (from != to).then_some(Became::Changed),
    };
    paths.into_iter().filter_map(|path| Some((path.clone(), became(path)?))).collect()
}

/// What the site itself says, in a line each.
fn config(from: &Side, to: &Side) -> Vec<String> {
    let (Some(from), Some(to)) = (Shown::of(from), Shown::of(to)) else { return Vec::new() };
    let variables = texts("variable", &from.env, &to.env).chain(texts("var", &from.vars, &to.vars));
    let files = differences(&from.files, &to.files).into_iter().map(|(path, how)| format!("file `{path}` {how}"));
    variables.chain(files).collect()
}

/// What a site shows beside its packages.
struct Shown {
    env: BTreeMap<String, String>,
    vars: BTreeMap<String, String>,
    files: BTreeMap<String, ShownFile>,
}

impl Shown {
    fn of(side: &Side) -> Option<Self> {
        let of_config =
            |config: &Config| Self { env: config.env.clone(), vars: config.vars.clone(), files: config.files.shown() };
        match &side.generation {
            Some(one) => Some(Self { env: one.env.clone(), vars: one.vars.clone(), files: one.files.clone() }),
            None => side.config.as_ref().map(of_config),
        }
    }
}

fn texts<'t>(
    what: &'t str,
    from: &'t BTreeMap<String, String>,
    to: &'t BTreeMap<String, String>,
) -> impl Iterator<Item = String> + 't {
    let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let how = |name: &String| match (from.get(name), to.get(name)) {
        (None, Some(_)) => Some("added"),
        (Some(_), None) => Some("removed"),
        // Its values may be secret, and are told nowhere else.
        (from, to) => (from != to).then_some("changed"),
    };
    names.into_iter().filter_map(move |name| Some(format!("{what} `{name}` {}", how(name)?)))
}
