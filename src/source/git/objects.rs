//! Objects of git, read from a directory of them.
//!
//! No repository is opened for that where it is ours, so that no configuration of the user or the host counts.

use std::collections::BTreeSet;
use std::path::Path;

use git2::{ObjectType, Odb, Oid};

use super::entries::{self, Kind};
use crate::digest::Commit;

/// Objects could not be read, or are not what they have to be.
#[derive(Debug)]
pub(super) enum ReadError {
    /// Not there.
    Missing(Oid),
    /// There, and unreadable.
    Broken(git2::Error),
    /// An entry that must not be there.
    Entry { path: String, what: &'static str },
    /// Too many of them.
    TooMany,
}

impl From<git2::Error> for ReadError {
    fn from(error: git2::Error) -> Self {
        Self::Broken(error)
    }
}

/// Objects of one repository.
pub(super) struct Objects {
    odb: Odb<'static>,
}

/// What a commit says of itself.
pub(super) struct CommitInfo {
    /// Its tree.
    pub(super) tree: Oid,
    /// When it was committed, in seconds since 1970.
    pub(super) time: i64,
}

/// Something in a tree that is no directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) id: Oid,
}

/// The most entries of a tree, directories included.
pub(super) const MOST_ENTRIES: usize = 1_000_000;

/// The most directories above an entry.
const DEEPEST: usize = 1000;

impl Objects {
    /// The objects in a directory that git calls `objects`.
    pub(super) fn at(directory: &Path) -> Result<Self, git2::Error> {
        let odb = Odb::new()?;
        let path = directory.to_str().ok_or_else(|| git2::Error::from_str("its path is not UTF-8"))?;
        odb.add_disk_alternate(path)?;
        Ok(Self { odb })
    }

    /// For what writes packs.
    pub(super) fn odb(&self) -> &Odb<'static> {
        &self.odb
    }

    pub(super) fn has(&self, id: Oid) -> bool {
        self.odb.exists(id)
    }

    /// The one commit that this prefix begins, if it is the one.
    pub(super) fn beginning(&self, prefix: &str) -> Result<Commit, git2::Error> {
        let short = Oid::from_str(prefix)?;
        let id = self.odb.exists_prefix(short, prefix.len())?;
        match self.odb.read_header(id)? {
            (_, ObjectType::Commit) => Ok(commit_of(id)),
            _ => Err(git2::Error::from_str("it is no commit")),
        }
    }

    /// The bytes of an object of a type.
    pub(super) fn read(&self, id: Oid, kind: ObjectType) -> Result<git2::OdbObject<'_>, ReadError> {
        match self.odb.read(id) {
            Ok(object) if object.kind() == kind => Ok(object),
            Ok(_) => Err(ReadError::Broken(git2::Error::from_str("an object is of another type than it is used for"))),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Err(ReadError::Missing(id)),
            Err(error) => Err(error.into()),
        }
    }

    /// The size of a blob in bytes, without reading it.
    pub(super) fn size(&self, id: Oid) -> Result<u64, ReadError> {
        match self.odb.read_header(id) {
            Ok((size, _)) => Ok(size as u64),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Err(ReadError::Missing(id)),
            Err(error) => Err(error.into()),
        }
    }

    /// What a commit says.
    pub(super) fn commit(&self, commit: &Commit) -> Result<CommitInfo, ReadError> {
        let object = self.read(oid_of(commit), ObjectType::Commit)?;
        parse_commit(object.data()).ok_or_else(|| git2::Error::from_str("a commit cannot be read").into())
    }

    /// All leaves of a tree, by path, each directory's entries in git's order.
    pub(super) fn leaves(&self, tree: Oid) -> Result<Vec<Leaf>, ReadError> {
        let (mut leaves, mut seen) = (Vec::new(), 0);
        self.collect(tree, "", 0, &mut leaves, &mut seen)?;
        Ok(leaves)
    }

    fn collect(
        &self,
        tree: Oid,
        prefix: &str,
        depth: usize,
        all: &mut Vec<Leaf>,
        seen: &mut usize,
    ) -> Result<(), ReadError> {
        let refused = |path: String| move |what| ReadError::Entry { path, what };
        if depth > DEEPEST {
            return Err(refused(prefix.trim_end_matches('/').to_owned())("lies too deep"));
        }
        let object = self.read(tree, ObjectType::Tree)?;
        for entry in entries::read(object.data()).map_err(|bad| refused(format!("{prefix}{}", bad.name))(bad.what))? {
            *seen += 1;
            if *seen > MOST_ENTRIES {
                return Err(ReadError::TooMany);
            }
            let (path, id) = (format!("{prefix}{}", entry.name), Oid::from_bytes(&entry.id)?);
            match entry.kind {
                Kind::Directory => self.collect(id, &format!("{path}/"), depth + 1, all, seen)?,
                kind => all.push(Leaf { path, kind, id }),
            }
        }
        Ok(())
    }

    /// The content of the file at a path of a tree, or nothing where there is none.
    pub(super) fn file(&self, mut tree: Oid, path: &str) -> Result<Option<Vec<u8>>, ReadError> {
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            let object = self.read(tree, ObjectType::Tree)?;
            let entries =
                entries::read(object.data()).map_err(|bad| ReadError::Entry { path: bad.name, what: bad.what })?;
            let Some(entry) = entries.into_iter().find(|entry| entry.name == part) else { return Ok(None) };
            let id = Oid::from_bytes(&entry.id)?;
            match (entry.kind, parts.peek()) {
                (Kind::Directory, Some(_)) => tree = id,
                (Kind::File | Kind::Program, None) => {
                    return Ok(Some(self.read(id, ObjectType::Blob)?.data().to_vec()));
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The first object of a tree that is not there.
    pub(super) fn first_missing(&self, tree: Oid) -> Result<Option<Oid>, ReadError> {
        let (mut seen, mut left) = (BTreeSet::from([tree]), vec![tree]);
        while let Some(tree) = left.pop() {
            let object = match self.read(tree, ObjectType::Tree) {
                Err(ReadError::Missing(id)) => return Ok(Some(id)),
                object => object?,
            };
            // What must not be there is found by whoever reads the files.
            for entry in entries::read_all(object.data()).unwrap_or_default() {
                let id = Oid::from_bytes(&entry.id)?;
                match entry.kind {
                    _ if !seen.insert(id) => {}
                    Kind::Directory => left.push(id),
                    Kind::Submodule => {}
                    _ if !self.has(id) => return Ok(Some(id)),
                    _ => {}
                }
            }
        }
        Ok(None)
    }
}

/// The tree and the time in a commit's text.
fn parse_commit(data: &[u8]) -> Option<CommitInfo> {
    let mut lines = data.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    let tree = Oid::from_str(std::str::from_utf8(lines.next()?.strip_prefix(b"tree ")?).ok()?).ok()?;
    let committer = lines.find_map(|line| line.strip_prefix(b"committer "));
    // A commit without a time that makes sense is from the beginning of it.
    let time = || {
        let mut words = committer?.rsplit(|byte| *byte == b' ');
        std::str::from_utf8(words.nth(1)?).ok()?.parse().ok()
    };
    Some(CommitInfo { tree, time: time().unwrap_or(0) })
}

pub(super) fn oid_of(commit: &Commit) -> Oid {
    Oid::from_bytes(commit.as_bytes()).expect("both have 20 bytes")
}

pub(super) fn commit_of(id: Oid) -> Commit {
    let bytes: [u8; 20] = id.as_bytes().try_into().expect("both have 20 bytes");
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_says_its_tree_and_its_time() {
        let text = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@a.example> 5 +0000\ncommitter B C <b> 7 +0200\n\ncommitter D 9 +0";
        let info = parse_commit(text).unwrap();
        assert_eq!((info.tree.to_string().as_str(), info.time), ("4b825dc642cb6eb9a060e54bf8d69288fbee4904", 7));
        assert!(parse_commit(b"parent 1\n").is_none());
        let text = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\ncommitter nobody\n\n";
        assert_eq!(parse_commit(text).unwrap().time, 0);
    }
}
