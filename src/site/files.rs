//! Files of a site's own: rendered when a generation is made, and then as unchanging as the rest of it.
//!
//! They lie beside the links into the prefix. Where a file's directory is in the prefix too, the generation has a real
//! directory of that name, with the files in it and links to what the prefix has there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::generation::text;
use super::templates::{Fault, Known};
use super::{Generation, Place};
use crate::digest::BlobDigest;
use crate::disk;
use crate::manifest::{FileContent, Site};
use crate::package::SiteName;
use crate::tree::{Node, Tree};

/// The files of a site, by their paths in a generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<String, Rendered>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rendered {
    mode: u32,
    bytes: Vec<u8>,
}

/// A file as a generation tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownFile {
    /// Its permissions, in octal.
    pub mode: String,
    /// Digest of its bytes.
    #[serde(with = "text")]
    pub digest: BlobDigest,
}

/// A file of a site cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("file `{path}` of site `{site}` cannot be made")]
pub struct FileError {
    /// The site.
    pub site: SiteName,
    /// The file.
    pub path: String,
    /// Where the manifest asks for it, by line.
    pub line: usize,
    /// Why.
    #[source]
    pub reason: FileFault,
}

/// Why a file cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// What it is made from is not there.
    #[error("there is no `{0}`")]
    Missing(String),
    /// What it is made from cannot be read.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The template is no text.
    #[error("`{0}` is not UTF-8")]
    NotText(String),
    /// The template is wrong.
    #[error("{}:{}: {}", template.as_deref().unwrap_or("`text`"), fault.line, fault.message)]
    Template {
        /// Its path, unless it stands in the manifest.
        template: Option<String>,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// A file of a site lies where its prefix has something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InTheWay {
    /// The file.
    pub path: String,
    /// What the prefix has: this path itself, or a file that would have to be a directory.
    pub provided: String,
}

impl Files {
    /// Render a site's files, with the names and versions of its packages.
    pub fn render(place: &Place, site: &Site, packages: &BTreeMap<String, String>) -> Result<Self, FileError> {
        if site.files.is_empty() {
            return Ok(Self::default());
        }
        let known = Known::of(place, site, packages);
        let render = |(path, file): (&String, &crate::manifest::SiteFile)| {
            let bytes = bytes(place.project(), &file.content, &known).map_err(|reason| FileError {
                site: site.name.clone(),
                path: path.clone(),
                line: file.span.line,
                reason,
            })?;
            Ok((path.clone(), Rendered { mode: file.mode, bytes }))
        };
        site.files.iter().map(render).collect::<Result<_, _>>().map(Self)
    }

    /// What a generation tells of them.
    pub fn shown(&self) -> BTreeMap<String, ShownFile> {
        let shown =
            |file: &Rendered| ShownFile { mode: format!("{:04o}", file.mode), digest: BlobDigest::of(&file.bytes) };
        self.0.iter().map(|(path, file)| (path.clone(), shown(file))).collect()
    }

    /// The files that a generation tells of: from these where they are the same, else by a function that has them from
    /// elsewhere. Those that nobody has come second.
    pub(super) fn like(
        &self,
        shown: &BTreeMap<String, ShownFile>,
        elsewhere: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> (Self, Vec<String>) {
        let (mut files, mut lost) = (BTreeMap::new(), Vec::new());
        for (path, shown) in shown {
            let here = self.0.get(path).map(|file| file.bytes.clone());
            let is_it = |bytes: &Vec<u8>| BlobDigest::of(bytes) == shown.digest;
            let bytes = here.filter(is_it).or_else(|| elsewhere(path).filter(is_it));
            match (bytes, u32::from_str_radix(&shown.mode, 8)) {
                (Some(bytes), Ok(mode)) => drop(files.insert(path.clone(), Rendered { mode, bytes })),
                _ => lost.push(path.clone()),
            }
        }
        (Self(files), lost)
    }

    /// Those that cannot lie beside what a prefix has.
    pub fn in_the_way(&self, prefix: &Tree) -> Vec<InTheWay> {
        let provided = |path: &str| {
            let above = path.match_indices('/').map(|(end, _)| &path[..end]);
            let mut above = above.filter(|above| !matches!(prefix.get(above), None | Some(Node::Directory(_))));
            above.next().or_else(|| prefix.get(path).map(|_| path)).map(str::to_owned)
        };
        let both = |path: &String| Some(InTheWay { path: path.clone(), provided: provided(path)? });
        self.0.keys().filter_map(both).collect()
    }

    /// Fill the directory of a generation: links to what its prefix has, and these files.
    pub(super) fn lay_out(&self, prefix: &Path, to: &Path) -> disk::Result<()> {
        let files: Vec<_> = self.0.iter().map(|(path, file)| (path.as_str(), file)).collect();
        lay(&files, prefix, to)
    }
}

fn bytes(project: &Path, content: &FileContent, known: &Known) -> Result<Vec<u8>, FileFault> {
    let read = |path: &String| {
        let bytes = disk::read_if_exists(&project.join(path))?;
        bytes.ok_or_else(|| FileFault::Missing(path.clone()))
    };
    let render = |template: Option<&String>, text: &str| {
        let failed = |fault| FileFault::Template { template: template.cloned(), fault };
        Ok(known.render(text).map_err(failed)?.into_bytes())
    };
    match content {
        FileContent::Copy(path) => read(path),
        FileContent::Text(text) => render(None, text),
        FileContent::Template(path) => {
            let text = String::from_utf8(read(path)?).map_err(|_| FileFault::NotText(path.clone()))?;
            render(Some(path), &text)
        }
    }
}

fn lay(files: &[(&str, &Rendered)], prefix: &Path, to: &Path) -> disk::Result<()> {
    let directories: BTreeSet<&str> = files.iter().filter_map(|(path, _)| Some(path.split_once('/')?.0)).collect();
    for (name, _) in disk::list_if_exists(prefix)? {
        if !directories.iter().any(|directory| name == *directory) {
            disk::symlink(&prefix.join(&name), &to.join(&name))?;
        }
    }
    for (name, file) in files.iter().filter(|(path, _)| !path.contains('/')) {
        let path = to.join(name);
        disk::write_synced(&path, &file.bytes, file.mode)?;
        // The process may be one whose new files get fewer permissions than they are made with.
        disk::set_mode(&path, file.mode)?;
    }
    for directory in directories {
        let below = files.iter().filter_map(|&(path, file)| Some((strip(path, directory)?, file)));
        let below: Vec<_> = below.collect();
        let path = to.join(directory);
        disk::create_directory(&path, 0o755)?;
        disk::set_mode(&path, 0o755)?;
        lay(&below, &prefix.join(directory), &path)?;
        disk::sync_directory(&path)?;
    }
    Ok(())
}

/// A path from a directory above it.
fn strip<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    path.strip_prefix(directory)?.strip_prefix('/')
}

impl Place {
    /// The files of a generation that are no longer what they were when it was made.
    pub fn edited_files(&self, generation: &Generation) -> Vec<String> {
        let directory = self.generation_path(generation.number);
        let is_whole = |path: &str, shown: &ShownFile| {
            let path = directory.join(path);
            let bytes = disk::read_if_exists(&path).ok().flatten();
            bytes.is_some_and(|bytes| BlobDigest::of(&bytes) == shown.digest)
                && disk::mode(&path).is_some_and(|mode| format!("{mode:04o}") == shown.mode)
        };
        generation.files.iter().filter(|(path, shown)| !is_whole(path, shown)).map(|(path, _)| path.clone()).collect()
    }
}

/// The names of files that differ, and how: `added`, `changed` or `removed`.
pub fn differences(
    old: &BTreeMap<String, ShownFile>,
    new: &BTreeMap<String, ShownFile>,
) -> Vec<(String, &'static str)> {
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let how = |path: &String| match (old.get(path), new.get(path)) {
        (None, Some(_)) => Some("added"),
        (Some(_), None) => Some("removed"),
        (old, new) => (old != new).then_some("changed"),
    };
    paths.into_iter().filter_map(|path| Some((path.clone(), how(path)?))).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::tree::File;

    fn files(paths: &[&str]) -> Files {
        Files(paths.iter().map(|path| ((*path).to_owned(), Rendered { mode: 0o600, bytes: b"x".to_vec() })).collect())
    }

    #[test]
    fn files_lie_beside_what_the_prefix_has() {
        let directory = tempfile::tempdir().unwrap();
        let (prefix, to) = (directory.path().join("prefix"), directory.path().join("to"));
        for path in ["bin/run", "etc/nginx/mime.types", "etc/hosts", "etc/ssl/certs/ca"] {
            disk::write_atomic(&prefix.join(path), b"theirs").unwrap();
        }
        disk::create_directory(&to, 0o755).unwrap();
        files(&["etc/nginx/nginx.conf", "lib/systemd/a.service", "README"]).lay_out(&prefix, &to).unwrap();
        let mut found = Vec::new();
        list(&to, "", &mut found);
        expect![[r#"
            README 0600
            bin -> bin
            etc/hosts -> etc/hosts
            etc/nginx/mime.types -> etc/nginx/mime.types
            etc/nginx/nginx.conf 0600
            etc/ssl -> etc/ssl
            lib/systemd/a.service 0600
        "#]]
        .assert_eq(
            &found.iter().map(|line| line.replace(&format!("{}/", prefix.display()), "") + "\n").collect::<String>(),
        );
        assert_eq!(disk::read(&to.join("etc/ssl/certs/ca")).unwrap(), b"theirs");
    }

    fn list(directory: &Path, below: &str, found: &mut Vec<String>) {
        for (name, kind) in disk::list(directory).unwrap() {
            let (path, inner) = (directory.join(&name), format!("{below}{}", name.to_string_lossy()));
            match kind {
                disk::Kind::Directory => list(&path, &format!("{inner}/"), found),
                disk::Kind::Symlink => found.push(format!("{inner} -> {}", disk::read_link(&path).unwrap().display())),
                _ => found.push(format!("{inner} {:04o}", disk::mode(&path).unwrap())),
            }
        }
    }

    #[test]
    fn what_the_prefix_has_is_in_the_way() {
        let mut tree = Tree::default();
        let file = Node::File(File { blob: BlobDigest::of(b""), size: 0, executable: false });
        tree.insert("etc/app/app.toml", file.clone()).unwrap();
        tree.insert("lib64", Node::Symlink("lib".into())).unwrap();
        let both = files(&["etc/app", "etc/app/app.toml/x", "etc/other", "lib64/x", "var/x"]).in_the_way(&tree);
        let lines = both.iter().map(|one| format!("{} by {}\n", one.path, one.provided));
        expect![[r#"
            etc/app by etc/app
            etc/app/app.toml/x by etc/app/app.toml
            lib64/x by lib64
        "#]]
        .assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn differences_are_told_by_path() {
        let (old, new) = (files(&["a", "b"]).shown(), files(&["b", "c"]).shown());
        assert_eq!(differences(&old, &new), [("a".to_owned(), "removed"), ("c".to_owned(), "added")]);
        let mut new = old.clone();
        new.get_mut("b").unwrap().mode = "0644".to_owned();
        assert_eq!(differences(&old, &new), [("b".to_owned(), "changed")]);
    }
}
