//! Where the bytes of packages come from.
//!
//! - [`registry`]: which registry crates come from, by cargo's own configuration
//! - [`crates`]: what a registry offers, and bringing its archives into the store
//! - [`index`]: a registry's index as text: addresses, lines, versions
//! - [`index_cache`]: the copies of it that are kept on disk
//! - [`mirrors`]: other addresses for what a project names
//! - [`tarball`]: reading tar archives, strictly
//! - [`crate_archive`]: reading and unpacking `.crate` files
//! - [`path`]: directories of the user's
//! - [`patch`]: patches of source trees
//! - [`cargo_manifest`]: what a `Cargo.toml` says
//! - [`mod@cargo_project`]: which package of a tree is meant
//! - [`cargo_lock`]: what a `Cargo.lock` says

mod cargo_lock;
mod cargo_manifest;
mod cargo_project;
mod crate_archive;
mod crates;
mod index;
mod index_cache;
mod mirrors;
mod patch;
mod path;
mod registry;
mod tarball;

pub use cargo_lock::{LockedCrate, LockedSource, locked_crates};
pub use cargo_manifest::{Binary, binaries, has_envy_metadata, lock_fits};
pub use cargo_project::{CargoProject, Error as ProjectError, ReadError, cargo_project};
pub use crate_archive::{CrateContents, read as read_crate, unpack as unpack_crate};
pub use crates::{Archive, Crates, Error as CratesError, Failure as CrateFailure, FailureKind};
pub use index::CrateVersion;
pub use mirrors::Mirrors;
pub use patch::{Error as PatchError, Patch, patched};
pub use path::{Error as PathError, PathMemo, PathSource, ingest as ingest_path, look as look_at_path};
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
    /// An archive cannot be used.
    #[error(transparent)]
    Archive(#[from] crate_archive::Error),
    /// A crate's manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] cargo_manifest::Error),
    /// A crate's lock cannot be used.
    #[error(transparent)]
    Lock(#[from] cargo_lock::Error),
    /// A patch cannot be applied.
    #[error(transparent)]
    Patch(#[from] patch::Error),
    /// A directory cannot be a source.
    #[error(transparent)]
    Path(#[from] path::Error),
    /// A tree does not have the package that is asked for.
    #[error(transparent)]
    Project(#[from] cargo_project::Error),
}
