//! One conversation with a git server, over HTTP, over `ssh`, or over git's own protocol.
//!
//! The library's own transports are not used: its HTTP and ssh would bring another TLS and another ssh into the program,
//! and to register others in their place is not safe while threads fetch. What is said is little, see `protocol`.

use std::ffi::OsStr;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;

use super::address::Address;
use super::credentials::Logins;
use super::error::Error;
use super::packet::{FLUSH, Pack, WireError};
use super::protocol::{self, Greeting, Shallow, Wish};
use super::refs::Refs;
use super::ssh;
use crate::download::{Answer, Body, Downloader, Question, Secret};
use crate::process::{self, Conversation};

/// The type of what a server answers first, and of what it is asked and answers then.
const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";
const REQUEST: &str = "application/x-git-upload-pack-request";
const RESULT: &str = "application/x-git-upload-pack-result";

/// A server that has greeted us.
pub(super) struct Session<'a> {
    link: Link<'a>,
    greeting: Greeting,
    shown: String,
}

enum Link<'a> {
    Http { downloader: &'a Downloader, base: String, authorization: Option<Secret>, body: Box<BufReader<Body>> },
    Ssh(BufReader<Conversation>),
    Git(BufReader<TcpStream>),
}

impl<'a> Session<'a> {
    /// Greet the server of an address, which is not on this machine's file system.
    pub(super) fn open(downloader: &'a Downloader, address: &Address, shown: &str) -> Result<Self, Error> {
        let mut link = match address {
            Address::Http { url } => Link::http(downloader, url, shown)?,
            Address::Ssh { user, host, port, path } => {
                if downloader.is_offline() {
                    return Err(Error::Offline { missing: vec![shown.to_owned()] });
                }
                let command = ssh::command(user.as_deref(), host, *port, path);
                let environment = [("GIT_PROTOCOL", Some(OsStr::new("version=2")))];
                let conversation = process::talk(&command.program, &command.arguments, &environment);
                Link::Ssh(BufReader::new(conversation.map_err(|source| program(shown, source))?))
            }
            Address::Git { host, port, path } => {
                let ask = |source| Error::Ask { url: shown.to_owned(), source };
                let mut stream = downloader.connect(host, *port).map_err(ask)?;
                let text = format!("git-upload-pack {path}\0host={host}\0\0version=2\0");
                let text = format!("{:04x}{text}", text.len() + 4);
                stream.write_all(text.as_bytes()).map_err(|error| talk(shown, error.into()))?;
                Link::Git(BufReader::new(stream))
            }
            Address::Local(_) => unreachable!("repositories on this machine are opened, not asked"),
        };
        match Greeting::read(link.reader()) {
            Ok(greeting) => Ok(Self { link, greeting, shown: shown.to_owned() }),
            Err(error) => Err(link.failure(shown, error)),
        }
    }

    /// How it began.
    pub(super) fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// All names of the repository.
    pub(super) fn refs(&mut self) -> Result<Refs, Error> {
        if let Greeting::Listing { refs, .. } = &self.greeting {
            return Ok(refs.clone());
        }
        self.link.ask(&protocol::list_refs(), &self.shown)?;
        protocol::read_refs(self.link.reader()).map_err(|error| talk(&self.shown, error))
    }

    /// Ask for a pack, and hand it on as it comes.
    pub(super) fn pack<T>(
        &mut self,
        wish: &Wish,
        take: impl FnOnce(&mut Pack<'_>) -> T,
    ) -> Result<(Shallow, T), Error> {
        self.link.ask(&self.greeting.fetch(wish), &self.shown)?;
        let answer = self.greeting.answer(wish, self.link.reader());
        let (shallow, mut pack) = answer.map_err(|error| talk(&self.shown, error))?;
        let taken = take(&mut pack);
        Ok((shallow, taken))
    }

    /// Say goodbye where that is custom.
    pub(super) fn end(mut self) {
        match &mut self.link {
            Link::Http { .. } => {}
            // A server that is gone already needs no goodbye.
            Link::Ssh(conversation) => drop(conversation.get_mut().write_all(FLUSH)),
            Link::Git(stream) => drop(stream.get_mut().write_all(FLUSH)),
        }
    }
}

impl<'a> Link<'a> {
    fn http(downloader: &'a Downloader, url: &str, shown: &str) -> Result<Self, Error> {
        let (mut base, mut authorization) = (url.to_owned(), None);
        let mut logins: Option<Logins> = None;
        loop {
            let ask = format!("{base}/{INFO}");
            let headers = [("git-protocol", "version=2"), ("cache-control", "no-cache")];
            let question = Question { url: &ask, headers: &headers, body: None, authorization: authorization.as_ref() };
            match exchange(downloader, &question, shown)? {
                Answer::Given(reply) if reply.content_type.starts_with(ADVERTISEMENT) => {
                    // What is asked next is asked where this one was answered, but never with a name for another host.
                    if let Some(moved) = reply.url.strip_suffix(INFO).map(|moved| moved.trim_end_matches('/')) {
                        if !same_host(moved, &base) {
                            authorization = None;
                        }
                        base = moved.to_owned();
                    }
                    return Ok(Self::Http {
                        downloader,
                        base,
                        authorization,
                        body: Box::new(BufReader::new(reply.body)),
                    });
                }
                Answer::Given(mut reply) => {
                    let error = match is_list(&mut reply.body) {
                        true => WireError::Unsupported("has plain files only"),
                        false => WireError::Malformed("what is not git's protocol"),
                    };
                    return Err(talk(shown, error));
                }
                Answer::Unauthorized { url: asked } => {
                    if let Some(moved) = asked.strip_suffix(INFO) {
                        base = moved.trim_end_matches('/').to_owned();
                    }
                    let logins = logins.get_or_insert_with(Logins::new);
                    authorization = Some(logins.next(&base, shown)?);
                }
            }
        }
    }

    /// Send a question; the answer is what the reader gives next.
    fn ask(&mut self, question: &[u8], shown: &str) -> Result<(), Error> {
        let written = match self {
            Self::Http { downloader, base, authorization, body } => {
                let url = format!("{base}/git-upload-pack");
                let headers = [("content-type", REQUEST), ("accept", RESULT), ("git-protocol", "version=2")];
                let authorization = authorization.as_ref();
                let question = Question { url: &url, headers: &headers, body: Some(question), authorization };
                match exchange(downloader, &question, shown)? {
                    Answer::Given(reply) if reply.content_type.starts_with(RESULT) => {
                        **body = BufReader::new(reply.body);
                        return Ok(());
                    }
                    Answer::Given(_) => return Err(talk(shown, WireError::Malformed("what is not git's protocol"))),
                    Answer::Unauthorized { .. } => {
                        return Err(Error::Login {
                            url: shown.to_owned(),
                            why: "lists its names to more than it serves",
                        });
                    }
                }
            }
            Self::Ssh(conversation) => conversation.get_mut().write_all(question),
            Self::Git(stream) => stream.get_mut().write_all(question),
        };
        written.map_err(|error| talk(shown, error.into()))
    }

    fn reader(&mut self) -> &mut dyn Read {
        match self {
            Self::Http { body, .. } => &mut **body,
            Self::Ssh(conversation) => conversation,
            Self::Git(stream) => stream,
        }
    }

    /// What a greeting that did not come means.
    fn failure(self, shown: &str, error: WireError) -> Error {
        let Self::Ssh(conversation) = self else { return talk(shown, error) };
        let (_, said) = conversation.into_inner().end();
        let said = said.trim().replace(['\r', '\n'], " ").replace(char::is_control, "");
        if said.is_empty() { talk(shown, error) } else { Error::Ssh { url: shown.to_owned(), said } }
    }
}

const INFO: &str = "info/refs?service=git-upload-pack";

/// Whether an answer is the list of names that any web server has which holds a repository as files.
fn is_list(body: &mut Body) -> bool {
    let mut first = [0; 41];
    body.read_exact(&mut first).is_ok() && first[..40].iter().all(u8::is_ascii_hexdigit) && first[40] == b'\t'
}

fn exchange(downloader: &Downloader, question: &Question<'_>, shown: &str) -> Result<Answer, Error> {
    downloader.exchange(question).map_err(|source| match source {
        crate::download::Error::Offline { .. } => Error::Offline { missing: vec![shown.to_owned()] },
        source => Error::Ask { url: shown.to_owned(), source },
    })
}

fn same_host(one: &str, other: &str) -> bool {
    let origin = |text: &str| url::Url::parse(text).ok().map(|url| url.origin());
    origin(one).is_some_and(|one| Some(one) == origin(other))
}

fn talk(shown: &str, source: WireError) -> Error {
    Error::Talk { url: shown.to_owned(), source }
}

fn program(shown: &str, source: process::Error) -> Error {
    Error::Program { url: shown.to_owned(), source }
}
