//! `envy env`

use std::ffi::OsStr;

use super::context::Context;
use crate::failure::Failure;
use crate::package::SiteName;
use crate::process;
use crate::site::{Activation, Error};

/// Arguments of `envy env`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site
    site: SiteName,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Print the variables with which `envy run` runs a program, one a line.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let project = context.project()?;
    project.site(&args.site)?;
    let place = project.place(&args.site);
    let generation = place.current()?.ok_or_else(|| Error::NotBuilt(args.site.clone()))?;
    let activation = Activation::of(&place, &generation);
    let mut variables = activation.variables.clone();
    let inherited = process::environment();
    let path = activation.path(inherited.get(OsStr::new("PATH")).map(std::ffi::OsString::as_os_str));
    variables.insert("PATH".to_owned(), path.to_string_lossy().into_owned());
    if args.json {
        let document =
            serde_json::json!({ "schema": "envy.env/1", "site": args.site.as_str(), "variables": variables });
        context.ui.json(&document);
    } else {
        let lines: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        context.ui.result(&lines);
    }
    Ok(())
}
