//! envy
pub mod digest;
pub mod disk;
pub mod download;
pub mod package;
pub mod platform;
pub mod process;
pub mod progress;
pub mod tree;
