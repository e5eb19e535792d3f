//! `envy switch`

use super::context::Context;
use super::looking::look_over;
use super::passing::{Gating, Passage, Typed};
use super::project::Project;
use super::showing::{How, Shown, tell_held};
use crate::failure::{Exit, Failure};
use crate::manifest::Site;
use crate::package::SiteName;
use crate::site::{Generation, Move, Place};

/// Arguments of `envy switch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site
    site: SiteName,
    /// The generation
    generation: u64,
    #[command(flatten)]
    how: Choosing,
}

/// How a generation is chosen.
#[derive(Debug, clap::Args)]
pub struct Choosing {
    /// Run no checks before the switch, and stay even where what is run after it fails
    #[arg(long)]
    pub no_check: bool,
    /// Why, for the site's history
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Make a generation of a site current.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let project = context.project()?;
    let site = project.site(&args.site)?;
    let place = project.place(&args.site);
    let _held = place.hold(context.globals.patience(), context.ui)?;
    let shown = to(context, &project, site, &place, args.generation, Move::Switch, &args.how)?;
    let held = held(context, &project, site, &place)?;
    if args.how.json {
        context.ui.json(&document("envy.switch/1", &shown, held));
    }
    Ok(())
}

/// Switch to a generation whose files are all there, through its gate.
pub(super) fn to(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    place: &Place,
    number: u64,
    action: Move,
    how: &Choosing,
) -> Result<Shown, Failure> {
    let generation = place.generation(number)?;
    require_whole(context, place, &generation)?;
    let (gating, typed) = (Gating::unless(how.no_check), Typed::Command);
    let passage = Passage { context, project, site, place, gating, action, typed };
    if place.current_number() == Some(number) {
        let untold = passage.resume(&generation)?;
        context.ui.done("unchanged", format!("site `{}` is at generation {number}", place.site()));
        return Shown { untold, ..Shown::still(place.site(), How::Unchanged, &generation) }.told();
    }
    let repair = format!("run `envy verify {} --generation {number} --repair`", place.site());
    look_over(context, project, generation.prefix, None, Some(repair))?;
    let (note, before) = (project.note(how.message.clone()), place.current_number());
    let lockfile = project.lockfile(place.site());
    passage.check(&generation, lockfile, &note)?;
    let untold = passage.enter(&generation, lockfile, note)?;
    context.ui.done("switched", format!("site `{}` to generation {number}", place.site()));
    let (site, prefix) = (place.site().clone(), generation.prefix);
    Shown { site, how: How::Switched, before, generation: number, prefix, untold }.told()
}

/// Refuse a generation that leads to what is not there.
pub(super) fn require_whole(context: &Context<'_>, place: &Place, generation: &Generation) -> Result<(), Failure> {
    let store = context.store()?;
    let is_there = store.has_prefix(generation.prefix)?;
    if is_there && place.links_into(generation, &store.prefix_path(generation.prefix)) {
        return Ok(());
    }
    let outcome = format!(
        "generation {} of site `{}` cannot be shown: its prefix is not in the store",
        generation.number,
        place.site()
    );
    Err(Failure::new(Exit::Failed, outcome)
        .fact(format!("prefix {}", generation.prefix))
        .hint(format!("run `envy build {}` with the lockfile of that generation", place.site())))
}

/// Whether a site that somebody moved is held there now, which is said.
pub(super) fn held(context: &Context<'_>, project: &Project, site: &Site, place: &Place) -> Result<bool, Failure> {
    let held = is_held(context, project, site, place)?;
    if held {
        tell_held(context, place);
    }
    Ok(held)
}

/// Whether a build would leave the site where it is, though its lockfile asks for something else.
pub(super) fn is_held(context: &Context<'_>, project: &Project, site: &Site, place: &Place) -> Result<bool, Failure> {
    context.freeze();
    // What cannot be read or rendered is for the next build to tell of.
    let locked = project.locked(&site.name).ok().flatten();
    let config = locked.and_then(|locked| project.config(site, &locked.lockfile).ok());
    match project.lockfile(&site.name) {
        Some(lockfile) => Ok(place.is_held(lockfile, config.map(|config| config.digest()))?),
        None => Ok(false),
    }
}

/// What became of a site that somebody moved.
pub(super) fn document(schema: &str, shown: &Shown, held: bool) -> serde_json::Value {
    let mut document = shown.to_json();
    document["schema"] = schema.into();
    document["held"] = held.into();
    document
}
