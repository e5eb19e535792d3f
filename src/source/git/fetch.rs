//! Bringing commits into mirrors.
//!
//! A commit is asked for by its id and alone, without those before it. Where a server does not give it so, the name that
//! it was found under is asked for, then all that this name leads to, then all names. A commit that is then still not
//! there has vanished.

use std::sync::{Mutex, PoisonError};

use super::checkout;
use super::error::Error;
use super::mirror::{Mirror, TakeError};
use super::objects::{Objects, ReadError, oid_of};
use super::packet::{Pack, WireError};
use super::place::Place;
use super::protocol::{Greeting, Wish};
use super::refs::Refs;
use super::session::Session;
use super::{Git, Reference, program};
use crate::digest::Commit;
use crate::progress::{Event, Progress};

/// How often a transfer that broke is begun again.
const ATTEMPTS: usize = 3;

/// How many repositories are asked at one time.
const AT_ONCE: usize = 8;

/// A commit for a mirror.
pub(super) struct Errand<'e> {
    pub(super) place: &'e Place,
    pub(super) commit: Commit,
    pub(super) reference: Option<&'e Reference>,
}

/// Do something for each, some at a time; what came of it in their order.
pub(super) fn each<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if let [only] = all {
        return vec![work(only)];
    }
    let (next, results) = (Mutex::new(0..all.len()), Mutex::new(Vec::new()));
    let take = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(all.len()) {
            scope.spawn(|| {
                while let Some(number) = take() {
                    let result = work(&all[number]);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

impl Git<'_> {
    /// Bring a commit into its mirror, unless it is there; how many bytes that took.
    pub(super) fn bring(&self, errand: &Errand<'_>, progress: &dyn Progress) -> Result<u64, Error> {
        let (mirror, asked) = (self.mirror(errand.place), &errand.place.asked);
        let _held = mirror.hold(asked, progress)?;
        if mirror.whole(&errand.commit).is_some() {
            return Ok(0);
        }
        let bytes = match self.bring_into(&mirror, errand, progress) {
            // What it lacks is told to the server as being here, so it has to be made anew.
            Err(error) if !is_sound(&mirror) => {
                progress.tell(Event::Detail(&format!("the copy of `{asked}` is damaged ({error}): it is made anew")));
                mirror.forget()?;
                mirror.make()?;
                self.bring_into(&mirror, errand, progress)?
            }
            brought => brought?,
        };
        seal(&mirror, errand)?;
        Ok(bytes)
    }

    fn bring_into(&self, mirror: &Mirror, errand: &Errand<'_>, progress: &dyn Progress) -> Result<u64, Error> {
        let asked = &errand.place.asked;
        if has(mirror, &errand.commit, asked)? {
            return Ok(0);
        }
        if self.settings.with_program {
            return self.by_program(mirror, errand, progress).map(|()| 0);
        }
        let mut attempt = 1;
        loop {
            match self.by_session(mirror, errand, progress) {
                Err(Error::Talk { source: WireError::Broken(_), .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(Error::Talk { source: WireError::Unsupported(what), .. }) if program::is_there() => {
                    progress.tell(Event::Detail(&format!("`{asked}` {what}, so the program `git` is used")));
                    return self.by_program(mirror, errand, progress).map(|()| 0);
                }
                brought => return brought,
            }
        }
    }

    /// All history of a repository, for who looks for the beginning of an id.
    pub(super) fn bring_all(&self, place: &Place, progress: &dyn Progress) -> Result<(), Error> {
        let mirror = self.mirror(place);
        let _held = mirror.hold(&place.asked, progress)?;
        progress.tell(Event::Detail(&format!("all of `{}` is fetched", place.asked)));
        if self.settings.with_program {
            return program::fetch(mirror.path(), &place.url, None, &place.asked);
        }
        let mut session = Session::open(self.downloader, &place.address, &place.asked)?;
        let wants = session.refs()?.ids();
        if !wants.is_empty() {
            take(&mirror, &mut session, wants, false, &place.asked)?;
        }
        session.end();
        Ok(())
    }

    fn by_program(&self, mirror: &Mirror, errand: &Errand<'_>, progress: &dyn Progress) -> Result<(), Error> {
        let Place { url, asked, .. } = errand.place;
        progress.tell(Event::Detail(&format!("`{asked}` is fetched with the program `git`")));
        let alone = program::fetch(mirror.path(), url, Some(&errand.commit), asked);
        if alone.is_ok() && has(mirror, &errand.commit, asked)? {
            return Ok(());
        }
        program::fetch(mirror.path(), url, None, asked).map_err(|error| alone.err().unwrap_or(error))?;
        if has(mirror, &errand.commit, asked)? {
            return Ok(());
        }
        Err(vanished(errand, &program::list(url, asked)?))
    }

    fn by_session(&self, mirror: &Mirror, errand: &Errand<'_>, progress: &dyn Progress) -> Result<u64, Error> {
        let Place { address, asked, .. } = errand.place;
        let commit = errand.commit;
        let open = || Session::open(self.downloader, address, asked);
        progress.tell(Event::Detail(&format!("`{asked}` is asked for commit {commit}")));
        let mut session = open()?;
        let mut bytes = 0;
        if session.greeting().gives_any() {
            match take(mirror, &mut session, vec![commit], true, asked) {
                Ok(taken) => bytes += taken,
                // It does not give what is no name's, or the commit has vanished.
                Err(Error::Talk { source: WireError::Refused(_), .. }) => session = open()?,
                Err(error) => return Err(error),
            }
            if has(mirror, &commit, asked)? {
                session.end();
                return Ok(bytes);
            }
        }
        let refs = session.refs()?;
        let named = errand.reference.and_then(|reference| refs.name_of(reference)).and_then(|name| refs.id_of(&name));
        let ways = [(refs.tip_of(commit), true), (named, false)];
        let ways = ways.into_iter().filter_map(|(id, alone)| Some((vec![id?], alone)));
        for (wants, alone) in ways.chain([(refs.ids(), false)]).filter(|(wants, _)| !wants.is_empty()) {
            if !matches!(session.greeting(), Greeting::Able { .. }) && bytes > 0 {
                session = open()?;
            }
            if !alone {
                progress.tell(Event::Detail(&format!("`{asked}` does not give the commit alone, so more is fetched")));
            }
            bytes += take(mirror, &mut session, wants, alone, asked)?.max(1);
            if has(mirror, &commit, asked)? {
                session.end();
                return Ok(bytes);
            }
        }
        Err(vanished(errand, &refs))
    }
}

/// Ask for a pack, and take it in.
fn take(
    mirror: &Mirror,
    session: &mut Session<'_>,
    wants: Vec<Commit>,
    alone: bool,
    shown: &str,
) -> Result<u64, Error> {
    let wish = Wish { wants, haves: mirror.haves()?, shallow: mirror.shallow()?, alone };
    let (shallow, taken) = session.pack(&wish, |pack: &mut Pack<'_>| mirror.take_in(pack).map(|()| pack.bytes))?;
    let bytes = taken.map_err(|error| match error {
        TakeError::Reading(error) => Error::Talk { url: shown.to_owned(), source: error.into() },
        TakeError::Pack(source) => Error::Repository { url: shown.to_owned(), source },
        TakeError::Disk(error) => error.into(),
    })?;
    mirror.reshape(&shallow)?;
    Ok(bytes)
}

fn has(mirror: &Mirror, commit: &Commit, shown: &str) -> Result<bool, Error> {
    let objects = mirror.objects().map_err(|source| Error::Repository { url: shown.to_owned(), source })?;
    Ok(objects.has(oid_of(commit)) && missing(&objects, commit).is_ok_and(|missing| missing.is_none()))
}

/// Whether all is here that is told to servers as being here.
fn is_sound(mirror: &Mirror) -> bool {
    let whole =
        |commit: &Commit| mirror.objects().is_ok_and(|objects| missing(&objects, commit).is_ok_and(|it| it.is_none()));
    mirror.written_down().is_ok_and(|all| all.iter().all(whole))
}

fn missing(objects: &Objects, commit: &Commit) -> Result<Option<git2::Oid>, ReadError> {
    objects.first_missing(objects.commit(commit)?.tree)
}

/// Write a commit down, if all its files are here.
fn seal(mirror: &Mirror, errand: &Errand<'_>) -> Result<(), Error> {
    let Place { asked, key: _, .. } = errand.place;
    let failed = |error| of_reading(error, asked, &errand.commit);
    let objects = mirror.objects().map_err(|source| Error::Repository { url: asked.clone(), source })?;
    let tree = objects.commit(&errand.commit).map_err(failed)?.tree;
    if let Some(id) = objects.first_missing(tree).map_err(failed)? {
        let (url, commit, id) = (asked.clone(), errand.commit, id.to_string());
        return Err(Error::Incomplete { url, commit, id });
    }
    let leaves = objects.leaves(tree).map_err(failed)?;
    let submodules = checkout::submodules(&objects, &leaves, &errand.place.named).map_err(failed)?;
    Ok(mirror.keep(&errand.commit, &submodules)?)
}

/// What an error of reading a commit's objects means.
pub(super) fn of_reading(error: ReadError, shown: &str, commit: &Commit) -> Error {
    let (url, commit) = (shown.to_owned(), *commit);
    match error {
        ReadError::Missing(id) if id == oid_of(&commit) => Error::Absent { url, commit },
        ReadError::Missing(id) => Error::Incomplete { url, commit, id: id.to_string() },
        ReadError::Broken(source) => Error::Repository { url, source },
        ReadError::Entry { path, what } => Error::Entry { url, commit, path, what },
        ReadError::TooMany => Error::TooLarge { url, commit, what: "more files than there may be" },
    }
}

/// A commit that is nowhere, and what became of the name that it was found under.
pub(super) fn vanished(errand: &Errand<'_>, refs: &Refs) -> Error {
    // A whole id that somebody wrote is the commit itself, and tells nothing more.
    let name = errand.reference.filter(|name| !matches!(name, Reference::Rev(id) if *id == errand.commit.to_string()));
    let now = name.map(|reference| match refs.find(reference) {
        Some(commit) => format!(": {reference} is now at {commit}"),
        None => format!(": {reference} is gone too"),
    });
    Error::Vanished { url: errand.place.asked.clone(), commit: errand.commit, now: now.unwrap_or_default() }
}
