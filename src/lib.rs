//! envy
pub mod digest;
pub mod disk;
pub mod package;
pub mod platform;
pub mod progress;
pub mod tree;
pub mod process;
pub mod download;
pub mod store;
pub mod source;
