//! Questions to servers that speak a protocol of their own, as git's do: over HTTP with headers and a body that the
//! caller made, or over a plain connection. What a server answers is read as it comes, as often and as far as wanted.

use std::io::{self, Read};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use backon::BackoffBuilder as _;
use reqwest::{RequestBuilder, Response, StatusCode, header};

use super::error::{Error, Failure, shown};
use super::secret::Secret;
use super::{Authorization, Downloader, Network, transfer};

/// A question over HTTP.
#[derive(Debug)]
pub struct Question<'q> {
    /// Where to ask.
    pub url: &'q str,
    /// What to say besides.
    pub headers: &'q [(&'static str, &'q str)],
    /// What to send; with nothing to send it is a GET, otherwise a POST.
    pub body: Option<&'q [u8]>,
    /// What to tell the server of who asks, as it stands in `Authorization`.
    pub authorization: Option<&'q Secret>,
}

/// What a server says to a question.
pub enum Answer {
    /// Something.
    Given(Box<Reply>),
    /// It wants to know who asks, or does not believe it; `url` is where redirects led, whole, and not to be shown.
    Unauthorized { url: String },
}

/// An answer with a body.
pub struct Reply {
    /// Where redirects led: whole, and not to be shown.
    pub url: String,
    /// Of what type the body is, or nothing.
    pub content_type: String,
    /// The body.
    pub body: Body,
}

/// The body of an answer, read while it comes.
pub struct Body {
    network: Arc<Network>,
    response: Response,
    url: String,
    stall_timeout: Duration,
    chunk: Vec<u8>,
    read: usize,
}

impl Downloader {
    /// Ask, and wait until the answer begins. No connection, and a server that is busy, are tried again as with files.
    pub fn exchange(&self, question: &Question<'_>) -> Result<Answer, Error> {
        let network = self.network(&[question], |question| shown(question.url))?.expect("one question is asked");
        let settings = &self.settings;
        let netrc = super::Netrc::default();
        let way = network.way(settings, &netrc);
        let response = network.runtime.block_on(async {
            let mut pauses = settings.pauses().build();
            loop {
                match transfer::send(request(&network, way, question)?, question.url, way).await {
                    Ok(response) if answers(response.status()) => break Ok::<_, Error>(response),
                    Ok(response) => {
                        let failure = transfer::refusal(question.url, response.status(), response.headers(), settings);
                        transfer::pause_after(failure, &mut pauses).await?;
                    }
                    Err(failure) => transfer::pause_after(failure, &mut pauses).await?,
                }
            }
        })?;
        let url = response.url().to_string();
        if response.status() == StatusCode::UNAUTHORIZED {
            return Ok(Answer::Unauthorized { url });
        }
        let content_type = transfer::text_header(response.headers(), header::CONTENT_TYPE).unwrap_or_default();
        let (content_type, asked) = (content_type.to_owned(), shown(question.url));
        let stall_timeout = settings.stall_timeout;
        let body = Body { network, response, url: asked, stall_timeout, chunk: Vec::new(), read: 0 };
        Ok(Answer::Given(Box::new(Reply { url, content_type, body })))
    }

    /// Open a plain connection to a host. Whoever stalls, reading or writing, ends it.
    pub fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Error> {
        let url = || format!("{host}:{port}");
        if self.settings.offline {
            return Err(Error::Offline { missing: vec![url()] });
        }
        let failed = |source| Error::Connect { host: url(), source };
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in (host.trim_matches(['[', ']']), port).to_socket_addrs().map_err(failed)? {
            match TcpStream::connect_timeout(&address, self.settings.connect_timeout) {
                Ok(stream) => {
                    let limit = Some(self.settings.stall_timeout);
                    // Questions are short, and the next waits for the answer.
                    stream.set_nodelay(true).map_err(failed)?;
                    stream.set_read_timeout(limit).and_then(|()| stream.set_write_timeout(limit)).map_err(failed)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(failed(last))
    }
}

fn answers(status: StatusCode) -> bool {
    matches!(status, StatusCode::OK | StatusCode::UNAUTHORIZED)
}

fn request(network: &Network, way: transfer::Way<'_>, question: &Question<'_>) -> Result<RequestBuilder, Error> {
    let mut ask = match question.body {
        None => network.client.get(question.url),
        Some(body) => network.client.post(question.url).body(body.to_vec()),
    };
    for (name, value) in question.headers {
        ask = ask.header(*name, *value);
    }
    let secret = question.authorization.cloned();
    let authorization = secret.map_or(Authorization::Nobody, Authorization::Token);
    way.authorized(ask, question.url, &authorization).map_err(|failure| match failure {
        Failure::Lasting(error) | Failure::Passing { error, .. } => error,
    })
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.chunk.len() {
            let next = async { tokio::time::timeout(self.stall_timeout, self.response.chunk()).await };
            let chunk = match self.network.runtime.block_on(next) {
                Ok(Ok(chunk)) => chunk,
                Ok(Err(source)) => {
                    let source = source.without_url();
                    return Err(io::Error::other(Error::Transport { url: self.url.clone(), source }));
                }
                Err(_) => {
                    let (url, waited) = (self.url.clone(), self.stall_timeout);
                    return Err(io::Error::other(Error::Stalled { url, waited }));
                }
            };
            let Some(chunk) = chunk else { return Ok(0) };
            (self.chunk, self.read) = (chunk.to_vec(), 0);
        }
        let count = buffer.len().min(self.chunk.len() - self.read);
        buffer[..count].copy_from_slice(&self.chunk[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}
