//! Patched prefixes: a file that holds the placeholder is no link to its blob, but a copy with the path of its prefix.
//!
//! A list beside the prefix says where that path stands, so that it can be taken out again before the prefix is hashed:
//! all digests are of unpatched trees. The list is `prefixes/abcd….patches`, one JSON document, and there is none where
//! nothing was patched:
//!
//! ```text
//! { "version": 1,
//!   "path": "/home/me/.local/share/envy/store/prefixes/abcd…",      what stands in place of the placeholder
//!   "files": { "bin/x": [[4711, 200]], … } }                        where: offset and length, with slashes at the end
//! ```
//!
//! A store that was moved has prefixes with the path that they had before. They count as not there, and are made anew.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Error, Store, mode};
use crate::digest::{BlobDigest, TreeDigest};
use crate::disk;
use crate::placeholder::{self, PLACEHOLDER, Patch};
use crate::tree::{File, Node, Tree};

/// The longest path that a store may have, in bytes, where packages hold the path of their prefix.
pub const LONGEST_ROOT: usize = PLACEHOLDER.len() - "/prefixes/".len() - 64;

const VERSION: u32 = 1;

/// Files of up to so many bytes are read into memory whole.
const READ_WHOLE: u64 = 8 << 20;

/// Which files of a prefix have its path in place of the placeholder, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Patches {
    /// The path of the prefix.
    pub path: String,
    /// Files by their paths in it.
    pub files: BTreeMap<String, Vec<Patch>>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    path: String,
    files: BTreeMap<String, Vec<(u64, u64)>>,
}

impl Patches {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(bytes).ok().filter(|it: &Document| it.version == VERSION)?;
        let patch = |(offset, length)| Patch { offset, length };
        let files = document.files.into_iter();
        let files = files.map(|(file, patches)| (file, patches.into_iter().map(patch).collect()));
        Some(Self { path: document.path, files: files.collect() })
    }

    fn to_json(&self) -> Vec<u8> {
        let pairs = |patches: &Vec<Patch>| patches.iter().map(|patch| (patch.offset, patch.length)).collect();
        let files = self.files.iter().map(|(file, patches)| (file.clone(), pairs(patches))).collect();
        let document = Document { version: VERSION, path: self.path.clone(), files };
        serde_json::to_vec(&document).expect("texts and numbers are JSON")
    }

    /// Whether they were made for a prefix at this path, by whichever of its names.
    pub(super) fn are_for(&self, prefix: &Path) -> bool {
        let recorded = Path::new(&self.path);
        let same = || Some(disk::canonical(recorded).ok()? == disk::canonical(prefix).ok()?);
        recorded == prefix || same().unwrap_or(false)
    }
}

/// What is known of the patches of a ready prefix.
pub(super) enum Known {
    /// It has none.
    None,
    /// It has these.
    Some(Patches),
    /// The list cannot be read.
    Unreadable,
}

impl Store {
    fn patches_path(&self, prefix: TreeDigest) -> PathBuf {
        self.prefix_path(prefix).with_added_extension("patches")
    }

    /// The patches of a ready prefix.
    pub(super) fn patches(&self, prefix: TreeDigest) -> Result<Known, Error> {
        let Some(bytes) = disk::read_if_exists(&self.patches_path(prefix))? else { return Ok(Known::None) };
        Ok(Patches::parse(&bytes).map_or(Known::Unreadable, Known::Some))
    }

    /// Write down the patches of a prefix, or that it has none.
    pub(super) fn put_patches(&self, prefix: TreeDigest, patches: Option<&Patches>) -> Result<(), Error> {
        let path = self.patches_path(prefix);
        match patches {
            Some(patches) => disk::write_atomic(&path, &patches.to_json())?,
            None => disk::remove_file(&path)?,
        }
        Ok(())
    }

    /// The files of a tree that hold the placeholder. All of its files are proven on the way: whatever a prefix is made of
    /// is what its name says.
    pub(super) fn holders(&self, tree: &Tree) -> Result<HashSet<BlobDigest>, Error> {
        // What is in a tree several times is read once.
        let files: HashSet<File> = tree.files().collect();
        let files: Vec<_> = files.into_iter().collect();
        let holders = files.par_iter().with_min_len(32).map(|file| Ok(self.holds(*file)?.then_some(file.blob)));
        holders.filter_map(Result::transpose).collect()
    }

    fn holds(&self, file: File) -> Result<bool, Error> {
        if file.size <= READ_WHOLE {
            // Read once for both.
            return Ok(placeholder::is_in(&self.read_proven_file(file)?));
        }
        Ok(disk::any_piece(&self.proven_file(file)?, PLACEHOLDER.len(), placeholder::is_in)?)
    }

    /// The path of a prefix as it will stand in files of the tree that hold the placeholder, if it can stand there.
    pub(super) fn real_path(
        &self,
        prefix: TreeDigest,
        tree: &Tree,
        holders: &HashSet<BlobDigest>,
    ) -> Result<String, Error> {
        let path = self.prefix_path(prefix);
        let no_text = || disk::Error::new("write into files the path", &path, io::Error::other("it is not UTF-8"));
        let text = path.to_str().ok_or_else(no_text)?.to_owned();
        let holder = tree
            .leaves()
            .into_iter()
            .find(|(_, node)| matches!(node, Node::File(file) if holders.contains(&file.blob)));
        match holder {
            Some((file, _)) if text.len() > PLACEHOLDER.len() => Err(Error::LongPath { path, file }),
            _ => Ok(text),
        }
    }

    /// Make a file of a prefix that holds the placeholder, with this path in its place.
    pub(super) fn copy_patched(&self, file: File, to: &Path, path: &str) -> Result<Vec<Patch>, Error> {
        let (bytes, patches) = placeholder::fill(&self.read_file(file)?, path);
        let mut copy = disk::create_new(to, mode(file.executable))?;
        let written = copy.write_all(&bytes).and_then(|()| copy.sync_data());
        written.map_err(|error| disk::Error::new("write", to, error))?;
        Ok(patches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    fn binary() -> Vec<u8> {
        format!("\0{PLACEHOLDER}/share\0{PLACEHOLDER}").into_bytes()
    }

    /// A tree with a text and a binary that hold the placeholder, and a file that does not.
    fn sample(store: &Store) -> Tree {
        let mut tree = Tree::default();
        let mut add = |path: &str, bytes: &[u8], executable| {
            tree.insert(path, Node::File(store.put_file(bytes, executable).unwrap())).unwrap();
        };
        add("bin/run", &binary(), true);
        add("etc/conf", format!("home={PLACEHOLDER}\n").as_bytes(), false);
        add("etc/plain", &[b'x'; 300], false);
        store.put_tree(&tree).unwrap();
        tree
    }

    fn slashed(path: &str) -> String {
        format!("{path:/<200}")
    }

    #[test]
    fn files_with_the_placeholder_are_copies_with_the_path_of_their_prefix() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let tree = sample(&store);
        let prefix = store.materialise(&tree).unwrap();
        let real = prefix.to_str().unwrap();
        assert_eq!(disk::read(&prefix.join("etc/conf")).unwrap(), format!("home={real}\n").into_bytes());
        let long = slashed(real);
        assert_eq!(disk::read(&prefix.join("bin/run")).unwrap(), format!("\0{long}/share\0{long}").into_bytes());
        let look = |path: &str| prefix.join(path).metadata().unwrap();
        let modes = ["bin/run", "etc/conf", "etc/plain"].map(|path| look(path).permissions().mode() & 0o777);
        assert_eq!(modes, [0o555, 0o444, 0o444]);
        assert_eq!(["bin/run", "etc/conf", "etc/plain"].map(|path| look(path).nlink()), [1, 1, 2]);
        disk::remove_tree(&prefix).unwrap();
    }

    #[test]
    fn the_list_of_patches_undoes_them() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let tree = sample(&store);
        let prefix = store.materialise(&tree).unwrap();
        let Known::Some(patches) = store.patches(tree.digest()).unwrap() else { panic!("there is a list") };
        assert_eq!(patches.files.keys().collect::<Vec<_>>(), ["bin/run", "etc/conf"]);
        let bytes = disk::read(&prefix.join("bin/run")).unwrap();
        assert_eq!(placeholder::undo(&bytes, &patches.path, &patches.files["bin/run"]).unwrap(), binary());
        disk::remove_tree(&prefix).unwrap();
    }

    #[test]
    fn a_prefix_of_a_moved_store_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (directory.path().join("old"), directory.path().join("new"));
        let store = Store::at(old.clone());
        let tree = sample(&store);
        store.materialise(&tree).unwrap();
        drop(store);
        disk::rename(&old, &new).unwrap();
        let store = Store::at(new.clone());
        assert!(!store.has_prefix(tree.digest()).unwrap());
        let prefix = store.materialise(&tree).unwrap();
        assert!(prefix.starts_with(&new) && store.has_prefix(tree.digest()).unwrap());
        let conf = disk::read(&prefix.join("etc/conf")).unwrap();
        assert_eq!(conf, format!("home={}\n", prefix.display()).into_bytes());
        assert_eq!(prefix.metadata().unwrap().permissions().mode() & 0o777, 0o555);
        disk::remove_tree(&prefix).unwrap();
    }

    #[test]
    fn a_store_that_is_seen_by_another_name_was_not_moved() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (directory.path().join("real"), directory.path().join("link"));
        let store = Store::at(real.clone());
        let tree = sample(&store);
        let prefix = store.materialise(&tree).unwrap();
        disk::symlink(&real, &link).unwrap();
        assert!(Store::at(link).has_prefix(tree.digest()).unwrap());
        disk::remove_tree(&prefix).unwrap();
    }

    #[test]
    fn a_path_that_is_longer_than_the_placeholder_is_refused_before_anything_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let length = LONGEST_ROOT + 1 - directory.path().as_os_str().len() - "/".len();
        let store = Store::at(directory.path().join("s".repeat(length)));
        let tree = sample(&store);
        let error = store.materialise(&tree).unwrap_err();
        assert_eq!(error.to_string(), "`bin/run` has room for a path of 200 bytes, and that of its prefix has 201");
        assert!(!store.root().join("prefixes").exists());
        let plain = tree.get("etc/plain").unwrap().clone();
        let mut tree = Tree::default();
        tree.insert("plain", plain).unwrap();
        let prefix = store.materialise(&tree).unwrap();
        disk::remove_tree(&prefix).unwrap();
    }

    #[test]
    fn the_longest_path_is_long_enough() {
        let directory = tempfile::tempdir().unwrap();
        let length = LONGEST_ROOT - directory.path().as_os_str().len() - "/".len();
        let store = Store::at(directory.path().join("s".repeat(length)));
        let prefix = store.materialise(&sample(&store)).unwrap();
        assert_eq!(prefix.as_os_str().len(), PLACEHOLDER.len());
        disk::remove_tree(&prefix).unwrap();
    }
}
