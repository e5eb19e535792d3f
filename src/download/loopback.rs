//! A small HTTP server on the loopback address, for tests: every answer is what the test says, byte for byte.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The path with the query.
    pub(crate) path: String,
    headers: Vec<String>,
}

impl Asked {
    /// The value of a header, if it was sent.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values = self.headers.iter().filter_map(|line| line.split_once(": "));
        values.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

/// What the server does about a request.
pub(crate) enum Answer {
    /// Send a status line's end (`200 OK`), headers and a body.
    Whole(&'static str, Vec<(&'static str, String)>, Vec<u8>),
    /// Claim the whole length, send so many bytes of the body, and hang up.
    Cut(Vec<u8>, usize),
    /// Send the part of the body that begins here, but only so many bytes of it, and hang up.
    CutPart(Vec<u8>, usize, usize),
    /// Send so many bytes of the body, and then nothing for a while.
    Stall(Vec<u8>, usize),
}

impl Answer {
    pub(crate) fn ok(body: &[u8]) -> Self {
        Self::Whole("200 OK", Vec::new(), body.to_vec())
    }

    pub(crate) fn status(status: &'static str) -> Self {
        Self::Whole(status, Vec::new(), Vec::new())
    }
}

/// The server. It goes when the process goes.
pub(crate) struct Loopback {
    /// Its address, `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Loopback {
    /// Serve with `answer`, which is told how many requests came before this one.
    pub(crate) fn serve(answer: impl Fn(usize, &Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || converse(stream, &log, &*answer));
            }
        });
        Self { url, asked }
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// Answer one request. Each connection serves one, which keeps cut and whole answers alike.
fn converse(
    mut stream: TcpStream,
    log: &Mutex<Vec<Asked>>,
    answer: &(impl Fn(usize, &Asked) -> Answer + ?Sized),
) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.take_while(|line| !line.is_empty()).collect();
    let asked = Asked { path, headers };
    let before = {
        let mut log = log.lock().unwrap();
        log.push(asked.clone());
        log.len() - 1
    };
    let (status, headers, body, sent, pause) = match answer(before, &asked) {
        Answer::Whole(status, headers, body) => (status, headers, body.clone(), body.len(), Duration::ZERO),
        Answer::Cut(body, sent) => ("200 OK", Vec::new(), body, sent, Duration::ZERO),
        Answer::CutPart(body, start, sent) => {
            let range = format!("bytes {start}-{}/{}", body.len() - 1, body.len());
            let part = body[start..].to_vec();
            let sent = sent.min(part.len());
            ("206 Partial Content", vec![("content-range", range)], part, sent, Duration::ZERO)
        }
        Answer::Stall(body, sent) => ("200 OK", Vec::new(), body, sent, Duration::from_secs(5)),
    };
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n", body.len());
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&body[..sent]).ok()?;
    std::thread::sleep(pause);
    Some(())
}
