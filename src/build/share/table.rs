//! The compiled crates that envy gave to one build, by the paths where the build has them. Pure.
//!
//! What the build compiled by itself is not among them, and neither is what needs that.

use std::collections::{BTreeMap, BTreeSet};

use super::Failure;
use crate::tree::File;

/// What envy gave to a build.
#[derive(Debug, Default)]
pub struct Table {
    /// By the path without its ending.
    crates: BTreeMap<String, Given>,
}

#[derive(Debug, Default)]
struct Given {
    /// Files by their endings.
    files: BTreeMap<String, File>,
    /// The crates that it was compiled with.
    externs: BTreeSet<String>,
    /// Whether it is a macro that might read the time that counts as now.
    tells_time: bool,
}

/// What a call that names some crates may read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Files by their paths.
    pub files: BTreeMap<String, File>,
    /// Whether there is a macro among them that might read the time that counts as now.
    pub tells_time: bool,
}

impl Table {
    /// A file of a crate was given.
    pub fn give(&mut self, path: &str, file: File, externs: &[&str], tells_time: bool) {
        let (stem, ending) = split(path);
        let given = self.crates.entry(stem.to_owned()).or_default();
        given.files.insert(ending.to_owned(), file);
        given.externs.extend(externs.iter().map(|path| split(path).0.to_owned()));
        given.tells_time |= tells_time;
    }

    /// A crate that was given is now the build's own.
    pub fn take_back(&mut self, stem: &str) {
        self.crates.remove(stem);
    }

    /// All that a call that names these crates may read: their metadata and that of the crates that they need in turn, or
    /// where it links, whole libraries too.
    pub fn reach(&self, externs: &[&str], links: bool) -> Result<Reach, Failure> {
        let mut reach = Reach::default();
        let mut seen = BTreeSet::new();
        let mut next: Vec<&str> = externs.iter().map(|path| split(path).0).collect();
        while let Some(stem) = next.pop() {
            if !seen.insert(stem) {
                continue;
            }
            let given = self.crates.get(stem).ok_or(Failure)?;
            reach.tells_time |= given.tells_time;
            let is_macro = given.files.contains_key("so");
            let wanted: &[&str] = match (is_macro, links) {
                (true, _) => &["so"],
                (false, true) => &["rmeta", "rlib"],
                (false, false) => &["rmeta"],
            };
            for ending in wanted {
                let file = given.files.get(*ending).ok_or(Failure)?;
                reach.files.insert(format!("{stem}.{ending}"), *file);
            }
            // What a macro needs is linked into it.
            if !is_macro {
                next.extend(given.externs.iter().map(String::as_str));
            }
        }
        Ok(reach)
    }
}

/// A path without its ending, and the ending.
fn split(path: &str) -> (&str, &str) {
    match path.rsplit_once('.') {
        Some((stem, ending)) if !ending.contains('/') => (stem, ending),
        _ => (path, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::BlobDigest;

    fn file(text: &str) -> File {
        File { blob: BlobDigest::of(text.as_bytes()), size: text.len() as u64, executable: false }
    }

    fn table() -> Table {
        let mut table = Table::default();
        for (path, externs) in [
            ("/d/libsyn-1.rmeta", &[][..]),
            ("/d/libsyn-1.rlib", &[]),
            ("/d/libderive-1.so", &["/d/libsyn-1.rlib"]),
            ("/d/libserde-1.rmeta", &["/d/libderive-1.so"]),
            ("/d/libjson-1.rmeta", &["/d/libserde-1.rmeta"]),
        ] {
            table.give(path, file(path), externs, path.ends_with("so"));
        }
        table
    }

    fn names(externs: &[&str], links: bool) -> Option<Vec<String>> {
        table().reach(externs, links).ok().map(|reach| reach.files.into_keys().collect())
    }

    #[test]
    fn a_library_reads_metadata_all_the_way_down_and_macros() {
        let expected = ["/d/libderive-1.so", "/d/libjson-1.rmeta", "/d/libserde-1.rmeta"];
        assert_eq!(names(&["/d/libjson-1.rmeta"], false).unwrap(), expected);
        assert!(table().reach(&["/d/libjson-1.rmeta"], false).unwrap().tells_time);
    }

    #[test]
    fn what_links_reads_whole_libraries() {
        assert_eq!(names(&["/d/libsyn-1.rlib"], true).unwrap(), ["/d/libsyn-1.rlib", "/d/libsyn-1.rmeta"]);
        assert_eq!(names(&["/d/libjson-1.rlib"], true), None, "its library is not there yet");
    }

    #[test]
    fn what_the_build_compiled_by_itself_is_not_known() {
        assert_eq!(names(&["/d/libown-1.rmeta"], false), None);
        let mut table = table();
        table.take_back("/d/libserde-1");
        assert!(table.reach(&["/d/libjson-1.rmeta"], false).is_err());
    }
}
