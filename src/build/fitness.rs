//! Fitness: whether this host can run what was built elsewhere.

use std::fmt;

use super::elf::{self, Elf};
use super::host::Host;
use super::{Error, needs};
use crate::disk;
use crate::platform::Needs;
use crate::store::Store;
use crate::tree::{File, Node, Tree};

/// Something in which a host does not fit a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// The file, by its path in the prefix.
    pub path: String,
    /// What it lacks.
    pub lack: Lack,
}

/// What a host does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// A glibc as new as this; with a symbol that is asked of it, and the version that the host has.
    Glibc { needed: String, symbol: Option<String>, host: Option<String> },
    /// A library.
    Library(String),
    /// A program that loads others.
    Interpreter(String),
    /// The instruction set of this name.
    Machine(String),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.lack {
            Lack::Glibc { needed, symbol, host } => {
                write!(f, "`{path}` needs glibc {needed}")?;
                if let Some(symbol) = symbol {
                    write!(f, " (symbol `{symbol}@GLIBC_{needed}`)")?;
                }
                write!(f, ", this host has {}", host.as_deref().unwrap_or("none"))
            }
            Lack::Library(name) => write!(f, "`{path}` needs `{name}`, which neither the prefix nor this host has"),
            Lack::Interpreter(name) => {
                write!(f, "`{path}` needs the interpreter `{name}`, which this host does not have")
            }
            Lack::Machine(name) => write!(f, "`{path}` is for {name}"),
        }
    }
}

/// In what the host does not fit the files of a tree, whose needs are these; none if it fits all of them. What is in
/// `lib` of the whole prefix, which the tree is a part of, is there for all.
///
/// Where the needs alone tell that the host fits, programs are looked at only for the machine that they are for.
pub fn unfit(tree: &Tree, needs: &Needs, prefix: &Tree, store: &Store, host: &Host) -> Result<Vec<Unfit>, Error> {
    let leaves = tree.leaves();
    let brought: Vec<_> = leaves.iter().map(|(path, _)| path.rsplit('/').next().unwrap_or(path)).collect();
    let is_there = |name: &str, directories: &[String]| {
        let in_prefix = ["lib", "lib64"].iter().any(|directory| prefix.get(&format!("{directory}/{name}")).is_some());
        brought.contains(&name) || in_prefix || host.has_library(name, directories)
    };
    let fits = fits(needs, host, &is_there);
    let mut unfit = Vec::new();
    for (path, node) in &leaves {
        let Node::File(file) = node else { continue };
        let mut add = |lack| unfit.push(Unfit { path: path.clone(), lack });
        if let Some(name) = other_machine(path, *file, store, host)? {
            add(Lack::Machine(name));
        } else if !fits && let Some((bytes, elf)) = needs::read(*file, host.platform(), store)? {
            lacks(&elf, &bytes, host, &is_there).into_iter().for_each(add);
        }
    }
    Ok(unfit)
}

/// Whether needs alone tell that the host fits.
fn fits(needs: &Needs, host: &Host, is_there: &impl Fn(&str, &[String]) -> bool) -> bool {
    let new_enough = |text: &str| is_new_enough(text, host);
    let usual = || needs.glibc.is_none() || host.has_interpreter(host.platform().interpreter());
    needs.glibc.as_deref().is_none_or(new_enough)
        && needs.libraries.iter().all(|name| is_there(name, &[]))
        && needs.interpreter.as_deref().is_none_or(|path| host.has_interpreter(path))
        && usual()
}

fn is_new_enough(needed: &str, host: &Host) -> bool {
    let numbers = |text: &str| elf::glibc(text).map(|(numbers, _)| numbers);
    host.glibc().is_some_and(|has| numbers(has) >= numbers(needed))
}

/// The instruction set of a program that cannot run here. Files that are no programs may be for any: some are data.
fn other_machine(path: &str, file: File, store: &Store, host: &Host) -> Result<Option<String>, Error> {
    let is_program = file.executable && ["bin/", "sbin/"].iter().any(|directory| path.starts_with(directory));
    if !is_program {
        return Ok(None);
    }
    let machine = elf::machine(&disk::read_head(&store.file_path(file), elf::HEAD)?);
    Ok(machine.filter(|machine| *machine != host.platform().elf_machine()).map(elf::machine_name))
}

/// What a host lacks for one file.
fn lacks(elf: &Elf, bytes: &[u8], host: &Host, is_there: &impl Fn(&str, &[String]) -> bool) -> Vec<Lack> {
    if let Some(path) = elf.interpreter.as_ref().filter(|path| !host.has_interpreter(path)) {
        // Which libraries it would find, and where, only its interpreter knows.
        return vec![Lack::Interpreter(path.clone())];
    }
    let mut lacks = Vec::new();
    if let Some((_, needed)) = elf::highest_glibc(&elf.versions).filter(|(_, needed)| !is_new_enough(needed, host)) {
        let symbol = elf::symbol_of(bytes, &format!("GLIBC_{needed}"));
        lacks.push(Lack::Glibc { needed, symbol, host: host.glibc().map(str::to_owned) });
    }
    let missing = elf.libraries.iter().filter(|name| !needs::is_of_glibc(name) && !is_there(name, &elf.directories));
    lacks.extend(missing.cloned().map(Lack::Library));
    lacks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Platform;

    fn texts(unfit: &[Unfit]) -> Vec<String> {
        unfit.iter().map(ToString::to_string).collect()
    }

    /// This very program as `bin/x`, in a store, with what it needs.
    struct World {
        _directory: tempfile::TempDir,
        root: std::path::PathBuf,
        store: Store,
        tree: Tree,
        needs: Needs,
    }

    impl World {
        fn of(change: impl FnOnce(&mut Vec<u8>)) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let root = directory.path().join("root");
            disk::create_directories(&root).unwrap();
            let store = Store::at(directory.path().join("store"));
            let mut bytes = disk::read(&crate::process::this_program().unwrap()).unwrap();
            change(&mut bytes);
            let file = store.put_file(&bytes, true).unwrap();
            let mut tree = Tree::default();
            tree.insert("bin/x", Node::File(file)).unwrap();
            let needs = needs::of(&tree, &store).unwrap();
            Self { _directory: directory, root, store, tree, needs }
        }

        fn unfit(&self, prefix: &Tree, host: &Host) -> Vec<String> {
            texts(&unfit(&self.tree, &self.needs, prefix, &self.store, host).unwrap())
        }

        /// A host with the usual interpreter and nothing else.
        fn bare_host(&self) -> Host {
            let platform = Platform::host();
            disk::write_atomic(&self.root.join(&platform.interpreter()[1..]), b"").unwrap();
            Host::below(&self.root, platform)
        }
    }

    #[test]
    fn this_very_host_fits_this_very_program() {
        let world = World::of(|_| ());
        assert_eq!(world.unfit(&world.tree, &Host::look()), [""; 0]);
    }

    #[test]
    fn a_host_without_the_interpreter_is_told_of_that_alone() {
        let world = World::of(|_| ());
        let platform = Platform::host();
        let expected =
            format!("`bin/x` needs the interpreter `{}`, which this host does not have", platform.interpreter());
        assert_eq!(world.unfit(&world.tree, &Host::below(&world.root, platform)), [expected]);
    }

    #[test]
    fn a_glibc_that_is_missing_is_told_with_a_symbol() {
        let world = World::of(|_| ());
        let told = world.unfit(&world.tree, &world.bare_host());
        let needed = world.needs.glibc.as_ref().unwrap();
        assert!(told[0].starts_with(&format!("`bin/x` needs glibc {needed} (symbol `")), "{told:?}");
        assert!(told[0].ends_with(&format!("@GLIBC_{needed}`), this host has none")), "{told:?}");
    }

    #[test]
    fn libraries_of_the_prefix_count_as_there() {
        let world = World::of(|_| ());
        let host = world.bare_host();
        let mut prefix = world.tree.clone();
        for name in &world.needs.libraries {
            let lacks = format!("`bin/x` needs `{name}`, which neither the prefix nor this host has");
            assert!(world.unfit(&world.tree, &host).contains(&lacks));
            prefix.insert(&format!("lib/{name}"), Node::Symlink("x".to_owned())).unwrap();
        }
        assert_eq!(world.unfit(&prefix, &host).len(), 1, "glibc alone is left");
    }

    #[test]
    fn a_program_for_another_machine_is_told_as_one() {
        let other = if Platform::host().elf_machine() == 183 { 62 } else { 183 };
        let world = World::of(|bytes| bytes[18] = other);
        assert_eq!(world.needs, Needs::default());
        let name = elf::machine_name(u16::from(other));
        assert_eq!(world.unfit(&world.tree, &Host::look()), [format!("`bin/x` is for {name}")]);
    }

    #[test]
    fn an_older_glibc_is_told_with_both_versions() {
        let lack = Lack::Glibc {
            needed: "2.38".to_owned(),
            symbol: Some("__isoc23_strtol".to_owned()),
            host: Some("2.36".to_owned()),
        };
        let unfit = Unfit { path: "bin/x".to_owned(), lack };
        let text = "`bin/x` needs glibc 2.38 (symbol `__isoc23_strtol@GLIBC_2.38`), this host has 2.36";
        assert_eq!(unfit.to_string(), text);
    }
}
