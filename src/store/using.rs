//! Uses: nothing is collected from under a process that relies on it.
//!
//! A process that takes something into the store, or relies on something that is there, does two things. It has a
//! directory in `tmp/`, whose lock tells since when it runs. And it does so while it shares the lock `locks/collect`,
//! and *marks* what it relies on: a record (a tree, a result, a source, a unit) gets a new time of modification, and a
//! blob or a directory a new time of its last change, which is no part of a prefix. Whoever collects has that lock alone,
//! and keeps whatever was marked, made or linked since the oldest process that runs began, with all that it leads to.
//! So a look at the store and the mark that goes with it never fall on two sides of a removal, and nobody waits for a
//! build to end.
//!
//! The same marks tell what was used of late.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Store;
use crate::disk::{self, TryShared};
use crate::progress::{Event, Progress, Silent};

const PAUSE: Duration = Duration::from_millis(5);

/// After so long it is said for whom we wait.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many uses go on in this process, and the share of the lock that they have together.
pub(super) struct Uses {
    state: Mutex<State>,
    /// Who hears of waits.
    listener: Arc<dyn Progress>,
}

impl Default for Uses {
    fn default() -> Self {
        Self { state: Mutex::default(), listener: Arc::new(Silent) }
    }
}

impl fmt::Debug for Uses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uses").field("state", &self.state).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    count: usize,
    lock: Option<disk::SharedLock>,
}

/// While the value lives, nothing is removed from the store.
#[derive(Debug)]
pub(super) struct Using<'s> {
    uses: &'s Uses,
}

impl Store {
    /// The same store, with somebody who hears for whom it waits.
    pub fn telling(mut self, listener: Arc<dyn Progress>) -> Self {
        self.uses.listener = listener;
        self
    }

    /// Keep others from collecting, until the value goes. While they do so, wait: for as long as they take to remove
    /// what nobody needs, and say after a second who they are. In a store that cannot be written to nothing can be removed either.
    pub(super) fn using(&self) -> Using<'_> {
        let registered = self.temporary_directory().is_ok();
        let mut state = self.uses.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.count == 0 && registered {
            state.lock = self.share();
        }
        state.count += 1;
        Using { uses: &self.uses }
    }

    fn share(&self) -> Option<disk::SharedLock> {
        let path = self.collecting();
        let (begun, mut is_told) = (Instant::now(), false);
        loop {
            let pid = match disk::try_lock_shared(&path) {
                Ok(TryShared::Held(lock)) => return Some(lock),
                Ok(TryShared::Busy(pid)) => pid,
                Err(_) => return None,
            };
            if !is_told && begun.elapsed() >= PATIENCE {
                let what = format!("the store `{}` alone, to remove from it what nobody needs", self.root().display());
                self.uses.listener.tell(Event::Waiting { what: &what, pid });
                is_told = true;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The file whose lock whoever removes things has alone, and whoever uses the store shares.
    pub(super) fn collecting(&self) -> PathBuf {
        self.root().join("locks/collect")
    }

    /// Whether a record is here; if so, it is used.
    pub(super) fn use_record(&self, path: &Path) -> bool {
        disk::touch(path)
    }

    /// Whether a file or a directory is here, which may have the same inode as a file of a prefix; if so, it is used.
    pub(super) fn use_content(&self, path: &Path) -> bool {
        disk::touch_access(path)
    }
}

impl Drop for Using<'_> {
    fn drop(&mut self) {
        let mut state = self.uses.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.count -= 1;
        if state.count == 0 {
            state.lock = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::TryLock;

    #[test]
    fn uses_in_each_other_share_one_lock() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let outer = store.using();
        drop(store.using());
        assert!(matches!(disk::try_lock(&store.collecting()).unwrap(), TryLock::Busy(_)));
        drop(outer);
        let TryLock::Held(alone) = disk::try_lock(&store.collecting()).unwrap() else { panic!("nobody uses it") };
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| drop(store.using()));
            std::thread::sleep(4 * PAUSE);
            assert!(!waits.is_finished());
            drop(alone);
            waits.join().unwrap();
        });
    }

    #[test]
    fn it_is_said_after_a_second_who_has_the_store_alone() {
        #[derive(Default)]
        struct Heard(Mutex<Vec<String>>);
        impl Progress for Heard {
            fn tell(&self, event: Event<'_>) {
                let Event::Waiting { what, pid } = event else { panic!("it waits") };
                self.0.lock().unwrap().push(format!("{what} {pid:?}"));
            }
        }
        let directory = tempfile::tempdir().unwrap();
        let heard = Arc::new(Heard::default());
        let store = Store::at(directory.path().join("store")).telling(heard.clone());
        let TryLock::Held(alone) = disk::try_lock(&store.collecting()).unwrap() else { panic!("nobody uses it") };
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| drop(store.using()));
            std::thread::sleep(PATIENCE / 2);
            assert!(heard.0.lock().unwrap().is_empty());
            std::thread::sleep(PATIENCE);
            drop(alone);
            waits.join().unwrap();
        });
        let heard = heard.0.lock().unwrap();
        let [heard] = &heard[..] else { panic!("{heard:?}") };
        assert!(
            heard.starts_with("the store `") && heard.ends_with(&format!("Some({})", std::process::id())),
            "{heard}"
        );
    }
}
