//! What a build sees, and whether it can be made at all.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::Error;
use crate::disk;

/// What a build sees, beside an empty root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// What is shown where. The order means nothing: an outer place is made before what lies in it.
    pub entries: Vec<Entry>,
    /// The whole environment, but for `PWD`.
    pub environment: BTreeMap<String, String>,
    /// The directory that the command starts in.
    pub directory: String,
    /// The program, looked up in the view's `PATH` if it has no slash, and its arguments.
    pub command: Vec<String>,
}

/// A thing that a build sees. `to` is absolute; `from` is a file or a directory of the host, symlinks followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Seen, and not to be changed, not even by root; so is everything mounted below it.
    ReadOnly {
        /// Where it is on the host.
        from: PathBuf,
        /// Where the build sees it.
        to: String,
    },
    /// Seen, and changed in place.
    Writable {
        /// Where it is on the host.
        from: PathBuf,
        /// Where the build sees it.
        to: String,
    },
    /// A symlink.
    Symlink {
        /// What it says.
        target: String,
        /// Where the build sees it.
        to: String,
    },
}

impl Entry {
    /// Where the build sees it.
    pub fn to(&self) -> &str {
        match self {
            Self::ReadOnly { to, .. } | Self::Writable { to, .. } | Self::Symlink { to, .. } => to,
        }
    }

    /// Where it is on the host.
    pub fn from(&self) -> Option<&Path> {
        match self {
            Self::ReadOnly { from, .. } | Self::Writable { from, .. } => Some(from),
            Self::Symlink { .. } => None,
        }
    }
}

/// Whether a view can be made at all; the launchers rely on it.
pub(super) fn check(view: &View) -> Result<(), Error> {
    let places: BTreeMap<&Path, &Entry> = view.entries.iter().map(|entry| (Path::new(entry.to()), entry)).collect();
    for entry in &view.entries {
        check_place(entry.to())?;
        if entry.to() == "/" {
            return Err(Error::Place { to: "/".to_owned(), why: "the root is made of the other places" });
        }
        check_source(entry)?;
        let outer = Path::new(entry.to()).ancestors().skip(1).find_map(|place| places.get(place));
        outer.map_or(Ok(()), |outer| check_outer(entry, outer))?;
    }
    check_place(&view.directory)
}

fn check_source(entry: &Entry) -> Result<(), Error> {
    let Some(from) = entry.from() else { return Ok(()) };
    if from.to_str().is_none() {
        return Err(Error::NotText { path: from.to_owned() });
    }
    match disk::stamp(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Error::Missing { from: from.to_owned(), to: entry.to().to_owned() })
        }
        other => Ok(other.map(drop)?),
    }
}

/// Between an entry and the one that it lies in must be no symlink: a launcher that follows it would make the entry's place
/// somewhere on the host.
fn check_outer(entry: &Entry, outer: &Entry) -> Result<(), Error> {
    let follows = match (outer.from(), Path::new(entry.to()).strip_prefix(outer.to())) {
        (Some(from), Ok(inner)) => {
            let below = from.join(inner);
            below.ancestors().take(inner.components().count()).any(|path| disk::read_link(path).is_some())
        }
        _ => true,
    };
    if follows {
        return Err(Error::Place { to: entry.to().to_owned(), why: "it lies behind a symlink" });
    }
    Ok(())
}

fn check_place(to: &str) -> Result<(), Error> {
    let wrong = |why| Err(Error::Place { to: to.to_owned(), why });
    let Some(inner) = to.strip_prefix('/') else { return wrong("it is not absolute") };
    if to.contains('\0') {
        return wrong("it has a NUL in it");
    }
    if inner.split('/').any(|part| matches!(part, "" | "." | "..")) && to != "/" {
        return wrong("it is not in its shortest form");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_absolute_and_in_their_shortest_form() {
        for good in ["/", "/envy", "/envy/src", "/usr/lib/..x"] {
            assert!(check_place(good).is_ok(), "{good}");
        }
        for bad in ["", "envy", "//envy", "/envy/", "/envy/../etc", "/./envy", "/a\0b"] {
            assert!(matches!(check_place(bad), Err(Error::Place { .. })), "{bad}");
        }
    }

    #[test]
    fn no_place_lies_behind_a_symlink() {
        let directory = tempfile::tempdir().unwrap();
        disk::create_directories(&directory.path().join("real")).unwrap();
        disk::symlink(Path::new("/"), &directory.path().join("link")).unwrap();
        let check_inner = |inner: &str| {
            let outer = Entry::Writable { from: directory.path().to_owned(), to: "/envy/src".into() };
            let inner = Entry::ReadOnly { from: "/dev/null".into(), to: format!("/envy/src/{inner}") };
            check(&View { entries: vec![inner, outer], directory: "/".into(), ..View::default() })
        };
        assert!(check_inner("real/new").is_ok());
        for place in ["link", "link/envy-was-here"] {
            assert!(matches!(check_inner(place), Err(Error::Place { .. })), "{place}");
        }
    }

    #[test]
    fn a_missing_input_is_named_with_its_place() {
        let entries = vec![Entry::ReadOnly { from: "/nowhere/at/all".into(), to: "/envy/in".into() }];
        let error = check(&View { entries, directory: "/".into(), ..View::default() }).unwrap_err();
        assert_eq!(error.to_string(), "`/nowhere/at/all`, which the build sees as `/envy/in`, does not exist");
    }
}
