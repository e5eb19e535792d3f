//! `envy diff`: sites, generations, lockfiles and revisions of them, compared.

use expect_test::expect;

use crate::questions::{recipe, world};
use crate::scratch::Scratch;

fn git(scratch: &Scratch, commands: &str) {
    scratch.shell().sh(&format!("set -e\n{commands}")).succeeds();
}

/// A site that was built with one version of `tls`, and another that has the later one with other params.
fn two_sites() -> Scratch {
    let scratch = world();
    scratch.write(
        "envy.toml",
        "[sites.api.dependencies]\ntls = { recipe = 'tls', version = '=3.1.0' }\n\
         [sites.next.dependencies]\ntls = { recipe = 'tls', version = '3', params = { loud = true } }\n\
         http = { recipe = 'http', version = '1' }\n",
    );
    scratch.envy("build").succeeds();
    scratch
}

#[test]
fn two_sites_are_compared_by_their_lockfiles() {
    let scratch = two_sites();
    scratch.envy("diff api next").ok(expect![[r#"
        --- stdout ---
        api -> next
        + http 1.2.0 recipe+http
        ~ tls 3.1.0 -> 3.2.0
            params   loud default -> true
            output   sha256:[..] -> sha256:[..]
        prefix sha256:[..] -> sha256:[..]
        files: 3 added, 0 removed, 1 changed
    "#]]);
    scratch.envy("diff next api --files").ok(expect![[r#"
        --- stdout ---
        next -> api
        - http 1.2.0
        ~ tls 3.2.0 -> 3.1.0
            params   loud true -> default
            output   sha256:[..] -> sha256:[..]
        prefix sha256:[..] -> sha256:[..]
        files: 0 added, 3 removed, 1 changed
          - bin/http
          - bin/http-link
          ~ bin/tls
          - share/http
    "#]]);
    scratch.envy("diff api next --exit-code").ends(1);
    scratch.envy("diff api api --exit-code").ok(expect![[r#"
        note: no difference between `api` and `api`: both are prefix sha256:[..]
    "#]]);
    scratch.shell().sh("cp lockfiles/api.lock old.lock").succeeds();
    scratch.envy("diff old.lock next").succeeds().says("~ tls 3.1.0 -> 3.2.0");
    scratch.envy("diff ./old.lock lockfiles/api.lock").succeeds().says("no difference");
}

#[test]
fn a_site_alone_is_compared_from_what_it_shows() {
    let scratch = two_sites();
    scratch.envy("diff api").ok(expect![[r#"
        note: no difference between `api@current` and `api`: both are prefix sha256:[..]
    "#]]);
    let manifest = scratch.read("envy.toml").replace("=3.1.0", "3");
    scratch.write("envy.toml", manifest + "[sites.api.env]\nPORT = '1'\n").envy("update tls --site api").succeeds();
    scratch.envy("diff api").ok(expect![[r#"
        --- stdout ---
        api@current -> api
        ~ tls 3.1.0 -> 3.2.0
        variable `PORT` added
        prefix sha256:[..] -> not recorded
    "#]]);
    scratch.envy("build api").succeeds();
    scratch.envy("diff api").succeeds().says("no difference");
    scratch.envy("diff api@2").ok(expect![[r#"
        --- stdout ---
        api@2 -> api
        ~ tls 3.1.0 -> 3.2.0
            output   sha256:[..] -> sha256:[..]
        variable `PORT` added
        prefix sha256:[..] -> sha256:[..]
        files: 0 added, 0 removed, 1 changed
    "#]]);
    scratch.envy("diff api@2 api@current --exit-code").ends(1);
    scratch.envy("diff api@1 api@2 --files").ok(expect![[r#"
        --- stdout ---
        api@1 -> api@2
        + tls 3.1.0 recipe+tls
        + tool 1.0.0 recipe+tool
        + zlib 1.3.0 recipe+zlib
        prefix sha256:[..] -> sha256:[..]
        files: 6 added, 0 removed, 0 changed
          + bin/tls
          + bin/tls-link
          + bin/zlib
          + bin/zlib-link
          + share/tls
          + share/zlib
    "#]]);
    scratch.envy("diff api@9").fails(
        1,
        expect![[r#"
        error: site `api` has no generation 9; it has 1 to 3
        hint: run `envy generations api` to see those there are
    "#]],
    );
}

#[test]
fn what_was_built_without_being_recorded_is_known_by_its_digest_too() {
    let scratch = two_sites();
    let text = scratch.read("envy.toml") + "[sites.third]\nextends = ['api']\n";
    scratch.write("envy.toml", text).envy("lock third").succeeds();
    scratch.envy("diff api third").ok(expect![[r#"
        note: no difference between `api` and `third`
    "#]]);
    scratch.envy("build third --locked").succeeds();
    scratch.envy("diff api third").ok(expect![[r#"
        note: no difference between `api` and `third`: both are prefix sha256:[..]
    "#]]);
}

#[test]
fn a_lockfile_is_compared_with_how_it_was_committed() {
    let scratch = two_sites();
    scratch.envy("diff api@HEAD").fails(
        1,
        expect![[r#"
        error: there is no `api@HEAD`
          `[SCRATCH]/project` does not lie in a git repository
        hint: compare sites, generations (`SITE@3`) or lockfiles by their paths
    "#]],
    );
    git(&scratch, "git init -q\ngit add envy.toml lockfiles recipes\ngit commit -qm one\ngit tag v1");
    scratch.envy("diff api@v1").ok(expect![[r#"
        note: no difference between `api@v1` and `api`: both are prefix sha256:[..]
    "#]]);
    scratch.write("envy.toml", scratch.read("envy.toml").replace("=3.1.0", "=3.2.0")).envy("lock").succeeds();
    git(&scratch, "git commit -qam two");
    scratch.envy("diff api@HEAD~1 api@main").ok(expect![[r#"
        --- stdout ---
        api@HEAD~1 -> api@main
        ~ tls 3.1.0 -> 3.2.0
        prefix sha256:[..] -> not recorded
    "#]]);
    scratch.envy("diff api@v1").succeeds().says("~ tls 3.1.0 -> 3.2.0");
    scratch.envy("diff api@nope").fails(
        1,
        expect![[r#"
            error: there is no `api@nope`
              the git repository of `[SCRATCH]/project` has no revision `nope`
            hint: `git log --oneline` lists those there are
        "#]],
    );
    scratch.envy("diff gone@v1 api").fails(
        1,
        expect![[r#"
        error: revision `v1` has no lockfile `lockfiles/gone.lock`
        hint: `git log --oneline -- lockfiles/gone.lock` lists the revisions that changed it
    "#]],
    );
}

#[test]
fn a_difference_is_data_too() {
    let scratch = two_sites();
    let document = scratch.envy("diff api next --json --files").succeeds().json();
    assert_eq!(document["schema"], "envy.diff/1");
    assert_eq!(document["same"], false);
    assert_eq!(document["files"]["added"], 3);
    assert_eq!(document["files"]["paths"][0], serde_json::json!({ "path": "bin/http", "change": "added" }));
    let packages = document["packages"].as_array().expect("packages");
    let told: Vec<_> = packages.iter().map(|one| (one["name"].as_str(), one["change"].as_str())).collect();
    assert_eq!(told, [(Some("http"), Some("added")), (Some("tls"), Some("changed"))]);
    assert_eq!(packages[1]["differs"], serde_json::json!(["version", "recipe", "output"]));
    assert_eq!(packages[1]["to"]["version"], "3.2.0");
    assert_eq!(packages[1]["to"]["params"], serde_json::json!({ "loud": true }));
    let same = scratch.envy("diff api api --json").succeeds().json();
    assert_eq!((&same["same"], &same["packages"]), (&true.into(), &serde_json::json!([])));
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let scratch = world();
    scratch.envy("diff api").fails(
        1,
        expect![[r#"
        error: site `api` is not built
        hint: run `envy build api`
    "#]],
    );
    scratch.envy("diff api api").fails(
        3,
        expect![[r#"
        error: lockfile `lockfiles/api.lock` is missing
        hint: run `envy lock api` and commit the file that it writes
    "#]],
    );
    scratch.envy("diff apu api").fails(
        1,
        expect![[r#"
        error: there is no site `apu` in `envy.toml`
        hint: did you mean `api`?
    "#]],
    );
    scratch.envy("diff no.lock").fails(
        2,
        expect![[r#"
        error: a lockfile is compared with something else, which is not named
        hint: name it: `envy diff old.lock SITE`
    "#]],
    );
    scratch.envy("diff no.lock api").fails(
        1,
        expect![[r#"
        error: there is no lockfile `no.lock`
        hint: name a site, `SITE@3`, `SITE@HEAD~1`, or the path of a lockfile
    "#]],
    );
    scratch.envy("diff api@ api").ends(2);
    scratch.envy("lock").succeeds();
    scratch.write("recipes/tool.toml", recipe(&["1.0.0", "1.1.0"], "")).envy("update").succeeds();
    scratch.envy("diff api api").succeeds().says("no difference");
}
