//! Failures of sources: what did not come, or came as something else.

use std::collections::BTreeSet;

use super::{Exit, FULL, Failure, is_full};
use crate::source::{self, ArchivesError, CratesError, FailureKind, WantedFailure, WantedFailureKind};
use crate::{download, lock};

impl From<lock::CandidatesError> for Failure {
    fn from(error: lock::CandidatesError) -> Self {
        match error {
            lock::CandidatesError::Source(error) => error.into(),
            lock::CandidatesError::Pin(error) => error.into(),
            lock::CandidatesError::Wish(error) => error.into(),
            error @ lock::CandidatesError::Enough => Self::of(Exit::Failed, &error),
        }
    }
}

impl From<lock::PinError> for Failure {
    fn from(error: lock::PinError) -> Self {
        match error {
            lock::PinError::Source(error) => return error.into(),
            lock::PinError::Store(error) => return error.into(),
            lock::PinError::Disk(error) => return error.into(),
            lock::PinError::Metadata { source, .. } => return source.into(),
            lock::PinError::CratesFrom { ref source, .. } if let Some(missing) = source.missing_offline() => {
                return offline(missing);
            }
            _ => {}
        }
        let failure = Self::of(Exit::Failed, &error);
        match error {
            lock::PinError::NoProgram(_) => {
                failure.hint("libraries belong into a `Cargo.toml`; `envy.toml` is for programs")
            }
            lock::PinError::NoSuchFeature { nearest: Some(name), .. } => {
                failure.hint(format!("did you mean `{name}`?"))
            }
            _ => failure,
        }
    }
}

impl From<source::Error> for Failure {
    fn from(error: source::Error) -> Self {
        if let Some(missing) = error.missing_offline() {
            return offline(missing);
        }
        match error {
            source::Error::Crates(error) => error.into(),
            source::Error::Registry(ref unknown @ source::RegistryError::Unknown { ref name }) => {
                Self::of(Exit::Failed, unknown)
                    .hint(format!("write `[registries.{name}]` with its `index` into `envy.toml`"))
            }
            source::Error::Wanted(error) => error.into(),
            source::Error::Disk(error) => error.into(),
            source::Error::Store(error) => error.into(),
            error => Self::of(Exit::Failed, &error),
        }
    }
}

impl From<CratesError> for Failure {
    fn from(error: CratesError) -> Self {
        match error {
            CratesError::Offline { missing } | CratesError::Download(download::Error::Offline { missing }) => {
                offline(&missing)
            }
            CratesError::Login { ref name, .. } | CratesError::Refused { ref name, .. } => {
                let hint = match name {
                    Some(name) => format!("run `cargo login --registry {name}`"),
                    None => {
                        "name it in `[registries]` of cargo's configuration, and log in with `cargo login`".to_owned()
                    }
                };
                Self::of(Exit::Failed, &error).hint(hint)
            }
            CratesError::Disk(error) => error.into(),
            CratesError::Store(error) => error.into(),
            CratesError::Archives { ref failures } | CratesError::Index { ref failures } => {
                let told = match failures.as_slice() {
                    [only] => wrong(only),
                    _ => None,
                };
                if let Some(failure) = told {
                    return failure;
                }
                let exit = if failures.iter().any(|failure| is_wrong(&failure.error)) {
                    Exit::Verification
                } else {
                    Exit::Failed
                };
                let failure = Self::new(exit, error.to_string()).facts(error.facts());
                match exit {
                    Exit::Verification => failure.hint(OTHER_BYTES),
                    _ if failures.iter().any(|failure| is_full(&failure.error)) => failure.hint(FULL),
                    _ if failures.iter().any(|failure| may_pass(&failure.error)) => {
                        failure.hint("try again; what has arrived is kept")
                    }
                    _ => failure,
                }
            }
            _ => Self::of(Exit::Failed, &error),
        }
    }
}

impl From<ArchivesError> for Failure {
    fn from(error: ArchivesError) -> Self {
        match error {
            ArchivesError::Offline { missing } | ArchivesError::Download(download::Error::Offline { missing }) => {
                offline(&missing)
            }
            ArchivesError::Store(error) => error.into(),
            ArchivesError::Failed { ref failures } => {
                if let [only] = failures.as_slice()
                    && let Some(failure) = other(only)
                {
                    return failure;
                }
                let other_bytes = failures.iter().any(|failure| failure.error.is_other_content());
                let exit = if other_bytes { Exit::Verification } else { Exit::Failed };
                let failure = Self::new(exit, error.to_string()).facts(error.facts());
                match exit {
                    Exit::Verification => failure.hint(OTHER_ARCHIVE),
                    _ if failures.iter().any(|failure| is_full(&failure.error)) => failure.hint(FULL),
                    _ => match failures.iter().find_map(|failure| elsewhere(&failure.error)) {
                        Some(hint) => failure.hint(hint),
                        None => failure,
                    },
                }
            }
            ArchivesError::Download(_) => Self::of(Exit::Failed, &error),
        }
    }
}

impl Failure {
    /// One failure of several for want of a network, with all that is missing.
    pub fn offline(failures: impl IntoIterator<Item = Self>) -> Self {
        let missing: BTreeSet<_> = failures.into_iter().flat_map(|failure| failure.facts).collect();
        offline(&Vec::from_iter(missing))
    }
}

fn offline(missing: &[String]) -> Failure {
    let (count, what) = (missing.len(), if missing.len() == 1 { "thing is" } else { "things are" });
    Failure::new(Exit::Offline, format!("the network may not be used, and {count} {what} not here"))
        .facts(missing.iter().cloned())
        .hint("run the same command once without `--offline`")
}

fn is_wrong(error: &FailureKind) -> bool {
    matches!(error, FailureKind::Digest { .. } | FailureKind::Download(download::Error::Digest { .. }))
}

const OTHER_BYTES: &str =
    "nothing of it was kept; restore the lockfile if it was edited, else tell the owner of the registry";

/// One archive that is not what was pinned.
fn wrong(failure: &source::CrateFailure) -> Option<Failure> {
    let (from, expected, received) = match &failure.error {
        FailureKind::Digest { path, expected, received } => (path.display().to_string(), expected, received),
        FailureKind::Download(download::Error::Digest { url, expected, received, .. }) => {
            (url.clone(), expected, received)
        }
        _ => return None,
    };
    let outcome = format!("{} is not what was pinned", failure.name);
    let failure = Failure::new(Exit::Verification, outcome)
        .fact(format!("from     {from}"))
        .fact(format!("expected {expected}"))
        .fact(format!("received {received}"));
    Some(failure.hint(OTHER_BYTES))
}

const OTHER_ARCHIVE: &str = "nothing of it was kept; if the new content is right, correct its `sha256` in `envy.toml`, or run `envy update` where it has none";

/// One archive of an address that is not what was pinned, or not what the manifest says.
fn other(failure: &WantedFailure) -> Option<Failure> {
    let (mut error, mut mirrored) = (&failure.error, None);
    if let WantedFailureKind::Mirror { url, source, .. } = error {
        (error, mirrored) = (source, Some(url));
    }
    let (from, expected, received) = match error {
        WantedFailureKind::Digest { path, expected, received } => (path.display().to_string(), expected, received),
        WantedFailureKind::Download(download::Error::Digest { url, expected, received, .. }) => {
            (url.clone(), expected, received)
        }
        _ => return None,
    };
    let outcome = format!("`{}` is not what was pinned", failure.name);
    let failure = Failure::new(Exit::Verification, outcome)
        .fact(format!("from     {from}"))
        .facts(mirrored.map(|url| format!("in place of {url}")))
        .fact(format!("expected {expected}"))
        .fact(format!("received {received}"));
    Some(failure.hint(OTHER_ARCHIVE))
}

/// Whether the same request may be answered another time.
fn may_pass(error: &FailureKind) -> bool {
    matches!(error, FailureKind::Download(error) if is_passing(error))
}

fn is_passing(error: &download::Error) -> bool {
    use download::Error;
    match error {
        Error::Status { status, .. } => status.is_server_error() || matches!(status.as_u16(), 408 | 429),
        Error::Transport { .. } | Error::Stalled { .. } | Error::Malformed { .. } | Error::Later { .. } => true,
        _ => false,
    }
}

/// What helps where an archive did not come from its place.
fn elsewhere(error: &WantedFailureKind) -> Option<&'static str> {
    match error {
        WantedFailureKind::Mirror { source, .. } => {
            elsewhere(source).map(|_| "try again, or correct the mirror in `[mirrors]` of `envy.toml`")
        }
        WantedFailureKind::Download(error) if is_passing(error) => {
            Some("try again; where another place has the same bytes, name it in `[mirrors]` of `envy.toml`")
        }
        WantedFailureKind::Download(error) if error.is_missing() => {
            Some("correct the address, or name another place that has the same bytes in `[mirrors]` of `envy.toml`")
        }
        _ => None,
    }
}
