//! Patches of source trees: unified diffs, as `diff -u` and `git diff` write them.
//!
//! Paths are taken without their first part, as `patch -p1` does; if no file of a patch is there by such a path, but all
//! are by the whole one, they are taken whole. A hunk may stand at other lines than it says, but every line of its
//! context has to be there. A patch whose own lines end in CR LF, because something converted it, is read without the
//! CRs, and fits files of either kind; the ends of lines in any other patch count as they are.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use diffy::patch_set::{FileMode, FileOperation, FilePatch, ParseOptions, PatchKind, PatchSet, PatchSetParseError};

use crate::store::{self, Store};
use crate::tree::{self, File, Node, Tree};

/// A patch, as a project names it.
#[derive(Clone, Debug)]
pub struct Patch {
    /// What it is called, as written.
    pub name: String,
    /// Its text.
    pub text: Vec<u8>,
}

/// A patch cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is none.
    #[error("could not understand the patch `{patch}`")]
    Parse { patch: String, source: PatchSetParseError },
    /// Parts of it would have been passed over.
    #[error("the patch `{patch}` mixes changes with and without `diff --git`")]
    Mixed { patch: String },
    /// A path that is none.
    #[error("the patch `{patch}` has a path that is not UTF-8")]
    Name { patch: String },
    /// A path that leads elsewhere.
    #[error("the patch `{patch}` leads outside, to `{path}`")]
    Outside { patch: String, path: String },
    /// A path below something that is no directory.
    #[error("the patch `{patch}` leads through `{through}`, which is no directory, to `{path}`")]
    Through { patch: String, path: String, through: String },
    /// A change of what is not there.
    #[error("the patch `{patch}` changes `{path}`, which is not there")]
    Missing { patch: String, path: String },
    /// A new file that is there.
    #[error("the patch `{patch}` adds `{path}`, which is there")]
    Present { patch: String, path: String },
    /// A change of something else than a file.
    #[error("the patch `{patch}` changes `{path}`, which is no regular file")]
    NoFile { patch: String, path: String },
    /// A mode that no file in a tree has.
    #[error("the patch `{patch}` makes `{path}` a symlink or a submodule, which no patch may")]
    Mode { patch: String, path: String },
    /// A change of bytes.
    #[error("the patch `{patch}` has a binary change of `{path}`, which envy does not apply")]
    Binary { patch: String, path: String },
    /// A hunk whose lines are not there.
    #[error("the patch `{patch}` does not fit `{path}`: hunk {number}, `{header}`")]
    Hunk { patch: String, path: String, number: usize, header: String },
    /// A deletion of a file that has more in it.
    #[error("the patch `{patch}` deletes `{path}`, but would leave some of its lines")]
    Rest { patch: String, path: String },
    /// A patch without an effect.
    #[error("the patch `{patch}` changes nothing")]
    Nothing { patch: String },
    /// The store does not have or take a file.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A tree cannot hold what comes of it.
    #[error("the patch `{patch}` makes what no tree can hold")]
    Tree { patch: String, source: tree::Error },
}

/// A tree after these patches, one after the other. What they touch is read from the store, and what comes of it kept
/// there.
pub fn patched(tree: &Tree, patches: &[Patch], store: &Store) -> Result<Tree, Error> {
    let mut now = tree.clone();
    for patch in patches {
        let before = now.clone();
        Applying { patch: &patch.name, store, tree: &mut now }.all(&patch.text)?;
        if now == before {
            return Err(Error::Nothing { patch: patch.name.clone() });
        }
    }
    store.put_tree(&now)?;
    Ok(now)
}

type Change<'a> = FilePatch<'a, [u8]>;

/// A patch that is being applied.
struct Applying<'a> {
    patch: &'a str,
    store: &'a Store,
    tree: &'a mut Tree,
}

impl Applying<'_> {
    fn name(&self) -> String {
        self.patch.to_owned()
    }

    fn all(&mut self, text: &[u8]) -> Result<(), Error> {
        let (text, converted) = without_conversion(text);
        let options = self.options(&text)?;
        let changes = PatchSet::parse_bytes(&text, options).collect::<Result<Vec<_>, _>>();
        let changes = changes.map_err(|source| Error::Parse { patch: self.name(), source })?;
        let strip = self.strip(&changes);
        changes.iter().try_for_each(|change| self.change(change, strip, converted))
    }

    fn options(&self, text: &[u8]) -> Result<ParseOptions, Error> {
        let lines: Vec<_> = text.split(|byte| *byte == b'\n').collect();
        let Some(git) = lines.iter().position(|line| line.starts_with(b"diff --git ")) else {
            return Ok(ParseOptions::unidiff());
        };
        // A parser of git's patches begins at its first header.
        let plain = lines[..git].windows(3).any(|three| {
            three[0].starts_with(b"--- ") && three[1].starts_with(b"+++ ") && three[2].starts_with(b"@@ ")
        });
        if plain { Err(Error::Mixed { patch: self.name() }) } else { Ok(ParseOptions::gitdiff()) }
    }

    /// How many parts to take off paths: one, unless only whole paths lead to files.
    fn strip(&self, changes: &[Change<'_>]) -> usize {
        let there = |strip| {
            let mut olds = changes.iter().filter_map(|change| old_path(change, strip)).peekable();
            olds.peek().is_some() && olds.all(|path| self.tree.get(&path).is_some())
        };
        let none = |strip| {
            let mut olds = changes.iter().filter_map(|change| old_path(change, strip));
            olds.all(|path| self.tree.get(&path).is_none())
        };
        usize::from(!(none(1) && there(0)))
    }

    fn change(&mut self, change: &Change<'_>, strip: usize, converted: bool) -> Result<(), Error> {
        let strip_of = if by_headers(change.operation()) { 0 } else { strip };
        let operation = change.operation().strip_prefix(strip_of);
        match &operation {
            FileOperation::Create(path) => self.create(change, &self.path(path)?),
            FileOperation::Delete(path) => self.delete(change, &self.path(path)?, converted),
            FileOperation::Modify { original, modified } => {
                let (from, to) = self.modified(original, modified)?;
                self.modify(change, &from, &to, converted)
            }
            FileOperation::Rename { from, to } => {
                let (from, to) = (self.path(from)?, self.path(to)?);
                self.absent(&to)?;
                self.modify(change, &from, &to, converted)
            }
            FileOperation::Copy { from, to } => {
                let (from, to) = (self.path(from)?, self.path(to)?);
                self.absent(&to)?;
                let kept = self.file(&from)?;
                self.modify(change, &from, &to, converted)?;
                self.put(&from, kept)
            }
        }
    }

    /// The file that a change is of, where its two paths may differ: `diff -u file.orig file`.
    fn modified(&self, original: &[u8], modified: &[u8]) -> Result<(String, String), Error> {
        let (original, modified) = (self.path(original)?, self.path(modified)?);
        let path =
            if self.tree.get(&modified).is_some() || self.tree.get(&original).is_none() { modified } else { original };
        Ok((path.clone(), path))
    }

    /// A plain path inside, below directories only.
    fn path(&self, path: &[u8]) -> Result<String, Error> {
        let path = std::str::from_utf8(path).map_err(|_| Error::Name { patch: self.name() })?;
        let plain: Vec<_> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if path.starts_with('/') || plain.is_empty() || plain.contains(&"..") || path.contains('\0') {
            return Err(Error::Outside { patch: self.name(), path: path.to_owned() });
        }
        let path = plain.join("/");
        for (end, _) in path.match_indices('/') {
            if matches!(self.tree.get(&path[..end]), Some(Node::File(_) | Node::Symlink(_))) {
                let through = path[..end].to_owned();
                return Err(Error::Through { patch: self.name(), path, through });
            }
        }
        Ok(path)
    }

    fn absent(&self, path: &str) -> Result<(), Error> {
        match self.tree.get(path) {
            None => Ok(()),
            Some(_) => Err(Error::Present { patch: self.name(), path: path.to_owned() }),
        }
    }

    fn file(&self, path: &str) -> Result<File, Error> {
        let (patch, path_) = (self.name(), path.to_owned());
        match self.tree.get(path) {
            Some(Node::File(file)) => Ok(*file),
            Some(_) => Err(Error::NoFile { patch, path: path_ }),
            None => Err(Error::Missing { patch, path: path_ }),
        }
    }

    fn put(&mut self, path: &str, file: File) -> Result<(), Error> {
        self.tree.insert(path, Node::File(file)).map_err(|source| Error::Tree { patch: self.patch.to_owned(), source })
    }

    fn create(&mut self, change: &Change<'_>, path: &str) -> Result<(), Error> {
        self.absent(path)?;
        let bytes = self.applied(change, path, b"", false)?;
        let file = self.store.put_file(&bytes, self.executable(change, path, false)?)?;
        self.put(path, file)
    }

    fn delete(&mut self, change: &Change<'_>, path: &str, converted: bool) -> Result<(), Error> {
        let bytes = self.store.read_file(self.file(path)?)?;
        let rest = self.applied(change, path, &bytes, converted)?;
        // Git writes no hunk for a file that was empty.
        if !rest.is_empty() {
            return Err(Error::Rest { patch: self.name(), path: path.to_owned() });
        }
        self.tree.remove(path);
        Ok(())
    }

    fn modify(&mut self, change: &Change<'_>, from: &str, to: &str, converted: bool) -> Result<(), Error> {
        let file = self.file(from)?;
        let bytes = self.applied(change, from, &self.store.read_file(file)?, converted)?;
        let file = self.store.put_file(&bytes, self.executable(change, to, file.executable)?)?;
        self.tree.remove(from);
        self.put(to, file)
    }

    fn executable(&self, change: &Change<'_>, path: &str, before: bool) -> Result<bool, Error> {
        match change.new_mode() {
            None => Ok(before),
            Some(FileMode::Regular) => Ok(false),
            Some(FileMode::Executable) => Ok(true),
            Some(FileMode::Symlink | FileMode::Gitlink) => {
                Err(Error::Mode { patch: self.name(), path: path.to_owned() })
            }
        }
    }

    /// A file's bytes after a change.
    fn applied(&self, change: &Change<'_>, path: &str, before: &[u8], converted: bool) -> Result<Vec<u8>, Error> {
        let PatchKind::Text(hunks) = change.patch() else {
            return Err(Error::Binary { patch: self.name(), path: path.to_owned() });
        };
        let with_cr = converted && all_end_in_crlf(before);
        let before = if with_cr { Cow::Owned(without_cr(before)) } else { Cow::Borrowed(before) };
        let after = diffy::apply_bytes(&before, hunks).map_err(|error| {
            // The library says which hunk only in words.
            let number = error.to_string().rsplit('#').next().and_then(|text| text.parse().ok()).unwrap_or(1);
            let header = hunks.hunks().get(number - 1).map(header).unwrap_or_default();
            Error::Hunk { patch: self.name(), path: path.to_owned(), number, header }
        })?;
        Ok(if with_cr { with_crlf(&after) } else { after })
    }
}

/// The lines that a hunk says it is about, as it writes them.
fn header(hunk: &diffy::Hunk<'_, [u8]>) -> String {
    format!("@@ -{} +{} @@", hunk.old_range(), hunk.new_range())
}

/// Whether git says in headers of their own where a file was and where it is: without anything before the paths.
fn by_headers(operation: &FileOperation<'_, [u8]>) -> bool {
    operation.is_rename() || operation.is_copy()
}

/// The path of the file that a change needs, if it needs one and nothing says where it is for certain.
fn old_path(change: &Change<'_>, strip: usize) -> Option<String> {
    let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    match change.operation().strip_prefix(strip) {
        FileOperation::Delete(path) => Some(text(&path)),
        FileOperation::Modify { modified, .. } => Some(text(&modified)),
        FileOperation::Create(_) | FileOperation::Rename { .. } | FileOperation::Copy { .. } => None,
    }
}

/// A patch's text without what a conversion of its lines did to it, and whether there was one.
fn without_conversion(text: &[u8]) -> (Cow<'_, [u8]>, bool) {
    let begins = |line: &[u8]| [&b"--- "[..], b"+++ ", b"@@ ", b"diff --git "].iter().any(|one| line.starts_with(one));
    let mut headers = text.split_inclusive(|byte| *byte == b'\n').filter(|line| begins(line)).peekable();
    let converted = headers.peek().is_some() && headers.all(|line| line.ends_with(b"\r\n"));
    if converted { (Cow::Owned(without_cr(text)), true) } else { (Cow::Borrowed(text), false) }
}

fn all_end_in_crlf(text: &[u8]) -> bool {
    let mut lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).peekable();
    lines.peek().is_some() && lines.all(|line| line.ends_with(b"\r\n"))
}

fn without_cr(text: &[u8]) -> Vec<u8> {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines
        .flat_map(|line| line.strip_suffix(b"\r\n").map_or([line, b""], |line| [line, b"\n"]))
        .flatten()
        .copied()
        .collect()
}

fn with_crlf(text: &[u8]) -> Vec<u8> {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines
        .flat_map(|line| line.strip_suffix(b"\n").map_or([line, b""], |line| [line, b"\r\n"]))
        .flatten()
        .copied()
        .collect()
}
