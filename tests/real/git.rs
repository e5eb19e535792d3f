//! Git repositories from real servers: `git daemon`, `git http-backend`, `sshd`; and with the program `git`.
//!
//! What is asked of them is asked by another run of this very program, whose environment can be what the test wants.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use envy::download::{Downloader, Settings};
use envy::progress::Silent;
use envy::source::{Git, GitSettings, Mirrors, Reference, WantedCommit};
use envy::store::Store;

use crate::server::{Response, Server};

/// How many commits the repository has, each with a tag.
const COMMITS: usize = 60;

/// A repository `app.git` below a directory, and what serves it.
struct Scene {
    directory: tempfile::TempDir,
    servers: Vec<Child>,
}

impl Scene {
    fn new() -> Option<Self> {
        if std::env::var_os("ENVY_TEST_REAL").is_none() {
            eprintln!("left out: set ENVY_TEST_REAL=1 to fetch from real git servers");
            return None;
        }
        let scene = Self { directory: tempfile::tempdir().unwrap(), servers: Vec::new() };
        let repository = scene.path("app.git");
        run(Command::new("git").args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(&repository));
        let mut import = Command::new("git")
            .arg("-C")
            .arg(&repository)
            .args(["fast-import", "--quiet"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        import.stdin.take().unwrap().write_all(history().as_bytes()).unwrap();
        assert!(import.wait().unwrap().success());
        Some(scene)
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.directory.path().join(relative)
    }

    fn start(&mut self, command: &mut Command, port: u16) {
        self.servers.push(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{command:?} does not listen");
    }

    /// What another run of this program says about a tag of the repository at an address.
    fn ask(&self, url: &str, tag: &str, environment: &[(&str, &str)]) -> Result<(), String> {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "git::the_other_run", "--nocapture"]);
        command.env("ENVY_TEST_GIT_URL", url).env("ENVY_TEST_GIT_TAG", tag);
        command.env("ENVY_TEST_GIT_SCENE", self.directory.path()).env("HOME", self.directory.path());
        for name in ["GIT_SSH", "GIT_SSH_COMMAND", "NETRC", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(name);
        }
        let output = command.envs(environment.iter().copied()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(said) }
    }

    /// Fetch two tags from a server, and see that of the second only the difference came.
    fn check(&self, url: &str, sent: &AtomicUsize, environment: &[(&str, &str)]) {
        let fetched = |tag: &str| {
            let before = sent.load(Ordering::SeqCst);
            self.ask(url, tag, environment).unwrap();
            sent.load(Ordering::SeqCst) - before
        };
        let (first, second, again) = (fetched("v1.20.0"), fetched("v1.40.0"), fetched("v1.20.0"));
        assert!(first > 100_000, "{first} bytes are less than the file has");
        assert!(second < first / 10, "{second} bytes after {first}");
        assert!(again < 20_000, "{again} bytes are more than names");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Commits that each change a line of a file that packs badly.
fn history() -> String {
    let (mut state, mut lines) = (1_u64, Vec::new());
    for _ in 0..8000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        lines.push(format!("{:x}{:x}", state >> 7, state.rotate_left(31)));
    }
    let mut text = String::new();
    for number in 1..=COMMITS {
        lines[number * 10] = format!("changed in {number}");
        let content = lines.join("\n");
        writeln!(text, "commit refs/heads/main\ncommitter A <a@a.example> {} +0000\ndata 1\nx", 1_700_000_000 + number)
            .unwrap();
        writeln!(text, "M 100644 inline big\ndata {}\n{content}", content.len()).unwrap();
        writeln!(text, "M 100755 inline bin/run\ndata 10\n#!/bin/sh\n").unwrap();
        writeln!(text, "M 120000 inline link\ndata 7\nbin/run\n").unwrap();
        let tag = format!("v1.{number}.0");
        match number % 2 {
            0 => writeln!(text, "tag {tag}\nfrom refs/heads/main\ntagger A <a@a.example> 1700000000 +0000\ndata 1\nx")
                .unwrap(),
            _ => writeln!(text, "reset refs/tags/{tag}\nfrom refs/heads/main\n").unwrap(),
        }
    }
    text
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A port that leads to another, and how many bytes came back from there.
fn counted(to: u16) -> (u16, Arc<AtomicUsize>) {
    let (listener, count) = (TcpListener::bind("127.0.0.1:0").unwrap(), Arc::new(AtomicUsize::new(0)));
    let (port, counter) = (listener.local_addr().unwrap().port(), Arc::clone(&count));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let (mut client_in, mut server_out) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut client_in, &mut server_out);
                let _ = server_out.shutdown(Shutdown::Write);
            });
            let counter = Arc::clone(&counter);
            std::thread::spawn(move || pass_back(server, client, &counter));
        }
    });
    (port, count)
}

fn pass_back(mut server: TcpStream, mut client: TcpStream, counter: &AtomicUsize) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        counter.fetch_add(count, Ordering::SeqCst);
        if client.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Write);
}

/// Serve what is below a directory by `git http-backend`, to whoever says a word if there is one.
fn http_backend(root: PathBuf, word: Option<&'static str>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let root = root.clone();
            std::thread::spawn(move || backend(stream, &root, word));
        }
    });
    port
}

fn backend(mut stream: TcpStream, root: &Path, word: Option<&str>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| !line.is_empty()) {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        lines.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        let values = lines.iter().filter_map(|line| line.split_once(": "));
        values.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next().unwrap_or_default()
    };
    if word.is_some_and(|word| header("authorization") != word) {
        let refusal =
            "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        return stream.write_all(refusal.as_bytes()).ok();
    }
    let mut words = lines[0].split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let mut git = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    git.stdin.take()?.write_all(&body).ok()?;
    let mut answer = Vec::new();
    git.stdout.take()?.read_to_end(&mut answer).ok()?;
    git.wait().ok()?;
    let status =
        String::from_utf8_lossy(&answer).lines().find_map(|line| line.strip_prefix("Status: ").map(str::to_owned));
    let status = status.unwrap_or_else(|| "200 OK".to_owned());
    stream.write_all(format!("HTTP/1.1 {status}\r\nconnection: close\r\n").as_bytes()).ok()?;
    stream.write_all(&answer).ok()
}

/// What the other run does: it fetches a tag, and compares it with what is read from the repository itself.
#[test]
fn the_other_run() {
    let Ok(url) = std::env::var("ENVY_TEST_GIT_URL") else { return };
    let scene = PathBuf::from(std::env::var_os("ENVY_TEST_GIT_SCENE").unwrap());
    let tag = std::env::var("ENVY_TEST_GIT_TAG").unwrap();
    let settings =
        GitSettings { with_program: std::env::var_os("ENVY_TEST_GIT_PROGRAM").is_some(), ..GitSettings::default() };
    let store = Store::at(scene.join("store"));
    let cache = scene.join(std::env::var_os("ENVY_TEST_GIT_CACHE").unwrap_or_else(|| "cache".into()));
    let fail = |error: &dyn std::error::Error| -> String {
        let all = std::iter::successors(Some(error), |error| error.source());
        all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    };
    let downloader = Downloader::new(Settings { retries: 1, ..Settings::default() });
    let git = Git::new(&downloader, &cache, Mirrors::default(), settings);
    let tags = git.tags(&url).unwrap_or_else(|error| panic!("{}", fail(&error)));
    assert_eq!(tags.len(), COMMITS);
    let reference = Reference::Tag(tag.clone());
    let commit = git.resolve(&url, &reference).unwrap();
    assert_eq!(tags.iter().find(|one| one.name == tag).unwrap().commit, commit);
    let wanted = WantedCommit { name: "app".into(), url: url.clone(), commit, reference: Some(reference) };
    git.fetch(&[wanted], &Silent).remove(0).unwrap_or_else(|error| panic!("{}", fail(&error)));
    let downloader = Downloader::new(Settings { offline: true, ..Settings::default() });
    let git = Git::new(&downloader, &cache, Mirrors::default(), settings);
    assert!(git.has(&url, &commit));
    let fetched = git.tree(&url, &commit, &store, &Silent).unwrap_or_else(|error| panic!("{}", fail(&error)));
    let own = git.tree(scene.join("app.git").to_str().unwrap(), &commit, &store, &Silent).unwrap();
    assert_eq!((fetched.tree.digest(), fetched.time), (own.tree.digest(), own.time));
    assert_eq!(fetched.tree.leaves().len(), 3);
    let mirror =
        std::fs::read_dir(cache.join("git")).unwrap().flatten().map(|one| one.path()).find(|path| path.is_dir());
    run(Command::new("git").arg("--git-dir").arg(mirror.unwrap()).args(["fsck", "--no-dangling"]));
}

#[test]
fn tags_come_from_git_daemon() {
    let Some(mut scene) = Scene::new() else { return };
    let port = free_port();
    let base = format!("--base-path={}", scene.directory.path().display());
    // Not by way of `git`, which would leave it behind.
    let mut daemon = Command::new(run(Command::new("git").arg("--exec-path")).trim().to_owned() + "/git-daemon");
    daemon.args(["--export-all", "--reuseaddr", "--listen=127.0.0.1", &format!("--port={port}"), &base]);
    scene.start(&mut daemon, port);
    let (counted, sent) = counted(port);
    scene.check(&format!("git://127.0.0.1:{counted}/app.git"), &sent, &[]);
    let error = scene.ask(&format!("git://127.0.0.1:{counted}/other.git"), "v1.1.0", &[]).unwrap_err();
    assert!(error.contains("could not fetch from `git://127.0.0.1"), "{error}");
}

#[test]
fn tags_come_from_http_backend() {
    let Some(scene) = Scene::new() else { return };
    let (port, sent) = counted(http_backend(scene.directory.path().to_owned(), None));
    let url = format!("http://127.0.0.1:{port}/app.git");
    scene.check(&url, &sent, &[]);
    scene.ask(&url, "v1.30.0", &[("ENVY_TEST_GIT_PROGRAM", "1"), ("ENVY_TEST_GIT_CACHE", "other")]).unwrap();
    scene.ask(&url, "v1.31.0", &[("ENVY_TEST_GIT_CACHE", "other")]).unwrap();
    scene.ask(&url, "v1.32.0", &[("ENVY_TEST_GIT_PROGRAM", "1")]).unwrap();
    // A server of old settings gives tips alone, and the commit of an annotated tag is none.
    run(Command::new("git").arg("-C").arg(scene.path("app.git")).args(["config", "protocol.version", "0"]));
    scene.ask(&url, "v1.50.0", &[("ENVY_TEST_GIT_CACHE", "third")]).unwrap();
}

#[test]
fn helpers_and_netrc_know_who_asks() {
    let Some(scene) = Scene::new() else { return };
    // `me:sesame`
    let port = http_backend(scene.directory.path().to_owned(), Some("Basic bWU6c2VzYW1l"));
    let url = format!("http://127.0.0.1:{port}/app.git");
    let error = scene.ask(&url, "v1.1.0", &[]).unwrap_err();
    assert!(error.contains("neither git's credential helpers nor `.netrc` have a password for it"), "{error}");
    std::fs::write(scene.path(".netrc"), "machine 127.0.0.1 login me password wrong\n").unwrap();
    let error = scene.ask(&url, "v1.1.0", &[]).unwrap_err();
    assert!(error.contains("does not take the password") && !error.contains("wrong"), "{error}");
    std::fs::write(scene.path(".netrc"), "machine 127.0.0.1 login me password sesame\n").unwrap();
    scene.ask(&url, "v1.1.0", &[]).unwrap();
    std::fs::remove_file(scene.path(".netrc")).unwrap();
    let helper = "[credential]\n\thelper = \"!f() { echo username=me; echo password=sesame; }; f\"\n";
    std::fs::write(scene.path(".gitconfig"), helper).unwrap();
    scene.ask(&url, "v1.2.0", &[]).unwrap();
}

#[test]
fn tags_come_from_a_server_of_plain_files_by_the_program() {
    let Some(scene) = Scene::new() else { return };
    run(Command::new("git").arg("-C").arg(scene.path("app.git")).arg("update-server-info"));
    let root = scene.directory.path().to_owned();
    let server = Server::start(move |request| {
        let path = request.path.trim_start_matches('/').split('?').next().unwrap_or_default();
        let (status, body) = std::fs::read(root.join(path)).map_or((404, Vec::new()), |body| (200, body));
        Response { status, headers: Vec::new(), body }
    });
    let url = format!("http://{}/app.git", server.address());
    scene.ask(&url, "v1.20.0", &[]).unwrap();
    scene.ask(&url, "v1.41.0", &[]).unwrap();
}

#[test]
fn tags_come_from_sshd() {
    let Some(mut scene) = Scene::new() else { return };
    for key in ["host", "user"] {
        run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(scene.path(key)));
    }
    std::fs::copy(scene.path("user.pub"), scene.path("authorized")).unwrap();
    let (port, root) = (free_port(), scene.directory.path().display().to_string());
    let config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {root}/host\nAuthorizedKeysFile {root}/authorized\nPidFile none\n\
         StrictModes no\nUsePAM no\nPasswordAuthentication no\nAcceptEnv GIT_PROTOCOL\n"
    );
    std::fs::write(scene.path("sshd_config"), config).unwrap();
    // Where it runs as root it wants this directory, which packages make when the machine starts.
    let _ = std::fs::create_dir_all("/run/sshd");
    let mut sshd = Command::new("/usr/sbin/sshd");
    sshd.args(["-D", "-f"]).arg(scene.path("sshd_config")).stderr(Stdio::null());
    scene.start(&mut sshd, port);
    let (counted, sent) = counted(port);
    let user = run(Command::new("id").arg("-un")).trim().to_owned();
    let url = format!("ssh://{user}@127.0.0.1:{counted}{root}/app.git");
    let ssh = format!("ssh -F /dev/null -i {root}/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null");
    scene.check(&url, &sent, &[("GIT_SSH_COMMAND", &ssh)]);
    let stranger = "ssh -F /dev/null -o IdentityFile=none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null";
    let error = scene.ask(&url, "v1.1.0", &[("GIT_SSH_COMMAND", stranger), ("SSH_AUTH_SOCK", "")]).unwrap_err();
    assert!(error.contains("by ssh") && error.contains("Permission denied"), "{error}");
}
