//! Locks: one process at a time makes a thing; who waits says for whom.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Error, Store};
use crate::digest::ActionDigest;
use crate::disk::{self, TryLock};
use crate::progress::{Event, Progress};

/// A lock that this process holds, until the value goes.
#[derive(Debug)]
pub struct Held {
    _lock: disk::Lock,
    /// Whether another process had it first, so that what it protects may have changed.
    pub waited: bool,
}

const PAUSE: Duration = Duration::from_millis(20);

impl Held {
    /// Take the lock at a path. While another process has it, wait, and say for whom; give up after `limit`.
    pub fn take(path: &Path, what: &str, limit: Option<Duration>, progress: &dyn Progress) -> Result<Self, Error> {
        Self::take_from(path, what, limit, progress, || None)
    }

    /// The same for a lock that others share: those write no number into it, so somebody else has to know one of them.
    pub(super) fn take_from(
        path: &Path,
        what: &str,
        limit: Option<Duration>,
        progress: &dyn Progress,
        sharer: impl Fn() -> Option<u32>,
    ) -> Result<Self, Error> {
        let begun = Instant::now();
        let mut waited = false;
        loop {
            let pid = match disk::try_lock(path)? {
                TryLock::Held(lock) => return Ok(Self { _lock: lock, waited }),
                TryLock::Busy(pid) => pid.or_else(&sharer),
            };
            if limit.is_some_and(|limit| begun.elapsed() >= limit) {
                return Err(Error::Locked { what: what.to_owned(), pid });
            }
            // The number may not be written yet in the first moment.
            if !waited && (pid.is_some() || begun.elapsed() > 5 * PAUSE) {
                // Another thread of our own is nobody to speak of.
                if pid != Some(std::process::id()) {
                    progress.tell(Event::Waiting { what, pid });
                }
                waited = true;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Store {
    /// The file whose lock belongs to whoever builds an action.
    pub fn action_lock(&self, action: ActionDigest) -> PathBuf {
        self.root().join("locks").join(action.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn a_wait_for_another_thread_is_not_told() {
        struct Never;
        impl Progress for Never {
            fn tell(&self, _: Event<'_>) {
                panic!("there is nothing to tell");
            }
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = Held::take(&path, "site `a`", None, &Silent).unwrap();
        std::thread::scope(|scope| {
            let other = scope.spawn(|| Held::take(&path, "site `a`", None, &Never).unwrap().waited);
            std::thread::sleep(10 * PAUSE);
            drop(held);
            assert!(other.join().unwrap());
        });
    }

    #[test]
    fn a_wait_that_runs_out_names_the_holder() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = Held::take(&path, "site `a`", None, &Silent).unwrap();
        assert!(!held.waited);
        let error = Held::take(&path, "site `a`", Some(Duration::ZERO), &Silent).unwrap_err();
        assert_eq!(error.to_string(), format!("site `a` is locked by process {}", std::process::id()));
    }
}
