//! `when`: what is asked for on some platforms alone.

use crate::scratch::Scratch;

/// The platform that tests run on, and one that they do not.
const PLATFORMS: [&str; 2] = if cfg!(target_arch = "aarch64") {
    ["aarch64-linux-gnu", "x86_64-linux-gnu"]
} else {
    ["x86_64-linux-gnu", "aarch64-linux-gnu"]
};
const HERE: &str = if cfg!(target_arch = "aarch64") { "arch == \"aarch64\"" } else { "arch == \"x86_64\"" };
const ELSEWHERE: &str = if cfg!(target_arch = "aarch64") { "arch == \"x86_64\"" } else { "arch == \"aarch64\"" };

/// A package of nothing but its recipe, which leaves its name behind.
fn recipe(more: &str) -> String {
    format!(
        "summary = 'A thing'\n{more}\n[versions.'1.0']\n[[step]]\nname = 'build'\n\
         run = 'mkdir -p {{{{ destdir }}}}{{{{ prefix }}}}/share; echo > {{{{ destdir }}}}{{{{ prefix }}}}/share/{{{{ name }}}}'\n"
    )
}

fn world(recipes: &[(&str, &str)], dependencies: &str) -> Scratch {
    let scratch = Scratch::new();
    for (name, more) in recipes {
        scratch.write(format!("recipes/{name}.toml"), recipe(more));
    }
    asked(&scratch, dependencies);
    scratch
}

fn asked(scratch: &Scratch, dependencies: &str) {
    let [here, elsewhere] = PLATFORMS;
    let head = format!("[project]\nplatforms = ['{elsewhere}', '{here}']\n");
    scratch.write("envy.toml", format!("{head}[sites.api.dependencies]\n{dependencies}"));
}

fn has(scratch: &Scratch, name: &str) -> bool {
    scratch.path(format!(".envy/sites/api/current/share/{name}")).exists()
}

#[test]
fn one_lockfile_is_for_all_platforms_and_a_prefix_has_what_its_own_asks_for() {
    let dependencies = format!(
        "all = {{ recipe = 'all' }}\nhere = {{ recipe = 'here', when = '{HERE}' }}\n\
         elsewhere = {{ recipe = 'elsewhere', when = '{ELSEWHERE}' }}\n"
    );
    let needs = format!(
        "[dependencies]\nlib-here = {{ when = '{HERE}' }}\nlib-elsewhere = {{ when = '{ELSEWHERE}' }}\n\
         [build-dependencies]\ntool = {{ when = '{ELSEWHERE}' }}"
    );
    let names = ["here", "elsewhere", "lib-here", "lib-elsewhere", "tool"];
    let recipes: Vec<_> = names.iter().map(|name| (*name, "")).chain([("all", needs.as_str())]).collect();
    let scratch = world(&recipes, &dependencies);
    scratch.envy("lock").succeeds().says("+ elsewhere 1.0").says("+ lib-elsewhere 1.0").says("+ tool 1.0");
    let [here, elsewhere] = PLATFORMS;
    let lockfile = scratch.read("lockfiles/api.lock");
    assert_eq!(lockfile.matches(&format!("platforms = [\"{here}\"]")).count(), 3, "{lockfile}");
    assert!(
        lockfile.contains(&format!("[[package.needed-on]]\nname = \"lib-here\"\nplatforms = [\"{here}\"]\n")),
        "{lockfile}"
    );
    assert!(
        lockfile.contains(&format!("name = \"tool\"\nbuild = true\nplatforms = [\"{elsewhere}\"]\n")),
        "{lockfile}"
    );
    scratch.envy("build").succeeds();
    let there: Vec<_> = names.into_iter().filter(|name| has(&scratch, name)).collect();
    assert!(has(&scratch, "all") && there == ["here", "lib-here"], "{there:?}");
    scratch.envy("build --locked").succeeds().says("unchanged");
    scratch.envy("lock").succeeds().says("unchanged");
    scratch.envy("status").succeeds().says("current");
    let tree = scratch.envy("tree api");
    tree.says(&format!("elsewhere 1.0 recipe+elsewhere (on {elsewhere} only)"));
    tree.says(&format!("lib-here 1.0 recipe+lib-here (on {here} only)"));
}

#[test]
fn another_condition_is_drift_and_what_was_made_stays_where_it_still_counts() {
    let entry =
        |when: &str| format!("thing = {{ recipe = 'thing', when = '{when}' }}\nother = {{ recipe = 'other' }}\n");
    let scratch = world(&[("thing", ""), ("other", "")], &entry(HERE));
    scratch.envy("build").succeeds();
    asked(&scratch, &entry("os == \"linux\""));
    scratch.envy("build --locked").ends(3).says("something else changed in `envy.toml`");
    scratch.envy("lock").succeeds().says("~ thing 1.0, for other platforms");
    scratch.envy("build --locked").succeeds();
    asked(&scratch, &entry(ELSEWHERE));
    scratch.envy("build").succeeds();
    assert!(has(&scratch, "other") && !has(&scratch, "thing"));
    // Two ways to say the same.
    asked(&scratch, &entry(&format!("platform == \"{}\"", PLATFORMS[1])));
    scratch.envy("build --locked").succeeds().says("unchanged");
}

#[test]
fn what_is_asked_for_nowhere_is_said() {
    let scratch = world(&[("thing", ""), ("other", "")], "thing = { recipe = 'thing', when = 'os == \"plan9\"' }\n");
    let [here, elsewhere] = PLATFORMS;
    let left_out = format!(
        "`thing` is left out: `os == \"plan9\"` is true of none of the project's platforms ({elsewhere}, {here})"
    );
    scratch.envy("lock").succeeds().says(&left_out);
    scratch.envy("lock --check").succeeds();
    scratch.envy("tree api").succeeds().says("thing (for none of the project's platforms)");
    scratch.envy("build").succeeds();
    scratch.envy("add --recipe other --when os --site api").ends(2).says("`os` is neither true nor false");
    scratch.envy(&format!("add --recipe other --site api --when '{HERE}'")).succeeds();
    assert!(has(&scratch, "other"));
    let manifest = scratch.read("envy.toml");
    assert!(manifest.contains(&format!("when = '{HERE}'")), "{manifest}");
}

#[test]
fn packages_may_need_each_other_if_that_is_on_no_one_platform() {
    let one = format!("dependencies = {{ two = {{ when = '{HERE}' }} }}");
    let two = format!("dependencies = {{ one = {{ when = '{ELSEWHERE}' }} }}");
    let scratch = world(&[("one", &one), ("two", &two)], "one = { recipe = 'one' }\ntwo = { recipe = 'two' }\n");
    scratch.envy("build").succeeds();
    assert!(has(&scratch, "one") && has(&scratch, "two"));
    let scratch = world(&[("one", &one), ("two", "dependencies = { one = '*' }")], "one = { recipe = 'one' }\n");
    scratch.envy("lock").ends(6).says("`one` needs itself");
}

#[test]
fn a_version_that_a_platform_lacks_is_passed_over_and_said_to_be() {
    let [here, elsewhere] = PLATFORMS;
    let newer = format!("[versions.'2.0']\nplatforms = ['{here}']");
    let scratch = world(&[("thing", &newer)], "thing = { recipe = 'thing' }\n");
    let why = format!("cannot be had for {elsewhere}");
    scratch.envy("lock").succeeds().says("+ thing 1.0").says(&format!("thing 2.0 is passed over: it {why}"));
    asked(&scratch, "thing = { recipe = 'thing', version = '2' }\n");
    let refused = scratch.envy("lock");
    refused.ends(6).says(&format!("thing 2.0 would fit, but {why}"));
    refused.says(&format!("write `when = 'platform != \"{elsewhere}\"'` beside it"));
    asked(&scratch, &format!("thing = {{ recipe = 'thing', version = '2', when = 'platform != \"{elsewhere}\"' }}\n"));
    scratch.envy("lock").succeeds().says("thing 1.0 -> 2.0");
    let scratch = world(&[("only", &format!("platforms = ['{here}']"))], "only = { recipe = 'only' }\n");
    scratch.envy("lock").ends(6).says(&format!("only 1.0 would fit, but {why}"));
    scratch.envy("recipe show only").succeeds().says(&format!("for       {here}"));
    scratch.write("app/data", "x");
    asked(&scratch, "app = { path = 'app', recipe = 'only' }\n");
    scratch.envy("lock").ends(6).says(&format!("`app` is wanted on {elsewhere}, and recipe `only` is not for that"));
}

#[test]
fn what_was_built_with_something_that_is_needed_no_more_does_not_count() {
    let needs =
        |when: &str| format!("app = {{ recipe = 'app', build-dependencies = {{ lib = {{ when = '{when}' }} }} }}\n");
    let scratch = world(&[("app", ""), ("lib", "")], &needs(HERE));
    let outputs = |scratch: &Scratch| scratch.read("lockfiles/api.lock").matches("[[package.output]]").count();
    scratch.envy("build").succeeds();
    assert_eq!(outputs(&scratch), 2);
    asked(&scratch, &needs("os == \"linux\""));
    scratch.envy("lock").succeeds();
    assert_eq!(outputs(&scratch), 2, "here, nothing changed");
    asked(&scratch, &needs(ELSEWHERE));
    scratch.envy("lock").succeeds();
    assert_eq!(outputs(&scratch), 1, "without the library, the program may be another one");
}

#[test]
fn what_was_there_to_build_with_is_installed_when_it_is_asked_for() {
    let needs = "[build-dependencies]\nlib = '*'";
    let scratch = world(&[("app", needs), ("lib", "")], "app = { recipe = 'app' }\n");
    scratch.envy("build").succeeds();
    assert!(!has(&scratch, "lib"));
    asked(&scratch, "app = { recipe = 'app' }\nlib = { recipe = 'lib' }\n");
    scratch.envy("build --locked").ends(3);
    scratch.envy("build").succeeds();
    assert!(has(&scratch, "lib"));
    asked(&scratch, "app = { recipe = 'app' }\n");
    scratch.envy("build").succeeds();
    assert!(!has(&scratch, "lib"));
}

#[test]
fn a_locked_version_that_a_platform_lacks_does_not_stay() {
    let [here, elsewhere] = PLATFORMS;
    let newer = format!("[versions.'2.0']\nplatforms = ['{here}']");
    let lock = |scratch: &Scratch, platforms: &str, entry: &str| {
        scratch
            .write("envy.toml", format!("[project]\nplatforms = [{platforms}]\n[sites.api.dependencies]\n{entry}\n"));
        scratch.envy("lock")
    };
    let scratch = world(&[("lib", &newer)], "");
    lock(&scratch, &format!("'{here}'"), "lib = { recipe = 'lib' }").succeeds().says("+ lib 2.0");
    let both = format!("'{here}', '{elsewhere}'");
    scratch.write(
        "envy.toml",
        format!("[project]\nplatforms = [{both}]\n[sites.api.dependencies]\nlib = {{ recipe = 'lib' }}\n"),
    );
    let lacking = format!("`lib 2.0` is locked, and cannot be had for {elsewhere}, where it is wanted");
    scratch.envy("build --locked").ends(3).says(&lacking);
    scratch.envy("lock").succeeds().says("~ lib 2.0 -> 1.0");

    // The recipe itself takes a platform back.
    scratch.write("recipes/lib.toml", recipe(&format!("platforms = ['{elsewhere}']")));
    scratch.envy("lock --check").ends(3).says(&format!("`lib 1.0` is locked, and cannot be had for {here}"));
    scratch.envy("lock").ends(6).says(&format!("lib 1.0 would fit, but cannot be had for {here}"));
}

#[test]
fn a_need_that_is_only_stated_widens_where_a_version_has_to_be_had() {
    let [here, _] = PLATFORMS;
    let newer = format!("[versions.'2.0']\nplatforms = ['{here}']");
    let entries = format!("app = {{ path = 'app' }}\nlib = {{ recipe = 'lib', when = '{HERE}' }}\n");
    let scratch = world(&[("lib", &newer)], &entries);
    let state = "[package.metadata.envy]\nrecipe = 'app'\ndependencies = { lib = '*' }\n";
    scratch.write("recipes/app.toml", recipe(""));
    scratch.write("app/Cargo.toml", format!("[package]\nname = 'app'\nversion = '1.0.0'\n{state}"));
    scratch.write("app/src/main.rs", "fn main() {}");
    scratch.envy("lock").succeeds().says("+ lib 1.0");
    scratch.envy("lock --check").succeeds();
}

#[test]
fn needs_that_lead_to_needs_without_end_are_an_error() {
    let one = "[params]\ntls = { type = 'bool', doc = 'x' }\n[dependencies]\ntwo = { when = 'not tls' }";
    let two = "[dependencies]\none = { params = { tls = true } }";
    let scratch = world(&[("one", one), ("two", two)], "one = { recipe = 'one' }\n");
    scratch.envy("lock").ends(6).says("what `one` needs depends on params that depend on what it needs");
}

#[test]
fn a_condition_of_a_need_that_is_none_is_told_with_its_place() {
    let scratch =
        world(&[("app", "[dependencies]\nlib = { when = 'os = 1' }"), ("lib", "")], "app = { recipe = 'app' }\n");
    scratch.envy("lock").ends(1).says("recipes/app.toml:3:16").says("`os = 1` is not a condition");
    scratch.write("recipes/app.toml", recipe("[dependencies]\nlib = { when = 'tls' }"));
    scratch.envy("lock").ends(1).says("`app` needs it").says("`tls` is none of its params");
}

#[test]
fn a_hint_for_what_only_a_package_needs_is_not_to_write_beside_it() {
    let [here, elsewhere] = PLATFORMS;
    let lib = format!("platforms = ['{here}']");
    let scratch = world(&[("app", "[dependencies]\nlib = '*'"), ("lib", &lib)], "app = { recipe = 'app' }\n");
    scratch.envy("lock").ends(6).says(&format!("take {elsewhere} out of `platforms`")).never_says("beside it");
}

#[test]
fn a_new_platform_takes_no_output_of_the_others_away() {
    let scratch = Scratch::new();
    let [here, elsewhere] = PLATFORMS;
    let site = "[sites.api.dependencies.data]\nurl = 'file://FILES/data-{arch}.tar'\nversion = '1'\nrecipe = 'keep'\n";
    let keep = "summary = 'x'\n[[step]]\nname = 'go'\n\
                run = 'mkdir -p {{ destdir }}{{ prefix }}/share; cp -r . {{ destdir }}{{ prefix }}/share'\n";
    scratch.write("recipes/keep.toml", keep).write("d/f", "x");
    scratch.shell().sh("tar -cf data-x86_64.tar d; echo y >d/f; tar -cf data-aarch64.tar d").succeeds();
    let site = site.replace("FILES", scratch.path("d").parent().unwrap().to_str().unwrap());
    let manifest = |platforms: &str| format!("[project]\nplatforms = [{platforms}]\n{site}");
    scratch.write("envy.toml", manifest(&format!("'{here}'"))).envy("build").succeeds();
    let outputs = |scratch: &Scratch| scratch.read("lockfiles/api.lock").matches("[[package.output]]").count();
    assert_eq!(outputs(&scratch), 1);
    scratch.write("envy.toml", manifest(&format!("'{here}', '{elsewhere}'"))).envy("lock").succeeds();
    assert_eq!(outputs(&scratch), 1, "{}", scratch.read("lockfiles/api.lock"));
}
