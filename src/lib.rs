//! envy

pub mod digest;
pub mod package;
pub mod platform;
pub mod tree;
pub mod progress;

pub mod disk;
pub mod process;
pub mod download;

pub mod store;
pub mod manifest;
pub mod source;
pub mod recipe;
pub mod resolve;
pub mod index;
pub mod lock;
pub mod build;
pub mod site;

pub mod failure;
pub mod ui;

pub mod cli;
pub mod cmd;
