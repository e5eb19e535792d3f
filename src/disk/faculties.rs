//! What the file system of a directory can do, found out by doing it, and how much room it has.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, ioctl_ficlone, statvfs};

use super::{At as _, Result, TryLock, try_lock};

/// What a file system can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faculties {
    /// Give a file a second name.
    pub links: bool,
    /// Make symlinks.
    pub symlinks: bool,
    /// Copy a file by sharing its blocks.
    pub clones: bool,
    /// Keep locks.
    pub locks: bool,
    /// Tell `a` from `A`.
    pub tells_case: bool,
    /// Exchange the names of two directories.
    pub exchanges: bool,
}

/// How a file system is mounted, and what room it has for this user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The number of the device.
    pub device: u64,
    /// Bytes that are free.
    pub bytes: u64,
    /// Files that can still be made; nothing where the file system does not count them.
    pub files: Option<u64>,
    /// Whether nothing can be written.
    pub read_only: bool,
    /// Whether no program can be run from there.
    pub no_programs: bool,
}

/// The nearest directory that is there, at a path or above it.
pub fn nearest_directory(path: &Path) -> PathBuf {
    path.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

/// The room that the file system of a path has.
pub fn room(path: &Path) -> Result<Room> {
    let found = statvfs(path).map_err(io::Error::from).at("look at the file system of", path)?;
    Ok(Room {
        device: fs::metadata(path).at("look at", path)?.dev(),
        bytes: found.f_bavail.saturating_mul(found.f_frsize),
        files: (found.f_files > 0).then_some(found.f_favail),
        read_only: found.f_flag.contains(StatVfsMountFlags::RDONLY),
        no_programs: found.f_flag.contains(StatVfsMountFlags::NOEXEC),
    })
}

/// Try out what can be done in a directory, in a temporary one that is removed afterwards.
pub fn faculties(directory: &Path) -> Result<Faculties> {
    let scratch = super::named_temporary_directory_in(directory, ".envy-doctor-")?;
    let (one, two) = (scratch.path().join("one"), scratch.path().join("two"));
    super::write(&one, b"one")?;
    let links = fs::hard_link(&one, &two).is_ok();
    let symlinks = std::os::unix::fs::symlink("one", scratch.path().join("link")).is_ok();
    let tells_case = !scratch.path().join("ONE").exists();
    let locks = matches!(try_lock(&scratch.path().join("lock")), Ok(TryLock::Held(_)));
    Ok(Faculties { links, symlinks, clones: clones(&one), locks, tells_case, exchanges: exchanges(scratch.path()) })
}

fn clones(file: &Path) -> bool {
    let (Ok(from), Ok(to)) = (fs::File::open(file), fs::File::create(file.with_extension("clone"))) else {
        return false;
    };
    ioctl_ficlone(&to, &from).is_ok()
}

fn exchanges(directory: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let (a, b) = (directory.join("a"), directory.join("b"));
    [&a, &b].into_iter().all(|path| fs::create_dir(path).is_ok())
        && renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trying_out_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let found = faculties(directory.path()).unwrap();
        assert!(found.symlinks && found.locks, "{found:?}");
        assert!(super::super::list(directory.path()).unwrap().is_empty());
        assert!(room(directory.path()).unwrap().bytes > 0);
        assert_eq!(nearest_directory(&directory.path().join("none/at/all")), directory.path());
    }
}
