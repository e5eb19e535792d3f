//! What single commands do and say.

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::scratch::Scratch;

/// Programs in several versions.
fn registry() -> Registry {
    let registry = Registry::new();
    for version in ["1.0.0", "1.1.0", "2.0.0"] {
        registry.publish(Crate::new("hello", version).bin("hello"));
    }
    registry.publish(Crate::new("just", "1.40.0").bin("just"));
    registry
}

/// A project whose manifest is this.
fn project(registry: &Registry, manifest: &str) -> Scratch {
    let scratch = Scratch::with(registry);
    scratch.write("envy.toml", manifest);
    scratch
}

const API: &str = "[sites.api.dependencies]\nhello = \"1\"\n";

#[test]
fn init_leaves_a_manifest_alone_that_is_there() {
    let scratch = Scratch::new();
    scratch.write("envy.toml", "# mine\n");
    scratch.envy("init").fails(
        1,
        expect![[r#"
        error: there is an `envy.toml` already, and it stays as it is
        hint: run `envy create SITE` to add a site
    "#]],
    );
    assert_eq!(scratch.read("envy.toml"), "# mine\n");
}

#[test]
fn what_every_site_has_is_added_to_and_removed_from_every_site() {
    let registry = registry();
    let scratch = project(&registry, "# ours\n\n[dependencies]\n\n[sites.api]\n\n[sites.web]\n");

    scratch.envy("add just hello@1.0 --no-build").ok(expect![[r#"
        fetched 2 files (1.4 kB)
        locked 2 packages for site `api`
          + hello 1.1.0
          + just 1.40.0
        locked 2 packages for site `web`
          + hello 1.1.0
          + just 1.40.0
    "#]]);
    expect![[r##"
        # ours

        [dependencies]
        just = "1.40.0"
        hello = "1.0"

        [sites.api]

        [sites.web]
    "##]]
    .assert_eq(&scratch.read("envy.toml"));
    scratch.envy("remove hello --site api --no-build").fails(
        1,
        expect![[r#"
        error: `envy.toml` does not require `hello` for site `api`
        hint: every site requires it: run `envy remove hello`
    "#]],
    );
    scratch.envy("add hello@2 --site web --no-build").fails(
        6,
        expect![[r#"
            error: no choice of packages satisfies site `web`
              every site requires hello ^1.0
              site `web` requires hello ^2
            hint: ask for hello ^2.0 in `envy.toml`, where every site does
            hint: ask for hello ^1.1 in `envy.toml`, where site `web` does
        "#]],
    );
    scratch.envy("remove hello --no-build").ok(expect![[r#"
        locked 1 package for site `api`
          - hello 1.1.0
        locked 1 package for site `web`
          - hello 1.1.0
    "#]]);
    scratch.envy("add hello@2 --site web --no-build").ok(expect![[r#"
        locked 2 packages for site `web`
          + hello 2.0.0
    "#]]);
    scratch.envy("remove hello --no-build").fails(
        1,
        expect![[r#"
        error: `envy.toml` does not require `hello` for every site
        hint: site `web` requires it: run `envy remove hello --site web`
    "#]],
    );
    scratch.envy("remove nothing --no-build").fails(
        1,
        expect![[r#"
        error: `envy.toml` does not require `nothing` for every site
    "#]],
    );
    scratch.envy("remove hello --site web --no-build").succeeds();
    expect![[r##"
        # ours

        [dependencies]
        just = "1.40.0"

        [sites.api]

        [sites.web]

        [sites.web.dependencies]
    "##]]
    .assert_eq(&scratch.read("envy.toml"));
}

#[test]
fn update_moves_only_what_it_is_told_to() {
    let registry = registry();
    let scratch = project(&registry, "[sites.api.dependencies]\nhello = \"1\"\njust = \"1\"\n");
    scratch.envy("lock").succeeds();
    scratch.envy("update hello@1.0.0").ok(expect![[r#"
        fetched 1 file (702 B)
        locked 2 packages for site `api`
          ~ hello 1.1.0 -> 1.0.0
    "#]]);
    registry.publish(Crate::new("just", "1.41.0").bin("just"));

    scratch.envy("update hello").ok(expect![[r#"
        locked 2 packages for site `api`
          ~ hello 1.0.0 -> 1.1.0
    "#]]);
    scratch.envy("update just@1.40.0").ok(expect![[r#"
        unchanged lockfile of site `api`
    "#]]);
    scratch.envy("update hello@2.0.0").fails(
        6,
        expect![[r#"
        error: no choice of packages satisfies site `api`
          site `api` requires hello ^1
          this update requires hello =2.0.0
        hint: run `envy update hello`, which takes the highest version that `envy.toml` allows
    "#]],
    );
    scratch.envy("update hello@1.0.7").fails(
        6,
        expect![[r#"
        error: no choice of packages satisfies site `api`
          this update requires hello =1.0.7
          the versions of hello go from 1.0.0 to 2.0.0
        hint: run `envy update hello`, which takes the highest version that `envy.toml` allows
    "#]],
    );
    scratch.envy("update hullo").fails(
        1,
        expect![[r#"
        error: no site requires `hullo`
        hint: did you mean `hello`?
    "#]],
    );
    scratch.envy("update").ok(expect![[r#"
        fetched 1 file (702 B)
        locked 2 packages for site `api`
          ~ just 1.40.0 -> 1.41.0
    "#]]);
    scratch.envy("update").ok(expect![[r#"
        unchanged lockfile of site `api`
    "#]]);
}

#[test]
fn a_copied_site_starts_with_the_lockfile_of_the_original() {
    let registry = registry();
    registry.publish(Crate::new("bare", "1.0.0").bin("bare").without_lock());
    let scratch =
        project(&registry, "[sites.api.dependencies]\nhello = \"1\"\nbare = \"1\"\n\n[sites.api.vars]\nport = 1\n");
    scratch.envy("lock").succeeds();
    registry.publish(Crate::new("hello", "1.9.0").bin("hello"));

    scratch.envy("create copy --from api").ok(expect![[r#"
        created site `copy`
          run `envy build copy` to fill it
    "#]]);

    expect![[r#"
        [sites.api.dependencies]
        hello = "1"
        bare = "1"

        [sites.api.vars]
        port = 1

        [sites.copy.dependencies]
        hello = "1"
        bare = "1"

        [sites.copy.vars]
        port = 1
    "#]]
    .assert_eq(&scratch.read("envy.toml"));
    assert_eq!(scratch.read("lockfiles/copy.lock"), scratch.read("lockfiles/api.lock"));
    scratch.envy("lock --check copy").succeeds();
    scratch.envy("create copy").fails(
        1,
        expect![[r#"
        error: site `copy` is there already
    "#]],
    );
    scratch.envy("create other --from nowhere").fails(
        1,
        expect![[r#"
        error: there is no site `nowhere` in `envy.toml`
        hint: run `envy create nowhere`, or `envy list` to see those there are
    "#]],
    );
}

#[test]
fn a_deleted_site_leaves_its_data_and_nothing_else() {
    let registry = registry();
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.api]\n# about web\n[sites.web]\n").envy("build").succeeds();
    scratch.write(".envy/sites/api/var/database", "precious");

    scratch.envy("delete api").ok(expect![[r#"
        deleted site `api`
          its data stays in `[SCRATCH]/project/.envy/sites/api/var`; `--purge` would have removed it
    "#]]);

    expect![[r#"
        # about web
        [sites.web]
    "#]]
    .assert_eq(&scratch.read("envy.toml"));
    assert!(!scratch.path("lockfiles/api.lock").exists());
    scratch.shell().sh("find .envy/sites/api ! -type d").ok(expect![[r#"
        --- stdout ---
        .envy/sites/api/var/database
    "#]]);
    scratch.envy("delete api").fails(
        1,
        expect![[r#"
        error: there is no site `api` in `envy.toml`
        hint: run `envy create api`, or `envy list` to see those there are
    "#]],
    );
    scratch.envy("create api").succeeds();
    assert_eq!(scratch.read(".envy/sites/api/var/database"), "precious");
    scratch.envy("delete api --purge").ok(expect![[r#"
        deleted site `api`
    "#]]);
    assert!(!scratch.path(".envy/sites/api").exists());
}

#[test]
fn a_dry_run_prints_the_plan_and_writes_nothing() {
    let registry = registry();
    let scratch = project(&registry, API);

    scratch.envy("build --dry-run").ok(expect![[r#"
        fetched 1 file (702 B)
        would lock 1 package for site `api`
          + hello 1.1.0
        --- stdout ---
        site api
          build hello 1.1.0
    "#]]);
    assert!(!scratch.path("lockfiles").exists() && !scratch.path(".envy").exists());
    scratch.envy("build --dry-run --locked").fails(
        3,
        expect![[r#"
        error: lockfile `lockfiles/api.lock` is missing
        hint: run `envy lock api` and commit the file that it writes
    "#]],
    );

    scratch.envy("build").succeeds();
    let before = scratch.snapshot("");
    scratch.envy("build --dry-run --locked --offline").ok(expect![[r#"
        --- stdout ---
        site api
          use   hello 1.1.0 sha256:[..]
    "#]]);
    before.is_still(&scratch.snapshot(""));
}

#[test]
fn variables_are_those_of_the_manifest_with_their_placeholders_filled() {
    let registry = registry();
    let manifest = format!(
        "{API}\n[sites.api.env]\nURL = \"http://{{site}}:{{port}}/\"\nDATA = \"{{var}}/data\"\nSHARE = \"{{prefix}}/share\"\n\n[sites.api.vars]\nport = 8001\n"
    );
    let scratch = project(&registry, &manifest);
    scratch.envy("build").succeeds();

    let variables = scratch.env("PATH", "/usr/bin").envy("env api --json").succeeds().json();
    assert_eq!(variables["schema"], "envy.env/1");
    let all: String = variables["variables"]
        .as_object()
        .expect("an object")
        .iter()
        .map(|(name, value)| format!("{name}={}\n", value.as_str().expect("texts")))
        .collect();
    expect![[r#"
        DATA=[SCRATCH]/project/.envy/sites/api/var/data
        ENVY_GENERATION=2
        ENVY_PREFIX=[SCRATCH]/project/.envy/sites/api/generations/2
        ENVY_SITE=api
        PATH=[SCRATCH]/project/.envy/sites/api/generations/2/bin:/usr/bin
        SHARE=[SCRATCH]/project/.envy/sites/api/generations/2/share
        URL=http://api:8001/
    "#]]
    .assert_eq(&crate::outcome::normalise(&all, scratch.root().to_str().expect("UTF-8")));
    assert_eq!(scratch.env("PATH", "/usr/bin").envy("env api").succeeds().stdout(), all);

    scratch.envy("run api -- hello env URL").ok(expect![[r#"
        --- stdout ---
        http://api:8001/
    "#]]);
    scratch.shell().sh(". .envy/sites/api/activate; hello env URL; hello; deactivate; echo ${URL-unset} ${ENVY_SITE-unset}; ! command -v hello").ok(expect![[r#"
        --- stdout ---
        http://api:8001/
        hello 1.1.0
        unset unset
    "#]]);
}

#[test]
fn a_changed_variable_makes_a_new_generation_of_the_same_prefix() {
    let registry = registry();
    let scratch = project(&registry, API);
    scratch.envy("build").succeeds();
    scratch.write("envy.toml", format!("{API}\n[sites.api.env]\nLEVEL = \"debug\"\n"));

    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, drifted
          hello 1.1.0 (new)
          ! variables changed in `envy.toml`
          `envy build api` mends it
    "#]]);
    scratch.envy("lock --check").succeeds();
    scratch.envy("build --locked").ok(expect![[r#"
        switched site `api` to generation 3 (1 package)
          prefix sha256:[..]
    "#]]);
    scratch.envy("run api -- hello env LEVEL").says("debug");
    let generations = scratch.envy("generations api --json").succeeds().json();
    assert_eq!(generations["generations"][1]["prefix"], generations["generations"][2]["prefix"]);
}

#[test]
fn run_passes_arguments_and_exit_codes_on() {
    let registry = registry();
    let scratch = project(&registry, API);
    scratch.envy("run api -- hello args --flag 'two words' -- -x").ok(expect![[r#"
        fetched 1 file (702 B)
        locked 1 package for site `api`
          + hello 1.1.0
        building hello 1.1.0
        built hello 1.1.0 in [TIME]
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
        --- stdout ---
        --flag
        two words
        --
        -x
    "#]]);
    scratch.envy("run api -- hello exit 42").ends(42);
    scratch.envy("run api hello exit 9").ends(9);
    scratch.envy("run api -- sh -c 'kill -TERM $$'").ends(128 + 15);
    scratch.envy("run api -- hullo").fails(
        127,
        expect![[r#"
        error: `hullo` could not be started in site `api`: No such file or directory (os error 2)
          the site has `hello`
    "#]],
    );
    scratch.envy("run api").fails(
        2,
        expect![[r#"
        error: the following required arguments were not provided:
          <COMMAND>...

        Usage: envy run <SITE> <COMMAND>...

        For more information, try '--help'.
    "#]],
    );
}

#[test]
fn json_is_one_document_that_names_its_schema() {
    let registry = registry();
    let scratch = project(&registry, &format!("{API}\n[sites.empty]\n"));
    let check = |command: &str, schema: &str| {
        let document = scratch.envy(command).succeeds().json();
        assert_eq!(document["schema"], schema, "{command}");
        document
    };
    check("list --json", "envy.list/1");
    check("status --json", "envy.status/1");
    check("generations api --json", "envy.generations/1");
    scratch.envy("build").succeeds();
    let list = check("list --json", "envy.list/1");
    let state = &list["sites"][0];
    assert_eq!(
        (&state["site"], &state["state"], &state["generation"], &state["packages"]),
        (&"api".into(), &"current".into(), &2.into(), &1.into())
    );
    check("status --json", "envy.status/1");
    let tree = check("tree api --json", "envy.tree/1");
    let package = &tree["sites"][0]["packages"][0];
    assert_eq!(
        (&package["name"], &package["version"], &package["required-by"][0]),
        (&"hello".into(), &"1.1.0".into(), &"site `api` ^1".into())
    );
    let generations = check("generations api --json", "envy.generations/1");
    assert_eq!(generations["generations"][1]["current"], true);
    check("env api --json", "envy.env/1");
    check("store stats --json", "envy.store-stats/1");
}

#[test]
fn quiet_says_nothing_but_results_and_errors() {
    let registry = registry();
    let scratch = project(&registry, API);
    scratch.envy("build -q").ok(expect![[""]]);
    scratch.envy("list -q").ok(expect![[r#"
        --- stdout ---
        api  generation   2    1 package  current
    "#]]);
    scratch.envy("build nope -q").fails(
        1,
        expect![[r#"
        error: there is no site `nope` in `envy.toml`
        hint: run `envy create nope`, or `envy list` to see those there are
    "#]],
    );
}

#[test]
fn the_store_is_where_the_user_wants_it() {
    let registry = registry();
    let scratch = project(&registry, API);
    scratch.envy("store path").ok(expect![[r#"
        --- stdout ---
        [SCRATCH]/data/envy/store
    "#]]);
    scratch.env("ENVY_STORE", "elsewhere").envy("store path").ok(expect![[r#"
        --- stdout ---
        [SCRATCH]/project/elsewhere
    "#]]);
    scratch.envy("store stats").ok(expect![[r#"
        --- stdout ---
        blobs           0 entries        0 B
        trees           0 entries        0 B
        results         0 entries        0 B
        units           0 entries        0 B
        checkouts       0 entries        0 B
        prefixes        0 entries        0 B
    "#]]);
    scratch.envy("build").succeeds();
    let counts: String = scratch
        .envy("store stats")
        .succeeds()
        .stdout()
        .lines()
        .map(|line| line.split("  ").next().expect("a name").to_owned() + "\n")
        .collect();
    expect![[r#"
        blobs
        trees
        results
        units
        checkouts
        prefixes
    "#]]
    .assert_eq(&counts);
}

#[test]
fn sites_can_be_kept_elsewhere() {
    let registry = registry();
    let scratch = project(&registry, API);
    scratch.env("ENVY_SITES", scratch.root().join("srv")).envy("build").succeeds();
    assert!(!scratch.path(".envy/sites").exists());
    scratch.envy("--sites-dir ../srv status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, current
          hello 1.1.0 (new)
    "#]]);
    scratch.shell().sh("../srv/api/current/bin/hello").succeeds();
}

#[test]
fn commands_work_from_below_the_project_and_from_outside() {
    let registry = registry();
    let scratch = project(&registry, "[sites.empty]\n");
    scratch.in_dir("deep/below").envy("build").ok(expect![[r#"
        locked 0 packages for site `empty`
        switched site `empty` to generation 1 (0 packages)
          prefix sha256:[..]
    "#]]);
    scratch.in_dir("../elsewhere").envy("--project ../project list").ok(expect![[r#"
        --- stdout ---
        empty  generation   1   0 packages  current
    "#]]);
    scratch.in_dir("../elsewhere").envy("list").fails(
        1,
        expect![[r#"
        error: there is no `envy.toml` here or above
        hint: run `envy init` to begin a project, or name one with `--project DIR`
    "#]],
    );
    scratch.in_dir("../elsewhere").envy("--project nowhere list").fails(
        1,
        expect![[r#"
        error: there is no `[SCRATCH]/elsewhere/nowhere/envy.toml`
        hint: run `envy init` there
    "#]],
    );
}

#[test]
fn completions_are_printed_for_each_shell() {
    let scratch = Scratch::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        scratch.envy(&format!("completions {shell}")).succeeds().says("generations");
    }
    scratch.envy("completions tcsh").ends(2);
    scratch.envy("completions bash").succeeds();
    scratch.shell().sh(&format!("{} completions bash | bash -n", crate::scratch::ENVY)).succeeds();
}

#[test]
fn features_and_programs_are_chosen_by_the_crate() {
    let registry = Registry::new();
    let source = "fn main() { println!(\"loud: {}\", cfg!(feature = \"loud\")) }\n";
    registry.publish(
        Crate::new("many", "1.0.0")
            .bin("many")
            .bin("other")
            .feature("loud", &[])
            .feature("default", &["loud"])
            .file("src/main.rs", source),
    );
    let scratch = project(&registry, "[sites.api]\n");

    scratch.envy("add many --no-default-features --bin many --site api").succeeds();
    expect![[r#"
        [sites.api]

        [sites.api.dependencies]
        many = { version = "1.0.0", bins = ["many"], no-default-features = true }
    "#]]
    .assert_eq(&scratch.read("envy.toml"));
    scratch.shell().sh("ls .envy/sites/api/current/bin; .envy/sites/api/current/bin/many").ok(expect![[r#"
        --- stdout ---
        many
        loud: false
    "#]]);
    scratch.envy("tree").ok(expect![[r#"
        --- stdout ---
        api
        └── many 1.0.0 registry+crates.io bins=["many"] no-default-features=true
    "#]]);
    scratch.envy("add many --features loud --site api").succeeds();
    expect![[r#"
        [sites.api]

        [sites.api.dependencies]
        many = { version = "1.0.0", bins = ["many"], no-default-features = true, features = ["loud"] }
    "#]]
    .assert_eq(&scratch.read("envy.toml"));
    scratch.envy("run api -- many").says("loud: true");
}
