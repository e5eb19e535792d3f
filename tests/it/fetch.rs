//! Fetching ahead, and working without a network: one error names all that is missing, and then nothing is.

use std::process::Command;

use expect_test::expect;

use crate::packed::{Files, Tar, script};
use crate::registry::{Crate, Registry};
use crate::scratch::{ENVY, Scratch};

/// What one site takes from everywhere: a crate that ships no Cargo.lock, a repository with a dependency, an archive.
struct World {
    registry: Registry,
    files: Files,
    scratch: Scratch,
}

impl World {
    fn new() -> Self {
        let (registry, files) = (Registry::new(), Files::new());
        registry.publish(Crate::new("greet", "1.0.0").lib());
        registry.publish(Crate::new("polite", "1.0.0").lib());
        registry.publish(Crate::new("hello", "1.0.0").bin("hello").dep("greet", "1").without_lock());
        let scratch = Scratch::with(&registry);
        let repository = Crate::new("served", "1.0.0").bin("served").dep("polite", "1");
        let lock = registry.cargo_lock(&repository);
        scratch
            .write("../repo/Cargo.toml", "[package]\nname = \"served\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\n[dependencies]\npolite = \"1\"\n")
            .write("../repo/Cargo.lock", lock)
            .write("../repo/src/main.rs", "fn main() { println!(\"{}\", polite::name()) }\n");
        scratch.in_dir("../repo").sh("git init -q && git add . && git commit -qm one && git tag v1.0.0").succeeds();
        let tool = files.put("/tool.tar", Tar::new().program("bin/tool", script("tool")).done());
        scratch.write(
            "envy.toml",
            format!(
                "[sites.api.dependencies]\nhello = \"1\"\n\
                 served = {{ git = \"https://example.org/repo\", version = \"1\" }}\n\
                 tool = {{ {tool}, version = \"1.0\" }}\n\n\
                 [mirrors]\n\"https://example.org/\" = \"file://{}/\"\n",
                scratch.root().display(),
            ),
        );
        Self { registry, files, scratch }
    }

    /// Nobody out there answers any more.
    fn cut_off(&self) {
        self.registry.go_away();
        self.files.go_away();
        let manifest = self.scratch.read("envy.toml");
        self.scratch.write("envy.toml", manifest.split("[mirrors]").next().unwrap_or_default());
    }

    /// Nothing is here any more.
    fn forget(&self) {
        self.scratch
            .shell()
            .sh("chmod -R u+w ../data ../cache/envy && rm -rf ../data/envy ../cache/envy/git")
            .succeeds();
    }
}

#[test]
fn one_error_names_all_that_is_missing() {
    let world = World::new();
    world.scratch.envy("lock").succeeds();
    world.forget();
    world.cut_off();
    let outcome = world.scratch.envy("build --locked --offline");
    let commit = world.scratch.in_dir("../repo").sh("git rev-parse --short=10 HEAD").stdout().trim().to_owned();
    let text = outcome.ends(5).text().replace(&commit, "[COMMIT]");
    expect![[r#"
        error: the network may not be used, and 4 things are not here
          greet 1.0.0
          hello 1.0.0
          served 1.0.0 ([COMMIT])
          tool 1.0
        hint: run the same command once without `--offline`
    "#]]
    .assert_eq(&text);
    assert!(!world.scratch.path(".envy/sites/api/current").exists());
}

#[test]
fn what_several_sites_miss_is_named_together() {
    let (files, scratch) = (Files::new(), Scratch::new());
    let site = |name: &str| {
        let tool = files.put(&format!("/{name}.tar"), Tar::new().program("bin/tool", script(name)).done());
        format!("[sites.{name}.dependencies]\n{name} = {{ {tool}, version = \"1.0\" }}\n")
    };
    scratch.write("envy.toml", site("first") + &site("second"));
    let refused = |command: &str| {
        scratch.envy(command).fails(
            5,
            expect![[r#"
                error: the network may not be used, and 2 things are not here
                  first 1.0
                  second 1.0
                hint: run the same command once without `--offline`
            "#]],
        );
    };
    refused("lock --offline");
    scratch.envy("lock").succeeds();
    scratch.shell().sh("chmod -R u+w ../data && rm -r ../data/envy").succeeds();

    for command in ["fetch", "build", "build --locked"] {
        refused(&format!("{command} --offline"));
    }
}

#[test]
fn what_a_cargo_lock_names_is_known_though_its_package_is_not_here() {
    let world = World::new();
    world.scratch.envy("lock").succeeds();
    // The text of a Cargo.lock is in the store, though nothing that it names is.
    world.scratch.envy("build --locked --offline").ends(5).says("greet 1.0.0").says("polite 1.0.0").never_says("hello");
}

#[test]
fn after_a_fetch_nothing_has_to_come_from_anywhere() {
    let world = World::new();
    let scratch = &world.scratch;
    scratch.envy("lock").succeeds();
    world.forget();
    let fetched = scratch.envy("fetch");
    fetched.succeeds().says("all that site `api` is built from (3 packages)");
    scratch.envy("fetch").ok(expect![[r#"
        fetched all that site `api` is built from (3 packages)
    "#]]);
    world.cut_off();

    scratch.envy("build --locked --offline").succeeds();
    for (program, says) in [("hello", "hello 1.0.0"), ("served", "polite 1.0.0"), ("tool", "tool")] {
        scratch.envy(&format!("run api --locked --offline -- {program}")).says(says);
    }
}

#[test]
fn after_a_fetch_a_host_without_any_network_builds_and_builds_again() {
    let may = Command::new("unshare").args(["-rn", "true"]).status().is_ok_and(|status| status.success());
    if !may {
        eprintln!("left out: this host gives no network namespace of one's own");
        return;
    }
    let world = World::new();
    let scratch = &world.scratch;
    scratch.envy("lock").succeeds();
    scratch.envy("fetch").succeeds();
    scratch.shell().sh(&format!("unshare -rn {ENVY} build --locked --frozen")).succeeds();
    scratch
        .shell()
        .sh("chmod -R u+w ../data && rm -rf .envy ../data/envy/store/prefixes ../data/envy/store/results")
        .succeeds();

    scratch.shell().sh(&format!("unshare -rn {ENVY} build --locked --offline")).succeeds();

    scratch.envy("run api --locked --offline -- served").says("polite 1.0.0");
}

#[test]
fn what_is_fetched_is_told_while_it_goes_on() {
    let world = World::new();
    world.scratch.envy("lock").succeeds();
    world.forget();
    world.scratch.envy("fetch -v").succeeds().says("fetched 2 files").says("fetched 1 file");
    world.forget();
    assert_eq!(world.scratch.envy("fetch -q").succeeds().text(), "");
}

#[test]
fn a_fetch_needs_a_lockfile_that_is_up_to_date() {
    let world = World::new();
    world.scratch.envy("fetch").ends(3).says("hint: run `envy lock api`");
    world.scratch.envy("lock").succeeds();
    world.scratch.write("envy.toml", world.scratch.read("envy.toml").replace("hello = \"1\"", "hello = \"2\""));
    let before = world.scratch.snapshot("lockfiles");
    world.scratch.envy("fetch").ends(3).says("`hello` is required at ^2, but locked at 1.0.0");
    before.is_still(&world.scratch.snapshot("lockfiles"));
}

#[test]
fn an_offline_lock_names_every_index_and_repository_that_it_would_ask() {
    let registry = Registry::new();
    let scratch = Scratch::with(&registry);
    scratch.write(
        "envy.toml",
        "[sites.api.dependencies]\nhello = \"1\"\n\
         tagged = { git = \"https://example.org/tagged\", version = \"1\" }\n\
         one = { git = \"https://example.org/one\", branch = \"main\" }\n\
         two = { git = \"https://example.org/two\", branch = \"main\" }\n",
    );
    scratch.envy("lock --offline").fails(
        5,
        expect![[r#"
            error: the network may not be used, and 4 things are not here
              hello
              https://example.org/one
              https://example.org/tagged
              https://example.org/two
            hint: run the same command once without `--offline`
        "#]],
    );
}

#[test]
fn an_offline_lock_uses_what_is_known_and_names_what_is_not() {
    let world = World::new();
    let scratch = &world.scratch;
    scratch.envy("lock --offline").ends(5);
    assert!(!scratch.path("lockfiles").exists());
    scratch.envy("lock").succeeds();
    world.registry.go_away();
    world.files.go_away();
    scratch.shell().sh("rm -r lockfiles").succeeds();
    scratch.envy("lock --offline").succeeds();
    scratch.envy("update --offline").succeeds();
}
