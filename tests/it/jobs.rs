//! The budget of jobs, which all that a build runs takes part in.

use crate::krate::Crate;
use crate::registry::Registry;
use crate::scratch::Scratch;

/// Runs make, as build scripts of C libraries do, with what cargo says of its jobserver.
const MAKING: &str = r#"
fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    std::fs::write(format!("{out}/Makefile"), "all: a b\n\na b:\n\t@echo made > $@\n").unwrap();
    for flags in ["MAKEFLAGS", "CARGO_MAKEFLAGS"] {
        let flags = std::env::var(flags).unwrap();
        let make = std::process::Command::new("make").current_dir(&out).env("MAKEFLAGS", &flags).output().unwrap();
        let said = String::from_utf8_lossy(&make.stderr);
        assert!(make.status.success() && !said.contains("jobserver"), "{flags}: {said}");
    }
}
"#;

#[test]
fn make_in_a_build_script_takes_part_in_the_budget_of_jobs() {
    if std::process::Command::new("make").arg("--version").output().is_err() {
        eprintln!("left out: this host has no make");
        return;
    }
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello").file("build.rs", MAKING));
    let scratch = Scratch::with(&registry);
    let dependency = "hello = { version = \"1\", params = { tools = [\"make\"] } }\n";
    scratch.write("envy.toml", format!("[sites.api.dependencies]\n{dependency}"));
    scratch.envy("build --jobs 2").succeeds();
    // Without a fence too.
    scratch.write("envy.toml", format!("[settings]\nsandbox = \"off\"\n[sites.bare.dependencies]\n{dependency}"));
    scratch.envy("build --jobs 2").succeeds();
}
