//! Units: what one call of a compiler gave, to be given again to whoever would make the same call.
//!
//! A record is one JSON document, `"schema": "envy.unit/1"`, which names the files by their digests. They are blobs. Nothing
//! of this is synced: whoever uses a file proves it first, and what is missing or damaged is made again.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Error, Store, blobs};
use crate::digest::{BlobDigest, UnitDigest};
use crate::disk;
use crate::tree::File;

const SCHEMA: &str = "envy.unit/1";

/// What one call of a compiler gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The files that it wrote, by their names.
    pub files: BTreeMap<String, File>,
    /// What it wrote to stderr.
    pub said: String,
}

#[derive(Serialize, Deserialize)]
struct Record {
    schema: String,
    files: BTreeMap<String, FileRecord>,
    said: String,
}

#[derive(Serialize, Deserialize)]
struct FileRecord {
    blob: String,
    size: u64,
    executable: bool,
}

impl Store {
    /// What a call of a compiler gave, where it is known and its files are here.
    pub fn unit(&self, unit: UnitDigest) -> Result<Option<Unit>, Error> {
        let path = self.path_of("units", &unit);
        let Some(bytes) = disk::read_if_exists(&path)? else { return Ok(None) };
        let _using = self.using();
        if !self.use_record(&path) {
            return Ok(None);
        }
        // A record that cannot be read is as good as none.
        Ok(read(&bytes).filter(|unit| unit.files.values().all(|file| self.has_file(*file))))
    }

    /// Remember what a call of a compiler gave.
    pub fn put_unit(&self, digest: UnitDigest, unit: &Unit) -> Result<(), Error> {
        let _using = self.using();
        let file = disk::temporary_in(&self.temporary_directory()?)?;
        disk::write(file.path(), &write(unit))?;
        super::place(file, 0o444, &self.path_of("units", &digest)).map_err(Error::from)
    }

    /// Move a file into the store, without a sync. It lies on the store's file system, where nobody writes to it any more.
    pub fn keep(&self, path: &Path, executable: bool) -> Result<File, Error> {
        let (blob, size) = blobs::hash(path)?;
        let file = File { blob, size, executable };
        disk::set_mode(path, blobs::mode(executable))?;
        // One that is there already may be damaged, and is removed then.
        self.prove_file(file)?;
        self.adopt_file(path, file)?;
        Ok(file)
    }
}

fn write(unit: &Unit) -> Vec<u8> {
    let file = |(name, file): (&String, &File)| {
        (name.clone(), FileRecord { blob: file.blob.hex(), size: file.size, executable: file.executable })
    };
    let files = unit.files.iter().map(file).collect();
    let record = Record { schema: SCHEMA.to_owned(), files, said: unit.said.clone() };
    serde_json::to_vec(&record).expect("a record is plain data")
}

pub(super) fn read(bytes: &[u8]) -> Option<Unit> {
    let record: Record = serde_json::from_slice(bytes).ok()?;
    let file = |(name, file): (String, FileRecord)| {
        let blob = BlobDigest::from_hex(&file.blob).ok()?;
        Some((name, File { blob, size: file.size, executable: file.executable }))
    };
    let files = record.files.into_iter().map(file).collect::<Option<_>>()?;
    (record.schema == SCHEMA).then_some(Unit { files, said: record.said })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store_with_a_unit() -> (tempfile::TempDir, Store, UnitDigest, Unit) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let made = directory.path().join("liba.rlib");
        disk::write(&made, b"code").unwrap();
        let file = store.keep(&made, false).unwrap();
        let unit = Unit { files: [("liba.rlib".to_owned(), file)].into(), said: "{}\n".to_owned() };
        let digest = UnitDigest::of(b"a call");
        store.put_unit(digest, &unit).unwrap();
        (directory, store, digest, unit)
    }

    #[test]
    fn a_unit_reads_back_while_its_files_are_there() {
        let (_directory, store, digest, unit) = store_with_a_unit();
        assert_eq!(store.unit(UnitDigest::of(b"another")).unwrap(), None);
        assert_eq!(store.unit(digest).unwrap(), Some(unit.clone()));
        disk::remove_file(&store.file_path(unit.files["liba.rlib"])).unwrap();
        assert_eq!(store.unit(digest).unwrap(), None);
    }

    #[test]
    fn a_file_that_is_not_what_its_name_says_is_removed() {
        let (_directory, store, digest, unit) = store_with_a_unit();
        let file = unit.files["liba.rlib"];
        assert!(store.prove_file(file).unwrap());
        let path = store.file_path(file);
        disk::set_mode(&path, 0o644).unwrap();
        disk::write(&path, b"evil").unwrap();
        assert!(!store.prove_file(file).unwrap());
        assert_eq!(store.unit(digest).unwrap(), None);
    }

    #[test]
    fn what_is_kept_replaces_what_is_damaged() {
        let (directory, store, _, unit) = store_with_a_unit();
        let file = unit.files["liba.rlib"];
        disk::set_mode(&store.file_path(file), 0o644).unwrap();
        disk::write(&store.file_path(file), b"evil").unwrap();
        let again = directory.path().join("again");
        disk::write(&again, b"code").unwrap();
        assert_eq!(store.keep(&again, false).unwrap(), file);
        assert_eq!(store.read_file(file).unwrap(), b"code");
    }

    #[test]
    fn the_record_stays_as_it_is() {
        let file = File { blob: BlobDigest::of(b""), size: 0, executable: true };
        let unit = Unit { files: [("a.so".to_owned(), file)].into(), said: String::new() };
        let text = r#"{"schema":"envy.unit/1","files":{"a.so":{"blob":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0,"executable":true}},"said":""}"#;
        assert_eq!(String::from_utf8(write(&unit)).unwrap(), text);
        assert_eq!(read(text.as_bytes()), Some(unit));
        assert_eq!(read(text.replace("unit/1", "unit/2").as_bytes()), None);
    }
}
