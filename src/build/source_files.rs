//! The source of one build, as it is laid out for it: the pinned files, with the Cargo.lock and the cargo configuration
//! that count here in the places of those that it ships.

use std::collections::BTreeMap;
use std::path::Path;

use super::supplies::{Supplies, prove};
use super::{Error, cargo_lock_digest, project_config};
use crate::digest::{BlobDigest, TreeDigest};
use crate::disk;
use crate::lock::Pin;
use crate::manifest::Source;
use crate::package::PackageId;
use crate::platform::Platform;
use crate::progress::Event;
use crate::source;
use crate::store::{Content, Store};
use crate::tree::{File, Node, Tree};

/// The files that a build starts from.
pub struct SourceFiles {
    /// Them all, as the build sees them.
    pub tree: Tree,
    /// What counts as now, in seconds since 1970.
    pub time: i64,
    /// The directory of the package among them, empty at the top.
    pub directory: String,
    /// What cargo needs to know, where it builds.
    pub cargo: Option<Cargo>,
    /// Digest of the files of a source that is not pinned.
    pub unpinned: Option<TreeDigest>,
    /// Names that its configuration of cargo gives to registries, and their indexes.
    pub registries: BTreeMap<String, String>,
    base: Base,
    /// Files that are written after the base is laid out.
    edits: BTreeMap<String, String>,
}

/// What cargo needs to know of a package.
pub struct Cargo {
    /// The text of the Cargo.lock that it builds with.
    pub lock: String,
    /// The directory with that Cargo.lock, empty at the top.
    workspace: String,
}

/// What the files are laid out from.
enum Base {
    /// A `.crate` file, and the directory that all in it lies in.
    Crate(BlobDigest, String),
    /// Files in the store.
    Tree(Tree),
}

impl SourceFiles {
    /// The source of a package that is here, proven to be what was pinned.
    pub fn open(supplies: &Supplies<'_, '_>, id: &PackageId, platform: Platform) -> Result<Self, Error> {
        let (package, wish) = (supplies.package(id), supplies.wish(id));
        let by_cargo = wish.is_by_cargo();
        let files = match (&package.pin, wish.source_at(&id.version)) {
            (Pin::Crate(unpacked), _) if by_cargo && wish.patches.is_empty() => {
                Self::of_crate(supplies, id, unpacked.archive)?
            }
            (Pin::Path, Source::Path { path }) => {
                let directory = supplies.sources.directory(path)?;
                if package.has_generated()
                    && let Some(text) = supplies.generated(id)?.text
                    && !supplies.sources.fits_directory(&directory, &id.name, &text)?
                {
                    return Err(Error::StaleCargoLock(id.clone()));
                }
                let content = supplies.sources.ingest(&directory)?;
                let unpinned = Some(content.tree.digest());
                Self { unpinned, ..Self::of_tree(supplies, id, content, Some(&directory.subdir), by_cargo, platform)? }
            }
            (_, source) => {
                let content = supplies.content(id, platform)?;
                let subdir = match source {
                    Source::Git { subdir, .. } => subdir.as_deref(),
                    Source::Archive(archive) => archive.subdir.as_deref(),
                    Source::Carried { subdir, .. } => subdir.as_deref(),
                    _ => None,
                };
                Self::of_tree(supplies, id, content, subdir, by_cargo, platform)?
            }
        };
        files.edited(id)
    }

    /// Where intermediate files go, among them: cargo runs there. A project's own configuration of cargo lies above, and so
    /// it counts; a published crate's does not, as with `cargo install`, so that it is built elsewhere.
    pub fn build_directory(&self) -> Option<String> {
        let own = self.cargo.is_some() && matches!(self.base, Base::Tree(_));
        own.then(|| join(&self.directory, "target"))
    }

    /// A crate as its registry has it.
    fn of_crate(supplies: &Supplies<'_, '_>, id: &PackageId, archive: BlobDigest) -> Result<Self, Error> {
        let contents = source::read_crate(&supplies.store().proven_blob(archive)?, id).map_err(source::Error::from)?;
        prove_source(supplies, id, &contents.tree, Platform::host())?;
        let lock = chosen_lock(supplies, id, contents.cargo_lock)?;
        Ok(Self {
            tree: contents.tree,
            time: contents.newest,
            directory: String::new(),
            cargo: Some(Cargo { lock, workspace: String::new() }),
            unpinned: None,
            registries: BTreeMap::new(),
            base: Base::Crate(archive, format!("{}-{}", id.name, id.version)),
            edits: BTreeMap::new(),
        })
    }

    fn of_tree(
        supplies: &Supplies<'_, '_>,
        id: &PackageId,
        content: Content,
        subdir: Option<&str>,
        by_cargo: bool,
        platform: Platform,
    ) -> Result<Self, Error> {
        let Content { tree, time } = content;
        prove_source(supplies, id, &tree, platform)?;
        let subdir = subdir.filter(|path| !path.is_empty());
        let mut files = Self {
            base: Base::Tree(tree.clone()),
            directory: subdir.unwrap_or_default().to_owned(),
            tree,
            time,
            cargo: None,
            unpinned: None,
            registries: BTreeMap::new(),
            edits: BTreeMap::new(),
        };
        if by_cargo {
            let project = supplies.sources.cargo_project(&files.tree, &id.name, subdir)?;
            let project = project.ok_or_else(|| Error::NoProject(id.clone()))?;
            let own = project.cargo_lock.filter(|_| project.lock_fits);
            let lock = chosen_lock(supplies, id, own)?;
            files.cargo = Some(Cargo { lock, workspace: project.workspace });
            files.directory = project.directory;
            files.configure(supplies, id)?;
        }
        Ok(files)
    }

    /// Of the project's own configuration of cargo, keep what counts.
    fn configure(&mut self, supplies: &Supplies<'_, '_>, id: &PackageId) -> Result<(), Error> {
        let configured = project_config::configured(&self.tree, &self.directory, supplies.store());
        let configured = configured.map_err(|source| Error::CargoConfig { id: id.clone(), source })?;
        for dropped in &configured.dropped {
            let what = dropped.key.as_ref().map_or_else(String::new, |key| format!("`{key}` in "));
            supplies.progress.tell(Event::Detail(&format!("{what}`{}` of `{id}` does not count", dropped.path)));
        }
        self.registries = configured.registries;
        self.base = Base::Tree(configured.tree.clone());
        self.tree = configured.tree;
        Ok(())
    }

    /// With the Cargo.lock and the configuration in their places.
    fn edited(mut self, id: &PackageId) -> Result<Self, Error> {
        if let Some(cargo) = &self.cargo {
            self.edits.insert(join(&cargo.workspace, "Cargo.lock"), cargo.lock.clone());
        }
        for (path, text) in &self.edits {
            let failed = |source| Error::Layout { id: id.clone(), source };
            self.tree.remove(path);
            self.tree.insert(path, text_file(text)).map_err(failed)?;
        }
        Ok(self)
    }

    /// Write them into an empty directory.
    pub fn lay_out(&self, store: &Store, to: &Path) -> Result<(), Error> {
        match &self.base {
            Base::Crate(archive, top) => {
                source::unpack_crate(&store.proven_blob(*archive)?, top, to).map_err(source::Error::from)?;
            }
            Base::Tree(tree) => store.lay_out_copy(tree, to, self.time)?,
        }
        if let Some(directory) = self.build_directory() {
            disk::create_directories(&to.join(directory))?;
        }
        for (path, text) in &self.edits {
            let path = to.join(path);
            // A symlink there is not followed.
            disk::remove_tree(&path)?;
            disk::write_new(&path, text.as_bytes(), 0o644)?;
        }
        Ok(())
    }
}

/// Refuse a source that is not what was pinned.
fn prove_source(supplies: &Supplies<'_, '_>, id: &PackageId, tree: &Tree, platform: Platform) -> Result<(), Error> {
    let pinned = supplies.package(id).pin.tree(platform);
    pinned.map_or(Ok(()), |pinned| prove(id, "source tree", pinned, tree.digest()))
}

/// The Cargo.lock that a package builds with: the one that was made for it, or its own, as it was pinned.
fn chosen_lock(supplies: &Supplies<'_, '_>, id: &PackageId, own: Option<String>) -> Result<String, Error> {
    let missing = |path| Error::NoCargoLock { id: id.clone(), path };
    let Some(pinned) = &supplies.package(id).crates else {
        return own.ok_or_else(|| Error::StaleCargoLock(id.clone()));
    };
    let text = if pinned.generated {
        let generated = supplies.generated(id)?;
        generated.text.ok_or_else(|| missing(generated.path))?
    } else {
        own.ok_or_else(|| missing("Cargo.lock".into()))?
    };
    prove(id, "Cargo.lock", pinned.digest, cargo_lock_digest(&text))?;
    Ok(text)
}

/// A path below a directory, which is empty at the top.
fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

/// A file with this text.
pub(super) fn text_file(text: &str) -> Node {
    Node::File(File { blob: BlobDigest::of(text.as_bytes()), size: text.len() as u64, executable: false })
}
