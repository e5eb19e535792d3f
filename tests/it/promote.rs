//! Promotion: a site gets the bytes that another one shows.

use std::process::{Child, Stdio};

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::scratch::Scratch;

const RECIPE: &str = "summary = 'A tool'\nextends = 'script'\n[versions.'1.0']\n[versions.'2.0']\n[set]\nrun = [\"mkdir -p $OUT/share; echo {{ version }} >$OUT/share/tool\"]\n";

/// A manifest with a site for staging and one for production, which differ in all but their packages.
fn manifest(version: &str) -> String {
    format!(
        "[sites.base.dependencies]\ntool = {{ recipe = 'tool', version = '{version}' }}\n\
         [sites.staging]\nextends = ['base']\nvars = {{ port = 8001 }}\n\
         [sites.production]\nextends = ['base']\nvars = {{ port = 80 }}\nenv = {{ PORT = '{{port}}' }}\n\
         [sites.production.files]\n'etc/port' = {{ text = '{{{{ vars.port }}}}' }}\n"
    )
}

/// Both sites, built with version 1; and staging with version 2.
fn staged() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("recipes/tool.toml", RECIPE).write("envy.toml", manifest("1")).envy("build").succeeds();
    scratch.write("envy.toml", manifest("2")).envy("build staging -m 'try it'").succeeds();
    scratch
}

#[test]
fn production_gets_the_bytes_of_staging_and_nothing_is_built() {
    let scratch = staged();
    let store = scratch.snapshot(scratch.store().join("results"));
    scratch.envy("diff production@current staging@current").says("tool 1.0 -> 2.0");
    scratch.envy("promote staging production --dry-run").ok(expect![[r#"
        would promote generation 3 of site `staging` to site `production`
          ~ tool 1.0 -> 2.0
          prefix sha256:[..] -> sha256:[..]
    "#]]);
    scratch.envy("list").says("production  generation   2");

    scratch.without_rust().envy("promote staging production -m 'it works'").ok(expect![[r#"
        promoting generation 3 of site `staging` to site `production`
          ~ tool 1.0 -> 2.0
        switched site `production` to generation 3 (1 package)
          prefix sha256:[..]
    "#]]);

    store.is_still(&scratch.snapshot(scratch.store().join("results")));
    assert_eq!(scratch.read("lockfiles/production.lock"), scratch.read("lockfiles/staging.lock"));
    scratch
        .envy("run production --locked -- sh -c 'cat $ENVY_PREFIX/share/tool $ENVY_PREFIX/etc/port; echo :$PORT'")
        .ok(expect![[r#"
            --- stdout ---
            2.0
            80:80
        "#]]);
    scratch.envy("build --locked production").ok(expect![[r#"
        unchanged site `production` is at generation 3
    "#]]);
    scratch.envy("diff staging@current production@current").says(": both are prefix sha256:[..]");
    scratch.envy("diff staging production").says(": both are prefix sha256:[..]");
    scratch.envy("promote staging production").ok(expect![[r#"
        promoting generation 3 of site `staging` to site `production`
        unchanged site `production` stays at generation 3
    "#]]);
    let list = scratch.envy("generations production").text();
    assert!(list.contains("tool 2.0 from staging 3: it works"), "{list}");
    let history = scratch.read(".envy/sites/production/history.jsonl");
    assert!(history.lines().last().is_some_and(|line| line.contains("\"action\":\"promote\"")), "{history}");

    scratch.envy("rollback production").succeeds();
    assert_eq!(scratch.shell().sh("cat .envy/sites/production/current/share/tool").stdout(), "1.0\n");
}

#[test]
fn the_same_lockfile_is_the_same_prefix_in_one_digest() {
    let scratch = staged();
    scratch.envy("promote staging production").succeeds();
    scratch.write(
        "envy.toml",
        manifest("2")
            .replace("[sites.production.files]\n'etc/port' = { text = '{{ vars.port }}' }\n", "")
            .replace(" = 80 }\nenv = { PORT = '{port}' }", " = 8001 }"),
    );
    scratch.envy("diff staging production").ok(expect![[r#"
        note: no difference between `staging` and `production`: both are prefix sha256:[..]
    "#]]);
}

#[test]
fn what_the_other_site_does_not_ask_for_is_not_promoted() {
    let scratch = staged();
    let before = [scratch.snapshot(".envy/sites/production"), scratch.snapshot("lockfiles")];
    scratch.write(
        "envy.toml",
        manifest("2")
            + "[sites.production.dependencies]\ntool = { recipe = 'tool', version = '1', without = ['share/x'] }\n",
    );
    scratch.envy("promote staging production").fails(
        1,
        expect![[r#"
            error: generation 3 of site `staging` is not what site `production` asks for, and nothing was promoted
              `staging` asks for `tool` ^2, and `production` for ^1
              `staging` and `production` ask for `tool` with different `without`
            hint: let both ask for the same packages in `envy.toml`, such as by a site that both extend; `envy diff production staging` says more
        "#]],
    );
    // Both ask for the same, and staging does not show it yet.
    scratch.write("envy.toml", manifest("1")).envy("promote staging production").fails(
        1,
        expect![[r#"
            error: generation 3 of site `staging` is not what site `production` asks for, and nothing was promoted
              `tool` is required at ^1, but locked at 2.0
            hint: `envy.toml` changed since it was made; run `envy build staging` first
        "#]],
    );
    scratch.envy("promote staging staging").ends(2);
    scratch.envy("promote staging nowhere").ends(1).says("there is no site `nowhere`");
    scratch.shell().sh("mv .envy/sites/staging ../staging").succeeds();
    scratch.envy("promote staging production").ends(1).says("site `staging` is not built");
    before[0].is_still(&scratch.snapshot(".envy/sites/production"));
    before[1].is_still(&scratch.snapshot("lockfiles"));
}

#[test]
fn a_promotion_that_fails_its_check_leaves_everything_as_it_was() {
    let scratch = staged();
    scratch.write(
        "envy.toml",
        manifest("2").replace("[sites.production]", "[sites.production]\ncheck = ['grep 1.0 $ENVY_PREFIX/share/tool']"),
    );
    let before = [scratch.snapshot(".envy/sites/production/generations"), scratch.snapshot("lockfiles")];
    scratch.envy("promote staging production").ends(9).says("nothing was switched: the site stays at generation 2");
    before[0].is_still(&scratch.snapshot(".envy/sites/production/generations"));
    before[1].is_still(&scratch.snapshot("lockfiles"));
    scratch.envy("promote staging production --no-check").succeeds();
    scratch.envy("status production").says("production: generation 3, current");
}

#[test]
fn a_site_that_was_rolled_back_is_promoted_as_it_shows_itself() {
    let scratch = staged();
    scratch.envy("rollback staging").succeeds();
    scratch.write("envy.toml", manifest("1"));
    let promoted = scratch.envy("promote staging production --json").json();
    assert_eq!((&promoted["schema"], &promoted["changed"]), (&"envy.promote/1".into(), &false.into()));
    assert_eq!(promoted["from"]["generation"], 2);
    scratch.envy("build production --locked").ok(expect![[r#"
        unchanged site `production` is at generation 2
    "#]]);
}

#[test]
fn a_cargo_lock_that_was_made_goes_along() {
    let registry = Registry::new();
    registry.publish(Crate::new("low", "0.1.0").lib());
    registry.publish(Crate::new("hello", "1.0.0").bin("hello").dep("low", "0.1").without_lock());
    let scratch = Scratch::with(&registry);
    let manifest = "[sites.staging.dependencies]\nhello = '1'\n[sites.production.dependencies]\nhello = '1'\n";
    scratch.write("envy.toml", manifest).envy("build staging").succeeds();
    registry.go_away();
    scratch.without_rust().envy("promote staging production").succeeds();
    assert_eq!(
        scratch.read("lockfiles/production/hello.Cargo.lock"),
        scratch.read("lockfiles/staging/hello.Cargo.lock")
    );
    scratch.without_rust().envy("build production --frozen").says("unchanged site `production` is at generation 2");
    scratch.envy("run production --locked -- hello").says("hello 1.0.0");
}

#[test]
fn a_promotion_that_is_killed_can_be_typed_again() {
    let scratch = staged();
    scratch.shell().sh("cp -r .envy ../envy && cp -r lockfiles ../locked").succeeds();
    for moment in (0..10).map(|number| std::time::Duration::from_millis(4 * number)) {
        scratch.shell().sh("rm -rf .envy lockfiles && cp -r ../envy .envy && cp -r ../locked lockfiles").succeeds();
        let mut child = start(&scratch, "promote staging production");
        std::thread::sleep(moment);
        // It may have ended by now, which is another moment to be killed at.
        let _ = child.kill();
        child.wait().expect("it was started");

        let shown = scratch.shell().sh("cat .envy/sites/production/current/share/tool").succeeds().stdout().to_owned();
        assert!(["1.0\n", "2.0\n"].contains(&shown.as_str()), "{shown}");
        scratch.envy("promote staging production").succeeds();
        assert_eq!(scratch.shell().sh("cat .envy/sites/production/current/share/tool").stdout(), "2.0\n");
        scratch.envy("status production --exit-code").succeeds();
        scratch.envy("rollback production").says("to generation 2");
    }
}

/// Starts envy, which says what it says to nobody.
fn start(scratch: &Scratch, arguments: &str) -> Child {
    let mut command = scratch.envy_command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("envy can be started")
}
