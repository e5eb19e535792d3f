//! `envy build`

use std::collections::BTreeMap;

use super::assembling::{Order, Recording, assemble, note_nothing_checked};
use super::committing::Writes;
use super::context::Context;
use super::held::keep_showing;
use super::locking::{self, Moves, propose};
use super::passing::{Gating, Untold};
use super::project::{Locked, MANIFEST, Project};
use super::showing::{How, Manner, Showing, Shown, ready, tell_held};
use super::vouching::{Vouching, is_recorded};
use super::{Jobs, LockMode, for_each, sharing};
use crate::build::{Plan, Planned, Proof, Step, can_record, plan};
use crate::failure::{Exit, Failure};
use crate::lock::Lockfile;
use crate::manifest::Site;
use crate::package::SiteName;
use crate::platform::Platform;
use crate::site::{Generation, stale_scripts};

/// Arguments of `envy build`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The sites [default: all]
    sites: Vec<SiteName>,
    #[command(flatten)]
    mode: LockMode,
    /// Print what would be done, and do nothing
    #[arg(long, conflicts_with_all = ["no_switch", "switch"])]
    dry_run: bool,
    /// Make the generation, but leave the site as it is
    #[arg(long)]
    no_switch: bool,
    /// Switch even a site that is held at a generation that somebody chose
    #[arg(long, conflicts_with = "no_switch")]
    switch: bool,
    /// Run no checks before the switch, and stay even where what is run after it fails
    #[arg(long)]
    no_check: bool,
    /// Fail with 4 where anything is not an output that the lockfile records, as with `require-outputs` in envy.toml
    #[arg(long)]
    require_outputs: bool,
    /// Why, for the site's history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Build everything that is built twice, and record nothing of what does not come out the same
    #[arg(long)]
    check_reproducible: bool,
    #[command(flatten)]
    jobs: Jobs,
}

/// How one site is brought to what its lockfile says.
pub(super) struct Wish<'a> {
    pub mode: LockMode,
    pub locked: bool,
    pub unrecorded: Unrecorded,
    pub vouching: Vouching,
    pub manner: &'a Manner,
    pub jobs: Jobs,
}

/// What is done where a site shows what it should, and its lockfile, which may be written, does not record all of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unrecorded {
    /// It is built, or found by its action, and recorded.
    Record,
    /// It is left so.
    Leave,
}

impl Wish<'_> {
    /// Whether a site may be left as it is.
    fn is_met_by(&self, project: &Project, lockfile: &Lockfile, shown: &Generation) -> bool {
        let records = self.unrecorded == Unrecorded::Record && !self.locked;
        self.vouching.allows(lockfile, shown)
            && (!records || is_recorded(lockfile, shown) || !can_record(project.sandbox()))
    }
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
    let manner = Manner::of_build(showing, Gating::unless(args.no_check), args.message.clone());
    let vouching = Vouching::of(&project, args.require_outputs);
    let jobs = if args.check_reproducible { Jobs { proof: Proof::Twice, ..args.jobs } } else { args.jobs };
    let unrecorded = Unrecorded::Record;
    let wish = Wish { mode: args.mode, locked, unrecorded, vouching, manner: &manner, jobs };
    let mut untold = Vec::new();
    let all = for_each(&project.sites(&args.sites)?, |site| {
        let mut shown = bring(context, &project, site, &wish)?;
        untold.extend(shown.untold.take().map(|failure| *failure));
        if shown.how == How::Converged {
            let name = &site.name;
            context.ui.done("unchanged", format!("site `{name}` is at generation {}", shown.generation));
            note_nothing_checked(context, site, jobs);
        }
        Ok(shown)
    });
    let all = match all {
        Ok(all) if untold.is_empty() => all,
        all => return Err(Failure::several(all.err().into_iter().chain(untold))),
    };
    if args.json {
        let sites: Vec<_> = all.iter().map(Shown::to_json).collect();
        let changed = all.iter().any(|shown| shown.how.is_change());
        context.ui.json(&serde_json::json!({ "schema": "envy.build/1", "changed": changed, "sites": sites }));
    }
    Ok(())
}

/// How often what a site is built from may change while it is built.
const ROUNDS: usize = 5;

/// Bring a site to what its lockfile says. Where it is there already, nothing but the comparison is done. How a host could
/// not be told of it is in what became of it. What was built from a lockfile that is another one by then is never shown.
pub(super) fn bring(context: &Context<'_>, project: &Project, site: &Site, wish: &Wish<'_>) -> Result<Shown, Failure> {
    let name = &site.name;
    if let Some(shown) = try_to_bring(context, project, site, wish)? {
        return Ok(shown);
    }
    for _ in 1..ROUNDS {
        context.ui.note(format!("what site `{name}` is built from changed meanwhile, so this begins again"));
        let project = project.read_again()?;
        let wish = Wish { vouching: wish.vouching.or_of(&project), ..*wish };
        if let Some(shown) = try_to_bring(context, &project, project.site(name)?, &wish)? {
            return Ok(shown);
        }
    }
    let path = Lockfile::relative_path(name);
    let outcome = format!("`{}` or `{MANIFEST}` changed again and again while site `{name}` was built", path.display());
    Err(Failure::new(Exit::Failed, outcome)
        .fact("the site shows what it showed")
        .hint(format!("run `envy build {name}` once they stay as they are")))
}

/// Nothing where what it was built from has changed meanwhile.
fn try_to_bring(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    wish: &Wish<'_>,
) -> Result<Option<Shown>, Failure> {
    project.place(&site.name).require_ours()?;
    let current = match wish.locked {
        true => project.current_lock(context, site).map(|(_, locked)| Some(locked)),
        false => project.undrifted(context, site),
    };
    let current = current.map_err(|failure| sharing::with_packages(context, project, site, failure))?;
    if let Some(locked) = &current {
        let config = project.config(site, &locked.lockfile)?;
        let converged = project.converged(context, site, locked, &config)?;
        if let Some(generation) = converged.filter(|one| wish.is_met_by(project, &locked.lockfile, one)) {
            // A site that was moved, with its project, is another root. From a store that cannot be written to nothing is
            // removed either.
            let place = project.place(&site.name);
            let _ = context.store()?.add_root(place.path());
            let untold = catch_up(context, project, site, wish.manner)?;
            return Ok(Some(Shown { untold, ..Shown::still(&site.name, How::Converged, &generation) }));
        }
        let place = project.place(&site.name);
        if wish.manner.showing == Showing::UnlessHeld
            && place.is_held(locked.digest(), Some(config.digest()))?
            && let Ok(Some(shown)) = place.current()
        {
            keep_showing(context, &place)?;
            let untold = catch_up(context, project, site, wish.manner)?;
            tell_held(context, &place);
            note_nothing_checked(context, site, wish.jobs);
            return Ok(Some(Shown { untold, ..Shown::still(&site.name, How::Held, &shown) }));
        }
    }
    match current.filter(|_| wish.locked) {
        Some(locked) => locked_build(context, project, site, &locked, wish),
        None => recording_build(context, &site.name, wish),
    }
}

/// Go on with what a process that died had begun with what a site shows, if there is anything.
fn catch_up(context: &Context<'_>, project: &Project, site: &Site, manner: &Manner) -> Result<Untold, Failure> {
    let place = project.place(&site.name);
    if manner.showing == Showing::Never {
        return Ok(None);
    }
    let awaits = place.awaits_after_switch();
    if !awaits && !matches!(place.current(), Ok(Some(current)) if !stale_scripts(&place, &current).is_empty()) {
        return Ok(None);
    }
    let _held = match place.hold(context.globals.patience(), context.ui) {
        // Scripts alone are no reason to fail.
        Err(_) if !awaits => return Ok(None),
        held => held?,
    };
    let passage = manner.passage(context, project, site, &place);
    place.current()?.map_or(Ok(None), |current| passage.resume(&current))
}

/// Build exactly what a lockfile says, and leave it as it is.
fn locked_build(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    locked: &Locked,
    wish: &Wish<'_>,
) -> Result<Option<Shown>, Failure> {
    let generated = BTreeMap::new();
    let assembled = context.with_sources(project, wish.mode, |sources| {
        let (lockfile, generated, recording) = (&locked.lockfile, &generated, Recording::Off);
        let order = Order { lockfile, generated, recording, vouching: wish.vouching, jobs: wish.jobs };
        assemble(context, project, site, &order, sources)
    })?;
    let ready = ready(context, project, site, &assembled, &locked.text)?;
    let is_still = project.is_still(&site.name, Some(locked.text.as_bytes()))?
        && project.config(site, &locked.lockfile)?.digest() == assembled.config.digest();
    if is_still { ready.show(context, project, wish.manner).map(Some) } else { Ok(None) }
}

/// Lock what has to be locked, build, and write down what came out.
fn recording_build(context: &Context<'_>, name: &SiteName, wish: &Wish<'_>) -> Result<Option<Shown>, Failure> {
    let mut project = context.project()?;
    let _held = project.hold(context)?;
    let site = project.site(name)?;
    let before = project.lockfile_bytes(name)?;
    context.with_sources(&project, wish.mode, |sources| {
        let proposal = propose(context, &project, site, &Moves::Needed, sources)?;
        locking::tell(context, site, &proposal);
        let (lockfile, generated) = (&proposal.lockfile, &proposal.generated);
        let recording = Recording::On;
        let order = Order { lockfile, generated, recording, vouching: wish.vouching, jobs: wish.jobs };
        let assembled = assemble(context, &project, site, &order, sources)?;
        let text = assembled.lockfile.text();
        let ready = ready(context, &project, site, &assembled, &text)?;
        // Other processes of envy wait, but git and editors do not.
        if !project.is_still(name, before.as_deref())? {
            return Ok(None);
        }
        let mut writes = Writes::default();
        writes.lockfile(&project, name, &assembled.lockfile, &proposal);
        let written = writes.apply(&project.root)?;
        let shown = ready.show(context, &project, wish.manner)?;
        written.keep()?;
        Ok(Some(shown))
    })
}

/// Tell the plan of each site.
fn dry_run(context: &Context<'_>, project: &Project, args: &Args, locked: bool) -> Result<(), Failure> {
    let plans = for_each(&project.sites(&args.sites)?, |site| {
        let lockfile = match locked {
            true => project.current_lock(context, site)?.1.lockfile,
            false => context.with_sources(project, args.mode, |sources| {
                let proposal = propose(context, project, site, &Moves::Needed, sources)?;
                locking::foretell(context, site, &proposal);
                Ok(proposal.lockfile)
            })?,
        };
        let plan = planned(context, project, site, &lockfile)?;
        if locked {
            Vouching::of(project, args.require_outputs).require_recorded(site, &lockfile, &plan)?;
        }
        if !args.json {
            context.ui.result(&format!("site {}\n{}", site.name, plan.packages.iter().map(line).collect::<String>()));
        }
        Ok((site, plan))
    })?;
    if args.json {
        let site = |(site, plan): &(&Site, Plan)| {
            let packages: Vec<_> = plan.packages.iter().map(document).collect();
            serde_json::json!({ "site": site.name.as_str(), "packages": packages })
        };
        let sites: Vec<_> = plans.iter().map(site).collect();
        context.ui.json(&serde_json::json!({ "schema": "envy.build-plan/1", "sites": sites }));
    }
    Ok(())
}

fn planned(context: &Context<'_>, project: &Project, site: &Site, lockfile: &Lockfile) -> Result<Plan, Failure> {
    let store = context.store()?;
    let wishes = project.wishes(context, site, Some(lockfile))?;
    let host = Platform::host();
    Ok(plan(lockfile, wishes.installed(host), host, |tree| store.whole_tree(tree).ok().flatten()))
}

fn line(planned: &Planned) -> String {
    match &planned.step {
        Step::Use(output, _) => format!("  use   {} {}\n", planned.id, output.tree),
        Step::Make if planned.installed => format!("  build {}\n", planned.id),
        Step::Make => format!("  build {} (others are built with it)\n", planned.id),
    }
}

fn document(planned: &Planned) -> serde_json::Value {
    let (step, tree) = match &planned.step {
        Step::Use(output, _) => ("use", Some(output.tree.to_string())),
        Step::Make => ("build", None),
    };
    serde_json::json!({
        "name": planned.id.name.as_str(),
        "version": planned.id.version.to_string(),
        "step": step,
        "tree": tree,
        "installed": planned.installed,
    })
}
