//! Failures of what is written for others.

use super::{Exit, Failure};
use crate::export::tarball::Error;
use crate::package::SiteName;

impl Failure {
    /// An archive of a site's files cannot be written.
    pub fn export(error: Error, site: &SiteName) -> Self {
        match error {
            Error::Store(error) => error.into(),
            Error::Disk(error) => error.into(),
            Error::Write(_) => Self::unwritten(error.to_string(), &error),
            Error::NoPath(_) => Self::of(Exit::Failed, &error)
                .hint(format!("say where the files will lie: `envy export {site} --format tar --at /opt/{site}`")),
            Error::LongPath { .. } => Self::of(Exit::Failed, &error).hint("name a shorter path with `--at`"),
        }
    }
}
