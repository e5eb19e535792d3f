//! No fence: the command runs on the host, in an imitation of its view.
//!
//! What the view has below `/envy` lies below `root` in the scratch directory instead, as symlinks; the rest of the view is
//! left out. Nothing keeps the command from seeing more, or from writing to what should be read-only.
//!
//! A helper watches over the command. It adopts orphans, so that it can kill all of them at the end, and it does so too
//! when its own input ends, which is when envy dies.

#![allow(clippy::disallowed_methods, reason = "the launcher of sandboxes is a door to processes of its own")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};

use super::talk::{self, Doing as _, Fault, Item, Spec, Stage};
use super::{Call, Error, Orphans};
use crate::disk;
use crate::process;

/// What stands for `/` of a view.
pub(super) fn root(scratch: &Path) -> PathBuf {
    scratch.join("root")
}

/// Run a view's command without a fence.
pub(super) fn run(call: &Call<'_>) -> Result<ExitStatus, Error> {
    let root = root(call.scratch);
    let mut spec = Spec::new(call.view, call.scratch);
    let links = links(&spec.entries, &root)?;
    disk::remove_tree(&root)?;
    disk::create_directories(&root.join("envy"))?;
    for (path, target) in links {
        disk::create_directories(path.parent().unwrap_or(&root))?;
        disk::symlink(&target, &path)?;
    }
    spec.directory = rebased(&spec.directory, &root);
    spec.environment.insert("PWD".to_owned(), spec.directory.clone());
    spec.command.iter_mut().take(1).for_each(|program| *program = rebased(program, &root));
    talk::run(call, &Stage::Bare, &spec)
}

/// The symlinks that imitate a view: where each is, and where it leads.
fn links(entries: &[Item], root: &Path) -> Result<Vec<(PathBuf, PathBuf)>, Error> {
    let mut links: Vec<(PathBuf, PathBuf)> = Vec::new();
    for entry in entries.iter().filter(|entry| entry.to().starts_with("/envy/")) {
        let path = PathBuf::from(rebased(entry.to(), root));
        if links.iter().any(|(outer, _)| path.starts_with(outer)) {
            let why = "without a sandbox, it cannot lie in another of the view";
            return Err(Error::Place { to: entry.to().to_owned(), why });
        }
        let target = match entry {
            Item::ReadOnly { from, .. } | Item::Writable { from, .. } => from.clone(),
            Item::Symlink { target, .. } => rebased(target, root),
        };
        links.push((path, target.into()));
    }
    Ok(links)
}

/// A path of the view as a path of the host.
fn rebased(path: &str, root: &Path) -> String {
    if path == "/envy" || path.starts_with("/envy/") { format!("{}{path}", root.display()) } else { path.to_owned() }
}

/// Be the helper that watches over a command.
pub(super) fn watch(orphans: Orphans) -> Result<u8, Fault> {
    talk::shed();
    let spec = Spec::receive()?;
    let program = || format!("start `{}`", spec.command.first().map_or("nothing", String::as_str));
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).fault(program)?;
    fs::metadata(&spec.directory).fault(|| format!("enter `{}`", spec.directory))?;
    let child = talk::command(&spec)?.spawn().fault(program)?;
    talk::close_report()?;
    talk::at_end_of_input(|| {
        kill_descendants();
        process::exit(1);
    });
    let code = talk::reap(child.id())?;
    // Where envy is gone, the command may have been killed a moment ago, before what it had started.
    if orphans == Orphans::Killed || talk::has_input_ended() {
        kill_descendants();
    }
    Ok(code)
}

/// Kill children until there are none. The orphans of the killed become children in their turn.
fn kill_descendants() {
    loop {
        let children = children();
        if children.is_empty() {
            return;
        }
        for child in children {
            // One that ended by itself is still to be waited for, so no other process has its number.
            let _ = rustix::process::kill_process(child, Signal::KILL);
        }
        if matches!(rustix::process::wait(WaitOptions::empty()), Err(Errno::CHILD)) {
            return;
        }
    }
}

/// The children of this process, by what each of its threads started or adopted.
fn children() -> Vec<Pid> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let numbers = |list: String| list.split_whitespace().filter_map(|number| number.parse().ok()).collect::<Vec<i32>>();
    lists.flat_map(numbers).filter_map(Pid::from_raw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symlink(target: &str, to: &str) -> Item {
        Item::Symlink { target: target.into(), to: to.into() }
    }

    #[test]
    fn what_is_below_envy_is_moved_below_the_root() {
        let entries = [
            symlink("usr/bin", "/bin"),
            Item::ReadOnly { from: "/store/1".into(), to: "/envy/in/1".into() },
            symlink("/envy/in/1/bin", "/envy/tools"),
            symlink("/usr", "/envy/usr"),
        ];
        let links = links(&entries, Path::new("/s/root")).unwrap();
        let expected = [
            ("/s/root/envy/in/1", "/store/1"),
            ("/s/root/envy/tools", "/s/root/envy/in/1/bin"),
            ("/s/root/envy/usr", "/usr"),
        ];
        assert_eq!(links, expected.map(|(path, target)| (path.into(), target.into())));
    }

    #[test]
    fn a_place_in_another_is_refused_lest_the_host_be_written_to() {
        let entries = [symlink("/x", "/envy/src"), symlink("/y", "/envy/src/vendor")];
        assert!(matches!(links(&entries, Path::new("/r")), Err(Error::Place { .. })));
    }
}
