//! Commands: one file each, with its arguments and a `run` that reads as its own summary.
//!
//! What several commands do is a verb below: `project` finds and reads what they work on, `locking` brings a
//! lockfile up to date in memory, `assembling` makes a generation of it, `committing` writes an edited project, and
//! `undo` puts back what a process that was killed left half written.

pub mod add;
mod assembling;
pub mod build;
mod commit;
mod committing;
pub mod completions;
mod context;
pub mod create;
pub mod delete;
pub mod env;
pub mod generations;
pub mod init;
pub mod list;
pub mod lock;
mod locking;
mod project;
pub mod remove;
pub mod rollback;
pub mod run;
pub mod status;
pub mod store;
pub mod switch;
pub mod tree;
mod undo;
pub mod update;

use clap::Args;

use crate::cli::{Cli, Command};
use crate::failure::Failure;
use context::Context;

/// Do what was typed; the exit code is that of a program that was run, or 0.
pub fn run(cli: Cli, ui: &crate::ui::Ui) -> Result<u8, Failure> {
    let context = Context::new(cli.globals, ui);
    match cli.command {
        Command::Init(args) => init::run(&context, &args),
        Command::Create(args) => create::run(&context, &args),
        Command::Delete(args) => delete::run(&context, &args),
        Command::List(args) => list::run(&context, &args),
        Command::Add(args) => add::run(&context, &args),
        Command::Remove(args) => remove::run(&context, &args),
        Command::Lock(args) => lock::run(&context, &args),
        Command::Update(args) => update::run(&context, &args),
        Command::Build(args) => build::run(&context, &args),
        Command::Run(args) => return run::run(&context, &args),
        Command::Env(args) => env::run(&context, &args),
        Command::Status(args) => status::run(&context, &args),
        Command::Tree(args) => tree::run(&context, &args),
        Command::Generations(args) => generations::run(&context, &args),
        Command::Rollback(args) => rollback::run(&context, &args),
        Command::Switch(args) => switch::run(&context, &args),
        Command::Store(args) => store::run(&context, &args),
        Command::Completions(args) => completions::run(&context, &args),
    }?;
    Ok(0)
}

/// How lockfiles and the network may be used.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct LockMode {
    /// Use lockfiles as they are: each must exist and match envy.toml, and none is written
    #[arg(long, env = "ENVY_LOCKED", value_parser = crate::cli::switch)]
    locked: bool,
    /// The same as `--locked --offline`
    #[arg(long, env = "ENVY_FROZEN", value_parser = crate::cli::switch)]
    frozen: bool,
}

/// How much a build may do at a time.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Jobs {
    /// Run so many jobs at a time [default: one for each processor]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

impl Jobs {
    fn number(self) -> usize {
        self.jobs.map_or_else(crate::build::default_jobs, usize::from)
    }
}
