//! Pinning: from chosen versions to digests.
//!
//! What each chosen package's source gives comes here in one batch: archives into the store, commits into their
//! mirrors. Its source tree, with patches applied, gets its digest, and where cargo builds it, the Cargo.lock that it
//! builds with is settled (see `cargo`). What was pinned already and did not move is not looked at again.

mod archives;
mod cargo;
mod kept;
mod limit;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Lockfile, Package, Pin, Toolchain, Unpacked, Wish, Wishes};
use crate::digest::{BlobDigest, Commit};
use crate::disk;
use crate::manifest::{Invalid, Source};
use crate::package::{Cutoffs, PackageId, PackageName, Version};
use crate::platform::{Platform, Platforms};
use crate::progress::Progress;
use crate::recipe::Purpose;
use crate::source::{self, Archive, Item, Origin, Patch, PatchError, Sources};
use crate::store::{self, Content};
pub(super) use archives::wanted_archive;
pub use archives::{archive_url, file_name};
use cargo::ByCargo;
pub use cargo::stated;
pub(super) use cargo::subdir;
pub(super) use kept::Kept;
pub use kept::{kept_commit, same_origin};
pub use limit::Task;

/// Has cargo make or change the Cargo.lock of the package in a directory, and gives its text.
pub type CargoLock<'a> = dyn Fn(&Path, Task<'_>) -> Result<String, Box<dyn std::error::Error + Send + Sync>> + 'a;

/// What pinning needs.
pub struct Pinner<'a, 's> {
    /// Where everything comes from, and goes to.
    pub sources: &'a Sources<'s>,
    /// The project's directory.
    pub project: &'a Path,
    /// The commits of the packages that were chosen from repositories just now.
    pub commits: &'a BTreeMap<PackageName, Commit>,
    /// Packages that are to be pinned anew, even at the version that is locked.
    pub moving: &'a BTreeSet<PackageName>,
    /// Packages whose made Cargo.lock is gone, was changed or fits no more, so that it has to be made again.
    pub lost: &'a BTreeSet<PackageName>,
    /// The moments after which crates are too new for a Cargo.lock that is made.
    pub cutoffs: &'a Cutoffs,
    /// Has cargo make or change the Cargo.lock of the package in a directory, and gives its text.
    pub cargo_lock: &'a CargoLock<'a>,
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
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// It has no program.
    #[error("`{0}` has no program: it is a library")]
    NoProgram(PackageId),
    /// It is to be built by cargo, and holds nothing for it.
    #[error("`{0}` has no `Cargo.toml`, and recipe `cargo` builds nothing else")]
    NoProject(PackageId),
    /// It has programs, but not the ones that were asked for.
    #[error("`{id}` has no program `{bin}`; it has {}", has.join(", "))]
    NoSuchProgram {
        /// The package.
        id: PackageId,
        /// The program.
        bin: String,
        /// Those it has.
        has: Vec<String>,
    },
    /// It has no such feature.
    #[error("`{id}` has no feature `{feature}`")]
    NoSuchFeature {
        /// The package.
        id: PackageId,
        /// The feature.
        feature: String,
        /// One that it has.
        nearest: Option<String>,
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
    /// What its Cargo.lock takes from somewhere else than crates.io cannot be had.
    #[error("the Cargo.lock of `{id}` takes crates from where they cannot be had")]
    CratesFrom {
        /// The package.
        id: PackageId,
        /// Why not.
        #[source]
        source: source::Error,
    },
    /// What it says that it needs makes no sense.
    #[error("`{id}` states its needs in a way that cannot be understood")]
    Metadata {
        /// The package.
        id: PackageId,
        /// What is wrong with it.
        #[source]
        source: Invalid,
    },
    /// The registry no longer tells the sum of a version that was chosen.
    #[error("the registry no longer lists `{0}`")]
    Vanished(PackageId),
    /// Its archives for several platforms do not agree.
    #[error("the archives of `{0}` for several platforms come to different Cargo.locks, and a package has one")]
    SeveralLocks(PackageId),
    /// It takes crates from this machine, though it comes from elsewhere itself.
    #[error("the Cargo.lock of `{id}` takes crates from `{from}`, which is on this machine, though `{id}` is not")]
    LocalCrates {
        /// The package.
        id: PackageId,
        /// The place.
        from: String,
    },
    /// Its manifest leads out of it.
    #[error("`{manifest}` of `{id}` depends on the path `{path}`, which is not in it")]
    PathOutside {
        /// The package.
        id: PackageId,
        /// The manifest.
        manifest: String,
        /// The path.
        path: String,
    },
    /// There is no file of patches.
    #[error("there is no `{}`, which is to patch `{id}`", path.display())]
    NoPatch {
        /// The package.
        id: PackageId,
        /// The patch.
        path: PathBuf,
    },
    /// A patch does not fit.
    #[error("could not patch `{id}`")]
    Patch {
        /// The package.
        id: PackageId,
        /// Why not.
        #[source]
        source: PatchError,
    },
}

/// What has come of a package's source.
enum Brought {
    Crate(BlobDigest),
    Commit(Commit),
    Archives(archives::Sums),
    /// A crate that carries the source of something else.
    Carrier {
        id: PackageId,
        archive: BlobDigest,
    },
    Directory,
    Nothing,
}

impl Pinner<'_, '_> {
    /// Pin every chosen package.
    pub fn pin(
        &self,
        wishes: &Wishes,
        chosen: &BTreeMap<PackageName, Version>,
        toolchain: Option<Toolchain>,
        old: Option<&Lockfile>,
    ) -> Result<Pinned, Error> {
        let kept = Kept::new(old, toolchain.as_ref());
        let ids: Vec<_> =
            chosen.iter().map(|(name, version)| PackageId { name: name.clone(), version: version.clone() }).collect();
        let looked_at = ids.iter().map(|id| Ok((id, self.must_look(&kept, id, &wishes.packages()[&id.name])?)));
        let looked_at: BTreeMap<_, _> = looked_at.collect::<Result<_, Error>>()?;
        let new: Vec<_> = ids.iter().filter(|id| looked_at[id]).collect();
        let brought = self.bring(&new, wishes, &kept)?;
        let mut pinned = Pinned { lockfile: Lockfile::empty(wishes.digest()), generated: BTreeMap::new() };
        for id in &ids {
            let wish = &wishes.packages()[&id.name];
            let package = match brought.get(id) {
                Some(brought) => {
                    let old = kept.pin(id, wish).filter(|_| !self.asked_again(&id.name));
                    let mut new = self.package(id, wish, brought, old, &mut pinned.generated)?;
                    new.platforms = kept::on_some(wish, wishes.platforms());
                    kept.with_outputs(new)
                }
                None => kept.unmoved(id, wish, wishes.platforms()).expect("what is not new is kept"),
            };
            pinned.lockfile.packages.insert(id.name.clone(), package);
        }
        kept.drop_outputs_of_others(&mut pinned.lockfile);
        let rust = wishes.needs_rust() || wishes.toolchain().is_some();
        pinned.lockfile.toolchain = toolchain.filter(|_| rust && !pinned.lockfile.packages.is_empty());
        pinned.lockfile.prefixes = unmoved_prefixes(old, &pinned.lockfile);
        Ok(pinned)
    }

    /// Whether a package is to be pinned though nothing about it changed.
    fn asked_again(&self, name: &PackageName) -> bool {
        self.moving.contains(name) || self.lost.contains(name)
    }

    /// Whether a package is looked at: it is new or moves, what is asked of it changed, or a file of it was lost.
    fn must_look(&self, kept: &Kept<'_>, id: &PackageId, wish: &Wish) -> Result<bool, Error> {
        let Some(package) = kept.pin(id, wish) else { return Ok(true) };
        Ok(self.asked_again(&id.name) || !stays(self.project, id, wish, package)?)
    }

    /// Have everything that the sources of packages give.
    fn bring(
        &self,
        ids: &[&PackageId],
        wishes: &Wishes,
        kept: &Kept<'_>,
    ) -> Result<BTreeMap<PackageId, Brought>, Error> {
        let (mut items, mut brought, mut archives) = (Vec::new(), BTreeMap::new(), Vec::new());
        for id in ids {
            let wish = &wishes.packages()[&id.name];
            let old = kept.pin(id, wish).filter(|_| !self.moving.contains(&id.name));
            let one = match wish.source_at(&id.version) {
                Source::Crate { registry } => {
                    let checksum = self.checksum(id, registry.as_deref(), old)?;
                    let archive = Archive { name: id.name.to_string(), version: id.version.to_string(), checksum };
                    items.push(Item::Crate { registry: registry.clone(), archive });
                    Brought::Crate(checksum)
                }
                Source::Git { url, reference, .. } => {
                    let locked = old.and_then(|old| match old.pin {
                        Pin::Git { commit, .. } => Some(commit),
                        _ => None,
                    });
                    let chosen = self.commits.get(&id.name).copied();
                    let commit = locked.or(chosen).ok_or_else(|| Error::Vanished((*id).clone()))?;
                    items.push(Item::commit(id.to_string(), url, commit, crate::index::fixed(reference)));
                    Brought::Commit(commit)
                }
                Source::Archive(archive) => {
                    let old = kept.archive(id, wish).filter(|_| !self.moving.contains(&id.name));
                    archives.push(archives::Wanted { id, archive, platforms: &wish.platforms, old });
                    continue;
                }
                Source::Carried { name, version, sha256, .. } => {
                    let archive = Archive { name: name.clone(), version: version.clone(), checksum: *sha256 };
                    items.push(Item::Crate { registry: None, archive });
                    let carrier = carrier(name, version).ok_or_else(|| Error::Vanished((*id).clone()))?;
                    Brought::Carrier { id: carrier, archive: *sha256 }
                }
                Source::Path { .. } => Brought::Directory,
                Source::Nothing => Brought::Nothing,
                Source::Recipe { .. } => return Err(Error::Vanished((*id).clone())),
            };
            brought.insert((*id).clone(), one);
        }
        self.sources.bring(&items, self.progress)?;
        for (id, digests) in self.archives(&archives)? {
            brought.insert(id, Brought::Archives(digests));
        }
        Ok(brought)
    }

    /// The sum of a crate's archive, by the old pin where that is kept, else as the registry says.
    fn checksum(&self, id: &PackageId, registry: Option<&str>, old: Option<&Package>) -> Result<BlobDigest, Error> {
        if let Some(Pin::Crate(unpacked)) = old.map(|old| &old.pin) {
            return Ok(unpacked.archive);
        }
        let versions = self.sources.registry(registry)?.versions(std::slice::from_ref(&id.name));
        let versions = versions.map_err(source::Error::from)?;
        let listed = versions.get(&id.name).and_then(Option::as_ref);
        let listed = listed.and_then(|versions| versions.iter().find(|one| one.version == id.version));
        Ok(listed.ok_or_else(|| Error::Vanished(id.clone()))?.checksum)
    }

    fn package(
        &self,
        id: &PackageId,
        wish: &Wish,
        brought: &Brought,
        old: Option<&Package>,
        generated: &mut BTreeMap<PackageName, String>,
    ) -> Result<Package, Error> {
        let patches = self.patches(id, wish)?;
        let (pin, by_cargo) = match brought {
            Brought::Crate(archive) if patches.is_empty() && wish.is_by_cargo() => {
                let (tree, by_cargo) = self.published(id, wish, *archive, generated)?;
                (Pin::Crate(Unpacked { archive: *archive, tree }), by_cargo)
            }
            Brought::Crate(archive) => {
                let content = self.content(id, &Origin::Crate { id, archive: *archive }, &patches)?;
                let pin = Pin::Crate(Unpacked { archive: *archive, tree: content.tree.digest() });
                (pin, self.crates(id, wish, &content, generated)?)
            }
            Brought::Carrier { id: carrier, archive } => {
                let content = self.content(id, &Origin::Crate { id: carrier, archive: *archive }, &patches)?;
                let pin = Pin::Archive(Unpacked { archive: *archive, tree: content.tree.digest() });
                (pin, self.crates(id, wish, &content, generated)?)
            }
            Brought::Commit(commit) => {
                let Source::Git { url, .. } = &wish.source else { unreachable!("commits come from repositories") };
                let content = self.content(id, &Origin::Git { url, commit: *commit }, &patches)?;
                let pin = Pin::Git { commit: *commit, tree: content.tree.digest() };
                (pin, self.crates(id, wish, &content, generated)?)
            }
            Brought::Archives(digests) => self.unpacked(id, wish, digests, &patches, generated)?,
            Brought::Directory => (Pin::Path, self.unpinned_crates(id, wish, old, generated)?),
            Brought::Nothing => (Pin::Nothing, ByCargo::default()),
        };
        let needed = |purpose| wish.needed(purpose).cloned().collect();
        Ok(Package {
            id: id.clone(),
            source: wish.source_text.clone(),
            pin,
            patches: super::sums(&patches),
            recipe: wish.digest(&id.version),
            crates: by_cargo.crates,
            dependencies: needed(Purpose::Run),
            build_dependencies: needed(Purpose::Build),
            platforms: Platforms::new(),
            needed_on: wish.needed_on_some(),
            stated: by_cargo.stated,
            outputs: Vec::new(),
        })
    }

    /// What an origin gives, patched.
    fn content(&self, id: &PackageId, origin: &Origin<'_>, patches: &[Patch]) -> Result<Content, Error> {
        let content = self.sources.content(origin, self.progress)?;
        match self.sources.patched(content, patches) {
            Err(source::Error::Patch(source)) => Err(Error::Patch { id: id.clone(), source }),
            patched => Ok(patched?),
        }
    }

    fn patches(&self, id: &PackageId, wish: &Wish) -> Result<Vec<Patch>, Error> {
        all_patches(self.project, wish, id, |path| Error::NoPatch { id: id.clone(), path })
    }
}

/// Whether an old pin of a version is still what is asked for, so that nobody has to look at its source again.
pub(super) fn stays(project: &Path, id: &PackageId, wish: &Wish, package: &Package) -> Result<bool, Error> {
    if !package.pin.is_fixed() || package.recipe != wish.digest(&id.version) {
        return Ok(false);
    }
    let patches: Vec<_> = all_patches(project, wish, id, |path| Error::NoPatch { id: id.clone(), path })?;
    Ok(super::sums(&patches) == package.patches && archives::fits(wish, package))
}

/// The crate that carries a source.
pub fn carrier(name: &str, version: &str) -> Option<PackageId> {
    Some(PackageId { name: name.parse().ok()?, version: version.parse().ok()? })
}

/// All patches to a package: the recipe's, then those that a project names.
pub fn all_patches<E: From<disk::Error>>(
    project: &Path,
    wish: &Wish,
    id: &PackageId,
    missing: impl Fn(PathBuf) -> E,
) -> Result<Vec<Patch>, E> {
    let mut patches = wish.recipe_patches(&id.version);
    patches.extend(read_patches(project, &wish.patches, missing)?);
    Ok(patches)
}

/// The patches of these paths, from a project's directory.
fn read_patches<E: From<disk::Error>>(
    project: &Path,
    paths: &[String],
    missing: impl Fn(PathBuf) -> E,
) -> Result<Vec<Patch>, E> {
    let read = |path: &String| {
        let text = disk::read_if_exists(&project.join(path))?.ok_or_else(|| missing(PathBuf::from(path)))?;
        Ok(Patch { name: path.clone(), text })
    };
    paths.iter().map(read).collect()
}

/// Prefixes stay where no package moved; a build records the others anew.
fn unmoved_prefixes(old: Option<&Lockfile>, new: &Lockfile) -> BTreeMap<Platform, super::Prefix> {
    let unmoved = old.filter(|old| old.packages == new.packages && old.requirements == new.requirements);
    unmoved.map(|old| old.prefixes.clone()).unwrap_or_default()
}
