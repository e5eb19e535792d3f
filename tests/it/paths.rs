//! Packages from directories.
