//! What commands that change something say as data, and the manual.

use serde_json::{Value, json};

use crate::krate::Crate;
use crate::registry::Registry;
use crate::scratch::Scratch;

/// The one document that a command prints.
#[track_caller]
fn document(scratch: &Scratch, arguments: &str) -> Value {
    scratch.envy(arguments).succeeds().json()
}

/// The path of something in the project.
fn path(scratch: &Scratch, path: &str) -> String {
    scratch.path(path).to_str().unwrap().to_owned()
}

fn registry() -> Registry {
    let registry = Registry::new();
    for version in ["1.0.0", "1.1.0"] {
        registry.publish(Crate::new("hello", version).bin("hello"));
    }
    registry
}

#[test]
fn what_is_begun_and_ended_is_told_as_data() {
    let scratch = Scratch::with(&registry());

    let begun = document(&scratch, "init --name shop --json");
    assert_eq!(begun["schema"], "envy.init/1");
    assert_eq!([&begun["project"], &begun["manifest"]], ["shop", &path(&scratch, "envy.toml")]);
    assert_eq!(begun["merge-driver"], Value::Null);
    let created = document(&scratch, "create api --json");
    let place = path(&scratch, ".envy/sites/api");
    assert_eq!(created, json!({ "schema": "envy.create/1", "site": "api", "generation": 1, "path": place }));
    let written = document(&scratch, "recipe new thing --json");
    let recipe = path(&scratch, "recipes/thing.toml");
    assert_eq!(written, json!({ "schema": "envy.recipe-new/1", "recipe": "thing", "path": recipe }));
    let store = scratch.store().to_str().unwrap().to_owned();
    assert_eq!(document(&scratch, "store path --json"), json!({ "schema": "envy.store-path/1", "path": store }));
    scratch.write(".envy/sites/api/var/kept", "");
    let data = path(&scratch, ".envy/sites/api/var");
    let deleted = document(&scratch, "delete api --json");
    assert_eq!(deleted, json!({ "schema": "envy.delete/1", "site": "api", "data": data }));
}

#[test]
fn what_is_locked_is_told_as_data() {
    let registry = registry();
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = \"=1.0.0\"\n");
    let state = |version: &str| json!({ "version": version, "source": "registry+crates.io" });
    let sites = |change: &str, differs: &[&str], from: Value, to: Value| {
        json!([{ "site": "api", "changed": true, "packages": [
            { "name": "hello", "change": change, "differs": differs, "from": from, "to": to },
        ] }])
    };
    let still = json!([{ "site": "api", "changed": false, "packages": [] }]);

    let locked = document(&scratch, "lock --json");
    assert_eq!(locked["schema"], "envy.lock/1");
    assert_eq!(locked["changed"], true);
    assert_eq!(locked["sites"], sites("added", &[], Value::Null, state("1.0.0")));
    for again in ["lock --json", "lock --check --json"] {
        assert_eq!(document(&scratch, again), json!({ "schema": "envy.lock/1", "changed": false, "sites": still }));
    }
    let fetched = document(&scratch, "fetch --json");
    assert_eq!(fetched["schema"], "envy.fetch/1");
    let packages = json!([{ "name": "hello", "version": "1.0.0" }]);
    assert_eq!(fetched["sites"], json!([{ "site": "api", "packages": packages }]));

    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = \"1\"\n");
    scratch.envy("lock").succeeds();
    for dry in [true, false] {
        let updated = document(&scratch, if dry { "update --dry-run --json" } else { "update hello --json" });
        assert_eq!(updated["schema"], "envy.update/1");
        assert_eq!([&updated["dry-run"], &updated["changed"]], [dry, true]);
        let differs = ["version", "archive", "crates"];
        assert_eq!(updated["sites"], sites("changed", &differs, state("1.0.0"), state("1.1.0")));
    }
    assert_eq!(document(&scratch, "update --json")["sites"], still);
    scratch.write("envy.toml", "[sites.api.dependencies]\n");
    assert_eq!(scratch.envy("lock --check --json").ends(3).stdout(), "", "what fails prints no document");
}

#[test]
fn what_is_added_and_removed_is_told_as_data_with_what_was_built() {
    let registry = registry();
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.api]\n");

    let locked = document(&scratch, "add hello@1.0.0 --no-build --json");
    assert_eq!([&locked["schema"], &locked["sites"][0]["packages"][0]["to"]["version"]], ["envy.add/1", "1.1.0"]);
    assert_eq!([&locked["changed"], &locked["sites"][0]["built"]], [&json!(true), &Value::Null]);
    let removed = document(&scratch, "remove hello --json");
    assert_eq!([&removed["schema"], &removed["sites"][0]["packages"][0]["change"]], ["envy.remove/1", "removed"]);
    let added = document(&scratch, "add hello@1.0.0 --site api --json");
    let built = &added["sites"][0]["built"];
    assert_eq!([&built["site"], &built["state"]], ["api", "switched"]);
    assert_eq!(built["prefix"], scratch.envy("status api --json").succeeds().json()["sites"][0]["prefix"]);
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let scratch = Scratch::new();
    scratch.envy("man").succeeds().says(".TH envy 1").says("Isolated, repeatable environments");
    scratch.envy("man recipe list").succeeds().says(".TH envy-recipe-list 1");
    scratch.envy("man nothing").ends(2).says("`envy` has no command `nothing`");

    scratch.envy("man --dir pages").succeeds();

    let help = scratch.envy("help");
    let listed = help.stdout().split_once("Commands:").unwrap().1.split_once("Options:").unwrap().0;
    let names = listed.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    let names: Vec<_> = names.filter(|name| *name != "help").collect();
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        assert!(scratch.read(format!("pages/envy-{name}.1")).contains(".SH SYNOPSIS"), "{name}");
    }
}
