//! Pinning: from chosen versions to digests.
//!
//! Each chosen crate's archive comes into the store, checked against the registry's sum; its source tree gets its
//! digest; and the Cargo.lock that it builds with is settled: its own, or one that cargo makes now where it ships
//! none, or one that no longer fits its manifest. What was pinned already and did not move is not looked at again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{CRATES_IO, Lockfile, Package, Toolchain, Wish, Wishes};
use crate::digest::BlobDigest;
use crate::disk;
use crate::package::{PackageId, PackageName};
use crate::progress::{Event, Progress};
use crate::resolve::Resolution;
use crate::source::{self, Archive, CrateContents, Crates, LockedSource};
use crate::store::{self, Store};

/// Makes a Cargo.lock for the package in a directory, and gives its text.
pub type MakeCargoLock<'a> = dyn Fn(&Path) -> Result<String, Box<dyn std::error::Error + Send + Sync>> + 'a;

/// What pinning needs.
pub struct Pinner<'a> {
    /// Where archives go.
    pub store: &'a Store,
    /// Where they come from.
    pub crates: &'a Crates<'a>,
    /// Packages whose made Cargo.lock is gone or was changed, so that it has to be made again.
    pub lost: &'a BTreeSet<PackageName>,
    /// Makes a Cargo.lock for the package in a directory, and gives its text.
    pub make_cargo_lock: &'a MakeCargoLock<'a>,
    /// Who is told.
    pub progress: &'a dyn Progress,
}

/// A lockfile, and the texts of the Cargo.locks that were made for it.
#[derive(Debug)]
pub struct Pinned {
    /// The lockfile.
    pub lockfile: Lockfile,
    /// By package, the Cargo.lock that was made.
    pub generated: BTreeMap<PackageName, String>,
}

/// A package cannot be pinned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its source failed.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// It has no program.
    #[error("crate `{0}` has no program: it is a library")]
    NoProgram(PackageId),
    /// It has programs, but not the ones that were asked for.
    #[error("crate `{id}` has no program `{bin}`; it has {}", has.join(", "))]
    NoSuchProgram {
        /// The package.
        id: PackageId,
        /// The program.
        bin: String,
        /// Those it has.
        has: Vec<String>,
    },
    /// It has no such feature.
    #[error("crate `{id}` has no feature `{feature}`")]
    NoSuchFeature {
        /// The package.
        id: PackageId,
        /// The feature.
        feature: String,
        /// One that it has.
        nearest: Option<String>,
    },
    /// Its Cargo.lock names a source that this version cannot use.
    #[error(
        "the Cargo.lock of `{id}` names a crate that does not come from crates.io, which this version of envy cannot use"
    )]
    ForeignCrate {
        /// The package.
        id: PackageId,
        /// The crate in question.
        name: String,
        /// Where it would come from.
        from: String,
    },
    /// Cargo could not make a Cargo.lock for it.
    #[error("could not make a Cargo.lock for `{id}`")]
    MakeCargoLock {
        /// The package.
        id: PackageId,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The registry no longer tells the sum of a version that was chosen.
    #[error("crates.io no longer lists `{0}`")]
    Vanished(PackageId),
}

/// What is the same for two lockfiles stays as it was.
struct Kept<'a> {
    old: Option<&'a Lockfile>,
    same_toolchain: bool,
}

impl Kept<'_> {
    /// The old pin of a package, if it is still of the chosen version.
    fn pin(&self, id: &PackageId) -> Option<&Package> {
        self.old?.packages.get(&id.name).filter(|package| package.id == *id)
    }

    /// The old pin with the wish's recipe. Outputs of another recipe or compiler are not this package's any more.
    fn package(&self, id: &PackageId, wish: &Wish) -> Option<Package> {
        let mut package = self.pin(id)?.clone();
        if package.recipe != wish.digest || !self.same_toolchain {
            package.outputs.clear();
        }
        package.recipe = wish.digest;
        Some(package)
    }
}

impl Pinner<'_> {
    /// Pin every chosen package.
    pub fn pin(
        &self,
        wishes: &Wishes,
        chosen: &Resolution,
        toolchain: Option<Toolchain>,
        old: Option<&Lockfile>,
    ) -> Result<Pinned, Error> {
        let same_toolchain = old.is_some_and(|old| rust(old.toolchain.as_ref()) == rust(toolchain.as_ref()));
        let kept = Kept { old, same_toolchain };
        let ids =
            chosen.packages.iter().map(|(name, version)| PackageId { name: name.clone(), version: version.clone() });
        let ids: Vec<_> = ids.collect();
        let new: Vec<_> = ids.iter().filter(|id| kept.pin(id).is_none() || self.must_look(&kept, id, wishes)).collect();
        let archives = self.archives(&new, &kept)?;
        let wanted: Vec<_> = archives.values().cloned().collect();
        self.crates.fetch(&wanted, self.store, self.progress).map_err(source::Error::from)?;
        let mut pinned = Pinned { lockfile: Lockfile::empty(wishes.digest()), generated: BTreeMap::new() };
        for id in ids {
            let wish = &wishes.packages()[&id.name];
            let package = match archives.get(&id) {
                Some(archive) => self.package(&id, wish, archive.checksum, &kept, &mut pinned.generated)?,
                None => kept.package(&id, wish).expect("what is not new is kept"),
            };
            pinned.lockfile.packages.insert(id.name.clone(), package);
        }
        pinned.lockfile.toolchain = toolchain.filter(|_| !pinned.lockfile.packages.is_empty());
        pinned.lockfile.prefixes = unmoved_prefixes(old, &pinned.lockfile);
        Ok(pinned)
    }

    /// Whether a kept package has to be looked at again, because its params name programs or features, or because
    /// its Cargo.lock has to be made again.
    fn must_look(&self, kept: &Kept<'_>, id: &PackageId, wishes: &Wishes) -> bool {
        let other_params = |package: &Package| package.recipe != wishes.packages()[&id.name].digest;
        kept.pin(id).is_some_and(|package| other_params(package) || self.lost.contains(&id.name))
    }

    /// The archives of packages, by the old pins where those are kept, else as the registry says.
    fn archives(&self, ids: &[&PackageId], kept: &Kept<'_>) -> Result<BTreeMap<PackageId, Archive>, Error> {
        let unknown: Vec<_> = ids.iter().filter(|id| kept.pin(id).is_none()).map(|id| id.name.clone()).collect();
        let versions = self.crates.versions(&unknown).map_err(source::Error::from)?;
        let archive = |id: &&PackageId| {
            let listed = versions.get(&id.name).and_then(Option::as_ref);
            let listed = listed.and_then(|versions| versions.iter().find(|one| one.version == id.version));
            let checksum = kept.pin(id).map(|package| package.archive).or(listed.map(|version| version.checksum));
            let checksum = checksum.ok_or_else(|| Error::Vanished((*id).clone()))?;
            Ok(((*id).clone(), Archive { name: id.name.to_string(), version: id.version.to_string(), checksum }))
        };
        ids.iter().map(archive).collect()
    }

    fn package(
        &self,
        id: &PackageId,
        wish: &Wish,
        archive: BlobDigest,
        kept: &Kept<'_>,
        generated: &mut BTreeMap<PackageName, String>,
    ) -> Result<Package, Error> {
        let contents = source::read_crate(&self.store.blob_path(archive), id).map_err(source::Error::from)?;
        self.check_params(id, wish, &contents)?;
        let old = kept.package(id, wish);
        if let Some(package) = old.as_ref().filter(|_| !self.lost.contains(&id.name)) {
            return Ok(package.clone());
        }
        let own = contents.cargo_lock.as_ref().filter(|lock| source::lock_fits(&contents.manifest, lock));
        let (text, made) = match own {
            Some(text) => (text.clone(), false),
            None => (self.generate(id, archive)?, true),
        };
        refuse_foreign_crates(id, &text)?;
        let crates = BlobDigest::of(text.as_bytes());
        if made {
            generated.insert(id.name.clone(), text);
        }
        // Made again, it may well be what it was, and then all that was built with it holds.
        if let Some(package) = old.filter(|old| old.crates == crates) {
            return Ok(package);
        }
        Ok(Package {
            id: id.clone(),
            source: CRATES_IO.to_owned(),
            archive,
            tree: contents.tree.digest(),
            recipe: wish.digest,
            crates,
            generated: made,
            outputs: Vec::new(),
        })
    }

    /// Refuse programs and features that the crate does not have, now rather than in the middle of a build.
    fn check_params(&self, id: &PackageId, wish: &Wish, contents: &CrateContents) -> Result<(), Error> {
        let binaries = source::binaries(&contents.manifest, &contents.tree).map_err(source::Error::from)?;
        if binaries.is_empty() {
            return Err(Error::NoProgram(id.clone()));
        }
        if source::has_envy_metadata(&contents.manifest) {
            let note = format!("crate `{id}` states needs of its own, which this version of envy does not read");
            self.progress.tell(Event::Warning(&note));
        }
        let list = |param: &str| wish.params.get(param).and_then(|value| value.as_list()).unwrap_or_default();
        for bin in list("bins") {
            if binaries.iter().all(|binary| binary.name != *bin) {
                let has = binaries.iter().map(|binary| format!("`{}`", binary.name)).collect();
                return Err(Error::NoSuchProgram { id: id.clone(), bin: bin.clone(), has });
            }
        }
        // `name/feature` belongs to a dependency, which cargo knows best.
        let asked: Vec<_> = list("features").iter().filter(|feature| !feature.contains('/')).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let features = self.features(id)?;
        match asked.into_iter().find(|feature| !features.contains(*feature)) {
            None => Ok(()),
            Some(feature) => {
                let distance = |known: &&String| strsim::damerau_levenshtein(known, feature);
                let nearest = features.iter().min_by_key(distance).filter(|known| distance(known) <= 3).cloned();
                Err(Error::NoSuchFeature { id: id.clone(), feature: feature.clone(), nearest })
            }
        }
    }

    /// The features that the registry lists for a version.
    fn features(&self, id: &PackageId) -> Result<BTreeSet<String>, Error> {
        let versions = self.crates.versions(std::slice::from_ref(&id.name)).map_err(source::Error::from)?;
        let versions = versions.get(&id.name).and_then(Option::as_ref);
        let version = versions.and_then(|versions| versions.iter().find(|one| one.version == id.version));
        Ok(version.map(|version| version.features.clone()).unwrap_or_default())
    }

    fn generate(&self, id: &PackageId, archive: BlobDigest) -> Result<String, Error> {
        let note = format!("crate `{id}` ships no Cargo.lock that fits it; making one");
        self.progress.tell(Event::Note(&note));
        let directory = disk::temporary_directory_in(&self.store.temporary_directory()?).map_err(store::Error::from)?;
        let top = format!("{}-{}", id.name, id.version);
        source::unpack_crate(&self.store.blob_path(archive), &top, directory.path()).map_err(source::Error::from)?;
        disk::remove_file(&directory.path().join("Cargo.lock")).map_err(store::Error::from)?;
        stand_alone(&directory.path().join("Cargo.toml"))?;
        (self.make_cargo_lock)(directory.path()).map_err(|source| Error::MakeCargoLock { id: id.clone(), source })
    }
}

/// Make a package the root of a workspace of its own, so that cargo does not look for one above the store.
fn stand_alone(manifest: &Path) -> Result<(), store::Error> {
    let text = disk::read_text_if_exists(manifest)?.unwrap_or_default();
    if text.lines().any(|line| line.trim_start().starts_with("[workspace")) {
        return Ok(());
    }
    disk::remove_file(manifest)?;
    Ok(disk::write_new(manifest, format!("{text}\n[workspace]\n").as_bytes(), 0o644)?)
}

fn rust(toolchain: Option<&Toolchain>) -> Option<&str> {
    toolchain.map(|toolchain| toolchain.rust.as_str())
}

/// Prefixes stay where no package moved; a build records the others anew.
fn unmoved_prefixes(old: Option<&Lockfile>, new: &Lockfile) -> BTreeMap<crate::platform::Platform, super::Prefix> {
    let unmoved = old.filter(|old| old.packages == new.packages && old.requirements == new.requirements);
    unmoved.map(|old| old.prefixes.clone()).unwrap_or_default()
}

fn refuse_foreign_crates(id: &PackageId, cargo_lock: &str) -> Result<(), Error> {
    for locked in source::locked_crates(cargo_lock).map_err(source::Error::from)? {
        if matches!(locked.source, LockedSource::Git(_) | LockedSource::Registry { .. }) {
            return Err(Error::ForeignCrate { id: id.clone(), name: locked.name, from: locked.source.to_string() });
        }
    }
    Ok(())
}
