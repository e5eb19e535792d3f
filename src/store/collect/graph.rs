//! Everything in a store, and what leads to what. Pure.

use std::collections::HashMap;

use super::Root;
use crate::digest::Digest;

/// A thing of any kind.
#[derive(Debug)]
pub enum Any {}

/// The digest that names a thing.
pub type Name = Digest<Any>;

/// A kind of thing, in the order in which they are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A ready prefix.
    Prefix,
    /// What an action gave.
    Result,
    /// What something that was fetched gave.
    Source,
    /// What one call of a compiler gave.
    Unit,
    /// A tree or an archive, laid out for builds.
    Checkout,
    /// One directory of a tree.
    Tree,
    /// The bytes of a file.
    Blob,
    /// The same of a file that may be executed.
    Program,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Prefix, Self::Result, Self::Source, Self::Unit, Self::Checkout, Self::Tree, Self::Blob, Self::Program];

    /// The directory of the store that it is in.
    pub fn directory(self) -> &'static str {
        match self {
            Self::Prefix => "prefixes",
            Self::Result => "results",
            Self::Source => "sources",
            Self::Unit => "units",
            Self::Checkout => "checkouts",
            Self::Tree => "trees",
            Self::Blob | Self::Program => "blobs",
        }
    }

    /// One of it, for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::Result => "result",
            Self::Source => "source",
            Self::Unit => "unit",
            Self::Checkout => "checkout",
            Self::Tree => "tree",
            Self::Blob | Self::Program => "blob",
        }
    }

    /// The kind that people know it as.
    pub(super) fn shown(self) -> Self {
        if self == Self::Program { Self::Blob } else { self }
    }

    /// Whether it is a directory.
    pub(super) fn is_directory(self) -> bool {
        matches!(self, Self::Prefix | Self::Checkout)
    }

    /// Whether it was used when it changed last, since it may be one with a file of a prefix, or a directory that nobody
    /// modifies. Anything else was used when it was modified last.
    pub(super) fn is_used_when_changed(self) -> bool {
        self.is_directory() || matches!(self, Self::Blob | Self::Program)
    }
}

/// Something in the store.
#[derive(Debug)]
pub struct Thing {
    pub kind: Kind,
    pub name: Name,
    /// What it takes of the disk by itself.
    pub bytes: u64,
    /// When it was made or used.
    pub used: i128,
    /// When it changed last in any way.
    pub changed: i128,
    /// Whether it is not what its name says; that is looked at of trees.
    pub is_damaged: bool,
    /// What it leads to.
    pub below: Vec<u32>,
}

/// Everything in the store.
#[derive(Debug, Default)]
pub struct Graph {
    things: Vec<Thing>,
    index: HashMap<(Kind, Name), u32>,
    /// Trees that are not here, by what leads to them: the first of each.
    missing: HashMap<u32, Name>,
    /// Lists of patches of prefixes that are not there.
    pub strays: Vec<std::path::PathBuf>,
}

impl Graph {
    /// Things, with the names of what each leads to.
    pub fn new(found: Vec<(Thing, Vec<(Kind, Name)>)>) -> Self {
        let number = |at: usize| u32::try_from(at).expect("no store has so many files");
        let mut graph = Self::default();
        let mut below = Vec::with_capacity(found.len());
        graph.index.reserve(found.len());
        for (at, (thing, names)) in found.into_iter().enumerate() {
            graph.index.insert((thing.kind, thing.name), number(at));
            graph.things.push(thing);
            below.push(names);
        }
        for (at, names) in below.into_iter().enumerate() {
            // What is not here leads nowhere, and is fetched or made when it is needed.
            let mut here: Vec<_> = names.iter().filter_map(|key| graph.index.get(key).copied()).collect();
            here.sort_unstable();
            here.dedup();
            let is_missing = |key: &&(Kind, Name)| key.0 == Kind::Tree && !graph.index.contains_key(key);
            if let Some((_, tree)) = names.iter().find(is_missing) {
                graph.missing.insert(number(at), *tree);
            }
            graph.things[at].below = here;
        }
        graph
    }

    /// All things, each with its number.
    pub fn things(&self) -> impl Iterator<Item = (u32, &Thing)> {
        (0..).zip(&self.things)
    }

    pub fn len(&self) -> usize {
        self.things.len()
    }

    pub fn get(&self, at: u32) -> &Thing {
        &self.things[at as usize]
    }

    /// A tree that something leads to, and that is not here.
    pub fn missing_below(&self, at: u32) -> Option<Name> {
        self.missing.get(&at).copied()
    }

    pub fn find(&self, kind: Kind, name: Name) -> Option<u32> {
        self.index.get(&(kind, name)).copied()
    }

    /// Where the things are that a root needs, with the number of the need. A blob may be there as a program alone.
    pub fn needed<'a>(&'a self, root: &'a Root) -> impl Iterator<Item = (usize, u32)> + 'a {
        root.needs.iter().enumerate().flat_map(|(number, need)| {
            let (kind, name) = need.thing.key();
            let program = (kind == Kind::Blob).then(|| self.find(Kind::Program, name)).flatten();
            self.find(kind, name).into_iter().chain(program).map(move |at| (number, at))
        })
    }
}
