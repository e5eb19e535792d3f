//! `envy create`

use super::committing::Writes;
use super::context::Context;
use super::project::{MANIFEST, Project};
use super::showing::begin_empty;
use crate::disk;
use crate::failure::Failure;
use crate::lock::Lockfile;
use crate::manifest::{Site, edit};
use crate::package::SiteName;
use crate::site::Data;

/// Arguments of `envy create`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The new site
    site: SiteName,
    /// Copy everything that this site asks for, and its lockfile
    #[arg(long, value_name = "SITE")]
    from: Option<SiteName>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Add a site to the manifest, with an empty prefix as its first generation.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let mut project = context.project()?;
    let _held = project.hold(context)?;
    let text = match &args.from {
        Some(from) => {
            project.site(from)?;
            edit::copy_site(&project.text, from, &args.site)?
        }
        None => edit::create_site(&project.text, &args.site)?,
    };
    let edited = project.edited(text)?;
    let site = edited.site(&args.site)?;
    let locked = lockfile(context, &edited, site, args.from.as_ref())?;
    let place = edited.place(&args.site);
    let was_there = disk::exists(place.path());
    let _site = place.hold(context.globals.patience(), context.ui)?;
    let mut writes = Writes::default();
    locked.files.into_iter().for_each(|(path, text)| writes.write(project.root.join(path), &text));
    writes.write(project.root.join(MANIFEST), &edited.text);
    let written = writes.apply(&project.root)?;
    if let Err(failure) = begin_empty(context, &edited, site, &place, &locked.built_from) {
        // What was there before, such as data of an earlier site of this name, stays.
        if !was_there {
            let _ = place.remove(Data::Keep);
        }
        return Err(failure);
    }
    written.keep()?;
    context.ui.done("created", format!("site `{}`", args.site));
    if locked.built_from.is_empty() || !site.files.is_empty() {
        context.ui.detail(format!("run `envy build {}` to fill it", args.site));
    }
    if args.json {
        context.ui.json(&serde_json::json!({
            "schema": "envy.create/1",
            "site": args.site.as_str(),
            "generation": place.current_number(),
            "path": place.path().display().to_string(),
        }));
    }
    Ok(())
}

/// Files that a new site begins with, and the text of the lockfile that its empty prefix is what it asks for.
struct Locked {
    files: Vec<(std::path::PathBuf, String)>,
    built_from: String,
}

/// A copy has the lockfile of the original; a site that asks for nothing has one that says so; others are locked later.
fn lockfile(context: &Context<'_>, project: &Project, site: &Site, from: Option<&SiteName>) -> Result<Locked, Failure> {
    if site.dependencies.is_empty() {
        let wishes = project.wishes(context, site, None)?;
        let text = Lockfile::empty(wishes.digest()).text();
        return Ok(Locked { files: vec![(Lockfile::relative_path(&site.name), text.clone())], built_from: text });
    }
    let mut files = Vec::new();
    if let Some((from, locked)) = from.map(|from| Ok::<_, Failure>((from, project.locked(from)?))).transpose()? {
        let generated = locked
            .iter()
            .flat_map(|locked| locked.lockfile.packages.values().filter(|package| package.has_generated()));
        for package in generated {
            let original = project.root.join(Lockfile::generated_path(from, &package.id.name));
            if let Some(text) = disk::read_text_if_exists(&original)? {
                files.push((Lockfile::generated_path(&site.name, &package.id.name), text));
            }
        }
        files.extend(locked.map(|locked| (Lockfile::relative_path(&site.name), locked.text)));
    }
    Ok(Locked { files, built_from: String::new() })
}
