//! The crates of a Cargo.lock, as a build finds them: archives of registries, and repositories laid out for cargo.

use std::collections::BTreeMap;

use super::source_files::SourceFiles;
use super::supplies::Supplies;
use super::{Error, action, cargo_config, vendor};
use crate::package::PackageId;
use crate::source::{self, Archive, CrateSource, LockedCrate, LockedSource, SourceCrates};
use crate::tree::Tree;

/// Everything that cargo compiles beside the package itself. All of it is in the store.
pub struct Vendored {
    /// Those of crates.io.
    plain: Vec<Archive>,
    /// Everybody else whom crates come from.
    sources: Vec<CrateSource>,
    /// What a repository gives, by the directory where it lies in a build.
    trees: Vec<(String, Tree)>,
    /// Names that manifests may call registries by, and their indexes.
    registries: BTreeMap<String, String>,
}

impl Vendored {
    /// The crates that a package's Cargo.lock names.
    pub fn of(supplies: &Supplies<'_, '_>, id: &PackageId, files: &SourceFiles) -> Result<Option<Self>, Error> {
        let Some(cargo) = &files.cargo else { return Ok(None) };
        let locked = source::locked_crates(&cargo.lock).map_err(source::Error::from)?;
        let sources = source::crate_sources(&locked).map_err(source::Error::from)?;
        let mut trees = Vec::new();
        for one in &sources {
            if let SourceCrates::Git { source, packages } = &one.crates {
                let content = supplies.crate_source(id, &source.url, source.commit)?;
                let tree = vendor::vendor(&content.tree, packages, supplies.store())?;
                trees.push((cargo_config::crates_directory(one), tree));
            }
        }
        let addresses = sources.iter().filter_map(|one| match &one.crates {
            SourceCrates::Registry { address, .. } => Some(address.as_str()),
            SourceCrates::Git { .. } => None,
        });
        let mut registries = supplies.sources.names_of_registries(addresses);
        registries.extend(files.registries.clone());
        let plain = locked.into_iter().filter_map(of_crates_io).collect();
        Ok(Some(Self { plain, sources, trees, registries }))
    }

    /// Cargo's configuration, with `root` before every path of `/envy`.
    pub fn config(&self, root: &str) -> String {
        cargo_config::of_home(root, &self.sources, &self.registries)
    }

    /// Archives, each with the directory that it is unpacked in.
    pub fn archives(&self) -> impl Iterator<Item = (String, &Archive)> {
        let plain = self.plain.iter().map(|archive| (action::CRATES.to_owned(), archive));
        let others = self.sources.iter().flat_map(|one| {
            let archives: &[Archive] = match &one.crates {
                SourceCrates::Registry { archives, .. } => archives,
                SourceCrates::Git { .. } => &[],
            };
            archives.iter().map(|archive| (cargo_config::crates_directory(one), archive))
        });
        plain.chain(others)
    }

    /// Whole directories, each with its path.
    pub fn trees(&self) -> impl Iterator<Item = (&str, &Tree)> {
        self.trees.iter().map(|(path, tree)| (path.as_str(), tree))
    }

    /// Where a build finds each crate, or each repository of crates, and what names its content.
    pub fn places(&self) -> impl Iterator<Item = (String, String)> {
        let place = |(directory, one): (String, &Archive)| {
            (format!("{directory}/{}-{}", one.name, one.version), one.checksum.to_string())
        };
        let trees = self.trees().map(|(path, tree)| (path.to_owned(), tree.digest().to_string()));
        self.archives().map(place).chain(trees)
    }

    /// Whether nothing comes from crates.io, where cargo wants a directory all the same.
    pub fn has_no_plain(&self) -> bool {
        self.plain.is_empty()
    }
}

fn of_crates_io(locked: LockedCrate) -> Option<Archive> {
    match locked.source {
        LockedSource::CratesIo { checksum } => {
            Some(Archive { name: locked.name, version: locked.version.to_string(), checksum })
        }
        LockedSource::Itself | LockedSource::Registry { .. } | LockedSource::Git(_) => None,
    }
}
