//! Sites as they are found on disk, by whoever does not come from their project.

use std::path::{Path, PathBuf};

use super::{Error, Place};
use crate::digest::TreeDigest;
use crate::disk::{self, Kind};

impl Place {
    /// The site in a directory, with the project that it belongs to: the one that it lies in, or the one that it says.
    /// Nothing where the directory's name is no site's.
    pub fn found(directory: &Path) -> Result<Option<Self>, Error> {
        let name = directory.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        let (Some(name), Some(sites)) = (name, directory.parent()) else { return Ok(None) };
        let project = match sites.ancestors().nth(2).filter(|_| sites.ends_with(".envy/sites")) {
            Some(project) => project.to_owned(),
            None => {
                let mark = disk::read_text_if_exists(&directory.join(".project"))?;
                mark.map_or_else(|| sites.to_owned(), |text| PathBuf::from(text.trim_end_matches('\n')))
            }
        };
        Ok(Some(Self { name, path: directory.to_owned(), project }))
    }

    /// The prefixes that the links of a generation lead into, sorted: for one whose description cannot be read.
    pub fn prefixes_of(&self, number: u64) -> Result<Vec<TreeDigest>, Error> {
        let mut found = Vec::new();
        prefixes_below(&self.generation_path(number), &mut found)?;
        found.sort();
        found.dedup();
        Ok(found)
    }
}

fn prefixes_below(directory: &Path, found: &mut Vec<TreeDigest>) -> Result<(), disk::Error> {
    for (name, kind) in disk::list_if_exists(directory)? {
        let path = directory.join(name);
        match kind {
            Kind::Symlink => found.extend(disk::read_link(&path).and_then(|target| prefix_in(&target))),
            Kind::Directory => prefixes_below(&path, found)?,
            Kind::File { .. } | Kind::Other => {}
        }
    }
    Ok(())
}

/// The prefix that a path leads into, wherever its store is.
pub fn prefix_in(path: &Path) -> Option<TreeDigest> {
    let names: Vec<_> = path.iter().collect();
    let below = names.windows(2).filter(|pair| pair[0] == "prefixes").map(|pair| pair[1]);
    below.filter_map(|name| TreeDigest::from_hex(name.to_str()?).ok()).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_found_wherever_its_store_lies() {
        let digest = TreeDigest::of(b"a tree");
        for store in ["/store", "/prefixes", "/srv/prefixes/of/all", "/prefixes/prefixes"] {
            let path = Path::new(store).join("prefixes").join(digest.hex()).join("bin/it");
            assert_eq!(prefix_in(&path), Some(digest), "{store}");
        }
        assert_eq!(prefix_in(Path::new("/srv/prefixes/all/bin/it")), None);
    }
}
