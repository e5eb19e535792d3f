//! A small HTTP/1.1 server on the loopback, which remembers what it was asked and misbehaves when told to.
//!
//! One thread a connection, connections kept alive, bodies of an announced length: all that registries and caches need.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What a client asked for.
pub struct Request {
    pub method: String,
    pub path: String,
    headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// What it is told.
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// A way to misbehave.
#[derive(Clone, Debug)]
pub enum Fault {
    /// 404.
    NotFound,
    /// Any other status, without a body.
    Status(u16),
    /// That status so many times, then the right answer.
    StatusTimes(u16, usize),
    /// The request is read, and nothing is ever said.
    Hang,
    /// The right length is announced, so many bytes of it are sent, and the connection is closed.
    Truncate(usize),
    /// A redirect to where the client already is.
    RedirectLoop,
    /// The right length; the second half is not what it should be.
    WrongBytes,
    /// This page instead, as a network's gate serves it in the place of every other.
    Page(&'static str),
    /// The right answer, at so many bytes a second.
    Slow(usize),
    /// The right answer, so many milliseconds later.
    Late(u64),
}

/// A server that listens until it is dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    answer: Box<dyn Fn(&Request) -> Response + Send + Sync>,
    faults: Mutex<Vec<(String, Fault)>>,
    log: Mutex<Vec<String>>,
    connections: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

impl Server {
    /// Listens on a port that the system chooses.
    pub fn start(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            faults: Mutex::default(),
            log: Mutex::default(),
            connections: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let listening = Arc::clone(&shared);
        let thread = thread::spawn(move || listen(&listener, &listening));
        Self { address, shared, listener: Mutex::new(Some(thread)) }
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far with the status it was given, in the order of arrival: `GET /index/he/ll/hello 200`.
    /// Where the answer was silence, `(hang)` stands for the status.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.shared.log).clone()
    }

    /// Starts the list of requests anew.
    pub fn forget_requests(&self) {
        lock(&self.shared.log).clear();
    }

    /// From now on, misbehaves on every path that contains `pattern`. What was said last goes first.
    pub fn misbehave(&self, pattern: &str, fault: Fault) {
        lock(&self.shared.faults).insert(0, (pattern.to_owned(), fault));
    }

    /// Misbehaves no longer; a client that hangs is cut off.
    pub fn heal(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Stops listening, and cuts off who is connected: from now on, connections are refused.
    pub fn go_away(&self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let Some(thread) = lock(&self.listener).take() else { return };
        // A last connection, so that `accept` returns and the listener is closed.
        drop(TcpStream::connect(self.address));
        thread.join().expect("listening does not panic");
        for connection in lock(&self.shared.connections).drain(..) {
            // A client that has gone already is as good as one cut off.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.go_away();
    }
}

impl Request {
    /// A header's value; names in lowercase.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The next request of a connection, or none when the client is done.
    fn read(from: &mut impl BufRead) -> Option<Self> {
        let line = read_line(from)?;
        let mut words = line.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = BTreeMap::new();
        loop {
            let line = read_line(from)?;
            if line.is_empty() {
                let length = headers.get("content-length").and_then(|length: &String| length.parse().ok()).unwrap_or(0);
                let mut body = vec![0; length];
                from.read_exact(&mut body).ok()?;
                return Some(Self { method, path, headers, body });
            }
            let (name, value) = line.split_once(':')?;
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
}

fn read_line(from: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    from.read_line(&mut line).ok().filter(|&length| length > 0)?;
    Some(line.trim_end_matches(['\r', '\n']).to_owned())
}

impl Response {
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into() }
    }

    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        // A 304 has no body and tells no length.
        if self.status != 304 {
            head += &format!("content-length: {}\r\n", self.body.len());
        }
        (head + "\r\n").into_bytes()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        302 => "Found",
        304 => "Not Modified",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

fn listen(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(connection) = connection else { continue };
        // Written in two pieces, so waiting for more to send would cost 40 ms a request.
        let _ = connection.set_nodelay(true);
        if let Ok(other) = connection.try_clone() {
            lock(&shared.connections).push(other);
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // An error here is a client that hung up, which is its right.
            let _ = serve(&shared, &connection);
            let _ = connection.shutdown(Shutdown::Both);
        });
    }
}

fn serve(shared: &Shared, connection: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(connection);
    while let Some(request) = Request::read(&mut reader) {
        let fault = shared.fault(&request.path);
        if matches!(fault, Some(Fault::Hang)) {
            shared.note(&request, "(hang)");
            return shared.hang(&request, connection);
        }
        if let Some(Fault::Late(milliseconds)) = fault {
            thread::sleep(Duration::from_millis(milliseconds));
        }
        let response = match fault {
            Some(Fault::NotFound) => Response::status(404),
            Some(Fault::Status(status) | Fault::StatusTimes(status, _)) => Response::status(status),
            Some(Fault::Page(text)) => Response::ok(text).header("etag", "\"page\""),
            Some(Fault::RedirectLoop) => Response::status(302).header("location", &request.path),
            _ => (shared.answer)(&request),
        };
        shared.note(&request, &response.status.to_string());
        let is_head = request.method == "HEAD";
        send(shared, connection, response, fault.as_ref(), is_head)?;
        if matches!(fault, Some(Fault::Truncate(_))) {
            return Ok(());
        }
    }
    Ok(())
}

fn send(
    shared: &Shared,
    mut to: &TcpStream,
    response: Response,
    fault: Option<&Fault>,
    is_head: bool,
) -> io::Result<()> {
    to.write_all(&response.head())?;
    if is_head {
        return Ok(());
    }
    let mut body = response.body;
    match fault {
        Some(&Fault::Truncate(length)) => body.truncate(length),
        Some(Fault::WrongBytes) => {
            let half = body.len() / 2;
            body[half..].iter_mut().for_each(|byte| *byte = !*byte);
        }
        Some(&Fault::Slow(per_second)) => return trickle(shared, to, &body, per_second),
        _ => {}
    }
    to.write_all(&body)
}

fn trickle(shared: &Shared, mut to: &TcpStream, body: &[u8], per_second: usize) -> io::Result<()> {
    const TICKS: usize = 20;
    let (piece, pause) = match per_second / TICKS {
        0 => (1, Duration::from_secs(1) / per_second.max(1) as u32),
        piece => (piece, Duration::from_secs(1) / TICKS as u32),
    };
    for piece in body.chunks(piece) {
        if shared.stopped.load(Ordering::SeqCst) {
            return Ok(());
        }
        to.write_all(piece)?;
        thread::sleep(pause);
    }
    Ok(())
}

impl Shared {
    fn note(&self, request: &Request, status: &str) {
        lock(&self.log).push(format!("{} {} {status}", request.method, request.path));
    }

    /// The fault for a path, counting down one that happens a number of times.
    fn fault(&self, path: &str) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        faults.retain(|(_, fault)| !matches!(fault, Fault::StatusTimes(_, 0)));
        let (_, fault) = faults.iter_mut().find(|(pattern, _)| path.contains(pattern.as_str()))?;
        let answer = fault.clone();
        if let Fault::StatusTimes(_, times) = fault {
            *times -= 1;
        }
        Some(answer)
    }

    /// Says nothing until the client gives up, or the server is healed or stopped.
    fn hang(&self, request: &Request, connection: &TcpStream) -> io::Result<()> {
        connection.set_read_timeout(Some(Duration::from_millis(20)))?;
        loop {
            let gone = matches!(connection.peek(&mut [0]), Ok(0));
            let over = !matches!(self.fault(&request.path), Some(Fault::Hang));
            if gone || over || self.stopped.load(Ordering::SeqCst) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A lock that a panic elsewhere does not spoil: the test that panicked tells what happened.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
