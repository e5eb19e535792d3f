//! Bundles with sources from repositories, bundles of another envy, bundles that want too much, and imports that are killed.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use envy::bundle::{self, Contents};
use envy::digest::TextDigest;
use envy::recipe::BUILT_IN;
use envy::store::Store;
use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::repository::{Repository, manifest};
use crate::scratch::{ENVY, Scratch};

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

/// A site of a repository, with a patch, that takes a crate from another one; bundled, and the repositories are gone.
fn of_repositories() -> Scratch {
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
    from
}

/// Forgets what was built: all trees of outputs are gone, and those of sources are not.
fn forget_outputs(scratch: &Scratch, lockfile: &str) {
    let tree =
        lockfile.split("[[package.output]]").nth(1).and_then(|rest| rest.split("tree = \"sha256:").nth(1)).unwrap();
    let tree = &tree[..64];
    let forget =
        format!("chmod -R u+w .envy ../data && rm -rf .envy ../data/envy/store/trees/{}/{}", &tree[..2], &tree[2..]);
    scratch.shell().sh(&forget).succeeds();
}

#[test]
fn sources_from_repositories_are_carried_as_files_and_proven_by_the_lockfile() {
    let from = of_repositories();
    let to = Scratch::new();
    fs::copy(from.root().join("api.envy"), to.path("api.envy")).unwrap();
    to.envy("import api.envy").succeeds();
    forget_outputs(&to, &to.read("lockfiles/api.lock"));
    to.envy("build --locked --offline").succeeds().says("built app 1.0.0");
    to.envy("run api --frozen -- app").succeeds().says("as it was pinned and patched");
    to.envy("status").succeeds().says("(proven)");
    // And it can be handed on.
    to.envy("bundle api --sources --offline -o again.envy").succeeds();
    assert!(fs::read(to.path("again.envy")).unwrap() == fs::read(to.path("api.envy")).unwrap());
}

#[test]
fn a_bundle_names_no_commit_but_those_that_its_own_lockfile_pins_and_proves() {
    let from = of_repositories();
    let (whole, to) = (from.root().join("api.envy"), Scratch::new());
    let lockfile = from.read("lockfiles/api.lock");
    let commit = &lockfile.split("commit = \"").nth(1).unwrap()[..40];
    let before = to.snapshot(".");
    // Under the name by which every project looks for what that commit gave.
    changed(&whole, &to.root().join("api.envy"), |contents| {
        let other = *contents.commits.values().next().unwrap();
        contents.commits.insert(TextDigest::of(format!("git here {commit}").as_bytes()), other);
    });
    let told = to.envy("import ../api.envy").ends(4).text();
    assert!(told.contains("it brings a commit as `") && told.contains("which its lockfile does not pin"), "{told}");
    before.is_still(&to.snapshot("."));
    // Under the right name, with the files of another one.
    changed(&whole, &to.root().join("api.envy"), |contents| {
        let swapped: Vec<_> = contents.commits.values().rev().copied().collect();
        contents.commits.values_mut().zip(swapped).for_each(|(one, other)| *one = other);
    });
    to.envy("import ../api.envy").ends(4).says("source");
    before.is_still(&to.snapshot("."));
    let records = to.root().join("data/envy/store/sources");
    assert!(!records.exists(), "nothing is named in the store");
}

#[test]
fn what_a_bundle_says_of_a_commit_counts_in_its_own_project_alone() {
    let (from, to) = (of_repositories(), Scratch::new());
    changed(&from.root().join("api.envy"), &to.root().join("api.envy"), |contents| {
        contents.commits.values_mut().for_each(|(_, time)| *time = 1);
    });
    to.envy("import ../api.envy").succeeds();
    let lockfile = to.read("lockfiles/api.lock");
    forget_outputs(&to, &lockfile);
    to.write("other/envy.toml", to.read("envy.toml")).write("other/lockfiles/api.lock", &lockfile);
    for path in ["lockfiles/api/app.Cargo.lock", "patches/app.patch"] {
        to.write(format!("other/{path}"), to.read(path));
    }
    to.envy("build --locked --offline --project other").ends(1).says("could not read the repository");
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
fn a_path_that_is_written_in_another_way_is_the_same_path() {
    let (registry, to) = (Registry::new(), Scratch::new());
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let from = Scratch::with(&registry);
    from.write("patches/note.patch", "--- /dev/null\n+++ b/NOTE\n@@ -0,0 +1 @@\n+text\n");
    let hello = "hello = { version = \"1\", patches = [\"patches/.//note.patch\"] }\n";
    from.write("envy.toml", format!("[sites.api.dependencies]\n{hello}")).envy("build").succeeds();
    from.envy("bundle api").succeeds();
    fs::copy(from.path("api.envy"), to.root().join("api.envy")).unwrap();
    to.envy("import ../api.envy").succeeds();
    assert_eq!(to.read("patches/note.patch"), from.read("patches/note.patch"));
}

#[test]
fn a_bundle_goes_to_the_standard_output_or_under_whatever_name() {
    let (_registry, from) = hello();
    let told = from.shell().sh(&format!("{ENVY} bundle api -o - >piped.envy")).succeeds().text();
    assert!(told.contains("bundled site `api` into the standard output (1 file, "), "{told}");
    assert!(fs::read(from.path("piped.envy")).unwrap() == fs::read(from.path("api.envy")).unwrap());
    from.envy("bundle api -o - --json").ends(2).says("cannot both go to the standard output");
    let odd = from.shell().sh(&format!("{ENVY} bundle api --json -o $(printf 'odd\\377.envy')")).succeeds().json();
    assert_eq!(odd["file"].as_str(), Some("odd\u{fffd}.envy"));
    let store = |what: &str| format!("ENVY_STORE=$PWD/odd$(printf '\\377') {ENVY} {what} --json");
    for what in ["store path", "store stats", "store verify", "gc"] {
        let told = from.shell().sh(&store(what)).succeeds().json();
        assert!(told["path"].as_str().is_some_and(|path| path.ends_with("odd\u{fffd}")), "{told}");
    }
}

#[test]
fn an_import_whose_check_fails_changes_nothing_and_keeps_the_log() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let from = Scratch::with(&registry);
    let gate = from.root().join("gate");
    fs::write(&gate, "").unwrap();
    let check = format!("[sites.api]\ncheck = [\"test -e {}\"]\n\n", gate.display());
    from.write("envy.toml", format!("{check}[sites.api.dependencies]\nhello = \"1\"\n")).envy("build").succeeds();
    from.envy("bundle api").succeeds();
    fs::remove_file(&gate).unwrap();
    let to = Scratch::new();
    fs::copy(from.path("api.envy"), to.root().join("api.envy")).unwrap();
    let told = to.envy("import ../api.envy").ends(9).text();
    assert!(told.contains("failed its check"), "{told}");
    let left: Vec<_> = fs::read_dir(to.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".envy"]);
    assert!(to.path(".envy/sites/api/logs").read_dir().unwrap().next().is_some());
    let of_site: Vec<_> =
        fs::read_dir(to.path(".envy/sites/api")).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert_eq!(of_site, ["logs"]);
    assert_eq!(fs::read_dir(to.store().join("roots")).unwrap().count(), 0, "the store knows of no site");
    assert!(
        told.contains("and of the site only logs stay") && told.contains("type the same with `--no-switch`"),
        "{told}"
    );

    // What the hint says works, also where the site has a place of its own.
    let aside = "--project ../srv --sites-dir ../sites";
    to.envy(&format!("import ../api.envy {aside}")).ends(9);
    to.envy(&format!("import ../api.envy {aside} --no-switch")).succeeds().says("built generation 2 of site `api`");
    to.envy(&format!("run api {aside} --generation 2 -- hello")).succeeds().says("hello 1.0.0");
    to.envy(&format!("import ../api.envy {aside}")).ends(9).says("the site stays at generation 1");
    to.envy(&format!("switch api 2 {aside}")).ends(9);

    fs::write(&gate, "").unwrap();
    to.envy("import ../api.envy").succeeds();
    to.envy("run api --frozen -- hello").succeeds().says("hello 1.0.0");
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
