//! A cache in a directory, such as one that several hosts mount. Others may write to it at any time, and nothing in it is
//! believed.

use std::io;
use std::path::PathBuf;

use super::{Error, Kind, LARGEST, wrong};
use crate::disk;
use crate::store::Store;
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

    pub fn small(&self, kind: Kind, names: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        self.require()?;
        let read = |name: &String| {
            let path = self.place(kind, name);
            match disk::file_size(&path) {
                Some(size) if size <= LARGEST => Ok(disk::read_if_exists(&path)?),
                Some(_) => Err(wrong(name)),
                None => Ok(None),
            }
        };
        names.iter().map(read).collect()
    }

    pub fn files(&self, files: &[File], store: &Store) -> Result<Vec<bool>, Error> {
        let take = |file: &File| {
            let path = self.place(Kind::Content, &file.blob.hex());
            match disk::file_size(&path) {
                None => Ok(false),
                // Whoever writes there now may not be done.
                Some(size) if size != file.size => Err(wrong(&file.blob.hex())),
                Some(_) if store.copy_in(&path, *file)? => Ok(true),
                Some(_) => Err(wrong(&file.blob.hex())),
            }
        };
        files.iter().map(take).collect()
    }

    pub fn has(&self, kind: Kind, names: &[String]) -> Vec<bool> {
        names.iter().map(|name| disk::file_size(&self.place(kind, name)).is_some()).collect()
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
