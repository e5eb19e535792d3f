//! The store: blobs, trees, action results and ready prefixes, each under its digest, shared by all of a user's projects.
//!
//! ```text
//! blobs/ab/cd…      bytes of a file, mode 0444; the name is the sha256
//! blobs/ab/cd….x    the same for a file that may be executed, mode 0555: a mode belongs to the inode,
//!                   and prefixes are made of hard links
//! trees/ab/cd…      one directory of a tree, in canonical encoding
//! results/ab/cd…    what an action gave (see `results`)
//! units/ab/cd…      what one call of a compiler gave (see `units`)
//! sources/ab/cd…    which tree something that was fetched gave
//! checkouts/ab/cd…/ what was laid out once to be read often: unpacked sources
//! prefixes/abcd…/   ready prefixes, read-only; abcd….patches says which files hold its path (see `patched`)
//! roots/            symlinks to the sites that use this store
//! locks/            one file for each thing that only one process at a time may make
//! tmp/              one directory for each running process, swept when its process is gone
//! ```
//!
//! Nothing here ever changes once it has its name: everything is written in `tmp/` and renamed. Whoever dies
//! leaves a directory in `tmp/` that the next process removes. What has the wrong size, as after a power cut,
//! counts as missing and is made again.

mod blobs;
mod checkout;
pub mod collect;
mod flaw;
mod locks;
mod patched;
mod proof;
mod results;
mod roots;
mod sources;
mod stats;
mod trees;
mod units;
mod using;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::digest::{BlobDigest, Digest, TreeDigest};
use crate::disk;
pub use blobs::{hash, mode};
pub use flaw::{Flaw, FlawKind};
pub use locks::Held;
pub use patched::LONGEST_ROOT;
pub use results::{Made, Outcome, Provenance};
pub use sources::Content;
pub use stats::{Kind, holds};
pub use units::Unit;
pub use verify::{Damage, Examined, LookedOver, Memory, Repair, Report};

/// The store of one user.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    workplace: OnceLock<Workplace>,
    opening: Mutex<()>,
    proven: proof::Proven,
    uses: using::Uses,
}

/// This process's own directory in `tmp/`; the lock tells others that it is in use.
#[derive(Debug)]
struct Workplace {
    path: PathBuf,
    _lock: disk::Lock,
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // What stays behind is swept by the next process.
        let _ = disk::remove_tree(&self.path);
    }
}

/// The store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// Bytes in the store are not what their name says.
    #[error("`{}` in the store is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In what way.
        why: String,
    },
    /// A blob that something in the store needs is not there.
    #[error("blob {0} is not in the store")]
    MissingBlob(BlobDigest),
    /// A directory that something in the store needs is not there.
    #[error("tree {0} is not in the store")]
    MissingTree(TreeDigest),
    /// The record of a tree is not here as it was, so nobody knows what was in it.
    #[error("tree {tree} in the store is {how}, so nobody knows what is needed: nothing is removed")]
    Lost {
        /// The tree.
        tree: String,
        /// In which way.
        how: &'static str,
        /// A site that leads to it.
        site: PathBuf,
        /// What of that site does.
        because: String,
    },
    /// Something that no tree can hold.
    #[error("`{path}` cannot be kept")]
    Unfit {
        /// Where it stands.
        path: String,
        /// Why not.
        #[source]
        source: crate::tree::Error,
    },
    /// A prefix would lie at a path that is too long to stand in its files.
    #[error("`{file}` has room for a path of {} bytes, and that of its prefix has {}", crate::placeholder::PLACEHOLDER.len(), path.as_os_str().len())]
    LongPath {
        /// Where the prefix would lie.
        path: PathBuf,
        /// A file that holds the path of its prefix.
        file: String,
    },
    /// A file that is neither regular nor a directory nor a symlink.
    #[error("`{0}` is neither a file, a directory nor a symlink")]
    Special(String),
    /// Another process holds a lock, and the wait ran out.
    #[error("{what} is locked by {}", holder(*pid))]
    Locked {
        /// What is locked.
        what: String,
        /// Who holds it, where known.
        pid: Option<u32>,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl Store {
    /// The store at this path. Nothing is read or made before it is needed.
    pub fn at(root: PathBuf) -> Self {
        let (proven, uses) = (proof::Proven::default(), using::Uses::default());
        Self { root, workplace: OnceLock::new(), opening: Mutex::new(()), proven, uses }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A directory for temporary files, on the store's own file system so that they can be renamed into place. It
    /// belongs to this process alone and goes with it.
    pub fn temporary_directory(&self) -> Result<PathBuf, Error> {
        if let Some(workplace) = self.workplace.get() {
            return Ok(workplace.path.clone());
        }
        // Whoever opens a second one would take the first for abandoned while it has no lock yet.
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(workplace) = self.workplace.get() {
            return Ok(workplace.path.clone());
        }
        let workplace = self.open_workplace()?;
        Ok(self.workplace.get_or_init(|| workplace).path.clone())
    }

    fn open_workplace(&self) -> Result<Workplace, Error> {
        let all = self.root.join("tmp");
        disk::create_directories(&all)?;
        sweep(&all);
        let path = disk::temporary_directory_in(&all)?.keep();
        match disk::try_lock(&path.join("lock")) {
            // Between the making and the locking another process may take it for abandoned: it is locked then, or gone, or
            // what we locked was just removed.
            Ok(disk::TryLock::Held(lock)) if disk::is_file(&path.join("lock")) => Ok(Workplace { path, _lock: lock }),
            Ok(_) => self.open_workplace(),
            Err(_) if !disk::is_directory(&path) => self.open_workplace(),
            Err(error) => Err(error.into()),
        }
    }

    fn path_of<K>(&self, kind: &str, digest: &Digest<K>) -> PathBuf {
        let hex = digest.hex();
        self.root.join(kind).join(&hex[..2]).join(&hex[2..])
    }

    /// Write bytes under a name that is given by their content.
    fn put<K>(&self, kind: &str, digest: &Digest<K>, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path_of(kind, digest);
        let _using = self.using();
        if disk::file_size(&path) == Some(bytes.len() as u64) {
            let _ = if kind == "blobs" { self.use_content(&path) } else { self.use_record(&path) };
            return Ok(());
        }
        let file = disk::temporary_in(&self.temporary_directory()?)?;
        disk::write(file.path(), bytes)?;
        Ok(place(file, 0o444, &path)?)
    }
}

/// Give a finished temporary file its mode and name.
fn place(file: tempfile::NamedTempFile, mode: u32, path: &Path) -> disk::Result<()> {
    disk::create_directories(path.parent().expect("every name in the store has a directory"))?;
    disk::persist(file, mode, path)
}

/// Remove what dead processes left. Where that fails, it stays until the next time.
fn sweep(all: &Path) {
    for (name, _) in disk::list_if_exists(all).unwrap_or_default() {
        let path = all.join(name);
        if let Ok(disk::TryLock::Held(_lock)) = disk::try_lock(&path.join("lock")) {
            let _ = disk::remove_tree(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_is_swept() {
        let directory = tempfile::tempdir().unwrap();
        let left = directory.path().join("tmp/dead");
        disk::create_directories(&left).unwrap();
        let store = Store::at(directory.path().to_owned());
        let ours = store.temporary_directory().unwrap();
        assert!(!left.exists());
        let other = Store::at(directory.path().to_owned());
        other.temporary_directory().unwrap();
        assert!(ours.exists(), "a living process keeps its own");
    }
}
