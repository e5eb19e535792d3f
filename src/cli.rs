//! The command line: what can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cmd;
use crate::ui::Volume;

/// Isolated, repeatable environments for Rust services.
///
/// A site is a named environment with a prefix of its own. `envy.toml` says what each site requires, lockfiles pin
/// it by digest, and `envy build --locked` makes exactly that, the same on every host.
#[derive(Debug, Parser)]
#[command(name = "envy", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What holds for all commands.
    #[command(flatten)]
    pub globals: Globals,
}

const EXAMPLES: &str = "\
Examples:
  envy init && envy create siteA
  envy add hexyl@0.16 just --site siteA
  envy run siteA -- hexyl --version
  envy build --locked";

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Globals {
    /// Work on the project in this directory, instead of the one that the current directory is in
    #[arg(long, global = true, value_name = "DIR", env = "ENVY_PROJECT")]
    pub project: Option<PathBuf>,
    /// Keep sites here, instead of in the project's `.envy/sites`
    #[arg(long, global = true, value_name = "DIR", env = "ENVY_SITES")]
    pub sites_dir: Option<PathBuf>,
    /// Open no socket; what is missing is listed in one error
    #[arg(long, global = true, env = "ENVY_OFFLINE", value_parser = switch)]
    pub offline: bool,
    /// Give up waiting for another envy after so many seconds
    #[arg(long, global = true, value_name = "SECONDS", env = "ENVY_LOCK_TIMEOUT")]
    pub lock_timeout: Option<u64>,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto", env = "ENVY_COLOR")]
    pub color: Color,
}

/// Read a switch from an environment variable; an empty one counts as not set.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("expected 1 or 0, true or false, yes or no, on or off".to_owned()),
    }
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Globals {
    /// How much is told.
    pub fn volume(&self) -> Volume {
        match (self.quiet, self.verbose) {
            (true, _) => Volume::Quiet,
            (_, true) => Volume::Verbose,
            _ => Volume::Normal,
        }
    }

    /// How long to wait for other processes.
    pub fn patience(&self) -> Option<Duration> {
        self.lock_timeout.map(Duration::from_secs)
    }
}

/// Everything envy does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write an `envy.toml` into the current directory
    Init(cmd::init::Args),
    /// Add a site, with an empty prefix
    Create(cmd::create::Args),
    /// Remove a site
    Delete(cmd::delete::Args),
    /// Show the sites and what each is at
    #[command(visible_alias = "ls")]
    List(cmd::list::Args),
    /// Require packages: edit envy.toml, lock, build
    Add(cmd::add::Args),
    /// Require packages no longer: edit envy.toml, lock, build
    #[command(visible_alias = "rm")]
    Remove(cmd::remove::Args),
    /// Write lockfiles, moving nothing that need not move
    Lock(cmd::lock::Args),
    /// Move locked versions within what envy.toml allows
    Update(cmd::update::Args),
    /// Build sites from their lockfiles and make the result current
    Build(cmd::build::Args),
    /// Run a program in a site
    Run(cmd::run::Args),
    /// Print the variables of a site
    Env(cmd::env::Args),
    /// Say how manifest, lockfiles and sites agree
    Status(cmd::status::Args),
    /// Show what a site consists of
    Tree(cmd::tree::Args),
    /// Show the generations of a site
    Generations(cmd::generations::Args),
    /// Go back to the generation that was live before
    Rollback(cmd::rollback::Args),
    /// Make a generation of a site current
    Switch(cmd::switch::Args),
    /// Look at the store
    Store(cmd::store::Args),
    /// Print completions for a shell
    Completions(cmd::completions::Args),
}
