//! Digests of files that were looked at before, one file in the user's cache for each directory that is a source.
//!
//! ```text
//! envy path 1 AS-OF
//! INODE SIZE MODIFIED CHANGED DIGEST PATH
//! ```
//!
//! Times are in nanoseconds since 1970. `AS-OF` is the time of the file system just before the newest of these digests
//! was computed. A file that changed at that time or later may have changed again after it was read, without its times
//! telling so; it is hashed again, as git does with what is "racily clean". Without the memo everything is only slower.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::digest::{BlobDigest, TextDigest};
use crate::disk::{self, Found};

const HEAD: &str = "envy path 1 ";

/// What is remembered of directories that are sources.
#[derive(Clone, Debug)]
pub struct PathMemo {
    directory: PathBuf,
}

impl PathMemo {
    /// The memo in a cache directory.
    pub fn in_cache(cache: &Path) -> Self {
        Self { directory: cache.join("paths") }
    }

    /// What is remembered of one directory, by its canonical path.
    pub(super) fn recall(&self, of: &Path) -> Memory<'_> {
        let name = TextDigest::of(of.as_os_str().as_encoded_bytes()).hex();
        let file = self.directory.join(name);
        let text = disk::read_text_if_exists(&file).ok().flatten().unwrap_or_default();
        let (as_of, known) = parse(&text).unwrap_or_default();
        Memory { directory: &self.directory, file, as_of, known }
    }
}

/// What is remembered of the files of one directory.
pub(super) struct Memory<'m> {
    directory: &'m Path,
    file: PathBuf,
    as_of: i128,
    known: BTreeMap<String, Entry>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    inode: u64,
    size: u64,
    modified: i128,
    changed: i128,
    digest: BlobDigest,
}

impl Entry {
    fn of(found: &Found, digest: BlobDigest) -> Self {
        let disk::Stamp { inode, size, modified } = found.stamp;
        Self { inode, size, modified, changed: found.changed, digest }
    }
}

impl Memory<'_> {
    /// The digest of a file, if it was looked at and not touched since.
    pub fn digest(&self, found: &Found) -> Option<BlobDigest> {
        let known = self.known.get(found.path.to_str()?)?;
        let untouched = *known == Entry::of(found, known.digest);
        (untouched && found.changed.max(found.stamp.modified) < self.as_of).then_some(known.digest)
    }

    /// The time since which nothing counts as untouched.
    pub fn as_of(&self) -> i128 {
        self.as_of
    }

    /// The present time of the file system, or one so long ago that nothing counts as untouched.
    pub fn now(&self) -> i128 {
        disk::time_in(self.directory).unwrap_or(0)
    }

    /// Keep digests for the next process, if any is new. Where that fails, the next process hashes again.
    pub fn save(&self, as_of: i128, found: &[Found], digests: &[Option<BlobDigest>]) {
        let entries = found.iter().zip(digests).filter_map(|(one, digest)| {
            let path = one.path.to_str().filter(|path| !path.contains('\n'))?;
            Some((path, Entry::of(one, (*digest)?)))
        });
        if as_of == self.as_of && entries.clone().count() == self.known.len() {
            return;
        }
        let mut text = format!("{HEAD}{as_of}\n");
        for (path, Entry { inode, size, modified, changed, digest }) in entries {
            let _ = writeln!(text, "{inode} {size} {modified} {changed} {} {path}", digest.hex());
        }
        let _ = disk::write_whole(&self.file, text.as_bytes());
    }
}

fn parse(text: &str) -> Option<(i128, BTreeMap<String, Entry>)> {
    let (head, lines) = text.split_once('\n')?;
    let as_of = head.strip_prefix(HEAD)?.parse().ok()?;
    let known = lines.lines().map(entry).collect::<Option<_>>()?;
    Some((as_of, known))
}

fn entry(line: &str) -> Option<(String, Entry)> {
    let mut parts = line.splitn(6, ' ');
    let mut next = || parts.next();
    let (inode, size) = (next()?.parse().ok()?, next()?.parse().ok()?);
    let (modified, changed) = (next()?.parse().ok()?, next()?.parse().ok()?);
    let digest = BlobDigest::from_hex(next()?).ok()?;
    Some((next()?.to_owned(), Entry { inode, size, modified, changed, digest }))
}
