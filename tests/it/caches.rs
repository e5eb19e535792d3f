//! Caches that hosts share: a directory, a server, and what either may do wrong.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::scratch::{Scratch, Shell};
use crate::server::{Fault, Request, Response, Server, lock};

const API: &str = "[sites.api.dependencies]\nhello = \"1\"\n";

fn registry() -> Registry {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    registry
}

/// What a server was given, by path.
type Kept = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A server that keeps what it is given, as nginx does with `dav_methods PUT`.
fn cache() -> (Server, Kept) {
    let kept = Kept::default();
    let shared = Arc::clone(&kept);
    let answer = move |request: &Request| {
        let mut kept = lock(&shared);
        match (request.method.as_str(), kept.get(&request.path)) {
            ("PUT", _) => {
                kept.insert(request.path.clone(), request.body.clone());
                Response::status(201)
            }
            ("GET" | "HEAD", Some(bytes)) => Response::ok(bytes.clone()),
            _ => Response::status(404),
        }
    };
    (Server::start(answer), kept)
}

/// A site that was built, and a host that has its lockfile and nothing else.
fn hosts(registry: &Registry, remote: &str) -> (Scratch, Scratch) {
    let (builder, other) = (Scratch::with(registry), Scratch::new());
    let manifest = format!("{API}\n[remote]\ncache = \"{remote}\"\n");
    builder.write("envy.toml", &manifest).envy("build").succeeds();
    other.write("envy.toml", &manifest).write("lockfiles/api.lock", builder.read("lockfiles/api.lock"));
    (builder, other)
}

fn user(scratch: &Scratch, config: &str) {
    scratch.write("../config/envy/config.toml", config);
}

/// The same host, without a compiler and with little patience.
fn installs(scratch: &Scratch) -> Shell<'_> {
    user(scratch, "[remote]\ntimeout = \"1s\"\n");
    scratch.without_rust()
}

#[test]
fn a_host_without_a_compiler_installs_from_a_directory() {
    let (registry, place) = (registry(), tempfile::tempdir().unwrap());
    let (builder, other) = hosts(&registry, &format!("file://{}", place.path().display()));
    let told = builder.envy("push").succeeds().text();
    assert!(told.starts_with("pushed 1 output to `file:///"), "{told}");
    let told = builder.envy("push").succeeds().text();
    assert!(told.contains("has all that is here (1 output)"), "{told}");

    // A directory needs no network.
    let told = other.without_rust().envy("build --locked --offline").succeeds().text();
    assert!(told.starts_with("pulled 1 output from `file:///"), "{told}");
    other.without_rust().envy("run api --frozen -- hello").succeeds().says("hello 1.0.0");
    other.envy("status").succeeds().says("hello 1.0.0 (recorded)");
    other.envy("build --locked").succeeds().says("unchanged");
}

#[test]
fn a_host_without_a_compiler_installs_from_a_server() {
    let ((server, kept), registry) = (cache(), registry());
    let (builder, other) = hosts(&registry, &format!("http://{}/envy", server.address()));
    builder.envy("push").succeeds().says("pushed 1 output to `http://127.0.0.1");
    assert!(lock(&kept).keys().all(|path| path.starts_with("/envy/ac/") || path.starts_with("/envy/cas/")));
    assert_eq!(lock(&kept).keys().filter(|path| path.starts_with("/envy/ac/")).count(), 1);
    server.forget_requests();

    let data = installs(&other).env("ENVY_STORE", other.root().join("aside")).envy("pull --json").succeeds().json();
    assert_eq!(data["came"]["outputs"], 1, "{data:#}");
    assert!(data["came"]["files"].as_u64() > Some(0) && data["came"]["bytes"].as_u64() > Some(0), "{data:#}");
    server.forget_requests();
    other.without_rust().envy("pull").ok(expect![[r#"
        pulled 1 output from `http://127.0.0.1:[PORT]/envy`
        complete all outputs of site `api` are here (1 package)
    "#]]);
    let requests = server.requests();
    assert!(requests.iter().all(|one| one.starts_with("GET /envy/cas/") && one.ends_with(" 200")), "{requests:?}");
    server.go_away();
    other.without_rust().envy("pull").succeeds();
    other.without_rust().envy("build --locked").ok(expect![[r#"
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]);
}

#[test]
fn a_cache_that_is_dead_slow_or_lying_costs_a_line_and_a_bounded_wait() {
    let ((server, _), registry) = (cache(), registry());
    let (builder, _) = hosts(&registry, &format!("http://{}/envy", server.address()));
    builder.envy("push").succeeds();
    let lockfile = builder.read("lockfiles/api.lock");
    for (fault, said) in [
        (Fault::Hang, "sent nothing for 1 s"),
        (Fault::WrongBytes, "is not what its name says"),
        (Fault::Status(500), "500 Internal Server Error"),
        (Fault::Status(403), "403"),
        (Fault::Page("<html>Log in here</html>"), "is not what its name says"),
        (Fault::Slow(4), "sent only"),
    ] {
        let other = Scratch::with(&registry);
        user(&other, "[remote]\ntimeout = \"1s\"\n");
        other.write("envy.toml", builder.read("envy.toml")).write("lockfiles/api.lock", &lockfile);
        server.heal();
        server.misbehave("/envy/", fault.clone());
        let begun = Instant::now();
        let text = other.envy("build --locked").succeeds().text();
        assert!(begun.elapsed() < Duration::from_secs(60), "{fault:?}");
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("warning: ")).collect();
        assert!(
            matches!(lines[..], [only] if only.contains("going on without the cache") && only.contains(said)),
            "{text}"
        );
        assert!(text.contains("built hello 1.0.0"), "{text}");
    }
    server.go_away();
    let other = Scratch::with(&registry);
    other.write("envy.toml", builder.read("envy.toml")).write("lockfiles/api.lock", &lockfile);
    other.envy("build --locked").succeeds().says("warning: going on without the cache").says("built hello 1.0.0");
    other.envy("push").ends(1).says("error: the cache `http://127.0.0.1");
}

#[test]
fn a_cache_that_lost_a_file_is_a_miss() {
    let ((server, kept), registry) = (cache(), registry());
    let (builder, other) = hosts(&registry, &format!("http://{}/envy", server.address()));
    builder.envy("push").succeeds();
    let largest = lock(&kept).iter().max_by_key(|(_, bytes)| bytes.len()).map(|(path, _)| path.clone()).unwrap();
    lock(&kept).remove(&largest);
    installs(&other).envy("pull").fails(
        1,
        expect![[r#"
        error: not all outputs of site `api` could be had
          `hello 1.0.0` is neither here nor in `http://127.0.0.1:[PORT]/envy`
        hint: run `envy push api` where it was built, or `envy build api`
    "#]],
    );
    builder.envy("push").succeeds().says("pushed 1 output");
    installs(&other).envy("pull").succeeds();
}

#[test]
fn results_that_no_lockfile_vouches_for_count_only_where_the_user_says_so() {
    let ((server, _), registry) = (cache(), registry());
    let remote = format!("http://{}/envy", server.address());
    let builder = Scratch::with(&registry);
    user(&builder, &format!("[remote]\ncache = \"{remote}\"\npush = true\n"));
    builder.write("envy.toml", API).envy("build").succeeds().says("pushed 1 output to `http://127.0.0.1");

    let wary = Scratch::with(&registry);
    user(&wary, &format!("[remote]\ncache = \"{remote}\"\n"));
    wary.write("envy.toml", API).envy("build").succeeds().says("built hello 1.0.0");

    let trusting = Scratch::with(&registry);
    user(&trusting, &format!("[remote]\ncache = \"{remote}\"\ntrust = true\n"));
    let said = trusting.write("envy.toml", API).envy("build").succeeds().text();
    assert!(said.contains("pulled 1 output from") && !said.contains("building"), "{said}");
    assert_eq!(trusting.read("lockfiles/api.lock"), wary.read("lockfiles/api.lock"));

    let project = Scratch::with(&registry);
    project.write("envy.toml", format!("{API}\n[remote]\ncache = \"{remote}\"\ntrust = true\n"));
    project.envy("build").fails(
        1,
        expect![[r#"
        error: `envy.toml` has 1 error
          envy.toml:6:9: `trust` is not for a project to say
            6 | trust = true
                        ^^^^
        hint: write it below `[remote]` of your own `~/.config/envy/config.toml`
    "#]],
    );
    // Nor does what the user trusts otherwise make a project's cache one to believe.
    project.write("envy.toml", format!("{API}\n[remote]\ncache = \"{remote}\"\n"));
    project.env("ENVY_REMOTE_TRUST", "1").envy("build").succeeds().says("built hello 1.0.0").never_says("pushed");
}

#[test]
fn whoever_reads_only_sends_nothing() {
    let ((server, kept), registry) = (cache(), registry());
    let (builder, _) = hosts(&registry, &format!("http://{}/envy", server.address()));
    user(&builder, "[remote]\npush = false\n");
    builder.envy("push").fails(
        1,
        expect![[r#"
        error: nothing is sent to `http://127.0.0.1:[PORT]/envy`
          your configuration says `push = false`
        hint: take it out of `~/.config/envy/config.toml`, or set `ENVY_REMOTE_PUSH=1`
    "#]],
    );
    assert!(lock(&kept).is_empty());
    builder.env("ENVY_REMOTE_CACHE", "off").envy("push").fails(1, expect![[r#"
        error: no cache is named
        hint: write `cache = "file:///srv/envy-cache"` below `[remote]` of `envy.toml` or of `~/.config/envy/config.toml`
    "#]]);
    builder.env("ENVY_REMOTE_CACHE", "http://example.org/").envy("build --locked").succeeds().says("unchanged");
    builder.env("ENVY_REMOTE_CACHE", "http://example.org/").envy("pull").fails(
        1,
        expect![[r#"
        error: the cache cannot be used
          `http://example.org/` is not encrypted, which only a server of this very machine may be
          `ENVY_REMOTE_CACHE` names it
        hint: correct it in `ENVY_REMOTE_CACHE`, or leave it alone with `ENVY_REMOTE_CACHE=off`
    "#]],
    );
}

#[test]
fn a_server_that_wants_a_name_for_what_is_sent_is_told_the_one_of_the_netrc() {
    let kept = Kept::default();
    let shared = Arc::clone(&kept);
    let server = Server::start(move |request| {
        // `ci:sesame`
        let known = request.header("authorization") == Some("Basic Y2k6c2VzYW1l");
        let mut kept = lock(&shared);
        match (request.method.as_str(), kept.get(&request.path)) {
            ("PUT", _) if !known => Response::status(401),
            ("PUT", _) => {
                kept.insert(request.path.clone(), request.body.clone());
                Response::status(201)
            }
            ("GET" | "HEAD", Some(bytes)) => Response::ok(bytes.clone()),
            _ => Response::status(404),
        }
    });
    let registry = registry();
    let (builder, other) = hosts(&registry, &format!("http://{}/envy", server.address()));
    let told = builder.envy("push").ends(1).text();
    assert!(told.contains("401") && told.contains("hint: name yourself in `~/.netrc`"), "{told}");
    builder.write("../home/.netrc", "machine 127.0.0.1 login ci password sesame\n");
    builder.envy("push").succeeds().says("pushed 1 output");
    other.without_rust().envy("pull").succeeds();
}

#[test]
fn a_token_goes_to_the_cache_that_the_user_names_and_to_no_other() {
    let told: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let heard = Arc::clone(&told);
    let server = Server::start(move |request| {
        lock(&heard).push(request.header("authorization").map(str::to_owned));
        Response::status(404)
    });
    let registry = registry();
    let remote = format!("http://{}/envy", server.address());
    let (_, other) = hosts(&registry, &remote);
    let ask = |shell: Shell<'_>| {
        shell.env("ENVY_REMOTE_TOKEN", "sesame").envy("pull").ends(1).never_says("sesame");
    };
    ask(other.shell());
    assert!(!lock(&told).is_empty() && lock(&told).iter().all(Option::is_none));
    lock(&told).clear();
    ask(other.env("ENVY_REMOTE_CACHE", &remote));
    assert!(!lock(&told).is_empty() && lock(&told).iter().all(|one| one.as_deref() == Some("Bearer sesame")));
    fs::metadata(other.path("lockfiles/api.lock")).unwrap();
}

/// A server that has nothing, and what it was told of who asks.
fn listener() -> (Server, Arc<Mutex<Vec<Option<String>>>>) {
    let told: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let heard = Arc::clone(&told);
    let server = Server::start(move |request| {
        lock(&heard).push(request.header("authorization").map(str::to_owned));
        Response::status(404)
    });
    (server, told)
}

#[test]
fn a_login_for_all_hosts_is_not_for_the_cache_of_a_project() {
    let ((server, told), registry) = (listener(), registry());
    let remote = format!("http://{}/envy", server.address());
    let (_, other) = hosts(&registry, &remote);
    other.write("../home/.netrc", "default login ci password sesame\n").envy("pull").ends(1);
    assert!(!lock(&told).is_empty() && lock(&told).iter().all(Option::is_none));
    lock(&told).clear();
    other.env("ENVY_REMOTE_CACHE", &remote).envy("pull").ends(1);
    // `ci:sesame`
    assert!(!lock(&told).is_empty());
    assert!(lock(&told).iter().all(|one| one.as_deref() == Some("Basic Y2k6c2VzYW1l")));
}

#[test]
fn the_way_to_a_cache_of_the_users_is_the_users_own() {
    let ((server, told), (proxy, overheard), registry) = (listener(), listener(), registry());
    let remote = format!("http://{}/envy", server.address());
    let (_, other) = hosts(&registry, &remote);
    other.write(".cargo/config.toml", format!("[http]\nproxy = \"http://{}\"\n", proxy.address()));
    let own = other.env("ENVY_REMOTE_CACHE", &remote).env("ENVY_REMOTE_TOKEN", "sesame");
    own.envy("pull").ends(1);
    assert_eq!(proxy.requests(), [""; 0]);
    assert!(!lock(&told).is_empty() && lock(&told).iter().all(|one| one.as_deref() == Some("Bearer sesame")));
    // To the project's own cache the way is the project's, and nobody on it learns who the user is.
    other.write("../home/.netrc", "machine 127.0.0.1 login ci password sesame\n").envy("pull").ends(1);
    assert!(!lock(&overheard).is_empty() && lock(&overheard).iter().all(Option::is_none));
}

#[test]
fn a_cache_that_asks_for_a_long_wait_is_left() {
    let server = Server::start(|_| Response::status(429).header("retry-after", "40"));
    let (_, other) = hosts(&registry(), &format!("http://{}/envy", server.address()));
    let begun = Instant::now();
    installs(&other).envy("pull").ends(1).says("wants to be asked again in 40 s");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn what_is_damaged_on_a_server_is_sent_again_where_its_size_tells_or_its_bytes_are_read() {
    let ((server, kept), registry) = (cache(), registry());
    let (builder, other) = hosts(&registry, &format!("http://{}/envy", server.address()));
    builder.envy("push").succeeds();
    let whole = lock(&kept).clone();
    let (largest, bytes) = whole.iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    lock(&kept).get_mut(largest).unwrap().truncate(100);
    builder.envy("push").succeeds().says("pushed 1 output");
    lock(&kept).get_mut(largest).unwrap()[bytes.len() / 2] ^= 1;
    builder.envy("push").succeeds().says("has all that is here");
    installs(&other).envy("pull").ends(1).says("is not what its name says");
    builder.envy("push --check").succeeds().says("pushed 1 output");
    assert!(*lock(&kept) == whole);
    builder.envy("push --check").succeeds().says("has all that is here");
    installs(&other).envy("pull").succeeds();
}

#[test]
fn nothing_is_asked_for_that_nobody_needs() {
    let ((server, _), builder, other) = (cache(), Scratch::new(), Scratch::new());
    let recipe = |run: &str, more: &str| {
        format!("summary = 'x'\n[versions.'1.0']\n[[step]]\nname = 'go'\nrun = '''\n{run}\n'''\n{more}")
    };
    let bin = "{{ destdir }}{{ prefix }}/bin";
    let tool =
        recipe(&format!("mkdir -p {bin}\nprintf '#!/bin/sh\\necho made\\n' >{bin}/maker\nchmod +x {bin}/maker"), "");
    let made = recipe(&format!("mkdir -p {bin}\nmaker >{bin}/made"), "[build-dependencies]\nmaker = '1'\n");
    let cache = format!("[remote]\ncache = \"http://{}/envy\"\n", server.address());
    for scratch in [&builder, &other] {
        scratch.write("recipes/maker.toml", &tool).write("recipes/made.toml", &made);
        scratch.write("envy.toml", format!("{cache}[sites.api.dependencies]\nmade = {{ recipe = 'made' }}\n"));
    }
    builder.envy("build").succeeds();
    builder.envy("push").succeeds().says("pushed 2 outputs");
    let lockfile = builder.read("lockfiles/api.lock");
    let read: toml::Table = lockfile.parse().unwrap();
    let output = |at: usize| read["package"][at]["output"][0]["tree"].as_str().unwrap().to_owned();
    let (made, maker) = (output(0), output(1));
    // Whoever built it with another compiler got something else.
    let block = lockfile.split("[[package.output]]").nth(1).unwrap().split("\n\n").next().unwrap();
    let other_tree = format!("sha256:{}", "f".repeat(64));
    let alternative = format!("[[package.output]]{}", block.replace(&made, &other_tree));
    let action = read["package"][0]["output"][0]["action"].as_str().unwrap();
    let alternative = alternative.replace(action, &other_tree);
    let both = lockfile.replacen(block, &format!("{block}\n\n{alternative}"), 1);
    other.write("lockfiles/api.lock", both);
    server.forget_requests();
    other.envy("pull").succeeds().says("pulled 1 output");
    let requests = server.requests().join("\n");
    let asked = |tree: &str| requests.contains(tree.trim_start_matches("sha256:"));
    assert!(asked(&made) && !asked(&maker) && !asked(&other_tree), "{requests}");
}

#[test]
fn a_cache_that_cannot_be_used_says_what_to_do() {
    let (builder, _) = hosts(&registry(), "file:///proc/no/cache");
    builder.envy("push").fails(
        1,
        expect![[r#"
        error: the cache `file:///proc/no/cache` could not be used
          caused by: there is no directory `/proc/no/cache`
        hint: mount it, or name another one by `ENVY_REMOTE_CACHE`
    "#]],
    );
}
