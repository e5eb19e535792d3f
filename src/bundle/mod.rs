//! Bundles: one file with all that a site is installed from, for hosts that reach nobody.
//!
//! ```text
//! bundle.json            what follows: names, sizes, digests; `"schema": "envy.bundle/1"`
//! project/envy.toml      files of the project that say what the site is
//! project/lockfiles/…
//! built-in/NAME.toml     recipes of the envy that wrote it, for one that has others
//! trees/abcd…            directories of trees, in canonical encoding
//! blobs/abcd…            bytes of files, and of archives; `.x` where they may be executed
//! ```
//!
//! A bundle is a tar archive without owners, times and modes, sorted, packed by zstd with one thread at one level: the same
//! contents are the same bytes, as long as the same envy writes them. Another release may pack the same contents to other
//! bytes; the digest of what is packed stays.
//!
//! Whoever reads one knows from `bundle.json` what has to come next, to the byte, and hashes all of it. What is not as it has
//! to be ends it, and until the last byte is proven nothing has a place in the store. A bundle holds no results of actions:
//! whoever could write one would speak for every project that uses the store.

mod container;
mod header;
mod intake;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};

use crate::digest::{BlobDigest, Hasher, TextDigest, TreeDigest};
use crate::disk;
use crate::package::SiteName;
use crate::platform::Platform;
use crate::store::{self, Store};
use crate::tree::File;
use crate::tree::grove::{self, Budget};

use container::{Packer, Unpacker, takes};
use header::{Directory, Header, Record};
pub use header::{is_plain, plain};
pub use intake::{Arrived, receive};

/// The name of the first file.
const HEADER: &str = "bundle.json";

/// What a bundle is made of.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The site.
    pub site: SiteName,
    /// What its programs run on.
    pub platform: Platform,
    /// Whether all is there that they are built from.
    pub sources: bool,
    /// Files of the project, by their paths in it.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Texts of the recipes that came with envy, by name.
    pub recipes: BTreeMap<String, Vec<u8>>,
    /// Whole trees.
    pub trees: BTreeSet<TreeDigest>,
    /// Archives.
    pub blobs: BTreeMap<BlobDigest, u64>,
    /// What commits gave, each under a name that follows from the commit and what is pinned of it. That is the bundle's word.
    pub commits: BTreeMap<TextDigest, (TreeDigest, i64)>,
}

/// A bundle cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// It cannot be unpacked.
    #[error("it cannot be unpacked")]
    Unpack(#[source] io::Error),
    /// It cannot be packed.
    #[error("it cannot be packed")]
    Pack(#[source] io::Error),
    /// Its end is missing.
    #[error("its end is missing")]
    Cut,
    /// It is something else.
    #[error("it does not begin as a bundle does")]
    NoBundle,
    /// A later envy wrote it.
    #[error("it is of format `{0}`, which this envy does not know")]
    Format(String),
    /// What it says of itself makes no sense.
    #[error("what it says of itself makes no sense: {0}")]
    Header(String),
    /// Something else comes than has to.
    #[error("`{expected}` was expected, and {found} is there")]
    Unexpected {
        /// What has to come.
        expected: String,
        /// What comes.
        found: String,
    },
    /// Bytes where a file is over and the next has not begun.
    #[error("there are bytes between two files that belong to neither")]
    Between,
    /// Bytes that are not what they have to be.
    #[error("`{path}` is not what it has to be: expected sha256:{expected}, received sha256:{received}")]
    Digest {
        /// Its name.
        path: String,
        /// What it has to be.
        expected: String,
        /// What it is.
        received: String,
    },
    /// Its directories do not make trees.
    #[error("its trees cannot be put together")]
    Trees(#[from] grove::Error),
    /// There is no room for it.
    #[error("it needs {needed} bytes in the store, and the file system has room for {free}")]
    NoRoom {
        /// What it takes.
        needed: u64,
        /// What there is.
        free: u64,
    },
}

/// What was written.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// Digest of the contents, which does not depend on how they are packed.
    pub contents: TextDigest,
    /// How many blobs they have.
    pub blobs: usize,
}

/// Write a bundle of what the store has. All trees are whole there.
pub fn write(contents: &Contents, store: &Store, to: impl Write) -> Result<Written, Error> {
    let (mut directories, mut files) = (BTreeMap::new(), BTreeSet::new());
    for digest in &contents.trees {
        let tree = store.tree(*digest)?.ok_or(store::Error::MissingTree(*digest))?;
        files.extend(grove::files([&tree]));
        directories.extend(tree.encode().directories);
    }
    files.extend(contents.blobs.iter().map(|(blob, size)| (*blob, false, *size)));
    let header = Header::of(contents, &directories).to_bytes();
    let mut packer = Packer::new(to).map_err(Error::Pack)?;
    packer.add(HEADER, header.len() as u64, &header[..]).map_err(Error::Pack)?;
    for (path, bytes) in named(&contents.files, &contents.recipes) {
        packer.add(&path, bytes.len() as u64, &bytes[..]).map_err(Error::Pack)?;
    }
    for (digest, bytes) in &directories {
        packer.add(&directory_path(*digest), bytes.len() as u64, &bytes[..]).map_err(Error::Pack)?;
    }
    for (blob, executable, size) in &files {
        let file = File { blob: *blob, size: *size, executable: *executable };
        add_proven(&mut packer, store, file)?;
    }
    packer.finish().and_then(|mut to| to.flush()).map_err(Error::Pack)?;
    // What the header names is all there is, so that its digest is that of all.
    Ok(Written { contents: TextDigest::of(&header), blobs: files.len() })
}

/// Add a file of the store, which has to be what its name says.
fn add_proven<W: Write>(packer: &mut Packer<W>, store: &Store, file: File) -> Result<(), Error> {
    let path = store.file_path(file);
    let mut reader = Hashing { from: disk::open(&path)?, hasher: Hasher::default() };
    packer.add(&blob_path(file), file.size, &mut reader).map_err(Error::Pack)?;
    let found: BlobDigest = reader.hasher.finish();
    if found != file.blob {
        return Err(store::Error::Damaged { path, why: format!("its content is {found}") }.into());
    }
    Ok(())
}

/// Hashes what is read.
struct Hashing<R> {
    from: R,
    hasher: Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

/// Files of the project and recipes, by their names in a bundle.
fn named<'c>(
    files: &'c BTreeMap<String, Vec<u8>>,
    recipes: &'c BTreeMap<String, Vec<u8>>,
) -> impl Iterator<Item = (String, &'c Vec<u8>)> {
    let recipes = recipes.iter().map(|(name, text)| (recipe_path(name), text));
    recipes.chain(files.iter().map(|(path, bytes)| (project_path(path), bytes)))
}

fn project_path(path: &str) -> String {
    format!("project/{path}")
}

fn recipe_path(name: &str) -> String {
    format!("built-in/{name}.toml")
}

fn directory_path(digest: TreeDigest) -> String {
    format!("trees/{}", digest.hex())
}

fn blob_path(file: File) -> String {
    format!("blobs/{}{}", file.blob.hex(), if file.executable { ".x" } else { "" })
}

#[cfg(test)]
mod tests;
