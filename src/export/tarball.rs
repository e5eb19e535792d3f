//! The files of a prefix in one archive, as they would lie at a path: sorted, without owners and times.

use std::io::{self, Write};

use tar::{Builder, EntryType, Header};

use crate::placeholder;
use crate::store::{self, Store};
use crate::tree::{Node, Tree};

/// An archive cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] crate::disk::Error),
    /// The file cannot be written.
    #[error("the archive cannot be written")]
    Write(#[source] io::Error),
    /// A file holds the path of its prefix, and nobody said which that is.
    #[error("`{0}` holds the path of its prefix")]
    NoPath(String),
    /// The path is too long to stand in files.
    #[error("`{file}` has room for a path of {} bytes, and `{path}` has {}", placeholder::PLACEHOLDER.len(), path.len())]
    LongPath {
        /// The file.
        file: String,
        /// The path.
        path: String,
    },
}

/// Write a tree, for a place where it will lie, if that is known.
pub fn write(tree: &Tree, store: &Store, at: Option<&str>, to: impl Write) -> Result<(), Error> {
    let mut archive = Builder::new(to);
    add(tree, "", store, at, &mut archive)?;
    archive.into_inner().and_then(|mut to| to.flush()).map_err(Error::Write)
}

fn add<W: Write>(
    tree: &Tree,
    above: &str,
    store: &Store,
    at: Option<&str>,
    archive: &mut Builder<W>,
) -> Result<(), Error> {
    for (name, node) in tree.entries() {
        let path = format!("{above}{name}");
        match node {
            Node::Directory(below) => {
                let mut header = header(EntryType::Directory, 0o755, 0);
                archive.append_data(&mut header, format!("{path}/"), io::empty()).map_err(Error::Write)?;
                add(below, &format!("{path}/"), store, at, archive)?;
            }
            Node::Symlink(target) => {
                let mut header = header(EntryType::Symlink, 0o777, 0);
                archive.append_link(&mut header, &path, target).map_err(Error::Write)?;
            }
            Node::File(file) => {
                let bytes = placed(store.read_file(*file)?, &path, at)?;
                let mode = if file.executable { 0o755 } else { 0o644 };
                let mut header = header(EntryType::Regular, mode, bytes.len() as u64);
                archive.append_data(&mut header, &path, &bytes[..]).map_err(Error::Write)?;
            }
        }
    }
    Ok(())
}

/// With the real path in the place of the placeholder.
fn placed(bytes: Vec<u8>, file: &str, at: Option<&str>) -> Result<Vec<u8>, Error> {
    if !placeholder::is_in(&bytes) {
        return Ok(bytes);
    }
    let path = at.ok_or_else(|| Error::NoPath(file.to_owned()))?;
    if path.len() > placeholder::PLACEHOLDER.len() {
        return Err(Error::LongPath { file: file.to_owned(), path: path.to_owned() });
    }
    Ok(placeholder::fill(&bytes, path).0)
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placeholder::PLACEHOLDER;

    #[test]
    fn a_prefix_is_written_for_the_place_where_it_will_lie() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let mut tree = Tree::default();
        let text = format!("prefix={PLACEHOLDER}\n");
        tree.insert("lib/x.pc", Node::File(store.put_file(text.as_bytes(), false).unwrap())).unwrap();
        tree.insert("bin/x", Node::File(store.put_file(b"#!/bin/sh\n", true).unwrap())).unwrap();
        tree.insert("bin/y", Node::Symlink("x".to_owned())).unwrap();
        let (mut one, mut other) = (Vec::new(), Vec::new());
        write(&tree, &store, Some("/opt/x"), &mut one).unwrap();
        write(&tree, &store, Some("/opt/x"), &mut other).unwrap();
        assert!(one == other);
        let mut archive = tar::Archive::new(&one[..]);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            io::Read::read_to_string(&mut entry, &mut text).unwrap();
            format!("{} {:o} {text}", entry.path().unwrap().display(), entry.header().mode().unwrap())
        });
        let expected =
            ["bin/ 755 ", "bin/x 755 #!/bin/sh\n", "bin/y 777 ", "lib/ 755 ", "lib/x.pc 644 prefix=/opt/x\n"];
        assert_eq!(entries.collect::<Vec<_>>(), expected);
        let error = write(&tree, &store, None, Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "`lib/x.pc` holds the path of its prefix");
    }
}
