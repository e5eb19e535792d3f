//! Patches to what a package is built from.

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::repository::Repository;
use crate::scratch::Scratch;

/// A crate whose program prints two lines.
fn world() -> (Registry, Scratch) {
    let registry = Registry::new();
    registry.publish(Crate::new("app", "1.0.0").bin("app").file("src/main.rs", MAIN));
    let scratch = Scratch::with(&registry);
    (registry, scratch)
}

const MAIN: &str = "fn main() {\n    println!(\"one\");\n    println!(\"two\");\n}\n";

/// Replaces a line of the program by another.
fn patch(scratch: &Scratch, path: &str, from: &str, to: &str) {
    let (first, second) =
        if from == "two" { (line(" ", "one"), "") } else { (String::new(), "    println!(\"two\");\n") };
    let after = if second.is_empty() { String::new() } else { format!(" {second}") };
    let text = format!(
        "--- a/src/main.rs\n+++ b/src/main.rs\n@@ -1,4 +1,4 @@\n fn main() {{\n{first}{}{}{after} }}\n",
        line("-", from),
        line("+", to),
    );
    scratch.write(path, text);
}

fn line(mark: &str, text: &str) -> String {
    format!("{mark}    println!(\"{text}\");\n")
}

fn require(scratch: &Scratch, source: &str, patches: &str) {
    scratch.write("envy.toml", format!("[sites.api.dependencies]\napp = {{ {source}, patches = [{patches}] }}\n"));
}

#[test]
fn patches_are_applied_in_their_order() {
    let (_registry, scratch) = world();
    patch(&scratch, "patches/a.patch", "one", "uno");
    patch(&scratch, "patches/b.patch", "uno", "eins");
    require(&scratch, "version = '1'", "'patches/a.patch', 'patches/b.patch'");
    scratch.envy("build").succeeds();
    scratch.envy("run api -- app").ok(expect![[r#"
        --- stdout ---
        eins
        two
    "#]]);
    assert!(scratch.read("lockfiles/api.lock").contains("\npatches = [\"sha256:"));
    scratch.envy("build --locked").succeeds().says("unchanged");

    // In the other order the first does not fit.
    require(&scratch, "version = '1'", "'patches/b.patch', 'patches/a.patch'");
    scratch.envy("lock --check").fails(
        3,
        expect![[r#"
        error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
          `app` is locked with other patches, or with other texts of them
        hint: run `envy lock api` and review the difference
    "#]],
    );
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        error: could not patch `app 1.0.0`
          caused by: the patch `patches/b.patch` does not fit `src/main.rs`: hunk 1, `@@ -1,4 +1,4 @@`
    "#]],
    );
}

#[test]
fn a_patch_of_a_repository_and_of_an_archive_is_a_patch_all_the_same() {
    let (registry, scratch) = world();
    let app = Repository::new(&scratch, "app");
    app.program("", "app", "1.0.0").write("src/main.rs", MAIN).commit();
    patch(&scratch, "uno.patch", "one", "uno");
    require(&scratch, &format!("git = '{}'", app.url()), "'uno.patch'");
    scratch.envy("build").succeeds();
    scratch.envy("run api -- app").succeeds().says("uno\ntwo");

    scratch.write("app-1.0.0.tar.gz", registry.archive("app", "1.0.0"));
    let url = format!("file://{}", scratch.path("app-{version}.tar.gz").display());
    require(&scratch, &format!("url = '{url}', version = '1.0.0', recipe = 'cargo'"), "'uno.patch'");
    scratch.envy("build").ok(expect![[r#"
        fetched 1 file (458 B)
        note: `app 1.0.0` has no `sha256` in `envy.toml`; recording sha256:[..], as it is now
        locked 1 package for site `api`
          ~ app 1.0.0, from archive+file://[SCRATCH]/project/app-{version}.tar.gz instead of git+file://[SCRATCH]/upstream/app.git
        building app 1.0.0
        built app 1.0.0 in [TIME]
        switched site `api` to generation 3 (1 package)
          prefix sha256:[..]
    "#]]);
    scratch.envy("run api -- app").succeeds().says("uno\ntwo");
}

#[test]
fn a_patch_that_is_not_there_or_does_not_fit_is_named() {
    let (_registry, scratch) = world();
    require(&scratch, "version = '1'", "'none.patch'");
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        fetched 1 file (458 B)
        error: there is no `none.patch`, which is to patch `app 1.0.0`
    "#]],
    );
    patch(&scratch, "none.patch", "three", "drei");
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        error: could not patch `app 1.0.0`
          caused by: the patch `none.patch` does not fit `src/main.rs`: hunk 1, `@@ -1,4 +1,4 @@`
    "#]],
    );
    scratch.write("none.patch", "this is no patch\n");
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        error: could not patch `app 1.0.0`
          caused by: could not understand the patch `none.patch`
          caused by: error parsing patches at byte 0: no valid patches found
    "#]],
    );
    scratch.write("none.patch", "--- a/src/none.rs\n+++ b/src/none.rs\n@@ -1 +1 @@\n-a\n+b\n");
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        error: could not patch `app 1.0.0`
          caused by: the patch `none.patch` changes `src/none.rs`, which is not there
    "#]],
    );
    scratch.write("none.patch", "--- a/../outside\n+++ b/../outside\n@@ -0,0 +1 @@\n+b\n");
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        error: could not patch `app 1.0.0`
          caused by: the patch `none.patch` leads outside, to `../outside`
    "#]],
    );
    assert!(!scratch.path("lockfiles").exists());
}

#[test]
fn a_patch_that_changed_is_drift() {
    let (_registry, scratch) = world();
    patch(&scratch, "my.patch", "two", "due");
    require(&scratch, "version = '1'", "'my.patch'");
    scratch.envy("build").succeeds();
    patch(&scratch, "my.patch", "two", "zwei");
    scratch.envy("lock --check").fails(
        3,
        expect![[r#"
        error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
          `app` is locked with other patches, or with other texts of them
        hint: run `envy lock api` and review the difference
    "#]],
    );
    scratch.envy("build --locked").ends(3);
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, drifted
          app 1.0.0 (new)
          ! `app` is locked with other patches, or with other texts of them
          `envy build api` mends it
    "#]]);
    scratch.envy("build").succeeds();
    scratch.envy("run api -- app").succeeds().says("one\nzwei");
    std::fs::remove_file(scratch.path("my.patch")).expect("it was there");
    scratch.envy("build --locked").ends(3);
    scratch.envy("build").fails(
        1,
        expect![[r#"
        error: there is no `my.patch`, which is to patch `app 1.0.0`
    "#]],
    );
    scratch.write("envy.toml", "[sites.api.dependencies]\napp = '1'\n");
    scratch.envy("lock --check").ends(3);
    scratch.envy("build").succeeds();
    scratch.envy("run api -- app").succeeds().says("one\ntwo");
}

#[test]
fn a_directory_is_edited_and_not_patched() {
    let (_registry, scratch) = world();
    let lock = crate::repository::cargo_lock(&[("app", "1.0.0")]);
    scratch.write("app/Cargo.toml", crate::repository::manifest("app", "1.0.0"));
    scratch.write("app/Cargo.lock", lock).write("app/src/main.rs", MAIN);
    patch(&scratch, "my.patch", "two", "due");
    require(&scratch, "path = 'app'", "'my.patch'");
    scratch.envy("build").fails(
        1,
        expect![[r#"
        error: `envy.toml` has 1 error
          envy.toml:2:33: what comes from a `path` is not patched
            2 | app = { path = 'app', patches = ['my.patch'] }
                                                ^^^^^^^^^^^^
        hint: edit its files
    "#]],
    );
}
