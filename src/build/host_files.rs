//! Files of the host that a build is to see, each where the host has it, with everything that links pass through and
//! the libraries that programs load.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;

use super::elf::{self, Elf};
use super::identity::Asks;
use super::{Error, Host, Memo};
use crate::disk;
use crate::tree::{File, Node, Tree};

/// Where nothing of the host can be shown: the view has these from elsewhere.
const NEVER: &[&str] = &["/dev", "/envy", "/proc", "/sys"];

/// How many links a path may pass through, as for the kernel.
const LINKS: usize = 40;

/// Files of the host, collected for one view.
pub(super) struct HostFiles<'a> {
    host: &'a Host,
    memo: &'a Memo,
    /// The file of the host that is seen at each place.
    files: BTreeMap<PathBuf, PathBuf>,
    /// The symlinks, and what they say.
    links: BTreeMap<PathBuf, PathBuf>,
    directories: BTreeSet<PathBuf>,
    /// Files that were not asked yet what they are loaded with.
    fresh: Vec<PathBuf>,
    /// What the build sees elsewhere, so that it is not shown here, but only asked what it is loaded with.
    elsewhere: Option<&'a Path>,
    asked: BTreeSet<PathBuf>,
}

/// What was collected: the tree that a build sees, and the file of the host at each of its places.
pub(super) struct Collected {
    pub(super) tree: Tree,
    pub(super) origins: BTreeMap<String, PathBuf>,
}

impl<'a> HostFiles<'a> {
    /// Nothing yet. Of what lies in the directory `elsewhere`, nothing will be shown.
    pub(super) fn new(host: &'a Host, memo: &'a Memo, elsewhere: Option<&'a Path>) -> Self {
        Self {
            host,
            memo,
            files: BTreeMap::new(),
            links: BTreeMap::new(),
            directories: BTreeSet::new(),
            fresh: Vec::new(),
            elsewhere,
            asked: BTreeSet::new(),
        }
    }

    /// Show the file that a path leads to, with every link on the way; tells which file or directory it is, if any.
    pub(super) fn add(&mut self, path: &Path) -> Option<PathBuf> {
        let (real, links) = follow(path)?;
        if !NEVER.iter().all(|never| !real.starts_with(never)) {
            return None;
        }
        if self.elsewhere.is_some_and(|elsewhere| real.starts_with(elsewhere)) {
            if disk::is_file(&real) && self.asked.insert(real.clone()) {
                self.fresh.push(real.clone());
            }
            return Some(real);
        }
        self.links.extend(links);
        if disk::is_file(&real) && self.files.insert(real.clone(), real.clone()).is_none() {
            self.fresh.push(real.clone());
        }
        Some(real)
    }

    /// Show all that is in a directory, less what has one of these names.
    pub(super) fn add_directory(&mut self, path: &Path, leave_out: &[&str]) -> Result<(), Error> {
        let Some(real) = self.add(path).filter(|real| disk::is_directory(real)) else { return Ok(()) };
        if !self.directories.insert(real.clone()) {
            return Ok(());
        }
        for (name, kind) in disk::list(&real)? {
            if name.to_str().is_none_or(|name| name == "__pycache__" || leave_out.contains(&name)) {
                continue;
            }
            match kind {
                disk::Kind::Directory => self.add_directory(&real.join(name), leave_out)?,
                disk::Kind::File { .. } | disk::Kind::Symlink => drop(self.add(&real.join(name))),
                disk::Kind::Other => {}
            }
        }
        Ok(())
    }

    /// Show a file of the host at a place of its own.
    pub(super) fn show(&mut self, from: &Path, to: PathBuf) {
        self.fresh.push(from.to_owned());
        self.files.insert(to, from.to_owned());
    }

    /// Show a symlink that the host does not have.
    pub(super) fn link(&mut self, at: PathBuf, target: PathBuf) {
        self.links.insert(at, target);
    }

    /// Add what programs and libraries are loaded with, and what that is loaded with, until nothing is missing.
    pub(super) fn add_libraries(&mut self) -> Result<(), Error> {
        while !self.fresh.is_empty() {
            let fresh = std::mem::take(&mut self.fresh);
            let asked = fresh.par_iter().map(|path| Ok((path, self.asks(path)?)));
            let asked = asked.collect::<Result<Vec<_>, Error>>()?;
            for (path, asks) in asked {
                asks.interpreter.iter().for_each(|interpreter| drop(self.add(Path::new(interpreter))));
                let directories = run_path(path, &asks.directories);
                asks.libraries.iter().for_each(|name| self.add_library(name, &directories));
            }
        }
        Ok(())
    }

    /// Add a library as the dynamic linker finds it. The linker's cache is not shown, so what it finds only by that
    /// gets a link beside the C library.
    pub(super) fn add_library(&mut self, name: &str, directories: &[PathBuf]) {
        let Some(path) = self.host.library(name, directories) else { return };
        let directory = path.parent().unwrap_or(Path::new("/"));
        if !directories.iter().any(|one| one == directory)
            && !self.host.is_usual(directory)
            && let Some(usual) = self.host.library("libc.so.6", &[]).and_then(|libc| disk::canonical(&libc).ok())
        {
            self.link(usual.with_file_name(name), path.clone());
        }
        self.add(&path);
    }

    /// What a file is loaded with, if it may be loaded at all.
    fn asks(&self, path: &Path) -> Result<Asks, Error> {
        let is_library = path.file_name().is_some_and(|name| name.to_string_lossy().contains(".so"));
        if !is_library && disk::kind(path)? != (disk::Kind::File { executable: true }) {
            return Ok(Asks::default());
        }
        Ok(self.memo.asks(path, || self.read_asks(path))?)
    }

    fn read_asks(&self, path: &Path) -> Result<Asks, disk::Error> {
        if elf::machine(&disk::read_head(path, elf::HEAD)?) != Some(self.host.platform().elf_machine()) {
            return Ok(Asks::default());
        }
        let Ok(elf) = Elf::read(&disk::read(path)?) else { return Ok(Asks::default()) };
        Ok(Asks { interpreter: elf.interpreter, libraries: elf.libraries, directories: elf.directories })
    }

    /// Whether a program is loaded with nothing that lies beside it.
    pub(super) fn stands_alone(&self, program: &Path) -> Result<bool, Error> {
        Ok(self.asks(program)?.directories.is_empty())
    }

    /// All of it, by content.
    pub(super) fn collect(self) -> Result<Collected, Error> {
        let places: Vec<_> = self.files.iter().collect();
        let origins: Vec<_> = places.iter().map(|(_, from)| from.as_path()).collect();
        let contents = self.memo.contents(&origins)?;
        let mut collected = Collected { tree: Tree::default(), origins: BTreeMap::new() };
        for ((to, from), (blob, size)) in places.into_iter().zip(contents) {
            let executable = disk::kind(from)? == disk::Kind::File { executable: true };
            collected.insert(to, Node::File(File { blob, size, executable }))?;
            collected.origins.insert(relative(to), from.clone());
        }
        for (at, target) in &self.links {
            collected.insert(at, Node::Symlink(target.to_string_lossy().into_owned()))?;
        }
        Ok(collected)
    }
}

impl Collected {
    fn insert(&mut self, at: &Path, node: Node) -> Result<(), Error> {
        self.tree.insert(&relative(at), node).map_err(|source| Error::ToolFile { path: at.to_owned(), source })
    }
}

fn relative(path: &Path) -> String {
    path.to_string_lossy().trim_start_matches('/').to_owned()
}

/// The directories of a run path, where the file that has it is known.
fn run_path(file: &Path, directories: &[String]) -> Vec<PathBuf> {
    let origin = file.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
    let expand = |text: &String| text.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin);
    directories.iter().map(expand).filter(|path| path.starts_with('/')).map(PathBuf::from).collect()
}

/// Where a path leads, and every link that it passes through; nothing where it leads nowhere.
fn follow(path: &Path) -> Option<(PathBuf, BTreeMap<PathBuf, PathBuf>)> {
    let (mut real, mut links) = (PathBuf::from("/"), BTreeMap::new());
    let mut rest: Vec<_> = path.components().map(|part| part.as_os_str().to_owned()).rev().collect();
    let mut passed = 0;
    while let Some(part) = rest.pop() {
        match Path::new(&part).components().next()? {
            Component::RootDir => real = PathBuf::from("/"),
            Component::ParentDir => drop(real.pop()),
            Component::Normal(name) => {
                let at = real.join(name);
                let Some(target) = disk::read_link(&at) else {
                    real = at;
                    continue;
                };
                passed += 1;
                if passed > LINKS || at.to_str().is_none() || target.to_str().is_none() {
                    return None;
                }
                rest.extend(target.components().map(|part| part.as_os_str().to_owned()).rev());
                links.insert(at, target);
            }
            _ => {}
        }
    }
    (disk::exists(&real) && real.to_str().is_some()).then_some((real, links))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_brings_every_link_that_it_passes_through() {
        let directory = tempfile::tempdir().unwrap();
        let root = disk::canonical(directory.path()).unwrap();
        disk::write_atomic(&root.join("usr/bin/gcc-12"), b"gcc").unwrap();
        disk::create_directories(&root.join("etc")).unwrap();
        disk::symlink(Path::new("usr/bin"), &root.join("bin")).unwrap();
        disk::symlink(&root.join("etc/cc"), &root.join("usr/bin/cc")).unwrap();
        disk::symlink(Path::new("../bin/gcc-12"), &root.join("etc/cc")).unwrap();
        let (real, links) = follow(&root.join("bin/cc")).unwrap();
        assert_eq!(real, root.join("usr/bin/gcc-12"));
        let passed: Vec<_> = links.keys().map(|link| link.strip_prefix(&root).unwrap().to_str().unwrap()).collect();
        assert_eq!(passed, ["bin", "etc/cc", "usr/bin/cc"]);
        disk::symlink(Path::new("loop"), &root.join("loop")).unwrap();
        assert!(follow(&root.join("loop")).is_none() && follow(&root.join("none")).is_none());
    }

    #[test]
    fn a_program_brings_its_linker_and_its_libraries() {
        let (directory, host) = (tempfile::tempdir().unwrap(), Host::look());
        let memo = Memo::open(directory.path());
        let mut files = HostFiles::new(&host, &memo, None);
        files.show(&crate::process::this_program().unwrap(), "/envy/host/this".into());
        files.add_libraries().unwrap();
        let Collected { tree, origins } = files.collect().unwrap();
        let names: Vec<_> = tree.leaves().into_iter().map(|(path, _)| path).collect();
        assert!(names.iter().any(|name| name.ends_with("/libc.so.6")), "{names:?}");
        assert!(names.iter().any(|name| name.contains("ld-linux")), "{names:?}");
        assert!(origins.contains_key("envy/host/this"));
        assert!(!names.iter().any(|name| name.contains("libssl")), "{names:?}");
    }
}
