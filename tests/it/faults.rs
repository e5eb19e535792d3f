//! Kills, failing disks and crowds: whatever happens, the next plain `envy build --locked` succeeds, and no byte is wrong.
//!
//! A dozen rounds of each run by default; `ENVY_TEST_LONG=1` runs 500. Moments are drawn from a seed, which a failing
//! test names and `ENVY_TEST_SEED` sets.

use std::fmt::Write as _;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::scratch::{ENVY, Scratch};

/// Numbers that look like chance and are the same each time.
struct Seed(u64);

impl Seed {
    fn new(test: u64) -> Self {
        let given = std::env::var("ENVY_TEST_SEED").ok().and_then(|text| text.parse().ok());
        Self(given.unwrap_or(0x9e37_79b9_7f4a_7c15_u64).wrapping_add(test).max(1))
    }

    fn below(&mut self, limit: u64) -> u64 {
        // Marsaglia's xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn is_long() -> bool {
    std::env::var_os("ENVY_TEST_LONG").is_some_and(|value| value != "0" && !value.is_empty())
}

fn rounds() -> u64 {
    if is_long() { 500 } else { 12 }
}

/// A package of several files whose program says what it is; it may need others.
fn recipe(name: &str, needs: &str) -> String {
    format!(
        "summary = 'x'\n[versions.'1.0']\n[versions.'1.1']\n{needs}\n[[step]]\nname = 'go'\nrun = '''\n\
         to={{{{ destdir }}}}{{{{ prefix }}}}; mkdir -p $to/bin $to/share/{name}\n\
         printf '#!/bin/sh\\necho {name} %s\\n' {{{{ version }}}} > $to/bin/{name}; chmod +x $to/bin/{name}\n\
         for each in 1 2 3 4 5 6 7 8; do echo {name} {{{{ version }}}} $each > $to/share/{name}/$each; done\n\
         echo {{{{ prefix }}}} > $to/share/{name}/where\n'''\n"
    )
}

/// A site with an old lockfile (`app` 1.0) and a new one (`app` 1.1), both of which `envy.toml` allows; the generations 2
/// and 3 are of these.
fn world() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("recipes/lib.toml", recipe("lib", ""));
    scratch.write("recipes/app.toml", recipe("app", "[dependencies]\nlib = '1'"));
    let site = |range: &str| format!("[sites.api.dependencies]\napp = {{ recipe = 'app', version = '{range}' }}\n");
    scratch.write("envy.toml", site("=1.0")).envy("build").succeeds();
    scratch.write("envy.toml", site("1")).envy("lock").succeeds();
    scratch.envy("build").succeeds();
    scratch.shell().sh("cp lockfiles/api.lock ../old.lock").succeeds();
    scratch.envy("update").succeeds();
    scratch.envy("build").succeeds();
    scratch.shell().sh("cp lockfiles/api.lock ../new.lock; cp envy.toml ../envy.toml").succeeds();
    scratch
}

/// What may be cut short.
const WORK: [&str; 5] = ["create web", "update", "build --locked", "switch api ", "gc --keep-days 0"];

/// What a test leaves to a site before work begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// All of it.
    Whole,
    /// Its prefix was taken away, so that it shows nothing before a build has made it again.
    Nothing,
}

/// Make ready for the work of a round, and say what to type.
fn prepare(scratch: &Scratch, round: u64, seed: &mut Seed) -> (String, Left) {
    let mut left = Left::Whole;
    let work = WORK[usize::try_from(round).unwrap() % WORK.len()];
    scratch.shell().sh("cp ../envy.toml . && rm -rf lockfiles/web.lock lockfiles/web").succeeds();
    match work {
        "update" => drop(scratch.shell().sh("cp ../old.lock lockfiles/api.lock").succeeds()),
        "build --locked" => {
            let lockfile = ["old", "new"][usize::try_from(seed.below(2)).unwrap()];
            // Without its tree, a prefix is damaged, which another build does not mend: both are taken.
            let parts = ["prefixes", "*", "blobs", "trees ../data/envy/store/prefixes", "results"];
            let gone = parts[usize::try_from(seed.below(5)).unwrap()];
            if gone.ends_with("prefixes") || gone == "*" {
                left = Left::Nothing;
            }
            // A site that is held at a generation is not brought back by a build when all of its bytes are gone.
            scratch.shell().sh(&format!("cp ../{lockfile}.lock lockfiles/api.lock")).succeeds();
            scratch.envy("build --locked --switch").succeeds();
            let script = format!(
                "cp ../{lockfile}.lock lockfiles/api.lock; find ../data -type d -exec chmod u+w {{}} +; rm -rf ../data/envy/store/{gone}"
            );
            scratch.shell().sh(&script).succeeds();
        }
        "gc --keep-days 0" => junk(scratch, round),
        _ => {}
    }
    let work = if work == "switch api " { format!("{work}{}", 2 + seed.below(2)) } else { work.to_owned() };
    (work, left)
}

/// Something in the store that nobody needs.
fn junk(scratch: &Scratch, round: u64) {
    scratch.write("../junk/recipes/junk.toml", recipe("junk", "").replace("echo junk", &format!("echo {round} junk")));
    scratch.write("../junk/envy.toml", "[sites.junk.dependencies]\njunk = { recipe = 'junk', version = '1' }\n");
    scratch.in_dir("../junk").envy("build").succeeds();
    scratch.shell().sh("rm -rf ../junk").succeeds();
}

/// After whatever happened: a site that shows something whole, and a plain build that succeeds and shows the same.
fn is_well(scratch: &Scratch, what: &str, left: Left) {
    if left == Left::Whole {
        let shown = scratch.shell().sh("cd .envy/sites/api/current && bin/app && bin/lib");
        let lines: Vec<_> = shown.stdout().lines().collect();
        let is_whole = matches!(lines.as_slice(), ["app 1.0" | "app 1.1", "lib 1.0" | "lib 1.1"]);
        assert!(is_whole, "{what}: {shown}");
    }
    let built = scratch.envy("build --locked --offline");
    assert!(built.code() == 0, "{what}: {built}");
    // Eight files say what they are, and a ninth where it is.
    let shown = scratch
        .shell()
        .sh("cd .envy/sites/api/current && bin/app && bin/lib && cat share/lib/[1-8] && test -e generation.json && \
         test \"$(cat share/app/where)/share/app/where\" -ef share/app/where");
    let is_right = shown.stdout().starts_with("app 1.") && shown.stdout().lines().count() == 10;
    assert!(shown.code() == 0 && is_right, "{what}: {shown}");
}

fn ends_well(scratch: &Scratch) {
    scratch.envy("store verify").succeeds();
    scratch.envy("gc --keep-days 0").succeeds();
    scratch.envy("store verify").succeeds();
    is_well(scratch, "in the end", Left::Whole);
    // Whoever next changes a project or a site sweeps what was left in it.
    scratch.envy("update").succeeds();
    scratch.envy("build --switch").succeeds();
    scratch.envy("switch api 1").succeeds();
    let left = scratch.shell().sh("ls -A ../data/envy/store/tmp; find . -name '.envy-tmp-*'").text();
    assert_eq!(left, "", "nothing is left behind");
}

fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("envy can be started")
}

#[test]
fn killed_at_a_random_moment_everything_goes_on_by_itself() {
    let scratch = world();
    let mut seed = Seed::new(1);
    for round in 0..rounds() {
        let (work, left) = prepare(&scratch, round, &mut seed);
        // How long each takes on a machine that has nothing else to do, and a little more.
        let longest = if work.starts_with("build") { 400 } else { 60 };
        let moment = Duration::from_micros(seed.below(longest * 1000));
        let mut child = start(scratch.envy_command(&work));
        sleep(moment);
        // It may have ended by now, which is another moment to be killed at.
        let _ = child.kill();
        child.wait().expect("it was started");
        is_well(&scratch, &format!("round {round}, `{work}` killed after {moment:?}"), left);
    }
    ends_well(&scratch);
}

#[test]
fn a_site_that_is_held_shows_its_generation_again_or_says_that_it_cannot() {
    let scratch = world();
    scratch.envy("switch api 2").succeeds();
    let wipe = |what: &str| {
        let script = "find ../data -type d -exec chmod u+w {} +; rm -rf ../data/envy/store/";
        scratch.shell().sh(&format!("{script}{what}")).succeeds();
    };
    wipe("prefixes");
    scratch.envy("build --locked").succeeds().says("made the files of generation 2 of site `api` again\n");
    assert_eq!(scratch.shell().sh(".envy/sites/api/current/bin/app").stdout(), "app 1.0\n");
    wipe("*");
    scratch.envy("build --locked").ends(1).says("hint: run `envy build api --switch`");
    scratch.envy("build --locked --switch").succeeds();
    is_well(&scratch, "switched", Left::Whole);
}

/// A library that lets the nth call of some function fail, where it is about a path that has a certain text in it.
const FAULTY: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static long counted;

static int is_ours(const char *path) {
    const char *below = getenv("FAULT_BELOW");
    return below && path && strstr(path, below) != NULL;
}

static int fails(const char *call, const char *path) {
    const char *wanted = getenv("FAULT_CALL"), *nth = getenv("FAULT_NTH"), *code = getenv("FAULT_ERRNO");
    if (!wanted || !nth || !code || strcmp(wanted, call) || !is_ours(path)) return 0;
    if (__atomic_add_fetch(&counted, 1, __ATOMIC_SEQ_CST) != atol(nth)) return 0;
    const char *mark = getenv("FAULT_MARK");
    FILE *(*real)(const char *, const char *) = dlsym(RTLD_NEXT, "fopen");
    FILE *file = mark ? real(mark, "w") : NULL;
    if (file) fclose(file);
    errno = atoi(code);
    return 1;
}

static int fails_fd(const char *call, int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(call, path);
}

#define REAL(name) dlsym(RTLD_NEXT, name)

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        int (*real)(const char *, int, ...) = REAL(#name); \
        va_list list; va_start(list, flags); mode_t mode = va_arg(list, mode_t); va_end(list); \
        return fails("open", path) ? -1 : real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

ssize_t write(int fd, const void *bytes, size_t count) {
    ssize_t (*real)(int, const void *, size_t) = REAL("write");
    return fails_fd("write", fd) ? -1 : real(fd, bytes, count);
}
int fsync(int fd) { int (*real)(int) = REAL("fsync"); return fails_fd("sync", fd) ? -1 : real(fd); }
int fdatasync(int fd) { int (*real)(int) = REAL("fdatasync"); return fails_fd("sync", fd) ? -1 : real(fd); }
int rename(const char *from, const char *to) {
    int (*real)(const char *, const char *) = REAL("rename");
    return fails("rename", to) ? -1 : real(from, to);
}
int linkat(int a, const char *from, int b, const char *to, int flags) {
    int (*real)(int, const char *, int, const char *, int) = REAL("linkat");
    return fails("link", to) ? -1 : real(a, from, b, to, flags);
}
int symlink(const char *target, const char *path) {
    int (*real)(const char *, const char *) = REAL("symlink");
    return fails("symlink", path) ? -1 : real(target, path);
}
int mkdir(const char *path, mode_t mode) {
    int (*real)(const char *, mode_t) = REAL("mkdir");
    return fails("mkdir", path) ? -1 : real(path, mode);
}
int unlink(const char *path) {
    int (*real)(const char *) = REAL("unlink");
    return fails("unlink", path) ? -1 : real(path);
}
int chmod(const char *path, mode_t mode) {
    int (*real)(const char *, mode_t) = REAL("chmod");
    return fails("chmod", path) ? -1 : real(path, mode);
}
"#;

const CALLS: [&str; 9] = ["open", "write", "sync", "rename", "link", "symlink", "mkdir", "unlink", "chmod"];

/// EIO, EACCES and ENOSPC, which have these numbers on every Linux.
const ERRORS: [(i32, &str); 3] = [(5, "EIO"), (13, "EACCES"), (28, "ENOSPC")];

#[test]
fn a_call_that_fails_at_a_random_place_harms_nothing() {
    let scratch = world();
    scratch.write("../faulty.c", FAULTY);
    scratch.shell().sh("cc -shared -fPIC -O1 -w -o ../faulty.so ../faulty.c -ldl").succeeds();
    let mut seed = Seed::new(2);
    let (mut hit, rounds) = (0, if is_long() { 500 } else { 45 });
    for round in 0..rounds {
        let (work, left) = prepare(&scratch, round, &mut seed);
        let call = CALLS[usize::try_from(round).unwrap() / WORK.len() % CALLS.len()];
        let (number, error) = ERRORS[usize::try_from(seed.below(3)).unwrap()];
        let early = seed.below(2) == 0;
        let nth = 1 + seed.below(if early { 3 } else { 12 });
        let below = ["/store/", "/sites/", "/project/"][usize::try_from(seed.below(3)).unwrap()];
        let mark = scratch.root().join("mark");
        let _ = fs::remove_file(&mark);
        let outcome = scratch
            .env("LD_PRELOAD", scratch.root().join("faulty.so"))
            .env("FAULT_CALL", call)
            .env("FAULT_NTH", nth.to_string())
            .env("FAULT_ERRNO", number.to_string())
            .env("FAULT_BELOW", below)
            .env("FAULT_MARK", &mark)
            .envy(&work);
        let what = format!("round {round}, `{work}` with {error} at {call} {nth} below `{below}`");
        assert!(matches!(outcome.code(), 0..=9), "{what}: {outcome}");
        hit += u32::from(mark.exists());
        is_well(&scratch, &what, left);
    }
    assert!(hit > u32::try_from(rounds).unwrap() / 12, "{hit} of {rounds} faults were met");
    ends_well(&scratch);
}

#[test]
fn a_disk_of_any_size_that_is_full_is_only_full() {
    let scratch = world();
    let may = Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success());
    if !may {
        eprintln!("skipped: this host has no namespaces");
        return;
    }
    let mut seed = Seed::new(3);
    scratch.shell().sh("rm -rf .envy; find ../data -type d -exec chmod u+w {} +; rm -rf ../data/envy").succeeds();
    let mut script = String::from("mkdir -p .envy/sites; ");
    for round in 0..if is_long() { 60 } else { 8 } {
        let (size, place) = (4 + 4 * seed.below(60), ["../data", ".envy/sites"][round % 2]);
        let lockfile = ["old", "new"][round / 2 % 2];
        write!(
            script,
            "mount -t tmpfs -o size={size}k none {place} || exit 99
            cp ../{lockfile}.lock lockfiles/api.lock
            {ENVY} build --locked 2>../said; code=$?
            [ $code -le 9 ] || {{ cat ../said; echo size {size} in {place} gave $code; exit 1; }}
            mount -o remount,size=500m {place}
            {ENVY} build --locked && .envy/sites/api/current/bin/app && {ENVY} store verify || {{ echo size {size} in {place}; exit 1; }}
            umount {place}; find .envy/sites ../data -type d -exec chmod u+w {{}} +; rm -rf .envy/sites/* ../data/*
            "
        )
        .expect("a string takes everything");
    }
    let outcome = scratch.shell().sh(&format!("unshare -rm sh -c '{script}'"));
    if outcome.code() == 99 {
        eprintln!("skipped: nothing may be mounted here");
        return;
    }
    outcome.succeeds().says("app 1.0").says("app 1.1");
}

/// How many packages there are, of which each of eight projects has some.
const PACKAGES: usize = 6;

#[test]
fn eight_that_build_at_once_beside_gc_build_nothing_twice() {
    let scratch = Scratch::new();
    let projects: Vec<_> = (0..8).map(|number| format!("../p{number}")).collect();
    for (number, project) in projects.iter().enumerate() {
        let mut manifest = String::from("[sites.api.dependencies]\n");
        // Each has three of them, which overlap with those of its neighbours.
        for package in (0..3).map(|step| (number + step) % PACKAGES) {
            let slow = recipe(&format!("x{package}"), "").replace("run = '''\n", "run = '''\nsleep 0.2\n");
            scratch.write(format!("{project}/recipes/x{package}.toml"), slow);
            writeln!(manifest, "x{package} = {{ recipe = 'x{package}', version = '1' }}")
                .expect("a string takes everything");
        }
        scratch.write(format!("{project}/envy.toml"), manifest);
        scratch.in_dir(project).envy("lock").succeeds();
    }
    let children: Vec<_> =
        projects.iter().map(|project| start(scratch.in_dir(project).envy_command("build --locked"))).collect();
    let collector = std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let collect = scope.spawn({
            let scratch = &scratch;
            move || {
                let (begun, mut times) = (Instant::now(), 0);
                while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                    scratch.envy("gc --keep-days 0").succeeds();
                    times += 1;
                    assert!(begun.elapsed() < Duration::from_secs(100), "the builds do not end");
                }
                times
            }
        });
        let mut built = Vec::new();
        for child in children {
            let output = child.wait_with_output().expect("a child can be waited for");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{said}");
            built.extend(said.lines().filter(|line| line.starts_with("built ")).map(|line| line[6..8].to_owned()));
        }
        drop(stop);
        built.sort();
        assert_eq!(built, (0..PACKAGES).map(|number| format!("x{number}")).collect::<Vec<_>>());
        collect.join().expect("it succeeds")
    });
    assert!(collector > 1, "garbage was collected beside them");
    for (number, project) in projects.iter().enumerate() {
        let run = (0..3).map(|step| format!(".envy/sites/api/current/bin/x{}; ", (number + step) % PACKAGES));
        let expected: String = (0..3).map(|step| format!("x{} 1.1\n", (number + step) % PACKAGES)).collect();
        assert_eq!(scratch.in_dir(project).sh(&run.collect::<String>()).stdout(), expected);
        scratch.in_dir(project).envy("build --locked").succeeds().says("unchanged");
    }
    scratch.envy("store verify").succeeds();
}
