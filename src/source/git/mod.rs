//! Git repositories: their tags, the commits that references stand for, and the files of a commit.
//!
//! Repositories elsewhere are fetched into [mirrors](mirror) below the cache, one commit at a time and without those
//! before it; what is there needs no network and opens no socket. Repositories on this machine are read where they are.
//! Files go from git's objects into the store without being checked out, see [`checkout`].
//!
//! A commit's id is a sha1, which says which commit is meant; the tree's own digest, which is pinned beside it, proves
//! what is in it. So whoever serves a repository can refuse it, but not change it.

mod address;
mod checkout;
mod credentials;
mod entries;
mod error;
mod fetch;
mod listing;
mod local;
mod mirror;
mod modules;
mod objects;
mod packet;
mod place;
mod program;
mod protocol;
mod reading;
mod refs;
mod revision;
mod session;
mod ssh;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use self::entries::{BadEntry, Kind as EntryKind, TreeEntry, read as read_entries};
pub use self::error::Error;
pub use self::listing::Listing;
pub use self::mirror::Submodule;
pub use self::packet::WireError;
pub use self::revision::{RevisionError, file_at, is_dirty};

use self::checkout::Problem;
use self::fetch::{Errand, each, of_reading};
use self::local::Local;
use self::mirror::Mirror;
use self::objects::Objects;
use self::place::Place;
use self::refs::Refs;
use self::session::Session;
use crate::digest::Commit;
use crate::download::Downloader;
use crate::progress::{Event, Progress};
use crate::source::{GitIndexError, GitIndexes, Mirrors};
use crate::tree::Tree;

/// What is wrong with the address of a submodule that leads to this machine.
const LOCAL: &str = "is one of this machine, in a repository that is not";

/// Whether a repository may name another: what comes from elsewhere does not say what of this machine is read.
fn may_lead_to(above: &Place, below: &Submodule) -> bool {
    let is_local = |url: &str| address::Address::parse(url).is_ok_and(|address| address.is_local());
    !is_local(&below.url) || is_local(&above.named)
}

/// How many submodules may lie in one another.
const DEEPEST: usize = 10;

/// How repositories are fetched and read.
#[derive(Clone, Copy, Debug)]
pub struct GitSettings {
    /// Fetch with the program `git` always, as cargo does with `net.git-fetch-with-cli`.
    pub with_program: bool,
    /// The most bytes that a commit's files may have, those of its submodules included.
    pub largest: u64,
}

impl Default for GitSettings {
    fn default() -> Self {
        Self { with_program: false, largest: 4 << 30 }
    }
}

/// What stands for a commit in a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// The default branch.
    Default,
    /// A branch.
    Branch(String),
    /// A tag.
    Tag(String),
    /// The id of a commit, the beginning of one, or any name.
    Rev(String),
}

impl Reference {
    /// The key of cargo's configuration that asks for it, and its value.
    pub fn key(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Default => None,
            Self::Branch(name) => Some(("branch", name)),
            Self::Tag(name) => Some(("tag", name)),
            Self::Rev(name) => Some(("rev", name)),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default branch"),
            Self::Branch(name) => write!(f, "branch `{name}`"),
            Self::Tag(name) => write!(f, "tag `{name}`"),
            Self::Rev(name) => write!(f, "revision `{name}`"),
        }
    }
}

/// A tag, and the commit that it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its name, without `refs/tags/`.
    pub name: String,
    /// The commit.
    pub commit: Commit,
}

/// A commit that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedCommit {
    /// What it is, for people.
    pub name: String,
    /// The address of its repository.
    pub url: String,
    /// Which it is.
    pub commit: Commit,
    /// The reference that it was found by, if there was one.
    pub reference: Option<Reference>,
}

/// A commit's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// All of them; they are in the store.
    pub tree: Tree,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
    /// The submodules in it, those of submodules included, by path.
    pub submodules: Vec<Submodule>,
}

/// Git repositories, each asked for its names at most once.
#[derive(Debug)]
pub struct Git<'a> {
    downloader: &'a Downloader,
    cache: PathBuf,
    mirrors: Mirrors,
    settings: GitSettings,
    /// The names that servers listed, by canonical addresses.
    listed: Mutex<BTreeMap<String, Arc<Refs>>>,
}

impl<'a> Git<'a> {
    /// Repositories that are fetched by `downloader` into mirrors below the directory `cache`.
    pub fn new(downloader: &'a Downloader, cache: &Path, mirrors: Mirrors, settings: GitSettings) -> Self {
        Self { downloader, cache: cache.to_owned(), mirrors, settings, listed: Mutex::default() }
    }

    /// Whether no server may be asked.
    pub fn is_offline(&self) -> bool {
        self.downloader.is_offline()
    }

    /// All tags of a repository, by name. Where the network may not be used, those that it had when it was last asked.
    pub fn tags(&self, url: &str) -> Result<Vec<Tag>, Error> {
        Ok(self.refs(&Place::of(url, &self.mirrors)?)?.tags())
    }

    /// The commit that a reference stands for. The whole id of a commit stands for it, whether it is there or not.
    pub fn resolve(&self, url: &str, reference: &Reference) -> Result<Commit, Error> {
        let reference = match reference {
            Reference::Rev(rev) if is_hex(rev) => Reference::Rev(rev.to_ascii_lowercase()),
            other => other.clone(),
        };
        if let Reference::Rev(rev) = &reference
            && let Ok(commit) = rev.parse()
        {
            return Ok(commit);
        }
        let place = Place::of(url, &self.mirrors)?;
        let found = self.refs(&place)?.find(&reference);
        match (found, &reference) {
            (Some(commit), _) => Ok(commit),
            (None, Reference::Rev(prefix)) if is_hex(prefix) => self.by_prefix(&place, prefix),
            (None, _) => Err(no_reference(&place, &reference)),
        }
    }

    /// Whether a commit is here with all its files, those of its submodules included, so that no network is needed.
    pub fn has(&self, url: &str, commit: &Commit) -> bool {
        self.has_to(url, commit, 0, &mut BTreeSet::new())
    }

    fn has_to(&self, url: &str, commit: &Commit, depth: usize, seen: &mut BTreeSet<(String, Commit)>) -> bool {
        let Ok(place) = Place::of(url, &self.mirrors) else { return false };
        if !seen.insert((place.key.clone(), *commit)) {
            return true;
        }
        let submodules = match place.address.is_local() {
            true => self.local_submodules(&place, commit).ok(),
            false => self.mirror(&place).whole(commit),
        };
        let mut has = |one: &Submodule| {
            depth < DEEPEST && may_lead_to(&place, one) && self.has_to(&one.url, &one.commit, depth + 1, seen)
        };
        submodules.is_some_and(|submodules| submodules.iter().all(&mut has))
    }

    /// Bring commits with their submodules into mirrors, several repositories at a time. Results stand in the order of
    /// what is wanted. What is here is not asked for; where the network may not be used, each error names all of what
    /// is not here.
    pub fn fetch(&self, wanted: &[WantedCommit], progress: &dyn Progress) -> Vec<Result<(), Error>> {
        let missing: Vec<_> = wanted.iter().map(|one| !self.has(&one.url, &one.commit)).collect();
        let names = wanted.iter().zip(&missing).filter(|(_, missing)| **missing);
        let mut names: Vec<_> = names.map(|(one, _)| format!("{} ({})", one.name, one.commit.short())).collect();
        names.dedup();
        if names.is_empty() {
            return wanted.iter().map(|_| Ok(())).collect();
        }
        let is_remote =
            |one: &WantedCommit| Place::of(&one.url, &self.mirrors).is_ok_and(|place| !place.address.is_local());
        let offline = self.downloader.is_offline();
        progress.tell(Event::Fetching { files: names.len(), bytes: None });
        let jobs: Vec<_> = wanted.iter().zip(missing).collect();
        let results = each(&jobs, |(one, missing)| match missing {
            true if offline && is_remote(one) => Err(Error::Offline { missing: names.clone() }),
            true => self.bring_with_submodules(one, 0, progress).inspect(|bytes| {
                progress.tell(Event::Fetched { name: &one.name, bytes: *bytes });
            }),
            false => Ok(0),
        });
        let (files, bytes) = (results.iter().flatten().count(), results.iter().flatten().sum());
        progress.tell(Event::FetchedAll { files, bytes });
        results.into_iter().map(|result| result.map(drop)).collect()
    }

    fn bring_with_submodules(
        &self,
        wanted: &WantedCommit,
        depth: usize,
        progress: &dyn Progress,
    ) -> Result<u64, Error> {
        let place = Place::of(&wanted.url, &self.mirrors)?;
        let reference = wanted.reference.as_ref();
        let errand = Errand { place: &place, commit: wanted.commit, reference };
        let (bytes, submodules) = if place.address.is_local() {
            let local = self.local_submodules(&place, &wanted.commit);
            let submodules = local.map_err(|error| match error {
                Error::Absent { .. } => self.refs(&place).map_or(error, |refs| fetch::vanished(&errand, &refs)),
                other => other,
            });
            (0, submodules.map_err(|error| place.explain(error))?)
        } else {
            let bytes = self.bring(&errand, progress).map_err(|error| place.explain(error))?;
            (bytes, self.mirror(&place).whole(&wanted.commit).unwrap_or_default())
        };
        let fetched = each(&submodules, |one| {
            self.bring_submodule(&place, one, depth + 1, progress).map_err(|source| {
                let (url, path) = (place.shown.clone(), one.path.clone());
                Error::Submodule { url, path, source: Box::new(source) }
            })
        });
        fetched.into_iter().try_fold(bytes, |all, one| Ok(all + one?))
    }

    fn bring_submodule(
        &self,
        above: &Place,
        one: &Submodule,
        depth: usize,
        progress: &dyn Progress,
    ) -> Result<u64, Error> {
        let refused = |what| Err(Error::Address { url: one.url.clone(), what });
        if depth > DEEPEST {
            return refused("is that of a submodule in too many others");
        }
        if !may_lead_to(above, one) {
            return refused(LOCAL);
        }
        if self.has_to(&one.url, &one.commit, depth, &mut BTreeSet::new()) {
            return Ok(0);
        }
        let (name, url) = (one.path.clone(), one.url.clone());
        let wanted = WantedCommit { name, url, commit: one.commit, reference: None };
        self.bring_with_submodules(&wanted, depth, progress)
    }

    /// The content of a file at a commit that is here, or nothing where there is no such file.
    pub fn file(&self, url: &str, commit: &Commit, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let place = Place::of(url, &self.mirrors)?;
        let objects = self.objects(&place, commit)?;
        let found = objects.commit(commit).and_then(|info| objects.file(info.tree, path));
        found.map_err(|error| place.explain(of_reading(error, &place.asked, commit)))
    }

    fn mirror(&self, place: &Place) -> Mirror {
        Mirror::of(&self.cache, &place.key)
    }

    fn objects(&self, place: &Place, commit: &Commit) -> Result<Objects, Error> {
        let failed = |source| place.explain(Error::Repository { url: place.asked.clone(), source });
        if let address::Address::Local(path) = &place.address {
            return Local::open(path).and_then(|local| local.objects()).map_err(failed);
        }
        let mirror = self.mirror(place);
        if !mirror.exists() {
            return Err(place.explain(Error::Absent { url: place.asked.clone(), commit: *commit }));
        }
        mirror.objects().map_err(failed)
    }

    fn local_submodules(&self, place: &Place, commit: &Commit) -> Result<Vec<Submodule>, Error> {
        let objects = self.objects(place, commit)?;
        let read = || checkout::submodules(&objects, &objects.leaves(objects.commit(commit)?.tree)?, &place.named);
        read().map_err(|error| of_reading(error, &place.asked, commit))
    }

    /// The names of a repository.
    fn refs(&self, place: &Place) -> Result<Arc<Refs>, Error> {
        let listed = || self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(refs) = listed().get(&place.key) {
            return Ok(Arc::clone(refs));
        }
        let refs = Arc::new(self.ask_for_refs(place).map_err(|error| place.explain(error))?);
        listed().insert(place.key.clone(), Arc::clone(&refs));
        Ok(refs)
    }

    fn ask_for_refs(&self, place: &Place) -> Result<Refs, Error> {
        if let address::Address::Local(path) = &place.address {
            let refs = Local::open(path).and_then(|local| local.refs());
            return refs.map_err(|source| Error::Repository { url: place.asked.clone(), source });
        }
        let mirror = self.mirror(place);
        if self.downloader.is_offline() {
            return mirror.listed().ok_or_else(|| Error::Offline { missing: vec![place.shown.clone()] });
        }
        let refs = match self.settings.with_program {
            true => program::list(&place.url, &place.asked)?,
            false => match self.list(place) {
                Err(Error::Talk { source: WireError::Unsupported(_), .. }) if program::is_there() => {
                    program::list(&place.url, &place.asked)?
                }
                listed => listed?,
            },
        };
        // It is for work without a network, and nothing else needs it.
        let _ = mirror.list(&refs);
        Ok(refs)
    }

    fn list(&self, place: &Place) -> Result<Refs, Error> {
        let mut session = Session::open(self.downloader, &place.address, &place.asked)?;
        let refs = session.refs()?;
        session.end();
        Ok(refs)
    }

    /// The commit whose id begins so: among those that names stand for, among those that are here, among all.
    fn by_prefix(&self, place: &Place, prefix: &str) -> Result<Commit, Error> {
        let ambiguous = || Error::Ambiguous { url: place.asked.clone(), prefix: prefix.to_owned() };
        match self.refs(place)?.beginning(prefix)[..] {
            [only] => return Ok(only),
            [_, _, ..] => return Err(ambiguous()),
            [] => {}
        }
        let among = || {
            self.objects(place, &Commit::from([0; 20]))?.beginning(prefix).map_err(|error| match error.code() {
                git2::ErrorCode::Ambiguous => ambiguous(),
                _ => no_reference(place, &Reference::Rev(prefix.to_owned())),
            })
        };
        let here = among();
        if here.is_ok() || place.address.is_local() || self.downloader.is_offline() {
            return here;
        }
        self.bring_all(place, &crate::progress::Silent).map_err(|error| place.explain(error))?;
        among()
    }
}

impl GitIndexes for Git<'_> {
    fn newest(&self, url: &str) -> Result<String, GitIndexError> {
        let commit = self.resolve(url, &Reference::Default)?;
        let name = place::shown(url);
        let wanted = WantedCommit { name, url: url.to_owned(), commit, reference: Some(Reference::Default) };
        self.fetch(&[wanted], &crate::progress::Silent).remove(0)?;
        Ok(commit.to_string())
    }

    fn file(&self, url: &str, commit: &str, path: &str) -> Result<Option<Vec<u8>>, GitIndexError> {
        let commit = commit.parse().map_err(|error| GitIndexError::Failed(Box::new(error)))?;
        Ok(Git::file(self, url, &commit, path)?)
    }
}

impl From<Error> for GitIndexError {
    fn from(error: Error) -> Self {
        match error {
            Error::Offline { .. } => Self::Offline,
            error => Self::Failed(Box::new(error)),
        }
    }
}

/// The beginning of an id, long enough that git takes it for one.
fn is_hex(text: &str) -> bool {
    (4..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn no_reference(place: &Place, reference: &Reference) -> Error {
    let what = match reference {
        Reference::Default => "commit on its default branch".to_owned(),
        named => named.to_string(),
    };
    place.explain(Error::NoReference { url: place.asked.clone(), what })
}

fn of_problem(problem: Problem, shown: &str, commit: &Commit) -> Error {
    let (url, commit) = (shown.to_owned(), *commit);
    match problem {
        Problem::Read(error) => of_reading(error, shown, &commit),
        Problem::Lfs(path) => Error::Lfs { url, commit, path },
        Problem::TooLarge => Error::TooLarge { url, commit, what: "more bytes than there may be" },
        Problem::Store(error) => error.into(),
    }
}
