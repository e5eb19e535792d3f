//! Directories of trees as they come from elsewhere: one by one, each proven by its digest, and put together within limits.
//! Pure.
//!
//! A few small messages can stand for a tree without end: a directory in which one child stands twice, whose child stands
//! twice in it, and so on. What is put together is counted as it is.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;

use super::{Error as TreeError, File, Tree, message};
use crate::digest::{BlobDigest, TreeDigest};

/// How many directories may lie in each other.
const DEEPEST: usize = 256;

/// How many directories, files and symlinks all trees that are put together may have.
const MOST: usize = 4_000_000;

/// How many bytes all of their directories may have, each counted as often as it stands in a tree.
const MOST_BYTES: usize = 1 << 30;

/// Directories of trees, by their digests.
#[derive(Clone, Debug, Default)]
pub struct Grove {
    directories: BTreeMap<TreeDigest, Vec<u8>>,
}

/// Directories do not make the tree that they should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Bytes that are not what their name says.
    #[error("directory {expected} has other content, {received}")]
    Digest {
        /// The name.
        expected: TreeDigest,
        /// What the bytes are.
        received: TreeDigest,
    },
    /// One that is named is not there.
    #[error("directory {0} is missing")]
    Missing(TreeDigest),
    /// One that nothing can be made of.
    #[error("directory {directory} cannot be used")]
    Unusable {
        /// The directory.
        directory: TreeDigest,
        /// Why not.
        #[source]
        source: TreeError,
    },
    /// Directories in directories, without end.
    #[error("tree {0} has more than {DEEPEST} directories in each other")]
    Deep(TreeDigest),
    /// More than any tree has.
    #[error("tree {0} has more than {MOST} files and directories, or {MOST_BYTES} bytes of names")]
    Large(TreeDigest),
}

impl Grove {
    /// Take in a directory, if it is what its name says.
    pub fn insert(&mut self, digest: TreeDigest, bytes: Vec<u8>) -> Result<(), Error> {
        let received = TreeDigest::of(&bytes);
        if received != digest {
            return Err(Error::Digest { expected: digest, received });
        }
        self.directories.insert(digest, bytes);
        Ok(())
    }

    /// The directories that it has.
    pub fn digests(&self) -> impl Iterator<Item = TreeDigest> {
        self.directories.keys().copied()
    }

    /// The directories below these that are named and not there, as far as what is there tells.
    pub fn missing(&self, roots: impl IntoIterator<Item = TreeDigest>) -> Result<BTreeSet<TreeDigest>, Error> {
        let (mut open, mut seen, mut missing) = (Vec::from_iter(roots), BTreeSet::new(), BTreeSet::new());
        while let Some(digest) = open.pop() {
            if !seen.insert(digest) {
                continue;
            }
            match self.directories.get(&digest) {
                Some(bytes) => open.extend(children(digest, bytes)?),
                None => drop(missing.insert(digest)),
            }
        }
        Ok(missing)
    }

    /// The whole tree of a root. All trees of one `budget` may have only so much in them together.
    pub fn tree(&self, root: TreeDigest, budget: &mut Budget) -> Result<Tree, Error> {
        let weight = self.weigh(root, root, 0, &mut BTreeMap::new())?;
        budget.spend(weight).ok_or(Error::Large(root))?;
        self.grow(root)
    }

    /// How much is in a tree, counted before it is made.
    fn weigh(
        &self,
        digest: TreeDigest,
        root: TreeDigest,
        depth: usize,
        known: &mut BTreeMap<TreeDigest, Weight>,
    ) -> Result<Weight, Error> {
        // One that is known may lie deeper here than where it was met first.
        let height = known.get(&digest).map_or(0, |weight| weight.height);
        if depth + height > DEEPEST {
            return Err(Error::Deep(root));
        }
        if let Some(weight) = known.get(&digest) {
            return Ok(*weight);
        }
        let bytes = self.directories.get(&digest).ok_or(Error::Missing(digest))?;
        let directory = decoded(digest, bytes)?;
        let entries = 1 + directory.files.len() + directory.symlinks.len();
        let mut weight = Weight { entries, bytes: bytes.len(), height: 0 };
        for child in children(digest, bytes)? {
            weight.add_child(self.weigh(child, root, depth + 1, known)?);
        }
        known.insert(digest, weight);
        Ok(weight)
    }

    fn grow(&self, digest: TreeDigest) -> Result<Tree, Error> {
        let bytes = self.directories.get(&digest).ok_or(Error::Missing(digest))?;
        let grown = Tree::decode(bytes, |child| self.grow(child).map_err(Growing::Grove));
        grown.map_err(|error| match error {
            Growing::Grove(error) => error,
            Growing::Tree(source) => Error::Unusable { directory: digest, source },
        })
    }
}

/// How much is in a tree.
#[derive(Clone, Copy)]
struct Weight {
    entries: usize,
    bytes: usize,
    /// How many directories lie in each other below it.
    height: usize,
}

impl Weight {
    fn add_child(&mut self, child: Self) {
        self.entries = self.entries.saturating_add(child.entries);
        self.bytes = self.bytes.saturating_add(child.bytes);
        self.height = self.height.max(child.height + 1);
    }
}

/// How much trees that are put together may have in them.
#[derive(Debug)]
pub struct Budget {
    entries: usize,
    bytes: usize,
}

impl Budget {
    fn spend(&mut self, weight: Weight) -> Option<()> {
        self.entries = self.entries.checked_sub(weight.entries)?;
        self.bytes = self.bytes.checked_sub(weight.bytes)?;
        Some(())
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { entries: MOST, bytes: MOST_BYTES }
    }
}

/// Either kind of error, on the way up.
enum Growing {
    Grove(Error),
    Tree(TreeError),
}

impl From<TreeError> for Growing {
    fn from(error: TreeError) -> Self {
        Self::Tree(error)
    }
}

fn decoded(digest: TreeDigest, bytes: &[u8]) -> Result<message::Directory, Error> {
    let unusable = |_| Error::Unusable { directory: digest, source: TreeError::Encoding };
    message::Directory::decode(bytes).map_err(unusable)
}

/// The directories that a directory names.
fn children(digest: TreeDigest, bytes: &[u8]) -> Result<Vec<TreeDigest>, Error> {
    let unusable = || Error::Unusable { directory: digest, source: TreeError::Encoding };
    let child = |node: message::DirectoryNode| TreeDigest::from_hex(&node.digest?.hash).ok();
    decoded(digest, bytes)?.directories.into_iter().map(|node| child(node).ok_or_else(unusable)).collect()
}

/// The files of trees, each once. Two sizes of one blob are two files, of which one cannot be: see [`of_two_sizes`].
pub fn files<'t>(trees: impl IntoIterator<Item = &'t Tree>) -> BTreeSet<(BlobDigest, bool, u64)> {
    let key = |file: File| (file.blob, file.executable, file.size);
    trees.into_iter().flat_map(Tree::files).map(key).collect()
}

/// A blob that files of several sizes have, if there is one.
pub fn of_two_sizes(files: &BTreeSet<(BlobDigest, bool, u64)>) -> Option<BlobDigest> {
    let mut sizes = BTreeMap::new();
    files.iter().find(|(blob, _, size)| sizes.insert(*blob, *size).is_some_and(|other| other != *size)).map(|one| one.0)
}

#[cfg(test)]
mod tests {
    use super::super::Node;
    use super::*;

    fn grove(tree: &Tree) -> Grove {
        let mut grove = Grove::default();
        for (digest, bytes) in tree.encode().directories {
            grove.insert(digest, bytes).unwrap();
        }
        grove
    }

    fn nested(depth: usize, twice: bool) -> (Grove, TreeDigest) {
        let mut grove = Grove::default();
        let (mut digest, mut size) = (Tree::default().digest(), 0);
        grove.insert(digest, Vec::new()).unwrap();
        for _ in 0..depth {
            let node = |name: &str| message::DirectoryNode {
                name: name.to_owned(),
                digest: Some(message::Digest::new(&digest.hex(), size)),
            };
            let directories = if twice { vec![node("a"), node("b")] } else { vec![node("a")] };
            let bytes = message::Directory { directories, ..Default::default() }.encode_to_vec();
            (digest, size) = (TreeDigest::of(&bytes), bytes.len() as u64);
            grove.insert(digest, bytes).unwrap();
        }
        (grove, digest)
    }

    #[test]
    fn a_tree_comes_back_from_its_directories() {
        let mut tree = Tree::default();
        let file = File { blob: BlobDigest::of(b"x"), size: 1, executable: true };
        tree.insert("bin/deep/x", Node::File(file)).unwrap();
        tree.insert("bin/y", Node::Symlink("deep/x".to_owned())).unwrap();
        let grove = grove(&tree);
        assert_eq!(grove.tree(tree.digest(), &mut Budget::default()).unwrap(), tree);
        assert_eq!(files([&tree]), [(file.blob, true, 1)].into());
        assert!(grove.missing([tree.digest()]).unwrap().is_empty());
        let other = TreeDigest::of(b"other");
        assert_eq!(grove.missing([other]).unwrap(), [other].into());
        assert!(matches!(grove.tree(other, &mut Budget::default()), Err(Error::Missing(digest)) if digest == other));
    }

    #[test]
    fn what_is_not_what_its_name_says_is_refused() {
        let (right, wrong) = (TreeDigest::of(b"right"), b"wrong".to_vec());
        assert!(matches!(Grove::default().insert(right, wrong), Err(Error::Digest { .. })));
    }

    #[test]
    fn a_few_directories_that_stand_for_a_tree_without_end_are_refused() {
        let (grove, root) = nested(64, true);
        assert!(matches!(grove.tree(root, &mut Budget::default()), Err(Error::Large(_))));
        let (grove, root) = nested(1000, false);
        assert!(matches!(grove.tree(root, &mut Budget::default()), Err(Error::Deep(_))));
        let (grove, root) = nested(100, false);
        grove.tree(root, &mut Budget::default()).unwrap();
    }

    fn put(grove: &mut Grove, children: &[TreeDigest], symlinks: Vec<message::SymlinkNode>) -> TreeDigest {
        let node = |(at, child): (usize, &TreeDigest)| message::DirectoryNode {
            name: format!("{at:02}"),
            digest: Some(message::Digest::new(&child.hex(), grove.directories[child].len() as u64)),
        };
        let directories = children.iter().enumerate().map(node).collect();
        let bytes = message::Directory { directories, symlinks, ..Default::default() }.encode_to_vec();
        let digest = TreeDigest::of(&bytes);
        grove.insert(digest, bytes).unwrap();
        digest
    }

    #[test]
    fn a_directory_that_is_met_again_deeper_counts_there_too() {
        let mut grove = Grove::default();
        let (mut below, mut tops) = (put(&mut grove, &[], Vec::new()), Vec::new());
        // Each top is as deep as a tree may be, if only what is not met before it counted.
        for _ in 0..200 {
            for _ in 0..200 {
                below = put(&mut grove, &[below], Vec::new());
            }
            tops.push(below);
        }
        let root = put(&mut grove, &tops, Vec::new());
        assert!(matches!(grove.tree(root, &mut Budget::default()), Err(Error::Deep(_))));
    }

    #[test]
    fn long_names_that_stand_in_many_places_are_refused() {
        let mut grove = Grove::default();
        let long = message::SymlinkNode { name: "link".to_owned(), target: "x".repeat(4 << 20) };
        let mut root = put(&mut grove, &[], vec![long]);
        for _ in 0..4 {
            root = put(&mut grove, &[root; 8], Vec::new());
        }
        assert!(matches!(grove.tree(root, &mut Budget::default()), Err(Error::Large(_))));
    }
}
