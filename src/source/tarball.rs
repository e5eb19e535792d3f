//! Reading tar archives, strictly.
//!
//! The `tar` library never writes outside its target, but it is lenient: it passes over what it will not write,
//! makes files of devices, and lets a later entry replace an earlier one. What we name by a digest has to mean the
//! same to everyone who reads it, so all of that is an error here. No path is there twice, nothing lies below a file or
//! a symlink, no symlink leads outside, and no two parts of an entry's headers disagree. A `.crate` has all of it below
//! one top directory, which is taken off; other archives may begin names with `./`, and have hard links to what is in them.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use tar::EntryType;

use crate::tree::{Node, Tree};

/// The most bytes that a `.crate` may unpack to, if [`LARGEST_RATIO`] allows no more.
const LARGEST: u64 = 512 << 20;

/// How many times its own size a `.crate` may unpack to, beyond [`LARGEST`]. Both are cargo's limits.
const LARGEST_RATIO: u64 = 20;

/// The most bytes between the content of one file and that of the next: headers, long names and extensions, which the
/// library keeps in memory.
const LARGEST_HEADERS: u64 = 1 << 20;

/// The longest path of an entry, and the longest target of a symlink, in bytes: what Linux takes.
const LONGEST: usize = 4095;

/// The most directories that an entry may lie below.
const DEEPEST: usize = 255;

/// An archive is not one that may be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Broken, or no archive at all.
    #[error("the archive cannot be read")]
    Broken(#[source] io::Error),
    /// A bomb.
    #[error("the archive unpacks to more than it may")]
    TooLarge,
    /// A bomb of names.
    #[error("the archive has more than the {0} entries that it may have")]
    TooMany(u64),
    /// A header that would fill the memory.
    #[error("the archive has an entry whose headers are larger than they may be")]
    Headers,
    /// Something that one reader sees and another does not.
    #[error("the archive {0}")]
    Whole(&'static str),
    /// An entry that must not be there.
    #[error("the archive's entry `{path}` {what}")]
    Entry { path: String, what: Cow<'static, str> },
}

impl Error {
    /// An entry that must not be there, and why not.
    pub fn entry(path: impl Into<String>, what: impl Into<Cow<'static, str>>) -> Self {
        Self::Entry { path: path.into(), what: what.into() }
    }
}

/// What a path in an archive leads to.
pub enum Entry<'a> {
    /// A regular file, whether it may be executed, its size in bytes, and its content.
    File { executable: bool, size: u64, content: &'a mut dyn Read },
    /// A directory.
    Directory,
    /// A symlink to a place in the archive, by its relative target.
    Symlink { target: &'a str },
}

/// Take in an archive's entries.
pub trait Visitor {
    /// What can go wrong with an entry besides the archive itself.
    type Error: From<Error>;

    /// Take in the entry at a path, and say what it is as part of a tree.
    fn visit(&mut self, path: &str, entry: Entry<'_>) -> Result<Node, Self::Error>;
}

/// What an archive holds.
#[derive(Debug)]
pub struct Contents {
    /// All of it.
    pub tree: Tree,
    /// The latest time of modification among its entries, in seconds since 1970.
    pub newest: i64,
}

/// What an archive is held to.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The directory that everything lies below; none where names may be any.
    pub top: Option<&'a str>,
    /// The most bytes that it may unpack to, headers included.
    pub bytes: u64,
    /// The most entries that it may have, directories that are only named on the way to them included.
    pub entries: u64,
}

impl<'a> Rules<'a> {
    /// The rules of a `.crate` with everything below the directory `top`, which is packed into so many bytes.
    pub fn of_crate(top: &'a str, packed: u64) -> Self {
        Self { top: Some(top), bytes: LARGEST.max(packed.saturating_mul(LARGEST_RATIO)), entries: u64::MAX }
    }
}

/// Walk through a tar archive. An entry is handed on only after its path is known to be a good one.
pub fn walk<V: Visitor>(archive: impl Read, rules: Rules<'_>, visitor: &mut V) -> Result<Contents, V::Error> {
    let headers = Rc::new(Cell::new(None));
    let bounded = Bounded { inner: archive, left: rules.bytes, headers: Rc::clone(&headers) };
    let mut archive = tar::Archive::new(bounded);
    let mut walk = Walk { rules, left: rules.entries, tree: Tree::default(), newest: 0, visitor };
    walk.entries(&mut archive, &headers)?;
    if rules.top.is_none() {
        check_end(&mut archive.into_inner())?;
    }
    Ok(Contents { tree: walk.tree, newest: walk.newest })
}

/// What has been walked through.
struct Walk<'a, V> {
    rules: Rules<'a>,
    /// How many entries may still come.
    left: u64,
    tree: Tree,
    newest: i64,
    visitor: &'a mut V,
}

impl<V: Visitor> Walk<'_, V> {
    fn entries(&mut self, archive: &mut tar::Archive<impl Read>, headers: &Cell<Option<u64>>) -> Result<(), V::Error> {
        let mut entries = archive.entries().map_err(broken)?;
        loop {
            headers.set(Some(LARGEST_HEADERS));
            let next = entries.next();
            headers.set(None);
            let Some(entry) = next else { return Ok(()) };
            self.count(1)?;
            self.entry(&mut entry.map_err(broken)?)?;
        }
    }

    fn entry<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<(), V::Error> {
        let entry_type = entry.header().entry_type();
        if entry_type == EntryType::XGlobalHeader {
            return Ok(check_global(entry)?);
        }
        let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let refused = |what: &'static str| Error::entry(shown.clone(), what);
        let whole =
            std::str::from_utf8(&entry.path_bytes()).map_err(|_| refused("has a name that is not UTF-8"))?.to_owned();
        let Some(path) = self.rules.path(&whole, entry_type.is_dir()).map_err(refused)? else { return Ok(()) };
        check_extensions(entry).map_err(refused)?;
        let above = check_place(&self.tree, path, entry_type.is_dir()).map_err(refused)?;
        self.count(above)?;
        self.newest =
            self.newest.max(entry.header().mtime().ok().and_then(|time| i64::try_from(time).ok()).unwrap_or(0));
        let node = match entry_type {
            EntryType::Directory => self.visitor.visit(path, Entry::Directory)?,
            EntryType::Regular => self.file(path, entry)?,
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                let target = symlink_target(path, &target).map_err(refused)?;
                self.visitor.visit(path, Entry::Symlink { target })?
            }
            EntryType::Link if self.rules.top.is_none() => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                self.linked(&target).map_err(refused)?
            }
            other => return Err(refused(kind(other)).into()),
        };
        Ok(self.tree.insert(path, node).map_err(|_| refused("is there twice"))?)
    }

    fn count(&mut self, entries: u64) -> Result<(), Error> {
        self.left = self.left.checked_sub(entries).ok_or(Error::TooMany(self.rules.entries))?;
        Ok(())
    }

    fn file<R: Read>(&mut self, path: &str, entry: &mut tar::Entry<'_, R>) -> Result<Node, V::Error> {
        let executable = entry.header().mode().map_err(Error::Broken)? & 0o100 != 0;
        let size = entry.header().entry_size().map_err(Error::Broken)?;
        let node = self.visitor.visit(path, Entry::File { executable, size, content: entry })?;
        match &node {
            Node::File(file) if file.size != size => Err(Error::Broken(io::ErrorKind::UnexpectedEof.into()).into()),
            _ => Ok(node),
        }
    }

    /// The file that a hard link is another name of.
    fn linked(&self, target: &[u8]) -> Result<Node, &'static str> {
        const ELSEWHERE: &str = "is a hard link to no earlier file of the archive";
        let target = std::str::from_utf8(target).map_err(|_| ELSEWHERE)?;
        let path = self.rules.path(target, false).map_err(|_| ELSEWHERE)?.ok_or(ELSEWHERE)?;
        match self.tree.get(path) {
            Some(Node::File(file)) => Ok(Node::File(*file)),
            _ => Err(ELSEWHERE),
        }
    }
}

impl Rules<'_> {
    /// The path of an entry below the top directory, or nothing for that directory itself.
    fn path<'p>(&self, whole: &'p str, is_directory: bool) -> Result<Option<&'p str>, &'static str> {
        match self.top {
            Some(top) => below(plain(whole, is_directory)?, top, is_directory),
            None if is_directory && matches!(whole, "." | "./") => Ok(None),
            None => plain(whole.strip_prefix("./").unwrap_or(whole), is_directory).map(Some),
        }
    }
}

/// Nothing may follow the end of an archive but the zeros that fill its last record, and its stream has to be whole.
fn check_end(archive: &mut impl Read) -> Result<(), Error> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match archive.read(&mut buffer).map_err(broken)? {
            0 => return Ok(()),
            count if buffer[..count].iter().any(|byte| *byte != 0) => {
                return Err(Error::Whole("goes on after its end"));
            }
            _ => {}
        }
    }
}

/// What comes for all entries may tell of the archive, but nothing that would change an entry: most readers, this one
/// too, pass over it.
fn check_global<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<(), Error> {
    let mut bytes = Vec::new();
    entry.take(LARGEST_HEADERS).read_to_end(&mut bytes).map_err(broken)?;
    for extension in tar::PaxExtensions::new(&bytes) {
        let key = extension.map_err(Error::Broken)?.key_bytes().to_owned();
        if matches!(key.as_slice(), b"path" | b"linkpath" | b"size") || key.starts_with(SPARSE) {
            return Err(Error::Whole("gives one name, size or shape to all of its entries"));
        }
    }
    Ok(())
}

/// An error while reading, which is a bomb's if all that may be read was.
pub(super) fn broken(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::FileTooLarge => Error::TooLarge,
        io::ErrorKind::QuotaExceeded => Error::Headers,
        _ => Error::Broken(error),
    }
}

/// A name all of whose parts are plain, without the `/` that may end a directory's.
pub(super) fn plain(whole: &str, is_directory: bool) -> Result<&str, &'static str> {
    if whole.starts_with('/') {
        return Err("has an absolute name");
    }
    let path = if is_directory { whole.strip_suffix('/').unwrap_or(whole) } else { whole };
    if path.split('/').any(|part| part == "..") {
        return Err("leads upwards by `..`");
    }
    if path.split('/').any(|part| matches!(part, "" | ".")) || path.contains('\0') {
        return Err("has no plain name");
    }
    if path.len() > LONGEST || path.matches('/').count() > DEEPEST || path.split('/').any(|part| part.len() > 255) {
        return Err("has a name that is too long");
    }
    Ok(path)
}

/// The path below the top directory, or nothing for that directory itself.
fn below<'p>(path: &'p str, top: &str, is_directory: bool) -> Result<Option<&'p str>, &'static str> {
    match path.strip_prefix(top) {
        Some("") if is_directory => Ok(None),
        Some(rest) if rest.starts_with('/') => Ok(Some(&rest[1..])),
        _ => Err("lies outside the archive's top directory"),
    }
}

/// How the names of extensions begin that give a file holes.
const SPARSE: &[u8] = b"GNU.sparse.";

/// An extension may give a size, or a name, that the header has no room for. Where both are there and differ, readers
/// disagree about what an entry is called, or where the next one begins (CVE-2025-62518, CVE-2026-33055).
fn check_extensions<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<(), &'static str> {
    const UNREADABLE: &str = "has extensions that cannot be read";
    let in_header = entry.header().entry_size().map_err(|_| "has a header without a size")?;
    let (name, target) = (entry.path_bytes().into_owned(), entry.link_name_bytes().map(Cow::into_owned));
    let extensions = entry.pax_extensions().map_err(|_| UNREADABLE)?;
    for extension in extensions.into_iter().flatten() {
        let extension = extension.map_err(|_| UNREADABLE)?;
        let says = || std::str::from_utf8(extension.value_bytes()).ok()?.parse::<u64>().ok();
        match extension.key_bytes() {
            b"size" if says() != Some(in_header) => return Err("has two sizes"),
            b"path" if extension.value_bytes() != name => return Err("has two names"),
            b"linkpath" if target.as_deref() != Some(extension.value_bytes()) => return Err("has two targets"),
            key if key.starts_with(SPARSE) => return Err("is a sparse file"),
            _ => {}
        }
    }
    Ok(())
}

/// Nothing may be there twice, and what is above has to be a directory. Gives how many of those above are not there yet.
pub(super) fn check_place(tree: &Tree, path: &str, is_directory: bool) -> Result<u64, &'static str> {
    let mut new = 0;
    for (end, _) in path.match_indices('/') {
        match tree.get(&path[..end]) {
            Some(Node::Directory(_)) => {}
            Some(_) => return Err("lies below something that is no directory"),
            None => new += 1,
        }
    }
    match tree.get(path) {
        None => Ok(new),
        Some(Node::Directory(_)) if is_directory => Ok(new),
        Some(_) => Err("is there twice"),
    }
}

/// The target of a symlink, if it leads to a place inside.
///
/// `..` may stand only at the beginning: there it goes up through real directories, since nothing lies below a
/// symlink. After a name, which may be another symlink, nobody could say where it leads without following.
pub(super) fn symlink_target<'t>(path: &str, target: &'t [u8]) -> Result<&'t str, &'static str> {
    let target = std::str::from_utf8(target).map_err(|_| "points to a name that is not UTF-8")?;
    if target.is_empty() || target.len() > LONGEST || target.starts_with('/') || target.contains('\0') {
        return Err("points to no place in the archive");
    }
    let parts = || target.split('/').filter(|part| !matches!(*part, "" | "."));
    let up = parts().take_while(|part| *part == "..").count();
    let then_up = parts().skip(up).any(|part| part == "..");
    if up > path.matches('/').count() || then_up { Err("points outside the archive") } else { Ok(target) }
}

fn kind(entry_type: EntryType) -> &'static str {
    match entry_type {
        EntryType::Link => "is a hard link",
        EntryType::Char | EntryType::Block => "is a device",
        EntryType::Fifo => "is a named pipe",
        EntryType::GNUSparse => "is a sparse file",
        _ => "is neither a file nor a directory nor a symlink",
    }
}

/// Reads so many bytes and not one more; of headers in a row even fewer.
struct Bounded<R> {
    inner: R,
    left: u64,
    /// How many bytes of headers may still come; none while content is read.
    headers: Rc<Cell<Option<u64>>>,
}

/// At most so many bytes; one more is [`Error::TooLarge`].
pub(super) fn bounded<R: Read>(inner: R, bytes: u64) -> impl Read {
    Bounded { inner, left: bytes, headers: Rc::default() }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        if let Some(left) = self.headers.get() {
            self.headers.set(Some(left.checked_sub(count as u64).ok_or(io::ErrorKind::QuotaExceeded)?));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads files to their ends.
    struct Reader;

    impl Visitor for Reader {
        type Error = Error;

        fn visit(&mut self, _path: &str, entry: Entry<'_>) -> Result<Node, Error> {
            if let Entry::File { content, .. } = entry {
                io::copy(content, &mut io::sink()).map_err(broken)?;
            }
            Ok(Node::Directory(Tree::default()))
        }
    }

    #[test]
    fn a_bomb_is_left_when_it_has_filled_what_it_may() {
        let mut header = tar::Header::new_gnu();
        header.set_path("a/zeros").unwrap();
        header.set_mode(0o644);
        header.set_size(1 << 40);
        header.set_cksum();
        let bomb = header.as_bytes().chain(io::repeat(0));
        assert!(matches!(walk(bomb, Rules::of_crate("a", 1000), &mut Reader), Err(Error::TooLarge)));
    }

    #[test]
    fn what_comes_for_all_entries_is_no_entry() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_path("pax_global_header").unwrap();
        header.set_entry_type(EntryType::XGlobalHeader);
        header.set_size(0);
        header.set_cksum();
        builder.append(&header, io::empty()).unwrap();
        let contents = walk(&builder.into_inner().unwrap()[..], Rules::of_crate("a", 1000), &mut Reader).unwrap();
        assert!(contents.tree.is_empty());
    }
}
