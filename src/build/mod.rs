//! Building: from a plan to outputs.

pub mod sandbox;
