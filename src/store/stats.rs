//! How much is in the store.

use std::path::Path;

use super::{Error, Store};
use crate::disk;

/// One kind of thing in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its directory.
    pub name: &'static str,
    /// How many there are.
    pub count: u64,
    /// Their size in bytes. Prefixes are links to blobs, so theirs is what they would take alone.
    pub bytes: u64,
}

/// Each kind with how deep its entries lie.
const KINDS: [(&str, usize); 6] =
    [("blobs", 2), ("trees", 2), ("results", 2), ("units", 2), ("checkouts", 2), ("prefixes", 1)];

/// Whether a path is in a store, by what lies beside it.
pub fn holds(path: &Path) -> bool {
    let is_store = |above: &Path| KINDS.iter().filter(|(name, _)| disk::is_directory(&above.join(name))).count() > 2;
    path.ancestors().skip(1).any(is_store)
}

impl Store {
    /// Count everything.
    pub fn stats(&self) -> Result<Vec<Kind>, Error> {
        let kind = |(name, depth): (&'static str, usize)| {
            let (count, bytes) = measure(&self.root().join(name), depth)?;
            Ok(Kind { name, count, bytes })
        };
        KINDS.into_iter().map(kind).collect()
    }
}

fn measure(directory: &Path, depth: usize) -> Result<(u64, u64), Error> {
    let (mut count, mut bytes) = (0, 0);
    for (name, kind) in disk::list_if_exists(directory)? {
        let path = directory.join(name);
        // What is known of a prefix is no prefix, nor is what is known of a checkout one.
        if path.extension().is_some_and(|extension| extension == "patches" || extension == super::checkout::SEAL) {
            continue;
        }
        if depth > 1 {
            let below = measure(&path, depth - 1)?;
            count += below.0;
            bytes += below.1;
        } else {
            count += 1;
            bytes += if kind == disk::Kind::Directory { size(&path)? } else { disk::file_size(&path).unwrap_or(0) };
        }
    }
    Ok((count, bytes))
}

fn size(directory: &Path) -> Result<u64, Error> {
    let mut bytes = 0;
    for (name, kind) in disk::list(directory)? {
        let path = directory.join(name);
        bytes += if kind == disk::Kind::Directory { size(&path)? } else { disk::file_size(&path).unwrap_or(0) };
    }
    Ok(bytes)
}
