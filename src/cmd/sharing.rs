//! Recipes that the project shares with others: pinned by lockfiles, and as directories that a book is read from.
//!
//! The files of a repository are in the store; where they are not, they come like those of any commit. A directory is
//! read where it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::LockMode;
use super::context::Context;
use super::locking::Moves;
use super::project::Project;
use crate::digest::{Commit, TreeDigest};
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::index;
use crate::lock::{Lockfile, Output, Package, Pin, SharedDrift, SharedRecipes, shared_drift};
use crate::manifest::{Site, Source};
use crate::platform::Platform;
use crate::recipe::Layer;
use crate::source::{self, Item, Origin, Reference, Sources, WantedArchive, WantedCommit, is_local, one_of};
use crate::store::Store;

/// The layers of shared recipes, sorted by name, as a lockfile pins them. What is pinned and not here is brought.
pub fn layers(context: &Context<'_>, project: &Project, lockfile: Option<&Lockfile>) -> Result<Vec<Layer>, Failure> {
    let named = project.manifest.recipes();
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let (store, mut directories, mut missing) = (context.store()?, BTreeMap::new(), Vec::new());
    for (name, source) in named {
        let Some(repository) = Repository::of(name, source) else {
            directories.insert(name, directory_of(project, name, source)?);
            continue;
        };
        let pin = lockfile.and_then(|lockfile| SharedRecipes::of(&lockfile.recipes, name, source));
        let (tree, commit) = pin.and_then(|pin| Some((pin.tree, pin.commit?))).ok_or_else(|| not_locked(name))?;
        match checkout(store, tree)? {
            Some(checkout) => drop(directories.insert(name, repository.recipes_in(checkout)?)),
            None => missing.push(Wanted { repository, commit, tree: Some(tree) }),
        }
    }
    if !missing.is_empty() {
        let brought =
            context.with_sources(project, LockMode::default(), |sources| bring(context, &missing, sources))?;
        for (wanted, (_, checkout)) in missing.iter().zip(brought) {
            directories.insert(wanted.repository.name, wanted.repository.recipes_in(checkout)?);
        }
    }
    Ok(directories.into_iter().map(|(name, directory)| Layer::Directory(name.clone(), directory)).collect())
}

/// How `[recipes]` and a lockfile disagree. A site that asks for nothing pins none.
pub fn drift(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    lockfile: &Lockfile,
) -> Result<Vec<SharedDrift>, Failure> {
    let none = BTreeMap::new();
    let named = if site.dependencies.is_empty() { &none } else { project.manifest.recipes() };
    let mut now = BTreeMap::new();
    for (name, source) in named.iter().filter(|(_, source)| matches!(source, Source::Path { .. })) {
        now.insert(name.clone(), tree_now(context, project, name, source)?);
    }
    Ok(shared_drift(named, &lockfile.recipes, &now))
}

/// Pin the recipes that a site's packages may be made by. What is locked stays, unless everything moves.
pub fn pin(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    old: Option<&Lockfile>,
    moves: &Moves,
    sources: &Sources<'_>,
) -> Result<BTreeMap<String, SharedRecipes>, Failure> {
    if site.dependencies.is_empty() {
        return Ok(BTreeMap::new());
    }
    pin_all(context, project, old, moves, sources)
}

/// The same, whatever it is for.
pub fn pin_all(
    context: &Context<'_>,
    project: &Project,
    old: Option<&Lockfile>,
    moves: &Moves,
    sources: &Sources<'_>,
) -> Result<BTreeMap<String, SharedRecipes>, Failure> {
    let (mut pins, mut wanted, mut errors) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (name, source) in project.manifest.recipes() {
        let Some(repository) = Repository::of(name, source) else {
            let tree = tree_now(context, project, name, source)?;
            let source = SharedRecipes::source_text(source);
            pins.insert(name.clone(), SharedRecipes { source, commit: None, tree });
            continue;
        };
        let locked = old.and_then(|old| SharedRecipes::of(&old.recipes, name, source));
        match repository.commit(locked.and_then(|pin| pin.commit), moves, sources, context) {
            Ok(commit) => {
                let tree = locked.filter(|pin| pin.commit == Some(commit)).map(|pin| pin.tree);
                wanted.push(Wanted { repository, commit, tree });
            }
            Err(error) => errors.push(error),
        }
    }
    if let Some(error) = one_of(errors) {
        return Err(error.into());
    }
    for (Wanted { repository, commit, tree: locked }, (tree, checkout)) in
        wanted.iter().zip(bring(context, &wanted, sources)?)
    {
        let Repository { name, source, url, .. } = repository;
        if !has_recipes(&repository.recipes_in(checkout)?)? && locked.is_none() {
            context.ui.note(format!("recipes `{name}` are none: {url} has no `NAME.toml` there"));
        }
        let source = SharedRecipes::source_text(source);
        pins.insert((*name).clone(), SharedRecipes { source, commit: Some(*commit), tree });
    }
    Ok(pins)
}

/// A failure that may be for want of recipes, where the network may not be used: with the packages that are not here
/// either, as far as a lockfile alone tells.
pub fn with_packages(context: &Context<'_>, project: &Project, site: &Site, failure: Failure) -> Failure {
    if failure.exit != Exit::Offline {
        return failure;
    }
    let Ok(Some(locked)) = project.locked(&site.name) else { return failure };
    let missing = |sources: &Sources<'_>| {
        let packages = locked.lockfile.packages_for(Platform::host());
        let items = packages.filter_map(|(_, package)| to_build(package, sources));
        Ok(items.filter(|item| !sources.has(item)).map(|item| item.label()).collect::<Vec<_>>())
    };
    let missing = context.with_sources(project, LockMode::default(), missing).unwrap_or_default();
    Failure::offline([failure, Failure::new(Exit::Offline, "packages are missing too").facts(missing)])
}

/// What a package is built from, unless it is built already.
fn to_build(package: &Package, sources: &Sources<'_>) -> Option<Item> {
    let (host, store) = (Platform::host(), sources.store());
    let is_here = |output: &Output| output.platform == host && matches!(store.whole_tree(output.tree), Ok(Some(_)));
    if package.outputs.iter().any(is_here) {
        return None;
    }
    let (kind, address) = package.source.split_once('+')?;
    // What is on this machine needs no network.
    if is_local(address) || kind == "path" {
        return None;
    }
    let name = package.id.to_string();
    if let Pin::Git { commit, .. } = package.pin {
        let url = address.rsplit_once('?').map_or(address, |(url, _)| url);
        return Some(Item::commit(name, url, commit, None));
    }
    let sha256 = Some(package.pin.archive(host)?.archive);
    Some(Item::Archive(WantedArchive { name, url: package.source.clone(), sha256 }))
}

/// A repository of recipes.
struct Repository<'a> {
    /// Its name in `[recipes]`.
    name: &'a String,
    /// How it is named there.
    source: &'a Source,
    url: &'a str,
    reference: Reference,
    subdir: Option<&'a str>,
}

impl<'a> Repository<'a> {
    fn of(name: &'a String, source: &'a Source) -> Option<Self> {
        let Source::Git { url, reference, subdir } = source else { return None };
        // Versions are not chosen among the tags of recipes: nothing could ask for one.
        let reference = index::fixed(reference).unwrap_or(Reference::Default);
        Some(Self { name, source, url, reference, subdir: subdir.as_deref() })
    }

    /// The commit that counts now. A branch moves where everything does; that a tag was moved is said, and not
    /// followed.
    fn commit(
        &self,
        locked: Option<Commit>,
        moves: &Moves,
        sources: &Sources<'_>,
        context: &Context<'_>,
    ) -> Result<Commit, source::Error> {
        let resolve = || sources.git().resolve(self.url, &self.reference);
        match (locked, &self.reference, moves) {
            (Some(locked), Reference::Rev(_), _) | (Some(locked), _, Moves::Needed | Moves::These(_)) => Ok(locked),
            (Some(locked), Reference::Tag(tag), Moves::All(_)) => {
                index::tell_moved(self.url, tag, locked, resolve()?, context.ui);
                Ok(locked)
            }
            (None, ..) | (_, Reference::Default | Reference::Branch(_), Moves::All(_)) => Ok(resolve()?),
        }
    }

    /// The directory with the recipes, in that of all files of a commit.
    fn recipes_in(&self, checkout: PathBuf) -> Result<PathBuf, Failure> {
        let Some(subdir) = self.subdir else { return Ok(checkout) };
        let directory = checkout.join(subdir);
        if disk::is_directory(&directory) {
            return Ok(directory);
        }
        let outcome = format!("recipes `{}` have no directory `{subdir}`", self.name);
        Err(Failure::new(Exit::Failed, outcome).fact(format!("they come from {}", self.url)))
    }
}

/// A commit of a repository of recipes.
struct Wanted<'a> {
    repository: Repository<'a>,
    commit: Commit,
    /// What its tree has to be, where that is pinned.
    tree: Option<TreeDigest>,
}

impl Wanted<'_> {
    fn item(&self) -> WantedCommit {
        let Repository { name, url, reference, .. } = &self.repository;
        let (name, url) = (format!("recipes {name}"), (*url).to_owned());
        WantedCommit { name, url, commit: self.commit, reference: Some(reference.clone()) }
    }

    /// The digest of its files, which have come, proven where it is pinned.
    fn found(&self, context: &Context<'_>, sources: &Sources<'_>) -> Result<TreeDigest, Failure> {
        let Repository { name, url, .. } = self.repository;
        let found = sources.content(&Origin::Git { url, commit: self.commit }, context.ui)?.tree.digest();
        match self.tree.filter(|pinned| *pinned != found) {
            None => Ok(found),
            Some(pinned) => Err(Failure::new(Exit::Verification, format!("recipes `{name}` are not what was pinned"))
                .fact(format!("from     {url} at {}", self.commit))
                .fact(format!("expected {pinned}"))
                .fact(format!("received {found}"))
                .hint("restore the lockfile if it was edited, else tell the owner of the repository")),
        }
    }
}

/// Have commits as directories: those that are not here come in one batch. Gives the digest and the directory of each.
fn bring(
    context: &Context<'_>,
    wanted: &[Wanted<'_>],
    sources: &Sources<'_>,
) -> Result<Vec<(TreeDigest, PathBuf)>, Failure> {
    let here = |one: &Wanted<'_>| match one.tree {
        Some(tree) => Ok(checkout(sources.store(), tree)?.map(|checkout| (tree, checkout))),
        None => Ok(None),
    };
    let here = wanted.iter().map(here).collect::<Result<Vec<_>, Failure>>()?;
    let missing = || wanted.iter().zip(&here).filter(|(_, here)| here.is_none()).map(|(one, _)| one);
    for one in missing().filter(|one| one.tree.is_none()) {
        // Whoever wrote a whole id has asked nobody yet.
        if matches!(&one.repository.reference, Reference::Rev(id) if id.eq_ignore_ascii_case(&one.commit.to_string())) {
            sources.ask(&one.item(), context.ui)?;
        }
    }
    sources.bring(&missing().map(|one| Item::Commit(one.item())).collect::<Vec<_>>(), context.ui)?;
    let directory = |(one, here): (&Wanted<'_>, Option<(TreeDigest, PathBuf)>)| match here {
        Some(here) => Ok(here),
        None => {
            let tree = one.found(context, sources)?;
            let checkout = checkout(sources.store(), tree)?.ok_or_else(|| not_locked(one.repository.name))?;
            Ok((tree, checkout))
        }
    };
    wanted.iter().zip(here).map(directory).collect()
}

/// A tree of the store as a directory, if all of it is here.
fn checkout(store: &Store, tree: TreeDigest) -> Result<Option<PathBuf>, Failure> {
    if let Some(place) = store.ready_checkout(tree) {
        return Ok(Some(place));
    }
    let Some(files) = store.whole_tree(tree)? else { return Ok(None) };
    let lay_out = |directory: &Path| store.lay_out_copy(&files, directory, 0);
    Ok(Some(store.checkout(tree, lay_out)?))
}

fn has_recipes(directory: &Path) -> Result<bool, Failure> {
    Ok(disk::list(directory)?.iter().any(|(name, _)| Path::new(name).extension().is_some_and(|it| it == "toml")))
}

fn not_locked(name: &str) -> Failure {
    Failure::new(Exit::Lockfile, format!("recipes `{name}` are not locked")).hint("run `envy lock`, which pins them")
}

/// The digest of a directory of recipes, as it is now.
fn tree_now(context: &Context<'_>, project: &Project, name: &str, source: &Source) -> Result<TreeDigest, Failure> {
    let found = source::look_at(&directory_of(project, name, source)?, &context.cache()?);
    Ok(found.map_err(source::Error::from)?.tree.digest())
}

/// The directory that is named for recipes which are in no repository.
fn directory_of(project: &Project, name: &str, source: &Source) -> Result<PathBuf, Failure> {
    let Source::Path { path } = source else { unreachable!("recipes are in a repository or in a directory") };
    let directory = project.root.join(path);
    if !disk::is_directory(&directory) {
        let outcome = format!("recipes `{name}` are to be in `{path}`, which is not a directory");
        return Err(Failure::new(Exit::Failed, outcome).hint("correct `path` in `envy.toml`"));
    }
    // Lockfiles in it would change what they pin themselves.
    if project.root.starts_with(disk::canonical(&directory)?) {
        let outcome = format!("recipes `{name}` are to be in `{path}`, which holds the project itself");
        return Err(Failure::new(Exit::Failed, outcome).hint("name the directory that the recipes alone are in"));
    }
    Ok(directory)
}
