//! What can go wrong with git repositories.

use super::packet::WireError;
use crate::digest::Commit;
use crate::{disk, download, process, store};

/// A repository did not give what was asked of it. Addresses stand in it without credentials.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The network may not be used, and these are not here.
    #[error("the network is needed, and may not be used: {}", missing.join(", "))]
    Offline { missing: Vec<String> },
    /// An address that nothing is fetched from.
    #[error("the address `{url}` {what}")]
    Address { url: String, what: &'static str },
    /// A server could not be asked over HTTP.
    #[error("could not ask `{url}`")]
    Ask { url: String, source: download::Error },
    /// A server said something that ended it.
    #[error("could not fetch from `{url}`")]
    Talk { url: String, source: WireError },
    /// `ssh` ended; this is what it said.
    #[error("could not reach `{url}` by ssh: {said}")]
    Ssh { url: String, said: String },
    /// A program that is needed for a repository could not be run, or failed.
    #[error("could not fetch from `{url}` with a program")]
    Program { url: String, source: process::Error },
    /// The program `git` ended; this is what it said.
    #[error("`git` could not fetch from `{url}`: {said}")]
    Git { url: String, said: String },
    /// The server wants to know who asks.
    #[error("`{url}` is only for those whom it knows, and {why}")]
    Login { url: String, why: &'static str },
    /// The file `.netrc` cannot be read.
    #[error("could not look for a password for `{url}`")]
    Netrc { url: String, source: disk::Error },
    /// No name and no commit is called so.
    #[error("`{url}` has no {what}")]
    NoReference { url: String, what: String },
    /// The beginning of an id is that of several commits.
    #[error("`{prefix}` begins the ids of several commits of `{url}`")]
    Ambiguous { url: String, prefix: String },
    /// A commit was there once.
    #[error("commit {commit} is not in `{url}` any more{now}")]
    Vanished { url: String, commit: Commit, now: String },
    /// A repository on this machine, or a mirror, cannot be read.
    #[error("could not read the repository `{url}`")]
    Repository { url: String, source: git2::Error },
    /// An object is not there, though a commit needs it.
    #[error("object {id} of commit {commit} is not in `{url}`")]
    Incomplete { url: String, commit: Commit, id: String },
    /// A commit that is not here is to be read.
    #[error("commit {commit} of `{url}` was not fetched")]
    Absent { url: String, commit: Commit },
    /// Something that must not be in a repository.
    #[error("`{path}` in commit {commit} of `{url}` {what}")]
    Entry { url: String, commit: Commit, path: String, what: &'static str },
    /// More than there may be.
    #[error("commit {commit} of `{url}` has {what}")]
    TooLarge { url: String, commit: Commit, what: &'static str },
    /// A file is kept elsewhere.
    #[error(
        "`{path}` in commit {commit} of `{url}` is kept in Git LFS, which envy does not fetch: the repository has only a pointer to it"
    )]
    Lfs { url: String, commit: Commit, path: String },
    /// A part of a repository that is another repository.
    #[error("the submodule `{path}` of `{url}` cannot be had")]
    Submodule { url: String, path: String, source: Box<Self> },
    /// A mirror was asked in the place of a repository.
    #[error("`{url}` is fetched from its mirror `{mirror}`, and from nowhere else")]
    Mirror { url: String, mirror: String, source: Box<Self> },
    /// Another wish for the same commit failed.
    #[error("{0}")]
    Same(String),
    /// A mirror could not be written.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The store could not take something in.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    /// Whether what is kept of a repository may be to blame.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Repository { .. } | Self::Incomplete { .. } | Self::Absent { .. } => true,
            Self::Submodule { source, .. } | Self::Mirror { source, .. } => source.is_damage(),
            _ => false,
        }
    }
}
