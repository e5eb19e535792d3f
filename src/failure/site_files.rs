//! Failures of a site's own files: what is wrong with a template, and where it stands.

use super::{Exit, Failure};
use crate::site::{FileError, FileFault};

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let outcome = error.to_string();
        let here = format!("it stands in `envy.toml`, line {}", error.line);
        let failure = Self::new(Exit::Failed, outcome);
        match error.reason {
            FileFault::Disk(error) => error.into(),
            FileFault::Missing(ref path) => failure
                .fact(error.reason.to_string())
                .fact(here)
                .hint(format!("write `{path}`, or correct its path in `envy.toml`")),
            FileFault::NotText(_) => failure
                .fact(error.reason.to_string())
                .fact(here)
                .hint("say `file` instead of `template`, to have its bytes as they are"),
            FileFault::Template { ref template, ref fault } => {
                let mut failure = failure.fact(error.reason.to_string());
                if !fault.snippet.trim().is_empty() {
                    failure = failure.fact(format!("  {} | {}", fault.line, fault.snippet));
                }
                failure = if template.is_none() { failure.fact(here) } else { failure };
                failure.hints.extend(fault.hint.clone());
                failure
            }
        }
    }
}
