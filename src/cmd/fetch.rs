//! `envy fetch`

use super::context::Context;
use super::project::Project;
use super::{LockMode, for_each};
use crate::failure::Failure;
use crate::manifest::Site;
use crate::package::{PackageId, SiteName};
use crate::platform::Platform;
use crate::source::Sources;

/// Arguments of `envy fetch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The sites [default: all]
    sites: Vec<SiteName>,
    /// For every platform of the project, not this host's alone
    #[arg(long)]
    all_platforms: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Bring everything that locked builds of sites need, so that they work without a network.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let project = context.project()?;
    let sites = project.sites(&args.sites)?;
    let platforms = match args.all_platforms {
        true => project.manifest.platforms().to_vec(),
        false => vec![Platform::host()],
    };
    let fetched = context.with_sources(&project, LockMode::default(), |sources| {
        for_each(&sites, |site| fetch(context, &project, site, &platforms, sources))
    })?;
    if args.json {
        let platforms: Vec<_> = platforms.iter().map(ToString::to_string).collect();
        let document = serde_json::json!({ "schema": "envy.fetch/1", "platforms": platforms, "sites": fetched });
        context.ui.json(&document);
    }
    Ok(())
}

fn fetch(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    platforms: &[Platform],
    sources: &Sources<'_>,
) -> Result<serde_json::Value, Failure> {
    let (wishes, locked) = project.current_lock(context, site)?;
    let supplies = project.supplies(context, site, &wishes, &locked.lockfile, sources);
    let packages = locked.lockfile.packages.values();
    let wanted = packages.filter(|package| platforms.iter().any(|platform| package.is_for(*platform)));
    let ids: Vec<&PackageId> = wanted.map(|package| &package.id).collect();
    supplies.bring_all(&ids, platforms)?;
    let count = crate::ui::count(ids.len(), "package");
    let recipes: String = locked.lockfile.recipes.keys().map(|name| format!(", recipes {name}")).collect();
    context.ui.done("fetched", format!("all that site `{}` is built from ({count}{recipes})", site.name));
    let packages: Vec<_> = ids
        .iter()
        .map(|id| serde_json::json!({ "name": id.name.as_str(), "version": id.version.to_string() }))
        .collect();
    Ok(serde_json::json!({ "site": site.name.as_str(), "packages": packages }))
}
