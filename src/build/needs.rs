//! What built files need from the host: read from their dynamic sections.

use super::Error;
use super::elf::{self, Elf, Glibc};
use crate::disk;
use crate::platform::{Needs, Platform};
use crate::store::Store;
use crate::tree::{File, Node, Tree};

/// Libraries that come with glibc: whoever has the right version of it has them.
const GLIBC: &[&str] = &[
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libresolv.so.2",
    "libanl.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
];

/// Whether a library comes with glibc.
pub(super) fn is_of_glibc(library: &str) -> bool {
    GLIBC.contains(&library)
}

/// What the ELF files of a tree need that the tree does not bring. Files for other machines than this one count for
/// nothing: nobody here can load them.
pub fn of(tree: &Tree, store: &Store) -> Result<Needs, Error> {
    let (platform, mut all) = (Platform::host(), Found::default());
    for (path, node) in tree.leaves() {
        if let Node::File(file) = node
            && let Some((_, elf)) = read(*file, platform, store)?
        {
            all.add(elf, platform);
        }
        let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
        all.brought.push(name);
    }
    Ok(all.needs())
}

/// A file's bytes and what it asks for, if it is one that can be loaded on this platform.
pub(super) fn read(file: File, platform: Platform, store: &Store) -> Result<Option<(Vec<u8>, Elf)>, Error> {
    let path = store.file_path(file);
    if elf::machine(&disk::read_head(&path, elf::HEAD)?) != Some(platform.elf_machine()) {
        return Ok(None);
    }
    let bytes = disk::read(&path)?;
    // What cannot be read as ELF cannot be loaded as ELF either, so it needs nothing.
    let elf = Elf::read(&bytes).ok();
    Ok(elf.map(|elf| (bytes, elf)))
}

#[derive(Default)]
struct Found {
    glibc: Option<Glibc>,
    libraries: Vec<String>,
    interpreters: Vec<String>,
    brought: Vec<String>,
}

impl Found {
    fn add(&mut self, elf: Elf, platform: Platform) {
        let glibc = elf::highest_glibc(&elf.versions);
        self.glibc = std::mem::take(&mut self.glibc).max(glibc);
        self.libraries.extend(elf.libraries);
        self.interpreters.extend(elf.interpreter.filter(|path| path != platform.interpreter()));
    }

    fn needs(self) -> Needs {
        let host = |name: &String| !is_of_glibc(name) && !self.brought.contains(name);
        let mut libraries: Vec<_> = self.libraries.iter().filter(|name| host(name)).cloned().collect();
        libraries.sort();
        libraries.dedup();
        let interpreter = self.interpreters.into_iter().min();
        Needs { glibc: self.glibc.map(|(_, text)| text), libraries, interpreter }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_unusual_and_not_brought_is_needed() {
        let platform = Platform::host();
        let mut found = Found { brought: vec!["libours.so.1".to_owned()], ..Found::default() };
        let text = |name: &str| name.to_owned();
        found.add(
            Elf {
                interpreter: Some(platform.interpreter().to_owned()),
                libraries: ["libc.so.6", "libz.so.1", "libours.so.1"].map(text).to_vec(),
                versions: ["GLIBC_2.4", "GLIBC_2.34"].map(text).to_vec(),
                ..Elf::default()
            },
            platform,
        );
        found.add(Elf { interpreter: Some(text("/lib/ld-musl-x86_64.so.1")), ..Elf::default() }, platform);
        let needs = Needs {
            glibc: Some(text("2.34")),
            libraries: vec![text("libz.so.1")],
            interpreter: Some(text("/lib/ld-musl-x86_64.so.1")),
        };
        assert_eq!(found.needs(), needs);
    }

    #[test]
    fn a_file_for_another_machine_needs_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().to_owned());
        let mut bytes = disk::read(&crate::process::this_program().unwrap()).unwrap();
        let file = store.put_file(&bytes, true).unwrap();
        assert!(read(file, Platform::host(), &store).unwrap().is_some());
        bytes[18] ^= 1;
        let file = store.put_file(&bytes, true).unwrap();
        assert!(read(file, Platform::host(), &store).unwrap().is_none());
    }
}
