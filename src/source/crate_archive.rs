//! `.crate` files: gzipped tar archives with everything below `NAME-VERSION/`.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use super::tarball::{self, Entry, Rules, Visitor};
use crate::digest::Hasher;
use crate::disk;
use crate::package::PackageId;
use crate::tree::{self, Node, Tree};

/// The largest `Cargo.toml` or `Cargo.lock` that is worth reading.
const LARGEST_TEXT: u64 = 16 << 20;

/// A `.crate` file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no good archive.
    #[error("could not unpack the crate `{top}`")]
    Archive { top: String, source: tarball::Error },
    /// It is no crate.
    #[error("the crate `{top}` has no `Cargo.toml`")]
    NoManifest { top: String },
    /// A text that is none.
    #[error("`{path}` in the crate `{top}` is not UTF-8, or too large")]
    Text { top: String, path: String },
    /// The directory to unpack into is not empty.
    #[error("could not unpack the crate `{top}` into `{}`, which is not empty", to.display())]
    NotEmpty { top: String, to: PathBuf },
    /// A file could not be read or written.
    #[error(transparent)]
    Disk(#[from] disk::Error),
}

/// What a `.crate` file holds.
#[derive(Debug)]
pub struct CrateContents {
    /// Its files, without the directory above them.
    pub tree: Tree,
    /// Its `Cargo.toml`.
    pub manifest: String,
    /// Its `Cargo.lock`, if it brings one.
    pub cargo_lock: Option<String>,
    /// The latest time of modification among its files, in seconds since 1970.
    pub newest: i64,
}

/// Read a `.crate` file through once, writing nothing.
pub fn read(archive: &Path, id: &PackageId) -> Result<CrateContents, Error> {
    let top = format!("{}-{}", id.name, id.version);
    let mut reader = Reader::default();
    let contents = walk(archive, &top, &mut reader)?;
    let text = |path: &str, bytes: Option<Vec<u8>>| {
        let broken = || Error::Text { top: top.clone(), path: path.to_owned() };
        bytes.map(|bytes| String::from_utf8(bytes).map_err(|_| broken())).transpose()
    };
    let manifest = text("Cargo.toml", reader.manifest)?.ok_or_else(|| Error::NoManifest { top: top.clone() })?;
    let cargo_lock = text("Cargo.lock", reader.cargo_lock)?;
    Ok(CrateContents { tree: contents.tree, manifest, cargo_lock, newest: contents.newest })
}

/// Read no more of a `.crate` file than its `Cargo.toml`.
pub fn manifest(archive: &Path, id: &PackageId) -> Result<String, Error> {
    let top = format!("{}-{}", id.name, id.version);
    let mut finder = Finder::default();
    match walk_through(archive, &top, &mut finder) {
        Ok(_) => Err(Error::NoManifest { top }),
        Err(Halt::Problem(problem)) => Err(problem.of(&top)),
        Err(Halt::Found) => {
            let path = "Cargo.toml".to_owned();
            String::from_utf8(finder.manifest).map_err(|_| Error::Text { top, path })
        }
    }
}

/// Write the files of a `.crate` file into a directory, which is made or empty, and give them as a tree.
/// `top` is `NAME-VERSION`.
pub fn unpack(archive: &Path, top: &str, to: &Path) -> Result<Tree, Error> {
    if !disk::list_if_exists(to)?.is_empty() {
        return Err(Error::NotEmpty { top: top.to_owned(), to: to.to_owned() });
    }
    disk::create_directories(to)?;
    let mut writer = Writer { root: to, symlinks: Vec::new() };
    let contents = walk(archive, top, &mut writer)?;
    // Symlinks come last, so that nothing can be written through one.
    for (path, target) in writer.symlinks {
        disk::symlink(Path::new(&target), &path)?;
    }
    Ok(contents.tree)
}

fn walk(archive: &Path, top: &str, visitor: &mut impl Visitor<Error = Problem>) -> Result<tarball::Contents, Error> {
    walk_through(archive, top, visitor).map_err(|problem| problem.of(top))
}

fn walk_through<V: Visitor>(archive: &Path, top: &str, visitor: &mut V) -> Result<tarball::Contents, V::Error>
where
    V::Error: From<disk::Error>,
{
    let packed = disk::file_size(archive).unwrap_or(0);
    // Like cargo, only the first member of the gzip stream: other readers have to see the same.
    let unpacked = GzDecoder::new(BufReader::new(disk::open(archive)?));
    tarball::walk(unpacked, Rules::of_crate(top, packed), visitor)
}

/// What a visitor has to say, before the crate's name is added.
#[derive(Debug)]
enum Problem {
    Archive(tarball::Error),
    Text(String),
    Disk(disk::Error),
}

impl Problem {
    fn of(self, top: &str) -> Error {
        let top = top.to_owned();
        match self {
            Self::Archive(source) => Error::Archive { top, source },
            Self::Text(path) => Error::Text { top, path },
            Self::Disk(error) => error.into(),
        }
    }
}

/// Why reading ends before the archive does.
enum Halt {
    Found,
    Problem(Problem),
}

impl<E: Into<Problem>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

/// Keeps the `Cargo.toml`, and wants nothing else.
#[derive(Default)]
struct Finder {
    manifest: Vec<u8>,
}

impl Visitor for Finder {
    type Error = Halt;

    fn visit(&mut self, path: &str, entry: Entry<'_>) -> Result<Node, Halt> {
        match entry {
            Entry::Directory => Ok(Node::Directory(Tree::default())),
            Entry::Symlink { target } => Ok(Node::Symlink(target.to_owned())),
            Entry::File { executable, content, .. } if path == "Cargo.toml" => {
                let poured = pour(&mut content.take(LARGEST_TEXT + 1), executable, &mut self.manifest);
                poured.map_err(|stopped| stopped.into_problem(Path::new(path)))?;
                let fits = self.manifest.len() as u64 <= LARGEST_TEXT;
                Err(if fits { Halt::Found } else { Problem::Text(path.to_owned()).into() })
            }
            Entry::File { executable, content, .. } => {
                let poured = pour(content, executable, &mut io::sink());
                Ok(poured.map_err(|stopped| stopped.into_problem(Path::new(path)))?)
            }
        }
    }
}

impl From<tarball::Error> for Problem {
    fn from(error: tarball::Error) -> Self {
        Self::Archive(error)
    }
}

impl From<disk::Error> for Problem {
    fn from(error: disk::Error) -> Self {
        Self::Disk(error)
    }
}

/// Keeps the two texts that tell of the rest.
#[derive(Default)]
struct Reader {
    manifest: Option<Vec<u8>>,
    cargo_lock: Option<Vec<u8>>,
}

impl Visitor for Reader {
    type Error = Problem;

    fn visit(&mut self, path: &str, entry: Entry<'_>) -> Result<Node, Problem> {
        let (executable, content) = match entry {
            Entry::Directory => return Ok(Node::Directory(Tree::default())),
            Entry::Symlink { target } => return Ok(Node::Symlink(target.to_owned())),
            Entry::File { executable, content, .. } => (executable, content),
        };
        let kept = match path {
            "Cargo.toml" => self.manifest.insert(Vec::new()),
            "Cargo.lock" => self.cargo_lock.insert(Vec::new()),
            _ => {
                return pour(content, executable, &mut io::sink())
                    .map_err(|stopped| stopped.into_problem(Path::new(path)));
            }
        };
        let node = pour(&mut content.take(LARGEST_TEXT + 1), executable, kept);
        if kept.len() as u64 > LARGEST_TEXT {
            return Err(Problem::Text(path.to_owned()));
        }
        node.map_err(|stopped| stopped.into_problem(Path::new(path)))
    }
}

/// Writes everything below a directory that only it knows.
struct Writer<'a> {
    root: &'a Path,
    symlinks: Vec<(PathBuf, String)>,
}

impl Writer<'_> {
    /// Make a directory and those above it.
    fn directory(&self, path: &Path) -> Result<(), disk::Error> {
        if path != self.root && !disk::is_directory(path) {
            self.directory(path.parent().expect("the root is above every path in it"))?;
            disk::create_directory(path, 0o755)?;
            disk::set_mode(path, 0o755)?;
        }
        Ok(())
    }

    fn file(&self, path: &Path, executable: bool, content: &mut dyn Read) -> Result<Node, Problem> {
        let mut file: File = disk::create(path)?;
        let node = pour(content, executable, &mut file).map_err(|stopped| stopped.into_problem(path))?;
        disk::set_mode(path, if executable { 0o755 } else { 0o644 })?;
        Ok(node)
    }
}

impl Visitor for Writer<'_> {
    type Error = Problem;

    fn visit(&mut self, path: &str, entry: Entry<'_>) -> Result<Node, Problem> {
        let path = self.root.join(path);
        self.directory(path.parent().expect("the root is above every path in it"))?;
        match entry {
            Entry::Directory => {
                self.directory(&path)?;
                Ok(Node::Directory(Tree::default()))
            }
            Entry::Symlink { target } => {
                self.symlinks.push((path, target.to_owned()));
                Ok(Node::Symlink(target.to_owned()))
            }
            Entry::File { executable, content, .. } => self.file(&path, executable, content),
        }
    }
}

/// Which side of a transfer failed.
enum Stopped {
    Reading(io::Error),
    Writing(io::Error),
}

impl Stopped {
    fn into_problem(self, path: &Path) -> Problem {
        match self {
            Self::Reading(error) => Problem::Archive(tarball::broken(error)),
            Self::Writing(error) => Problem::Disk(disk::Error::new("write", path, error)),
        }
    }
}

/// Move a file's content on, and name it.
fn pour(content: &mut dyn Read, executable: bool, to: &mut impl Write) -> Result<Node, Stopped> {
    let (mut hasher, mut size, mut buffer) = (Hasher::default(), 0, vec![0; 64 << 10]);
    loop {
        let count = content.read(&mut buffer).map_err(Stopped::Reading)?;
        if count == 0 {
            return Ok(Node::File(tree::File { blob: hasher.finish(), size, executable }));
        }
        hasher.update(&buffer[..count]);
        to.write_all(&buffer[..count]).map_err(Stopped::Writing)?;
        size += count as u64;
    }
}
