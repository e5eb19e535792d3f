//! Versions that are not to be taken: those beyond a cut-off, those that nobody knows the age of, and yanked ones.

use expect_test::expect;

use crate::packed::{Tar, script};
use crate::registry::{Crate, Registry};
use crate::scratch::Scratch;

const OLD: &str = "2026-10-01T00:00:00Z";
const NEW: &str = "2026-11-20T08:00:00Z";

/// A program in three versions: an old one, a new one, and one of which nobody says when it was published.
fn registry() -> Registry {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello").published(OLD));
    registry.publish(Crate::new("hello", "1.1.0").bin("hello").published(NEW));
    registry.publish(Crate::new("hello", "1.2.0").bin("hello"));
    registry
}

fn settings(cutoff: &str, dependencies: &str) -> String {
    format!("[sites.api.dependencies]\n{dependencies}\n\n[settings]\nexclude-newer = \"{cutoff}\"\n")
}

/// A project whose sites take nothing that is newer.
fn limited(registry: &Registry, cutoff: &str, dependencies: &str) -> Scratch {
    let scratch = Scratch::with(registry);
    scratch.write("envy.toml", settings(cutoff, dependencies));
    scratch
}

fn lockfile(scratch: &Scratch) -> toml::Table {
    scratch.read("lockfiles/api.lock").parse().expect("a lockfile is TOML")
}

fn locked(scratch: &Scratch) -> Vec<String> {
    let document = lockfile(scratch);
    let text = |value: &toml::Value| value.as_str().expect("a text").to_owned();
    let packages = document["package"].as_array().expect("packages").iter();
    packages.map(|one| format!("{} {}", text(&one["name"]), text(&one["version"]))).collect()
}

#[test]
fn higher_versions_that_are_too_new_are_passed_over_with_their_times() {
    let registry = registry();
    let scratch = limited(&registry, "2026-11-17", "hello = \"1\"");
    scratch.envy("lock").ok(expect![[r#"
        fetched 1 file (702 B)
        note: hello 1.1.0 is passed over: it was published 2026-11-20, after the cut-off 2026-11-17
        note: hello 1.2.0 is passed over: it has no publish time, and the cut-off 2026-11-17 is in force
        locked 1 package for site `api`
          + hello 1.0.0
    "#]]);
    assert_eq!(lockfile(&scratch)["exclude-newer"].as_str(), Some("2026-11-17T00:00:00Z"));

    scratch.write("envy.toml", settings("2026-11-20T07:59:59Z", "hello = \"1\""));
    scratch.envy("lock").succeeds().says("hello 1.1.0 is passed over").says("2026-11-20T08:00:00Z");
    assert_eq!(lockfile(&scratch)["exclude-newer"].as_str(), Some("2026-11-20T07:59:59Z"), "the limit is followed");
    scratch.write("envy.toml", settings("2026-11-20T08:00:00Z", "hello = \"1\""));
    scratch.envy("update").succeeds();
    assert_eq!(locked(&scratch), ["hello 1.1.0"]);
    scratch.envy("build --locked").succeeds();
}

#[test]
fn of_many_versions_that_are_passed_over_the_highest_are_named() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello").published("2026-11-10T08:00:00Z"));
    for minor in 1..=5 {
        let published = format!("2026-11-2{minor}T08:00:00Z");
        registry.publish(Crate::new("hello", &format!("1.{minor}.0")).bin("hello").published(&published));
    }
    limited(&registry, "2026-11-17", "hello = \"1\"").envy("lock").ok(expect![[r#"
        fetched 1 file (702 B)
        note: hello 1.3.0 is passed over: it was published 2026-11-23, after the cut-off 2026-11-17
        note: hello 1.4.0 is passed over: it was published 2026-11-24, after the cut-off 2026-11-17
        note: hello 1.5.0 is passed over: it was published 2026-11-25, after the cut-off 2026-11-17
        note: 2 lower versions of hello are passed over as well
        locked 1 package for site `api`
          + hello 1.0.0
    "#]]);
}

#[test]
fn what_is_locked_is_moved_back_when_a_cut_off_is_set() {
    let registry = registry();
    let scratch = limited(&registry, "2030-01-01", "hello = \"1\"");
    scratch.envy("lock").succeeds();
    assert_eq!(locked(&scratch), ["hello 1.1.0"]);

    scratch.write("envy.toml", settings("2026-11-17", "hello = \"1\""));
    scratch.envy("build --locked").ends(3);
    scratch.envy("lock").succeeds().says("~ hello 1.1.0 -> 1.0.0");

    scratch.write("envy.toml", settings("2026-11-17", "hello = { version = \"1\", exclude-newer = false }"));
    scratch.envy("update").succeeds();
    assert_eq!(locked(&scratch), ["hello 1.2.0"]);
    scratch
        .write("envy.toml", "[sites.api.dependencies]\nhello = { version = \"1\", exclude-newer = \"2026-11-17\" }\n");
    scratch.envy("lock").succeeds().says("~ hello 1.2.0 -> 1.0.0");
}

#[test]
fn a_span_of_time_does_not_change_a_lockfile_as_it_passes() {
    let registry = registry();
    let scratch = limited(&registry, "1d", "hello = \"1\"");
    scratch.envy("lock").succeeds();
    let recorded = lockfile(&scratch)["exclude-newer"].as_str().expect("a time").to_owned();
    assert!(recorded.ends_with('Z') && recorded.starts_with("20"), "{recorded}");

    let earlier = scratch.read("lockfiles/api.lock").replace(&recorded, "2026-11-21T00:00:00Z");
    scratch.write("lockfiles/api.lock", &earlier);
    scratch.envy("lock").succeeds();
    assert_eq!(scratch.read("lockfiles/api.lock"), earlier);
    scratch.envy("build --locked").succeeds();
    scratch.write("envy.toml", settings("1d", "hello = \">=1.0\""));
    scratch.envy("lock").succeeds();
    assert_eq!(lockfile(&scratch)["exclude-newer"].as_str(), Some("2026-11-21T00:00:00Z"), "no package moved");
}

#[test]
fn what_nobody_knows_the_age_of_is_refused_until_somebody_allows_it() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = limited(&registry, "2026-11-17", "hello = \"1\"");
    scratch.envy("build").fails(
        6,
        expect![[r#"
            error: no choice of packages satisfies site `api`
              site `api` requires hello ^1
              hello 1.0.0 would fit, but has no publish time, and the cut-off 2026-11-17 is in force
            hint: to take it all the same, write `exclude-newer = false` beside `hello` in `envy.toml`, or add it with `--exclude-newer false`
        "#]],
    );
    assert!(!scratch.path("lockfiles").exists());

    scratch.write("envy.toml", settings("2026-11-17", "hello = { version = \"1\", exclude-newer = false }"));
    scratch.envy("run api -- hello").succeeds().says("hello 1.0.0");
}

#[test]
fn archives_and_repositories_have_no_time_and_paths_need_none() {
    let registry = registry();
    let scratch = limited(&registry, "2026-11-17", "");
    let root = scratch.root().display().to_string();
    let project = |directory: &str, name: &str| {
        scratch
            .write(
                format!("{directory}/Cargo.toml"),
                format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2021\"\n"),
            )
            .write(
                format!("{directory}/Cargo.lock"),
                format!("version = 4\n\n[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\n"),
            )
            .write(format!("{directory}/src/main.rs"), "fn main() {}\n");
    };
    project("../repo", "repo");
    scratch.in_dir("../repo").sh("git init -q && git add . && git commit -qm one && git tag v1.0.0").succeeds();
    project("here", "here");
    scratch.write("../tool.tar", Tar::new().program("bin/tool", script("tool")).done());
    let archive = format!("tool = {{ url = \"file://{root}/tool.tar\", version = \"1.0\"");
    let repository = format!("repo = {{ git = \"file://{root}/repo\", version = \"1\"");
    for (source, name) in [(&archive, "tool 1.0"), (&repository, "repo 1.0.0")] {
        scratch.write("envy.toml", settings("2026-11-17", &format!("{source} }}")));
        scratch
            .envy("lock")
            .ends(6)
            .says(&format!("{name} would fit, but has no publish time, and the cut-off 2026-11-17 is in force"))
            .says("`exclude-newer = false`");
    }

    let free = ", exclude-newer = false }\n";
    let all = format!("{archive}{free}{repository}{free}here = {{ path = \"here\" }}");
    scratch.write("envy.toml", settings("2026-11-17", &all));
    scratch.envy("lock").succeeds();
    assert_eq!(locked(&scratch), ["here 1.0.0", "repo 1.0.0", "tool 1.0"]);
}

#[test]
fn a_crate_is_added_at_the_highest_version_that_is_old_enough() {
    let registry = registry();
    let scratch = limited(&registry, "2026-11-17", "");
    scratch.envy("add hello").succeeds();
    assert!(scratch.read("envy.toml").contains("hello = \"1.0.0\""), "{}", scratch.read("envy.toml"));
    scratch.envy("add hello@1.1").ends(6).says("hello 1.1.0 would fit, but was published 2026-11-20");
}

#[test]
fn a_cargo_lock_that_is_made_is_held_to_the_cut_off() {
    let registry = Registry::new();
    registry.publish(Crate::new("greet", "1.0.0").lib().published(OLD));
    registry.publish(Crate::new("greet", "1.1.0").lib().published(NEW));
    registry.publish(Crate::new("fresh", "1.0.0").lib().published(NEW));
    let tool = Crate::new("tool", "1.0.0").bin("tool").without_lock().published(OLD);
    registry.publish(tool.clone().dep("greet", "1"));
    let scratch = limited(&registry, "2026-11-17", "tool = \"1\"");

    scratch.envy("lock").succeeds().never_says("cut-off");
    let made = scratch.read("lockfiles/api/tool.Cargo.lock");
    assert!(made.contains("name = \"greet\"\nversion = \"1.0.0\""), "{made}");
    scratch.envy("run api --locked -- tool").says("tool 1.0.0");

    registry.publish(
        Crate::new("tool", "1.0.1").bin("tool").without_lock().published(OLD).dep("greet", "1").dep("fresh", "1"),
    );
    scratch.envy("update").ok(expect![[r#"
        fetched 1 file (620 B)
        note: `tool 1.0.1` ships no Cargo.lock that fits it; making one
        warning: the Cargo.lock made for `tool 1.0.1` needs crates that may be newer than the cut-off 2026-11-17: fresh 1.0.0
        locked 1 package for site `api`
          ~ tool 1.0.0 -> 1.0.1
    "#]]);
    let made = scratch.read("lockfiles/api/tool.Cargo.lock");
    assert!(made.contains("name = \"greet\"\nversion = \"1.0.0\""), "{made}");
}

#[test]
fn a_cut_off_that_makes_no_sense_is_told_where_it_stands() {
    let registry = registry();
    let scratch = limited(&registry, "last week", "hello = \"1\"");
    scratch.envy("lock").ends(1).says("envy.toml:5:17: `last week` is neither a time");
}

#[test]
fn a_version_that_is_yanked_later_stays_and_status_names_it() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello")).publish(Crate::new("hello", "1.1.0").bin("hello"));
    registry.publish(Crate::new("just", "1.0.0").bin("just"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = \"1\"\n").envy("build").succeeds();
    assert_eq!(scratch.envy("status --json").json()["sites"][0]["yanked"], serde_json::json!([]));

    registry.yank("hello", "1.1.0").forget_requests();
    scratch.envy("status").succeeds().never_says("yanked");
    assert_eq!(registry.requests(), [""; 0], "nobody is asked");
    scratch.envy("add just --site api").succeeds();
    assert_eq!(locked(&scratch), ["hello 1.1.0", "just 1.0.0"]);
    registry.go_away();
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 3, current
          hello 1.1.0 (recorded)
          just 1.0.0 (new)
          hello 1.1.0 was yanked after it was locked; `envy update hello` moves it
    "#]]);
    let status = scratch.envy("status --json").json();
    assert_eq!(status["sites"][0]["yanked"], serde_json::json!(["hello 1.1.0"]));
    assert_eq!(status["sites"][0]["state"], "current");
    scratch.envy("build --locked").succeeds();
}

#[test]
fn an_update_leaves_a_yanked_version() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello")).publish(Crate::new("hello", "1.1.0").bin("hello"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = \"1\"\n").envy("lock").succeeds();
    registry.yank("hello", "1.1.0");
    scratch.envy("update hello").succeeds().says("~ hello 1.1.0 -> 1.0.0");
    scratch.envy("status").succeeds().never_says("yanked");
}

#[test]
fn crates_that_hold_others_up_are_moved_before_them() {
    let registry = Registry::new();
    let publish = |one: Crate, time: &str| {
        registry.publish(one.lib().published(time));
    };
    publish(Crate::new("below", "1.0.0"), OLD);
    publish(Crate::new("below", "1.1.0"), NEW);
    publish(Crate::new("upper", "1.0.0").dep("below", "1"), OLD);
    publish(Crate::new("upper", "1.1.0").dep("below", "1.1"), NEW);
    registry.publish(Crate::new("tool", "1.0.0").bin("tool").without_lock().published(OLD).dep("upper", "1"));
    let scratch = limited(&registry, "2026-11-17", "tool = \"1\"");

    scratch.envy("lock").succeeds().never_says("cut-off");

    let made = scratch.read("lockfiles/api/tool.Cargo.lock");
    assert_eq!(made.matches("version = \"1.0.0\"").count(), 3, "{made}");
    scratch.envy("build --locked").succeeds();
}
