//! A journal of what a project's files held before they are written together, so that a process that dies in
//! between leaves them, for whoever comes next, as they were.
//!
//! `.envy/undo.json` is there from when files are written until they are kept. Whoever finds it, and finds that nobody
//! holds the project, puts the old files back.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk::{self, TryLock};

#[derive(Serialize, Deserialize)]
struct File {
    /// From the project's directory.
    path: PathBuf,
    /// What it held, or nothing where there was none.
    old: Option<String>,
    /// The same, where it was no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<Vec<u8>>,
}

fn journal(root: &Path) -> PathBuf {
    root.join(".envy/undo.json")
}

/// The file whose lock is held by whoever edits a project.
pub fn lock(root: &Path) -> PathBuf {
    root.join(".envy/lock")
}

/// Write down what files hold that are about to be written.
pub fn note(root: &Path, files: &[(PathBuf, Option<Vec<u8>>)]) -> disk::Result<()> {
    let file = |(path, old): &(PathBuf, Option<Vec<u8>>)| File {
        path: path.strip_prefix(root).unwrap_or(path).to_owned(),
        old: old.as_ref().and_then(|bytes| String::from_utf8(bytes.clone()).ok()),
        bytes: old.as_ref().filter(|bytes| std::str::from_utf8(bytes).is_err()).cloned(),
    };
    let files: Vec<_> = files.iter().map(file).collect();
    disk::write_atomic(&journal(root), &serde_json::to_vec(&files).expect("a journal is plain data"))
}

/// Forget it: the files are as they should be.
pub fn clear(root: &Path) -> disk::Result<()> {
    disk::remove_file(&journal(root))
}

/// Put back what a dead process left half written. Whoever calls this holds the project.
pub fn recover(root: &Path) -> disk::Result<()> {
    let Some(bytes) = disk::read_if_exists(&journal(root))? else { return Ok(()) };
    for file in serde_json::from_slice::<Vec<File>>(&bytes).unwrap_or_default() {
        put(&root.join(file.path), file.bytes.as_deref().or(file.old.as_deref().map(str::as_bytes)))?;
    }
    clear(root)
}

/// Put back what a dead process left half written, unless somebody is at work here.
pub fn recover_if_abandoned(root: &Path) -> disk::Result<()> {
    if !disk::exists(&journal(root)) {
        return Ok(());
    }
    match disk::try_lock(&lock(root))? {
        TryLock::Held(_lock) => recover(root),
        TryLock::Busy(_) => Ok(()),
    }
}

/// Give a file these bytes, or remove it.
pub fn put(path: &Path, bytes: Option<&[u8]>) -> disk::Result<()> {
    match bytes {
        Some(bytes) => disk::write_atomic(path, bytes),
        None => disk::remove_file(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_dead_process_are_put_back() {
        let directory = tempfile::tempdir().unwrap();
        let (manifest, lockfile) = (directory.path().join("envy.toml"), directory.path().join("lockfiles/a.lock"));
        disk::write(&manifest, b"old").unwrap();
        let (logo, bytes) = (directory.path().join("logo.png"), b"\x89PNG".to_vec());
        let olds =
            [(lockfile.clone(), None), (manifest.clone(), Some(b"old".to_vec())), (logo.clone(), Some(bytes.clone()))];
        note(directory.path(), &olds).unwrap();
        put(&lockfile, Some(b"new")).unwrap();

        let held = disk::try_lock(&lock(directory.path())).unwrap();
        recover_if_abandoned(directory.path()).unwrap();
        assert!(disk::exists(&lockfile), "whoever is at work is left alone");
        drop(held);

        recover_if_abandoned(directory.path()).unwrap();
        assert!(!disk::exists(&lockfile));
        assert_eq!(disk::read(&manifest).unwrap(), b"old");
        assert_eq!(disk::read(&logo).unwrap(), bytes, "what is no text comes back too");
        assert!(!disk::exists(&journal(directory.path())));
    }
}
