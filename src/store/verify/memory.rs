//! What was last read of a prefix, so that what was not touched since need not be read again.
//!
//! ```text
//! envy verified 1 AS-OF
//! INODE SIZE MODIFIED CHANGED DIGEST BYTES PATH
//! ```
//!
//! Times are in nanoseconds since 1970. DIGEST and BYTES are of the file without its patches. `AS-OF` is the time of the file
//! system just before the files were read: what changed then or later may have changed again without its times telling so,
//! and is read again, as git does with what is "racily clean".
//!
//! Nobody can set the time at which the file system saw a file change last, so that whatever wrote to it through the file
//! system is seen. What a disk forgets, or what was written to it past the file system, is not.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::digest::BlobDigest;
use crate::disk::{self, Look};

const HEAD: &str = "envy verified 1 ";

/// What is remembered of the files of one prefix.
#[derive(Debug)]
pub struct Memory {
    file: PathBuf,
    /// The time before which nothing that was read now had changed.
    now: i128,
    as_of: i128,
    known: HashMap<String, Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    inode: u64,
    size: u64,
    modified: i128,
    changed: i128,
    digest: BlobDigest,
    bytes: u64,
}

/// A file: its path, what the file system tells of it, and digest and size of its bytes without patches.
pub(super) type Remembered<'a> = (&'a str, &'a Look, (BlobDigest, u64));

impl Memory {
    /// What a file in the user's cache tells.
    pub fn recall(file: PathBuf) -> Self {
        let text = disk::read_text_if_exists(&file).ok().flatten().unwrap_or_default();
        let (as_of, known) = parse(&text).unwrap_or_default();
        Self { as_of, known, ..Self::blank(file) }
    }

    /// Nothing: everything is read, and kept in that file for the next time.
    pub fn blank(file: PathBuf) -> Self {
        // Where the cache cannot be written to, the next time is slower.
        let now = file.parent().and_then(|directory| disk::time_in(directory).ok()).unwrap_or(0);
        Self { file, now, as_of: 0, known: HashMap::new() }
    }

    /// Digest and size of a file, if it was read before and not touched since.
    pub(super) fn digest(&self, path: &str, look: &Look) -> Option<(BlobDigest, u64)> {
        let known = self.known.get(path)?;
        let untouched = *known == entry_of(look, (known.digest, known.bytes));
        (untouched && look.changed.max(look.stamp.modified) < self.as_of).then_some((known.digest, known.bytes))
    }

    /// Keep what was read for the next time. Where that fails, it is read again.
    pub(super) fn save<'a>(&self, files: impl Iterator<Item = Remembered<'a>>) {
        let mut text = format!("{HEAD}{}\n", self.now);
        for (path, look, found) in files.filter(|(path, ..)| !path.contains('\n')) {
            let Entry { inode, size, modified, changed, digest, bytes } = entry_of(look, found);
            let _ = writeln!(text, "{inode} {size} {modified} {changed} {} {bytes} {path}", digest.hex());
        }
        let _ = disk::write_whole(&self.file, text.as_bytes());
    }

    /// Forget everything: what it is about was made anew.
    pub fn forget(file: &Path) -> disk::Result<()> {
        disk::remove_file(file)
    }
}

fn entry_of(look: &Look, (digest, bytes): (BlobDigest, u64)) -> Entry {
    let disk::Stamp { inode, size, modified } = look.stamp;
    Entry { inode, size, modified, changed: look.changed, digest, bytes }
}

fn parse(text: &str) -> Option<(i128, HashMap<String, Entry>)> {
    let (head, lines) = text.split_once('\n')?;
    let as_of = head.strip_prefix(HEAD)?.parse().ok()?;
    Some((as_of, lines.lines().map(entry).collect::<Option<_>>()?))
}

fn entry(line: &str) -> Option<(String, Entry)> {
    let mut parts = line.splitn(7, ' ');
    let mut next = || parts.next();
    let (inode, size) = (next()?.parse().ok()?, next()?.parse().ok()?);
    let (modified, changed) = (next()?.parse().ok()?, next()?.parse().ok()?);
    let (digest, bytes) = (BlobDigest::from_hex(next()?).ok()?, next()?.parse().ok()?);
    Some((next()?.to_owned(), Entry { inode, size, modified, changed, digest, bytes }))
}
