//! Relocation: what a build installed is made to work wherever it will lie, and to be the same however it was made.
//!
//! | what | becomes |
//! | --- | --- |
//! | run paths of ELF files to the placeholder | relative, by `$ORIGIN` (`elf`) |
//! | the placeholder in pkg-config files | relative, by `${pcfiledir}` (`text`) |
//! | `#!` with a program of the prefix or of the build's tools | `#!/usr/bin/env` (`text`) |
//! | symlinks to the placeholder | relative |
//! | the placeholder behind `/envy/out`, where `DESTDIR` came to stand in a file | the placeholder (`text`) |
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

use crate::build::action::DESTDIR;
use crate::disk::{self, Kind, Result};
use crate::placeholder::{self, PLACEHOLDER};

/// So many of its first bytes tell what a file is.
const HEAD: usize = 8;

/// How scripts begin.
const SCRIPT: &[u8] = b"#!";

/// Relocate what was installed below a directory. `root` is what stood before every path of `/envy` in the build.
pub fn relocate(directory: &Path, root: &str) -> Result<()> {
    let mut found = Found::default();
    found.collect(directory, "")?;
    let staging = Staging { root, destdir: &format!("{root}{DESTDIR}") };
    for (path, inside) in &found.symlinks {
        relocate_symlink(path, inside, &staging)?;
    }
    found.files.par_iter().try_for_each(|file| file.relocate(&staging))
}

/// Where a build collected what it installed.
struct Staging<'a> {
    /// What stood before every path of `/envy`.
    root: &'a str,
    /// What stood before the placeholder.
    destdir: &'a str,
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
    fn relocate(&self, staging: &Staging<'_>) -> Result<()> {
        if self.name.ends_with(".la") && text::is_of_libtool(&disk::read(&self.path)?) {
            return disk::remove_file(&self.path);
        }
        let head = disk::read_head(&self.path, HEAD)?;
        let is_kind = [elf::MAGIC, archive::MAGIC, archive::GZIP, SCRIPT].iter().any(|magic| head.starts_with(magic));
        // Most files are none of these, and are not held in memory.
        if !is_kind && !disk::any_piece(&self.path, PLACEHOLDER.len(), placeholder::is_in)? {
            return Ok(());
        }
        let before = disk::read(&self.path)?;
        let unstaged = text::without_destdir(&before, staging.destdir);
        let bytes = unstaged.as_ref().unwrap_or(&before);
        match self.relocated(bytes, staging).or_else(|| unstaged.clone()) {
            Some(bytes) => self.replace(&bytes),
            None => Ok(()),
        }
    }

    /// The bytes that it should have, where they are others than these.
    fn relocated(&self, bytes: &[u8], staging: &Staging<'_>) -> Option<Vec<u8>> {
        if bytes.starts_with(elf::MAGIC) {
            elf::relocated(bytes, &self.directory)
        } else if bytes.starts_with(archive::MAGIC) {
            archive::without_times(bytes)
        } else if bytes.starts_with(archive::GZIP) && self.is_manual() {
            archive::without_time(bytes)
        } else if bytes.starts_with(SCRIPT) {
            text::with_found_interpreter(bytes, staging.root)
        } else if self.name.ends_with(".pc") && last(&self.directory) == "pkgconfig" {
            text::relative_to_pkg_config(bytes, &self.directory)
        } else {
            None
        }
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

fn relocate_symlink(path: &Path, directory: &str, staging: &Staging<'_>) -> Result<()> {
    let way = |target: &str| relative(directory, target.strip_prefix(staging.destdir).unwrap_or(target));
    let target = disk::read_link(path).and_then(|target| way(target.to_str()?));
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
