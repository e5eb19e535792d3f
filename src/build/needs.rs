//! What built files need from the host: read from their dynamic sections.

use object::Endianness;
use object::read::elf::{Dyn as _, FileHeader as _, SectionHeader as _};

use super::Error;
use crate::platform::Needs;
use crate::store::Store;
use crate::tree::Tree;

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

/// What the ELF files of a tree need that the tree does not bring.
pub fn of(tree: &Tree, store: &Store) -> Result<Needs, Error> {
    let mut all = Found::default();
    for (path, node) in tree.leaves() {
        if let crate::tree::Node::File(file) = node {
            let bytes = crate::disk::read(&store.file_path(*file))?;
            // What cannot be read as ELF cannot be loaded as ELF either, so it needs nothing.
            let _ = read(&bytes, &mut all);
        }
        let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
        all.brought.push(name);
    }
    Ok(all.needs())
}

#[derive(Default)]
struct Found {
    glibc: Option<(Vec<u32>, String)>,
    libraries: Vec<String>,
    brought: Vec<String>,
}

impl Found {
    fn needs(self) -> Needs {
        let host = |name: &String| !GLIBC.contains(&name.as_str()) && !self.brought.contains(name);
        let mut libraries: Vec<_> = self.libraries.iter().filter(|name| host(name)).cloned().collect();
        libraries.sort();
        libraries.dedup();
        Needs { glibc: self.glibc.map(|(_, text)| text), libraries }
    }

    fn symbol_version(&mut self, name: &str) {
        let Some(text) = name.strip_prefix("GLIBC_") else { return };
        let Ok(numbers) = text.split('.').map(str::parse).collect::<Result<Vec<u32>, _>>() else { return };
        if self.glibc.as_ref().is_none_or(|(highest, _)| numbers > *highest) {
            self.glibc = Some((numbers, text.to_owned()));
        }
    }
}

fn read(bytes: &[u8], found: &mut Found) -> object::read::Result<()> {
    if !bytes.starts_with(b"\x7fELF") {
        return Ok(());
    }
    let header = object::elf::FileHeader64::<Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    if let Some((entries, link)) = sections.dynamic(endian, bytes)? {
        let strings = sections.strings(endian, bytes, link)?;
        for entry in entries {
            if entry.tag(endian) == object::elf::DT_NEEDED {
                let name = entry.string(endian, strings)?;
                found.libraries.push(String::from_utf8_lossy(name).into_owned());
            }
        }
    }
    for section in sections.iter() {
        let Some((mut verneeds, link)) = section.gnu_verneed(endian, bytes)? else { continue };
        let strings = sections.strings(endian, bytes, link)?;
        while let Some((_, mut auxiliaries)) = verneeds.next()? {
            while let Some(auxiliary) = auxiliaries.next()? {
                found.symbol_version(&String::from_utf8_lossy(auxiliary.name(endian, strings)?));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let mut found = Found::default();
        for name in ["GLIBC_2.4", "GLIBC_2.34", "GLIBC_2.3.4", "GCC_3.0", "GLIBC_PRIVATE"] {
            found.symbol_version(name);
        }
        assert_eq!(found.needs().glibc.as_deref(), Some("2.34"));
    }

    #[test]
    fn this_very_program_needs_glibc() {
        let mut found = Found::default();
        let bytes = crate::disk::read(&crate::process::this_program().unwrap()).unwrap();
        read(&bytes, &mut found).unwrap();
        assert!(found.libraries.contains(&"libc.so.6".to_owned()));
        assert!(found.needs().glibc.is_some());
    }
}
