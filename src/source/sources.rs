//! All sources of a project under one roof: what is wanted of them comes in one batch, and what they gave is read once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::archive::{Limits, Strip, unpack_archive};
use super::cargo_project::{CargoProject, cargo_project};
use super::crates::{Archive, Crates};
use super::git::{Git, Reference};
use super::patch::{Patch, patched};
use super::path::{self, PathMemo, PathSource};
use super::{Archives, Error, Registries, WantedArchive, WantedCommit, crate_archive};
use crate::digest::{BlobDigest, Commit, TextDigest, TreeDigest};
use crate::disk;
use crate::package::{PackageId, PackageName};
use crate::progress::Progress;
use crate::store::{Content, Store};
use crate::tree::{File, Node, Tree};

/// What counts as now for files of the user's, in seconds since 1970: the time that cargo writes into archives. Their own
/// times are nobody's business: the same files make the same thing.
const UNPINNED: i64 = 1_153_704_088;

/// Everything that a project may name as a source.
pub struct Sources<'a> {
    registries: Registries<'a>,
    git: &'a Git<'a>,
    archives: Archives<'a>,
    store: &'a Store,
    limits: Limits,
    /// The project's directory, where paths begin.
    project: PathBuf,
    cache: PathBuf,
}

/// Something that is wanted from somewhere else.
#[derive(Clone, Debug)]
pub enum Item {
    /// A crate of a registry, by the registry's name: nothing is crates.io.
    Crate { registry: Option<String>, archive: Archive },
    /// A crate of the registry that a Cargo.lock writes as this address.
    Foreign { address: String, archive: Archive },
    /// An archive.
    Archive(WantedArchive),
    /// A commit, with everything in it.
    Commit(WantedCommit),
}

impl Item {
    /// A commit, by the name that messages give it.
    pub fn commit(name: String, url: &str, commit: Commit, reference: Option<Reference>) -> Self {
        Self::Commit(WantedCommit { name, url: url.to_owned(), commit, reference })
    }
}

/// Something that was brought, and how it is read.
#[derive(Clone, Debug)]
pub enum Origin<'o> {
    /// A crate.
    Crate { id: &'o PackageId, archive: BlobDigest },
    /// A commit of a repository.
    Git { url: &'o str, commit: Commit },
    /// An archive with this name, of which so many leading directories are taken off.
    Archive { archive: BlobDigest, name: &'o str, strip: Option<u32> },
}

impl Origin<'_> {
    /// Names what it gives.
    pub(super) fn digest(&self) -> TextDigest {
        let text = match self {
            Self::Crate { archive, .. } => format!("crate {archive}"),
            // A repository of this machine may lead to others here, and one from elsewhere may not.
            Self::Git { url, commit } => format!("git {} {commit}", if is_local(url) { "here" } else { "elsewhere" }),
            Self::Archive { archive, name, strip } => format!("archive {archive} {strip:?} {name}"),
        };
        TextDigest::of(text.as_bytes())
    }
}

impl<'a> Sources<'a> {
    /// All of these, for the project in a directory.
    pub fn new(
        registries: Registries<'a>,
        git: &'a Git<'a>,
        archives: Archives<'a>,
        store: &'a Store,
        limits: Limits,
        project: &Path,
        cache: &Path,
    ) -> Self {
        Self { registries, git, archives, store, limits, project: project.to_owned(), cache: cache.to_owned() }
    }

    /// The registry of a name, or crates.io.
    pub fn registry(&self, name: Option<&str>) -> Result<&Crates<'a>, Error> {
        match name {
            None => Ok(self.registries.crates_io()),
            Some(name) => Ok(self.registries.named(name)?),
        }
    }

    /// The registry that a Cargo.lock writes as this address.
    pub fn registry_at(&self, address: &str) -> Result<&Crates<'a>, Error> {
        Ok(self.registries.by_address(address)?)
    }

    /// The names of these registries, and their indexes as cargo writes them.
    pub fn names_of_registries<'s>(&self, addresses: impl Iterator<Item = &'s str>) -> BTreeMap<String, String> {
        addresses.flat_map(|address| self.registries.names_of(address)).collect()
    }

    /// The git repositories.
    pub fn git(&self) -> &'a Git<'a> {
        self.git
    }

    /// The archives.
    pub fn archives(&self) -> &Archives<'a> {
        &self.archives
    }

    /// The store that everything comes into.
    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// The directory for what can be had again.
    pub(super) fn cache(&self) -> &Path {
        &self.cache
    }

    /// Whether a thing is here, so that nobody has to be asked for it.
    pub fn has(&self, item: &Item) -> bool {
        match item {
            Item::Crate { archive, .. } | Item::Foreign { archive, .. } => self.store.has_blob(archive.checksum),
            Item::Archive(wanted) => wanted.sha256.is_some_and(|sum| self.store.has_blob(sum)),
            Item::Commit(wanted) => {
                let origin = Origin::Git { url: &wanted.url, commit: wanted.commit };
                self.store.content(origin.digest()).is_ok_and(|content| content.is_some())
                    || self.git.has(&wanted.url, &wanted.commit)
            }
        }
    }

    /// How a bundle names what a commit gave: by the commit, and by the tree that is pinned of it.
    pub fn pinned_name(commit: Commit, pinned: TreeDigest) -> TextDigest {
        TextDigest::of(format!("pinned git {commit} {pinned}").as_bytes())
    }

    /// What a commit gave, as a bundle brought it into this very project for this pin.
    pub fn pinned(&self, commit: Commit, pinned: TreeDigest) -> Result<Option<Content>, Error> {
        Ok(self.store.content(self.brought_name(commit, pinned))?)
    }

    /// Remember what a bundle brought of a commit. That it gives what is pinned is proven.
    pub fn put_pinned(&self, commit: Commit, pinned: TreeDigest, content: &Content) -> Result<(), Error> {
        Ok(self.store.put_content(self.brought_name(commit, pinned), content)?)
    }

    /// Names what a bundle brought of a commit. When the commit was made is the bundle's word, which no pin proves: it
    /// counts for no other project.
    fn brought_name(&self, commit: Commit, pinned: TreeDigest) -> TextDigest {
        let project = disk::canonical(&self.project).unwrap_or_else(|_| self.project.clone());
        let mut text = format!("brought git {commit} {pinned} ").into_bytes();
        text.extend_from_slice(project.as_os_str().as_encoded_bytes());
        TextDigest::of(&text)
    }

    /// Bring everything that is not here, in parallel. Where the network may not be used, one error names all of it.
    pub fn bring(&self, wanted: &[Item], progress: &dyn Progress) -> Result<(), Error> {
        let (mut archives, mut commits) = (Vec::new(), Vec::new());
        let mut crates: Vec<(&Crates<'a>, Vec<Archive>)> = Vec::new();
        for item in wanted.iter().filter(|item| !self.has(item)) {
            match item {
                Item::Archive(wanted) => archives.push(wanted.clone()),
                Item::Commit(wanted) => commits.push(wanted.clone()),
                Item::Crate { registry, archive } => add(&mut crates, self.registry(registry.as_deref())?, archive),
                Item::Foreign { address, archive } => add(&mut crates, self.registry_at(address)?, archive),
            }
        }
        let errors = std::thread::scope(|scope| {
            let commits = (!commits.is_empty()).then(|| scope.spawn(|| self.git.fetch(&commits, progress)));
            let archives =
                (!archives.is_empty()).then(|| scope.spawn(|| self.archives.fetch(&archives, self.store, progress)));
            let crates = crates.iter().map(|(from, archives)| from.fetch(archives, self.store, progress));
            let mut errors: Vec<Error> = crates.filter_map(Result::err).map(Error::from).collect();
            let archives = archives.map(|thread| thread.join().expect("fetching archives does not panic"));
            errors.extend(archives.and_then(Result::err).map(Error::from));
            let commits = commits.map(|thread| thread.join().expect("fetching commits does not panic"));
            errors.extend(commits.into_iter().flatten().filter_map(Result::err).map(Error::from));
            errors
        });
        one_of(errors).map_or(Ok(()), Err)
    }

    /// Ask a commit's own repository for it, though another one may have given it before: whoever wrote a whole id has
    /// asked nobody. Where the network may not be used, what is here has to do.
    pub fn ask(&self, wanted: &WantedCommit, progress: &dyn Progress) -> Result<(), Error> {
        match self.git.fetch(std::slice::from_ref(wanted), progress).remove(0).map_err(Error::from) {
            Err(error) if error.missing_offline().is_some() => Ok(()),
            asked => asked,
        }
    }

    /// The files of something that was brought. They are read once, and in the store from then on.
    pub fn content(&self, origin: &Origin<'_>, progress: &dyn Progress) -> Result<Content, Error> {
        let key = origin.digest();
        if let Some(content) = self.store.content(key)? {
            return Ok(content);
        }
        let content = self.read(origin, progress)?;
        self.store.put_content(key, &content)?;
        Ok(content)
    }

    fn read(&self, origin: &Origin<'_>, progress: &dyn Progress) -> Result<Content, Error> {
        match origin {
            Origin::Crate { id, archive } => {
                let directory = self.store.temporary_directory()?;
                let directory = disk::temporary_directory_in(&directory).map_err(crate::store::Error::from)?;
                let (top, path) = (format!("{}-{}", id.name, id.version), self.store.proven_blob(*archive)?);
                let time = crate_archive::read(&path, id)?.newest;
                crate_archive::unpack(&path, &top, directory.path())?;
                Ok(Content { tree: self.store.ingest(directory.path())?, time })
            }
            Origin::Git { url, commit } => {
                let checkout = self.git.tree(url, commit, self.store, progress)?;
                Ok(Content { tree: checkout.tree, time: checkout.time })
            }
            Origin::Archive { archive, name, strip } => {
                let strip = strip.map_or(Strip::Common, Strip::Components);
                let path = self.store.proven_blob(*archive)?;
                let unpacked = unpack_archive(&path, name, strip, self.limits, self.store)?;
                Ok(Content { tree: unpacked.tree, time: unpacked.newest })
            }
        }
    }

    /// The files with patches applied in their order.
    pub fn patched(&self, content: Content, patches: &[Patch]) -> Result<Content, Error> {
        if patches.is_empty() {
            return Ok(content);
        }
        let tree = patched(&content.tree, patches, self.store)?;
        self.store.put_tree(&tree)?;
        Ok(Content { tree, time: content.time })
    }

    /// The package of cargo's that a tree in the store holds under a name, if it holds any.
    pub fn cargo_project(
        &self,
        tree: &Tree,
        name: &PackageName,
        subdir: Option<&str>,
    ) -> Result<Option<CargoProject>, Error> {
        let read = |file: &File| Ok(self.store.read_file(*file)?);
        cargo_project(tree, &read, name.as_str(), subdir)
            .map_err(|source| Error::Project { name: name.clone(), source })
    }

    /// A directory as it is now, by its path in the project.
    pub fn directory(&self, path: &str) -> Result<PathSource, Error> {
        Ok(look_at(&self.project.join(path), &self.cache)?)
    }

    /// Bring the files of a directory into the store, as they were when it was looked at.
    pub fn ingest(&self, directory: &PathSource) -> Result<Content, Error> {
        path::ingest(directory, self.store)?;
        self.store.put_tree(&directory.tree)?;
        Ok(Content { tree: directory.tree.clone(), time: UNPINNED })
    }

    /// The package of cargo's that a directory holds under a name, if it holds any.
    pub fn project_in(&self, directory: &PathSource, name: &PackageName) -> Result<Option<CargoProject>, Error> {
        project_of(directory, &directory.tree, name, &|_| None)
    }

    /// Whether a Cargo.lock that was made for the package of a directory still is one for it.
    pub fn fits_directory(&self, directory: &PathSource, name: &PackageName, lock: &str) -> Result<bool, Error> {
        let Some(project) = self.project_in(directory, name)? else { return Ok(false) };
        let path = Path::new(&project.workspace).join("Cargo.lock");
        let (path, blob) = (path.to_string_lossy(), BlobDigest::of(lock.as_bytes()));
        let mut tree = directory.tree.clone();
        tree.remove(&path);
        let node = Node::File(File { blob, size: lock.len() as u64, executable: false });
        tree.insert(&path, node).map_err(path::Error::from)?;
        let made = |file: &File| (file.blob == blob).then(|| lock.as_bytes().to_vec());
        Ok(project_of(directory, &tree, name, &made)?.is_some_and(|project| project.lock_fits))
    }

    /// Bring archives, and give their digests in the order in which they were asked for.
    pub fn bring_archives(&self, wanted: &[WantedArchive], progress: &dyn Progress) -> Result<Vec<BlobDigest>, Error> {
        Ok(self.archives.fetch(wanted, self.store, progress)?)
    }
}

/// The package of cargo's in a directory with these files, of which some may be known without being there.
fn project_of(
    directory: &PathSource,
    tree: &Tree,
    name: &PackageName,
    known: &dyn Fn(&File) -> Option<Vec<u8>>,
) -> Result<Option<CargoProject>, Error> {
    let subdir = Some(directory.subdir.as_str()).filter(|subdir| !subdir.is_empty());
    let files = tree.leaves();
    let paths: BTreeMap<_, _> = files
        .iter()
        .filter_map(|(path, node)| match node {
            Node::File(file) => Some((file.blob, path)),
            _ => None,
        })
        .collect();
    let read = |file: &File| match known(file) {
        Some(bytes) => Ok(bytes),
        None => Ok(disk::read(&directory.root.join(paths[&file.blob]))?),
    };
    cargo_project(tree, &read, name.as_str(), subdir).map_err(|source| Error::Project { name: name.clone(), source })
}

/// A directory as it is now. What is known of its files is kept below `cache`.
pub fn look_at(directory: &Path, cache: &Path) -> Result<PathSource, path::Error> {
    path::look(directory, &PathMemo::in_cache(cache))
}

/// Whether an address is of this machine's file system.
pub fn is_local(url: &str) -> bool {
    url.starts_with('/') || url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"))
}

/// The first of several errors; what is missing offline is gathered from all of them.
pub fn one_of(errors: impl IntoIterator<Item = Error>) -> Option<Error> {
    let (mut missing, mut others) = (BTreeSet::new(), Vec::new());
    for error in errors {
        match error.missing_offline() {
            Some(names) => missing.extend(names.iter().cloned()),
            None => others.push(error),
        }
    }
    let offline = (!missing.is_empty()).then(|| Error::Offline { missing: missing.into_iter().collect() });
    others.into_iter().next().or(offline)
}

fn add<'c, 'a>(all: &mut Vec<(&'c Crates<'a>, Vec<Archive>)>, from: &'c Crates<'a>, archive: &Archive) {
    match all.iter_mut().find(|(known, _)| std::ptr::eq(*known, from)) {
        Some((_, archives)) => archives.push(archive.clone()),
        None => all.push((from, vec![archive.clone()])),
    }
}

impl Item {
    /// What it is, for people.
    pub fn label(&self) -> String {
        match self {
            Self::Crate { archive, .. } | Self::Foreign { archive, .. } => archive.label(),
            Self::Archive(wanted) => wanted.name.clone(),
            Self::Commit(wanted) => format!("{} ({})", wanted.name, wanted.commit.short()),
        }
    }
}
