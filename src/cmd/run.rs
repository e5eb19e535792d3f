//! `envy run`

use std::ffi::{OsStr, OsString};

use super::build::{Unrecorded, Wish, bring};
use super::context::Context;
use super::passing::Gating;
use super::project::Project;
use super::showing::{Manner, Showing};
use super::vouching::Vouching;
use super::{Jobs, LockMode, switch};
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::package::SiteName;
use crate::process;
use crate::site::{Activation, Error};

/// Arguments of `envy run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site
    site: SiteName,
    /// The program and its arguments, after `--`
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    #[command(flatten)]
    mode: LockMode,
    /// Use the site as it is, whatever its lockfile says
    #[arg(long)]
    no_build: bool,
    /// Use this generation of it, whichever is current
    #[arg(long, value_name = "N", conflicts_with = "no_build")]
    generation: Option<u64>,
    #[command(flatten)]
    jobs: Jobs,
}

/// How a site is used.
pub(super) struct Use<'a> {
    pub site: &'a SiteName,
    pub mode: LockMode,
    pub no_build: bool,
    pub jobs: Jobs,
}

/// Bring a site up to date and become a program with its variables.
pub fn run(context: &Context<'_>, args: &Args) -> Result<u8, Failure> {
    let project = context.project()?;
    let wish = Use { site: &args.site, mode: args.mode, no_build: args.no_build, jobs: args.jobs };
    let activation = match args.generation {
        Some(number) => of_generation(context, &project, &args.site, number)?,
        None => bring_up(context, &project, &wish)?,
    };
    let (program, arguments) = args.command.split_first().expect("clap asks for a command");
    Err(become_in(&args.site, &activation, program, arguments))
}

/// The variables of a generation whose files are all there.
fn of_generation(
    context: &Context<'_>,
    project: &Project,
    site: &SiteName,
    number: u64,
) -> Result<Activation, Failure> {
    project.site(site)?;
    let place = project.place(site);
    let generation = place.generation(number)?;
    switch::require_whole(context, &place, &generation)?;
    Ok(Activation::of(&place, &generation))
}

/// Bring a site to what its lockfile says, unless it is to be used as it is, and give the variables of what it shows.
pub(super) fn bring_up(context: &Context<'_>, project: &Project, wish: &Use<'_>) -> Result<Activation, Failure> {
    let site = project.site(wish.site)?;
    if !wish.no_build {
        let locked = context.is_locked(wish.mode);
        let manner = Manner::of_build(Showing::UnlessHeld, Gating::On, None);
        let vouching = Vouching::of(project, false);
        let wish =
            Wish { mode: wish.mode, locked, unrecorded: Unrecorded::Leave, vouching, manner: &manner, jobs: wish.jobs };
        bring(context, project, site, &wish)?.told()?;
    }
    let place = project.place(wish.site);
    let generation = place.current()?.ok_or_else(|| Error::NotBuilt(wish.site.clone()))?;
    Ok(Activation::of(&place, &generation))
}

/// Become a program with the variables of a site: the site's own, where it has one of this name.
pub(super) fn become_in(site: &SiteName, activation: &Activation, program: &OsStr, arguments: &[OsString]) -> Failure {
    let environment = activation.environment(process::environment());
    let own = activation.bin.join(program);
    let found =
        if !program.as_encoded_bytes().contains(&b'/') && disk::is_file(&own) { own.as_os_str() } else { program };
    let error = process::become_program(found, arguments, &environment);
    not_started(site, program, activation, &error)
}

fn not_started(site: &SiteName, program: &OsStr, activation: &Activation, error: &process::Error) -> Failure {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let has: Vec<_> = disk::list_if_exists(&activation.bin).unwrap_or_default();
    let has: Vec<_> = has.iter().map(|(name, _)| format!("`{}`", name.to_string_lossy())).collect();
    let exit = if error.is_not_found() { Exit::NotFound } else { Exit::NotExecutable };
    let failure =
        Failure::new(exit, format!("`{}` could not be started in site `{site}`: {cause}", program.to_string_lossy()));
    if has.is_empty() {
        failure.fact("the site has no programs")
    } else {
        failure.fact(format!("the site has {}", has.join(", ")))
    }
}
