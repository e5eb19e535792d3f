//! Indexes of registries that are git repositories.

use super::{Git, Reference, WantedCommit};
use crate::digest::Commit;
use crate::progress::Silent;
use crate::source::git_index::{GitIndexError, GitIndexes};

impl GitIndexes for Git<'_> {
    fn newest(&self, url: &str) -> Result<String, GitIndexError> {
        let commit = self.resolve(url, &Reference::Default).map_err(of)?;
        let wanted = WantedCommit {
            name: super::place::shown(url),
            url: url.to_owned(),
            commit,
            reference: Some(Reference::Default),
        };
        self.fetch(&[wanted], &Silent).into_iter().collect::<Result<(), _>>().map_err(of)?;
        Ok(commit.to_string())
    }

    fn file(&self, url: &str, commit: &str, path: &str) -> Result<Option<Vec<u8>>, GitIndexError> {
        let commit: Commit = commit.parse().map_err(|error| GitIndexError::Failed(Box::new(error)))?;
        Self::file(self, url, &commit, path).map_err(of)
    }
}

fn of(error: super::Error) -> GitIndexError {
    match error {
        super::Error::Offline { .. } => GitIndexError::Offline,
        error => GitIndexError::Failed(Box::new(error)),
    }
}
