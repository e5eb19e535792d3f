//! No fence, but the places: the command runs on the host, and what its view has below `/envy` lies at a real `/envy`.
//!
//! That is for root in a container that grants no namespaces, as most of those that test and deploy. Paths are what they
//! are behind a fence, and so are outputs. There is one such directory on a host, so one build at a time has it; it is
//! made for that build and removed after it. What a killed process left there is removed by the next one: a file in it
//! says that envy made it, and one that envy did not make is left alone.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use super::talk::{self, Item, Spec, Stage};
use super::{Call, Error};
use crate::disk;
use crate::process;
use crate::progress::Progress;
use crate::store::{self, Held};

/// Where all places of a view are.
const ROOT: &str = "/envy";

/// What says that envy made it.
const MARK: &str = "/envy/made-by-envy";

/// Where builds prepare what they show. On one file system with the places, so that it is moved and not copied.
pub(super) const WORK: &str = "/envy/work";

/// Who holds this lock may use the places.
const LOCK: &str = "/run/envy.lock";

/// Whether this process could have the places.
pub(super) fn is_possible() -> bool {
    let root = Path::new(ROOT);
    process::is_root() && if disk::exists(root) { is_ours() } else { disk::may_write(Path::new("/")) }
}

fn is_ours() -> bool {
    let root = Path::new(ROOT);
    let is_empty = || disk::list(root).is_ok_and(|entries| entries.is_empty());
    disk::kind(root).is_ok_and(|kind| kind == disk::Kind::Directory) && (disk::exists(Path::new(MARK)) || is_empty())
}

/// The places, for one build. They are gone when it goes.
#[derive(Debug)]
pub struct Place {
    _held: Held,
}

impl Place {
    /// Wait for the places, and make them.
    pub(super) fn take(limit: Option<Duration>, progress: &dyn Progress) -> Result<Self, store::Error> {
        let held = Held::take(Path::new(LOCK), "the directory of builds `/envy`", limit, progress)?;
        clean()?;
        // Whoever is killed between these two leaves an empty directory, which counts as envy's.
        disk::create_directories(Path::new(ROOT))?;
        disk::write(Path::new(MARK), b"This directory is there while envy builds.\n")?;
        disk::create_directories(Path::new(WORK))?;
        Ok(Self { _held: held })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What stays is removed by the next build.
        let _ = clean();
    }
}

/// How often a directory is tried that processes which are being killed still write to.
const TRIES: u32 = 20;

fn clean() -> Result<(), disk::Error> {
    let root = Path::new(ROOT);
    for _ in 1..TRIES {
        if !disk::exists(root) || !is_ours() {
            return Ok(());
        }
        // The mark goes last, or what is left would not be envy's any more.
        for (name, _) in disk::list(root)?.iter().filter(|(name, _)| !MARK.ends_with(&*name.to_string_lossy())) {
            let _ = disk::remove_tree(&root.join(name));
        }
        if disk::list(root)?.len() <= 1 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    disk::remove_tree(root)
}

/// Run a view's command at the places, which this process has.
pub(super) fn run(call: &Call<'_>) -> Result<ExitStatus, Error> {
    let spec = Spec::new(call.view, call.scratch);
    let mut laid = Vec::new();
    let ended = lay(&spec.entries, call.scratch, &mut laid).and_then(|()| talk::run(call, &Stage::Bare, &spec));
    take_back(&laid)?;
    ended
}

/// What was put at a place.
enum Laid {
    /// Something of the scratch directory, which goes back there.
    Moved { from: PathBuf, to: PathBuf },
    /// A symlink.
    Linked(PathBuf),
}

/// Put everything at its place: what was made for this build as itself, and the rest as symlinks.
fn lay(entries: &[Item], scratch: &Path, laid: &mut Vec<Laid>) -> Result<(), Error> {
    for entry in entries.iter().filter(|entry| entry.to().starts_with("/envy/")) {
        let to = PathBuf::from(entry.to());
        if laid.iter().any(|outer| matches!(outer, Laid::Linked(outer) if to.starts_with(outer))) {
            let why = "without a sandbox, it cannot lie in another of the view";
            return Err(Error::Place { to: entry.to().to_owned(), why });
        }
        disk::create_directories(to.parent().unwrap_or(Path::new(ROOT)))?;
        match entry {
            Item::ReadOnly { from, .. } | Item::Writable { from, .. } if Path::new(from).starts_with(scratch) => {
                // The place may be there, made for what lies in it.
                disk::remove_tree(&to)?;
                disk::rename(Path::new(from), &to)?;
                laid.push(Laid::Moved { from: from.into(), to });
            }
            Item::ReadOnly { from: target, .. }
            | Item::Writable { from: target, .. }
            | Item::Symlink { target, .. } => {
                disk::symlink(Path::new(target), &to)?;
                laid.push(Laid::Linked(to));
            }
        }
    }
    Ok(())
}

fn take_back(laid: &[Laid]) -> Result<(), disk::Error> {
    for one in laid.iter().rev() {
        match one {
            // A build may have removed its own.
            Laid::Moved { from, to } if disk::exists(to) => disk::rename(to, from)?,
            Laid::Moved { .. } => {}
            Laid::Linked(to) => disk::remove_file(to)?,
        }
    }
    Ok(())
}
