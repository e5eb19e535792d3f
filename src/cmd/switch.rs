//! `envy switch`

use super::context::Context;
use super::project::Project;
use super::showing;
use crate::digest::TextDigest;
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::lock::Lockfile;
use crate::package::SiteName;
use crate::site::{Move, Place};

/// Arguments of `envy switch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site
    site: SiteName,
    /// The generation
    generation: u64,
    /// Why, for the site's history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
}

/// Make a generation of a site current.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let project = context.project()?;
    project.site(&args.site)?;
    let place = project.place(&args.site);
    let _held = place.hold(context.globals.patience(), context.ui)?;
    to(context, &project, &place, args.generation, Move::Switch, args.message.clone())
}

/// Switch to a generation whose files are all there.
pub(super) fn to(
    context: &Context<'_>,
    project: &Project,
    place: &Place,
    number: u64,
    action: Move,
    message: Option<String>,
) -> Result<(), Failure> {
    let generation = place.generation(number)?;
    let store = context.store()?;
    let is_there = store.has_prefix(generation.prefix)?;
    if !is_there || !place.links_into(&generation, &store.prefix_path(generation.prefix)) {
        let outcome =
            format!("generation {number} of site `{}` cannot be shown: its prefix is not in the store", place.site());
        return Err(Failure::new(Exit::Failed, outcome)
            .fact(format!("prefix {}", generation.prefix))
            .hint(format!("run `envy build {}` with the lockfile of that generation", place.site())));
    }
    if place.current_number() == Some(number) {
        context.ui.done("unchanged", format!("site `{}` is at generation {number}", place.site()));
        return Ok(());
    }
    showing::switch(place, action, &generation, lockfile(project, place.site()), project.note(message))?;
    context.ui.done("switched", format!("site `{}` to generation {number}", place.site()));
    Ok(())
}

/// Names the project's lockfile of a site, which the switch may turn away from.
pub(super) fn lockfile(project: &Project, site: &SiteName) -> Option<TextDigest> {
    let bytes = disk::read_if_exists(&project.root.join(Lockfile::relative_path(site))).ok().flatten();
    bytes.map(|bytes| TextDigest::of(&bytes))
}
