//! Identity of what builds: digests of files of the host, remembered by path, inode, size and time.
//!
//! A compiler is several hundred megabytes, so what was hashed once is not hashed again until it is touched. The
//! memo is a file in the cache directory; without it everything is only slower.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::digest::{BlobDigest, Hasher, TextDigest};
use crate::disk::{self, Stamp};
use crate::store::Store;

#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    inode: u64,
    size: u64,
    modified: String,
    digest: String,
    /// What it asks the dynamic linker for, where that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asks: Option<Asks>,
}

/// What a file wants to be loaded with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asks {
    /// The program that loads it: the dynamic linker, or what a script names in its first line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<String>,
    /// The libraries that it is to be loaded with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub libraries: Vec<String>,
    /// The directories where it looks for them first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<String>,
}

/// Digests of files that were looked at before, and copies of those that builds see.
pub struct Memo {
    path: PathBuf,
    entries: Mutex<BTreeMap<String, Entry>>,
    copies: Store,
}

impl Memo {
    /// The memo in a cache directory.
    pub fn open(cache: &Path) -> Self {
        let path = cache.join("identity.json");
        let text = disk::read_text_if_exists(&path).ok().flatten();
        let entries = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        Self { path, entries: Mutex::new(entries), copies: Store::at(cache.join("host")) }
    }

    /// Where copies of the host's files are kept for builds: a store of their own, since they are the host's and no
    /// lockfile knows of them. Whoever removes it loses time only.
    pub fn copies(&self) -> &Store {
        &self.copies
    }

    /// Names these files: each by what it is called and its content. Files that are not there count as absent.
    pub fn identity(&self, files: &[(String, PathBuf)]) -> Result<TextDigest, disk::Error> {
        let lines = files.par_iter().map(|(name, path)| {
            let digest = if disk::exists(path) { self.digest(path)?.to_string() } else { "absent".to_owned() };
            Ok(format!("{name} {digest}\n"))
        });
        let mut lines = lines.collect::<Result<Vec<_>, disk::Error>>()?;
        lines.sort();
        self.save();
        Ok(TextDigest::of(lines.concat().as_bytes()))
    }

    /// Digest and size of each of these files.
    pub fn contents(&self, paths: &[&Path]) -> Result<Vec<(BlobDigest, u64)>, disk::Error> {
        let content = |path: &&Path| Ok((self.digest(path)?, disk::stamp(path)?.size));
        let contents = paths.par_iter().map(content).collect::<Result<Vec<_>, disk::Error>>()?;
        self.save();
        Ok(contents)
    }

    /// What a file asks for, as `read` finds out where it is not known.
    pub fn asks(&self, path: &Path, read: impl FnOnce() -> Result<Asks, disk::Error>) -> Result<Asks, disk::Error> {
        let stamp = disk::stamp(path)?;
        let key = path.to_string_lossy().into_owned();
        if let Some(asks) = self.known(&key, stamp).and_then(|entry| entry.asks) {
            return Ok(asks);
        }
        let asks = read()?;
        self.digest(path)?;
        if let Some(entry) = self.entries.lock().expect("no holder panics").get_mut(&key) {
            entry.asks = Some(asks.clone());
        }
        Ok(asks)
    }

    fn digest(&self, path: &Path) -> Result<BlobDigest, disk::Error> {
        let stamp = disk::stamp(path)?;
        let key = path.to_string_lossy().into_owned();
        if let Some(digest) = self.known(&key, stamp).and_then(|entry| entry.digest.parse().ok()) {
            return Ok(digest);
        }
        let digest = hash(path)?;
        let entry = Entry {
            inode: stamp.inode,
            size: stamp.size,
            modified: stamp.modified.to_string(),
            digest: digest.to_string(),
            asks: None,
        };
        self.entries.lock().expect("no holder panics").insert(key, entry);
        Ok(digest)
    }

    fn known(&self, key: &str, stamp: Stamp) -> Option<Entry> {
        let entries = self.entries.lock().expect("no holder panics");
        let entry = entries.get(key)?;
        let same =
            entry.inode == stamp.inode && entry.size == stamp.size && entry.modified == stamp.modified.to_string();
        same.then(|| entry.clone())
    }

    /// Keep it for the next process. Where that fails, the next process hashes again.
    fn save(&self) {
        let entries = self.entries.lock().expect("no holder panics");
        if let Ok(text) = serde_json::to_vec(&*entries)
            && disk::read_if_exists(&self.path).ok().flatten().as_deref() != Some(text.as_slice())
        {
            let _ = disk::write_atomic(&self.path, &text);
        }
    }
}

fn hash(path: &Path) -> Result<BlobDigest, disk::Error> {
    let (mut file, mut hasher) = (disk::open(path)?, Hasher::default());
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer).map_err(|error| disk::Error::new("read", path, error))? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_touched_file_is_hashed_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("cc");
        let identity = || {
            let memo = Memo::open(directory.path());
            memo.identity(&[("cc".into(), file.clone())]).unwrap()
        };
        let absent = identity();
        disk::write(&file, b"one").unwrap();
        let one = identity();
        assert_eq!(identity(), one);
        disk::write(&file, b"three").unwrap();
        assert!(identity() != one && one != absent);
    }
}
