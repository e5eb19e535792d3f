//! Where the bytes of packages come from.
//!
//! - [`registry`]: which registry crates come from, by cargo's own configuration
//! - [`crates`]: what a registry offers, and bringing its archives into the store
//! - [`index`]: a registry's index as text: addresses, lines, versions
//! - [`index_cache`]: the copies of it that are kept on disk
//! - [`mirrors`]: other addresses for what a project names
//! - [`tarball`]: reading tar archives, strictly
//! - [`crate_archive`]: reading and unpacking `.crate` files
//! - [`cargo_manifest`]: what a `Cargo.toml` says
//! - [`cargo_lock`]: what a `Cargo.lock` says
//! - [`mod@crate_sources`]: which sources its crates come from, beside crates.io

mod cargo_lock;
mod cargo_manifest;
mod crate_archive;
mod crate_sources;
mod crates;
mod index;
mod index_cache;
mod mirrors;
mod registry;
mod tarball;

pub use cargo_lock::{GitReference, GitSource, LockedCrate, LockedSource, locked_crates};
pub use cargo_manifest::{binaries, has_envy_metadata, lock_fits};
pub use crate_archive::{CrateContents, read as read_crate, unpack as unpack_crate};
pub use crate_sources::{CrateSource, Error as CrateSourcesError, SourceCrates, crate_sources};
pub use crates::{Archive, Crates, Error as CratesError, Failure as CrateFailure, FailureKind};
pub use index::CrateVersion;
pub use mirrors::Mirrors;
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
    /// A crate's lock contradicts itself.
    #[error(transparent)]
    CrateSources(#[from] crate_sources::Error),
}
