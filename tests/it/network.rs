//! Registries that misbehave, and none at all: a clear error, nothing half done, and the next run is fine.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use expect_test::expect;

use crate::hostile;
use crate::registry::{Crate, Fault, Registry};
use crate::scratch::Scratch;

const API: &str = "[sites.api.dependencies]\nhello = \"1\"\n";
const ARCHIVE: &str = "/crates/hello/";
const INDEX: &str = "/index/he/ll/hello";

/// A site that wants a program with one dependency.
fn wanting() -> (Registry, Scratch) {
    let registry = Registry::new();
    registry.publish(Crate::new("greet", "1.0.0").lib());
    registry.publish(Crate::new("hello", "1.0.0").bin("hello").dep("greet", "1"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", API);
    (registry, scratch)
}

/// Files that the store holds and that are no one's own temporary ones.
fn stored(scratch: &Scratch) -> Vec<String> {
    let snapshot = scratch.snapshot(scratch.store());
    let kept = snapshot.iter().filter(|(path, (_, content))| !path.starts_with("tmp") && content != "directory");
    kept.map(|(path, _)| path.display().to_string()).collect()
}

/// Builds while the registry misbehaves, without and then with that.
fn check(pattern: &str, fault: Fault, code: i32, expected: expect_test::Expect) {
    let (registry, scratch) = wanting();
    let manifest = scratch.snapshot("");
    registry.misbehave(pattern, fault);
    scratch.env("CARGO_NET_RETRY", "0").env("CARGO_HTTP_TIMEOUT", "1").envy("build").fails(code, expected);
    let blobs: Vec<_> = stored(&scratch).into_iter().filter(|path| path.starts_with("blobs")).collect();
    assert_eq!(blobs, [""; 0], "nothing that is wrong enters the store");
    scratch.shell().sh("rm -rf .envy").succeeds();
    manifest.is_still(&scratch.snapshot(""));
    registry.heal();
    scratch.envy("run api -- hello").succeeds().says("hello 1.0.0");
}

#[test]
fn wrong_bytes_do_not_enter_the_store() {
    check(
        ARCHIVE,
        Fault::WrongBytes,
        4,
        expect![[r#"
        error: `hello 1.0.0` is not what was pinned
          from     http://127.0.0.1:[PORT]/crates/hello/1.0.0/download
          expected sha256:[..]
          received sha256:[..]
        hint: nothing of it was kept; restore the lockfile if it was edited, else tell the owner of the registry
    "#]],
    );
}

#[test]
fn an_archive_that_is_gone_is_named() {
    check(
        ARCHIVE,
        Fault::NotFound,
        1,
        expect![[r#"
        error: could not fetch `hello 1.0.0`
          `http://127.0.0.1:[PORT]/crates/hello/1.0.0/download` answered 404 Not Found
    "#]],
    );
}

#[test]
fn a_server_that_fails_is_named_with_what_it_said() {
    check(
        ARCHIVE,
        Fault::Status(500),
        1,
        expect![[r#"
        error: could not fetch `hello 1.0.0`
          `http://127.0.0.1:[PORT]/crates/hello/1.0.0/download` answered 500 Internal Server Error
        hint: try again; what has arrived is kept
    "#]],
    );
    check(
        INDEX,
        Fault::Status(503),
        1,
        expect![[r#"
        error: could not ask the registry about `hello`
          `http://127.0.0.1:[PORT]/index/he/ll/hello` answered 503 Service Unavailable
        hint: try again; what has arrived is kept
    "#]],
    );
}

#[test]
fn a_server_that_hangs_is_given_up_on() {
    let begun = Instant::now();
    check(
        ARCHIVE,
        Fault::Hang,
        1,
        expect![[r#"
        error: could not fetch `hello 1.0.0`
          `http://127.0.0.1:[PORT]/crates/hello/1.0.0/download` sent nothing for 1 s
        hint: try again; what has arrived is kept
    "#]],
    );
    check(
        INDEX,
        Fault::Hang,
        1,
        expect![[r#"
        error: could not ask the registry about `hello`
          `http://127.0.0.1:[PORT]/index/he/ll/hello` sent nothing for 1 s
        hint: try again; what has arrived is kept
    "#]],
    );
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn an_archive_that_is_cut_short_is_not_taken_for_one() {
    check(
        ARCHIVE,
        Fault::Truncate(100),
        1,
        expect![[r#"
        error: could not fetch `hello 1.0.0`
          could not fetch `http://127.0.0.1:[PORT]/crates/hello/1.0.0/download`: error decoding response body: error reading a body from connection: end of file before message length reached
        hint: try again; what has arrived is kept
    "#]],
    );
}

#[test]
fn redirects_that_lead_in_a_circle_are_not_followed_for_ever() {
    check(
        ARCHIVE,
        Fault::RedirectLoop,
        1,
        expect![[r#"
        error: could not fetch `hello 1.0.0`
          `http://127.0.0.1:[PORT]/crates/hello/1.0.0/download` was not followed: its redirects lead in a circle
    "#]],
    );
    check(
        "/index/config.json",
        Fault::RedirectLoop,
        1,
        expect![[r#"
        error: could not ask the registry about `config.json`
          `http://127.0.0.1:[PORT]/index/config.json` was not followed: its redirects lead in a circle
    "#]],
    );
}

#[test]
fn an_index_without_its_configuration_is_named() {
    check(
        "/index/config.json",
        Fault::NotFound,
        1,
        expect![[r#"
        error: the registry's index `http://127.0.0.1:[PORT]/index/` has no `config.json` that can be used
    "#]],
    );
}

#[test]
fn a_page_to_log_in_at_is_not_taken_for_an_index() {
    let page = "<!DOCTYPE html>\n<title>Welcome! Please sign in</title>\n";
    let (registry, scratch) = wanting();
    registry.misbehave("/index/", Fault::Page(page));
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        error: could not ask the registry about `hello`
          `http://127.0.0.1:[PORT]/index/he/ll/hello` sent something that is no index of crates
        hint: try again; what has arrived is kept
    "#]],
    );
    registry.heal();
    scratch.envy("lock").succeeds();
    registry.misbehave("/index/config.json", Fault::Page(page));
    registry.publish(Crate::new("hello", "1.1.0").bin("hello").dep("greet", "1"));
    scratch.envy("update").fails(
        1,
        expect![[r#"
        error: could not ask the registry about `config.json`
          `http://127.0.0.1:[PORT]/index/config.json` sent something that is no index of crates
        hint: try again; what has arrived is kept
    "#]],
    );
    registry.heal();
    scratch.envy("update").succeeds();
}

#[test]
fn what_fails_in_passing_is_asked_for_again() {
    let (registry, scratch) = wanting();
    registry.misbehave(ARCHIVE, Fault::StatusTimes(500, 1)).misbehave(INDEX, Fault::StatusTimes(503, 1));
    scratch.envy("lock").succeeds();
    let asked: Vec<_> = registry.requests().into_iter().filter(|it| it.contains("hello")).collect();
    assert_eq!(
        asked,
        [
            "GET /index/he/ll/hello 503",
            "GET /index/he/ll/hello 200",
            "GET /crates/hello/1.0.0/download 500",
            "GET /crates/hello/1.0.0/download 200"
        ]
    );
}

#[test]
fn a_registry_that_is_not_there_is_named() {
    let (registry, scratch) = wanting();
    registry.go_away();
    scratch.env("CARGO_NET_RETRY", "0").envy("lock").fails(1, expect![[r#"
        error: could not ask the registry about `hello`
          could not fetch `http://127.0.0.1:[PORT]/index/he/ll/hello`: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
        hint: try again; what has arrived is kept
    "#]]);
}

#[test]
fn offline_everything_that_is_missing_is_listed_at_once() {
    let (registry, scratch) = wanting();
    scratch.envy("lock --offline").fails(
        5,
        expect![[r#"
        error: the network may not be used, and 1 thing is not here
          hello
        hint: run the same command once without `--offline`
    "#]],
    );
    scratch.envy("lock").succeeds();
    scratch.shell().sh("chmod -R u+w ../data && rm -rf ../data").succeeds();
    registry.forget_requests();

    scratch.envy("build --locked --offline").fails(
        5,
        expect![[r#"
        error: the network may not be used, and 1 thing is not here
          hello 1.0.0
        hint: run the same command once without `--offline`
    "#]],
    );
    scratch.envy("build --frozen").ends(5);
    scratch.env("CARGO_NET_OFFLINE", "true").envy("build --locked").ends(5);
    assert!(registry.requests().is_empty(), "no socket was opened");

    scratch.envy("build --locked").succeeds();
    scratch.shell().sh("rm -rf .envy").succeeds();
    scratch.envy("build --frozen").succeeds();
}

#[test]
fn offline_the_index_of_before_is_good_enough() {
    let (registry, scratch) = wanting();
    registry.publish(Crate::new("bare", "1.0.0").bin("bare").without_lock());
    scratch.envy("lock").succeeds();
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = \"1.0\"\n[sites.web.dependencies]\nhello = \"1\"\n");
    registry.go_away();
    scratch.envy("lock --offline").ok(expect![[r#"
        locked 1 package for site `api`
        locked 1 package for site `web`
          + hello 1.0.0
    "#]]);
    scratch.envy("add bare --site web --offline").fails(
        5,
        expect![[r#"
        error: the network may not be used, and 1 thing is not here
          bare
        hint: run the same command once without `--offline`
    "#]],
    );
}

#[test]
fn all_crates_that_fail_are_told_together() {
    let (registry, scratch) = wanting();
    for name in ["a1", "b2", "c3"] {
        registry.publish(Crate::new(name, "1.0.0").lib());
    }
    registry.publish(Crate::new("hello", "1.1.0").bin("hello").dep("a1", "1").dep("b2", "1").dep("c3", "1"));
    scratch.envy("lock").succeeds();
    registry.misbehave("/crates/a1/", Fault::NotFound).misbehave("/crates/c3/", Fault::Status(403));
    scratch.envy("build --locked").fails(
        1,
        expect![[r#"
        fetched 1 file (310 B)
        error: could not fetch `a1 1.0.0`, `c3 1.0.0`
          `a1 1.0.0`: `http://127.0.0.1:[PORT]/crates/a1/1.0.0/download` answered 404 Not Found
          `c3 1.0.0`: `http://127.0.0.1:[PORT]/crates/c3/1.0.0/download` answered 403 Forbidden
    "#]],
    );
    registry.heal().forget_requests();
    scratch.envy("build --locked").succeeds();
    let asked = registry.requests();
    assert!(!asked.iter().any(|it| it.contains("/b2/")), "what had arrived is kept: {asked:?}");
}

#[test]
fn hostile_archives_are_refused_and_write_nothing_outside() {
    let escaped = Path::new("/tmp/envy-escaped");
    let _ = fs::remove_file(escaped);
    let mut told = String::new();
    for (what, make) in hostile::ALL {
        let registry = Registry::new();
        registry.publish_raw("evil", "1.0.0", make("evil", "1.0.0"));
        let scratch = Scratch::with(&registry);
        scratch.write("envy.toml", "[sites.api.dependencies]\nevil = \"1\"\n");
        let outcome = scratch.envy("build");
        let text: String = outcome
            .text()
            .lines()
            .filter(|line| !line.starts_with("fetched"))
            .map(|line| format!("  {line}\n"))
            .collect();
        told += &format!("{what}: {}\n{text}", outcome.code());
        let everywhere = scratch.shell().sh("find .. -name 'escaped*' -o -name other-1.0.0").succeeds().text();
        assert_eq!(everywhere, "", "{what}");
        assert!(!escaped.exists(), "{what}");
    }
    expect![[r#"
        an entry above the archive: 1
          error: could not unpack the crate `evil-1.0.0`
            caused by: the archive's entry `evil-1.0.0/../../escaped` leads upwards by `..`
        an absolute entry: 1
          error: could not unpack the crate `evil-1.0.0`
            caused by: the archive's entry `/tmp/envy-escaped` has an absolute name
        an entry outside of the crate's directory: 1
          error: could not unpack the crate `evil-1.0.0`
            caused by: the archive's entry `other-1.0.0/src/main.rs` lies outside the archive's top directory
        a symlink that leads out: 1
          error: could not unpack the crate `evil-1.0.0`
            caused by: the archive's entry `evil-1.0.0/out` points outside the archive
        an absolute symlink: 1
          error: could not unpack the crate `evil-1.0.0`
            caused by: the archive's entry `evil-1.0.0/out` points to no place in the archive
        an entry below a symlink that leads out: 1
          error: could not unpack the crate `evil-1.0.0`
            caused by: the archive's entry `evil-1.0.0/out` points outside the archive
        a hard link to a file outside: 1
          error: could not unpack the crate `evil-1.0.0`
            caused by: the archive's entry `evil-1.0.0/passwd` is a hard link
        a device: 1
          error: could not unpack the crate `evil-1.0.0`
            caused by: the archive's entry `evil-1.0.0/null` is a device
        a pipe: 1
          error: could not unpack the crate `evil-1.0.0`
            caused by: the archive's entry `evil-1.0.0/pipe` is a named pipe
        a file twice, with other content: 1
          error: could not unpack the crate `evil-1.0.0`
            caused by: the archive's entry `evil-1.0.0/src/main.rs` is there twice
        a file, and another below it: 1
          error: could not unpack the crate `evil-1.0.0`
            caused by: the archive's entry `evil-1.0.0/src/main.rs/below` lies below something that is no directory
        an end before its end: 1
          error: could not unpack the crate `evil-1.0.0`
            caused by: the archive cannot be read
            caused by: incomplete deflate stream
        no archive at all: 1
          error: could not unpack the crate `evil-1.0.0`
            caused by: the archive cannot be read
            caused by: invalid gzip header
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_hostile_archive_among_the_crates_of_a_package_is_refused_too() {
    // All of them are tried above; here it is enough that the same eyes look at these too.
    let some: [(&str, hostile::Make); 3] =
        [("upwards", hostile::parent), ("out", hostile::through_symlink), ("twice", hostile::duplicate)];
    for (what, make) in some {
        let registry = Registry::new();
        registry.publish_raw("evil", "1.0.0", make("evil", "1.0.0"));
        registry.publish(Crate::new("hello", "1.0.0").bin("hello").dep("evil", "1"));
        let scratch = Scratch::with(&registry);
        scratch.write("envy.toml", API);
        let outcome = scratch.envy("build");
        assert_eq!(outcome.code(), 1, "{what}: {outcome}");
        outcome.says("evil");
        assert_eq!(scratch.shell().sh("find .. -name 'escaped*' -o -name other-1.0.0").text(), "", "{what}");
    }
    assert!(!Path::new("/tmp/envy-escaped").exists());
}

#[test]
fn a_host_without_root_certificates_has_the_plain_web() {
    let (_registry, scratch) = wanting();
    let bare = || scratch.env("SSL_CERT_FILE", "/dev/null").env("SSL_CERT_DIR", "/nowhere");
    bare().envy("lock api").succeeds();

    let index = "[source.local]\nregistry = \"sparse+https://127.0.0.1:9/index/\"\n";
    scratch.write(".cargo/config.toml", index).write("envy.toml", API.replace("hello", "other"));
    bare().envy("lock api").fails(1, expect![[r#"
        error: could not ask the registry about `other`
          this machine has no root certificates: install the package `ca-certificates`, or name a file of them in `SSL_CERT_FILE`
    "#]]);
}
