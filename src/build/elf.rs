//! ELF files: what one asks of whoever loads it. Pure.

use object::Endianness;
use object::elf::FileHeader64;
use object::read::ReadRef;
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _, SectionHeader as _, SectionTable, Sym as _};

/// How many of its first bytes tell whether a file is ELF, and what for.
pub(super) const HEAD: usize = 20;

/// The instruction set that a file is for, by its number in ELF headers; nothing for what is no ELF.
pub(super) fn machine(head: &[u8]) -> Option<u16> {
    let number = [*head.get(18)?, *head.get(19)?];
    let is_big = head[5] == 2;
    head.starts_with(b"\x7fELF").then(|| if is_big { u16::from_be_bytes(number) } else { u16::from_le_bytes(number) })
}

/// What people call an instruction set.
pub(super) fn machine_name(machine: u16) -> String {
    let known = [
        (3, "x86"),
        (21, "powerpc64"),
        (22, "s390x"),
        (40, "arm"),
        (62, "x86_64"),
        (183, "aarch64"),
        (243, "riscv64"),
        (258, "loongarch64"),
    ];
    let name = known.iter().find(|(number, _)| *number == machine);
    name.map_or_else(|| format!("machine {machine}"), |(_, name)| (*name).to_owned())
}

/// What one file asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Elf {
    /// The program that loads it, if it is a program that is loaded by another.
    pub(super) interpreter: Option<String>,
    /// The libraries that it is to be loaded with.
    pub(super) libraries: Vec<String>,
    /// The directories where it looks for them first.
    pub(super) directories: Vec<String>,
    /// The versions of symbols that it asks for, as in `GLIBC_2.34`.
    pub(super) versions: Vec<String>,
}

impl Elf {
    /// What a file asks for; an error for what is no 64-bit ELF file, which cannot be loaded either.
    pub(super) fn read(bytes: &[u8]) -> object::read::Result<Self> {
        let header = FileHeader64::<Endianness>::parse(bytes)?;
        let endian = header.endian()?;
        let mut elf = Self::default();
        for segment in header.program_headers(endian, bytes)? {
            if let Some(path) = segment.interpreter(endian, bytes)? {
                elf.interpreter = Some(text(path));
            }
        }
        let sections = header.sections(endian, bytes)?;
        elf.read_dynamic(endian, bytes, &sections)?;
        for section in sections.iter() {
            let Some((mut verneeds, link)) = section.gnu_verneed(endian, bytes)? else { continue };
            let strings = sections.strings(endian, bytes, link)?;
            while let Some((_, mut auxiliaries)) = verneeds.next()? {
                while let Some(auxiliary) = auxiliaries.next()? {
                    elf.versions.push(text(auxiliary.name(endian, strings)?));
                }
            }
        }
        Ok(elf)
    }

    fn read_dynamic(
        &mut self,
        endian: Endianness,
        bytes: &[u8],
        sections: &SectionTable<'_, FileHeader64<Endianness>>,
    ) -> object::read::Result<()> {
        let Some((entries, link)) = sections.dynamic(endian, bytes)? else { return Ok(()) };
        let strings = sections.strings(endian, bytes, link)?;
        for entry in entries {
            if entry.tag(endian) == object::elf::DT_NEEDED {
                self.libraries.push(text(entry.string(endian, strings)?));
            } else if [object::elf::DT_RUNPATH, object::elf::DT_RPATH].contains(&entry.tag(endian)) {
                self.directories.extend(text(entry.string(endian, strings)?).split(':').map(str::to_owned));
            }
        }
        Ok(())
    }
}

/// The first symbol that a file asks for in this version.
pub(super) fn symbol_of(bytes: &[u8], version: &str) -> Option<String> {
    let header = FileHeader64::<Endianness>::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, bytes).ok()?;
    let versions = sections.versions(endian, bytes).ok()??;
    let symbols = sections.symbols(endian, bytes, object::elf::SHT_DYNSYM).ok()?;
    let found = symbols.enumerate().find(|(index, symbol)| {
        let asked = versions.version(versions.version_index(endian, *index).index()).ok().flatten();
        symbol.is_undefined(endian) && asked.is_some_and(|asked| asked.name() == version.as_bytes())
    });
    let (_, symbol) = found?;
    Some(text(symbol.name(endian, symbols.strings()).ok()?))
}

/// The versions of symbols that a library defines, as in `GLIBC_2.36`.
pub(super) fn defined_versions<'d>(library: impl ReadRef<'d>) -> object::read::Result<Vec<String>> {
    let header = FileHeader64::<Endianness>::parse(library)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, library)?;
    let Some((mut definitions, link)) = sections.gnu_verdef(endian, library)? else { return Ok(Vec::new()) };
    let strings = sections.strings(endian, library, link)?;
    let mut names = Vec::new();
    while let Some((_, mut auxiliaries)) = definitions.next()? {
        // The first names the version, the others those that it builds on.
        if let Some(auxiliary) = auxiliaries.next()? {
            names.push(text(auxiliary.name(endian, strings)?));
        }
    }
    Ok(names)
}

/// A version of glibc: its numbers, to be compared, and its text.
pub(super) type Glibc = (Vec<u32>, String);

/// The highest version of glibc among versions of symbols.
pub(super) fn highest_glibc<'v>(versions: impl IntoIterator<Item = &'v String>) -> Option<Glibc> {
    versions.into_iter().filter_map(|name| glibc(name.strip_prefix("GLIBC_")?)).max()
}

/// A version of glibc from its text, as in `2.34`.
pub(super) fn glibc(text: &str) -> Option<Glibc> {
    let numbers = text.split('.').map(str::parse).collect::<Result<Vec<u32>, _>>().ok()?;
    Some((numbers, text.to_owned()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let names = ["GLIBC_2.4", "GLIBC_2.34", "GLIBC_2.3.4", "GCC_3.0", "GLIBC_PRIVATE"].map(str::to_owned);
        assert_eq!(highest_glibc(&names), Some((vec![2, 34], "2.34".to_owned())));
    }

    #[test]
    fn this_very_program_asks_for_glibc() {
        let bytes = crate::disk::read(&crate::process::this_program().unwrap()).unwrap();
        let elf = Elf::read(&bytes).unwrap();
        assert!(elf.libraries.contains(&"libc.so.6".to_owned()));
        let (_, version) = highest_glibc(&elf.versions).unwrap();
        assert!(symbol_of(&bytes, &format!("GLIBC_{version}")).is_some());
        let machine = machine(&bytes).unwrap();
        assert_eq!(machine, crate::platform::Platform::host().elf_machine());
        assert_eq!(elf.interpreter.as_deref(), Some(crate::platform::Platform::host().interpreter()));
    }

    #[test]
    fn what_is_no_elf_is_for_no_machine() {
        assert_eq!(machine(b"#!/bin/sh"), None);
        assert_eq!(machine(&[b'x'; 64]), None);
        assert_eq!(machine_name(183), "aarch64");
        assert_eq!(machine_name(9999), "machine 9999");
    }
}
