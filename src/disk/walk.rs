//! Looking through a directory, less what git ignores.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ignore::{DirEntry, WalkBuilder, WalkState};

use super::identity::stamp_of;
use super::{Error, Kind, Result, Stamp, kind_of};

/// How a cache says that it is one (<https://bford.info/cachedir/>).
const CACHE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// A file, symlink or other thing that is no directory.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its path below the directory that was looked through.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// What tells whether it was touched.
    pub stamp: Stamp,
    /// When anything about it changed last, in nanoseconds since 1970: nobody can set this.
    pub changed: i128,
}

/// Everything below a directory that is no directory itself and that git would not ignore, sorted by the bytes of its path. Rules count
/// from `.gitignore` files of the repository and its `.git/info/exclude`, or, where there is no repository, from
/// `.gitignore` files below the directory, but never from the user's own configuration. What is called `.git` or
/// `.envy`, and directories that say by their `CACHEDIR.TAG` that they are caches, are left out.
pub fn walk_unignored(directory: &Path) -> Result<Vec<Found>> {
    let in_repository = directory.ancestors().any(|above| above.join(".git").exists());
    let (found, failed) = (Mutex::new(Vec::new()), Mutex::new(None));
    let walk = WalkBuilder::new(directory)
        .hidden(false)
        .ignore(false)
        .git_global(false)
        // Rules of one repository do not count in another; where they need none, the library does not look for any.
        .require_git(in_repository)
        .parents(in_repository)
        .threads(std::thread::available_parallelism().map_or(1, usize::from).min(4))
        .filter_entry(|entry| entry.depth() == 0 || !left_out(entry))
        .build_parallel();
    walk.run(|| {
        Box::new(|entry| match look(directory, entry) {
            Ok(one) => {
                found.lock().expect("no holder panics").extend(one);
                WalkState::Continue
            }
            Err(error) => {
                failed.lock().expect("no holder panics").get_or_insert(error);
                WalkState::Quit
            }
        })
    });
    if let Some(error) = failed.into_inner().expect("no holder panics") {
        return Err(error);
    }
    let mut found = found.into_inner().expect("no holder panics");
    found.sort_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
    Ok(found)
}

fn left_out(entry: &DirEntry) -> bool {
    let is_directory = entry.file_type().is_some_and(|kind| kind.is_dir());
    match entry.file_name().to_str() {
        Some(".git" | ".envy") => true,
        _ => is_directory && is_cache(entry.path()),
    }
}

fn is_cache(directory: &Path) -> bool {
    let mut begin = [0; CACHE.len()];
    let read = fs::File::open(directory.join("CACHEDIR.TAG")).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == CACHE
}

fn look(directory: &Path, entry: std::result::Result<DirEntry, ignore::Error>) -> Result<Option<Found>> {
    let entry = entry.map_err(|error| failure(directory, error))?;
    if entry.file_type().is_some_and(|kind| kind.is_dir()) {
        return Ok(None);
    }
    let metadata = entry.metadata().map_err(|error| failure(entry.path(), error))?;
    let path = entry.path().strip_prefix(directory).unwrap_or(entry.path()).to_owned();
    let changed = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
    Ok(Some(Found { path, kind: kind_of(&metadata), stamp: stamp_of(&metadata), changed }))
}

/// The walker's error, with the path that it is about.
fn failure(directory: &Path, error: ignore::Error) -> Error {
    let path = path_of(&error).unwrap_or(directory).to_owned();
    let text = error.to_string();
    Error::new("look through", &path, error.into_io_error().map_or_else(|| io::Error::other(text), plain))
}

fn plain(error: io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

/// The file system's present time, in nanoseconds since 1970, as a file that is made in a directory now gets it.
pub fn time_in(directory: &Path) -> Result<i128> {
    super::create_directories(directory)?;
    let file = super::temporary_in(directory)?;
    Ok(super::stamp(file.path())?.modified)
}
