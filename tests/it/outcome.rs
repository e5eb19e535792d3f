//! What a program did: its code and its words, made the same on every machine and every day.

use std::fmt;
use std::io::Read;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use expect_test::Expect;

use crate::server::lock;

/// Nothing that a test runs takes longer; what does, hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// How a program ended and what it said.
///
/// Expectations are compared with [`Outcome::text`]: all of stderr, then, if there is any, the line
/// `--- stdout ---` and all of stdout. In both, these are replaced:
///
/// | what | by |
/// | --- | --- |
/// | the scratch directory | `[SCRATCH]` |
/// | `sha256:` and its digits, all 64 or cut short with `…` | `sha256:[..]` |
/// | any other 64 hexadecimal digits | `[DIGEST]` |
/// | `0.53s`, `12ms`, `3s` | `[TIME]` |
/// | the port after `127.0.0.1:` or `localhost:` | `[PORT]` |
/// | the number after `pid` or `process` | `[PID]` |
pub struct Outcome {
    command: String,
    scratch: String,
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl Outcome {
    /// Runs a program to its end, without input. It and all that it started are killed if that takes too long.
    #[track_caller]
    pub fn of(mut command: Command, name: &str, scratch: &Path) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("`{name}` cannot be started: {error}"));
        let (ended, both) = mpsc::channel();
        let stdout = collect(child.stdout.take().expect("it is piped"), ended.clone());
        let stderr = collect(child.stderr.take().expect("it is piped"), ended);
        let in_time = both.recv_timeout(LIMIT).is_ok() && both.recv_timeout(LIMIT).is_ok();
        if !in_time {
            let group = rustix::process::Pid::from_child(&child);
            // It may end at this very moment, which is as good.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let status = child.wait().expect("a child can be waited for");
        let text = |bytes: &Mutex<Vec<u8>>| String::from_utf8_lossy(&lock(bytes)).into_owned();
        let outcome = Self {
            command: name.to_owned(),
            scratch: scratch.to_str().expect("temporary directories have UTF-8 names").to_owned(),
            status,
            stdout: text(&stdout),
            stderr: text(&stderr),
        };
        assert!(in_time, "{outcome}\nwas killed after {} s", LIMIT.as_secs());
        outcome
    }

    /// It succeeded, and said this.
    #[track_caller]
    pub fn ok(&self, expected: Expect) -> &Self {
        self.fails(0, expected)
    }

    /// It ended with this code, and said this.
    #[track_caller]
    pub fn fails(&self, code: i32, expected: Expect) -> &Self {
        self.ends(code);
        expected.assert_eq(&self.text());
        self
    }

    /// It succeeded, whatever it said.
    #[track_caller]
    pub fn succeeds(&self) -> &Self {
        self.ends(0)
    }

    /// It ended with this code, whatever it said.
    #[track_caller]
    pub fn ends(&self, code: i32) -> &Self {
        assert!(self.code() == code, "{self}\nwas expected to end with {code}");
        self
    }

    /// It said this, somewhere in [`Outcome::text`].
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.text().contains(text), "{self}\nwas expected to say: {text}");
        self
    }

    /// It said this nowhere in [`Outcome::text`].
    #[track_caller]
    pub fn never_says(&self, text: &str) -> &Self {
        assert!(!self.text().contains(text), "{self}\nwas not to say: {text}");
        self
    }

    /// Its exit code; 128 and the signal if one ended it, as in a shell.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or_default())
    }

    /// stdout to the byte, nothing replaced.
    pub fn stdout(&self) -> &str {
        &self.stdout
    }

    /// stderr to the byte, nothing replaced.
    pub fn stderr(&self) -> &str {
        &self.stderr
    }

    /// stdout as one JSON document.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{self}\nwas expected to print JSON: {error}"))
    }

    /// What expectations are compared with; see [`Outcome`].
    pub fn text(&self) -> String {
        let mut text = self.stderr.clone();
        if !self.stdout.is_empty() {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text += "--- stdout ---\n";
            text += &self.stdout;
        }
        normalise(&text, &self.scratch)
    }
}

/// For whoever reads a failing test.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "`{}` ended with {}", self.command, self.code())?;
        for line in self.text().lines() {
            writeln!(f, "  | {line}")?;
        }
        Ok(())
    }
}

fn collect(mut from: impl Read + Send + 'static, ended: mpsc::Sender<()>) -> Arc<Mutex<Vec<u8>>> {
    let bytes = Arc::<Mutex<Vec<u8>>>::default();
    let shared = Arc::clone(&bytes);
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            lock(&shared).extend_from_slice(&buffer[..length]);
        }
        // Nobody listens any more if time was up.
        let _ = ended.send(());
    });
    bytes
}

/// Replaces what differs from run to run; see [`Outcome`] for the table.
pub fn normalise(text: &str, scratch: &str) -> String {
    let text = if scratch.is_empty() { text.to_owned() } else { text.replace(scratch, "[SCRATCH]") };
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(next) = rest.chars().next() {
        let word_before = out.chars().next_back().is_some_and(|it| it.is_alphanumeric() || "._-".contains(it));
        let found = rules(rest).filter(|_| !word_before);
        let (taken, replacement) = found.unwrap_or_else(|| (next.len_utf8(), rest[..next.len_utf8()].to_owned()));
        out += &replacement;
        rest = &rest[taken..];
    }
    out
}

/// How much of the beginning of a text to replace, and by what.
fn rules(text: &str) -> Option<(usize, String)> {
    sha256(text).or_else(|| digest(text)).or_else(|| time(text)).or_else(|| numbered(text))
}

fn sha256(text: &str) -> Option<(usize, String)> {
    let digits = count(text.strip_prefix("sha256:")?, |it| it.is_ascii_hexdigit());
    let end = "sha256:".len() + digits;
    let cut = text[end..].starts_with('…');
    let length = if cut { end + '…'.len_utf8() } else { end };
    (digits == 64 || cut && digits >= 4).then(|| (length, "sha256:[..]".to_owned()))
}

fn digest(text: &str) -> Option<(usize, String)> {
    let word = count(text, |it| it.is_ascii_alphanumeric());
    let all_hex = count(text, |it| it.is_ascii_hexdigit()) == 64;
    (word == 64 && all_hex).then(|| (64, "[DIGEST]".to_owned()))
}

fn time(text: &str) -> Option<(usize, String)> {
    let whole = count(text, |it| it.is_ascii_digit());
    let fraction = text[whole..].strip_prefix('.').map_or(0, |it| match count(it, |it| it.is_ascii_digit()) {
        0 => 0,
        digits => digits + 1,
    });
    let number = whole + fraction;
    let unit = ["ms", "µs", "s"].into_iter().find(|unit| text[number..].starts_with(unit))?;
    let end = number + unit.len();
    let over = text[end..].chars().next().is_none_or(|it| !it.is_alphanumeric() && it != '_');
    (whole > 0 && over).then(|| (end, "[TIME]".to_owned()))
}

fn numbered(text: &str) -> Option<(usize, String)> {
    let before = [("127.0.0.1:", "[PORT]"), ("localhost:", "[PORT]"), ("pid ", "[PID]"), ("process ", "[PID]")];
    let (word, replacement) = before.into_iter().find(|(word, _)| text.starts_with(word))?;
    let digits = count(&text[word.len()..], |it| it.is_ascii_digit());
    (digits > 0).then(|| (word.len() + digits, format!("{word}{replacement}")))
}

/// How many characters (all of one byte) of the beginning are of a kind.
fn count(text: &str, kind: impl Fn(char) -> bool) -> usize {
    text.find(|it| !kind(it)).unwrap_or(text.len())
}
