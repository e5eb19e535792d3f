//! What a lockfile that was made anew says other than the old one, as data. Pure.

use super::Proposal;
use crate::lock::{Aspect, Change, Difference, Lockfile, Package, aspects};
use crate::manifest::Site;
use crate::package::PackageName;

/// What locking moved, or would move, of a site.
pub fn document(site: &Site, proposal: &Proposal) -> serde_json::Value {
    let none = Lockfile::empty(proposal.lockfile.requirements);
    let difference = Difference::between(proposal.old.as_ref().unwrap_or(&none), &proposal.lockfile);
    let packages: Vec<_> = difference.packages.iter().map(|(name, change)| package(name, change)).collect();
    serde_json::json!({ "site": site.name.as_str(), "changed": proposal.is_new(), "packages": packages })
}

/// That the lockfile of a site is what it would be.
pub fn unchanged(site: &Site) -> serde_json::Value {
    serde_json::json!({ "site": site.name.as_str(), "changed": false, "packages": [] })
}

/// One document of several sites.
pub fn of_sites(schema: &str, sites: Vec<serde_json::Value>) -> serde_json::Value {
    let changed = sites.iter().any(|site| site["changed"] == true);
    serde_json::json!({ "schema": schema, "changed": changed, "sites": sites })
}

fn package(name: &PackageName, change: &Change<'_, Package>) -> serde_json::Value {
    let (became, before, now) = change.sides();
    let differs = before.zip(now).map(|(before, now)| aspects(before, now)).unwrap_or_default();
    let state =
        |package: &Package| serde_json::json!({ "version": package.id.version.to_string(), "source": package.source });
    serde_json::json!({
        "name": name.as_str(),
        "change": became,
        "differs": differs.into_iter().map(Aspect::word).collect::<Vec<_>>(),
        "from": before.map(state),
        "to": now.map(state),
    })
}
