//! Locks on paths: held by one process, and gone with it.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;

use super::{At as _, Error, Result, create_directories};

/// An exclusive lock on a path, released when the value goes or the process dies.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// What came of asking for a lock at once.
#[derive(Debug)]
pub enum TryLock {
    /// It is ours.
    Held(Lock),
    /// A process, named where it wrote its number, holds it.
    Busy(Option<u32>),
}

/// Ask for the lock at `path`, without waiting.
pub fn try_lock(path: &Path) -> Result<TryLock> {
    let mut file = open_lock(path)?;
    match file.try_lock() {
        Ok(()) => Ok(TryLock::Held(Lock::held(file))),
        Err(fs::TryLockError::WouldBlock) => Ok(TryLock::Busy(holder(&mut file))),
        Err(fs::TryLockError::Error(error)) => Err(Error::new("lock", path, error)),
    }
}

/// A lock on a path that several may have at a time, while nobody has the other kind.
#[derive(Debug)]
pub struct SharedLock {
    file: File,
}

/// What came of asking for a shared lock at once.
#[derive(Debug)]
pub enum TryShared {
    /// It is ours too.
    Held(SharedLock),
    /// A process, named where it wrote its number, has it for itself.
    Busy(Option<u32>),
}

/// Ask for a share of the lock at `path`, without waiting.
pub fn try_lock_shared(path: &Path) -> Result<TryShared> {
    let mut file = open_lock(path)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(TryShared::Held(SharedLock { file })),
        Err(fs::TryLockError::WouldBlock) => Ok(TryShared::Busy(holder(&mut file))),
        Err(fs::TryLockError::Error(error)) => Err(Error::new("lock", path, error)),
    }
}

impl Drop for SharedLock {
    fn drop(&mut self) {
        // As with the other kind, to close it would not be enough.
        let _ = self.file.unlock();
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok())
}

fn open_lock(path: &Path) -> Result<File> {
    if let Some(parent) = path.parent() {
        create_directories(parent)?;
    }
    fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).at("open the lock", path)
}

impl Lock {
    fn held(file: File) -> Self {
        // The number helps whoever waits; the lock holds without it.
        let _ = file.set_len(0).and_then(|()| (&file).write_all(std::process::id().to_string().as_bytes()));
        Self { file }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // An empty file names nobody. To close it would not be enough: a process that another thread is just starting
        // has it open too, until it runs its program.
        let _ = self.file.set_len(0).and_then(|()| self.file.unlock());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_names_its_holder() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = try_lock(&path).unwrap();
        assert!(matches!(try_lock(&path).unwrap(), TryLock::Busy(Some(pid)) if pid == std::process::id()));
        drop(held);
        assert!(matches!(try_lock(&path).unwrap(), TryLock::Held(_)));
    }

    #[test]
    fn a_lock_that_is_shared_keeps_out_whoever_wants_it_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let shares = [try_lock_shared(&path).unwrap(), try_lock_shared(&path).unwrap()];
        assert!(shares.iter().all(|share| matches!(share, TryShared::Held(_))));
        assert!(matches!(try_lock(&path).unwrap(), TryLock::Busy(None)));
        drop(shares);
        let alone = try_lock(&path).unwrap();
        assert!(matches!(try_lock_shared(&path).unwrap(), TryShared::Busy(Some(pid)) if pid == std::process::id()));
        drop(alone);
    }

    #[test]
    fn a_lock_is_released_though_a_process_that_is_just_starting_has_it_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let TryLock::Held(held) = try_lock(&path).unwrap() else { panic!("nobody else is here") };
        let _inherited = held.file.try_clone().unwrap();
        drop(held);
        assert!(matches!(try_lock(&path).unwrap(), TryLock::Held(_)));
    }
}
