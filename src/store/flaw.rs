//! Flaws: single ways in which what lies on disk is not what was made.

use std::fmt;

use super::mode;
use crate::tree::Node;

/// One way in which something is not as it was made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flaw {
    /// Where, from the directory that was looked at; empty for that directory itself.
    pub path: String,
    /// In which way.
    pub kind: FlawKind,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

/// The way in which something is not as it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FlawKind {
    /// It has other bytes, or is something else.
    Changed,
    /// It is not there.
    Missing,
    /// It is there, and should not be.
    Extra,
    /// It has other permissions.
    Mode,
    /// It is a symlink to somewhere else.
    Target,
    /// It cannot be read.
    Unreadable,
}

impl FlawKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Mode => "mode",
            Self::Target => "target",
            Self::Unreadable => "unreadable",
        }
    }
}

impl fmt::Display for FlawKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Flaw {
    /// A flaw of what stands at a path.
    pub fn new(path: impl Into<String>, kind: FlawKind, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { path: path.into(), kind, expected: expected.into(), found: found.into() }
    }

    /// Something is not there.
    pub fn missing(path: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::new(path, FlawKind::Missing, expected, NOTHING)
    }

    /// Something is there that should not be.
    pub fn extra(path: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(path, FlawKind::Extra, NOTHING, found)
    }

    /// Something has other permissions.
    pub fn mode(path: impl Into<String>, expected: u32, found: u32) -> Self {
        Self::new(path, FlawKind::Mode, format!("mode {expected:04o}"), format!("mode {found:04o}"))
    }
}

const NOTHING: &str = "nothing";

/// What stands in a tree, in words.
pub(super) fn shown(node: &Node) -> String {
    match node {
        Node::Directory(_) => "a directory".to_owned(),
        Node::File(file) if file.executable => format!("{}, executable", file.blob),
        Node::File(file) => file.blob.to_string(),
        Node::Symlink(target) => format!("a symlink to `{target}`"),
    }
}

/// How two things at one path differ, the one that should be there and the one that is; nothing where they are the same.
/// Directories are the same, whatever is in them.
pub(super) fn between(path: &str, expected: &Node, found: &Node) -> Option<Flaw> {
    let kind = match (expected, found) {
        (Node::Directory(_), Node::Directory(_)) => return None,
        (Node::File(one), Node::File(other)) if one == other => return None,
        (Node::File(one), Node::File(other)) if one.blob == other.blob => {
            return Some(Flaw::mode(path, mode(one.executable), mode(other.executable)));
        }
        (Node::Symlink(one), Node::Symlink(other)) if one == other => return None,
        (Node::Symlink(_), Node::Symlink(_)) => FlawKind::Target,
        _ => FlawKind::Changed,
    };
    Some(Flaw::new(path, kind, shown(expected), shown(found)))
}
