//! A directory of the user's as a source: its content by git's rules of what is ignored.
//!
//! What a build will see is the directory, or, where it is a package of cargo's, the root of its workspace; where that
//! depends by path on packages outside, it is the directory above all of them, with only these in it, each where it
//! was. Rules count for all files, also for one that git tracks although they ignore it.
//!
//! Looking computes digests and copies nothing; what was looked at before is known by its [`memo`].

mod memo;
mod packages;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::cargo_project;
use super::tarball::symlink_target;
use crate::digest::{BlobDigest, Hasher};
use crate::disk::{self, Found, Kind};
use crate::store::{self, Store};
use crate::tree::{self, File, Node, Tree};
use memo::Memory;
pub use memo::PathMemo;

/// A directory cannot be a source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// What cargo would say about it.
    #[error("the packages of `{}` do not fit together", directory.display())]
    Project { directory: PathBuf, source: cargo_project::Error },
    /// It is no directory.
    #[error("`{}` is not a directory", .0.display())]
    NoDirectory(PathBuf),
    /// A name that no tree can hold.
    #[error("`{}` has a name that is not UTF-8", .0.display())]
    Name(PathBuf),
    /// A file that is neither regular nor a directory nor a symlink.
    #[error("`{}` is neither a file, a directory nor a symlink", .0.display())]
    Special(PathBuf),
    /// A symlink to where no build can follow.
    #[error("the symlink `{}` leads to `{target}`, outside of `{}`", path.display(), root.display())]
    Symlink { path: PathBuf, target: String, root: PathBuf },
    /// A dependency that is not where it is said to be.
    #[error("`{}` depends on a package in `{}`, where there is no `Cargo.toml`", package.display(), dependency.display())]
    NoDependency { package: PathBuf, dependency: PathBuf },
    /// A dependency that would have to be in the same place everywhere.
    #[error("`{}` depends on `{}` by an absolute path", package.display(), dependency.display())]
    Absolute { package: PathBuf, dependency: PathBuf },
    /// A dependency whose place cannot be kept.
    #[error("`{}` depends on a package in `{}`, which is reached through a symlink", package.display(), dependency.display())]
    Linked { package: PathBuf, dependency: PathBuf },
    /// A file is another one than a moment ago.
    #[error("`{}` was edited while it was read; run it again", .0.display())]
    Changed(PathBuf),
    /// Two files with one path.
    #[error(transparent)]
    Tree(#[from] tree::Error),
}

/// What a directory holds.
#[derive(Clone, Debug)]
pub struct PathSource {
    /// The directory that a build sees as its source.
    pub root: PathBuf,
    /// The named directory inside of it; empty where it is the root itself.
    pub subdir: String,
    /// The files, relative to the root.
    pub tree: Tree,
}

/// Look at a directory: which files belong to it, and their digests. Nothing is copied.
pub fn look(directory: &Path, memo: &PathMemo) -> Result<PathSource, Error> {
    let directory = disk::canonical(directory)?;
    if !disk::is_directory(&directory) {
        return Err(Error::NoDirectory(directory));
    }
    let parts = packages::parts(&directory)?;
    let root = above_all(parts.keys());
    let mut found = Vec::new();
    for (part, files) in parts {
        let below = part.strip_prefix(&root).expect("the root is above all parts");
        found.extend(files.into_iter().map(|one| Found { path: below.join(&one.path), ..one }));
    }
    let tree = tree_of(&root, &found, &memo.recall(&directory))?;
    let subdir = directory.strip_prefix(&root).expect("the root is above the directory");
    let subdir = subdir.to_str().ok_or_else(|| Error::Name(directory.clone()))?.to_owned();
    Ok(PathSource { root, subdir, tree })
}

/// Bring the files of a directory into the store, as they were when they were looked at.
pub fn ingest(source: &PathSource, store: &Store) -> Result<(), Error> {
    let leaves = source.tree.leaves();
    leaves.par_iter().try_for_each(|(path, node)| {
        let (path, Node::File(file)) = (source.root.join(path), node) else { return Ok(()) };
        match store.copy_in(&path, *file) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Changed(path)),
            Err(store::Error::Disk(error)) => Err(gone(&path, error)),
            Err(error) => Err(error.into()),
        }
    })?;
    store.put_tree(&source.tree)?;
    Ok(())
}

/// The longest path that is above all of these, or one of them.
fn above_all<'p>(parts: impl Iterator<Item = &'p PathBuf>) -> PathBuf {
    let common = |a: PathBuf, b: PathBuf| {
        a.components().zip(b.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
    };
    parts.cloned().reduce(common).unwrap_or_default()
}

fn tree_of(root: &Path, found: &[Found], memory: &Memory<'_>) -> Result<Tree, Error> {
    let known: Vec<_> = found.iter().map(|one| memory.digest(one)).collect();
    let is_file = |one: &Found| matches!(one.kind, Kind::File { .. });
    let unknown = found.iter().zip(&known).any(|(one, known)| is_file(one) && known.is_none());
    // What changes from now on is not to be relied on.
    let as_of = if unknown { memory.now() } else { memory.as_of() };
    let digest = |(one, known): (&Found, Option<BlobDigest>)| match known {
        None if is_file(one) => hash(root, one).map(Some),
        known => Ok(known),
    };
    let digests = found.par_iter().zip(known).map(digest).collect::<Result<Vec<_>, Error>>()?;
    memory.save(as_of, found, &digests);
    let mut tree = Tree::default();
    for (one, digest) in found.iter().zip(digests) {
        let name = one.path.to_str().ok_or_else(|| Error::Name(root.join(&one.path)))?;
        tree.insert(name, node(root, name, one, digest)?)?;
    }
    Ok(tree)
}

fn node(root: &Path, name: &str, found: &Found, digest: Option<BlobDigest>) -> Result<Node, Error> {
    let path = root.join(&found.path);
    match found.kind {
        Kind::File { executable } => {
            let blob = digest.ok_or_else(|| Error::Changed(path))?;
            Ok(Node::File(File { blob, size: found.stamp.size, executable }))
        }
        Kind::Symlink => {
            let target = disk::read_link(&path).ok_or_else(|| Error::Changed(path.clone()))?;
            let target = target.to_str().ok_or_else(|| Error::Name(path.clone()))?.to_owned();
            match symlink_target(name, target.as_bytes()) {
                Ok(_) => Ok(Node::Symlink(target)),
                Err(_) => Err(Error::Symlink { path, target, root: root.to_owned() }),
            }
        }
        Kind::Directory | Kind::Other => Err(Error::Special(path)),
    }
}

fn hash(root: &Path, found: &Found) -> Result<BlobDigest, Error> {
    let path = root.join(&found.path);
    let mut file = disk::open(&path).map_err(|error| gone(&path, error))?;
    let mut hasher = Hasher::default();
    let size = io::copy(&mut file, &mut hasher).map_err(|error| disk::Error::new("read", &path, error))?;
    if size == found.stamp.size { Ok(hasher.finish()) } else { Err(Error::Changed(path)) }
}

/// A file that was there a moment ago was edited: many editors replace files.
fn gone(path: &Path, error: disk::Error) -> Error {
    let gone = error.kind() == io::ErrorKind::NotFound && error.path() == path;
    if gone { Error::Changed(path.to_owned()) } else { error.into() }
}
