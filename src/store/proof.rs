//! Proof: bytes of the store are hashed before they are used, once in each run.
//!
//! A name in the store promises what is under it, and a disk may break that promise. Whatever goes into a build or a prefix
//! is hashed first, so that a damaged file is found by who would use it, and never installed.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{Error, Store, blobs};
use crate::digest::BlobDigest;
use crate::disk;
use crate::tree::File;

/// What this process has hashed, or has written from bytes that it hashed.
#[derive(Debug, Default)]
pub(super) struct Proven(Mutex<HashSet<PathBuf>>);

impl Proven {
    pub(super) fn add(&self, path: &Path) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
    }

    pub(super) fn remove(&self, path: &Path) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
    }

    fn has(&self, path: &Path) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }
}

impl Store {
    /// Where a file of a tree is, whose bytes are what its name says.
    pub fn proven_file(&self, file: File) -> Result<PathBuf, Error> {
        if !self.has_file(file) {
            return Err(Error::MissingBlob(file.blob));
        }
        let path = self.proven(self.file_path(file), file.blob)?;
        restore_mode(&path, file)?;
        Ok(path)
    }

    /// The bytes of a file of a tree, which are what its name says, and need not be proven again.
    pub(super) fn read_proven_file(&self, file: File) -> Result<Vec<u8>, Error> {
        if !self.has_file(file) {
            return Err(Error::MissingBlob(file.blob));
        }
        let path = self.file_path(file);
        let bytes = if self.proven.has(&path) { disk::read(&path)? } else { self.read_file(file)? };
        restore_mode(&path, file)?;
        self.proven.add(&path);
        Ok(bytes)
    }

    /// Whether the bytes of a file are here and are what their name says. Those that are not are removed.
    pub fn prove_file(&self, file: File) -> Result<bool, Error> {
        let path = self.file_path(file);
        if !self.has_file(file) {
            return Ok(false);
        }
        if blobs::hash(&path)? == (file.blob, file.size) {
            return Ok(true);
        }
        self.proven.remove(&path);
        disk::remove_file(&path)?;
        Ok(false)
    }

    /// The same, to be used: whoever has something to put in its place does without it.
    pub fn use_proven_file(&self, file: File) -> Result<bool, Error> {
        let _using = self.using();
        let path = self.file_path(file);
        let is_known = self.proven.has(&path) && self.has_file(file);
        Ok((is_known || self.prove_file(file)?) && self.use_content(&path))
    }

    /// Where the bytes of a digest are, which are what it says.
    pub fn proven_blob(&self, digest: BlobDigest) -> Result<PathBuf, Error> {
        let path = self.blob_path(digest);
        if !disk::is_file(&path) {
            return Err(Error::MissingBlob(digest));
        }
        self.proven(path, digest)
    }

    fn proven(&self, path: PathBuf, digest: BlobDigest) -> Result<PathBuf, Error> {
        if self.proven.has(&path) {
            return Ok(path);
        }
        let (found, _) = blobs::hash(&path)?;
        if found != digest {
            return Err(Error::Damaged { path, why: format!("its content is {found}") });
        }
        self.proven.add(&path);
        Ok(path)
    }
}

/// Give a file the mode that goes with its name: who removes a prefix by hand may have given all of its files another one,
/// and they are this file.
fn restore_mode(path: &Path, file: File) -> Result<(), Error> {
    if disk::mode(path) != Some(blobs::mode(file.executable)) {
        disk::set_mode(path, blobs::mode(file.executable))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_is_never_given_out() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().to_owned());
        let file = store.put_file(b"right", true).unwrap();
        let path = store.file_path(file);
        disk::set_mode(&path, 0o755).unwrap();
        disk::write(&path, b"wrong").unwrap();
        let store = Store::at(directory.path().to_owned());
        assert!(matches!(store.proven_file(file), Err(Error::Damaged { .. })));
        disk::remove_file(&path).unwrap();
        assert!(matches!(store.proven_file(file), Err(Error::MissingBlob(_))));
        store.put_file(b"right", true).unwrap();
        assert_eq!(store.proven_file(file).unwrap(), path);
    }
}
