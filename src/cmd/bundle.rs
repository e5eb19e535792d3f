//! `envy bundle`

mod gathering;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::LockMode;
use super::context::Context;
use crate::bundle::{self, Contents};
use crate::disk;
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
    let to_stdout = args.output.as_deref().is_some_and(|path| path.as_os_str() == "-");
    if to_stdout && args.json {
        return Err(Failure::new(Exit::Usage, "the bundle and a JSON document cannot both go to the standard output")
            .hint("name a file with `--output`, or leave out `--json`"));
    }
    let project = context.project()?;
    let site = project.site(&args.site)?;
    let contents = context.with_sources(&project, LockMode::default(), |sources| {
        gathering::gather(context, &project, site, args.sources, sources)
    })?;
    let path = args.output.clone().unwrap_or_else(|| format!("{}.{EXTENSION}", args.site).into());
    let busy = context.ui.busy(format!("writing {}", path.display()));
    let (written, size) = if to_stdout { print(context, &contents)? } else { write(context, &contents, &path)? };
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
    let place = if to_stdout { "the standard output".to_owned() } else { format!("`{}`", path.display()) };
    context.ui.done("bundled", format!("site `{}` into {place} ({files}, {})", args.site, bytes(size)));
    context.ui.detail(format!("contents {}", written.contents));
    Ok(())
}

/// Write it to the standard output; gives its size, too.
fn print(context: &Context<'_>, contents: &Contents) -> Result<(bundle::Written, u64), Failure> {
    let to = context.ui.raw().ok_or_else(|| {
        Failure::new(Exit::Usage, "a bundle is nothing for a terminal").hint(
            "name a file with `--output`, or send the output on: `envy bundle SITE -o - | ssh HOST envy import -`",
        )
    })?;
    let mut to = Counting { to, size: 0 };
    let written = bundle::write(contents, context.store()?, BufWriter::new(&mut to));
    let written = written.map_err(|error| Failure::writing_bundle(Path::new("-"), error))?;
    Ok((written, to.size))
}

/// Counts what is written.
struct Counting<W> {
    to: W,
    size: u64,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn write(context: &Context<'_>, contents: &Contents, path: &Path) -> Result<(bundle::Written, u64), Failure> {
    let (store, mut written) = (context.store()?, None);
    disk::replace_file(path, |file| {
        written = Some(bundle::write(contents, store, BufWriter::new(file))?);
        Ok::<_, bundle::Error>(())
    })
    .map_err(|error| Failure::writing_bundle(path, error))?;
    Ok((written.expect("what was replaced was written"), disk::file_size(path).unwrap_or(0)))
}
