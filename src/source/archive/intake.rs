//! Taking files into the store while an archive is still being read: other threads hash and write.
//!
//! Small files are handed over whole, large ones in pieces, and only so many wait at a time. As long as a file's digest
//! is not known its number stands for it (see [`known`]).

use std::io::{self, Read, Write as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::super::tarball::{self, Entry, Visitor};
use super::{BUFFER, Problem};
use crate::digest::{BlobDigest, Hasher};
use crate::disk;
use crate::store::{self, Store};
use crate::tree::{File, Node, Tree};

/// Files up to this many bytes are handed over whole.
const WHOLE: usize = 1 << 20;

/// Small files are handed over together, as many as have so many bytes, or are so many.
const TOGETHER: (usize, usize) = (256 << 10, 64);

/// How many batches of files, or pieces of one, wait at a time.
const WAITING: usize = 16;

/// How many threads hash and write.
const WORKERS: usize = 2;

/// A file that is to be taken in.
struct Job {
    number: usize,
    executable: bool,
    first: Vec<u8>,
    /// The pieces that follow the first; the end comes as `None`, and without it the file is not whole.
    more: Option<Receiver<Option<Vec<u8>>>>,
}

/// Hands files over. What it gives for a file has the file's number for a digest.
pub(super) struct Intake<'a> {
    jobs: &'a SyncSender<Vec<Job>>,
    count: usize,
    /// What is to be handed over together, and its size in bytes.
    together: (Vec<Job>, usize),
}

/// Take in all files that `work` hands over: what it gives, and the files by their numbers.
pub(super) fn run<T>(
    store: &Store,
    directory: &Path,
    work: impl FnOnce(&mut Intake<'_>) -> Result<T, Problem>,
) -> Result<(T, Vec<File>), Problem> {
    let (jobs, waiting) = sync_channel(WAITING);
    // It belongs to the workers alone: when the last of them gives up, nothing can be handed over any more.
    let waiting = Arc::new(Mutex::new(waiting));
    let (worked, taken) = thread::scope(|scope| {
        let worker = |number: usize| {
            let waiting = Arc::clone(&waiting);
            // Making files in one directory, two threads would wait for each other.
            let directory = directory.join(number.to_string());
            scope.spawn(move || take_in(store, &directory, &waiting))
        };
        let workers: Vec<_> = (0..WORKERS).map(worker).collect();
        drop(waiting);
        let mut intake = Intake { jobs: &jobs, count: 0, together: Default::default() };
        let worked = work(&mut intake).and_then(|done| intake.hand_over_rest().map(|()| done));
        drop(jobs);
        let joined = workers.into_iter().map(|worker| worker.join().expect("taking in does not panic"));
        (worked, joined.collect::<Result<Vec<_>, _>>())
    });
    let mut taken: Vec<_> = taken?.into_iter().flatten().collect();
    let done = worked?;
    taken.sort_unstable_by_key(|(number, _)| *number);
    Ok((done, taken.into_iter().map(|(_, file)| file).collect()))
}

/// The file that a number stands for.
pub(super) fn known(file: File, files: &[File]) -> File {
    let number = file.blob.hex();
    let number = usize::from_str_radix(&number[number.len() - 16..], 16).expect("it was made of a number");
    files[number]
}

/// A file whose digest is not known yet.
fn numbered(number: usize, size: u64, executable: bool) -> File {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&(number as u64).to_be_bytes());
    File { blob: BlobDigest::from_bytes(bytes), size, executable }
}

impl Visitor for Intake<'_> {
    type Error = Problem;

    fn visit(&mut self, _path: &str, entry: Entry<'_>) -> Result<Node, Problem> {
        match entry {
            Entry::Directory => Ok(Node::Directory(Tree::default())),
            Entry::Symlink { target } => Ok(Node::Symlink(target.to_owned())),
            Entry::File { executable, size, content } => self.file(executable, size, content),
        }
    }
}

impl Intake<'_> {
    fn file(&mut self, executable: bool, size: u64, content: &mut dyn Read) -> Result<Node, Problem> {
        let number = self.count;
        self.count += 1;
        let first = piece(content, WHOLE, usize::try_from(size).map_or(WHOLE, |size| size.min(WHOLE)))?;
        let mut read = first.len() as u64;
        if first.len() < WHOLE {
            self.together.1 += first.len();
            self.together.0.push(Job { number, executable, first, more: None });
            if self.together.1 >= TOGETHER.0 || self.together.0.len() >= TOGETHER.1 {
                self.hand_over_rest()?;
            }
            return Ok(Node::File(numbered(number, read, executable)));
        }
        let (pieces, more) = sync_channel(WAITING);
        self.hand_over(vec![Job { number, executable, first, more: Some(more) }])?;
        loop {
            let piece = piece(content, BUFFER, BUFFER)?;
            let is_last = piece.len() < BUFFER;
            read += piece.len() as u64;
            pieces.send(Some(piece)).map_err(|_| Problem::GivenUp)?;
            if is_last {
                pieces.send(None).map_err(|_| Problem::GivenUp)?;
                return Ok(Node::File(numbered(number, read, executable)));
            }
        }
    }

    fn hand_over_rest(&mut self) -> Result<(), Problem> {
        let (jobs, _) = std::mem::take(&mut self.together);
        self.hand_over(jobs)
    }

    fn hand_over(&self, jobs: Vec<Job>) -> Result<(), Problem> {
        self.jobs.send(jobs).map_err(|_| Problem::GivenUp)
    }
}

/// The next bytes: so many, or all that are left.
fn piece(content: &mut dyn Read, most: usize, likely: usize) -> Result<Vec<u8>, Problem> {
    // One more than is likely, so that the end is seen without growing.
    let mut bytes = Vec::with_capacity(likely.min(most) + 1);
    content.take(most as u64).read_to_end(&mut bytes).map_err(tarball::broken)?;
    Ok(bytes)
}

/// Take in files until no more come; their numbers, and what they are.
fn take_in(
    store: &Store,
    directory: &Path,
    waiting: &Mutex<Receiver<Vec<Job>>>,
) -> Result<Vec<(usize, File)>, store::Error> {
    disk::create_directories(directory)?;
    let mut taken = Vec::new();
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(jobs) = next else { return Ok(taken) };
        for job in jobs {
            let temporary = directory.join(job.number.to_string());
            let (number, executable) = (job.number, job.executable);
            let file = match job.more {
                None => Some(store.put_file_at(&job.first, executable, &temporary)?),
                Some(more) => write(store, &temporary, executable, job.first, &more)?,
            };
            taken.extend(file.map(|file| (number, file)));
        }
    }
}

/// Write a large file as its pieces come; nothing where they end too early.
fn write(
    store: &Store,
    temporary: &Path,
    executable: bool,
    first: Vec<u8>,
    more: &Receiver<Option<Vec<u8>>>,
) -> Result<Option<File>, store::Error> {
    let failed = |error: io::Error| disk::Error::new("write", temporary, error);
    let mut to = disk::create_new(temporary, store::mode(executable))?;
    let (mut hasher, mut size, mut piece) = (Hasher::default(), 0, first);
    loop {
        hasher.update(&piece);
        to.write_all(&piece).map_err(failed)?;
        size += piece.len() as u64;
        match more.recv() {
            Ok(Some(next)) => piece = next,
            Ok(None) => break,
            Err(_) => return Ok(None),
        }
    }
    let file = File { blob: hasher.finish(), size, executable };
    store.adopt_file(temporary, file)?;
    Ok(Some(file))
}
