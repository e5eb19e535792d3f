//! `envy lock`

pub(super) mod merge;

use std::path::PathBuf;

use super::committing::Writes;
use super::context::Context;
use super::locking::{self, Moves, propose, propose_from};
use super::options::Resolution;
use super::project::Project;
use super::{LockMode, for_each};
use crate::failure::Failure;
use crate::manifest::Site;
use crate::package::{PackageName, SiteName};

/// Arguments of `envy lock`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The sites [default: all]
    sites: Vec<SiteName>,
    /// Write nothing; fail if a lockfile is missing or does not match envy.toml
    #[arg(long)]
    check: bool,
    /// Choose all versions anew: the highest or lowest that fit, or the lowest of what the site names itself
    #[arg(long, value_name = "STRATEGY", conflicts_with = "check")]
    resolution: Option<Resolution>,
    /// Merge two lockfiles of one ancestor into OURS, as a merge driver of git; PATH says whose lockfile it is
    #[arg(
        long,
        num_args = 3..=4,
        value_names = ["BASE", "OURS", "THEIRS", "PATH"],
        conflicts_with_all = ["sites", "check", "resolution", "json"]
    )]
    merge: Vec<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Write the lockfiles of sites, moving nothing that need not move.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    if let [base, ours, theirs, path @ ..] = args.merge.as_slice() {
        return merge::run(context, [base, ours, theirs], path.first().unwrap_or(ours));
    }
    let mut project = context.project()?;
    let documents = if args.check {
        check(context, &project, &args.sites)?
    } else {
        let _held = project.hold(context)?;
        let sites = project.sites(&args.sites)?;
        let moves = args.resolution.map_or(Moves::Needed, |resolution| Moves::All(resolution.into()));
        write(context, &project, &sites, &moves)?
    };
    if args.json {
        context.ui.json(&locking::of_sites("envy.lock/1", documents));
    }
    Ok(())
}

fn check(context: &Context<'_>, project: &Project, names: &[SiteName]) -> Result<Vec<serde_json::Value>, Failure> {
    let checked = project.sites(names)?.into_iter().map(|site| {
        project.current_lock(context, site)?;
        context.ui.done("unchanged", format!("lockfile of site `{}` matches `envy.toml`", site.name));
        Ok(locking::unchanged(site))
    });
    checked.collect()
}

/// Say what locking would change, and write nothing. It is given as data, too.
pub(super) fn foretell(
    context: &Context<'_>,
    project: &Project,
    sites: &[&Site],
    moves: &Moves,
) -> Result<Vec<serde_json::Value>, Failure> {
    context.with_sources(project, LockMode::default(), |sources| {
        let foretold = sites.iter().map(|site| {
            let proposal = propose(context, project, site, moves, sources)?;
            locking::foretell(context, site, &proposal);
            if !proposal.is_new() {
                context.ui.done("unchanged", format!("lockfile of site `{}` would stay", site.name));
            }
            Ok(locking::document(site, &proposal))
        });
        foretold.collect()
    })
}

/// Lock sites and write all lockfiles together. What moved is said, and given as data.
pub(super) fn write(
    context: &Context<'_>,
    project: &Project,
    sites: &[&Site],
    moves: &Moves,
) -> Result<Vec<serde_json::Value>, Failure> {
    context.with_sources(project, LockMode::default(), |sources| {
        let proposals = for_each(sites, |site| {
            propose_from(context, project, site, merge::locked(context, project, site)?, moves, sources)
        })?;
        let mut writes = Writes::default();
        for (site, proposal) in sites.iter().zip(&proposals) {
            writes.lockfile(project, &site.name, &proposal.lockfile, proposal);
        }
        writes.apply(&project.root)?.keep()?;
        for (site, proposal) in sites.iter().zip(&proposals) {
            locking::tell(context, site, proposal);
            if !proposal.is_new() {
                context.ui.done("unchanged", format!("lockfile of site `{}`", site.name));
            }
        }
        tell_unused(context, project)?;
        Ok(sites.iter().zip(&proposals).map(|(site, proposal)| locking::document(site, proposal)).collect())
    })
}

/// Name what takes the place of packages that no site has: most often, it is mistyped.
fn tell_unused(context: &Context<'_>, project: &Project) -> Result<(), Failure> {
    if project.manifest.overrides().is_empty() {
        return Ok(());
    }
    let lockfiles = project.manifest.sites().map(|site| project.locked(&site.name));
    let lockfiles = lockfiles.collect::<Result<Vec<_>, _>>()?;
    let is_had = |name: &&PackageName| lockfiles.iter().flatten().any(|one| one.lockfile.packages.contains_key(*name));
    for name in project.manifest.overrides().keys().filter(|name| !is_had(name)) {
        context.ui.note(format!("`{name}` stands under `[overrides]`, and no site has it"));
    }
    Ok(())
}
