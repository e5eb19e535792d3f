//! A file as it was in a revision of the repository that it lies in: of one's own project, not of a source.

use std::path::{Path, PathBuf};

use git2::{ErrorCode, Repository, StatusOptions};

/// A file of a revision cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    /// No repository has it.
    #[error("`{}` does not lie in a git repository", .0.display())]
    NoRepository(PathBuf),
    /// The repository knows no such revision.
    #[error("the git repository of `{}` has no revision `{revision}`", directory.display())]
    NoRevision {
        /// Where it was looked for.
        directory: PathBuf,
        /// What was asked for.
        revision: String,
    },
    /// The library failed.
    #[error("the git repository of `{}` cannot be read", directory.display())]
    Library {
        /// Where the repository is.
        directory: PathBuf,
        /// What it said.
        #[source]
        source: git2::Error,
    },
}

/// The bytes of a file below a directory as they were committed in a revision, as git writes one (`main`, `v1`,
/// `HEAD~2`); nothing where that had no such file.
pub fn file_at(directory: &Path, revision: &str, file: &Path) -> Result<Option<Vec<u8>>, RevisionError> {
    let failed = |source: git2::Error| RevisionError::Library { directory: directory.to_owned(), source };
    let repository = Repository::discover(directory).map_err(|error| match error.code() {
        ErrorCode::NotFound => RevisionError::NoRepository(directory.to_owned()),
        _ => failed(error),
    })?;
    let no_revision = |_| RevisionError::NoRevision { directory: directory.to_owned(), revision: revision.to_owned() };
    let commit = repository.revparse_single(revision).and_then(|found| found.peel_to_commit()).map_err(no_revision)?;
    let root = repository.workdir().ok_or_else(|| RevisionError::NoRepository(directory.to_owned()))?;
    let root = crate::disk::canonical(root).unwrap_or_else(|_| root.to_owned());
    let inside = directory.strip_prefix(&root).map_err(|_| RevisionError::NoRepository(directory.to_owned()))?;
    let entry = match commit.tree().and_then(|tree| tree.get_path(&inside.join(file))) {
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
        entry => entry.map_err(failed)?,
    };
    let object = entry.to_object(&repository).map_err(failed)?;
    Ok(object.as_blob().map(|blob| blob.content().to_owned()))
}

/// Whether a project differs from the commit that is checked out in the repository that it lies in: a file that git tracks
/// has changed, or one of these paths below the directory has something that git does not track. Nothing where there is no
/// repository, or none that can be read.
pub fn is_dirty(directory: &Path, paths: &[&str]) -> Option<bool> {
    let repository = Repository::discover(directory).ok()?;
    let root = crate::disk::canonical(repository.workdir()?).ok()?;
    let inside = directory.strip_prefix(&root).ok()?;
    let mut tracked = StatusOptions::new();
    tracked.include_untracked(false).include_ignored(false).exclude_submodules(true);
    let mut untracked = StatusOptions::new();
    untracked.include_untracked(true).include_ignored(false).exclude_submodules(true).disable_pathspec_match(true);
    for path in paths {
        untracked.pathspec(inside.join(path));
    }
    let differs = |options: &mut StatusOptions| Some(!repository.statuses(Some(options)).ok()?.is_empty());
    Some(differs(&mut tracked)? || differs(&mut untracked)?)
}
