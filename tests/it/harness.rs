//! The harness is tested too: a test that cannot fail tells nothing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use expect_test::expect;
use flate2::read::GzDecoder;

use crate::docs::{self, Transcript};
use crate::hostile;
use crate::outcome::normalise;
use crate::registry::{Crate, Fault, Registry};
use crate::scratch::{Scratch, words};

/// What a client sees: the status and the body, or why there is none.
fn get(registry: &Registry, path: &str, headers: &str) -> Result<(u16, Vec<u8>), String> {
    let address = registry.index().replace("sparse+http://", "").replace("/index/", "");
    let mut stream = TcpStream::connect(address).map_err(|error| error.kind().to_string())?;
    stream.set_read_timeout(Some(Duration::from_millis(300))).expect("it is not zero");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: here\r\n{headers}\r\n").map_err(|error| error.kind().to_string())?;
    let mut reader = BufReader::new(stream);
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).map_err(|_| "silence".to_owned())?;
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest[..3].parse().expect("a status is a number");
        } else if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().expect("a length is a number");
        } else if line == "\r\n" {
            break;
        } else if line.is_empty() {
            return Err("closed".to_owned());
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).map_err(|error| error.kind().to_string())?;
    Ok((status, body))
}

#[test]
fn cargo_builds_with_a_published_library() {
    let registry = Registry::new();
    registry.publish(Crate::new("greet", "1.0.0").lib()).publish(Crate::new("greet", "1.1.0").lib().yanked());
    let scratch = Scratch::with(&registry);
    scratch.write(
        "Cargo.toml",
        "[package]\nname = 'app'\nversion = '0.1.0'\nedition = '2024'\n[dependencies]\ngreet = '1'\n",
    );
    scratch.write("src/main.rs", "fn main() { println!(\"{}\", greet::name()) }\n");

    scratch.shell().cargo("run --quiet").ok(expect![[r#"
        --- stdout ---
        greet 1.0.0
    "#]]);

    let expected = ["GET /index/config.json 200", "GET /index/gr/ee/greet 200", "GET /crates/greet/1.0.0/download 200"];
    assert_eq!(registry.requests(), expected);
    assert!(scratch.read("Cargo.lock").contains(&registry.checksum("greet", "1.0.0")));
}

#[test]
fn cargo_installs_a_published_program_with_the_lock_it_carries() {
    let registry = Registry::new();
    registry.publish(Crate::new("low", "0.1.0").lib()).publish(Crate::new("low", "0.2.0").lib());
    registry.publish(Crate::new("mid", "1.0.0").lib().dep("low", "0.1").dev_dep("nowhere", "1"));
    registry.publish(Crate::new("hello", "1.0.0").bin("hello").dep("mid", "1").dep("low", "0.2"));
    registry.publish(Crate::new("low", "0.2.1").lib());
    let scratch = Scratch::with(&registry);

    scratch.shell().cargo("install hello --locked").succeeds().says("Installed package `hello v1.0.0`");

    let hello = "$CARGO_HOME/bin/hello";
    scratch.shell().sh(&format!("{hello} --version && {hello} args a 'b c' && {hello} exit 3")).fails(
        3,
        expect![[r#"
            --- stdout ---
            hello 1.0.0
            a
            b c
        "#]],
    );
    assert!(!registry.requests().iter().any(|it| it.contains("/low/0.2.1/")), "the lock holds back what came later");
}

#[test]
fn a_lock_is_made_as_cargo_makes_it() {
    let registry = Registry::new();
    registry.publish(Crate::new("low", "0.1.0").lib()).publish(Crate::new("low", "0.2.0").lib());
    registry.publish(Crate::new("mid", "1.0.0").lib().dep("low", "0.1").optional_dep("nowhere", "1"));
    let app = Crate::new("app", "0.1.0").dep("mid", "1").dev_dep("low", "^0.2");
    let scratch = Scratch::with(&registry);
    scratch.write(
        "Cargo.toml",
        "[package]\nname = 'app'\nversion = '0.1.0'\n[dependencies]\nmid = '1'\n[dev-dependencies]\nlow = '0.2'\n",
    );
    scratch.write("src/lib.rs", "");

    scratch.shell().cargo("generate-lockfile").succeeds();

    assert_eq!(registry.cargo_lock(&app), scratch.read("Cargo.lock"));
}

#[test]
fn another_registry_is_called_by_its_own_address() {
    let other = Registry::other();
    other.publish(Crate::new("low", "0.1.0").lib()).publish(Crate::new("mid", "1.0.0").lib().dep("low", "0.1"));
    let scratch = Scratch::new();
    scratch.write(".cargo/config.toml", other.cargo_config("company"));
    let manifest =
        "[package]\nname = 'app'\nversion = '0.1.0'\n[dependencies]\nmid = { version = '1', registry = 'company' }\n";
    scratch.write("Cargo.toml", manifest).write("src/lib.rs", "");

    scratch.shell().cargo("generate-lockfile").succeeds();

    assert_eq!(other.cargo_lock(&Crate::new("app", "0.1.0").dep("mid", "1")), scratch.read("Cargo.lock"));
}

#[test]
fn a_registry_for_users_tells_others_nothing() {
    let other = Registry::other();
    other.publish(Crate::new("low", "0.1.0").lib().published("2026-11-20T00:00:00Z")).wants_token("sesame");
    let scratch = Scratch::new();
    let manifest =
        "[package]\nname = 'app'\nversion = '0.1.0'\n[dependencies]\nlow = { version = '0.1', registry = 'company' }\n";
    scratch.write("Cargo.toml", manifest).write("src/lib.rs", "");
    let config = other.cargo_config("company") + "credential-provider = 'cargo:token'\n";
    scratch.write(".cargo/config.toml", &config);

    scratch.shell().cargo("fetch").ends(101);
    assert_eq!(other.requests(), ["GET /index/config.json 401"]);
    scratch.write("../cargo/credentials.toml", "[registries.company]\ntoken = 'sesame'\n");
    scratch.shell().cargo("fetch").succeeds();
    assert!(other.requests().contains(&"GET /crates/low/0.1.0/download 200".to_owned()));
}

#[test]
fn the_same_crate_is_the_same_bytes() {
    let make = || Crate::new("hello", "1.0.0").bin("hello").feature("loud", &[]).archive();
    assert_eq!(make(), make());
}

#[test]
fn an_unchanged_index_is_not_sent_again() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(&registry);
    let project = "[package]\nname = 'app'\nversion = '0.1.0'\nedition = '2024'\n[dependencies]\nhello = '1'\n";
    scratch.write("Cargo.toml", project).write("src/lib.rs", "");
    let ask = || {
        registry.forget_requests();
        scratch.shell().cargo("generate-lockfile").succeeds();
        registry.requests().into_iter().filter(|it| it.contains("/he/ll/")).collect::<Vec<_>>()
    };

    assert_eq!(ask(), ["GET /index/he/ll/hello 200"]);
    assert_eq!(ask(), ["GET /index/he/ll/hello 304"]);
    registry.publish(Crate::new("hello", "1.1.0").bin("hello")).yank("hello", "1.1.0");
    assert_eq!(ask(), ["GET /index/he/ll/hello 200"]);
    assert!(scratch.read("Cargo.lock").contains("1.0.0"), "1.1.0 is yanked");
}

#[test]
fn the_registry_misbehaves_as_told() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let path = "/crates/hello/1.0.0/download";
    let right = registry.archive("hello", "1.0.0");
    let with = |fault| {
        registry.heal().misbehave("/crates/hello/", fault);
        get(&registry, path, "")
    };

    assert_eq!(with(Fault::NotFound), Ok((404, Vec::new())));
    assert_eq!(with(Fault::Status(503)), Ok((503, Vec::new())));
    assert_eq!(with(Fault::RedirectLoop), Ok((302, Vec::new())));
    assert_eq!(with(Fault::Hang), Err("silence".to_owned()));
    assert_eq!(with(Fault::Truncate(10)), Err("unexpected end of file".to_owned()));

    let (_, wrong) = with(Fault::WrongBytes).expect("it answers");
    assert_eq!((wrong.len(), wrong[0]), (right.len(), right[0]), "it looks right");
    assert_ne!(wrong, right, "it is not");

    let start = Instant::now();
    assert_eq!(with(Fault::Slow(10 * right.len())), Ok((200, right.clone())));
    assert!(start.elapsed() > Duration::from_millis(40), "it takes its time");

    assert_eq!(with(Fault::StatusTimes(500, 1)), Ok((500, Vec::new())));
    assert_eq!(get(&registry, path, ""), Ok((200, right.clone())));

    assert_eq!(registry.wait_for("/crates/hello/"), "GET /crates/hello/1.0.0/download 404");

    registry.misbehave("/index/", Fault::NotFound);
    assert_eq!(get(&registry, path, ""), Ok((200, right)), "only what the pattern says");
    registry.unpublish("hello", "1.0.0");
    assert_eq!(get(&registry, path, ""), Ok((404, Vec::new())));
    registry.go_away();
    assert_eq!(get(&registry, path, ""), Err("connection refused".to_owned()));
}

#[test]
fn cargo_survives_a_server_that_stumbles_once() {
    let registry = Registry::new();
    registry.publish(Crate::new("greet", "1.0.0").lib());
    registry.misbehave("/index/gr/ee/greet", Fault::StatusTimes(500, 1));
    let scratch = Scratch::with(&registry);
    scratch.write("Cargo.toml", "[package]\nname = 'app'\nversion = '0.1.0'\n[dependencies]\ngreet = '1'\n");
    scratch.write("src/lib.rs", "");

    scratch.shell().cargo("generate-lockfile").succeeds();

    let asked = registry.requests().into_iter().filter(|it| it.contains("greet")).collect::<Vec<_>>();
    assert_eq!(asked, ["GET /index/gr/ee/greet 500", "GET /index/gr/ee/greet 200"]);
}

#[test]
fn hostile_archives_hold_what_they_are_for() {
    let names = |bytes: &[u8]| -> Result<Vec<String>, String> {
        let mut archive = tar::Archive::new(GzDecoder::new(bytes));
        let entries = archive.entries().map_err(|error| error.to_string())?;
        let name = |entry: tar::Entry<'_, _>| String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        entries.map(|entry| entry.map(name).map_err(|error| error.to_string())).collect()
    };

    let last: String = hostile::ALL
        .iter()
        .map(|(what, make)| match names(&make("evil", "1.0.0")) {
            Ok(names) => format!("{what}: {}\n", names.last().expect("there are entries")),
            Err(_) => format!("{what}: cannot be read\n"),
        })
        .collect();
    expect![[r#"
        an entry above the archive: evil-1.0.0/../../escaped
        an absolute entry: /tmp/envy-escaped
        an entry outside of the crate's directory: other-1.0.0/src/main.rs
        a symlink that leads out: evil-1.0.0/out
        an absolute symlink: evil-1.0.0/out
        an entry below a symlink that leads out: evil-1.0.0/out/escaped
        a hard link to a file outside: evil-1.0.0/passwd
        a device: evil-1.0.0/null
        a pipe: evil-1.0.0/pipe
        a file twice, with other content: evil-1.0.0/src/main.rs
        a file, and another below it: evil-1.0.0/src/main.rs/below
        an end before its end: cannot be read
        no archive at all: cannot be read
    "#]]
    .assert_eq(&last);

    let bomb = hostile::bomb("evil", "1.0.0", 64);
    assert!(bomb.len() < 1 << 20, "a bomb is small until it goes off");
}

#[test]
fn programs_see_nothing_of_this_machine() {
    let scratch = Scratch::new();
    // Shells add a few of their own.
    let script = "env | sort | grep -vE '^(_|PWD|OLDPWD|SHLVL|PATH|RUSTUP_HOME|RUSTUP_TOOLCHAIN)='; pwd";
    scratch.shell().sh(script).ok(expect![[r#"
        --- stdout ---
        CARGO_HOME=[SCRATCH]/cargo
        GIT_CONFIG_NOSYSTEM=1
        HOME=[SCRATCH]/home
        LC_ALL=C.UTF-8
        RUSTUP_AUTO_INSTALL=0
        TMPDIR=[SCRATCH]/tmp
        XDG_CACHE_HOME=[SCRATCH]/cache
        XDG_CONFIG_HOME=[SCRATCH]/config
        XDG_DATA_HOME=[SCRATCH]/data
        XDG_STATE_HOME=[SCRATCH]/state
        [SCRATCH]/project
    "#]]);
}

#[test]
fn a_host_without_rust_has_everything_else() {
    let scratch = Scratch::new();
    let bare = scratch.without_rust();
    bare.sh("for it in cargo rustc rustup; do command -v $it && exit 1; done; command -v ls >/dev/null; ls -A ~")
        .ok(expect![""]);
}

#[test]
fn a_snapshot_tells_what_changed() {
    let scratch = Scratch::new();
    scratch.write("etc/a", "a").write("etc/b", "b").shell().sh("ln -s a etc/c && chmod 640 etc/a && chmod 644 etc/b");
    let before = scratch.snapshot("");
    before.is_still(&scratch.snapshot(""));
    assert!(scratch.snapshot(scratch.store()).is_empty(), "there is no store yet");

    scratch.shell().sh("ln -sf b etc/c && chmod 750 etc/a && rm etc/b && mkdir -m 700 etc/d").succeeds();

    expect![[r#"
        - 0640 etc/a sha256:[..]
        + 0750 etc/a sha256:[..]
        - 0644 etc/b sha256:[..]
        - 0777 etc/c -> a
        + 0777 etc/c -> b
        + 0700 etc/d directory
    "#]]
    .assert_eq(&normalise(&before.differences(&scratch.snapshot("")), ""));
}

#[test]
fn a_scratch_leaves_nothing_behind() {
    let scratch = Scratch::new();
    scratch.write("read/only", "");
    for path in ["read/only", "read"] {
        let mode = std::fs::Permissions::from_mode(0o555);
        std::fs::set_permissions(scratch.path(path), mode).expect("it was just made");
    }
    let root = scratch.root().to_owned();
    drop(scratch);
    assert!(!root.exists());
}

#[test]
fn what_differs_from_run_to_run_is_replaced() {
    let digest = "0123456789abcdef".repeat(4);
    let text = format!(
        "built in 0.53s, 12ms, 3s; kept 1.0.3s 5sites v2s 7d\n\
         sha256:{digest} sha256:0123abcd… sha256:short {digest}0 prefixes/{digest}\n\
         http://127.0.0.1:4711/index/ waits for pid 17, of /tmp/x/project\n"
    );
    expect![[r#"
        built in [TIME], [TIME], [TIME]; kept 1.0.3s 5sites v2s 7d
        sha256:[..] sha256:[..] sha256:short 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0 prefixes/[DIGEST]
        http://127.0.0.1:[PORT]/index/ waits for pid [PID], of [SCRATCH]/project
    "#]]
    .assert_eq(&normalise(&text, "/tmp/x"));
}

#[test]
fn words_are_split_at_spaces_outside_of_quotes() {
    assert_eq!(words("run api  -- sh -c 'a \"b\"' \"\""), ["run", "api", "--", "sh", "-c", "a \"b\"", ""]);
}

#[test]
fn a_failing_expectation_shows_what_was_said() {
    let scratch = Scratch::new();
    let outcome = scratch.shell().sh("echo one; echo two >&2; exit 4");
    let panic = catch_unwind(AssertUnwindSafe(|| _ = outcome.succeeds())).expect_err("it ended with 4");
    expect![[r#"
        `echo one; echo two >&2; exit 4` ended with 4
          | two
          | --- stdout ---
          | one

        was expected to end with 0"#]]
    .assert_eq(panic.downcast_ref::<String>().expect("it says something"));
}

const DOCUMENT: &str = r#"
Text, `code`, <!-- a note -->

```sh
$ not a transcript
```

<!-- setup: mkdir deep
echo 1 >deep/file -->
```console
$ cd deep            # stays there
$ export GREETING='good   evening' ; cat \
    file
1
$ echo $GREETING; echo 0.5s; echo unshown

$ echo "$GREETING"; echo 0.5s; echo unshown
good...
0.7s
...
$ sh -c 'echo error: as shown; exit 3'
error: as ...
```
<!-- run: no -->
```console
$ rm -rf /
```
"#;

#[test]
fn a_document_is_read_as_transcripts() {
    let document = "<!-- setup: true -->\n```console\n$ a \\\n  b\n1\n\n2...\n\n$ c\n```\n```console\n$ d\n```\n";
    let shown = vec!["1".to_owned(), String::new(), "2...".to_owned()];
    let first = vec![("a \\\n  b".to_owned(), shown), ("c".to_owned(), vec![])];
    assert_eq!(
        docs::transcripts(document),
        [
            Transcript { line: 2, setup: "true\n".to_owned(), commands: first },
            Transcript { line: 11, setup: String::new(), commands: vec![("d".to_owned(), vec![])] },
        ]
    );
}

#[test]
fn a_document_that_is_true_passes() {
    docs::run(DOCUMENT, &Scratch::new());
}

#[test]
fn a_document_that_is_wrong_is_told_all_of_it() {
    let document =
        "```console\n$ echo 1; echo 2\n1\n3\n$ exit 3\n$ true\nerror: no\n$ command -v envy >/dev/null\n```\n";
    expect![[r#"
        transcript on line 1:
          $ echo 1; echo 2
        shown:
          | 1
          | 3
        printed:
          | 1
          | 2

        transcript on line 1:
          $ exit 3
        ended with 3, but was to succeed
        printed:

        transcript on line 1:
          $ true
        ended with 0, but was to fail
        shown:
          | error: no
        printed:

    "#]]
    .assert_eq(&docs::failures(document, &Scratch::new()));
}
