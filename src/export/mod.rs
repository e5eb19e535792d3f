//! Telling others what a site is: bills of materials, statements of where its packages come from, and its files.
//!
//! - [`bill`]: what a site consists of, down to the last crate
//! - [`purl`], [`licence`]: how the world names packages and licences
//! - [`cyclonedx`], [`spdx`]: a bill as these formats write it
//! - [`provenance`]: how a package was built, as in-toto and SLSA write it
//! - [`tarball`]: the files of a prefix in one archive
//!
//! All of it is the same for the same lockfile and the same outputs: there is no time and no chance in it.

pub mod bill;
pub mod cyclonedx;
pub mod licence;
pub mod provenance;
pub mod purl;
pub mod spdx;
pub mod tarball;
