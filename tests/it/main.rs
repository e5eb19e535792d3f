//! Runs the program: each test has a home, a store and a registry of its own, all on this machine and all its own.
//!
//! Start with [`scratch::Scratch`], which runs envy in a clean world, and [`registry::Registry`], which crates are
//! published into. [`repository::Repository`] is a git repository. [`hostile`] makes archives that no honest registry
//! would serve, [`docs`] runs documents, [`media`] has what they fetch, and [`harness`] tests all of these. Tests are
//! grouped into one file a command or a noun.
//!
//! `ENVY_KEEP_SCRATCH=1` keeps the directories of the tests and prints where they are; `UPDATE_EXPECT=1` rewrites
//! expectations.

#![allow(clippy::disallowed_methods, reason = "tests stand outside of the program's doors")]
#![allow(clippy::print_stderr, reason = "a test that is left out says so")]
#![allow(dead_code, reason = "the harness offers what tests to come will use")]

mod archives;
mod bad_input;
mod bundles;
mod bundles_bare;
mod bundles_more;
mod caches;
mod candidates;
mod cli_reference;
mod commands;
mod conditions;
mod constraints;
mod converging;
mod cutoff;
mod damaged_sites;
mod data;
mod diff;
mod docs;
mod doctor;
mod documents;
mod exports;
mod extends;
mod faults;
mod fenced;
mod fetch;
mod flipped;
mod gate;
mod gate_again;
mod gc;
mod generations;
mod git;
mod harness;
mod hostile;
mod interruptions;
mod jobs;
mod journey;
mod keeping;
mod krate;
mod lock;
mod looked_over;
mod markers;
mod media;
mod merging;
mod mirrors;
mod network;
mod outcome;
mod outdated;
mod outputs;
mod overrides;
mod packed;
mod patches;
mod paths;
mod places;
mod promote;
mod questions;
mod racing;
mod recipe_commands;
mod recipe_reference;
mod recipes;
mod registries;
mod registry;
mod relocation;
mod repository;
mod reproducible;
mod resolving;
mod scratch;
mod server;
mod shared_recipes;
mod sharing;
mod shells;
mod site_files;
mod stated;
mod tree;
mod verify;
mod vouching;
mod why;
