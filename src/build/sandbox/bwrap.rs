//! Namespaces made by [bubblewrap](https://github.com/containers/bubblewrap), 0.5 or newer.
//!
//! The helper runs `bwrap` with the view as its options, and gives what [`super::native`] gives: `--dev` would mount a
//! `/dev/pts`, so `/dev` is put together from parts.

#![allow(clippy::disallowed_methods, reason = "the launcher of sandboxes is a door to processes of its own")]

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use rustix::fs::MemfdFlags;

use super::native::{DEVICE_LINKS, DEVICES, PROC_OF_THE_HOST};
use super::talk::{self, Doing as _, Fault, Item, Spec, Stage};
use super::{Call, Error};
use crate::process;

/// Run a view's command in namespaces that bubblewrap makes.
pub(super) fn run(call: &Call<'_>, bwrap: &Path) -> Result<ExitStatus, Error> {
    let stage = Stage::Bubblewrap { parent: talk::own_number(), bwrap: bwrap.to_owned() };
    talk::run(call, &stage, &Spec::new(call.view, Path::new("/")))
}

/// Where `bwrap` is, if it works here; if not, why.
pub(super) fn probe() -> Result<PathBuf, String> {
    let bwrap = find().ok_or("`bwrap` is not installed")?;
    let mut options = namespaces();
    options.extend(["--ro-bind", "/", "/", "--proc", "/proc", "--", "true"].map(str::to_owned));
    let output = Command::new(&bwrap).args(options).env_clear().output();
    let output = output.map_err(|source| format!("`bwrap` could not be started ({source})"))?;
    if output.status.success() {
        return Ok(bwrap);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("`bwrap` does not work here ({})", last_words(&words).unwrap_or("it says nothing")))
}

fn find() -> Option<PathBuf> {
    let path = process::path_variable("PATH")?;
    let mut candidates = std::env::split_paths(&path).map(|directory| directory.join("bwrap"));
    candidates.find(|candidate| candidate.is_absolute() && candidate.is_file())
}

/// What bubblewrap complained of last.
fn last_words(text: &str) -> Option<&str> {
    text.lines().rev().find_map(|line| line.strip_prefix("bwrap: "))
}

/// Be the helper that runs bubblewrap, and stay until the last process in its namespaces is gone.
pub(super) fn launch(parent: i32, bwrap: &Path) -> Result<u8, Fault> {
    let start = || format!("start `{}`", bwrap.display());
    talk::shed();
    talk::die_with(parent)?;
    let spec = Spec::receive()?;
    // bubblewrap ends with the command and its pid 1 soon after, as a child of ours.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).fault(start)?;
    let options = pass_on(&options(&spec)).fault(start)?;
    let (mut status, writer) = io::pipe().fault(start)?;
    let passed_writer = rustix::io::dup(&writer).fault(start)?;
    let mut command = talk::logged(bwrap)?;
    command.args(["--args", &options.as_raw_fd().to_string()]);
    command.args(["--json-status-fd", &passed_writer.as_raw_fd().to_string(), "--"]).args(&spec.command);
    let child = command.spawn().fault(start)?;
    drop((options, writer, passed_writer));
    let code = talk::reap_or_kill(child.id())?;
    talk::reap_all();
    let mut told = String::new();
    status.read_to_string(&mut told).fault(start)?;
    // It tells the exit code of a command that was started, and of no other.
    if told.contains("\"exit-code\"") || code > 128 {
        return Ok(code);
    }
    let program = spec.command.first().map_or("nothing", String::as_str);
    Err(io::Error::other(end_of_log())).fault(|| format!("start `{program}` in the sandbox made by `bwrap`"))
}

/// A file for the child to read.
fn pass_on(options: &[String]) -> io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("options", MemfdFlags::empty())?);
    file.write_all(
        options.iter().flat_map(|option| [option.as_bytes(), b"\0"]).collect::<Vec<_>>().concat().as_slice(),
    )?;
    file.rewind()?;
    Ok(file)
}

/// bubblewrap complains to stderr, which is the log.
fn end_of_log() -> String {
    let log = Path::new("/proc/self/fd/2");
    let text = if log.is_file() { std::fs::read(log).unwrap_or_default() } else { Vec::new() };
    last_words(&String::from_utf8_lossy(&text)).unwrap_or("it says nothing").to_owned()
}

fn namespaces() -> Vec<String> {
    let mut options = words("--unshare-user --unshare-pid --unshare-ipc --unshare-uts --unshare-net");
    options.extend(words(
        "--uid 1000 --gid 1000 --hostname envy --die-with-parent --new-session --clearenv --cap-drop ALL",
    ));
    options.extend(words("--perms 1777 --tmpfs /tmp"));
    options
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// The options that make a view.
fn options(spec: &Spec) -> Vec<String> {
    let mut options = namespaces();
    for (name, value) in &spec.environment {
        options.extend(["--setenv".to_owned(), name.clone(), value.clone()]);
    }
    options.extend(words("--proc /proc"));
    // bubblewrap covers these too, but overlooks that root needs no permission to write below `/proc/sys`.
    for part in PROC_OF_THE_HOST {
        options.extend(words(&format!("--ro-bind-try {part} {part}")));
    }
    options.extend(words("--tmpfs /dev --perms 1777 --tmpfs /dev/shm"));
    for device in DEVICES {
        options.extend(words(&format!("--dev-bind-try /dev/{device} /dev/{device}")));
    }
    for (name, target) in DEVICE_LINKS {
        options.extend(words(&format!("--symlink {target} /dev/{name}")));
    }
    let mut parents = BTreeSet::new();
    for entry in &spec.entries {
        for parent in parents_of(entry.to()).filter(|parent| parents.insert(*parent)) {
            options.extend(["--dir".to_owned(), parent.to_owned()]);
        }
        let (option, what, to) = match entry {
            Item::ReadOnly { from, to } => ("--ro-bind", from, to),
            Item::Writable { from, to } => ("--bind", from, to),
            Item::Symlink { target, to } => ("--symlink", target, to),
        };
        options.extend([option.to_owned(), what.clone(), to.clone()]);
    }
    options.extend(words("--remount-ro /dev --remount-ro / --chdir"));
    options.push(spec.directory.clone());
    options
}

/// The directories that a place lies in, outer ones first. Those that bubblewrap would make by itself are closed to others.
fn parents_of(to: &str) -> impl Iterator<Item = &str> {
    to.match_indices('/').map(|(end, _)| &to[..end]).filter(|parent| !parent.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::sandbox::{Entry, View};

    #[test]
    fn a_view_becomes_options() {
        let view = View {
            entries: vec![
                Entry::Writable { from: "/scratch/a b".into(), to: "/envy/src".into() },
                Entry::ReadOnly { from: "/usr".into(), to: "/usr".into() },
                Entry::Symlink { target: "usr/bin".into(), to: "/bin".into() },
            ],
            environment: [("HOME".to_owned(), "/envy/home".to_owned())].into(),
            directory: "/envy/src".to_owned(),
            command: vec!["make".to_owned()],
        };
        let options = options(&Spec::new(&view, Path::new("/"))).join(" ");
        assert!(options.contains(
            "--clearenv --cap-drop ALL --perms 1777 --tmpfs /tmp --setenv HOME /envy/home --setenv PWD /envy/src"
        ));
        assert!(options.ends_with(
            "--symlink usr/bin /bin --dir /envy --bind /scratch/a b /envy/src --ro-bind /usr /usr \
             --remount-ro /dev --remount-ro / --chdir /envy/src"
        ));
    }

    #[test]
    fn the_last_complaint_counts() {
        let log = "bwrap: one\nmake: two\nbwrap: execvp make: No such file or directory\n";
        assert_eq!(last_words(log), Some("execvp make: No such file or directory"));
        assert_eq!(last_words("make: two\n"), None);
    }
}
