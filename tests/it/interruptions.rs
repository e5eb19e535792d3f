//! Signals, power cuts, full disks and neighbours: whatever happens, a site shows one whole generation.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use expect_test::expect;
use rustix::process::{Pid, Signal, kill_process};

use crate::outcome::Outcome;
use crate::registry::{Crate, Fault, Registry};
use crate::scratch::{ENVY, Scratch, Shell};

const API: &str = "[sites.api.dependencies]\nhello = \"1\"\n";

/// A crate whose build waits so many seconds, in a process that no other test has.
fn slow(registry: &Registry, seconds: &str) {
    let build =
        format!("fn main() {{ std::process::Command::new(\"sleep\").arg(\"{seconds}\").status().unwrap(); }}\n");
    registry.publish(Crate::new("hello", "1.0.0").bin("hello").file("build.rs", &build));
}

/// A site that shows an empty generation, and wants a program.
fn wanting(registry: &Registry) -> Scratch {
    let scratch = Scratch::with(registry);
    scratch.write("envy.toml", "[sites.api]\n").envy("build").succeeds();
    scratch.write("envy.toml", API).envy("lock").succeeds();
    scratch
}

/// Starts envy as a shell in the foreground does: what runs in the background of a script is born deaf to Ctrl-C, and so
/// would be its children.
fn start(shell: &Shell<'_>, arguments: &str) -> Child {
    let envy = shell.envy_command(arguments);
    let mut command = Command::new("env");
    command.env_clear().arg("--default-signal=INT").arg(envy.get_program()).args(envy.get_args());
    for (name, value) in envy.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    envy.get_current_dir().map(|directory| command.current_dir(directory));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("envy can be started")
}

/// Whether a process runs that sleeps so many seconds.
pub fn sleeps(seconds: &str) -> bool {
    let wanted = format!("sleep\0{seconds}\0");
    let processes = fs::read_dir("/proc").expect("there is /proc").filter_map(Result::ok);
    let is_it =
        |path: std::path::PathBuf| fs::read(path.join("cmdline")).is_ok_and(|line| line.ends_with(wanted.as_bytes()));
    processes.map(|entry| entry.path()).any(is_it)
}

pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        sleep(Duration::from_millis(5));
    }
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it still runs");
}

/// What the site shows is whole: each program of it runs.
fn shows_something_whole(scratch: &Scratch) {
    scratch.shell().sh("for it in .envy/sites/api/current/bin/*; do [ ! -e $it ] || $it || exit; done; test -e .envy/sites/api/current/generation.json").succeeds();
}

/// Waits for the end of what was started, as [`Outcome`] tells it.
fn said(child: Child) -> (i32, String) {
    let output = child.wait_with_output().expect("a child can be waited for");
    let code = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or_default());
    (code, crate::outcome::normalise(&String::from_utf8_lossy(&output.stderr), ""))
}

#[test]
fn a_build_that_is_interrupted_leaves_the_old_generation_and_no_process() {
    for (signal, seconds) in [(Signal::INT, "3.01"), (Signal::TERM, "3.02"), (Signal::KILL, "3.03")] {
        let registry = Registry::new();
        slow(&registry, seconds);
        let scratch = wanting(&registry);
        let before = scratch.snapshot(".envy/sites/api/generations");
        let child = start(&scratch.shell(), "build --locked");
        wait_until("the build runs", || sleeps(seconds));

        send(&child, signal);
        let begun = Instant::now();
        let (code, _) = said(child);

        assert_eq!(code, 128 + signal.as_raw());
        wait_until("its build is gone too", || !sleeps(seconds));
        assert!(begun.elapsed() < Duration::from_millis(2500), "nothing waits for the build to end");
        before.is_still(&scratch.snapshot(".envy/sites/api/generations"));
        scratch.envy("build --locked").succeeds();
        scratch.envy("run api --locked -- hello").says("hello 1.0.0");
        let left = scratch.shell().sh("ls ../data/envy/store/tmp").text();
        assert_eq!(left, "", "the next run tidies up");
    }
}

#[test]
fn a_download_that_is_killed_is_made_up_for() {
    for fault in [Fault::Hang, Fault::Slow(100)] {
        let registry = Registry::new();
        registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
        let scratch = wanting(&registry);
        scratch.shell().sh("chmod -R u+w ../data/envy/store/blobs && rm -rf ../data/envy/store/blobs").succeeds();
        registry.forget_requests().misbehave("/crates/", fault);
        let mut child = start(&scratch.shell(), "build --locked");
        registry.wait_for("/crates/hello/");
        sleep(Duration::from_millis(100));
        child.kill().expect("it still runs");
        child.wait().expect("it was started");
        registry.heal();

        scratch.envy("build --locked").succeeds();
        scratch.envy("run api --locked -- hello").says("hello 1.0.0");
    }
}

#[test]
fn killed_at_any_moment_a_site_is_whole_and_the_next_run_is_fine() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = wanting(&registry);
    scratch.shell().sh("cp -r .envy ../before").succeeds();
    scratch.envy("build").succeeds();
    let anew = "rm -rf .envy && cp -r ../before .envy";
    let writable = "find ../data -type d -exec chmod u+w {} +";
    for number in 0..15 {
        // Every fifth begins with nothing in the store, and compiles; the others only put together what is there.
        let (moment, gone) = if number % 5 == 0 { (60 * number + 20, "*") } else { (3 * number, "prefixes") };
        scratch.shell().sh(&format!("{anew} && {writable} && rm -rf ../data/envy/store/{gone}")).succeeds();
        let mut child = start(&scratch.shell(), "build --locked");
        sleep(Duration::from_millis(moment));
        // It may have ended by now, which is another moment to be killed at.
        let _ = child.kill();
        child.wait().expect("it was started");

        scratch.envy("build --locked").succeeds();
        shows_something_whole(&scratch);
        scratch.envy("run api --locked -- hello").says("hello 1.0.0");
    }
}

#[test]
fn an_edit_that_is_killed_can_be_typed_again() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello")).publish(Crate::new("just", "1.0.0").bin("just"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", API).envy("build").succeeds();
    scratch.shell().sh("mkdir ../saved && cp -r envy.toml lockfiles ../saved").succeeds();
    // What is added is built once, so that the moments lie where things are written.
    scratch.envy("add just --site api").succeeds();
    for moment in (0..12).map(|number| Duration::from_millis(20 * number)) {
        scratch.shell().sh("rm -rf lockfiles && cp -r ../saved/* .").succeeds();
        scratch.envy("build --switch --locked").succeeds();
        let mut child = start(&scratch.shell(), "add just --site api");
        sleep(moment);
        let _ = child.kill();
        child.wait().expect("it was started");

        shows_something_whole(&scratch);
        for file in ["envy.toml", "lockfiles/api.lock"] {
            assert!(scratch.read(file).ends_with('\n'), "{file} is whole");
        }
        scratch.envy("status").succeeds();
        scratch.envy("add just --site api").succeeds();
        scratch.envy("run api --locked -- just").says("just 1.0.0");
    }
    // What a moment left that none of the above hit.
    scratch.write(".envy-tmp-a", "").write("lockfiles/.envy-tmp-b", "").write(".envy/sites/api/.envy-tmp-c", "");
    scratch.envy("remove just --site api").succeeds();
    let left = scratch.shell().sh("find . -name '.envy-?*'").text();
    assert_eq!(left, "", "nothing is left beside what was written");
}

#[test]
fn of_two_that_build_the_same_one_builds_and_one_waits_and_says_for_whom() {
    let registry = Registry::new();
    slow(&registry, "6.51");
    let scratch = Scratch::with(&registry);
    for project in ["one", "two"] {
        scratch.write(format!("../{project}/envy.toml"), API).in_dir(format!("../{project}")).envy("lock").succeeds();
    }

    let first = start(&scratch.in_dir("../one"), "build --locked");
    wait_until("the build runs", || sleeps("6.51"));
    scratch.in_dir("../two").envy("build --locked --lock-timeout 0").fails(
        8,
        expect![[r#"
        error: the build of hello 1.0.0 is locked by process [PID]
        hint: try again, or wait longer with `--lock-timeout`
    "#]],
    );
    let second = start(&scratch.in_dir("../two"), "build --locked");

    let (code, text) = said(second);
    assert_eq!(code, 0, "{text}");
    expect![[r#"
        note: waiting for process [PID], which holds the build of hello 1.0.0
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]
    .assert_eq(&text);
    let (code, text) = said(first);
    assert_eq!(code, 0, "{text}");
    expect![[r#"
        building hello 1.0.0
        built hello 1.0.0 in [TIME]
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]
    .assert_eq(&text);
}

#[test]
fn of_two_that_edit_one_project_the_second_sees_what_the_first_did() {
    let registry = Registry::new();
    slow(&registry, "1.52");
    registry.publish(Crate::new("just", "1.0.0").bin("just"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.api]\n");

    let first = start(&scratch.shell(), "add hello --site api");
    wait_until("the build runs", || sleeps("1.52"));
    scratch.envy("add just --site api --lock-timeout 0").fails(
        8,
        expect![[r#"
        error: the project `[SCRATCH]/project` is locked by process [PID]
        hint: try again, or wait longer with `--lock-timeout`
    "#]],
    );
    let outcome = scratch.envy("add just --site api");
    outcome.succeeds().says("note: waiting for process [PID], which holds the project");
    assert_eq!(said(first).0, 0);
    expect![[r#"
        [sites.api]

        [sites.api.dependencies]
        hello = "1.0.0"
        just = "1.0.0"
    "#]]
    .assert_eq(&scratch.read("envy.toml"));
    scratch.shell().sh("ls .envy/sites/api/current/bin").ok(expect![[r#"
        --- stdout ---
        hello
        just
    "#]]);
}

#[test]
fn many_that_build_one_site_at_once_all_succeed() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = wanting(&registry);
    let children: Vec<_> = (0..4).map(|_| start(&scratch.shell(), "build --locked")).collect();
    for child in children {
        let (code, text) = said(child);
        assert_eq!(code, 0, "{text}");
    }
    let generations = scratch.envy("generations api --json").json();
    assert_eq!(generations["generations"].as_array().map(Vec::len), Some(2), "they agree on one");
}

/// A command as a user who is not root, who may go wherever the test is.
pub fn as_nobody(scratch: &Scratch, script: &str) -> Option<Outcome> {
    if !rustix::process::getuid().is_root() {
        return Some(scratch.shell().sh(script));
    }
    let nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    let prepared = format!("cp {ENVY} ../envy && chown -R 65534:65534 .. && {nobody} ../envy --version");
    if scratch.shell().sh(&prepared).code() != 0 {
        eprintln!("skipped: root cannot become another user here");
        return None;
    }
    Some(scratch.shell().sh(&format!("exec {nobody} sh -c '{}'", script.replace(ENVY, "../envy"))))
}

#[test]
fn a_store_that_cannot_be_written_to_is_named() {
    let scratch = Scratch::new();
    scratch.write("envy.toml", "[sites.api]\n").envy("build").succeeds();
    let script = format!(
        "chmod -R a-w ../data/envy/store; {ENVY} build --locked; {ENVY} create web; code=$?; chmod -R u+w ../data/envy/store; ls .envy/sites; exit $code"
    );
    if let Some(outcome) = as_nobody(&scratch, &script) {
        outcome.fails(1, expect![[r#"
            unchanged site `api` is at generation 1
            error: could not write into `[SCRATCH]/data/envy/store/roots`
              caused by: permission denied
            hint: let this user write there, or choose another place: `ENVY_STORE` for the store, `--sites-dir` for sites
            --- stdout ---
            api
        "#]]);
        assert_eq!(scratch.read("envy.toml"), "[sites.api]\n");
    }
}

#[test]
fn a_disk_that_is_full_is_told_and_the_next_run_goes_on() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = wanting(&registry);
    let may = Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success());
    if !may {
        eprintln!("skipped: this host has no namespaces");
        return;
    }
    let script = format!(
        "mount -t tmpfs -o size=16k none ../data || exit 99
        {ENVY} build --locked 2>../said; echo code $?; sed s,store/tmp/.*/src,store/tmp/[..]/src, ../said
        mount -o remount,size=300k ../data
        {ENVY} build --locked 2>../said; echo code $?; grep -c os.error.28 ../said
        mount -o remount,size=500m ../data
        {ENVY} build --locked && .envy/sites/api/current/bin/hello"
    );
    let outcome = scratch.shell().sh(&format!("unshare -rm sh -c '{script}'"));
    if outcome.code() == 99 {
        eprintln!("skipped: nothing may be mounted here");
        return;
    }
    outcome.ok(expect![[r#"
        building hello 1.0.0
        built hello 1.0.0 in [TIME]
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
        --- stdout ---
        code 1
        fetched 1 file (702 B)
        building hello 1.0.0
        error: could not write `[SCRATCH]/data/envy/store/tmp/[..]/src/Cargo.toml`
          caused by: No space left on device (os error 28)
        hint: free some space; what was finished is kept, so that the next run goes on from there
        code 1
        0
        hello 1.0.0
    "#]]);
}
