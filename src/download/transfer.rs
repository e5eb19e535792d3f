//! One transfer: attempts, the pauses between them, and what an attempt keeps of the one before.

use std::io::{Read as _, Seek as _, Write as _};
use std::time::{Duration, Instant};

use backon::BackoffBuilder as _;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use tempfile::NamedTempFile;

use super::error::{Error, Failure, is_loopback, shown};
use super::secret::Secret;
use super::{Authorization, FetchedFile, FileRequest, Netrc, Revision, Settings, TextReply, TextRequest};
use crate::digest::Hasher;
use crate::disk;
use crate::progress::{Event, Progress};

/// The largest text, packed or not. The index's longest file has about 5 MB.
const LARGEST_TEXT: usize = 64 << 20;

/// How much has to come forward for a failure to count as a new one.
const FORWARD: u64 = 1 << 20;

/// How often it is told what has arrived of a file.
const TELLING: Duration = Duration::from_millis(100);

/// By what transfers go.
#[derive(Clone, Copy)]
pub(super) struct Way<'n> {
    pub(super) client: &'n Client,
    pub(super) settings: &'n Settings,
    pub(super) netrc: &'n Netrc,
    pub(super) has_certificates: bool,
}

/// Fetch one file.
pub(super) async fn file(way: Way<'_>, request: &FileRequest, progress: &dyn Progress) -> Result<FetchedFile, Error> {
    let mut received = Received::new(request)?;
    let mut pauses = way.settings.pauses().build();
    let mut again_from_start = true;
    let mut furthest = 0;
    loop {
        match attempt_file(way, request, &mut received, progress).await {
            Ok(()) => {
                let digest = received.hasher.clone().finish();
                let Some(expected) = request.expected.filter(|expected| *expected != digest) else {
                    return Ok(FetchedFile { file: received.file, digest, size: received.size });
                };
                // Parts of two states may have been joined, or a proxy served something old: once more, from the start.
                if !std::mem::take(&mut again_from_start) {
                    let (name, url) = (request.name.clone(), shown(&request.url));
                    return Err(Error::Digest { name, url, expected, received: digest });
                }
                received.start_over()?;
            }
            Err(failure) => {
                if received.size >= furthest + FORWARD {
                    furthest = received.size;
                    pauses = way.settings.pauses().build();
                }
                pause_after(failure, &mut pauses).await?;
            }
        }
    }
}

/// Fetch one text.
pub(super) async fn text(way: Way<'_>, request: &TextRequest) -> Result<TextReply, Error> {
    let mut pauses = way.settings.pauses().build();
    loop {
        match attempt_text(way, request).await {
            Ok(reply) => return Ok(reply),
            Err(failure) => pause_after(failure, &mut pauses).await?,
        }
    }
}

/// Wait until it makes sense to try again; an error where it does not.
pub(super) async fn pause_after(failure: Failure, pauses: &mut impl Iterator<Item = Duration>) -> Result<(), Error> {
    let (error, after) = match failure {
        Failure::Lasting(error) => return Err(error),
        Failure::Passing { error, after } => (error, after),
    };
    let Some(pause) = pauses.next() else { return Err(error) };
    tokio::time::sleep(pause.max(after.unwrap_or_default())).await;
    Ok(())
}

/// What has arrived of a file.
struct Received {
    file: NamedTempFile,
    hasher: Hasher,
    size: u64,
    /// What tells the server which state of the file these bytes are of.
    validator: Option<HeaderValue>,
}

impl Received {
    fn new(request: &FileRequest) -> Result<Self, disk::Error> {
        let file = disk::temporary_in(&request.into)?;
        Ok(Self { file, hasher: Hasher::default(), size: 0, validator: None })
    }

    fn start_over(&mut self) -> Result<(), disk::Error> {
        let file = self.file.as_file_mut();
        file.set_len(0)
            .and_then(|()| file.rewind())
            .map_err(|error| disk::Error::new("write", self.file.path(), error))?;
        (self.hasher, self.size, self.validator) = (Hasher::default(), 0, None);
        Ok(())
    }

    /// Writing goes to the page cache, so it does not wait long enough to be worth a thread of its own.
    fn add(&mut self, bytes: &[u8]) -> Result<(), disk::Error> {
        self.file.as_file_mut().write_all(bytes).map_err(|error| disk::Error::new("write", self.file.path(), error))?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }
}

async fn attempt_file(
    way: Way<'_>,
    request: &FileRequest,
    received: &mut Received,
    progress: &dyn Progress,
) -> Result<(), Failure> {
    if request.expected.is_none() && received.validator.is_none() {
        // Nothing would tell if the rest were that of another state.
        received.start_over()?;
    }
    let mut ask = way.ask(&request.url, &request.authorization)?.header(header::ACCEPT_ENCODING, "identity");
    if received.size > 0 {
        ask = ask.header(header::RANGE, format!("bytes={}-", received.size));
        if let Some(validator) = &received.validator {
            ask = ask.header(header::IF_RANGE, validator);
        }
    }
    let mut response = send(ask, &request.url, way).await?;
    match response.status() {
        StatusCode::OK => received.start_over()?,
        StatusCode::PARTIAL_CONTENT if range_start(response.headers()) == Some(received.size) => {}
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if received.size > 0 => {
            received.start_over()?;
            return Err(Failure::passing(Error::Malformed {
                url: shown(&request.url),
                what: "another part than was asked for",
            }));
        }
        status => return Err(refusal(&request.url, status, response.headers(), way.settings)),
    }
    received.validator = validator(response.headers());
    let too_large = || Failure::Lasting(Error::TooLarge { url: shown(&request.url), limit: request.max_size });
    if response.content_length().is_some_and(|more| received.size.saturating_add(more) > request.max_size) {
        return Err(too_large());
    }
    let whole = response.content_length().map(|more| received.size + more);
    let mut pace = Pace::new(way.settings);
    let mut told = Instant::now();
    while let Some(bytes) = next(&mut response, &request.url, way.settings).await? {
        if received.size + bytes.len() as u64 > request.max_size {
            return Err(too_large());
        }
        received.add(&bytes)?;
        pace.keep(bytes.len(), &request.url)?;
        if told.elapsed() >= TELLING {
            told = Instant::now();
            progress.tell(Event::Receiving { name: &request.name, bytes: received.size, of: whole });
        }
    }
    Ok(())
}

async fn attempt_text(way: Way<'_>, request: &TextRequest) -> Result<TextReply, Failure> {
    let mut ask = way.ask(&request.url, &request.authorization)?.header(header::ACCEPT_ENCODING, "gzip");
    ask = match &request.revision {
        Some(Revision::Etag(tag)) => ask.header(header::IF_NONE_MATCH, tag),
        Some(Revision::LastModified(time)) => ask.header(header::IF_MODIFIED_SINCE, time),
        None => ask,
    };
    let mut response = send(ask, &request.url, way).await?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if request.revision.is_some() => return Ok(TextReply::Unchanged),
        StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => {
            return Ok(TextReply::Missing);
        }
        status => return Err(refusal(&request.url, status, response.headers(), way.settings)),
    }
    let too_large = || Failure::Lasting(Error::TooLarge { url: shown(&request.url), limit: LARGEST_TEXT as u64 });
    let mut body = Vec::new();
    let mut pace = Pace::new(way.settings);
    while let Some(bytes) = next(&mut response, &request.url, way.settings).await? {
        pace.keep(bytes.len(), &request.url)?;
        if body.len() + bytes.len() > LARGEST_TEXT {
            return Err(too_large());
        }
        body.extend_from_slice(&bytes);
    }
    let bytes = match text_header(response.headers(), header::CONTENT_ENCODING) {
        None | Some("identity") => body,
        Some("gzip" | "x-gzip") => {
            let mut plain = Vec::new();
            let unpacked =
                flate2::read::MultiGzDecoder::new(&body[..]).take(LARGEST_TEXT as u64 + 1).read_to_end(&mut plain);
            unpacked.map_err(|_| malformed(&request.url, "a text that cannot be unpacked"))?;
            plain
        }
        Some(_) => return Err(malformed(&request.url, "a text in an encoding that was not asked for")),
    };
    if bytes.len() > LARGEST_TEXT {
        Err(too_large())
    } else {
        Ok(TextReply::Body { bytes, revision: revision(response.headers()) })
    }
}

impl Way<'_> {
    /// A request, with what the server is to know of who asks. Redirects to another host lose that, which is the
    /// client's doing.
    fn ask(&self, url: &str, authorization: &Authorization) -> Result<RequestBuilder, Failure> {
        self.authorized(self.client.get(url), url, authorization)
    }

    /// A request that is made already, with what the server is to know of who asks.
    pub(super) fn authorized(
        &self,
        ask: RequestBuilder,
        url: &str,
        authorization: &Authorization,
    ) -> Result<RequestBuilder, Failure> {
        let parsed = url::Url::parse(url).map_err(|_| Failure::Lasting(Error::Address { url: shown(url) }))?;
        if parsed.scheme() == "https" && !self.has_certificates {
            return Err(Failure::Lasting(Error::NoCertificates));
        }
        let private = parsed.scheme() == "https" || is_loopback(&parsed);
        match authorization {
            Authorization::Token(token) => authorized(ask, url, private, token),
            Authorization::Netrc | Authorization::NetrcOfHost if private && parsed.password().is_none() => {
                let user = Some(parsed.username()).filter(|user| !user.is_empty());
                let login = parsed.host_str().and_then(|host| match authorization {
                    Authorization::NetrcOfHost => self.netrc.login_of_host(host, user),
                    _ => self.netrc.login(host, user),
                });
                let Some(login) = login else { return Ok(ask) };
                // The user in the address would overrule the one we name.
                let mut bare = parsed.clone();
                let _ = bare.set_username("");
                let (client, request) = ask.build_split();
                let mut request = request.map_err(|error| Failure::of_transport(url, error))?;
                *request.url_mut() = bare;
                request.headers_mut().remove(header::AUTHORIZATION);
                let ask = RequestBuilder::from_parts(client, request);
                Ok(ask.basic_auth(login.user, Some(login.password.expose())))
            }
            Authorization::Netrc | Authorization::NetrcOfHost | Authorization::Nobody => Ok(ask),
        }
    }
}

/// With what the server is to know of who asks, if nobody else can read it on the way.
fn authorized(ask: RequestBuilder, url: &str, private: bool, secret: &Secret) -> Result<RequestBuilder, Failure> {
    if !private {
        return Err(Failure::Lasting(Error::Unencrypted { url: shown(url) }));
    }
    let value = HeaderValue::from_str(secret.expose());
    let mut value = value.map_err(|_| Failure::Lasting(Error::Token { url: shown(url) }))?;
    value.set_sensitive(true);
    Ok(ask.header(header::AUTHORIZATION, value))
}

/// Watches that a server does not drip.
struct Pace {
    since: Instant,
    bytes: u64,
    least: (Duration, u64),
}

impl Pace {
    fn new(settings: &Settings) -> Self {
        Self { since: Instant::now(), bytes: 0, least: settings.slow }
    }

    fn keep(&mut self, more: usize, url: &str) -> Result<(), Failure> {
        self.bytes += more as u64;
        let (within, least) = self.least;
        if self.since.elapsed() < within {
            return Ok(());
        }
        if self.bytes < least {
            let (url, bytes) = (shown(url), self.bytes);
            return Err(Failure::passing(Error::Slow { url, bytes, within }));
        }
        (self.since, self.bytes) = (Instant::now(), 0);
        Ok(())
    }
}

fn malformed(url: &str, what: &'static str) -> Failure {
    Failure::passing(Error::Malformed { url: shown(url), what })
}

pub(super) async fn send(ask: RequestBuilder, url: &str, way: Way<'_>) -> Result<Response, Failure> {
    let answer = within_stall_timeout(ask.send(), url, way.settings).await;
    match answer {
        // A redirect led where certificates are needed.
        Err(Failure::Lasting(Error::Transport { .. })) if !way.has_certificates => {
            Err(Failure::Lasting(Error::NoCertificates))
        }
        answer => answer,
    }
}

async fn next(
    response: &mut Response,
    url: &str,
    settings: &Settings,
) -> Result<Option<impl AsRef<[u8]> + std::ops::Deref<Target = [u8]> + use<>>, Failure> {
    within_stall_timeout(response.chunk(), url, settings).await
}

async fn within_stall_timeout<T>(
    work: impl Future<Output = reqwest::Result<T>>,
    url: &str,
    settings: &Settings,
) -> Result<T, Failure> {
    match tokio::time::timeout(settings.stall_timeout, work).await {
        Ok(result) => result.map_err(|error| Failure::of_transport(url, error)),
        Err(_) => Err(Failure::passing(Error::Stalled { url: shown(url), waited: settings.stall_timeout })),
    }
}

/// What an answer without content means.
pub(super) fn refusal(url: &str, status: StatusCode, headers: &HeaderMap, settings: &Settings) -> Failure {
    let error = Error::Status { url: shown(url), status };
    let passing =
        status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    match retry_after(headers) {
        _ if !passing => Failure::Lasting(error),
        // Asking before that would only make it busier.
        Some(wait) if wait > settings.longest_wait => Failure::Lasting(Error::Later { url: shown(url), status, wait }),
        after => Failure::Passing { error, after },
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text_header(headers, header::RETRY_AFTER)?;
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let until = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(until.duration_since(jiff::Timestamp::now())).ok()
        }
    }
}

/// Where the part that a server sends begins: `bytes 5-9/10` says 5.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    text_header(headers, header::CONTENT_RANGE)?.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// What `If-Range` may name: a strong entity tag, or else the time of the last change.
fn validator(headers: &HeaderMap) -> Option<HeaderValue> {
    let strong = headers.get(header::ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""));
    strong.or_else(|| headers.get(header::LAST_MODIFIED)).cloned()
}

fn revision(headers: &HeaderMap) -> Option<Revision> {
    let tag = text_header(headers, header::ETAG).map(|tag| Revision::Etag(tag.to_owned()));
    tag.or_else(|| text_header(headers, header::LAST_MODIFIED).map(|time| Revision::LastModified(time.to_owned())))
}

pub(super) fn text_header(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, value.parse().unwrap());
        retry_after(&headers)
    }

    #[test]
    fn a_server_may_say_when_to_come_again() {
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert!(wait("Sat, 06 Nov 2094 08:49:37 GMT") > Some(Settings::default().longest_wait));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), None, "that was long ago");
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn who_asks_for_a_longer_wait_than_anyone_has_is_left() {
        let refused = |wait: &str| {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, wait.parse().unwrap())]);
            refusal("http://a.example/x?y", StatusCode::TOO_MANY_REQUESTS, &headers, &Settings::default())
        };
        let minute = Duration::from_mins(1);
        assert!(matches!(refused("60"), Failure::Passing { after: Some(after), .. } if after == minute));
        let Failure::Lasting(error) = refused("3600") else { panic!("an hour is too long") };
        let text = "`http://a.example/x` answered 429 Too Many Requests, and wants to be asked again in 3600 s";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn who_drips_is_left_and_who_flows_is_not() {
        let settings = Settings { slow: (Duration::ZERO, 10), ..Settings::default() };
        let mut pace = Pace::new(&settings);
        assert!(pace.keep(10, "http://a.example/").is_ok());
        let Err(Failure::Passing { error, .. }) = pace.keep(9, "http://a.example/x?y") else { panic!("9 is too few") };
        assert_eq!(error.to_string(), "`http://a.example/x` sent only 9 bytes in 0 s");
        let settings = Settings { slow: (Duration::from_hours(1), 10), ..Settings::default() };
        assert!(Pace::new(&settings).keep(0, "http://a.example/").is_ok(), "there is time yet");
    }
}
