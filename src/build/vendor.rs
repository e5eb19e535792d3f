//! Git repositories as directory sources of cargo's.
//!
//! A directory source holds each package in a directory of its own, away from the workspace that it may inherit from, and
//! so a bare checkout does not build. `cargo vendor` writes every manifest anew for that, and takes each package's own
//! files alone, so that `include_str!("../../README.md")` finds nothing. We leave the repository whole:
//!
//! ```text
//! .repository/            the repository with its submodules; cargo passes over hidden directories
//! NAME-VERSION ─▶ .repository/DIRECTORY
//! ```
//!
//! A package that inherits is told where its workspace is (`package.workspace`), which cargo reads from the path that it
//! came by; nothing else of a manifest is touched. Path dependencies between the packages of a repository need nothing:
//! in a git source cargo looks for them by name. So this needs no cargo, no network and no other crates, and the same
//! tree comes out everywhere, whatever the compiler.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::digest::BlobDigest;
use crate::package::Version;
use crate::store::{self, Store};
use crate::tree::{self, File, Node, Tree};

/// Where the repository stands in the directory source.
const REPOSITORY: &str = ".repository";

/// What cargo wants to find beside a manifest. The files were proven when the repository was fetched.
const CHECKSUM: &str = "{\"files\":{}}";

/// A repository cannot be laid out for cargo.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Cargo.lock names a package that is not in the commit it names.
    #[error("the repository has no package `{name} {version}`, which `Cargo.lock` takes from it")]
    NoPackage {
        /// The package.
        name: String,
        /// Its version.
        version: Version,
    },
    /// A file that is in the way of what cargo needs.
    #[error("the repository cannot be laid out for cargo")]
    Layout(#[from] tree::Error),
    /// Its files cannot be read, or the new ones not written.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// The directory source for some packages, by name and version, of a repository whose files are in the store. The
/// result is in the store too, and does not depend on the order of the packages.
pub fn vendor(repository: &Tree, packages: &[(String, Version)], store: &Store) -> Result<Tree, Error> {
    let manifests = Manifests { repository, store };
    let places = manifests.find(packages)?;
    let (mut repository, mut links) = (repository.clone(), Tree::default());
    for ((name, version), directory) in places {
        let checksum = text_file(CHECKSUM, store)?;
        place(&mut repository, &join(&directory, ".cargo-checksum.json"), checksum)?;
        if let Some(manifest) = manifests.adjusted(&directory)? {
            place(&mut repository, &join(&directory, MANIFEST), text_file(&manifest, store)?)?;
        }
        let target = join(REPOSITORY, &directory);
        links.insert(&format!("{name}-{version}"), Node::Symlink(target))?;
    }
    links.insert(REPOSITORY, Node::Directory(repository))?;
    store.put_tree(&links)?;
    Ok(links)
}

const MANIFEST: &str = "Cargo.toml";

/// The manifests of a repository.
struct Manifests<'a> {
    repository: &'a Tree,
    store: &'a Store,
}

impl Manifests<'_> {
    /// The directory of each package. Of several that say they are the same, it is the first one that cargo comes by.
    fn find(&self, packages: &[(String, Version)]) -> Result<BTreeMap<(String, Version), String>, Error> {
        let mut missing: BTreeSet<_> = packages.iter().cloned().collect();
        let mut found = BTreeMap::new();
        for directory in self.directories()? {
            if missing.is_empty() {
                break;
            }
            if let Some(id) = self.package(&directory, &missing)?
                && missing.remove(&id)
            {
                found.insert(id, directory);
            }
        }
        match missing.pop_first() {
            None => Ok(found),
            Some((name, version)) => Err(Error::NoPackage { name, version }),
        }
    }

    /// All directories with a manifest, in the order in which cargo looks at them. Where it looks only when a path
    /// dependency leads there comes last: in hidden directories, in those named `target`, and in submodules.
    fn directories(&self) -> Result<Vec<String>, Error> {
        let (mut first, mut last) = (Vec::new(), Vec::new());
        let mut submodules = BTreeSet::new();
        let mut waiting = vec![(String::new(), self.repository, true)];
        while let Some((path, tree, walked)) = waiting.pop() {
            submodules.extend(self.submodules(&path)?);
            if matches!(tree.get(MANIFEST), Some(Node::File(_))) {
                if walked { &mut first } else { &mut last }.push(path.clone());
            }
            let below: Vec<_> = tree.entries().collect();
            // The stack gives back the last first.
            for (name, node) in below.into_iter().rev() {
                if let Node::Directory(below) = node {
                    let path = join(&path, name);
                    let walked = walked && !name.starts_with('.') && name != "target" && !submodules.contains(&path);
                    waiting.push((path, below, walked));
                }
            }
        }
        first.append(&mut last);
        Ok(first)
    }

    /// The submodules that git's list in a directory names.
    fn submodules(&self, directory: &str) -> Result<Vec<String>, Error> {
        let text = self.text(&join(directory, ".gitmodules"))?.unwrap_or_default();
        let value = |line: &str| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == "path").then(|| join(directory, value.trim().trim_matches('"')))
        };
        Ok(text.lines().filter_map(value).collect())
    }

    /// Name and version of the package in a directory, if there is one with the name of one that is wanted. What cannot be
    /// read is none: repositories keep broken manifests to test with.
    fn package(
        &self,
        directory: &str,
        wanted: &BTreeSet<(String, Version)>,
    ) -> Result<Option<(String, Version)>, Error> {
        let text = self.text(&join(directory, MANIFEST))?.unwrap_or_default();
        // Understanding a manifest takes far longer than finding a name in it.
        if !wanted.iter().any(|(name, _)| text.contains(name)) {
            return Ok(None);
        }
        let Ok(manifest) = text.parse::<Table>() else { return Ok(None) };
        let Some(package) = package_of(&manifest) else { return Ok(None) };
        let Some(name) = package.get("name").and_then(Value::as_str) else { return Ok(None) };
        if !wanted.iter().any(|(wanted, _)| wanted == name) {
            return Ok(None);
        }
        let version = match package.get("version") {
            Some(Value::String(version)) => Some(version.clone()),
            Some(Value::Table(_)) => self.inherited_version(directory, &manifest)?,
            _ => Some("0.0.0".to_owned()),
        };
        let version = version.and_then(|version| version.trim().parse().ok());
        Ok(version.map(|version| (name.to_owned(), version)))
    }

    fn inherited_version(&self, directory: &str, manifest: &Table) -> Result<Option<String>, Error> {
        let Some(root) = self.workspace(directory, manifest)? else { return Ok(None) };
        let Some(root) = self.manifest(&root)? else { return Ok(None) };
        let package = root.get("workspace").and_then(|workspace| workspace.get("package"));
        let version = package.and_then(|package| package.get("version")).and_then(Value::as_str);
        Ok(version.map(str::to_owned))
    }

    /// The directory of the workspace that a package belongs to, as cargo finds it: its own, the one it names, or the
    /// nearest above it that does not exclude it.
    fn workspace(&self, directory: &str, manifest: &Table) -> Result<Option<String>, Error> {
        if manifest.contains_key("workspace") {
            return Ok(Some(directory.to_owned()));
        }
        if let Some(named) = named_workspace(manifest) {
            return Ok(resolved(directory, named));
        }
        let mut above = directory;
        while let Some(parent) = parent(above) {
            above = parent;
            let Some(manifest) = self.manifest(above)? else { continue };
            match manifest.get("workspace") {
                Some(workspace) if !excludes(workspace, above, directory) => return Ok(Some(above.to_owned())),
                Some(_) => {}
                None => {
                    if let Some(named) = named_workspace(&manifest) {
                        return Ok(resolved(above, named));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The manifest in a directory with its workspace named, or nothing where it can stay as it is.
    fn adjusted(&self, directory: &str) -> Result<Option<String>, Error> {
        let Some(manifest) = self.manifest(directory)? else { return Ok(None) };
        if manifest.contains_key("workspace") || !manifest.values().any(inherits) {
            return Ok(None);
        }
        let Some(root) = self.workspace(directory, &manifest)? else { return Ok(None) };
        let text = self.text(&join(directory, MANIFEST))?.unwrap_or_default();
        let Ok(mut document) = text.parse::<toml_edit::DocumentMut>() else { return Ok(None) };
        let key = if document.contains_key("package") { "package" } else { "project" };
        let place = join(&join("..", REPOSITORY), &root);
        let Some(package) = document.get_mut(key).and_then(toml_edit::Item::as_table_like_mut) else { return Ok(None) };
        package.insert("workspace", toml_edit::value(place));
        Ok(Some(document.to_string()))
    }

    fn manifest(&self, directory: &str) -> Result<Option<Table>, Error> {
        Ok(self.text(&join(directory, MANIFEST))?.and_then(|text| text.parse().ok()))
    }

    /// The text of a file, or nothing where there is no such file, or one that is no text.
    fn text(&self, path: &str) -> Result<Option<String>, Error> {
        match self.repository.get(path) {
            Some(Node::File(file)) => Ok(String::from_utf8(self.store.read_file(*file)?).ok()),
            _ => Ok(None),
        }
    }
}

/// What a manifest says of its package, also by the old word for it.
fn package_of(manifest: &Table) -> Option<&Table> {
    manifest.get("package").or_else(|| manifest.get("project"))?.as_table()
}

fn named_workspace(manifest: &Table) -> Option<&str> {
    package_of(manifest)?.get("workspace")?.as_str()
}

/// Whether anything in a part of a manifest is taken over from the workspace.
fn inherits(part: &Value) -> bool {
    let Value::Table(table) = part else { return false };
    table.get("workspace").and_then(Value::as_bool) == Some(true) || table.values().any(inherits)
}

/// Whether the workspace at `root` excludes a directory below it, and does not name it as a member all the same.
fn excludes(workspace: &Value, root: &str, directory: &str) -> bool {
    let names = |key: &str| {
        let listed = workspace.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        listed.filter_map(|path| resolved(root, path)).any(|path| is_below(directory, &path))
    };
    names("exclude") && !names("members")
}

fn is_below(directory: &str, above: &str) -> bool {
    directory.strip_prefix(above).is_some_and(|rest| above.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

/// A relative path seen from a directory, without `.` and `..`, or nothing where it leads out of the repository.
fn resolved(directory: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<_> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn join(directory: &str, name: &str) -> String {
    match (directory, name) {
        ("", name) => name.to_owned(),
        (directory, "") => directory.to_owned(),
        (directory, name) => format!("{directory}/{name}"),
    }
}

/// The directory above, which for the topmost is none.
fn parent(directory: &str) -> Option<&str> {
    match directory.rsplit_once('/') {
        Some((parent, _)) => Some(parent),
        None => (!directory.is_empty()).then_some(""),
    }
}

/// Put a file in the place of whatever is there.
fn place(tree: &mut Tree, path: &str, node: Node) -> Result<(), tree::Error> {
    tree.remove(path);
    tree.insert(path, node)
}

fn text_file(text: &str, store: &Store) -> Result<Node, store::Error> {
    let blob: BlobDigest = store.put_blob(text.as_bytes())?;
    Ok(Node::File(File { blob, size: text.len() as u64, executable: false }))
}
