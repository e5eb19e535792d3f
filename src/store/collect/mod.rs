//! Collecting: removing from the store what no root reaches.
//!
//! A root is a site. Its generations need their prefixes and the trees of their packages; its lockfile names results and
//! outputs. What they lead to is kept, and beside it:
//!
//! - what was made or used in a span of time: caches, that may be needed again;
//! - what was made, linked or marked (see `using`) since the oldest process began that has a directory in `tmp/`: it may
//!   rely on that;
//! - a result or a source whose tree is kept, since it is small and says where the tree came from.
//!
//! Nothing is removed while the record of a tree that a root leads to is lost: nobody knows what is below it.
//!
//! Where the store is larger than it may be, what only a span of time or a lockfile keeps goes too, that which was not
//! used for the longest time first.
//!
//! Things are removed from the top down: a prefix before its tree, a result before its tree, a tree before those in it,
//! and blobs last. Whoever is killed in between leaves a store in which everything that is there is whole. Sizes are
//! those of blocks on the disk, and each is counted once: a prefix is made of links to blobs, so only its copies and
//! directories are its own.

mod graph;
mod lost;
mod mark;
mod reasons;
mod removal;
mod scan;
mod shares;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Error, Held, Store};
use crate::digest::{ActionDigest, BlobDigest, Digest, TreeDigest};
use crate::disk;
use crate::progress::Progress;
pub use graph::Kind;
use graph::{Graph, Name};
pub use mark::Grip;
use mark::Marks;
pub use reasons::{Chain, Reasons};
pub use shares::Share;

/// What needs things in the store: a site.
#[derive(Clone, Debug)]
pub struct Root {
    /// Its directory.
    pub site: PathBuf,
    /// What it needs.
    pub needs: Vec<Need>,
}

/// One thing that a root needs.
#[derive(Clone, Debug)]
pub struct Need {
    /// What.
    pub thing: Thing,
    /// How strongly.
    pub grip: Grip,
    /// What of the root needs it, for people: `generation 3`.
    pub because: String,
}

/// Something in the store that can be needed by itself.
#[derive(Clone, Copy, Debug)]
pub enum Thing {
    /// A tree as a ready prefix.
    Prefix(TreeDigest),
    /// A tree.
    Tree(TreeDigest),
    /// What an action gave.
    Result(ActionDigest),
    /// A tree, laid out as a directory that can be written to.
    Checkout(TreeDigest),
    /// The bytes of a file.
    Blob(BlobDigest),
}

impl Thing {
    fn key(self) -> (Kind, Name) {
        match self {
            Self::Prefix(digest) => (Kind::Prefix, name(digest)),
            Self::Tree(digest) => (Kind::Tree, name(digest)),
            Self::Result(digest) => (Kind::Result, name(digest)),
            Self::Checkout(digest) => (Kind::Checkout, name(digest)),
            Self::Blob(digest) => (Kind::Blob, name(digest)),
        }
    }
}

fn name<K>(digest: Digest<K>) -> Name {
    Name::from_hex(&digest.hex()).expect("a digest has the digits of one")
}

/// What is kept beside what roots need.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// What was made or used in this time.
    pub keep: Duration,
    /// No more than this, in bytes, where that is possible.
    pub largest: Option<u64>,
}

/// How many things, and how much of the disk they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub count: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// What a collection does, or would do.
#[derive(Debug)]
pub struct Collection {
    /// What each root costs, in the order of the roots.
    pub shares: Vec<Share>,
    /// What is kept, by what keeps it.
    pub kept: BTreeMap<Grip, Amount>,
    /// What goes, by kind.
    pub freed: BTreeMap<Kind, Amount>,
}

impl Collection {
    /// How much goes.
    pub fn freed_bytes(&self) -> u64 {
        self.freed.values().map(|amount| amount.bytes).sum()
    }

    /// How much stays.
    pub fn kept_bytes(&self) -> u64 {
        self.kept.values().map(|amount| amount.bytes).sum()
    }
}

/// A time before which nothing was used by a process that runs. It is taken before roots are read.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    /// When the oldest of the other processes began, or now.
    busy: i128,
    /// Now, as the file system sees it.
    now: i128,
}

/// Times that a kernel gives files are of its last tick, and finer only here and there.
const COARSE: i128 = 50_000_000;

/// Holds the store against others that collect.
#[derive(Debug)]
pub struct Collecting {
    _held: Held,
}

impl Store {
    /// Keep other processes from collecting, and wait for one that does.
    pub fn hold_collecting(&self, limit: Option<Duration>, progress: &dyn Progress) -> Result<Collecting, Error> {
        let lock = self.root().join("locks/gc");
        let what = format!("the collection of garbage in `{}`", self.root().display());
        Ok(Collecting { _held: Held::take(&lock, &what, limit, progress)? })
    }

    /// Since when there is nothing that a process which runs can rely on.
    pub fn quiet_before(&self) -> Result<Since, Error> {
        let own = self.temporary_directory()?;
        let now = disk::time_in(&own)?;
        let mut busy = now;
        for lock in self.locks_of_others(&own)? {
            // One that is just beginning, or ends, relies on nothing older than now.
            if let (Ok(disk::TryLock::Busy(_)), Ok(Some(usage))) = (disk::try_lock(&lock), disk::usage(&lock)) {
                busy = busy.min(usage.modified);
            }
        }
        Ok(Since { busy: busy - COARSE, now })
    }

    /// Another process that uses the store now.
    fn another(&self, own: &Path) -> Option<u32> {
        let locks = self.locks_of_others(own).ok()?;
        locks.iter().find_map(|lock| match disk::try_lock(lock) {
            Ok(disk::TryLock::Busy(pid)) => pid,
            _ => None,
        })
    }

    fn locks_of_others(&self, own: &Path) -> Result<Vec<PathBuf>, Error> {
        let all = self.root().join("tmp");
        let directories =
            disk::names_if_exists(&all)?.into_iter().map(|name| all.join(name)).filter(|path| path != own);
        Ok(directories.map(|path| path.join("lock")).filter(|lock| disk::is_file(lock)).collect())
    }

    /// Say what would be removed, and remove nothing.
    pub fn foretell_collection(&self, since: Since, roots: &[Root], policy: Policy) -> Result<Collection, Error> {
        let _using = self.using();
        let graph = scan::scan(self)?;
        require_all_trees(&graph, roots)?;
        let marks = decide(&graph, since, roots, policy);
        Ok(told(&graph, &marks, roots))
    }

    /// Remove what nothing keeps. Others that use the store wait meanwhile; we wait for those that look something up or
    /// take something in just now, and not for their builds.
    pub fn collect(
        &self,
        _collecting: &Collecting,
        since: Since,
        roots: &[Root],
        policy: Policy,
        limit: Option<Duration>,
        progress: &dyn Progress,
    ) -> Result<Collection, Error> {
        let own = self.temporary_directory()?;
        let what = format!("a part of the store `{}` for a moment", self.root().display());
        let sharer = || self.another(&own);
        let _alone = Held::take_from(&self.collecting(), &what, limit, progress, sharer)?;
        let graph = scan::scan(self)?;
        require_all_trees(&graph, roots)?;
        let marks = decide(&graph, since, roots, policy);
        let collection = told(&graph, &marks, roots);
        removal::remove(self, &graph, &marks, since.busy, &own)?;
        Ok(collection)
    }

    /// Why things are kept that have a name which begins so.
    pub fn reasons(&self, begin: &str, since: Since, roots: &[Root], policy: Policy) -> Result<Vec<Reasons>, Error> {
        let _using = self.using();
        let graph = scan::scan(self)?;
        let marks = decide(&graph, since, roots, Policy { largest: None, ..policy });
        Ok(reasons::find(self, &graph, &marks, roots, begin, since.now))
    }
}

/// Refuse to go on while a tree is lost that a root leads to.
fn require_all_trees(graph: &Graph, roots: &[Root]) -> Result<(), Error> {
    let Some(lost) = lost::first(graph, roots) else { return Ok(()) };
    let root = &roots[lost.root];
    let (site, because) = (root.site.clone(), root.needs[lost.need].because.clone());
    Err(Error::Lost { tree: lost.tree.to_string(), how: lost.how, site, because })
}

/// What is kept by what.
fn decide(graph: &Graph, since: Since, roots: &[Root], policy: Policy) -> Marks {
    let kept_since = since.now - i128::try_from(policy.keep.as_nanos()).unwrap_or(i128::MAX / 2);
    let marks = Marks::new(graph, roots, since.busy, kept_since);
    match policy.largest {
        Some(largest) => marks.within(graph, roots, since.busy, kept_since, largest),
        None => marks,
    }
}

fn told(graph: &Graph, marks: &Marks, roots: &[Root]) -> Collection {
    let (mut kept, mut freed): (BTreeMap<Grip, Amount>, BTreeMap<Kind, Amount>) = Default::default();
    for (at, thing) in graph.things() {
        let amount = match marks.grip(at) {
            Some(grip) => kept.entry(grip).or_default(),
            None => freed.entry(thing.kind.shown()).or_default(),
        };
        amount.count += 1;
        amount.bytes += thing.bytes;
    }
    Collection { shares: shares::shares(graph, roots), kept, freed }
}
