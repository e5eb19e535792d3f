//! Archives: tar, packed or not, zip, and single programs, from anywhere.
//!
//! What an archive is, its first bytes say; its name counts where they do not. It is read once, strictly (see
//! [`super::tarball`]), and its files go into the store as they come. A tree is made of them only when all of it was read and
//! is good, so nothing of a refused archive ever looks complete: a blob alone means nothing.
//!
//! Of modes only "may be executed" is kept, so setuid, setgid and sticky bits are dropped, owners and times as well.

mod checks;
mod intake;
mod kind;
#[cfg(test)]
mod tests;
mod zip;

use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

pub use self::checks::Strip;
use self::intake::Intake;
use self::kind::{Format, Packing};
use super::tarball::{self, Contents, Entry, Rules, Visitor};
use crate::digest::Hasher;
use crate::disk;
use crate::store::{self, Store};
use crate::tree::{self, Node, Tree};

/// What any archive may unpack to, however small it is, if [`Limits::total`] allows that.
const ALWAYS: u64 = 256 << 20;

/// How many bytes are read at a time.
const BUFFER: usize = 256 << 10;

/// What an archive may unpack to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes.
    pub total: u64,
    /// The most bytes as a multiple of its own size; 256 MiB are always allowed.
    pub ratio: u64,
    /// The most entries.
    pub entries: u64,
}

impl Default for Limits {
    /// 8 GiB, 200 times its own size, a million entries.
    fn default() -> Self {
        Self { total: 8 << 30, ratio: 200, entries: 1_000_000 }
    }
}

impl Limits {
    /// The most bytes that an archive of so many bytes may unpack to.
    fn bytes(self, packed: u64) -> u64 {
        self.total.min(packed.saturating_mul(self.ratio).max(ALWAYS))
    }

    fn rules(self, packed: u64) -> Rules<'static> {
        Rules { top: None, bytes: self.bytes(packed), entries: self.entries }
    }
}

/// What an archive held.
#[derive(Debug)]
pub struct Unpacked {
    /// Its files; all of them are in the store.
    pub tree: Tree,
    /// The latest time of modification among its entries, in seconds since 1970; 0 where none is told.
    pub newest: i64,
}

/// An archive could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It may not be.
    #[error("could not unpack `{file}`")]
    Archive { file: String, source: tarball::Error },
    /// It is none.
    #[error("`{file}` is no tar or zip archive and no program, nor one of these packed by gzip, xz, zstd or bzip2")]
    Format { file: String },
    /// The store could not take its files in.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// It could not be read.
    #[error(transparent)]
    Disk(#[from] disk::Error),
}

/// Take the files of an archive into the store, and give them as a tree, which is in the store too.
///
/// `file_name` is what the archive was called where it came from: a single program gets its name from it. All of it
/// has reached the disk when this returns.
pub fn unpack_archive(
    blob: &Path,
    file_name: &str,
    strip: Strip,
    limits: Limits,
    store: &Store,
) -> Result<Unpacked, Error> {
    let archive = disk::open(blob)?;
    let packed = disk::file_size(blob).unwrap_or(0);
    let directory = disk::temporary_directory_in(&store.temporary_directory()?)?;
    let (contents, files) = intake::run(store, directory.path(), |intake: &mut Intake<'_>| {
        let contents = walk(archive, packed, file_name, limits, intake)?;
        Ok(Contents { tree: checks::finished(contents.tree, strip)?, ..contents })
    })
    .map_err(|problem| problem.of(file_name))?;
    let tree = contents.tree.with_files(&|file| intake::known(file, &files));
    disk::sync_file_system(store.root())?;
    store.put_tree(&tree)?;
    Ok(Unpacked { tree, newest: contents.newest })
}

/// Read an archive that is in memory, and keep nothing. Pure: whatever the bytes are, it gives a tree or an error.
pub fn list_archive(bytes: &[u8], file_name: &str, strip: Strip, limits: Limits) -> Result<Unpacked, Error> {
    let contents = walk(Cursor::new(bytes), bytes.len() as u64, file_name, limits, &mut Listing);
    let finished = contents.and_then(|contents| Ok((checks::finished(contents.tree, strip)?, contents.newest)));
    finished.map(|(tree, newest)| Unpacked { tree, newest }).map_err(|problem| problem.of(file_name))
}

/// What is wrong, before the archive's name is added.
#[derive(Debug)]
enum Problem {
    Archive(tarball::Error),
    Format,
    Store(store::Error),
    /// Whoever takes in has given up, and has an error to tell.
    GivenUp,
}

impl From<tarball::Error> for Problem {
    fn from(error: tarball::Error) -> Self {
        Self::Archive(error)
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<disk::Error> for Problem {
    fn from(error: disk::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Problem {
    fn of(self, file_name: &str) -> Error {
        let file = file_name.to_owned();
        match self {
            Self::Archive(source) => Error::Archive { file, source },
            Self::Format => Error::Format { file },
            Self::Store(error) => Error::Store(error),
            Self::GivenUp => unreachable!("whoever gave up told why"),
        }
    }
}

/// Read an archive of any kind through once.
fn walk<V: Visitor<Error = Problem>>(
    mut archive: impl Read + Seek,
    packed: u64,
    file_name: &str,
    limits: Limits,
    visitor: &mut V,
) -> Result<Contents, Problem> {
    let head = head(&mut archive)?;
    archive.seek(SeekFrom::Start(0)).map_err(tarball::broken)?;
    let archive = BufReader::with_capacity(BUFFER, archive);
    let rules = limits.rules(packed);
    match Packing::of(&head) {
        None => match Format::of(&head, file_name).ok_or(Problem::Format)? {
            Format::Tar => tarball::walk(archive, rules, visitor),
            Format::Zip => zip::walk(archive, rules, visitor),
            Format::Program => single(archive, file_name, rules, visitor),
        },
        Some(packing) => {
            let mut unpacked = packing.unpack(archive).map_err(tarball::broken)?;
            let head = self::head(&mut unpacked)?;
            let (inner, format) = (packing.inner_name(file_name), Format::of(&head, &packing.inner_name(file_name)));
            let unpacked = Cursor::new(head).chain(unpacked);
            match format {
                Some(Format::Tar) => tarball::walk(unpacked, rules, visitor),
                Some(Format::Zip) => Err(Problem::Format),
                Some(Format::Program) | None => single(unpacked, &inner, rules, visitor),
            }
        }
    }
}

/// The first bytes, which say what it is.
fn head(archive: &mut impl Read) -> Result<Vec<u8>, Problem> {
    let mut head = Vec::new();
    archive.take(kind::HEAD as u64).read_to_end(&mut head).map_err(tarball::broken)?;
    Ok(head)
}

/// One file, which is a program if its content says so.
fn single<V: Visitor<Error = Problem>>(
    content: impl Read,
    name: &str,
    rules: Rules<'_>,
    visitor: &mut V,
) -> Result<Contents, Problem> {
    let name = match name.parse::<tree::Name>() {
        Ok(name) => name.as_str().to_owned(),
        Err(_) => return Err(tarball::Error::entry(name, "has no plain name").into()),
    };
    let mut content = tarball::bounded(content, rules.bytes);
    let head = head(&mut content)?;
    let (executable, mut content) = (kind::is_program(&head), Cursor::new(head).chain(content));
    let node = visitor.visit(&name, Entry::File { executable, size: 0, content: &mut content })?;
    let mut tree = Tree::default();
    tree.insert(&name, node).map_err(|_| tarball::Error::entry(&name, "has no plain name"))?;
    Ok(Contents { tree, newest: 0 })
}

/// Names what it reads, and keeps nothing.
struct Listing;

impl Visitor for Listing {
    type Error = Problem;

    fn visit(&mut self, _path: &str, entry: Entry<'_>) -> Result<Node, Problem> {
        let (executable, content) = match entry {
            Entry::Directory => return Ok(Node::Directory(Tree::default())),
            Entry::Symlink { target } => return Ok(Node::Symlink(target.to_owned())),
            Entry::File { executable, content, .. } => (executable, content),
        };
        let (mut hasher, mut size, mut buffer) = (Hasher::default(), 0, vec![0; 64 << 10]);
        loop {
            match content.read(&mut buffer) {
                Ok(0) => return Ok(Node::File(tree::File { blob: hasher.finish(), size, executable })),
                Ok(count) => {
                    hasher.update(&buffer[..count]);
                    size += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(tarball::broken(error).into()),
            }
        }
    }
}
