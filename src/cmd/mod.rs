//! Commands: one file each, with its arguments and a `run` that reads as its own summary.
//!
//! What several commands do is a verb below: `project` finds and reads what they work on, `locking` brings a
//! lockfile up to date in memory, `sharing` has the recipes that projects share, `caching` asks caches that hosts share,
//! `assembling` makes a prefix of it, `looking` looks one over that is there, `showing` makes a generation that the site
//! shows, `passing` takes that through the site's gate, `committing` writes an edited project, and `undo` puts back what a
//! process that was killed left half written.

pub mod activate;
pub mod add;
mod assembling;
pub mod build;
pub mod bundle;
mod caching;
mod commit;
mod committing;
pub mod completions;
mod context;
pub mod create;
pub mod delete;
pub mod diff;
pub mod doctor;
pub mod env;
pub mod export;
pub mod fetch;
pub mod gc;
pub mod generations;
mod held;
pub mod import;
pub mod init;
pub mod list;
pub mod lock;
mod locking;
mod looking;
pub mod man;
mod options;
pub mod outdated;
mod output;
mod passing;
mod project;
pub mod promote;
pub mod pull;
pub mod push;
pub mod recipe;
pub mod remove;
pub mod rollback;
pub mod run;
mod sharing;
pub mod shell;
mod showing;
mod site_files;
pub mod status;
pub mod store;
pub mod switch;
pub mod tree;
mod undo;
pub mod update;
pub mod verify;
mod vouching;
pub mod why;

use clap::Args;

pub use context::Context;
pub use options::{Color, Globals, SitesArgs};

use crate::build::Proof;
use crate::failure::{Exit, Failure};
use crate::manifest::Site;

/// How lockfiles and the network may be used.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct LockMode {
    /// Use lockfiles as they are: each must exist and match envy.toml, and none is written
    #[arg(long, env = "ENVY_LOCKED", value_parser = options::switch)]
    locked: bool,
    /// The same as `--locked --offline`
    #[arg(long, env = "ENVY_FROZEN", value_parser = options::switch)]
    frozen: bool,
}

/// How much a build may do at a time.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Jobs {
    /// Run so many jobs at a time [default: one for each processor]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// How often each is built, where the command lets one choose.
    #[arg(skip)]
    proof: Proof,
}

impl Jobs {
    fn number(self) -> usize {
        self.asked().unwrap_or_else(crate::build::default_jobs)
    }

    fn asked(self) -> Option<usize> {
        self.jobs.map(usize::from)
    }
}

/// Do something for each site. What is missing offline is told of all of them together. A site that does not pass its gate
/// shows what it showed before, and keeps no other from going on.
fn for_each<'s, T>(
    sites: &[&'s Site],
    mut work: impl FnMut(&'s Site) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let (mut done, mut offline, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for site in sites {
        match work(site) {
            Ok(one) => done.push(one),
            Err(failure) if failure.exit == Exit::Offline => offline.push(failure),
            Err(failure) if failure.exit == Exit::Refused => refused.push(failure),
            Err(failure) => return Err(Failure::several([failure].into_iter().chain(refused))),
        }
    }
    refused.extend((!offline.is_empty()).then(|| Failure::offline(offline)));
    if refused.is_empty() { Ok(done) } else { Err(Failure::several(refused)) }
}
