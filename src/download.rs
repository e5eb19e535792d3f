//! The door to the network: batches of files and texts, asked for in parallel, each file checked against its digest where there is one,
//! and sent in parallel.
//!
//! Outside it is a plain blocking call; inside, one small runtime keeps up to 32 requests in flight. Nothing is
//! built before it is needed: a [`Downloader`] that is never asked opens no socket and reads no root certificate,
//! and one that is offline refuses a batch whole, naming all of it.
//!
//! A request that fails in a way that may pass (no connection, a stall, a cut, 408, 429, 5xx) is tried again after a
//! pause that grows, or that the server names; one that names more than the longest wait is left. A file that comes forward may
//! break off as often as it likes. It goes on where it broke off, if the server lets it; the digest at the end decides.
//! Servers that drip are left like those that stall. The system's root certificates, `SSL_CERT_FILE` and the proxy
//! variables count as everywhere else.

pub(crate) mod error;
mod exchange;
#[cfg(test)]
pub(crate) mod loopback;
mod netrc;
mod redirect;
mod secret;
#[cfg(test)]
mod tests;
mod transfer;
mod upload;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::ExponentialBuilder;
use futures_util::StreamExt as _;
use tempfile::NamedTempFile;

pub use self::error::Error;
pub(crate) use self::error::{is_loopback, shown};
pub use self::exchange::{Answer, Body, Question, Reply};
pub use self::netrc::{Login, Netrc};
pub use self::redirect::Refused;
pub use self::secret::Secret;
pub use self::upload::{Content, HeadRequest, SendRequest, There};
use crate::digest::BlobDigest;
use crate::disk;
use crate::progress::{Event, Progress};

/// Requests that are under way at one time. From 16 to 32 they hide a latency of 20 ms; more gains nothing.
const IN_FLIGHT: usize = 32;

/// How the network may be used.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Refuse everything.
    pub offline: bool,
    /// Send all requests through this proxy, instead of those that the environment names.
    pub proxy: Option<String>,
    /// Trust the certificates in this file, and no others.
    pub ca_file: Option<PathBuf>,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long a server may send nothing.
    pub stall_timeout: Duration,
    /// How long a file may come slowly, and how many bytes have to come in that time for it not to be slow.
    pub slow: (Duration, u64),
    /// Who the user is on which host, in place of the user's own `.netrc`.
    pub netrc: Option<Netrc>,
    /// How often a failure that may pass is tried again.
    pub retries: usize,
    /// The longest wait that a server may ask for; one that asks for more is left.
    pub longest_wait: Duration,
    /// The pause before the first of these attempts; it doubles from one to the next.
    pub first_pause: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            offline: false,
            proxy: None,
            ca_file: None,
            connect_timeout: Duration::from_secs(20),
            stall_timeout: Duration::from_secs(30),
            slow: (Duration::from_mins(2), 120 << 10),
            netrc: None,
            retries: 3,
            longest_wait: Duration::from_mins(1),
            first_pause: Duration::from_millis(300),
        }
    }
}

impl Settings {
    fn pauses(&self) -> ExponentialBuilder {
        ExponentialBuilder::new()
            .with_min_delay(self.first_pause)
            .with_max_delay(Duration::from_secs(10))
            .with_max_times(self.retries)
            .with_jitter()
    }
}

/// A file that is wanted.
#[derive(Clone, Debug)]
pub struct FileRequest {
    /// What it is, for people.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Where the temporary file shall be: on the file system that it will stay on.
    pub into: PathBuf,
    /// What it has to be; without, the bytes are taken as they come.
    pub expected: Option<BlobDigest>,
    /// The most bytes it may have.
    pub max_size: u64,
    /// Who the server is told that asks.
    pub authorization: Authorization,
}

/// A file that arrived and is what it has to be.
#[derive(Debug)]
pub struct FetchedFile {
    /// Its bytes.
    pub file: NamedTempFile,
    /// Their digest.
    pub digest: BlobDigest,
    /// How many they are.
    pub size: u64,
}

/// A short text that is wanted, if it is not the one we have.
#[derive(Clone, Debug)]
pub struct TextRequest {
    /// Where it is.
    pub url: String,
    /// Which one we have.
    pub revision: Option<Revision>,
    /// Who the server is told that asks.
    pub authorization: Authorization,
}

/// Who a server is told that asks. Another host that it redirects to is told nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authorization {
    /// Nobody, or whom the address itself names.
    #[default]
    Nobody,
    /// The owner of a token, which is sent as it is.
    Token(Secret),
    /// Whom the user's `.netrc` names for the host, if the way there is one that nobody else can read.
    Netrc,
    /// The same of an entry that names the host: what is for all hosts is not for one that somebody else chose.
    NetrcOfHost,
}

/// What a server calls the state of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revision {
    /// An entity tag, quotes included.
    Etag(String),
    /// The time of the last change, as the server wrote it.
    LastModified(String),
}

/// What a server had to say about a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextReply {
    /// It is still the one we have.
    Unchanged,
    /// There is none, or none any more.
    Missing,
    /// Here it is.
    Body { bytes: Vec<u8>, revision: Option<Revision> },
}

/// Fetches files and texts.
#[derive(Debug)]
pub struct Downloader {
    settings: Settings,
    network: Mutex<Option<Arc<Network>>>,
}

/// What is built when the first batch needs it.
#[derive(Debug)]
struct Network {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    has_certificates: bool,
}

impl Downloader {
    /// A door that is still closed.
    pub fn new(settings: Settings) -> Self {
        Self { settings, network: Mutex::new(None) }
    }

    /// Whether it refuses everything.
    pub fn is_offline(&self) -> bool {
        self.settings.offline
    }

    /// Fetch files in parallel, and hand each to `keep` as soon as it is complete.
    ///
    /// Results stand in the order of the requests. `keep` runs on the thread that called, so that no more files
    /// are open than requests are in flight, and whatever interrupts a batch, what had arrived is kept. An error of
    /// the whole means that nothing was asked for at all.
    pub fn fetch_files<T>(
        &self,
        requests: &[FileRequest],
        progress: &dyn Progress,
        keep: impl Fn(FetchedFile) -> T,
    ) -> Result<Vec<Result<T, Error>>, Error> {
        let Some(network) = self.network(requests, |request| request.name.clone())? else { return Ok(Vec::new()) };
        progress.tell(Event::Fetching { files: requests.len(), bytes: None });
        let netrc = self.netrc(requests.iter().map(|request| &request.authorization))?;
        let way = network.way(&self.settings, &netrc);
        let (mut complete, mut bytes) = (0, 0);
        let results = network.all(
            requests,
            async |request| {
                let fetched = transfer::file(way, request, progress).await;
                if fetched.is_err() {
                    progress.tell(Event::NotFetched { name: &request.name });
                }
                fetched
            },
            |request, fetched| {
                progress.tell(Event::Fetched { name: &request.name, bytes: fetched.size });
                (complete, bytes) = (complete + 1, bytes + fetched.size);
                keep(fetched)
            },
        );
        progress.tell(Event::FetchedAll { files: complete, bytes });
        Ok(results)
    }

    /// Fetch texts in parallel. Results stand in the order of the requests; an error of the whole means that nothing
    /// was asked for at all.
    pub fn fetch_texts(&self, requests: &[TextRequest]) -> Result<Vec<Result<TextReply, Error>>, Error> {
        let Some(network) = self.network(requests, |request| error::shown(&request.url))? else {
            return Ok(Vec::new());
        };
        let netrc = self.netrc(requests.iter().map(|request| &request.authorization))?;
        let way = network.way(&self.settings, &netrc);
        Ok(network.all(requests, |request| transfer::text(way, request), |_, reply| reply))
    }

    /// Who the user is on which host, where some request wants it known.
    fn netrc<'r>(&self, mut wanted: impl Iterator<Item = &'r Authorization>) -> Result<Netrc, Error> {
        if !wanted.any(|one| matches!(one, Authorization::Netrc | Authorization::NetrcOfHost)) {
            return Ok(Netrc::default());
        }
        self.settings.netrc.clone().map_or_else(|| Ok(Netrc::load()?), Ok)
    }

    /// The open door, or none where nothing is asked for.
    fn network<R>(&self, requests: &[R], name: impl Fn(&R) -> String) -> Result<Option<Arc<Network>>, Error> {
        if requests.is_empty() {
            return Ok(None);
        }
        if self.settings.offline {
            return Err(Error::Offline { missing: requests.iter().map(name).collect() });
        }
        let mut network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        if network.is_none() {
            *network = Some(Arc::new(Network::open(&self.settings)?));
        }
        Ok(network.clone())
    }
}

impl Network {
    fn open(settings: &Settings) -> Result<Self, Error> {
        // One that is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Without certificates no server can be trusted, but those of the plain web need not be.
        let (client, has_certificates) = match client(settings)?.build().map_err(Error::of_client) {
            Ok(client) => (client, true),
            Err(Error::NoCertificates) => {
                let client = client(settings)?.tls_certs_only([]).build();
                (client.map_err(|_| Error::NoCertificates)?, false)
            }
            Err(error) => return Err(error),
        };
        // The calling thread drives the batch; these two decrypt.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Ok(Self { runtime: runtime.map_err(Error::Runtime)?, client, has_certificates })
    }

    fn way<'n>(&'n self, settings: &'n Settings, netrc: &'n Netrc) -> transfer::Way<'n> {
        transfer::Way { client: &self.client, has_certificates: self.has_certificates, settings, netrc }
    }

    /// Drive all requests, some at a time, and give what came of them in their order.
    fn all<'r, R, F, A, T>(
        &self,
        requests: &'r [R],
        start: impl Fn(&'r R) -> F,
        mut arrived: impl FnMut(&'r R, A) -> T,
    ) -> Vec<Result<T, Error>>
    where
        F: Future<Output = Result<A, Error>>,
    {
        let mut results: Vec<Option<Result<T, Error>>> = requests.iter().map(|_| None).collect();
        self.runtime.block_on(async {
            let numbered = requests.iter().enumerate().map(|(number, request)| {
                let transfer = start(request);
                async move { (number, transfer.await) }
            });
            let mut under_way = futures_util::stream::iter(numbered).buffer_unordered(IN_FLIGHT);
            while let Some((number, result)) = under_way.next().await {
                results[number] = Some(result.map(|value| arrived(&requests[number], value)));
            }
        });
        results.into_iter().map(|result| result.expect("the stream ends when every request has its result")).collect()
    }
}

fn client(settings: &Settings) -> Result<reqwest::ClientBuilder, Error> {
    let mut client = reqwest::Client::builder()
        .user_agent(concat!("envy/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.connect_timeout)
        // Bodies are wanted as they are: a file's digest is that of its own bytes, and texts are unpacked by us.
        .no_gzip()
        .redirect(redirect::policy());
    if let Some(proxy) = &settings.proxy {
        client = client.proxy(explicit_proxy(proxy)?);
    }
    if let Some(path) = &settings.ca_file {
        client = client.tls_certs_only(certificates(path)?);
    }
    Ok(client)
}

/// Cargo and curl allow a proxy without a scheme, and hosts that go past it.
fn explicit_proxy(proxy: &str) -> Result<reqwest::Proxy, Error> {
    let url = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
    let proxy = reqwest::Proxy::all(&url)
        .map_err(|source| Error::Proxy { url: error::shown(&url), source: source.without_url() })?;
    Ok(proxy.no_proxy(reqwest::NoProxy::from_env()))
}

fn certificates(path: &std::path::Path) -> Result<Vec<reqwest::Certificate>, Error> {
    let pem = disk::read(path)?;
    let unusable = || Error::CertificateFile { path: path.to_owned() };
    let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| unusable())?;
    if certificates.is_empty() { Err(unusable()) } else { Ok(certificates) }
}
