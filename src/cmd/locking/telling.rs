//! What a lockfile that was made anew says other than the old one, in lines.

use super::super::context::Context;
use super::Proposal;
use crate::lock::{Difference, Lockfile};
use crate::manifest::Site;

/// Say what moved.
pub fn tell(context: &Context<'_>, site: &Site, proposal: &Proposal) {
    tell_as("locked", context, site, proposal);
}

/// Say what would move.
pub fn foretell(context: &Context<'_>, site: &Site, proposal: &Proposal) {
    tell_as("would lock", context, site, proposal);
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
