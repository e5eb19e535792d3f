//! What a package from a repository brings along: crates from elsewhere, cargo's configuration, a wish for a compiler.

use expect_test::expect;

use super::{prints, require_app, world};
use crate::registry::{Crate, Registry};
use crate::repository::{Repository, manifest};
use crate::scratch::Scratch;

/// A program of a repository that takes a crate from another, and that other.
fn forked(scratch: &Scratch) -> (Repository, Repository, String) {
    let fork = Repository::new(scratch, "fork");
    fork.write("Cargo.toml", "[workspace]\nmembers = [\"fork\"]\n[workspace.package]\nversion = \"0.1.0\"\n");
    fork.write("fork/Cargo.toml", "[package]\nname = \"fork\"\nversion.workspace = true\nedition = \"2021\"\n");
    fork.write("fork/src/lib.rs", "pub fn said() -> &'static str { \"as it was pinned\" }\n");
    let commit = fork.commit();
    let app = Repository::new(scratch, "app");
    let url = fork.url();
    let needs = format!("[dependencies]\nfork = {{ git = \"{url}\" }}\n");
    app.program("", "app", "1.0.0").write("Cargo.toml", manifest("app", "1.0.0") + &needs);
    app.write("Cargo.lock", format!("version = 4\n\n[[package]]\nname = \"app\"\nversion = \"1.0.0\"\ndependencies = [\n \"fork\",\n]\n\n[[package]]\nname = \"fork\"\nversion = \"0.1.0\"\nsource = \"git+{url}#{commit}\"\n"));
    app.write("src/main.rs", "fn main() { println!(\"{}\", fork::said()) }\n").commit();
    (app, fork, commit)
}

#[test]
fn a_crate_from_a_repository_is_pinned_and_not_followed() {
    let scratch = Scratch::new();
    let (app, fork, commit) = forked(&scratch);
    require_app(&scratch, &app, "");
    scratch.envy("build").ok(expect![[r#"
        locked 1 package for site `api`
          + app 1.0.0
        building app 1.0.0
        built app 1.0.0 in [TIME]
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]);
    scratch.envy("run api -- app").succeeds().says("as it was pinned");
    let lockfile = scratch.read("lockfiles/api.lock");
    assert!(
        lockfile.contains(&format!("\n[[package.crate-source]]\nurl = \"{}\"\ncommit = \"{commit}\"\n", fork.url()))
    );

    fork.write("fork/src/lib.rs", "pub fn said() -> &'static str { \"as it is now\" }\n").commit();
    for command in ["lock", "update"] {
        scratch.envy(command).succeeds();
        assert_eq!(scratch.read("lockfiles/api.lock"), lockfile, "{command}");
    }
    fork.vanish();
    app.vanish();
    std::fs::remove_dir_all(scratch.path(".envy")).expect("the site is there");
    std::fs::remove_dir_all(scratch.store().join("results")).expect("results are there");
    scratch.envy("build --locked --offline").succeeds();
    scratch.envy("run api -- app").succeeds().says("as it was pinned");
}

#[test]
fn a_crate_may_come_from_a_registry_beside_crates_io() {
    let (crates_io, company) = (Registry::new(), Registry::other());
    company.publish(Crate::new("base", "1.0.0").lib());
    company.publish(Crate::new("greet", "1.0.0").lib().dep("base", "1"));
    crates_io.publish(Crate::new("base", "2.0.0").lib());
    let scratch = Scratch::with(&crates_io);
    let app = Repository::new(&scratch, "app");
    let needs = "[dependencies]\ngreet = { version = \"1\", registry = \"company\" }\n";
    app.program("", "app", "1.0.0").write("Cargo.toml", manifest("app", "1.0.0") + needs);
    app.write("Cargo.lock", company.cargo_lock(&Crate::new("app", "1.0.0").bin("app").dep("greet", "1")));
    app.write("src/main.rs", "fn main() { println!(\"{}\", greet::name()) }\n").commit();
    let registries = format!("[registries.company]\nindex = \"{}\"\n", company.index());
    scratch.write("envy.toml", format!("{registries}[sites.api.dependencies]\napp = {{ git = \"{}\" }}\n", app.url()));
    scratch.envy("build").ok(expect![[r#"
        locked 1 package for site `api`
          + app 1.0.0
        fetched 2 files (711 B)
        building app 1.0.0
        built app 1.0.0 in [TIME]
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]);
    scratch.envy("run api -- app").succeeds().says("greet 1.0.0");
    company.go_away();
    crates_io.go_away();
    std::fs::remove_dir_all(scratch.store().join("results")).expect("results are there");
    scratch.envy("build --locked --offline").succeeds();
}

#[test]
fn a_projects_own_configuration_of_cargo_counts_but_for_where_things_come_from() {
    let (scratch, app) = world(&[]);
    app.program("", "app", "1.0.0");
    app.write("src/main.rs", "fn main() { println!(\"{}\", if cfg!(seen) { \"seen\" } else { \"not seen\" }) }\n");
    let config = "[build]\nrustflags = [\"--cfg\", \"seen\"]\nrustc-wrapper = \"/bin/false\"\n[source.crates-io]\nreplace-with = \"nowhere\"\n[source.nowhere]\ndirectory = \"/nowhere\"\n";
    app.write(".cargo/config.toml", config).commit();
    require_app(&scratch, &app, "");
    scratch
        .envy("build -v")
        .succeeds()
        .says("`build.rustc-wrapper` in `.cargo/config.toml` of `app 1.0.0` does not count");
    scratch.envy("run api -- app").ok(expect![[r#"
        --- stdout ---
        seen
    "#]]);
}

#[test]
fn a_project_that_asks_for_another_rust_is_built_with_ours() {
    let (scratch, app) = world(&[]);
    app.program("", "app", "1.0.0").write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.0.0\"\n").commit();
    require_app(&scratch, &app, "");
    scratch.envy("lock").ok(expect![[r#"
        note: `app 1.0.0` asks for another Rust by `rust-toolchain.toml`; it is built with the project's
        locked 1 package for site `api`
          + app 1.0.0
    "#]]);
    prints(&scratch, "app", "app 1.0.0\n");
}
