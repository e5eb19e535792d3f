//! One tag of a repository of many commits, from a server on the loopback to the store, and a second one after it.

use std::cell::RefCell;
use std::env;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use envy::download::{Downloader, Settings};
use envy::progress::Silent;
use envy::source::{Git, GitSettings, Mirrors, Reference, WantedCommit};
use envy::store::Store;
use tempfile::TempDir;

use crate::measure::{Limit, Report, Side};

const COMMITS: usize = 16_000;
const FILES: usize = 800;
const ROUNDS: usize = 7;

/// Bring a tag of a repository into the store in a directory: what a build does with a git source.
pub fn tag(url: &str, tag: &str, directory: &Path) {
    let downloader = Downloader::new(Settings::default());
    let git = Git::new(&downloader, &directory.join("cache"), Mirrors::default(), GitSettings::default());
    let reference = Reference::Tag(tag.to_owned());
    let commit = git.resolve(url, &reference).expect("the tag is there");
    let wanted = WantedCommit { name: tag.to_owned(), url: url.to_owned(), commit, reference: Some(reference) };
    git.fetch(&[wanted], &Silent).remove(0).expect("the server gives it");
    let store = Store::at(directory.join("store"));
    git.tree(url, &commit, &store, &Silent).expect("all of it came");
}

/// Measure it beside the program `git`.
pub fn case(report: &mut Report) {
    let server = match Server::start() {
        Ok(server) => server,
        Err(why) => return report.note(&format!("git repositories are left out: {why}")),
    };
    let (url, this) = (server.url.clone(), env::current_exe().expect("it runs"));
    let places = RefCell::new(Vec::new());
    let empty = || places.borrow_mut().push(tempfile::tempdir().expect("there is room for a directory"));
    let place = || places.borrow().last().map(|place: &TempDir| place.path().to_owned()).expect("one was just made");
    let envy = |tag: &'static str| {
        let (this, url) = (this.clone(), url.clone());
        move || {
            let mut command = Command::new(&this);
            command.arg("--only-git").args([&url, tag]).arg(place());
            command
        }
    };
    let clone = || {
        let mut command = Command::new("git");
        command.args([
            "-c",
            "advice.detachedHead=false",
            "clone",
            "--quiet",
            "--depth",
            "1",
            "--branch",
            "v1.100.0",
            &url,
        ]);
        command.arg(place().join("clone"));
        command
    };
    let name = "git clone --depth 1 --branch";
    let sides = vec![Side::process("envy", envy("v1.100.0")).after(empty), Side::process(name, clone).after(empty)];
    let title = format!("one tag of a repository of {COMMITS} commits");
    report.group_of(ROUNDS, &title, sides, &[Limit::Part { of: name, at_most: 1.0 }]);
    let another = || {
        empty();
        tag(&url, "v1.100.0", &place());
    };
    let fetched = || {
        empty();
        assert!(clone().status().expect("git was found").success());
    };
    let fetch = || {
        let script = "git fetch --quiet --depth 1 origin tag v1.101.0 && git checkout --quiet v1.101.0";
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(place().join("clone"));
        command
    };
    let name = "git fetch --depth 1, git checkout";
    let sides = vec![Side::process("envy", envy("v1.101.0")).after(another), Side::process(name, fetch).after(fetched)];
    report.group_of(ROUNDS, "another tag of it", sides, &[Limit::Part { of: name, at_most: 1.0 }]);
}

/// `git daemon` with a repository. It ends with the value.
struct Server {
    child: Child,
    url: String,
    _directory: TempDir,
}

impl Server {
    fn start() -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let repository = directory.path().join("app.git");
        let made =
            Command::new("git").args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(&repository).status();
        made.map_err(|error| format!("`git` cannot be started: {error}"))?;
        let mut import = Command::new("git");
        import.arg("-C").arg(&repository).args(["fast-import", "--quiet"]).stdin(Stdio::piped());
        let mut import = import.spawn().map_err(|error| error.to_string())?;
        let text = history();
        let written = import.stdin.take().map(|mut stdin| stdin.write_all(text.as_bytes()));
        written.expect("it was asked for").map_err(|error| error.to_string())?;
        import.wait().map_err(|error| error.to_string())?;
        let programs = Command::new("git").arg("--exec-path").output().map_err(|error| error.to_string())?;
        let daemon = PathBuf::from(String::from_utf8_lossy(&programs.stdout).trim()).join("git-daemon");
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).map_err(|error| error.to_string())?.port();
        let mut command = Command::new(daemon);
        command.args(["--export-all", "--reuseaddr", "--listen=127.0.0.1", &format!("--port={port}")]);
        command.arg(format!("--base-path={}", directory.path().display())).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().map_err(|error| format!("`git daemon` cannot be started: {error}"))?;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { child, url: format!("git://127.0.0.1:{port}/app.git"), _directory: directory })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Many files, each commit changing one; every hundredth commit has a tag.
fn history() -> String {
    let line = |seed: usize| {
        format!("    let value_{seed} = call({}, {});\n", seed.wrapping_mul(2_654_435_761) % 99_991, seed % 31)
    };
    let content = |file: usize, version: usize| -> String {
        let lines = (0..200).map(|number| line(file * 1000 + number));
        lines.chain([format!("// version {version}\n")]).collect()
    };
    let mut text = String::new();
    for number in 0..COMMITS {
        let time = 1_600_000_000 + number * 60;
        write!(text, "commit refs/heads/main\ncommitter A <a@a.example> {time} +0000\ndata 1\nx\n")
            .expect("a text grows");
        let files = if number == 0 { 0..FILES } else { number % FILES..number % FILES + 1 };
        for file in files {
            let content = content(file, number);
            let path = format!("src/part_{}/file_{file}.rs", file % 40);
            write!(text, "M 100644 inline {path}\ndata {}\n{content}\n", content.len()).expect("a text grows");
        }
        if number % 100 == 0 {
            write!(text, "reset refs/tags/v1.{}.0\nfrom refs/heads/main\n\n", number / 100).expect("a text grows");
        }
    }
    text
}
