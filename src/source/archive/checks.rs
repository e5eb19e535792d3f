//! What is done to an archive's tree when all of it was read: directories above it are taken off, and what can only be
//! told of the whole is checked. Pure.

use std::collections::BTreeMap;

use super::super::tarball::{Error, symlink_target};
use crate::tree::{Node, Tree};

/// Which directories above an archive's files are taken off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strip {
    /// One, if everything lies below it.
    #[default]
    Common,
    /// So many, whatever they are called. A file or symlink that lies above is an error.
    Components(u32),
}

/// The tree that an archive stands for.
pub(super) fn finished(tree: Tree, strip: Strip) -> Result<Tree, Error> {
    let tree = match strip {
        Strip::Common => without_common(tree),
        Strip::Components(count) => (0..count).try_fold(tree, |tree, _| without_first(&tree))?,
    };
    if tree.leaves().is_empty() {
        return Err(Error::Whole("has no files in it"));
    }
    check_symlinks(&tree)?;
    check_cases(&tree, "")?;
    Ok(tree)
}

fn without_common(tree: Tree) -> Tree {
    let only = |tree: &Tree| match tree.entries().next() {
        Some((_, Node::Directory(only))) if tree.entries().count() == 1 => Some(only.clone()),
        _ => None,
    };
    only(&tree).unwrap_or(tree)
}

fn without_first(tree: &Tree) -> Result<Tree, Error> {
    let mut parts = Vec::new();
    for (name, node) in tree.entries() {
        let Node::Directory(below) = node else {
            return Err(Error::entry(name, "lies above the directories that are to be taken off"));
        };
        parts.push((name, below));
    }
    Tree::merge(parts).map_err(|collisions| {
        let path = collisions.first().map(|collision| collision.path.clone()).unwrap_or_default();
        Error::entry(path, "is there twice without the directories that are to be taken off")
    })
}

/// A symlink that led to a place in the archive may lead out of what is left of it.
fn check_symlinks(tree: &Tree) -> Result<(), Error> {
    for (path, node) in tree.leaves() {
        if let Node::Symlink(target) = node {
            symlink_target(&path, target.as_bytes()).map_err(|what| Error::entry(&path, what))?;
        }
    }
    Ok(())
}

/// Two names in one directory that differ in upper and lower case alone are one name on other file systems.
fn check_cases(tree: &Tree, prefix: &str) -> Result<(), Error> {
    let mut seen = BTreeMap::new();
    for (name, node) in tree.entries() {
        let path = format!("{prefix}{name}");
        if let Some(other) = seen.insert(name.to_lowercase(), name) {
            let what = format!("differs from `{prefix}{other}` in upper and lower case alone");
            return Err(Error::entry(path, what));
        }
        if let Node::Directory(below) = node {
            check_cases(below, &format!("{path}/"))?;
        }
    }
    Ok(())
}
