//! Lockfiles that two branches changed: merged for git, by `envy lock --merge`, or taken apart where git left markers.

use std::path::{Path, PathBuf};

use crate::cmd::LockMode;
use crate::cmd::context::Context;
use crate::cmd::locking::{Moves, propose_from};
use crate::cmd::project::{MANIFEST, Project};
use crate::digest::TextDigest;
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::lock::{Lockfile, Merged, Sides, merge};
use crate::manifest::Site;
use crate::package::SiteName;

/// What git is to do with lockfiles, in its attributes.
pub const ATTRIBUTE: &str = "lockfiles/*.lock merge=envy";
/// What makes git do it: attributes come with a repository, commands do not.
pub const DRIVER: &str = "git config merge.envy.driver \"envy lock --merge %O %A %B %P\"";

/// Merge what git gives and write the result in the place of our side.
pub fn run(context: &Context<'_>, texts: [&PathBuf; 3], path: &Path) -> Result<(), Failure> {
    let name = site_name(path)?;
    let [base, ours, theirs] = texts.map(|text| {
        let missing = || {
            Failure::new(Exit::Failed, format!("there is no file `{}`", text.display()))
                .hint("name three files that git gives: `envy lock --merge %O %A %B %P`")
        };
        read(text, &disk::read_text_if_exists(text)?.ok_or_else(missing)?)
    });
    let merged = merge(&base?, &ours?, &theirs?);
    let text = match project(context, path) {
        Ok(project) => resolved(context, &project, &name, &merged)?,
        Err(_) if merged.disputed.is_empty() => merged.lockfile.text(),
        Err(failure) => return Err(unresolved(&name, &merged, failure)),
    };
    disk::write_atomic(texts[1], text.as_bytes())?;
    tell(context, &merged);
    context.ui.done("merged", format!("both sides of the lockfile of site `{name}`"));
    Ok(())
}

/// A site's lockfile as it is to be locked from: where it holds the markers of a merge, what both sides come to. Nothing is
/// written.
pub fn locked(context: &Context<'_>, project: &Project, site: &Site) -> Result<Option<Lockfile>, Failure> {
    let path = Lockfile::relative_path(&site.name);
    let Some(sides) = disk::read_text_if_exists(&project.root.join(&path))?.and_then(|text| Sides::of(&text)) else {
        return Ok(project.locked(&site.name)?.map(|locked| locked.lockfile));
    };
    let base = read(&path, sides.base.as_deref().unwrap_or_default())?;
    let merged = merge(&base, &read(&path, &sides.ours)?, &read(&path, &sides.theirs)?);
    context.ui.note(format!("`{}` holds both sides of a merge, and is locked from what they come to", path.display()));
    tell(context, &merged);
    Ok(Some(merged.preferring_higher()))
}

/// The project that the lockfile belongs to: git starts drivers at the top of a repository, where it need not be.
fn project(context: &Context<'_>, path: &Path) -> Result<Project, Failure> {
    let above = path.parent().and_then(Path::parent).filter(|above| disk::is_file(&above.join(MANIFEST)));
    let asked = context.globals.project.as_deref().or(above);
    Project::find(asked, context.globals.sites_dir.as_deref())
}

/// A side's lockfile. Where both sides added the file there is no ancestor, and git gives an empty one.
fn read(path: &Path, text: &str) -> Result<Lockfile, Failure> {
    match text.trim() {
        "" => Ok(Lockfile::empty(TextDigest::of(b""))),
        _ => Ok(Lockfile::parse(path, text)?),
    }
}

/// Say what both sides changed, each differently.
fn tell(context: &Context<'_>, merged: &Merged) {
    for name in &merged.disputed {
        context.ui.note(format!("both sides changed `{name}`; it is chosen anew"));
    }
    for key in &merged.disputed_keys {
        context.ui.note(format!("both sides changed {key}; ours counts"));
    }
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
fn resolved(context: &Context<'_>, project: &Project, name: &SiteName, merged: &Merged) -> Result<String, Failure> {
    let proposed = project.site(name).and_then(|site| {
        context.with_sources(project, LockMode::default(), |sources| {
            propose_from(context, project, site, Some(merged.preferring_higher()), &Moves::Needed, sources)
        })
    });
    let later = format!("run `envy lock {name}` when `envy.toml` is merged");
    let proposal = match proposed {
        Ok(proposal) => proposal.lockfile,
        Err(failure) if merged.disputed.is_empty() => {
            context.ui.note(format!("the merged lockfile is not locked yet: {}; {later}", failure.outcome));
            return Ok(merged.lockfile.text());
        }
        Err(failure) => return Err(unresolved(name, merged, failure)),
    };
    let mut lockfile = merged.lockfile.clone();
    for package in &merged.disputed {
        let chosen = proposal.packages.get_key_value(package);
        lockfile.packages.extend(chosen.map(|(name, one)| (name.clone(), one.clone())));
    }
    if lockfile.packages == proposal.packages {
        return Ok(proposal.text());
    }
    context.ui.note(later);
    lockfile.prefixes.clear();
    lockfile.toolchain = lockfile.toolchain.or(proposal.toolchain);
    Ok(lockfile.text())
}

/// Both sides changed the same, and what would decide failed: with its own exit code, causes and hints.
fn unresolved(name: &SiteName, merged: &Merged, because: Failure) -> Failure {
    let both = merged.disputed.iter().map(|package| format!("both sides changed `{package}`"));
    let mut failure = Failure::new(because.exit, format!("the lockfile of site `{name}` cannot be merged"));
    failure.facts = both.chain([because.outcome]).chain(because.facts).collect();
    failure.causes = because.causes;
    failure.hints = because.hints;
    failure.hint(format!("when that is settled, in `envy.toml` or elsewhere, run `envy lock {name}`"))
}
