//! Options that every command has.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::package::SiteName;
use crate::resolve::Strategy;
use crate::ui::Volume;

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Globals {
    /// Work on the project in this directory, instead of the one that the current directory is in
    #[arg(long, global = true, value_name = "DIR", env = "ENVY_PROJECT")]
    pub project: Option<PathBuf>,
    /// Keep sites here, instead of in the project's `.envy/sites`
    #[arg(long, global = true, value_name = "DIR", env = "ENVY_SITES")]
    pub sites_dir: Option<PathBuf>,
    /// Open no socket; what is missing is listed in one error
    #[arg(long, global = true, env = "ENVY_OFFLINE", value_parser = switch)]
    pub offline: bool,
    /// Give up waiting for another envy after so many seconds
    #[arg(long, global = true, value_name = "SECONDS", env = "ENVY_LOCK_TIMEOUT")]
    pub lock_timeout: Option<u64>,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto", env = "ENVY_COLOR")]
    pub color: Color,
}

/// Read a switch from an environment variable; an empty one counts as not set.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("expected 1 or 0, true or false, yes or no, on or off".to_owned()),
    }
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Which of several versions that fit is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Resolution {
    /// The highest.
    Highest,
    /// The lowest, of every package.
    Lowest,
    /// The lowest of what a site names itself, the highest of what that needs.
    LowestDirect,
}

impl From<Resolution> for Strategy {
    fn from(resolution: Resolution) -> Self {
        match resolution {
            Resolution::Highest => Self::Highest,
            Resolution::Lowest => Self::Lowest,
            Resolution::LowestDirect => Self::LowestDirect,
        }
    }
}

/// Arguments of commands that do one thing for each of several sites.
#[derive(Clone, Debug, Args)]
pub struct SitesArgs {
    /// The sites [default: all]
    pub sites: Vec<SiteName>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

impl Globals {
    /// How much is told.
    pub fn volume(&self) -> Volume {
        match (self.quiet, self.verbose) {
            (true, _) => Volume::Quiet,
            (_, true) => Volume::Verbose,
            _ => Volume::Normal,
        }
    }

    /// How long to wait for other processes.
    pub fn patience(&self) -> Option<Duration> {
        self.lock_timeout.map(Duration::from_secs)
    }
}
