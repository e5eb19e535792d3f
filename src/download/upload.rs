//! The other way: what a server has, and giving it what it lacks, by HEAD and PUT.

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use backon::BackoffBuilder as _;
use futures_util::stream;
use reqwest::{Body, StatusCode, header};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::error::{Error, Failure, shown};
use super::{Authorization, Downloader, transfer};
use crate::disk;

/// How much of a file is read at a time.
const PIECE: usize = 128 * 1024;

/// Something that a server may have.
#[derive(Clone, Debug)]
pub struct HeadRequest {
    /// Where it would be.
    pub url: String,
    /// Who the server is told that asks.
    pub authorization: Authorization,
}

/// Whether a server has something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    /// It does not.
    No,
    /// It does, with so many bytes, if it tells that.
    Yes { size: Option<u64> },
}

/// Something that a server shall have.
#[derive(Clone, Debug)]
pub struct SendRequest {
    /// Where it shall be.
    pub url: String,
    /// What is sent.
    pub content: Content,
    /// Who the server is told that sends.
    pub authorization: Authorization,
}

/// What is sent.
#[derive(Clone, Debug)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A file of this size.
    File(PathBuf, u64),
}

impl Content {
    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, size) => *size,
        }
    }
}

impl Downloader {
    /// Ask in parallel what a server has. Results stand in the order of the requests; an error of the whole means that
    /// nothing was asked at all.
    pub fn ask_for(&self, requests: &[HeadRequest]) -> Result<Vec<Result<There, Error>>, Error> {
        let Some(network) = self.network(requests, |request| shown(&request.url))? else { return Ok(Vec::new()) };
        let netrc = self.netrc(requests.iter().map(|request| &request.authorization))?;
        let way = network.way(&self.settings, &netrc);
        Ok(network.all(requests, |request| there(way, request), |_, there| there))
    }

    /// Send in parallel. Results stand in the order of the requests; an error of the whole means that nothing was sent.
    pub fn send(&self, requests: &[SendRequest]) -> Result<Vec<Result<(), Error>>, Error> {
        let Some(network) = self.network(requests, |request| shown(&request.url))? else { return Ok(Vec::new()) };
        let netrc = self.netrc(requests.iter().map(|request| &request.authorization))?;
        let way = network.way(&self.settings, &netrc);
        Ok(network.all(requests, |request| sent(way, request), |_, ()| ()))
    }
}

async fn there(way: transfer::Way<'_>, request: &HeadRequest) -> Result<There, Error> {
    let mut pauses = way.settings.pauses().build();
    loop {
        let attempt = async {
            let ask = way.authorized(way.client.head(&request.url), &request.url, &request.authorization)?;
            let response = transfer::send(ask, &request.url, way).await?;
            match response.status() {
                StatusCode::OK | StatusCode::NO_CONTENT => {
                    let size = transfer::text_header(response.headers(), header::CONTENT_LENGTH);
                    // Some servers say nothing of it, and some say 0 of everything.
                    Ok(There::Yes { size: size.and_then(|size| size.parse().ok()).filter(|size| *size > 0) })
                }
                // A server that is not asked like that is sent what it may have.
                StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::METHOD_NOT_ALLOWED => Ok(There::No),
                status => Err(transfer::refusal(&request.url, status, response.headers(), way.settings)),
            }
        };
        match attempt.await {
            Ok(there) => return Ok(there),
            Err(failure) => transfer::pause_after(failure, &mut pauses).await?,
        }
    }
}

async fn sent(way: transfer::Way<'_>, request: &SendRequest) -> Result<(), Error> {
    let mut pauses = way.settings.pauses().build();
    loop {
        match attempt(way, request).await {
            Ok(()) => return Ok(()),
            Err(failure) => transfer::pause_after(failure, &mut pauses).await?,
        }
    }
}

async fn attempt(way: transfer::Way<'_>, request: &SendRequest) -> Result<(), Failure> {
    let url = &request.url;
    let moved = Arc::new(AtomicU64::new(0));
    let ask = way.authorized(way.client.put(url), url, &request.authorization)?;
    let (size, body) = match &request.content {
        Content::Bytes(bytes) => {
            let size = bytes.len() as u64;
            (size, body(Cursor::new(bytes.clone()), size, Arc::clone(&moved)))
        }
        Content::File(path, size) => {
            let failed = |source| Failure::Lasting(disk::Error::new("open", path, source).into());
            let file = tokio::fs::File::open(path).await.map_err(failed)?;
            (*size, body(file, *size, Arc::clone(&moved)))
        }
    };
    let ask = ask.header(header::CONTENT_LENGTH, size).body(body);
    let mut sending = std::pin::pin!(ask.send());
    // A large file may take as long as it likes, as long as something of it goes.
    let response = loop {
        let before = moved.load(Ordering::Relaxed);
        match tokio::time::timeout(way.settings.stall_timeout, &mut sending).await {
            Ok(response) => break response.map_err(|error| Failure::of_transport(url, error))?,
            Err(_) if moved.load(Ordering::Relaxed) > before => {}
            Err(_) => {
                let waited = way.settings.stall_timeout;
                return Err(Failure::passing(Error::Stalled { url: shown(url), waited }));
            }
        }
    };
    match response.status() {
        StatusCode::OK | StatusCode::CREATED | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => Ok(()),
        status => Err(transfer::refusal(url, status, response.headers(), way.settings)),
    }
}

/// Bytes, read as they are sent; never more than were announced.
fn body(bytes: impl AsyncRead + Send + Unpin + 'static, size: u64, moved: Arc<AtomicU64>) -> Body {
    let piece = |(mut file, moved): (tokio::io::Take<_>, Arc<AtomicU64>)| async move {
        let mut piece = vec![0; PIECE];
        match file.read(&mut piece).await {
            Ok(0) => None,
            Ok(count) => {
                piece.truncate(count);
                moved.fetch_add(count as u64, Ordering::Relaxed);
                Some((Ok(piece), (file, moved)))
            }
            Err(error) => Some((Err(error), (file, moved))),
        }
    };
    Body::wrap_stream(stream::unfold((bytes.take(size), moved), piece))
}
