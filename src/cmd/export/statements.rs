//! Statements of how the packages of a site were built, from the results that the store keeps.

use super::super::caching::Caching;
use super::super::context::Context;
use super::super::project::Project;
use crate::build::Step;
use crate::digest::{ActionDigest, TreeDigest};
use crate::export::provenance::{Made, statement};
use crate::failure::{Exit, Failure};
use crate::lock::{Lockfile, Package, Pin, Wishes};
use crate::manifest::Site;
use crate::package::PackageId;
use crate::platform::Platform;
use crate::site::Generation;
use crate::store::{Outcome, Store};

/// One line for each package whose result is here.
pub fn statements(context: &Context<'_>, project: &Project, site: &Site) -> Result<String, Failure> {
    let (wishes, locked) = project.current_lock(context, site)?;
    let plan = Caching::open(context, project)?.plan(context, &locked.lockfile, &wishes)?;
    let shown = project.place(&site.name).current()?.filter(|shown| shown.lockfile == locked.digest());
    let (store, mut lines, mut unknown) = (context.store()?, Vec::new(), Vec::new());
    for planned in plan.packages.iter().filter(|planned| planned.installed) {
        let found = match &planned.step {
            Step::Use(output, _) => {
                let outcome = store.outcome(output.action)?.filter(|outcome| outcome.tree == output.tree);
                outcome.map(|outcome| Found { action: output.action, outcome, source: None })
            }
            Step::Make => found(store, shown.as_ref(), &planned.id)?,
        };
        match found {
            Some(found) => lines.push(line(&planned.id, &locked.lockfile, &wishes, &found)),
            None if shown.is_none() && matches!(planned.step, Step::Make) => {
                unknown.push(format!("`{}` is not built as the lockfile says", planned.id));
            }
            None => unknown.push(format!("`{}` was not built here", planned.id)),
        }
    }
    if lines.is_empty() && !unknown.is_empty() {
        let outcome = format!("nobody here knows how the packages of site `{}` were built", site.name);
        return Err(Failure::new(Exit::Failed, outcome)
            .fact("they came from a bundle or a cache, or are not built")
            .hint(format!("run the same command where `envy build {}` built them", site.name)));
    }
    for why in unknown {
        context.ui.note(format!("{why}, so nothing is stated of it"));
    }
    Ok(lines.concat())
}

/// What a build gave.
struct Found {
    action: ActionDigest,
    outcome: Outcome,
    /// The tree that it was made from, where the lockfile pins none.
    source: Option<TreeDigest>,
}

/// What the site shows of a package that the lockfile records nothing of: a directory, or what was built without a sandbox.
/// Of several builds that gave the same, the last.
fn found(store: &Store, shown: Option<&Generation>, id: &PackageId) -> Result<Option<Found>, Failure> {
    let Some(member) = shown.and_then(|shown| shown.member(id)) else { return Ok(None) };
    let name = id.to_string();
    let built = store.outcomes(|one| one.tree == member.tree && one.provenance.package == name)?;
    let time = |outcome: &Outcome| outcome.provenance.made.as_ref().map(|made| made.time.clone());
    let last = built.into_iter().max_by_key(|(action, outcome)| (time(outcome), *action));
    Ok(last.map(|(action, outcome)| Found { action, outcome, source: member.source }))
}

fn line(id: &PackageId, lockfile: &Lockfile, wishes: &Wishes, found: &Found) -> String {
    let Found { action, outcome, source } = found;
    let package: &Package = &lockfile.packages[&id.name];
    let wish = &wishes.packages()[&id.name];
    let platform = Platform::host();
    let beside = lockfile.inputs(&id.name, platform).into_iter().filter_map(|name| {
        let mut outputs = lockfile.outputs(name, platform).map(|output| output.tree);
        let only = outputs.next().filter(|first| outputs.all(|other| other == *first));
        Some((lockfile.packages.get(name)?.id.to_string(), only))
    });
    let crates = package.crates.as_ref();
    let sources = crates.into_iter().flat_map(|crates| &crates.sources);
    let by_cargo = wish.is_by_cargo();
    let toolchain =
        lockfile.toolchain.as_ref().filter(|toolchain| by_cargo && toolchain.rust == outcome.provenance.toolchain);
    let made = Made {
        name: id.name.as_str(),
        version: &id.version.to_string(),
        source: &package.source,
        platform,
        action: *action,
        tree: outcome.tree,
        log: outcome.log,
        provenance: &outcome.provenance,
        recipe: package.recipe,
        recipe_name: wish.recipe.name(),
        archive: package.pin.archive(platform).map(|unpacked| unpacked.archive),
        commit: match &package.pin {
            Pin::Git { commit, .. } => Some(*commit),
            _ => None,
        },
        source_tree: package.pin.tree(platform).or(*source),
        patches: &package.patches,
        cargo_lock: crates.map(|crates| crates.digest),
        crate_sources: sources.map(|one| (one.url.clone(), one.commit, one.tree)).collect(),
        toolchain: toolchain.and_then(|toolchain| toolchain.content.get(&platform).copied()),
        beside: beside.collect(),
    };
    format!("{}\n", statement(&made))
}
