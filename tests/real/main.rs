//! The program on the real world: crates of crates.io, their real graphs, real builds. It needs a network and some
//! minutes, so it runs only where `ENVY_TEST_REAL` is set, as `.ci/run` does.

#![allow(clippy::disallowed_methods, reason = "tests stand outside the rooms and their doors")]
#![allow(clippy::print_stderr, reason = "a test that is left out says so")]

mod archives;
mod bills;
mod catalogue;
mod git;
mod history;
mod registry;
#[path = "../it/server.rs"]
#[allow(dead_code, reason = "the other tests need more of it")]
mod server;
mod servers;
mod sharing;
mod site_files;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A home, a store and a project of their own, with the user's real toolchains and cargo's real configuration.
struct World {
    directory: tempfile::TempDir,
}

impl World {
    fn new() -> Option<Self> {
        if std::env::var_os("ENVY_TEST_REAL").is_none() {
            eprintln!("left out: set ENVY_TEST_REAL=1 to build real crates from crates.io");
            return None;
        }
        Some(Self::of(tempfile::tempdir().unwrap()))
    }

    fn of(directory: tempfile::TempDir) -> Self {
        std::fs::create_dir(directory.path().join("project")).unwrap();
        Self { directory }
    }

    /// A world that several tests share. It stays until the next one of its name is made.
    fn kept(name: &str) -> Option<Self> {
        drop(Self::new()?);
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if place.exists() {
            Command::new("chmod").args(["-R", "u+w"]).arg(&place).status().unwrap();
            std::fs::remove_dir_all(&place).unwrap();
        }
        std::fs::create_dir_all(&place).unwrap();
        Some(Self::of(tempfile::tempdir_in(place).unwrap()))
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.directory.path().join(relative)
    }

    fn command(&self, program: &Path, arguments: &str) -> Command {
        let mut command = Command::new(program);
        command.args(arguments.split_whitespace()).current_dir(self.path("project")).env_remove("CI");
        command.env("ENVY_STORE", self.path("store")).env("ENVY_CACHE", self.path("cache"));
        command
    }

    /// What came of running envy.
    fn output(&self, arguments: &str) -> Output {
        self.command(Path::new(env!("CARGO_BIN_EXE_envy")), arguments).output().unwrap()
    }

    /// Run envy, which must succeed, and give what it wrote to stdout.
    fn envy(&self, arguments: &str) -> String {
        text(arguments, &self.output(arguments))
    }

    fn lockfile(&self, site: &str) -> String {
        std::fs::read_to_string(self.path(&format!("project/lockfiles/{site}.lock"))).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Prefixes are read-only directories.
        let _ = Command::new("chmod").args(["-R", "u+w"]).arg(self.directory.path()).status();
    }
}

fn text(what: &str, output: &Output) -> String {
    assert!(output.status.success(), "`{what}` failed\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn two_sites_have_two_versions_of_a_real_crate_at_one_time() {
    let Some(world) = World::new() else { return };
    world.envy("init");
    world.envy("create siteA");
    world.envy("create siteB");
    world.envy("add hexyl@0.16 --site siteA");
    world.envy("add hexyl@0.17 --site siteB");
    assert!(world.envy("run siteA -- hexyl --version").starts_with("hexyl 0.16."));
    let by_path = world.path("project/.envy/sites/siteB/current/bin/hexyl");
    assert!(text("hexyl", &Command::new(by_path).arg("--version").output().unwrap()).starts_with("hexyl 0.17."));

    let before = world.lockfile("siteA");
    std::fs::remove_dir_all(world.path("project/.envy")).unwrap();
    world.envy("build --locked --offline");
    assert_eq!(world.lockfile("siteA"), before);

    // The same inputs give the same bytes, in a store that lies elsewhere and has to build everything.
    Command::new("chmod").args(["-R", "u+w"]).arg(world.path("store")).status().unwrap();
    std::fs::rename(world.path("store"), world.path("first-store")).unwrap();
    std::fs::remove_dir_all(world.path("project/.envy")).unwrap();
    world.envy("build siteA --locked -j 1");
    let status = world.envy("status siteA");
    assert!(status.contains("(proven)"), "{status}");
}

#[test]
fn a_static_program_needs_nothing_of_the_host() {
    let Some(world) = World::new() else { return };
    world.envy("init --name real");
    let manifest = world.path("project/envy.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let site = "\n[sites.tiny.dependencies]\ntitlecase = { version = \"3\", static = true }\n";
    std::fs::write(&manifest, text + site).unwrap();
    world.envy("build tiny");
    assert!(!world.lockfile("tiny").contains("needs ="), "{}", world.lockfile("tiny"));
    world.envy("run tiny -- titlecase --version");
}
