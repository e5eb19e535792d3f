//! Commands of the host itself, with no fence and no view: only watched over, as builds are that have no fence.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use super::talk::{self, Spec, Stage};
use super::{Call, Error, Limits, View};

/// A command of the host's. What it writes goes to the log; its input is empty, and it leads no terminal.
///
/// When it takes too long, or when envy dies, it is killed with all that it started.
pub struct Watched<'a> {
    /// The program, by its path, and its arguments.
    pub command: Vec<String>,
    /// All of its environment.
    pub environment: BTreeMap<String, String>,
    /// Where it starts.
    pub directory: &'a Path,
    /// Where its output goes.
    pub log: &'a File,
    /// How long it may run, and how much it may write.
    pub limits: Limits,
    /// What becomes of processes that it leaves behind when it ends by itself.
    pub orphans: Orphans,
}

/// What becomes of processes that a command leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphans {
    /// They are killed.
    Killed,
    /// They go on.
    Left,
}

impl Watched<'_> {
    /// Run it to its end.
    pub fn run(self) -> Result<ExitStatus, Error> {
        let directory = self.directory.to_str().ok_or_else(|| Error::NotText { path: self.directory.to_owned() })?;
        let mut environment = self.environment;
        environment.insert("PWD".to_owned(), directory.to_owned());
        let spec = Spec {
            place: PathBuf::new(),
            entries: Vec::new(),
            environment,
            directory: directory.to_owned(),
            command: self.command,
        };
        // The link leads to the running program, even after an upgrade has put another in its place.
        let helper = Path::new("/proc/self/exe");
        let call = Call { helper, view: &View::default(), scratch: self.directory, log: self.log, limits: self.limits };
        let stage = match self.orphans {
            Orphans::Killed => Stage::Bare,
            Orphans::Left => Stage::Leaving,
        };
        talk::run(&call, &stage, &spec)
    }
}
