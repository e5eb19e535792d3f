//! The entries of git's trees, as bytes and as what they mean. Pure.
//!
//! git itself keeps almost anything that somebody calls a tree. What a name could do in a directory that is laid out,
//! or to another git that works there, is refused here: `.git` in any case, `.`, `..`, names with `/`, names that are
//! not UTF-8, and names that are there twice.

use std::collections::BTreeSet;

/// What an entry is, by its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A file that may be executed.
    Program,
    /// A symlink.
    Symlink,
    /// A directory.
    Directory,
    /// A commit of another repository.
    Submodule,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The id of what it leads to.
    pub id: [u8; 20],
}

/// An entry that must not be there.
#[derive(Debug, PartialEq, Eq)]
pub struct BadEntry {
    /// Its name, made fit to be shown.
    pub name: String,
    /// What about it, as the end of a sentence.
    pub what: &'static str,
}

/// The entries of a tree object, if all of them may be there.
pub fn read(raw: &[u8]) -> Result<Vec<TreeEntry>, BadEntry> {
    let (entries, mut names) = (read_all(raw)?, BTreeSet::new());
    for TreeEntry { name, .. } in &entries {
        let bad = |what| Err(BadEntry { name: name.clone(), what });
        if name.eq_ignore_ascii_case(".git") {
            return bad("is what git calls its own directory");
        }
        if name.is_empty() || name == "." || name == ".." || name.contains('/') {
            return bad("has no plain name");
        }
        if !names.insert(name.as_str()) {
            return bad("is there twice");
        }
    }
    Ok(entries)
}

/// The entries of a tree object, whatever they are called.
pub(super) fn read_all(mut raw: &[u8]) -> Result<Vec<TreeEntry>, BadEntry> {
    let mut entries = Vec::new();
    while !raw.is_empty() {
        let broken = || BadEntry { name: String::new(), what: "stands in a directory that cannot be read" };
        let space = raw.iter().position(|byte| *byte == b' ').ok_or_else(broken)?;
        let end = raw.iter().position(|byte| *byte == 0).filter(|end| *end > space).ok_or_else(broken)?;
        let (mode, name) = (&raw[..space], &raw[space + 1..end]);
        let id = raw.get(end + 1..end + 21).and_then(|id| id.try_into().ok()).ok_or_else(broken)?;
        raw = &raw[end + 21..];
        let bad = |what| BadEntry { name: String::from_utf8_lossy(name).escape_debug().to_string(), what };
        let kind = kind(mode).ok_or_else(|| bad("has a mode that git does not know"))?;
        let name = std::str::from_utf8(name).map_err(|_| bad("has a name that is not UTF-8"))?.to_owned();
        entries.push(TreeEntry { name, kind, id });
    }
    Ok(entries)
}

/// What a mode means; older versions of git wrote some more of them.
fn kind(mode: &[u8]) -> Option<Kind> {
    match mode {
        b"100644" | b"100664" | b"100600" | b"100640" => Some(Kind::File),
        b"100755" | b"100775" | b"100700" => Some(Kind::Program),
        b"120000" => Some(Kind::Symlink),
        b"40000" | b"040000" => Some(Kind::Directory),
        b"160000" => Some(Kind::Submodule),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let one = |(mode, name): &(&str, &[u8])| [mode.as_bytes(), b" ", name, b"\0", &[7; 20]].concat();
        entries.iter().flat_map(one).collect()
    }

    fn check(mode: &str, name: &[u8], expected: &str) {
        let error = read(&raw(&[("100644", b"a"), (mode, name)])).unwrap_err();
        assert_eq!(format!("{} {}", error.name, error.what), expected);
    }

    #[test]
    fn names_that_could_do_harm_are_refused() {
        check("40000", b".git", ".git is what git calls its own directory");
        check("100644", b".GiT", ".GiT is what git calls its own directory");
        check("100644", b"..", ".. has no plain name");
        check("100644", b".", ". has no plain name");
        check("100644", b"", " has no plain name");
        check("100644", b"x/y", "x/y has no plain name");
        check("100644", b"a", "a is there twice");
        check("100644", b"\xff\x1b", "\u{fffd}\\u{1b} has a name that is not UTF-8");
        check("100644", b"", " has no plain name");
        check("20644", b"tty", "tty has a mode that git does not know");
    }

    #[test]
    fn modes_mean_kinds() {
        let all = [("100644", "f"), ("100755", "p"), ("120000", "s"), ("40000", "d"), ("160000", "m")];
        let bytes: Vec<u8> = all.iter().flat_map(|(mode, name)| raw(&[(mode, name.as_bytes())])).collect();
        let kinds: Vec<_> = read(&bytes).unwrap().into_iter().map(|entry| entry.kind).collect();
        assert_eq!(kinds, [Kind::File, Kind::Program, Kind::Symlink, Kind::Directory, Kind::Submodule]);
    }

    #[test]
    fn what_is_cut_short_cannot_be_read() {
        let whole = raw(&[("100644", b"name")]);
        for end in 1..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
        assert!(read(b"").unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_give_a_name_that_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(entries) = read(&bytes) {
                prop_assert!(entries.iter().all(|entry| entry.name.parse::<crate::tree::Name>().is_ok()));
            }
        }

        #[test]
        fn nasty_names_are_refused_or_plain(
            names in proptest::collection::vec("[.a-cGgIiTt/~ \\x00-\\x1f\u{e9}]{0,5}", 1..6),
            mode in prop_oneof!["100644", "40000", "120000", "160000", "100755", "[0-7]{5,6}"],
        ) {
            let list: Vec<_> = names.iter().map(|name| (mode.as_str(), name.as_bytes())).collect();
            if let Ok(entries) = read(&raw(&list)) {
                for entry in entries {
                    prop_assert!(entry.name.parse::<crate::tree::Name>().is_ok());
                    prop_assert!(!entry.name.eq_ignore_ascii_case(".git"));
                }
            }
        }
    }
}
