//! All that can be told of something without reading it, by one question to the file system.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::identity::{identity_of, stamp_of};
use super::{At as _, Identity, Kind, Result, Stamp, kind_of};

/// What stands at a path itself, symlinks not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// What it is.
    pub kind: Kind,
    /// Its permission bits.
    pub mode: u32,
    /// What tells it from everything else.
    pub identity: Identity,
    /// What tells whether it was touched.
    pub stamp: Stamp,
    /// When anything about it changed last, in nanoseconds since 1970: nobody can set this.
    pub changed: i128,
}

/// Look at what stands at a path.
pub fn look(path: &Path) -> Result<Look> {
    fs::symlink_metadata(path).at("look at", path).map(|metadata| Look {
        kind: kind_of(&metadata),
        mode: metadata.mode() & 0o7777,
        identity: identity_of(&metadata),
        stamp: stamp_of(&metadata),
        changed: i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()),
    })
}

/// The names in a directory, sorted.
pub fn names(directory: &Path) -> Result<Vec<OsString>> {
    let entries = fs::read_dir(directory).at("list", directory)?;
    let mut names = entries.map(|entry| Ok(entry.at("list", directory)?.file_name())).collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}
