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

#[test]
fn a_promotion_that_is_killed_before_the_switch_takes_no_effect_later() {
    let scratch = staged();
    let checked =
        manifest("2").replace("[sites.production]", "[sites.production]\ncheck = ['touch begun; sleep 36.7']");
    scratch.write("envy.toml", checked);
    let lockfile = scratch.read("lockfiles/production.lock");
    let mut child = start(&scratch, "promote staging production");
    while !scratch.path("begun").exists() {
        assert!(child.try_wait().expect("it was started").is_none(), "it waits for its check");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().expect("it still runs");
    child.wait().expect("it was started");
    scratch.envy("status production").succeeds();
    assert_eq!(scratch.read("lockfiles/production.lock"), lockfile);
}

#[test]
fn only_what_is_vouched_for_is_promoted_where_that_is_asked_for() {
    let scratch = staged();
    let strict = format!("[settings]\nrequire-outputs = true\n{}", manifest("2"));
    scratch.write("envy.toml", &strict).envy("promote staging production --dry-run").succeeds();
    // A build of exactly what is locked records nothing.
    scratch.shell().sh("rm lockfiles/staging.lock").succeeds();
    scratch.write("envy.toml", manifest("2")).envy("lock staging").succeeds();
    scratch.envy("build staging --locked --switch").succeeds();
    let before = [scratch.snapshot(".envy/sites/production/generations"), scratch.snapshot("lockfiles")];
    for arguments in ["", " --dry-run", " --no-check"] {
        scratch
            .write("envy.toml", &strict)
            .envy(&format!("promote staging production{arguments}"))
            .fails(4, expect![[r#"
                error: site `production` may only have outputs that its lockfile records
                  no output of tool 2.0 is recorded for x86_64-linux-gnu
                hint: record them: run `envy build` without `--locked` on a host that fences builds, and commit the lockfile
            "#]]);
    }
    before[0].is_still(&scratch.snapshot(".envy/sites/production/generations"));
    before[1].is_still(&scratch.snapshot("lockfiles"));
    scratch.envy("build staging").succeeds();
    scratch.envy("promote staging production").succeeds();
}

#[test]
fn an_altered_lockfile_of_a_generation_is_not_promoted() {
    let scratch = staged();
    let copy = ".envy/sites/staging/generations/3/lockfile";
    scratch.shell().sh(&format!("chmod u+w {copy} && sed -i 's/tool/TOOL/; s/^# .*/# mine/' {copy}")).succeeds();
    scratch.envy("promote staging production").fails(
        4,
        expect![[r#"
        error: the lockfile of generation 3 of site `staging` is not as it was written
          expected sha256:[..]
        hint: run `envy verify staging --repair`
    "#]],
    );
    scratch.envy("verify staging --repair").succeeds();
    scratch.envy("promote staging production").succeeds();
    assert_eq!(scratch.read("lockfiles/production.lock"), scratch.read("lockfiles/staging.lock"));
}

#[test]
fn another_lockfile_of_the_same_files_is_a_change_that_is_foretold() {
    let scratch = staged();
    // Of what production shows, no output is recorded: exactly what was locked was built.
    scratch.shell().sh("rm lockfiles/production.lock").succeeds();
    scratch.envy("lock production").succeeds();
    scratch.envy("build production --locked").succeeds();
    let changed = |arguments: &str| {
        let document = scratch.envy(&format!("promote staging production --json{arguments}")).json();
        (document["changed"].clone(), document["state"].clone())
    };
    assert_eq!(changed(" --dry-run"), (true.into(), "switched".into()));
    assert_eq!(changed(""), (true.into(), "switched".into()));
    assert_eq!(changed(" --dry-run"), (false.into(), "unchanged".into()));
    let file =
        "chmod -R u+w .envy/sites/production/generations/4/etc && echo 81 >.envy/sites/production/current/etc/port";
    scratch.shell().sh(file).succeeds();
    assert_eq!(changed(" --dry-run"), (true.into(), "switched".into()), "it would be made anew");
    assert_eq!(changed(""), (true.into(), "switched".into()));
}

#[test]
fn whoever_promotes_from_a_held_site_is_told_what_moves_it() {
    let scratch = staged();
    scratch.envy("rollback staging").succeeds();
    scratch.envy("promote staging production").fails(1, expect![[r#"
        error: generation 2 of site `staging` is not what site `production` asks for, and nothing was promoted
          `tool` is required at ^2, but locked at 1.0
        hint: site `staging` is held there; put `envy.toml` back to what it was then, or run `envy build staging --switch` first
    "#]]);
    scratch.envy("build staging --switch").succeeds();
    scratch.envy("promote staging production").succeeds();
}

/// Starts envy, which says what it says to nobody.
fn start(scratch: &Scratch, arguments: &str) -> Child {
    let mut command = scratch.envy_command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("envy can be started")
}
