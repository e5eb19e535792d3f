//! A stand-in for the store, only as large as `source` needs it; the real one replaces it.

use std::path::PathBuf;

use crate::digest::BlobDigest;
use crate::disk;

/// The store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of it could not be touched.
    #[error(transparent)]
    Disk(#[from] disk::Error),
}

/// Blobs by digest.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store at a path.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// Whether a blob is there.
    pub fn has_blob(&self, digest: BlobDigest) -> bool {
        disk::exists(&self.blob_path(digest))
    }

    /// Where a blob is, or would be.
    pub fn blob_path(&self, digest: BlobDigest) -> PathBuf {
        let hex = digest.hex();
        self.root.join("blobs").join(&hex[..2]).join(&hex[2..])
    }

    /// A directory for temporaries on the store's own file system.
    pub fn temporary_directory(&self) -> Result<PathBuf, Error> {
        let path = self.root.join("tmp");
        disk::create_directories(&path)?;
        Ok(path)
    }

    /// Take a file in whose digest is known.
    pub fn adopt(&self, file: tempfile::NamedTempFile, digest: BlobDigest) -> Result<(), Error> {
        let path = self.blob_path(digest);
        disk::create_directories(path.parent().expect("a blob lies in a directory"))?;
        Ok(disk::persist(file, 0o444, &path)?)
    }
}
