//! Packages from directories: what people use while they write them.

use expect_test::expect;

use crate::repository::{MAIN, cargo_lock, manifest};
use crate::scratch::Scratch;

/// Writes a program that prints its name and version into a directory of the project.
fn program(scratch: &Scratch, directory: &str, name: &str, version: &str) {
    let lock = cargo_lock(&[(name, version)]);
    scratch.write(format!("{directory}/Cargo.toml"), manifest(name, version));
    scratch.write(format!("{directory}/Cargo.lock"), lock).write(format!("{directory}/src/main.rs"), MAIN);
}

fn require(scratch: &Scratch, dependencies: &str) {
    scratch.write("envy.toml", format!("[sites.api.dependencies]\n{dependencies}\n"));
}

fn world() -> Scratch {
    let scratch = Scratch::new();
    program(&scratch, "apps/one", "one", "1.0.0");
    program(&scratch, "apps/two", "two", "2.0.0");
    require(&scratch, "one = { path = 'apps/one' }\ntwo = { path = 'apps/two' }");
    scratch
}

/// A lockfile without its first lines.
fn packages(scratch: &Scratch) -> String {
    let text = scratch.read("lockfiles/api.lock");
    let at = text.find("\n[[package]]").expect("it has packages");
    crate::outcome::normalise(&text[at..], "")
}

#[test]
fn a_directory_is_locked_as_what_is_not_pinned() {
    let scratch = world();
    scratch.envy("lock").ok(expect![[r#"
        locked 2 packages for site `api`
          + one 1.0.0
          + two 2.0.0
    "#]]);
    scratch.envy("build").succeeds().says("building one 1.0.0").says("building two 2.0.0");
    expect![[r#"

        [[package]]
        name = "one"
        version = "1.0.0"
        source = "path+apps/one"
        pinned = false
        recipe = "sha256:[..]"

        [[package]]
        name = "two"
        version = "2.0.0"
        source = "path+apps/two"
        pinned = false
        recipe = "sha256:[..]"
    "#]]
    .assert_eq(&packages(&scratch));
    scratch.envy("run api -- one").succeeds().says("one 1.0.0");
    scratch.envy("run api -- two").succeeds().says("two 2.0.0");
    scratch.envy("tree").ok(expect![[r#"
        --- stdout ---
        api
        ├── one 1.0.0 path+apps/one (unpinned)
        └── two 2.0.0 path+apps/two (unpinned)
    "#]]);
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, current
          one 1.0.0 (unpinned)
          two 2.0.0 (unpinned)
    "#]]);
    let package = &scratch.envy("tree --json").json()["sites"][0]["packages"][0];
    assert_eq!((package["pinned"].as_bool(), package["source"].as_str()), (Some(false), Some("path+apps/one")));
    assert_eq!(scratch.envy("status --json").json()["sites"][0]["state"].as_str(), Some("current"));
    for command in ["build", "build --locked", "lock"] {
        scratch.envy(command).succeeds().says("unchanged");
    }
}

#[test]
fn an_edit_builds_what_was_edited_and_nothing_else() {
    let scratch = world();
    scratch.envy("build").succeeds();
    scratch.write("apps/one/src/main.rs", "fn main() { println!(\"edited\") }\n");
    scratch.envy("build").ok(expect![[r#"
        building one 1.0.0
        built one 1.0.0 in [TIME]
        switched site `api` to generation 3 (2 packages)
          prefix sha256:[..]
    "#]]);
    scratch.envy("run api -- one").succeeds().says("edited");
    scratch.write("apps/one/src/main.rs", "fn main() { println!(\"edited again\") }\n");
    scratch.envy("build --locked").succeeds().says("building one").never_says("building two");
    scratch.envy("run api -- one").succeeds().says("edited again");
    // What was built before is found again, whenever it was written.
    scratch.write("apps/one/src/main.rs", "fn main() { println!(\"edited\") }\n");
    scratch.envy("build").ok(expect![[r#"
        switched site `api` to generation 5 (2 packages)
          prefix sha256:[..]
    "#]]);
    scratch.envy("build").succeeds().says("unchanged");
}

#[test]
fn files_that_git_ignores_do_not_matter() {
    let scratch = world();
    scratch.write("apps/one/.gitignore", "/target\n*.log\n");
    scratch.envy("build").succeeds();
    scratch.write("apps/one/target/debug/one", "built").write("apps/one/today.log", "");
    scratch.envy("build").succeeds().says("unchanged");
    scratch.write("apps/one/README.md", "read by nobody, but who knows that?");
    scratch.envy("build").succeeds().says("building one");
}

#[test]
fn another_version_of_a_directory_is_no_drift() {
    let scratch = world();
    scratch.envy("build").succeeds();
    program(&scratch, "apps/one", "one", "1.5.0");
    scratch.envy("lock --check").succeeds();
    scratch.envy("build --locked").succeeds().says("building one");
    scratch.envy("run api -- one").succeeds().says("one 1.5.0");
    scratch.envy("lock").succeeds();
    scratch.envy("build").succeeds();
    scratch.envy("build").succeeds().says("unchanged");
}

#[test]
fn what_a_package_depends_on_beside_its_workspace_comes_along() {
    let scratch = Scratch::new();
    scratch.write("libs/greet/Cargo.toml", manifest("greet", "0.1.0"));
    scratch.write("libs/greet/src/lib.rs", "pub fn said() -> &'static str { \"greeted\" }\n");
    let lock = "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"1.0.0\"\ndependencies = [\n \"greet\",\n]\n\n[[package]]\nname = \"greet\"\nversion = \"0.1.0\"\n";
    scratch.write(
        "apps/app/Cargo.toml",
        manifest("app", "1.0.0") + "[dependencies]\ngreet = { path = \"../../libs/greet\" }\n",
    );
    scratch.write("apps/app/Cargo.lock", lock);
    scratch.write("apps/app/src/main.rs", "fn main() { println!(\"{}\", greet::said()) }\n");
    scratch.write("apps/never/read", "");
    require(&scratch, "app = { path = 'apps/app' }");
    scratch.envy("build").succeeds();
    scratch.envy("run api -- app").succeeds().says("greeted");
    scratch.write("apps/never/read", "changed");
    scratch.envy("build").succeeds().says("unchanged");
    scratch.write("libs/greet/src/lib.rs", "pub fn said() -> &'static str { \"greeted anew\" }\n");
    scratch.envy("build").succeeds().says("building app");
    scratch.envy("run api -- app").succeeds().says("greeted anew");
}

#[test]
fn a_member_is_built_in_its_workspace() {
    let scratch = Scratch::new();
    let top = "[workspace]\nmembers = [\"api\", \"web\"]\nresolver = \"2\"\n[workspace.package]\nversion = \"4.0.0\"\nedition = \"2021\"\n";
    scratch
        .write("services/Cargo.toml", top)
        .write("services/Cargo.lock", cargo_lock(&[("api", "4.0.0"), ("web", "4.0.0")]));
    for name in ["api", "web"] {
        let text = format!("[package]\nname = \"{name}\"\nversion.workspace = true\nedition.workspace = true\n");
        scratch.write(format!("services/{name}/Cargo.toml"), text).write(format!("services/{name}/src/main.rs"), MAIN);
    }
    require(&scratch, "api = { path = 'services/api' }\nweb = { path = 'services' }");
    scratch.envy("build").succeeds();
    scratch.envy("run api -- api").succeeds().says("api 4.0.0");
    scratch.envy("run api -- web").succeeds().says("web 4.0.0");
}

#[test]
fn a_directory_without_a_cargo_lock_gets_one() {
    let scratch = world();
    std::fs::remove_file(scratch.path("apps/one/Cargo.lock")).expect("it was there");
    scratch.envy("lock").ok(expect![[r#"
        note: `one 1.0.0` ships no Cargo.lock that fits it; making one
        locked 2 packages for site `api`
          + one 1.0.0
          + two 2.0.0
    "#]]);
    scratch.envy("build").succeeds().says("building one 1.0.0").says("building two 2.0.0");
    assert!(scratch.read("lockfiles/api/one.Cargo.lock").contains("name = \"one\""));
    assert!(!scratch.path("apps/one/Cargo.lock").exists(), "a directory of the user's is only read");
    scratch.envy("build --locked").succeeds().says("unchanged");
    scratch.envy("run api -- one").succeeds().says("one 1.0.0");
    // It stays where another package comes and goes.
    program(&scratch, "apps/three", "three", "3.0.0");
    scratch.write("envy.toml", scratch.read("envy.toml") + "three = { path = 'apps/three' }\n");
    scratch.envy("lock").succeeds().never_says("making one");
    assert!(scratch.read("lockfiles/api/one.Cargo.lock").contains("name = \"one\""));
    // One that no longer fits what it is for is made anew where that is allowed.
    scratch.write("apps/one/Cargo.toml", manifest("one", "1.1.0"));
    scratch.envy("build --locked").fails(
        3,
        expect![[r#"
        error: the Cargo.lock of `one 1.0.0` does not fit its Cargo.toml
        hint: run `cargo update --workspace` there, or `envy lock`
    "#]],
    );
    scratch.envy("build").succeeds().says("making one");
    scratch.envy("run api -- one").succeeds().says("one 1.1.0");
}

#[test]
fn a_directory_is_added_by_its_path() {
    let scratch = world();
    scratch.write("envy.toml", "[sites.api]\n");
    scratch.in_dir("apps").envy("add --path one --site api").succeeds();
    expect![[r#"
        [sites.api]

        [sites.api.dependencies]
        one = { path = "apps/one" }
    "#]]
    .assert_eq(&scratch.read("envy.toml"));
    scratch.envy("run api -- one").succeeds().says("one 1.0.0");
    scratch.envy("add --path apps/none --site api").fails(
        1,
        expect![[r#"
        error: could not find `apps/none`
          caused by: No such file or directory (os error 2)
    "#]],
    );
    scratch.write("empty/file", "");
    scratch.envy("add --path empty --site api").fails(
        1,
        expect![[r#"
        error: `empty 0.0.0` has no `Cargo.toml`, and recipe `cargo` builds nothing else
    "#]],
    );
    std::fs::remove_dir_all(scratch.path("apps/one")).expect("it was there");
    scratch.envy("build").fails(
        1,
        expect![[r#"
        error: could not find `[SCRATCH]/project/apps/one`
          caused by: No such file or directory (os error 2)
    "#]],
    );
}
