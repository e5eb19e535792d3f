//! Whether a host is fit: all that it lacks at once, for a site and in general.

use crate::interruptions::as_nobody;
use crate::registry::{Crate, Registry};
use crate::scratch::{ENVY, Scratch};

const TOOLS: &str = "summary = 'Needs tools'\nextends = 'script'\ntools = ['cc', 'no-such-tool', 'no-other-tool']\n\
    [versions.'1.0.0']\n[set]\nrun = ['true']\n";

#[test]
fn a_host_is_looked_at_without_any_project() {
    let scratch = Scratch::new();
    let outcome = scratch.envy("doctor");
    outcome.succeeds().says("ok      platform    ").says("ok      clock       ").says("ok      network     ");
    assert!(!scratch.store().exists(), "looking makes nothing");
    let document = scratch.envy("doctor --json").succeeds().json();
    assert_eq!((&document["schema"], &document["fit"]), (&"envy.doctor/1".into(), &true.into()));
    assert!(document["findings"].as_array().is_some_and(|findings| findings.len() > 6), "{document:#}");
    scratch.envy("doctor api").fails(
        1,
        expect_test::expect![[r#"
            error: there is no `envy.toml` here or above
            hint: run `envy init` to begin a project, or name one with `--project DIR`
        "#]],
    );
}

#[test]
fn all_that_a_site_lacks_is_told_at_once() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(&registry);
    scratch.write("recipes/odd.toml", TOOLS).write(
        "envy.toml",
        "[sites.api.dependencies]\nhello = \"1\"\nodd = { recipe = \"odd\", version = \"1\" }\n[sites.fine]\n",
    );
    let outcome = scratch.without_rust().env("HTTPS_PROXY", "http://").envy("doctor api");
    outcome
        .ends(7)
        .says("missing toolchain   ")
        .says("missing tools       there is no `no-other-tool`, which `odd` is built with\n")
        .says("missing tools       there is no `no-such-tool`, which `odd` is built with\n")
        .says("missing network     the variable `HTTPS_PROXY` names a proxy that is no address: `http://`\n")
        .says("error: this host lacks 4 things\n")
        .says("hint: run `rustup toolchain install stable --profile minimal`\n");
    scratch.without_rust().envy("doctor fine").succeeds().never_says("no-such-tool");
}

#[test]
fn what_is_here_already_needs_no_toolchain() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = \"1\"\n").envy("build").succeeds();
    scratch.envy("doctor").succeeds().says("ok      programs    those of site `api` run here, with glibc ");
    scratch.without_rust().envy("doctor").succeeds().says("; all that it builds is here already");
    // Not here, and recorded elsewhere.
    scratch.shell().sh("chmod -R u+w ../data/envy/store && rm -rf ../data/envy/store").succeeds();
    let lockfile = scratch.read("lockfiles/api.lock");
    let newer: String = lockfile
        .lines()
        .map(|line| match line.starts_with("needs = ") {
            true => "needs = { glibc = \"9.99\", libraries = [\"libfoo.so.9\"] }\n".to_owned(),
            false => format!("{line}\n"),
        })
        .collect();
    scratch.write("lockfiles/api.lock", newer);
    let outcome = scratch.envy("doctor api --json");
    outcome
        .ends(7)
        .says("hello: it needs glibc 9.99, this host has ")
        .says("hello: it needs `libfoo.so.9`, which this host does not have");
}

#[test]
fn a_store_that_cannot_be_one_and_a_clock_that_is_slow_are_told() {
    let scratch = Scratch::new();
    scratch.write("envy.toml", "[sites.api]\n").envy("build").succeeds();
    scratch.shell().sh("touch -d '2 days' ../data/envy/store/trees").succeeds();
    scratch.envy("doctor").ends(7).says("missing clock       it says ").says("but the store was written to at ");
    scratch.write("file", "");
    scratch
        .env("ENVY_STORE", scratch.path("file"))
        .envy("doctor")
        .ends(7)
        .says("missing store       `[SCRATCH]/project/file` is no directory");
}

#[test]
fn a_checkout_that_cannot_be_written_to_is_enough_for_what_is_locked() {
    let scratch = Scratch::new();
    let run = |script: &str| scratch.env("ENVY_SITES", scratch.root().join("sites")).sh(script);
    scratch.write("envy.toml", "[sites.api]\n").envy("lock").succeeds();
    run(&format!("{ENVY} build")).succeeds();
    let script = format!(
        "chmod a-w . lockfiles; export ENVY_SITES=$PWD/../sites; {ENVY} build --locked && {ENVY} doctor api; \
         code=$?; chmod u+w . lockfiles; exit $code"
    );
    if let Some(outcome) = as_nobody(&scratch, &script) {
        outcome
            .succeeds()
            .says("note    project     `[SCRATCH]/project` may not be written to by this user: nothing can be locked; ")
            .never_says("missing");
    }
}
