//! Repositories that tests make, and what envy has of them.

use std::path::Path;

use git2::{Oid, Repository, Signature, Time};

use crate::digest::Commit;
use crate::download::{Downloader, Settings};
use crate::progress::Silent;
use crate::source::Mirrors;
use crate::source::git::{Checkout, Error, Git, GitSettings, Reference, WantedCommit};
use crate::store::Store;
use crate::tree::Node;

/// A repository with its directory.
pub(super) struct Repo {
    directory: tempfile::TempDir,
    pub(super) git: Repository,
}

/// An entry of a tree: its mode, its path, and its content, or for a directory, a submodule or anything strange its id.
pub(super) enum Thing<'t> {
    Text(&'t str),
    Id(Oid),
}

impl Repo {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let git = Repository::init_bare(directory.path()).unwrap();
        git.set_head("refs/heads/main").unwrap();
        Self { directory, git }
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn url(&self) -> String {
        self.path().to_str().unwrap().to_owned()
    }

    pub(super) fn blob(&self, text: &str) -> Oid {
        self.git.blob(text.as_bytes()).unwrap()
    }

    /// A tree object of raw entries, whatever they are called.
    pub(super) fn raw_tree(&self, entries: &[(&str, &[u8], Oid)]) -> Oid {
        let one = |(mode, name, id): &(&str, &[u8], Oid)| [mode.as_bytes(), b" ", name, b"\0", id.as_bytes()].concat();
        let bytes: Vec<u8> = entries.iter().flat_map(one).collect();
        self.git.odb().unwrap().write(git2::ObjectType::Tree, &bytes).unwrap()
    }

    /// A tree of things by their paths.
    pub(super) fn tree(&self, things: &[(&str, &str, Thing<'_>)]) -> Oid {
        let mut index = git2::Index::new().unwrap();
        for (mode, path, thing) in things {
            let id = match thing {
                Thing::Text(text) => self.blob(text),
                Thing::Id(id) => *id,
            };
            let time = git2::IndexTime::new(0, 0);
            let mode = u32::from_str_radix(mode, 8).unwrap();
            let (path, zero) = (path.as_bytes().to_vec(), 0);
            let entry = git2::IndexEntry {
                ctime: time,
                mtime: time,
                dev: zero,
                ino: zero,
                mode,
                uid: zero,
                gid: zero,
                file_size: zero,
                id,
                flags: 0,
                flags_extended: 0,
                path,
            };
            index.add(&entry).unwrap();
        }
        index.write_tree_to(&self.git).unwrap()
    }

    /// A commit of a tree on the branch `main`.
    pub(super) fn commit_tree(&self, tree: Oid) -> Commit {
        let parent = self.git.find_reference("refs/heads/main").ok().map(|main| main.peel_to_commit().unwrap());
        let me = Signature::new("A", "a@a.example", &Time::new(1_700_000_000, 60)).unwrap();
        // Trees that libgit2 would not write are written as they are.
        let text = format!(
            "tree {tree}\n{}author A <a@a.example> 1700000000 +0100\ncommitter A <a@a.example> 1700000000 +0100\n\nx\n",
            parent.map(|parent| format!("parent {}\n", parent.id())).unwrap_or_default()
        );
        let id = self.git.odb().unwrap().write(git2::ObjectType::Commit, text.as_bytes()).unwrap();
        self.git.reference("refs/heads/main", id, true, &me.to_string()).unwrap();
        of(id)
    }

    /// A commit of files alone.
    pub(super) fn commit(&self, files: &[(&str, &str)]) -> Commit {
        let things: Vec<_> = files.iter().map(|(path, text)| ("100644", *path, Thing::Text(text))).collect();
        self.commit_tree(self.tree(&things))
    }

    /// An annotated tag.
    pub(super) fn tag(&self, name: &str, commit: Commit) {
        let object = self.git.find_object(oid(commit), None).unwrap();
        let me = Signature::new("A", "a@a.example", &Time::new(1_700_000_000, 60)).unwrap();
        self.git.tag(name, &object, &me, "x", true).unwrap();
    }

    /// A tag that is a name alone.
    pub(super) fn light_tag(&self, name: &str, commit: Commit) {
        self.git.reference(&format!("refs/tags/{name}"), oid(commit), true, "x").unwrap();
    }

    /// Point a name elsewhere, or remove it.
    pub(super) fn set(&self, name: &str, commit: Option<Commit>) {
        match commit {
            Some(commit) => drop(self.git.reference(name, oid(commit), true, "x").unwrap()),
            None => self.git.find_reference(name).unwrap().delete().unwrap(),
        }
    }
}

pub(super) fn of(id: Oid) -> Commit {
    super::super::objects::commit_of(id)
}

pub(super) fn oid(commit: Commit) -> Oid {
    super::super::objects::oid_of(&commit)
}

/// A cache and a store.
pub(super) struct World {
    pub(super) directory: tempfile::TempDir,
    pub(super) store: Store,
    pub(super) downloader: Downloader,
    pub(super) settings: GitSettings,
    pub(super) mirrors: Mirrors,
}

impl World {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let quick = std::time::Duration::from_millis(1);
        let downloader = Downloader::new(Settings { first_pause: quick, retries: 1, ..Settings::default() });
        let (settings, mirrors) = (GitSettings::default(), Mirrors::default());
        Self { directory, store, downloader, settings, mirrors }
    }

    /// The same, without a network.
    pub(super) fn offline(mut self) -> Self {
        self.downloader = Downloader::new(Settings { offline: true, ..Settings::default() });
        self
    }

    pub(super) fn cache(&self) -> std::path::PathBuf {
        self.directory.path().join("cache")
    }

    /// Repositories as a new process has them.
    pub(super) fn git(&self) -> Git<'_> {
        Git::new(&self.downloader, &self.cache(), self.mirrors.clone(), self.settings)
    }

    pub(super) fn fetch(&self, url: &str, commit: Commit) -> Result<(), Error> {
        self.git().fetch(&[wanted(url, commit, None)], &Silent).remove(0)
    }

    pub(super) fn tree(&self, url: &str, commit: Commit) -> Result<Checkout, Error> {
        self.git().tree(url, &commit, &self.store, &Silent)
    }

    /// A commit's files in lines.
    pub(super) fn shown(&self, url: &str, commit: Commit) -> String {
        let checkout = self.tree(url, commit).unwrap_or_else(|error| panic!("{}", causes(&error)));
        let line = |(path, node): (String, &Node)| match node {
            Node::File(file) => {
                let text = String::from_utf8(self.store.read_file(*file).unwrap()).unwrap();
                format!("{path}{} {text:?}\n", if file.executable { "*" } else { "" })
            }
            Node::Symlink(target) => format!("{path} -> {target}\n"),
            Node::Directory(_) => unreachable!("a directory is no leaf"),
        };
        assert!(self.store.whole_tree(checkout.tree.digest()).unwrap().is_some(), "all of it is in the store");
        checkout.tree.leaves().into_iter().map(line).collect()
    }
}

pub(super) fn wanted(url: &str, commit: Commit, reference: Option<Reference>) -> WantedCommit {
    WantedCommit { name: "app 1.0".into(), url: url.to_owned(), commit, reference }
}

/// An error with all its causes in one line.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let all = std::iter::successors(Some(error), |error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
