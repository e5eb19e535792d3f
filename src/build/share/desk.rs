//! The desk: envy's end of the socket of one build.

use std::fmt;
use std::io::{BufReader, Write as _};
use std::net::Shutdown;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::call::{Call, Understood, within};
use super::compile::{Maker, Order};
use super::flight::{End, Event, Flight, Pilot};
use super::key::{self, Ground, Inputs};
use super::table::Table;
use super::talk::{self, Answer, Request};
use super::{COMPILER, DIRECTORY, Failure, LIBRARIES, Sharing, WRAPPER, locked, trees};
use crate::build::jobs::Budget;
use crate::build::sandbox::{Entry, Fence};
use crate::build::{Error, action, sandbox};
use crate::digest::UnitDigest;
use crate::disk;
use crate::store::{Store, Unit};

/// What a desk needs to know of its build.
pub struct Opening<'a> {
    pub sharing: &'a Sharing,
    pub store: &'a Store,
    pub fence: &'a Fence,
    pub budget: &'a Budget,
    /// Where builds find the jobserver's pipe.
    pub jobserver: &'static str,
    pub ground: Ground,
    /// Where the toolchain is.
    pub sysroot: &'a Path,
}

/// How calls of the compiler ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// What they gave was there.
    pub given: usize,
    /// They were made, and are there now.
    pub made: usize,
    /// They were left to the build.
    pub own: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} shared, {} made to be shared, {} of its own", self.given, self.made, self.own)
    }
}

/// Envy's end of the socket of one build.
pub struct Desk<'a> {
    opening: Opening<'a>,
    program: PathBuf,
    directory: PathBuf,
    listener: UnixListener,
    closed: AtomicBool,
    fixed: Vec<Entry>,
    sources: Vec<Source>,
    table: Mutex<Table>,
    calls: AtomicUsize,
    counts: Mutex<Counts>,
}

/// A crate that came from outside.
struct Source {
    to: String,
    from: PathBuf,
    identity: String,
}

impl<'a> Desk<'a> {
    /// Open a desk for a build that sees these entries; its files lie in a directory of the build's own. Of the crates that
    /// came from outside it is said where the build sees each, and what names its content.
    pub fn open(
        opening: Opening<'a>,
        entries: &[Entry],
        crates: impl Iterator<Item = (String, String)>,
        scratch: &Path,
    ) -> Result<Self, Error> {
        let rustc = opening.sysroot.join("bin/rustc");
        if disk::kind(&rustc)? == disk::Kind::Symlink {
            // Nothing can be put in the place of a link's other end.
            return Err(sandbox::Error::Place { to: WRAPPER.to_owned(), why: "the compiler is a symlink" }.into());
        }
        let directory = scratch.join("share");
        disk::create_directory(&directory, 0o755)?;
        // The path of a socket is short: the directory is reached by its number.
        let opened = disk::open(&directory)?;
        let socket = format!("/proc/self/fd/{}/socket", opened.as_raw_fd());
        let listener = UnixListener::bind(socket).map_err(|error| disk::Error::new("listen in", &directory, error))?;
        let sources = crates.filter_map(|(to, identity)| {
            let entry = entries.iter().find(|entry| entry.to() == to)?;
            Some(Source { to, from: entry.from()?.to_owned(), identity })
        });
        Ok(Self {
            program: opening.fence.helper()?,
            sources: sources.collect(),
            fixed: entries.iter().filter(|entry| is_fixed(entry)).cloned().collect(),
            opening,
            directory,
            listener,
            closed: AtomicBool::new(false),
            table: Mutex::default(),
            calls: AtomicUsize::new(0),
            counts: Mutex::default(),
        })
    }

    /// What the build sees of it: the wrapper in the place of the compiler, the compiler elsewhere, the socket.
    pub fn entries(&self) -> Vec<Entry> {
        let read_only = |from: PathBuf, to: &str| Entry::ReadOnly { from, to: to.to_owned() };
        vec![
            read_only(self.program.clone(), WRAPPER),
            read_only(self.opening.sysroot.join("bin/rustc"), COMPILER),
            Entry::Symlink { target: format!("{}/lib", action::TOOLCHAIN), to: LIBRARIES.to_owned() },
            read_only(self.directory.clone(), DIRECTORY),
        ]
    }

    /// Answer the build's calls while it runs.
    pub fn serve_while<T>(&self, run: impl FnOnce() -> T) -> T {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !self.closed.load(Ordering::Acquire) {
                    let Ok((stream, _)) = self.listener.accept() else {
                        std::thread::sleep(Duration::from_millis(1));
                        continue;
                    };
                    // Without a thread the connection is closed, and the wrapper becomes the compiler.
                    let _ = std::thread::Builder::new().spawn_scoped(scope, move || self.answer(stream));
                }
            });
            let result = run();
            self.closed.store(true, Ordering::Release);
            let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
            result
        })
    }

    /// How the calls ended.
    pub fn counts(&self) -> Counts {
        *locked(&self.counts)
    }

    fn answer(&self, stream: UnixStream) {
        let Ok(from) = stream.try_clone() else { return };
        let mut talk = Conversation { to: stream, from: BufReader::new(from) };
        let end = self.share(&mut talk);
        // A build that is gone needs no answer.
        let _ = talk.say(&if end.is_ok() { Answer::Done } else { Answer::Yourself });
        let _ = talk.to.shutdown(Shutdown::Both);
        let mut counts = locked(&self.counts);
        match end {
            Ok(true) => counts.made += 1,
            Ok(false) => counts.given += 1,
            Err(Failure) => counts.own += 1,
        }
    }

    /// Give a unit, and tell whether it was made for this call.
    fn share(&self, talk: &mut Conversation) -> Result<bool, Failure> {
        let request: Request = talk::read(&mut talk.from)?;
        let call = &request.call;
        let understood = call.understand().ok_or(Failure)?;
        if !request.trees.keys().all(|path| understood.reads.contains(&path.as_str())) {
            return Err(Failure);
        }
        let source = self.source(call, &understood)?;
        let reach = locked(&self.table).reach(&understood.externs, understood.links)?;
        let inputs = Inputs {
            source: (&source.to, &source.identity),
            files: &reach.files,
            trees: &request.trees,
            tells_time: reach.tells_time,
        };
        let digest = key::digest(&self.opening.ground, call, &inputs);
        let customer =
            Customer { desk: self, understood: &understood, number: self.calls.fetch_add(1, Ordering::Relaxed) };
        if let Some(unit) = self.look_up(digest)? {
            return customer.give(&unit, talk).map(|()| false);
        }
        let (flight, begins) = self.opening.sharing.flight(digest);
        if begins {
            let order = Order { call, understood: &understood, inputs, source: &source.from };
            return self.make(digest, &order, &flight, &customer, talk).map(|()| true);
        }
        self.opening.budget.lend(|| customer.follow(&flight, talk)).map_err(|_| Failure)?.map(|()| false)
    }

    /// The crate that a call compiles, with nothing of it elsewhere.
    fn source(&self, call: &Call, understood: &Understood<'_>) -> Result<&Source, Failure> {
        let inside =
            |path: &str, source: &Source| within(path, &source.to) && !path.split('/').any(|part| part == "..");
        let all = [understood.manifest, understood.root, &call.directory];
        let holds = |source: &&Source| {
            all.iter().all(|path| inside(path, source) || (!path.starts_with('/') && inside(&call.directory, source)))
        };
        self.sources.iter().find(holds).ok_or(Failure)
    }

    /// What a unit gave, if all of it is in the store and proven.
    fn look_up(&self, digest: UnitDigest) -> Result<Option<Unit>, Failure> {
        let Some(unit) = self.opening.store.unit(digest)? else { return Ok(None) };
        for file in unit.files.values() {
            let name = (file.blob, file.executable);
            if locked(&self.opening.sharing.proven).contains(&name) {
                continue;
            }
            if !self.opening.store.prove_file(*file)? {
                return Ok(None);
            }
            locked(&self.opening.sharing.proven).insert(name);
        }
        Ok(Some(unit))
    }

    fn make(
        &self,
        digest: UnitDigest,
        order: &Order<'_>,
        flight: &Flight,
        customer: &Customer<'_>,
        talk: &mut Conversation,
    ) -> Result<(), Failure> {
        let pilot = Pilot(flight);
        let Opening { store, fence, budget, jobserver, sharing, .. } = self.opening;
        let scratch = disk::temporary_directory_in(&store.temporary_directory()?)?;
        if !order.inputs.trees.is_empty() {
            talk.say(&Answer::Send)?;
            trees::receive(order.inputs.trees, &mut talk.from, scratch.path())?;
        }
        let maker = Maker { store, fence, fixed: &self.fixed, jobserver: (budget.pipe(), jobserver) };
        std::thread::scope(|scope| {
            let told = scope.spawn(|| customer.follow(flight, talk));
            let made = maker.make(order, scratch.path(), flight).and_then(|unit| Ok(store.put_unit(digest, &unit)?));
            if made.is_ok() {
                flight.end(End::Made);
                sharing.landed(digest);
            }
            drop(pilot);
            told.join().map_err(|_| Failure)?
        })
    }
}

/// Whether an entry is the same for all calls of the compiler: the system, the tools, the toolchain.
fn is_fixed(entry: &Entry) -> bool {
    let own = entry.to().starts_with(action::CRATES) || entry.to() == action::SCRIPT;
    !own && !matches!(entry, Entry::Writable { .. })
}

/// The two directions of a connection.
struct Conversation {
    to: UnixStream,
    from: BufReader<UnixStream>,
}

impl Conversation {
    fn say(&mut self, answer: &Answer) -> Result<(), Failure> {
        talk::write(&mut self.to, answer)?;
        Ok(self.to.flush()?)
    }
}

/// A call that waits for its unit.
struct Customer<'a> {
    desk: &'a Desk<'a>,
    understood: &'a Understood<'a>,
    number: usize,
}

impl Customer<'_> {
    /// Give all that a unit gave.
    fn give(&self, unit: &Unit, talk: &mut Conversation) -> Result<(), Failure> {
        for (name, file) in &unit.files {
            self.hear(Event::File(name.clone(), *file), talk)?;
        }
        unit.said.lines().try_for_each(|line| self.hear(Event::Said(line.to_owned()), talk))
    }

    /// Give what a unit gives, as it comes.
    fn follow(&self, flight: &Flight, talk: &mut Conversation) -> Result<(), Failure> {
        let mut heard = Ok(());
        let end = flight.follow(|event| {
            if heard.is_ok() {
                heard = self.hear(event, talk);
            }
        });
        let outcome = if end == End::Made { heard } else { Err(Failure) };
        if outcome.is_err() {
            locked(&self.desk.table).take_back(&format!("{}/lib{}", self.understood.out, self.understood.name));
        }
        outcome
    }

    fn hear(&self, event: Event, talk: &mut Conversation) -> Result<(), Failure> {
        match event {
            Event::Said(line) => talk.say(&Answer::Say(line)),
            Event::File(name, file) => {
                let Desk { directory, opening: Opening { store, .. }, table, .. } = self.desk;
                let from = format!("{}/{name}", self.number);
                disk::create_directories(&directory.join(self.number.to_string()))?;
                disk::link_or_copy(&store.file_path(file), &directory.join(&from))?;
                let tells_time = name.ends_with(".so") && key::mentions_time(&disk::read(&store.file_path(file))?);
                let path = format!("{}/{name}", self.understood.out);
                locked(table).give(&path, file, &self.understood.externs, tells_time);
                talk.say(&Answer::Take { from, name, executable: file.executable })
            }
        }
    }
}
