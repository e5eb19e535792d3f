//! What can go wrong on the network, and what of it may pass.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::redirect::Refused;
use crate::digest::BlobDigest;
use crate::disk;

/// Something could not be fetched. Addresses stand in it without credentials and query.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The network is needed and may not be used.
    #[error("the network is needed, and may not be used: {}", missing.join(", "))]
    Offline { missing: Vec<String> },
    /// No root certificates, so no server can be trusted.
    #[error(
        "this machine has no root certificates: install the package `ca-certificates`, or name a file of them in `SSL_CERT_FILE`"
    )]
    NoCertificates,
    /// The file of certificates that was configured holds none.
    #[error("`{}` holds no certificates that can be used (PEM is needed)", path.display())]
    CertificateFile { path: PathBuf },
    /// The proxy that was configured is no address.
    #[error("`{url}` cannot be used as a proxy")]
    Proxy { url: String, source: reqwest::Error },
    /// The HTTP client could not be made.
    #[error("could not set up the network")]
    Client(#[source] reqwest::Error),
    /// The threads of the network could not be started.
    #[error("could not start the network's threads")]
    Runtime(#[source] io::Error),
    /// Not an address of the web.
    #[error("`{url}` is not an http or https address")]
    Address { url: String },
    /// A server said no.
    #[error("`{url}` answered {status}")]
    Status { url: String, status: reqwest::StatusCode },
    /// A server is busy for longer than anyone wants to wait.
    #[error("`{url}` answered {status}, and wants to be asked again in {} s", wait.as_secs())]
    Later { url: String, status: reqwest::StatusCode, wait: Duration },
    /// A secret that whoever is on the way could read.
    #[error("`{url}` is not encrypted, so it is told no token and no password")]
    Unencrypted { url: String },
    /// A secret that no header can carry.
    #[error("the token for `{url}` has characters that cannot be sent")]
    Token { url: String },
    /// No answer, or a broken one.
    #[error("could not fetch `{url}`")]
    Transport { url: String, source: reqwest::Error },
    /// No connection to a host.
    #[error("could not connect to `{host}`")]
    Connect { host: String, source: io::Error },
    /// A redirect that is not followed.
    #[error("`{url}` was not followed: {reason}")]
    Redirect { url: String, reason: Refused },
    /// A server that stopped sending.
    #[error("`{url}` sent nothing for {} s", waited.as_secs_f32())]
    Stalled { url: String, waited: Duration },
    /// A server that drips.
    #[error("`{url}` sent only {bytes} bytes in {} s", within.as_secs_f32())]
    Slow { url: String, bytes: u64, within: Duration },
    /// An answer that makes no sense.
    #[error("`{url}` sent {what}")]
    Malformed { url: String, what: &'static str },
    /// More bytes than there may be.
    #[error("`{url}` is larger than the {limit} bytes that it may have")]
    TooLarge { url: String, limit: u64 },
    /// Bytes that are not the ones that were pinned.
    #[error("`{name}` from `{url}` is not what was pinned: expected {expected}, received {received}")]
    Digest { name: String, url: String, expected: BlobDigest, received: BlobDigest },
    /// What arrived could not be written.
    #[error(transparent)]
    Disk(#[from] disk::Error),
}

impl Error {
    /// Whether the server wants to know who asks, or knows and refuses.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Status { status: reqwest::StatusCode::UNAUTHORIZED, .. })
    }

    /// Whether the server has nothing there.
    pub fn is_missing(&self) -> bool {
        let gone = [reqwest::StatusCode::NOT_FOUND, reqwest::StatusCode::GONE];
        matches!(self, Self::Status { status, .. } if gone.contains(status))
    }

    /// Whether the server refuses whoever asks.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Status { status: reqwest::StatusCode::FORBIDDEN, .. })
    }

    /// Why no client could be built.
    pub(super) fn of_client(error: reqwest::Error) -> Self {
        if has_cause::<rustls::Error>(&error) { Self::NoCertificates } else { Self::Client(error) }
    }
}

/// What came of one attempt that failed.
pub(super) enum Failure {
    /// It may pass; the server may have said when.
    Passing { error: Error, after: Option<Duration> },
    /// It will not.
    Lasting(Error),
}

impl Failure {
    /// What a failure of the client to get an answer, or all of it, means.
    pub(super) fn of_transport(url: &str, error: reqwest::Error) -> Self {
        let url = shown(url);
        if let Some(&reason) = cause::<Refused>(&error) {
            return Self::Lasting(Error::Redirect { url: error.url().map_or(url, |to| shown(to.as_str())), reason });
        }
        if error.is_builder() {
            return Self::Lasting(Error::Address { url });
        }
        // A certificate that does not hold now does not hold in a second either.
        let lasting = has_cause::<rustls::Error>(&error);
        let error = Error::Transport { url, source: error.without_url() };
        if lasting { Self::Lasting(error) } else { Self::Passing { error, after: None } }
    }

    /// It may pass, and nobody said when.
    pub(super) fn passing(error: Error) -> Self {
        Self::Passing { error, after: None }
    }
}

impl From<disk::Error> for Failure {
    fn from(error: disk::Error) -> Self {
        Self::Lasting(error.into())
    }
}

fn has_cause<T: StdError + 'static>(error: &(dyn StdError + 'static)) -> bool {
    cause::<T>(error).is_some()
}

/// The cause of a type, also where an `io::Error` is wrapped around it.
fn cause<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // The source of an `io::Error` is that of what it wraps, which itself would be passed over.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        at = wrapped.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| error.source());
    }
    None
}

/// An address as it may stand in a message: without credentials, query and fragment.
pub(crate) fn shown(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else { return "(no address)".to_owned() };
    parsed.set_query(None);
    parsed.set_fragment(None);
    // Addresses that cannot have credentials have none.
    let _ = parsed.set_username("");
    let _ = parsed.set_password(None);
    parsed.into()
}

/// Whether an address is one of this very machine, so that what goes there passes nobody.
pub(crate) fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
