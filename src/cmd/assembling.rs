//! From a lockfile to a finished prefix.

use std::collections::BTreeMap;

use super::Jobs;
use super::caching::Caching;
use super::context::Context;
use super::project::Project;
use super::site_files::refuse_what_is_in_the_way;
use super::vouching::Vouching;
use crate::build::{Builder, Built, Host, Lack, Memo, Origin, Proof, Supplies, unfit};
use crate::digest::TreeDigest;
use crate::failure::{Exit, Failure};
use crate::lock::{Lockfile, Prefix, Wishes, outputs_digest};
use crate::manifest::Site;
use crate::package::PackageName;
use crate::platform::Platform;
use crate::site::{Config, Member};
use crate::source::Sources;
use crate::tree::Tree;

/// Whether what comes out of a build is written into its lockfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// It is.
    On,
    /// The lockfile stays as it is.
    Off,
}

/// A built prefix, not shown by its site yet.
pub struct Assembled {
    pub tree: Tree,
    pub members: Vec<Member>,
    /// What the site shows beside it.
    pub config: Config,
    /// The lockfile with what came out.
    pub lockfile: Lockfile,
}

/// What is to be built, and how.
pub struct Order<'a> {
    /// The pins.
    pub lockfile: &'a Lockfile,
    /// Cargo.locks that go with them and are not written yet.
    pub generated: &'a BTreeMap<PackageName, String>,
    /// Whether what comes out is recorded.
    pub recording: Recording,
    /// What may come out.
    pub vouching: Vouching,
    /// How much at a time.
    pub jobs: Jobs,
}

/// Build what a lockfile pins and merge it into a prefix.
pub fn assemble(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    order: &Order<'_>,
    sources: &Sources<'_>,
) -> Result<Assembled, Failure> {
    let &Order { lockfile, generated, recording, vouching, jobs } = order;
    let (store, platform) = (context.store()?, Platform::host());
    require_platform(project, platform)?;
    project.place(&site.name).claim()?;
    // What is wrong with a template is told before anything is built.
    let config = project.config(site, lockfile)?;
    let wishes = project.wishes(context, site, Some(lockfile))?;
    if recording == Recording::Off {
        require_consistent(site, &wishes, lockfile)?;
    }
    let remote = Caching::open(context, project)?;
    let plan = remote.plan_to_build(context, lockfile, &wishes)?;
    if recording == Recording::Off {
        vouching.require_recorded(site, lockfile, &plan)?;
    }
    let elsewhere = |action| remote.ask(context, action);
    let (wishes, project_root, progress) = (&wishes, &project.root, context.ui);
    let supplies = Supplies { sources, wishes, lockfile, site: &site.name, project: project_root, generated, progress };
    let builder = Builder {
        store,
        supplies: &supplies,
        logs: &project.place(&site.name).logs(),
        setting: project.sandbox(),
        timeout: project.manifest.build_timeout(),
        jobs: jobs.number(),
        memo: &Memo::open(&context.cache()?),
        platform,
        patience: context.globals.patience(),
        proof: jobs.proof,
        progress,
        elsewhere: &elsewhere,
    };
    let all = builder.outputs(&plan).map_err(Failure::from);
    let all = match recording {
        Recording::Off => all.map_err(|failure| vouching.or_bring(site, &plan, failure))?,
        Recording::On => all?,
    };
    remote.push_new(context, all.values());
    let (outputs, to_build_with) = all.into_iter().partition(|(name, _)| wishes.is_installed(name, platform));
    let tree = merge(site, wishes, &outputs)?;
    require_fit(context, &outputs, &tree)?;
    let mut lockfile = proven(site, wishes, lockfile, &outputs, &tree, recording)?;
    vouching.require_vouched(context, site, &lockfile, &outputs)?;
    warn_unproven(context, &outputs);
    if jobs.proof == Proof::Twice {
        note_found(context, site, &outputs);
    }
    if recording == Recording::On {
        record(&mut lockfile, &to_build_with);
    }
    let members: Vec<_> = outputs.values().map(member).collect();
    refuse_what_is_in_the_way(store, site, &config.files, &tree, &members)?;
    Ok(Assembled { tree, members, config, lockfile })
}

/// Refuse a host that the project is not for.
fn require_platform(project: &Project, host: Platform) -> Result<(), Failure> {
    if project.manifest.platforms().contains(&host) {
        return Ok(());
    }
    let named: Vec<_> = project.manifest.platforms().iter().map(ToString::to_string).collect();
    Err(Failure::new(Exit::Host, format!("this host is {host}, which the project is not for"))
        .fact(format!("`platforms` in `envy.toml` names {}", named.join(", ")))
        .hint(format!("add \"{host}\" to `platforms` and run `envy lock`")))
}

fn warn_unproven(context: &Context<'_>, outputs: &BTreeMap<PackageName, Built>) {
    for built in outputs.values().filter(|built| built.origin == Origin::Unproven) {
        context.ui.note(format!(
            "{} was built here by another builder than the lockfile records, and came out otherwise: it is used, unproven",
            built.id
        ));
    }
}

/// Say that nothing was built, where whatever is built is checked.
pub fn note_nothing_checked(context: &Context<'_>, site: &Site, jobs: Jobs) {
    if jobs.proof == Proof::Twice {
        note_unchecked(context, site, NOTHING_CHECKED);
    }
}

const NOTHING_CHECKED: &str = "nothing was built, so nothing was checked";

/// The same of what was found, and not built.
fn note_found(context: &Context<'_>, site: &Site, outputs: &BTreeMap<PackageName, Built>) {
    let found: Vec<_> = outputs.values().filter(|built| !built.is_fresh).map(|built| built.id.to_string()).collect();
    match found.as_slice() {
        [] => {}
        all if all.len() == outputs.len() => note_unchecked(context, site, NOTHING_CHECKED),
        [one] => note_unchecked(context, site, &format!("{one} was not built, so it was not checked")),
        some => note_unchecked(context, site, &format!("{} were not built, so not checked", some.join(", "))),
    }
}

fn note_unchecked(context: &Context<'_>, site: &Site, what: &str) {
    context.ui.note(format!("{what}: `envy verify {} --rebuild` does", site.name));
}

/// Refuse to show programs that this host cannot run.
fn require_fit(context: &Context<'_>, outputs: &BTreeMap<PackageName, Built>, prefix: &Tree) -> Result<(), Failure> {
    let (store, host) = (context.store()?, Host::look());
    let mut failure = Failure::new(Exit::Host, "this host cannot run what the lockfile pins");
    let mut too_old = false;
    for built in outputs.values() {
        let unfit = unfit(&built.tree, &built.needs, prefix, store, &host)?;
        too_old |= unfit.iter().any(|one| matches!(one.lack, Lack::Glibc { .. }));
        failure.facts.extend(unfit.iter().map(|one| format!("{}: {one}", built.id)));
    }
    if failure.facts.is_empty() {
        return Ok(());
    }
    let host = if too_old { "use a host with a newer C library" } else { "install what this host lacks" };
    Err(failure.hint(format!("{host}, or use a source that builds the package here")))
}

fn merge(site: &Site, wishes: &Wishes, outputs: &BTreeMap<PackageName, Built>) -> Result<Tree, Failure> {
    let mut trees = Vec::new();
    for (name, built) in outputs {
        let mut tree = built.tree.clone();
        for path in wishes.packages().get(name).map(|wish| wish.without.as_slice()).unwrap_or_default() {
            if !tree.remove(path) {
                let outcome = format!("`{path}` is to be left out of `{}`, which does not have it", built.id);
                let has = tree.leaves().into_iter().take(12).map(|(path, _)| format!("it has `{path}`"));
                return Err(Failure::new(Exit::Failed, outcome).facts(has).hint("correct `without` in `envy.toml`"));
            }
        }
        trees.push((built.id.to_string(), tree));
    }
    let parts = trees.iter().map(|(owner, tree)| (owner.as_str(), tree));
    Tree::merge(parts).map_err(|collisions| Failure::collisions(&site.name, &collisions))
}

/// Compare the prefix with what the lockfile says of these very outputs, and write down what is new.
fn proven(
    site: &Site,
    wishes: &Wishes,
    lockfile: &Lockfile,
    outputs: &BTreeMap<PackageName, Built>,
    tree: &Tree,
    recording: Recording,
) -> Result<Lockfile, Failure> {
    let platform = Platform::host();
    let merged = outputs.iter().map(|(name, built)| {
        let without = wishes.packages().get(name).map(|wish| wish.without.as_slice()).unwrap_or_default();
        (name, built.tree.digest(), without)
    });
    let prefix = Prefix { outputs: outputs_digest(merged), tree: tree.digest() };
    if let Some(recorded) = lockfile.prefixes.get(&platform).filter(|recorded| recorded.outputs == prefix.outputs)
        && recorded.tree != prefix.tree
    {
        return Err(not_the_prefix(site, recorded.tree, prefix.tree));
    }
    let mut lockfile = lockfile.clone();
    if recording == Recording::On {
        let all_recorded = record(&mut lockfile, outputs);
        if all_recorded && !outputs.is_empty() {
            lockfile.prefixes.insert(platform, prefix);
        }
    }
    Ok(lockfile)
}

/// Append the outputs that the lockfile does not have; says whether it has them all now.
fn record(lockfile: &mut Lockfile, outputs: &BTreeMap<PackageName, Built>) -> bool {
    let mut all = true;
    for (name, built) in outputs {
        let Some(package) = lockfile.packages.get_mut(name) else { continue };
        match &built.output {
            Some(output) if package.outputs.iter().all(|known| known.action != output.action) => {
                package.outputs.push(output.clone());
                package.outputs.sort();
            }
            Some(_) => {}
            None => all &= package.outputs.iter().any(|known| known.tree == built.tree.digest()),
        }
    }
    all
}

/// Refuse a lockfile whose prefix is of none of the outputs that it lists: one of both is not as it was written.
fn require_consistent(site: &Site, wishes: &Wishes, lockfile: &Lockfile) -> Result<(), Failure> {
    let host = Platform::host();
    let installed = wishes.installed(host).map(|name| (name, wishes.packages()[name].without.as_slice()));
    if lockfile.lists_what_its_prefix_is_made_of(host, installed) != Some(false) {
        return Ok(());
    }
    let (name, path) = (&site.name, Lockfile::relative_path(&site.name));
    Err(Failure::new(Exit::Verification, format!("lockfile `{}` is not consistent", path.display()))
        .fact(format!("the prefix that it records for {host} is made of other outputs than those that it lists"))
        .hint(format!("restore it, or run `envy build {name}` without `--locked`, which records what comes out, and review the difference")))
}

fn not_the_prefix(site: &Site, recorded: TreeDigest, made: TreeDigest) -> Failure {
    Failure::new(
        Exit::Verification,
        format!("the prefix of site `{}` is not the one that the lockfile records", site.name),
    )
    .fact(format!("recorded {recorded}"))
    .fact(format!("made     {made}"))
    .hint(format!("restore `lockfiles/{}.lock`; the outputs it lists do not make the prefix it names", site.name))
}

fn member(built: &Built) -> Member {
    Member {
        name: built.id.name.to_string(),
        version: built.id.version.to_string(),
        tree: built.tree.digest(),
        origin: built.origin.word().to_owned(),
        source: built.source,
    }
}
