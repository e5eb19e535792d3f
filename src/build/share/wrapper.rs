//! The wrapper: this program in the place of `rustc`, inside a build.

#![allow(clippy::disallowed_methods, reason = "the wrapper, inside a sandbox, is a door of its own")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::call::Call;
use super::talk::{self, Answer, Request};
use super::trees::{self, Trees};
use super::{COMPILER, DIRECTORY, SOCKET, WRAPPER};
use crate::process;

/// Be the compiler, if this program lies where a build expects it. `Some` is the code to exit with.
///
/// `main` calls this before it looks at its arguments.
pub fn rustc(arguments: &[OsString]) -> Option<u8> {
    if !is_wrapper(&process::this_program().ok()?) {
        return None;
    }
    Some(match share(arguments) {
        Shared::Done => 0,
        Shared::No => be_compiler(arguments),
        Shared::Begun => run_compiler(arguments),
    })
}

/// Whether this is the path of the wrapper. The kernel says `(deleted)` after it where the program was replaced on the
/// host while the build runs, such as by an upgrade.
fn is_wrapper(program: &Path) -> bool {
    program.to_str().is_some_and(|path| path.strip_suffix(" (deleted)").unwrap_or(path) == WRAPPER)
}

/// How far sharing came.
enum Shared {
    /// Everything is there.
    Done,
    /// Nothing was said nor written that counts.
    No,
    /// Something was said, and then it failed.
    Begun,
}

fn share(arguments: &[OsString]) -> Shared {
    let Some(request) = request(arguments) else { return Shared::No };
    let Some(out) = request.call.understand().map(|understood| understood.out.to_owned()) else { return Shared::No };
    let mut begun = false;
    match converse(&request, Path::new(&out), &mut begun) {
        Ok(true) => Shared::Done,
        _ if begun => Shared::Begun,
        _ => Shared::No,
    }
}

/// What envy needs to know of this very call, if it may be a unit.
fn request(arguments: &[OsString]) -> Option<Request> {
    let text = |text: &OsString| text.to_str().map(str::to_owned);
    let arguments = arguments.iter().map(text).collect::<Option<Vec<_>>>()?;
    let environment = process::environment();
    let environment = environment.iter().map(|(name, value)| Some((text(name)?, text(value)?)));
    let environment = environment.collect::<Option<BTreeMap<_, _>>>()?;
    let directory = process::current_directory().ok()?.to_str()?.to_owned();
    let call = Call { arguments, environment, directory };
    let mut trees = Trees::new();
    for path in call.understand()?.reads {
        if let Some(items) = trees::scan(Path::new(path)).ok()? {
            trees.insert(path.to_owned(), items);
        }
    }
    Some(Request { call, trees })
}

/// Do what envy says; whether everything came.
fn converse(request: &Request, out: &Path, begun: &mut bool) -> io::Result<bool> {
    let mut stream = UnixStream::connect(SOCKET)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    talk::write(&mut stream, request)?;
    loop {
        match talk::read(&mut answers)? {
            Answer::Send => trees::send(&request.trees, &mut stream)?,
            Answer::Take { from, name, executable } => {
                take(&Path::new(DIRECTORY).join(from), &out.join(name), if executable { 0o755 } else { 0o644 })?;
            }
            Answer::Say(line) => {
                *begun = true;
                writeln!(io::stderr(), "{line}")?;
            }
            Answer::Done => return Ok(true),
            Answer::Yourself => return Ok(false),
        }
    }
}

fn take(from: &Path, to: &Path, mode: u32) -> io::Result<()> {
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut copy = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(to)?;
    io::copy(&mut fs::File::open(from)?, &mut copy).map(drop)
}

/// Become the compiler. Returns only if that is not possible.
fn be_compiler(arguments: &[OsString]) -> u8 {
    let error = Command::new(COMPILER).arg0("rustc").args(arguments).exec();
    let _ = writeln!(io::stderr(), "could not run `{COMPILER}`: {error}");
    127
}

/// Run the compiler after cargo was told that the crate's metadata is there: it must not be told twice.
fn run_compiler(arguments: &[OsString]) -> u8 {
    let mut command = Command::new(COMPILER);
    let Ok(mut child) = command.arg0("rustc").args(arguments).stderr(Stdio::piped()).spawn() else { return 127 };
    let lines = child.stderr.take().map(|stderr| BufReader::new(stderr).split(b'\n'));
    for line in lines.into_iter().flatten().map_while(Result::ok) {
        if !tells_metadata(&String::from_utf8_lossy(&line)) {
            let _ = io::stderr().write_all(&[&line[..], b"\n"].concat());
        }
    }
    child.wait().ok().and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok()).unwrap_or(101)
}

/// Whether the compiler says with this line that the crate's metadata is there.
pub fn tells_metadata(line: &str) -> bool {
    line.contains("\"artifact\"") && line.contains("\"emit\":\"metadata\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_was_replaced_meanwhile_is_the_wrapper_still() {
        assert!(is_wrapper(Path::new(WRAPPER)));
        assert!(is_wrapper(Path::new(&format!("{WRAPPER} (deleted)"))));
        assert!(!is_wrapper(Path::new("/usr/bin/envy")) && !is_wrapper(Path::new("/usr/bin/envy (deleted)")));
    }
}
