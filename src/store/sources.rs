//! Sources: which tree something that was fetched gave, so that nothing is unpacked twice.

use serde::{Deserialize, Serialize};

use super::{Error, Store, place};
use crate::digest::{TextDigest, TreeDigest};
use crate::disk;
use crate::tree::Tree;

/// The content of a source: its tree, and when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its files.
    pub tree: Tree,
    /// The time that its origin gives it, in seconds since 1970: a commit's, or that of the newest file in an archive.
    pub time: i64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    tree: String,
    time: i64,
}

impl Store {
    /// What an origin gave, if all of that is still here. `origin` names what was fetched and how it was read.
    pub fn content(&self, origin: TextDigest) -> Result<Option<Content>, Error> {
        let path = self.path_of("sources", &origin);
        let Some(bytes) = disk::read_if_exists(&path)? else { return Ok(None) };
        let _using = self.using();
        if !self.use_record(&path) {
            return Ok(None);
        }
        // What cannot be read, as after a power cut, is made again.
        let Some((tree, time)) = read(&bytes) else { return Ok(None) };
        Ok(self.whole_tree(tree)?.map(|tree| Content { tree, time }))
    }

    /// Remember what an origin gave. Its files and its tree are here already.
    pub fn put_content(&self, origin: TextDigest, content: &Content) -> Result<(), Error> {
        let _using = self.using();
        let line = Line { tree: content.tree.digest().to_string(), time: content.time };
        let bytes = serde_json::to_vec(&line).expect("two plain values are JSON");
        let file = disk::temporary_in(&self.temporary_directory()?)?;
        disk::write(file.path(), &bytes)?;
        Ok(place(file, 0o444, &self.path_of("sources", &origin))?)
    }
}

/// The tree of a source, and its time.
pub(super) fn read(bytes: &[u8]) -> Option<(TreeDigest, i64)> {
    let line = serde_json::from_slice::<Line>(bytes).ok()?;
    Some((line.tree.parse().ok()?, line.time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_source_gave_is_known_as_long_as_all_of_it_is_here() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let origin = TextDigest::of(b"git 4f1c0d2");
        assert_eq!(store.content(origin).unwrap(), None);
        let content = Content { tree: Tree::default(), time: 7 };
        store.put_tree(&content.tree).unwrap();
        store.put_content(origin, &content).unwrap();
        assert_eq!(store.content(origin).unwrap(), Some(content));
    }
}
