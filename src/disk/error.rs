//! Errors of this room: what was being done to which path.

use std::io;
use std::path::{Path, PathBuf};

/// An operation on a path failed.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing} `{}`", path.display())]
pub struct Error {
    doing: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Error {
    /// An error of an operation that happened elsewhere, such as while unpacking.
    pub fn new(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self { doing, path: path.to_owned(), source }
    }

    /// What the operating system said.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Whether something was to be read, and nothing to be changed.
    pub fn is_of_reading(&self) -> bool {
        let reading =
            ["read", "read as UTF-8", "open", "list", "find", "look at", "look at the file system of", "look through"];
        reading.contains(&self.doing)
    }

    /// The path that the operation was about.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
