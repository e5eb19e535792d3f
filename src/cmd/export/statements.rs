//! Statements of how the packages of a site were built, from the results that the store keeps.

use super::super::caching::Caching;
use super::super::context::Context;
use super::super::project::Project;
use crate::build::Step;
use crate::export::provenance::{Made, statement};
use crate::failure::{Exit, Failure};
use crate::lock::{Lockfile, Output, Package, Pin, Wishes};
use crate::manifest::Site;
use crate::package::PackageId;
use crate::platform::Platform;
use crate::store::Outcome;

/// One line for each package whose result is here.
pub fn statements(context: &Context<'_>, project: &Project, site: &Site) -> Result<String, Failure> {
    let (wishes, locked) = project.current_lock(context, site)?;
    let plan = Caching::open(context, project)?.plan(context, &locked.lockfile, &wishes)?;
    let (store, mut lines, mut unknown) = (context.store()?, Vec::new(), Vec::new());
    for planned in plan.packages.iter().filter(|planned| planned.installed) {
        let outcome = match &planned.step {
            Step::Use(output, _) => store.outcome(output.action)?.filter(|outcome| outcome.tree == output.tree),
            Step::Make => None,
        };
        match (&planned.step, outcome) {
            (Step::Use(output, _), Some(outcome)) => {
                lines.push(line(&planned.id, &locked.lockfile, &wishes, output, &outcome));
            }
            _ => unknown.push(&planned.id),
        }
    }
    if lines.is_empty() && !unknown.is_empty() {
        let outcome = format!("nobody here knows how the packages of site `{}` were built", site.name);
        return Err(Failure::new(Exit::Failed, outcome)
            .fact("they came from a bundle or a cache, or are not built")
            .hint(format!("run the same command where `envy build {}` built them", site.name)));
    }
    for id in unknown {
        context.ui.note(format!("`{id}` was not built here, so nothing is stated of it"));
    }
    Ok(lines.concat())
}

fn line(id: &PackageId, lockfile: &Lockfile, wishes: &Wishes, output: &Output, outcome: &Outcome) -> String {
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
        action: output.action,
        tree: output.tree,
        log: outcome.log,
        provenance: &outcome.provenance,
        recipe: package.recipe,
        recipe_name: wish.recipe.name(),
        archive: package.pin.archive(platform).map(|unpacked| unpacked.archive),
        commit: match &package.pin {
            Pin::Git { commit, .. } => Some(*commit),
            _ => None,
        },
        source_tree: package.pin.tree(platform),
        patches: &package.patches,
        cargo_lock: crates.map(|crates| crates.digest),
        crate_sources: sources.map(|one| (one.url.clone(), one.commit, one.tree)).collect(),
        toolchain: toolchain.and_then(|toolchain| toolchain.content.get(&platform).copied()),
        beside: beside.collect(),
    };
    format!("{}\n", statement(&made))
}
