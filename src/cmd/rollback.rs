//! `envy rollback`

use super::context::Context;
use super::switch::{self, Choosing};
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
    #[command(flatten)]
    how: Choosing,
}

/// Make the generation current that was so before, and hold the site there.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let project = context.project()?;
    let site = project.site(&args.site)?;
    let place = project.place(&args.site);
    let _held = place.hold(context.globals.patience(), context.ui)?;
    let number = args.generation.map_or_else(|| place.before_current(), Ok)?;
    let shown = switch::to(context, &project, site, &place, number, Move::Rollback, &args.how)?;
    let held = switch::held(context, &project, site, &place)?;
    if args.how.json {
        context.ui.json(&switch::document("envy.rollback/1", &shown, held));
    }
    Ok(())
}
