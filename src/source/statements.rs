//! What packages say to envy in their Cargo.toml, read from as little of their source as will do, and kept for ever by
//! what it was read from.
//!
//! ```text
//! CACHE/statements/ab/cdef…     named by the digest of the source, the package's name, its directory and its patches
//! ```
//!
//! A file holds `silent` where the Cargo.toml has nothing to say to envy, or there is none; else a line with `stated` and
//! how many bytes follow, and the whole Cargo.toml, so that what is wrong with it can be told with its place. It says
//! nothing of what envy makes of it: another envy may read more.

use std::path::PathBuf;

use super::cargo_project::{ReadError, own_manifest};
use super::crate_archive;
use super::sources::{Origin, Sources};
use super::{Error, Patch};
use crate::digest::{BlobDigest, TextDigest};
use crate::disk;
use crate::manifest::states_anything;
use crate::package::PackageName;
use crate::progress::Progress;
use crate::tree::{File, Tree};

const SILENT: &str = "silent\n";
const STATED: &str = "stated ";

/// A package in something that was brought.
#[derive(Clone, Copy, Debug)]
pub struct Packaged<'o> {
    /// What was brought.
    pub origin: &'o Origin<'o>,
    /// The name by which it is asked for.
    pub name: &'o PackageName,
    /// Its directory, where one is named.
    pub subdir: Option<&'o str>,
    /// The patches to it.
    pub patches: &'o [Patch],
}

impl Packaged<'_> {
    fn digest(&self) -> TextDigest {
        let mut text = format!("{} {}", self.origin.digest(), self.name);
        text.extend(self.subdir.map(|subdir| format!("\n{subdir}")));
        text.extend(self.patches.iter().map(|patch| format!("\n{}", BlobDigest::of(&patch.text))));
        TextDigest::of(text.as_bytes())
    }
}

impl Sources<'_> {
    /// Whether it is known what a package says, so that its source need not be here.
    pub fn knows_statement(&self, of: &Packaged<'_>) -> bool {
        matches!(self.kept_statement(of), Ok(Some(_)))
    }

    /// The Cargo.toml of a package, where it has something to say to envy. What cannot be found out by whoever looks for the
    /// package alone is nothing that it says.
    pub fn statement(&self, of: &Packaged<'_>, progress: &dyn Progress) -> Result<Option<String>, Error> {
        if let Some(kept) = self.kept_statement(of)? {
            return Ok(kept);
        }
        let manifest = match self.manifest_in(of, progress) {
            Err(Error::Project { .. }) => return Ok(None),
            manifest => manifest?.filter(|text| states_anything(text)),
        };
        // Whoever cannot keep it reads it again.
        let _ = disk::write_whole(&self.statement_path(of), written(manifest.as_deref()).as_bytes());
        Ok(manifest)
    }

    fn statement_path(&self, of: &Packaged<'_>) -> PathBuf {
        let hex = of.digest().hex();
        self.cache().join("statements").join(&hex[..2]).join(&hex[2..])
    }

    fn kept_statement(&self, of: &Packaged<'_>) -> Result<Option<Option<String>>, Error> {
        let bytes = disk::read_if_exists(&self.statement_path(of))?;
        Ok(bytes.and_then(|bytes| read(std::str::from_utf8(&bytes).ok()?)))
    }

    fn manifest_in(&self, of: &Packaged<'_>, progress: &dyn Progress) -> Result<Option<String>, Error> {
        let Packaged { origin, name, subdir, patches } = *of;
        match origin {
            Origin::Crate { id, archive } if patches.is_empty() => {
                Ok(Some(crate_archive::manifest(&self.store().blob_path(*archive), id)?))
            }
            Origin::Git { url, commit } if patches.is_empty() => {
                let listing = self.git().listing(url, commit)?;
                match found(&listing.tree, &|file| Ok(listing.read(file)?), name, subdir) {
                    Ok(None) | Err(_) if listing.has_submodules => self.manifest_in_all(of, progress),
                    found => found,
                }
            }
            _ => self.manifest_in_all(of, progress),
        }
    }

    fn manifest_in_all(&self, of: &Packaged<'_>, progress: &dyn Progress) -> Result<Option<String>, Error> {
        let content = self.patched(self.content(of.origin, progress)?, of.patches)?;
        let read = |file: &File| Ok(disk::read(&self.store().file_path(*file))?);
        found(&content.tree, &read, of.name, of.subdir)
    }
}

fn found(
    tree: &Tree,
    read: &dyn Fn(&File) -> Result<Vec<u8>, ReadError>,
    name: &PackageName,
    subdir: Option<&str>,
) -> Result<Option<String>, Error> {
    own_manifest(tree, read, name.as_str(), subdir).map_err(|source| Error::Project { name: name.clone(), source })
}

fn written(manifest: Option<&str>) -> String {
    manifest.map_or(SILENT.to_owned(), |text| format!("{STATED}{}\n{text}", text.len()))
}

/// What a file says; one that makes no sense, as after a power cut, says nothing.
fn read(text: &str) -> Option<Option<String>> {
    if text == SILENT {
        return Some(None);
    }
    let (length, manifest) = text.strip_prefix(STATED)?.split_once('\n')?;
    (length.parse() == Ok(manifest.len())).then(|| Some(manifest.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_reads_back_and_a_part_of_it_does_not() {
        for manifest in [None, Some(""), Some("[package]\nname = 'ä'\n")] {
            let text = written(manifest);
            assert_eq!(read(&text), Some(manifest.map(str::to_owned)));
            for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
                assert_eq!(read(&text[..end]), None, "{:?}", &text[..end]);
            }
        }
    }
}
