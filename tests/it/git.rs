//! Packages from git repositories: which commit and which package of it is meant, and its files.

mod crates;
mod pins;

use expect_test::{Expect, expect};

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
fn what_a_repository_does_not_have_is_told() {
    let (scratch, app) = world(&[]);
    require_app(&scratch, &app, "");
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        error: `file://[SCRATCH]/upstream/app.git` has no commit on its default branch
    "#]],
    );
    app.program("", "app", "1.0.0").commit();
    app.tag("release-one");
    require_app(&scratch, &app, ", version = \"1\"");
    scratch.envy("lock").fails(
        6,
        expect![[r#"
            note: file://[SCRATCH]/upstream/app.git has no tag that is a version of `app`
            error: no choice of packages satisfies site `api`
              site `api` requires app ^1
              no version of app can be chosen
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
