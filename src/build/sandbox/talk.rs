//! What envy and its helper say to each other.
//!
//! The helper's arguments name its stage. It reads a [`Spec`] from its input, one line of JSON, and that input stays open
//! for as long as envy waits for it. It writes nothing to its output, or, if the command did not start, a [`Fault`]; it
//! closes that output when the command runs. Its stderr is the log. Both ends are the same program: the format has no
//! version.

#![allow(clippy::disallowed_methods, reason = "the launcher of sandboxes is a door to processes of its own")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};
use serde::{Deserialize, Serialize};

use super::{Call, Entry, Error, Limits, Stopped, View};

/// The first argument of a helper.
const WORD: &str = "__sandbox";

/// What a helper is to be. `parent` is the process that it must not outlive.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Make namespaces, and stay outside.
    Native { parent: i32 },
    /// Be the first process in those namespaces.
    First,
    /// Run bubblewrap.
    Bubblewrap { parent: i32, bwrap: PathBuf },
    /// Watch over a command without a fence.
    Bare,
    /// The same, and let go on what it leaves behind.
    Leaving,
}

impl Stage {
    /// The stage that a program's arguments ask for, if they do.
    pub(super) fn asked_for(arguments: &[OsString]) -> Option<Self> {
        let [word, stage, rest @ ..] = arguments else { return None };
        if word != WORD {
            return None;
        }
        let number = |text: &OsString| text.to_str()?.parse().ok();
        match (stage.to_str()?, rest) {
            ("native", [parent]) => Some(Self::Native { parent: number(parent)? }),
            ("first", []) => Some(Self::First),
            ("bwrap", [parent, bwrap]) => Some(Self::Bubblewrap { parent: number(parent)?, bwrap: bwrap.into() }),
            ("bare", []) => Some(Self::Bare),
            ("leaving", []) => Some(Self::Leaving),
            _ => None,
        }
    }

    /// The arguments that ask for this stage.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![WORD.into()];
        match self {
            Self::Native { parent } => arguments.extend(["native".into(), parent.to_string().into()]),
            Self::First => arguments.push("first".into()),
            Self::Bubblewrap { parent, bwrap } => {
                arguments.extend(["bwrap".into(), parent.to_string().into(), bwrap.into()]);
            }
            Self::Bare => arguments.push("bare".into()),
            Self::Leaving => arguments.push("leaving".into()),
        }
        arguments
    }
}

/// A view, as it is written down for the helper: checked, and an outer place before what lies in it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Spec {
    /// A directory of the host for the launcher's own use.
    pub(super) place: PathBuf,
    pub(super) entries: Vec<Item>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) directory: String,
    /// Nothing means to make the fence and to be done.
    pub(super) command: Vec<String>,
}

/// An [`Entry`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Item {
    ReadOnly { from: String, to: String },
    Writable { from: String, to: String },
    Symlink { target: String, to: String },
}

impl Item {
    pub(super) fn to(&self) -> &str {
        match self {
            Self::ReadOnly { to, .. } | Self::Writable { to, .. } | Self::Symlink { to, .. } => to,
        }
    }
}

impl Spec {
    /// Write a checked view down.
    pub(super) fn new(view: &View, place: &Path) -> Self {
        let mut entries: Vec<Item> = view.entries.iter().map(Item::from).collect();
        // `/a` comes before `/a/b`, whatever stands between the two.
        entries.sort_by(|a, b| a.to().cmp(b.to()));
        let mut environment = view.environment.clone();
        environment.insert("PWD".to_owned(), view.directory.clone());
        let (directory, command) = (view.directory.clone(), view.command.clone());
        Self { place: place.to_owned(), entries, environment, directory, command }
    }

    /// Read what envy wrote.
    pub(super) fn receive() -> Result<Self, Fault> {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).fault(|| "read what the sandbox is to be".to_owned())?;
        serde_json::from_str(&line).map_err(io::Error::from).fault(|| "read what the sandbox is to be".to_owned())
    }
}

impl From<&Entry> for Item {
    fn from(entry: &Entry) -> Self {
        let text = |from: &Path| std::path::absolute(from).unwrap_or_else(|_| from.to_owned()).to_string_lossy().into();
        match entry {
            Entry::ReadOnly { from, to } => Self::ReadOnly { from: text(from), to: to.clone() },
            Entry::Writable { from, to } => Self::Writable { from: text(from), to: to.clone() },
            Entry::Symlink { target, to } => Self::Symlink { target: target.clone(), to: to.clone() },
        }
    }
}

/// What a helper could not do.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) doing: String,
    pub(super) source: io::Error,
}

/// A [`Fault`] on its way.
#[derive(Serialize, Deserialize)]
struct Report {
    doing: String,
    /// The number of the system's error, which has better words on the other side.
    number: Option<i32>,
    words: String,
}

/// Say what was being done when something went wrong.
pub(super) trait Doing<T> {
    fn fault(self, doing: impl FnOnce() -> String) -> Result<T, Fault>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn fault(self, doing: impl FnOnce() -> String) -> Result<T, Fault> {
        self.map_err(|source| Fault { doing: doing(), source: source.into() })
    }
}

/// The code that a helper exits with; a fault is told to envy.
pub(super) fn report(outcome: Result<u8, Fault>) -> u8 {
    let Fault { doing, source } = match outcome {
        Ok(code) => return code,
        Err(fault) => fault,
    };
    let report = Report { doing, number: source.raw_os_error(), words: source.to_string() };
    // If envy is gone, there is nobody to tell.
    let _ = serde_json::to_writer(io::stdout(), &report);
    let _ = io::stdout().flush();
    1
}

/// Start a helper, tell it what to do, and wait for its end.
///
/// It must be the thread that started the helper that waits: the helper dies with that thread.
pub(super) fn run(call: &Call<'_>, stage: &Stage, spec: &Spec) -> Result<ExitStatus, Error> {
    let start = || format!("start `{}`", call.helper.display());
    let mut line = serde_json::to_vec(spec).map_err(io::Error::from).fault(start)?;
    line.push(b'\n');
    let mut child = Command::new(call.helper)
        .arg0("envy")
        .args(stage.arguments())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(call.log.try_clone().fault(start)?)
        .spawn()
        .fault(start)?;
    let mut lifeline = child.stdin.take();
    // A helper that does not read on has something to report.
    let _ = lifeline.as_mut().map(|input| input.write_all(&line));
    let stopped = watch(&mut child, call).fault(start)?;
    if let Some(stopped) = stopped {
        // The helper kills everything when its input ends, and ends when all of it is gone.
        drop(lifeline);
        end(&mut child).fault(start)?;
        if let Stopped::TooMuch(limit) = stopped {
            call.log.set_len(limit).fault(|| "shorten the log".to_owned())?;
        }
        return Err(Error::Stopped(stopped));
    }
    let status = child.wait().fault(start)?;
    drop(lifeline);
    // A report is a line, which the pipe has held.
    let mut told = Vec::new();
    child.stdout.take().map_or(Ok(0), |mut output| output.read_to_end(&mut told)).fault(start)?;
    heed(&told)?;
    Ok(status)
}

/// Wait until a helper ends, or until its command is to be stopped.
fn watch(child: &mut Child, call: &Call<'_>) -> io::Result<Option<Stopped>> {
    let begun = Instant::now();
    let handle = handle_of(child);
    while child.try_wait()?.is_none() {
        let stopped = call.limits.exceeded(begun.elapsed(), call.log.metadata()?.len());
        if stopped.is_some() {
            return Ok(stopped);
        }
        match &handle {
            // It is told at once when the helper ends.
            Some(handle) => {
                let mut asked = [PollFd::new(handle, PollFlags::IN)];
                let pause = Timespec { tv_sec: 0, tv_nsec: LOOK };
                let _ = rustix::event::poll(&mut asked, Some(&pause));
            }
            None => std::thread::sleep(Limits::pause(begun.elapsed())),
        }
    }
    Ok(None)
}

/// How often limits are looked at, in nanoseconds.
const LOOK: i64 = 50_000_000;

/// A handle of a process that was not waited for yet, where the kernel gives one.
fn handle_of(child: &Child) -> Option<OwnedFd> {
    let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw)?;
    rustix::process::pidfd_open(number, PidfdFlags::empty()).ok()
}

/// Wait for the end of a helper that knows that it should end; one that does not is killed.
fn end(child: &mut Child) -> io::Result<()> {
    let begun = Instant::now();
    while child.try_wait()?.is_none() {
        if begun.elapsed() > GRACE {
            child.kill()?;
        }
        std::thread::sleep(Limits::pause(begun.elapsed()));
    }
    Ok(())
}

/// How long a helper has to kill everything.
const GRACE: Duration = Duration::from_secs(10);

/// Wait for the end of one child as [`reap`] does, and kill it when the input ends: when envy dies, or when it wants the
/// command to be stopped. There is no second thread in this: whoever has entered a pid namespace gets none.
pub(super) fn reap_or_kill(child: u32) -> Result<u8, Fault> {
    let number = i32::try_from(child).ok().and_then(Pid::from_raw);
    if let Some(number) = number
        && let Ok(handle) = rustix::process::pidfd_open(number, PidfdFlags::empty())
    {
        let input = io::stdin();
        // Nothing is asked of the input: that its other end is closed is told in any case.
        let mut asked = [PollFd::new(&input, PollFlags::empty()), PollFd::new(&handle, PollFlags::IN)];
        while matches!(rustix::event::poll(&mut asked, None), Err(rustix::io::Errno::INTR)) {}
        if asked[1].revents().is_empty() {
            let _ = rustix::process::kill_process(number, Signal::KILL);
        }
    }
    reap(child)
}

/// Do something when the input ends. Nothing of the input is read, since another helper may still have to.
pub(super) fn at_end_of_input(then: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        let input = io::stdin();
        // Nothing is asked for: that the other end is closed is told in any case.
        let mut asked = [PollFd::new(&input, PollFlags::empty())];
        while matches!(rustix::event::poll(&mut asked, None), Err(rustix::io::Errno::INTR)) {}
        then();
    });
}

/// Whether the input has ended: envy is gone, or wants the command to be stopped.
pub(super) fn has_input_ended() -> bool {
    let input = io::stdin();
    let mut asked = [PollFd::new(&input, PollFlags::empty())];
    let _ = rustix::event::poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    !asked[0].revents().is_empty()
}

fn heed(told: &[u8]) -> Result<(), Fault> {
    if told.trim_ascii().is_empty() {
        return Ok(());
    }
    let report: Report =
        serde_json::from_slice(told).map_err(io::Error::from).fault(|| "understand the helper".into())?;
    let words = io::Error::other(report.words);
    Err(Fault { doing: report.doing, source: report.number.map_or(words, io::Error::from_raw_os_error) })
}

/// What every helper does first: nothing of the host's is passed on, neither files, nor a terminal, nor a umask.
pub(super) fn shed() {
    close_fds::set_fds_cloexec(3, &[]);
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    // Refused to the leader of a group only, and a helper never is one.
    let _ = rustix::process::setsid();
}

/// Be killed when the parent dies, or be gone if it has.
pub(super) fn die_with(parent: i32) -> Result<(), Fault> {
    let die = || "die with envy".to_owned();
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).fault(die)?;
    if Pid::as_raw(rustix::process::getppid()) == parent {
        return Ok(());
    }
    Err(io::Error::other("envy is gone")).fault(die)
}

/// The number of this process.
pub(super) fn own_number() -> i32 {
    rustix::process::getpid().as_raw_pid()
}

/// A command whose input is empty and whose output goes to the log.
pub(super) fn logged(program: impl AsRef<OsStr>) -> Result<Command, Fault> {
    let log = rustix::io::fcntl_dupfd_cloexec(io::stderr(), 3).fault(|| "open the log".to_owned())?;
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null()).stdout(log);
    Ok(command)
}

/// The view's own command.
pub(super) fn command(spec: &Spec) -> Result<Command, Fault> {
    let mut command = logged(spec.command.first().map_or("", String::as_str))?;
    command.args(spec.command.iter().skip(1)).envs(&spec.environment).current_dir(&spec.directory);
    Ok(command)
}

/// Tell envy that there is nothing to report any more.
pub(super) fn close_report() -> Result<(), Fault> {
    let close = || "open `/dev/null`".to_owned();
    let null = File::options().write(true).open("/dev/null").fault(close)?;
    rustix::stdio::dup2_stdout(null).fault(close)
}

/// Wait for the end of one child, and meanwhile of any other. The code is 128 and the signal's number if one killed it.
pub(super) fn reap(child: u32) -> Result<u8, Fault> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if i64::from(pid.as_raw_pid()) == i64::from(child) => {
                let code = status.exit_status().or(status.terminating_signal().map(|signal| 128 + signal));
                return Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX));
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).fault(|| "wait for the command".to_owned()),
        }
    }
}

/// Wait until there are no children any more.
pub(super) fn reap_all() {
    while !matches!(rustix::process::wait(WaitOptions::empty()), Err(rustix::io::Errno::CHILD)) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_understood_from_its_own_arguments_only() {
        let stages = [
            Stage::Native { parent: 7 },
            Stage::First,
            Stage::Bubblewrap { parent: 7, bwrap: "/usr/bin/bwrap".into() },
            Stage::Bare,
            Stage::Leaving,
        ];
        for stage in stages {
            assert_eq!(Stage::asked_for(&stage.arguments()).as_ref(), Some(&stage));
        }
        assert_eq!(Stage::asked_for(&["build".into(), "first".into()]), None);
        assert_eq!(Stage::asked_for(&[WORD.into()]), None);
    }

    #[test]
    fn a_spec_puts_outer_places_first() {
        let symlink = |to: &str| Entry::Symlink { target: "x".into(), to: to.into() };
        let entries = vec![symlink("/a/b/c"), symlink("/a-b"), symlink("/a/b"), symlink("/a")];
        let spec = Spec::new(&View { entries, ..View::default() }, Path::new("/"));
        let places: Vec<&str> = spec.entries.iter().map(Item::to).collect();
        assert_eq!(places, ["/a", "/a-b", "/a/b", "/a/b/c"]);
    }
}
