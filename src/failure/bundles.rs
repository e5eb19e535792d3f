//! Failures of bundles.

use std::path::Path;

use super::{Exit, Failure};
use crate::bundle::Error;

impl Failure {
    /// A bundle cannot be taken in.
    pub fn bundle(file: &Path, error: Error) -> Self {
        let outcome = format!("bundle `{}` cannot be used, and nothing of it was taken", file.display());
        let failure = |exit| Self { causes: Vec::new(), ..Self::of(exit, &error) };
        match error {
            Error::Disk(error) => error.into(),
            Error::Store(error) => error.into(),
            Error::NoRoom { .. } => {
                let told = error.to_string();
                Self::new(Exit::Failed, outcome)
                    .fact(told)
                    .hint("free some space, or name another store by `ENVY_STORE`")
            }
            Error::Format(_) => {
                let told = error.to_string();
                Self::new(Exit::Failed, outcome).fact(told).hint("use the envy that wrote it, or a later one")
            }
            _ => {
                let inner = failure(Exit::Verification);
                let causes = Self::of(Exit::Verification, &error).causes;
                Self { causes, ..Self::new(Exit::Verification, outcome).fact(inner.outcome) }
                    .hint("copy it once more, and compare its sha256 with that of the original")
            }
        }
    }

    /// A bundle cannot be written.
    pub fn writing_bundle(place: impl std::fmt::Display, error: Error) -> Self {
        match error {
            Error::Disk(error) => error.into(),
            Error::Store(error) => error.into(),
            error => Self::unwritten(format!("the bundle cannot be written to {place}"), &error),
        }
    }
}
