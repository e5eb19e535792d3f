//! What imports wrote into a project, `.envy/imported.json`: files that are still as an import wrote them may be replaced by the
//! next one; files of anybody else's are left alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::{BlobDigest, TextDigest};
use crate::disk;
use crate::package::SiteName;

const SCHEMA: &str = "envy.imported/1";

/// What came with which site.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Imported {
    schema: String,
    sites: BTreeMap<String, Bundle>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Bundle {
    contents: String,
    /// Files of the project with their digests.
    files: BTreeMap<String, String>,
}

impl Imported {
    /// Where it is, from the project's directory.
    pub fn path() -> PathBuf {
        Path::new(".envy").join("imported.json")
    }

    /// What is known of a project. What cannot be read is nothing: then every file is somebody's.
    pub fn load(root: &Path) -> disk::Result<Self> {
        let bytes = disk::read_if_exists(&root.join(Self::path()))?;
        let read = bytes.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        Ok(read.filter(|read| read.schema == SCHEMA).unwrap_or_default())
    }

    /// Whether an import wrote a file with this content.
    pub fn wrote(&self, path: &str, bytes: &[u8]) -> bool {
        let digest = BlobDigest::of(bytes).to_string();
        self.sites.values().any(|bundle| bundle.files.get(path) == Some(&digest))
    }

    /// Files that came with a site alone.
    pub fn only_of(&self, site: &SiteName) -> Vec<String> {
        let Some(bundle) = self.sites.get(site.as_str()) else { return Vec::new() };
        let others = || self.sites.iter().filter(|(name, _)| *name != site.as_str());
        let alone = bundle.files.keys().filter(|path| others().all(|(_, other)| !other.files.contains_key(*path)));
        alone.cloned().collect()
    }

    /// The same, with what came just now.
    pub fn with(mut self, site: &SiteName, contents: TextDigest, files: &BTreeMap<String, Vec<u8>>) -> Self {
        let files = files.iter().map(|(path, bytes)| (path.clone(), BlobDigest::of(bytes).to_string()));
        self.sites.insert(site.to_string(), Bundle { contents: contents.to_string(), files: files.collect() });
        self.schema = SCHEMA.to_owned();
        self
    }

    /// Its text.
    pub fn text(&self) -> String {
        format!("{}\n", serde_json::to_string_pretty(self).expect("a record is plain data"))
    }
}
