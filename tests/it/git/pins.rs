//! What is locked stays, whatever becomes of the repository.

use expect_test::{Expect, expect};

use super::{locked, require, require_app, world};
use crate::registry::{Crate, Registry};
use crate::repository::Repository;
use crate::scratch::Scratch;

#[test]
fn a_locked_commit_needs_its_repository_no_more() {
    let (scratch, app) = world(&["1.0.0"]);
    let server = app.serve();
    require(&scratch, &format!("app = {{ git = \"{}\", version = \"1\" }}", server.url()));
    scratch.envy("build").succeeds();
    drop(server);
    app.vanish();
    std::fs::remove_dir_all(scratch.path(".envy")).expect("the site is there");
    let other = scratch.env("ENVY_STORE", scratch.root().join("data/other"));
    other.envy("build --locked --offline").ok(expect![[r#"
        building app 1.0.0
        built app 1.0.0 in [TIME]
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]);
    other.envy("run api -- app").succeeds().says("app 1.0.0");
    other.envy("lock --check").succeeds();
    other.envy("lock").succeeds();
    // Where neither the store nor the cache has it, it is named.
    let nothing =
        scratch.env("XDG_CACHE_HOME", scratch.root().join("nothing")).env("ENVY_STORE", scratch.root().join("none"));
    nothing.envy("build --locked --offline").fails(
        5,
        expect![[r#"
        error: the network may not be used, and 1 thing is not here
          app 1.0.0 (61f14c09f8)
        hint: run the same command once without `--offline`
    "#]],
    );
}

#[test]
fn all_that_is_missing_to_lock_is_named_at_once() {
    let (scratch, app) = world(&["1.0.0"]);
    let other = Repository::new(&scratch, "other");
    let commit = other.release("other", "1.0.0");
    let (first, second) = (app.serve(), other.serve());
    let dependencies = [
        format!("app = {{ git = \"{}\", version = \"1\" }}", first.url()),
        "hello = \"1\"".to_owned(),
        format!("other = {{ git = \"{}\", rev = \"{commit}\" }}", second.url()),
    ];
    require(&scratch, &dependencies.join("\n"));
    scratch.envy("lock --offline").fails(
        5,
        expect![[r#"
        error: the network may not be used, and 3 things are not here
          git://127.0.0.1:[PORT]/repository.git
          hello
          other (f6db13895c)
        hint: run the same command once without `--offline`
    "#]],
    );
}

#[test]
fn a_repository_of_this_machine_may_go_once_it_was_read() {
    let (scratch, app) = world(&["1.0.0"]);
    require_app(&scratch, &app, ", version = \"1\"");
    scratch.envy("build").succeeds();
    app.vanish();
    std::fs::remove_dir_all(scratch.path(".envy")).expect("the site is there");
    scratch.envy("build --locked --offline").succeeds();
    scratch.envy("update").fails(1, expect![[r#"
        error: could not read the repository `file://[SCRATCH]/upstream/app.git`
          caused by: failed to resolve path '[SCRATCH]/upstream/app.git': No such file or directory; class=Os (2); code=NotFound (-3)
    "#]]);
    let other = scratch.env("ENVY_STORE", scratch.root().join("data/other"));
    std::fs::remove_dir_all(scratch.path(".envy")).expect("the site is there");
    other.envy("build --locked").fails(1, expect![[r#"
        error: could not read the repository `file://[SCRATCH]/upstream/app.git`
          caused by: failed to resolve path '[SCRATCH]/upstream/app.git': No such file or directory; class=Os (2); code=NotFound (-3)
    "#]]);
}

#[test]
fn a_tag_that_was_moved_is_told_and_not_followed() {
    let (scratch, app) = world(&["1.0.0"]);
    let other = Repository::new(&scratch, "other");
    other.release("other", "1.0.0");
    for keys in [", version = \"1\"", ", tag = \"v1.0.0\""] {
        let before = app.release("app", "1.0.0");
        require_app(&scratch, &app, keys);
        scratch.envy("lock").succeeds();
        let now = app.write("new", "what nobody has read").commit();
        app.tag("v1.0.0");
        assert_ne!(before, now);
        for command in ["lock", "update", "update app"] {
            scratch.envy(command).succeeds();
            assert_eq!(locked(&scratch), ("1.0.0".to_owned(), before.clone()), "{command}");
        }
        scratch.envy("update app").succeeds().says("tag `v1.0.0` of file://[SCRATCH]/upstream/app.git was moved");
        let line = format!("other = {{ git = \"{}\", version = \"1\" }}\n", other.url());
        scratch.write("envy.toml", scratch.read("envy.toml") + &line);
        scratch.envy("lock").succeeds();
        assert_eq!(locked(&scratch).1, before);
        scratch.envy("lock --check").succeeds();
        std::fs::remove_file(scratch.path("lockfiles/api.lock")).expect("it was there");
        scratch.envy("lock").succeeds().never_says("moved");
        assert_eq!(locked(&scratch).1, now);
        std::fs::remove_file(scratch.path("lockfiles/api.lock")).expect("it was there");
    }
}

#[test]
fn what_is_locked_stays_where_its_repository_cannot_be_asked() {
    let (scratch, app) = world(&["1.0.0", "2.0.0"]);
    let other = Repository::new(&scratch, "other");
    other.release("other", "1.0.0");
    let other = format!("other = {{ git = \"{}\", version = \"1\" }}", other.url());
    for keys in ["version = \"1\"", "tag = \"v1.0.0\""] {
        let server = app.serve();
        let app = format!("app = {{ git = \"{}\", {keys} }}", server.url());
        require(&scratch, &app);
        scratch.envy("lock").succeeds();
        let before = locked(&scratch);
        drop(server);

        require(&scratch, &format!("{app}\n{other}"));
        scratch.envy("lock").ok(expect![[r#"
            note: could not ask git://127.0.0.1:[PORT]/repository.git for its tags; `app` stays at the commit that is locked
            locked 2 packages for site `api`
              + other 1.0.0
        "#]]);
        assert_eq!(locked(&scratch), before);
        scratch.envy("update").ends(1);
    }
}

#[test]
fn a_branch_moves_when_its_package_is_updated_and_then_only() {
    let (scratch, app) = world(&["1.0.0"]);
    let other = Repository::new(&scratch, "other");
    other.release("other", "1.0.0");
    for (keys, version) in [("", "1.0.0"), (", branch = \"main\"", "1.0.1")] {
        let line = |other: &Repository| format!("\nother = {{ git = \"{}\", branch = \"main\" }}\n", other.url());
        require_app(&scratch, &app, keys);
        scratch.envy("lock").succeeds();
        let before = locked(&scratch);
        assert_eq!(before.0, version);
        let now = app.release("app", &format!("{version}-next"));
        scratch.envy("lock").succeeds();
        assert_eq!(locked(&scratch), before, "nothing asked for it");
        scratch.write("envy.toml", scratch.read("envy.toml") + &line(&other));
        scratch.envy("lock").succeeds();
        assert_eq!(locked(&scratch), before, "another package came");
        other.write("new", "").commit();
        scratch.envy("update other").succeeds();
        assert_eq!(locked(&scratch), before, "another package moved");
        scratch.envy("update app").ok(expect_moved(version));
        assert_eq!(locked(&scratch), (format!("{version}-next"), now));
        app.release("app", "1.0.1");
    }
}

fn expect_moved(version: &str) -> Expect {
    match version {
        "1.0.0" => expect![[r#"
            locked 2 packages for site `api`
              ~ app 1.0.0 -> 1.0.0-next
        "#]],
        _ => expect![[r#"
            locked 2 packages for site `api`
              ~ app 1.0.1 -> 1.0.1-next
        "#]],
    }
}

#[test]
fn an_update_of_one_package_leaves_the_others() {
    let (scratch, app) = world(&["1.0.0"]);
    let other = Repository::new(&scratch, "other");
    other.release("other", "1.0.0");
    let asked = |name: &str, of: &Repository| format!("{name} = {{ git = \"{}\", version = \"1\" }}\n", of.url());
    require(&scratch, &(asked("app", &app) + &asked("other", &other)));
    scratch.envy("lock").succeeds();
    app.release("app", "1.1.0");
    other.release("other", "1.1.0");
    scratch.envy("update other").ok(expect![[r#"
        locked 2 packages for site `api`
          ~ other 1.0.0 -> 1.1.0
    "#]]);
    scratch.envy("update app@1.1.0").ok(expect![[r#"
        locked 2 packages for site `api`
          ~ app 1.0.0 -> 1.1.0
    "#]]);
    scratch.envy("update app@1.0.0").ok(expect![[r#"
        locked 2 packages for site `api`
          ~ app 1.1.0 -> 1.0.0
    "#]]);
    scratch.envy("update app@7.0.0").fails(
        6,
        expect![[r#"
            error: no choice of packages satisfies site `api`
              this update requires app =7.0.0
              the versions of app go from 1.0.0 to 1.1.0
            hint: run `envy update app`, which takes the highest version that `envy.toml` allows
        "#]],
    );
}

#[test]
fn a_commit_that_is_gone_is_named() {
    let (scratch, app) = world(&[]);
    let gone = app.program("", "app", "1.0.0").commit();
    let server = app.serve();
    require(&scratch, &format!("app = {{ git = \"{}\", branch = \"main\" }}", server.url()));
    scratch.envy("lock").succeeds();
    let now = app.write("new", "").begin_anew();
    app.forget_what_is_unnamed();
    let elsewhere =
        scratch.env("XDG_CACHE_HOME", scratch.root().join("nothing")).env("ENVY_STORE", scratch.root().join("none"));
    elsewhere.envy("build --locked").fails(1, expect![[r#"
        error: commit 61f14c09f8bdbf206a617c91c24ba8a08b24e4b4 is not in `git://127.0.0.1:[PORT]/repository.git` any more: branch `main` is now at 63ec99c9a083b5211cb246044a92541f76d5ac33
    "#]]).says(&gone).says(&now);
    scratch.envy("build --locked").succeeds();
    scratch.envy("update app").succeeds();
    assert_eq!(locked(&scratch).1, now);

    // The same of a repository on this machine.
    require_app(&scratch, &app, "");
    scratch.envy("lock").succeeds();
    app.write("newer", "").begin_anew();
    app.forget_what_is_unnamed();
    elsewhere.envy("build --locked").fails(1, expect![[r#"
        error: commit 63ec99c9a083b5211cb246044a92541f76d5ac33 is not in `file://[SCRATCH]/upstream/app.git` any more: the default branch is now at 7694552efce68510c55e8435e2d1956eaa746613
    "#]]).says(&now);
}

#[test]
fn a_commit_that_another_repository_gave_is_asked_of_its_own() {
    let (scratch, app) = world(&[]);
    let commit = app.program("", "app", "1.0.0").commit();
    require_app(&scratch, &app, &format!(", rev = \"{commit}\""));
    scratch.envy("lock").succeeds();

    let other = Repository::new(&scratch, "other");
    other.release("app", "2.0.0");
    require_app(&scratch, &other, &format!(", rev = \"{commit}\""));
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        error: commit 61f14c09f8bdbf206a617c91c24ba8a08b24e4b4 is not in `file://[SCRATCH]/upstream/other.git` any more
    "#]],
    );
}

#[test]
fn what_changed_in_the_manifest_is_told() {
    let (scratch, app) = world(&["1.0.0", "1.1.0", "2.0.0"]);
    require_app(&scratch, &app, ", version = \"1\"");
    scratch.envy("lock").succeeds();
    for (keys, expected) in [
        (
            ", version = \"2\"",
            expect![[r#"
            error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
              `app` is required at ^2, but locked at 1.1.0
            hint: run `envy lock api` and review the difference
        "#]],
        ),
        (
            ", version = \"1.1\"",
            expect![[r#"
            error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
              `app` shall come from git+file://[SCRATCH]/upstream/app.git?version=^1.1, but is locked from git+file://[SCRATCH]/upstream/app.git?version=^1
            hint: run `envy lock api` and review the difference
        "#]],
        ),
        (
            ", tag = \"v1.1.0\"",
            expect![[r#"
            error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
              `app` shall come from git+file://[SCRATCH]/upstream/app.git?tag=v1.1.0, but is locked from git+file://[SCRATCH]/upstream/app.git?version=^1
            hint: run `envy lock api` and review the difference
        "#]],
        ),
        (
            ", version = \"1\", subdir = \"app\"",
            expect![[r#"
            error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
              `app` shall come from git+file://[SCRATCH]/upstream/app.git?version=^1&subdir=app, but is locked from git+file://[SCRATCH]/upstream/app.git?version=^1
            hint: run `envy lock api` and review the difference
        "#]],
        ),
        (
            ", version = \"1\", features = [\"loud\"]",
            expect![[r#"
            error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
              `app` is locked with other params, or with another text of recipe `cargo`
            hint: run `envy lock api` and review the difference
        "#]],
        ),
    ] {
        require_app(&scratch, &app, keys);
        scratch.envy("lock --check").fails(3, expected);
        scratch.envy("build --locked").ends(3);
    }
    require(&scratch, "app = \"1\"");
    scratch.envy("lock --check").fails(
        3,
        expect![[r#"
        error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
          `app` shall come from registry+crates.io, but is locked from git+file://[SCRATCH]/upstream/app.git?version=^1
        hint: run `envy lock api` and review the difference
    "#]],
    );
}

#[test]
fn another_sum_of_an_archive_is_told() {
    let registry = Registry::new();
    registry.publish(Crate::new("app", "1.0.0").bin("app"));
    let (scratch, sum) = (Scratch::new(), registry.checksum("app", "1.0.0"));
    scratch.write("app.tar.gz", registry.archive("app", "1.0.0"));
    let ask = |sum: &str| {
        let url = format!("file://{}", scratch.path("app.tar.gz").display());
        let keys = format!("url = '{url}', version = '1.0.0', recipe = 'cargo', sha256 = '{sum}'");
        require(&scratch, &format!("app = {{ {keys} }}"));
    };
    ask(&sum);
    scratch.envy("lock").succeeds();
    ask(&"4f1c0d2e".repeat(8));
    scratch.envy("lock --check").fails(
        3,
        expect![[r#"
        error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
          `app` shall be sha256:[..], but is locked to another archive
        hint: run `envy lock api` and review the difference
    "#]],
    );
    scratch.envy("lock").fails(
        4,
        expect![[r#"
            error: `app 1.0.0` is not what was pinned
              from     [SCRATCH]/project/app.tar.gz
              expected sha256:[..]
              received sha256:[..]
            hint: nothing of it was kept; if the new content is right, correct its `sha256` in `envy.toml`, or run `envy update` where it has none
        "#]],
    );
    ask(&sum);
    scratch.envy("build --locked").succeeds();
}

#[test]
fn one_name_is_one_source() {
    let (scratch, app) = world(&["1.0.0"]);
    let git = format!("app = {{ git = \"{}\", version = \"1\" }}", app.url());
    scratch.write("envy.toml", format!("[dependencies]\napp = \"1\"\n[sites.api.dependencies]\n{git}\n"));
    scratch.envy("lock").fails(
        6,
        expect![[r#"
        error: `app` is asked for in two ways
          every site takes it from registry+crates.io
          site `api` takes it from git+file://[SCRATCH]/upstream/app.git?version=^1
        hint: say the same in both places, or give one of them another name than `app`
    "#]],
    );
    scratch.write("envy.toml", format!("[sites.api.dependencies]\n{}, path = \"app\" }}\n", git.trim_end_matches('}')));
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        error: `envy.toml` has 1 error
          envy.toml:2:82: dependency `app` has two sources, `git` and `path`
            2 | app = { git = "file://[SCRATCH]/upstream/app.git", version = "1" , path = "app" }
                                                                                                 ^^^^^
        hint: keep one of them
    "#]],
    );
}

#[test]
fn a_repository_is_added_by_its_address() {
    let registry = Registry::new();
    registry.publish(Crate::new("app", "0.9.0").bin("app"));
    let scratch = Scratch::with(&registry);
    let app = Repository::new(&scratch, "app");
    app.release("app", "1.0.0");
    scratch.write("envy.toml", "[sites.api]\n");
    scratch.envy(&format!("add --git {} --version ^1 --site api", app.url())).ok(expect![[r#"
        locked 1 package for site `api`
          + app 1.0.0
        building app 1.0.0
        built app 1.0.0 in [TIME]
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]);
    expect![[r#"
        [sites.api]

        [sites.api.dependencies]
        app = { git = "file://[SCRATCH]/upstream/app.git", version = "^1" }
    "#]]
    .assert_eq(&scratch.read("envy.toml").replace(&scratch.root().display().to_string(), "[SCRATCH]"));
    scratch.envy("run api -- app").succeeds().says("app 1.0.0");
    scratch.envy("remove app --site api").succeeds();

    // What is there as a crate comes from the repository from now on.
    scratch.envy("add app --site api").succeeds();
    scratch.envy(&format!("add app --git {} --branch main --site api", app.url())).ok(expect![[r#"
        locked 1 package for site `api`
          ~ app 0.9.0 -> 1.0.0, from git+file://[SCRATCH]/upstream/app.git?branch=main instead of registry+crates.io
        switched site `api` to generation 5 (1 package)
          prefix sha256:[..]
    "#]]);
    expect![[r#"
        [sites.api]

        [sites.api.dependencies]
        app = { git = "file://[SCRATCH]/upstream/app.git", branch = "main" }
    "#]]
    .assert_eq(&scratch.read("envy.toml").replace(&scratch.root().display().to_string(), "[SCRATCH]"));
    scratch.envy(&format!("add --git {} --tag v7 --site api", app.url())).fails(
        1,
        expect![[r#"
        error: `file://[SCRATCH]/upstream/app.git` has no tag `v7`
    "#]],
    );
    scratch.envy(&format!("add --git {} --path . --site api", app.url())).ends(2);
    scratch.envy("add app --tag v1.0.0 --site api").ends(2);
    scratch.envy("add app --subdir x --site api").ends(2);
}

#[test]
fn data_about_packages_names_their_commits() {
    let (scratch, app) = world(&["1.0.0"]);
    require_app(&scratch, &app, ", version = \"1\"");
    scratch.envy("build").succeeds();
    let tree = scratch.envy("tree --json").json();
    let package = &tree["sites"][0]["packages"][0];
    assert_eq!(package["commit"].as_str(), Some(locked(&scratch).1.as_str()));
    assert_eq!((package["pinned"].as_bool(), package["version"].as_str()), (Some(true), Some("1.0.0")));
    assert_eq!(package["required-by"][0].as_str(), Some("site `api` ^1"));
    let status = scratch.envy("status --json").json();
    assert_eq!(status["sites"][0]["state"].as_str(), Some("current"));
    let list = scratch.envy("list --json").json();
    assert_eq!(list["sites"][0]["packages"].as_u64(), Some(1));
}
