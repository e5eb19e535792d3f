//! Which package of a tree is meant: by the name of a dependency, and perhaps a directory. Pure.
//!
//! The top of a tree is looked at first: its package, or the member of its workspace that has the name. A tree whose
//! one `Cargo.toml` lies a directory down is entered. Whatever leaves a choice is an error that tells the choices.

#[cfg(test)]
mod tests;
mod workspace;

use std::collections::BTreeSet;

use super::cargo_lock::{self, LockedCrate};
use super::cargo_manifest::{self, Binary};
use crate::package::Version;
use crate::tree::{File, Node, Tree};
pub use workspace::outside;
pub(super) use workspace::{Files, Manifests, join, members, workspace_root};

use workspace::TreeFiles;

/// Why a reader did not give a file's bytes.
pub type ReadError = Box<dyn std::error::Error + Send + Sync>;

/// Gives a file's bytes.
pub type Read<'a> = &'a dyn Fn(&File) -> Result<Vec<u8>, ReadError>;

/// A tree does not have the package that is asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of it could not be read.
    #[error("could not read `{path}`")]
    Read { path: String, source: ReadError },
    /// A text that is none.
    #[error("`{path}` is not UTF-8")]
    Text { path: String },
    /// A manifest makes no sense.
    #[error("`{path}` cannot be used")]
    Manifest { path: String, source: cargo_manifest::Error },
    /// A lock makes no sense.
    #[error("`{path}` cannot be used")]
    Lock { path: String, source: cargo_lock::Error },
    /// A version that is none.
    #[error("`{path}` has a version that cargo would not take")]
    Version { path: String },
    /// A pattern of members that is none.
    #[error("`{path}` has a pattern of members, `{pattern}`, that makes no sense")]
    Pattern { path: String, pattern: String, source: glob::PatternError },
    /// A `subdir` that leads elsewhere.
    #[error("`subdir = \"{0}\"` must be a directory inside, relative to the top")]
    Subdir(String),
    /// A `subdir` that is not there.
    #[error("there is no directory `{0}` inside")]
    NoSubdir(String),
    /// A manifest of no package.
    #[error("`{0}` has neither `[package]` nor `[workspace]`")]
    Nothing(String),
    /// A workspace without the package.
    #[error("the workspace of `{path}` has no package `{name}`; {}", programs(with_programs))]
    NoMember { path: String, name: String, with_programs: Vec<String> },
    /// A package that says it belongs to a workspace that is not there.
    #[error("`{path}` belongs to a workspace at `{workspace}`, which is not there")]
    NoWorkspace { path: String, workspace: String },
    /// Several projects.
    #[error("there is no `Cargo.toml` at the top, but in {}: name one by `subdir`", quoted(.0))]
    NoTop(Vec<String>),
}

fn programs(members: &[String]) -> String {
    if members.is_empty() {
        "none of its members has programs".to_owned()
    } else {
        format!("members with programs are {}", quoted(members))
    }
}

fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut shown: Vec<_> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    if names.len() > SHOWN {
        shown.push(format!("{} more", names.len() - SHOWN));
    }
    match shown.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => shown.concat(),
    }
}

/// A package in a tree, with what its workspace decides about it. Directories are relative to the tree's top, which
/// is the empty text.
#[derive(Clone, Debug)]
pub struct CargoProject {
    /// The package's name, which may be another than the dependency's.
    pub package: String,
    /// Its version.
    pub version: Version,
    /// Its directory.
    pub directory: String,
    /// The directory of its workspace's root; its own directory where it is in no workspace.
    pub workspace: String,
    /// Its `Cargo.toml`.
    pub manifest: String,
    /// The `Cargo.lock` at its workspace's root.
    pub cargo_lock: Option<String>,
    /// Its programs.
    pub binaries: Vec<Binary>,
    /// The features that can be asked for.
    pub features: BTreeSet<String>,
    /// Whether there is a lock that answers all that the workspace's members depend on.
    pub lock_fits: bool,
}

/// Find the package that a dependency called `name` means; nothing where there is no `Cargo.toml` to look at: none at
/// all, or none in `subdir`.
pub fn cargo_project(
    tree: &Tree,
    read: Read<'_>,
    name: &str,
    subdir: Option<&str>,
) -> Result<Option<CargoProject>, Error> {
    let files = TreeFiles { tree, read };
    let found = Search { tree, manifests: &Manifests::new(&files) };
    let Some(top) = found.top(name, subdir)? else { return Ok(None) };
    let directory = found.choose(&top, name, subdir.is_some())?;
    found.describe(directory).map(Some)
}

/// The `Cargo.toml` of the package that a dependency called `name` means, and nothing else about it.
pub(super) fn own_manifest(
    tree: &Tree,
    read: Read<'_>,
    name: &str,
    subdir: Option<&str>,
) -> Result<Option<String>, Error> {
    let files = TreeFiles { tree, read };
    let manifests = Manifests::new(&files);
    let found = Search { tree, manifests: &manifests };
    let Some(top) = found.top(name, subdir)? else { return Ok(None) };
    let directory = found.choose(&top, name, subdir.is_some())?;
    manifests.text(&join(&directory, "Cargo.toml").unwrap_or_default())
}

/// A tree that is searched.
struct Search<'a> {
    tree: &'a Tree,
    manifests: &'a Manifests<'a>,
}

impl Search<'_> {
    /// The directory whose `Cargo.toml` to begin with.
    fn top(&self, name: &str, subdir: Option<&str>) -> Result<Option<String>, Error> {
        if let Some(subdir) = subdir {
            let directory = join("", subdir).ok_or_else(|| Error::Subdir(subdir.to_owned()))?;
            if !directory.is_empty() && !matches!(self.tree.get(&directory), Some(Node::Directory(_))) {
                return Err(Error::NoSubdir(directory));
            }
            return Ok(self.manifests.is_at(&directory).then_some(directory));
        }
        if self.manifests.is_at("") {
            return Ok(Some(String::new()));
        }
        let all = self.manifests.directories();
        let below: Vec<_> = all.iter().filter(|directory| !directory.contains('/')).collect();
        match below.as_slice() {
            [one] => Ok(Some((*one).clone())),
            several => {
                let mut named = Vec::new();
                for directory in several {
                    let manifest = self.manifests.at(directory)?;
                    if manifest.is_some_and(|one| one.package.as_ref().is_some_and(|package| package.name == name)) {
                        named.push((*directory).clone());
                    }
                }
                match named.as_slice() {
                    [one] => Ok(Some(one.clone())),
                    _ if all.is_empty() => Ok(None),
                    _ => Err(Error::NoTop(all)),
                }
            }
        }
    }

    /// The directory of the package that a name means, beginning at a manifest.
    fn choose(&self, top: &str, name: &str, by_subdir: bool) -> Result<String, Error> {
        let path = join(top, "Cargo.toml").unwrap_or_default();
        let manifest = self.manifests.at(top)?.expect("the caller found a manifest here");
        let own = manifest.package.as_ref();
        if own.is_some_and(|package| package.name == name || by_subdir || manifest.workspace.is_none()) {
            return Ok(top.to_owned());
        }
        if manifest.workspace.is_none() {
            return Err(Error::Nothing(path));
        }
        let members = members(self.manifests, top)?;
        if let Some(member) = members.iter().find(|member| member.name == name) {
            return Ok(member.directory.clone());
        }
        let mut with_programs = Vec::new();
        for member in members {
            if !self.binaries(&member.directory, top)?.is_empty() {
                with_programs.push(member.name);
            }
        }
        match own {
            // A repository is often named otherwise than the program it is for.
            Some(package) if with_programs.contains(&package.name) => Ok(top.to_owned()),
            _ => Err(Error::NoMember { path, name: name.to_owned(), with_programs }),
        }
    }

    fn binaries(&self, directory: &str, root: &str) -> Result<Vec<Binary>, Error> {
        let empty = Tree::default();
        let files = match self.tree.get(directory) {
            Some(Node::Directory(below)) => below,
            _ if directory.is_empty() => self.tree,
            _ => &empty,
        };
        let (manifest, root) = (self.manifests.at(directory)?, self.manifests.at(root)?);
        let workspace = root.as_ref().and_then(|root| root.workspace.as_ref());
        Ok(manifest.map(|manifest| manifest.binaries(files, workspace)).unwrap_or_default())
    }

    /// Everything about the package in a directory.
    fn describe(&self, directory: String) -> Result<CargoProject, Error> {
        let path = join(&directory, "Cargo.toml").unwrap_or_default();
        let root = workspace_root(self.manifests, &directory)?;
        let manifest = self.manifests.at(&directory)?.expect("the package was found by its manifest");
        let root_manifest = self.manifests.at(&root)?;
        let workspace = root_manifest.as_ref().and_then(|root| root.workspace.as_ref());
        let package = manifest.package.as_ref().ok_or_else(|| Error::Nothing(path.clone()))?;
        let version = package.version(workspace).and_then(|version| version.parse().ok());
        let lock_path = join(&root, "Cargo.lock").unwrap_or_default();
        let cargo_lock = self.manifests.text(&lock_path)?;
        let locked = cargo_lock.as_deref().map(cargo_lock::locked_crates).transpose();
        let locked = locked.map_err(|source| Error::Lock { path: lock_path, source })?;
        Ok(CargoProject {
            package: package.name.clone(),
            version: version.ok_or_else(|| Error::Version { path: path.clone() })?,
            manifest: self.manifests.text(&path)?.unwrap_or_default(),
            lock_fits: locked.is_some_and(|locked| self.all_fit(&root, &directory, &locked)),
            binaries: self.binaries(&directory, &root)?,
            features: manifest.features(),
            directory,
            workspace: root,
            cargo_lock,
        })
    }

    /// Whether a lock answers a package and all members of its workspace: cargo takes no part of a lock.
    fn all_fit(&self, root: &str, directory: &str, locked: &[LockedCrate]) -> bool {
        let root_manifest = self.manifests.at(root).ok().flatten();
        let workspace = root_manifest.as_ref().and_then(|root| root.workspace.as_ref());
        let fits = |directory: &str| {
            let manifest = self.manifests.at(directory).ok().flatten();
            manifest.is_some_and(|manifest| manifest.fits(locked, workspace))
        };
        fits(directory)
            && match workspace {
                Some(_) => {
                    members(self.manifests, root).is_ok_and(|all| all.iter().all(|member| fits(&member.directory)))
                }
                None => true,
            }
    }
}

/// The file by which a project asks for a compiler, nearest to a directory of its source.
pub fn toolchain_file(source: &Tree, directory: &str) -> Option<String> {
    let is_file = |path: &String| matches!(source.get(path), Some(Node::File(_) | Node::Symlink(_)));
    let names = ["rust-toolchain", "rust-toolchain.toml"];
    let directories = std::iter::successors(Some(directory), |at| match at.rsplit_once('/') {
        Some((above, _)) => Some(above),
        None => (!at.is_empty()).then_some(""),
    });
    let mut paths = directories.flat_map(|directory| names.map(|name| join(directory, name).unwrap_or_default()));
    paths.find(is_file)
}
