//! Reading a commit's files into the store: straight from git's objects, each hashed once.
//!
//! Nothing is checked out, so nothing of the host's or the user's configuration touches a byte: no ends of lines, no
//! filters, no attributes. What attributes would have fetched from elsewhere (Git LFS) is an error that names it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use git2::{ObjectType, Oid};
use rayon::prelude::*;

use super::entries::Kind;
use super::mirror::Submodule;
use super::objects::{Leaf, MOST_ENTRIES, Objects, ReadError};
use super::{address, modules};
use crate::source::tarball::symlink_target;
use crate::store::{self, Store};
use crate::tree::{File, Node, Tree};
use crate::{digest::Commit, disk};

/// The longest target of a symlink; Linux has this limit.
const LONGEST_TARGET: u64 = 4096;

/// How a pointer to a file in Git LFS begins, and how long it may be.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
const LONGEST_POINTER: usize = 1024;

/// The largest `.gitmodules`.
const LARGEST_MODULES: u64 = 1 << 20;

/// A commit's files could not be read.
#[derive(Debug)]
pub(super) enum Problem {
    /// Its objects.
    Read(ReadError),
    /// A file that is only a pointer.
    Lfs(String),
    /// More bytes than there may be.
    TooLarge,
    /// The store.
    Store(store::Error),
}

impl<E: Into<ReadError>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::Read(error.into())
    }
}

/// What may still be read: of a commit and all its submodules together.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) bytes: u64,
    pub(super) entries: usize,
}

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        Self { bytes, entries: MOST_ENTRIES }
    }
}

/// The submodules of a commit of the repository with this address. Those that are to be left out are not among them.
pub(super) fn submodules(objects: &Objects, leaves: &[Leaf], url: &str) -> Result<Vec<Submodule>, ReadError> {
    let all: Vec<_> = leaves.iter().filter(|leaf| leaf.kind == Kind::Submodule).collect();
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let refused = |path: &str, what| ReadError::Entry { path: path.to_owned(), what };
    let file = leaves.iter().find(|leaf| leaf.path == MODULES);
    let text = match file.filter(|leaf| matches!(leaf.kind, Kind::File | Kind::Program)) {
        Some(leaf) if objects.size(leaf.id)? > LARGEST_MODULES => return Err(refused(MODULES, "is too large")),
        Some(leaf) => String::from_utf8_lossy(objects.read(leaf.id, ObjectType::Blob)?.data()).into_owned(),
        None => String::new(),
    };
    let modules = modules::parse(&text).map_err(|what| refused(MODULES, what))?;
    let mut submodules = Vec::new();
    for leaf in all {
        let refused = |what| refused(&leaf.path, what);
        let module =
            modules.get(&leaf.path).ok_or_else(|| refused("is a submodule that `.gitmodules` does not name"))?;
        if module.left_out {
            continue;
        }
        let url =
            address::joined(url, &module.url).map_err(|_| refused("is a submodule whose address leads nowhere"))?;
        if url.contains(char::is_control) {
            return Err(refused("is a submodule whose address is none"));
        }
        let bytes: [u8; 20] = leaf.id.as_bytes().try_into().expect("an id has 20 bytes");
        submodules.push(Submodule { path: leaf.path.clone(), url, commit: Commit::from(bytes) });
    }
    Ok(submodules)
}

const MODULES: &str = ".gitmodules";

/// The tree of a commit's leaves; its files come into the store. `prefix` is where it will stand in the whole, with a
/// `/` at its end unless it is the whole.
pub(super) fn tree(
    objects: &Objects,
    leaves: &[Leaf],
    prefix: &str,
    store: &Store,
    budget: &mut Budget,
) -> Result<Tree, Problem> {
    budget.entries = budget.entries.checked_sub(leaves.len()).ok_or(ReadError::TooMany)?;
    let files = blobs(objects, leaves, budget)?;
    let taken = take_in(objects, &files, store)?;
    let mut tree = Tree::default();
    for leaf in leaves {
        let node = match leaf.kind {
            Kind::Symlink => Node::Symlink(link(objects, leaf, prefix)?),
            // Filled by whoever reads the submodule.
            Kind::Submodule | Kind::Directory => Node::Directory(Tree::default()),
            Kind::File | Kind::Program => Node::File(taken[&(leaf.id, leaf.kind == Kind::Program)]),
        };
        let twice = |_| ReadError::Entry { path: leaf.path.clone(), what: "is there twice" };
        tree.insert(&leaf.path, node).map_err(twice)?;
    }
    Ok(tree)
}

/// Each blob that is a file once, with a path that it has.
fn blobs<'l>(objects: &Objects, leaves: &'l [Leaf], budget: &mut Budget) -> Result<Vec<(Oid, bool, &'l str)>, Problem> {
    let mut files: BTreeMap<(Oid, bool), &str> = BTreeMap::new();
    for leaf in leaves.iter().filter(|leaf| matches!(leaf.kind, Kind::File | Kind::Program)) {
        files.entry((leaf.id, leaf.kind == Kind::Program)).or_insert(&leaf.path);
    }
    for (id, _) in files.keys() {
        budget.bytes = budget.bytes.checked_sub(objects.size(*id)?).ok_or(Problem::TooLarge)?;
    }
    Ok(files.into_iter().map(|((id, program), path)| (id, program, path)).collect())
}

fn take_in<'l>(
    objects: &Objects,
    files: &[(Oid, bool, &'l str)],
    store: &Store,
) -> Result<BTreeMap<(Oid, bool), File>, Problem> {
    let directory = store.temporary_directory().map_err(Problem::Store)?;
    let directory = disk::temporary_directory_in(&directory).map_err(|error| Problem::Store(error.into()))?;
    let (number, filtered) = (AtomicUsize::new(0), AtomicBool::new(false));
    let one = |&(id, program, path): &(Oid, bool, &'l str)| {
        let object = objects.read(id, ObjectType::Blob)?;
        let bytes = object.data();
        let attributes = path.rsplit('/').next() == Some(".gitattributes");
        if attributes && String::from_utf8_lossy(bytes).contains("filter=lfs") {
            filtered.store(true, Ordering::Relaxed);
        }
        let temporary = directory.path().join(number.fetch_add(1, Ordering::Relaxed).to_string());
        let file = store.put_file_at(bytes, program, &temporary).map_err(Problem::Store)?;
        let pointer = bytes.len() < LONGEST_POINTER && bytes.starts_with(LFS_POINTER);
        Ok::<_, Problem>(((id, program), file, pointer.then_some(path)))
    };
    let taken: Vec<_> = files.par_iter().map(one).collect::<Result<_, _>>()?;
    let pointer = taken.iter().filter_map(|(_, _, pointer)| *pointer).min();
    match pointer.filter(|_| filtered.into_inner()) {
        Some(path) => Err(Problem::Lfs(path.to_owned())),
        None => Ok(taken.into_iter().map(|(key, file, _)| (key, file)).collect()),
    }
}

/// The target of a symlink, if it leads to a place inside the whole.
fn link(objects: &Objects, leaf: &Leaf, prefix: &str) -> Result<String, Problem> {
    let refused = |what| ReadError::Entry { path: leaf.path.clone(), what };
    if objects.size(leaf.id)? > LONGEST_TARGET {
        return Err(refused("is a symlink that is too long").into());
    }
    let object = objects.read(leaf.id, ObjectType::Blob)?;
    let target = symlink_target(&format!("{prefix}{}", leaf.path), object.data());
    Ok(target.map_err(|_| refused("is a symlink that leads outside the repository"))?.to_owned())
}
