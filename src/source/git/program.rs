//! Fetching with the program `git` into our own mirrors, for what the library or the protocols here cannot do.
//!
//! The user's configuration counts, as that is what the program is asked for: proxies, helpers, other addresses. What
//! would run something else does not: hooks, file system monitors, `ext::` addresses, housekeeping.

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::Path;

use super::error::Error;
use super::refs::Refs;
use crate::digest::Commit;
use crate::disk;
use crate::process;

/// Settings that are as they are, whatever the user's configuration says.
const SETTINGS: [&str; 6] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
    "transfer.bundleURI=false",
];

/// Variables that would send git elsewhere.
const TAKEN_OUT: [&str; 7] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
];

/// Fetch a commit alone, or everything that the repository's branches and tags lead to.
pub(super) fn fetch(mirror: &Path, url: &str, commit: Option<&Commit>, shown: &str) -> Result<(), Error> {
    let directory = format!("--git-dir={}", mirror.display());
    let mut words = vec![directory, "fetch".to_owned(), "--quiet".to_owned()];
    words.extend(["--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"].map(str::to_owned));
    match commit {
        Some(_) => words.push("--depth=1".to_owned()),
        None if disk::is_file(&mirror.join("shallow")) => words.push("--unshallow".to_owned()),
        None => {}
    }
    words.extend(["--".to_owned(), url.to_owned()]);
    match commit {
        Some(commit) => words.push(format!("+{commit}:refs/envy/{commit}")),
        None => words.extend(["+refs/heads/*:refs/all/heads/*", "+refs/tags/*:refs/all/tags/*"].map(str::to_owned)),
    }
    run(&words, shown).map(drop)
}

/// All names of a repository.
pub(super) fn list(url: &str, shown: &str) -> Result<Refs, Error> {
    let words = ["ls-remote", "--symref", "--", url].map(str::to_owned);
    run(&words, shown).map(|text| Refs::parse(&text))
}

fn run(words: &[String], shown: &str) -> Result<String, Error> {
    let arguments = SETTINGS.iter().flat_map(|setting| ["-c", setting]).map(OsString::from);
    let arguments: Vec<_> = arguments.chain(words.iter().map(OsString::from)).collect();
    let prompt = if process::is_interactive() { "1" } else { "0" };
    let taken_out = TAKEN_OUT.iter().map(|name| (*name, None));
    let environment: Vec<_> = taken_out.chain([("GIT_TERMINAL_PROMPT", Some(OsStr::new(prompt)))]).collect();
    let failed = |source| Error::Program { url: shown.to_owned(), source };
    let mut git = process::talk(OsStr::new("git"), &arguments, &environment).map_err(failed)?;
    git.fall_silent();
    let mut output = String::new();
    let read = git.read_to_string(&mut output);
    let said = match git.end() {
        (true, _) if read.is_ok() => return Ok(output),
        (_, said) => said,
    };
    let said = said.lines().map(|line| line.replace(char::is_control, " ")).collect::<Vec<_>>().join("; ");
    Err(Error::Git { url: shown.to_owned(), said })
}

/// Whether there is such a program.
pub(super) fn is_there() -> bool {
    process::find_program("git").is_some()
}
