//! A git server on the loopback address, small enough to be looked through: it speaks versions 0 and 2 of the protocol,
//! over HTTP and over git's own, and remembers what it was asked.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Cursor, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use git2::{Oid, Repository};

use super::super::packet::{self, DELIMITER, FLUSH, Packet};
use super::scene::Repo;

/// How it behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manners {
    /// Speak version 2.
    pub(super) modern: bool,
    /// Give any id, whether a name stands for it or not.
    pub(super) gives_any: bool,
    /// Give commits without those before them.
    pub(super) shallow: bool,
    /// The word that a client has to say in `Authorization`.
    pub(super) word: Option<&'static str>,
    /// Hang up in the middle of the first pack.
    pub(super) cuts: bool,
}

pub(super) const MODERN: Manners = Manners { modern: true, gives_any: true, shallow: true, word: None, cuts: false };
pub(super) const OLD: Manners = Manners { modern: false, gives_any: false, ..MODERN };

/// A question for a pack, and how long the answer was.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) wants: Vec<String>,
    pub(super) haves: Vec<String>,
    pub(super) shallow: Vec<String>,
    pub(super) deepen: Option<String>,
    pub(super) bytes: usize,
}

/// A server of one repository. It goes when the process goes.
pub(super) struct Server {
    /// `http://127.0.0.1:PORT/app.git`.
    pub(super) http: String,
    /// `git://127.0.0.1:PORT/app.git`.
    pub(super) git: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// What a thread needs that talks with one client.
#[derive(Clone)]
struct Host {
    path: PathBuf,
    manners: Manners,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub(super) fn of(repo: &Repo, manners: Manners) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let host = Host { path: repo.path().to_owned(), manners, asked: Arc::clone(&asked) };
        let http = listen(host.clone(), Host::over_http);
        let git = listen(host, Host::over_git);
        Self { http: format!("http://{http}/app.git"), git: format!("git://{git}/app.git"), asked }
    }

    /// All questions for packs so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn listen(host: Host, talk: fn(&Host, TcpStream) -> Option<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let host = host.clone();
            std::thread::spawn(move || talk(&host, stream));
        }
    });
    address
}

impl Host {
    /// One request, one connection.
    fn over_http(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let header = |name: &str| {
            let values = lines.iter().filter_map(|line| line.split_once(": "));
            values.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
        };
        let is_listing = lines[0].starts_with("GET /app.git/info/refs?service=git-upload-pack ");
        let known = self.manners.word.is_none_or(|word| header("authorization").as_deref() == Some(word));
        let (status, kind, body) = match () {
            () if !known => ("401 Unauthorized", "text/plain", Vec::new()),
            () if is_listing => ("200 OK", "application/x-git-upload-pack-advertisement", self.greeting(true)),
            () if lines[0].starts_with("POST /app.git/git-upload-pack ") => {
                let mut body = vec![0; header("content-length")?.parse().ok()?];
                reader.read_exact(&mut body).ok()?;
                ("200 OK", "application/x-git-upload-pack-result", self.answer(&mut Cursor::new(body))?)
            }
            () => ("404 Not Found", "text/plain", Vec::new()),
        };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(&body[..self.cut(&body)]).ok()
    }

    /// One conversation.
    fn over_git(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        packet::read(&mut reader).ok()?;
        stream.write_all(&self.greeting(false)).ok()?;
        while let Some(answer) = self.answer(&mut reader) {
            let sent = self.cut(&answer);
            stream.write_all(&answer[..sent]).ok()?;
            if sent < answer.len() {
                stream.shutdown(std::net::Shutdown::Both).ok()?;
            }
        }
        Some(())
    }

    /// How much of an answer is sent: all, but of the first pack where it is to be cut.
    fn cut(&self, answer: &[u8]) -> usize {
        let asked = self.asked.lock().unwrap().len();
        let is_pack = answer.windows(4).any(|bytes| bytes == b"PACK");
        if self.manners.cuts && is_pack && asked == 1 { answer.len() - 30 } else { answer.len() }
    }

    fn greeting(&self, over_http: bool) -> Vec<u8> {
        let mut text = Vec::new();
        if over_http && !self.manners.modern {
            packet::write(&mut text, "# service=git-upload-pack\n");
            text.extend_from_slice(FLUSH);
        }
        if self.manners.modern {
            let fetch = if self.manners.shallow { "fetch=shallow wait-for-done\n" } else { "fetch\n" };
            ["version 2\n", "ls-refs=unborn\n", fetch].iter().for_each(|line| packet::write(&mut text, line));
        } else {
            let mut can = "side-band-64k ofs-delta symref=HEAD:refs/heads/main".to_owned();
            can += if self.manners.shallow { " shallow" } else { "" };
            can += if self.manners.gives_any { " allow-any-sha1-in-want" } else { "" };
            for (number, (name, id, peeled)) in self.names().into_iter().enumerate() {
                let tail = if number == 0 { format!("\0{can}") } else { String::new() };
                packet::write(&mut text, &format!("{id} {name}{tail}\n"));
                if let Some(peeled) = peeled {
                    packet::write(&mut text, &format!("{peeled} {name}^{{}}\n"));
                }
            }
        }
        text.extend_from_slice(FLUSH);
        text
    }

    fn names(&self) -> Vec<(String, Oid, Option<Oid>)> {
        let repo = Repository::open(&self.path).unwrap();
        let mut names = vec![("HEAD".to_owned(), repo.head().unwrap().target().unwrap(), None)];
        for reference in repo.references().unwrap().flatten() {
            let (id, commit) = (reference.target().unwrap(), reference.peel_to_commit().unwrap().id());
            names.push((reference.name().unwrap().to_owned(), id, (commit != id).then_some(commit)));
        }
        names
    }

    fn answer(&self, from: &mut dyn Read) -> Option<Vec<u8>> {
        let (mut lines, mut parts) = (Vec::new(), 0);
        loop {
            match packet::read(from).ok()? {
                Packet::Data(data) => lines.push(String::from_utf8(data).unwrap().trim_end().to_owned()),
                Packet::Flush if lines.is_empty() => return None,
                Packet::Flush if self.manners.modern => break,
                _ => parts += 1,
            }
            if !self.manners.modern && lines.last().is_some_and(|line| line == "done") {
                break;
            }
        }
        assert_eq!(parts, 1, "a question has two parts");
        if lines[0] == "command=ls-refs" {
            return Some(self.listing());
        }
        let all = |key: &str| -> Vec<String> {
            let found = lines.iter().filter_map(|line| line.strip_prefix(key));
            found.map(|rest| rest[..40].to_owned()).collect()
        };
        let asked = Asked {
            wants: all("want "),
            haves: all("have "),
            shallow: all("shallow "),
            deepen: lines.iter().find_map(|line| line.strip_prefix("deepen ")).map(str::to_owned),
            bytes: 0,
        };
        Some(self.pack(asked))
    }

    fn listing(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (name, id, peeled) in self.names() {
            let peeled = peeled.map(|peeled| format!(" peeled:{peeled}")).unwrap_or_default();
            let head = if name == "HEAD" { " symref-target:refs/heads/main" } else { "" };
            packet::write(&mut text, &format!("{id} {name}{head}{peeled}\n"));
        }
        text.extend_from_slice(FLUSH);
        text
    }

    fn pack(&self, mut asked: Asked) -> Vec<u8> {
        let repo = Repository::open(&self.path).unwrap();
        let ids = |texts: &[String]| texts.iter().map(|id| Oid::from_str(id).unwrap()).collect::<Vec<_>>();
        let (wants, haves) = (ids(&asked.wants), ids(&asked.haves));
        let tips: BTreeSet<_> = self.names().into_iter().map(|(_, id, _)| id).collect();
        let mut text = Vec::new();
        if wants.iter().any(|id| !repo.odb().unwrap().exists(*id) || !self.manners.gives_any && !tips.contains(id)) {
            self.asked.lock().unwrap().push(asked);
            packet::write(&mut text, "ERR upload-pack: not our ref\n");
            return text;
        }
        let alone = asked.deepen.as_deref() == Some("1");
        let (modern, mut known, mut sent) = (self.manners.modern, BTreeSet::new(), BTreeSet::new());
        haves.iter().for_each(|id| objects(&repo, *id, true, &mut known));
        wants.iter().for_each(|id| objects(&repo, *id, alone, &mut sent));
        if modern && asked.deepen.is_some() {
            packet::write(&mut text, "shallow-info\n");
        }
        if asked.deepen.is_some() {
            let (shallow, word) =
                if alone { (commits(&repo, &wants), "shallow") } else { (ids(&asked.shallow), "unshallow") };
            shallow.iter().for_each(|id| packet::write(&mut text, &format!("{word} {id}")));
            text.extend_from_slice(if modern { DELIMITER } else { FLUSH });
        }
        match (modern, haves.first()) {
            (true, _) => packet::write(&mut text, "packfile\n"),
            (false, None) => packet::write(&mut text, "NAK\n"),
            (false, Some(have)) => packet::write(&mut text, &format!("ACK {have}\n")),
        }
        let mut builder = repo.packbuilder().unwrap();
        sent.difference(&known).for_each(|id| builder.insert_object(*id, None).unwrap());
        let mut pack = git2::Buf::new();
        builder.write_buf(&mut pack).unwrap();
        asked.bytes = pack.len();
        for chunk in pack.chunks(1000) {
            text.extend_from_slice(format!("{:04x}\x01", chunk.len() + 5).as_bytes());
            text.extend_from_slice(chunk);
        }
        packet::write(&mut text, "\x02almost done\n");
        text.extend_from_slice(FLUSH);
        self.asked.lock().unwrap().push(asked);
        text
    }
}

fn commits(repo: &Repository, ids: &[Oid]) -> Vec<Oid> {
    ids.iter().map(|id| repo.find_object(*id, None).unwrap().peel_to_commit().unwrap().id()).collect()
}

/// All objects that an id leads to, and those before it unless it is taken alone.
fn objects(repo: &Repository, id: Oid, alone: bool, all: &mut BTreeSet<Oid>) {
    let object = repo.find_object(id, None).unwrap();
    all.insert(id);
    let commit = object.peel_to_commit().unwrap();
    all.insert(commit.id());
    trees(repo, commit.tree_id(), all);
    if !alone {
        commit.parent_ids().for_each(|parent| objects(repo, parent, false, all));
    }
}

fn trees(repo: &Repository, id: Oid, all: &mut BTreeSet<Oid>) {
    all.insert(id);
    for entry in &repo.find_tree(id).unwrap() {
        match entry.kind() {
            Some(git2::ObjectType::Tree) => trees(repo, entry.id(), all),
            Some(git2::ObjectType::Blob) => drop(all.insert(entry.id())),
            _ => {}
        }
    }
}

/// The bare repository of a mirror below a cache, if there is one.
pub(super) fn only_mirror(cache: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(cache.join("git")).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|path| path.is_dir())
}
