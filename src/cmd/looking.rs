//! Ready prefixes, looked over before a site begins to show them.

use super::context::Context;
use super::passing::warn;
use super::project::Project;
use crate::digest::TreeDigest;
use crate::failure::{Exit, Failure};
use crate::package::SiteName;
use crate::store::{Flaw, LookedOver};
use crate::tree::Tree;

/// Look over the ready prefix that a site is about to show, and that others may show. One that is not right is made anew of
/// what the store has whole; where it has not, nothing is shown, and `repair` heals it, or what heals the site that shows it.
pub fn look_over(
    context: &Context<'_>,
    project: &Project,
    prefix: TreeDigest,
    tree: Option<&Tree>,
    repair: Option<String>,
) -> Result<(), Failure> {
    let store = context.store()?;
    let LookedOver { flaws, is_healed } = store.look_over(prefix, tree, &context.cache()?)?;
    let Some(first) = flaws.first() else { return Ok(()) };
    let (count, shown) = (flaws.len(), store.prefix_path(prefix).join(&first.path));
    let more = if count == 1 { String::new() } else { format!(", and {} more", count - 1) };
    let outcome = format!("`{}` is not what was built{more}", shown.display());
    if is_healed {
        warn(context, format!("{outcome}; the prefix was made anew from the store"));
        return Ok(());
    }
    let repair = repair.or_else(|| Some(format!("run `envy verify {} --repair`", shown_by(project, prefix)?)));
    Err(Failure::new(Exit::Verification, format!("{outcome}, and the store does not have it whole either"))
        .facts(flaws.iter().take(MOST).flat_map(told))
        .hint(repair.unwrap_or_else(|| "run `envy store verify --repair`, and then this command again".to_owned())))
}

/// How many flaws are told.
const MOST: usize = 10;

fn told(flaw: &Flaw) -> [String; 3] {
    let Flaw { path, kind, expected, found } = flaw;
    [format!("{kind} `{path}`"), format!("  expected {expected}"), format!("  found    {found}")]
}

/// A site of the project that shows a prefix.
fn shown_by(project: &Project, prefix: TreeDigest) -> Option<&SiteName> {
    let shows = |name: &&SiteName| project.place(name).current().ok().flatten().is_some_and(|one| one.prefix == prefix);
    project.manifest.sites().map(|site| &site.name).find(shows)
}
