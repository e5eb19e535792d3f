//! Generations: numbered, kept, switched between, gone back to.

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::scratch::Scratch;

/// A site with three generations, each with another version of one program, after the empty one that sites begin with.
fn three(registry: &Registry) -> Scratch {
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        registry.publish(Crate::new("hello", version).bin("hello"));
    }
    let scratch = Scratch::with(registry);
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        scratch.write("envy.toml", format!("[sites.api.dependencies]\nhello = \"={version}\"\n"));
        scratch.env("USER", "ada").envy(&format!("build -m 'to {version}'")).succeeds();
    }
    scratch
}

/// What the site shows.
fn shown(scratch: &Scratch) -> String {
    scratch.shell().sh(".envy/sites/api/current/bin/hello").succeeds().stdout().to_owned()
}

#[test]
fn rolling_back_goes_back_by_what_was_live_and_holds_until_the_lockfile_changes() {
    let registry = Registry::new();
    let scratch = three(&registry);
    let list = |scratch: &Scratch| {
        let text = scratch.envy("generations api").succeeds().text();
        // Days and digests are others elsewhere.
        let line = |line: &str| match line.split_once("  20") {
            Some((number, rest)) => format!(
                "{number}  [DAY]{}  [..]…  {}\n",
                &rest[18..rest.len().min(25)],
                rest.rsplit("…  ").next().unwrap_or_default()
            ),
            None => format!("{line}\n"),
        };
        text.lines().map(line).collect::<String>()
    };
    expect![[r#"
        --- stdout ---
            1  [DAY] by ada  [..]…  empty
            2  [DAY] by ada  [..]…  hello 1.0.0: to 1.0.0
            3  [DAY] by ada  [..]…  hello 1.1.0: to 1.1.0
        *   4  [DAY] by ada  [..]…  hello 1.2.0: to 1.2.0
    "#]]
    .assert_eq(&list(&scratch));

    scratch.envy("rollback api").ok(expect![[r#"
        switched site `api` to generation 3
        note: site `api` is held at generation 3, until its lockfile changes; `envy build api --switch` moves it
    "#]]);
    assert_eq!(shown(&scratch), "hello 1.1.0\n");
    scratch.envy("rollback api").ok(expect![[r#"
        switched site `api` to generation 2
        note: site `api` is held at generation 2, until its lockfile changes; `envy build api --switch` moves it
    "#]]);
    assert_eq!(shown(&scratch), "hello 1.0.0\n");
    // Before the first that was built there was nothing.
    scratch.envy("rollback api").ok(expect![[r#"
        switched site `api` to generation 1
        note: site `api` is held at generation 1, until its lockfile changes; `envy build api --switch` moves it
    "#]]);
    assert!(!scratch.path(".envy/sites/api/current/bin").exists());
    scratch.envy("rollback api").fails(
        1,
        expect![[r#"
        error: site `api` has no generation to go back to
        hint: run `envy generations api` to see those there are
    "#]],
    );
    scratch.envy("switch api 2").ok(expect![[r#"
        switched site `api` to generation 2
        note: site `api` is held at generation 2, until its lockfile changes; `envy build api --switch` moves it
    "#]]);

    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, held
          hello 1.0.0 (new)
          `envy build api --switch` moves it to what the lockfile says
    "#]]);
    scratch.envy("list").ok(expect![[r#"
        --- stdout ---
        api  generation   2    1 package  held
    "#]]);
    scratch.envy("build --locked").ok(expect![[r#"
        note: site `api` is held at generation 2, until its lockfile changes; `envy build api --switch` moves it
    "#]]);
    scratch.envy("build").ok(expect![[r#"
        note: site `api` is held at generation 2, until its lockfile changes; `envy build api --switch` moves it
    "#]]);
    scratch.envy("run api -- hello").says("hello 1.0.0");

    scratch.envy("build --switch").ok(expect![[r#"
        switched site `api` to generation 4 (1 package)
          prefix sha256:[..]
    "#]]);
    assert_eq!(shown(&scratch), "hello 1.2.0\n");
    scratch.envy("rollback api").succeeds();
    assert_eq!(shown(&scratch), "hello 1.0.0\n", "what was live before the switch");

    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = \"=1.1.0\"\n");
    scratch.env("USER", "ada").envy("build").ok(expect![[r#"
        locked 1 package for site `api`
          ~ hello 1.2.0 -> 1.1.0
        switched site `api` to generation 5 (1 package)
          prefix sha256:[..]
    "#]]);
    assert_eq!(shown(&scratch), "hello 1.1.0\n");
    expect![[r#"
        --- stdout ---
            1  [DAY] by ada  [..]…  empty
            2  [DAY] by ada  [..]…  hello 1.0.0: to 1.0.0
            3  [DAY] by ada  [..]…  hello 1.1.0: to 1.1.0
            4  [DAY] by ada  [..]…  hello 1.2.0: to 1.2.0
        *   5  [DAY] by ada  [..]…  hello 1.1.0
    "#]]
    .assert_eq(&list(&scratch));
}

#[test]
fn a_generation_is_switched_to_by_its_number() {
    let registry = Registry::new();
    let scratch = three(&registry);

    scratch.envy("switch api 2 -m 'the last good one'").ok(expect![[r#"
        switched site `api` to generation 2
        note: site `api` is held at generation 2, until its lockfile changes; `envy build api --switch` moves it
    "#]]);
    assert_eq!(shown(&scratch), "hello 1.0.0\n");
    scratch.envy("switch api 2").ok(expect![[r#"
        unchanged site `api` is at generation 2
        note: site `api` is held at generation 2, until its lockfile changes; `envy build api --switch` moves it
    "#]]);
    scratch.envy("switch api 7").fails(
        1,
        expect![[r#"
        error: site `api` has no generation 7; it has 1 to 4
        hint: run `envy generations api` to see those there are
    "#]],
    );
    scratch.envy("rollback api 9").fails(
        1,
        expect![[r#"
        error: site `api` has no generation 9; it has 1 to 4
        hint: run `envy generations api` to see those there are
    "#]],
    );
    scratch.envy("build --locked").ok(expect![[r#"
        note: site `api` is held at generation 2, until its lockfile changes; `envy build api --switch` moves it
    "#]]);
    scratch.envy("switch api 4").succeeds();
    scratch.envy("build --locked").ok(expect![[r#"
        unchanged site `api` is at generation 4
    "#]]);
    scratch.envy("rollback api 3").ok(expect![[r#"
        switched site `api` to generation 3
        note: site `api` is held at generation 3, until its lockfile changes; `envy build api --switch` moves it
    "#]]);

    let history = scratch.read(".envy/sites/api/history.jsonl");
    let moves: String = history
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line is JSON"))
        .map(|it| format!("{} {} -> {} {}\n", it["action"], it["from"], it["to"], it["message"]))
        .collect();
    expect![[r#"
        "create" null -> 1 null
        "build" 1 -> 2 "to 1.0.0"
        "build" 2 -> 3 "to 1.1.0"
        "build" 3 -> 4 "to 1.2.0"
        "switch" 4 -> 2 "the last good one"
        "switch" 2 -> 4 null
        "rollback" 4 -> 3 null
    "#]]
    .assert_eq(&moves);
}

#[test]
fn a_generation_can_be_made_without_being_shown() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.api]\n").envy("build").succeeds();
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = \"1\"\n");

    scratch.envy("build --no-switch").ok(expect![[r#"
        fetched 1 file (702 B)
        locked 1 package for site `api`
          + hello 1.0.0
        building hello 1.0.0
        built hello 1.0.0 in [TIME]
        built generation 2 of site `api`, not current
          run `envy switch api 2` to make it so
    "#]]);
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 1, drifted
          ! the lockfile is not the one that the current generation was built from
          `envy build api` mends it
    "#]]);
    scratch.envy("build --no-switch").ok(expect![[r#"
        built generation 2 of site `api`, not current
          run `envy switch api 2` to make it so
    "#]]);
    scratch.envy("switch api 2").succeeds();
    assert_eq!(shown(&scratch), "hello 1.0.0\n");
    scratch.envy("build --locked").ok(expect![[r#"
        unchanged site `api` is at generation 2
    "#]]);
}

#[test]
fn a_site_that_was_never_built_has_nothing_to_go_back_to() {
    let scratch = Scratch::new();
    scratch.write("envy.toml", "[sites.api]\n");
    scratch.envy("rollback api").fails(
        1,
        expect![[r#"
        error: site `api` has no generation to go back to
        hint: run `envy generations api` to see those there are
    "#]],
    );
    scratch.envy("generations api").ok(expect![[r#"
        note: site `api` has no generation yet; run `envy build api`
    "#]]);
    scratch.envy("switch api 1").fails(
        1,
        expect![[r#"
        error: site `api` has no generation 1
        hint: run `envy generations api` to see those there are
    "#]],
    );
    scratch.envy("env api").fails(
        1,
        expect![[r#"
        error: site `api` is not built
        hint: run `envy build api`
    "#]],
    );
    scratch.envy("run api --no-build -- true").fails(
        1,
        expect![[r#"
        error: site `api` is not built
        hint: run `envy build api`
    "#]],
    );
    scratch.envy("list").ok(expect![[r#"
        --- stdout ---
        api  generation   -   0 packages  not built
    "#]]);
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: not built
          ! there is no lockfile
          `envy build api` mends it
    "#]]);
    scratch.envy("tree api").fails(
        3,
        expect![[r#"
        error: lockfile `lockfiles/api.lock` is missing
        hint: run `envy lock api` and commit the file that it writes
    "#]],
    );
}
