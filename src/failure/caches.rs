//! Failures of caches that hosts share, where a command is about nothing else.

use super::{Exit, Failure};
use crate::remote::Error;

impl Failure {
    /// A cache did not do what was asked of it.
    pub fn cache(address: &str, error: Error) -> Self {
        let told = |failure: Self| {
            let causes = std::iter::once(failure.outcome.clone()).chain(failure.causes.clone()).collect();
            Self { outcome: format!("the cache `{address}` could not be used"), causes, ..failure }
        };
        match error {
            Error::Store(error) => error.into(),
            Error::Disk(error) => told(error.into()),
            Error::Download(ref inner) if matches!(inner, crate::download::Error::Offline { .. }) => {
                told(Self::of(Exit::Offline, &error)).hint("run the same command once without `--offline`")
            }
            Error::Download(ref inner) if inner.is_unauthorized() || inner.is_forbidden() => {
                told(Self::of(Exit::Failed, &error)).hint("name yourself in `~/.netrc`, or by `ENVY_REMOTE_TOKEN`")
            }
            Error::NoDirectory(_) => {
                told(Self::of(Exit::Failed, &error)).hint("mount it, or name another one by `ENVY_REMOTE_CACHE`")
            }
            Error::NoRoom { .. } => {
                told(Self::of(Exit::Failed, &error)).hint("free some space, or name another store by `ENVY_STORE`")
            }
            Error::Wrong(_) | Error::Trees(_) | Error::TooMuch | Error::TwoSizes(_) => {
                told(Self::of(Exit::Failed, &error))
                    .hint("run `envy push --check` where it was built, which sends again what is damaged there")
            }
            Error::Download(_) | Error::Slow { .. } => told(Self::of(Exit::Failed, &error))
                .hint("try again later, or name another cache by `ENVY_REMOTE_CACHE`; `off` is none"),
        }
    }
}
