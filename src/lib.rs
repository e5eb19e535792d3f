//! envy
pub mod digest;
pub mod package;
pub mod platform;
pub mod tree;
pub mod progress;
pub mod build;
pub mod disk;
pub mod process;
