//! Ready prefixes, verified: each is read back, and compared with the tree that its name says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::super::flaw::{self, Flaw, FlawKind};
use super::super::patched::{Known as KnownPatches, Patches};
use super::super::{Error, Store};
use super::memory::{Memory, Remembered};
use super::reading::{Known, Reader, Readings, Seen};
use crate::digest::{BlobDigest, TreeDigest};
use crate::disk::{self, Look};
use crate::tree::{Node, Tree};

/// A ready prefix, as it lies on disk.
pub struct Examined {
    /// What is wrong with it, by path.
    pub flaws: Vec<Flaw>,
    /// How many files it has.
    pub files: usize,
    /// How many bytes were read.
    pub read: u64,
    pub(super) tree: Tree,
    pub(super) seen: Vec<Seen>,
    pub(super) patches: Option<Patches>,
}

impl Store {
    /// Read a ready prefix back, and say in what it is not what its digest says. With a memory, what was not touched since
    /// it was last read is not read again.
    pub fn examine(&self, digest: TreeDigest, memory: &Memory) -> Result<Examined, Error> {
        let examined = self.examine_knowing(digest, &|path, look| memory.digest(path, look))?;
        // Where nothing was read, it says all of it already.
        if examined.read > 0 {
            memory.save(examined.seen.iter().filter_map(remembered));
        }
        Ok(examined)
    }

    pub(super) fn examine_knowing(&self, digest: TreeDigest, known: Known<'_>) -> Result<Examined, Error> {
        let place = self.prefix_path(digest);
        if !disk::exists(&place) {
            return Ok(Examined::broken(Flaw::missing("", digest.to_string())));
        }
        let patches = match self.patches(digest)? {
            KnownPatches::Some(patches) if !patches.are_for(&place) => {
                let made_for = |path: &Path| format!("made for `{}`", path.display());
                let (expected, found) = (made_for(&place), made_for(Path::new(&patches.path)));
                return Ok(Examined::broken(Flaw::new("", FlawKind::Changed, expected, found)));
            }
            KnownPatches::Some(patches) => Some(patches),
            KnownPatches::None | KnownPatches::Unreadable => None,
        };
        let reader = Reader::new(patches.as_ref(), known);
        let readings = reader.read(&place);
        let (tree, read) = (readings.tree(), reader.bytes.into_inner());
        let Readings { seen, mut flaws } = readings;
        if tree.digest() != digest {
            // Without the tree nobody knows which file it is.
            match self.tree(digest).ok().flatten() {
                Some(right) => differences(&right, &tree, &mut flaws),
                None => {
                    flaws.push(Flaw::new("", FlawKind::Changed, digest.to_string(), tree.digest().to_string()));
                }
            }
        }
        flaws.sort();
        let files = seen.iter().filter(|one| matches!(one.node, Some(Node::File(_)))).count();
        Ok(Examined { flaws, files, read, tree, seen, patches })
    }

    /// What was last read of a prefix, to be used where what was not touched need not be read again, and always to be
    /// brought up to date. It is kept in the user's cache.
    pub fn memory_of(&self, digest: TreeDigest, cache: &Path) -> PathBuf {
        let name = crate::digest::TextDigest::of(self.prefix_path(digest).as_os_str().as_encoded_bytes());
        cache.join("verified").join(name.hex())
    }
}

impl Examined {
    fn broken(flaw: Flaw) -> Self {
        let (tree, seen) = (Tree::default(), Vec::new());
        Self { flaws: vec![flaw], files: 0, read: 0, tree, seen, patches: None }
    }
}

/// What is remembered of a file that was read.
fn remembered(seen: &Seen) -> Option<Remembered<'_>> {
    match &seen.node {
        Some(Node::File(file)) => Some((seen.path.as_str(), &seen.look, (file.blob, file.size))),
        _ => None,
    }
}

/// All ways in which a tree is not the right one, beside what was found wrong with its parts in themselves. Where a
/// directory is missing or too much, nothing is said of what would be in it.
fn differences(right: &Tree, found: &Tree, flaws: &mut Vec<Flaw>) {
    let (mut expected, mut there) = (BTreeMap::new(), BTreeMap::new());
    all(right, "", &mut expected);
    all(found, "", &mut there);
    let of_kind = |kind| {
        let flaws = flaws.iter().filter(move |flaw| flaw.kind == kind);
        flaws.map(|flaw| flaw.path.clone()).collect::<BTreeSet<_>>()
    };
    let (unread, modes) = (of_kind(FlawKind::Unreadable), of_kind(FlawKind::Mode));
    let mut new = Vec::new();
    for (path, node) in &expected {
        match there.get(path) {
            None if unread.contains(path) => {}
            None if above(path).is_some_and(|above| !there.contains_key(above)) => {}
            None => new.push(Flaw::missing(path.clone(), flaw::shown(node))),
            Some(other) => new.extend(flaw::between(path, node, other)),
        }
    }
    let extra: BTreeSet<_> = there.keys().filter(|path| !expected.contains_key(*path)).collect();
    for path in extra.iter().filter(|path| above(path).is_none_or(|above| expected.contains_key(above))) {
        new.push(Flaw::extra((*path).clone(), flaw::shown(there[*path])));
    }
    // Its permissions may be wrong in themselves, which was said; those of what should not be there matter to nobody.
    new.retain(|flaw| flaw.kind != FlawKind::Mode || !modes.contains(&flaw.path));
    flaws.retain(|flaw| flaw.kind != FlawKind::Mode || !extra.contains(&flaw.path));
    flaws.extend(new);
}

fn above(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(above, _)| above)
}

fn all<'t>(tree: &'t Tree, inside: &str, found: &mut BTreeMap<String, &'t Node>) {
    for (name, node) in tree.entries() {
        let path = format!("{inside}{name}");
        if let Node::Directory(below) = node {
            all(below, &format!("{path}/"), found);
        }
        found.insert(path, node);
    }
}

/// What hashing blobs found, for prefixes that link to them.
pub(super) fn hashed_already(
    hashed: &super::Hashed,
) -> impl Fn(&str, &Look) -> Option<(BlobDigest, u64)> + Sync + use<'_> {
    |_, look| hashed.get(&look.identity).copied()
}
