//! Versions that state different needs: each is chosen with what it states itself, and only what is asked about is read.

use expect_test::expect;

use crate::krate::Crate;
use crate::registry::Registry;
use crate::repository::{Repository, manifest};
use crate::scratch::Scratch;

/// A recipe of packages without sources.
fn recipe(versions: &[&str], more: &str) -> String {
    let versions: String = versions.iter().map(|version| format!("[versions.\"{version}\"]\n")).collect();
    format!("summary = 'x'\n{versions}{more}\n[[step]]\nname = 'go'\nrun = 'true'\n")
}

fn app(version: &str, metadata: &str) -> Crate {
    Crate::new("app", version).bin("app").metadata(metadata)
}

/// `app`, whose versions from 2.0.0 need a higher `lib` than those before.
fn registry() -> Registry {
    let registry = Registry::new();
    registry.publish(app("1.0.0", "dependencies = { lib = '1' }"));
    registry.publish(app("1.1.0", "dependencies = { lib = '1' }"));
    registry.publish(app("2.0.0", "dependencies = { lib = '>=2' }"));
    registry.publish(app("2.1.0", "dependencies = { lib = '>=2' }"));
    registry
}

fn world(registry: &Registry, dependencies: &str) -> Scratch {
    let scratch = Scratch::with(registry);
    scratch.write("recipes/lib.toml", recipe(&["1.0.0", "1.1.0", "2.0.0"], ""));
    asks(&scratch, dependencies);
    scratch
}

fn asks(scratch: &Scratch, dependencies: &str) {
    scratch.write("envy.toml", format!("[sites.api.dependencies]\n{dependencies}\n"));
}

/// The archives that were asked for.
fn archives(registry: &Registry) -> Vec<String> {
    let requests = registry.requests().into_iter().filter(|request| request.contains("/crates/"));
    requests.map(|request| request.replace("GET /crates/", "").replace("/download 200", "")).collect()
}

#[test]
fn an_older_version_is_chosen_where_the_newer_ones_state_what_cannot_be() {
    let registry = registry();
    let scratch = world(&registry, "app = '*'\nlib = { recipe = 'lib', version = '1' }");
    scratch.envy("lock").succeeds().says("+ app 1.1.0").says("+ lib 1.1.0");
    assert_eq!(archives(&registry), ["app/2.1.0", "app/2.0.0", "app/1.1.0"], "and nothing below that");
    scratch.envy("lock --check").succeeds();

    // Free again, it goes up by an update, and what nobody needs any more goes.
    asks(&scratch, "app = '*'");
    registry.publish(app("3.0.0", "")).forget_requests();
    scratch.envy("update").succeeds().says("~ app 1.1.0 -> 3.0.0").says("- lib 1.1.0");
    assert_eq!(archives(&registry), ["app/3.0.0"]);
}

#[test]
fn what_versions_state_is_told_as_a_chain() {
    let registry = registry();
    let scratch = world(&registry, "app = '2'\nlib = { recipe = 'lib', version = '1' }");
    scratch.envy("lock").ends(6);
    scratch.envy("lock").fails(
        6,
        expect![[r#"
            error: no choice of packages satisfies site `api`
              site `api` requires app ^2
              every app from 2.0.0 to 2.1.0 requires lib >=2
              site `api` requires lib ^1
            hint: ask for lib ^2.0 in `envy.toml`
            hint: ask for app ^1.1 in `envy.toml`
        "#]],
    );
    assert!(!scratch.path("lockfiles/api.lock").exists());
}

#[test]
fn no_more_is_fetched_for_a_hint_than_it_is_worth() {
    let registry = Registry::new();
    for minor in 0..20 {
        registry.publish(app(&format!("1.{minor}.0"), "dependencies = { lib = '>=2' }"));
    }
    registry.publish(app("2.0.0", "dependencies = { lib = '>=2' }"));
    let scratch = world(&registry, "app = '2'\nlib = { recipe = 'lib', version = '1' }");
    scratch.envy("lock").ends(6).says("hint: ask for lib ^2.0").never_says("ask for app");
    assert_eq!(archives(&registry).len(), 1 + 8);
}

#[test]
fn the_versions_that_will_most_likely_be_chosen_come_at_once() {
    let registry = registry();
    registry.publish(Crate::new("web", "1.0.0").bin("web")).publish(Crate::new("web", "1.1.0").bin("web"));
    let scratch = world(&registry, "app = '1'\nweb = '1'");
    scratch.envy("lock").succeeds().says("fetched 2 files");
    let mut fetched = archives(&registry);
    fetched.sort();
    assert_eq!(fetched, ["app/1.1.0", "web/1.1.0"]);
}

#[test]
fn an_archive_that_cargo_builds_is_fetched_once_though_nobody_gave_its_sum() {
    let scratch = world(&Registry::new(), "");
    let source = app("1.0.0", "dependencies = { lib = '1' }");
    let source = source.lock(&crate::repository::cargo_lock(&[("app", "1.0.0")]));
    scratch.write("../upstream/app-1.0.0.tar.gz", source.archive());
    let url = format!("file://{}", scratch.root().join("upstream/app-1.0.0.tar.gz").display());
    asks(&scratch, &format!("app = {{ url = '{url}', version = '1.0.0', recipe = 'cargo' }}"));
    let locked = scratch.envy("lock");
    locked.succeeds().says("+ lib 1.1.0");
    assert_eq!(locked.stderr().matches("fetched").count(), 1);
    scratch.envy("lock --check").succeeds();
}

#[test]
fn what_is_stated_is_read_once_and_a_second_lock_asks_nobody() {
    let registry = registry();
    let scratch = world(&registry, "app = '*'\nlib = { recipe = 'lib', version = '1' }");
    scratch.envy("lock").succeeds();
    registry.forget_requests();
    scratch.envy("lock").ok(expect![[r#"
        unchanged lockfile of site `api`
    "#]]);
    assert_eq!(registry.requests(), [""; 0]);

    // What was read of those that were not chosen is known without their archives.
    std::fs::remove_file(scratch.path("lockfiles/api.lock")).unwrap();
    std::fs::remove_dir_all(scratch.store()).unwrap();
    scratch.envy("lock").succeeds().says("+ app 1.1.0");
    assert_eq!(archives(&registry), ["app/1.1.0"]);
}

#[test]
fn what_stays_as_it_is_locked_is_not_read_again() {
    let registry = registry();
    let scratch = world(&registry, "app = '2'");
    scratch.envy("lock").succeeds().says("+ lib 2.0.0");
    std::fs::remove_dir_all(scratch.store()).unwrap();
    std::fs::remove_dir_all(scratch.root().join("cache")).unwrap();
    registry.forget_requests();
    scratch.write("recipes/other.toml", recipe(&["1.0"], ""));
    asks(&scratch, "app = '2'\nother = { recipe = 'other' }");
    scratch.envy("lock").succeeds().says("+ other 1.0").never_says("fetched");
    assert_eq!(archives(&registry), [""; 0]);
}

#[test]
fn offline_an_archive_that_would_have_to_be_read_is_named() {
    let registry = registry();
    let scratch = world(&registry, "app = '1'");
    scratch.envy("lock").succeeds();
    asks(&scratch, "app = '2'");
    scratch.envy("lock --offline").ends(5).says("app 2.1.0").never_says("app 2.0.0");
    asks(&scratch, "app = '1'\nlib = { recipe = 'lib', version = '1' }");
    scratch.envy("lock --offline").succeeds();
}

#[test]
fn tags_of_a_repository_state_what_their_commits_say() {
    let scratch = world(&Registry::new(), "");
    let repository = Repository::new(&scratch, "app");
    let release = |version: &str, needs: &str| {
        repository.program("app/", "app", version);
        repository.write("Cargo.toml", "[workspace]\nmembers = ['app']\nresolver = '2'\n");
        let stated = format!("[package.metadata.envy]\ndependencies = {{ {needs} }}\n");
        repository.write("app/Cargo.toml", manifest("app", version) + &stated).commit();
        repository.tag(&format!("v{version}"));
    };
    release("1.0.0", "lib = '1'");
    release("2.0.0", "lib = '2'");
    release("2.1.0", "lib = '2'");
    let served = repository.serve();
    let git = format!("app = {{ git = '{}', version = '*' }}", served.url());
    asks(&scratch, &format!("{git}\nlib = {{ recipe = 'lib', version = '1' }}"));
    scratch.envy("lock").succeeds().says("+ app 1.0.0").says("+ lib 1.1.0");
    scratch.envy("lock --check").succeeds();
    asks(&scratch, &git);
    scratch.envy("update app").succeeds().says("~ app 1.0.0 -> 2.1.0").says("~ lib 1.1.0 -> 2.0.0");
    asks(&scratch, &format!("{}\nlib = {{ recipe = 'lib', version = '1' }}", git.replace('*', "2")));
    scratch.envy("lock").ends(6).says("every app from 2.0.0 to 2.1.0 requires lib ^2");
}

#[test]
fn params_that_a_version_gives_bring_needs_of_that_version_alone() {
    let registry = Registry::new();
    registry.publish(app("1.0.0", "dependencies = { tool = '1' }"));
    registry.publish(app("2.0.0", "dependencies = { tool = { version = '1', params = { tls = true } } }"));
    let scratch = world(&registry, "app = '*'\nlib = { recipe = 'lib', version = '1' }");
    let tool = "[params]\ntls = { type = 'bool', doc = 'x' }\n[dependencies]\nlib = { version = '2', when = 'tls' }";
    scratch.write("recipes/tool.toml", recipe(&["1.0"], tool));
    scratch.envy("lock").succeeds().says("+ app 1.0.0").says("+ tool 1.0");
    asks(&scratch, "app = '*'");
    scratch.envy("update").succeeds().says("~ app 1.0.0 -> 2.0.0").says("~ lib 1.1.0 -> 2.0.0");
    asks(&scratch, "app = '2'\ntool = { recipe = 'tool', params = { tls = false } }");
    scratch.envy("lock").succeeds().says("- lib 2.0.0");
}

#[test]
fn needs_that_come_of_the_params_of_several_are_found() {
    let registry = Registry::new();
    registry.publish(app("1.0.0", "dependencies = { tool = { params = { a = true } } }"));
    registry
        .publish(Crate::new("web", "1.0.0").bin("web").metadata("dependencies = { tool = { params = { b = true } } }"));
    let scratch = world(&registry, "app = '1'\nweb = '1'");
    let params = "[params]\na = { type = 'bool', doc = 'x' }\nb = { type = 'bool', doc = 'x' }";
    let tool = format!("{params}\n[dependencies]\nlib = {{ version = '1', when = 'a and b' }}");
    scratch.write("recipes/tool.toml", recipe(&["1.0"], &tool));
    scratch.envy("lock").succeeds().says("+ lib 1.1.0").says("+ tool 1.0");
    scratch.envy("lock --check").succeeds();
}

#[test]
fn limits_and_overrides_hold_for_what_only_a_version_states() {
    let registry = registry();
    let scratch = world(&registry, "app = '*'\n[constraints]\nlib = '<2'");
    scratch.envy("lock").succeeds().says("+ app 1.1.0").says("+ lib 1.1.0");
    asks(&scratch, "app = '2'\n[constraints]\nlib = '<2'");
    scratch.envy("lock").ends(6).says("lib 2.0.0 would fit, but is outside of `[constraints]`, which allow <2");
    asks(&scratch, "app = '2'\n[overrides]\nlib = { recipe = 'lib', version = '1' }");
    scratch.envy("lock").succeeds().says("~ app 1.1.0 -> 2.1.0").never_says("lib");
    scratch.envy("lock --check").succeeds();
    asks(&scratch, "app = '2'\n[overrides]\nlib = { recipe = 'lib', version = '9' }");
    scratch.envy("lock").ends(6).says("requires lib ^9");
}

#[test]
fn what_a_version_states_counts_though_an_entry_that_counts_for_nothing_asks_for_others() {
    let registry = registry();
    let scratch = world(&registry, "app = '1'\n[overrides]\napp = '=2.0.0'");
    scratch.envy("lock").succeeds().says("+ app 2.0.0").says("+ lib 2.0.0");
    scratch.envy("lock").succeeds().says("unchanged");
    let nowhere = "app = { version = '2', when = 'os == \"plan9\"' }\n[dependencies]\napp = '=1.0.0'";
    asks(&scratch, nowhere);
    scratch.envy("lock").succeeds().says("~ app 2.0.0 -> 1.0.0").says("~ lib 2.0.0 -> 1.1.0").never_says("left out");
    scratch.envy("lock").succeeds().says("unchanged");
    std::fs::remove_file(scratch.path("lockfiles/api.lock")).unwrap();
    scratch.envy("lock").succeeds().says("+ lib 1.1.0");
}

#[test]
fn an_update_may_name_what_only_a_version_states() {
    let registry = registry();
    let scratch = world(&registry, "app = '1'");
    scratch.envy("lock --resolution lowest").succeeds().says("+ lib 1.0.0");
    scratch.envy("update lib@1.1.0").succeeds().says("~ lib 1.0.0 -> 1.1.0");
    scratch.envy("update lib@2.0.0").ends(6).says("requires lib =2.0.0");
}

/// Makes a file that says how.
const WRITE: &str = r#"
summary = "Write a file"
[params]
words = { type = "list", default = ["nothing"], doc = "What it says." }
loud = { type = "bool", doc = "Say it twice." }
[[step]]
name = "write"
run = '''
mkdir -p {{ destdir }}{{ prefix }}/share
echo {{ words | join(" ") }} {% if loud %}again{% endif %} >{{ destdir }}{{ prefix }}/share/said
'''
"#;

#[test]
fn a_package_states_how_it_is_made_and_the_site_may_say_otherwise() {
    let registry = Registry::new();
    registry.publish(
        Crate::new("data", "1.0.0").metadata("recipe = 'write'\nparams = { words = ['stated'], loud = true }\n"),
    );
    let scratch = world(&registry, "data = '1'");
    scratch.write("recipes/write.toml", WRITE);
    let said = || scratch.read(".envy/sites/api/current/share/said");
    scratch.envy("build").succeeds();
    assert_eq!(said(), "stated again\n");
    let lock = scratch.read("lockfiles/api.lock");
    assert!(
        lock.contains("stated-recipe = \"write\"\nstated-params = { loud = true, words = [\"stated\"] }\n"),
        "{lock}"
    );
    scratch.envy("build --locked").succeeds().says("unchanged");

    asks(&scratch, "data = { version = '1', params = { words = ['site', 'the', 'way'] } }");
    scratch.envy("build --locked").ends(3).says("`data` is locked with other params");
    scratch.envy("build").succeeds();
    assert_eq!(said(), "site the way again\n");

    asks(&scratch, "data = '1'");
    scratch.envy("build").succeeds();
    assert_eq!(said(), "stated again\n");
}

#[test]
fn params_for_a_recipe_that_is_not_known_yet_wait_until_it_is() {
    let registry = Registry::new();
    registry.publish(Crate::new("data", "1.0.0").metadata("recipe = 'write'\n"));
    let scratch = world(&registry, "data = { version = '1', params = { words = ['mine'] } }");
    scratch.write("recipes/write.toml", WRITE);
    scratch.envy("build").succeeds();
    assert_eq!(scratch.read(".envy/sites/api/current/share/said"), "mine\n");
    registry.publish(Crate::new("data", "2.0.0").bin("data"));
    asks(&scratch, "data = { version = '2', params = { features = [] } }");
    scratch.envy("lock").succeeds().says("~ data 1.0.0 -> 2.0.0");
    asks(&scratch, "data = { version = '1', params = { words = ['mine'] } }");
    scratch.envy("lock").succeeds().says("~ data 2.0.0 -> 1.0.0");
    asks(&scratch, "data = { version = '1', params = { wrods = ['mine'] } }");
    scratch.envy("lock").ends(1).says("recipe `write` has no param `wrods`").says("did you mean `words`?");
}

#[test]
fn what_was_made_otherwise_is_asked_when_it_has_a_say() {
    let scratch = world(&Registry::new(), "");
    scratch.write("recipes/write.toml", WRITE);
    let repository = Repository::new(&scratch, "data");
    let stated = "[package.metadata.envy]\nrecipe = 'write'\nparams = { loud = true }\n";
    repository.write("Cargo.toml", manifest("data", "1.0.0") + stated).commit();
    let entry = |more: &str| asks(&scratch, &format!("data = {{ git = '{}'{more} }}", repository.url()));
    entry(", recipe = 'write'");
    scratch.envy("build").succeeds();
    let said = || scratch.read(".envy/sites/api/current/share/said");
    assert_eq!(said(), "nothing\n", "whoever names the recipe says all of it");
    entry("");
    scratch.envy("build").succeeds();
    assert_eq!(said(), "nothing again\n");
}

#[test]
fn a_directory_that_states_another_recipe_later_is_made_by_it() {
    let scratch = world(&Registry::new(), "data = { path = 'data' }");
    scratch.write("recipes/write.toml", WRITE);
    let states = |metadata: &str| {
        scratch.write("data/Cargo.toml", manifest("data", "1.0.0") + "[package.metadata.envy]\n" + metadata);
    };
    states("recipe = 'write'\n");
    scratch.without_rust().envy("lock").succeeds();
    scratch.without_rust().envy("build").succeeds();
    assert_eq!(scratch.read(".envy/sites/api/current/share/said"), "nothing\n");
    states("recipe = 'write'\nparams = { loud = true }\n");
    scratch.envy("build").succeeds();
    assert_eq!(scratch.read(".envy/sites/api/current/share/said"), "nothing again\n");
    asks(&scratch, "data = { path = 'data', recipe = 'unpack', install = { 'share/said' = 'Cargo.toml' } }");
    scratch.envy("build").succeeds();
    assert!(scratch.read(".envy/sites/api/current/share/said").contains("loud = true"));
    assert!(!scratch.read("lockfiles/api.lock").contains("stated"));
    asks(&scratch, "data = { path = 'data' }");
    states("recipe = 'wrote'\n");
    scratch.envy("lock").fails(
        1,
        expect![[r#"
            error: there is no recipe `wrote`
              `data` states it in `[package.metadata.envy]` of its Cargo.toml
            hint: did you mean `write`?
        "#]],
    );
    states("recipe = 'write'\nparams = { loud = 'yes' }\n");
    scratch.envy("lock").ends(1).says("`data` states it in `[package.metadata.envy]` of its Cargo.toml");
}
