//! Where the bytes of packages come from.
//!
//! - [`registry`]: which registry crates come from, by cargo's own configuration
//! - [`crates`]: what a registry offers, and bringing its archives into the store
//! - [`index`]: a registry's index as text: addresses, lines, versions
//! - [`index_cache`]: the copies of it that are kept on disk
//! - [`tarball`]: reading tar archives, strictly
//! - [`crate_archive`]: reading and unpacking `.crate` files
//! - [`cargo_manifest`]: what a `Cargo.toml` says
//! - [`cargo_lock`]: what a `Cargo.lock` says

pub mod cargo_lock;
pub mod cargo_manifest;
pub mod crate_archive;
pub mod crates;
pub mod index;
mod index_cache;
pub mod registry;
pub mod tarball;
