//! What a registry offers: the versions of crates, and their archives.

mod login;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tame_index::index::IndexConfig;

use super::credentials::{self, Credentials};
use super::git_index::{GitIndexError, GitIndexes, NoGit};
use super::index::{self, CrateVersion};
use super::index_cache::{self, IndexCache, Kept};
use super::registry::{CargoConfig, Registry};
use crate::digest::BlobDigest;
use crate::disk;
use crate::download::{self, Authorization, Downloader, FetchedFile, FileRequest, Secret, TextReply, TextRequest};
use crate::package::PackageName;
use crate::progress::{Event, Progress};
use crate::store::{self, Store};

/// The largest archive. The largest that crates.io takes is far below it.
const LARGEST_ARCHIVE: u64 = 1 << 30;

/// What messages call the registry that needs no name.
pub(super) const CRATES_IO: &str = "crates.io";

/// How many letters of a name may be wrong for us to guess it.
const NEAR: usize = 2;

/// The versions of a crate, oldest first as they were published, or none where there is no such crate.
pub type Versions = Option<Arc<Vec<CrateVersion>>>;

/// A file of a sparse index that is wanted: its name, its address, and where its copy is.
type Wanted<'n> = (&'n str, String, PathBuf);

/// An archive that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// Name of the crate.
    pub name: String,
    /// Its version, as the registry writes it.
    pub version: String,
    /// Digest of the archive.
    pub checksum: BlobDigest,
}

impl Archive {
    /// What it is, for people.
    pub fn label(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// The registry did not give what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The network may not be used, and these are not here.
    #[error("the network is needed, and may not be used: {}", missing.join(", "))]
    Offline { missing: Vec<String> },
    /// Nothing could be asked for.
    #[error(transparent)]
    Download(#[from] download::Error),
    /// The index did not answer for some crates.
    #[error("could not ask the registry about {}", names_of(failures))]
    Index { failures: Vec<Failure> },
    /// Some archives could not be had.
    #[error("could not fetch {}", names_of(failures))]
    Archives { failures: Vec<Failure> },
    /// The index does not say where archives are.
    #[error("the registry's index `{index}` has no `config.json` that can be used")]
    Config { index: String },
    /// The registry wants to know who asks, and nobody knows what to say.
    #[error("{registry} wants its users to log in, and cargo knows no token for it")]
    Login { registry: String, name: Option<String> },
    /// The registry knows who asks, and refuses.
    #[error("{registry} refused the token")]
    Refused { registry: String, name: Option<String> },
    /// A token could not be asked for.
    #[error(transparent)]
    Credentials(#[from] credentials::Error),
    /// The index is a git repository that cannot be read.
    #[error("could not read the git index of {registry}")]
    Git { registry: String, source: GitIndexError },
    /// The copies of the index could not be touched.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The store could not take something in.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What went wrong with one crate.
#[derive(Debug)]
pub struct Failure {
    /// The crate, with its version if one was asked for.
    pub name: String,
    /// Why.
    pub error: FailureKind,
}

/// Why one crate could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FailureKind {
    /// It did not arrive, or not as it was pinned.
    #[error(transparent)]
    Download(#[from] download::Error),
    /// A local registry does not have it.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// A local registry has something else.
    #[error("`{}` is not what was pinned: expected {expected}, received {received}", path.display())]
    Digest { path: PathBuf, expected: BlobDigest, received: BlobDigest },
    /// The store could not take it in.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    /// The failures one by one, for people, with their causes; each with its name where there are several.
    pub fn facts(&self) -> Vec<String> {
        let (Self::Index { failures } | Self::Archives { failures }) = self else { return Vec::new() };
        let whole = |failure: &Failure| {
            let causes = std::iter::successors(Some(&failure.error as &dyn std::error::Error), |error| error.source());
            let texts: Vec<_> = causes.map(ToString::to_string).collect();
            if failures.len() == 1 { texts.join(": ") } else { format!("{}: {}", failure.name, texts.join(": ")) }
        };
        failures.iter().map(whole).collect()
    }
}

fn names_of(failures: &[Failure]) -> String {
    failures.iter().map(|failure| failure.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// A registry, asked about each crate at most once.
#[derive(Debug)]
pub struct Crates<'a> {
    known_as: KnownAs,
    registry: Registry,
    downloader: &'a Downloader,
    git: &'a dyn GitIndexes,
    credentials: Credentials,
    cache: IndexCache,
    /// What the index says of itself, once it was asked.
    config: OnceLock<IndexConfig>,
    /// What the registry wants to hear from its users, once it wanted to.
    token: OnceLock<Secret>,
    /// The commit of a git index that answers.
    commit: OnceLock<String>,
    /// The lines of the crates that were asked about, by name in lower case; none where there is no such crate.
    lines: Mutex<BTreeMap<String, Option<Arc<Vec<u8>>>>>,
    versions: Mutex<BTreeMap<PackageName, Versions>>,
}

/// What a registry is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KnownAs {
    /// In messages: `crates.io`, "registry `company`".
    pub(super) title: String,
    /// In cargo's configuration, if it has a name there; crates.io has none.
    pub(super) name: Option<String>,
}

impl<'a> Crates<'a> {
    /// crates.io, or what the configuration names in its place, with copies of its index below `cache`.
    pub fn new(config: &CargoConfig, downloader: &'a Downloader, cache: &Path) -> Self {
        Self::in_place_of_crates_io(config, downloader, &NoGit, cache)
    }

    pub(super) fn in_place_of_crates_io(
        config: &CargoConfig,
        downloader: &'a Downloader,
        git: &'a dyn GitIndexes,
        cache: &Path,
    ) -> Self {
        let name = if config.registry.is_crates_io() { None } else { config.sources.name_of(&config.registry) };
        let known_as = KnownAs { title: CRATES_IO.to_owned(), name: name.map(str::to_owned) };
        Self::open(known_as, config.registry.clone(), config, downloader, git, cache)
    }

    pub(super) fn open(
        known_as: KnownAs,
        registry: Registry,
        config: &CargoConfig,
        downloader: &'a Downloader,
        git: &'a dyn GitIndexes,
        cache: &Path,
    ) -> Self {
        let address = match &registry {
            Registry::Sparse { index } => index.clone(),
            other => other.address(),
        };
        Self {
            known_as,
            registry,
            downloader,
            git,
            credentials: config.credentials.clone(),
            cache: IndexCache::new(cache, &address),
            config: OnceLock::new(),
            token: OnceLock::new(),
            commit: OnceLock::new(),
            lines: Mutex::default(),
            versions: Mutex::default(),
        }
    }

    /// What messages call it: `crates.io`, "registry `company`".
    pub fn title(&self) -> &str {
        &self.known_as.title
    }

    /// The versions of many crates. Offline they come from the copies, and what has none is listed in one error.
    pub fn versions(&self, names: &[PackageName]) -> Result<BTreeMap<PackageName, Versions>, Error> {
        let texts: BTreeSet<String> = names.iter().map(|name| name.as_str().to_ascii_lowercase()).collect();
        self.learn(&texts)?;
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answer = BTreeMap::new();
        for name in names {
            let versions = known.entry(name.clone()).or_insert_with(|| {
                let lines = lines.get(&name.as_str().to_ascii_lowercase())?.as_ref()?;
                index::versions(lines, name.as_str()).map(Arc::new)
            });
            answer.insert(name.clone(), versions.clone());
        }
        Ok(answer)
    }

    /// Names like this one that exist: with `-` and `_` exchanged or two neighbours swapped, as the index says, and any
    /// that we happen to have a copy of. It only guesses, so what cannot be asked is left out.
    pub fn similar(&self, name: &PackageName) -> Vec<String> {
        let lower = name.as_str().to_ascii_lowercase();
        let variants = &separator_variants(&lower) | &neighbours_swapped(&lower);
        // Offline, or where the index does not answer, the copies have to do.
        let _ = self.learn(&variants);
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut similar: BTreeSet<String> = variants
            .iter()
            .filter_map(|variant| lines.get(variant)?.as_ref())
            .flat_map(|lines| index::names(lines))
            .collect();
        let near =
            |other: &String| strsim::damerau_levenshtein(other, name.as_str()) <= NEAR.min(name.as_str().len() / 3);
        similar.extend(self.cache.crate_names().into_iter().filter(near));
        similar.remove(name.as_str());
        similar.into_iter().collect()
    }

    /// Know the lines of these crates.
    fn learn(&self, names: &BTreeSet<String>) -> Result<(), Error> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown: Vec<&String> = names.iter().filter(|name| !lines.contains_key(*name)).collect();
        match &self.registry {
            Registry::Local { directory } => {
                for name in unknown {
                    let found = disk::read_if_exists(&directory.join("index").join(index::path_of(name)))?;
                    lines.insert(name.clone(), found.map(Arc::new));
                }
            }
            Registry::Sparse { index } => {
                let wanted: Vec<Wanted<'_>> = unknown
                    .iter()
                    .map(|name| {
                        (name.as_str(), format!("{index}{}", index::path_of(name)), self.cache.crate_file(name))
                    })
                    .collect();
                if !wanted.is_empty() {
                    self.greet()?;
                }
                let answers = self.with_login(|token| self.current(&wanted, token))?;
                lines.extend(unknown.into_iter().cloned().zip(answers.into_iter().map(|answer| answer.map(Arc::new))));
            }
            Registry::Git { url } => {
                let names = || unknown.iter().map(|name| (*name).clone()).collect();
                for name in &unknown {
                    let found = self.in_git(url, &index::path_of(name), names)?;
                    lines.insert((*name).clone(), found.map(Arc::new));
                }
            }
        }
        Ok(())
    }

    /// A file of a git index, as it is at one commit for the whole of this run; `wanted` is what is missing offline.
    fn in_git(&self, url: &str, path: &str, wanted: impl Fn() -> Vec<String>) -> Result<Option<Vec<u8>>, Error> {
        let broken = |source| match source {
            GitIndexError::Offline => Error::Offline { missing: wanted() },
            source => Error::Git { registry: self.known_as.title.clone(), source },
        };
        let commit = match self.commit.get() {
            Some(commit) => commit,
            None => {
                let newest = self.git.newest(url).map_err(broken)?;
                self.commit.get_or_init(|| newest)
            }
        };
        self.git.file(url, commit, path).map_err(broken)
    }

    /// Files of a sparse index as they are now, or offline as they were. Each is wanted under a name, from an
    /// address, with a copy at a path.
    fn current(&self, wanted: &[Wanted<'_>], token: Option<&Secret>) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let copies = wanted.iter().map(|(_, _, path)| index_cache::read(path)).collect::<Result<Vec<_>, _>>()?;
        if self.downloader.is_offline() {
            return offline(wanted, copies);
        }
        let revision = |copy: &Option<Kept>| copy.as_ref().and_then(|copy| copy.revision.clone());
        let requests: Vec<_> = wanted
            .iter()
            .zip(&copies)
            .map(|((_, url, _), copy)| TextRequest {
                url: url.clone(),
                revision: revision(copy),
                authorization: authorization(token),
            })
            .collect();
        let replies = self.downloader.fetch_texts(&requests)?;
        self.check_welcome(replies.iter().filter_map(|reply| reply.as_ref().err()), token)?;
        let (mut answers, mut failures) = (Vec::new(), Vec::new());
        for (((name, url, path), copy), reply) in wanted.iter().zip(copies).zip(replies) {
            match reply {
                Ok(TextReply::Unchanged) => answers.push(copy.map(|copy| copy.bytes)),
                Ok(TextReply::Missing) => {
                    disk::remove_file(path)?;
                    answers.push(None);
                }
                Ok(TextReply::Body { bytes, .. }) if !index::is_text_of_one(name, &bytes) => {
                    let (url, what) = (download::shown(url), "something that is no index of crates");
                    failures.push(Failure {
                        name: format!("`{name}`"),
                        error: download::Error::Malformed { url, what }.into(),
                    });
                }
                Ok(TextReply::Body { bytes, revision }) => {
                    let new = Kept { revision, bytes };
                    if copy.as_ref() != Some(&new) {
                        index_cache::write(path, &new)?;
                    }
                    answers.push(Some(new.bytes));
                }
                Err(error) => failures.push(Failure { name: format!("`{name}`"), error: error.into() }),
            }
        }
        if failures.is_empty() { Ok(answers) } else { Err(Error::Index { failures }) }
    }

    /// Bring archives into the store, in parallel. What is there is not fetched; all failures are reported together.
    pub fn fetch(&self, wanted: &[Archive], store: &Store, progress: &dyn Progress) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        let missing: Vec<&Archive> =
            wanted.iter().filter(|one| seen.insert(one.checksum) && !store.has_blob(one.checksum)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let results = match &self.registry {
            Registry::Local { directory } => copy_all(&missing, directory, store, progress)?,
            Registry::Sparse { .. } | Registry::Git { .. } => self.download_all(&missing, store, progress)?,
        };
        let failed = missing.iter().zip(results).filter_map(|(archive, result)| Some((archive, result.err()?)));
        let failures: Vec<_> =
            failed.map(|(archive, error)| Failure { name: format!("`{}`", archive.label()), error }).collect();
        if failures.is_empty() { Ok(()) } else { Err(Error::Archives { failures }) }
    }

    fn download_all(
        &self,
        missing: &[&Archive],
        store: &Store,
        progress: &dyn Progress,
    ) -> Result<Vec<Result<(), FailureKind>>, Error> {
        if self.downloader.is_offline() {
            return Err(Error::Offline { missing: missing.iter().map(|archive| archive.label()).collect() });
        }
        let (config, into) = (self.config()?, store.temporary_directory()?);
        let token = if config.auth_required { Some(self.login()?) } else { None };
        let request = |archive: &&Archive| FileRequest {
            name: archive.label(),
            url: index::download_url(&config.dl, &archive.name, &archive.version, archive.checksum),
            into: into.clone(),
            expected: Some(archive.checksum),
            max_size: LARGEST_ARCHIVE,
            authorization: authorization(token),
        };
        let requests: Vec<_> = missing.iter().map(request).collect();
        let adopt = |fetched: FetchedFile| store.adopt(fetched.file, fetched.digest);
        let results = self.downloader.fetch_files(&requests, progress, adopt)?;
        self.check_welcome(results.iter().filter_map(|result| result.as_ref().err()), token)?;
        Ok(results.into_iter().map(|result| Ok(result??)).collect())
    }
}

fn authorization(token: Option<&Secret>) -> Authorization {
    token.map_or(Authorization::Nobody, |token| Authorization::Token(token.clone()))
}

/// The copies, if all of them are there.
fn offline(wanted: &[Wanted<'_>], copies: Vec<Option<Kept>>) -> Result<Vec<Option<Vec<u8>>>, Error> {
    let without = wanted.iter().zip(&copies).filter(|(_, copy)| copy.is_none());
    let missing: Vec<_> = without.map(|((name, _, _), _)| (*name).to_owned()).collect();
    if !missing.is_empty() {
        return Err(Error::Offline { missing });
    }
    Ok(copies.into_iter().map(|copy| copy.map(|copy| copy.bytes)).collect())
}

/// Bring archives from a local registry into the store.
fn copy_all(
    wanted: &[&Archive],
    directory: &Path,
    store: &Store,
    progress: &dyn Progress,
) -> Result<Vec<Result<(), FailureKind>>, Error> {
    let into = store.temporary_directory()?;
    progress.tell(Event::Fetching { files: wanted.len(), bytes: None });
    let copied: Vec<_> = wanted.iter().map(|archive| copy(archive, directory, &into, store)).collect();
    for (archive, bytes) in
        wanted.iter().zip(&copied).filter_map(|(archive, copied)| Some((archive, *copied.as_ref().ok()?)))
    {
        progress.tell(Event::Fetched { name: &archive.label(), bytes });
    }
    let complete = || copied.iter().filter_map(|copied| copied.as_ref().ok());
    progress.tell(Event::FetchedAll { files: complete().count(), bytes: complete().sum() });
    Ok(copied.into_iter().map(|copied| copied.map(|_| ())).collect())
}

fn copy(archive: &Archive, directory: &Path, into: &Path, store: &Store) -> Result<u64, FailureKind> {
    let path = directory.join(format!("{}-{}.crate", archive.name, archive.version));
    let mut bytes = Vec::new();
    disk::open(&path)?.read_to_end(&mut bytes).map_err(|error| disk::Error::new("read", &path, error))?;
    let (expected, received) = (archive.checksum, BlobDigest::of(&bytes));
    if received != expected {
        return Err(FailureKind::Digest { path, expected, received });
    }
    let mut file = disk::temporary_in(into)?;
    file.write_all(&bytes).map_err(|error| disk::Error::new("write", into, error))?;
    store.adopt(file, received)?;
    Ok(bytes.len() as u64)
}

/// The name with each two letters next to each other exchanged, which is how fingers mistype most.
fn neighbours_swapped(name: &str) -> BTreeSet<String> {
    let letters: Vec<char> = name.chars().collect();
    let swapped = |at: usize| {
        let mut letters = letters.clone();
        letters.swap(at, at + 1);
        letters.into_iter().collect()
    };
    (0..letters.len().saturating_sub(1)).map(swapped).collect()
}

/// The name with each of its `-` and `_` being either, itself included. A registry has only one of them.
fn separator_variants(name: &str) -> BTreeSet<String> {
    /// Names with more separators than this exist, but nobody guesses at all of them.
    const MOST: usize = 4;
    let mut variants = vec![String::new()];
    for (number, part) in name.split(['-', '_']).enumerate() {
        let separators: &[&str] = match number {
            0 => &[""],
            1..=MOST => &["-", "_"],
            _ => &["-"],
        };
        variants = variants
            .iter()
            .flat_map(|start| separators.iter().map(move |between| format!("{start}{between}{part}")))
            .collect();
    }
    variants.into_iter().chain([name.to_owned()]).collect()
}
