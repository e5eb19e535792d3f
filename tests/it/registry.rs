//! A registry of crates on the loopback, with a sparse index: what cargo and envy take for `crates-io` in tests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use semver::{Version, VersionReq};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::krate::{Dependency, Lock};
use crate::server::{Request, Response, Server, lock};

pub use crate::krate::Crate;
pub use crate::server::Fault;

/// A registry that tests publish into. It listens until it is dropped.
///
/// It stands for crates.io, unless it was made by [`Registry::other`]. Both may be for users alone.
///
/// ```text
/// GET /index/config.json                    where crates are
/// GET /index/he/ll/hello                    the versions of one crate, with an etag
/// GET /crates/hello/1.0.0/download          its archive
/// ```
pub struct Registry {
    server: Server,
    shelf: Arc<Mutex<Shelf>>,
    token: Arc<Mutex<Option<String>>>,
    stands_for_crates_io: bool,
}

/// Lowercase name → version → what was published.
type Shelf = BTreeMap<String, BTreeMap<Version, Published>>;

struct Published {
    entry: Value,
    bytes: Vec<u8>,
    dependencies: Vec<Dependency>,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        let (shelf, token) = (Arc::<Mutex<Shelf>>::default(), Arc::<Mutex<Option<String>>>::default());
        let (served, wanted) = (Arc::clone(&shelf), Arc::clone(&token));
        let server = Server::start(move |request| {
            let wanted = lock(&wanted).clone();
            answer(&lock(&served), wanted.as_deref(), request)
        });
        Self { server, shelf, token, stands_for_crates_io: true }
    }

    /// An empty registry beside crates.io: locks call it by its own address. Its crates depend on its own.
    pub fn other() -> Self {
        Self { stands_for_crates_io: false, ..Self::new() }
    }

    /// From now on, tells nothing to who does not tell it this token.
    pub fn wants_token(&self, token: &str) -> &Self {
        *lock(&self.token) = Some(token.to_owned());
        self
    }

    /// What a file of cargo's configuration says of it, by a name: `[registries.NAME]` and its index.
    pub fn cargo_config(&self, name: &str) -> String {
        format!("[registries.{name}]\nindex = \"{}\"\n", self.index())
    }

    /// What cargo calls its index: `sparse+http://127.0.0.1:PORT/index/`
    pub fn index(&self) -> String {
        format!("sparse+http://{}/index/", self.server.address())
    }

    /// Publishes a crate, in place of one of the same name and version. The `Cargo.lock` that it carries, if it is
    /// to have one, is made from what is published by now.
    #[track_caller]
    pub fn publish(&self, mut package: Crate) -> &Self {
        if !self.stands_for_crates_io {
            package.dependencies.iter_mut().for_each(|it| it.index = Some(self.index()));
        }
        if package.wants_lock() {
            package.lock = Lock::Text(self.cargo_lock(&package));
        }
        if !self.stands_for_crates_io {
            package.registry = Some(self.index());
        }
        let bytes = package.archive();
        let entry = package.index_entry(&checksum(&bytes));
        self.put(&package.name, package.version, Published { entry, bytes, dependencies: package.dependencies });
        self
    }

    /// Publishes an archive as it is, whatever is in it. See [`crate::hostile`].
    pub fn publish_raw(&self, name: &str, version: &str, bytes: Vec<u8>) -> &Self {
        let package = Crate::new(name, version);
        let entry = package.index_entry(&checksum(&bytes));
        self.put(name, package.version, Published { entry, bytes, dependencies: Vec::new() });
        self
    }

    /// Yanks a version that is published.
    #[track_caller]
    pub fn yank(&self, name: &str, version: &str) -> &Self {
        let version = Version::parse(version).expect("tests publish semver versions");
        let mut shelf = lock(&self.shelf);
        let published = shelf.get_mut(&name.to_lowercase()).and_then(|it| it.get_mut(&version));
        published.unwrap_or_else(|| panic!("the test yanks `{name} {version}`, which is not published")).entry["yanked"] =
            json!(true);
        drop(shelf);
        self
    }

    /// Writes all that is published into a directory, as a local registry of cargo's.
    #[track_caller]
    pub fn write_local(&self, directory: &Path) {
        let write = |path: &Path, bytes: &[u8]| {
            std::fs::create_dir_all(path.parent().expect("it is in a directory"))?;
            std::fs::write(path, bytes)
        };
        for (name, versions) in lock(&self.shelf).iter() {
            let lines: String = versions.values().map(|published| format!("{}\n", published.entry)).collect();
            let index = directory.join(index_path(name).trim_start_matches('/'));
            write(&index, lines.as_bytes()).expect("a test can write into its own directory");
            for (version, published) in versions {
                let archive = directory.join(format!("{name}-{version}.crate"));
                write(&archive, &published.bytes).expect("a test can write into its own directory");
            }
        }
    }

    /// Takes a version back, as if it had never been; with the last one goes the crate.
    #[track_caller]
    pub fn unpublish(&self, name: &str, version: &str) -> &Self {
        let version = Version::parse(version).expect("tests publish semver versions");
        let mut shelf = lock(&self.shelf);
        let gone = shelf.get_mut(&name.to_lowercase()).and_then(|it| it.remove(&version));
        assert!(gone.is_some(), "the test takes back `{name} {version}`, which is not published");
        shelf.retain(|_, versions| !versions.is_empty());
        drop(shelf);
        self
    }

    /// The archive that is served.
    #[track_caller]
    pub fn archive(&self, name: &str, version: &str) -> Vec<u8> {
        let version = Version::parse(version).expect("tests publish semver versions");
        let shelf = lock(&self.shelf);
        let published = shelf.get(&name.to_lowercase()).and_then(|it| it.get(&version));
        published.unwrap_or_else(|| panic!("`{name} {version}` is not published")).bytes.clone()
    }

    /// The sha256 of the archive that is served, in hex.
    #[track_caller]
    pub fn checksum(&self, name: &str, version: &str) -> String {
        checksum(&self.archive(name, version))
    }

    /// Every request so far with the status it was given: `GET /index/he/ll/hello 200`.
    pub fn requests(&self) -> Vec<String> {
        self.server.requests()
    }

    /// Waits until a request was made that contains `text`, and gives it: for tests that act in the middle of
    /// something, such as a download that [`Fault::Hang`] holds up.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        const LIMIT: Duration = Duration::from_secs(60);
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            if let Some(request) = self.requests().into_iter().find(|it| it.contains(text)) {
                return request;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("nobody asked for `{text}`, but for:\n{}", self.requests().join("\n"));
    }

    /// Starts the list of requests anew.
    pub fn forget_requests(&self) -> &Self {
        self.server.forget_requests();
        self
    }

    /// From now on, misbehaves on every path that contains `pattern`: `/crates/hello/`, `/index/he/ll/hello`, or
    /// nothing for all.
    pub fn misbehave(&self, pattern: &str, fault: Fault) -> &Self {
        self.server.misbehave(pattern, fault);
        self
    }

    /// Misbehaves no longer.
    pub fn heal(&self) -> &Self {
        self.server.heal();
        self
    }

    /// Stops listening, for good.
    pub fn go_away(&self) {
        self.server.go_away();
    }

    /// What locks call it: the registry that was meant, whichever is asked in its place.
    fn source(&self) -> String {
        if self.stands_for_crates_io { format!("registry+{}", tame_index::CRATES_IO_INDEX) } else { self.index() }
    }

    fn put(&self, name: &str, version: Version, published: Published) {
        lock(&self.shelf).entry(name.to_lowercase()).or_default().insert(version, published);
    }

    /// The `Cargo.lock` that a crate would have been published with, had its author run cargo just now.
    ///
    /// All dependencies of the crate itself count, as cargo locks them; of the others, those that are not optional.
    #[track_caller]
    pub fn cargo_lock(&self, package: &Crate) -> String {
        let shelf = lock(&self.shelf);
        let root = (package.name.clone(), package.version.clone());
        let mut graph = Graph::from([(root.clone(), BTreeSet::new())]);
        let mut queue = VecDeque::from([(root.clone(), package.dependencies.clone())]);
        while let Some((dependent, dependencies)) = queue.pop_front() {
            let first = dependent == root;
            for wanted in dependencies.iter().filter(|it| first || it.kind != "dev" && !it.optional) {
                let chosen = choose(&shelf, &graph, wanted)
                    .unwrap_or_else(|| panic!("`{} {}` is to be published first", wanted.name, wanted.range));
                graph.entry(dependent.clone()).or_default().insert(chosen.clone());
                if !graph.contains_key(&chosen) {
                    let published = &shelf[&chosen.0.to_lowercase()][&chosen.1];
                    graph.insert(chosen.clone(), BTreeSet::new());
                    queue.push_back((chosen, published.dependencies.clone()));
                }
            }
        }
        write_lock(&shelf, &graph, &root, &self.source())
    }
}

/// Name and version → what it depends on.
type Graph = BTreeMap<(String, Version), BTreeSet<(String, Version)>>;

/// What is in the graph already if it fits, else the newest that fits.
fn choose(shelf: &Shelf, graph: &Graph, wanted: &Dependency) -> Option<(String, Version)> {
    let fits = |range: &VersionReq, version: &Version| range.matches(version);
    let known = graph.keys().filter(|(name, version)| *name == wanted.name && fits(&wanted.range, version));
    known.max().cloned().or_else(|| {
        let versions = shelf.get(&wanted.name.to_lowercase())?;
        let mut fitting = versions
            .iter()
            .rev()
            .filter(|(version, published)| fits(&wanted.range, version) && published.entry["yanked"] == json!(false));
        fitting.next().map(|(version, _)| (wanted.name.clone(), version.clone()))
    })
}

fn write_lock(shelf: &Shelf, graph: &Graph, root: &(String, Version), source: &str) -> String {
    let mut text = "# This file is automatically @generated by Cargo.\n\
                    # It is not intended for manual editing.\n\
                    version = 4\n"
        .to_owned();
    for (id, dependencies) in graph {
        let (name, version) = id;
        text += &format!("\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
        if id != root {
            let checksum = checksum(&shelf[&name.to_lowercase()][version].bytes);
            text += &format!("source = \"{source}\"\n");
            text += &format!("checksum = \"{checksum}\"\n");
        }
        if !dependencies.is_empty() {
            let lines: String = dependencies.iter().map(|it| format!(" \"{}\",\n", short_id(graph, it))).collect();
            text += &format!("dependencies = [\n{lines}]\n");
        }
    }
    text
}

/// cargo names the version only where the name is not enough.
fn short_id(graph: &Graph, (name, version): &(String, Version)) -> String {
    let alone = graph.keys().filter(|(other, _)| other == name).count() == 1;
    if alone { name.clone() } else { format!("{name} {version}") }
}

fn answer(shelf: &Shelf, token: Option<&str>, request: &Request) -> Response {
    if request.method != "GET" {
        return Response::status(405);
    }
    if token.is_some() && request.header("authorization") != token {
        return Response::status(401).header("www-authenticate", "Cargo login_url=\"http://example.org/me\"");
    }
    let parts: Vec<_> = request.path.split('/').skip(1).collect();
    let found = match parts[..] {
        ["index", "config.json"] => {
            let host = request.header("host").unwrap_or_default();
            let mut config = json!({ "dl": format!("http://{host}/crates") });
            if token.is_some() {
                config["auth-required"] = json!(true);
            }
            Some(Response::ok(config.to_string()))
        }
        ["index", .., name] if request.path == index_path(name) => {
            shelf.get(name).map(|versions| index_file(versions, request.header("if-none-match")))
        }
        ["crates", name, version, "download"] => archive(shelf, name, version),
        _ => None,
    };
    found.unwrap_or_else(|| Response::status(404))
}

fn archive(shelf: &Shelf, name: &str, version: &str) -> Option<Response> {
    let published = shelf.get(&name.to_lowercase())?.get(&Version::parse(version).ok()?)?;
    Some(Response::ok(published.bytes.clone()).header("content-type", "application/gzip"))
}

fn index_file(versions: &BTreeMap<Version, Published>, known: Option<&str>) -> Response {
    let text: String = versions.values().map(|published| format!("{}\n", published.entry)).collect();
    let etag = format!("\"{}\"", &checksum(text.as_bytes())[..32]);
    let response = if known == Some(&etag) { Response::status(304) } else { Response::ok(text) };
    response.header("etag", etag)
}

/// Where the index has a crate: `/index/he/ll/hello`.
fn index_path(name: &str) -> String {
    match name.len() {
        0 => String::new(),
        length @ (1 | 2) => format!("/index/{length}/{name}"),
        3 => format!("/index/3/{}/{name}", &name[..1]),
        _ => match (name.get(..2), name.get(2..4)) {
            (Some(first), Some(second)) => format!("/index/{first}/{second}/{name}"),
            _ => String::new(),
        },
    }
}

/// sha256 in hex.
pub fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
