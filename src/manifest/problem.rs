//! Problems of a manifest: each with its place in the text, and all of them at once.

use std::fmt;
use std::ops::Range;

/// A place in a manifest; lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

/// A manifest that envy cannot use, with everything that is wrong with it in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Invalid {
    /// What is wrong; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.problems.first().map_or("", |problem| &problem.file);
        match self.problems.len() {
            1 => write!(f, "`{file}` has 1 error"),
            count => write!(f, "`{file}` has {count} errors"),
        }
    }
}

/// One thing that is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How messages call the file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What is wrong, in one line.
    pub message: String,
    /// The text of the line.
    pub snippet: String,
    /// How many characters of the line it is about: at least 1.
    pub width: usize,
    /// What could be written instead.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// A text that is being read, and what was found wrong with it so far.
pub(crate) struct Findings<'t> {
    file: &'t str,
    text: &'t str,
    found: Vec<(usize, Problem)>,
}

impl<'t> Findings<'t> {
    pub fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, found: Vec::new() }
    }

    /// Note a problem of this part of the text.
    pub fn add(&mut self, at: Range<usize>, message: impl Into<String>) {
        self.note(at, message.into(), None);
    }

    /// Note a problem together with what could be done about it.
    pub fn add_with_hint(&mut self, at: Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        self.note(at, message.into(), Some(hint.into()));
    }

    /// How many problems were noted.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// The text between two offsets.
    pub fn text(&self, at: Range<usize>) -> &'t str {
        let (start, end) = (self.text.floor_char_boundary(at.start), self.text.floor_char_boundary(at.end));
        &self.text[start..end.max(start)]
    }

    /// The place of an offset.
    pub fn span(&self, offset: usize) -> Span {
        let before = self.text(0..offset);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Span { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }

    /// What was read, if nothing was wrong with it.
    pub fn into_result<T>(mut self, read: T) -> Result<T, Invalid> {
        if self.found.is_empty() {
            return Ok(read);
        }
        self.found.sort_by_key(|(offset, _)| *offset);
        Err(Invalid { problems: self.found.into_iter().map(|(_, problem)| problem).collect() })
    }

    fn note(&mut self, at: Range<usize>, message: String, hint: Option<String>) {
        let Span { line, column } = self.span(at.start);
        let snippet = self.text.split('\n').nth(line - 1).unwrap_or_default().trim_end_matches('\r');
        let first_line = self.text(at.clone()).lines().next().unwrap_or_default();
        let problem = Problem {
            file: self.file.to_owned(),
            line,
            column,
            message: one_line(&message),
            // Control characters would reach the terminal; another character keeps the columns.
            snippet: snippet.replace(|c: char| c.is_control() && c != '\t', "\u{fffd}"),
            width: first_line.trim_end().chars().count().max(1),
            hint: hint.map(|hint| one_line(&hint)),
        };
        self.found.push((at.start, problem));
    }
}

/// A quoted key may hold newlines and worse; a message may not.
fn one_line(text: &str) -> String {
    text.chars().fold(String::new(), |mut line, c| {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
        line
    })
}

/// The name that was probably meant, if one is near.
pub fn nearest<'n>(given: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(given, name), name))
        // A third of the letters may differ, as in rustc's suggestions.
        .filter(|(distance, name)| *distance <= given.len().max(name.len()).max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Names in a sentence: `a`, `b` and `c`.
pub(crate) fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
        None => String::new(),
    }
}
