//! Bringing archives into the store, from the addresses that a project names.
//!
//! Over https, or from a `file:` address; over http only with a digest, since anyone on the way could send something
//! else. A mirror takes the place of an address: where it fails, or serves something else, that is an error, and the
//! address itself is not asked.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Mirrors;
use crate::digest::{BlobDigest, Hasher};
use crate::disk;
use crate::download::error::shown;
use crate::download::{self, Authorization, Downloader, FetchedFile, FileRequest};
use crate::progress::{Event, Progress};
use crate::store::{self, Store};

/// The largest archive, in bytes.
const LARGEST: u64 = 4 << 30;

/// An archive that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What it is, for people: `geoip 2026.1`.
    pub name: String,
    /// Where it is, without placeholders.
    pub url: String,
    /// What it has to be, where that is known.
    pub sha256: Option<BlobDigest>,
}

/// Archives could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The network may not be used, and these are not here.
    #[error("the network is needed, and may not be used: {}", missing.join(", "))]
    Offline { missing: Vec<String> },
    /// Nothing could be asked for.
    #[error(transparent)]
    Download(#[from] download::Error),
    /// Some could not be had.
    #[error("could not fetch {}", names_of(failures))]
    Failed { failures: Vec<WantedFailure> },
    /// The store could not take something in.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What went wrong with one archive.
#[derive(Debug)]
pub struct WantedFailure {
    /// The archive.
    pub name: String,
    /// Why.
    pub error: WantedFailureKind,
}

/// Why one archive could not be had. Addresses stand in it without credentials and query.
#[derive(Debug, thiserror::Error)]
pub enum WantedFailureKind {
    /// No address.
    #[error("`{url}` is not an address")]
    Address { url: String },
    /// An address of a kind that nothing is fetched from.
    #[error(
        "`{url}` begins with `{scheme}:`; archives come from `https:`, from `file:`, and with a sha256 from `http:`"
    )]
    Scheme { url: String, scheme: String },
    /// Anyone on the way could send something else.
    #[error("`{url}` is not safe without a sha256: anyone on the way can change what comes over http")]
    Plain { url: String },
    /// A secret that would be in everyone's manifest.
    #[error(
        "`{url}` is given with a user or a password, which do not belong into a manifest; a `.netrc` file is for them"
    )]
    Credentials { url: String },
    /// It did not arrive, or not as it was pinned.
    #[error(transparent)]
    Download(#[from] download::Error),
    /// A mirror did not give it, or not as it was pinned.
    #[error("`{url}` is fetched from its mirror `{mirror}`, and from nowhere else")]
    Mirror { url: String, mirror: String, source: Box<Self> },
    /// A file has something else.
    #[error("`{}` is not what was pinned: expected {expected}, received {received}", path.display())]
    Digest { path: PathBuf, expected: BlobDigest, received: BlobDigest },
    /// A directory, or a pipe or device, which might never end.
    #[error("`{}` is no file", path.display())]
    NoFile { path: PathBuf },
    /// A file that is too large.
    #[error("`{}` is larger than the {LARGEST} bytes that it may have", path.display())]
    TooLarge { path: PathBuf },
    /// A file could not be read.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The store could not take it in.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl WantedFailureKind {
    /// Whether something arrived that is not what was pinned.
    pub fn is_other_content(&self) -> bool {
        match self {
            Self::Digest { .. } | Self::Download(download::Error::Digest { .. }) => true,
            Self::Mirror { source, .. } => source.is_other_content(),
            _ => false,
        }
    }
}

impl Error {
    /// The failures one by one, for people, with their causes; each with its name where there are several.
    pub fn facts(&self) -> Vec<String> {
        let Self::Failed { failures } = self else { return Vec::new() };
        let whole = |failure: &WantedFailure| {
            let causes = std::iter::successors(Some(&failure.error as &dyn std::error::Error), |error| error.source());
            let texts: Vec<_> = causes.map(ToString::to_string).collect();
            if failures.len() == 1 { texts.join(": ") } else { format!("{}: {}", failure.name, texts.join(": ")) }
        };
        failures.iter().map(whole).collect()
    }
}

fn names_of(failures: &[WantedFailure]) -> String {
    failures.iter().map(|failure| format!("`{}`", failure.name)).collect::<Vec<_>>().join(", ")
}

/// Where the bytes of one archive come from.
enum Place {
    Web(String),
    File(PathBuf),
}

/// Fetches archives.
#[derive(Debug)]
pub struct Archives<'a> {
    downloader: &'a Downloader,
    mirrors: &'a Mirrors,
    /// What came of addresses that nobody knew a digest for: each is asked once, so that all see the same.
    taken: Mutex<BTreeMap<String, BlobDigest>>,
}

impl<'a> Archives<'a> {
    /// Through this door, and from these mirrors where they have what is wanted.
    pub fn new(downloader: &'a Downloader, mirrors: &'a Mirrors) -> Self {
        Self { downloader, mirrors, taken: Mutex::default() }
    }

    /// Bring archives into the store, in parallel, and give their digests in order. What is known by its digest and is
    /// there is not fetched. All failures are reported together; what had arrived is kept.
    pub fn fetch(&self, wanted: &[Wanted], store: &Store, progress: &dyn Progress) -> Result<Vec<BlobDigest>, Error> {
        // One for each address and digest, whoever wants it.
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let is_here = |one: &&Wanted| match one.sha256 {
            Some(digest) => store.has_blob(digest),
            None => taken.get(&one.url).is_some_and(|digest| store.has_blob(*digest)),
        };
        let mut missing: BTreeMap<_, &Wanted> = BTreeMap::new();
        for one in wanted.iter().filter(|one| !is_here(one)) {
            missing.entry((one.url.as_str(), one.sha256)).or_insert(one);
        }
        let missing: Vec<&Wanted> = missing.into_values().collect();
        let fetched = self.fetch_missing(&missing, store, progress)?;
        let unknown = missing.iter().zip(fetched).filter(|(one, _)| one.sha256.is_none());
        taken.extend(unknown.map(|(one, digest)| (one.url.clone(), digest)));
        Ok(wanted.iter().map(|one| one.sha256.unwrap_or_else(|| taken[&one.url])).collect())
    }

    fn fetch_missing(
        &self,
        missing: &[&Wanted],
        store: &Store,
        progress: &dyn Progress,
    ) -> Result<Vec<BlobDigest>, Error> {
        let places: Vec<_> = missing.iter().map(|one| self.place(one)).collect();
        let (mut requests, into) = (Vec::new(), store.temporary_directory()?);
        for (one, place) in missing.iter().zip(&places) {
            if let Ok(Place::Web(url)) = place {
                requests.push(request(one, url, &into));
            }
        }
        if self.downloader.is_offline() && !requests.is_empty() {
            return Err(Error::Offline { missing: requests.into_iter().map(|request| request.name).collect() });
        }
        let adopt = |fetched: FetchedFile| store.adopt(fetched.file, fetched.digest).map(|()| fetched.digest);
        let mut downloaded = self.downloader.fetch_files(&requests, progress, adopt)?.into_iter();
        let mut copied = copy_all(missing, &places, store, progress).into_iter();
        let (mut digests, mut failures) = (Vec::new(), Vec::new());
        for (one, place) in missing.iter().zip(places) {
            let result = match place {
                Err(error) => Err(error),
                Ok(Place::File(_)) => copied.next().expect("there is a result for each file"),
                Ok(Place::Web(_)) => {
                    let result = downloaded.next().expect("there is a result for each request");
                    result.map_err(WantedFailureKind::from).and_then(|kept| Ok(kept?))
                }
            };
            match result {
                Ok(digest) => digests.push(digest),
                Err(error) => failures.push(WantedFailure { name: one.name.clone(), error: self.mirrored(one, error) }),
            }
        }
        if failures.is_empty() { Ok(digests) } else { Err(Error::Failed { failures }) }
    }

    /// Where to get it, if it may be got from there at all.
    fn place(&self, one: &Wanted) -> Result<Place, WantedFailureKind> {
        let asked = checked(&one.url)?;
        let mirrored = self.mirrors.rewrite(&one.url);
        let url = if mirrored == one.url { asked } else { checked(&mirrored)? };
        match url.scheme() {
            "https" => Ok(Place::Web(url.into())),
            "http" if one.sha256.is_some() => Ok(Place::Web(url.into())),
            "http" => Err(WantedFailureKind::Plain { url: shown(url.as_str()) }),
            "file" => {
                let path = url.to_file_path();
                path.map(Place::File).map_err(|()| WantedFailureKind::Address { url: shown(url.as_str()) })
            }
            scheme => Err(WantedFailureKind::Scheme { url: shown(url.as_str()), scheme: scheme.to_owned() }),
        }
    }

    /// The error, with both addresses if there are two.
    fn mirrored(&self, one: &Wanted, error: WantedFailureKind) -> WantedFailureKind {
        match self.mirrors.rewrite(&one.url) {
            mirror if mirror == one.url => error,
            mirror => {
                WantedFailureKind::Mirror { url: shown(&one.url), mirror: shown(&mirror), source: Box::new(error) }
            }
        }
    }
}

/// An address without secrets.
fn checked(url: &str) -> Result<url::Url, WantedFailureKind> {
    let Ok(parsed) = url::Url::parse(url) else {
        // What no one can read may still hold a secret.
        let url = if url.contains('@') { shown(url) } else { url.to_owned() };
        return Err(WantedFailureKind::Address { url });
    };
    match parsed.username().is_empty() && parsed.password().is_none() {
        true => Ok(parsed),
        false => Err(WantedFailureKind::Credentials { url: shown(url) }),
    }
}

fn request(one: &Wanted, url: &str, into: &Path) -> FileRequest {
    FileRequest {
        authorization: Authorization::Netrc,
        name: one.name.clone(),
        url: url.to_owned(),
        into: into.to_owned(),
        expected: one.sha256,
        max_size: LARGEST,
    }
}

/// Copy what are files into the store.
fn copy_all(
    wanted: &[&Wanted],
    places: &[Result<Place, WantedFailureKind>],
    store: &Store,
    progress: &dyn Progress,
) -> Vec<Result<BlobDigest, WantedFailureKind>> {
    let files: Vec<_> = wanted
        .iter()
        .zip(places)
        .filter_map(|(one, place)| if let Ok(Place::File(path)) = place { Some((one, path)) } else { None })
        .collect();
    if files.is_empty() {
        return Vec::new();
    }
    progress.tell(Event::Fetching { files: files.len(), bytes: None });
    let (mut results, mut complete, mut all) = (Vec::new(), 0, 0);
    for (one, path) in files {
        let copied = copy(one, path, store);
        if let Ok((_, bytes)) = copied {
            progress.tell(Event::Fetched { name: &one.name, bytes });
            (complete, all) = (complete + 1, all + bytes);
        }
        results.push(copied.map(|(digest, _)| digest));
    }
    progress.tell(Event::FetchedAll { files: complete, bytes: all });
    results
}

/// Copy a file into the store, hashing it on the way: its digest and how many bytes it has.
fn copy(one: &Wanted, path: &Path, store: &Store) -> Result<(BlobDigest, u64), WantedFailureKind> {
    if disk::exists(path) && !disk::is_file(path) {
        return Err(WantedFailureKind::NoFile { path: path.to_owned() });
    }
    let mut from = disk::open(path)?;
    let mut to = disk::temporary_in(&store.temporary_directory()?)?;
    let (mut hasher, mut size, mut buffer) = (Hasher::default(), 0, vec![0; 256 << 10]);
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(disk::Error::new("read", path, error).into()),
        };
        hasher.update(&buffer[..count]);
        to.write_all(&buffer[..count]).map_err(|error| disk::Error::new("write", store.root(), error))?;
        size += count as u64;
        if size > LARGEST {
            return Err(WantedFailureKind::TooLarge { path: path.to_owned() });
        }
    }
    let received = hasher.finish();
    if let Some(expected) = one.sha256.filter(|expected| *expected != received) {
        return Err(WantedFailureKind::Digest { path: path.to_owned(), expected, received });
    }
    store.adopt(to, received)?;
    Ok((received, size))
}
