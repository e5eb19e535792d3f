//! Ready prefixes and checkouts: trees as directories, made once and shared.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::patched::{Known, Patches};
use super::{Error, Held, Store};
use crate::digest::{BlobDigest, Digest, TreeDigest};
use crate::disk;
use crate::placeholder::Patch;
use crate::progress::Silent;
use crate::tree::{File, Node, Tree};

impl Store {
    /// Where the ready prefix of a tree is, or would be.
    pub fn prefix_path(&self, digest: TreeDigest) -> PathBuf {
        self.root().join("prefixes").join(digest.hex())
    }

    /// Whether the ready prefix of a tree is here, made for where it is.
    pub fn has_prefix(&self, digest: TreeDigest) -> Result<bool, Error> {
        let place = self.prefix_path(digest);
        Ok(disk::is_directory(&place)
            && match self.patches(digest)? {
                Known::None => true,
                Known::Some(patches) => patches.are_for(&place),
                Known::Unreadable => false,
            })
    }

    /// Make the ready prefix of a tree, of links to the files in the store, unless it is here already.
    pub fn materialise(&self, tree: &Tree) -> Result<PathBuf, Error> {
        let digest = tree.digest();
        let _using = self.using();
        self.use_content(&self.prefix_path(digest));
        if !self.has_prefix(digest)? {
            let _held = self.hold_prefix(digest)?;
            // Whoever held it before us may have made it.
            if !self.has_prefix(digest)? {
                self.make_prefix(tree)?;
            }
        }
        Ok(self.prefix_path(digest))
    }

    /// Keep other processes from making the same prefix.
    pub(super) fn hold_prefix(&self, digest: TreeDigest) -> Result<Held, Error> {
        let lock = self.root().join("locks").join(format!("prefix-{}", digest.hex()));
        Held::take(&lock, &format!("prefix {digest}"), None, &Silent)
    }

    /// Make the ready prefix of a tree in the place of whatever is there. The caller holds it.
    pub(super) fn make_prefix(&self, tree: &Tree) -> Result<(), Error> {
        let digest = tree.digest();
        let holders = self.holders(tree)?;
        let real = if holders.is_empty() { String::new() } else { self.real_path(digest, tree, &holders)? };
        // Should it ever be damaged, it is made anew from this.
        self.put_tree(tree)?;
        let temporary = disk::temporary_directory_in(&self.temporary_directory()?)?;
        let inside = temporary.path().join("prefix");
        let patched = self.lay_out_prefix(tree, &inside, &holders, &real)?;
        let patches = (!patched.is_empty()).then_some(Patches { path: real, files: patched });
        self.place_prefix(&inside, digest, patches.as_ref())
    }

    /// Lay out a prefix in a new directory. Files that hold the placeholder get the real path; says which, and where.
    fn lay_out_prefix(
        &self,
        tree: &Tree,
        to: &Path,
        holders: &HashSet<BlobDigest>,
        real: &str,
    ) -> Result<BTreeMap<String, Vec<Patch>>, Error> {
        let (mut directories, mut files, mut symlinks) = (Vec::new(), Vec::new(), Vec::new());
        disk::create_directory(to, 0o755)?;
        make_directories(tree, to, &mut directories, &mut files, &mut symlinks)?;
        symlinks.iter().try_for_each(|(target, path)| disk::symlink(Path::new(target), path))?;
        let (patched, linked): (Vec<_>, Vec<_>) = files.into_iter().partition(|(file, _)| holders.contains(&file.blob));
        linked.par_iter().with_min_len(128).try_for_each(|(file, path)| self.link(*file, path))?;
        let patch = |(file, path): &(File, PathBuf)| {
            let name = path.strip_prefix(to).ok().and_then(Path::to_str).expect("trees have texts for names");
            Ok((name.to_owned(), self.copy_patched(*file, path, real)?))
        };
        let patched = patched.par_iter().map(patch).collect::<Result<_, Error>>()?;
        directories.iter().rev().try_for_each(|directory| disk::set_mode(directory, 0o555))?;
        Ok(patched)
    }

    /// Give a finished prefix its name. Whenever this is cut short, what is there is whole, or counts as not there.
    fn place_prefix(&self, finished: &Path, digest: TreeDigest, patches: Option<&Patches>) -> Result<(), Error> {
        let place = self.prefix_path(digest);
        disk::create_directories(place.parent().expect("every name in the store has a directory"))?;
        if disk::is_directory(&place) {
            // A directory that is moved must be writable by its owner.
            disk::set_mode(&place, 0o755)?;
            disk::replace_directory(finished, &place)?;
            disk::set_mode(&place, 0o555)?;
            return self.put_patches(digest, patches);
        }
        self.put_patches(digest, patches)?;
        publish(finished, &place)?;
        Ok(disk::set_mode(&place, 0o555)?)
    }

    /// Lay out a tree in an empty directory that is there, of links to the files in the store; gives the directories
    /// that were made, outer ones first.
    pub fn lay_out_links(&self, tree: &Tree, to: &Path) -> Result<Vec<PathBuf>, Error> {
        let (mut directories, mut files, mut symlinks) = (Vec::new(), Vec::new(), Vec::new());
        make_directories(tree, to, &mut directories, &mut files, &mut symlinks)?;
        symlinks.iter().try_for_each(|(target, path)| disk::symlink(Path::new(target), path))?;
        files.par_iter().with_min_len(128).try_for_each(|(file, path)| self.link(*file, path))?;
        Ok(directories)
    }

    fn link(&self, file: File, path: &Path) -> Result<(), Error> {
        let from = self.file_path(file);
        if !self.has_file(file) {
            return Err(Error::MissingBlob(file.blob));
        }
        Ok(disk::link_or_copy(&from, path)?)
    }

    /// Lay out a tree in an empty directory that is there, as a copy that may be written to: directories and files
    /// with modes 0755 and 0644, or 0755 where a file may be executed, and everything modified at one time, in seconds
    /// since 1970. The directory's own mode stays.
    pub fn lay_out_copy(&self, tree: &Tree, to: &Path, time: i64) -> Result<(), Error> {
        let (mut directories, mut files, mut symlinks) = (vec![to.to_owned()], Vec::new(), Vec::new());
        make_directories(tree, to, &mut directories, &mut files, &mut symlinks)?;
        files.par_iter().with_min_len(32).try_for_each(|(file, path)| self.copy_out(*file, path, time))?;
        // Symlinks come last, so that nothing can be written through one.
        for (target, path) in &symlinks {
            disk::symlink(Path::new(target), path)?;
            disk::set_time(path, time)?;
        }
        directories.iter().rev().try_for_each(|directory| Ok(disk::set_time(directory, time)?))
    }

    fn copy_out(&self, file: File, path: &Path, time: i64) -> Result<(), Error> {
        disk::clone_or_copy(&self.proven_file(file)?, path, if file.executable { 0o755 } else { 0o644 })?;
        Ok(disk::set_time(path, time)?)
    }

    /// Where the checkout of something is, or would be, by the digest of what it was made from.
    pub fn checkout_path<K>(&self, from: Digest<K>) -> PathBuf {
        self.path_of("checkouts", &from)
    }

    /// Where the checkout of something is, if it is here; it is used then.
    pub fn ready_checkout<K>(&self, from: Digest<K>) -> Option<PathBuf> {
        let place = self.checkout_path(from);
        if !disk::is_directory(&place) {
            return None;
        }
        let _using = self.using();
        self.use_content(&place).then_some(place)
    }

    /// Make a checkout, by a function that fills an empty directory, unless it is here already.
    pub fn checkout<K, E: From<Error>>(
        &self,
        from: Digest<K>,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        self.make_checkout(from, |directory| fill(directory).map(|()| None))
    }

    /// The same, where what it holds is not told by what it is made from: the function gives the tree of what it wrote, and
    /// that is kept beside the checkout, so that it can be verified.
    pub fn sealed_checkout<K, E: From<Error>>(
        &self,
        from: Digest<K>,
        fill: impl FnOnce(&Path) -> Result<Tree, E>,
    ) -> Result<PathBuf, E> {
        self.make_checkout(from, |directory| fill(directory).map(Some))
    }

    fn make_checkout<K, E: From<Error>>(
        &self,
        from: Digest<K>,
        fill: impl FnOnce(&Path) -> Result<Option<Tree>, E>,
    ) -> Result<PathBuf, E> {
        if let Some(place) = self.ready_checkout(from) {
            return Ok(place);
        }
        let place = self.checkout_path(from);
        let temporary = disk::temporary_directory_in(&self.temporary_directory()?).map_err(Error::from)?;
        let inside = temporary.path().join("checkout");
        disk::create_directory(&inside, 0o755).map_err(Error::from)?;
        let sealed = fill(&inside)?;
        // Whoever removes the one removes the other too.
        let _using = self.using();
        if let Some(tree) = sealed {
            disk::write_whole(&seal_of(&place), format!("{}\n", tree.digest()).as_bytes()).map_err(Error::from)?;
        }
        publish(&inside, &place)?;
        Ok(place)
    }
}

/// Where the digest of what a checkout holds is.
pub(super) fn seal_of(checkout: &Path) -> PathBuf {
    checkout.with_added_extension(SEAL)
}

/// How the name of such a file ends.
pub(super) const SEAL: &str = "tree";

/// Make a tree's directories below one that is there, and collect its files and symlinks.
fn make_directories<'t>(
    tree: &'t Tree,
    at: &Path,
    directories: &mut Vec<PathBuf>,
    files: &mut Vec<(File, PathBuf)>,
    symlinks: &mut Vec<(&'t str, PathBuf)>,
) -> Result<(), Error> {
    for (name, node) in tree.entries() {
        let path = at.join(name);
        match node {
            Node::File(file) => files.push((*file, path)),
            Node::Symlink(target) => symlinks.push((target, path)),
            Node::Directory(below) => {
                disk::create_directory(&path, 0o755)?;
                disk::set_mode(&path, 0o755)?;
                directories.push(path.clone());
                make_directories(below, &path, directories, files, symlinks)?;
            }
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
    fn a_copy_may_be_written_to_and_has_one_time() {
        use std::os::unix::fs::MetadataExt as _;
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let (run, text) = (store.put_file(b"#!/bin/sh\n", true).unwrap(), store.put_file(b"text", false).unwrap());
        let mut tree = Tree::default();
        tree.insert("bin/run", Node::File(run)).unwrap();
        tree.insert("doc/text", Node::File(text)).unwrap();
        tree.insert("doc/none", Node::Directory(Tree::default())).unwrap();
        tree.insert("alias", Node::Symlink("bin/run".into())).unwrap();
        let to = directory.path().join("copy");
        disk::create_directory(&to, 0o755).unwrap();
        store.lay_out_copy(&tree, &to, 1_000_000_000).unwrap();
        let look = |path: &str| to.join(path).symlink_metadata().unwrap();
        let mode = |path: &str| look(path).mode() & 0o777;
        assert_eq!([mode("bin/run"), mode("doc/text"), mode("doc"), mode("doc/none")], [0o755, 0o644, 0o755, 0o755]);
        for path in ["", "bin", "bin/run", "doc/text", "doc/none", "alias"] {
            assert_eq!(look(path).mtime(), 1_000_000_000, "{path}");
        }
        disk::write(&to.join("doc/text"), b"other").unwrap();
        assert_eq!(store.read_file(text).unwrap(), b"text", "the store keeps its own");
        assert_eq!(store.read_file(run).unwrap(), b"#!/bin/sh\n");
        store.lay_out_copy(&tree, &to, 0).unwrap_err();
    }

    #[test]
    fn a_checkout_gets_its_seal_and_its_name_while_nothing_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let from = BlobDigest::of(b"archive");
        store.temporary_directory().unwrap();
        let disk::TryLock::Held(alone) = disk::try_lock(&store.collecting()).unwrap() else { panic!("nobody uses it") };
        let (store, filled) = (&store, &std::sync::Barrier::new(2));
        std::thread::scope(|scope| {
            let fill = |_: &Path| {
                filled.wait();
                Ok::<_, Error>(Tree::default())
            };
            let made = scope.spawn(move || store.sealed_checkout(from, fill));
            filled.wait();
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert!(!seal_of(&store.checkout_path(from)).exists() && store.ready_checkout(from).is_none());
            drop(alone);
            assert!(seal_of(&made.join().unwrap().unwrap()).exists());
        });
        assert!(store.ready_checkout(from).is_some());
    }

    #[test]
    fn a_checkout_that_is_found_is_used() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let from = BlobDigest::of(b"archive");
        let place = store.checkout::<_, Error>(from, |_| Ok(())).unwrap();
        let changed = || disk::usage(&place).unwrap().unwrap().changed;
        let before = changed();
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert_eq!(store.ready_checkout(from), Some(place.clone()));
        assert!(changed() > before);
    }

    #[test]
    fn a_copy_whose_bytes_are_missing_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let mut tree = Tree::default();
        let file = File { blob: BlobDigest::of(b"gone"), size: 4, executable: false };
        tree.insert("file", Node::File(file)).unwrap();
        let to = directory.path().join("copy");
        disk::create_directory(&to, 0o755).unwrap();
        assert!(matches!(store.lay_out_copy(&tree, &to, 0), Err(Error::MissingBlob(_))));
        assert!(disk::list(&to).unwrap().is_empty());
    }

    #[test]
    fn a_prefix_whose_bytes_are_missing_is_not_made() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let mut tree = Tree::default();
        let file = File { blob: BlobDigest::of(b"gone"), size: 4, executable: false };
        tree.insert("file", Node::File(file)).unwrap();
        assert!(matches!(store.materialise(&tree), Err(Error::MissingBlob(_))));
        assert!(!store.has_prefix(tree.digest()).unwrap());
    }
}
