//! The files of a commit by name alone: what they hold is read only where somebody asks.

use std::collections::BTreeMap;

use git2::{ObjectType, Oid};

use super::entries::Kind;
use super::objects::{Objects, ReadError};
use super::place::Place;
use super::{Error, Git, of_reading};
use crate::digest::{BlobDigest, Commit};
use crate::tree::{File, Node, Tree};

/// The longest target of a symlink that is followed.
const LONGEST: u64 = 4095;

/// The files of a commit that is here, those of its submodules left out.
pub struct Listing {
    objects: Objects,
    /// The files. Each is named by the digest of its id in git, since its content was not read.
    pub tree: Tree,
    /// Whether it has submodules.
    pub has_submodules: bool,
    ids: BTreeMap<BlobDigest, Oid>,
}

impl Git<'_> {
    /// The files of a commit that is here, without reading them.
    pub fn listing(&self, url: &str, commit: &Commit) -> Result<Listing, Error> {
        let place = Place::of(url, &self.mirrors)?;
        let listing = Listing::of(self.objects(&place, commit)?, commit);
        listing.map_err(|error| place.explain(of_reading(error, &place.asked, commit)))
    }
}

impl Listing {
    fn of(objects: Objects, commit: &Commit) -> Result<Self, ReadError> {
        let (mut tree, mut ids, mut has_submodules) = (Tree::default(), BTreeMap::new(), false);
        for leaf in objects.leaves(objects.commit(commit)?.tree)? {
            has_submodules |= leaf.kind == Kind::Submodule;
            let node = match leaf.kind {
                Kind::Submodule | Kind::Directory => Node::Directory(Tree::default()),
                Kind::Symlink if objects.size(leaf.id)? > LONGEST => continue,
                Kind::Symlink => {
                    let target = objects.read(leaf.id, ObjectType::Blob)?;
                    Node::Symlink(String::from_utf8_lossy(target.data()).into_owned())
                }
                Kind::File | Kind::Program => {
                    let blob = BlobDigest::of(leaf.id.as_bytes());
                    ids.insert(blob, leaf.id);
                    Node::File(File { blob, size: 0, executable: leaf.kind == Kind::Program })
                }
            };
            let twice = |_| ReadError::Entry { path: leaf.path.clone(), what: "is there twice" };
            tree.insert(&leaf.path, node).map_err(twice)?;
        }
        Ok(Self { objects, tree, has_submodules, ids })
    }

    /// What a file of it holds.
    pub fn read(&self, file: &File) -> Result<Vec<u8>, std::io::Error> {
        let id = self.ids.get(&file.blob).ok_or(std::io::ErrorKind::NotFound)?;
        let object = self.objects.read(*id, ObjectType::Blob);
        Ok(object.map_err(|error| std::io::Error::other(format!("{error:?}")))?.data().to_vec())
    }
}
