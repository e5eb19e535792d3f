//! `envy init`

use std::path::Path;

use super::context::{Context, absolute};
use super::lock::merge;
use super::project::MANIFEST;
use crate::build::{Toolchain, Wanted};
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::manifest::edit;

/// Arguments of `envy init`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the project [default: that of the directory]
    #[arg(long)]
    name: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Write a manifest where there is none.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let directory = context.globals.project.clone().unwrap_or_else(|| ".".into());
    let directory: std::path::PathBuf = absolute(directory)?.components().collect();
    let path = directory.join(MANIFEST);
    if disk::exists(&path) {
        let outcome = format!("there is an `{MANIFEST}` already, and it stays as it is");
        return Err(Failure::new(Exit::Failed, outcome).hint("run `envy create SITE` to add a site"));
    }
    let named = directory.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = args.name.clone().or(named).unwrap_or_else(|| "project".to_owned());
    let rust = Toolchain::find(Wanted::Any(None)).ok();
    let rust = rust.map(|toolchain| format!("{}.{}", toolchain.version.major, toolchain.version.minor));
    disk::write_atomic(&path, edit::initial(&name, rust.as_deref()).as_bytes())?;
    context.ui.done("created", format!("`{MANIFEST}` of project `{name}`"));
    let merged = offer_merging(context, &directory)?;
    if args.json {
        context.ui.json(&serde_json::json!({
            "schema": "envy.init/1",
            "project": name,
            "manifest": path.display().to_string(),
            "merge-driver": merged.then_some(merge::DRIVER),
        }));
    }
    Ok(())
}

/// In a git repository, have lockfiles merged package by package, and say what is left to type. Elsewhere there is nothing
/// to merge.
fn offer_merging(context: &Context<'_>, directory: &Path) -> Result<bool, Failure> {
    if !directory.ancestors().any(|above| disk::exists(&above.join(".git"))) {
        return Ok(false);
    }
    let path = directory.join(".gitattributes");
    let text = disk::read_text_if_exists(&path)?.unwrap_or_default();
    if !text.lines().any(|line| line.trim() == merge::ATTRIBUTE) {
        let between = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        disk::write_atomic(&path, format!("{text}{between}{}\n", merge::ATTRIBUTE).as_bytes())?;
        context.ui.detail(format!(
            "`.gitattributes` has lockfiles merged by envy; in each clone, type once: {}",
            merge::DRIVER
        ));
    }
    Ok(true)
}
