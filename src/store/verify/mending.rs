//! Mending: what is damaged of a tree and its files is taken away, and what is whole elsewhere takes its place.
//!
//! A file of a prefix is a link to its blob: one inode, damaged under both names. So a blob is never written to; a new file
//! takes its place, and a prefix is made anew of new links.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

use rayon::prelude::*;

use super::super::{Error, Store, blobs};
use super::prefix::Examined;
use crate::digest::TreeDigest;
use crate::disk::{self, Identity};
use crate::placeholder::{self, Patch};
use crate::tree::{File, Node, Tree};

impl Store {
    /// Take away what is damaged of the files and directories of a tree, and bring back what its prefix, as it was
    /// examined, or another name in the store still has. Gives the tree, if all of it is here now.
    pub fn mend(&self, digest: TreeDigest, examined: &Examined) -> Result<Option<Tree>, Error> {
        let _using = self.using();
        self.restore_tree(digest, examined)?;
        let Some(tree) = self.tree(digest)? else { return Ok(None) };
        let whole = examined.whole_files(&tree);
        let good: HashSet<Identity> = whole.values().map(|(identity, _)| *identity).collect();
        let files: HashSet<File> = tree.files().collect();
        let place = self.prefix_path(digest);
        files.into_par_iter().try_for_each(|file| {
            let from = whole.get(&file).map(|(_, path)| path.as_str());
            self.mend_file(file, &good, from.map(|path| (&*place, path)), examined)
        })?;
        self.whole_tree(digest)
    }

    /// Take away the damaged directories of a tree, and bring back all of it where its prefix, as it was examined, is whole.
    pub(super) fn restore_tree(&self, digest: TreeDigest, examined: &Examined) -> Result<(), Error> {
        self.remove_damaged_directories(digest)?;
        if examined.tree.digest() != digest {
            return Ok(());
        }
        // What lies below one that is not here was not found from above.
        for (directory, _) in &examined.tree.encode().directories {
            let path = self.path_of("trees", directory);
            if disk::read_if_exists(&path)?.is_some_and(|bytes| TreeDigest::of(&bytes) != *directory) {
                disk::remove_file(&path)?;
            }
        }
        self.put_tree(&examined.tree).map(drop)
    }

    /// Take away what is damaged of a tree, files and directories.
    pub fn remove_damaged(&self, digest: TreeDigest) -> Result<(), Error> {
        self.remove_damaged_directories(digest)?;
        let Some(tree) = self.tree(digest)? else { return Ok(()) };
        let files: HashSet<File> = tree.files().collect();
        files.into_par_iter().try_for_each(|file| self.remove_if_damaged(file, &HashSet::new()).map(drop))
    }

    /// Make a ready prefix anew in the place of what is there, in one step.
    pub fn remake(&self, tree: &Tree) -> Result<(), Error> {
        let _using = self.using();
        let _held = self.hold_prefix(tree.digest())?;
        self.make_prefix(tree)
    }

    pub(super) fn remove_damaged_directories(&self, digest: TreeDigest) -> Result<(), Error> {
        let path = self.path_of("trees", &digest);
        let Some(bytes) = disk::read_if_exists(&path)? else { return Ok(()) };
        let mut below = Vec::new();
        let decoded = Tree::decode(&bytes, |child| {
            below.push(child);
            Ok::<_, crate::tree::Error>(Tree::default())
        });
        if TreeDigest::of(&bytes) != digest || decoded.is_err() {
            return Ok(disk::remove_file(&path)?);
        }
        below.into_iter().try_for_each(|child| self.remove_damaged_directories(child))
    }

    /// Whether a file is here and whole; one that is damaged is removed, and one with another mode gets its own.
    fn remove_if_damaged(&self, file: File, good: &HashSet<Identity>) -> Result<bool, Error> {
        let path = self.file_path(file);
        if !disk::exists(&path) {
            return Ok(false);
        }
        let is_good = self.has_file(file) && disk::identity(&path).is_ok_and(|identity| good.contains(&identity));
        let is_good =
            is_good || (self.has_file(file) && blobs::hash(&path).is_ok_and(|it| it == (file.blob, file.size)));
        if !is_good {
            self.proven.remove(&path);
            disk::remove_tree(&path)?;
            return Ok(false);
        }
        if disk::mode(&path) != Some(blobs::mode(file.executable)) {
            disk::set_mode(&path, blobs::mode(file.executable))?;
        }
        Ok(true)
    }

    fn mend_file(
        &self,
        file: File,
        good: &HashSet<Identity>,
        from: Option<(&Path, &str)>,
        examined: &Examined,
    ) -> Result<(), Error> {
        if self.remove_if_damaged(file, good)? {
            return Ok(());
        }
        let twin = self.file_path(File { executable: !file.executable, ..file });
        if disk::is_file(&twin) && self.copy_in(&twin, file)? {
            return Ok(());
        }
        let Some((prefix, path)) = from else { return Ok(()) };
        let patches = examined.patches.as_ref().and_then(|all| Some((all, all.files.get(path)?)));
        let copied = match patches {
            None => self.copy_in(&prefix.join(path), file).map(drop),
            Some((patches, places)) => self.copy_unpatched(&prefix.join(path), file, &patches.path, places),
        };
        match copied {
            // It was taken away since it was examined, so it is of no help.
            Err(Error::Disk(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            copied => copied,
        }
    }

    fn copy_unpatched(&self, from: &Path, file: File, real: &str, places: &[Patch]) -> Result<(), Error> {
        let bytes = placeholder::undo(&disk::read(from)?, real, places);
        bytes.map_or(Ok(()), |bytes| self.put_file(&bytes, file.executable).map(drop))
    }
}

impl Examined {
    /// The files of a tree that the prefix has as they should be, with what they are called there.
    fn whole_files(&self, tree: &Tree) -> HashMap<File, (Identity, String)> {
        let right: HashSet<File> = tree.files().collect();
        let whole = self.seen.iter().filter_map(|seen| match seen.node {
            Some(Node::File(file)) if right.contains(&file) => Some((file, (seen.look.identity, seen.path.clone()))),
            _ => None,
        });
        whole.collect()
    }
}
