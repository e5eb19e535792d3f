//! Bringing a site's lockfile up to date, in memory.

mod choosing;
mod compiler;
mod document;
mod telling;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::context::Context;
use super::project::Project;
use super::sharing;
use crate::build::Memo;
use crate::digest::TextDigest;
use crate::failure::{Exit, Failure};
use crate::lock::{self, Drift, Lockfile, Package, Pinned, Pinner, Task, Wishes};
use crate::manifest::{ExcludeNewer, GitReference, Manifest, Site, Source};
use crate::package::{Cutoff, Cutoffs, PackageId, PackageName, Version};
use crate::resolve::Strategy;
use crate::source::Sources;
use choosing::{Chosen, Locking, endless};
use compiler::Compiler;
pub use document::{document, of_sites, unchanged};
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
        && !restated(&wishes, Some(old), sources)?
    {
        return Ok(Proposal { lockfile: old.clone(), generated: BTreeMap::new(), old: Some(old.clone()) });
    }
    telling::nowhere(context, project, site);
    if wishes.packages().is_empty() {
        return Ok(Proposal { lockfile: Lockfile::empty(wishes.digest()), generated: BTreeMap::new(), old });
    }
    let _busy = context.ui.busy(format!("locking site {}", site.name));
    let book = project.book(context, Some(&known))?;
    let compiler = OnceCell::new();
    let locking = Locking { context, project, site, book: &book, old: old.as_ref(), moves, sources, compiler };
    let mut before = wishes;
    // What is pinned says the same as what was chosen, unless something was changed meanwhile.
    for _ in 0..ROUNDS {
        let chosen = locking.choose(&before)?;
        let mut pinned = locking.pin(&chosen)?;
        pinned.lockfile.recipes.clone_from(&recipes);
        before = project.wishes(context, site, Some(&pinned.lockfile))?;
        if before.digest() == chosen.wishes.digest() {
            return Ok(Proposal { lockfile: pinned.lockfile, generated: pinned.generated, old });
        }
    }
    Err(endless(site))
}

/// How often packages may state needs that bring in others that state more.
const ROUNDS: usize = 16;

impl Locking<'_, '_> {
    /// Pin what was chosen.
    fn pin(&self, chosen: &Chosen) -> Result<Pinned, Failure> {
        let Self { context, project, site, old, sources, .. } = *self;
        let none = Compiler::none();
        let compiler = if chosen.wishes.needs_rust() { self.compiler(&chosen.wishes)? } else { &none };
        let toolchain = compiler.pin(&Memo::open(&context.cache()?))?;
        let cutoffs = cutoffs(&chosen.wishes);
        let cargo_lock =
            |directory: &Path, task: Task<'_>| compiler.cargo_lock(directory, task, project, context.globals.offline);
        let lost = match old {
            Some(old) => lost(project, site, &chosen.wishes, old, sources)?,
            None => BTreeSet::new(),
        };
        let pinner = Pinner {
            sources,
            project: &project.root,
            commits: &chosen.commits,
            moving: &moving(&chosen.wishes, self.moves),
            lost: &lost,
            cutoffs: &cutoffs,
            cargo_lock: &cargo_lock,
            progress: context.ui,
        };
        let mut pinned = pinner.pin(&chosen.wishes, &chosen.versions, toolchain, old)?;
        // The time of a limit that moves with the clock stays what it was where nothing else changed.
        let unchanged = old.filter(|old| old.packages == pinned.lockfile.packages);
        let kept = unchanged.and_then(|old| old.exclude_newer);
        let kept = kept.filter(|old| moves_on(&chosen.wishes) && Some(*old) <= cutoffs.all);
        pinned.lockfile.exclude_newer = kept.or(cutoffs.all);
        Ok(pinned)
    }
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

/// Whether a package in a directory states something else now than when it was locked, if it was.
fn restated(wishes: &Wishes, old: Option<&Lockfile>, sources: &Sources<'_>) -> Result<bool, Failure> {
    for (name, wish) in wishes.packages().iter().filter(|(_, wish)| wish.states) {
        let Source::Path { path } = &wish.source else { continue };
        let Some(found) = sources.project_in(&sources.directory(path)?, name)? else { continue };
        let id = PackageId { name: name.clone(), version: found.version };
        let before = old.and_then(|old| old.packages.get(name)).map(|package| &package.stated);
        if lock::stated(&id, &found.manifest)? != before.cloned().unwrap_or_default() {
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
