//! The door to the file system: the only room that calls `std::fs`.
//!
//! Every error names what was being done to which path. What must survive a crash is written by
//! [`write_atomic`]: a temporary sibling, sync, rename.

#![allow(clippy::disallowed_methods, reason = "this room is the door to the file system")]

mod copying;
mod error;
mod faculties;
mod identity;
mod lock;
mod look;
mod pieces;
mod replacing;
mod usage;
mod walk;

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

pub use copying::{clone_or_copy, clone_or_copy_itself, set_time};
pub use error::Error;
pub use faculties::{Faculties, Room, faculties, nearest_directory, room};
pub use identity::{Identity, Stamp, identity, stamp};
pub use lock::{Lock, SharedLock, TryLock, TryShared, try_lock, try_lock_shared};
pub use look::{Look, look, names};
pub use pieces::any_piece;
pub use replacing::{replace_directory, replace_file, write_named};
pub use usage::{Usage, names_if_exists, touch, touch_access, usage, usage_alone};
pub use walk::{Found, time_in, walk_unignored};

/// What an operation on a path gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

trait At<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::new(doing, path, source))
    }
}

/// All bytes of a file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).at("read", path)
}

/// The first bytes of a file: so many, or all where it has fewer.
pub fn read_head(path: &Path, count: usize) -> Result<Vec<u8>> {
    let mut head = Vec::with_capacity(count);
    let file = File::open(path).at("open", path)?;
    file.take(count as u64).read_to_end(&mut head).at("read", path)?;
    Ok(head)
}

/// All bytes of a file, or nothing where there is no such file.
pub fn read_if_exists(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(Error::new("read", path, error)),
    }
}

/// The text of a file, or nothing where there is no such file.
pub fn read_text_if_exists(path: &Path) -> Result<Option<String>> {
    let Some(bytes) = read_if_exists(path)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
    text.at("read as UTF-8", path).map(Some)
}

fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Whether something, if only a dangling symlink, has this path.
pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Whether a path leads to a directory.
pub fn is_directory(path: &Path) -> bool {
    path.is_dir()
}

/// Whether a path leads to a regular file.
pub fn is_file(path: &Path) -> bool {
    path.is_file()
}

/// Whether this process may make something in a directory.
pub fn may_write(directory: &Path) -> bool {
    rustix::fs::access(directory, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Size of a regular file in bytes, or nothing where there is none.
pub fn file_size(path: &Path) -> Option<u64> {
    path.symlink_metadata().ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
}

/// The permission bits of what a path leads to, or nothing where there is nothing.
pub fn mode(path: &Path) -> Option<u32> {
    path.metadata().ok().map(|metadata| metadata.mode() & 0o7777)
}

/// Create a directory and its parents where they are missing.
pub fn create_directories(path: &Path) -> Result<()> {
    fs::create_dir_all(path).at("create directory", path)
}

/// Create one directory, which must not be there, with this mode.
pub fn create_directory(path: &Path, mode: u32) -> Result<()> {
    fs::DirBuilder::new().mode(mode).create(path).at("create directory", path)
}

/// Write a file that nobody reads before it is complete.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).at("write", path)
}

/// Write a file with this mode; a file that is there is an error.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(bytes)).at("write", path)
}

/// Make a file with exactly this mode, for writing; a file that is there is an error.
pub fn create_new(path: &Path, mode: u32) -> Result<File> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).at("write", path)?;
    // The process may be one whose new files get fewer permissions than they are made with.
    file.set_permissions(fs::Permissions::from_mode(mode)).at("set the mode of", path)?;
    Ok(file)
}

/// Write a file with this mode, so that it survives a power cut once its directory does.
pub fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|file| (&file).write_all_and_sync(bytes)).at("write", path)
}

/// Replace a file so that, whatever happens, it holds the old bytes or the new, and never a part.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |file| file.write_all_and_sync(bytes))
}

/// Replace a file that can be made again, so that no other process ever sees a part of it. A power cut may leave it empty.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |mut file| file.write_all(bytes))
}

fn replace(path: &Path, write: impl FnOnce(&File) -> io::Result<()>) -> Result<()> {
    let parent = parent(path);
    create_directories(parent)?;
    let temporary = tempfile::Builder::new()
        .prefix(SIBLING)
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(parent)
        .map_err(plain)
        .at("write into", parent)?;
    write(temporary.as_file()).at("write", path)?;
    temporary.persist(path).map_err(|error| error.error).at("replace", path)?;
    Ok(())
}

/// How the names of temporary siblings begin.
const SIBLING: &str = ".envy-tmp-";

/// Remove temporary siblings that a process left in a directory when it was killed. The caller holds the lock of
/// whoever writes there.
pub fn sweep(directory: &Path) -> Result<()> {
    for (name, _) in list_if_exists(directory)? {
        if name.as_encoded_bytes().starts_with(SIBLING.as_bytes()) {
            remove_tree(&directory.join(name))?;
        }
    }
    Ok(())
}

/// Errors about temporary files name the file, whose name tells nobody anything.
fn plain(error: io::Error) -> io::Error {
    error.kind().into()
}

trait WriteAndSync {
    fn write_all_and_sync(self, bytes: &[u8]) -> io::Result<()>;
}

impl WriteAndSync for &File {
    fn write_all_and_sync(mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)?;
        self.sync_all()
    }
}

/// Add a line to a file, made where it is missing, in one write. A last line that was cut short stays a line of its own.
pub fn append_line(path: &Path, line: &str) -> Result<()> {
    let cut_short = read_if_exists(path)?.is_some_and(|bytes| bytes.last().is_some_and(|last| *last != b'\n'));
    let text = format!("{}{line}\n", if cut_short { "\n" } else { "" });
    let file = fs::OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all())).at("write", path)
}

/// Open a file for reading.
pub fn open(path: &Path) -> Result<File> {
    File::open(path).at("open", path)
}

/// Create or empty a file, for writing.
pub fn create(path: &Path) -> Result<File> {
    File::create(path).at("create", path)
}

/// Begin a log anew, for whoever appends to it. Whoever still writes to an older one of this name goes on with that.
pub fn new_log(path: &Path) -> Result<File> {
    remove_file(path)?;
    fs::OpenOptions::new().append(true).create_new(true).open(path).at("create", path)
}

/// Make a named pipe, and open both of its ends.
pub fn named_pipe(path: &Path) -> Result<File> {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
        .map_err(io::Error::from)
        .at("make a pipe at", path)?;
    fs::OpenOptions::new().read(true).write(true).open(path).at("open", path)
}

/// Make what was written to a file survive a power cut.
pub fn sync_file(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_data()).at("sync", path)
}

/// Make everything that was written to the file system of a path survive a power cut.
pub fn sync_file_system(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| rustix::fs::syncfs(&file).map_err(io::Error::from)).at("sync", path)
}

/// How many bytes this user may still write to the file system of a path.
pub fn free_space(path: &Path) -> Result<u64> {
    let room = rustix::fs::statvfs(path).map_err(io::Error::from).at("look at", path)?;
    Ok(room.f_bavail.saturating_mul(room.f_frsize))
}

/// Copy a file's bytes and mode.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(|_| ()).at("copy to", to)
}

/// Give a path to something else's place, replacing what is there.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).at("rename to", to)
}

/// Remove a file; one that is not there is fine.
pub fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if !absent(&error) => Err(Error::new("remove", path, error)),
        _ => Ok(()),
    }
}

/// Remove whatever has this path, a directory with all that is in it, read-only directories too; nothing is fine.
pub fn remove_tree(path: &Path) -> Result<()> {
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return remove_file(path);
    }
    if fs::remove_dir_all(path).is_ok() {
        return Ok(());
    }
    make_removable(path);
    match fs::remove_dir_all(path) {
        Err(error) if !absent(&error) => Err(Error::new("remove", path, error)),
        _ => Ok(()),
    }
}

fn make_removable(path: &Path) {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        // Where this is refused, the removal that follows reports it.
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o755));
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            make_removable(&entry.path());
        }
    }
}

/// Set the permission bits of a file or directory.
pub fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).at("set the mode of", path)
}

/// Make a symlink.
pub fn symlink(target: &Path, path: &Path) -> Result<()> {
    std::os::unix::fs::symlink(target, path).at("make symlink", path)
}

/// Make a symlink in the place of what is there, in one step.
pub fn symlink_atomic(target: &Path, path: &Path) -> Result<()> {
    let directory = parent(path);
    let link = |sibling: &Path| std::os::unix::fs::symlink(target, sibling);
    let temporary =
        tempfile::Builder::new().prefix(SIBLING).make_in(directory, link).map_err(plain).at("write into", directory)?;
    temporary.persist(path).map_err(|error| error.error).at("replace", path)?;
    sync_directory(directory)
}

/// Where a symlink points, or nothing where there is none.
pub fn read_link(path: &Path) -> Option<PathBuf> {
    fs::read_link(path).ok()
}

/// The absolute path without symlinks.
pub fn canonical(path: &Path) -> Result<PathBuf> {
    path.canonicalize().at("find", path)
}

/// Make what was renamed into a directory survive a power cut.
pub fn sync_directory(path: &Path) -> Result<()> {
    File::open(path).and_then(|directory| directory.sync_all()).at("sync", path)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// What a directory entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file, and whether its owner may execute it.
    File { executable: bool },
    /// A directory.
    Directory,
    /// A symlink.
    Symlink,
    /// A device, socket or pipe.
    Other,
}

/// The entries of a directory, sorted by name.
pub fn list(path: &Path) -> Result<Vec<(std::ffi::OsString, Kind)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).at("list", path)? {
        let entry = entry.at("list", path)?;
        entries.push((entry.file_name(), kind(&entry.path())?));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(entries)
}

/// The entries of a directory, or none where there is no such directory.
pub fn list_if_exists(path: &Path) -> Result<Vec<(std::ffi::OsString, Kind)>> {
    if is_directory(path) { list(path) } else { Ok(Vec::new()) }
}

/// What stands at a path itself, symlinks not followed.
pub fn kind(path: &Path) -> Result<Kind> {
    fs::symlink_metadata(path).at("look at", path).map(|metadata| kind_of(&metadata))
}

fn kind_of(metadata: &fs::Metadata) -> Kind {
    let file_type = metadata.file_type();
    if file_type.is_symlink() {
        Kind::Symlink
    } else if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_file() {
        Kind::File { executable: metadata.mode() & 0o100 != 0 }
    } else {
        Kind::Other
    }
}

/// Give a second name to a file, or copy it where the file system will not link it any more.
///
/// A file system counts the links to one inode (ext4 allows 65,000), and a kernel may forbid to link the
/// files of another user, so a copy is the way out of both.
pub fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound || error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::new("link", to, error))
        }
        Err(_) => fs::copy(from, to).map(|_| ()).at("copy to", to),
    }
}

/// A temporary file, to be given its place by [`persist`], and removed where that does not happen.
pub fn temporary_in(directory: &Path) -> Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix("t").tempfile_in(directory).map_err(plain).at("write into", directory)
}

/// A temporary directory, removed when the value goes.
pub fn temporary_directory_in(directory: &Path) -> Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("d").tempdir_in(directory).map_err(plain).at("write into", directory)
}

/// The same, with a beginning of its name that whoever sweeps knows.
pub fn named_temporary_directory_in(directory: &Path, prefix: &str) -> Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix(prefix).tempdir_in(directory).map_err(plain).at("write into", directory)
}

/// Give a temporary file its mode and its place.
pub fn persist(file: tempfile::NamedTempFile, mode: u32, path: &Path) -> Result<()> {
    file.as_file().set_permissions(fs::Permissions::from_mode(mode)).at("set the mode of", path)?;
    file.persist(path).map_err(|error| error.error).at("write", path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_atomic_write_replaces_and_leaves_no_sibling() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/file");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        assert_eq!(list(path.parent().unwrap()).unwrap().len(), 1);
    }

    #[test]
    fn what_a_killed_process_left_is_swept() {
        let directory = tempfile::tempdir().unwrap();
        for name in [".envy-tmp-Ab12Cd", ".envy-notes", "file"] {
            write(&directory.path().join(name), b"").unwrap();
        }
        sweep(directory.path()).unwrap();
        let names: Vec<_> = list(directory.path()).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [".envy-notes", "file"]);
    }

    #[test]
    fn a_tree_may_be_a_file_a_directory_or_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("it");
        remove_tree(&path).unwrap();
        write(&path, b"").unwrap();
        remove_tree(&path).unwrap();
        write_atomic(&path.join("deep/file"), b"").unwrap();
        remove_tree(&path).unwrap();
        assert!(!exists(&path));
    }

    #[test]
    fn a_link_is_replaced_and_leaves_no_sibling() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("current");
        symlink_atomic(Path::new("one"), &path).unwrap();
        symlink_atomic(Path::new("two"), &path).unwrap();
        assert_eq!(read_link(&path).unwrap(), Path::new("two"));
        assert_eq!(list(directory.path()).unwrap().len(), 1);
        symlink_atomic(Path::new("three"), &directory.path().join("none/current")).unwrap_err();
        create_directory(&directory.path().join("taken"), 0o755).unwrap();
        symlink_atomic(Path::new("three"), &directory.path().join("taken")).unwrap_err();
        assert_eq!(list(directory.path()).unwrap().len(), 2);
    }

    #[test]
    fn errors_name_the_path() {
        let error = read(Path::new("/nowhere/at/all")).unwrap_err();
        assert_eq!(error.to_string(), "could not read `/nowhere/at/all`");
    }
}
