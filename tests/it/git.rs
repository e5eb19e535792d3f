//! Packages from git repositories.

use expect_test::{Expect, expect};

use crate::registry::{Crate, Registry};
use crate::repository::{EXECUTABLE, MAIN, Repository, SUBMODULE, SYMLINK, cargo_lock, manifest};
use crate::scratch::Scratch;

fn require(scratch: &Scratch, dependencies: &str) {
    scratch.write("envy.toml", format!("[sites.api.dependencies]\n{dependencies}\n"));
}

/// A world with one repository, `app`, which has these releases.
fn world(versions: &[&str]) -> (Scratch, Repository) {
    let scratch = Scratch::new();
    let app = Repository::new(&scratch, "app");
    versions.iter().for_each(|version| drop(app.release("app", version)));
    (scratch, app)
}

/// Asks for `app` by these keys, beside its repository.
fn require_app(scratch: &Scratch, app: &Repository, keys: &str) {
    require(scratch, &format!("app = {{ git = \"{}\"{keys} }}", app.url()));
}

/// The lockfile's lines from `[[package]]` on that begin with one of these words.
fn lines(scratch: &Scratch, words: &[&str], expected: Expect) {
    let text = scratch.read("lockfiles/api.lock");
    let packages = text.split_once("[[package]]").map_or("", |(_, packages)| packages);
    let wanted = |line: &&str| words.iter().any(|word| line.starts_with(&format!("{word} = ")));
    let found: String = packages.lines().filter(wanted).map(|line| format!("{line}\n")).collect();
    expected.assert_eq(&crate::outcome::normalise(&found, &scratch.root().display().to_string()));
}

fn prints(scratch: &Scratch, program: &str, text: &str) {
    scratch.envy("build").succeeds();
    assert_eq!(scratch.envy(&format!("run api -- {program}")).stdout(), text);
}

#[test]
fn tags_are_versions_and_the_highest_that_fits_is_built() {
    let (scratch, app) = world(&["1.0.0", "1.2.0", "2.0.0"]);
    app.program("", "app", "1.3.0-rc.1").commit();
    app.tag("v1.3.0-rc.1").tag("nightly");
    require_app(&scratch, &app, ", version = \"1\"");
    scratch.envy("build").ok(expect![[r#"
        locked 1 package for site `api`
          + app 1.2.0
        building app 1.2.0
        built app 1.2.0 in [TIME]
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]);
    scratch.envy("run api -- app").ok(expect![[r#"
        --- stdout ---
        app 1.2.0
    "#]]);
    lines(
        &scratch,
        &["name", "version", "source", "commit", "tree", "crates"],
        expect![[r#"
        name = "app"
        version = "1.2.0"
        source = "git+file://[SCRATCH]/upstream/app.git?version=^1"
        commit = "b64b183757d560050b8666e3e893100cb9719b5b"
        tree = "sha256:[..]"
        crates = "sha256:[..]"
        tree = "sha256:[..]"
        tree = "sha256:[..]"
    "#]],
    );
    scratch.envy("tree").ok(expect![[r#"
        --- stdout ---
        api
        └── app 1.2.0 git+file://[SCRATCH]/upstream/app.git?version=^1
    "#]]);
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, current
          app 1.2.0 (new)
    "#]]);
    scratch.envy("lock --check").succeeds();
    scratch.envy("build --locked").ok(expect![[r#"
        unchanged site `api` is at generation 2
    "#]]);

    require_app(&scratch, &app, ", version = \"=1.3.0-rc.1\"");
    scratch.envy("lock").ok(expect![[r#"
        locked 1 package for site `api`
          ~ app 1.2.0 -> 1.3.0-rc.1
    "#]]);
    require_app(&scratch, &app, ", version = \"3\"");
    scratch.envy("lock").fails(
        6,
        expect![[r#"
        error: no choice of packages satisfies site `api`
          site `api` requires app ^3
          the versions of app go from 1.0.0 to 2.0.0
        hint: ask for app ^2.0 in `envy.toml`
    "#]],
    );
}

#[test]
fn an_annotated_tag_is_the_commit_it_is_on() {
    let (scratch, app) = world(&[]);
    let commit = app.program("", "app", "1.0.0").commit();
    app.annotated_tag("v1.0.0");
    for keys in [", version = \"1\"", ", tag = \"v1.0.0\""] {
        require_app(&scratch, &app, keys);
        scratch.envy("lock").succeeds();
        assert!(scratch.read("lockfiles/api.lock").contains(&format!("commit = \"{commit}\"")));
    }
}

#[test]
fn a_repository_of_several_packages_tags_each_by_its_name() {
    let (scratch, apps) = world(&[]);
    apps.write("Cargo.toml", "[workspace]\nmembers = [\"one\", \"two\"]\n")
        .write("Cargo.lock", cargo_lock(&[("one", "1.0.0"), ("two", "5.0.0")]));
    apps.write("one/Cargo.toml", manifest("one", "1.0.0")).write("one/src/main.rs", MAIN);
    apps.write("two/Cargo.toml", manifest("two", "5.0.0")).write("two/src/main.rs", MAIN);
    apps.commit();
    apps.tag("one-v1.0.0").tag("two-v5.0.0").tag("v9.0.0");
    let url = apps.url();
    require(
        &scratch,
        &format!("one = {{ git = \"{url}\", version = \"1\" }}\ntwo = {{ git = \"{url}\", version = \"5\" }}"),
    );
    prints(&scratch, "one", "one 1.0.0\n");
    prints(&scratch, "two", "two 5.0.0\n");
    lines(
        &scratch,
        &["name", "version"],
        expect![[r#"
        name = "one"
        version = "1.0.0"
        name = "two"
        version = "5.0.0"
    "#]],
    );
}

#[test]
fn a_member_inherits_from_its_workspace() {
    let (scratch, apps) = world(&[]);
    let top = "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"2\"\n[workspace.package]\nversion = \"3.1.4\"\nedition = \"2021\"\n[workspace.dependencies]\nbase = { path = \"crates/base\" }\n";
    let lock = "version = 4\n\n[[package]]\nname = \"api\"\nversion = \"3.1.4\"\ndependencies = [\n \"base\",\n]\n\n[[package]]\nname = \"base\"\nversion = \"3.1.4\"\n";
    apps.write("Cargo.toml", top).write("Cargo.lock", lock);
    let head =
        |name: &str| format!("[package]\nname = \"{name}\"\nversion.workspace = true\nedition.workspace = true\n");
    apps.write("crates/api/Cargo.toml", format!("{}[dependencies]\nbase.workspace = true\n", head("api")));
    apps.write("crates/api/src/main.rs", "fn main() { println!(\"api on {}\", base::version()) }\n");
    apps.write("crates/base/Cargo.toml", head("base"));
    apps.write("crates/base/src/lib.rs", "pub fn version() -> &'static str { env!(\"CARGO_PKG_VERSION\") }\n");
    apps.commit();
    require(&scratch, &format!("api = {{ git = \"{}\" }}", apps.url()));
    prints(&scratch, "api", "api on 3.1.4\n");
    lines(
        &scratch,
        &["version", "source"],
        expect![[r#"
        version = "3.1.4"
        source = "git+file://[SCRATCH]/upstream/app.git"
    "#]],
    );
    require(&scratch, &format!("base = {{ git = \"{}\" }}", apps.url()));
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        error: `base 3.1.4` has no program: it is a library
        hint: libraries belong into a `Cargo.toml`; `envy.toml` is for programs
    "#]],
    );
    require(&scratch, &format!("other = {{ git = \"{}\" }}", apps.url()));
    scratch.envy("lock").fails(
        1,
        expect![[r#"
            error: `other` is not to be found in its source
              caused by: the workspace of `Cargo.toml` has no package `other`; members with programs are `api`
        "#]],
    );
}

#[test]
fn a_subdir_is_where_the_package_is() {
    let (scratch, apps) = world(&[]);
    apps.program("one/", "app", "1.0.0").program("two/", "app", "2.0.0").commit();
    require_app(&scratch, &apps, ", subdir = \"two\"");
    prints(&scratch, "app", "app 2.0.0\n");
    lines(
        &scratch,
        &["version", "source"],
        expect![[r#"
        version = "2.0.0"
        source = "git+file://[SCRATCH]/upstream/app.git?subdir=two"
    "#]],
    );

    require_app(&scratch, &apps, ", subdir = \"one\"");
    scratch.envy("lock --check").fails(3, expect![[r#"
        error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
          `app` shall come from git+file://[SCRATCH]/upstream/app.git?subdir=one, but is locked from git+file://[SCRATCH]/upstream/app.git?subdir=two
        hint: run `envy lock api` and review the difference
    "#]]);
    prints(&scratch, "app", "app 1.0.0\n");
    require_app(&scratch, &apps, ", subdir = \"three\"");
    scratch.envy("lock").fails(
        1,
        expect![[r#"
            error: `app` is not to be found in its source
              caused by: there is no directory `three` inside
        "#]],
    );
}

/// The version and the commit that `app` is locked to.
fn locked(scratch: &Scratch) -> (String, String) {
    let document: toml::Table = scratch.read("lockfiles/api.lock").parse().expect("a lockfile is TOML");
    let packages = document["package"].as_array().expect("packages");
    let app = packages.iter().find(|one| one["name"].as_str() == Some("app")).expect("it has the package");
    let text = |key: &str| app[key].as_str().expect("a text").to_owned();
    (text("version"), text("commit"))
}

#[test]
fn a_branch_a_tag_and_a_revision_are_each_one_commit() {
    let (scratch, app) = world(&["1.0.0"]);
    let first = app.release("app", "1.1.0");
    app.branch("stable");
    let second = app.release("app", "2.0.0");
    let check = |keys: &str, version: &str, commit: &str| {
        require_app(&scratch, &app, keys);
        scratch.envy("lock").succeeds();
        assert_eq!(locked(&scratch), (version.to_owned(), commit.to_owned()), "{keys}");
    };
    check("", "2.0.0", &second);
    check(", branch = \"stable\"", "1.1.0", &first);
    check(", tag = \"v1.1.0\"", "1.1.0", &first);
    check(&format!(", rev = \"{first}\""), "1.1.0", &first);
    check(&format!(", rev = \"{}\"", &second[..9]), "2.0.0", &second);
    for keys in [", branch = \"none\"", ", tag = \"none\"", ", rev = \"none\"", ", rev = \"0123456789\""] {
        require_app(&scratch, &app, keys);
        scratch.envy("lock").ends(1).says("upstream/app.git` has no");
    }
    require_app(&scratch, &app, ", rev = \"0123456789012345678901234567890123456789\"");
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        error: commit 0123456789012345678901234567890123456789 is not in `file://[SCRATCH]/upstream/app.git` any more
    "#]],
    );
}

#[test]
fn files_are_what_the_commit_says_whatever_git_is_configured_to() {
    let (scratch, files) = world(&[]);
    scratch.write("../home/.gitconfig", "[core]\n\tautocrlf = true\n\tsymlinks = false\n\tfileMode = false\n");
    files.write("bin/plain", "one\r\ntwo\n").entry("bin/tool", EXECUTABLE, "#!/bin/sh\n");
    files.entry("bin/link", SYMLINK, "tool").write(".gitattributes", "* text eol=crlf\n").commit();
    require(&scratch, &format!("files = {{ git = \"{}\", recipe = \"unpack\" }}", files.url()));
    scratch.envy("build").succeeds();
    scratch
        .in_dir(".envy/sites/api/current/bin")
        .sh("od -c plain; cat tool; stat -Lc %A plain tool; readlink link")
        .ok(expect![[r#"
        --- stdout ---
        0000000   o   n   e  \r  \n   t   w   o  \n
        0000011
        #!/bin/sh
        -r--r--r--
        -r-xr-xr-x
        tool
    "#]]);
}

#[test]
fn a_submodule_is_at_the_commit_that_the_repository_says() {
    let (scratch, app) = world(&[]);
    let text = Repository::new(&scratch, "text");
    let commit = text.write("text", "pinned").commit();
    text.write("text", "moved").commit();
    app.program("", "app", "1.0.0").write("src/main.rs", "fn main() { println!(include_str!(\"../below/text\")) }");
    app.write(".gitmodules", format!("[submodule \"below\"]\n\tpath = below\n\turl = {}\n", text.url()));
    app.entry("below", SUBMODULE, commit).commit();
    require_app(&scratch, &app, "");
    prints(&scratch, "app", "pinned\n");

    app.entry("below", SUBMODULE, "0123456789012345678901234567890123456789").commit();
    scratch.envy("update app").fails(1, expect![[r#"
        error: the submodule `below` of `file://[SCRATCH]/upstream/app.git` cannot be had
          caused by: commit 0123456789012345678901234567890123456789 is not in `file://[SCRATCH]/upstream/text.git` any more
    "#]]);
}

#[test]
fn a_file_that_is_kept_elsewhere_is_refused() {
    let (scratch, app) = world(&[]);
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12345\n", "4f1c0d2e".repeat(8));
    app.program("", "app", "1.0.0").write(".gitattributes", "*.bin filter=lfs\n").write("data.bin", pointer).commit();
    require_app(&scratch, &app, "");
    scratch.envy("lock").fails(1, expect![[r#"
        error: `data.bin` in commit 03cf764639ca11f5b971a67343534622ea02707f of `file://[SCRATCH]/upstream/app.git` is kept in Git LFS, which envy does not fetch: the repository has only a pointer to it
    "#]]);
}

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
          site `api` requires app ^1
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

/// A program of a repository that takes a crate from another, and that other.
fn forked(scratch: &Scratch) -> (Repository, Repository, String) {
    let fork = Repository::new(scratch, "fork");
    fork.write("Cargo.toml", "[workspace]\nmembers = [\"fork\"]\n[workspace.package]\nversion = \"0.1.0\"\n");
    fork.write("fork/Cargo.toml", "[package]\nname = \"fork\"\nversion.workspace = true\nedition = \"2021\"\n");
    fork.write("fork/src/lib.rs", "pub fn said() -> &'static str { \"as it was pinned\" }\n");
    let commit = fork.commit();
    let app = Repository::new(scratch, "app");
    let url = fork.url();
    let needs = format!("[dependencies]\nfork = {{ git = \"{url}\" }}\n");
    app.program("", "app", "1.0.0").write("Cargo.toml", manifest("app", "1.0.0") + &needs);
    app.write("Cargo.lock", format!("version = 4\n\n[[package]]\nname = \"app\"\nversion = \"1.0.0\"\ndependencies = [\n \"fork\",\n]\n\n[[package]]\nname = \"fork\"\nversion = \"0.1.0\"\nsource = \"git+{url}#{commit}\"\n"));
    app.write("src/main.rs", "fn main() { println!(\"{}\", fork::said()) }\n").commit();
    (app, fork, commit)
}

#[test]
fn a_crate_from_a_repository_is_pinned_and_not_followed() {
    let scratch = Scratch::new();
    let (app, fork, commit) = forked(&scratch);
    require_app(&scratch, &app, "");
    scratch.envy("build").ok(expect![[r#"
        locked 1 package for site `api`
          + app 1.0.0
        building app 1.0.0
        built app 1.0.0 in [TIME]
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]);
    scratch.envy("run api -- app").succeeds().says("as it was pinned");
    let lockfile = scratch.read("lockfiles/api.lock");
    assert!(
        lockfile.contains(&format!("\n[[package.crate-source]]\nurl = \"{}\"\ncommit = \"{commit}\"\n", fork.url()))
    );

    fork.write("fork/src/lib.rs", "pub fn said() -> &'static str { \"as it is now\" }\n").commit();
    for command in ["lock", "update"] {
        scratch.envy(command).succeeds();
        assert_eq!(scratch.read("lockfiles/api.lock"), lockfile, "{command}");
    }
    fork.vanish();
    app.vanish();
    std::fs::remove_dir_all(scratch.path(".envy")).expect("the site is there");
    std::fs::remove_dir_all(scratch.store().join("results")).expect("results are there");
    scratch.envy("build --locked --offline").succeeds();
    scratch.envy("run api -- app").succeeds().says("as it was pinned");
}

#[test]
fn a_crate_may_come_from_a_registry_beside_crates_io() {
    let (crates_io, company) = (Registry::new(), Registry::other());
    company.publish(Crate::new("base", "1.0.0").lib());
    company.publish(Crate::new("greet", "1.0.0").lib().dep("base", "1"));
    crates_io.publish(Crate::new("base", "2.0.0").lib());
    let scratch = Scratch::with(&crates_io);
    let app = Repository::new(&scratch, "app");
    let needs = "[dependencies]\ngreet = { version = \"1\", registry = \"company\" }\n";
    app.program("", "app", "1.0.0").write("Cargo.toml", manifest("app", "1.0.0") + needs);
    app.write("Cargo.lock", company.cargo_lock(&Crate::new("app", "1.0.0").bin("app").dep("greet", "1")));
    app.write("src/main.rs", "fn main() { println!(\"{}\", greet::name()) }\n").commit();
    let registries = format!("[registries.company]\nindex = \"{}\"\n", company.index());
    scratch.write("envy.toml", format!("{registries}[sites.api.dependencies]\napp = {{ git = \"{}\" }}\n", app.url()));
    scratch.envy("build").ok(expect![[r#"
        locked 1 package for site `api`
          + app 1.0.0
        fetched 2 files (711 B)
        building app 1.0.0
        built app 1.0.0 in [TIME]
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]);
    scratch.envy("run api -- app").succeeds().says("greet 1.0.0");
    company.go_away();
    crates_io.go_away();
    std::fs::remove_dir_all(scratch.store().join("results")).expect("results are there");
    scratch.envy("build --locked --offline").succeeds();
}

#[test]
fn a_projects_own_configuration_of_cargo_counts_but_for_where_things_come_from() {
    let (scratch, app) = world(&[]);
    app.program("", "app", "1.0.0");
    app.write("src/main.rs", "fn main() { println!(\"{}\", if cfg!(seen) { \"seen\" } else { \"not seen\" }) }\n");
    let config = "[build]\nrustflags = [\"--cfg\", \"seen\"]\nrustc-wrapper = \"/bin/false\"\n[source.crates-io]\nreplace-with = \"nowhere\"\n[source.nowhere]\ndirectory = \"/nowhere\"\n";
    app.write(".cargo/config.toml", config).commit();
    require_app(&scratch, &app, "");
    scratch
        .envy("build -v")
        .succeeds()
        .says("`build.rustc-wrapper` in `.cargo/config.toml` of `app 1.0.0` does not count");
    scratch.envy("run api -- app").ok(expect![[r#"
        --- stdout ---
        seen
    "#]]);
}

#[test]
fn a_project_that_asks_for_another_rust_is_built_with_ours() {
    let (scratch, app) = world(&[]);
    app.program("", "app", "1.0.0").write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.0.0\"\n").commit();
    require_app(&scratch, &app, "");
    scratch.envy("lock").ok(expect![[r#"
        note: `app 1.0.0` asks for another Rust by `rust-toolchain.toml`; it is built with the project's
        locked 1 package for site `api`
          + app 1.0.0
    "#]]);
    prints(&scratch, "app", "app 1.0.0\n");
}
