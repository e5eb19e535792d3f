//! Caches that several hosts share: what was built, in a directory or behind an HTTP server.
//!
//! ```text
//! ac/<action>   an `ActionResult` of the Remote Execution API v2
//! cas/<digest>  bytes of files, `Directory` messages, `Tree` messages, logs
//! ```
//!
//! That is the layout of Bazel's HTTP cache, which many servers have, nginx with `PUT` among them. A tree is found by its
//! digest alone: its root is a `Directory` in `cas`, and names all others. So an output that a lockfile records needs no
//! word of the cache's: its bytes are what the lockfile says, or they are not taken.
//!
//! What comes from a cache is hashed before it has a place in the store, and a tree has its place when all of its files have.
//! `ac` holds what somebody says: it is asked only by those who said that they trust the cache.

mod address;
pub mod config;
mod directory;
mod pushing;
#[cfg(test)]
mod tests;
mod web;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rayon::prelude::*;

pub use address::{Address, Error as AddressError};
use directory::Directory;
pub use pushing::{Built, Pushed, Reading};
use web::Web;

use crate::digest::{ActionDigest, BlobDigest, TreeDigest};
use crate::disk;
use crate::download::{self, Authorization, Settings};
use crate::store::{self, Outcome, Store};
use crate::tree::grove::{self, Budget, Grove};
use crate::tree::{File, Tree};

/// The largest message or log that is taken.
const LARGEST: u64 = 64 << 20;

/// How many rounds of directories are asked for: as many as lie in each other.
const ROUNDS: usize = 256;

/// The most bytes that directories may have together.
const LARGEST_ALL: usize = 512 << 20;

/// How many things are asked for before it is seen whether the cache is any good.
const AT_A_TIME: usize = 64;

/// Takes what came under each of several names, by its number, or learns that it is not there.
type Take<'t> = dyn FnMut(usize, Option<Vec<u8>>) -> Result<(), Error> + 't;

/// How long a cache may say nothing, where nobody says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A cache.
#[derive(Debug)]
pub struct Remote {
    address: Address,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Directory(Directory),
    Web(Box<Web>),
}

/// The two kinds of things in a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Result,
    Content,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Result => "ac",
            Self::Content => "cas",
        }
    }
}

/// A cache did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The network failed.
    #[error(transparent)]
    Download(#[from] download::Error),
    /// There is no such directory.
    #[error("there is no directory `{0}`")]
    NoDirectory(String),
    /// What it has is not what its name says.
    #[error("its `{0}` is not what its name says")]
    Wrong(String),
    /// Its directories make no tree.
    #[error("its trees cannot be put together")]
    Trees(#[from] grove::Error),
    /// There is no room for what it has.
    #[error("{needed} bytes are to come into the store, and the file system has room for {free}")]
    NoRoom {
        /// What would come.
        needed: u64,
        /// What there is.
        free: u64,
    },
    /// More than any site has.
    #[error("its directories are too many or too deep")]
    TooMuch,
    /// A file that has two sizes at once.
    #[error("its trees give two sizes to `cas/{0}`")]
    TwoSizes(BlobDigest),
    /// Each answer comes, and all of them never do.
    #[error("it took {} s to answer", took.as_secs())]
    Slow {
        /// How long it took.
        took: Duration,
    },
}

impl Remote {
    /// The cache at an address. Nothing is asked before it is needed.
    pub fn at(address: Address, settings: Settings, patience: Duration, authorization: Authorization) -> Self {
        let place = match &address {
            Address::Directory(path) => Place::Directory(Directory::new(path.clone())),
            Address::Web(url) => Place::Web(Box::new(Web::new(url, settings, patience, authorization))),
        };
        Self { address, place }
    }

    /// Its address, as it may be shown.
    pub fn shown(&self) -> String {
        self.address.to_string()
    }

    /// Whether it needs a network that may not be used.
    pub fn is_out_of_reach(&self) -> bool {
        matches!(&self.place, Place::Web(web) if web.is_offline())
    }

    /// Bring whole trees into the store; gives those that are there now. What the cache does not have is no error.
    pub fn pull(&self, roots: &BTreeSet<TreeDigest>, store: &Store) -> Result<BTreeSet<TreeDigest>, Error> {
        let grove = self.directories(roots)?;
        let (mut trees, mut budget) = (BTreeMap::new(), Budget::default());
        for root in roots {
            match grove.tree(*root, &mut budget) {
                Ok(tree) => drop(trees.insert(*root, tree)),
                Err(grove::Error::Missing(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let absent = self.files(&trees, store)?;
        trees.retain(|_, tree| tree.files().all(|file| !absent.contains(&file.blob)));
        if !trees.is_empty() {
            // A tree that is there counts as whole, also after a power cut.
            disk::sync_file_system(store.root())?;
        }
        trees.values().try_for_each(|tree| store.put_tree(tree).map(drop))?;
        Ok(trees.into_keys().collect())
    }

    /// All directories of trees that the cache has.
    fn directories(&self, roots: &BTreeSet<TreeDigest>) -> Result<Grove, Error> {
        let (mut grove, mut absent, mut bytes) = (Grove::default(), BTreeSet::new(), 0);
        // The empty tree is there without anybody having it.
        grove.insert(Tree::default().digest(), Vec::new())?;
        for _ in 0..ROUNDS {
            let missing = grove.missing(roots.iter().copied())?;
            let wanted: Vec<_> = missing.into_iter().filter(|digest| !absent.contains(digest)).collect();
            if wanted.is_empty() {
                return Ok(grove);
            }
            let names: Vec<_> = wanted.iter().map(TreeDigest::hex).collect();
            self.small(Kind::Content, &names, &mut |number, found| {
                let digest = wanted[number];
                let Some(found) = found else {
                    absent.insert(digest);
                    return Ok(());
                };
                bytes += found.len();
                if bytes > LARGEST_ALL {
                    return Err(Error::TooMuch);
                }
                grove.insert(digest, found).map_err(|_| wrong(Kind::Content, &digest.hex()))
            })?;
        }
        Err(Error::TooMuch)
    }

    /// Bring all files of trees; gives those that the cache does not have.
    fn files(&self, trees: &BTreeMap<TreeDigest, Tree>, store: &Store) -> Result<BTreeSet<BlobDigest>, Error> {
        let files = grove::files(trees.values());
        if let Some(blob) = grove::of_two_sizes(&files) {
            return Err(Error::TwoSizes(blob));
        }
        let files = files.into_par_iter().map(|(blob, executable, size)| File { blob, size, executable });
        let missing = files.filter_map(|file| match store.use_proven_file(file) {
            Ok(true) => None,
            Ok(false) => Some(Ok(file)),
            Err(error) => Some(Err(error)),
        });
        let missing = missing.collect::<Result<Vec<_>, _>>()?;
        let (empty, missing): (Vec<_>, Vec<_>) = missing.into_iter().partition(|file| file.blob == BlobDigest::of(b""));
        // Some servers have no room for nothing.
        empty.iter().try_for_each(|file| store.put_file(b"", file.executable).map(drop))?;
        let needed = missing.iter().fold(0_u64, |all, file| all.saturating_add(file.size));
        let free = disk::free_space(&store.temporary_directory()?)?;
        if needed > free {
            return Err(Error::NoRoom { needed, free });
        }
        let mut absent = BTreeSet::new();
        for some in missing.chunks(AT_A_TIME) {
            let came = match &self.place {
                Place::Directory(directory) => directory.files(some, store)?,
                Place::Web(web) => web.files(some, store)?,
            };
            absent.extend(some.iter().zip(came).filter(|(_, came)| !came).map(|(file, _)| file.blob));
        }
        Ok(absent)
    }

    /// What somebody says that an action gave, with its output in the store. Only a build that succeeded and that is wholly
    /// there counts.
    pub fn result(&self, action: ActionDigest, store: &Store) -> Result<Option<Outcome>, Error> {
        let Some(bytes) = self.one(Kind::Result, action.hex())? else { return Ok(None) };
        let Some(outcome) = Outcome::from_message(&bytes) else { return Ok(None) };
        let Some(log) = self.one(Kind::Content, outcome.log.hex())? else { return Ok(None) };
        if BlobDigest::of(&log) != outcome.log {
            return Err(wrong(Kind::Content, &outcome.log.hex()));
        }
        if store.whole_tree(outcome.tree)?.is_none() && self.pull(&[outcome.tree].into(), store)?.is_empty() {
            return Ok(None);
        }
        let tree = store.whole_tree(outcome.tree)?.ok_or(store::Error::MissingTree(outcome.tree))?;
        store.put_blob(&log)?;
        store.put_outcome(action, &outcome, &tree.encode(), log.len() as u64)?;
        Ok(Some(outcome))
    }

    /// Things that are held in memory, each given away before the next is. Their bytes are what somebody says.
    fn small(&self, kind: Kind, names: &[String], take: &mut Take<'_>) -> Result<(), Error> {
        match &self.place {
            Place::Directory(directory) => directory.small(kind, names, take),
            Place::Web(web) => web.small(kind, names, take),
        }
    }

    fn one(&self, kind: Kind, name: String) -> Result<Option<Vec<u8>>, Error> {
        let mut found = None;
        self.small(kind, &[name], &mut |_, bytes| {
            found = bytes;
            Ok(())
        })?;
        Ok(found)
    }
}

fn wrong(kind: Kind, hex: &str) -> Error {
    Error::Wrong(format!("{}/{hex}", kind.name()))
}
