//! Supplies: everything that builds read and that may have to come from elsewhere, brought in as few batches as can be.
//!
//! What a Cargo.lock names is known before its package is here where its text is in the store or beside the lockfile,
//! so that one batch, or offline one error, has all of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Error;
use super::source_files::SourceFiles;
use crate::digest::{BlobDigest, Commit, TextDigest, TreeDigest};
use crate::lock::{self, CrateSource, Lockfile, Package, Pin, Wish, Wishes, archive_url};
use crate::manifest::Source;
use crate::package::{PackageId, PackageName, SiteName};
use crate::platform::Platform;
use crate::progress::Progress;
use crate::source::{self, Archive, Item, LockedSource, Origin, Sources, WantedArchive};
use crate::store::{Content, Store};

/// What counts as now where there is no source, in seconds since 1970: the time that cargo writes into archives.
const NO_SOURCE: i64 = 1_153_704_088;

/// Where supplies for the packages of a site come from.
pub struct Supplies<'a, 's> {
    /// All sources of the project.
    pub sources: &'a Sources<'s>,
    /// What is asked.
    pub wishes: &'a Wishes,
    /// What is pinned.
    pub lockfile: &'a Lockfile,
    /// The site.
    pub site: &'a SiteName,
    /// The project's directory.
    pub project: &'a Path,
    /// Cargo.locks that were made just now and are not written yet.
    pub generated: &'a BTreeMap<PackageName, String>,
    /// Who is told.
    pub progress: &'a dyn Progress,
}

/// The Cargo.lock that was made for a package when locking: where it belongs, and its text if it is there.
pub struct Generated {
    /// Where it belongs.
    pub path: PathBuf,
    /// Its text.
    pub text: Option<String>,
}

impl Supplies<'_, '_> {
    /// The store that everything comes into.
    pub fn store(&self) -> &Store {
        self.sources.store()
    }

    /// What is pinned for a package.
    pub fn package(&self, id: &PackageId) -> &Package {
        &self.lockfile.packages[&id.name]
    }

    /// What is asked of a package.
    pub fn wish(&self, id: &PackageId) -> &Wish {
        &self.wishes.packages()[&id.name]
    }

    /// Bring the sources of packages for these platforms, and all crates that are known to be needed.
    pub fn bring(&self, ids: &[&PackageId], platforms: &[Platform]) -> Result<(), Error> {
        let mut items = Vec::new();
        for id in ids {
            items.extend(self.source_items(id, &self.wanted_on(id, platforms)));
            if let Some(text) = self.known_cargo_lock(id)? {
                items.extend(self.crate_items(id, &text)?);
            }
        }
        Ok(self.sources.bring(&items, self.progress)?)
    }

    /// Bring everything that builds of packages need: after this, nothing has to come from anywhere.
    pub fn bring_all(&self, ids: &[&PackageId], platforms: &[Platform]) -> Result<(), Error> {
        self.bring(ids, platforms)?;
        let mut items = Vec::new();
        for id in ids {
            // Crates are the same for all of them.
            let Some(platform) = self.wanted_on(id, platforms).first().copied() else { continue };
            let files = SourceFiles::open(self, id, platform)?;
            items.extend(files.cargo.map(|cargo| self.crate_items(id, &cargo.lock)).transpose()?.unwrap_or_default());
        }
        self.sources.bring(&items, self.progress)?;
        // A commit's submodules come when its files are read.
        for item in items {
            if let Item::Commit(wanted) = item {
                let origin = Origin::Git { url: &wanted.url, commit: wanted.commit };
                self.sources.content(&origin, self.progress)?;
            }
        }
        Ok(())
    }

    /// What a pinned source gives for a platform, with its patches.
    pub(super) fn content(&self, id: &PackageId, platform: Platform) -> Result<Content, Error> {
        let (package, wish) = (self.package(id), self.wish(id));
        let unpacked = || package.pin.archive(platform).ok_or_else(|| Error::NoArchive { id: id.clone(), platform });
        let url;
        let carrier;
        let origin = match (&package.pin, wish.source_at(&id.version)) {
            (Pin::Nothing, _) => return Ok(Content { tree: crate::tree::Tree::default(), time: NO_SOURCE }),
            (Pin::Git { commit, tree }, Source::Git { url, .. }) => {
                if let Some(content) = self.sources.pinned(*commit, *tree)? {
                    return self.patched(id, wish, content);
                }
                Origin::Git { url, commit: *commit }
            }
            (pin, Source::Archive(archive)) => {
                url = archive_url(archive, id, matches!(pin, Pin::Archives(_)).then_some(platform));
                Origin::Archive { archive: unpacked()?.archive, name: lock::file_name(&url), strip: archive.strip }
            }
            (_, Source::Carried { name, version, .. }) => {
                carrier = lock::carrier(name, version).ok_or_else(|| Error::NoArchive { id: id.clone(), platform })?;
                Origin::Crate { id: &carrier, archive: unpacked()?.archive }
            }
            _ => Origin::Crate { id, archive: unpacked()?.archive },
        };
        let content = self.sources.content(&origin, self.progress)?;
        self.patched(id, wish, content)
    }

    fn patched(&self, id: &PackageId, wish: &Wish, content: Content) -> Result<Content, Error> {
        let patches = lock::all_patches(self.project, wish, id, |path| Error::NoPatch { id: id.clone(), path })?;
        match self.sources.patched(content, &patches) {
            Err(source::Error::Patch(source)) => Err(Error::Patch { id: id.clone(), source }),
            patched => Ok(patched?),
        }
    }

    /// Those of some platforms that a package is for.
    fn wanted_on(&self, id: &PackageId, platforms: &[Platform]) -> Vec<Platform> {
        platforms.iter().copied().filter(|platform| self.package(id).is_for(*platform)).collect()
    }

    /// What has to come for a package itself.
    fn source_items(&self, id: &PackageId, platforms: &[Platform]) -> Vec<Item> {
        let wish = self.wish(id);
        match (&self.package(id).pin, wish.source_at(&id.version)) {
            (Pin::Archive(unpacked), Source::Carried { name, version, .. }) => {
                let archive = Archive { name: name.clone(), version: version.clone(), checksum: unpacked.archive };
                vec![Item::Crate { registry: None, archive }]
            }
            (Pin::Crate(unpacked), Source::Crate { registry }) => {
                let (name, version) = (id.name.to_string(), id.version.to_string());
                let archive = Archive { name, version, checksum: unpacked.archive };
                vec![Item::Crate { registry: registry.clone(), archive }]
            }
            (Pin::Git { commit, tree }, _) if matches!(self.sources.pinned(*commit, *tree), Ok(Some(_))) => Vec::new(),
            (Pin::Git { commit, .. }, Source::Git { url, reference, .. }) => {
                vec![Item::commit(id.to_string(), url, *commit, crate::index::fixed(reference))]
            }
            (pin, Source::Archive(archive)) => {
                let own = matches!(pin, Pin::Archives(_));
                let item = |platform: &Platform| {
                    let sha256 = Some(pin.archive(*platform)?.archive);
                    let url = archive_url(archive, id, own.then_some(*platform));
                    Some(Item::Archive(WantedArchive { name: id.to_string(), url, sha256 }))
                };
                platforms.iter().filter_map(item).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What has to come for a Cargo.lock.
    pub(super) fn crate_items(&self, id: &PackageId, cargo_lock: &str) -> Result<Vec<Item>, Error> {
        let mut items = Vec::new();
        for locked in source::locked_crates(cargo_lock).map_err(source::Error::from)? {
            let archive =
                |checksum| Archive { name: locked.name.clone(), version: locked.version.to_string(), checksum };
            match locked.source {
                LockedSource::Itself => {}
                LockedSource::CratesIo { checksum } => {
                    items.push(Item::Crate { registry: None, archive: archive(checksum) });
                }
                LockedSource::Registry { address, checksum } => {
                    items.push(Item::Foreign { address, archive: archive(checksum) });
                }
                LockedSource::Git(git) => {
                    if self.has_crate_source(id, &git.url, git.commit)? {
                        continue;
                    }
                    let name = format!("{} for {id}", git.url);
                    items.push(Item::commit(name, &git.url, git.commit, Some(git.reference)));
                }
            }
        }
        Ok(items)
    }

    /// The text of a package's Cargo.lock, where that is known without the package.
    fn known_cargo_lock(&self, id: &PackageId) -> Result<Option<String>, Error> {
        let Some(crates) = &self.package(id).crates else { return Ok(None) };
        if crates.generated {
            return Ok(self.generated(id)?.text);
        }
        let store = self.store();
        let bytes = if store.has_blob(crates.digest) { Some(store.read_blob(crates.digest)?) } else { None };
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    /// The Cargo.lock that was made for a package.
    pub(super) fn generated(&self, id: &PackageId) -> Result<Generated, Error> {
        let path = self.project.join(Lockfile::generated_path(self.site, &id.name));
        let text = match self.generated.get(&id.name) {
            Some(text) => Some(text.clone()),
            None => crate::disk::read_text_if_exists(&path)?,
        };
        Ok(Generated { path, text })
    }

    /// What is pinned of a repository that a Cargo.lock takes crates from.
    fn pinned_source(&self, id: &PackageId, url: &str, commit: Commit) -> Option<&CrateSource> {
        let mut pinned = self.package(id).crates.iter().flat_map(|crates| &crates.sources);
        pinned.find(|one| one.url == url && one.commit == commit)
    }

    fn has_crate_source(&self, id: &PackageId, url: &str, commit: Commit) -> Result<bool, Error> {
        let Some(pinned) = self.pinned_source(id, url, commit) else { return Ok(false) };
        Ok(self.sources.pinned(commit, pinned.tree)?.is_some())
    }

    /// The files of a repository that a Cargo.lock takes crates from, proven where they are pinned.
    pub(super) fn crate_source(&self, id: &PackageId, url: &str, commit: Commit) -> Result<Content, Error> {
        let (found, package) = (self.pinned_source(id, url, commit), self.package(id));
        let brought = found.map(|pinned| self.sources.pinned(commit, pinned.tree)).transpose()?.flatten();
        let content = match brought {
            Some(content) => content,
            None => self.sources.content(&Origin::Git { url, commit }, self.progress)?,
        };
        match found {
            Some(pinned) => prove(id, "crate source", pinned.tree, content.tree.digest())?,
            None if package.pin.is_fixed() => {
                prove(id, "crate source", format!("a pin of {url}"), "none".to_owned())?;
            }
            None => {}
        }
        Ok(content)
    }
}

impl Supplies<'_, '_> {
    /// What a bundle brought of commits, its trees being in the store: what the lockfile pins, proven to be what is pinned.
    pub fn brought(&self, commits: &Commits, platform: Platform) -> Result<Vec<Brought>, Error> {
        let mut all = Vec::new();
        for (_, package) in self.lockfile.packages_for(platform) {
            let id = &package.id;
            if let Pin::Git { commit, tree } = package.pin
                && let Some(brought) = self.one_brought(commits, commit, tree)?
            {
                let given = match self.patched(id, self.wish(id), brought.content.clone()) {
                    // Whatever a patch does not fit is not what was pinned with it.
                    Err(Error::Patch { .. }) => brought.content.tree.digest(),
                    patched => patched?.tree.digest(),
                };
                prove(id, "source tree", tree, given)?;
                all.push(brought);
            }
            for CrateSource { commit, tree, .. } in package.crates.iter().flat_map(|crates| &crates.sources) {
                if let Some(brought) = self.one_brought(commits, *commit, *tree)? {
                    prove(id, "crate source", *tree, brought.content.tree.digest())?;
                    all.push(brought);
                }
            }
        }
        Ok(all)
    }

    fn one_brought(&self, commits: &Commits, commit: Commit, pinned: TreeDigest) -> Result<Option<Brought>, Error> {
        let name = Sources::pinned_name(commit, pinned);
        let Some((tree, time)) = commits.get(&name) else { return Ok(None) };
        let whole = self.store().whole_tree(*tree)?.ok_or(crate::store::Error::MissingTree(*tree))?;
        Ok(Some(Brought { name, commit, pinned, content: Content { tree: whole, time: *time } }))
    }

    /// Remember it, for builds of this project.
    pub fn keep_brought(&self, brought: &[Brought]) -> Result<(), Error> {
        let keep = |one: &Brought| Ok(self.sources.put_pinned(one.commit, one.pinned, &one.content)?);
        brought.iter().try_for_each(keep)
    }
}

/// What a bundle brought of a commit.
#[derive(Debug)]
pub struct Brought {
    /// The name by which the bundle has it.
    pub name: TextDigest,
    commit: Commit,
    pinned: TreeDigest,
    content: Content,
}

/// Trees of commits, with their times, each under the name by which a bundle has it.
pub type Commits = BTreeMap<TextDigest, (TreeDigest, i64)>;

/// Everything that packages are built from, as it is in the store.
#[derive(Debug, Default)]
pub struct Stock {
    /// Archives, with their sizes.
    pub blobs: BTreeMap<BlobDigest, u64>,
    /// What commits gave.
    pub commits: Commits,
}

impl Supplies<'_, '_> {
    /// What [`bring_all`](Self::bring_all) has brought for packages.
    pub fn stock(&self, ids: &[&PackageId], platform: Platform) -> Result<Stock, Error> {
        let mut stock = Stock::default();
        for id in ids {
            let package = self.package(id);
            if let Some(unpacked) = package.pin.archive(platform) {
                stock.add_blob(self.store(), unpacked.archive)?;
            }
            if let (Pin::Git { commit, tree }, Source::Git { url, .. }) =
                (&package.pin, self.wish(id).source_at(&id.version))
            {
                let content = match self.sources.pinned(*commit, *tree)? {
                    Some(content) => content,
                    None => self.sources.content(&Origin::Git { url, commit: *commit }, self.progress)?,
                };
                stock.add_commit(*commit, *tree, &content);
            }
            let Some(cargo) = SourceFiles::open(self, id, platform)?.cargo else { continue };
            for locked in source::locked_crates(&cargo.lock).map_err(source::Error::from)? {
                match locked.source {
                    LockedSource::Itself => {}
                    LockedSource::CratesIo { checksum } | LockedSource::Registry { checksum, .. } => {
                        stock.add_blob(self.store(), checksum)?;
                    }
                    LockedSource::Git(git) => {
                        let content = self.crate_source(id, &git.url, git.commit)?;
                        let pinned = self.pinned_source(id, &git.url, git.commit);
                        pinned.into_iter().for_each(|pinned| stock.add_commit(git.commit, pinned.tree, &content));
                    }
                }
            }
        }
        Ok(stock)
    }
}

impl Stock {
    fn add_blob(&mut self, store: &Store, blob: BlobDigest) -> Result<(), Error> {
        let size = crate::disk::file_size(&store.blob_path(blob)).ok_or(crate::store::Error::MissingBlob(blob))?;
        self.blobs.insert(blob, size);
        Ok(())
    }

    fn add_commit(&mut self, commit: Commit, pinned: TreeDigest, content: &Content) {
        self.commits.insert(Sources::pinned_name(commit, pinned), (content.tree.digest(), content.time));
    }
}

/// Refuse what is not what was pinned.
pub(super) fn prove<D: PartialEq + ToString>(
    id: &PackageId,
    what: &'static str,
    expected: D,
    received: D,
) -> Result<(), Error> {
    if expected == received {
        return Ok(());
    }
    Err(Error::NotPinned { id: id.clone(), what, expected: expected.to_string(), received: received.to_string() })
}
