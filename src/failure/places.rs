//! Failures of the file system: what may not be read or written, and what helps there.

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::path::Path;

use super::{Exit, Failure, is_full};
use crate::{disk, store};

impl Failure {
    /// What a command was to write at a place that somebody named cannot be written there.
    pub fn output(error: disk::Error) -> Self {
        let failure = Self::caused(Exit::Failed, &error);
        match denied(&error) {
            true => failure.hint("let this user write there, or name another place for it with `--output`"),
            false => failure.hint(elsewhere(&error)),
        }
    }

    /// The same, told as something that could not be packed.
    pub(super) fn unwritten(outcome: String, error: &(dyn StdError + 'static)) -> Self {
        Self { outcome, ..Self::caused(Exit::Failed, error) }.hint(elsewhere(error))
    }

    /// A result could not be written to the standard output.
    pub fn unread(error: &std::io::Error) -> Self {
        let failure = Self::new(Exit::Failed, "the result could not be written to the standard output");
        let failure = Self { causes: vec![error.to_string()], ..failure };
        let failure = failure.fact("what the command did besides that is done");
        failure.hint(match is_full(error) {
            true => "free some space where the output goes",
            false => "send the output elsewhere, as by `| cat` or `> FILE`",
        })
    }
}

/// What helps where something could not be written at a place that somebody named.
fn elsewhere(error: &(dyn StdError + 'static)) -> &'static str {
    match is_full(error) {
        true => "free some space there, or name another place for it with `--output`",
        false => "name another place for it with `--output`",
    }
}

fn denied(error: &disk::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

impl From<disk::Error> for Failure {
    fn from(error: disk::Error) -> Self {
        let in_store = store::holds(error.path());
        told(&error, in_store)
    }
}

/// A failure of something that the store did.
pub(super) fn of_store(error: &disk::Error) -> Failure {
    told(error, true)
}

fn told(error: &disk::Error, in_store: bool) -> Failure {
    let failure = Failure::of(Exit::Failed, error);
    if !denied(error) {
        return failure;
    }
    failure.hint(match (error.is_of_reading(), in_store, is_of_sites(error.path())) {
        (true, true, _) => "let this user read it, or choose another store: `ENVY_STORE`",
        (true, false, _) => "let this user read it",
        (false, true, _) => {
            "let this user write there, or choose another place: `ENVY_STORE` for the store, `--sites-dir` for sites"
        }
        (false, false, true) => "let this user write there, or choose another place for sites: `--sites-dir`",
        (false, false, false) => "let this user write there",
    })
}

/// Whether a path is where a project keeps its sites, unless somebody says otherwise.
fn is_of_sites(path: &Path) -> bool {
    path.ancestors().any(|above| above.ends_with(".envy/sites"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_depends_on_what_was_done_and_where() {
        let denied = |doing, path: &str| disk::Error::new(doing, Path::new(path), ErrorKind::PermissionDenied.into());
        let check = |error: disk::Error, hint: &str| assert_eq!(Failure::from(error).hints, [hint]);
        check(denied("read", "/p/envy.toml"), "let this user read it");
        check(denied("open", "/p/api.envy"), "let this user read it");
        check(denied("write into", "/p"), "let this user write there");
        let sites = "let this user write there, or choose another place for sites: `--sites-dir`";
        check(denied("create directory", "/p/.envy/sites/api"), sites);

        let hint = of_store(&denied("write into", "/s/tmp")).hints.concat();
        assert!(hint.contains("`ENVY_STORE`"), "{hint}");
        let hint = Failure::output(denied("write into", "/out")).hints.concat();
        assert_eq!(hint, "let this user write there, or name another place for it with `--output`");
    }

    #[test]
    fn nothing_is_kept_of_what_somebody_wanted_at_a_place_that_is_full() {
        let full = disk::Error::new("write", Path::new("/full/x"), ErrorKind::StorageFull.into());
        assert_eq!(
            Failure::output(full).hints,
            ["free some space there, or name another place for it with `--output`"]
        );
    }
}
