//! Relocation: what a build installed is made to work wherever it will lie, and to be the same however it was made.
//!
//! | what | becomes |
//! | --- | --- |
//! | run paths of ELF files to the placeholder | relative, by `$ORIGIN` (`elf`) |
//! | the placeholder in pkg-config files | relative, by `${pcfiledir}` (`text`) |
//! | `#!` with a program of the prefix or of the build's tools | `#!/usr/bin/env` (`text`) |
//! | symlinks to the placeholder | relative |
//! | files of libtool, `*.la` | nothing: they have absolute paths, and nobody needs them |
//! | times and owners in static archives, times in packed manuals | zeros (`archive`) |
//!
//! Where the placeholder stands elsewhere it stays, and `store` puts the real path in its place when a prefix is made.
//! What is relocated once is not changed a second time.

mod archive;
mod elf;
mod text;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::disk::{self, Kind, Result};
use crate::placeholder;

/// So many of its first bytes tell what a file is.
const HEAD: usize = 8;

/// Relocate what was installed below a directory. `root` is what stood before every path of `/envy` in the build.
pub fn relocate(directory: &Path, root: &str) -> Result<()> {
    let mut found = Found::default();
    found.collect(directory, "")?;
    for (path, inside) in &found.symlinks {
        relocate_symlink(path, inside)?;
    }
    found.files.par_iter().try_for_each(|file| file.relocate(root))
}

#[derive(Default)]
struct Found {
    files: Vec<Installed>,
    symlinks: Vec<(PathBuf, String)>,
}

/// A file that a build installed.
struct Installed {
    path: PathBuf,
    /// The directory that it lies in, from the prefix.
    directory: String,
    name: String,
    executable: bool,
}

impl Found {
    fn collect(&mut self, directory: &Path, inside: &str) -> Result<()> {
        for (name, kind) in disk::list(directory)? {
            // A name that is no text is refused when it is kept.
            let (path, Ok(name)) = (directory.join(&name), name.into_string()) else { continue };
            match kind {
                Kind::Directory => self.collect(&path, &joined(inside, &name))?,
                Kind::Symlink => self.symlinks.push((path, inside.to_owned())),
                Kind::File { executable } => {
                    self.files.push(Installed { path, directory: inside.to_owned(), name, executable });
                }
                Kind::Other => {}
            }
        }
        Ok(())
    }
}

impl Installed {
    fn relocate(&self, root: &str) -> Result<()> {
        let head = disk::read_head(&self.path, HEAD)?;
        if self.name.ends_with(".la") {
            return if text::is_of_libtool(&disk::read(&self.path)?) { disk::remove_file(&self.path) } else { Ok(()) };
        }
        let changed = if head.starts_with(elf::MAGIC) {
            elf::relocated(&disk::read(&self.path)?, &self.directory)
        } else if head.starts_with(archive::MAGIC) {
            archive::without_times(&disk::read(&self.path)?)
        } else if head.starts_with(archive::GZIP) && self.is_manual() {
            archive::without_time(&disk::read(&self.path)?)
        } else if head.starts_with(b"#!") {
            text::with_found_interpreter(&disk::read(&self.path)?, root)
        } else if self.name.ends_with(".pc") && last(&self.directory) == "pkgconfig" {
            text::relative_to_pkg_config(&disk::read(&self.path)?, &self.directory)
        } else {
            None
        };
        changed.map_or(Ok(()), |bytes| self.replace(&bytes))
    }

    /// Write the file anew. It may have other names, in other directories, for which other bytes are right.
    fn replace(&self, bytes: &[u8]) -> Result<()> {
        disk::remove_file(&self.path)?;
        disk::write_new(&self.path, bytes, if self.executable { 0o755 } else { 0o644 })
    }

    fn is_manual(&self) -> bool {
        let below =
            |top: &str| self.directory.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        ["man", "info", "share/man", "share/info"].into_iter().any(below)
    }
}

fn relocate_symlink(path: &Path, directory: &str) -> Result<()> {
    let target = disk::read_link(path).and_then(|target| relative(directory, target.to_str()?));
    let Some(target) = target else { return Ok(()) };
    disk::remove_file(path)?;
    disk::symlink(Path::new(&target), path)
}

/// The way from a directory of the prefix to a path below the placeholder; nothing where the path is another, or leads
/// out of the prefix.
fn relative(directory: &str, path: &str) -> Option<String> {
    let from: Vec<_> = parts(directory).collect();
    let mut to = Vec::new();
    // A pkg-config file that was relocated gives paths with `..` in them.
    for part in parts(placeholder::below(path)?) {
        match part {
            ".." => drop(to.pop()?),
            part => to.push(part),
        }
    }
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from.iter().skip(shared).map(|_| "..");
    let way: Vec<_> = up.chain(to.iter().skip(shared).copied()).collect();
    Some(if way.is_empty() { ".".to_owned() } else { way.join("/") })
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

fn last(directory: &str) -> &str {
    directory.rsplit('/').next().unwrap_or(directory)
}

fn joined(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

#[cfg(test)]
mod tests;
