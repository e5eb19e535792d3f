//! `envy build`

use std::collections::BTreeMap;

use super::assembling::{Order, Recording, Showing, assemble, ready, tell_held};
use super::committing::Writes;
use super::context::Context;
use super::held::keep_showing;
use super::locking::{self, Moves, propose};
use super::project::{Locked, Project};
use super::{Jobs, LockMode, for_each, sharing};
use crate::build::{Step, plan};
use crate::failure::Failure;
use crate::lock::Lockfile;
use crate::manifest::Site;
use crate::package::SiteName;
use crate::platform::Platform;

/// Arguments of `envy build`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The sites [default: all]
    sites: Vec<SiteName>,
    #[command(flatten)]
    mode: LockMode,
    /// Print what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Make the generation, but leave the site as it is
    #[arg(long)]
    no_switch: bool,
    /// Switch even a site that is held at a generation that somebody chose
    #[arg(long, conflicts_with = "no_switch")]
    switch: bool,
    /// Why, for the site's history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    #[command(flatten)]
    jobs: Jobs,
}

/// How one site is brought to what its lockfile says.
pub(super) struct Wish<'a> {
    pub mode: LockMode,
    pub locked: bool,
    pub showing: Showing,
    pub message: Option<&'a str>,
    pub jobs: Jobs,
}

/// Build sites from their lockfiles and make the result current.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let project = context.project()?;
    let locked = context.is_locked(args.mode);
    if args.dry_run {
        return dry_run(context, &project, args, locked);
    }
    let showing = match (args.switch, args.no_switch) {
        (true, _) => Showing::Always,
        (_, true) => Showing::Never,
        _ => Showing::UnlessHeld,
    };
    let wish = Wish { mode: args.mode, locked, showing, message: args.message.as_deref(), jobs: args.jobs };
    for_each(&project.sites(&args.sites)?, |site| {
        if let Some(number) = bring(context, &project, site, &wish)? {
            context.ui.done("unchanged", format!("site `{}` is at generation {number}", site.name));
        }
        Ok(())
    })
    .map(drop)
}

/// Bring a site to what its lockfile says. Where it is there already, nothing but the comparison is done, and the
/// number of its generation is given.
pub(super) fn bring(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    wish: &Wish<'_>,
) -> Result<Option<u64>, Failure> {
    let current = match wish.locked {
        true => project.current_lock(context, site).map(|(_, locked)| Some(locked)),
        false => project.undrifted(context, site),
    };
    let current = current.map_err(|failure| sharing::with_packages(context, project, site, failure))?;
    if let Some(locked) = &current {
        let config = project.config(site, &locked.lockfile)?;
        if let Some(generation) = project.converged(context, site, locked, &config)? {
            // A site that was moved, with its project, is another root. From a store that cannot be written to nothing is
            // removed either.
            let _ = context.store()?.add_root(project.place(&site.name).path());
            return Ok(Some(generation.number));
        }
        let place = project.place(&site.name);
        if wish.showing == Showing::UnlessHeld && place.is_held(locked.digest(), Some(config.digest()))? {
            keep_showing(context, &place)?;
            tell_held(context, &place);
            return Ok(None);
        }
    }
    match current.filter(|_| wish.locked) {
        Some(locked) => locked_build(context, project, site, &locked, wish)?,
        None => recording_build(context, &site.name, wish)?,
    }
    Ok(None)
}

/// Build exactly what a lockfile says, and leave it as it is.
fn locked_build(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    locked: &Locked,
    wish: &Wish<'_>,
) -> Result<(), Failure> {
    let generated = BTreeMap::new();
    let assembled = context.with_sources(project, wish.mode, |sources| {
        let order =
            Order { lockfile: &locked.lockfile, generated: &generated, recording: Recording::Off, jobs: wish.jobs };
        assemble(context, project, site, &order, sources)
    })?;
    let ready = ready(context, project, site, &assembled, &locked.text)?;
    ready.show(context, project, wish.showing, wish.message.map(str::to_owned))?;
    Ok(())
}

/// Lock what has to be locked, build, and write down what came out.
fn recording_build(context: &Context<'_>, name: &SiteName, wish: &Wish<'_>) -> Result<(), Failure> {
    let mut project = context.project()?;
    let _held = project.hold(context)?;
    let site = project.site(name)?;
    context.with_sources(&project, wish.mode, |sources| {
        let proposal = propose(context, &project, site, &Moves::Needed, sources)?;
        locking::tell(context, site, &proposal);
        let (lockfile, generated) = (&proposal.lockfile, &proposal.generated);
        let order = Order { lockfile, generated, recording: Recording::On, jobs: wish.jobs };
        let assembled = assemble(context, &project, site, &order, sources)?;
        let text = assembled.lockfile.text();
        let ready = ready(context, &project, site, &assembled, &text)?;
        let mut writes = Writes::default();
        writes.lockfile(&project, name, &assembled.lockfile, &proposal);
        let written = writes.apply(&project.root)?;
        ready.show(context, &project, wish.showing, wish.message.map(str::to_owned))?;
        written.keep()
    })
}

/// Print the plan of each site.
fn dry_run(context: &Context<'_>, project: &Project, args: &Args, locked: bool) -> Result<(), Failure> {
    for_each(&project.sites(&args.sites)?, |site| {
        let lockfile = match locked {
            true => project.current_lock(context, site)?.1.lockfile,
            false => context.with_sources(project, args.mode, |sources| {
                let proposal = propose(context, project, site, &Moves::Needed, sources)?;
                locking::foretell(context, site, &proposal);
                Ok(proposal.lockfile)
            })?,
        };
        context.ui.result(&planned(context, project, site, &lockfile)?);
        Ok(())
    })
    .map(drop)
}

fn planned(context: &Context<'_>, project: &Project, site: &Site, lockfile: &Lockfile) -> Result<String, Failure> {
    let store = context.store()?;
    let wishes = project.wishes(context, site, Some(lockfile))?;
    let host = Platform::host();
    let plan = plan(lockfile, wishes.installed(host), host, |tree| store.whole_tree(tree).ok().flatten());
    let line = |planned: &crate::build::Planned| match &planned.step {
        Step::Use(output, _) => format!("  use   {} {}\n", planned.id, output.tree),
        Step::Make if planned.installed => format!("  build {}\n", planned.id),
        Step::Make => format!("  build {} (others are built with it)\n", planned.id),
    };
    Ok(format!("site {}\n{}", site.name, plan.packages.iter().map(line).collect::<String>()))
}
