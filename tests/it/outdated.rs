//! `envy outdated`: what is newer than what is locked: in range, beyond it, and out of reach.

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::scratch::Scratch;

fn publish(registry: &Registry, name: &str, versions: &[&str]) {
    for version in versions {
        registry.publish(Crate::new(name, version).bin(name));
    }
}

#[test]
fn what_is_newer_is_told_with_how_far_away_it_is() {
    let registry = Registry::new();
    publish(&registry, "hello", &["1.0.0"]);
    publish(&registry, "just", &["1.40.0"]);
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = '1'\njust = '1'\n");
    scratch.envy("lock").succeeds();
    scratch.envy("outdated --exit-code").ok(expect![[r#"
        up to date site `api`
    "#]]);
    publish(&registry, "hello", &["1.2.0", "2.0.0", "3.0.0-rc.1"]);
    publish(&registry, "hello", &["2.1.0"]);
    registry.yank("hello", "2.1.0");
    publish(&registry, "just", &["1.41.0"]);
    registry.yank("just", "1.41.0");
    let before = scratch.read("lockfiles/api.lock");
    scratch.envy("outdated").ok(expect![[r#"
        --- stdout ---
        api
          package  locked  update  beyond  passed over
          hello    1.0.0   1.2.0   2.0.0   2.1.0 is yanked
          just     1.40.0  -       -       1.41.0 is yanked
    "#]]);
    scratch.envy("outdated --exit-code").ends(1);
    let document = scratch.envy("outdated --json").succeeds().json();
    assert_eq!(document["sites"][0]["packages"][0]["update"], "1.2.0");
    assert_eq!(document["sites"][0]["packages"][0]["beyond"], "2.0.0");
    assert_eq!(scratch.read("lockfiles/api.lock"), before);
}

#[test]
fn versions_that_a_recipe_lists_are_told_too() {
    let scratch = Scratch::new();
    let recipe = |versions: &str| format!("summary = 'x'\n{versions}\n[[step]]\nname = 'go'\nrun = 'true'\n");
    scratch.write("recipes/lib.toml", recipe("[versions.'1.0']"));
    scratch.write("envy.toml", "[sites.api.dependencies]\nlib = { recipe = 'lib', version = '1' }\n");
    scratch.envy("outdated").ends(3);
    scratch.envy("lock").succeeds();
    scratch.write("recipes/lib.toml", recipe("[versions.'1.0']\n[versions.'1.1']\n[versions.'2.0']"));
    scratch.envy("outdated").ok(expect![[r#"
        --- stdout ---
        api
          package  locked  update  beyond  passed over
          lib      1.0     1.1     2.0
    "#]]);
}
