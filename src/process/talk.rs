//! Talking with another program: writing to its stdin while reading its stdout.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::Error;

/// How much of what a program writes to stderr is kept.
const MOST_SAID: u64 = 16 << 10;

/// A program that runs, and can be written to and read from. It ends with the value.
#[derive(Debug)]
pub struct Conversation {
    child: Child,
    said: mpsc::Receiver<String>,
}

/// Run a program to talk with it. In `environment`, what has no value is taken out of this process's own.
pub fn talk(
    program: &OsStr,
    arguments: &[OsString],
    environment: &[(&str, Option<&OsStr>)],
) -> Result<Conversation, Error> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, value) in environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let start = |source| Error::Start { program: program.into(), source };
    let mut child = command.spawn().map_err(start)?;
    let stderr = child.stderr.take();
    let (tell, said) = mpsc::channel();
    std::thread::spawn(move || stderr.map(|stderr| hear(stderr, &tell)));
    Ok(Conversation { child, said })
}

/// Pass on the beginning of what comes; the rest is read and forgotten, so that nobody waits for us.
fn hear(mut from: impl Read, tell: &mpsc::Sender<String>) {
    let mut said = Vec::new();
    let _ = from.by_ref().take(MOST_SAID).read_to_end(&mut said);
    let _ = tell.send(String::from_utf8_lossy(&said).into_owned());
    let _ = io::copy(&mut from, &mut io::sink());
}

impl Conversation {
    /// Say that nothing more will be said.
    pub fn fall_silent(&mut self) {
        self.child.stdin = None;
    }

    /// Wait for the program's end; whether it succeeded, and what it wrote to stderr.
    pub fn end(mut self) -> (bool, String) {
        self.fall_silent();
        self.child.stdout = None;
        let succeeded = self.child.wait().is_ok_and(|status| status.success());
        // What it started, and what goes on without it, may keep its stderr.
        let said = self.said.recv_timeout(Duration::from_millis(500)).unwrap_or_default();
        (succeeded, said)
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // One that has ended already cannot be ended again, and needs not.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Read for Conversation {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.child.stdout.as_mut().map_or(Ok(0), |stdout| stdout.read(buffer))
    }
}

impl Write for Conversation {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stdin = self.child.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.child.stdin.as_mut().map_or(Ok(()), Write::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_comes_back_and_errors_are_kept() {
        let script = ["-c", "cat; echo trouble >&2; test \"$GONE\" = ''; exit 3"].map(OsString::from);
        let mut cat = talk(OsStr::new("sh"), &script, &[("GONE", None)]).unwrap();
        cat.write_all(b"hello").unwrap();
        cat.fall_silent();
        let mut heard = String::new();
        cat.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "hello");
        assert_eq!(cat.end(), (false, "trouble\n".to_owned()));
    }
}
