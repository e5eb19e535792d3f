//! `envy bundle`

mod gathering;

use std::io::BufWriter;
use std::path::PathBuf;

use super::LockMode;
use super::context::Context;
use crate::bundle::{self, Contents};
use crate::disk;
use crate::failure::Failure;
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
    /// Where to write it [default: SITE.envy]
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
    let project = context.project()?;
    let site = project.site(&args.site)?;
    let contents = context.with_sources(&project, LockMode::default(), |sources| {
        gathering::gather(context, &project, site, args.sources, sources)
    })?;
    let path = args.output.clone().unwrap_or_else(|| format!("{}.{EXTENSION}", args.site).into());
    let busy = context.ui.busy(format!("writing {}", path.display()));
    let written = write(context, &contents, &path)?;
    drop(busy);
    let size = disk::file_size(&path).unwrap_or(0);
    if args.json {
        context.ui.json(&serde_json::json!({
            "schema": "envy.bundle-written/1",
            "site": args.site.as_str(),
            "file": path,
            "size": size,
            "contents": written.contents.to_string(),
            "sources": args.sources,
        }));
        return Ok(());
    }
    let files = count(written.blobs, "file");
    context.ui.done("bundled", format!("site `{}` into `{}` ({files}, {})", args.site, path.display(), bytes(size)));
    context.ui.detail(format!("contents {}", written.contents));
    Ok(())
}

fn write(context: &Context<'_>, contents: &Contents, path: &std::path::Path) -> Result<bundle::Written, Failure> {
    let (store, mut written) = (context.store()?, None);
    disk::replace_file(path, |file| {
        written = Some(bundle::write(contents, store, BufWriter::new(file))?);
        Ok::<_, bundle::Error>(())
    })
    .map_err(|error| Failure::writing_bundle(path, error))?;
    Ok(written.expect("what was replaced was written"))
}
