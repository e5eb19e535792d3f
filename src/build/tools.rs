//! Tools of the host: the base set that every build sees, and those that a recipe declares.
//!
//! A build's PATH leads to links to exactly these. With them it sees what they are loaded with and what they read by
//! themselves ([`super::tool_files`]), and nothing else of the host. All that is a tree; its digest is part of the action,
//! and a copy of it in the cache is what the build sees, so that what it reads is what was hashed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rayon::prelude::*;

use super::host_files::{Collected, HostFiles};
use super::sandbox::Entry;
use super::{Error, Host, Memo, Toolchain, action, c_files, tool_files};
use crate::digest::TextDigest;
use crate::disk;
use crate::process;
use crate::store::Store;
use crate::tree::{Node, Tree};

/// What every build sees where the host has it: sh, coreutils, sed, grep, awk, find, diff, patch, tar, gzip and xz.
pub const BASE: &str = "sh [ awk basename cat chmod cksum cmp comm cp cut date dd diff dirname du echo egrep env expand expr false \
    fgrep find fmt fold gawk grep gunzip gzip head id install join ln ls mawk md5sum mkdir mkfifo mktemp mv nl \
    nproc od paste patch printf pwd readlink realpath rm rmdir sed seq sha1sum sha256sum sha512sum sleep sort \
    split stat tail tar tee test touch tr true tsort tty uname unexpand uniq unxz wc xargs xz yes zcat";

/// What the base set needs beside its libraries: the locale that builds have, paths that scripts begin with, and the rest
/// of the C library, which programs that come with a source may want.
const BESIDE: &[&str] = &["/bin/sh", "/usr/bin/env", "/usr/lib/locale/C.utf8", "/usr/lib/locale/C.UTF-8"];
const LOADED: &[&str] = &[
    "libanl.so.1",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libnss_files.so.2",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libutil.so.1",
];

/// Directories of the host that its packages install into. What lies elsewhere is someone's own.
const SYSTEM: &[&str] =
    &["/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32", "/etc", "/opt", "/nix", "/gnu"];

/// Places of which a view shows what lies in them, and not the whole, since it has other things there too.
const SHARED: &[&str] = &["envy", "etc", "tmp"];

/// The tools of one build.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Each by its name, and what of the host it is.
    pub programs: BTreeMap<String, PathBuf>,
    /// Names all files that the build sees of the host, and what they are called.
    pub identity: TextDigest,
    /// Those files.
    tree: Tree,
    /// Where on the host each of them is.
    origins: BTreeMap<String, PathBuf>,
}

/// The tools of all builds of a run: the same set is looked for once.
#[derive(Default)]
pub struct Toolbox {
    found: Mutex<BTreeMap<BTreeSet<String>, Tools>>,
}

impl Toolbox {
    /// The base set and what a recipe declares, with what a compiler of Rust is loaded with, where one is needed.
    pub fn find(
        &self,
        declared: &[String],
        recipe: &str,
        toolchain: Option<&Toolchain>,
        memo: &Memo,
    ) -> Result<Tools, Error> {
        let names: BTreeSet<String> = declared.iter().cloned().chain(toolchain.map(|_| String::new())).collect();
        // Whoever comes second waits for what the first finds.
        let mut found = self.found.lock().expect("no holder panics");
        if let Some(tools) = found.get(&names) {
            return Ok(tools.clone());
        }
        let tools = Tools::find(declared, recipe, toolchain, memo)?;
        found.insert(names, tools.clone());
        Ok(tools)
    }
}

impl Tools {
    /// Find the base set and what a recipe declares, with what a compiler of Rust is loaded with, where one is needed.
    pub fn find(declared: &[String], recipe: &str, toolchain: Option<&Toolchain>, memo: &Memo) -> Result<Self, Error> {
        let missing: Vec<_> = declared.iter().filter(|name| find(name).is_none()).cloned().collect();
        if !missing.is_empty() {
            return Err(Error::NoTools { names: missing, recipe: recipe.to_owned() });
        }
        let host = Host::look();
        let sysroot = toolchain.map(|toolchain| disk::canonical(toolchain.sysroot())).transpose()?;
        let mut files = HostFiles::new(&host, memo, sysroot.as_deref());
        toolchain.iter().flat_map(|toolchain| toolchain.programs()).for_each(|program| drop(files.add(&program)));
        let mut search = Search { files, programs: BTreeMap::new(), compilers: BTreeSet::new() };
        BASE.split(' ').try_for_each(|name| search.add(name))?;
        declared.iter().try_for_each(|name| search.add(name))?;
        for path in BESIDE {
            search.files.add_directory(Path::new(path), &[])?;
        }
        LOADED.iter().for_each(|name| search.files.add_library(name, &[]));
        search.files.add_libraries()?;
        let Collected { tree, origins } = search.files.collect()?;
        let identity = TextDigest::of(tree.digest().to_string().as_bytes());
        Ok(Self { programs: search.programs, identity, tree, origins })
    }

    /// Where a build sees the tool of this name.
    pub fn place(&self, name: &str) -> PathBuf {
        let link = self.tree.get(format!("{}/{name}", action::TOOLS).trim_start_matches('/'));
        match link {
            Some(Node::Symlink(target)) => PathBuf::from(target),
            _ => self.programs[name].clone(),
        }
    }

    /// Show all of it, from a checkout in this store that is made where it is not there yet.
    pub fn entries(&self, store: &Store) -> Result<Vec<Entry>, Error> {
        let digest = self.tree.digest();
        let place = store.checkout_path(digest);
        if disk::is_directory(&place) && !self.is_whole(&place) {
            disk::remove_tree(&place)?;
        }
        let checkout = store.checkout(digest, |directory| self.lay_out(store, directory))?;
        let mut entries = Vec::new();
        for (name, node) in self.tree.entries() {
            match node {
                Node::Directory(inner) if SHARED.contains(&name) => {
                    entries.extend(
                        inner.entries().map(|(inner, node)| entry(&checkout, &format!("{name}/{inner}"), node)),
                    );
                }
                node => entries.push(entry(&checkout, name, node)),
            }
        }
        Ok(entries)
    }

    fn lay_out(&self, store: &Store, directory: &Path) -> Result<(), Error> {
        let leaves = self.tree.leaves();
        leaves.par_iter().try_for_each(|(path, node)| match (node, self.origins.get(path)) {
            (Node::File(file), Some(origin)) if !store.copy_in(origin, *file)? => {
                Err(Error::ToolChanged { path: origin.clone() })
            }
            _ => Ok(()),
        })?;
        Ok(store.lay_out_links(&self.tree, directory).map(drop)?)
    }

    /// Whether a checkout has all files in their length. It is too large to be synced, and a power cut leaves empty what
    /// was not.
    fn is_whole(&self, checkout: &Path) -> bool {
        self.tree.leaves().par_iter().all(|(path, node)| match node {
            Node::File(file) => disk::file_size(&checkout.join(path)) == Some(file.size),
            _ => true,
        })
    }
}

fn entry(checkout: &Path, name: &str, node: &Node) -> Entry {
    let to = format!("/{name}");
    match node {
        Node::Symlink(target) => Entry::Symlink { target: target.clone(), to },
        Node::File(_) | Node::Directory(_) => Entry::ReadOnly { from: checkout.join(name), to },
    }
}

/// A search for tools and their files.
struct Search<'a> {
    files: HostFiles<'a>,
    programs: BTreeMap<String, PathBuf>,
    /// The C compilers whose files were added.
    compilers: BTreeSet<PathBuf>,
}

impl Search<'_> {
    /// Add a tool that may be there, and whatever comes with it.
    fn add(&mut self, name: &str) -> Result<(), Error> {
        if self.programs.contains_key(name) {
            return Ok(());
        }
        let Some(found) = find(name) else { return Ok(()) };
        let found = tool_files::stands_for(name, &found).unwrap_or(found);
        let Ok(program) = disk::canonical(&found) else { return Ok(()) };
        self.programs.insert(name.to_owned(), found.clone());
        let at = Path::new(action::TOOLS).join(name);
        let along = tool_files::along(name);
        if self.is_alone(&program)? && along.is_none() {
            // What someone has installed by himself is seen under a name that does not tell where.
            let to = PathBuf::from(format!("{HOST}/{name}"));
            self.files.link(at, to.clone());
            self.files.show(&program, to);
        } else {
            self.files.link(at, found.clone());
            self.files.add(&found);
        }
        match along {
            Some(along) => {
                along.add(&mut self.files, &found, &program)?;
                along.programs.iter().try_for_each(|other| self.add_alike(&found, other))?;
            }
            None => tool_files::add_share(&mut self.files, name, &found, &program)?,
        }
        if COMPILERS.contains(&name) && self.compilers.insert(program.clone()) {
            c_files::add(&mut self.files, &found)?;
        }
        self.add_interpreter(name, &program)
    }

    /// Add the tools whose names match a pattern, from where another lies.
    fn add_alike(&mut self, beside: &Path, pattern: &str) -> Result<(), Error> {
        if !pattern.contains('*') {
            return self.add(pattern);
        }
        let paths = tool_files::matching(beside.parent().unwrap_or(Path::new("/")), pattern);
        let names = paths.iter().filter_map(|path| path.file_name()?.to_str());
        names.collect::<Vec<_>>().into_iter().try_for_each(|name| self.add(name))
    }

    /// Whether a program is someone's own, and is loaded with nothing that lies beside it.
    fn is_alone(&self, program: &Path) -> Result<bool, Error> {
        let is_system = SYSTEM.iter().any(|system| program.starts_with(system));
        Ok(!is_system && self.files.stands_alone(program)?)
    }

    /// Add what a script begins with, and what comes with that.
    fn add_interpreter(&mut self, name: &str, program: &Path) -> Result<(), Error> {
        let head = disk::read_head(program, LONGEST_LINE)?;
        let Some((interpreter, argument)) = shebang(&head) else { return Ok(()) };
        if Path::new(&interpreter).file_name().is_some_and(|name| name == "env") {
            self.files.add(Path::new(&interpreter));
            return argument.map_or(Ok(()), |argument| self.add(&argument));
        }
        let path = PathBuf::from(interpreter);
        let Some(real) = self.files.add(&path) else { return Ok(()) };
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(along) = tool_files::along(&file_name) else { return Ok(()) };
        along.add(&mut self.files, &path, &real)?;
        if name == "meson"
            && let Some(module) = tool_files::python_module(&path, "mesonbuild")
        {
            self.files.add_directory(&module, &[])?;
        }
        Ok(())
    }
}

/// Tools that compile C.
const COMPILERS: &[&str] = &["cc", "gcc", "clang"];

/// Where tools that are someone's own are seen.
const HOST: &str = "/envy/host";

/// How long the kernel lets the first line of a script be.
const LONGEST_LINE: usize = 256;

/// What a script begins with: a program, and an argument if there is one.
fn shebang(head: &[u8]) -> Option<(String, Option<String>)> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    Some((words.next()?, words.next()))
}

/// The file of this name that PATH, or failing that a usual place, leads to.
pub fn find(name: &str) -> Option<PathBuf> {
    let usual = ["/usr/bin", "/bin", "/usr/local/bin"].map(|directory| Path::new(directory).join(name));
    process::find_program(name).or_else(|| usual.into_iter().find(|path| disk::is_file(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_names_what_it_begins_with() {
        assert_eq!(shebang(b"#!/bin/sh -e\nx"), Some(("/bin/sh".to_owned(), Some("-e".to_owned()))));
        assert_eq!(shebang(b"#! /usr/bin/perl\n"), Some(("/usr/bin/perl".to_owned(), None)));
        assert_eq!(shebang(b"\x7fELF"), None);
    }

    #[test]
    fn a_build_sees_its_tools_and_little_else() {
        let directory = tempfile::tempdir().unwrap();
        let memo = Memo::open(directory.path());
        let tools = Tools::find(&["cc".to_owned()], "make", None, &memo).unwrap();
        let paths: BTreeSet<String> = tools.tree.leaves().into_iter().map(|(path, _)| path).collect();
        for name in ["envy/tools/sh", "envy/tools/cc", "envy/tools/c++", "envy/tools/ld"] {
            assert!(paths.contains(name), "{name}");
        }
        assert!(
            paths.iter().any(|path| path.ends_with("/stdio.h")) && paths.iter().any(|path| path.ends_with("/crt1.o"))
        );
        let foreign = ["openssl", "curses", "zlib", "libssl.so", "/dpkg", "__pycache__"];
        let found: Vec<_> = paths.iter().filter(|path| foreign.iter().any(|name| path.contains(name))).collect();
        assert!(found.is_empty(), "{found:?}");
        let base = Tools::find(&[], "unpack", None, &memo).unwrap();
        assert!(base.tree.get("envy/tools/cc").is_none() && base.identity != tools.identity);
        assert_eq!(Tools::find(&["cc".to_owned()], "other", None, &memo).unwrap().identity, tools.identity);
    }
}
