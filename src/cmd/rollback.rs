//! `envy rollback`

use super::context::Context;
use super::{showing, switch};
use crate::failure::Failure;
use crate::package::SiteName;
use crate::site::Move;

/// Arguments of `envy rollback`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site
    site: SiteName,
    /// The generation [default: the one that was current before, as the history tells]
    generation: Option<u64>,
    /// Why, for the site's history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
}

/// Make the generation current that was so before, and hold the site there.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let project = context.project()?;
    let site = project.site(&args.site)?;
    let place = project.place(&args.site);
    let _held = place.hold(context.globals.patience(), context.ui)?;
    let number = args.generation.map_or_else(|| place.before_current(), Ok)?;
    switch::to(context, &project, &place, number, Move::Rollback, args.message.clone())?;
    // What cannot be read or rendered is for the next build to tell of.
    let locked = project.locked(&args.site).ok().flatten();
    let config = locked.and_then(|locked| project.config(site, &locked.lockfile).ok());
    match switch::lockfile(&project, &args.site) {
        Some(lockfile) if place.is_held(lockfile, config.map(|config| config.digest()))? => {
            showing::tell_held(context, &place);
        }
        _ => {}
    }
    Ok(())
}
