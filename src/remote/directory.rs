//! A cache in a directory, such as one that several hosts mount. Others may write to it at any time, and nothing in it is
//! believed.

use std::io;
use std::path::PathBuf;

use super::{Error, Kind, LARGEST, Take, wrong};
use crate::disk;
use crate::store::{self, Outcome, Store};
use crate::tree::File;

#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn place(&self, kind: Kind, name: &str) -> PathBuf {
        self.path.join(kind.name()).join(name)
    }

    /// A directory that is not there is one that is not mounted.
    fn require(&self) -> Result<(), Error> {
        if disk::is_directory(&self.path) { Ok(()) } else { Err(Error::NoDirectory(self.path.display().to_string())) }
    }

    pub fn small(&self, kind: Kind, names: &[String], take: &mut Take<'_>) -> Result<(), Error> {
        self.require()?;
        for (number, name) in names.iter().enumerate() {
            let path = self.place(kind, name);
            let found = match disk::file_size(&path) {
                Some(size) if size <= LARGEST => disk::read_if_exists(&path)?,
                Some(_) => return Err(wrong(kind, name)),
                None => None,
            };
            take(number, found)?;
        }
        Ok(())
    }

    pub fn files(&self, files: &[File], store: &Store) -> Result<Vec<bool>, Error> {
        let take = |file: &File| {
            let path = self.place(Kind::Content, &file.blob.hex());
            match disk::file_size(&path) {
                None => Ok(false),
                // Whoever writes there now may not be done.
                Some(size) if size != file.size => Err(wrong(Kind::Content, &file.blob.hex())),
                Some(_) if store.copy_in(&path, *file)? => Ok(true),
                Some(_) => Err(wrong(Kind::Content, &file.blob.hex())),
            }
        };
        files.iter().map(take).collect()
    }

    /// Whether it has things, and they are what their names say: what is damaged is as good as not there.
    pub fn has(&self, kind: Kind, things: &[(String, u64)]) -> Result<Vec<bool>, Error> {
        // One that is new is made, where there is a place for it.
        if !self.path.parent().is_some_and(disk::is_directory) {
            self.require()?;
        }
        let has = |(name, size): &(String, u64)| {
            let path = self.place(kind, name);
            match (kind, disk::file_size(&path)) {
                (_, None) => Ok(false),
                (Kind::Content, Some(found)) => Ok(found == *size && store::hash(&path)?.0.hex() == *name),
                (Kind::Result, Some(found)) if found > LARGEST => Ok(false),
                (Kind::Result, Some(_)) => Ok(Outcome::from_message(&disk::read(&path)?).is_some()),
            }
        };
        things.iter().map(has).collect()
    }

    /// Write something, so that others see all of it or nothing.
    pub fn put(&self, kind: Kind, name: &str, content: &mut dyn io::Read) -> Result<(), Error> {
        let path = self.place(kind, name);
        disk::create_directories(&self.path.join(kind.name()))?;
        Ok(disk::replace_file(&path, |mut file| {
            io::copy(content, &mut file).map(drop).map_err(|error| disk::Error::new("write", &path, error))
        })?)
    }
}
