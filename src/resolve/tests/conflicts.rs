//! Shapes of conflicts, as people read them.

use expect_test::expect;

use super::*;

#[test]
fn a_package_and_the_site_disagree() {
    let universe = Universe::default()
        .with("redis", &["7.0.15"])
        .with("openssl", &["1.1.1", "3.0.0", "3.5.0"])
        .requires("redis 7.0.15", "openssl", ">=3");
    check_conflict(
        &universe,
        &[asks("site `a`", "redis", "7"), asks("site `a`", "openssl", "^1.1")],
        expect![[r#"
            site `a` requires openssl ^1.1
            site `a` requires redis ^7
            redis 7.0.15 requires openssl >=3
            hint: ask for openssl ^3.5 in `envy.toml`
            hint: write `openssl = { recipe = "openssl", version = "^1.1" }` under `[overrides]`, which all have to take then
        "#]],
    );
}

#[test]
fn many_versions_that_require_the_same_are_one_sentence() {
    let universe = Universe::default()
        .with("grpc", &["1.59.0", "1.60.0", "1.61.0", "1.66.0"])
        .with("legacy", &["1.0.0", "2.0.0"])
        .with("openssl", &["1.1.1", "3.0.0"])
        .requires("grpc 1.59.0", "openssl", "^1.1")
        .requires("grpc 1.60.0", "openssl", ">=3")
        .requires("grpc 1.61.0", "openssl", ">=3")
        .requires("grpc 1.66.0", "openssl", ">=3")
        .requires("legacy 1.0.0", "openssl", "^1.1")
        .requires("legacy 2.0.0", "openssl", ">=3");
    check_conflict(
        &universe,
        &[asks("site `a`", "grpc", "^1.60"), asks("site `a`", "legacy", "1")],
        expect![[r#"
            site `a` requires grpc ^1.60
            every grpc from 1.60.0 to 1.66.0 requires openssl >=3
            site `a` requires legacy ^1
            legacy 1.0.0 requires openssl ^1.1
            hint: ask for legacy ^2.0 in `envy.toml`
            hint: ask for grpc ^1.59 in `envy.toml`
        "#]],
    );
}

#[test]
fn a_chain_is_told_from_the_site_down() {
    let universe = Universe::default()
        .with("app", &["1.0.0"])
        .with("http", &["2.0.0"])
        .with("tls", &["4.0.0"])
        .with("openssl", &["1.1.1", "3.0.0"])
        .requires("app 1.0.0", "http", "2")
        .requires("http 2.0.0", "tls", "4")
        .requires("tls 4.0.0", "openssl", ">=3")
        .requires("app 1.0.0", "openssl", "^1");
    check_conflict(
        &universe,
        &[asks("site `a`", "app", "1")],
        expect![[r#"
        site `a` requires app ^1
        app 1.0.0 requires http ^2
        http 2.0.0 requires tls ^4
        tls 4.0.0 requires openssl >=3
        app 1.0.0 requires openssl ^1
        hint: write `openssl = { recipe = "openssl", version = "^1" }` under `[overrides]`, which all have to take then
    "#]],
    );
}

#[test]
fn what_has_nothing_to_do_with_it_is_left_out() {
    let universe = Universe::default()
        .with("app", &["1.0.0"])
        .with("other", &["1.0.0", "2.0.0"])
        .with("openssl", &["3.0.0"])
        .requires("app 1.0.0", "openssl", "^4")
        .requires("other 2.0.0", "openssl", "^3");
    check_conflict(
        &universe,
        &[asks("site `a`", "other", "*"), asks("site `a`", "app", "1"), asks("every site", "openssl", "*")],
        expect![[r#"
            site `a` requires app ^1
            app 1.0.0 requires openssl ^4
            the only version of openssl is 3.0.0
            hint: go without `app`, which site `a` requires
        "#]],
    );
}

#[test]
fn a_package_needs_one_that_does_not_exist() {
    let universe = Universe::default()
        .with("app", &["1.0.0", "1.1.0"])
        .with("openssl", &["3.0.0"])
        .requires("app 1.0.0", "opensll", "3")
        .requires("app 1.1.0", "opensll", "3");
    check_conflict(
        &universe,
        &[asks("site `a`", "app", "1")],
        expect![[r#"
        site `a` requires app ^1
        every app requires opensll ^3
        crates.io has no crate `opensll`; there is `openssl`
        hint: write `openssl` instead of `opensll` in `envy.toml`
    "#]],
    );
}

#[test]
fn what_constraints_hide_is_said() {
    let mut universe = Universe::default().with("zlib", &["1.2.13", "1.3.1"]);
    let limit = Hidden::Limited { to: Range::Req(">=1.3".parse().unwrap()) };
    universe.versions.get_mut(&name("zlib")).unwrap()[0].hidden = Some(limit);
    check_conflict(
        &universe,
        &[asks("site `a`", "zlib", "~1.2")],
        expect![[r#"
        site `a` requires zlib ~1.2
        zlib 1.2.13 would fit, but is outside of `[constraints]`, which allow >=1.3
        the only version of zlib is 1.3.1
        hint: let `zlib` under `[constraints]` allow 1.2.13
        hint: ask for zlib ^1.3 in `envy.toml`
    "#]],
    );
}

#[test]
fn what_a_package_needs_may_be_hidden() {
    let universe = Universe::default()
        .with("app", &["1.0.0"])
        .with("openssl", &["3.0.0", "3.5.0 2026-11-20T00:00:00Z"])
        .requires("app 1.0.0", "openssl", ">=3.5");
    check_conflict(
        &universe,
        &[asks("site `a`", "app", "1")],
        expect![[r#"
        site `a` requires app ^1
        app 1.0.0 requires openssl >=3.5
        openssl 3.5.0 would fit, but was published 2026-11-20, after the cut-off 2026-11-17
        the only version of openssl is 3.0.0
        hint: to take it all the same, write `exclude-newer = false` beside `openssl` in `envy.toml`, or add it with `--exclude-newer false`
    "#]],
    );
}

#[test]
fn what_needs_a_newer_compiler_is_named_with_it() {
    let universe = Universe::default().with("app", &["1.0.0", "2.0.0 1.99.0"]).with("lib", &["1.0.0"]).requires(
        "app 1.0.0",
        "lib",
        "2",
    );
    check_conflict(
        &universe,
        &[asks("site `a`", "app", "*")],
        expect![[r#"
            site `a` requires app *
            app 1.0.0 requires lib ^2
            the only version of lib is 1.0.0
            hint: go without `app`, which site `a` requires
        "#]],
    );
}

#[test]
fn what_is_not_there_for_a_platform_is_named_with_it() {
    let mut universe = Universe::default().with("geoip", &["2026.1.0"]);
    let platform = "aarch64-linux-gnu".to_owned();
    universe.versions.get_mut(&name("geoip")).unwrap()[0].hidden = Some(Hidden::NoPlatform { platform });
    check_conflict(
        &universe,
        &[asks("site `a`", "geoip", "*")],
        expect![[r#"
            site `a` requires geoip *
            geoip 2026.1.0 would fit, but has nothing for aarch64-linux-gnu
        "#]],
    );
}

#[test]
fn three_who_ask_are_all_named() {
    let universe = Universe::default()
        .with("one", &["1.0.0"])
        .with("two", &["1.0.0"])
        .with("three", &["1.0.0"])
        .with("lib", &["1.0.0", "2.0.0", "3.0.0"])
        .requires("one 1.0.0", "lib", ">=1, <3")
        .requires("two 1.0.0", "lib", ">=2")
        .requires("three 1.0.0", "lib", "<2");
    check_conflict(
        &universe,
        &[asks("site `a`", "one", "1"), asks("site `a`", "two", "1"), asks("every site", "three", "1")],
        expect![[r#"
            every site requires three ^1
            three 1.0.0 requires lib <2
            site `a` requires two ^1
            two 1.0.0 requires lib >=2
            hint: write `lib = { recipe = "lib", version = "<2" }` under `[overrides]`, which all have to take then
        "#]],
    );
}

#[test]
fn versions_with_gaps_are_named_in_stretches() {
    let universe = Universe::default()
        .with("grpc", &["1.0.0", "1.1.0", "1.2.0", "1.3.0"])
        .with("a", &["1.0.0"])
        .with("b", &["1.0.0"])
        .requires("grpc 1.0.0", "a", "2")
        .requires("grpc 1.1.0", "b", "2")
        .requires("grpc 1.2.0", "a", "2")
        .requires("grpc 1.3.0", "a", "2");
    check_conflict(
        &universe,
        &[asks("site `a`", "grpc", "1")],
        expect![[r#"
            site `a` requires grpc ^1
            grpc 1.0.0 and 1.2.0 to 1.3.0 require a ^2
            grpc 1.1.0 requires b ^2
            the only version of a is 1.0.0
            the only version of b is 1.0.0
            hint: go without `grpc`, which site `a` requires
        "#]],
    );
}

#[test]
fn every_version_leads_elsewhere_and_nowhere() {
    let universe = Universe::default()
        .with("app", &["1.0.0", "2.0.0"])
        .with("db", &["1.0.0", "2.0.0"])
        .with("tls", &["1.0.0", "2.0.0"])
        .requires("app 1.0.0", "db", "1")
        .requires("app 2.0.0", "db", "2")
        .requires("db 1.0.0", "tls", "1")
        .requires("db 2.0.0", "tls", "2");
    check_conflict(
        &universe,
        &[asks("site `a`", "app", "2"), asks("site `a`", "tls", "1")],
        expect![[r#"
            site `a` requires app ^2
            app 2.0.0 requires db ^2
            db 2.0.0 requires tls ^2
            site `a` requires tls ^1
            hint: ask for tls ^2.0 in `envy.toml`
            hint: ask for app ^1.0 in `envy.toml`
        "#]],
    );
}

#[test]
fn one_who_needs_itself_in_another_version_cannot_be() {
    let universe = Universe::default().with("app", &["1.0.0", "2.0.0"]).requires("app 2.0.0", "app", "1");
    check_conflict(
        &universe,
        &[asks("site `a`", "app", "2")],
        expect![[r#"
        site `a` requires app ^2
        app 2.0.0 requires app ^1
        hint: ask for app ^1.0 in `envy.toml`
        hint: write `app = { recipe = "app", version = "^2" }` under `[overrides]`, which all have to take then
    "#]],
    );
}
