//! Where a command writes what others are to have: a place that somebody named, or the standard output.

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::context::Context;
use crate::disk;
use crate::failure::{Exit, Failure};

/// Where something is written.
#[derive(Debug)]
pub enum Output {
    /// The standard output, `-`.
    Stdout,
    /// What a path leads to: a file, or a device or a pipe.
    Path(PathBuf),
}

/// Why nothing was written.
enum Problem {
    /// The place does not take it.
    Place(disk::Error),
    /// There is nothing to write.
    Content(Failure),
}

impl From<disk::Error> for Problem {
    fn from(error: disk::Error) -> Self {
        Self::Place(error)
    }
}

impl Output {
    /// The place that a path names.
    pub fn at(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            return Ok(Self::Stdout);
        }
        if disk::is_directory(path) {
            return Err(Failure::new(Exit::Failed, format!("`{}` is a directory", path.display()))
                .hint("name a file in it with `--output`"));
        }
        Ok(Self::Path(path.to_owned()))
    }

    /// Whether it is the standard output.
    pub fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout)
    }

    /// Its path, as it was typed.
    pub fn path(&self) -> &Path {
        match self {
            Self::Stdout => Path::new("-"),
            Self::Path(path) => path,
        }
    }

    /// Write what is no text; gives how many bytes it had. A terminal is no place for it.
    pub fn write<T>(
        &self,
        context: &Context<'_>,
        what: &str,
        write: impl FnOnce(&mut dyn Write) -> Result<T, Failure>,
    ) -> Result<(T, u64), Failure> {
        let Self::Path(path) = self else {
            let to = context.ui.raw().ok_or_else(|| {
                Failure::new(Exit::Usage, format!("{what} is nothing for a terminal"))
                    .hint("name a file with `--output`, or send the output on: `… -o - | ssh HOST …`")
            })?;
            return counted(to, write);
        };
        let mut written = None;
        let done = disk::write_named(path, |file| {
            written = Some(counted(file, write).map_err(Problem::Content)?);
            Ok(())
        });
        match done {
            Ok(()) => Ok(written.expect("what succeeded was written")),
            Err(Problem::Place(error)) => Err(Failure::output(error)),
            Err(Problem::Content(failure)) => Err(failure),
        }
    }

    /// Write a text.
    pub fn text(&self, context: &Context<'_>, text: &str) -> Result<(), Failure> {
        let Self::Path(path) = self else {
            context.ui.result(text);
            return Ok(());
        };
        let write = |mut file: &std::fs::File| {
            file.write_all(text.as_bytes()).map_err(|error| disk::Error::new("write", path, error))
        };
        disk::write_named(path, write).map_err(Failure::output)
    }
}

impl fmt::Display for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => write!(formatter, "the standard output"),
            Self::Path(path) => write!(formatter, "`{}`", path.display()),
        }
    }
}

/// Write, and count the bytes.
fn counted<T>(to: impl Write, write: impl FnOnce(&mut dyn Write) -> Result<T, Failure>) -> Result<(T, u64), Failure> {
    let mut to = Counting { to: BufWriter::new(to), size: 0 };
    let written = write(&mut to)?;
    Ok((written, to.size))
}

/// Counts what is written.
struct Counting<W> {
    to: W,
    size: u64,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
