//! The gate: what a generation has to pass before it is shown, and what is run once it is.

use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use expect_test::expect;

use crate::scratch::Scratch;

/// A site without packages, whose releases differ by a variable.
pub fn release(scratch: &Scratch, number: u32, keys: &str) {
    scratch.write(
        "envy.toml",
        format!("[sites.api]\n{keys}\nenv = {{ RELEASE = '{{release}}' }}\nvars = {{ release = {number} }}\n"),
    );
}

/// A site that shows generation 2, of release 1, without any gate.
pub fn first() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("envy.toml", "[sites.api]\n").envy("build").succeeds();
    release(&scratch, 1, "");
    scratch.envy("build").succeeds();
    scratch
}

pub fn current(scratch: &Scratch) -> String {
    scratch.shell().sh("readlink .envy/sites/api/current").stdout().trim().to_owned()
}

pub fn history(scratch: &Scratch) -> String {
    let text = scratch.read(".envy/sites/api/history.jsonl");
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line is JSON"));
    lines.map(|it| format!("{} {} -> {}\n", it["action"].as_str().unwrap_or_default(), it["from"], it["to"])).collect()
}

#[test]
fn a_generation_is_checked_in_its_own_environment_before_it_is_shown() {
    let scratch = first();
    let check =
        "check = ['test \"$RELEASE $ENVY_GENERATION\" = \"2 3\"', 'pwd; readlink .envy/sites/api/current', 'cat']";
    release(&scratch, 2, check);
    scratch.in_dir("deep").envy("build --locked").ok(expect![[r#"
        checked generation 3 of site `api` (3 checks)
        switched site `api` to generation 3 (0 packages)
          prefix sha256:[..]
    "#]]);
    let log =
        scratch.read(".envy/sites/api/logs/check-3.log").replace(&scratch.root().display().to_string(), "[SCRATCH]");
    expect![[r#"
        $ test "$RELEASE $ENVY_GENERATION" = "2 3"
        $ pwd; readlink .envy/sites/api/current
        [SCRATCH]/project
        generations/2
        $ cat
    "#]]
    .assert_eq(&log);
}

#[test]
fn a_generation_that_fails_its_check_is_not_shown_and_the_same_command_tries_again() {
    let scratch = first();
    release(&scratch, 2, "check = ['true', 'echo I try; echo not today >&2; test -e ready']");
    let before = scratch.snapshot(".envy/sites/api/generations");
    for command in ["build --locked", "build", "run api -- true"] {
        scratch.envy(command).fails(
            9,
            expect![[r#"
                error: generation 3 of site `api` failed check 2 of 2, `echo I try; echo not today >&2; test -e ready` (exit status 1)
                  | I try
                  | not today
                  full log: [SCRATCH]/project/.envy/sites/api/logs/check-3.log
                  nothing was switched: the site stays at generation 2
                hint: to look at it, run `envy build api --no-switch`, and then `envy run api --generation 3 -- sh`
            "#]],
        );
        assert_eq!(current(&scratch), "generations/2");
        before.is_still(&scratch.snapshot(".envy/sites/api/generations"));
    }
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, drifted
          ! variables changed in `envy.toml`
          `envy build api` mends it
    "#]]);

    scratch.envy("build --no-switch").ok(expect![[r#"
        built generation 3 of site `api`, not current
          run `envy switch api 3` to make it so
    "#]]);
    scratch.envy("run api --generation 3 -- sh -c 'echo $RELEASE'").ok(expect![[r#"
        --- stdout ---
        2
    "#]]);
    scratch.envy("switch api 3").fails(9, expect![[r#"
        error: generation 3 of site `api` failed check 2 of 2, `echo I try; echo not today >&2; test -e ready` (exit status 1)
          | I try
          | not today
          full log: [SCRATCH]/project/.envy/sites/api/logs/check-3.log
          nothing was switched: the site stays at generation 2
        hint: to look at it, run `envy run api --generation 3 -- sh`; `--no-check` shows it all the same
    "#]]);
    scratch.write("ready", "");
    scratch.envy("build --locked").ok(expect![[r#"
        checked generation 3 of site `api` (2 checks)
        switched site `api` to generation 3 (0 packages)
          prefix sha256:[..]
    "#]]);
    expect![[r#"
        build null -> 1
        build 1 -> 2
        refuse 2 -> 3
        refuse 2 -> 3
        refuse 2 -> 3
        refuse 2 -> 3
        build 2 -> 3
    "#]]
    .assert_eq(&history(&scratch));
}

#[test]
fn an_edit_whose_generation_fails_its_check_leaves_everything_as_it_was() {
    let scratch = Scratch::new();
    scratch.write("recipes/tool.toml", "summary = 'A tool'\nextends = 'script'\n[versions.'1.0']\n[set]\nrun = ['install -D /dev/null $OUT/share/tool']\n");
    scratch.write("envy.toml", "[sites.api]\ncheck = ['test ! -e $ENVY_PREFIX/share/tool']\n").envy("build").succeeds();
    let before = [scratch.snapshot(".envy/sites/api/generations"), scratch.snapshot("lockfiles")];
    let manifest = scratch.read("envy.toml");

    scratch.envy("add --recipe tool --site api").ends(9).says("nothing was switched: the site stays at generation 1");
    let text = scratch.envy("add --recipe tool --site api").ends(9).text();
    expect![[r#"
          `envy.toml` and the lockfiles are what they were
        hint: to look at it, type the same with `--no-build`, then run `envy build api --no-switch`, and then `envy run api --generation N -- sh` with the number that it tells
    "#]].assert_eq(&text.split_inclusive('\n').skip_while(|line| !line.contains("`envy.toml`")).collect::<String>());

    before[0].is_still(&scratch.snapshot(".envy/sites/api/generations"));
    before[1].is_still(&scratch.snapshot("lockfiles"));
    assert_eq!(scratch.read("envy.toml"), manifest);
}

#[test]
fn a_check_that_takes_too_long_is_killed_with_all_that_it_started() {
    let scratch = first();
    let slow = "check = ['(setsid sleep 31.7 &); sleep 31.7']\ncheck-timeout = '1s'";
    release(&scratch, 2, slow);
    let begun = Instant::now();
    scratch.envy("build --locked").fails(
        9,
        expect![[r#"
            error: generation 3 of site `api` failed its check, `(setsid sleep 31.7 &); sleep 31.7` (stopped: it took longer than 1 second)
              full log: [SCRATCH]/project/.envy/sites/api/logs/check-3.log
              nothing was switched: the site stays at generation 2
            hint: to look at it, run `envy build api --no-switch`, and then `envy run api --generation 3 -- sh`
        "#]],
    );
    assert!(begun.elapsed() < Duration::from_secs(20), "it was not waited for");
    assert_eq!(sleepers("31.7"), 0, "nothing of it is left");

    // What a check leaves behind when it ends by itself goes too.
    release(&scratch, 2, "check = ['setsid sleep 32.7 & true']");
    scratch.envy("build --locked").succeeds();
    assert_eq!(sleepers("32.7"), 0, "nothing of it is left");
}

/// How many processes sleep for so many seconds.
fn sleepers(seconds: &str) -> usize {
    let wanted = format!("sleep\0{seconds}\0");
    let processes = std::fs::read_dir("/proc").expect("there is /proc").filter_map(Result::ok);
    let is_it = |path: std::path::PathBuf| std::fs::read(path.join("cmdline")).is_ok_and(|it| it == wanted.as_bytes());
    processes.filter(|entry| is_it(entry.path())).count()
}

#[test]
fn what_cannot_be_started_is_told() {
    let scratch = first();
    release(&scratch, 2, "check = ['no-such-program --version']");
    let text = scratch.envy("build --locked").ends(9).text();
    assert!(text.contains("(exit status 127)") && text.contains("not found"), "{text}");
    assert_eq!(current(&scratch), "generations/2");
}

#[test]
fn a_command_after_the_switch_that_fails_undoes_it() {
    let scratch = first();
    let reload = "after-switch = ['echo $RELEASE >>told', 'test \"$RELEASE\" != 2']";
    release(&scratch, 2, reload);
    scratch.envy("build --locked").fails(
        9,
        expect![[r#"
            error: `test "$RELEASE" != 2` failed after site `api` was switched to generation 3 (exit status 1)
              full log: [SCRATCH]/project/.envy/sites/api/logs/after-switch-3.log
              the switch was undone: the site shows generation 2 again, and what is run after a switch was run for it
            hint: mend the cause or `after-switch` in `envy.toml`, and type the same again; `--no-check` stays all the same
        "#]],
    );
    assert_eq!(current(&scratch), "generations/2");
    assert!(scratch.read(".envy/sites/api/activate").contains("ENVY_GENERATION='2'"), "the scripts went back too");
    assert_eq!(scratch.read("told"), "2\n1\n", "the host was told of both");
    scratch.envy("build --locked").ends(9);
    scratch.envy("rollback api").ok(expect![[r#"
        switched site `api` to generation 1
        note: site `api` is held at generation 1, until its lockfile or its configuration changes; `envy build api --switch` moves it
    "#]]);
    // What was undone holds as it held before.
    scratch.envy("build --locked --switch").ends(9);
    scratch.envy("build --locked").ok(expect![[r#"
        note: site `api` is held at generation 1, until its lockfile or its configuration changes; `envy build api --switch` moves it
    "#]]);

    release(&scratch, 3, reload);
    scratch.envy("build --locked").ok(expect![[r#"
        switched site `api` to generation 4 (0 packages)
          prefix sha256:[..]
    "#]]);
    scratch.envy("rollback api").ok(expect![[r#"
        switched site `api` to generation 1
        note: site `api` is held at generation 1, until its lockfile or its configuration changes; `envy build api --switch` moves it
    "#]]);
}

#[test]
fn whoever_wants_no_check_gets_none_and_stays() {
    let scratch = first();
    release(&scratch, 2, "check = ['false']\nafter-switch = ['echo down; false']");
    scratch.envy("build --locked").ends(9);
    scratch.envy("build --locked --no-check").fails(
        1,
        expect![[r#"
            switched site `api` to generation 3 (0 packages)
              prefix sha256:[..]
            error: `echo down; false` failed after site `api` was switched to generation 3 (exit status 1)
              | down
              full log: [SCRATCH]/project/.envy/sites/api/logs/after-switch-3.log
              it stays there, since `--no-check` was given
            hint: do by hand what that command is for
        "#]],
    );
    assert_eq!(current(&scratch), "generations/3");
    release(&scratch, 2, "check = ['false']");
    scratch.envy("build --locked").ok(expect![[r#"
        unchanged site `api` is at generation 3
    "#]]);
    scratch.envy("rollback api").succeeds();
    scratch.envy("switch api 3").ends(9);
    scratch.envy("switch api 3 --no-check").succeeds();
    scratch.envy("rollback api").succeeds();
    assert_eq!(current(&scratch), "generations/2");
}

#[test]
fn what_stays_without_a_check_keeps_its_lockfile() {
    let scratch = Scratch::new();
    scratch.write("recipes/tool.toml", "summary = 'A tool'\nextends = 'script'\n[versions.'1.0']\n[set]\nrun = ['install -D /dev/null $OUT/share/tool']\n");
    let tool = "after-switch = ['false']\ndependencies = { tool = { recipe = 'tool', version = '1' } }\n";
    scratch.write("envy.toml", format!("[sites.api]\n{tool}"));
    scratch.envy("build").ends(9);
    assert!(!scratch.path("lockfiles/api.lock").exists(), "what was undone leaves nothing");
    scratch.envy("build --no-check").ends(1);
    assert!(scratch.path("lockfiles/api.lock").exists());
    scratch.envy("build --locked").says("unchanged site `api` is at generation 2");
    scratch.write("envy.toml", format!("[sites.api]\n{tool}[sites.web]\n{tool}"));
    scratch.envy("promote api web --no-check").ends(1);
    scratch.envy("build web --locked").says("unchanged site `web` is at generation 2");
}

#[test]
fn going_back_runs_the_checks_that_the_generation_was_made_with() {
    let scratch = first();
    release(&scratch, 2, "check = ['test $RELEASE = 2 && test ! -e broken']");
    scratch.envy("build --locked").succeeds();
    release(&scratch, 3, "check = ['test $RELEASE = 3']");
    scratch.envy("build --locked").succeeds();

    scratch.write("broken", "").envy("rollback api").ends(9).says("failed its check, `test $RELEASE = 2");
    assert_eq!(current(&scratch), "generations/4");
    scratch.shell().sh("rm broken").succeeds();
    scratch.envy("rollback api").ok(expect![[r#"
        checked generation 3 of site `api` (1 check)
        switched site `api` to generation 3
        note: site `api` is held at generation 3, until its lockfile or its configuration changes; `envy build api --switch` moves it
    "#]]);
}

#[test]
fn another_check_alone_is_no_change_of_a_site() {
    let scratch = first();
    release(&scratch, 1, "check = ['false']");
    scratch.envy("build --locked").ok(expect![[r#"
        unchanged site `api` is at generation 2
    "#]]);
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, current
    "#]]);
    // A generation that is not shown yet is made anew with the checks of now.
    release(&scratch, 2, "check = ['false']");
    scratch.envy("build --locked --no-switch").succeeds();
    release(&scratch, 2, "check = ['true']");
    scratch.envy("build --locked").ok(expect![[r#"
        checked generation 4 of site `api` (1 check)
        switched site `api` to generation 4 (0 packages)
          prefix sha256:[..]
    "#]]);
}

#[test]
fn killed_while_it_checks_nothing_is_switched_and_nothing_goes_on() {
    let scratch = first();
    release(&scratch, 2, "check = ['sleep 33.7']");
    let mut child = start(&scratch, "build --locked");
    wait_until(|| sleepers("33.7") > 0);
    child.kill().expect("it still runs");
    child.wait().expect("it was started");

    assert_eq!(current(&scratch), "generations/2");
    wait_until(|| sleepers("33.7") == 0);
    release(&scratch, 2, "check = ['true']");
    scratch.envy("build --locked").succeeds();
    scratch.envy("run api -- sh -c 'echo $RELEASE'").says("2");
}

#[test]
fn killed_after_the_switch_the_next_run_tells_the_host() {
    let scratch = first();
    release(&scratch, 2, "after-switch = ['echo $RELEASE >>told; test -e go || sleep 34.7']");
    let mut child = start(&scratch, "build --locked");
    wait_until(|| sleepers("34.7") > 0);
    child.kill().expect("it still runs");
    child.wait().expect("it was started");
    wait_until(|| sleepers("34.7") == 0);
    assert_eq!(current(&scratch), "generations/3");

    scratch.write("go", "");
    scratch.envy("status").says("what is run after the switch to generation 3 has not ended");
    scratch.envy("build --locked").ok(expect![[r#"
        note: what is run after the switch of site `api` had not ended; it is run again
        unchanged site `api` stays at generation 3
    "#]]);
    assert_eq!(scratch.read("told"), "2\n2\n");
    scratch.envy("build --locked").ok(expect![[r#"
        unchanged site `api` is at generation 3
    "#]]);
}

#[test]
fn killed_after_the_switch_it_is_undone_if_the_host_cannot_be_told() {
    let scratch = first();
    release(&scratch, 2, "after-switch = ['test $RELEASE = 1 || sleep 35.7']");
    let mut child = start(&scratch, "build --locked");
    wait_until(|| sleepers("35.7") > 0);
    child.kill().expect("it still runs");
    child.wait().expect("it was started");
    release(&scratch, 2, "after-switch = ['test $RELEASE = 1']");
    scratch.envy("build --locked").ends(9).says("the site shows generation 2 again");
    assert_eq!(current(&scratch), "generations/2");
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn of_two_deploys_the_second_waits_while_the_first_is_checked() {
    let scratch = first();
    release(&scratch, 2, "check = ['test -e go || sleep 4.7']");
    let first = start(&scratch, "build --locked");
    wait_until(|| sleepers("4.7") > 0);
    for command in ["build --locked", "rollback api", "switch api 1"] {
        scratch.envy(&format!("{command} --lock-timeout 0")).fails(
            8,
            expect![[r#"
                error: site `api` is locked by process [PID]
                hint: try again, or wait longer with `--lock-timeout`
            "#]],
        );
    }
    scratch.envy("build --locked").ok(expect![[r#"
        note: waiting for process [PID], which holds site `api`
        unchanged site `api` stays at generation 3
    "#]]);
    assert!(first.wait_with_output().expect("it was started").status.success());
}

/// Starts envy, which says what it says to nobody.
fn start(scratch: &Scratch, arguments: &str) -> Child {
    let mut command = scratch.envy_command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("envy can be started")
}
