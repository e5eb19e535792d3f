//! Bringing a site's lockfile up to date, in memory.

mod compiler;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::context::Context;
use super::project::Project;
use super::sharing;
use crate::build::Memo;
use crate::digest::{Commit, TextDigest};
use crate::failure::{Exit, Failure};
use crate::index::{Place, SiteIndex};
use crate::lock::{self, Drift, Lockfile, Package, Pinned, Pinner, Task, Wishes};
use crate::manifest::{ExcludeNewer, GitReference, Manifest, Site, Source};
use crate::package::{Cutoff, Cutoffs, PackageId, PackageName, Range, Version};
use crate::resolve::{self, Hidden, Problem, Strategy};
use crate::source::Sources;
use compiler::Compiler;
pub use telling::{foretell, tell};

/// What may move.
pub enum Moves {
    /// Nothing that need not.
    Needed,
    /// Everything, to versions that are chosen like this.
    All(Strategy),
    /// These packages, each to a version if one is named.
    These(BTreeMap<PackageName, Option<Version>>),
}

impl Moves {
    /// Which of several versions that fit is taken.
    fn strategy(&self) -> Strategy {
        match self {
            Self::All(strategy) => *strategy,
            Self::Needed | Self::These(_) => Strategy::Highest,
        }
    }
}

/// A lockfile that is not written yet.
pub struct Proposal {
    pub lockfile: Lockfile,
    pub generated: BTreeMap<PackageName, String>,
    pub old: Option<Lockfile>,
}

impl Proposal {
    /// Whether anything was locked anew.
    pub fn is_new(&self) -> bool {
        self.old.as_ref() != Some(&self.lockfile)
    }
}

/// Lock a site: keep its lockfile where it is what is asked for, else resolve and pin what moved.
pub fn propose(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    moves: &Moves,
    sources: &Sources<'_>,
) -> Result<Proposal, Failure> {
    let old = project.locked(&site.name)?.map(|locked| locked.lockfile);
    propose_from(context, project, site, old, moves, sources)
}

/// The same, from another lockfile than the one on disk.
pub fn propose_from(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    old: Option<Lockfile>,
    moves: &Moves,
    sources: &Sources<'_>,
) -> Result<Proposal, Failure> {
    let recipes = sharing::pin(context, project, site, old.as_ref(), moves, sources)?;
    let same_recipes = old.as_ref().is_none_or(|old| old.recipes == recipes);
    let known = old.clone().unwrap_or_else(|| Lockfile::empty(TextDigest::of(b"")));
    let known = Lockfile { recipes: recipes.clone(), ..known };
    let wishes = project.wishes(context, site, Some(&known))?;
    if let (Some(old), Moves::Needed, true) = (&old, moves, same_recipes)
        && project.drift(&site.name, &wishes, old).is_empty()
        && outgrown(project, site, &wishes, old, sources)?.is_empty()
        && !restated(&wishes, old, sources)?
    {
        return Ok(Proposal { lockfile: old.clone(), generated: BTreeMap::new(), old: Some(old.clone()) });
    }
    telling::nowhere(context, project, site);
    if wishes.packages().is_empty() {
        return Ok(Proposal { lockfile: Lockfile::empty(wishes.digest()), generated: BTreeMap::new(), old });
    }
    let _busy = context.ui.busy(format!("locking site {}", site.name));
    let mut wishes = wishes;
    // What packages state that they need is known when they are here, and may lead to others that state more.
    for _ in 0..ROUNDS {
        let mut pinned = lock(context, project, site, &wishes, old.as_ref(), moves, sources)?;
        pinned.lockfile.recipes.clone_from(&recipes);
        let with_stated = project.wishes(context, site, Some(&pinned.lockfile))?;
        if with_stated.digest() == wishes.digest() {
            return Ok(Proposal { lockfile: pinned.lockfile, generated: pinned.generated, old });
        }
        wishes = with_stated;
    }
    Err(Failure::new(
        Exit::NoSolution,
        format!("what the packages of site `{}` state that they need has no end", site.name),
    )
    .hint("look at `[package.metadata.envy]` of those that were locked last"))
}

/// How often packages may state needs that bring in others that state more.
const ROUNDS: usize = 16;

/// Choose versions of what is asked for, and pin them.
fn lock(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    wishes: &Wishes,
    old: Option<&Lockfile>,
    moves: &Moves,
    sources: &Sources<'_>,
) -> Result<Pinned, Failure> {
    let compiler = if wishes.needs_rust() { Compiler::find(wishes, old)? } else { Compiler::none() };
    let cutoffs = cutoffs(wishes);
    let chosen = choose(context, site, wishes, old, moves, compiler.version(), &cutoffs, sources)?;
    let toolchain = compiler.pin(&Memo::open(&context.cache()?))?;
    let cargo_lock =
        |directory: &Path, task: Task<'_>| compiler.cargo_lock(directory, task, project, context.globals.offline);
    let lost = match old {
        Some(old) => lost(project, site, wishes, old, sources)?,
        None => BTreeSet::new(),
    };
    let pinner = Pinner {
        sources,
        project: &project.root,
        commits: &chosen.commits,
        moving: &moving(wishes, moves),
        lost: &lost,
        cutoffs: &cutoffs,
        cargo_lock: &cargo_lock,
        progress: context.ui,
    };
    let mut pinned = pinner.pin(wishes, &chosen.versions, toolchain, old)?;
    // The time of a limit that moves with the clock stays what it was where nothing else changed.
    let unchanged = old.filter(|old| old.packages == pinned.lockfile.packages);
    let kept = unchanged.and_then(|old| old.exclude_newer).filter(|old| moves_on(wishes) && Some(*old) <= cutoffs.all);
    pinned.lockfile.exclude_newer = kept.or(cutoffs.all);
    Ok(pinned)
}

/// The chosen versions, and the commits of those that were chosen from repositories just now.
struct Chosen {
    versions: BTreeMap<PackageName, Version>,
    commits: BTreeMap<PackageName, Commit>,
}

#[expect(clippy::too_many_arguments, reason = "each is another noun, and they meet here alone")]
fn choose(
    context: &Context<'_>,
    site: &Site,
    wishes: &Wishes,
    old: Option<&Lockfile>,
    moves: &Moves,
    rust: Option<Version>,
    cutoffs: &Cutoffs,
    sources: &Sources<'_>,
) -> Result<Chosen, Failure> {
    let locked: BTreeMap<_, _> = old
        .into_iter()
        .flat_map(|old| &old.packages)
        .filter(|(name, package)| wishes.packages().get(*name).is_some_and(|wish| still_fits(wishes, wish, package)))
        .map(|(name, package)| (name.clone(), package.id.version.clone()))
        .collect();
    let preferred: BTreeMap<_, _> = match moves {
        Moves::Needed => locked,
        Moves::All(_) => BTreeMap::new(),
        Moves::These(moving) => locked.into_iter().filter(|(name, _)| !moving.contains_key(name)).collect(),
    };
    let index = SiteIndex::new(sources, places(wishes, old), &preferred, rust, cutoffs.clone(), context.ui);
    // What was chosen before a limit was set may be beyond it.
    if !cutoffs.are_set()
        && let Some(versions) = unmoved(wishes, &preferred, &index)?
    {
        return Ok(Chosen { versions, commits: BTreeMap::new() });
    }
    let requirements = narrowed(wishes, moves);
    let problem = Problem { requirements: &requirements, preferred: &preferred, strategy: moves.strategy() };
    let solved = index.prefetch().and_then(|()| resolve::solve(&problem, &index));
    let solved = solved.map_err(|error| if error.missing_offline().is_some() { index.all_missing() } else { error })?;
    let chosen = solved.map_err(|conflict| not_solved(site, moves, &conflict))?;
    tell_hidden(context, &chosen.hidden);
    let commit = |(name, version): (&PackageName, &Version)| {
        let id = PackageId { name: name.clone(), version: version.clone() };
        Some((name.clone(), index.commit(&id)?))
    };
    let commits = chosen.packages.iter().filter_map(commit).collect();
    Ok(Chosen { versions: chosen.packages, commits })
}

/// Where the index looks for each package that is asked for.
pub fn places(wishes: &Wishes, old: Option<&Lockfile>) -> BTreeMap<PackageName, Place> {
    let place = |(name, wish): (&PackageName, &lock::Wish)| {
        let listed = match wish.source {
            Source::Recipe { .. } => wish.recipe.releases().keys().cloned().collect(),
            _ => Vec::new(),
        };
        let place = Place::new(wish.source.clone(), &wish.requirements, listed);
        let commit = old.and_then(|old| old.packages.get(name)).and_then(|old| lock::kept_commit(old, wish));
        let limit = wishes.constraints().get(name).cloned();
        (name.clone(), Place { commit, needs: wishes.needs_of(name), limit, unfit: wish.unfit(), ..place })
    };
    wishes.packages().iter().map(place).collect()
}

/// How many versions of a package that were passed over are named one by one.
const NAMED: usize = 3;

/// Name what was passed over, of each package the highest versions. They are sorted.
fn tell_hidden(context: &Context<'_>, hidden: &[(PackageId, Hidden)]) {
    for of_one in hidden.chunk_by(|(one, _), (other, _)| one.name == other.name) {
        let (more, named) = of_one.split_at(of_one.len().saturating_sub(NAMED));
        for (id, why) in named {
            context.ui.note(format!("{id} is passed over: it {why}"));
        }
        match more {
            [] => {}
            [(id, _)] => context.ui.note(format!("{id} is passed over as well")),
            [(id, _), ..] => {
                context.ui.note(format!("{} lower versions of {} are passed over as well", more.len(), id.name));
            }
        }
    }
}

/// The locked versions, where they are all that is asked for, by sites and by packages: then there is nothing to choose,
/// and nobody to ask. What is required by nobody any more is left out. What is not pinned has the version that it has now.
fn unmoved(
    wishes: &Wishes,
    preferred: &BTreeMap<PackageName, Version>,
    index: &SiteIndex<'_, '_>,
) -> Result<Option<BTreeMap<PackageName, Version>>, Failure> {
    let mut versions = BTreeMap::new();
    for (name, wish) in wishes.packages() {
        let version = match &wish.source {
            Source::Path { path } => Some(index.in_directory(name, path)?.version),
            _ => preferred.get(name).cloned(),
        };
        let Some(version) = version.filter(|version| fits(wishes, name, version)) else { return Ok(None) };
        versions.insert(name.clone(), version);
    }
    Ok(Some(versions))
}

/// Whether a locked package is one that is asked for: what came from elsewhere says nothing about this source.
fn still_fits(wishes: &Wishes, wish: &lock::Wish, package: &lock::Package) -> bool {
    let is_listed =
        !matches!(wish.source, Source::Recipe { .. }) || wish.recipe.releases().contains_key(&package.id.version);
    lock::same_origin(&package.source, &wish.source_text)
        && fits(wishes, &package.id.name, &package.id.version)
        && is_listed
}

/// Whether a version is all that is asked of a package, and in its limits.
fn fits(wishes: &Wishes, name: &PackageName, version: &Version) -> bool {
    let asked = wishes.packages()[name].requirements.iter().map(|one| &one.versions);
    asked.chain(wishes.constraints().get(name)).all(|versions| versions.matches(version))
}

/// The moment after which a version is too new for the project.
pub fn project_cutoff(manifest: &Manifest) -> Cutoffs {
    let now = jiff::Timestamp::now();
    Cutoffs { all: manifest.exclude_newer().and_then(|limit| moment(limit, now)), own: BTreeMap::new() }
}

fn moment(limit: &ExcludeNewer, now: jiff::Timestamp) -> Option<jiff::Timestamp> {
    match limit {
        ExcludeNewer::Off => None,
        ExcludeNewer::Than { cutoff, .. } => Some(cutoff.at(now)),
    }
}

/// Whether the limit of a project moves with the clock.
fn moves_on(wishes: &Wishes) -> bool {
    matches!(wishes.exclude_newer(), Some(ExcludeNewer::Than { cutoff: Cutoff::Before(_), .. }))
}

/// The moments after which a version is too new, for a site as it is asked for now.
pub fn cutoffs(wishes: &Wishes) -> Cutoffs {
    let now = jiff::Timestamp::now();
    let at = |limit: &ExcludeNewer| moment(limit, now);
    let own = wishes.packages().iter();
    let own = own.filter_map(|(name, wish)| Some((name.clone(), at(wish.exclude_newer.as_ref()?)))).collect();
    Cutoffs { all: wishes.exclude_newer().and_then(at), own }
}

/// No choice satisfies a site. Where an update named a version, it is the update that is to be typed differently.
fn not_solved(site: &Site, moves: &Moves, conflict: &resolve::Conflict) -> Failure {
    let mut failure = Failure::conflict(&site.name, conflict);
    if let Moves::These(moving) = moves
        && let Some(name) = moving.iter().find_map(|(name, version)| version.as_ref().and(Some(name)))
    {
        failure.hints =
            vec![format!("run `envy update {name}`, which takes the highest version that `envy.toml` allows")];
    }
    failure
}

/// What is asked for, with the exact versions that an update names.
fn narrowed(wishes: &Wishes, moves: &Moves) -> Vec<crate::package::Requirement> {
    let mut requirements = wishes.asked();
    if let Moves::These(moving) = moves {
        for (name, version) in moving.iter().filter_map(|(name, version)| Some((name, version.as_ref()?))) {
            let versions = Range::Exactly(version.clone());
            requirements.push(crate::package::Requirement { name: name.clone(), versions, by: "this update".into() });
        }
    }
    requirements
}

/// The packages that are pinned anew even at the version that is locked: a branch moves on, and an archive that nobody
/// gave a sum for is what it is now. A tag is not: that it moved is said, and not followed.
fn moving(wishes: &Wishes, moves: &Moves) -> BTreeSet<PackageName> {
    let asked = |name: &PackageName| match moves {
        Moves::Needed => false,
        Moves::All(_) => true,
        Moves::These(moving) => moving.contains_key(name),
    };
    let may_move = |wish: &lock::Wish| match &wish.source {
        Source::Git { reference, .. } => matches!(reference, GitReference::Default | GitReference::Branch(_)),
        // A directory's own Cargo.lock is not ours to move; one that was made for it is.
        Source::Archive(_) | Source::Path { .. } => true,
        Source::Crate { .. } | Source::Recipe { .. } | Source::Carried { .. } | Source::Nothing => false,
    };
    let names = wishes.packages().iter().filter(|(name, wish)| asked(name) && may_move(wish));
    names.map(|(name, _)| name.clone()).collect()
}

/// The packages whose made Cargo.lock is not the one that was locked, or fits no more.
fn lost(
    project: &Project,
    site: &Site,
    wishes: &Wishes,
    old: &Lockfile,
    sources: &Sources<'_>,
) -> Result<BTreeSet<PackageName>, Failure> {
    let name = |drift| match drift {
        Drift::Generated { name, .. } => Some(name),
        _ => None,
    };
    let mut lost = outgrown(project, site, wishes, old, sources)?;
    lost.extend(project.drift(&site.name, wishes, old).into_iter().filter_map(name));
    Ok(lost)
}

/// Whether a package in a directory states other needs now than when it was locked.
fn restated(wishes: &Wishes, old: &Lockfile, sources: &Sources<'_>) -> Result<bool, Failure> {
    for (name, wish) in wishes.packages().iter().filter(|(_, wish)| wish.is_by_cargo()) {
        let (Source::Path { path }, Some(package)) = (&wish.source, old.packages.get(name)) else { continue };
        let Some(found) = sources.project_in(&sources.directory(path)?, name)? else { continue };
        if lock::stated(&package.id, &found.manifest)? != package.stated {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The directories that have outgrown the Cargo.lock that was made for them.
fn outgrown(
    project: &Project,
    site: &Site,
    wishes: &Wishes,
    old: &Lockfile,
    sources: &Sources<'_>,
) -> Result<BTreeSet<PackageName>, Failure> {
    let mut outgrown = BTreeSet::new();
    for (name, wish) in wishes.packages() {
        let made = old.packages.get(name).is_some_and(Package::has_generated);
        let (Source::Path { path }, true) = (&wish.source, made) else { continue };
        let text = crate::disk::read_text_if_exists(&project.root.join(Lockfile::generated_path(&site.name, name)))?;
        let directory = sources.directory(path)?;
        if !text.is_some_and(|text| sources.fits_directory(&directory, name, &text).unwrap_or_default()) {
            outgrown.insert(name.clone());
        }
    }
    Ok(outgrown)
}

/// Refuse names that a site does not require.
pub fn require_known(wishes: &[Wishes], names: impl IntoIterator<Item = PackageName>) -> Result<(), Failure> {
    for name in names {
        if wishes.iter().all(|wishes| !wishes.packages().contains_key(&name)) {
            let known = wishes.iter().flat_map(|wishes| wishes.packages().keys());
            let near = known.min_by_key(|known| strsim::damerau_levenshtein(known.as_str(), name.as_str()));
            let failure = Failure::new(Exit::Failed, format!("no site requires `{name}`"));
            return Err(match near {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure.hint(format!("run `envy add {name} --site SITE`")),
            });
        }
    }
    Ok(())
}
