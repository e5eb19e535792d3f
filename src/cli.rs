//! The command line: what can be typed.

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::cmd::{self, Context, Globals};
use crate::failure::Failure;
use crate::ui::Ui;

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
    Add(Box<cmd::add::Args>),
    /// Require packages no longer: edit envy.toml, lock, build
    #[command(visible_alias = "rm")]
    Remove(cmd::remove::Args),
    /// Write lockfiles, moving nothing that need not move
    Lock(cmd::lock::Args),
    /// Move locked versions within what envy.toml allows
    Update(cmd::update::Args),
    /// Build sites from their lockfiles and make the result current
    Build(cmd::build::Args),
    /// Bring everything that locked builds need, for work without a network
    Fetch(cmd::fetch::Args),
    /// Bring outputs of sites from the cache that hosts share
    Pull(cmd::SitesArgs),
    /// Send outputs of sites to the cache that hosts share
    Push(cmd::push::Args),
    /// Write what others want to have of a site: bills of materials, provenance, its files
    Export(cmd::export::Args),
    /// Write a site into one file, for hosts that reach nobody
    Bundle(cmd::bundle::Args),
    /// Make a site out of a bundle
    Import(cmd::import::Args),
    /// Run a program in a site
    Run(cmd::run::Args),
    /// Start a shell in a site
    Shell(cmd::shell::Args),
    /// Print the script that makes a shell use a site, for `eval`
    Activate(cmd::activate::Args),
    /// Print the variables of a site
    Env(cmd::env::Args),
    /// Say how manifest, lockfiles and sites agree
    Status(cmd::status::Args),
    /// Check that sites are what was built, bit by bit, and mend them
    Verify(cmd::verify::Args),
    /// Show what a site consists of
    Tree(cmd::tree::Args),
    /// Show which locked packages have newer versions
    Outdated(cmd::outdated::Args),
    /// Say why a package or a file is in a site, and where it came from
    Why(cmd::why::Args),
    /// Say how two sites, generations or lockfiles differ
    Diff(cmd::diff::Args),
    /// Show the generations of a site
    Generations(cmd::generations::Args),
    /// Go back to the generation that was live before
    Rollback(cmd::rollback::Args),
    /// Make a generation of a site current
    Switch(cmd::switch::Args),
    /// Give a site the packages that another one shows
    Promote(cmd::promote::Args),
    /// Look at recipes, or begin one
    Recipe(cmd::recipe::Args),
    /// Look at the store
    Store(cmd::store::Args),
    /// Remove from the store what nothing needs
    Gc(cmd::gc::Args),
    /// Say whether this host is fit to build sites and to run them, and what it lacks
    Doctor(cmd::doctor::Args),
    /// Print completions for a shell
    Completions(cmd::completions::Args),
    /// Print the manual: the page of envy, or of a command
    Man(cmd::man::Args),
}

impl Cli {
    /// Do what was typed; the exit code is that of a program that was run, or 0.
    pub fn run(self, ui: &Ui) -> Result<u8, Failure> {
        let code = self.perform(ui)?;
        ui.require_written()?;
        Ok(code)
    }

    fn perform(self, ui: &Ui) -> Result<u8, Failure> {
        let context = Context::new(self.globals, ui);
        match self.command {
            Command::Init(args) => cmd::init::run(&context, &args),
            Command::Create(args) => cmd::create::run(&context, &args),
            Command::Delete(args) => cmd::delete::run(&context, &args),
            Command::List(args) => cmd::list::run(&context, &args),
            Command::Add(args) => cmd::add::run(&context, &args),
            Command::Remove(args) => cmd::remove::run(&context, &args),
            Command::Lock(args) => cmd::lock::run(&context, &args),
            Command::Update(args) => cmd::update::run(&context, &args),
            Command::Build(args) => cmd::build::run(&context, &args),
            Command::Fetch(args) => cmd::fetch::run(&context, &args),
            Command::Pull(args) => cmd::pull::run(&context, &args),
            Command::Push(args) => cmd::push::run(&context, &args),
            Command::Export(args) => cmd::export::run(&context, &args),
            Command::Bundle(args) => cmd::bundle::run(&context, &args),
            Command::Import(args) => cmd::import::run(&context, &args),
            Command::Run(args) => return cmd::run::run(&context, &args),
            Command::Shell(args) => return cmd::shell::run(&context, &args),
            Command::Activate(args) => cmd::activate::run(&context, &args),
            Command::Env(args) => cmd::env::run(&context, &args),
            Command::Status(args) => return cmd::status::run(&context, &args),
            Command::Verify(args) => cmd::verify::run(&context, &args),
            Command::Tree(args) => cmd::tree::run(&context, &args),
            Command::Outdated(args) => return cmd::outdated::run(&context, &args),
            Command::Why(args) => cmd::why::run(&context, &args),
            Command::Diff(args) => return cmd::diff::run(&context, &args),
            Command::Generations(args) => cmd::generations::run(&context, &args),
            Command::Rollback(args) => cmd::rollback::run(&context, &args),
            Command::Switch(args) => cmd::switch::run(&context, &args),
            Command::Promote(args) => cmd::promote::run(&context, &args),
            Command::Recipe(args) => cmd::recipe::run(&context, &args),
            Command::Store(args) => cmd::store::run(&context, &args),
            Command::Gc(args) => cmd::gc::run(&context, &args),
            Command::Doctor(args) => cmd::doctor::run(&context, &args),
            Command::Completions(args) => cmd::completions::run(&context, &args, Self::command()),
            Command::Man(args) => cmd::man::run(&context, &args, Self::command()),
        }?;
        Ok(0)
    }
}
