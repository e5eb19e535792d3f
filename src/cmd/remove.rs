//! `envy remove`

use super::Jobs;
use super::committing::{Then, commit};
use super::context::Context;
use super::locking::{self, Moves};
use super::project::{MANIFEST, Project};
use crate::failure::{Exit, Failure};
use crate::manifest::edit::{self, Where};
use crate::manifest::{Asker, Site};
use crate::package::{PackageName, SiteName};

/// Arguments of `envy remove`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The packages
    #[arg(required = true)]
    names: Vec<PackageName>,
    /// Of this site, instead of those that every site has
    #[arg(long, value_name = "SITE")]
    site: Option<SiteName>,
    /// Stop after locking
    #[arg(long)]
    no_build: bool,
    #[command(flatten)]
    jobs: Jobs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Take requirements out of the manifest, lock, build, and only then write it.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let mut project = context.project()?;
    let _held = project.hold(context)?;
    let table = match &args.site {
        Some(site) => Where::Site(&project.site(site)?.name),
        None => Where::Shared,
    };
    let mut text = project.text.clone();
    for name in &args.names {
        text = edit::remove_dependency(&text, table, name)?
            .ok_or_else(|| not_there(&project, name, args.site.as_ref()))?;
    }
    let edited = project.edited(text)?;
    let then = if args.no_build { Then::Lock } else { Then::Build };
    let sites = edited.reached(args.site.as_ref())?;
    let done = commit(context, &project, &edited, &sites, &Moves::Needed, then, args.jobs)?;
    if args.json {
        context.ui.json(&locking::of_sites("envy.remove/1", done));
    }
    Ok(())
}

/// The failure that says where a package is required instead.
fn not_there(project: &Project, name: &PackageName, site: Option<&SiteName>) -> Failure {
    let whose = site.map_or_else(|| "every site".to_owned(), |site| format!("site `{site}`"));
    let failure = Failure::new(Exit::Failed, format!("`{MANIFEST}` does not require `{name}` for {whose}"));
    let asks = |site: &Site| site.dependencies.iter().find(|one| one.name == *name).map(|one| one.by.clone());
    let here = site.and_then(|site| project.manifest.site(site));
    match here.into_iter().chain(project.manifest.sites()).find_map(asks) {
        Some(Asker::EverySite) => failure.hint(format!("every site requires it: run `envy remove {name}`")),
        Some(Asker::Site(other)) => {
            failure.hint(format!("site `{other}` requires it: run `envy remove {name} --site {other}`"))
        }
        Some(Asker::Overrides) | None => failure,
    }
}
