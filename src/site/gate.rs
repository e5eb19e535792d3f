//! The gate of a site: commands that have to succeed in a generation before the site shows it, and commands that are run
//! once it does.
//!
//! ```text
//! logs/check-3.log, logs/after-switch-3.log    what they said when generation 3 was tried last
//! .after-switch                                there while a switch waits for the commands after it: where to go back to
//! ```
//!
//! Each is one command of `sh`, with the variables of the generation, in the project's directory, with nothing on its input.
//! They are run one after the other; the first that fails is the last. What a check leaves behind is killed.
//!
//! Checks say whether a generation is good, so that it keeps those that it was made with. What is run after a switch tells
//! the host of it, and is what `envy.toml` says now.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Activation, Error, Generation, Place};
use crate::build::sandbox::{self, Limits, Orphans, Watched};
use crate::disk;
use crate::manifest::Gate;
use crate::process;

/// The checks that a generation was made with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checks {
    /// The commands.
    pub commands: Vec<String>,
    /// How long each may take.
    pub seconds: u64,
}

impl From<&Gate> for Checks {
    fn from(gate: &Gate) -> Self {
        // A time without commands would make a generation another one.
        let seconds = if gate.check.is_empty() { 0 } else { gate.limit().as_secs() };
        Self { commands: gate.check.clone(), seconds }
    }
}

impl Checks {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }
}

/// When commands are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Before a generation is shown.
    Check,
    /// Once it is.
    AfterSwitch,
}

impl Occasion {
    fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::AfterSwitch => "after-switch",
        }
    }

    fn orphans(self) -> Orphans {
        match self {
            Self::Check => Orphans::Killed,
            // It may have started what is to go on.
            Self::AfterSwitch => Orphans::Left,
        }
    }
}

/// A command that did not succeed.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// When it was run.
    pub occasion: Occasion,
    /// In which generation.
    pub generation: u64,
    /// Which of how many it was.
    pub place: (usize, usize),
    /// The command.
    pub command: String,
    /// How it ended.
    pub ended: String,
    /// The last lines of what it said.
    pub said: Vec<String>,
    /// Where all of it is.
    pub log: PathBuf,
}

impl Place {
    /// Run commands in a generation. Gives the first that did not succeed.
    pub fn try_out(
        &self,
        generation: &Generation,
        occasion: Occasion,
        commands: &[String],
        limit: Duration,
    ) -> Result<Option<Refusal>, Error> {
        if commands.is_empty() {
            return Ok(None);
        }
        let path = self.logs().join(format!("{}-{}.log", occasion.word(), generation.number));
        disk::create_directories(&self.logs())?;
        // What was left to go on when this was tried before may still write to the log of that time.
        let mut log = disk::new_log(&path)?;
        for (number, command) in commands.iter().enumerate() {
            writeln!(log, "$ {command}").map_err(|error| disk::Error::new("write", &path, error))?;
            let from = disk::read(&path)?.len();
            let ended = self.run(generation, occasion, command, limit, &log);
            let ended = match ended {
                Ok(status) if status.success() => continue,
                Ok(status) => told(status),
                Err(sandbox::Error::Stopped(why)) => why.to_string(),
                Err(error) => format!("not started: {}", chain(&error)),
            };
            let said = disk::read(&path)?;
            let said = last_lines(&String::from_utf8_lossy(said.get(from..).unwrap_or_default()));
            let place = (number + 1, commands.len());
            let command = command.clone();
            return Ok(Some(Refusal {
                occasion,
                generation: generation.number,
                place,
                command,
                ended,
                said,
                log: path,
            }));
        }
        Ok(None)
    }

    fn run(
        &self,
        generation: &Generation,
        occasion: Occasion,
        command: &str,
        limit: Duration,
        log: &File,
    ) -> Result<ExitStatus, sandbox::Error> {
        let environment = Activation::of(self, generation).environment(process::environment());
        // What is not UTF-8 cannot be written down for the helper, and is for nobody's shell.
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let watched = Watched {
            command: vec!["/bin/sh".to_owned(), "-c".to_owned(), command.to_owned()],
            environment: environment.into_iter().filter_map(text).collect(),
            directory: self.project(),
            log,
            limits: Limits { time: limit, ..Limits::default() },
            orphans: occasion.orphans(),
        };
        watched.run()
    }

    fn mark(&self) -> PathBuf {
        self.path().join(".after-switch")
    }

    /// Note that a switch waits for the commands after it, and which generation was shown before.
    pub fn begin_after_switch(&self, before: Option<u64>) -> Result<(), Error> {
        let text = before.map(|number| number.to_string()).unwrap_or_default();
        Ok(disk::write_atomic(&self.mark(), format!("{text}\n").as_bytes())?)
    }

    /// Note that the commands after a switch have ended.
    pub fn end_after_switch(&self) -> Result<(), Error> {
        Ok(disk::remove_file(&self.mark())?)
    }

    /// Whether a switch still waits for the commands after it, since its process died before they ended.
    pub fn awaits_after_switch(&self) -> bool {
        disk::exists(&self.mark())
    }

    /// The generation that was shown before a switch that still waits for the commands after it.
    pub fn before_after_switch(&self) -> Result<Option<u64>, Error> {
        Ok(disk::read_text_if_exists(&self.mark())?.and_then(|text| text.trim().parse().ok()))
    }
}

/// How a command ended, as people say it.
fn told(status: ExitStatus) -> String {
    let Some(code) = status.code() else {
        // Not the command itself was killed, of which its watcher tells, but that.
        return format!("killed by signal {}", status.signal().unwrap_or_default());
    };
    match code {
        129..=192 => format!("exit status {code}, by signal {}", code - 128),
        code => format!("exit status {code}"),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// How many of the last lines are shown.
const LAST: usize = 12;

/// How many characters of a line are shown.
const WIDTH: usize = 240;

fn last_lines(said: &str) -> Vec<String> {
    let lines = said.lines().filter(|line| !line.trim().is_empty());
    let mut last: Vec<String> = lines.rev().take(LAST).map(|line| line.chars().take(WIDTH).collect()).collect();
    last.reverse();
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_killed_is_told_with_the_signal() {
        assert_eq!(told(ExitStatus::from_raw(9)), "killed by signal 9");
        assert_eq!(told(ExitStatus::from_raw(137 << 8)), "exit status 137, by signal 9");
        assert_eq!(told(ExitStatus::from_raw(1 << 8)), "exit status 1");
    }
}
