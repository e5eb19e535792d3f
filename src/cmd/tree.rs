//! `envy tree`

mod document;
mod drawing;

use std::collections::BTreeSet;

pub(super) use self::document::commit;
use super::context::Context;
use super::project::Project;
use crate::failure::{Exit, Failure};
use crate::lock::{Graph, Lockfile, Wishes};
use crate::manifest::{Site, nearest};
use crate::package::{PackageName, SiteName};

/// Arguments of `envy tree`.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub struct Args {
    /// The sites [default: all]
    sites: Vec<SiteName>,
    /// Show who requires this package, up to the site
    #[arg(short, long, value_name = "NAME")]
    invert: Option<PackageName>,
    /// Show so many levels below the site, or below the package of `--invert`
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

const NOTES: &str = "\
Marks:
  (*)              what it needs is shown above
  [build]          needed to build the one above it, and not in the prefix because of it
  (unpinned)       a directory: the lockfile does not say what is in it
  (not built)      the lockfile records no output for this host
  (not locked)     required by envy.toml, and not in the lockfile
  (not required)   in the lockfile, and required by nobody any more";

/// A site as it is locked.
struct Seen<'p> {
    site: &'p Site,
    lockfile: Lockfile,
    wishes: Wishes,
}

impl Seen<'_> {
    fn graph(&self) -> Graph<'_> {
        Graph::new(&self.lockfile, self.site.dependencies.iter().map(|one| &one.name))
    }
}

/// Show what sites consist of, as they are locked, and what needs what.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let project = context.project()?;
    let mut sites = Vec::new();
    for site in project.sites(&args.sites)? {
        sites.push(look(context, &project, site)?);
    }
    if let Some(name) = &args.invert {
        sites = those_with(sites, name)?;
    }
    if args.json {
        let documents: Vec<_> = sites.iter().map(|seen| document::of(seen, &shown(seen, args))).collect();
        context.ui.json(&serde_json::json!({ "schema": "envy.tree/1", "sites": documents }));
        return Ok(());
    }
    let drawn: Vec<_> = sites.iter().map(|seen| drawing::of(seen, args.invert.as_ref(), args.depth)).collect();
    context.ui.result(&drawn.join(if args.invert.is_some() { "\n" } else { "" }));
    Ok(())
}

fn look<'p>(context: &Context<'_>, project: &Project, site: &'p Site) -> Result<Seen<'p>, Failure> {
    let locked = project.locked(&site.name)?.ok_or_else(|| Failure::not_locked(&site.name))?;
    let wishes = project.wishes(context, site, Some(&locked.lockfile))?;
    Ok(Seen { site, lockfile: locked.lockfile, wishes })
}

/// The sites that a package is locked for.
fn those_with<'p>(sites: Vec<Seen<'p>>, name: &PackageName) -> Result<Vec<Seen<'p>>, Failure> {
    let (with, without): (Vec<_>, Vec<_>) =
        sites.into_iter().partition(|seen| seen.lockfile.packages.contains_key(name));
    if !with.is_empty() {
        return Ok(with);
    }
    let of = match &without[..] {
        [only] => format!("site `{}` has no package `{name}`", only.site.name),
        _ => format!("no site has a package `{name}`"),
    };
    let known: BTreeSet<_> =
        without.iter().flat_map(|seen| seen.lockfile.packages.keys()).map(PackageName::as_str).collect();
    let failure = Failure::new(Exit::Failed, of);
    Err(match nearest(name.as_str(), known) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("run `envy tree` to see the packages there are"),
    })
}

/// The packages that a drawing would show.
fn shown<'s>(seen: &'s Seen<'_>, args: &Args) -> BTreeSet<&'s PackageName> {
    let graph = seen.graph();
    let mut level: Vec<_> = match &args.invert {
        Some(name) => seen.lockfile.packages.get_key_value(name).map(|(name, _)| name).into_iter().collect(),
        None => graph.roots().chain(graph.left_over()).collect(),
    };
    // Of a site, the first level is what it asks for; of a package, it is who asks for it.
    let mut levels = args.depth.map(|depth| if args.invert.is_some() { depth + 1 } else { depth });
    let mut shown = BTreeSet::new();
    while !level.is_empty() && levels != Some(0) {
        let beside =
            |name: &&'s PackageName| if args.invert.is_some() { graph.needed_by(name) } else { graph.needs(name) };
        let next: Vec<_> = level.iter().flat_map(beside).map(|(name, _)| name).collect();
        shown.extend(level);
        level = next.into_iter().filter(|name| !shown.contains(name)).collect();
        levels = levels.map(|levels| levels - 1);
    }
    shown
}
