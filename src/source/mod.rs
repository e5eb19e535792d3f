//! Where the bytes of packages come from.
//!
//! - [`registry`]: which registry crates come from, by cargo's own configuration
//! - [`registries`]: all registries of a project, by name and by address
//! - [`credentials`]: what registries want to hear from their users
//! - [`git`]: git repositories: references, commits, and their files
//! - [`git_index`]: the seam to indexes in git repositories
//! - [`crates`]: what a registry offers, and bringing its archives into the store
//! - [`index`]: a registry's index as text: addresses, lines, versions
//! - [`index_cache`]: the copies of it that are kept on disk
//! - [`mirrors`]: other addresses for what a project names
//! - [`cutoff`]: the times after which a version is too new
//! - [`tarball`]: reading tar archives, strictly
//! - [`archive`]: unpacking archives of all kinds into the store
//! - [`archives`]: bringing archives into the store, from addresses that a project names
//! - [`crate_archive`]: reading and unpacking `.crate` files
//! - [`cargo_manifest`]: what a `Cargo.toml` says
//! - [`cargo_lock`]: what a `Cargo.lock` says

mod archive;
mod archives;
mod cargo_lock;
mod cargo_manifest;
mod crate_archive;
mod crates;
mod credentials;
mod cutoff;
mod git;
mod git_index;
mod index;
mod index_cache;
mod mirrors;
mod registries;
mod registry;
mod tarball;

pub use archive::{Error as ArchiveError, Limits, Strip, Unpacked, list_archive, unpack_archive};
pub use archives::{Archives, Error as ArchivesError, Wanted, WantedFailure, WantedFailureKind};
pub use cargo_lock::{LockedCrate, LockedSource, locked_crates};
pub use cargo_manifest::{binaries, has_envy_metadata, lock_fits};
pub use crate_archive::{CrateContents, read as read_crate, unpack as unpack_crate};
pub use crates::{Archive, Crates, Error as CratesError, Failure as CrateFailure, FailureKind};
pub use credentials::Error as CredentialsError;
pub use cutoff::{Cutoff, Cutoffs, Error as CutoffError};
pub use git::{
    BadEntry, Checkout, EntryKind, Error as GitError, Git, GitSettings, Reference, Submodule, Tag, TreeEntry,
    WantedCommit, WireError, read_entries,
};
pub use git_index::{GitIndexError, GitIndexes, NoGit};
pub use index::CrateVersion;
pub use mirrors::{Error as MirrorError, Mirrors};
pub use registries::Registries;
pub use registry::{CargoConfig, Error as RegistryError, Registry};

/// A source did not give what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry did not.
    #[error(transparent)]
    Crates(#[from] crates::Error),
    /// Cargo's configuration names no registry that can be used.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// A crate's archive cannot be used.
    #[error(transparent)]
    Archive(#[from] crate_archive::Error),
    /// An archive could not be had.
    #[error(transparent)]
    Wanted(#[from] archives::Error),
    /// An archive cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] archive::Error),
    /// A crate's manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] cargo_manifest::Error),
    /// A crate's lock cannot be used.
    #[error(transparent)]
    Lock(#[from] cargo_lock::Error),
    /// A git repository did not give what was asked of it.
    #[error(transparent)]
    Git(#[from] git::Error),
    /// A mirror cannot be used.
    #[error(transparent)]
    Mirror(#[from] mirrors::Error),
    /// A cut-off time makes no sense.
    #[error(transparent)]
    Cutoff(#[from] cutoff::Error),
}
