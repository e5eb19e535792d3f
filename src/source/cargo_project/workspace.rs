//! Workspaces in a tree: their roots and members, by cargo's rules. Pure.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use glob::{MatchOptions, Pattern};

use super::{Error, Read};
use crate::source::cargo_manifest::{self, Manifest, Workspace};
use crate::tree::{Node, Tree};

/// How many symlinks lead to a file at most.
const LINKS: usize = 8;

/// Where manifests lie. Paths are relative to a top.
pub trait Files {
    /// The text of a file, symlinks followed, or nothing where there is none.
    fn text(&self, path: &str) -> Result<Option<String>, Error>;

    /// Whether there is a file, symlinks followed.
    fn is_file(&self, path: &str) -> bool;

    /// All directories that have a manifest, as far as a pattern may name them, sorted.
    fn directories(&self) -> Vec<String>;
}

/// The files of a tree, and how they are read.
pub struct TreeFiles<'a> {
    /// The tree.
    pub tree: &'a Tree,
    /// Gives a file's bytes.
    pub read: Read<'a>,
}

/// Manifests, each read once.
pub struct Manifests<'a> {
    files: &'a dyn Files,
    known: RefCell<BTreeMap<String, Rc<Manifest>>>,
}

/// A package of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its directory.
    pub directory: String,
}

impl<'a> Manifests<'a> {
    /// The manifests that lie there.
    pub fn new(files: &'a dyn Files) -> Self {
        Self { files, known: RefCell::default() }
    }

    /// Whether a directory has a manifest.
    pub fn is_at(&self, directory: &str) -> bool {
        join(directory, "Cargo.toml").is_some_and(|path| self.files.is_file(&path))
    }

    /// The manifest in a directory.
    pub fn at(&self, directory: &str) -> Result<Option<Rc<Manifest>>, Error> {
        if let Some(known) = self.known.borrow().get(directory) {
            return Ok(Some(known.clone()));
        }
        let Some(path) = join(directory, "Cargo.toml") else { return Ok(None) };
        let Some(text) = self.text(&path)? else { return Ok(None) };
        let manifest = cargo_manifest::parse(&text).map_err(|source| Error::Manifest { path, source })?;
        let manifest = Rc::new(manifest);
        self.known.borrow_mut().insert(directory.to_owned(), manifest.clone());
        Ok(Some(manifest))
    }

    /// The text of a file, or nothing where there is none.
    pub fn text(&self, path: &str) -> Result<Option<String>, Error> {
        // Cargo passes over a mark of byte order.
        let plain = |text: String| text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Ok(self.files.text(path)?.map(plain))
    }

    /// All directories that have a manifest, sorted.
    pub fn directories(&self) -> Vec<String> {
        self.files.directories()
    }
}

impl TreeFiles<'_> {
    /// The file that a path leads to, through symlinks too.
    fn file(&self, path: &str) -> Option<crate::tree::File> {
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            match self.tree.get(&path)? {
                Node::File(file) => return Some(*file),
                Node::Symlink(target) => path = join(path.rsplit_once('/').map_or("", |(above, _)| above), target)?,
                Node::Directory(_) => return None,
            }
        }
        None
    }
}

impl Files for TreeFiles<'_> {
    fn text(&self, path: &str) -> Result<Option<String>, Error> {
        let Some(file) = self.file(path) else { return Ok(None) };
        let bytes = (self.read)(&file).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        String::from_utf8(bytes).map(Some).map_err(|_| Error::Text { path: path.to_owned() })
    }

    fn is_file(&self, path: &str) -> bool {
        self.file(path).is_some()
    }

    fn directories(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(self.tree, "", &mut |path, below| {
            if matches!(below.get("Cargo.toml"), Some(Node::File(_) | Node::Symlink(_))) {
                found.push(path.to_owned());
            }
        });
        found
    }
}

fn collect(tree: &Tree, path: &str, found: &mut impl FnMut(&str, &Tree)) {
    found(path, tree);
    for (name, node) in tree.entries() {
        if let Node::Directory(below) = node {
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            collect(below, &path, found);
        }
    }
}

/// A relative path from a directory, both inside a tree, in plain form; nothing where it leads outside.
pub fn join(directory: &str, path: &str) -> Option<String> {
    outside(directory, path).filter(|(up, _)| *up == 0).map(|(_, path)| path)
}

/// A relative path from a directory, in plain form: how many directories above the top it begins, and how it goes on
/// from there. Nothing for an absolute path.
pub fn outside(directory: &str, path: &str) -> Option<(usize, String)> {
    if path.starts_with('/') {
        return None;
    }
    let (mut up, mut parts) = (0, Vec::new());
    for part in directory.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => up += 1,
            ".." => {}
            part => parts.push(part),
        }
    }
    Some((up, parts.join("/")))
}

/// Whether a path is a directory or lies below it.
fn within(path: &str, directory: &str) -> bool {
    directory.is_empty() || path == directory || path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// The directory of the root of a package's workspace: the one it names, or the nearest above it that does not
/// exclude it, or else the package's own.
pub fn workspace_root(manifests: &Manifests<'_>, directory: &str) -> Result<String, Error> {
    let Some(manifest) = manifests.at(directory)? else { return Ok(directory.to_owned()) };
    if manifest.workspace.is_some() {
        return Ok(directory.to_owned());
    }
    if let Some(named) = manifest.package.as_ref().and_then(|package| package.workspace.as_ref()) {
        let root = join(directory, named).filter(|root| manifests.is_at(root));
        let path = join(directory, "Cargo.toml").unwrap_or_default();
        return root.ok_or_else(|| Error::NoWorkspace { path, workspace: named.clone() });
    }
    let mut at = directory;
    while !at.is_empty() {
        at = at.rsplit_once('/').map_or("", |(above, _)| above);
        let Some(above) = manifests.at(at)? else { continue };
        if let Some(workspace) = &above.workspace
            && !excluded(workspace, at, directory)
        {
            return Ok(at.to_owned());
        }
    }
    Ok(directory.to_owned())
}

/// Whether a workspace excludes a directory: what it lists as a member, it does not.
pub fn excluded(workspace: &Workspace, root: &str, directory: &str) -> bool {
    let covers = |path: &String| join(root, path).is_some_and(|path| within(directory, &path));
    workspace.exclude.iter().any(covers) && !workspace.members.iter().any(covers)
}

/// The packages of the workspace whose root is in a directory: the root itself, those that it lists, and those that any
/// of them depends on by path, if this is their root too. Sorted by directory.
pub fn members(manifests: &Manifests<'_>, root: &str) -> Result<Vec<Member>, Error> {
    let Some(manifest) = manifests.at(root)? else { return Ok(Vec::new()) };
    let Some(workspace) = &manifest.workspace else { return Ok(Vec::new()) };
    let mut waiting = listed(manifests, root, workspace)?;
    waiting.push(root.to_owned());
    let mut found = BTreeMap::new();
    while let Some(directory) = waiting.pop() {
        if found.contains_key(&directory) {
            continue;
        }
        let Some(member) = manifests.at(&directory)? else { continue };
        let Some(package) = &member.package else { continue };
        if workspace_root(manifests, &directory)? != root {
            continue;
        }
        found.insert(directory.clone(), package.name.clone());
        for dependency in member.path_dependencies(Some(workspace)) {
            let from = if dependency.of_workspace { root } else { &directory };
            waiting.extend(join(from, dependency.path));
        }
    }
    Ok(found.into_iter().map(|(directory, name)| Member { name, directory }).collect())
}

/// The directories with manifests that a workspace lists, by name or by pattern.
fn listed(manifests: &Manifests<'_>, root: &str, workspace: &Workspace) -> Result<Vec<String>, Error> {
    // As cargo has it from the `glob` library: a `*` stays in one directory.
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::default() };
    let mut listed = Vec::new();
    for member in &workspace.members {
        let Some(path) = join(root, member) else { continue };
        if !member.contains(['*', '?', '[']) {
            listed.push(path);
            continue;
        }
        let pattern = Pattern::new(&path).map_err(|source| {
            let path = join(root, "Cargo.toml").unwrap_or_default();
            Error::Pattern { path, pattern: member.clone(), source }
        })?;
        let matching = manifests.directories().into_iter().filter(|one| pattern.matches_with(one, options));
        listed.extend(matching.filter(|one| !excluded(workspace, root, one)));
    }
    Ok(listed)
}
