//! Zip archives, as strictly as tar archives.
//!
//! A zip archive says what is in it twice: before each entry, and in a directory at its end. Where the two disagree, two
//! readers see two archives, so that is an error, and so is an entry that shares bytes with another, one that is not in
//! the directory, and one that is there twice.

use std::io::{BufReader, Cursor, Read, Seek};

use zip::read::ZipFileEntry;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::super::tarball::{self, Contents, Entry, Error, Rules, Visitor};
use super::{Problem, kind};
use crate::tree::{Node, Tree};

/// The longest target of a symlink, in bytes.
const LONGEST_TARGET: u64 = 4096;

/// The part of a unix mode that tells what an entry is.
const KIND: u32 = 0o170_000;

/// Walk through a zip archive.
pub(super) fn walk<V: Visitor<Error = Problem>>(
    archive: BufReader<impl Read + Seek>,
    rules: Rules<'_>,
    visitor: &mut V,
) -> Result<Contents, Problem> {
    let mut archive = ZipArchive::new(archive).map_err(unreadable)?;
    if archive.len() as u64 > rules.entries {
        return Err(Error::TooMany(rules.entries).into());
    }
    check_whole(&mut archive)?;
    let entries = rules.entries - archive.len() as u64;
    let mut walk = Walk { left: rules.bytes, entries, tree: Tree::default(), newest: 0, visitor };
    for number in 0..archive.len() {
        walk.entry(&mut archive, number)?;
    }
    Ok(Contents { tree: walk.tree, newest: walk.newest })
}

/// What no single entry is to blame for.
fn check_whole(archive: &mut ZipArchive<impl Read + Seek>) -> Result<(), Error> {
    if archive.has_duplicate_names() {
        return Err(Error::Whole("has a name that is there twice"));
    }
    for number in 0..archive.len() {
        let entry = archive.by_index_data(number).map_err(unreadable)?;
        if entry.encrypted() {
            let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
            return Err(Error::entry(name, "is encrypted"));
        }
    }
    if archive.has_overlapping_entries().map_err(unreadable)? {
        return Err(Error::Whole("has entries that share bytes"));
    }
    archive.validate_header_consistency().map_err(unreadable)
}

/// What has been walked through.
struct Walk<'a, V> {
    /// How many bytes may still come.
    left: u64,
    /// How many directories may still be made that are no entries themselves.
    entries: u64,
    tree: Tree,
    newest: i64,
    visitor: &'a mut V,
}

/// What an entry is, by its headers.
struct Told {
    path: String,
    shape: Shape,
    size: u64,
}

enum Shape {
    Directory,
    Symlink,
    /// Whether it may be executed, where the archive says so.
    File {
        executable: Option<bool>,
    },
}

impl<V: Visitor<Error = Problem>> Walk<'_, V> {
    fn entry(&mut self, archive: &mut ZipArchive<impl Read + Seek>, number: usize) -> Result<(), Problem> {
        let told = told(&archive.by_index_data(number).map_err(unreadable)?)?;
        let Some(told) = told else { return Ok(()) };
        let refused = |what: &'static str| Error::entry(told.path.clone(), what);
        let is_directory = matches!(told.shape, Shape::Directory);
        let above = tarball::check_place(&self.tree, &told.path, is_directory).map_err(refused)?;
        self.entries = self.entries.checked_sub(above).ok_or(Error::Whole("has more directories than it may have"))?;
        let entry = archive.by_index(number).map_err(unreadable)?;
        self.newest = self.newest.max(entry.last_modified().and_then(seconds).unwrap_or(0));
        let mut content = tarball::bounded(entry, self.left);
        let node = match told.shape {
            Shape::Directory => self.visitor.visit(&told.path, Entry::Directory)?,
            Shape::Symlink => {
                let mut target = Vec::new();
                (&mut content).take(LONGEST_TARGET + 1).read_to_end(&mut target).map_err(tarball::broken)?;
                if target.len() as u64 > LONGEST_TARGET {
                    return Err(refused("points to no place in the archive").into());
                }
                let target = tarball::symlink_target(&told.path, &target).map_err(refused)?;
                self.visitor.visit(&told.path, Entry::Symlink { target })?
            }
            Shape::File { executable } => {
                let head = super::head(&mut content)?;
                let executable = executable.unwrap_or_else(|| kind::is_program(&head));
                let mut content = Cursor::new(head).chain(&mut content);
                let size = told.size.min(self.left);
                self.visitor.visit(&told.path, Entry::File { executable, size, content: &mut content })?
            }
        };
        if let Node::File(file) = &node {
            if file.size != told.size {
                return Err(refused("has another size than its headers say").into());
            }
            self.left = self.left.saturating_sub(file.size);
        }
        Ok(self.tree.insert(&told.path, node).map_err(|_| refused("is there twice"))?)
    }
}

/// What an entry's headers say; nothing for the archive's own directory.
fn told(entry: &ZipFileEntry<'_>) -> Result<Option<Told>, Error> {
    let shown = String::from_utf8_lossy(entry.name_raw()).into_owned();
    let refused = |what: &'static str| Error::entry(shown.clone(), what);
    let name = std::str::from_utf8(entry.name_raw()).map_err(|_| refused("has a name that is not UTF-8"))?;
    if name.contains('\\') {
        return Err(refused("has a name with a backslash, which readers take for different things"));
    }
    let shape = shape(entry, name).map_err(refused)?;
    let is_directory = matches!(shape, Shape::Directory);
    if is_directory && matches!(name, "." | "./") {
        return Ok(None);
    }
    let path = tarball::plain(name.strip_prefix("./").unwrap_or(name), is_directory).map_err(refused)?;
    match entry.compression() {
        CompressionMethod::Stored | CompressionMethod::Deflated => {}
        other => {
            let what = format!("is packed by the method {other}, which envy does not know");
            return Err(Error::entry(shown, what));
        }
    }
    Ok(Some(Told { path: path.to_owned(), shape, size: entry.size() }))
}

/// A unix mode says what an entry is, where there is one; otherwise its name does.
fn shape(entry: &ZipFileEntry<'_>, name: &str) -> Result<Shape, &'static str> {
    let mode = entry.external_attributes() >> 16;
    match (mode & KIND, name.ends_with('/')) {
        (0 | 0o040_000, true) if entry.size() == 0 => Ok(Shape::Directory),
        (0 | 0o040_000, true) => Err("is a directory with content"),
        (0o120_000, false) => Ok(Shape::Symlink),
        (0 | 0o100_000, false) => Ok(Shape::File { executable: (mode != 0).then_some(mode & 0o100 != 0) }),
        (0o020_000 | 0o060_000, _) => Err("is a device"),
        (0o010_000, _) => Err("is a named pipe"),
        _ => Err("is neither a file nor a directory nor a symlink"),
    }
}

/// Zip archives tell a local time, without saying whose; we take all for the same.
fn seconds(time: zip::DateTime) -> Option<i64> {
    let date =
        jiff::civil::Date::new(i16::try_from(time.year()).ok()?, as_i8(time.month())?, as_i8(time.day())?).ok()?;
    let time = date.at(as_i8(time.hour())?, as_i8(time.minute())?, as_i8(time.second())?.min(59), 0);
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

fn as_i8(number: u8) -> Option<i8> {
    i8::try_from(number).ok()
}

fn unreadable(error: ZipError) -> Error {
    let error = match error {
        ZipError::Io(error) => error,
        other => std::io::Error::other(other),
    };
    tarball::broken(error)
}
