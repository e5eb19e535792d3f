//! Services that say themselves which libraries they need, in `[package.metadata.envy]`.

use expect_test::expect;

use crate::repository::{cargo_lock, manifest};
use crate::scratch::Scratch;

/// A library of C, made of nothing but its recipe.
const GREET: &str = r#"
summary = "A library that greets"
tools = ["cc"]
[versions."1.0"]
[versions."2.0"]
[params]
word = { type = "string", default = "hello", doc = "What it says." }
[[step]]
name = "build"
run = '''
mkdir -p {{ destdir }}{{ prefix }}/lib {{ destdir }}{{ prefix }}/include
printf 'const char *greet(void) { return "%s from %s"; }\n' {{ word }} {{ version }} >greet.c
cc -shared -fPIC -Wl,-soname,libgreet.so.1 -o {{ destdir }}{{ prefix }}/lib/libgreet.so.1 greet.c
ln -s libgreet.so.1 {{ destdir }}{{ prefix }}/lib/libgreet.so
echo 'const char *greet(void);' >{{ destdir }}{{ prefix }}/include/greet.h
'''
"#;

/// A tool that only builds need.
const TOOL: &str = r#"
summary = "A tool"
[versions."1.0"]
[[step]]
name = "build"
run = '''
mkdir -p {{ destdir }}{{ prefix }}/bin
printf '#!/bin/sh\necho made by the tool\n' >{{ destdir }}{{ prefix }}/bin/tool
chmod +x {{ destdir }}{{ prefix }}/bin/tool
'''
"#;

const MAIN: &str = r#"
use std::ffi::CStr;
#[link(name = "greet")]
unsafe extern "C" { fn greet() -> *const std::ffi::c_char; }
fn main() {
    let text = unsafe { CStr::from_ptr(greet()) };
    println!("{}, {}", text.to_str().unwrap(), env!("MADE"));
}
"#;

const BUILD: &str = r#"
fn main() {
    let made = std::process::Command::new("tool").output().expect("the tool is on the PATH");
    println!("cargo::rustc-env=MADE={}", String::from_utf8(made.stdout).unwrap().trim());
}
"#;

const METADATA: &str =
    "\n[package.metadata.envy]\ndependencies = { greet = '1' }\nbuild-dependencies = { tool = '1' }\n";

fn world() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("recipes/greet.toml", GREET).write("recipes/tool.toml", TOOL);
    scratch.write("app/Cargo.toml", manifest("app", "1.0.0") + METADATA);
    scratch.write("app/Cargo.lock", cargo_lock(&[("app", "1.0.0")]));
    scratch.write("app/src/main.rs", MAIN).write("app/build.rs", BUILD);
    scratch.write("envy.toml", "[sites.api.dependencies]\napp = { path = 'app' }\n");
    scratch
}

#[test]
fn a_service_brings_its_libraries_along() {
    let scratch = world();
    scratch.envy("lock").ok(expect![[r#"
        locked 3 packages for site `api`
          + app 1.0.0
          + greet 1.0
          + tool 1.0
    "#]]);
    scratch.envy("build").succeeds();
    scratch.envy("run api -- app").ok(expect![[r#"
        --- stdout ---
        hello from 1.0, made by the tool
    "#]]);
    let prefix = scratch.path(".envy/sites/api/current");
    assert!(prefix.join("lib/libgreet.so.1").exists() && !prefix.join("bin/tool").exists());
    let loaded = scratch.shell().sh("ldd .envy/sites/api/current/bin/app").stdout().to_owned();
    let of_the_site = |line: &str| line.contains("libgreet.so.1") && line.contains("current/bin/../lib/");
    assert!(loaded.lines().any(of_the_site), "{loaded}");
    scratch.envy("build --locked").succeeds().says("unchanged");
}

#[test]
fn what_a_service_states_is_locked_and_a_site_may_say_more() {
    let scratch = world();
    scratch.envy("lock").succeeds();
    let lock = scratch.read("lockfiles/api.lock");
    assert!(lock.contains("dependencies = [\"greet\"]\nbuild-dependencies = [\"tool\"]\n"), "{lock}");
    assert!(lock.contains("[[package.stated]]\nname = \"tool\"\nversion = \"^1\"\nbuild = true\n"), "{lock}");
    let more = "app = { path = 'app' }\ngreet = { recipe = 'greet', version = '1', params = { word = 'good day' } }\n";
    scratch.write("envy.toml", format!("[sites.api.dependencies]\n{more}"));
    scratch.envy("build").succeeds();
    scratch.envy("run api -- app").succeeds().says("good day from 1.0");
}

#[test]
fn needs_that_a_directory_states_later_come_with_the_next_build() {
    let scratch = world();
    scratch.write("app/Cargo.toml", manifest("app", "1.0.0"));
    scratch.write("app/src/main.rs", "fn main() {}").write("app/build.rs", "fn main() {}");
    scratch.envy("build").succeeds();
    assert!(!scratch.read("lockfiles/api.lock").contains("greet"));

    scratch.write("app/Cargo.toml", manifest("app", "1.0.0") + METADATA);
    scratch.write("app/src/main.rs", MAIN).write("app/build.rs", BUILD);
    scratch.envy("build").succeeds().says("+ greet 1.0").says("+ tool 1.0");
    scratch.envy("run api -- app").succeeds().says("hello from 1.0");
}

#[test]
fn a_version_that_its_recipe_lists_no_more_is_drift_and_another_is_locked() {
    let scratch = world();
    scratch.envy("lock").succeeds();
    scratch.write("recipes/greet.toml", GREET.replace("[versions.\"1.0\"]", "[versions.\"1.1\"]"));
    scratch.envy("lock --check").ends(3).says("recipe `greet` no longer lists `greet 1.0`, which is locked");
    scratch.envy("lock").succeeds().says("~ greet 1.0 -> 1.1");
}

#[test]
fn a_site_that_wants_another_version_than_a_service_is_told_who_asks() {
    let scratch = world();
    let other = "app = { path = 'app' }\ngreet = { recipe = 'greet', version = '2' }\n";
    scratch.write("envy.toml", format!("[sites.api.dependencies]\n{other}"));
    scratch.envy("lock").fails(
        6,
        expect![[r#"
            error: no choice of packages satisfies site `api`
              site `api` requires app *
              app 1.0.0 requires greet ^1
              site `api` requires greet ^2
            hint: ask for greet ^1.0 in `envy.toml`
            hint: write `greet = { recipe = "greet", version = "^2" }` under `[overrides]`, which all have to take then
        "#]],
    );
    assert!(!scratch.path("lockfiles/api.lock").exists());
}

#[test]
fn a_service_may_need_a_version_that_is_none_of_cargos() {
    let scratch = world();
    scratch.write("recipes/greet.toml", GREET.replace("2.0", "1.1.1w"));
    scratch.write("app/Cargo.toml", manifest("app", "1.0.0") + &METADATA.replace("greet = '1'", "greet = '1.1.1w'"));
    scratch.envy("lock").succeeds().says("+ greet 1.1.1w");
    scratch.envy("lock --check").succeeds();
}

#[test]
fn needs_that_make_no_sense_are_told_with_their_place() {
    let scratch = world();
    scratch.write("app/Cargo.toml", manifest("app", "1.0.0") + "[package.metadata.envy]\ndependencys = {}\n");
    scratch.envy("lock").fails(
        1,
        expect![[r#"
            error: `Cargo.toml of app 1.0.0` has 1 error
              Cargo.toml of app 1.0.0:6:1: unknown key `dependencys`
                6 | dependencys = {}
                    ^^^^^^^^^^^
            hint: did you mean `dependencies`?
        "#]],
    );
    scratch.write(
        "app/Cargo.toml",
        manifest("app", "1.0.0") + "[package.metadata.envy]\ndependencies = { grete = '1' }\n",
    );
    scratch.envy("lock").fails(
        1,
        expect![[r#"
            error: there is no recipe `grete`
              `app` needs it
            hint: did you mean `greet`?
        "#]],
    );
}

#[test]
fn compilers_in_the_shell_of_a_site_find_its_libraries() {
    let scratch = world();
    scratch.envy("build").succeeds();
    let program = r#"
#include <greet.h>
#include <stdio.h>
int main(void) { puts(greet()); }
"#;
    scratch.write("main.c", program);
    scratch.envy("run api -- cc main.c -lgreet -o main").succeeds();
    let ran = scratch.shell().sh("LD_LIBRARY_PATH=.envy/sites/api/current/lib ./main");
    assert_eq!(ran.stdout(), "hello from 1.0\n");
}
