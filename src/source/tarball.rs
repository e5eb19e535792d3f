//! Reading tar archives, strictly.
//!
//! The `tar` library never writes outside its target, but it is lenient: it passes over what it will not write,
//! makes files of devices, and lets a later entry replace an earlier one. What we name by a digest has to mean the
//! same to everyone who reads it, so all of that is an error here. Every entry lies below one top directory, which
//! is taken off; no path is there twice, nothing lies below a file or a symlink, and no symlink leads outside.

use std::io::{self, Read};

use tar::EntryType;

use crate::tree::{Node, Tree};

/// The most bytes that an archive may unpack to, if [`LARGEST_RATIO`] allows no more.
const LARGEST: u64 = 512 << 20;

/// How many times its own size an archive may unpack to, beyond [`LARGEST`]. Both are cargo's limits.
const LARGEST_RATIO: u64 = 20;

/// An archive is not one that may be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Broken, or no archive at all.
    #[error("the archive cannot be read")]
    Broken(#[source] io::Error),
    /// A bomb.
    #[error("the archive unpacks to more than it may")]
    TooLarge,
    /// An entry that must not be there.
    #[error("the archive's entry `{path}` {what}")]
    Entry { path: String, what: &'static str },
}

/// What a path in an archive leads to.
pub enum Entry<'a> {
    /// A regular file, whether it may be executed, and its content.
    File { executable: bool, content: &'a mut dyn Read },
    /// A directory.
    Directory,
    /// A symlink to a place in the archive, by its relative target.
    Symlink { target: &'a str },
}

/// Take in an archive's entries.
pub trait Visitor {
    /// What can go wrong with an entry besides the archive itself.
    type Error: From<Error>;

    /// Take in the entry at a path below the top directory, and say what it is as part of a tree.
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

/// Walk through a tar archive whose entries all lie below the directory `top`, and which is packed into so many bytes.
/// An entry is handed on only after its path is known to be a good one.
pub fn walk<V: Visitor>(archive: impl Read, packed: u64, top: &str, visitor: &mut V) -> Result<Contents, V::Error> {
    let limit = LARGEST.max(packed.saturating_mul(LARGEST_RATIO));
    let mut archive = tar::Archive::new(Bounded { inner: archive, left: limit });
    let (mut tree, mut newest) = (Tree::default(), 0);
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            continue;
        }
        let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let refused = |what| Error::Entry { path: shown.clone(), what };
        let whole =
            std::str::from_utf8(&entry.path_bytes()).map_err(|_| refused("has a name that is not UTF-8"))?.to_owned();
        let is_directory = entry.header().entry_type().is_dir();
        let Some(path) = below(&whole, top, is_directory).map_err(refused)? else { continue };
        check_size(&mut entry).map_err(refused)?;
        check_place(&tree, path, is_directory).map_err(refused)?;
        newest = newest.max(entry.header().mtime().ok().and_then(|time| i64::try_from(time).ok()).unwrap_or(0));
        let node = match entry.header().entry_type() {
            EntryType::Directory => visitor.visit(path, Entry::Directory)?,
            EntryType::Regular => {
                let executable = entry.header().mode().map_err(Error::Broken)? & 0o100 != 0;
                visitor.visit(path, Entry::File { executable, content: &mut entry })?
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                let target = symlink_target(path, &target).map_err(refused)?;
                visitor.visit(path, Entry::Symlink { target })?
            }
            other => return Err(refused(kind(other)).into()),
        };
        if matches!(&node, Node::File(file) if Ok(file.size) != entry.header().entry_size().map_err(|_| ())) {
            return Err(Error::Broken(io::ErrorKind::UnexpectedEof.into()).into());
        }
        tree.insert(path, node).map_err(|_| refused("is there twice"))?;
    }
    Ok(Contents { tree, newest })
}

/// An error while reading, which is a bomb's if all that may be read was.
pub(super) fn broken(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::FileTooLarge { Error::TooLarge } else { Error::Broken(error) }
}

/// The path below the top directory, or nothing for that directory itself.
fn below<'p>(whole: &'p str, top: &str, is_directory: bool) -> Result<Option<&'p str>, &'static str> {
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
    match path.strip_prefix(top) {
        Some("") if is_directory => Ok(None),
        Some(rest) if rest.starts_with('/') => Ok(Some(&rest[1..])),
        _ => Err("lies outside the archive's top directory"),
    }
}

/// An extension may give a size that the header has no room for. Where both are there and differ, readers disagree
/// about where the next entry begins (CVE-2025-62518, CVE-2026-33055).
fn check_size<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<(), &'static str> {
    let in_header = entry.header().entry_size().map_err(|_| "has a header without a size")?;
    let extensions = entry.pax_extensions().map_err(|_| "has extensions that cannot be read")?;
    for extension in extensions.into_iter().flatten() {
        let extension = extension.map_err(|_| "has extensions that cannot be read")?;
        let says = || std::str::from_utf8(extension.value_bytes()).ok()?.parse::<u64>().ok();
        if extension.key_bytes() == b"size" && says() != Some(in_header) {
            return Err("has two sizes");
        }
    }
    Ok(())
}

/// Nothing may be there twice, and what is above has to be a directory.
fn check_place(tree: &Tree, path: &str, is_directory: bool) -> Result<(), &'static str> {
    for (end, _) in path.match_indices('/') {
        if matches!(tree.get(&path[..end]), Some(Node::File(_) | Node::Symlink(_))) {
            return Err("lies below something that is no directory");
        }
    }
    match tree.get(path) {
        None => Ok(()),
        Some(Node::Directory(_)) if is_directory => Ok(()),
        Some(_) => Err("is there twice"),
    }
}

/// The target of a symlink, if it leads to a place inside.
///
/// `..` may stand only at the beginning: there it goes up through real directories, since nothing lies below a
/// symlink. After a name, which may be another symlink, nobody could say where it leads without following.
fn symlink_target<'t>(path: &str, target: &'t [u8]) -> Result<&'t str, &'static str> {
    let target = std::str::from_utf8(target).map_err(|_| "points to a name that is not UTF-8")?;
    if target.is_empty() || target.starts_with('/') || target.contains('\0') {
        return Err("points to no place in the archive");
    }
    let up = target.split('/').take_while(|part| *part == "..").count();
    let then_up = target.split('/').skip(up).any(|part| part == "..");
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

/// Reads so many bytes and not one more.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or(io::ErrorKind::FileTooLarge)?;
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
        assert!(matches!(walk(bomb, 1000, "a", &mut Reader), Err(Error::TooLarge)));
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
        let contents = walk(&builder.into_inner().unwrap()[..], 1000, "a", &mut Reader).unwrap();
        assert!(contents.tree.is_empty());
    }
}
