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
//! - [`licences`]: what manifests say of licences
//! - [`mirrors`]: other addresses for what a project names
//! - [`tarball`]: reading tar archives, strictly
//! - [`archive`]: unpacking archives of all kinds into the store
//! - [`archives`]: bringing archives into the store, from addresses that a project names
//! - [`statements`]: what packages say to envy in their `Cargo.toml`, kept by what it was read from
//! - [`crate_archive`]: reading and unpacking `.crate` files
//! - [`path`]: directories of the user's
//! - [`patch`]: patches of source trees
//! - [`cargo_manifest`]: what a `Cargo.toml` says
//! - [`mod@cargo_project`]: which package of a tree is meant
//! - [`cargo_lock`]: what a `Cargo.lock` says
//! - [`mod@crate_sources`]: which sources its crates come from, beside crates.io

mod archive;
mod archives;
mod cargo_lock;
mod cargo_manifest;
mod cargo_project;
mod crate_archive;
mod crate_sources;
mod crates;
mod credentials;
mod git;
mod git_index;
mod index;
mod index_cache;
mod licences;
mod mirrors;
mod patch;
mod path;
mod registries;
mod registry;
mod sources;
mod statements;
mod tarball;

pub use archive::{Error as ArchiveError, Limits, Strip, Unpacked, list_archive, unpack_archive};
pub use archives::{Archives, Error as ArchivesError, Wanted as WantedArchive, WantedFailure, WantedFailureKind};
pub use cargo_lock::{GitSource, LockedCrate, LockedNode, LockedSource, locked_crates, locked_graph};
pub use cargo_manifest::{Binary, binaries, lock_fits};
pub use cargo_project::{CargoProject, Error as ProjectError, ReadError, cargo_project, outside, toolchain_file};
pub use crate_archive::{CrateContents, read as read_crate, unpack as unpack_crate};
pub use crate_sources::{CrateSource, Error as CrateSourcesError, SourceCrates, crate_sources};
pub use crates::{Archive, Crates, Error as CratesError, Failure as CrateFailure, FailureKind};
pub use credentials::Error as CredentialsError;
pub use git::{
    BadEntry, Checkout, EntryKind, Error as GitError, Git, GitSettings, Listing, Reference, RevisionError, Submodule,
    Tag, TreeEntry, WantedCommit, WireError, file_at, is_dirty, read_entries,
};
pub use git_index::{GitIndexError, GitIndexes, NoGit};
pub use index::CrateVersion;
pub use licences::{licence, licence_in};
pub use mirrors::{Error as MirrorError, Mirrors};
pub use patch::{Error as PatchError, Patch, patched};
pub use path::{Error as PathError, PathMemo, PathSource};
pub use registries::Registries;
pub use registry::{CargoConfig, Error as RegistryError, Registry};
pub use sources::{Item, Origin, Sources, is_local, look_at, one_of};
pub use statements::Packaged;

use crate::download;
use crate::package::PackageName;

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
    /// A tree does not have the package that is asked for.
    #[error("`{name}` is not to be found in its source")]
    Project {
        /// The package.
        name: PackageName,
        /// Why not.
        #[source]
        source: cargo_project::Error,
    },
    /// A crate's lock contradicts itself.
    #[error(transparent)]
    CrateSources(#[from] crate_sources::Error),
    /// A directory cannot be used.
    #[error(transparent)]
    Path(#[from] path::Error),
    /// A patch does not fit.
    #[error(transparent)]
    Patch(#[from] patch::Error),
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] crate::disk::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// The network may not be used, and these are not here.
    #[error("the network is needed, and may not be used: {}", missing.join(", "))]
    Offline {
        /// What would have to come.
        missing: Vec<String>,
    },
}

impl Error {
    /// What would have to come, where all that is wrong is that the network may not be used.
    pub fn missing_offline(&self) -> Option<&[String]> {
        match self {
            Self::Offline { missing }
            | Self::Crates(
                crates::Error::Offline { missing } | crates::Error::Download(download::Error::Offline { missing }),
            )
            | Self::Wanted(
                archives::Error::Offline { missing } | archives::Error::Download(download::Error::Offline { missing }),
            )
            | Self::Git(git::Error::Offline { missing }) => Some(missing),
            Self::Git(git::Error::Submodule { source, .. } | git::Error::Mirror { source, .. }) => match &**source {
                git::Error::Offline { missing } => Some(missing),
                _ => None,
            },
            _ => None,
        }
    }
}
