//! Bundles with sources from repositories, bundles of another envy, bundles that want too much, and imports that are killed.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use envy::bundle::{self, Contents};
use envy::recipe::BUILT_IN;
use envy::store::Store;
use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::repository::{Repository, manifest};
use crate::scratch::Scratch;

/// Takes a bundle apart, changes it, and writes it as envy would.
fn changed(bundle: &Path, to: &Path, change: impl FnOnce(&mut Contents)) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::at(directory.path().join("store"));
    let mut arrived = bundle::receive(fs::File::open(bundle).unwrap(), &store).unwrap();
    arrived.keep(&store).unwrap();
    let mut contents = arrived.contents.clone();
    change(&mut contents);
    bundle::write(&contents, &store, fs::File::create(to).unwrap()).unwrap();
}

fn hello() -> (Registry, Scratch) {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = \"1\"\n").envy("build").succeeds();
    scratch.envy("bundle api").succeeds();
    (registry, scratch)
}

#[test]
fn sources_from_repositories_are_carried_as_files_and_proven_by_the_lockfile() {
    let from = Scratch::new();
    let fork = Repository::new(&from, "fork");
    fork.write("Cargo.toml", manifest("fork", "0.1.0"));
    fork.write("src/lib.rs", "pub fn said() -> &'static str { \"as it was pinned\" }\n").commit();
    let app = Repository::new(&from, "app");
    let needs = format!("[dependencies]\nfork = {{ git = \"{}\" }}\n", fork.url());
    app.write("Cargo.toml", manifest("app", "1.0.0") + &needs);
    app.write("src/main.rs", "fn main() { println!(\"{}\", fork::said()) }\n").commit();
    let patch = "--- a/src/main.rs\n+++ b/src/main.rs\n@@ -1 +1 @@\n\
        -fn main() { println!(\"{}\", fork::said()) }\n+fn main() { println!(\"{} and patched\", fork::said()) }\n";
    from.write("patches/app.patch", patch);
    let entry = format!("app = {{ git = \"{}\", patches = [\"patches/app.patch\"] }}\n", app.url());
    from.write("envy.toml", format!("[sites.api.dependencies]\n{entry}"));
    from.envy("build").succeeds();
    from.envy("run api -- app").succeeds().says("as it was pinned and patched");
    from.envy("bundle api --sources -o ../api.envy").succeeds();
    fork.vanish();
    app.vanish();

    let to = Scratch::new();
    fs::copy(from.root().join("api.envy"), to.path("api.envy")).unwrap();
    to.envy("import api.envy").succeeds();
    let lockfile = to.read("lockfiles/api.lock");
    // Without what was built: all trees of outputs are gone, and those of sources are not.
    let tree =
        lockfile.split("[[package.output]]").nth(1).and_then(|rest| rest.split("tree = \"sha256:").nth(1)).unwrap();
    let tree = &tree[..64];
    let forget =
        format!("chmod -R u+w .envy ../data && rm -rf .envy ../data/envy/store/trees/{}/{}", &tree[..2], &tree[2..]);
    to.shell().sh(&forget).succeeds();
    to.envy("build --locked --offline").succeeds().says("built app 1.0.0");
    to.envy("run api --frozen -- app").succeeds().says("as it was pinned and patched");
    to.envy("status").succeeds().says("(proven)");
    // And it can be handed on.
    to.envy("bundle api --sources --offline -o again.envy").succeeds();
    assert!(fs::read(to.path("again.envy")).unwrap() == fs::read(to.path("api.envy")).unwrap());
}

#[test]
fn an_envy_with_other_recipes_takes_those_of_the_bundle() {
    let (_registry, from) = hello();
    let to = Scratch::new();
    changed(&from.path("api.envy"), &to.path("api.envy"), |contents| {
        assert_eq!(contents.recipes.keys().collect::<Vec<_>>(), ["cargo"]);
        contents.recipes.get_mut("cargo").unwrap().extend_from_slice(b"# Of another release.\n");
    });
    to.envy("import api.envy").succeeds();
    let own = BUILT_IN.iter().find(|(name, _)| *name == "cargo").unwrap().1;
    assert_eq!(to.read("recipes/cargo.toml"), format!("{own}# Of another release.\n"));
    to.envy("build --frozen").succeeds().says("unchanged");
}

#[test]
fn a_bundle_brings_no_file_that_its_site_does_not_name() {
    let (_registry, from) = hello();
    let to = Scratch::new();
    let before = to.snapshot(".");
    for path in ["Cargo.toml", "src/main.rs", "lockfiles/other.lock", "templates/x"] {
        changed(&from.path("api.envy"), &to.root().join("api.envy"), |contents| {
            contents.files.insert(path.to_owned(), b"evil".to_vec());
        });
        let told = to.envy("import ../api.envy").ends(4).text();
        assert!(told.contains(&format!("it brings `{path}`, which nothing in its `envy.toml` names")), "{told}");
        before.is_still(&to.snapshot("."));
    }
    changed(&from.path("api.envy"), &to.root().join("api.envy"), |contents| {
        contents.files.remove("lockfiles/api.lock");
    });
    to.envy("import ../api.envy").fails(
        3,
        expect![[r#"
        error: lockfile `lockfiles/api.lock` is missing
        hint: run `envy lock api` and commit the file that it writes
    "#]],
    );
    before.is_still(&to.snapshot("."));
    changed(&from.path("api.envy"), &to.root().join("api.envy"), |contents| {
        let text = String::from_utf8(contents.files["lockfiles/api.lock"].clone()).unwrap();
        let other = text.replace("[[package.output]]\n", "[[package.output]]\n# ");
        contents.files.insert("lockfiles/api.lock".to_owned(), other.into_bytes());
    });
    to.envy("import ../api.envy").ends(3);
    before.is_still(&to.snapshot("."));
}

#[test]
fn an_import_that_is_killed_is_as_good_as_none_or_as_one_that_was_not() {
    let (_registry, from) = hello();
    let to = Scratch::new();
    fs::copy(from.path("api.envy"), to.root().join("api.envy")).unwrap();
    for milliseconds in [1, 3, 5, 8, 12, 16, 20, 25, 30, 40, 60, 90, 130] {
        let mut command = to.envy_command("import ../api.envy");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(milliseconds));
        // It may be done by now, which is as good.
        let _ = child.kill();
        child.wait().unwrap();
        if to.path(".envy/sites/api/current").exists() {
            to.envy("import ../api.envy").succeeds();
            to.envy("run api --frozen -- hello").succeeds().says("hello 1.0.0");
            to.shell().sh("chmod -R u+w . && rm -rf .envy envy.toml lockfiles").succeeds();
        }
    }
    to.envy("import ../api.envy").succeeds();
    to.envy("run api --frozen -- hello").succeeds().says("hello 1.0.0");
    to.envy("store verify").succeeds();
    assert!(!to.path(".envy/undo.json").exists());
}

#[test]
fn two_bundles_of_one_project_lie_side_by_side() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello")).publish(Crate::new("other", "1.0.0").bin("other"));
    let from = Scratch::with(&registry);
    from.write("envy.toml", "[sites.a.dependencies]\nhello = \"1\"\n\n[sites.b.dependencies]\nother = \"1\"\n");
    from.envy("build").succeeds();
    let to = Scratch::new();
    for site in ["a", "b"] {
        from.envy(&format!("bundle {site} -o ../{site}.envy")).succeeds();
        fs::copy(from.root().join(format!("{site}.envy")), to.root().join(format!("{site}.envy"))).unwrap();
        to.envy(&format!("import ../{site}.envy --json")).succeeds().says("\"changed\": true");
    }
    to.envy("list").ok(expect![[r#"
        --- stdout ---
        a  generation   2    1 package  current
        b  generation   2    1 package  current
    "#]]);
    to.envy("import ../a.envy --json").succeeds().says("\"changed\": false");
    to.envy("build --frozen").succeeds().says("unchanged site `a`").says("unchanged site `b`");
    // Elsewhere on the host, and by a name of its own.
    to.envy("import ../a.envy --project ../srv --sites-dir ../sites --site live").succeeds();
    assert!(to.root().join("sites/live/current/bin/hello").exists());
}
