//! Mirrors: what of a repository was fetched, kept in the cache.
//!
//! ```text
//! CACHE/git/apps-d9b9b5a0b2c4.git/    named by the repository and the digest of its address
//!   HEAD, config, objects/pack/       a bare repository, which the program `git` can work with
//!   shallow                           commits that are here without those before them
//!   refs/envy/4f1c0d2a…               commits that are here with all their files
//!   whole/4f1c0d2a…                   the same, with the submodules that belong to each: path, commit, address
//!   listed                            the names that the server had when it was last asked
//!   incoming-…/                       a pack on its way; swept when nobody brings one
//! CACHE/git/apps-d9b9b5a0b2c4.lock    held by whoever brings something
//! ```
//!
//! A commit is written down as the last step, so whatever a killed process leaves is a mirror that lacks that commit.

use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use super::objects::{Objects, oid_of};
use super::protocol::Shallow;
use super::refs::Refs;
use crate::digest::{Commit, TextDigest};
use crate::disk;
use crate::progress::Progress;
use crate::store::{self, Held};

/// The most commits of a mirror that a server is told of.
const MOST_HAVES: usize = 256;

const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n";

/// What was fetched of one repository.
#[derive(Clone, Debug)]
pub(super) struct Mirror {
    path: PathBuf,
}

/// A part of a commit's tree that is a commit of another repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submodule {
    /// Where in the tree.
    pub path: String,
    /// Of which repository.
    pub url: String,
    /// Which commit.
    pub commit: Commit,
}

/// A pack could not be taken in.
#[derive(Debug, thiserror::Error)]
pub(super) enum TakeError {
    /// What sends it.
    #[error(transparent)]
    Reading(io::Error),
    /// What is in it.
    #[error(transparent)]
    Pack(#[from] git2::Error),
    /// Where it goes.
    #[error(transparent)]
    Disk(#[from] disk::Error),
}

impl Mirror {
    /// The mirror of the repository with this canonical address, below a directory for caches.
    pub(super) fn of(cache: &Path, canonical: &str) -> Self {
        let last = canonical.rsplit(['/', ':']).next().unwrap_or_default();
        let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
        let name: String = last.chars().filter(|letter| fits(*letter)).take(40).collect();
        let digest = TextDigest::of(canonical.as_bytes());
        Self { path: cache.join("git").join(format!("{}-{}.git", name.trim_start_matches('.'), digest.short())) }
    }

    /// The bare repository.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Hold it, waiting for whoever brings something, and make it where it is not there.
    pub(super) fn hold(&self, shown: &str, progress: &dyn Progress) -> Result<Held, store::Error> {
        let what = format!("the copy of `{shown}`");
        let held = Held::take(&self.path.with_extension("lock"), &what, None, progress)?;
        self.make()?;
        Ok(held)
    }

    /// Make what is not there, and remove what a killed process left. The caller holds the mirror.
    pub(super) fn make(&self) -> disk::Result<()> {
        if !disk::is_file(&self.path.join("HEAD")) {
            disk::create_directories(&self.path.join("objects/pack"))?;
            disk::create_directories(&self.path.join("refs/envy"))?;
            disk::write_atomic(&self.path.join("config"), CONFIG.as_bytes())?;
            disk::write_atomic(&self.path.join("HEAD"), b"ref: refs/heads/main\n")?;
        }
        self.sweep()
    }

    fn sweep(&self) -> disk::Result<()> {
        for (name, _) in disk::list(&self.path)? {
            if name.as_encoded_bytes().starts_with(b"incoming-") {
                disk::remove_tree(&self.path.join(name))?;
            }
        }
        ["", "refs/envy", "whole"].into_iter().try_for_each(|below| disk::sweep(&self.path.join(below)))
    }

    /// Its objects.
    pub(super) fn objects(&self) -> Result<Objects, git2::Error> {
        Objects::at(&self.path.join("objects"))
    }

    /// Whether it is there at all.
    pub(super) fn exists(&self) -> bool {
        disk::is_file(&self.path.join("HEAD"))
    }

    /// The submodules of a commit that is here with all its files, or nothing where it is not.
    pub(super) fn whole(&self, commit: &Commit) -> Option<Vec<Submodule>> {
        let text = disk::read_text_if_exists(&self.path.join("whole").join(commit.to_string())).ok()??;
        if !self.objects().ok()?.has(oid_of(commit)) {
            return None;
        }
        let line = |line: &str| {
            let mut words = line.splitn(3, '\t');
            let (commit, url, path) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
            Some(Submodule { path: path.to_owned(), url: url.to_owned(), commit })
        };
        // What a power cut left is no list: its last line says that it is whole.
        let lines = text.strip_suffix("whole\n")?;
        lines.lines().map(line).collect()
    }

    /// Write down that a commit is here with all its files, and what its submodules are.
    pub(super) fn keep(&self, commit: &Commit, submodules: &[Submodule]) -> disk::Result<()> {
        let line = |one: &Submodule| format!("{}\t{}\t{}\n", one.commit, one.url, one.path);
        let text: String = submodules.iter().map(line).chain(["whole\n".to_owned()]).collect();
        disk::write_atomic(&self.path.join("refs/envy").join(commit.to_string()), format!("{commit}\n").as_bytes())?;
        disk::write_atomic(&self.path.join("whole").join(commit.to_string()), text.as_bytes())
    }

    /// Commits that are here with all their files, some of them where there are many.
    pub(super) fn haves(&self) -> disk::Result<Vec<Commit>> {
        let all = self.written_down()?.into_iter();
        Ok(all.filter(|commit| self.whole(commit).is_some()).take(MOST_HAVES).collect())
    }

    /// Commits that were written down as being here with all their files.
    pub(super) fn written_down(&self) -> disk::Result<Vec<Commit>> {
        let names = disk::list_if_exists(&self.path.join("whole"))?.into_iter();
        Ok(names.filter_map(|(name, _)| name.to_str()?.parse().ok()).collect())
    }

    /// Forget everything. The caller holds the mirror, and holds it again afterwards.
    pub(super) fn forget(&self) -> disk::Result<()> {
        disk::remove_tree(&self.path)
    }

    /// Commits that are here without those before them.
    pub(super) fn shallow(&self) -> disk::Result<Vec<Commit>> {
        let text = disk::read_text_if_exists(&self.path.join("shallow"))?.unwrap_or_default();
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Write down what a server said about the commits that are here without those before them.
    pub(super) fn reshape(&self, change: &Shallow) -> disk::Result<()> {
        let mut all = self.shallow()?;
        let before = all.clone();
        all.retain(|commit| !change.less.contains(commit));
        all.extend(&change.more);
        all.sort();
        all.dedup();
        if all == before {
            return Ok(());
        }
        let path = self.path.join("shallow");
        match all.is_empty() {
            // For git an empty file is no list at all.
            true => disk::remove_file(&path),
            false => disk::write_atomic(&path, all.iter().map(|id| format!("{id}\n")).collect::<String>().as_bytes()),
        }
    }

    /// The names that the server had when it was last asked.
    pub(super) fn listed(&self) -> Option<Refs> {
        disk::read_text_if_exists(&self.path.join("listed")).ok()?.map(|text| Refs::parse(&text))
    }

    /// Write down the names that the server has.
    pub(super) fn list(&self, refs: &Refs) -> disk::Result<()> {
        disk::write_whole(&self.path.join("listed"), refs.write().as_bytes())
    }

    /// Take in a pack; every object in it is hashed. The caller holds the mirror.
    pub(super) fn take_in(&self, pack: &mut dyn Read) -> Result<(), TakeError> {
        let incoming = disk::named_temporary_directory_in(&self.path, "incoming-")?;
        let objects = self.objects()?;
        let mut indexer = git2::Indexer::new(Some(objects.odb()), incoming.path(), 0o444, false)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            match pack.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => indexer.write_all(&buffer[..count]).map_err(of_indexer)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(TakeError::Reading(error)),
            }
        }
        let name = indexer.commit()?;
        // git looks for what has an index, so that comes last.
        for ending in ["pack", "idx"] {
            let file = format!("pack-{name}.{ending}");
            let place = self.path.join("objects/pack").join(&file);
            disk::sync_file(&incoming.path().join(&file))?;
            disk::rename(&incoming.path().join(&file), &place)?;
        }
        Ok(())
    }
}

fn of_indexer(error: io::Error) -> TakeError {
    match error.downcast::<git2::Error>() {
        Ok(error) => TakeError::Pack(error),
        Err(error) => TakeError::Reading(error),
    }
}
