//! The seam to registries whose index is a git repository: what they need of one.

/// Reads files of git repositories, by their addresses.
pub trait GitIndexes: std::fmt::Debug + Sync {
    /// The newest commit of a repository's default branch, brought here so that its files can be read; where the
    /// network may not be used, the last one that was.
    fn newest(&self, url: &str) -> Result<String, GitIndexError>;

    /// The content of a file at a commit that is here, or nothing where there is no such file.
    fn file(&self, url: &str, commit: &str, path: &str) -> Result<Option<Vec<u8>>, GitIndexError>;
}

/// A repository did not give what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum GitIndexError {
    /// It is not here, and the network may not be used.
    #[error("the network is needed, and may not be used")]
    Offline,
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] Box<dyn std::error::Error + Send + Sync>),
}

/// Reads none.
#[derive(Debug)]
pub struct NoGit;

impl GitIndexes for NoGit {
    fn newest(&self, _url: &str) -> Result<String, GitIndexError> {
        Err(GitIndexError::Failed("git indexes cannot be read here".into()))
    }

    fn file(&self, _url: &str, _commit: &str, _path: &str) -> Result<Option<Vec<u8>>, GitIndexError> {
        Ok(None)
    }
}
