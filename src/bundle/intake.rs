//! Taking a bundle in: every byte is proven before any of it has a place in the store.

use std::collections::BTreeSet;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

use super::{
    Budget, Contents, Directory, Error, HEADER, Header, Record, Unpacker, blob_path, directory_path, project_path,
    recipe_path,
};
use crate::digest::{BlobDigest, Hasher, TextDigest, TreeDigest};
use crate::disk;
use crate::store::{self, Store};
use crate::tree::grove::{self, Grove};
use crate::tree::{File, Tree};

/// The most bytes that a bundle may say of itself.
const LARGEST_HEADER: u64 = 256 << 20;

/// A bundle that arrived whole. What it brings waits beside the store; it goes with this value, unless it is kept.
#[derive(Debug)]
pub struct Arrived {
    /// What it holds, files and recipes included.
    pub contents: Contents,
    /// Digest of its contents.
    pub digest: TextDigest,
    trees: Vec<(TreeDigest, Tree)>,
    waiting: Vec<(PathBuf, File)>,
    _place: tempfile::TempDir,
}

/// Read a bundle, and prove all of it.
pub fn receive(from: impl Read, store: &Store) -> Result<Arrived, Error> {
    let mut unpacker = Unpacker::new(from).map_err(Error::Unpack)?;
    let bytes = unpacker.first(HEADER, LARGEST_HEADER)?;
    let header = Header::read(&bytes)?;
    let mut contents = header.contents()?;
    for (is_recipe, name, record) in header.records() {
        let path = if is_recipe { recipe_path(name) } else { project_path(name) };
        let bytes = small(&mut unpacker, &path, record)?;
        let files = if is_recipe { &mut contents.recipes } else { &mut contents.files };
        files.insert(name.clone(), bytes);
    }
    let trees = trees(&mut unpacker, &contents, &header.directories()?)?;
    let mut files = grove::files(trees.iter().map(|(_, tree)| tree));
    files.extend(contents.blobs.iter().map(|(blob, size)| (*blob, false, *size)));
    if let Some(blob) = grove::of_two_sizes(&files) {
        return Err(Error::Header(format!("blob {blob} has two sizes")));
    }
    require_room(store, &files)?;
    let place = disk::temporary_directory_in(&store.temporary_directory()?)?;
    let mut waiting = Vec::new();
    for (blob, executable, size) in files {
        let file = File { blob, size, executable };
        waiting.extend(take(&mut unpacker, store, place.path(), file)?.map(|path| (path, file)));
    }
    unpacker.end()?;
    Ok(Arrived { contents, digest: TextDigest::of(&bytes), trees, waiting, _place: place })
}

/// A file that is held in memory.
fn small<R: Read>(unpacker: &mut Unpacker<R>, path: &str, record: Record) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    unpacker.next(path, record.size, |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })?;
    prove(path, record.sha256, BlobDigest::of(&bytes))?;
    Ok(bytes)
}

/// All trees, of directories that belong to one each.
fn trees<R: Read>(
    unpacker: &mut Unpacker<R>,
    contents: &Contents,
    directories: &[Directory],
) -> Result<Vec<(TreeDigest, Tree)>, Error> {
    let mut grove = Grove::default();
    for (digest, size) in directories {
        let mut bytes = Vec::new();
        unpacker.next(&directory_path(*digest), *size, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        grove.insert(*digest, bytes)?;
    }
    let mut budget = Budget::default();
    let grown = |digest: &TreeDigest| Ok((*digest, grove.tree(*digest, &mut budget)?));
    let trees = contents.trees.iter().map(grown).collect::<Result<Vec<_>, Error>>()?;
    let used: BTreeSet<_> =
        trees.iter().flat_map(|(_, tree)| tree.encode().directories).map(|(digest, _)| digest).collect();
    if let Some(other) = grove.digests().find(|digest| !used.contains(digest)) {
        return Err(Error::Header(format!("directory {other} belongs to no tree")));
    }
    Ok(trees)
}

/// Refuse what the store has no room for, before it is written.
fn require_room(store: &Store, files: &BTreeSet<(BlobDigest, bool, u64)>) -> Result<(), Error> {
    let new = files.iter().map(|&(blob, executable, size)| File { blob, size, executable });
    let needed = new.filter(|file| !store.has_file(*file)).fold(0_u64, |all, file| all.saturating_add(file.size));
    let free = disk::free_space(&store.temporary_directory()?)?;
    if needed > free { Err(Error::NoRoom { needed, free }) } else { Ok(()) }
}

/// Take one file; gives where it waits, unless the store has it.
fn take<R: Read>(
    unpacker: &mut Unpacker<R>,
    store: &Store,
    place: &Path,
    file: File,
) -> Result<Option<PathBuf>, Error> {
    let path = place.join(format!("{}{}", file.blob.hex(), if file.executable { ".x" } else { "" }));
    let mut to = match store.use_proven_file(file)? {
        true => None,
        false => Some(disk::create_new(&path, store::mode(file.executable))?),
    };
    let mut hasher = Hasher::default();
    unpacker.next(&blob_path(file), file.size, |piece| {
        hasher.update(piece);
        match &mut to {
            Some(to) => Ok(to.write_all(piece).map_err(|error| disk::Error::new("write", &path, error))?),
            None => Ok(()),
        }
    })?;
    prove(&blob_path(file), file.blob, hasher.finish())?;
    Ok(to.map(|_| path))
}

fn prove(path: &str, expected: BlobDigest, received: BlobDigest) -> Result<(), Error> {
    if expected == received {
        return Ok(());
    }
    Err(Error::Digest { path: path.to_owned(), expected: expected.hex(), received: received.hex() })
}

impl Arrived {
    /// Give all bytes and trees their place in the store. What the bundle says of commits stays its word, for whoever can
    /// prove it.
    pub fn keep(&mut self, store: &Store) -> Result<(), Error> {
        if !self.waiting.is_empty() {
            disk::sync_file_system(store.root())?;
        }
        for (path, file) in self.waiting.drain(..) {
            store.adopt_file(&path, file)?;
        }
        for (_, tree) in &self.trees {
            store.put_tree(tree)?;
        }
        Ok(())
    }
}
