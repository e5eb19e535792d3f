//! Building: from pins to output trees.
//!
//! [`plan()`] decides, purely, which packages have an output that the store holds and which must be made. What must
//! be made becomes an [`action`], whose digest keys its result; [`run`] runs it behind the [`sandbox`]'s fence,
//! and [`schedule`] several at a time under one budget of jobs.
//!
//! Cargo finds crates where its configuration says ([`cargo_config`]): those of a registry as they were unpacked, those of
//! a git repository as [`vendor`](mod@vendor) lays them out.

pub mod action;
mod again;
mod c_files;
pub mod cargo_config;
mod compilers;
mod composition;
pub mod diagnosis;
pub mod differing;
mod elf;
mod fitness;
mod host;
mod host_files;
mod identity;
mod inputs;
mod jobs;
mod needs;
mod plan;
mod prefix;
mod project_config;
mod queue;
mod relocate;
mod run;
pub mod sandbox;
mod schedule;
pub mod share;
mod source_files;
mod steps;
mod supplies;
mod tool_files;
mod toolchain;
mod tools;
pub mod vendor;
mod vendored;

use std::path::PathBuf;

use crate::digest::{ActionDigest, BlobDigest, TreeDigest};
use crate::package::{PackageId, VersionReq};
use crate::platform::Platform;
use crate::tree::Collision;
use crate::{disk, process, recipe, source, store};
pub use again::{Remade, other_jobs, told};
pub use composition::Composition;
pub use diagnosis::Clue;
pub use fitness::{Lack, Unfit, unfit};
pub use host::Host;
pub use identity::Memo;
pub use plan::{Plan, Planned, Step, plan};
pub use project_config::{Configured, Dropped, Error as ProjectConfigError, configured};
pub use schedule::{Builder, Built, Origin, Proof, can_record, default_jobs, differing};
pub use steps::Steps;
pub use supplies::{Commits, Stock, Supplies};
pub use tool_files::brought;
pub use toolchain::{Toolchain, Wanted};
pub use tools::{BASE, Tools, find as find_tool};

/// A package cannot be built here.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A source failed.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// A repository that crates come from cannot be used.
    #[error(transparent)]
    Vendor(#[from] vendor::Error),
    /// A project's own configuration of cargo cannot be used.
    #[error(transparent)]
    ProjectConfig(#[from] project_config::Error),
    /// A program failed.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// The recipe failed.
    #[error(transparent)]
    Recipe(#[from] recipe::Error),
    /// A patch does not fit.
    #[error("could not patch `{id}`")]
    Patch {
        /// The package.
        id: PackageId,
        /// Why not.
        #[source]
        source: source::PatchError,
    },
    /// There is no file of patches.
    #[error("there is no `{}`, which is to patch `{id}`", path.display())]
    NoPatch {
        /// The package.
        id: PackageId,
        /// The patch.
        path: PathBuf,
    },
    /// A package has archives for other platforms only.
    #[error("the lockfile pins no archive of `{id}` for {platform}")]
    NoArchive {
        /// The package.
        id: PackageId,
        /// The platform.
        platform: Platform,
    },
    /// It is to be built by cargo, and holds nothing for it.
    #[error("`{0}` has no `Cargo.toml`, and recipe `cargo` builds nothing else")]
    NoProject(PackageId),
    /// A directory changed since its Cargo.lock was.
    #[error("the Cargo.lock of `{0}` does not fit its Cargo.toml")]
    StaleCargoLock(PackageId),
    /// A project's own configuration of cargo cannot be used.
    #[error("the configuration of cargo in `{id}` cannot be used")]
    CargoConfig {
        /// The package.
        id: PackageId,
        /// Why not.
        #[source]
        source: project_config::Error,
    },
    /// The fence cannot be had.
    #[error(transparent)]
    Sandbox(#[from] sandbox::Error),
    /// A source tree cannot be completed.
    #[error("the source of `{id}` cannot be laid out")]
    Layout {
        /// The package.
        id: PackageId,
        /// Why not.
        #[source]
        source: crate::tree::Error,
    },
    /// No compiler that would do.
    #[error("there is no rust {wanted} on this host")]
    NoToolchain {
        /// What would do.
        wanted: String,
        /// The version to install, for `rustup`.
        install: String,
        /// Those that were found.
        found: Vec<String>,
    },
    /// The compiler cannot build for a target.
    #[error("rust {rust} has no standard library for {target} on this host")]
    NoTarget {
        /// The compiler.
        rust: String,
        /// The target.
        target: String,
    },
    /// Declared tools are missing.
    #[error("this host has no {}", names.join(", no "))]
    NoTools {
        /// Their names.
        names: Vec<String>,
        /// The recipe that declares them.
        recipe: String,
    },
    /// A tool's file cannot be shown to builds.
    #[error("`{}`, which comes with a tool of this host, cannot be shown to builds", path.display())]
    ToolFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: crate::tree::Error,
    },
    /// A tool's file is not what it was a moment ago.
    #[error("`{}` changed while a build was made ready", path.display())]
    ToolChanged {
        /// The file.
        path: PathBuf,
    },
    /// What was fetched is not what was pinned.
    #[error("`{id}` is not what the lockfile pinned")]
    NotPinned {
        /// The package.
        id: PackageId,
        /// What of it.
        what: &'static str,
        /// The pinned digest.
        expected: String,
        /// The digest found.
        received: String,
    },
    /// The lockfile names a Cargo.lock that is not there.
    #[error("`{}`, the Cargo.lock that `{id}` was locked with, is missing", path.display())]
    NoCargoLock {
        /// The package.
        id: PackageId,
        /// The file.
        path: PathBuf,
    },
    /// Its build failed.
    #[error("building `{id}` failed in step {step} of {steps}, `{name}` ({status})")]
    Failed {
        /// The package.
        id: PackageId,
        /// Which step.
        step: usize,
        /// Of how many.
        steps: usize,
        /// What it is called.
        name: String,
        /// What it ran, the first lines.
        ran: Vec<String>,
        /// How it ended.
        status: String,
        /// The last lines it printed.
        last: Vec<String>,
        /// Where all of it is.
        log: PathBuf,
        /// The recipe.
        recipe: String,
        /// Whether who uses the recipe may declare more tools.
        takes_tools: bool,
        /// What its log tells of the reason.
        clues: Vec<Clue>,
    },
    /// It is built beside other packages, which are where it looks for them only behind a fence or for root.
    #[error("`{id}` is built beside packages that it needs, and this host allows no place for them")]
    NoPlaces {
        /// The package.
        id: PackageId,
    },
    /// Its build installed nothing.
    #[error("building `{id}` installed nothing")]
    NothingInstalled {
        /// The package.
        id: PackageId,
        /// Where the log is.
        log: PathBuf,
    },
    /// Its build installed what cannot be kept.
    #[error("what `{id}` installed cannot be taken into the store")]
    Unkept {
        /// The package.
        id: PackageId,
        /// The recipe.
        recipe: String,
        /// What it is.
        #[source]
        source: store::Error,
    },
    /// Its build left something else where the directory of what it installs belongs.
    #[error("building `{id}` left no real directory at `{path}`, and what it leads to is not touched")]
    Misplaced {
        /// The package.
        id: PackageId,
        /// Where, as the build sees it.
        path: String,
    },
    /// What it needs does not fit into one prefix.
    #[error("what `{id}` is built with cannot be put into one prefix")]
    InputsCollide {
        /// The package.
        id: PackageId,
        /// Paths that two packages provide.
        collisions: Vec<Collision>,
    },
    /// Its steps changed a file of another package.
    #[error("building `{id}` changed `{path}`, which another package brings")]
    ChangedInput {
        /// The package.
        id: PackageId,
        /// The file, from the prefix.
        path: String,
    },
    /// What was built does not do what its recipe tries.
    #[error("`{id}` was built, but its check `{command}` failed ({status})")]
    CheckFailed {
        /// The package.
        id: PackageId,
        /// The command.
        command: String,
        /// How it ended.
        status: String,
        /// The last lines it printed.
        last: Vec<String>,
        /// Where all of it is.
        log: PathBuf,
    },
    /// One action gave two trees, one after the other.
    #[error("`{id}` was built twice, and came out otherwise the second time")]
    NotTheSameTwice {
        /// The package.
        id: PackageId,
        /// The action.
        action: ActionDigest,
        /// Files that differ.
        files: Vec<differing::Differing>,
    },
    /// One action gave two trees.
    #[error("building `{id}` gave other files than the lockfile records for the very same action")]
    NotReproduced {
        /// The package.
        id: PackageId,
        /// The action.
        action: ActionDigest,
        /// The recorded tree.
        recorded: TreeDigest,
        /// The tree that came out.
        made: TreeDigest,
        /// Paths that differ, where the recorded tree is known.
        files: Vec<String>,
    },
}

/// The digest of a Cargo.lock's text.
fn cargo_lock_digest(text: &str) -> BlobDigest {
    BlobDigest::of(text.as_bytes())
}

/// What was asked for, in words.
fn describe(wanted: Option<&VersionReq>) -> String {
    wanted.map_or_else(|| "toolchain".to_owned(), ToString::to_string)
}
