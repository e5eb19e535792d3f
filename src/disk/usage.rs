//! What a path takes of the disk, and when it was used: for whoever has to make room.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, utimensat};

use super::{At as _, Kind, Result, kind_of};

/// What stands at a path takes this of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// What it is.
    pub kind: Kind,
    /// The bytes of its blocks: less than its size where it has holes or is compressed, more otherwise.
    pub bytes: u64,
    /// How many names it has.
    pub names: u64,
    /// When its content changed last, in nanoseconds since 1970. Programs can set this.
    pub modified: i128,
    /// When anything about it changed last, names and permissions too. Nobody can set this.
    pub changed: i128,
}

/// What a path itself, symlinks not followed, takes of the disk; nothing where it is gone.
pub fn usage(path: &Path) -> Result<Option<Usage>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(usage_of(&metadata))),
        Err(error) if super::absent(&error) => Ok(None),
        Err(error) => Err(error).at("look at", path),
    }
}

fn usage_of(metadata: &fs::Metadata) -> Usage {
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Usage {
        kind: kind_of(metadata),
        bytes: metadata.blocks() * 512,
        names: metadata.nlink(),
        modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    }
}

/// What a directory and all in it takes of the disk that no other name keeps. Of a file that has other names, nothing
/// is counted: it stays when the directory goes.
pub fn usage_alone(directory: &Path) -> Result<u64> {
    let Some(own) = usage(directory)? else { return Ok(0) };
    let mut bytes = own.bytes;
    if own.kind != Kind::Directory {
        return Ok(if own.names > 1 { 0 } else { bytes });
    }
    for name in names_if_exists(directory)? {
        bytes += usage_alone(&directory.join(name))?;
    }
    Ok(bytes)
}

/// The names in a directory, in no order, without a look at what they are; none where there is no such directory.
pub fn names_if_exists(directory: &Path) -> Result<Vec<OsString>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if super::absent(&error) => return Ok(Vec::new()),
        entries => entries.at("list", directory)?,
    };
    entries.map(|entry| entry.map(|entry| entry.file_name()).at("list", directory)).collect()
}

/// Set the time of the last modification to now; says whether something is there.
pub fn touch(path: &Path) -> bool {
    set_times(path, UTIME_OMIT, UTIME_NOW)
}

/// Let it be seen in `changed` that something was used, and leave the time of its last modification as it is; says
/// whether something is there.
pub fn touch_access(path: &Path) -> bool {
    set_times(path, UTIME_NOW, UTIME_OMIT)
}

fn set_times(path: &Path, access: i64, modification: i64) -> bool {
    let time = |what: i64| Timespec { tv_sec: 0, tv_nsec: what };
    let times = Timestamps { last_access: time(access), last_modification: time(modification) };
    let set = utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from);
    // On a file system that is read-only nothing can be removed either.
    set.is_ok() || super::exists(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk;

    #[test]
    fn what_has_other_names_is_not_counted() {
        let directory = tempfile::tempdir().unwrap();
        let (inside, other) = (directory.path().join("inside"), directory.path().join("other"));
        disk::create_directory(&inside, 0o755).unwrap();
        let empty = usage_alone(&inside).unwrap();
        disk::write(&other, &[b'x'; 100_000]).unwrap();
        disk::link_or_copy(&other, &inside.join("linked")).unwrap();
        assert!(usage_alone(&inside).unwrap() < empty + 50_000);
        disk::write(&inside.join("own"), &[b'x'; 100_000]).unwrap();
        assert!(usage_alone(&inside).unwrap() >= empty + 100_000);
        assert_eq!(usage_alone(&directory.path().join("none")).unwrap(), 0);
    }

    #[test]
    fn a_use_changes_no_time_of_modification() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        disk::write(&path, b"").unwrap();
        disk::set_time(&path, 1_000).unwrap();
        let before = usage(&path).unwrap().unwrap();
        assert!(touch_access(&path));
        let after = usage(&path).unwrap().unwrap();
        assert_eq!(after.modified, before.modified);
        assert!(touch(&path));
        assert!(usage(&path).unwrap().unwrap().modified > before.modified);
        assert!(!touch(&directory.path().join("none")));
    }
}
