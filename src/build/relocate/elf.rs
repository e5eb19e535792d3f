//! Run paths of ELF files, made relative to the file. Pure.
//!
//! Bytes are written over in place: the shorter text, then NULs. Nothing grows and nothing moves, so the file needs
//! no other change. A linker may have found a name that the file uses to be the end of its run path, and have it begin
//! there; such a run path stays as it is, and gets the real path when a prefix is made, as everything else does.

use std::ops::Range;

use object::elf::{DT_RPATH, DT_RUNPATH, FileHeader32, FileHeader64, SHT_DYNSYM};
use object::read::elf::{Dyn as _, FileHeader, SectionHeader as _, SectionTable, Sym as _};
use object::{Endianness, FileKind};

use crate::placeholder;

/// How ELF files begin.
pub(super) const MAGIC: &[u8] = b"\x7fELF";

/// An ELF file in a directory of the prefix, with run paths that are relative to it; nothing where nothing changes.
pub(super) fn relocated(bytes: &[u8], directory: &str) -> Option<Vec<u8>> {
    if !placeholder::is_in(bytes) {
        return None;
    }
    // What cannot be read as ELF is not loaded as ELF either.
    let paths = match FileKind::parse(bytes).ok()? {
        FileKind::Elf32 => run_paths::<FileHeader32<Endianness>>(bytes).ok()?,
        FileKind::Elf64 => run_paths::<FileHeader64<Endianness>>(bytes).ok()?,
        _ => return None,
    };
    let mut changed = bytes.to_vec();
    for range in paths {
        let Ok(old) = std::str::from_utf8(&bytes[range.clone()]) else { continue };
        let new = relative_path(old, directory);
        if new.len() <= old.len() {
            let place = &mut changed[range];
            place.fill(0);
            place[..new.len()].copy_from_slice(new.as_bytes());
        }
    }
    (changed != bytes).then_some(changed)
}

/// A run path with what lies in the prefix relative to the file, and nothing twice.
fn relative_path(path: &str, directory: &str) -> String {
    let mut kept: Vec<String> = Vec::new();
    for one in path.split(':') {
        let one = match super::relative(directory, one).as_deref() {
            None => one.to_owned(),
            Some(".") => "$ORIGIN".to_owned(),
            Some(way) => format!("$ORIGIN/{way}"),
        };
        if !kept.contains(&one) {
            kept.push(one);
        }
    }
    kept.join(":")
}

/// Where the run paths of a file stand that nothing else in it uses a part of.
fn run_paths<E: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> object::read::Result<Vec<Range<usize>>> {
    let header = E::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let Some((entries, link)) = sections.dynamic(endian, bytes)? else { return Ok(Vec::new()) };
    let Some((start, size)) = sections.section(link)?.file_range(endian) else { return Ok(Vec::new()) };
    let (start, size) = (start as usize, size as usize);
    let Some(strings) = start.checked_add(size).and_then(|end| bytes.get(start..end)) else { return Ok(Vec::new()) };
    let (mut paths, mut names) = (Vec::new(), names(endian, bytes, &sections)?);
    for entry in entries.iter().filter(|entry| entry.is_string(endian)) {
        let is_path = [DT_RUNPATH, DT_RPATH].contains(&entry.tag(endian));
        if is_path { &mut paths } else { &mut names }.push(entry.val(endian) as usize);
    }
    paths.sort_unstable();
    paths.dedup();
    let range = |offset: usize| {
        let length = memchr::memchr(0, strings.get(offset..)?)?;
        Some(offset..offset + length)
    };
    let alone = |range: &Range<usize>| {
        let others = paths.iter().filter(|offset| **offset != range.start);
        !names.iter().chain(others).any(|offset| range.contains(offset))
    };
    let ranges = paths.iter().copied().filter_map(range).filter(alone);
    Ok(ranges.map(|range| start + range.start..start + range.end).collect())
}

/// Where in the table of strings the names of symbols and of versions begin.
fn names<E: FileHeader<Endian = Endianness>>(
    endian: Endianness,
    bytes: &[u8],
    sections: &SectionTable<'_, E>,
) -> object::read::Result<Vec<usize>> {
    let symbols = sections.symbols(endian, bytes, SHT_DYNSYM)?;
    let mut names: Vec<_> = symbols.iter().map(|symbol| symbol.st_name(endian) as usize).collect();
    for section in sections.iter() {
        if let Some((mut needs, _)) = section.gnu_verneed(endian, bytes)? {
            while let Some((need, mut versions)) = needs.next()? {
                names.push(need.vn_file.get(endian) as usize);
                while let Some(version) = versions.next()? {
                    names.push(version.vna_name.get(endian) as usize);
                }
            }
        }
        if let Some((mut definitions, _)) = section.gnu_verdef(endian, bytes)? {
            while let Some((_, mut versions)) = definitions.next()? {
                while let Some(version) = versions.next()? {
                    names.push(version.vda_name.get(endian) as usize);
                }
            }
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placeholder::PLACEHOLDER;

    #[test]
    fn components_of_the_prefix_become_relative_and_none_stands_twice() {
        let path =
            format!("{PLACEHOLDER}/lib:/opt/x:{PLACEHOLDER}/lib64/../lib/:{PLACEHOLDER}:/opt/x:{PLACEHOLDER}x/lib");
        assert_eq!(relative_path(&path, "bin"), format!("$ORIGIN/../lib:/opt/x:$ORIGIN/..:{PLACEHOLDER}x/lib"));
        assert_eq!(relative_path(&format!("{PLACEHOLDER}/lib"), "lib"), "$ORIGIN");
        assert_eq!(relative_path(&format!("{PLACEHOLDER}/lib"), "lib/x/y"), "$ORIGIN/../..");
        assert_eq!(relative_path(&format!("{PLACEHOLDER}/lib/x"), "lib"), "$ORIGIN/x");
        assert_eq!(relative_path(&format!("{PLACEHOLDER}/../lib"), "lib"), format!("{PLACEHOLDER}/../lib"));
        assert_eq!(relative_path("$ORIGIN/../lib", "bin"), "$ORIGIN/../lib");
    }

    #[test]
    fn what_only_looks_like_elf_stays() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(PLACEHOLDER.as_bytes());
        assert_eq!(relocated(&bytes, "bin"), None);
        bytes.splice(4..4, [2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(relocated(&bytes, "bin"), None);
    }
}
