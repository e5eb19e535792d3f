//! What a lockfile that was made anew says other than the old one, in lines.

use std::collections::BTreeSet;

use super::super::context::Context;
use super::super::sharing;
use super::Proposal;
use crate::lock::{self, Lockfile, Package, Pin};
use crate::manifest::Site;
use crate::package::PackageName;

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
    for line in sharing::differences(proposal.old.as_ref(), &proposal.lockfile) {
        context.ui.detail(line);
    }
    for line in differences(proposal.old.as_ref(), &proposal.lockfile) {
        context.ui.detail(line);
    }
}

fn differences(old: Option<&Lockfile>, new: &Lockfile) -> Vec<String> {
    let before = |name: &PackageName| old.and_then(|old| old.packages.get(name));
    let names: BTreeSet<_> = old.into_iter().chain([new]).flat_map(|lockfile| lockfile.packages.keys()).collect();
    let line = |name: &PackageName| match (before(name), new.packages.get(name)) {
        (None, Some(now)) => Some(format!("+ {}", now.id)),
        (Some(before), None) => Some(format!("- {}", before.id)),
        (Some(before), Some(now)) => difference(before, now),
        (None, None) => None,
    };
    names.into_iter().filter_map(line).collect()
}

/// How a package that stays differs from what it was.
fn difference(before: &Package, now: &Package) -> Option<String> {
    let moved = format!("~ {} -> {}", before.id, now.id.version);
    if !lock::same_origin(&before.source, &now.source) {
        let what = if before.id == now.id { format!("~ {}", now.id) } else { moved };
        return Some(format!("{what}, from {} instead of {}", now.source, before.source));
    }
    match (&before.pin, &now.pin) {
        _ if before.id != now.id => Some(moved),
        (Pin::Git { commit: old, .. }, Pin::Git { commit: new, .. }) if old != new => {
            Some(format!("~ {}, commit {} -> {}", now.id, old.short(), new.short()))
        }
        (Pin::Archive(old), Pin::Archive(new)) if old.archive != new.archive => {
            Some(format!("~ {}, another archive", now.id))
        }
        (Pin::Archives(old), Pin::Archives(new)) if old != new => Some(format!("~ {}, other archives", now.id)),
        _ if before.patches != now.patches => Some(format!("~ {}, other patches", now.id)),
        _ if before.pin != now.pin => Some(format!("~ {}, other content", now.id)),
        _ if before.recipe != now.recipe => Some(format!("~ {}, other params or another recipe", now.id)),
        _ if before.crates != now.crates => Some(format!("~ {}, another Cargo.lock", now.id)),
        _ => None,
    }
}
