//! What was found of a host. Pure.

use crate::failure::Failure;
use crate::package::SiteName;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing is the worse for it that was asked for.
    Note,
    /// Not there, and needed.
    Missing,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub level: Level,
    /// What it is about, in a word.
    pub about: String,
    /// What was found, in a sentence.
    pub text: String,
    /// Packages of the distribution that would help.
    pub packages: Vec<String>,
    /// What else would.
    pub hint: Option<String>,
}

impl Finding {
    pub fn ok(about: &str, text: impl Into<String>) -> Self {
        Self::new(Level::Ok, about, text.into())
    }

    pub fn note(about: &str, text: impl Into<String>) -> Self {
        Self::new(Level::Note, about, text.into())
    }

    pub fn missing(about: &str, text: impl Into<String>) -> Self {
        Self::new(Level::Missing, about, text.into())
    }

    /// Something that is needed, or that would only be good to have.
    pub fn lack(needed: bool, about: &str, text: impl Into<String>) -> Self {
        Self::new(if needed { Level::Missing } else { Level::Note }, about, text.into())
    }

    /// A site of which nobody knows what it needs.
    pub fn unknown(site: &SiteName, failure: &Failure) -> Self {
        let text = std::iter::once(&failure.outcome).chain(&failure.facts).cloned().collect::<Vec<_>>().join("; ");
        let mut finding = Self::missing("site", format!("what `{site}` needs is not known: {text}"));
        finding.hint = failure.hints.first().cloned();
        finding
    }

    fn new(level: Level, about: &str, text: String) -> Self {
        Self { level, about: about.to_owned(), text, packages: Vec::new(), hint: None }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn packages(mut self, packages: impl IntoIterator<Item = String>) -> Self {
        self.packages.extend(packages);
        self
    }

    fn word(&self) -> &'static str {
        match self.level {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Missing => "missing",
        }
    }

    pub fn line(&self) -> String {
        format!("{:<8}{:<12}{}\n", self.word(), self.about, self.text)
    }

    pub fn document(&self) -> serde_json::Value {
        serde_json::json!({
            "level": self.word(),
            "about": self.about,
            "text": self.text,
            "packages": self.packages,
            "hint": self.hint,
        })
    }
}
