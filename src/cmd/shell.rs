//! `envy shell`

use std::path::PathBuf;

use super::context::Context;
use super::run::{Use, become_in, bring_up};
use super::{Jobs, LockMode};
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::package::SiteName;
use crate::process;

/// Arguments of `envy shell`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site
    site: SiteName,
    #[command(flatten)]
    mode: LockMode,
    /// Use the site as it is, whatever its lockfile says
    #[arg(long)]
    no_build: bool,
    #[command(flatten)]
    jobs: Jobs,
}

/// Bring a site up to date and become a shell with its variables; the exit code is the shell's own.
pub fn run(context: &Context<'_>, args: &Args) -> Result<u8, Failure> {
    refuse_inside_of_a_site()?;
    let project = context.project()?;
    let wish = Use { site: &args.site, mode: args.mode, no_build: args.no_build, jobs: args.jobs };
    let activation = bring_up(context, &project, &wish)?;
    let shell = process::path_variable("SHELL").unwrap_or_else(|| PathBuf::from("/bin/sh"));
    if disk::is_file(&shell) {
        context.ui.done("entered", format!("site `{}`; `exit` leaves it", args.site));
    }
    Err(become_in(&args.site, &activation, shell.as_os_str(), &[]))
}

/// What one site set would be mixed with what another one sets.
fn refuse_inside_of_a_site() -> Result<(), Failure> {
    let Some(site) = process::variable("ENVY_SITE") else { return Ok(()) };
    Err(Failure::new(Exit::Failed, format!("this is inside of site `{site}` already: `ENVY_SITE` is set"))
        .hint("leave it first: by `exit`, or by `deactivate` where its script was read"))
}
