//! Which directories belong to a directory that is a source: itself, the root of its workspace, and packages outside
//! of that on which its packages depend by path.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Error;
use crate::disk::{self, Found};
use crate::source::cargo_project::{self, Files, Manifests, members, outside, workspace_root};

/// Directories to take whole, none inside another, with what is in them.
pub type Parts = BTreeMap<PathBuf, Vec<Found>>;

/// The directories that belong to one, by its canonical path.
pub fn parts(directory: &Path) -> Result<Parts, Error> {
    let mut all = BTreeSet::from([directory.to_owned()]);
    let mut walked = BTreeMap::new();
    if disk::is_file(&directory.join("Cargo.toml")) {
        let files = DiskFiles::default();
        all = Packages { files: &files, manifests: Manifests::new(&files) }.roots(directory, &mut walked)?;
    }
    let outer = all.iter().filter(|one| !all.iter().any(|other| *one != other && one.starts_with(other)));
    let walk = |part: &PathBuf| {
        let found = walked.remove(part).map_or_else(|| disk::walk_unignored(part), Ok)?;
        Ok((part.clone(), found))
    };
    outer.map(walk).collect()
}

/// Manifests of the file system. Their top is `/`.
#[derive(Default)]
struct DiskFiles {
    /// The directories that were looked through for manifests.
    directories: RefCell<Vec<String>>,
}

impl Files for DiskFiles {
    fn text(&self, path: &str) -> Result<Option<String>, cargo_project::Error> {
        let text = disk::read_text_if_exists(&Path::new("/").join(path));
        text.map_err(|error| cargo_project::Error::Read { path: path.to_owned(), source: error.into() })
    }

    fn is_file(&self, path: &str) -> bool {
        disk::is_file(&Path::new("/").join(path))
    }

    fn directories(&self) -> Vec<String> {
        self.directories.borrow().clone()
    }
}

/// An absolute path as one below `/`.
fn inside(path: &Path) -> Result<&str, Error> {
    let text = path.to_str().ok_or_else(|| Error::Name(path.to_owned()))?;
    Ok(text.trim_start_matches('/'))
}

fn absolute(path: &str) -> PathBuf {
    Path::new("/").join(path)
}

struct Packages<'a> {
    files: &'a DiskFiles,
    manifests: Manifests<'a>,
}

impl Packages<'_> {
    /// The roots of all workspaces that belong to a package or workspace. What is walked through meanwhile is kept.
    fn roots(&self, directory: &Path, walked: &mut Parts) -> Result<BTreeSet<PathBuf>, Error> {
        let root = self.root_of(directory)?;
        let mut roots = BTreeSet::new();
        let mut waiting: Vec<_> = self.members_of(&root, walked)?.into_iter().map(|package| (package, true)).collect();
        waiting.push((directory.to_owned(), true));
        let mut seen = BTreeSet::new();
        while let Some((package, tests)) = waiting.pop() {
            if !seen.insert(package.clone()) {
                continue;
            }
            // A root need not be above its members.
            let its_root = self.root_of(&package)?;
            if !package.starts_with(&its_root) {
                roots.insert(package.clone());
            }
            roots.insert(its_root);
            for dependency in self.dependencies(&package, tests)? {
                self.check(&package, &dependency)?;
                waiting.push((dependency, false));
            }
        }
        Ok(roots)
    }

    fn about<T>(&self, package: &Path, result: Result<T, cargo_project::Error>) -> Result<T, Error> {
        result.map_err(|source| Error::Project { directory: package.to_owned(), source })
    }

    /// The root of a package's workspace, or its own directory.
    fn root_of(&self, package: &Path) -> Result<PathBuf, Error> {
        Ok(absolute(&self.about(package, workspace_root(&self.manifests, inside(package)?))?))
    }

    /// The directories of all packages of the workspace with this root, if it is one.
    fn members_of(&self, root: &Path, walked: &mut Parts) -> Result<Vec<PathBuf>, Error> {
        let directory = inside(root)?;
        let manifest = self.about(root, self.manifests.at(directory))?;
        if manifest.is_none_or(|manifest| manifest.workspace.is_none()) {
            return Ok(Vec::new());
        }
        let found = disk::walk_unignored(root)?;
        let with_manifest = found.iter().filter(|one| one.path.ends_with("Cargo.toml"));
        let directories = with_manifest.filter_map(|one| Some(root.join(one.path.parent()?)));
        let directories: Vec<_> = directories.filter_map(|one| inside(&one).ok().map(str::to_owned)).collect();
        self.files.directories.replace(directories);
        walked.insert(root.to_owned(), found);
        let members = self.about(root, members(&self.manifests, directory))?;
        Ok(members.into_iter().map(|member| absolute(&member.directory)).collect())
    }

    /// The directories that a package depends on, and those that its root puts in the place of others. What only
    /// tests need counts for those packages alone that are asked for.
    fn dependencies(&self, package: &Path, tests: bool) -> Result<Vec<PathBuf>, Error> {
        let root = self.root_of(package)?;
        let (own, top) = (inside(package)?, inside(&root)?);
        let (manifest, root) =
            (self.about(package, self.manifests.at(own))?, self.about(&root, self.manifests.at(top))?);
        let Some(manifest) = manifest else { return Ok(Vec::new()) };
        let workspace = root.as_ref().and_then(|root| root.workspace.as_ref());
        let wanted = manifest.path_dependencies(workspace).into_iter().filter(|one| tests || !one.dev);
        let wanted = wanted.map(|one| (if one.of_workspace { top } else { own }, one.path));
        let patched = root.iter().filter(|_| tests).flat_map(|root| root.patched_paths()).map(|path| (top, path));
        let place = |(from, path)| match outside(from, path) {
            Some((_, path)) => Ok(absolute(&path)),
            None => Err(Error::Absolute { package: package.to_owned(), dependency: Path::new(path).to_owned() }),
        };
        wanted.chain(patched).map(place).collect()
    }

    fn check(&self, package: &Path, dependency: &Path) -> Result<(), Error> {
        let (package, dependency) = (package.to_owned(), dependency.to_owned());
        if !self.manifests.is_at(inside(&dependency)?) {
            return Err(Error::NoDependency { package, dependency });
        }
        // What a build sees has real directories, in the same places.
        if disk::canonical(&dependency)? != dependency {
            return Err(Error::Linked { package, dependency });
        }
        Ok(())
    }
}
