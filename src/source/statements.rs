//! What packages say to envy in their Cargo.toml, read from as little of their source as will do, and kept for ever by
//! what it was read from.
//!
//! ```text
//! CACHE/statements/ab/cdef…     named by the digest of the source, the package's name, its directory and its patches
//! ```
//!
//! A file holds `silent` where the Cargo.toml has nothing to say to envy, or there is none; else a line with `stated` and
//! the digest of what follows, and the whole Cargo.toml, so that what is wrong with it can be told with its place. One that
//! is not as its digest says counts as none. It says nothing of what envy makes of it: another envy may read more.

use std::path::PathBuf;

use super::cargo_project::{self, ReadError, own_manifest};
use super::crate_archive;
use super::sources::{Origin, Sources};
use super::{Error, Patch};
use crate::digest::{BlobDigest, TextDigest};
use crate::disk;
use crate::manifest::states_anything;
use crate::package::PackageName;
use crate::progress::Progress;
use crate::store;
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
            Err(Error::Project { source, .. }) => {
                return of_the_store(source).map_or(Ok(None), |error| Err(error.into()));
            }
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
            Origin::Crate { id, archive } if patches.is_empty() && subdir.is_none() => {
                Ok(Some(crate_archive::manifest(&self.store().proven_blob(*archive)?, id)?))
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
        let read = |file: &File| Ok(self.store().read_file(*file)?);
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

/// What is wrong with the store, where that is why nothing was found.
fn of_the_store(error: cargo_project::Error) -> Option<store::Error> {
    match error {
        cargo_project::Error::Read { source, .. } => source.downcast().ok().map(|error| *error),
        _ => None,
    }
}

fn written(manifest: Option<&str>) -> String {
    manifest.map_or(SILENT.to_owned(), |text| format!("{STATED}{}\n{text}", BlobDigest::of(text.as_bytes())))
}

/// What a file says; one that is not as it was written says nothing.
fn read(text: &str) -> Option<Option<String>> {
    if text == SILENT {
        return Some(None);
    }
    let (seal, manifest) = text.strip_prefix(STATED)?.split_once('\n')?;
    (seal == BlobDigest::of(manifest.as_bytes()).to_string()).then(|| Some(manifest.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::download::{Downloader, Settings};
    use crate::package::PackageId;
    use crate::progress::Silent;
    use crate::source::{Archives, CargoConfig, Git, GitSettings, Limits, Mirrors, Registries};
    use crate::store::Store;

    const TOP: &str = "[package]\nname = 'a'\nversion = '1.0.0'\n";
    const BELOW: &str =
        "[package]\nname = 'a'\nversion = '1.0.0'\n[package.metadata.envy]\ndependencies = { b = '1' }\n";

    /// An archive of a crate with these files.
    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (path, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, format!("a-1.0.0/{path}"), text.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    /// What a crate with these files says, in a store that somebody spoiled first.
    fn said(
        files: &[(&str, &str)],
        subdir: Option<&str>,
        spoil: impl FnOnce(&Store, BlobDigest),
    ) -> Result<Option<String>, Error> {
        let directory = tempfile::tempdir().unwrap();
        let (root, cache) = (directory.path().join("store"), directory.path().join("cache"));
        let blob = Store::at(root.clone()).put_blob(&archive(files)).unwrap();
        let (store, config) = (Store::at(root), CargoConfig::default());
        let downloader = Downloader::new(Settings { offline: true, ..Settings::default() });
        let mirrors = Mirrors::default();
        let git = Git::new(&downloader, &cache, mirrors.clone(), GitSettings::default());
        let registries = Registries::new(&config, &Default::default(), &downloader, cache.clone(), &git);
        let archives = Archives::new(&downloader, &mirrors);
        let sources = Sources::new(registries, &git, archives, &store, Limits::default(), directory.path(), &cache);
        let id = PackageId { name: "a".parse().unwrap(), version: "1.0.0".parse().unwrap() };
        let origin = Origin::Crate { id: &id, archive: blob };
        if subdir.is_some() {
            sources.content(&origin, &Silent).unwrap();
        }
        spoil(&store, blob);
        sources.statement(&Packaged { origin: &origin, name: &id.name, subdir, patches: &[] }, &Silent)
    }

    fn spoil(path: &std::path::Path) {
        let mut bytes = disk::read(path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        disk::remove_file(path).unwrap();
        disk::write(path, &bytes).unwrap();
    }

    #[test]
    fn the_directory_that_is_named_counts_for_a_crate_too() {
        let files = [("Cargo.toml", TOP), ("below/Cargo.toml", BELOW)];
        let nobody = |_: &Store, _| {};
        assert_eq!(said(&files, None, nobody).unwrap(), None);
        assert_eq!(said(&files, Some("below"), nobody).unwrap().as_deref(), Some(BELOW));
    }

    #[test]
    fn what_is_damaged_in_the_store_says_nothing_and_is_told() {
        let of_the_archive = |store: &Store, archive| spoil(&store.blob_path(archive));
        let files = [("Cargo.toml", BELOW), ("below/Cargo.toml", BELOW)];
        assert_eq!(said(&files, None, |_, _| {}).unwrap().as_deref(), Some(BELOW));
        let error = said(&files, None, of_the_archive).unwrap_err();
        assert!(matches!(error, Error::Store(store::Error::Damaged { .. })), "{error:?}");
        let of_the_file = |store: &Store, _| spoil(&store.blob_path(BlobDigest::of(BELOW.as_bytes())));
        let error = said(&files, Some("below"), of_the_file).unwrap_err();
        assert!(matches!(error, Error::Store(store::Error::Damaged { .. })), "{error:?}");
    }

    #[test]
    fn whichever_bit_is_flipped_it_says_the_same_or_nothing() {
        let text = written(Some(TOP));
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone().into_bytes();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(std::str::from_utf8(&flipped).ok().and_then(read), None, "bit {bit}");
        }
    }

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
