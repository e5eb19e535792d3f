//! The first day with envy: two sites, two versions of one program, and the way back.

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::scratch::Scratch;

/// A registry with two versions of a program, and another program.
fn registry() -> Registry {
    let registry = Registry::new();
    registry.publish(Crate::new("hexyl", "0.16.0").bin("hexyl"));
    registry.publish(Crate::new("hexyl", "0.17.0").bin("hexyl"));
    registry.publish(Crate::new("just", "1.40.0").bin("just"));
    registry
}

/// A project with the sites of the first day.
fn first_day(registry: &Registry) -> Scratch {
    let scratch = Scratch::with(registry);
    for line in ["init", "create siteA", "create siteB", "add hexyl@0.16 --site siteA", "add hexyl@0.17 --site siteB"] {
        scratch.envy(line).succeeds();
    }
    scratch
}

#[test]
fn two_sites_have_two_versions_of_one_program_at_one_time() {
    let registry = registry();
    let scratch = Scratch::with(&registry);

    scratch.envy("init").ok(expect![[r#"
        created `envy.toml` of project `project`
    "#]]);
    scratch.envy("create siteA").ok(expect![[r#"
        created site `siteA`
    "#]]);
    scratch.envy("create siteB").ok(expect![[r#"
        created site `siteB`
    "#]]);
    scratch.envy("list").ok(expect![[r#"
        --- stdout ---
        siteA  generation   1   0 packages  current
        siteB  generation   1   0 packages  current
    "#]]);
    scratch.envy("add hexyl@0.16 just --site siteA -j1").ok(expect![[r#"
        fetched 2 files (1.4 kB)
        locked 2 packages for site `siteA`
          + hexyl 0.16.0
          + just 1.40.0
        building hexyl 0.16.0
        built hexyl 0.16.0 in [TIME]
        building just 1.40.0
        built just 1.40.0 in [TIME]
        switched site `siteA` to generation 2 (2 packages)
          prefix sha256:[..]
    "#]]);
    scratch.envy("add hexyl@0.17 --site siteB").ok(expect![[r#"
        fetched 1 file (702 B)
        locked 1 package for site `siteB`
          + hexyl 0.17.0
        building hexyl 0.17.0
        built hexyl 0.17.0 in [TIME]
        switched site `siteB` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]);

    scratch.envy("run siteA -- hexyl --version").ok(expect![[r#"
        --- stdout ---
        hexyl 0.16.0
    "#]]);
    scratch.envy("run siteB -- hexyl --version").ok(expect![[r#"
        --- stdout ---
        hexyl 0.17.0
    "#]]);
    scratch.shell().sh(".envy/sites/siteA/current/bin/hexyl; .envy/sites/siteB/current/bin/hexyl").ok(expect![[r#"
        --- stdout ---
        hexyl 0.16.0
        hexyl 0.17.0
    "#]]);

    scratch.envy("list").ok(expect![[r#"
        --- stdout ---
        siteA  generation   2   2 packages  current
        siteB  generation   2    1 package  current
    "#]]);
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        siteA: generation 2, current
          hexyl 0.16.0 (new)
          just 1.40.0 (new)
        siteB: generation 2, current
          hexyl 0.17.0 (new)
    "#]]);
    scratch.envy("tree").ok(expect![[r#"
        --- stdout ---
        siteA
        ├── hexyl 0.16.0 registry+crates.io
        └── just 1.40.0 registry+crates.io
        siteB
        └── hexyl 0.17.0 registry+crates.io
    "#]]);
    scratch.envy("lock --check").ok(expect![[r#"
        unchanged lockfile of site `siteA` matches `envy.toml`
        unchanged lockfile of site `siteB` matches `envy.toml`
    "#]]);
    expect![[r#"
                               # every site has these
        # just = "1"                         # a bare version is a crate from crates.io that has binaries

        [sites.siteA]

        [sites.siteA.dependencies]
        hexyl = "0.16"
        just = "1.40.0"

        [sites.siteB]

        [sites.siteB.dependencies]
        hexyl = "0.17"
    "#]]
    .assert_eq(scratch.read("envy.toml").split_once("[dependencies]").expect("it has shared ones").1);
}

#[test]
fn where_nothing_changed_nothing_is_asked_for_and_nothing_written() {
    let registry = registry();
    let scratch = first_day(&registry);
    registry.forget_requests();
    let (project, store) = (scratch.snapshot(""), scratch.snapshot(scratch.store()));

    scratch.envy("build --locked").ok(expect![[r#"
        unchanged site `siteA` is at generation 2
        unchanged site `siteB` is at generation 2
    "#]]);
    scratch.envy("build").ok(expect![[r#"
        unchanged site `siteA` is at generation 2
        unchanged site `siteB` is at generation 2
    "#]]);

    assert!(registry.requests().is_empty(), "{:?}", registry.requests());
    project.is_still(&scratch.snapshot(""));
    store.is_still(&scratch.snapshot(scratch.store()));
}

#[test]
fn a_project_without_its_sites_gets_the_same_prefixes_back_from_the_store_alone() {
    let registry = registry();
    let scratch = first_day(&registry);
    let prefixes = |scratch: &Scratch| {
        let states = scratch.envy("status --json").succeeds().json();
        states["sites"].as_array().expect("sites").iter().map(|it| it["prefix"].clone()).collect::<Vec<_>>()
    };
    let before = prefixes(&scratch);
    registry.go_away();
    std::fs::remove_dir_all(scratch.path(".envy")).expect("it is ours");

    scratch.envy("build --locked --offline").ok(expect![[r#"
        switched site `siteA` to generation 2 (1 package)
          prefix sha256:[..]
        switched site `siteB` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]);

    assert_eq!(prefixes(&scratch), before);
    scratch.envy("run siteA -- hexyl").succeeds().says("hexyl 0.16.0");
}

#[test]
fn what_a_prefix_holds_cannot_be_written_to() {
    let registry = registry();
    let scratch = first_day(&registry);
    scratch.shell().sh("find -L .envy/sites/siteA/current/bin -type f -perm /222").ok(expect![""]);
}
