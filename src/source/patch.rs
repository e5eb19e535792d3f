//! Patches of source trees: unified diffs, as `diff -u` and `git diff` write them.
//!
//! Paths are taken without their first part, as `patch -p1` does, or whole, where git wrote them without `a/` and `b/`;
//! if not all files of a patch are there by that, but all are the other way, that way is taken. A hunk may stand at other
//! lines than it says, but every line of its context has to be there. A patch whose own lines end in CR LF, because
//! something converted it, is read without the CRs, and fits files of either kind; the ends of lines in any other patch
//! count as they are.

mod hunks;
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
        let (text, converted) = without_conversion(&patch.text);
        for section in sections(&text) {
            let before = now.clone();
            Applying { patch: &patch.name, store, before: &before, tree: &mut now, converted }.all(section)?;
        }
        if now == before {
            return Err(Error::Nothing { patch: patch.name.clone() });
        }
    }
    store.put_tree(&now)?;
    Ok(now)
}

type Change<'a> = FilePatch<'a, [u8]>;

/// One change of a tree that is being applied: a patch, or a commit in one.
struct Applying<'a> {
    patch: &'a str,
    store: &'a Store,
    before: &'a Tree,
    tree: &'a mut Tree,
    converted: bool,
}

impl Applying<'_> {
    fn name(&self) -> String {
        self.patch.to_owned()
    }

    fn all(&mut self, text: &[u8]) -> Result<(), Error> {
        let options = self.options(text)?;
        let changes = PatchSet::parse_bytes(text, options).collect::<Result<Vec<_>, _>>();
        let changes = changes.map_err(|source| Error::Parse { patch: self.name(), source })?;
        let strip = self.strip(text, &changes);
        // Git names sources as they were before, so what is moved away makes room for what comes.
        for change in &changes {
            if let FileOperation::Rename { from, .. } = change.operation() {
                let from = self.path(from)?;
                self.file(&from)?;
                self.tree.remove(&from);
            }
        }
        changes.iter().try_for_each(|change| self.change(change, strip))
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

    /// How many parts to take off paths: one, unless git wrote them whole; and the other way round if the patch's files
    /// are there only by that.
    fn strip(&self, text: &[u8], changes: &[Change<'_>]) -> usize {
        let is_there = |path: &&[u8], strip| stripped(path, strip).is_some_and(|path| self.tree.get(&path).is_some());
        let finds = |change: &Change<'_>, strip| old_paths(change).iter().any(|path| is_there(path, strip));
        let may_be_new = |change: &Change<'_>| is_of_nothing(change) && !finds(change, 0) && !finds(change, 1);
        let needs: Vec<_> = changes.iter().filter(|one| !old_paths(one).is_empty() && !may_be_new(one)).collect();
        let fits = |strip| needs.iter().all(|change| finds(change, strip));
        let (guess, other) = if has_whole_paths(text) { (0, 1) } else { (1, 0) };
        if !needs.is_empty() && !fits(guess) && fits(other) { other } else { guess }
    }

    fn change(&mut self, change: &Change<'_>, strip: usize) -> Result<(), Error> {
        let strip_of = if by_headers(change.operation()) { 0 } else { strip };
        let operation = change.operation().strip_prefix(strip_of);
        match &operation {
            FileOperation::Create(path) => self.create(change, &self.path(path)?),
            FileOperation::Delete(path) => self.delete(change, &self.path(path)?),
            FileOperation::Modify { original, modified } => {
                let path = self.modified(original, modified)?;
                // `diff -N` names a file that it adds twice, where others write /dev/null.
                if is_of_nothing(change) && self.tree.get(&path).is_none() {
                    return self.create(change, &path);
                }
                self.moved(change, self.file(&path)?, &path)
            }
            FileOperation::Rename { from, to } | FileOperation::Copy { from, to } => {
                let (from, to) = (self.path(from)?, self.path(to)?);
                self.absent(&to)?;
                self.moved(change, self.file_in(self.before, &from)?, &to)
            }
        }
    }

    /// The file that a change is of, where its two paths may differ: `diff -u file.orig file`.
    fn modified(&self, original: &[u8], modified: &[u8]) -> Result<String, Error> {
        let (original, modified) = (self.path(original)?, self.path(modified)?);
        let other = self.tree.get(&modified).is_none() && self.tree.get(&original).is_some();
        Ok(if other { original } else { modified })
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
        self.file_in(self.tree, path)
    }

    fn file_in(&self, tree: &Tree, path: &str) -> Result<File, Error> {
        let (patch, whole) = (self.name(), path.to_owned());
        match tree.get(path) {
            Some(Node::File(file)) => Ok(*file),
            Some(_) => Err(Error::NoFile { patch, path: whole }),
            None => Err(Error::Missing { patch, path: whole }),
        }
    }

    fn put(&mut self, path: &str, file: File) -> Result<(), Error> {
        self.tree.insert(path, Node::File(file)).map_err(|source| Error::Tree { patch: self.patch.to_owned(), source })
    }

    fn create(&mut self, change: &Change<'_>, path: &str) -> Result<(), Error> {
        self.absent(path)?;
        let bytes = self.applied(change, path, b"")?;
        let file = self.store.put_file(&bytes, self.executable(change, path, false)?)?;
        self.put(path, file)
    }

    fn delete(&mut self, change: &Change<'_>, path: &str) -> Result<(), Error> {
        let bytes = self.store.read_file(self.file(path)?)?;
        let rest = self.applied(change, path, &bytes)?;
        // Git writes no hunk for a file that was empty.
        if !rest.is_empty() {
            return Err(Error::Rest { patch: self.name(), path: path.to_owned() });
        }
        self.tree.remove(path);
        Ok(())
    }

    /// Put a changed file where it belongs.
    fn moved(&mut self, change: &Change<'_>, file: File, to: &str) -> Result<(), Error> {
        let bytes = self.applied(change, to, &self.store.read_file(file)?)?;
        let file = self.store.put_file(&bytes, self.executable(change, to, file.executable)?)?;
        self.tree.remove(to);
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
    fn applied(&self, change: &Change<'_>, path: &str, before: &[u8]) -> Result<Vec<u8>, Error> {
        let PatchKind::Text(text) = change.patch() else {
            return Err(Error::Binary { patch: self.name(), path: path.to_owned() });
        };
        let with_cr = self.converted && all_end_in_crlf(before);
        let before = if with_cr { Cow::Owned(without_cr(before)) } else { Cow::Borrowed(before) };
        let after = hunks::apply(&before, text.hunks()).map_err(|index| {
            let header = header(&text.hunks()[index]);
            Error::Hunk { patch: self.name(), path: path.to_owned(), number: index + 1, header }
        })?;
        Ok(if with_cr { with_crlf(&after) } else { after })
    }
}

/// The commits that `git format-patch` wrote into one text; any other text is one.
fn sections(text: &[u8]) -> Vec<&[u8]> {
    let is_begin = |line: &[u8]| {
        let id = line.strip_prefix(b"From ").and_then(|rest| rest.split(|byte| *byte == b' ').next());
        id.is_some_and(|id| id.len() >= 40 && id.iter().all(u8::is_ascii_hexdigit))
    };
    let (mut begins, mut at) = (vec![0], 0);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if at > 0 && is_begin(line) {
            begins.push(at);
        }
        at += line.len();
    }
    let ends = begins.iter().skip(1).copied().chain([text.len()]);
    let all: Vec<_> = begins.iter().zip(ends).map(|(begin, end)| &text[*begin..end]).collect();
    // A letter that introduces the others changes nothing.
    let changes = |section: &&[u8]| {
        let mut lines = section.split(|byte| *byte == b'\n');
        lines.any(|line| line.starts_with(b"diff --git ") || line.starts_with(b"+++ "))
    };
    let with_changes: Vec<_> = all.iter().copied().filter(changes).collect();
    if with_changes.is_empty() { all } else { with_changes }
}

/// The lines that a hunk says it is about, as it writes them.
fn header(hunk: &diffy::Hunk<'_, [u8]>) -> String {
    format!("@@ -{} +{} @@", hunk.old_range(), hunk.new_range())
}

/// Whether git says in headers of their own where a file was and where it is: without anything before the paths.
fn by_headers(operation: &FileOperation<'_, [u8]>) -> bool {
    operation.is_rename() || operation.is_copy()
}

/// Whether a change is one of a file that was empty or was not there: all it has is one hunk from line 0.
fn is_of_nothing(change: &Change<'_>) -> bool {
    let PatchKind::Text(text) = change.patch() else { return false };
    matches!(text.hunks(), [hunk] if hunk.old_range().is_empty() && hunk.old_range().start() == 0)
}

/// The paths of the file that a change needs, if it needs one and no header says where that is: any of them.
fn old_paths<'c>(change: &'c Change<'_>) -> Vec<&'c [u8]> {
    match change.operation() {
        FileOperation::Delete(path) => vec![path],
        FileOperation::Modify { original, modified } => vec![modified, original],
        FileOperation::Create(_) | FileOperation::Rename { .. } | FileOperation::Copy { .. } => Vec::new(),
    }
}

/// A path without so many of its first parts, if it has them.
fn stripped(path: &[u8], strip: usize) -> Option<String> {
    let path = std::str::from_utf8(path).ok()?;
    path.splitn(strip + 1, '/').nth(strip).map(str::to_owned)
}

/// Whether git wrote paths without `a/` and `b/`: then a file that stays where it is has one path, twice.
fn has_whole_paths(text: &[u8]) -> bool {
    let mut headers = text.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"diff --git "));
    headers.any(|paths| {
        let (first, second) = paths.split_at(paths.len() / 2);
        second.strip_prefix(b" ") == Some(first)
    })
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
