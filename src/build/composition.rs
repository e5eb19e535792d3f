//! What a package is made of, as its source and its Cargo.lock tell: every crate, and the licences that they name.

use rayon::prelude::*;

use super::Error;
use super::source_files::SourceFiles;
use super::supplies::Supplies;
use crate::lock::Pin;
use crate::package::{PackageId, PackageName};
use crate::platform::Platform;
use crate::source::{self, LockedNode, LockedSource};
use crate::store::Store;
use crate::tree::{File, Tree};

/// What a package is made of.
#[derive(Clone, Debug, Default)]
pub struct Composition {
    /// The licence that its own manifest names.
    pub licence: Option<String>,
    /// The crates of its Cargo.lock, each with the licence that its manifest names.
    pub crates: Vec<(LockedNode, Option<String>)>,
}

impl Supplies<'_, '_> {
    /// What a package is made of. All that it is built from was brought.
    pub fn composition(&self, id: &PackageId, platform: Platform) -> Result<Composition, Error> {
        if self.package(id).pin == Pin::Nothing {
            return Ok(Composition::default());
        }
        let files = SourceFiles::open(self, id, platform)?;
        let licence = match &self.package(id).pin {
            Pin::Crate(unpacked) => {
                let read = source::read_crate(&self.store().blob_path(unpacked.archive), id);
                source::licence(&read.map_err(source::Error::from)?.manifest)
            }
            _ => licence_in(&files.tree, self.store(), id.name.as_str()),
        };
        let Some(cargo) = &files.cargo else { return Ok(Composition { licence, crates: Vec::new() }) };
        let graph = source::locked_graph(&cargo.lock).map_err(source::Error::from)?;
        // Repositories are read one after the other: many crates may come from one.
        let of_git = graph.iter().map(|node| self.licence_from_git(id, node)).collect::<Result<Vec<_>, Error>>()?;
        let of_archives: Vec<_> = graph.par_iter().map(|node| self.licence_from_archive(node)).collect();
        let own = |node: &LockedNode| {
            let is_own = node.locked.source == LockedSource::Itself;
            is_own.then(|| licence_in(&files.tree, self.store(), &node.locked.name)).flatten()
        };
        let licences = of_git.into_iter().zip(of_archives).map(|(git, archive)| git.or(archive));
        let crates = graph.iter().zip(licences).map(|(node, licence)| (node.clone(), licence.or_else(|| own(node))));
        Ok(Composition { licence, crates: crates.collect() })
    }

    fn licence_from_git(&self, id: &PackageId, node: &LockedNode) -> Result<Option<String>, Error> {
        let LockedSource::Git(git) = &node.locked.source else { return Ok(None) };
        let content = self.crate_source(id, &git.url, git.commit)?;
        Ok(licence_in(&content.tree, self.store(), &node.locked.name))
    }

    /// A crate that cannot be read names none: whoever builds with it is told.
    fn licence_from_archive(&self, node: &LockedNode) -> Option<String> {
        let (LockedSource::CratesIo { checksum } | LockedSource::Registry { checksum, .. }) = &node.locked.source
        else {
            return None;
        };
        let name: PackageName = node.locked.name.parse().ok()?;
        let id = PackageId { name, version: node.locked.version.clone() };
        let read = source::read_crate(&self.store().blob_path(*checksum), &id).ok()?;
        source::licence(&read.manifest)
    }
}

fn licence_in(tree: &Tree, store: &Store, package: &str) -> Option<String> {
    source::licence_in(tree, &|file: &File| store.read_file(*file).ok(), package)
}
