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
