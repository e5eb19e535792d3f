//! The budget of jobs: GNU make's jobserver, which cargo, rustc and make share.
//!
//! A named pipe holds one token for each job that may run. A build takes one to begin, and its cargo takes more
//! from the same pipe for each further process that it starts, so that several builds together never run more jobs
//! than there are tokens. See "POSIX Jobserver Interaction" in the manual of GNU make.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::Error;
use crate::disk;

/// Tokens for the jobs that may run at a time.
pub struct Budget {
    pipe: File,
    path: PathBuf,
}

impl Budget {
    /// A budget of so many jobs; its pipe lies in a directory.
    pub fn new(jobs: usize, directory: &Path) -> Result<Self, Error> {
        let path = directory.join("jobserver");
        disk::remove_file(&path)?;
        let pipe = disk::named_pipe(&path)?;
        let budget = Self { pipe, path };
        budget.put(&vec![b'+'; jobs.max(1)])?;
        Ok(budget)
    }

    /// Where the pipe is.
    pub fn pipe(&self) -> &Path {
        &self.path
    }

    /// Wait for a token. It goes back when the value goes.
    pub fn take(&self) -> Result<Token<'_>, Error> {
        let mut token = [0];
        (&self.pipe).read_exact(&mut token).map_err(|error| disk::Error::new("read", &self.path, error))?;
        Ok(Token { budget: self })
    }

    /// Let another job run for as long as this one only waits.
    pub fn lend<T>(&self, wait: impl FnOnce() -> T) -> Result<T, Error> {
        self.put(b"+")?;
        let waited = wait();
        std::mem::forget(self.take()?);
        Ok(waited)
    }

    fn put(&self, tokens: &[u8]) -> Result<(), Error> {
        Ok((&self.pipe).write_all(tokens).map_err(|error| disk::Error::new("write", &self.path, error))?)
    }
}

/// The right to run one job.
pub struct Token<'a> {
    budget: &'a Budget,
}

impl Drop for Token<'_> {
    fn drop(&mut self) {
        // A token that is lost costs a job's worth of speed, and nothing else.
        let _ = self.budget.put(b"+");
    }
}
