//! Recipes that projects share: from a repository or a directory, pinned, and read as they were pinned.

use expect_test::expect;

use crate::repository::{GitServer, Repository};
use crate::scratch::Scratch;

/// A recipe of a program `NAME` that says something.
fn saying(name: &str, text: &str) -> String {
    format!(
        r#"
summary = "Says something"
[versions."1.0.0"]
[params]
text = {{ type = "string", default = "{text}", doc = "What it says." }}
[[step]]
name = "install"
run = '''
mkdir -p {{{{ destdir }}}}{{{{ prefix }}}}/bin
printf '#!/bin/sh\necho %s\n' {{{{ text }}}} > {{{{ destdir }}}}{{{{ prefix }}}}/bin/{name}
chmod +x {{{{ destdir }}}}{{{{ prefix }}}}/bin/{name}
'''
"#
    )
}

/// A repository of recipes with the tag `v1`, which says `one`.
fn library(scratch: &Scratch) -> Repository {
    let recipes = Repository::new(scratch, "recipes");
    recipes.write("greet.toml", saying("greet", "one")).write("README.md", "Ours").commit();
    recipes.tag("v1");
    recipes
}

/// A project with one site, `api`, which requires `greet`.
fn require(scratch: &Scratch, recipes: &str) {
    let site = "\n[sites.api.dependencies]\ngreet = { recipe = 'greet', version = '1' }\n";
    scratch.write("envy.toml", format!("[recipes.company]\n{recipes}\n{site}"));
}

fn says(scratch: &Scratch, text: &str) {
    assert_eq!(scratch.envy("run api -- greet").stdout(), format!("{text}\n"));
}

/// The first block of shared recipes in a lockfile.
fn pin(scratch: &Scratch, site: &str) -> String {
    let text = scratch.read(format!("lockfiles/{site}.lock"));
    let block = text.split("\n\n").find(|block| block.starts_with("[[recipes]]")).unwrap_or_default();
    format!("{}\n", crate::outcome::normalise(block, &scratch.root().display().to_string()))
}

fn forget_sites(scratch: &Scratch) {
    std::fs::remove_dir_all(scratch.path(".envy")).expect("the sites are there");
}

#[test]
fn a_tag_of_a_repository_is_pinned_and_built_from() {
    let scratch = Scratch::new();
    let recipes = library(&scratch);
    require(&scratch, &format!("git = '{}'\ntag = 'v1'", recipes.url()));
    scratch.envy("build").ok(expect![[r#"
        locked 1 package for site `api`
          + recipes company, commit 76a353f6d8
          + greet 1.0.0
        building greet 1.0.0
        built greet 1.0.0 in [TIME]
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]);
    says(&scratch, "one");
    expect![[r#"
        [[recipes]]
        name = "company"
        source = "git+file://[SCRATCH]/upstream/recipes.git?tag=v1"
        commit = "76a353f6d84e887dad0126cc59b9faafe0a1903d"
        tree = "sha256:[..]"
    "#]]
    .assert_eq(&pin(&scratch, "api"));
    scratch.envy("build --locked").ok(expect![[r#"
        unchanged site `api` is at generation 2
    "#]]);
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, current
          greet 1.0.0 (new)
    "#]]);
    // Whoever reads the directory marks it as used, so that it is not collected meanwhile.
    let changed = "find ../data/envy/store/checkouts -mindepth 2 -maxdepth 2 -printf '%C@ '";
    let before = scratch.shell().sh(changed).stdout().to_owned();
    scratch.envy("lock --check").succeeds();
    assert_ne!(scratch.shell().sh(changed).stdout(), before);
    scratch.envy("tree").succeeds().says("greet 1.0.0 recipe+greet");

    recipes.write("greet.toml", saying("greet", "two")).commit();
    recipes.tag("v2");
    require(&scratch, &format!("git = '{}'\ntag = 'v2'", recipes.url()));
    scratch.envy("build --locked").fails(3, expect![[r#"
        error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
          recipes `company` shall come from git+file://[SCRATCH]/upstream/recipes.git?tag=v2, but are locked from git+file://[SCRATCH]/upstream/recipes.git?tag=v1
        hint: run `envy lock api` and review the difference
    "#]]);
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, drifted
          greet 1.0.0 (new)
          ! recipes `company` shall come from git+file://[SCRATCH]/upstream/recipes.git?tag=v2, but are locked from git+file://[SCRATCH]/upstream/recipes.git?tag=v1
          `envy build api` mends it
    "#]]);
    scratch.envy("build").ok(expect![[r#"
        locked 1 package for site `api`
          ~ recipes company, from git+file://[SCRATCH]/upstream/recipes.git?tag=v2 instead of git+file://[SCRATCH]/upstream/recipes.git?tag=v1
          ~ greet 1.0.0, other params or another recipe
        building greet 1.0.0
        built greet 1.0.0 in [TIME]
        switched site `api` to generation 3 (1 package)
          prefix sha256:[..]
    "#]]);
    says(&scratch, "two");

    scratch.write("envy.toml", "[sites.api.dependencies]\ngreet = { recipe = 'greet', version = '1' }\n");
    scratch.envy("build --locked").fails(
        1,
        expect![[r#"
        error: there is no recipe `greet`
        hint: run `envy recipe list` to see those there are
    "#]],
    );
    require(&scratch, &format!("git = '{}'\ntag = 'v3'", recipes.url()));
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        error: `file://[SCRATCH]/upstream/recipes.git` has no tag `v3`
    "#]],
    );
}

#[test]
fn two_sites_may_be_locked_at_different_times() {
    let scratch = Scratch::new();
    let recipes = library(&scratch);
    let manifest = format!("[recipes.company]\ngit = '{}'\n", recipes.url());
    let site = |name: &str| format!("[sites.{name}.dependencies]\ngreet = {{ recipe = 'greet', version = '1' }}\n");
    scratch.write("envy.toml", format!("{manifest}{}", site("api")));
    scratch.envy("build").succeeds();
    recipes.write("greet.toml", saying("greet", "two")).commit();
    scratch.write("envy.toml", format!("{manifest}{}{}[sites.empty]\n", site("api"), site("web")));
    scratch.envy("build").succeeds();
    says(&scratch, "one");
    assert_eq!(scratch.envy("run web -- greet").stdout(), "two\n");
    assert_eq!(pin(&scratch, "empty"), "\n", "a site that asks for nothing pins none");
    assert_ne!(pin(&scratch, "api"), pin(&scratch, "web"));
    scratch.envy("build --locked --offline").succeeds();

    scratch.envy("create copy --from api").succeeds();
    scratch.envy("build copy --locked").succeeds();
    assert_eq!(scratch.envy("run copy -- greet").stdout(), "one\n");
}

#[test]
fn a_branch_moves_by_an_update_of_everything_alone() {
    let scratch = Scratch::new();
    let recipes = library(&scratch);
    recipes.branch("stable");
    require(&scratch, &format!("git = '{}'\nbranch = 'stable'", recipes.url()));
    scratch.envy("build").succeeds();
    recipes.write("greet.toml", saying("greet", "two")).commit();
    recipes.branch("stable");
    for command in ["lock", "update greet", "build"] {
        scratch.envy(command).succeeds();
        says(&scratch, "one");
    }
    scratch.envy("update").ok(expect![[r#"
        locked 1 package for site `api`
          ~ recipes company, commit 76a353f6d8 -> b0f75a6771
          ~ greet 1.0.0, other params or another recipe
    "#]]);
    scratch.envy("build").succeeds();
    says(&scratch, "two");
    scratch.envy("update").ok(expect![[r#"
        unchanged lockfile of site `api`
    "#]]);
}

#[test]
fn a_tag_that_was_moved_is_told_and_not_followed() {
    let scratch = Scratch::new();
    let recipes = library(&scratch);
    require(&scratch, &format!("git = '{}'\ntag = 'v1'", recipes.url()));
    scratch.envy("build").succeeds();
    let now = recipes.write("greet.toml", saying("greet", "two")).commit();
    recipes.tag("v1");
    scratch.envy("update").ok(expect![[r#"
        warning: tag `v1` of file://[SCRATCH]/upstream/recipes.git was moved from 76a353f6d8 to b0f75a6771; the lockfile stays at 76a353f6d8, and `rev = "b0f75a67714c6e3186872039e1ca5f386611cefc"` would follow
        unchanged lockfile of site `api`
    "#]]);
    scratch.envy("build").succeeds();
    says(&scratch, "one");
    require(&scratch, &format!("git = '{}'\nrev = '{now}'", recipes.url()));
    scratch.envy("build").succeeds();
    says(&scratch, "two");
}

/// A project whose recipes are on a server, built once.
fn served() -> (Scratch, Repository, GitServer) {
    let scratch = Scratch::new();
    let recipes = library(&scratch);
    let server = recipes.serve();
    require(&scratch, &format!("git = '{}'\ntag = 'v1'", server.url()));
    scratch.envy("build").succeeds();
    (scratch, recipes, server)
}

#[test]
fn what_is_pinned_needs_its_repository_no_more() {
    let (scratch, recipes, server) = served();
    drop(server);
    recipes.vanish();
    forget_sites(&scratch);
    std::fs::remove_dir_all(scratch.root().join("cache")).expect("there is a cache");
    scratch.envy("build --locked --offline").succeeds();
    says(&scratch, "one");
    scratch.envy("lock --offline").succeeds();
    // Laid out again from what the store has.
    std::fs::remove_dir_all(scratch.store().join("checkouts")).expect("recipes are laid out");
    scratch.envy("lock --check --offline").succeeds();
}

#[test]
fn what_is_not_here_is_named_offline_and_fetched_with_all_else() {
    let (scratch, _recipes, server) = served();
    let app = Repository::new(&scratch, "app");
    app.release("app", "1.0.0");
    let apps = app.serve();
    let line = format!("app = {{ git = '{}', version = '1' }}\n", apps.url());
    scratch.write("envy.toml", scratch.read("envy.toml") + &line);
    scratch.envy("lock").succeeds();
    let other =
        scratch.env("ENVY_STORE", scratch.root().join("data/other")).env("XDG_CACHE_HOME", scratch.root().join("none"));
    for command in ["build --offline", "fetch --offline", "lock --check --offline", "lock --offline"] {
        other.envy(command).ends(5).says("recipes company (");
    }
    other.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, drifted
          greet 1.0.0 (new)
          ! recipes company (76a353f6d8) are not here; `envy fetch api` brings them
          ! the lockfile is not the one that the current generation was built from
          ! the prefix of the current generation is not in the store
          `envy build api` mends it
    "#]]);
    other.envy("list").succeeds();
    other.envy("build --frozen").fails(
        5,
        expect![[r#"
            error: the network may not be used, and 2 things are not here
              app 1.0.0 (61f14c09f8)
              recipes company (76a353f6d8)
            hint: run the same command once without `--offline`
        "#]],
    );
    other.envy("fetch").ok(expect![[r#"
        fetched 1 file (452 B)
        fetched 1 file (496 B)
        fetched all that site `api` is built from (2 packages, recipes company)
    "#]]);
    drop((server, apps));
    forget_sites(&scratch);
    other.envy("build --frozen").succeeds();
    assert_eq!(other.envy("run api -- greet").stdout(), "one\n");

    // Whoever never locked it has to ask.
    std::fs::remove_file(scratch.path("lockfiles/api.lock")).expect("it was written");
    let nothing =
        scratch.env("ENVY_STORE", scratch.root().join("data/new")).env("XDG_CACHE_HOME", scratch.root().join("new"));
    nothing.envy("lock --offline").ends(5).says("git://127.0.0.1:[PORT]/repository.git");
}

#[test]
fn other_files_than_those_that_were_pinned_are_refused() {
    let scratch = Scratch::new();
    let recipes = library(&scratch);
    require(&scratch, &format!("git = '{}'\ntag = 'v1'", recipes.url()));
    scratch.envy("build").succeeds();
    let lockfile = scratch.read("lockfiles/api.lock");
    let tree = pin(&scratch, "api");
    assert!(tree.contains("tree = "));
    let block = lockfile.split("\n\n").find(|block| block.starts_with("[[recipes]]")).expect("they are pinned");
    let pinned = block.lines().find(|line| line.starts_with("tree")).expect("all of them are");
    let wrong = format!("tree = \"sha256:{}\"", "0".repeat(64));
    scratch.write("lockfiles/api.lock", lockfile.replace(pinned, &wrong));
    scratch.envy("build --locked").fails(
        4,
        expect![[r#"
        error: recipes `company` are not what was pinned
          from     file://[SCRATCH]/upstream/recipes.git at 76a353f6d84e887dad0126cc59b9faafe0a1903d
          expected sha256:[..]
          received sha256:[..]
        hint: restore the lockfile if it was edited, else tell the owner of the repository
    "#]],
    );
    scratch.envy("lock").ends(4);
}

#[test]
fn a_directory_that_was_edited_is_drift() {
    let scratch = Scratch::new();
    scratch.write("../recipes/greet.toml", saying("greet", "one"));
    require(&scratch, "path = '../recipes'");
    scratch.envy("build").succeeds();
    says(&scratch, "one");
    expect![[r#"
        [[recipes]]
        name = "company"
        source = "path+../recipes"
        tree = "sha256:[..]"
    "#]]
    .assert_eq(&pin(&scratch, "api"));
    scratch.envy("build --locked").succeeds();
    scratch.envy("update").succeeds().says("unchanged");

    scratch.write("../recipes/greet.toml", saying("greet", "two"));
    scratch.envy("build --locked").fails(
        3,
        expect![[r#"
        error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
          recipes `company` changed since they were locked
          `greet` is locked with other params, or with another text of recipe `greet`
        hint: run `envy lock api` and review the difference
    "#]],
    );
    scratch.envy("build").ok(expect![[r#"
        locked 1 package for site `api`
          ~ recipes company, other content
          ~ greet 1.0.0, other params or another recipe
        building greet 1.0.0
        built greet 1.0.0 in [TIME]
        switched site `api` to generation 3 (1 package)
          prefix sha256:[..]
    "#]]);
    says(&scratch, "two");
    scratch.write("../recipes/README.md", "Ours");
    scratch.envy("lock --check").fails(
        3,
        expect![[r#"
        error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
          recipes `company` changed since they were locked
        hint: run `envy lock api` and review the difference
    "#]],
    );
    scratch.envy("build").ok(expect![[r#"
        locked 1 package for site `api`
          ~ recipes company, other content
        switched site `api` to generation 4 (1 package)
          prefix sha256:[..]
    "#]]);

    std::fs::remove_dir_all(scratch.path("../recipes")).expect("it is there");
    scratch.envy("build --locked").fails(
        1,
        expect![[r#"
        error: recipes `company` are to be in `../recipes`, which is not a directory
        hint: correct `path` in `envy.toml`
    "#]],
    );
    require(&scratch, "path = '..'");
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        error: recipes `company` are to be in `..`, which holds the project itself
        hint: name the directory that the recipes alone are in
    "#]],
    );
}

#[test]
fn one_layer_hides_another() {
    let scratch = Scratch::new();
    scratch.write("../a/greet.toml", saying("greet", "a")).write("../b/greet.toml", saying("greet", "b"));
    let both = "path = '../b'\n[recipes.a]\npath = '../a'";
    require(&scratch, both);
    scratch.envy("build").succeeds();
    says(&scratch, "a");
    scratch.write("recipes/greet.toml", saying("greet", "project"));
    scratch.envy("build").succeeds();
    says(&scratch, "project");
    // What extends its own name extends what it hides.
    scratch
        .write("recipes/greet.toml", "summary = 'Ours'\nextends = 'greet'\n[versions.'1.0.0']\n[set]\ntext = 'set'\n");
    scratch.envy("build").succeeds();
    says(&scratch, "set");
    std::fs::remove_file(scratch.path("recipes/greet.toml")).expect("it was written");
    scratch.write("../a/greet.toml", "summary = 'A'\nextends = 'greet'\n[versions.'1.0.0']\n[set]\ntext = 'of a'\n");
    scratch.envy("build").succeeds();
    says(&scratch, "of a");
}

#[test]
fn recipes_below_a_directory_extend_built_in_ones_and_bring_their_patches() {
    let scratch = Scratch::new();
    let recipes = Repository::new(&scratch, "recipes");
    scratch.write("../media/hello/share/hello.txt", "hello\n");
    scratch.shell().sh("cd ../media && tar -cf hello-1.0.0.tar hello").succeeds();
    let sum = scratch.shell().sh("sha256sum ../media/hello-1.0.0.tar").stdout()[..64].to_owned();
    let url = format!("file://{}/media/hello-{{version}}.tar", scratch.root().display());
    let recipe = |word: &str| {
        format!(
            "summary = 'A text'\nextends = 'unpack'\npatches = ['patches/{word}.diff']\n\
             [versions.'1.0.0']\nurl = '{url}'\nsha256 = '{sum}'\n[set]\ninstall = ['share=share']\n"
        )
    };
    let patch = |word: &str| format!("--- a/share/hello.txt\n+++ b/share/hello.txt\n@@ -1 +1 @@\n-hello\n+{word}\n");
    recipes.write("ours/hello.toml", recipe("hi")).write("ours/patches/hi.diff", patch("hi")).commit();
    let manifest = |subdir: &str| {
        let site = "[sites.api.dependencies]\nhello = { recipe = 'hello', version = '1' }\n";
        format!("[recipes.company]\ngit = '{}'\n{subdir}\n{site}", recipes.url())
    };
    let text = || scratch.envy("run api -- sh -c 'cat $ENVY_PREFIX/share/hello.txt'").stdout().to_owned();
    scratch.write("envy.toml", manifest("subdir = 'ours'"));
    scratch.envy("build").succeeds();
    assert_eq!(text(), "hi\n");
    recipes.write("ours/patches/hi.diff", patch("good morning")).commit();
    scratch.envy("update").succeeds().says("~ recipes company, commit ").says("~ hello 1.0.0, other patches");
    scratch.envy("build").succeeds();
    assert_eq!(text(), "good morning\n");

    scratch.write("envy.toml", manifest("subdir = 'theirs'"));
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        error: recipes `company` have no directory `theirs`
          they come from file://[SCRATCH]/upstream/recipes.git
    "#]],
    );
    scratch.write("envy.toml", manifest(""));
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        note: recipes `company` are none: file://[SCRATCH]/upstream/recipes.git has no `NAME.toml` there
        error: there is no recipe `hello`
        hint: run `envy recipe list` to see those there are
    "#]],
    );
}
