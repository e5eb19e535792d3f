//! Directories that build scripts filled, on their way from a build to a unit.
//!
//! The wrapper lists them with digests, and sends the bytes where envy asks for them. Whatever it says, envy makes them
//! anew in a place of its own, and proves each byte.

#![allow(clippy::disallowed_methods, reason = "the wrapper, inside a sandbox, is a door of its own")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::digest::{BlobDigest, Hasher};
use crate::disk;

/// Directories by their paths, with all that is in them.
pub type Trees = BTreeMap<String, Vec<Item>>;

/// A thing in a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its path in the directory.
    pub path: String,
    /// What it is.
    pub what: What,
}

/// What a thing in a directory is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A file.
    File { blob: String, size: u64, executable: bool },
    /// A directory, whose content follows.
    Directory,
    /// A symlink, and what it says.
    Symlink(String),
}

/// List a directory of this very process's view; nothing if there is none.
pub fn scan(directory: &Path) -> io::Result<Option<Vec<Item>>> {
    let mut items = Vec::new();
    match fs::symlink_metadata(directory) {
        Ok(metadata) if metadata.is_dir() => scan_into(directory, "", &mut items)?,
        Ok(_) => return Err(io::Error::from(io::ErrorKind::NotADirectory)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    Ok(Some(items))
}

fn scan_into(directory: &Path, prefix: &str, items: &mut Vec<Item>) -> io::Result<()> {
    let mut entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let odd = || io::Error::from(io::ErrorKind::InvalidData);
        let path = format!("{prefix}{}", entry.file_name().to_str().ok_or_else(odd)?);
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            items.push(Item { path: path.clone(), what: What::Directory });
            scan_into(&entry.path(), &format!("{path}/"), items)?;
        } else if metadata.is_symlink() {
            let target = fs::read_link(entry.path())?.to_str().ok_or_else(odd)?.to_owned();
            items.push(Item { path, what: What::Symlink(target) });
        } else if metadata.is_file() {
            let bytes = fs::read(entry.path())?;
            let executable = metadata.permissions().mode() & 0o100 != 0;
            let what = What::File { blob: BlobDigest::of(&bytes).hex(), size: bytes.len() as u64, executable };
            items.push(Item { path, what });
        } else {
            return Err(odd());
        }
    }
    Ok(())
}

/// Send the bytes of all files, as they were listed.
pub fn send(trees: &Trees, to: &mut impl Write) -> io::Result<()> {
    for (directory, items) in trees {
        for item in items {
            if let What::File { size, .. } = &item.what {
                let file = fs::File::open(Path::new(directory).join(&item.path))?;
                if io::copy(&mut file.take(*size), to)? != *size {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
            }
        }
    }
    to.flush()
}

/// Make what is sent below a directory that nobody else knows; the directory numbered N is the N-th.
pub fn receive(trees: &Trees, from: &mut impl Read, to: &Path) -> io::Result<()> {
    let plain = |error: disk::Error| io::Error::other(error);
    for (number, items) in trees.values().enumerate() {
        let directory = to.join(number.to_string());
        disk::create_directory(&directory, 0o755).map_err(plain)?;
        let mut symlinks = Vec::new();
        for item in items {
            if item.path.split('/').any(|part| matches!(part, "" | "." | "..")) || item.path.contains('\0') {
                return Err(io::Error::from(io::ErrorKind::InvalidInput));
            }
            let path = directory.join(&item.path);
            match &item.what {
                What::Directory => disk::create_directory(&path, 0o755).map_err(plain)?,
                What::File { blob, size, executable } => {
                    let mode = if *executable { 0o755 } else { 0o644 };
                    receive_file(from, &path, blob, *size, mode)?;
                }
                // These come last, so that nothing is written through one.
                What::Symlink(target) => symlinks.push((target, path)),
            }
        }
        for (target, path) in symlinks {
            disk::symlink(Path::new(target), &path).map_err(plain)?;
        }
    }
    Ok(())
}

fn receive_file(from: &mut impl Read, to: &Path, blob: &str, size: u64, mode: u32) -> io::Result<()> {
    let (mut file, mut hasher) = (disk::create_new(to, mode).map_err(io::Error::other)?, Hasher::default());
    let (mut left, mut buffer) = (size, vec![0; 64 * 1024]);
    while left > 0 {
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = from.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        hasher.update(&buffer[..count]);
        file.write_all(&buffer[..count])?;
        left -= count as u64;
    }
    let digest: BlobDigest = hasher.finish();
    if digest.hex() == blob { Ok(()) } else { Err(io::Error::from(io::ErrorKind::InvalidData)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> (tempfile::TempDir, Trees) {
        let directory = tempfile::tempdir().unwrap();
        let from = directory.path().join("from");
        disk::create_directories(&from.join("deep")).unwrap();
        disk::write(&from.join("deep/bindings.rs"), b"pub const A: u8 = 1;").unwrap();
        disk::write(&from.join("empty"), b"").unwrap();
        disk::symlink(Path::new("/etc/passwd"), &from.join("link")).unwrap();
        let items = scan(&from).unwrap().unwrap();
        let trees = [(from.to_str().unwrap().to_owned(), items)].into();
        (directory, trees)
    }

    fn received(trees: &Trees, bytes: &[u8]) -> io::Result<tempfile::TempDir> {
        let to = tempfile::tempdir().unwrap();
        receive(trees, &mut &*bytes, to.path()).map(|()| to)
    }

    #[test]
    fn what_is_listed_is_made_anew_elsewhere() {
        let (_directory, trees) = filled();
        let mut bytes = Vec::new();
        send(&trees, &mut bytes).unwrap();
        let to = received(&trees, &bytes).unwrap();
        assert_eq!(scan(&to.path().join("0")).unwrap().as_ref(), trees.values().next());
        assert_eq!(scan(Path::new("/nowhere/at/all")).unwrap(), None);
    }

    #[test]
    fn other_bytes_than_were_listed_are_refused() {
        let (_directory, trees) = filled();
        assert!(received(&trees, b"pub const A: u8 = 2;").is_err());
        assert!(received(&trees, b"pub const").is_err());
    }

    #[test]
    fn nothing_is_made_outside_nor_through_a_symlink() {
        let file = |path: &str| Item {
            path: path.into(),
            what: What::File { blob: BlobDigest::of(b"").hex(), size: 0, executable: false },
        };
        let outside = tempfile::tempdir().unwrap();
        let link = Item { path: "link".into(), what: What::Symlink(outside.path().to_str().unwrap().into()) };
        for items in
            [vec![file("../out")], vec![file("/out")], vec![link, file("link/out")], vec![file("a"), file("a")]]
        {
            assert!(received(&[("/envy/build/x".to_owned(), items)].into(), b"").is_err());
        }
        assert!(disk::list(outside.path()).unwrap().is_empty());
    }
}
