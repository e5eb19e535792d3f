//! What a site's packages may be, for the resolver: versions from their sources, each with what it needs.
//!
//! What a version needs follows from what it states in its Cargo.toml, so that is read when the resolver asks, and no
//! sooner; but for the versions that will most likely be chosen, which are brought in one batch before, since pinning
//! wants them anyway. Of what stays as it is locked, the lockfile tells. Who is needed by such a package alone becomes
//! known on the way.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use super::pin::{self, Kept, stays, subdir, wanted_archive};
use super::{Lockfile, Package, Pin, PinError, Prospect, Prospective, Stated, Wish, WishError, Wishes};
use crate::index::{Place, SiteIndex, fixed};
use crate::manifest::Source;
use crate::package::{PackageId, PackageName, Range, Requirement, Version};
use crate::progress::{Progress, Silent};
use crate::recipe::Statement;
use crate::resolve::{Candidate, Index, Problem, Strategy};
use crate::source::{self, Archive, Item, Origin, Packaged, Sources};

/// Where a choice of versions begins.
#[derive(Clone, Copy)]
pub struct Ground<'a, 's> {
    /// Where everything comes from.
    pub sources: &'a Sources<'s>,
    /// The project's directory.
    pub project: &'a Path,
    /// What would be asked for, whatever packages state.
    pub prospect: Prospect<'a>,
    /// What is asked for where no package states anything.
    pub plain: &'a Wishes,
    /// What was asked for when packages stated what they were last seen to state.
    pub before: &'a Wishes,
    /// What is asked for together by versions that state this, where a choice that was made for each of them was none.
    pub together: Option<(&'a Wishes, &'a Stated)>,
    /// What is locked.
    pub old: Option<&'a Lockfile>,
    /// Packages whose pins do not stay, even at the version that is locked.
    pub moving: &'a BTreeSet<PackageName>,
    /// Who is told.
    pub progress: &'a dyn Progress,
}

/// What a site's packages may be.
pub struct Candidates<'a, 's> {
    ground: Ground<'a, 's>,
    index: SiteIndex<'a, 's>,
    /// By name, what is asked of it, as far as that is known.
    wishes: RefCell<BTreeMap<PackageName, Rc<Wish>>>,
    /// By name, the first who turned out to need it.
    needed: RefCell<BTreeMap<PackageName, Prospective>>,
    statements: RefCell<BTreeMap<PackageId, Statement>>,
    /// How much may still be fetched, where there is a limit.
    left: Cell<Option<usize>>,
}

/// How many versions are fetched for the hints of a conflict at most.
const FOR_HINTS: usize = 8;

/// The packages of a site cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A source did not answer.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// What a version states cannot be read.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// What a version states cannot be.
    #[error(transparent)]
    Wish(#[from] WishError),
    /// It would have to be fetched, and that is not worth a hint.
    #[error("enough was fetched for the hints of a conflict")]
    Enough,
}

impl Error {
    /// What would have to come, where all that is wrong is that the network may not be used.
    pub fn missing_offline(&self) -> Option<&[String]> {
        match self {
            Self::Source(error) | Self::Pin(PinError::Source(error)) => error.missing_offline(),
            Self::Pin(_) | Self::Wish(_) | Self::Enough => None,
        }
    }
}

impl<'a, 's> Candidates<'a, 's> {
    /// Those of an index that knows all packages of the plain wishes.
    pub fn new(ground: Ground<'a, 's>, index: SiteIndex<'a, 's>) -> Self {
        let known = ground.plain.packages().iter().map(|(name, wish)| (name.clone(), Rc::new(wish.clone())));
        let wishes = RefCell::new(known.collect());
        Self {
            ground,
            index,
            wishes,
            needed: RefCell::default(),
            statements: RefCell::default(),
            left: Cell::new(None),
        }
    }

    /// What the sources offer.
    pub fn index(&self) -> &SiteIndex<'a, 's> {
        &self.index
    }

    /// Ask for everything that will most likely be asked for, all at once: what there is, and what it states.
    pub fn prefetch(&self, problem: &Problem<'_>) -> Result<(), Error> {
        self.index.prefetch()?;
        Ok(self.bring_likely(problem)?)
    }

    /// Where the network may not be used: all that is missing to choose, and not only what was asked for first.
    pub fn all_missing(&self, problem: &Problem<'_>, first: &[String]) -> source::Error {
        let source::Error::Offline { mut missing } = self.index.all_missing() else {
            unreachable!("it gives no other")
        };
        let likely = self.bring_likely(problem).err();
        missing.extend(likely.iter().filter_map(source::Error::missing_offline).flatten().cloned());
        missing.extend(first.iter().cloned());
        missing.sort();
        missing.dedup();
        source::Error::Offline { missing }
    }

    /// What these versions state.
    pub fn stated(&self, chosen: &BTreeMap<PackageName, Version>) -> Result<Stated, Error> {
        let of = |(name, version): (&PackageName, &Version)| {
            let id = PackageId { name: name.clone(), version: version.clone() };
            Ok((name.clone(), self.statement(&id)?))
        };
        chosen.iter().map(of).collect()
    }

    /// Bring the source of each package that may have a say, at the version that will most likely be chosen.
    fn bring_likely(&self, problem: &Problem<'_>) -> Result<(), source::Error> {
        let mut items = Vec::new();
        for (name, wish) in self.ground.plain.packages().iter().filter(|(_, wish)| wish.states) {
            let Some(version) = self.likely(name, wish, problem) else { continue };
            let id = PackageId { name: name.clone(), version };
            // Whatever fails here fails again when the resolver asks for it.
            if let (Ok(None), Ok(Some(item))) = (self.locked(&id), self.item(&id, wish))
                && !self.knows(&id, wish, &item)
            {
                items.push(item);
            }
        }
        self.ground.sources.bring(&items, self.ground.progress)
    }

    /// The version that is chosen if nothing stands against it.
    fn likely(&self, name: &PackageName, wish: &Wish, problem: &Problem<'_>) -> Option<Version> {
        let chooses = match &wish.source {
            Source::Git { reference, .. } => fixed(reference).is_none(),
            Source::Crate { .. } | Source::Archive(_) | Source::Recipe { .. } => true,
            Source::Path { .. } | Source::Carried { .. } | Source::Nothing => false,
        };
        let offered = if chooses { self.index.candidates(name).ok()?? } else { return None };
        let asked: Vec<_> = problem.requirements.iter().filter(|one| one.name == *name).collect();
        let fits =
            |one: &&Candidate| one.hidden.is_none() && asked.iter().all(|asked| asked.versions.matches(&one.version));
        let fitting = || offered.iter().filter(fits).map(|one| &one.version);
        let preferred = fitting().find(|version| problem.preferred.get(name) == Some(*version));
        let lowest = match problem.strategy {
            Strategy::Highest => false,
            Strategy::Lowest => true,
            Strategy::LowestDirect => !asked.is_empty(),
        };
        preferred.or_else(|| if lowest { fitting().min() } else { fitting().max() }).cloned()
    }

    fn wish(&self, name: &PackageName) -> Option<Rc<Wish>> {
        self.wishes.borrow().get(name).cloned()
    }

    /// What a version says of itself: as it is locked, if it stays so, or else in its Cargo.toml.
    fn statement(&self, id: &PackageId) -> Result<Statement, Error> {
        if let Some(known) = self.statements.borrow().get(id) {
            return Ok(known.clone());
        }
        let statement = self.read(id)?;
        self.statements.borrow_mut().insert(id.clone(), statement.clone());
        Ok(statement)
    }

    fn read(&self, id: &PackageId) -> Result<Statement, Error> {
        let Some(wish) = self.wish(&id.name).filter(|wish| wish.states) else { return Ok(Statement::default()) };
        if let Some(package) = self.locked(id)? {
            return Ok(package.stated.clone());
        }
        let text = match &wish.source {
            Source::Path { path } => {
                let sources = self.ground.sources;
                sources.project_in(&sources.directory(path)?, &id.name)?.map(|project| project.manifest)
            }
            _ => match self.item(id, &wish)? {
                Some(item) => self.fetched(id, &wish, &item)?,
                None => None,
            },
        };
        Ok(text.map(|text| pin::stated(id, &text)).transpose()?.unwrap_or_default())
    }

    /// The locked package, if it is of this version and nobody will look at its source again.
    fn locked(&self, id: &PackageId) -> Result<Option<&'a Package>, PinError> {
        let Ground { old, before, moving, project, .. } = self.ground;
        let Some(wish) = before.packages().get(&id.name).filter(|wish| wish.states) else { return Ok(None) };
        let package = Kept::new(old, None).pin(id, wish).filter(|_| !moving.contains(&id.name));
        let known = package.filter(|package| package.was_asked() && self.is_at(id, &package.pin));
        let Some(package) = known else { return Ok(None) };
        Ok(stays(project, id, wish, package)?.then_some(package))
    }

    /// Whether a version is the commit that is locked, if it is any.
    fn is_at(&self, id: &PackageId, pin: &Pin) -> bool {
        match (self.index.commit(id), pin) {
            (Some(now), Pin::Git { commit, .. }) => now == *commit,
            _ => true,
        }
    }

    /// What has to be here for a version to be read.
    fn item(&self, id: &PackageId, wish: &Wish) -> Result<Option<Item>, source::Error> {
        let named = |name: &str, checksum| Archive { name: name.to_owned(), version: id.version.to_string(), checksum };
        Ok(match wish.source_at(&id.version) {
            Source::Crate { registry } => {
                let checksum = self.index.checksum(id, registry.as_deref())?;
                let archive = checksum.map(|checksum| named(id.name.as_str(), checksum));
                archive.map(|archive| Item::Crate { registry: registry.clone(), archive })
            }
            Source::Git { url, reference, .. } => {
                let commit = self.index.commit(id);
                commit.map(|commit| Item::commit(id.to_string(), url, commit, fixed(reference)))
            }
            Source::Archive(archive) => {
                let kept = Kept::new(self.ground.old, None);
                let old = kept.archive(id, wish).filter(|_| !self.ground.moving.contains(&id.name));
                Some(Item::Archive(wanted_archive(id, archive, old, &wish.platforms)))
            }
            Source::Carried { name, version, sha256, .. } => {
                let archive = Archive { version: version.clone(), ..named(name, *sha256) };
                Some(Item::Crate { registry: None, archive })
            }
            Source::Path { .. } | Source::Recipe { .. } | Source::Nothing => None,
        })
    }

    /// Whether nothing has to be brought for a version to be known.
    fn knows(&self, id: &PackageId, wish: &Wish, item: &Item) -> bool {
        let known = self.packaged(id, wish, item, |of| Ok(self.ground.sources.knows_statement(of)));
        known.unwrap_or(false)
    }

    /// The Cargo.toml of a version, where it has something to say.
    fn fetched(&self, id: &PackageId, wish: &Wish, item: &Item) -> Result<Option<String>, Error> {
        let (sources, progress) = (self.ground.sources, self.progress());
        if !self.knows(id, wish, item) && !sources.has(item) {
            self.spend()?;
            sources.bring(std::slice::from_ref(item), progress)?;
        }
        self.packaged(id, wish, item, |of| match sources.statement(of, progress) {
            Err(source::Error::Patch(source)) => Err(PinError::Patch { id: id.clone(), source }.into()),
            statement => Ok(statement?),
        })
    }

    /// Who is told: of what comes for hints alone, nobody.
    fn progress(&self) -> &'a dyn Progress {
        if self.left.get().is_some() { &Silent } else { self.ground.progress }
    }

    fn spend(&self) -> Result<(), Error> {
        let left = self.left.get().map(|left| left.checked_sub(1).ok_or(Error::Enough)).transpose()?;
        self.left.set(left);
        Ok(())
    }

    /// Look at a version as a package in what was brought.
    fn packaged<T>(
        &self,
        id: &PackageId,
        wish: &Wish,
        item: &Item,
        look: impl FnOnce(&Packaged<'_>) -> Result<T, Error>,
    ) -> Result<T, Error>
    where
        T: Default,
    {
        let Ground { sources, project, .. } = self.ground;
        let source = wish.source_at(&id.version);
        let patches: Vec<_> = pin::all_patches(project, wish, id, |path| PinError::NoPatch { id: id.clone(), path })?;
        let carrier;
        let origin = match (source, item) {
            (Source::Carried { name, version, .. }, Item::Crate { archive, .. }) => {
                let Some(found) = pin::carrier(name, version) else { return Ok(T::default()) };
                carrier = found;
                Origin::Crate { id: &carrier, archive: archive.checksum }
            }
            (_, Item::Crate { archive, .. } | Item::Foreign { archive, .. }) => {
                Origin::Crate { id, archive: archive.checksum }
            }
            (_, Item::Commit(wanted)) => Origin::Git { url: &wanted.url, commit: wanted.commit },
            (Source::Archive(archive), Item::Archive(wanted)) => {
                let digest = match wanted.sha256 {
                    Some(digest) => digest,
                    None => sources.bring_archives(std::slice::from_ref(wanted), self.progress())?[0],
                };
                Origin::Archive { archive: digest, name: pin::file_name(&wanted.url), strip: archive.strip }
            }
            (_, Item::Archive(_)) => return Ok(T::default()),
        };
        look(&Packaged { origin: &origin, name: &id.name, subdir: subdir(source), patches: &patches })
    }

    /// Know a package that turned out to be needed.
    fn meet(&self, need: &Prospective) -> Result<(), Error> {
        let name = &need.requirement.name;
        if let Some(first) = self.needed.borrow().get(name) {
            return Ok(self.ground.prospect.same(first, need)?);
        }
        if self.wish(name).is_none() {
            self.adopt(name, self.ground.prospect.wish(need)?);
        }
        self.needed.borrow_mut().insert(name.clone(), need.clone());
        Ok(())
    }

    fn adopt(&self, name: &PackageName, wish: Wish) {
        let limit = self.ground.prospect.limit(name).cloned();
        self.index.adopt(
            name.clone(),
            Place { limit, ..place(&wish, self.ground.old, name, self.ground.together.map(|(wishes, _)| wishes)) },
        );
        self.wishes.borrow_mut().insert(name.clone(), Rc::new(wish));
    }

    /// Know a package that somebody named, though nothing that is known needs it yet.
    fn adopt_named(&self, name: &PackageName) {
        let Ground { before, together, .. } = self.ground;
        let known = together.iter().map(|(wishes, _)| *wishes).chain([before]);
        if let Some(wish) = known.filter_map(|wishes| wishes.packages().get(name)).next() {
            self.adopt(name, wish.clone());
            let need = Prospective::in_itself(name, wish.recipe.name(), wish.platforms.clone());
            self.needed.borrow_mut().insert(name.clone(), need);
        }
    }

    /// Whether an override says at the top what is required of a package, for all who need it.
    fn is_said_at_the_top(&self, name: &PackageName) -> bool {
        self.ground.plain.packages().contains_key(name) && self.ground.prospect.overrides(name)
    }

    /// What a version needs for the sake of what others give it.
    fn needs_together(&self, id: &PackageId, statement: &Statement) -> Vec<Requirement> {
        let Some((wishes, stated)) = self.ground.together else { return Vec::new() };
        let same = stated.get(&id.name).is_none_or(|one| one == statement);
        if same { wishes.needs_of(&id.name) } else { Vec::new() }
    }
}

impl Index for Candidates<'_, '_> {
    type Error = Error;

    fn candidates(&self, name: &PackageName) -> Result<Option<Vec<Candidate>>, Error> {
        if self.wish(name).is_none() {
            self.adopt_named(name);
        }
        Ok(self.index.candidates(name)?)
    }

    /// What its recipe needs, and its entry, and what it states itself.
    fn requirements(&self, id: &PackageId) -> Result<Vec<Requirement>, Error> {
        let (statement, needed) = (self.statement(id)?, self.needed.borrow().get(&id.name).cloned());
        let mut requirements = Vec::new();
        for need in self.ground.prospect.needs(&id.name, needed.as_ref(), &statement)? {
            self.meet(&need)?;
            if !self.is_said_at_the_top(&need.requirement.name) && !requirements.contains(&need.requirement) {
                requirements.push(need.requirement);
            }
        }
        let more = self.needs_together(id, &statement).into_iter().filter(|one| !requirements.contains(one));
        requirements.extend(more.collect::<Vec<_>>());
        Ok(requirements)
    }

    fn only_hints_follow(&self) {
        self.left.set(Some(FOR_HINTS));
    }

    fn owner(&self, name: &PackageName) -> String {
        self.index.owner(name)
    }

    fn written(&self, name: &PackageName, versions: &Range) -> Option<String> {
        self.index.written(name, versions)
    }

    fn similar(&self, name: &PackageName) -> Vec<String> {
        self.index.similar(name)
    }
}

/// Where an index looks for each package that is asked for.
pub fn places(wishes: &Wishes, old: Option<&Lockfile>, together: Option<&Wishes>) -> BTreeMap<PackageName, Place> {
    let one = |(name, wish): (&PackageName, &Wish)| {
        let limit = wishes.constraints().get(name).cloned();
        (name.clone(), Place { limit, ..place(wish, old, name, together) })
    };
    wishes.packages().iter().map(one).collect()
}

fn place(wish: &Wish, old: Option<&Lockfile>, name: &PackageName, together: Option<&Wishes>) -> Place {
    let listed = match wish.source {
        Source::Recipe { .. } => wish.recipe.releases().keys().cloned().collect(),
        _ => Vec::new(),
    };
    let commit = old.and_then(|old| old.packages.get(name)).and_then(|old| pin::kept_commit(old, wish));
    // Where all together want it on more platforms than was known, it has to be had there too.
    let wider = together.and_then(|together| together.packages().get(name));
    let unfit = [Some(wish), wider].into_iter().flatten().flat_map(Wish::unfit).collect();
    Place { commit, unfit, ..Place::new(wish.source.clone(), &wish.requirements, listed) }
}
