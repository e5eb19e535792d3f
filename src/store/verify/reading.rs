//! Reading a prefix back as the tree that it was made from: every file once, on all cores.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::super::flaw::{Flaw, FlawKind};
use super::super::patched::Patches;
use super::super::{blobs, mode};
use super::unreadable;
use crate::digest::BlobDigest;
use crate::disk::{self, Kind, Look};
use crate::placeholder;
use crate::tree::{File, Node, Tree};

/// The mode of every directory of a prefix.
const DIRECTORY: u32 = 0o555;

/// Something in a prefix, as it lies there.
pub(super) struct Seen {
    /// Where, from the prefix.
    pub path: String,
    /// What the file system tells of it.
    pub look: Look,
    /// What it is, if it is something that a tree can hold and could be read.
    pub node: Option<Node>,
}

/// What is known of a file without reading it: digest and size of its bytes without patches.
pub(super) type Known<'a> = &'a (dyn Fn(&str, &Look) -> Option<(BlobDigest, u64)> + Sync);

/// Reads a prefix.
pub(super) struct Reader<'a> {
    pub patches: Option<&'a Patches>,
    pub known: Known<'a>,
    /// How many bytes were read.
    pub bytes: AtomicU64,
}

/// What reading found: everything that lies there, and what is wrong with it in itself.
#[derive(Default)]
pub(super) struct Readings {
    pub seen: Vec<Seen>,
    pub flaws: Vec<Flaw>,
}

impl Readings {
    fn join(mut self, other: Self) -> Self {
        self.seen.extend(other.seen);
        self.flaws.extend(other.flaws);
        self
    }

    /// All of it as a tree. What no tree can hold is a flaw already.
    pub(super) fn tree(&self) -> Tree {
        let mut tree = Tree::default();
        for (path, node) in self.seen.iter().filter_map(|one| Some((&one.path, one.node.as_ref()?))) {
            let _ = tree.insert(path, node.clone());
        }
        tree
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(patches: Option<&'a Patches>, known: Known<'a>) -> Self {
        Self { patches, known, bytes: AtomicU64::new(0) }
    }

    /// Read a prefix. What is wrong with a part of it is a flaw, and the rest is read all the same.
    pub(super) fn read(&self, prefix: &Path) -> Readings {
        self.one(prefix, String::new())
    }

    fn one(&self, path: &Path, inside: String) -> Readings {
        let look = match disk::look(path) {
            Ok(look) => look,
            Err(error) => return unread(inside, &error),
        };
        let (node, mut flaw, below) = match look.kind {
            Kind::Directory => {
                let below = disk::names(path).map(|names| self.below(path, &inside, &names));
                match below {
                    Ok(below) => (Some(Node::Directory(Tree::default())), wrong_mode(&inside, DIRECTORY, &look), below),
                    Err(error) => return unread(inside, &error),
                }
            }
            Kind::File { executable } => match self.file(path, &inside, &look, executable) {
                Ok(file) => {
                    let flaw = wrong_mode(&inside, mode(executable), &look);
                    (Some(Node::File(file)), flaw, Readings::default())
                }
                Err(error) => return unread(inside, &error),
            },
            Kind::Symlink => {
                let target = disk::read_link(path).unwrap_or_default().to_string_lossy().into_owned();
                (Some(Node::Symlink(target)), None, Readings::default())
            }
            Kind::Other => {
                let flaw = Flaw::extra(inside.clone(), "something that is neither a file, a directory nor a symlink");
                (None, Some(flaw), Readings::default())
            }
        };
        if path.file_name().is_none_or(|name| name.to_str().is_none()) {
            flaw = Some(Flaw::extra(inside.clone(), "something with a name that is not UTF-8"));
        }
        let seen = if inside.is_empty() { Vec::new() } else { vec![Seen { path: inside, look, node }] };
        Readings { seen, flaws: flaw.into_iter().collect() }.join(below)
    }

    fn below(&self, directory: &Path, inside: &str, names: &[std::ffi::OsString]) -> Readings {
        let read = |name: &std::ffi::OsString| {
            let slash = if inside.is_empty() { "" } else { "/" };
            self.one(&directory.join(name), format!("{inside}{slash}{}", name.to_string_lossy()))
        };
        names.par_iter().map(read).reduce(Readings::default, Readings::join)
    }

    fn file(&self, path: &Path, inside: &str, look: &Look, executable: bool) -> disk::Result<File> {
        let plain = |(blob, size)| File { blob, size, executable };
        if let Some(known) = (self.known)(inside, look) {
            return Ok(plain(known));
        }
        self.bytes.fetch_add(look.stamp.size, Ordering::Relaxed);
        let Some((patches, files)) = self.patches.and_then(|all| Some((all, all.files.get(inside)?))) else {
            return blobs::hash(path).map(plain);
        };
        let bytes = disk::read(path)?;
        // Where the path does not stand where it should, the file is hashed as it is, which no blob of a tree is.
        let bytes = placeholder::undo(&bytes, &patches.path, files).unwrap_or(bytes);
        Ok(plain((BlobDigest::of(&bytes), bytes.len() as u64)))
    }
}

fn unread(inside: String, error: &disk::Error) -> Readings {
    let flaw = Flaw::new(inside, FlawKind::Unreadable, "something that can be read", unreadable(error));
    Readings { seen: Vec::new(), flaws: vec![flaw] }
}

fn wrong_mode(inside: &str, expected: u32, look: &Look) -> Option<Flaw> {
    (look.mode != expected).then(|| Flaw::mode(inside, expected, look.mode))
}
