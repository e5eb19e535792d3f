//! `envy export`

mod gathering;
mod statements;

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::LockMode;
use super::caching::Caching;
use super::context::Context;
use super::output::Output;
use super::project::Project;
use crate::build::Step;
use crate::digest::TreeDigest;
use crate::export::{cyclonedx, spdx, tarball};
use crate::failure::{Exit, Failure};
use crate::manifest::Site;
use crate::package::SiteName;
use crate::tree::Tree;

/// Arguments of `envy export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site
    site: SiteName,
    /// What is written
    #[arg(long, value_enum)]
    format: Format,
    /// Where to write it; `-` is the standard output [default: `-`; for `tar`, SITE.tar]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The path at which the files of a `tar` will lie
    #[arg(long, value_name = "DIR")]
    at: Option<String>,
    /// Print one JSON document about the file that was written
    #[arg(long)]
    json: bool,
}

/// What a site can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A bill of materials, CycloneDX 1.6 in JSON
    Cyclonedx,
    /// A bill of materials, SPDX 2.3 in JSON
    Spdx,
    /// How each package was built: in-toto statements with SLSA's provenance, one a line
    Provenance,
    /// The files of its prefix
    Tar,
}

/// Write what others want to have of a site.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let project = context.project()?;
    let site = project.site(&args.site)?;
    if args.at.is_some() && args.format != Format::Tar {
        return Err(Failure::new(Exit::Usage, "`--at` belongs to `--format tar`").hint("leave it out"));
    }
    let output = match (&args.output, args.format) {
        (Some(path), _) => Output::at(path)?,
        (None, Format::Tar) => Output::at(Path::new(&format!("{}.tar", site.name)))?,
        (None, _) => Output::Stdout,
    };
    if args.json && output.is_stdout() {
        return Err(Failure::new(Exit::Usage, "two documents cannot both go to the standard output")
            .hint("name a file with `--output`, or leave out `--json`: what is exported is what goes there"));
    }
    if args.format == Format::Tar {
        return archive(context, &project, site, args, &output);
    }
    let text = match args.format {
        Format::Provenance => statements::statements(context, &project, site)?,
        format => context.with_sources(&project, LockMode::default(), |sources| {
            let bill = gathering::bill(context, &project, site, sources)?;
            let document = if format == Format::Spdx { spdx::document(&bill) } else { cyclonedx::document(&bill) };
            Ok(format!("{document:#}\n"))
        })?,
    };
    output.text(context, &text)?;
    if args.json {
        context.ui.json(&told(args, &output, text.len() as u64, None));
    } else if !output.is_stdout() {
        context.ui.done("exported", format!("site `{}` into {output}", args.site));
    }
    Ok(())
}

/// What was written, for programs.
fn told(args: &Args, output: &Output, size: u64, prefix: Option<TreeDigest>) -> serde_json::Value {
    let format = args.format.to_possible_value().map(|value| value.get_name().to_owned());
    serde_json::json!({
        "schema": "envy.export/1",
        "site": args.site.as_str(),
        "format": format,
        "file": output.path().display().to_string(),
        "size": size,
        "prefix": prefix.map(|prefix| prefix.to_string()),
    })
}

/// Write the files of the prefix that the lockfile records.
fn archive(context: &Context<'_>, project: &Project, site: &Site, args: &Args, output: &Output) -> Result<(), Failure> {
    let (store, tree) = (context.store()?, prefix(context, project, site)?);
    if args.at.as_deref().is_some_and(|at| !at.starts_with('/')) {
        return Err(
            Failure::new(Exit::Usage, "`--at` is no absolute path").hint("write the whole path, as in `/opt/api`")
        );
    }
    let at = args.at.as_deref().map(|at| at.trim_end_matches('/'));
    let ((), size) = output.write(context, "an archive", |to| {
        tarball::write(&tree, store, at, to).map_err(|error| Failure::export(error, &site.name))
    })?;
    if args.json {
        context.ui.json(&told(args, output, size, Some(tree.digest())));
        return Ok(());
    }
    let size = crate::ui::bytes(size);
    context.ui.done("exported", format!("the prefix of site `{}` into {output} ({size})", site.name));
    context.ui.detail(format!("prefix {}", tree.digest()));
    Ok(())
}

/// The tree that the recorded outputs make.
fn prefix(context: &Context<'_>, project: &Project, site: &Site) -> Result<Tree, Failure> {
    let (wishes, locked) = project.current_lock(context, site)?;
    let plan = Caching::open(context, project)?.plan(context, &locked.lockfile, &wishes)?;
    let mut trees = Vec::new();
    for planned in plan.packages.iter().filter(|planned| planned.installed) {
        let Step::Use(_, tree) = &planned.step else {
            let outcome = format!("not all that site `{}` consists of is here", site.name);
            return Err(Failure::new(Exit::Failed, outcome)
                .fact(format!("`{}` has no recorded output in the store", planned.id))
                .hint(format!("run `envy build {}`", site.name)));
        };
        let mut tree = tree.clone();
        for path in wishes.packages().get(&planned.id.name).map(|wish| wish.without.as_slice()).unwrap_or_default() {
            tree.remove(path);
        }
        trees.push((planned.id.to_string(), tree));
    }
    let parts = trees.iter().map(|(owner, tree)| (owner.as_str(), tree));
    Tree::merge(parts).map_err(|collisions| Failure::collisions(&site.name, &collisions))
}
