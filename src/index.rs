//! The index: what the sources offer, in the resolver's terms.
//!
//! A name of a site stands for one source, so the index asks that one and no other: nothing falls back from one
//! source to another.

mod crates;
mod tags;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::digest::{BlobDigest, Commit};
use crate::manifest::{GitReference, Source};
use crate::package::{Cutoffs, PackageId, PackageName, Range, Requirement, Version};
use crate::platform::Platform;
use crate::progress::{Event, Progress};
use crate::resolve::{Candidate, Hidden, Index as _};
use crate::source::{self, GitError, Item, Origin, Reference, Sources, WantedCommit};
pub use crates::CrateIndex;
pub use tags::{VersionTag, version_tags};

/// The versions of a package, or nothing where there is no such package.
type Offer = Option<Vec<Candidate>>;

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is asked of one name: where to look for it, and what limits it.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its source.
    pub source: Source,
    /// The version that the source has, where the requirement itself says so, as for archives.
    pub version: Option<Version>,
    /// The versions that a recipe lists, where one does.
    pub listed: Vec<Version>,
    /// Those of the listed versions that cannot be had for a platform that the package is wanted on.
    pub unfit: BTreeMap<Version, Platform>,
    /// The version and the commit that are locked from this very source, if any are.
    pub commit: Option<(Version, Commit)>,
    /// What the project limits it to, if it does.
    pub limit: Option<Range>,
}

/// Everything that a site's names may stand for, as candidates.
pub struct SiteIndex<'a, 's> {
    sources: &'a Sources<'s>,
    places: Mutex<BTreeMap<PackageName, Arc<Place>>>,
    offers: Mutex<BTreeMap<PackageName, Offer>>,
    locked: &'a BTreeMap<PackageName, Version>,
    rust: Option<Version>,
    cutoffs: Cutoffs,
    commits: Mutex<BTreeMap<PackageId, Commit>>,
    progress: &'a dyn Progress,
}

impl<'a, 's> SiteIndex<'a, 's> {
    /// An index over these names. A yanked crate is offered only where it is `locked`, one that needs a newer compiler
    /// than `rust` is hidden, and so is what is newer than its cut-off.
    pub fn new(
        sources: &'a Sources<'s>,
        places: BTreeMap<PackageName, Place>,
        locked: &'a BTreeMap<PackageName, Version>,
        rust: Option<Version>,
        cutoffs: Cutoffs,
        progress: &'a dyn Progress,
    ) -> Self {
        let places = places.into_iter().map(|(name, place)| (name, Arc::new(place))).collect();
        let (places, offers, commits) = (Mutex::new(places), Mutex::default(), Mutex::default());
        Self { sources, places, offers, locked, rust, cutoffs, commits, progress }
    }

    /// Know one more name, which somebody turned out to need.
    pub fn adopt(&self, name: PackageName, place: Place) {
        held(&self.places).entry(name).or_insert_with(|| Arc::new(place));
    }

    fn place(&self, name: &PackageName) -> Option<Arc<Place>> {
        held(&self.places).get(name).cloned()
    }

    /// Ask for everything at once, before the solver asks for one after the other: each registry for its crates, each
    /// repository for its tags.
    pub fn prefetch(&self) -> Result<(), source::Error> {
        let mut crates: BTreeMap<Option<&str>, Vec<PackageName>> = BTreeMap::new();
        let (mut repositories, mut single): (Vec<&str>, Vec<&PackageName>) = Default::default();
        let places = held(&self.places).clone();
        for (name, place) in &places {
            match &place.source {
                Source::Crate { registry } => crates.entry(registry.as_deref()).or_default().push(name.clone()),
                Source::Git { url, reference: GitReference::Versions, .. } => repositories.push(url),
                Source::Git { .. } => single.push(name),
                _ => {}
            }
        }
        let ask = |(registry, names): (&Option<&str>, &Vec<PackageName>)| {
            self.sources.registry(*registry)?.versions(names)?;
            Ok(())
        };
        let mut errors: Vec<source::Error> = Vec::new();
        // Whatever else fails here fails again when the solver asks for it, and is reported with its name.
        let missing = |error: &source::Error| error.missing_offline().is_some();
        std::thread::scope(|scope| {
            let tags: Vec<_> = repositories.iter().map(|url| scope.spawn(|| self.sources.git().tags(url))).collect();
            errors.extend(crates.iter().filter_map(|asked| ask(asked).err()));
            let tags = tags.into_iter().filter_map(|tags| tags.join().ok()?.err().map(source::Error::from));
            errors.extend(tags.filter(missing));
        });
        // Offline, one error names all that is not here.
        if self.sources.git().is_offline() {
            errors.extend(single.iter().filter_map(|name| self.candidates(name).err()).filter(missing));
        }
        source::one_of(errors).map_or(Ok(()), Err)
    }

    /// Where the network may not be used: all that is missing to know what the names stand for, and not only what was
    /// asked for first.
    pub fn all_missing(&self) -> source::Error {
        let names: Vec<_> = held(&self.places).keys().cloned().collect();
        let errors = names.iter().filter_map(|name| self.candidates(name).err());
        let missing: BTreeSet<_> =
            errors.flat_map(|error| error.missing_offline().unwrap_or_default().to_vec()).collect();
        source::Error::Offline { missing: missing.into_iter().collect() }
    }

    /// The versions of a package, or nothing where there is no such package. Its source is asked once.
    pub fn candidates(&self, name: &PackageName) -> Result<Offer, source::Error> {
        if let Some(offer) = held(&self.offers).get(name) {
            return Ok(offer.clone());
        }
        let Some(place) = self.place(name) else { return Ok(None) };
        let offered = self.offered(name, &place)?;
        let offer: Offer = offered.map(|offered| offered.into_iter().map(|one| place.limited(one)).collect());
        held(&self.offers).insert(name.clone(), offer.clone());
        Ok(offer)
    }

    /// The sum of a version's archive, by the registry that it is from.
    pub fn checksum(&self, id: &PackageId, registry: Option<&str>) -> Result<Option<BlobDigest>, source::Error> {
        let versions = self.sources.registry(registry)?.versions(std::slice::from_ref(&id.name))?;
        let listed = versions.get(&id.name).and_then(Option::as_ref);
        let listed = listed.and_then(|versions| versions.iter().find(|one| one.version == id.version));
        Ok(listed.map(|listed| listed.checksum))
    }

    /// The commit that a candidate of a git repository is.
    pub fn commit(&self, id: &PackageId) -> Option<Commit> {
        held(&self.commits).get(id).copied()
    }

    fn remember(&self, name: &PackageName, version: &Version, commit: Commit) {
        let id = PackageId { name: name.clone(), version: version.clone() };
        held(&self.commits).insert(id, commit);
    }

    /// A version of something that nobody says the time of.
    fn without_time(&self, name: &PackageName, version: Version) -> Candidate {
        Candidate { version, hidden: self.cutoffs.of(name).map(|cutoff| Hidden::NoTime { cutoff }) }
    }

    fn tagged(&self, name: &PackageName, url: &str) -> Result<Vec<Candidate>, source::Error> {
        let tags = match self.sources.git().tags(url) {
            Err(error) => return self.unasked(name, url, error).map(|candidate| vec![candidate]),
            Ok(tags) => tags,
        };
        let versions = version_tags(name, &tags);
        if versions.is_empty() {
            self.progress.tell(Event::Note(&format!("{url} has no tag that is a version of `{name}`")));
        }
        let candidate = |tag: VersionTag| {
            let locked = self.place(name).and_then(|place| place.commit.clone());
            let locked = locked.filter(|(version, _)| *version == tag.version).map(|(_, commit)| commit);
            self.remember(name, &tag.version, self.held(url, &tag.tag, tag.commit, locked));
            self.without_time(name, tag.version)
        };
        Ok(versions.into_iter().map(candidate).collect())
    }

    /// The one version that a commit has: the one that its manifest says.
    fn at_commit(
        &self,
        name: &PackageName,
        url: &str,
        reference: &Reference,
        subdir: Option<&str>,
    ) -> Result<Candidate, source::Error> {
        // A branch that was not asked to move stays, and nobody is asked where it is now.
        if !matches!(reference, Reference::Tag(_))
            && let Some(candidate) = self.kept(name)
        {
            return Ok(candidate);
        }
        let mut commit = match self.sources.git().resolve(url, reference) {
            Err(error) => return self.unasked(name, url, error),
            Ok(commit) => commit,
        };
        if let Reference::Tag(tag) = reference {
            let locked = self.place(name).and_then(|place| place.commit.as_ref().map(|(_, commit)| *commit));
            commit = self.held(url, tag, commit, locked);
        }
        let (shown, found_by) = (name.to_string(), Some(reference.clone()));
        let wanted = WantedCommit { name: shown, url: url.to_owned(), commit, reference: found_by };
        if matches!(reference, Reference::Rev(id) if id.eq_ignore_ascii_case(&commit.to_string())) {
            self.sources.ask(&wanted, self.progress)?;
        }
        self.sources.bring(&[Item::Commit(wanted)], self.progress)?;
        let content = self.sources.content(&Origin::Git { url, commit }, self.progress)?;
        let project = self.sources.cargo_project(&content.tree, name, subdir)?;
        let version = project.map_or(Version::new(0, 0, 0), |project| project.version);
        self.remember(name, &version, commit);
        Ok(self.without_time(name, version))
    }

    /// What is locked, where it was not asked to move.
    fn kept(&self, name: &PackageName) -> Option<Candidate> {
        let (version, commit) = self.place(name)?.commit.clone()?;
        if self.locked.get(name) != Some(&version) {
            return None;
        }
        self.remember(name, &version, commit);
        Some(self.without_time(name, version))
    }

    /// What is locked stays where its repository cannot be asked whether a tag was moved.
    fn unasked(&self, name: &PackageName, url: &str, error: GitError) -> Result<Candidate, source::Error> {
        let kept = self.kept(name).ok_or(error)?;
        let text = format!("could not ask {url} for its tags; `{name}` stays at the commit that is locked");
        self.progress.tell(Event::Note(&text));
        Ok(kept)
    }

    /// The commit that counts for a tag: the locked one, though the tag may have been moved since, which is said.
    fn held(&self, url: &str, tag: &str, now: Commit, locked: Option<Commit>) -> Commit {
        let Some(locked) = locked else { return now };
        tell_moved(url, tag, locked, now, self.progress);
        locked
    }

    /// Every version that a source has.
    fn offered(&self, name: &PackageName, place: &Place) -> Result<Option<Vec<Candidate>>, source::Error> {
        match &place.source {
            Source::Crate { registry } => {
                let crates = self.sources.registry(registry.as_deref())?;
                let index = CrateIndex::new(crates, self.locked, self.rust.clone()).with_cutoffs(self.cutoffs.clone());
                index.candidates(name)
            }
            Source::Git { url, reference, subdir } => match fixed(reference) {
                None => self.tagged(name, url).map(Some),
                Some(reference) => self.at_commit(name, url, &reference, subdir.as_deref()).map(|one| Some(vec![one])),
            },
            Source::Archive(_) => {
                let version = place.version.clone().unwrap_or(Version::new(0, 0, 0));
                Ok(Some(vec![self.without_time(name, version)]))
            }
            Source::Path { path } => in_directory(self.sources, name, path).map(|one| Some(vec![one])),
            // Whoever wrote the recipe chose them, with the sums of their sources: no time makes them safer.
            Source::Recipe { .. } => {
                let candidate = |version: &Version| Candidate { version: version.clone(), hidden: None };
                Ok(Some(place.listed.iter().map(candidate).collect()))
            }
            Source::Carried { .. } | Source::Nothing => Ok(None),
        }
    }
}

impl SiteIndex<'_, '_> {
    /// Who would have a package of this name.
    pub fn owner(&self, name: &PackageName) -> String {
        let place = self.place(name);
        let registry = match place.as_ref().map(|place| &place.source) {
            Some(Source::Crate { registry }) => registry.as_deref(),
            Some(Source::Recipe { recipe }) => return format!("recipe `{recipe}`"),
            _ => None,
        };
        self.sources.registry(registry).map(|crates| crates.title().to_owned()).unwrap_or_default()
    }

    /// A line of a manifest that asks for these versions and says all that there is to say.
    pub fn written(&self, name: &PackageName, versions: &Range) -> Option<String> {
        match &self.place(name)?.source {
            Source::Recipe { recipe } => {
                Some(format!("{name} = {{ recipe = \"{recipe}\", version = \"{versions}\" }}"))
            }
            Source::Crate { registry: None } => Some(format!("{name} = \"{versions}\"")),
            // By its version alone, it would come from crates.io.
            _ => None,
        }
    }

    /// Names like this one that exist.
    pub fn similar(&self, name: &PackageName) -> Vec<String> {
        match self.place(name).as_ref().map(|place| &place.source) {
            Some(Source::Crate { registry }) => {
                self.sources.registry(registry.as_deref()).map(|crates| crates.similar(name)).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }
}

/// The one version that a directory has now.
pub fn in_directory(sources: &Sources<'_>, name: &PackageName, path: &str) -> Result<Candidate, source::Error> {
    let project = sources.project_in(&sources.directory(path)?, name)?;
    let version = project.map_or(Version::new(0, 0, 0), |project| project.version);
    Ok(Candidate { version, hidden: None })
}

/// Say that a tag was moved from the commit that is locked, if it was.
pub fn tell_moved(url: &str, tag: &str, locked: Commit, now: Commit, progress: &dyn Progress) {
    if locked != now {
        let (from, to) = (locked.short(), now.short());
        progress.tell(Event::Warning(&format!(
            "tag `{tag}` of {url} was moved from {from} to {to}; the lockfile stays at {from}, and `rev = \"{now}\"` would follow"
        )));
    }
}

/// What a reference is to git, unless versions are chosen among the tags.
pub fn fixed(reference: &GitReference) -> Option<Reference> {
    match reference {
        GitReference::Versions => None,
        GitReference::Default => Some(Reference::Default),
        GitReference::Branch(name) => Some(Reference::Branch(name.clone())),
        GitReference::Tag(name) => Some(Reference::Tag(name.clone())),
        GitReference::Rev(name) => Some(Reference::Rev(name.clone())),
    }
}

impl Place {
    /// A version, hidden where it cannot be had for a platform, or is outside of what the project limits the name to.
    fn limited(&self, candidate: Candidate) -> Candidate {
        let unfit = self.unfit.get(&candidate.version).map(|platform| Hidden::Platform { platform: *platform });
        let outside = self.limit.as_ref().filter(|limit| !limit.matches(&candidate.version));
        let limited = outside.map(|limit| Hidden::Limited { to: limit.clone() });
        Candidate { hidden: candidate.hidden.or(unfit).or(limited), ..candidate }
    }

    /// A source, and the requirements that are put to it.
    pub fn new(source: Source, requirements: &[Requirement], listed: Vec<Version>) -> Self {
        let exact = requirements.iter().find_map(|one| match &one.versions {
            Range::Exactly(version) => Some(version.clone()),
            Range::Any | Range::Req(_) => None,
        });
        Self { source, version: exact, listed, unfit: BTreeMap::new(), commit: None, limit: None }
    }
}
