//! What a lockfile that was made anew says other than the old one, in lines.

use super::super::context::Context;
use super::super::project::Project;
use super::Proposal;
use crate::lock::{Difference, Lockfile};
use crate::manifest::{Dependency, Site};
use crate::package::PackageName;
use crate::platform::listed;

/// Say what moved.
pub fn tell(context: &Context<'_>, site: &Site, proposal: &Proposal) {
    tell_as("locked", context, site, proposal);
}

/// Say what would move.
pub fn foretell(context: &Context<'_>, site: &Site, proposal: &Proposal) {
    tell_as("would lock", context, site, proposal);
}

/// Name what is asked for on no platform of the project, so that nothing of it is locked.
pub(super) fn nowhere(context: &Context<'_>, project: &Project, site: &Site) {
    let platforms = project.manifest.platforms();
    let is_asked =
        |name: &PackageName| site.dependencies.iter().any(|one| one.name == *name && one.is_for_any(platforms));
    let is_nowhere = |one: &&Dependency| !is_asked(&one.name);
    for Dependency { name, when, .. } in site.dependencies.iter().filter(is_nowhere) {
        let when = when.as_ref().map(ToString::to_string).unwrap_or_default();
        context.ui.note(format!(
            "`{name}` is left out: `{when}` is true of none of the project's platforms ({})",
            listed(platforms)
        ));
    }
}

fn tell_as(verb: &str, context: &Context<'_>, site: &Site, proposal: &Proposal) {
    if !proposal.is_new() {
        return;
    }
    let count = crate::ui::count(proposal.lockfile.packages.len(), "package");
    context.ui.done(verb, format!("{count} for site `{}`", site.name));
    let none = Lockfile::empty(proposal.lockfile.requirements);
    let old = proposal.old.as_ref().unwrap_or(&none);
    for line in Difference::between(old, &proposal.lockfile).lines() {
        context.ui.detail(line);
    }
}
