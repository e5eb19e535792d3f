//! Registries that are for users alone.

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::scratch::Scratch;

/// A registry that stands for crates.io under the name `company`, for who knows its token.
fn company() -> (Registry, Scratch) {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello")).wants_token("sesame");
    let scratch = Scratch::new();
    let config = format!("[source.crates-io]\nreplace-with = \"company\"\n\n{}", registry.cargo_config("company"));
    scratch.write("../cargo/config.toml", config).write("envy.toml", "[sites.api.dependencies]\nhello = \"1\"\n");
    (registry, scratch)
}

#[test]
fn who_is_not_logged_in_is_told_how() {
    let (registry, scratch) = company();
    scratch.envy("lock api").fails(
        1,
        expect![[r#"
            error: registry `company` wants its users to log in, and cargo knows no token for it
            hint: run `cargo login --registry company`
        "#]],
    );
    assert_eq!(registry.requests(), ["GET /index/config.json 401"]);
    scratch.env("CARGO_REGISTRIES_COMPANY_TOKEN", "guessed").envy("lock api").fails(
        1,
        expect![[r#"
            error: registry `company` refused the token
            hint: run `cargo login --registry company`
        "#]],
    );
    assert!(!scratch.path("lockfiles").exists());
}

#[test]
fn a_token_is_used_and_kept_to_ourselves() {
    let (registry, scratch) = company();
    scratch.write("../cargo/credentials.toml", "[registries.company]\ntoken = \"sesame\"\n");
    let outcome = scratch.envy("run api -v -- hello");
    outcome.succeeds().says("hello 1.0.0").never_says("sesame");
    assert!(registry.requests().contains(&"GET /crates/hello/1.0.0/download 200".to_owned()));
    scratch.shell().sh("grep -rl sesame .. --exclude-dir=tmp").ok(expect![[r#"
        --- stdout ---
        ../cargo/credentials.toml
    "#]]);
}

#[test]
fn a_provider_that_envy_cannot_ask_is_named() {
    let (_registry, scratch) = company();
    scratch.write(".cargo/config.toml", "[registries.company]\ncredential-provider = \"cargo:libsecret\"\n");
    scratch.envy("lock api").fails(
        1,
        expect![[r#"
            error: cargo keeps the token for registry `company` by `cargo:libsecret`, which envy cannot ask
        "#]],
    );
}

/// A registry beside crates.io with one program, and a project that calls it `company`.
fn beside() -> (Registry, Registry, Scratch) {
    let (usual, company) = (Registry::new(), Registry::other());
    company.publish(Crate::new("greet", "1.0.0").lib());
    company.publish(Crate::new("tool", "1.0.0").bin("tool").dep("greet", "1"));
    let scratch = Scratch::with(&usual);
    scratch.write("envy.toml", format!("[sites.api]\n\n[registries.company]\nindex = \"{}\"\n", company.index()));
    (usual, company, scratch)
}

/// Nothing was added.
fn is_untouched(scratch: &Scratch) {
    assert!(!scratch.path("lockfiles").exists());
    assert!(!scratch.read("envy.toml").contains("dependencies"));
}

#[test]
fn a_crate_of_another_registry_is_added_by_its_name() {
    let (usual, company, scratch) = beside();

    scratch.envy("add tool --registry company").succeeds();

    scratch.envy("run api -- tool").says("tool 1.0.0");
    let manifest = scratch.read("envy.toml");
    assert!(manifest.contains("tool = { registry = \"company\", version = \"1.0.0\" }"), "{manifest}");
    let locked = scratch.read("lockfiles/api.lock");
    assert!(locked.contains("source = \"registry+company\"") && !locked.contains("127.0.0.1"), "{locked}");
    assert_eq!(usual.requests(), [""; 0], "nobody asks crates.io for what is not its own");
    assert!(company.requests().contains(&"GET /crates/greet/1.0.0/download 200".to_owned()), "crates of crates too");
}

#[test]
fn another_registry_may_be_for_users_alone() {
    let (_usual, company, scratch) = beside();
    company.wants_token("sesame");
    scratch.envy("add tool --registry company").ends(1).says("hint: run `cargo login --registry company`");
    is_untouched(&scratch);

    let shell = scratch.env("CARGO_REGISTRIES_COMPANY_TOKEN", "sesame");
    shell.envy("add tool --registry company").succeeds().never_says("sesame");
    shell.envy("run api -- tool").says("tool 1.0.0");
    scratch.shell().sh("grep -rl sesame ..").ends(1);
}

#[test]
fn a_registry_that_nobody_knows_is_told_with_what_to_write() {
    let (_usual, _company, scratch) = beside();
    scratch.envy("add tool --registry compny").fails(
        1,
        expect![[r#"
        error: there is no registry `compny`: neither `envy.toml` nor cargo's configuration names its index
        hint: write `[registries.compny]` with its `index` into `envy.toml`
    "#]],
    );
    is_untouched(&scratch);
}

#[test]
fn a_name_that_another_registry_does_not_have_is_told_of_that_registry() {
    let (usual, _company, scratch) = beside();
    usual.publish(Crate::new("hello", "1.0.0").bin("hello"));
    scratch.envy("add hello --registry company").fails(
        6,
        expect![[r#"
            error: there is no version that could be added
              registry `company` has no crate `hello`
        "#]],
    );
    is_untouched(&scratch);
    let manifest = scratch.read("envy.toml");
    let wanting = "hello = { version = \"1\", registry = \"company\" }\n";
    scratch.write("envy.toml", format!("{manifest}\n[sites.api.dependencies]\n{wanting}"));
    scratch.envy("lock").fails(
        6,
        expect![[r#"
            error: no choice of packages satisfies site `api`
              site `api` requires hello ^1
              registry `company` has no crate `hello`
        "#]],
    );
    assert_eq!(usual.requests(), [""; 0], "nothing falls back from one registry to another");
}

#[test]
fn a_lockfile_works_where_the_registry_has_another_address() {
    let (_usual, company, scratch) = beside();
    company.publish(Crate::new("alone", "1.0.0").bin("alone"));
    scratch.envy("add alone --registry company").succeeds();
    let locked = scratch.read("lockfiles/api.lock");
    let other = Registry::other();
    other.publish(Crate::new("alone", "1.0.0").bin("alone"));
    company.go_away();
    scratch.shell().sh("chmod -R u+w ../data && rm -r ../data/envy ../cache/envy/index").succeeds();
    scratch.write("envy.toml", scratch.read("envy.toml").replace(&company.index(), &other.index()));

    scratch.envy("build --locked").succeeds();
    assert_eq!(scratch.read("lockfiles/api.lock"), locked);
}

#[test]
fn crates_of_another_registry_are_missing_offline_by_their_names() {
    let (_usual, _company, scratch) = beside();
    scratch.envy("add tool --registry company --no-build").succeeds();
    scratch.envy("create web").succeeds();
    scratch.envy("build api --locked --offline").fails(
        5,
        expect![[r#"
        error: the network may not be used, and 1 thing is not here
          greet 1.0.0
        hint: run the same command once without `--offline`
    "#]],
    );
    scratch.envy("fetch api").succeeds();
    scratch.envy("build api --locked --offline").succeeds();
}

#[test]
fn a_cut_off_is_for_other_registries_too() {
    let (_usual, company, scratch) = beside();
    company.publish(Crate::new("tool", "1.1.0").bin("tool").published("2026-11-20T00:00:00Z"));
    company.publish(Crate::new("tool", "1.0.0").bin("tool").published("2026-10-01T00:00:00Z"));
    scratch.write("envy.toml", scratch.read("envy.toml") + "\n[settings]\nexclude-newer = \"2026-11-17\"\n");
    scratch.envy("add tool --registry company").succeeds();
    scratch.envy("run api -- tool").says("tool 1.0.0");
}
