//! `envy bundle`

mod gathering;

use std::path::PathBuf;

use super::LockMode;
use super::context::Context;
use super::output::Output;
use crate::bundle;
use crate::failure::{Exit, Failure};
use crate::package::SiteName;
use crate::ui::{bytes, count};

/// Arguments of `envy bundle`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site
    site: SiteName,
    /// Also all that it is built from: archives, commits, crates
    #[arg(long)]
    sources: bool,
    /// Where to write it; `-` is the standard output [default: SITE.envy]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// How the names of bundles end.
const EXTENSION: &str = "envy";

/// Write a site into one file, for hosts that reach nobody.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let path = args.output.clone().unwrap_or_else(|| format!("{}.{EXTENSION}", args.site).into());
    let output = Output::at(&path)?;
    if output.is_stdout() && args.json {
        return Err(Failure::new(Exit::Usage, "the bundle and a JSON document cannot both go to the standard output")
            .hint("name a file with `--output`, or leave out `--json`"));
    }
    let project = context.project()?;
    let site = project.site(&args.site)?;
    let contents = context.with_sources(&project, LockMode::default(), |sources| {
        gathering::gather(context, &project, site, args.sources, sources)
    })?;
    let busy = context.ui.busy(format!("writing {output}"));
    let store = context.store()?;
    let (written, size) = output.write(context, "a bundle", |to| {
        bundle::write(&contents, store, to).map_err(|error| Failure::writing_bundle(&output, error))
    })?;
    drop(busy);
    if args.json {
        context.ui.json(&serde_json::json!({
            "schema": "envy.bundle-written/1",
            "site": args.site.as_str(),
            "file": path.display().to_string(),
            "size": size,
            "contents": written.contents.to_string(),
            "sources": args.sources,
        }));
        return Ok(());
    }
    let files = count(written.blobs, "file");
    context.ui.done("bundled", format!("site `{}` into {output} ({files}, {})", args.site, bytes(size)));
    context.ui.detail(format!("contents {}", written.contents));
    Ok(())
}
