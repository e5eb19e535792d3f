//! Trees: sorted names that lead to files (executable or not), directories and symlinks; nothing else.
//!
//! No owner, no time and no other mode is part of a tree, so that two trees with the same digest are the same
//! wherever they lie. A tree is written as `Directory` messages of the Remote Execution API v2
//! (`build.bazel.remote.execution.v2`): children sorted by name, no default and no unknown field written, one
//! message for each directory, and the tree's digest is the sha256 of its root's message. A build farm or a cache
//! server computes the same name. Golden tests hold the bytes; a change of one byte renames everything in every
//! store, so it is a deliberate act that comes with a new salt (see `build::action`).

pub mod grove;
pub mod message;

use std::collections::BTreeMap;
use std::fmt;

use prost::Message;

use crate::digest::{BlobDigest, TreeDigest};

/// A directory with everything below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<Name, Node>,
}

/// What a name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File(File),
    /// A directory, perhaps empty.
    Directory(Tree),
    /// A symlink, with its target as written.
    Symlink(String),
}

/// A regular file: its content's name, its size, and whether it may be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct File {
    /// Digest of its bytes.
    pub blob: BlobDigest,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it may be executed.
    pub executable: bool,
}

/// One name in a directory: UTF-8, without `/` or NUL, neither empty nor `.` nor `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A tree cannot hold this.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A part of a path that no directory may hold.
    #[error("`{0}` cannot stand in a tree: every part of a path must be a plain name")]
    Name(String),
    /// One path twice, or a file where a directory would have to be.
    #[error("`{0}` is there twice")]
    Twice(String),
    /// Bytes that are no canonical `Directory` message.
    #[error("these bytes are not a directory in canonical form")]
    Encoding,
}

impl std::str::FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let plain = !text.is_empty() && text != "." && text != ".." && !text.contains(['/', '\0']);
        if plain { Ok(Self(text.to_owned())) } else { Err(Error::Name(text.to_owned())) }
    }
}

impl Tree {
    /// Names and what they lead to, sorted.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.entries.iter().map(|(name, node)| (name.as_str(), node))
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Put something at a relative path, making the directories that lead to it.
    pub fn insert(&mut self, path: &str, node: Node) -> Result<(), Error> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = self.directory_at(directory, path)?;
        match parent.entries.entry(name.parse()?) {
            std::collections::btree_map::Entry::Vacant(vacant) => {
                vacant.insert(node);
                Ok(())
            }
            // An archive may name a directory after the files in it.
            std::collections::btree_map::Entry::Occupied(occupied) if matches!((occupied.get(), &node), (Node::Directory(_), Node::Directory(new)) if new.is_empty()) => {
                Ok(())
            }
            std::collections::btree_map::Entry::Occupied(_) => Err(Error::Twice(path.to_owned())),
        }
    }

    fn directory_at(&mut self, directory: &str, whole: &str) -> Result<&mut Self, Error> {
        let mut parent = self;
        for part in directory.split('/').filter(|_| !directory.is_empty()) {
            let node = parent.entries.entry(part.parse()?).or_insert_with(|| Node::Directory(Self::default()));
            let Node::Directory(next) = node else { return Err(Error::Twice(whole.to_owned())) };
            parent = next;
        }
        Ok(parent)
    }

    /// What stands at a relative path.
    pub fn get(&self, path: &str) -> Option<&Node> {
        let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let node = self.entries.get(&Name(first.to_owned()))?;
        match (rest, node) {
            (None, node) => Some(node),
            (Some(rest), Node::Directory(tree)) => tree.get(rest),
            (Some(_), _) => None,
        }
    }

    /// Take out what stands at a relative path; says whether something did. A directory left empty goes too.
    pub fn remove(&mut self, path: &str) -> bool {
        let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let name = Name(first.to_owned());
        match (rest, self.entries.get_mut(&name)) {
            (None, found) => found.is_some() && self.entries.remove(&name).is_some(),
            (Some(rest), Some(Node::Directory(tree))) => {
                let removed = tree.remove(rest);
                if tree.is_empty() {
                    self.entries.remove(&name);
                }
                removed
            }
            (Some(_), _) => false,
        }
    }

    /// Every file and symlink with its path, sorted.
    pub fn leaves(&self) -> Vec<(String, &Node)> {
        let mut leaves = Vec::new();
        self.collect_leaves("", &mut leaves);
        leaves
    }

    fn collect_leaves<'a>(&'a self, prefix: &str, leaves: &mut Vec<(String, &'a Node)>) {
        for (name, node) in self.entries() {
            let path = format!("{prefix}{name}");
            match node {
                Node::Directory(tree) => tree.collect_leaves(&format!("{path}/"), leaves),
                Node::File(_) | Node::Symlink(_) => leaves.push((path, node)),
            }
        }
    }

    /// Every file in it.
    pub fn files(&self) -> impl Iterator<Item = File> {
        self.leaves().into_iter().filter_map(|(_, node)| match node {
            Node::File(file) => Some(*file),
            _ => None,
        })
    }

    /// The same tree with other files.
    pub fn with_files(self, other: &impl Fn(File) -> File) -> Self {
        let change = |node| match node {
            Node::File(file) => Node::File(other(file)),
            Node::Directory(tree) => Node::Directory(tree.with_files(other)),
            Node::Symlink(target) => Node::Symlink(target),
        };
        Self { entries: self.entries.into_iter().map(|(name, node)| (name, change(node))).collect() }
    }

    /// The canonical encoding of every directory in it, children before parents, and the digest of the root.
    pub fn encode(&self) -> Encoded {
        let mut directories = Vec::new();
        let (root, size) = self.encode_into(&mut directories);
        Encoded { root, size, directories }
    }

    /// Its digest.
    pub fn digest(&self) -> TreeDigest {
        self.encode().root
    }

    fn encode_into(&self, directories: &mut Vec<(TreeDigest, Vec<u8>)>) -> (TreeDigest, u64) {
        let mut message = message::Directory::default();
        for (name, node) in self.entries() {
            let name = name.to_owned();
            match node {
                Node::File(file) => message.files.push(message::FileNode {
                    name,
                    digest: Some(message::Digest::new(&file.blob.hex(), file.size)),
                    is_executable: file.executable,
                }),
                Node::Directory(tree) => {
                    let (digest, size) = tree.encode_into(directories);
                    let digest = Some(message::Digest::new(&digest.hex(), size));
                    message.directories.push(message::DirectoryNode { name, digest });
                }
                Node::Symlink(target) => message.symlinks.push(message::SymlinkNode { name, target: target.clone() }),
            }
        }
        let bytes = message.encode_to_vec();
        let (digest, size) = (TreeDigest::of(&bytes), bytes.len() as u64);
        directories.push((digest, bytes));
        (digest, size)
    }

    /// Read the encoding of one directory; `child` gives the trees below it.
    pub fn decode<E: From<Error>>(
        bytes: &[u8],
        mut child: impl FnMut(TreeDigest) -> Result<Self, E>,
    ) -> Result<Self, E> {
        let message = message::Directory::decode(bytes).map_err(|_| Error::Encoding)?;
        if message.encode_to_vec() != bytes {
            return Err(Error::Encoding.into());
        }
        let mut tree = Self::default();
        for file in message.files {
            let digest = file.digest.ok_or(Error::Encoding)?;
            let blob = BlobDigest::from_hex(&digest.hash).map_err(|_| Error::Encoding)?;
            let size = u64::try_from(digest.size_bytes).map_err(|_| Error::Encoding)?;
            tree.insert_child(file.name, Node::File(File { blob, size, executable: file.is_executable }))?;
        }
        for directory in message.directories {
            let digest = directory.digest.ok_or(Error::Encoding)?;
            let digest = TreeDigest::from_hex(&digest.hash).map_err(|_| Error::Encoding)?;
            tree.insert_child(directory.name, Node::Directory(child(digest)?))?;
        }
        for symlink in message.symlinks {
            tree.insert_child(symlink.name, Node::Symlink(symlink.target))?;
        }
        Ok(tree)
    }

    fn insert_child(&mut self, name: String, node: Node) -> Result<(), Error> {
        let parsed: Name = name.parse()?;
        if self.entries.insert(parsed, node).is_some() {
            return Err(Error::Twice(name));
        }
        Ok(())
    }

    /// Lay several trees over each other. Directories are joined; one path in two trees is a collision, whatever is there.
    pub fn merge<'a>(parts: impl IntoIterator<Item = (&'a str, &'a Self)>) -> Result<Self, Vec<Collision>> {
        let (mut merged, mut owners, mut collisions) = (Self::default(), BTreeMap::new(), Vec::new());
        for (owner, tree) in parts {
            merged.lay(tree, owner, "", &mut owners, &mut collisions);
        }
        if collisions.is_empty() { Ok(merged) } else { Err(collisions) }
    }

    fn lay(
        &mut self,
        over: &Self,
        owner: &str,
        prefix: &str,
        owners: &mut BTreeMap<String, String>,
        collisions: &mut Vec<Collision>,
    ) {
        for (name, node) in &over.entries {
            let path = format!("{prefix}{}", name.as_str());
            match (self.entries.get_mut(name), node) {
                (None, node) => {
                    self.entries.insert(name.clone(), node.clone());
                    owners.insert(path, owner.to_owned());
                }
                (Some(Node::Directory(below)), Node::Directory(tree)) => {
                    below.lay(tree, owner, &format!("{path}/"), owners, collisions);
                }
                (Some(_), _) => {
                    let first = owner_of(&path, owners);
                    collisions.push(Collision { path, first, second: owner.to_owned() });
                }
            }
        }
    }
}

/// Who laid a path: it, or the nearest directory above it that was laid whole.
fn owner_of(path: &str, owners: &BTreeMap<String, String>) -> String {
    let mut at = path;
    loop {
        if let Some(owner) = owners.get(at) {
            return owner.clone();
        }
        at = at.rsplit_once('/').map_or("", |(above, _)| above);
    }
}

impl Encoded {
    /// All of it as one `Tree` message: the root, and each other directory once, sorted by digest.
    pub fn whole(&self) -> Vec<u8> {
        let directory = |bytes: &[u8]| message::Directory::decode(bytes).expect("it was encoded just now");
        let all: BTreeMap<_, _> = self.directories.iter().map(|(digest, bytes)| (*digest, bytes)).collect();
        let children = all.iter().filter(|(digest, _)| **digest != self.root).map(|(_, bytes)| directory(bytes));
        let root = all.get(&self.root).map(|bytes| directory(bytes));
        message::Tree { root, children: children.collect() }.encode_to_vec()
    }
}

/// The canonical encoding of a tree.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Digest of the root directory: the tree's name.
    pub root: TreeDigest,
    /// Size of the root directory's encoding in bytes.
    pub size: u64,
    /// Every directory's digest and encoding, children before parents.
    pub directories: Vec<(TreeDigest, Vec<u8>)>,
}

/// Two trees have something at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    /// The path.
    pub path: String,
    /// Whose it is.
    pub first: String,
    /// Who has something there too.
    pub second: String,
}

impl fmt::Display for Collision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is provided by {} and by {}", self.path, self.first, self.second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str, executable: bool) -> Node {
        Node::File(File { blob: BlobDigest::of(text.as_bytes()), size: text.len() as u64, executable })
    }

    fn sample() -> Tree {
        let mut tree = Tree::default();
        tree.insert("bin/hello", file("#!/bin/sh\n", true)).unwrap();
        tree.insert("bin/hi", Node::Symlink("hello".into())).unwrap();
        tree.insert("share/doc/README", file("", false)).unwrap();
        tree
    }

    #[test]
    fn an_empty_tree_has_the_digest_of_no_bytes() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Tree::default().digest().to_string(), empty);
    }

    #[test]
    fn encoding_reads_back() {
        let encoded = sample().encode();
        let directories: BTreeMap<_, _> = encoded.directories.into_iter().collect();
        fn load(digest: TreeDigest, directories: &BTreeMap<TreeDigest, Vec<u8>>) -> Result<Tree, Error> {
            Tree::decode(&directories[&digest], |child| load(child, directories))
        }
        assert_eq!(load(encoded.root, &directories).unwrap(), sample());
    }

    #[test]
    fn other_encodings_of_the_same_directory_are_refused() {
        let mut message = message::Directory::default();
        for name in ["b", "a"] {
            message.symlinks.push(message::SymlinkNode { name: name.into(), target: "x".into() });
        }
        let sorted = Tree::decode::<Error>(&message.encode_to_vec(), |_| unreachable!()).unwrap();
        assert_ne!(sorted.encode().directories[0].1, message.encode_to_vec(), "what is read is sorted");
        assert!(Tree::decode::<Error>(b"\xff\xff", |_| unreachable!()).is_err());
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in ["../x", "a/../b", "/etc/passwd", "a//b", "", ".", "a/"] {
            assert!(Tree::default().insert(path, file("", false)).is_err(), "{path}");
        }
    }

    #[test]
    fn a_file_followed_by_entries_below_it_is_refused() {
        let mut tree = Tree::default();
        tree.insert("a", file("", false)).unwrap();
        assert!(matches!(tree.insert("a/b", file("", false)), Err(Error::Twice(_))));
        assert!(matches!(tree.insert("a", file("", false)), Err(Error::Twice(_))));
    }

    #[test]
    fn a_collision_names_both_owners() {
        let mut other = Tree::default();
        other.insert("bin/hello", file("other", true)).unwrap();
        other.insert("bin/other", file("other", true)).unwrap();
        let collisions = Tree::merge([("one 1.0", &sample()), ("two 2.0", &other)]).unwrap_err();
        assert_eq!(collisions.len(), 1);
        assert_eq!(collisions[0].to_string(), "`bin/hello` is provided by one 1.0 and by two 2.0");
    }

    #[test]
    fn removing_the_last_entry_removes_its_directory() {
        let mut tree = sample();
        assert!(tree.remove("share/doc/README"));
        assert!(!tree.remove("share/doc/README"));
        assert!(tree.get("share").is_none());
    }
}
