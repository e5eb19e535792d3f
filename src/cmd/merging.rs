//! Lockfiles that went apart on two branches: markers in them, and what has git merge them.

use super::context::Context;
use super::project::Project;
use crate::digest::TextDigest;
use crate::disk;
use crate::failure::Failure;
use crate::lock::{self, Lockfile, Sides};
use crate::manifest::Site;

/// What git is to do with lockfiles, in its attributes.
pub const ATTRIBUTE: &str = "lockfiles/*.lock merge=envy";
/// What makes git do it: attributes come with a repository, commands do not.
pub const DRIVER: &str = "git config merge.envy.driver \"envy lock --merge %O %A %B %P\"";

/// Where a site's lockfile holds the markers of a merge, merge it.
pub fn resolve_markers(context: &Context<'_>, project: &Project, site: &Site) -> Result<(), Failure> {
    let relative = Lockfile::relative_path(&site.name);
    let path = project.root.join(&relative);
    let Some(sides) = disk::read_text_if_exists(&path)?.and_then(|text| Sides::of(&text)) else { return Ok(()) };
    let read = |text: &str| match text.trim() {
        "" => Ok(Lockfile::empty(TextDigest::of(b""))),
        _ => Lockfile::parse(&relative, text),
    };
    let base = read(sides.base.as_deref().unwrap_or_default())?;
    let merged = lock::merge(&base, &read(&sides.ours)?, &read(&sides.theirs)?);
    for name in &merged.disputed {
        context.ui.note(format!("both sides changed `{name}`; it is chosen anew"));
    }
    disk::write_atomic(&path, merged.preferring_higher().text().as_bytes())?;
    context.ui.done("merged", format!("both sides of `{}`", relative.display()));
    Ok(())
}
