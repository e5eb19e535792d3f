//! `envy verify --rebuild`: what is recorded, made once more in a fresh place, and compared bit by bit.

use std::collections::{BTreeMap, BTreeSet};

use super::super::context::Context;
use super::super::project::Project;
use super::super::{Jobs, LockMode};
use crate::build::differing::{self, Cause, Circumstances, Differing};
use crate::build::{Builder, Built, Memo, Origin, Proof, Remade, other_jobs, plan, told};
use crate::digest::{ActionDigest, TreeDigest};
use crate::failure::{Exit, Failure};
use crate::lock::{Lockfile, Wishes};
use crate::manifest::Site;
use crate::package::{PackageId, PackageName};
use crate::platform::Platform;
use crate::store::Store;
use crate::tree::Tree;

/// A package that was built again, beside what is recorded of it.
pub struct Rebuilt {
    pub id: PackageId,
    action: ActionDigest,
    /// Whether what is recorded came of the same action.
    same_action: bool,
    recorded: TreeDigest,
    made: TreeDigest,
    /// What the site shows, where that is another output than what is recorded.
    shown: Option<TreeDigest>,
    files: Vec<Differing>,
}

impl Rebuilt {
    /// Whether it came out the same as what is recorded, and as what the site shows.
    pub fn is_same(&self) -> bool {
        self.is_reproduced() && self.shown.is_none_or(|shown| shown == self.made)
    }

    /// Whether it came out as it is recorded.
    pub fn is_reproduced(&self) -> bool {
        self.recorded == self.made
    }

    /// How it did not, in lines.
    pub fn facts(&self) -> Vec<String> {
        let mut lines = vec![match self.is_reproduced() {
            true => format!("`{}` came out as the lockfile records it, and not as the site shows it", self.id),
            false => format!("`{}` came out otherwise when it was built again", self.id),
        }];
        if !self.same_action {
            lines.push(
                "  what is recorded was made by another builder, so that the compiler may be to blame".to_owned(),
            );
        }
        lines.push(format!("  recorded {}", self.recorded));
        lines.push(format!("  made     {}", self.made));
        lines.extend(self.shown.map(|shown| format!("  shown    {shown}")));
        lines.extend(told(&self.files).into_iter().map(|line| format!("  {line}")));
        lines
    }

    /// What is likely to blame.
    pub fn causes(&self) -> impl Iterator<Item = Cause> {
        self.files.iter().flat_map(|file| file.causes.iter().copied())
    }

    /// The same for machines.
    pub fn to_json(&self) -> serde_json::Value {
        let place = |place: &differing::Place| serde_json::json!({ "at": place.at, "first": place.first, "second": place.second });
        let file = |file: &Differing| {
            serde_json::json!({
                "path": file.path,
                "places": file.places.iter().map(place).collect::<Vec<_>>(),
                "causes": file.causes.iter().map(|cause| cause.word()).collect::<Vec<_>>(),
            })
        };
        serde_json::json!({
            "package": self.id.name.as_str(),
            "version": self.id.version.to_string(),
            "action": self.action.to_string(),
            "recorded": self.recorded.to_string(),
            "made": self.made.to_string(),
            "same": self.is_same(),
            "shown": self.shown.unwrap_or(self.recorded).to_string(),
            "same-action": self.same_action,
            "differing": self.files.iter().map(file).collect::<Vec<_>>(),
        })
    }
}

/// Build packages of a site again: those of these names, or all that are installed. What was built again already, of other
/// sites, is in `done`.
pub fn rebuild(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    names: &[PackageName],
    jobs: Jobs,
    done: &mut BTreeMap<ActionDigest, Remade>,
) -> Result<Vec<Rebuilt>, Failure> {
    let (wishes, locked) = project.current_lock(context, site)?;
    let lockfile = &locked.lockfile;
    let chosen = chosen(site, lockfile, &wishes, names)?;
    let (store, platform, place) = (context.store()?, Platform::host(), project.place(&site.name));
    let needed =
        chosen.iter().flat_map(|id| lockfile.inputs(&id.name, platform)).chain(chosen.iter().map(|id| &id.name));
    let current = place.current().ok().flatten();
    let shown = |id: &PackageId| {
        let current = current.as_ref()?;
        let member = current.member(id)?;
        // One that was made of another lockfile may show something else, and for a reason.
        let is_of_it = current.lockfile == locked.digest() || member.origin == Origin::Unproven.word();
        (is_of_it && member.source.is_none()).then_some(member.tree)
    };
    let plan = plan(lockfile, needed, platform, |tree| store.whole_tree(tree).ok().flatten());
    let (memo, logs) = (Memo::open(&context.cache()?), place.logs());
    context.with_sources(project, LockMode::default(), |sources| {
        let supplies = project.supplies(context, site, &wishes, lockfile, sources);
        let builder = |jobs| Builder {
            store,
            supplies: &supplies,
            logs: &logs,
            setting: project.sandbox(),
            timeout: project.manifest.build_timeout(),
            jobs,
            memo: &memo,
            platform,
            patience: context.globals.patience(),
            proof: Proof::Once,
            elsewhere: &|_| {},
            progress: context.ui,
        };
        let usual = crate::build::default_jobs();
        let outputs = builder(usual).outputs(&plan)?;
        let mut rebuilt = Vec::new();
        let jobs = jobs.asked().unwrap_or_else(|| other_jobs(usual));
        builder(jobs).again(&chosen, &outputs, done, |remade| {
            rebuilt.push(compared(store, lockfile, platform, &outputs, &remade, shown(&remade.id))?);
            Ok(())
        })?;
        Ok(rebuilt)
    })
}

fn chosen<'l>(
    site: &Site,
    lockfile: &'l Lockfile,
    wishes: &Wishes,
    names: &[PackageName],
) -> Result<Vec<&'l PackageId>, Failure> {
    let host = Platform::host();
    let is_there = |name: &PackageName| lockfile.packages.get(name).is_some_and(|package| package.is_for(host));
    if let Some(name) = names.iter().find(|name| !is_there(name)) {
        let has: Vec<_> = lockfile.packages_for(host).map(|(name, _)| format!("`{name}`")).collect();
        return Err(Failure::new(Exit::Failed, format!("site `{}` has no package `{name}`", site.name))
            .fact(format!("it has {}", has.join(", ")))
            .hint("name one of these, or none for all that are installed"));
    }
    let wanted: BTreeSet<_> =
        if names.is_empty() { wishes.installed(host).cloned().collect() } else { names.iter().cloned().collect() };
    Ok(lockfile.packages.values().map(|package| &package.id).filter(|id| wanted.contains(&id.name)).collect())
}

/// What was made, beside what is recorded of the same action, or else beside what was there; and beside what the site shows,
/// where that is another one.
fn compared(
    store: &Store,
    lockfile: &Lockfile,
    platform: Platform,
    outputs: &BTreeMap<PackageName, Built>,
    remade: &Remade,
    shown: Option<TreeDigest>,
) -> Result<Rebuilt, crate::build::Error> {
    let built = &outputs[&remade.id.name];
    let of_action = lockfile.outputs(&remade.id.name, platform).find(|output| output.action == remade.action);
    let recorded = of_action.map_or(built.tree.digest(), |output| output.tree);
    // What has no recorded output was looked up by its action a moment ago.
    let same_action = of_action.is_some() || built.output.as_ref().is_none_or(|output| output.action == remade.action);
    let made = remade.tree.digest();
    let shown = shown.filter(|shown| *shown != recorded);
    // Of two that it is not, the one that is recorded is of more interest.
    let other = if recorded == made { shown.unwrap_or(recorded) } else { recorded };
    let known: Option<Tree> = store.tree(other)?.filter(|_| other != made);
    let circumstances = Circumstances { first_jobs: None, second_jobs: remade.jobs };
    let files = match known {
        Some(known) if store.whole_tree(other)?.is_some() => {
            differing::differing(&known, &remade.tree, store, circumstances)?
        }
        _ => Vec::new(),
    };
    Ok(Rebuilt { id: remade.id.clone(), action: remade.action, same_action, recorded, made, shown, files })
}
