//! Blobs: the bytes of files.

use std::cell::RefCell;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::{Error, Store, place};
use crate::digest::{BlobDigest, Hasher};
use crate::disk;
use crate::tree::File;

impl Store {
    /// Where the bytes of this digest are, or would be.
    pub fn blob_path(&self, digest: BlobDigest) -> PathBuf {
        self.path_of("blobs", &digest)
    }

    /// Where a file of a tree is, or would be: with its mode.
    pub fn file_path(&self, file: File) -> PathBuf {
        let path = self.blob_path(file.blob);
        if file.executable { path.with_added_extension("x") } else { path }
    }

    /// Whether the bytes of this digest are here, to be used. A file that a power cut left empty is not.
    pub fn has_blob(&self, digest: BlobDigest) -> bool {
        let path = self.blob_path(digest);
        let is_whole = |size| size > 0 || digest == BlobDigest::of(b"");
        if !disk::file_size(&path).is_some_and(is_whole) {
            return false;
        }
        let _using = self.using();
        self.use_content(&path)
    }

    /// Whether a file of a tree is here, with its mode and size.
    pub fn has_file(&self, file: File) -> bool {
        disk::file_size(&self.file_path(file)) == Some(file.size)
    }

    /// The same, to be used.
    pub(super) fn use_file(&self, file: File) -> bool {
        self.has_file(file) && self.use_content(&self.file_path(file))
    }

    /// Keep bytes.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<BlobDigest, Error> {
        let digest = BlobDigest::of(bytes);
        self.put("blobs", &digest, bytes)?;
        Ok(digest)
    }

    /// The bytes of this digest, proven.
    pub fn read_blob(&self, digest: BlobDigest) -> Result<Vec<u8>, Error> {
        self.read_proven(self.blob_path(digest), digest)
    }

    /// The bytes of a file of a tree, proven.
    pub fn read_file(&self, file: File) -> Result<Vec<u8>, Error> {
        self.read_proven(self.file_path(file), file.blob)
    }

    fn read_proven(&self, path: PathBuf, digest: BlobDigest) -> Result<Vec<u8>, Error> {
        let bytes = disk::read_if_exists(&path)?.ok_or(Error::MissingBlob(digest))?;
        let found = BlobDigest::of(&bytes);
        if found != digest {
            return Err(Error::Damaged { path, why: format!("its content is {found}") });
        }
        Ok(bytes)
    }

    /// Refuse a file of a tree whose bytes are not here, or not what its name says.
    pub fn require_proven(&self, file: File) -> Result<(), Error> {
        let path = self.file_path(file);
        if !self.has_file(file) {
            return Err(Error::MissingBlob(file.blob));
        }
        let (found, _) = hash(&path)?;
        if found == file.blob { Ok(()) } else { Err(Error::Damaged { path, why: format!("its content is {found}") }) }
    }

    /// Keep the bytes of a file, under the name that goes with its mode.
    pub fn put_file(&self, bytes: &[u8], executable: bool) -> Result<File, Error> {
        let file = File { blob: BlobDigest::of(bytes), size: bytes.len() as u64, executable };
        let _using = self.using();
        if !self.use_file(file) {
            let temporary = disk::temporary_in(&self.temporary_directory()?)?;
            disk::write(temporary.path(), bytes)?;
            place(temporary, mode(executable), &self.file_path(file))?;
            self.proven.add(&self.file_path(file));
        }
        Ok(file)
    }

    /// Keep a copy of a file that stays where it is, if its content is still this; says whether it is.
    pub fn copy_in(&self, from: &Path, file: File) -> Result<bool, Error> {
        let _using = self.using();
        if self.use_file(file) {
            return Ok(true);
        }
        let beside = disk::temporary_directory_in(&self.temporary_directory()?)?;
        let copy = beside.path().join("file");
        disk::clone_or_copy(from, &copy, 0o600)?;
        let still = hash(&copy)? == (file.blob, file.size);
        if still {
            let place = self.file_path(file);
            disk::create_directories(place.parent().expect("a blob has a directory"))?;
            disk::set_mode(&copy, mode(file.executable))?;
            disk::rename(&copy, &place)?;
        }
        Ok(still)
    }

    /// Keep a temporary file, whose digest was computed as it was written, without reading it again.
    pub fn adopt(&self, file: tempfile::NamedTempFile, digest: BlobDigest) -> Result<(), Error> {
        let _using = self.using();
        place(file, 0o444, &self.blob_path(digest))?;
        self.proven.add(&self.blob_path(digest));
        Ok(())
    }

    /// Keep a file of a tree whose bytes are at hand. What is here is not written again; what is not is written to the
    /// path `temporary` first, on the store's file system, where nothing is. It survives a power cut when the whole
    /// file system was synced.
    pub fn put_file_at(&self, bytes: &[u8], executable: bool, temporary: &Path) -> Result<File, Error> {
        let file = File { blob: BlobDigest::of(bytes), size: bytes.len() as u64, executable };
        let _using = self.using();
        if !self.use_file(file) {
            let mut new = disk::create_new(temporary, mode(executable))?;
            new.write_all(bytes).map_err(|error| disk::Error::new("write", temporary, error))?;
            drop(new);
            self.name_file(temporary, file)?;
        }
        Ok(file)
    }

    /// Keep a finished file of a tree, which has its mode, whose digest was computed as it was written, and which is on
    /// the store's file system. It survives a power cut when that was synced.
    pub fn adopt_file(&self, path: &Path, file: File) -> Result<(), Error> {
        let _using = self.using();
        if self.use_file(file) {
            return Ok(disk::remove_file(path)?);
        }
        self.name_file(path, file)
    }

    fn name_file(&self, path: &Path, file: File) -> Result<(), Error> {
        let place = self.file_path(file);
        match disk::rename(path, &place) {
            // The first of its directory.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                disk::create_directories(place.parent().expect("a blob has a directory"))?;
                Ok(disk::rename(path, &place)?)
            }
            done => Ok(done?),
        }
    }

    /// Give a file its name in the store. One from another file system is copied beside it first.
    fn take_in(&self, path: &Path, place: &Path) -> Result<(), Error> {
        match disk::rename(path, place) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                let beside = disk::temporary_directory_in(&self.temporary_directory()?)?;
                let copy = beside.path().join("file");
                disk::copy(path, &copy)?;
                disk::sync_file(&copy)?;
                Ok(disk::rename(&copy, place)?)
            }
            done => Ok(done?),
        }
    }

    /// Move a file from a build into the store: read once, to be hashed, and renamed.
    pub(super) fn ingest_file(&self, path: &Path, executable: bool) -> Result<File, Error> {
        let (blob, size) = hash(path)?;
        let file = File { blob, size, executable };
        let _using = self.using();
        // One that is there already may be damaged, and is removed then.
        if !(self.prove_file(file)? && self.use_file(file)) {
            let place = self.file_path(file);
            disk::create_directories(place.parent().expect("a blob has a directory"))?;
            disk::set_mode(path, mode(executable))?;
            disk::sync_file(path)?;
            self.take_in(path, &place)?;
            self.proven.add(&place);
        }
        Ok(file)
    }
}

/// The mode of a file in the store.
pub fn mode(executable: bool) -> u32 {
    if executable { 0o555 } else { 0o444 }
}

/// Digest and size of a file's bytes.
pub fn hash(path: &Path) -> disk::Result<(BlobDigest, u64)> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 * 1024]);
    }
    let (mut file, mut hasher, mut size) = (disk::open(path)?, Hasher::default(), 0);
    BUFFER.with_borrow_mut(|buffer| {
        loop {
            match file.read(buffer) {
                Ok(0) => return Ok((hasher.finish(), size)),
                Ok(count) => {
                    hasher.update(&buffer[..count]);
                    size += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(disk::Error::new("read", path, error)),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_only_the_blob_of_no_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().to_owned());
        let (none, some) = (store.put_blob(b"").unwrap(), store.put_blob(b"some").unwrap());
        disk::remove_file(&store.blob_path(some)).unwrap();
        disk::write(&store.blob_path(some), b"").unwrap();
        assert_eq!((store.has_blob(none), store.has_blob(some)), (true, false));
    }

    #[test]
    fn a_copy_is_kept_only_if_it_is_what_it_should_be() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let path = directory.path().join("file");
        disk::write(&path, b"text").unwrap();
        let file = File { blob: BlobDigest::of(b"text"), size: 4, executable: true };
        let other = File { blob: BlobDigest::of(b"else"), ..file };
        assert!(store.copy_in(&path, file).unwrap());
        assert!(!store.copy_in(&path, other).unwrap());
        assert_eq!((store.has_file(file), store.has_file(other)), (true, false));
        assert!(path.exists());
    }

    #[test]
    fn a_blob_that_was_changed_is_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().to_owned());
        let digest = store.put_blob(b"right").unwrap();
        assert_eq!(store.read_blob(digest).unwrap(), b"right");
        disk::remove_file(&store.blob_path(digest)).unwrap();
        disk::write(&store.blob_path(digest), b"wrong").unwrap();
        assert!(matches!(store.read_blob(digest), Err(Error::Damaged { .. })));
    }
}
