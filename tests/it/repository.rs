//! A git repository of a test, and a server of git's own protocol for those that shall not be on this machine.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use git2::{Index, IndexEntry, IndexTime, ObjectType, Oid, Signature, Time};

use crate::scratch::Scratch;

/// A bare repository beside the project, with one branch, `main`, and the files of its next commit.
///
/// The same files give the same commits, whenever and wherever.
pub struct Repository {
    git: git2::Repository,
    path: PathBuf,
    next: RefCell<BTreeMap<String, (u32, Vec<u8>)>>,
}

/// The modes that git knows.
pub const PLAIN: u32 = 0o100_644;
pub const EXECUTABLE: u32 = 0o100_755;
pub const SYMLINK: u32 = 0o120_000;
pub const SUBMODULE: u32 = 0o160_000;

impl Repository {
    /// An empty repository `upstream/NAME.git` of the scratch.
    pub fn new(scratch: &Scratch, name: &str) -> Self {
        let path = scratch.root().join(format!("upstream/{name}.git"));
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).mkpath(true).external_template(false).initial_head("main");
        let git = git2::Repository::init_opts(&path, &options).expect("a repository can be made in a scratch");
        Self { git, path, next: RefCell::default() }
    }

    /// Its address on this machine.
    pub fn url(&self) -> String {
        format!("file://{}", self.path.display())
    }

    /// A file of the next commits.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        self.entry(path, PLAIN, content)
    }

    /// An entry of the next commits. A submodule's content is the id of its commit.
    pub fn entry(&self, path: &str, mode: u32, content: impl AsRef<[u8]>) -> &Self {
        self.next.borrow_mut().insert(path.to_owned(), (mode, content.as_ref().to_owned()));
        self
    }

    /// A program that prints its name and version, in a directory that ends with `/` or is empty.
    pub fn program(&self, directory: &str, name: &str, version: &str) -> &Self {
        let at = |path: &str| format!("{directory}{path}");
        self.write(&at("Cargo.toml"), manifest(name, version));
        self.write(&at("Cargo.lock"), cargo_lock(&[(name, version)]));
        self.write(&at("src/main.rs"), MAIN)
    }

    /// Commits what was written, on `main`; its id.
    pub fn commit(&self) -> String {
        let parent = self.git.head().ok().and_then(|head| head.peel_to_commit().ok());
        self.commit_on("refs/heads/main", parent.as_ref())
    }

    /// Commits what was written as if nothing had been before, in the place of all that was on `main`; its id.
    pub fn begin_anew(&self) -> String {
        let commit = self.commit_on("refs/heads/apart", None);
        let id = Oid::from_str(&commit).expect("it is an id");
        self.git.reference("refs/heads/main", id, true, "").expect("a branch can be moved");
        self.git.find_reference("refs/heads/apart").and_then(|mut it| it.delete()).expect("it was just made");
        commit
    }

    fn commit_on(&self, reference: &str, parent: Option<&git2::Commit<'_>>) -> String {
        let mut index = Index::new().expect("memory takes everything");
        for (path, (mode, content)) in self.next.borrow().iter() {
            index.add(&self.index_entry(path, *mode, content)).expect("tests write paths that git takes");
        }
        let tree = index.write_tree_to(&self.git).expect("a tree can be written");
        let tree = self.git.find_tree(tree).expect("it was just written");
        let parents: Vec<_> = parent.into_iter().collect();
        let author = author();
        let id = self.git.commit(Some(reference), &author, &author, "A commit", &tree, &parents);
        id.expect("a commit can be written").to_string()
    }

    fn index_entry(&self, path: &str, mode: u32, content: &[u8]) -> IndexEntry {
        let id = match mode {
            SUBMODULE => Oid::from_str(std::str::from_utf8(content).expect("it is an id")).expect("it is an id"),
            _ => self.git.blob(content).expect("a blob can be written"),
        };
        let never = IndexTime::new(0, 0);
        IndexEntry {
            ctime: never,
            mtime: never,
            dev: 0,
            ino: 0,
            mode,
            uid: 0,
            gid: 0,
            file_size: 0,
            id,
            flags: 0,
            flags_extended: 0,
            path: path.as_bytes().to_owned(),
        }
    }

    /// Puts a tag on what `main` shows, wherever it was before.
    pub fn tag(&self, name: &str) -> &Self {
        self.reference(&format!("refs/tags/{name}"))
    }

    /// As [`Repository::tag`], with words of its own.
    pub fn annotated_tag(&self, name: &str) -> &Self {
        let head = self.git.head().and_then(|head| head.peel(ObjectType::Commit)).expect("there is a commit");
        self.git.tag(name, &head, &author(), "A release", true).expect("a tag can be written");
        self
    }

    /// Has a branch show what `main` shows.
    pub fn branch(&self, name: &str) -> &Self {
        self.reference(&format!("refs/heads/{name}"))
    }

    fn reference(&self, name: &str) -> &Self {
        let head = self.git.head().expect("there is a commit").target().expect("a branch is on a commit");
        self.git.reference(name, head, true, "").expect("a name can be written");
        self
    }

    /// Commits a program with a version, and tags it `vVERSION`; its commit.
    pub fn release(&self, name: &str, version: &str) -> String {
        let commit = self.program("", name, version).commit();
        self.tag(&format!("v{version}"));
        commit
    }

    /// Forgets everything that no name leads to.
    pub fn forget_what_is_unnamed(&self) {
        let mut walk = self.git.revwalk().expect("a repository can be walked");
        walk.push_glob("refs/*").expect("names can be walked");
        let mut pack = self.git.packbuilder().expect("a pack can be built");
        pack.insert_walk(&mut walk).expect("all is there");
        let mut bytes = git2::Buf::new();
        pack.write_buf(&mut bytes).expect("memory takes everything");
        let objects = self.path.join("objects");
        std::fs::remove_dir_all(&objects).expect("objects are there");
        std::fs::create_dir_all(objects.join("pack")).expect("a directory can be made");
        let git = git2::Repository::open(&self.path).expect("it still is a repository");
        let odb = git.odb().expect("it has objects");
        let mut writer = odb.packwriter().expect("a pack can be written");
        writer.write_all(&bytes).expect("a pack can be written");
        writer.commit().expect("it is whole");
    }

    /// Takes it away, for good.
    pub fn vanish(&self) {
        std::fs::remove_dir_all(&self.path).expect("it was there");
    }

    /// Serves it from somewhere else than this machine, as far as anybody can see.
    pub fn serve(&self) -> GitServer {
        GitServer::start(self.path.clone())
    }
}

/// The `Cargo.toml` of a package without dependencies.
pub fn manifest(name: &str, version: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\n")
}

/// A `Cargo.lock` of packages that need nothing.
pub fn cargo_lock(packages: &[(&str, &str)]) -> String {
    let one = |(name, version): &(&str, &str)| format!("\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
    format!("version = 4\n{}", packages.iter().map(one).collect::<String>())
}

/// A program that prints its name and version.
pub const MAIN: &str =
    "fn main() {\n    println!(\"{} {}\", env!(\"CARGO_PKG_NAME\"), env!(\"CARGO_PKG_VERSION\"));\n}\n";

fn author() -> Signature<'static> {
    Signature::new("Test", "test@example.org", &Time::new(1_153_704_088, 0)).expect("it is a name")
}

/// Serves one repository by git's own protocol until it is dropped: whatever is wanted, with all before it.
pub struct GitServer {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl GitServer {
    fn start(repository: PathBuf) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let stopped = Arc::<AtomicBool>::default();
        let over = Arc::clone(&stopped);
        let thread = thread::spawn(move || {
            for connection in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                // A client that hangs up is in its right.
                let _ = connection.and_then(|connection| answer(&repository, connection));
            }
        });
        Self { address, stopped, thread: Some(thread) }
    }

    /// The address of the repository.
    pub fn url(&self) -> String {
        format!("git://{}/repository.git", self.address)
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // A last connection, so that `accept` returns and the listener is closed.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("serving does not panic");
        }
    }
}

fn answer(path: &Path, mut connection: TcpStream) -> io::Result<()> {
    let broken = |error: git2::Error| io::Error::other(error.to_string());
    let git = git2::Repository::open(path).map_err(broken)?;
    packet(&mut connection)?;
    connection.write_all(&listing(&git).map_err(broken)?)?;
    let mut wants = Vec::new();
    // The wants end with a flush; a client that only came for the names sends nothing else.
    while let Some(line) = packet(&mut connection)? {
        if let Some(id) = line.strip_prefix("want ") {
            wants.push(id[..40].to_owned());
        }
    }
    if wants.is_empty() {
        return Ok(());
    }
    while packet(&mut connection)?.is_some_and(|line| line.trim_end() != "done") {}
    let Ok(pack) = pack(&git, &wants) else { return connection.write_all(&line("ERR not our ref\n")) };
    connection.write_all(&line("NAK\n"))?;
    for piece in pack.chunks(60_000) {
        connection.write_all(format!("{:04x}\u{1}", piece.len() + 5).as_bytes())?;
        connection.write_all(piece)?;
    }
    connection.write_all(b"0000")
}

fn listing(git: &git2::Repository) -> Result<Vec<u8>, git2::Error> {
    let mut names = Vec::new();
    if let Some(head) = git.head()?.target() {
        names.push(format!("{head} HEAD"));
    }
    for reference in git.references()? {
        let reference = reference?;
        let (name, id) = (reference.name()?.to_owned(), reference.target());
        names.extend(id.map(|id| format!("{id} {name}")));
        let peeled = reference.peel_to_commit()?.id();
        names.extend((id != Some(peeled)).then(|| format!("{peeled} {name}^{{}}")));
    }
    let can = "\0side-band-64k ofs-delta allow-any-sha1-in-want symref=HEAD:refs/heads/main agent=test";
    let lines = names.iter().enumerate().map(|(at, name)| line(&format!("{name}{}\n", if at == 0 { can } else { "" })));
    Ok(lines.flatten().chain(*b"0000").collect())
}

fn pack(git: &git2::Repository, wants: &[String]) -> Result<Vec<u8>, git2::Error> {
    let (mut walk, mut pack) = (git.revwalk()?, git.packbuilder()?);
    for id in wants {
        walk.push(Oid::from_str(id)?)?;
    }
    pack.insert_walk(&mut walk)?;
    let mut bytes = git2::Buf::new();
    pack.write_buf(&mut bytes)?;
    Ok(bytes.to_vec())
}

fn line(text: &str) -> Vec<u8> {
    format!("{:04x}{text}", text.len() + 4).into_bytes()
}

/// The next line of a client, or nothing for a flush.
fn packet(from: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = [0; 4];
    from.read_exact(&mut head)?;
    let length = std::str::from_utf8(&head).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
    let Some(length) = length.and_then(|length| length.checked_sub(4)) else { return Ok(None) };
    let mut text = vec![0; length];
    from.read_exact(&mut text)?;
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}
