//! Deploys that race with each other, with edits, and with whoever pulls.

use std::process::{Child, Stdio};

use crate::interruptions::{sleeps, wait_until};
use crate::scratch::Scratch;

/// A manifest of one package, of the recipe of this name, with more of its site.
fn manifest(recipe: &str, more: &str) -> String {
    format!("[sites.a]\n{more}\n[sites.a.dependencies]\n{recipe} = {{ recipe = \"{recipe}\", version = \"1\" }}\n")
}

/// A locked project whose one package takes its time, and the recipe of another that takes none. Tests run at the same
/// time, so each sleeps in its own way.
fn slow(seconds: &str, more: &str) -> Scratch {
    let scratch = Scratch::new();
    for (name, run) in [("slow", format!("'sleep {seconds}', ")), ("say", String::new())] {
        let steps = format!("[{run}'install -D /dev/null $OUT/share/{name}']");
        let text = format!(
            "summary = 'A tool'\nlicense = 'MIT'\nextends = 'script'\n[versions.'1.0']\n[set]\nrun = {steps}\n"
        );
        scratch.write(format!("recipes/{name}.toml"), text);
    }
    scratch.write("envy.toml", manifest("slow", more)).envy("lock").succeeds();
    scratch
}

/// Starts envy, and waits until the slow package is built.
fn start(scratch: &Scratch, arguments: &str, seconds: &str) -> Child {
    let mut command = scratch.envy_command(arguments);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let child = child.expect("envy can be started");
    wait_until("the build runs", || sleeps(seconds));
    child
}

/// What it says, once it has ended well.
fn said(child: Child) -> String {
    let output = child.wait_with_output().expect("it was started");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

fn generations(scratch: &Scratch) -> String {
    let text = scratch.envy("generations a").stdout().to_owned();
    text.lines().map(|line| format!("{} {}\n", &line[..5], line.split("  ").last().unwrap_or_default())).collect()
}

#[test]
fn a_slow_deploy_of_an_old_lockfile_takes_no_newer_release_back() {
    let scratch = slow("2.31", "");
    let old = start(&scratch, "build a --locked", "2.31");
    scratch.write("envy.toml", manifest("say", ""));
    scratch.envy("lock").succeeds();
    scratch.envy("build a --locked -m new").says("switched site `a` to generation 2");

    let said = said(old);
    assert!(said.contains("note: what site `a` is built from changed meanwhile, so this begins again\n"), "{said}");
    assert!(said.ends_with("unchanged site `a` is at generation 2\n"), "{said}");
    assert_eq!(generations(&scratch), "    1 empty\n*   2 say 1.0: new\n");
    scratch.envy("status --exit-code").succeeds();
}

#[test]
fn a_slow_deploy_shows_the_files_of_a_site_as_they_are_once_it_is_done() {
    let scratch = slow("2.32", "files = { 'etc/a' = { template = 'a' } }");
    scratch.write("a", "old");
    let old = start(&scratch, "build a --locked", "2.32");
    scratch.write("a", "new");

    said(old);
    assert_eq!(scratch.read(".envy/sites/a/current/etc/a"), "new");
    assert_eq!(generations(&scratch), "    1 empty\n*   2 slow 1.0\n");
    scratch.envy("status --exit-code").succeeds();
}

#[test]
fn a_slow_build_writes_over_no_lockfile_that_was_pulled_meanwhile() {
    let scratch = slow("2.33", "");
    let old = scratch.read("lockfiles/a.lock");
    scratch.write("envy.toml", manifest("say", "")).envy("lock").succeeds();
    let new = scratch.read("lockfiles/a.lock");
    scratch.write("envy.toml", manifest("slow", "")).write("lockfiles/a.lock", old);

    let build = start(&scratch, "build a", "2.33");
    scratch.write("envy.toml", manifest("say", "")).write("lockfiles/a.lock", new);
    said(build);
    assert_eq!(generations(&scratch), "    1 empty\n*   2 say 1.0\n");
    assert!(scratch.read("lockfiles/a.lock").contains("name = \"say\""));
    scratch.envy("status --exit-code").succeeds();
}
