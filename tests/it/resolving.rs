//! Choosing versions of packages that need each other: conflicts with their chains, strategies, and what moves.

use expect_test::expect;

use crate::scratch::Scratch;

/// A recipe of packages without sources.
fn recipe(versions: &[&str], needs: &str) -> String {
    let versions: String = versions.iter().map(|version| format!("[versions.\"{version}\"]\n")).collect();
    format!("summary = 'x'\n{versions}[dependencies]\n{needs}\n[[step]]\nname = 'go'\nrun = 'true'\n")
}

fn world(dependencies: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("recipes/lib.toml", recipe(&["1.0.0", "1.1.0", "2.0.0", "2.1.0"], ""));
    scratch.write("recipes/app.toml", recipe(&["3.0.0", "3.1.0"], "lib = '>=2'"));
    scratch.write("envy.toml", format!("[sites.api.dependencies]\n{dependencies}\n"));
    scratch
}

#[test]
fn what_a_package_needs_stands_against_what_the_site_asks_for() {
    let scratch = world("app = { recipe = 'app', version = '3' }\nlib = { recipe = 'lib', version = '1' }");
    scratch.envy("lock").fails(
        6,
        expect![[r#"
            error: no choice of packages satisfies site `api`
              site `api` requires app ^3
              every app requires lib >=2
              site `api` requires lib ^1
            hint: ask for lib ^2.1 in `envy.toml`
            hint: write `lib = { recipe = "lib", version = "^1" }` under `[overrides]`, which all have to take then
        "#]],
    );
}

#[test]
fn a_strategy_chooses_among_what_fits() {
    let scratch = world("app = { recipe = 'app', version = '3' }");
    scratch.envy("lock").ok(expect![[r#"
        locked 2 packages for site `api`
          + app 3.1.0
          + lib 2.1.0
    "#]]);
    scratch.envy("lock --resolution lowest").ok(expect![[r#"
        locked 2 packages for site `api`
          ~ app 3.1.0 -> 3.0.0
          ~ lib 2.1.0 -> 2.0.0
    "#]]);
    scratch.envy("lock").ok(expect![[r#"
        unchanged lockfile of site `api`
    "#]]);
    scratch.envy("lock --resolution lowest-direct").ok(expect![[r#"
        locked 2 packages for site `api`
          ~ lib 2.0.0 -> 2.1.0
    "#]]);
}

#[test]
fn an_update_moves_what_a_package_needs_only_if_told_to() {
    let scratch = world("app = { recipe = 'app', version = '3' }");
    scratch.envy("lock --resolution lowest").succeeds();
    let before = scratch.read("lockfiles/api.lock");
    scratch.envy("update app --recursive --dry-run").ok(expect![[r#"
        would lock 2 packages for site `api`
          ~ app 3.0.0 -> 3.1.0
          ~ lib 2.0.0 -> 2.1.0
    "#]]);
    assert_eq!(scratch.read("lockfiles/api.lock"), before);
    scratch.envy("update app").ok(expect![[r#"
        locked 2 packages for site `api`
          ~ app 3.0.0 -> 3.1.0
    "#]]);
    scratch.envy("update app --recursive").ok(expect![[r#"
        locked 2 packages for site `api`
          ~ lib 2.0.0 -> 2.1.0
    "#]]);
    scratch.envy("update --recursive").ends(2);
}

#[test]
fn a_limit_keeps_versions_away_and_says_so_where_nothing_is_left() {
    let scratch = world("app = { recipe = 'app', version = '3' }\n[constraints]\nlib = '<2.1'");
    scratch.envy("lock").ok(expect![[r#"
        locked 2 packages for site `api`
          + app 3.1.0
          + lib 2.0.0
    "#]]);
    scratch.write("envy.toml", scratch.read("envy.toml").replace("<2.1", "<2"));
    scratch.envy("lock").fails(
        6,
        expect![[r#"
        error: no choice of packages satisfies site `api`
          site `api` requires app ^3
          every app requires lib >=2
          lib 2.1.0 would fit, but is outside of `[constraints]`, which allow <2
          lib 2.0.0 would fit, but is outside of `[constraints]`, which allow <2
          the versions of lib go from 1.0.0 to 1.1.0
        hint: let `lib` under `[constraints]` allow 2.1.0
    "#]],
    );
}
