//! `envy pull`

use super::caching::Caching;
use super::context::Context;
use super::for_each;
use super::options::SitesArgs;
use super::project::Project;
use crate::build::Step;
use crate::failure::{Exit, Failure};
use crate::manifest::Site;
use crate::tree::grove;

/// Bring all outputs that lockfiles record.
pub fn run(context: &Context<'_>, args: &SitesArgs) -> Result<(), Failure> {
    let project = context.project()?;
    let caching = Caching::open(context, &project)?;
    let remote = caching.require()?;
    if remote.is_out_of_reach() {
        let outcome = format!("the network may not be used, and `{}` needs it", remote.shown());
        return Err(Failure::new(Exit::Offline, outcome).hint("run the same command once without `--offline`"));
    }
    let sites = project.sites(&args.sites)?;
    let packages = for_each(&sites, |site| pull(context, &project, &caching, site))?;
    if args.json {
        let sites = sites.iter().zip(packages);
        let sites: Vec<_> = sites
            .map(|(site, packages)| serde_json::json!({ "site": site.name.as_str(), "packages": packages }))
            .collect();
        context.ui.json(&serde_json::json!({
            "schema": "envy.pull/1",
            "cache": remote.shown(),
            "came": came(context, &caching)?,
            "sites": sites,
        }));
    }
    Ok(())
}

/// How many outputs came, and the files that they have.
fn came(context: &Context<'_>, caching: &Caching) -> Result<serde_json::Value, Failure> {
    let (store, outputs) = (context.store()?, caching.came());
    let trees: Vec<_> =
        outputs.iter().filter_map(|output| store.tree(*output).transpose()).collect::<Result<_, _>>()?;
    let files = grove::files(&trees);
    let bytes: u64 = files.iter().map(|(_, _, size)| size).sum();
    Ok(serde_json::json!({ "outputs": outputs.len(), "files": files.len(), "bytes": bytes }))
}

/// Bring the outputs of one site; gives how many packages it has.
fn pull(context: &Context<'_>, project: &Project, caching: &Caching, site: &Site) -> Result<usize, Failure> {
    let (wishes, locked) = project.current_lock(context, site)?;
    let plan = caching.plan(context, &locked.lockfile, &wishes)?;
    let installed = || plan.packages.iter().filter(|planned| planned.installed);
    let missing: Vec<_> = installed().filter(|planned| planned.step == Step::Make).map(|one| &one.id).collect();
    if missing.is_empty() {
        let packages = installed().count();
        let count = crate::ui::count(packages, "package");
        context.ui.done("complete", format!("all outputs of site `{}` are here ({count})", site.name));
        return Ok(packages);
    }
    let outcome = format!("not all outputs of site `{}` could be had", site.name);
    Err(Failure::new(Exit::Failed, outcome)
        .facts(missing.iter().map(|id| {
            format!(
                "`{id}` is neither here nor in `{}`",
                caching.require().map_or_else(|_| String::new(), crate::remote::Remote::shown)
            )
        }))
        .hint(format!("run `envy push {0}` where it was built, or `envy build {0}`", site.name)))
}
