//! Ready prefixes and checkouts: trees as directories, made once and shared.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{Error, Store};
use crate::digest::{Digest, TreeDigest};
use crate::disk;
use crate::tree::{File, Node, Tree};

impl Store {
    /// Where the ready prefix of a tree is, or would be.
    pub fn prefix_path(&self, digest: TreeDigest) -> PathBuf {
        self.root().join("prefixes").join(digest.hex())
    }

    /// Whether the ready prefix of a tree is here.
    pub fn has_prefix(&self, digest: TreeDigest) -> bool {
        disk::is_directory(&self.prefix_path(digest))
    }

    /// Make the ready prefix of a tree, of links to the files in the store, unless it is here already.
    pub fn materialise(&self, tree: &Tree) -> Result<PathBuf, Error> {
        let encoded = tree.encode();
        let place = self.prefix_path(encoded.root);
        if disk::is_directory(&place) {
            return Ok(place);
        }
        let temporary = disk::temporary_directory_in(&self.temporary_directory()?)?;
        let (mut directories, mut files) = (Vec::new(), Vec::new());
        let inside = temporary.path().join("prefix");
        disk::create_directory(&inside, 0o755)?;
        lay_directories(tree, &inside, &mut directories, &mut files)?;
        files.par_iter().with_min_len(128).try_for_each(|(file, path)| self.link(*file, path))?;
        for directory in directories.iter().rev().filter(|directory| **directory != inside) {
            disk::set_mode(directory, 0o555)?;
        }
        publish(&inside, &place)?;
        // A directory that is moved must be writable by its owner, so the topmost one is closed last.
        disk::set_mode(&place, 0o555)?;
        Ok(place)
    }

    fn link(&self, file: File, path: &Path) -> Result<(), Error> {
        let from = self.file_path(file);
        if !self.has_file(file) {
            return Err(Error::MissingBlob(file.blob));
        }
        Ok(disk::link_or_copy(&from, path)?)
    }

    /// Lay a tree out in an empty directory, as copies that whoever made them may write into.
    pub fn lay_out(&self, tree: &Tree, directory: &Path) -> Result<(), Error> {
        let (mut directories, mut files) = (Vec::new(), Vec::new());
        lay_directories(tree, directory, &mut directories, &mut files)?;
        files.par_iter().with_min_len(32).try_for_each(|(file, path)| {
            if !self.has_file(*file) {
                return Err(Error::MissingBlob(file.blob));
            }
            disk::copy(&self.file_path(*file), path)?;
            Ok(disk::set_mode(path, if file.executable { 0o755 } else { 0o644 })?)
        })
    }

    /// Where the checkout of something is, or would be, by the digest of what it was made from.
    pub fn checkout_path<K>(&self, from: Digest<K>) -> PathBuf {
        self.path_of("checkouts", &from)
    }

    /// Make a checkout, by a function that fills an empty directory, unless it is here already.
    pub fn checkout<K, E: From<Error>>(
        &self,
        from: Digest<K>,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let place = self.checkout_path(from);
        if disk::is_directory(&place) {
            return Ok(place);
        }
        let temporary = disk::temporary_directory_in(&self.temporary_directory()?).map_err(Error::from)?;
        let inside = temporary.path().join("checkout");
        disk::create_directory(&inside, 0o755).map_err(Error::from)?;
        fill(&inside)?;
        publish(&inside, &place)?;
        Ok(place)
    }
}

/// Make a tree's directories and symlinks in a directory, and collect its files.
fn lay_directories(
    tree: &Tree,
    at: &Path,
    directories: &mut Vec<PathBuf>,
    files: &mut Vec<(File, PathBuf)>,
) -> Result<(), Error> {
    directories.push(at.to_owned());
    for (name, node) in tree.entries() {
        let path = at.join(name);
        match node {
            Node::File(file) => files.push((*file, path)),
            Node::Directory(below) => {
                disk::create_directory(&path, 0o755)?;
                lay_directories(below, &path, directories, files)?;
            }
            Node::Symlink(target) => disk::symlink(Path::new(target), &path)?,
        }
    }
    Ok(())
}

/// Give a finished directory its name. Where another process was first, its work is as good.
fn publish(finished: &Path, place: &Path) -> Result<(), Error> {
    disk::create_directories(place.parent().expect("every name in the store has a directory"))?;
    match disk::rename(finished, place) {
        Err(_) if disk::is_directory(place) => Ok(()),
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::BlobDigest;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_prefix_is_read_only_and_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let built = directory.path().join("built");
        disk::create_directories(&built.join("bin")).unwrap();
        disk::write_new(&built.join("bin/run"), b"#!/bin/sh\n", 0o755).unwrap();
        let tree = store.ingest(&built).unwrap();
        let prefix = store.materialise(&tree).unwrap();
        let mode = |path: &str| prefix.join(path).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(""), mode("bin"), mode("bin/run")), (0o555, 0o555, 0o555));
        assert_eq!(store.materialise(&tree).unwrap(), prefix);
        disk::remove_tree(&prefix).unwrap();
    }

    #[test]
    fn a_laid_out_tree_can_be_written_into_and_the_store_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let built = directory.path().join("built");
        disk::create_directories(&built.join("bin")).unwrap();
        disk::write_new(&built.join("bin/run"), b"#!/bin/sh\n", 0o755).unwrap();
        disk::symlink(Path::new("run"), &built.join("bin/alias")).unwrap();
        let tree = store.ingest(&built).unwrap();
        let copy = directory.path().join("copy");
        disk::create_directory(&copy, 0o755).unwrap();
        store.lay_out(&tree, &copy).unwrap();
        assert_eq!(copy.join("bin/run").metadata().unwrap().permissions().mode() & 0o777, 0o755);
        disk::write(&copy.join("bin/run"), b"changed").unwrap();
        assert_eq!(store.read_file(tree.files().next().unwrap()).unwrap(), b"#!/bin/sh\n");
        assert!(store.lay_out(&tree, &copy).is_err(), "what is there is not laid over");
    }

    #[test]
    fn a_prefix_whose_bytes_are_missing_is_not_made() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let mut tree = Tree::default();
        let file = File { blob: BlobDigest::of(b"gone"), size: 4, executable: false };
        tree.insert("file", Node::File(file)).unwrap();
        assert!(matches!(store.materialise(&tree), Err(Error::MissingBlob(_))));
        assert!(!store.has_prefix(tree.digest()));
    }
}
