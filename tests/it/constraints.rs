//! `[constraints]`: limits to versions, whoever asks for a package.

use crate::scratch::Scratch;

/// A package of nothing but its recipe, in two versions.
const THING: &str = "summary = 'A thing'\n[versions.'1.0']\n[versions.'2.0']\n[[step]]\nname = 'build'\n\
                     run = 'mkdir -p {{ destdir }}{{ prefix }}/share'\n";

/// One that needs it.
const USER: &str = "summary = 'What needs a thing'\ndependencies = { thing = '*' }\n[versions.'1.0']\n[[step]]\n\
                    name = 'build'\nrun = 'mkdir -p {{ destdir }}{{ prefix }}/share'\n";

fn world(constraints: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("recipes/thing.toml", THING).write("recipes/user.toml", USER);
    limited(&scratch, constraints);
    scratch
}

fn limited(scratch: &Scratch, constraints: &str) {
    let site = "[sites.api.dependencies]\nuser = { recipe = 'user' }\n";
    scratch.write("envy.toml", format!("{site}[constraints]\n{constraints}\n"));
}

#[test]
fn a_locked_version_outside_of_its_limits_is_drift_though_only_a_package_needs_it() {
    let scratch = world("");
    scratch.envy("lock").succeeds().says("+ thing 2.0");
    limited(&scratch, "thing = '<2'");
    let drift = "`thing` is limited to <2 by `[constraints]`, but locked at 2.0";
    scratch.envy("lock --check").ends(3).says(drift);
    scratch.envy("build --locked").ends(3).says(drift);
    scratch.envy("lock").succeeds().says("~ thing 2.0 -> 1.0");
    scratch.envy("lock --check").succeeds();
}

#[test]
fn limits_of_what_nobody_asks_for_change_no_lockfile() {
    let scratch = world("");
    scratch.envy("lock").succeeds();
    let locked = scratch.read("lockfiles/api.lock");
    limited(&scratch, "zlib = '>=1.3'");
    scratch.envy("lock --check").succeeds();
    limited(&scratch, "thing = '>=2'");
    scratch.envy("lock --check").ends(3).says("something else changed in `envy.toml`");
    scratch.envy("lock").succeeds();
    assert_ne!(scratch.read("lockfiles/api.lock"), locked);
    scratch.envy("lock --check").succeeds();
}
