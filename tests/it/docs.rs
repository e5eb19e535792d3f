//! Runs the transcripts of a document, so that what a document shows is what happens.
//!
//! A transcript is a block fenced as ```` ```console ````:
//!
//! - A line that begins with `$ ` is a command; one that ends in `\` goes on in the next line.
//! - The lines below it are what it prints, stdout and stderr as they come. Below a command that prints what does not
//!   matter, there are none, and its output is not compared.
//! - Digests, times and what else differs from run to run may stand in a document as it was once; see [`normalise`].
//! - `...` at the end of a line stands for the rest of the line, and alone for any number of lines.
//! - A command succeeds, unless a line of the output begins with `error:`: then it fails.
//! - Directory and exported variables pass from command to command, as in the shell of someone who types along.
//!
//! HTML comments before a block, which readers don't see: `<!-- run: no -->` leaves the block out;
//! `<!-- setup: … -->` has lines of shell to run before it.

use std::fmt::Write as _;
use std::path::Path;

use crate::outcome::normalise;
use crate::scratch::{ENVY, Scratch, Shell};

/// One block: what to run, and what that prints.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// The line of the document on which it begins, counted from 1.
    pub line: usize,
    /// Lines of shell that come first.
    pub setup: String,
    /// Each command with the lines below it.
    pub commands: Vec<(String, Vec<String>)>,
}

/// The transcripts of a document that are to be run.
pub fn transcripts(markdown: &str) -> Vec<Transcript> {
    let mut found = Vec::new();
    let mut lines = markdown.lines().enumerate();
    let (mut run, mut setup) = (true, String::new());
    while let Some((number, line)) = lines.next() {
        if let Some(start) = line.trim_start().strip_prefix("<!--") {
            let comment = until("-->", start, &mut lines);
            match comment.trim().split_once(':') {
                Some(("run", value)) => run = value.trim() != "no",
                Some(("setup", script)) => writeln!(setup, "{}", script.trim()).expect("a string takes everything"),
                _ => {}
            }
        } else if let Some((fence, language)) = fence(line) {
            let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != fence);
            let commands = if language == "console" { commands(inside) } else { inside.fold(Vec::new(), |all, _| all) };
            if run && !commands.is_empty() {
                found.push(Transcript { line: number + 1, setup: std::mem::take(&mut setup), commands });
            }
            (run, setup) = (true, String::new());
        }
    }
    found
}

/// Runs every transcript of a document in the project of a scratch directory, and fails with all that differs.
#[track_caller]
pub fn run(markdown: &str, scratch: &Scratch) {
    let failures = failures(markdown, scratch);
    assert!(failures.is_empty(), "the document shows what does not happen:\n\n{failures}");
}

/// What [`run`] fails with; nothing when all is well.
pub fn failures(markdown: &str, scratch: &Scratch) -> String {
    let envy = Path::new(ENVY).parent().expect("a program is in a directory");
    let shell = scratch.shell().first_on_path(envy).env("SESSION", scratch.root().join("session"));
    let mut failures = String::new();
    for transcript in transcripts(markdown) {
        let place = format!("transcript on line {}", transcript.line);
        if !transcript.setup.is_empty() {
            failures += &check(&shell, &place, &transcript.setup, &[], scratch);
        }
        for (command, expected) in &transcript.commands {
            failures += &check(&shell, &place, command, expected, scratch);
        }
    }
    failures
}

/// Keeps directory and variables in `$SESSION`. The command has lines of its own: it may end in a comment.
const SESSION: &str = r#"exec 2>&1
trap 'DIRECTORY=$PWD; export DIRECTORY; export -p >"$SESSION"' EXIT
if [ -f "$SESSION" ]; then . "$SESSION"; cd "$DIRECTORY" || exit; fi
"#;

fn check(shell: &Shell<'_>, place: &str, command: &str, expected: &[String], scratch: &Scratch) -> String {
    let outcome = shell.sh(&format!("{SESSION}{command}\n"));
    let root = scratch.root().display().to_string();
    let actual = calm(&normalise(outcome.stdout(), &root));
    let actual: Vec<_> = actual.lines().map(str::trim_end).collect();
    let wanted: Vec<_> = expected.iter().map(|line| calm(&normalise(line.trim_end(), &root))).collect();
    let fails = expected.iter().any(|line| line.starts_with("error:"));
    let ended_well = (outcome.code() != 0) == fails;
    if ended_well && (wanted.is_empty() || matches(&wanted, &actual)) {
        return String::new();
    }
    let mut report = format!("{place}:\n  $ {}\n", command.trim_end().replace('\n', "\n    "));
    if !ended_well {
        let should = if fails { "fail" } else { "succeed" };
        writeln!(report, "ended with {}, but was to {should}", outcome.code()).expect("a string takes everything");
    }
    if !wanted.is_empty() {
        report += &quoted("shown", wanted.iter().map(String::as_str));
    }
    report += &quoted("printed", actual.into_iter());
    report + "\n"
}

/// Replaces times such as `2026-04-14T09:30:00Z` by `[WHEN]` and digests that are cut short, such as `7afd5b9bf827…`, by
/// `[DIGEST]…`, in words that are such and nothing else.
fn calm(line: &str) -> String {
    let calmed = |word: &str| {
        let pattern: String = word.chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect();
        let short = word
            .trim_end()
            .strip_suffix('…')
            .is_some_and(|it| it.len() == 12 && it.bytes().all(|it| it.is_ascii_hexdigit()));
        let end = &word[word.trim_end().len()..];
        match pattern.trim_end() {
            "0000-00-00T00:00:00Z" => format!("[WHEN]{end}"),
            _ if short => format!("[DIGEST]…{end}"),
            _ => word.to_owned(),
        }
    };
    line.split_inclusive(' ').map(calmed).collect()
}

fn quoted<'a>(title: &str, lines: impl Iterator<Item = &'a str>) -> String {
    let lines: String = lines.map(|line| format!("  | {line}\n")).collect();
    format!("{title}:\n{lines}")
}

/// Whether lines are as expected, `...` standing for anything.
fn matches(expected: &[String], actual: &[&str]) -> bool {
    let Some((first, rest)) = expected.split_first() else { return actual.is_empty() };
    if first.trim() == "..." {
        return (0..=actual.len()).any(|skipped| matches(rest, &actual[skipped..]));
    }
    let Some((line, following)) = actual.split_first() else { return false };
    let same = first.strip_suffix("...").map_or(*line == first, |start| line.starts_with(start));
    same && matches(rest, following)
}

/// The fence that opens a block, and the language after it.
fn fence(line: &str) -> Option<(String, &str)> {
    let line = line.trim();
    let ticks = line.len() - line.trim_start_matches('`').len();
    (ticks >= 3).then(|| ("`".repeat(ticks), line[ticks..].trim()))
}

/// The rest of what begins in this line and ends with `end`, in this line or a later one.
fn until<'a>(end: &str, start: &str, lines: &mut impl Iterator<Item = (usize, &'a str)>) -> String {
    let mut text = start.to_owned();
    while !text.contains(end) {
        let Some((_, line)) = lines.next() else { break };
        text = text + "\n" + line;
    }
    text.split(end).next().unwrap_or_default().to_owned()
}

fn commands<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for line in lines {
        if let Some(command) = line.trim_start().strip_prefix("$ ") {
            commands.push((command.to_owned(), Vec::new()));
        } else if let Some((command, shown)) = commands.last_mut() {
            if command.ends_with('\\') && shown.is_empty() {
                *command += "\n";
                *command += line;
            } else {
                shown.push(line.to_owned());
            }
        }
    }
    // Space between two commands is there for the reader.
    for (_, shown) in &mut commands {
        shown.truncate(shown.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1));
    }
    commands
}
