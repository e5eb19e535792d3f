//! Roots: the sites that use this store, so that collecting garbage finds what they need. Each is a symlink to the
//! directory of a site, under a name that its path gives.

use std::path::{Path, PathBuf};

use super::{Error, Store};
use crate::digest::TextDigest;
use crate::disk;

impl Store {
    /// Remember a site's directory.
    pub fn add_root(&self, site: &Path) -> Result<(), Error> {
        let path = self.root_of(site);
        if disk::read_link(&path).as_deref() == Some(site) {
            return Ok(());
        }
        disk::create_directories(&self.root().join("roots"))?;
        Ok(disk::symlink_atomic(site, &path)?)
    }

    /// Forget a site's directory.
    pub fn remove_root(&self, site: &Path) -> Result<(), Error> {
        disk::remove_file(&self.root_of(site))?;
        // What a process that was killed was about to rename says the same.
        let all = self.root().join("roots");
        for link in disk::names_if_exists(&all)?.into_iter().map(|name| all.join(name)) {
            if disk::read_link(&link).as_deref() == Some(site) {
                disk::remove_file(&link)?;
            }
        }
        Ok(())
    }

    /// The directories of all sites that are remembered, sorted.
    pub fn roots(&self) -> Result<Vec<PathBuf>, Error> {
        let all = self.root().join("roots");
        let names = disk::names_if_exists(&all)?;
        let mut sites: Vec<_> = names.iter().filter_map(|name| disk::read_link(&all.join(name))).collect();
        sites.sort();
        sites.dedup();
        Ok(sites)
    }

    fn root_of(&self, site: &Path) -> PathBuf {
        let name = TextDigest::of(site.as_os_str().as_encoded_bytes()).hex();
        self.root().join("roots").join(name)
    }
}
