//! What the wrapper and envy say to each other: lines of JSON, and between them the bytes that were asked for.
//!
//! The wrapper sends a [`Request`]. Envy sends [`Answer`]s, until one that is the last. Both ends are the same program: the
//! format has no version.

use std::io::{self, BufRead, Read as _, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::call::Call;
use super::trees::Trees;

/// A call that may be a unit.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// The call.
    pub call: Call,
    /// The directories that it says it reads.
    pub trees: Trees,
}

/// What the wrapper is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Send the bytes of the directories.
    Send,
    /// Take the file that lies in [`super::DIRECTORY`] under this path.
    Take {
        /// Its path there.
        from: String,
        /// Its name.
        name: String,
        /// Whether it may be executed.
        executable: bool,
    },
    /// Say this on stderr, a line.
    Say(String),
    /// End as the compiler did that succeeded. The last answer.
    Done,
    /// Be the compiler. The last answer.
    Yourself,
}

/// A line that is longer was not written by the wrapper.
const LONGEST: u64 = 64 << 20;

/// Write a message.
pub fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

/// Read a message.
pub fn read<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<T> {
    let mut line = Vec::new();
    from.take(LONGEST).read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line)?)
}
