//! Copies of an index's files, kept so that a server need not send again what has not changed, and for work offline.
//!
//! ```text
//! CACHE/index/d9b9b5a0b2c4/       one directory for each index, named by the digest of its address
//!   config.json                   where archives are
//!   crates/ripgrep                the lines of one crate
//! ```
//!
//! Each file begins with a line that has the digest of all the rest (`seal: sha256:…`), then one that says which state of
//! the resource it holds (`etag: …`, `last-modified: …`, or `unknown`), and then has the server's bytes as they came. One
//! that is not as its seal says counts as none. Older copies have no seal. The cache of `tame-index` is not used: it writes in
//! place, and maps into memory what another envy may be writing.

use std::path::{Path, PathBuf};

use crate::digest::{BlobDigest, Text, TextDigest};
use crate::disk;
use crate::download::Revision;

/// The copies of one index.
#[derive(Debug)]
pub(super) struct IndexCache {
    root: PathBuf,
}

/// A file of an index, as it was at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// What the server called that state of it.
    pub(super) revision: Option<Revision>,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
}

impl IndexCache {
    /// The copies of the index at an address, in a directory for caches.
    pub(super) fn new(cache: &Path, index: &str) -> Self {
        let digest: TextDigest = crate::digest::Digest::<Text>::of(index.as_bytes());
        Self { root: cache.join("index").join(digest.short()) }
    }

    /// Where the lines of a crate are kept. The name is in lower case, as the index has it.
    pub(super) fn crate_file(&self, name: &str) -> PathBuf {
        self.root.join("crates").join(name.to_ascii_lowercase())
    }

    /// Where the index's own configuration is kept.
    pub(super) fn config_file(&self) -> PathBuf {
        self.root.join("config.json")
    }

    /// The names of all crates of which there is a copy.
    pub(super) fn crate_names(&self) -> Vec<String> {
        let entries = disk::list_if_exists(&self.root.join("crates")).unwrap_or_default();
        entries
            .into_iter()
            .filter_map(|(name, _)| name.into_string().ok())
            .filter(|name| !name.starts_with('.'))
            .collect()
    }
}

/// Read a copy; one that makes no sense counts as none.
pub(super) fn read(path: &Path) -> Result<Option<Kept>, disk::Error> {
    Ok(disk::read_if_exists(path)?.and_then(|bytes| parse(&bytes)))
}

/// Keep a copy.
pub(super) fn write(path: &Path, kept: &Kept) -> Result<(), disk::Error> {
    let head = match &kept.revision {
        Some(Revision::Etag(tag)) => format!("etag: {tag}\n"),
        Some(Revision::LastModified(time)) => format!("last-modified: {time}\n"),
        None => "unknown\n".to_owned(),
    };
    let rest = [head.as_bytes(), &kept.bytes].concat();
    let seal = format!("{SEAL}{}\n", BlobDigest::of(&rest));
    disk::write_atomic(path, &[seal.as_bytes(), &rest].concat())
}

const SEAL: &str = "seal: ";

fn parse(bytes: &[u8]) -> Option<Kept> {
    let Some(sealed) = bytes.strip_prefix(SEAL.as_bytes()) else { return parse_unsealed(bytes) };
    let end = sealed.iter().position(|&byte| byte == b'\n')?;
    let (seal, rest) = (std::str::from_utf8(&sealed[..end]).ok()?, &sealed[end + 1..]);
    if seal == BlobDigest::of(rest).to_string() { parse_unsealed(rest) } else { None }
}

fn parse_unsealed(bytes: &[u8]) -> Option<Kept> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let revision = match std::str::from_utf8(&bytes[..end]).ok()?.split_once(": ") {
        Some(("etag", tag)) => Some(Revision::Etag(tag.to_owned())),
        Some(("last-modified", time)) => Some(Revision::LastModified(time.to_owned())),
        None if &bytes[..end] == b"unknown" => None,
        _ => return None,
    };
    Some(Kept { revision, bytes: bytes[end + 1..].to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_reads_back_with_its_revision() {
        let directory = tempfile::tempdir().unwrap();
        let cache = IndexCache::new(directory.path(), "https://a.example/");
        let path = cache.crate_file("Ripgrep");
        for revision in [Some(Revision::Etag("\"1\"".into())), Some(Revision::LastModified("now".into())), None] {
            let kept = Kept { revision, bytes: b"{}\n{}\n".to_vec() };
            write(&path, &kept).unwrap();
            assert_eq!(read(&path).unwrap(), Some(kept));
        }
        assert_eq!(cache.crate_names(), ["ripgrep"]);
    }

    #[test]
    fn a_copy_in_which_a_bit_flipped_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crate");
        let kept = Kept { revision: Some(Revision::Etag("\"1\"".into())), bytes: b"{\"name\":\"a\"}\n".to_vec() };
        write(&path, &kept).unwrap();
        let bytes = disk::read(&path).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse(&flipped), None, "bit {bit}");
        }
        assert_eq!(parse(&[b"etag: \"1\"\n", &kept.bytes[..]].concat()), Some(kept), "as it was written before");
    }

    #[test]
    fn a_copy_that_makes_no_sense_is_none() {
        for bytes in [&b""[..], b"no line's end", b"other: x\n{}", b"\xff\n{}"] {
            assert_eq!(parse(bytes), None, "{bytes:?}");
        }
    }
}
