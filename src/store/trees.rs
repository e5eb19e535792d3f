//! Trees: kept as one file for each directory, so that trees share what they have in common.

use std::path::{Path, PathBuf};

use super::{Error, Store};
use crate::digest::TreeDigest;
use crate::disk::{self, Kind};
use crate::tree::{Node, Tree};

impl Store {
    /// Keep a tree's directories. The bytes of its files are kept on their own.
    pub fn put_tree(&self, tree: &Tree) -> Result<TreeDigest, Error> {
        let encoded = tree.encode();
        for (digest, bytes) in &encoded.directories {
            self.put("trees", digest, bytes)?;
        }
        Ok(encoded.root)
    }

    /// A tree, proven, or nothing where a directory of it is not here.
    pub fn tree(&self, digest: TreeDigest) -> Result<Option<Tree>, Error> {
        match self.load(digest) {
            Ok(tree) => Ok(Some(tree)),
            Err(Error::MissingTree(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn load(&self, digest: TreeDigest) -> Result<Tree, Error> {
        let path = self.path_of("trees", &digest);
        let bytes = disk::read_if_exists(&path)?.ok_or(Error::MissingTree(digest))?;
        let found = TreeDigest::of(&bytes);
        if found != digest {
            return Err(Error::Damaged { path, why: format!("its content is {found}") });
        }
        Tree::decode(&bytes, |child| self.load(child))
    }

    /// A directory of a tree that is not here.
    pub(super) fn missing_directory(&self, digest: TreeDigest) -> Option<TreeDigest> {
        match self.load(digest) {
            Err(Error::MissingTree(missing)) => Some(missing),
            _ => None,
        }
    }

    /// A tree all of whose files are here too, to be used, or nothing.
    pub fn whole_tree(&self, digest: TreeDigest) -> Result<Option<Tree>, Error> {
        let path = self.path_of("trees", &digest);
        if !disk::exists(&path) {
            return Ok(None);
        }
        let _using = self.using();
        if !self.use_record(&path) {
            return Ok(None);
        }
        let tree = self.tree(digest)?;
        Ok(tree.filter(|tree| tree.files().all(|file| self.has_file(file))))
    }

    /// A file or directory of a tree that is here and can be told to be damaged without reading files; nothing where one is
    /// just missing.
    pub fn damaged_part(&self, digest: TreeDigest) -> Result<Option<PathBuf>, Error> {
        let tree = match self.tree(digest) {
            Err(Error::Damaged { path, .. }) => return Ok(Some(path)),
            tree => tree?.unwrap_or_default(),
        };
        let damaged = tree.files().find(|file| !self.has_file(*file) && disk::exists(&self.file_path(*file)));
        Ok(damaged.map(|file| self.file_path(file)))
    }

    /// Move a directory's content into the store: every byte read once, no byte copied.
    pub fn ingest(&self, directory: &Path) -> Result<Tree, Error> {
        let mut tree = Tree::default();
        self.ingest_into(directory, "", &mut tree)?;
        self.put_tree(&tree)?;
        Ok(tree)
    }

    fn ingest_into(&self, directory: &Path, prefix: &str, tree: &mut Tree) -> Result<(), Error> {
        for (name, kind) in disk::list(directory)? {
            let path = directory.join(&name);
            let shown = format!("{prefix}{}", name.to_string_lossy());
            let unfit = |source| Error::Unfit { path: shown.clone(), source };
            let name = name.to_str().ok_or_else(|| unfit(crate::tree::Error::Name(shown.clone())))?;
            let inside = format!("{prefix}{name}");
            match kind {
                Kind::File { executable } => {
                    let file = self.ingest_file(&path, executable)?;
                    tree.insert(&inside, Node::File(file)).map_err(unfit)?;
                }
                Kind::Directory => {
                    tree.insert(&inside, Node::Directory(Tree::default())).map_err(unfit)?;
                    self.ingest_into(&path, &format!("{inside}/"), tree)?;
                }
                Kind::Symlink => {
                    let target = disk::read_link(&path).and_then(|target| target.to_str().map(str::to_owned));
                    let target = target.ok_or_else(|| unfit(crate::tree::Error::Name(shown.clone())))?;
                    tree.insert(&inside, Node::Symlink(target)).map_err(unfit)?;
                }
                Kind::Other => return Err(Error::Special(shown)),
            }
        }
        Ok(())
    }
}

impl From<crate::tree::Error> for Error {
    fn from(source: crate::tree::Error) -> Self {
        Self::Unfit { path: "a tree in the store".to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let built = directory.path().join("built");
        disk::create_directories(&built.join("bin")).unwrap();
        disk::create_directories(&built.join("empty")).unwrap();
        disk::write_new(&built.join("bin/run"), b"#!/bin/sh\n", 0o755).unwrap();
        disk::symlink(Path::new("run"), &built.join("bin/alias")).unwrap();
        let tree = store.ingest(&built).unwrap();
        assert_eq!(store.whole_tree(tree.digest()).unwrap(), Some(tree.clone()));
        let Some(Node::File(file)) = tree.get("bin/run") else { panic!("bin/run is a file") };
        disk::remove_file(&store.file_path(*file)).unwrap();
        assert_eq!(store.whole_tree(tree.digest()).unwrap(), None, "a tree without its bytes is not whole");
        assert!(store.tree(tree.digest()).unwrap().is_some());
    }
}
