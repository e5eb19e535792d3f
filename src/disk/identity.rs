//! What tells files apart, and whether they were touched.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{At as _, Result};

/// What tells whether a file was touched since it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Number of the inode.
    pub inode: u64,
    /// Size in bytes.
    pub size: u64,
    /// Time of the last modification, in nanoseconds since 1970.
    pub modified: i128,
}

/// The stamp of the file that a path leads to.
pub fn stamp(path: &Path) -> Result<Stamp> {
    fs::metadata(path).at("look at", path).map(|metadata| stamp_of(&metadata))
}

pub(super) fn stamp_of(metadata: &fs::Metadata) -> Stamp {
    let modified = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    Stamp { inode: metadata.ino(), size: metadata.len(), modified }
}

/// What tells one file from all others, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    device: u64,
    inode: u64,
}

/// The identity of what stands at a path itself.
pub fn identity(path: &Path) -> Result<Identity> {
    fs::symlink_metadata(path).at("look at", path).map(|metadata| identity_of(&metadata))
}

pub(super) fn identity_of(metadata: &fs::Metadata) -> Identity {
    Identity { device: metadata.dev(), inode: metadata.ino() }
}
