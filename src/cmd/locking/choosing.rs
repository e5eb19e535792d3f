//! Choosing the versions of one site.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::compiler::Compiler;
use super::{Moves, ROUNDS, cutoffs, moment, moving, restated};
use crate::cmd::context::Context;
use crate::cmd::project::Project;
use crate::digest::Commit;
use crate::failure::{Exit, Failure};
use crate::index::SiteIndex;
use crate::lock::{self, Candidates, Ground, Lockfile, Package, Prospect, Stated, Wishes, places};
use crate::manifest::{Dependency, Site, Source};
use crate::package::{Cutoffs, PackageId, PackageName, Range, Requirement, Version};
use crate::recipe::Book;
use crate::resolve::{self, Hidden, Problem, Resolution};
use crate::source::Sources;

/// A site that is being locked: what it is locked from, and what of it may move.
pub(super) struct Locking<'a, 's> {
    pub context: &'a Context<'a>,
    pub project: &'a Project,
    pub site: &'a Site,
    pub book: &'a Book,
    pub old: Option<&'a Lockfile>,
    pub moves: &'a Moves,
    pub sources: &'a Sources<'s>,
    pub compiler: OnceCell<Compiler>,
}

/// What was chosen.
pub(super) struct Chosen {
    /// What is asked for, as these versions state.
    pub wishes: Wishes,
    /// The versions.
    pub versions: BTreeMap<PackageName, Version>,
    /// The commits of those that were chosen from repositories just now.
    pub commits: BTreeMap<PackageName, Commit>,
}

impl Locking<'_, '_> {
    /// The compiler that the lockfile is made for. It is looked for where something has to know it.
    pub fn compiler(&self, wishes: &Wishes) -> Result<&Compiler, Failure> {
        if self.compiler.get().is_none() {
            let found = Compiler::find(wishes, self.old)?;
            return Ok(self.compiler.get_or_init(|| found));
        }
        Ok(self.compiler.get().expect("it was found just now"))
    }

    /// Choose a version for everything that is asked for. `before` is what was asked for as the packages were last seen to
    /// state.
    ///
    /// Each version needs what it states itself. Only what comes of the params that several give to one package is not known
    /// before they are chosen; where it changes what is needed, the choice is made again with it.
    pub fn choose(&self, before: &Wishes) -> Result<Chosen, Failure> {
        let preferred = self.preferred(before);
        if let Some(versions) = self.unmoved(before, &preferred)? {
            return Ok(Chosen { wishes: before.clone(), versions, commits: BTreeMap::new() });
        }
        let plain = self.wishes(&Stated::new())?;
        let mut together: Option<(Wishes, Stated)> = None;
        for _ in 0..ROUNDS {
            let known = together.as_ref().map(|(wishes, stated)| (wishes, stated));
            let (mut chosen, stated) = self.choose_with(before, &plain, known, &preferred)?;
            if is_met(&chosen.wishes, &chosen.versions) {
                // What a version would have needed elsewhere than where it is wanted is wanted by nobody.
                chosen.versions.retain(|name, _| chosen.wishes.packages().contains_key(name));
                return Ok(chosen);
            }
            together = Some((chosen.wishes, stated));
        }
        Err(endless(self.site))
    }

    fn choose_with(
        &self,
        before: &Wishes,
        plain: &Wishes,
        together: Option<(&Wishes, &Stated)>,
        preferred: &BTreeMap<PackageName, Version>,
    ) -> Result<(Chosen, Stated), Failure> {
        let (prospect, moving) =
            (Prospect::of(&self.project.manifest, self.site, self.book), moving(before, self.moves));
        let (project, progress) = (self.project.root.as_path(), self.context.ui);
        let ground = Ground {
            sources: self.sources,
            project,
            prospect,
            plain,
            before,
            together,
            old: self.old,
            moving: &moving,
            progress,
        };
        let rust = if self.may_have_crates(plain) { self.compiler(plain)?.version() } else { None };
        let places = places(plain, self.old, together.map(|(wishes, _)| wishes));
        let index = SiteIndex::new(self.sources, places, preferred, rust, self.all_cutoffs(plain), self.context.ui);
        let candidates = Candidates::new(ground, index);
        let requirements = self.narrowed(plain);
        let problem = Problem { requirements: &requirements, preferred, strategy: self.moves.strategy() };
        let resolution = self.solve(&problem, &candidates)?;
        let stated = candidates.stated(&resolution.packages)?;
        let commit = |(name, version): (&PackageName, &Version)| {
            let id = PackageId { name: name.clone(), version: version.clone() };
            Some((name.clone(), candidates.index().commit(&id)?))
        };
        let commits = resolution.packages.iter().filter_map(commit).collect();
        Ok((Chosen { wishes: self.wishes(&stated)?, versions: resolution.packages, commits }, stated))
    }

    fn solve(&self, problem: &Problem<'_>, candidates: &Candidates<'_, '_>) -> Result<Resolution, Failure> {
        let solved = candidates.prefetch(problem).and_then(|()| resolve::solve(problem, candidates));
        let solved = match solved {
            Err(error) => match error.missing_offline() {
                Some(missing) => return Err(candidates.all_missing(problem, missing).into()),
                None => return Err(error.into()),
            },
            Ok(solved) => solved.map_err(|conflict| not_solved(self.site, self.moves, &conflict))?,
        };
        tell_hidden(self.context, &solved.hidden);
        Ok(solved)
    }

    fn wishes(&self, stated: &Stated) -> Result<Wishes, Failure> {
        Ok(Wishes::of(&self.project.manifest, self.site, self.book, stated)?)
    }

    /// The versions that stay where they fit: those that are locked, if they may not move.
    fn preferred(&self, wishes: &Wishes) -> BTreeMap<PackageName, Version> {
        let locked = self.old.into_iter().flat_map(|old| &old.packages);
        let fits = |name: &PackageName, package: &Package| {
            wishes.packages().get(name).is_some_and(|wish| still_fits(wishes, wish, package))
        };
        let stays = |name: &PackageName| match self.moves {
            Moves::Needed => true,
            Moves::All(_) => false,
            Moves::These(moving) => !moving.contains_key(name),
        };
        let kept = locked.filter(|(name, package)| stays(name) && fits(name, package));
        kept.map(|(name, package)| (name.clone(), package.id.version.clone())).collect()
    }

    /// The locked versions, where they are all that is asked for, by sites and by packages: then there is nothing to choose,
    /// and nobody to ask. What is required by nobody any more is left out. What is not pinned has the version that it has
    /// now.
    fn unmoved(
        &self,
        wishes: &Wishes,
        preferred: &BTreeMap<PackageName, Version>,
    ) -> Result<Option<BTreeMap<PackageName, Version>>, Failure> {
        // What was chosen before a limit was set may be beyond it.
        if cutoffs(wishes).are_set() {
            return Ok(None);
        }
        let was_asked =
            |name: &PackageName| self.old.and_then(|old| old.packages.get(name)).is_some_and(Package::was_asked);
        let mut versions = BTreeMap::new();
        for (name, wish) in wishes.packages() {
            if wish.states && !was_asked(name) && !matches!(wish.source, Source::Path { .. }) {
                return Ok(None);
            }
            let version = match &wish.source {
                Source::Path { path } => Some(crate::index::in_directory(self.sources, name, path)?.version),
                _ => preferred.get(name).cloned(),
            };
            let Some(version) = version.filter(|version| fits(wishes, name, version)) else { return Ok(None) };
            versions.insert(name.clone(), version);
        }
        Ok(if restated(wishes, self.old, self.sources)? { None } else { Some(versions) })
    }

    /// The moments after which a version is too new, also of what an override may turn out to stand for.
    fn all_cutoffs(&self, wishes: &Wishes) -> Cutoffs {
        let mut cutoffs = cutoffs(wishes);
        let now = jiff::Timestamp::now();
        let own = |(name, instead): (&PackageName, &Dependency)| {
            Some((name.clone(), moment(instead.exclude_newer.as_ref()?, now)))
        };
        cutoffs.own.extend(self.project.manifest.overrides().iter().filter_map(own));
        cutoffs
    }

    /// Whether crates of a registry may be chosen, for which the compiler counts.
    fn may_have_crates(&self, plain: &Wishes) -> bool {
        let is_crate = |source: &Source| matches!(source, Source::Crate { .. });
        let instead = self.project.manifest.overrides().values();
        plain.packages().values().any(|wish| is_crate(&wish.source)) || instead.map(|one| &one.source).any(is_crate)
    }

    /// What is asked for, with the exact versions that an update names.
    fn narrowed(&self, wishes: &Wishes) -> Vec<Requirement> {
        let mut requirements = wishes.asked();
        if let Moves::These(moving) = self.moves {
            for (name, version) in moving.iter().filter_map(|(name, version)| Some((name, version.as_ref()?))) {
                let versions = Range::Exactly(version.clone());
                requirements.push(Requirement { name: name.clone(), versions, by: "this update".into() });
            }
        }
        requirements
    }
}

/// Packages that state more and more.
pub(super) fn endless(site: &Site) -> Failure {
    Failure::new(Exit::NoSolution, format!("what the packages of site `{}` state that they need has no end", site.name))
        .hint("look at `[package.metadata.envy]` of those that were locked last")
}

/// Whether versions are all that is asked for.
fn is_met(wishes: &Wishes, versions: &BTreeMap<PackageName, Version>) -> bool {
    let is_there = |name: &PackageName| versions.get(name).is_some_and(|version| fits(wishes, name, version));
    wishes.packages().keys().all(is_there)
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

/// Whether a locked package is one that is asked for: what came from elsewhere says nothing about this source.
fn still_fits(wishes: &Wishes, wish: &lock::Wish, package: &Package) -> bool {
    let is_listed =
        !matches!(wish.source, Source::Recipe { .. }) || wish.recipe.releases().contains_key(&package.id.version);
    lock::same_origin(&package.source, &wish.source_text)
        && fits(wishes, &package.id.name, &package.id.version)
        && is_listed
}

/// Whether a version is all that is asked of a package, in its limits, and to be had wherever it is wanted.
fn fits(wishes: &Wishes, name: &PackageName, version: &Version) -> bool {
    let wish = &wishes.packages()[name];
    let mut asked = wish.requirements.iter().map(|one| &one.versions).chain(wishes.constraints().get(name));
    asked.all(|versions| versions.matches(version)) && wish.lacks(version).is_none()
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
