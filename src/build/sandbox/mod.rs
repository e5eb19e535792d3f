//! The fence round a build: what a build sees, and how it is kept to that.
//!
//! A [`View`] lists everything that a build sees besides an empty root, `/tmp`, `/proc` and a minimal `/dev`. A
//! [`Fence`] runs a command in a view. It is one of four:
//!
//! - namespaces made by envy itself ([`native`]);
//! - namespaces made by bubblewrap, which some distributions allow to make them when they do not allow envy ([`bwrap`]);
//! - none, where the kernel grants no namespaces or the user asked for none: for root at the very places of the view
//!   ([`placed`]), and for others below the scratch directory ([`bare`]).
//!
//! The first two give one and the same view, and a test compares them. In all of them:
//!
//! - The environment is the view's, and `PWD`, which is the view's directory. Input is `/dev/null`; no other file that
//!   envy or its parents have open is passed on. The umask is 022.
//! - The command leads no terminal. A command killed by signal N gives the exit code 128 + N, as in a shell.
//! - When the command ends, everything it left behind is killed before [`Fence::run`] returns; when envy dies, by whatever
//!   signal, so does everything in the fence.
//!
//! - A command that runs too long or writes too much is stopped, with everything it started.
//!
//! Deliberately absent: a terminal device (`/dev/pts`), a limit of memory, a filter of system calls.
//!
//! Safe Rust cannot run code between `fork` and `exec`, and a process with threads cannot enter a user namespace. So every
//! fence starts with this very program, executed anew as a [`helper`].

mod bare;
mod bwrap;
mod limits;
mod native;
mod placed;
mod talk;
mod view;
mod watched;

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use crate::disk;
use crate::progress::Progress;
use crate::store;
pub use limits::{LONGEST_LOG, Limits, Stopped};
pub use placed::Place;
use talk::{Fault, Stage};
pub use view::{Entry, View};
pub use watched::{Orphans, Watched};

/// What `settings.sandbox` of `envy.toml` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Setting {
    /// A fence where the host allows it, and otherwise none.
    #[default]
    Auto,
    /// A fence, or no build.
    Required,
    /// No fence.
    Off,
}

/// How much of a fence there is. This is a part of what a build is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Namespaces: the build sees its view and nothing else.
    Namespaces,
    /// None: the build sees the host, and its own files where a fence would show them.
    Placed,
    /// None: the build sees the host, and its own files elsewhere.
    Bare,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespaces => "namespaces",
            Self::Placed => "places",
            Self::Bare => "none",
        })
    }
}

/// Who makes the namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launcher {
    /// This program itself.
    Native,
    /// `bwrap`.
    Bubblewrap,
}

/// A build could not be run behind its fence. How the command itself ended is not an error here.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A fence is required, and the host does not allow it.
    #[error("a sandbox is required, but this host allows none: {reason}")]
    Refused {
        /// Why, a sentence.
        reason: String,
    },
    /// Something to be shown is not on the host.
    #[error("`{}`, which the build sees as `{to}`, does not exist", from.display())]
    Missing {
        /// Where it should be on the host.
        from: PathBuf,
        /// Where the build would see it.
        to: String,
    },
    /// A place in the view that cannot be made.
    #[error("`{to}` cannot be a place in the sandbox: {why}")]
    Place {
        /// The place.
        to: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A path that no build could write down.
    #[error("`{}` is not UTF-8", path.display())]
    NotText {
        /// The path.
        path: PathBuf,
    },
    /// The fence could not be made, or the command not be started in it.
    #[error("could not {doing}")]
    SetUp {
        /// What was being done to what.
        doing: String,
        /// What the operating system, or `bwrap`, said.
        #[source]
        source: io::Error,
    },
    /// The command went beyond its limits.
    #[error("the command was {0}")]
    Stopped(Stopped),
    /// The scratch directory could not be made ready.
    #[error(transparent)]
    Disk(#[from] disk::Error),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::SetUp { doing: fault.doing, source: fault.source }
    }
}

/// The chosen way to run builds.
#[derive(Clone, Debug)]
pub struct Fence {
    way: Way,
    helper: PathBuf,
    limits: Limits,
}

#[derive(Clone, Debug)]
enum Way {
    Native,
    Bubblewrap(PathBuf),
    Placed,
    Bare,
}

impl Way {
    /// Without a fence.
    fn without() -> Self {
        if placed::is_possible() { Self::Placed } else { Self::Bare }
    }
}

impl Fence {
    /// Choose a way that works here, and tell why it is none if it is none.
    ///
    /// Envy's own launcher comes first, since it takes a tenth of the time for a view of hundreds of entries; bubblewrap
    /// comes where that is refused, since some distributions allow namespaces only to programs that they know. Whether a
    /// way works is found out by going it, which takes milliseconds.
    pub fn choose(setting: Setting, prefer: Option<Launcher>) -> Result<(Self, Option<String>), Error> {
        // The link leads to the running program, even after an upgrade has put another in its place.
        Self::choose_with_helper(PathBuf::from("/proc/self/exe"), setting, prefer)
    }

    /// Choose as [`Fence::choose`] does, where this program is not envy: `helper` is a program whose `main` calls
    /// [`helper`].
    pub fn choose_with_helper(
        helper: PathBuf,
        setting: Setting,
        prefer: Option<Launcher>,
    ) -> Result<(Self, Option<String>), Error> {
        let limits = Limits::default();
        if setting == Setting::Off {
            return Ok((Self { way: Way::without(), helper, limits }, Some("the sandbox is switched off".to_owned())));
        }
        match first_that_works(&helper, prefer) {
            Ok(way) => Ok((Self { way, helper, limits }, None)),
            Err(reason) if setting == Setting::Required => Err(Error::Refused { reason }),
            Err(reason) => Ok((Self { way: Way::without(), helper, limits }, Some(reason))),
        }
    }

    /// The same fence with other limits.
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The program that every fence starts with, by its path.
    pub fn helper(&self) -> Result<PathBuf, disk::Error> {
        disk::canonical(&self.helper)
    }

    /// How much of a fence this is.
    pub fn mode(&self) -> Mode {
        match self.way {
            Way::Native | Way::Bubblewrap(_) => Mode::Namespaces,
            Way::Placed => Mode::Placed,
            Way::Bare => Mode::Bare,
        }
    }

    /// The same fence, but where it is none, the command's files are elsewhere even for root.
    pub fn below_scratch(self) -> Self {
        let way = if matches!(self.way, Way::Placed) { Way::Bare } else { self.way };
        Self { way, ..self }
    }

    /// Whether a command's files are at the very places of its view. If not, nothing can be built that looks for others
    /// at the placeholder.
    pub fn has_places(&self) -> bool {
        self.mode() != Mode::Bare
    }

    /// Wait until this process has the places, where builds use them one at a time.
    pub fn place(&self, limit: Option<Duration>, progress: &dyn Progress) -> Result<Option<Place>, store::Error> {
        match self.way {
            Way::Placed => Place::take(limit, progress).map(Some),
            _ => Ok(None),
        }
    }

    /// Where the scratch directory has to be, if it matters.
    pub fn workplace(&self) -> Option<&'static Path> {
        matches!(self.way, Way::Placed).then_some(Path::new(placed::WORK))
    }

    /// What to put before `/envy/…` to have a path that the build can use: nothing where its files are at their places,
    /// else `root` in the scratch directory.
    pub fn root(&self, scratch: &Path) -> String {
        match self.mode() {
            Mode::Namespaces | Mode::Placed => String::new(),
            Mode::Bare => bare::root(scratch).to_string_lossy().into_owned(),
        }
    }

    /// Run the view's command to its end. What it writes goes to `log`; `scratch`, an existing directory, is used for what
    /// the fence itself needs.
    pub fn run(&self, view: &View, scratch: &Path, log: &File) -> Result<ExitStatus, Error> {
        view::check(view)?;
        let scratch = disk::canonical(scratch)?;
        let call = Call { helper: &self.helper, view, scratch: &scratch, log, limits: self.limits };
        match &self.way {
            Way::Native => native::run(&call),
            Way::Bubblewrap(bwrap) => bwrap::run(&call, bwrap),
            Way::Placed => placed::run(&call),
            Way::Bare => bare::run(&call),
        }
    }
}

/// What a launcher is to do.
struct Call<'a> {
    helper: &'a Path,
    view: &'a View,
    scratch: &'a Path,
    log: &'a File,
    limits: Limits,
}

fn first_that_works(helper: &Path, prefer: Option<Launcher>) -> Result<Way, String> {
    let mut reasons = Vec::new();
    for launcher in [Launcher::Native, Launcher::Bubblewrap] {
        if prefer.is_some_and(|prefer| prefer != launcher) {
            continue;
        }
        let way = match launcher {
            Launcher::Bubblewrap => bwrap::probe().map(Way::Bubblewrap),
            Launcher::Native => native::probe(helper).map(|()| Way::Native),
        };
        match way {
            Ok(way) => return Ok(way),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(reasons.join(", and "))
}

/// Be the program that a fence starts with, if `arguments`, those after the program's name, ask for it.
///
/// `main` calls this before anything else: a thread more, and there are no namespaces to be had. `Some` is the code to exit
/// with.
pub fn helper(arguments: &[OsString]) -> Option<u8> {
    let stage = Stage::asked_for(arguments)?;
    Some(talk::report(match stage {
        Stage::Native { parent } => native::outside(parent),
        Stage::First => native::inside(),
        Stage::Bubblewrap { parent, bwrap } => bwrap::launch(parent, &bwrap),
        Stage::Bare => bare::watch(Orphans::Killed),
        Stage::Leaving => bare::watch(Orphans::Left),
    }))
}
