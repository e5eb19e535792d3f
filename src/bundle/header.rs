//! What a bundle says of itself: everything that follows, so that nothing else can.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Contents, Error, takes};
use crate::digest::{BlobDigest, Digest, TextDigest, TreeDigest};
use crate::package::PackageName;

const SCHEMA: &str = "envy.bundle/1";

/// The most bytes that files of a project, or directories of trees, may have: each, and all together.
const LARGEST: u64 = 64 << 20;
const LARGEST_ALL: u64 = 512 << 20;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    schema: String,
    site: String,
    platform: String,
    sources: bool,
    /// Files of the project, by path.
    files: BTreeMap<String, Record>,
    /// Recipes, by name.
    recipes: BTreeMap<String, Record>,
    /// The roots of trees.
    trees: BTreeSet<String>,
    /// All directories of these, by digest, with their sizes.
    pub directories: BTreeMap<String, u64>,
    /// Archives, by digest, with their sizes.
    blobs: BTreeMap<String, u64>,
    commits: BTreeMap<String, Commit>,
}

/// A file that is held in memory.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub size: u64,
    #[serde(with = "hex")]
    pub sha256: BlobDigest,
}

/// A directory of a tree.
pub type Directory = (TreeDigest, u64);

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Commit {
    tree: String,
    time: i64,
}

impl Header {
    pub fn of(contents: &Contents, directories: &BTreeMap<TreeDigest, Vec<u8>>) -> Self {
        let record = |bytes: &Vec<u8>| Record { size: bytes.len() as u64, sha256: BlobDigest::of(bytes) };
        let records = |files: &BTreeMap<String, Vec<u8>>| {
            files.iter().map(|(name, bytes)| (name.clone(), record(bytes))).collect()
        };
        let commit = |(name, (tree, time)): (&TextDigest, &(TreeDigest, i64))| {
            (name.hex(), Commit { tree: tree.hex(), time: *time })
        };
        Self {
            schema: SCHEMA.to_owned(),
            site: contents.site.to_string(),
            platform: contents.platform.to_string(),
            sources: contents.sources,
            files: records(&contents.files),
            recipes: records(&contents.recipes),
            trees: contents.trees.iter().map(Digest::hex).collect(),
            directories: directories.iter().map(|(digest, bytes)| (digest.hex(), bytes.len() as u64)).collect(),
            blobs: contents.blobs.iter().map(|(digest, size)| (digest.hex(), *size)).collect(),
            commits: contents.commits.iter().map(commit).collect(),
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a header is plain data");
        bytes.push(b'\n');
        bytes
    }

    /// Read what a bundle says of itself. There is one way to write it, so that nothing is there twice.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Any {
            schema: String,
        }
        let any: Any = serde_json::from_slice(bytes).map_err(|_| Error::NoBundle)?;
        if any.schema != SCHEMA {
            return Err(Error::Format(any.schema));
        }
        let header: Self = serde_json::from_slice(bytes).map_err(|error| senseless(error.to_string()))?;
        if header.to_bytes() != bytes {
            return Err(senseless("it is not written as envy writes it"));
        }
        header.within_limits()?;
        Ok(header)
    }

    fn within_limits(&self) -> Result<(), Error> {
        let files = self.files.values().chain(self.recipes.values()).map(|record| record.size);
        let sizes: Vec<_> = files.chain(self.directories.values().copied()).collect();
        let all = sizes.iter().try_fold(0_u64, |all, size| all.checked_add(*size));
        if sizes.iter().any(|size| *size > LARGEST) || all.is_none_or(|all| all > LARGEST_ALL) {
            return Err(senseless("files and directories of trees are too large"));
        }
        Ok(())
    }

    /// Files of the project and of recipes, in the order in which they come, by their names in a bundle.
    pub fn records(&self) -> impl Iterator<Item = (bool, &String, Record)> {
        let recipes = self.recipes.iter().map(|(name, record)| (true, name, *record));
        recipes.chain(self.files.iter().map(|(path, record)| (false, path, *record)))
    }

    /// Directories of trees, in the order in which they come.
    pub fn directories(&self) -> Result<Vec<Directory>, Error> {
        self.directories.iter().map(|(hex, size)| Ok((digest(hex)?, *size))).collect()
    }

    /// What is said, as values; files and recipes are still empty.
    pub fn contents(&self) -> Result<Contents, Error> {
        if let Some(path) = self.files.keys().find(|path| !is_plain(path)) {
            return Err(senseless(format!("`{}` is no path in a project", path.escape_debug())));
        }
        if let Some(name) = self.recipes.keys().find(|name| name.parse::<PackageName>().is_err()) {
            return Err(senseless(format!("`{}` is no name of a recipe", name.escape_debug())));
        }
        let commit = |(name, commit): (&String, &Commit)| Ok((digest(name)?, (digest(&commit.tree)?, commit.time)));
        let contents = Contents {
            site: self.site.parse().map_err(|error: crate::package::ParseNameError| senseless(error.to_string()))?,
            platform: self.platform.parse().map_err(|_| senseless(format!("`{}` is no platform", self.platform)))?,
            sources: self.sources,
            files: BTreeMap::new(),
            recipes: BTreeMap::new(),
            trees: self.trees.iter().map(|hex| digest(hex)).collect::<Result<_, Error>>()?,
            blobs: self.blobs.iter().map(|(hex, size)| Ok((digest(hex)?, *size))).collect::<Result<_, Error>>()?,
            commits: self.commits.iter().map(commit).collect::<Result<_, Error>>()?,
        };
        let missing = contents.commits.values().find(|(tree, _)| !contents.trees.contains(tree));
        missing.map_or(Ok(contents.clone()), |(tree, _)| Err(senseless(format!("tree {tree} is not in it"))))
    }
}

/// The one way to write a path in a project: without what leads nowhere.
pub fn plain(path: &str) -> String {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let absolute = if path.starts_with('/') { "/" } else { "" };
    format!("{absolute}{}", parts.join("/"))
}

/// Whether a path leads to a place below a project, and to nothing hidden there.
pub fn is_plain(path: &str) -> bool {
    let parts = || path.split('/');
    takes(&format!("project/{path}"))
        && parts().all(|part| !part.is_empty() && !part.starts_with('.'))
        && !path.chars().any(|one| one.is_control() || one == '\\')
}

fn senseless(what: impl Into<String>) -> Error {
    Error::Header(what.into())
}

fn digest<K>(hex: &str) -> Result<Digest<K>, Error> {
    Digest::from_hex(hex).map_err(|error| senseless(error.to_string()))
}

/// A digest as its digits.
mod hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::digest::BlobDigest;

    pub fn serialize<S: Serializer>(digest: &BlobDigest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&digest.hex())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BlobDigest, D::Error> {
        BlobDigest::from_hex(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
