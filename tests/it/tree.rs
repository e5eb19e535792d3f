//! `envy tree`: what needs what.

use expect_test::expect;

use crate::questions::world;

#[test]
fn what_a_site_asks_for_stands_at_the_top_and_duplicates_are_folded() {
    let scratch = world();
    scratch.envy("lock").succeeds();
    scratch.envy("tree api").ok(expect![[r#"
        --- stdout ---
        api
        └── app 1.0.0 recipe+app (not built)
            ├── http 1.2.0 recipe+http (not built)
            │   ├── tls 3.2.0 recipe+tls loud=true (not built)
            │   │   ├── zlib 1.3.0 recipe+zlib (not built)
            │   │   └── tool 1.0.0 recipe+tool (not built) [build]
            │   └── tool 1.0.0 recipe+tool (not built) [build]
            └── tls 3.2.0 recipe+tls loud=true (not built) (*)
    "#]]);
    scratch.envy("tree --depth 1").ok(expect![[r#"
        --- stdout ---
        api
        └── app 1.0.0 recipe+app (not built)
    "#]]);
    scratch.envy("tree --depth 0").ok(expect![[r#"
        --- stdout ---
        api
    "#]]);
    scratch.envy("tree --depth 2").ok(expect![[r#"
        --- stdout ---
        api
        └── app 1.0.0 recipe+app (not built)
            ├── http 1.2.0 recipe+http (not built)
            └── tls 3.2.0 recipe+tls loud=true (not built)
    "#]]);
}

#[test]
fn a_tree_is_turned_round_to_show_who_requires_a_package() {
    let scratch = world();
    let other = "[sites.other.dependencies]\ntls = { recipe = 'tls', version = '3' }\n[sites.none]\n";
    scratch.write("envy.toml", scratch.read("envy.toml") + other);
    scratch.envy("lock").succeeds();
    scratch.envy("tree --invert tls").ok(expect![[r#"
        --- stdout ---
        tls 3.2.0 recipe+tls loud=true (not built)
        ├── app 1.0.0 recipe+app (not built)
        │   └── site api
        └── http 1.2.0 recipe+http (not built)
            └── app 1.0.0 recipe+app (not built) (*)

        tls 3.2.0 recipe+tls (not built)
        └── site other
    "#]]);
    scratch.envy("tree api -i tool --depth 1").ok(expect![[r#"
        --- stdout ---
        tool 1.0.0 recipe+tool (not built)
        ├── http 1.2.0 recipe+http (not built) [build]
        └── tls 3.2.0 recipe+tls loud=true (not built) [build]
    "#]]);
    scratch.envy("tree none -i tool").fails(
        1,
        expect![[r#"
        error: site `none` has no package `tool`
        hint: run `envy tree` to see the packages there are
    "#]],
    );
    scratch.envy("tree -i toll").fails(
        1,
        expect![[r#"
        error: no site has a package `toll`
        hint: did you mean `tool`?
    "#]],
    );
    scratch.envy("tree -i nothing-like-it").fails(
        1,
        expect![[r#"
        error: no site has a package `nothing-like-it`
        hint: run `envy tree` to see the packages there are
    "#]],
    );
}

#[test]
fn a_tree_says_what_is_built_and_what_nobody_asks_for() {
    let scratch = world();
    scratch.write("envy.toml", "[sites.api.dependencies]\nzlib = { recipe = 'zlib', version = '1' }\n");
    scratch.envy("build").succeeds();
    scratch.write(
        "envy.toml",
        "[sites.api.dependencies]\ntool = { recipe = 'tool', version = '1', params = { flags = ['-g'] } }\n",
    );
    scratch.envy("tree").ok(expect![[r#"
        --- stdout ---
        api
        ├── tool (not locked)
        └── zlib 1.3.0 recipe+zlib (not required)
    "#]]);
    scratch.envy("lock").succeeds();
    scratch.envy("tree").ok(expect![[r#"
        --- stdout ---
        api
        └── tool 1.0.0 recipe+tool flags=["-g"] (not built)
    "#]]);
    scratch.write("envy.toml", "[sites.api]\n[sites.fresh]\n").envy("lock").succeeds();
    scratch.envy("tree").ok(expect![[r#"
        --- stdout ---
        api (empty)
        fresh (empty)
    "#]]);
}

#[test]
fn a_tree_is_data_too() {
    let scratch = world();
    scratch.envy("lock").succeeds();
    let site =
        |arguments: &str| scratch.envy(&format!("tree api --json {arguments}")).succeeds().json()["sites"][0].clone();
    let names = |site: &serde_json::Value| {
        let packages = site["packages"].as_array().expect("packages");
        packages.iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    let all = site("");
    assert_eq!(names(&all), ["app", "http", "tls", "tool", "zlib"]);
    assert_eq!(all["requires"], serde_json::json!(["app"]));
    let http = &all["packages"][1];
    assert_eq!(http["dependencies"], serde_json::json!(["tls"]));
    assert_eq!(http["build-dependencies"], serde_json::json!(["tool"]));
    assert_eq!(http["installed"], true);
    assert_eq!(http["required-by"], serde_json::json!(["`app` ^1"]));
    assert_eq!(all["packages"][3]["installed"], false, "a tool is for builds alone");
    assert_eq!(names(&site("--depth 1")), ["app"]);
    assert_eq!(names(&site("--depth 2")), ["app", "http", "tls"]);
    assert_eq!(names(&site("--invert zlib --depth 1")), ["tls", "zlib"]);
    assert_eq!(names(&site("--invert http")), ["app", "http"]);
}
