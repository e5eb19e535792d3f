//! For those who bring hosts to a state, again and again: what is as it should be stays, and says so.

use expect_test::expect;

use crate::scratch::Scratch;

fn site() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("envy.toml", "[sites.api]\n[sites.api.files]\n'etc/a' = { text = 'x' }\n").envy("build").succeeds();
    scratch
}

#[test]
fn status_ends_with_2_where_there_is_something_to_do() {
    let scratch = site();
    scratch.envy("status --exit-code").ok(expect![[r#"
        --- stdout ---
        api: generation 1, current
    "#]]);
    let status = scratch.envy("status --exit-code --json").json();
    assert_eq!((&status["converged"], &status["sites"][0]["converged"]), (&true.into(), &true.into()));

    // A change that is pending.
    scratch.write("envy.toml", scratch.read("envy.toml") + "[sites.api.env]\nA = 'b'\n");
    scratch.envy("status --exit-code").ends(2).says("variables changed in `envy.toml`");
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 1, drifted
          ! variables changed in `envy.toml`
          `envy build api` mends it
    "#]]);
    let status = scratch.envy("status --exit-code --json").ends(2).json();
    assert_eq!(status["converged"], false);
    scratch.envy("build --locked").succeeds();
    scratch.envy("status --exit-code").succeeds();

    // Drift of the site.
    scratch.shell().sh("chmod u+w .envy/sites/api/current/etc/a; echo y >.envy/sites/api/current/etc/a").succeeds();
    scratch.envy("status --exit-code api").ends(2).says("was changed by hand");
    scratch.envy("build --locked").succeeds();
    scratch.shell().sh("ln -sfn generations/1 .envy/sites/api/current").succeeds();
    scratch.envy("status --exit-code api").ends(2);
    scratch.envy("build --locked").succeeds();
    scratch.shell().sh("chmod -R u+w ../data/envy/store/prefixes; rm -rf ../data/envy/store/prefixes").succeeds();
    scratch.envy("status --exit-code api").ends(2).says("is not in the store");
    scratch.envy("build --locked").succeeds();
    scratch.envy("status --exit-code").succeeds();

    // Whoever holds a site wants it where it is.
    scratch.envy("rollback api 1").succeeds();
    scratch.envy("status --exit-code").ok(expect![[r#"
        --- stdout ---
        api: generation 1, held
          `envy build api --switch` moves it to what the lockfile says
    "#]]);
    // A site that was never built, and one whose lockfile is stale.
    scratch.write("envy.toml", scratch.read("envy.toml") + "[sites.web]\n");
    scratch.envy("status --exit-code").ends(2);
    scratch.envy("status --exit-code api").succeeds();
    scratch.envy("status --exit-code nowhere").ends(1);
}

#[test]
fn a_directory_that_has_changed_is_something_to_do() {
    let scratch = Scratch::new();
    scratch.write("tool/Cargo.toml", "[package]\nname = 'tool'\nversion = '0.1.0'\nedition = '2024'\n");
    scratch.write("tool/src/main.rs", "fn main() {}\n");
    scratch.write("envy.toml", "[sites.api.dependencies]\ntool = { path = 'tool' }\n").envy("build").succeeds();
    scratch.envy("status --exit-code").succeeds();
    scratch.write("tool/src/main.rs", "fn main() { println!(\"new\") }\n");
    scratch.envy("status --exit-code").ends(2).says("! the directory of `tool` has changed");
}

#[test]
fn a_second_build_reports_no_change() {
    let scratch = site();
    scratch.write("envy.toml", scratch.read("envy.toml") + "[sites.api.env]\nA = 'b'\n[sites.web]\n");
    scratch.envy("lock").succeeds();
    let first = scratch.envy("build --locked --json").json();
    assert_eq!(first["schema"], "envy.build/1");
    assert_eq!(first["changed"], true);
    let told = |document: &serde_json::Value| {
        let sites = document["sites"].as_array().expect("a list of sites").iter();
        sites
            .map(|it| format!("{} {} {} -> {}\n", it["site"], it["state"], it["before"], it["generation"]))
            .collect::<String>()
    };
    expect![[r#"
        "api" "switched" 1 -> 2
        "web" "switched" null -> 1
    "#]]
    .assert_eq(&told(&first));
    let prefix = first["sites"][0]["prefix"].clone();
    let before = scratch.snapshot(".envy");

    scratch.envy("build --locked --json").ok(expect![[r#"
        unchanged site `api` is at generation 2
        unchanged site `web` is at generation 1
        --- stdout ---
        {
          "changed": false,
          "schema": "envy.build/1",
          "sites": [
            {
              "before": 2,
              "changed": false,
              "generation": 2,
              "prefix": "sha256:[..]",
              "site": "api",
              "state": "unchanged"
            },
            {
              "before": 1,
              "changed": false,
              "generation": 1,
              "prefix": "sha256:[..]",
              "site": "web",
              "state": "unchanged"
            }
          ]
        }
    "#]]);

    before.is_still(&scratch.snapshot(".envy"));
    let back = scratch.envy("rollback api --json").json();
    assert_eq!(
        (&back["schema"], &back["changed"], &back["held"]),
        (&"envy.rollback/1".into(), &true.into(), &true.into())
    );
    let held = scratch.envy("build --locked --json api").json();
    assert_eq!((&held["changed"], &held["sites"][0]["state"]), (&false.into(), &"held".into()));
    let there = scratch.envy("switch api 2 --json").json();
    assert_eq!((&there["schema"], &there["before"], &there["prefix"]), (&"envy.switch/1".into(), &1.into(), &prefix));
    assert_eq!(there["held"], false);
    let plan = scratch.envy("build --locked --dry-run --json api").json();
    assert_eq!((&plan["schema"], &plan["sites"][0]["site"]), (&"envy.build-plan/1".into(), &"api".into()));
}

#[test]
fn a_generation_that_was_made_before_is_no_change() {
    let scratch = site();
    scratch.write("envy.toml", scratch.read("envy.toml") + "[sites.api.env]\nA = 'b'\n").envy("lock").succeeds();
    let made = || {
        let document = scratch.envy("build --locked --no-switch --json").json();
        let site = &document["sites"][0];
        format!("{} {} {} {}", document["changed"], site["state"], site["changed"], site["generation"])
    };
    assert_eq!(made(), "true \"made\" true 2");
    assert_eq!(made(), "false \"made\" false 2");
}

#[test]
fn a_place_of_another_project_is_foreign_though_the_lockfiles_are_equal() {
    let scratch = Scratch::new();
    for project in ["one", "two"] {
        scratch.write(format!("{project}/envy.toml"), "[sites.api]\n");
    }
    let sites = scratch.root().join("sites");
    let run = |project: &str, what: &str| scratch.in_dir(project).env("ENVY_SITES", &sites).envy(what);
    run("one", "build").succeeds();
    run("one", "build --locked").succeeds();
    scratch.shell().sh("mkdir -p two/lockfiles && cp one/lockfiles/api.lock two/lockfiles/").succeeds();
    let check = |what: &str| {
        run("two", what).fails(
            1,
            expect![[r#"
                error: `[SCRATCH]/sites/api` is a site of another project, `[SCRATCH]/project/one`
                hint: give the site another name, or keep the sites of this project elsewhere with `--sites-dir`
            "#]],
        );
    };
    ["build", "build --locked", "build --locked --no-switch", "verify"].into_iter().for_each(check);
    run("two", "status").ok(expect![[r#"
        --- stdout ---
        api: foreign
          ! `[SCRATCH]/sites/api` is a site of another project, `[SCRATCH]/project/one`
          give the site another name, or sites another place: `--sites-dir` or `ENVY_SITES`
    "#]]);
    run("two", "status --exit-code").ends(2);
    run("two", "list").ok(expect![[r#"
        --- stdout ---
        api  generation   -   0 packages  foreign
    "#]]);
    run("one", "status").succeeds().says("api: generation 1, current");
}

#[test]
fn options_that_do_nothing_beside_others_are_refused() {
    let scratch = site();
    scratch.envy("verify api -j 3").fails(
        2,
        expect![[r#"
            error: `--jobs` is for `--rebuild`, and nothing else is built with it
            hint: add `--rebuild`, or leave it out
        "#]],
    );
    scratch.envy("verify api -j 3 --rebuild").succeeds();
    scratch.envy("build --dry-run --switch").ends(2).says("cannot be used with");
    scratch.envy("build --dry-run --no-switch").ends(2).says("cannot be used with");
}
