//! `envy delete`

use super::committing::Writes;
use super::context::Context;
use super::project::{MANIFEST, Project};
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::lock::Lockfile;
use crate::manifest::edit;
use crate::package::SiteName;
use crate::site::Data;

/// Arguments of `envy delete`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site
    site: SiteName,
    /// Remove the service's own data in `var` too
    #[arg(long)]
    purge: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Remove a site: its tables, its lockfile, its generations.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let mut project = context.project()?;
    let _held = project.hold(context)?;
    project.site(&args.site)?;
    extended_by_none(&project, &args.site)?;
    let place = project.place(&args.site);
    let mut writes = Writes::default();
    writes.write(project.root.join(MANIFEST), &edit::delete_site(&project.text, &args.site)?);
    writes.remove(project.root.join(Lockfile::relative_path(&args.site)));
    let written = writes.apply(&project.root)?;
    if disk::exists(place.path()) {
        let _site = place.hold(context.globals.patience(), context.ui)?;
        place.remove(if args.purge { Data::Remove } else { Data::Keep })?;
    }
    written.keep()?;
    disk::remove_tree(&project.root.join("lockfiles").join(args.site.as_str()))?;
    context.store()?.remove_root(place.path())?;
    context.ui.done("deleted", format!("site `{}`", args.site));
    if disk::exists(&place.var()) {
        context.ui.detail(format!("its data stays in `{}`; `--purge` would have removed it", place.var().display()));
    }
    if args.json {
        let data = disk::exists(&place.var()).then(|| place.var().display().to_string());
        context.ui.json(&serde_json::json!({ "schema": "envy.delete/1", "site": args.site.as_str(), "data": data }));
    }
    Ok(())
}

/// Refuse to delete what other sites start from.
fn extended_by_none(project: &Project, name: &SiteName) -> Result<(), Failure> {
    let heirs = project.manifest.sites().filter(|site| site.extends.contains(name));
    let facts: Vec<_> = heirs.map(|heir| format!("site `{}` extends it", heir.name)).collect();
    if facts.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(Exit::Failed, format!("site `{name}` cannot be deleted")).facts(facts);
    Err(failure.hint(format!("take `{name}` out of `extends` in `{MANIFEST}`, or delete those first")))
}
