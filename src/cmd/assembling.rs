//! From a lockfile to a generation that a site shows.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Jobs;
use super::caching::Caching;
use super::context::Context;
use super::project::{Project, config};
use super::site_files::refuse_what_is_in_the_way;
use crate::build::{Builder, Built, Host, Lack, Memo, Origin, Supplies, unfit};
use crate::digest::{TextDigest, TreeDigest};
use crate::failure::{Exit, Failure};
use crate::lock::{Lockfile, Prefix, Wishes, outputs_digest};
use crate::manifest::Site;
use crate::package::PackageName;
use crate::platform::Platform;
use crate::site::{Config, Files, Generation, Member, Move, Note, Place, scripts};
use crate::source::Sources;
use crate::store::Held;
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
    let &Order { lockfile, generated, recording, jobs } = order;
    let (store, platform) = (context.store()?, Platform::host());
    require_platform(project, platform)?;
    project.place(&site.name).claim()?;
    // What is wrong with a template is told before anything is built.
    let config = project.config(site, lockfile)?;
    let wishes = project.wishes(context, site, Some(lockfile))?;
    let remote = Caching::open(context, project)?;
    let plan = remote.plan(context, lockfile, &wishes)?;
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
        progress,
        elsewhere: &elsewhere,
    };
    let all = builder.outputs(&plan)?;
    remote.push_new(context, all.values());
    let (outputs, to_build_with) = all.into_iter().partition(|(name, _)| wishes.is_installed(name));
    warn_unproven(context, &outputs);
    let tree = merge(site, wishes, &outputs)?;
    require_fit(context, &outputs, &tree)?;
    let mut lockfile = proven(site, wishes, lockfile, &outputs, &tree, recording)?;
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

/// What is done with a finished prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Showing {
    /// It becomes current, unless somebody went back from it.
    UnlessHeld,
    /// It becomes current.
    Always,
    /// It becomes a generation that is not current.
    Never,
}

/// A finished prefix, and its site, which nobody else changes meanwhile.
pub struct Ready<'a> {
    site: &'a Site,
    place: Place,
    prefix: PathBuf,
    generation: Generation,
    files: Files,
    /// The text that it was made from.
    lockfile: &'a str,
    _held: Held,
}

/// Make the prefix and take hold of the site: all that may fail or wait, before anything changes.
pub fn ready<'a>(
    context: &Context<'_>,
    project: &Project,
    site: &'a Site,
    assembled: &Assembled,
    lockfile: &'a str,
) -> Result<Ready<'a>, Failure> {
    let place = project.place(&site.name);
    let prefix = context.store()?.materialise(&assembled.tree)?;
    let held = place.hold(context.globals.patience(), context.ui)?;
    let digest = TextDigest::of(lockfile.as_bytes());
    let generation =
        Generation::new(site.name.as_str(), &Platform::host().to_string(), assembled.tree.digest(), digest)
            .with_config(&assembled.config)
            .with_packages(assembled.members.clone());
    Ok(Ready { site, place, prefix, generation, files: assembled.config.files.clone(), lockfile, _held: held })
}

impl Ready<'_> {
    /// Make a generation of it, and show that. Gives the number of the generation that was current before, if that changed.
    pub fn show(
        &self,
        context: &Context<'_>,
        project: &Project,
        showing: Showing,
        message: Option<String>,
    ) -> Result<Option<u64>, Failure> {
        let (site, place, digest) = (&self.site.name, &self.place, self.generation.lockfile);
        if place.numbers()?.is_empty() && !self.generation.packages.is_empty() {
            begin_empty(context, project, self.site, place, "")?;
        }
        context.store()?.add_root(place.path())?;
        if showing != Showing::Always && place.is_held(digest, Some(self.generation.config))? {
            tell_held(context, place);
            return Ok(None);
        }
        // A description that cannot be read is none: a new generation takes its place.
        let current = place.current().ok().flatten();
        if let Some(current) = current.filter(|current| self.is_shown_by(current)) {
            context.ui.done("unchanged", format!("site `{site}` stays at generation {}", current.number));
            return Ok(None);
        }
        let before = place.current_number();
        let generation = place.add_generation(self.generation.clone(), &self.prefix, self.lockfile, &self.files)?;
        if showing == Showing::Never {
            context.ui.done("built", format!("generation {} of site `{site}`, not current", generation.number));
            context.ui.detail(format!("run `envy switch {site} {}` to make it so", generation.number));
            return Ok(None);
        }
        switch(place, Move::Build, &generation, Some(digest), project.note(message))?;
        let count = crate::ui::count(generation.packages.len(), "package");
        context.ui.done("switched", format!("site `{site}` to generation {} ({count})", generation.number));
        context.ui.detail(format!("prefix {}", generation.prefix));
        Ok(before)
    }

    fn is_shown_by(&self, current: &Generation) -> bool {
        current.is_same_as(&self.generation)
            && current.lockfile == self.generation.lockfile
            && self.place.links_into(current, &self.prefix)
            && self.place.edited_files(current).is_empty()
    }

    /// Show again what was current before a command that failed.
    pub fn show_again(&self, project: &Project, before: u64) -> Result<(), Failure> {
        let note = project.note(Some("undone, since the command failed".to_owned()));
        switch(&self.place, Move::Rollback, &self.place.generation(before)?, None, note)
    }
}

/// Begin a site whose directory is new or was removed: its first generation is an empty prefix, so that there is
/// something to go back to from the first that is built. It has none of the site's files, which may speak of packages. `built_from` is the text of the lockfile that asks for no more.
pub fn begin_empty(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    place: &Place,
    built_from: &str,
) -> Result<(), Failure> {
    let (store, empty) = (context.store()?, Tree::default());
    store.put_tree(&empty)?;
    let prefix = store.materialise(&empty)?;
    store.add_root(place.path())?;
    let lockfile = TextDigest::of(built_from.as_bytes());
    let generation = Generation::new(site.name.as_str(), &Platform::host().to_string(), empty.digest(), lockfile)
        .with_config(&config(site));
    let generation = place.add_generation(generation, &prefix, built_from, &Files::default())?;
    switch(place, Move::Create, &generation, Some(lockfile), project.note(None))
}

/// Say that a site stays where somebody put it.
pub fn tell_held(context: &Context<'_>, place: &Place) {
    let (site, number) = (place.site(), place.current_number().unwrap_or(0));
    context.ui.note(format!(
        "site `{site}` is held at generation {number}, until its lockfile changes; `envy build {site} --switch` moves it"
    ));
}

/// Make a generation current, with the scripts that go with it.
pub fn switch(
    place: &Place,
    action: Move,
    to: &Generation,
    lockfile: Option<TextDigest>,
    note: Note,
) -> Result<(), Failure> {
    place.switch(action, to, lockfile, note)?;
    for (name, text) in scripts(place, to) {
        let path = place.path().join(name);
        if crate::disk::read_if_exists(&path)?.as_deref() != Some(text.as_bytes()) {
            // They can be made again from the generation, which is where a site's truth is.
            crate::disk::write_whole(&path, text.as_bytes())?;
        }
    }
    Ok(())
}
