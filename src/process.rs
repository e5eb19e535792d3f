//! The door to other processes and to this one's environment: the only room that calls `std::process` and `std::env`.

#![allow(clippy::disallowed_methods, reason = "this room is the door to processes and the environment")]

mod talk;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

pub use self::talk::{Conversation, talk};

/// A program could not be run, or said that it failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be started.
    #[error("could not run `{}`", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// It ended with a failure.
    #[error("`{}` failed ({status})\n{}", program.display(), said.trim_end())]
    Failed {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to stderr.
        said: String,
    },
}

impl Error {
    /// Whether there is no such program.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Start { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// A variable of this process's environment, if it is set, not empty, and UTF-8.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A variable of this process's environment that holds a path.
pub fn path_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// This process's whole environment.
pub fn environment() -> BTreeMap<OsString, OsString> {
    std::env::vars_os().collect()
}

/// The directory that this process was started in.
pub fn current_directory() -> io::Result<PathBuf> {
    std::env::current_dir()
}

/// The file of this very program.
pub fn this_program() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// The arguments of this process, without its own name.
pub fn arguments() -> Vec<OsString> {
    std::env::args_os().skip(1).collect()
}

/// End this process at once.
#[allow(clippy::exit, reason = "this is the door")]
pub fn exit(code: u8) -> ! {
    std::process::exit(code.into())
}

/// The name of the user that this process runs as, by the host's own list, or else `uid 1000`.
pub fn user() -> String {
    let id = rustix::process::getuid().as_raw().to_string();
    let users = crate::disk::read_text_if_exists(Path::new("/etc/passwd")).ok().flatten().unwrap_or_default();
    let of = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        (fields.nth(1)? == id).then_some(name)
    };
    users.lines().find_map(of).unwrap_or_else(|| format!("uid {id}"))
}

/// Whether this process may do everything.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The name of this host.
pub fn host_name() -> Option<String> {
    let name = rustix::system::uname();
    name.nodename().to_str().ok().map(str::to_owned)
}

/// Whether someone sits before this process, who can be asked.
pub fn is_interactive() -> bool {
    std::io::IsTerminal::is_terminal(&io::stdin()) && std::io::IsTerminal::is_terminal(&io::stderr())
}

/// Where temporary files belong that need not lie in the store.
pub fn temporary_directory() -> PathBuf {
    std::env::temp_dir()
}

/// The number of this process.
pub fn id() -> u32 {
    std::process::id()
}

/// How many processors this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The program of this name that the variable `PATH` leads to.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| is_program(file))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Run a program to its end and give what it wrote to stdout; `environment` comes on top of this process's own.
pub fn capture<S: AsRef<OsStr>>(
    program: &Path,
    arguments: impl IntoIterator<Item = S>,
    directory: Option<&Path>,
    environment: &[(&str, &OsStr)],
) -> Result<Vec<u8>, Error> {
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
    if let Some(directory) = directory {
        command.current_dir(directory);
    }
    let start = |source| Error::Start { program: program.to_owned(), source };
    let Output { status, stdout, stderr } = command.output().map_err(start)?;
    if status.success() {
        return Ok(stdout);
    }
    Err(Error::Failed { program: program.to_owned(), status, said: String::from_utf8_lossy(&stderr).into_owned() })
}

/// Run a program to its end, give it a text on stdin, and give what it wrote to stdout. It shares this process's
/// stderr, so that it may talk with the user; `environment` comes on top of this process's own.
pub fn ask<S: AsRef<OsStr>>(
    program: &Path,
    arguments: impl IntoIterator<Item = S>,
    environment: &[(&str, &str)],
    question: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let start = |source| Error::Start { program: program.to_owned(), source };
    let mut child = command.spawn().map_err(start)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not listen answers all the same, or fails.
        let _ = stdin.write_all(question);
    }
    let Output { status, stdout, .. } = child.wait_with_output().map_err(start)?;
    if status.success() {
        return Ok(stdout);
    }
    Err(Error::Failed { program: program.to_owned(), status, said: String::new() })
}

/// Become another program. Returns only if that is not possible.
pub fn become_program(program: &OsStr, arguments: &[OsString], environment: &BTreeMap<OsString, OsString>) -> Error {
    let source = Command::new(program).args(arguments).env_clear().envs(environment).exec();
    Error::Start { program: program.into(), source }
}
