//! `envy lock --merge`, which git calls for a lockfile that two branches changed.

use std::path::{Path, PathBuf};

use crate::cmd::LockMode;
use crate::cmd::context::Context;
use crate::cmd::locking::{Moves, propose_from};
use crate::cmd::project::{MANIFEST, Project};
use crate::digest::TextDigest;
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::lock::{Lockfile, Merged, merge};
use crate::package::SiteName;

/// Merge what git gives and write the result in the place of our side.
pub fn run(context: &Context<'_>, [base, ours, theirs]: [&PathBuf; 3], path: &Path) -> Result<(), Failure> {
    let merged = merge(&read(base)?, &read(ours)?, &read(theirs)?);
    let name = site_name(path)?;
    let text = match project(context, path) {
        Ok(project) => resolved(context, &project, &name, merged)?,
        Err(_) if merged.is_settled() => merged.lockfile.text(),
        Err(failure) => return Err(unresolved(&name, &merged, failure)),
    };
    disk::write(ours, text.as_bytes())?;
    context.ui.done("merged", format!("both sides of the lockfile of site `{name}`"));
    Ok(())
}

/// The project that the lockfile belongs to: git starts drivers at the top of a repository, where it need not be.
fn project(context: &Context<'_>, path: &Path) -> Result<Project, Failure> {
    let above = path.parent().and_then(Path::parent).filter(|above| disk::is_file(&above.join(MANIFEST)));
    let asked = context.globals.project.as_deref().or(above);
    Project::find(asked, context.globals.sites_dir.as_deref())
}

/// A side's lockfile. Where both sides added the file there is no ancestor, and git gives an empty one.
fn read(path: &Path) -> Result<Lockfile, Failure> {
    let text = disk::read_text_if_exists(path)?.unwrap_or_default();
    if text.trim().is_empty() {
        return Ok(Lockfile::empty(TextDigest::of(b"")));
    }
    Ok(Lockfile::parse(path, &text)?)
}

/// The site whose lockfile lies there.
fn site_name(path: &Path) -> Result<SiteName, Failure> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.parse().map_err(|_| {
        Failure::new(Exit::Failed, format!("`{}` is not the lockfile of a site", path.display()))
            .hint("give PATH as the last argument: `envy lock --merge %O %A %B %P`")
    })
}

/// The text of the merged lockfile, where what is in dispute was chosen anew and the rest stayed.
///
/// While git merges, `envy.toml` is still that of our side. So what is agreed on stays as it is, whatever `envy.toml` asks
/// for yet, and no other file is written; the next `envy lock` decides on the rest.
fn resolved(context: &Context<'_>, project: &Project, name: &SiteName, merged: Merged) -> Result<String, Failure> {
    let settled = merged.is_settled();
    let proposed = project.site(name).and_then(|site| {
        context.with_sources(project, LockMode::default(), |sources| {
            propose_from(context, project, site, Some(merged.preferring_higher()), &Moves::Needed, sources)
        })
    });
    let proposal = match proposed {
        Ok(proposal) => proposal.lockfile,
        Err(_) if settled => return Ok(merged.lockfile.text()),
        Err(failure) => return Err(unresolved(name, &merged, failure)),
    };
    let Merged { mut lockfile, disputed, .. } = merged;
    for package in disputed {
        lockfile
            .packages
            .extend(proposal.packages.get_key_value(&package).map(|(name, one)| (name.clone(), one.clone())));
    }
    if lockfile.packages == proposal.packages {
        return Ok(proposal.text());
    }
    context.ui.note(format!("run `envy lock {name}` when `envy.toml` is merged"));
    lockfile.prefixes.clear();
    lockfile.toolchain = lockfile.toolchain.or(proposal.toolchain);
    Ok(lockfile.text())
}

/// Both sides changed the same, and what would decide cannot be read.
fn unresolved(name: &SiteName, merged: &Merged, because: Failure) -> Failure {
    let both = merged.disputed.iter().map(|package| format!("both sides changed `{package}`"));
    let keys = merged.disputed_keys.iter().map(|key| format!("both sides changed `{key}`"));
    Failure::new(Exit::Failed, format!("the lockfile of site `{name}` cannot be merged: {}", because.outcome))
        .facts(both.chain(keys))
        .hint(format!("resolve `envy.toml` first, then run `envy lock {name}`"))
}
