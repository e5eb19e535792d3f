//! `envy verify`: what is on disk is what was built, and is made so again.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use expect_test::expect;

use crate::scratch::Scratch;

/// Two files, one of which holds the path of its prefix, and a link.
pub const RECIPE: &str = r#"
summary = "Says hello"
license = "MIT"

[versions."1.0.0"]

[[step]]
name = "install"
run = '''
mkdir -p {{ destdir }}{{ prefix }}/bin {{ destdir }}{{ prefix }}/etc
printf '#!/bin/sh\necho hello\n' >{{ destdir }}{{ prefix }}/bin/hello
chmod 755 {{ destdir }}{{ prefix }}/bin/hello
echo "home={{ prefix }}" >{{ destdir }}{{ prefix }}/etc/home
ln -s hello {{ destdir }}{{ prefix }}/bin/hi
'''
"#;

/// The same with a file of the site's own.
const MANIFEST: &str = r#"
[sites.api.dependencies]
hello = { recipe = "hello", version = "1" }

[sites.api.files]
"etc/api.conf" = { text = "site = {{ site }}\n" }
"#;

/// A built site, whose only package a lockfile records.
pub fn built() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("recipes/hello.toml", RECIPE).write("envy.toml", MANIFEST).envy("build").succeeds();
    scratch
}

/// The prefix of the current generation.
pub fn prefix(scratch: &Scratch) -> PathBuf {
    let link = fs::read_link(scratch.path(".envy/sites/api/current/bin")).expect("it links into the prefix");
    link.parent().expect("a link has a directory").to_owned()
}

/// Changes a file in place, as a bad disk or a careless person does, through all of its names.
pub fn flip(path: &Path) {
    let mut bytes = fs::read(path).expect("it is there");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    let mode = fs::metadata(path).expect("it is there").permissions();
    fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("it is ours");
    fs::write(path, bytes).expect("it may be written to now");
    fs::set_permissions(path, mode).expect("it is ours");
}

/// Does something in a directory that is read-only.
fn within(directory: &Path, work: impl FnOnce()) {
    fs::set_permissions(directory, PermissionsExt::from_mode(0o755)).expect("it is ours");
    work();
    fs::set_permissions(directory, PermissionsExt::from_mode(0o555)).expect("it is ours");
}

#[test]
fn a_site_that_nobody_touched_is_right() {
    let scratch = built();
    scratch.envy("verify").ok(expect![[r#"
        verified site `api`: generation 2, 3 files, 133 B read
    "#]]);
    let document = scratch.envy("verify api --json").succeeds().json();
    assert_eq!(document["schema"], "envy.verify/1");
    assert_eq!(document["sites"][0]["flaws"], serde_json::json!([]));
    assert_eq!(document["sites"][0]["files"], 3);
    scratch.envy("verify nowhere").ends(1);
    scratch.envy("verify api --generation 9").fails(
        1,
        expect![[r#"
        error: site `api` has no generation 9; it has 1 to 2
        hint: run `envy generations api` to see those there are
    "#]],
    );
    scratch.envy("verify --generation 1").succeeds();
}

#[test]
fn a_site_that_is_not_built_is_nothing_to_verify() {
    let scratch = built();
    scratch.write("envy.toml", scratch.read("envy.toml") + "\n[sites.other]\n");
    scratch.envy("verify").succeeds().says("note: site `other` is not built").says("verified site `api`");
    scratch.envy("verify other").fails(
        1,
        expect![[r#"
        error: site `other` is not built
        hint: run `envy build other`
    "#]],
    );
}

#[test]
fn every_way_in_which_a_prefix_is_wrong_is_told_and_healed_from_the_store() {
    let scratch = built();
    let prefix = prefix(&scratch);
    flip(&prefix.join("etc/home"));
    fs::set_permissions(prefix.join("bin/hello"), PermissionsExt::from_mode(0o755)).expect("it is ours");
    within(&prefix.join("bin"), || {
        fs::remove_file(prefix.join("bin/hi")).expect("it is there");
        std::os::unix::fs::symlink("/bin/sh", prefix.join("bin/hi")).expect("nothing is there");
        fs::write(prefix.join("bin/more"), "more").expect("nothing is there");
    });
    within(&prefix, || fs::rename(prefix.join("etc"), prefix.join("was-etc")).expect("it is ours"));
    scratch.envy("verify api").fails(
        4,
        expect![[r#"
        error: 6 things in site `api` are not what they should be
          mode `bin/hello`
            expected mode 0555
            found    mode 0755
          target `bin/hi`
            expected a symlink to `hello`
            found    a symlink to `/bin/sh`
          extra `bin/more`
            expected nothing
            found    sha256:[..]
          missing `etc`
            expected a directory
            found    nothing
          extra `was-etc`
            expected nothing
            found    a directory
          missing `generations/2/was-etc`
            expected a symlink to `[SCRATCH]/data/envy/store/prefixes/[DIGEST]/was-etc`
            found    nothing
        hint: run `envy verify api --repair`
    "#]],
    );
    scratch.envy("verify api --repair").ok(expect![[r#"
        healed `bin/hello` from the store (mode)
        healed `bin/hi` from the store (target)
        healed `bin/more` from the store (extra)
        healed `etc` from the store (missing)
        healed `was-etc` from the store (extra)
        healed `generations/2/was-etc` by making the generation's directory again (missing)
        verified site `api`: generation 2, 3 files, 133 B read
    "#]]);
    scratch.envy("verify api").succeeds();
    scratch.envy("run api -- hello").says("hello");
    scratch.envy("store verify").succeeds();
}

#[test]
fn a_damaged_file_that_is_its_blob_too_is_built_again_and_a_new_file() {
    let scratch = built();
    let prefix = prefix(&scratch);
    let hello = prefix.join("bin/hello");
    let inode = fs::metadata(&hello).expect("it is there").ino();
    flip(&hello);
    scratch.envy("verify api --repair").ok(expect![[r#"
        building hello 1.0.0
        built hello 1.0.0 in [TIME]
        healed `bin/hello` by building it again (changed)
        verified site `api`: generation 2, 3 files, 133 B read
    "#]]);
    assert_ne!(fs::metadata(&hello).expect("it is there").ino(), inode);
    scratch.envy("verify api").succeeds();
    scratch.envy("store verify").succeeds();
    scratch.envy("build --locked").succeeds().says("unchanged");
}

#[test]
fn a_generation_is_made_again_where_its_own_files_are_wrong() {
    let scratch = built();
    let generation = scratch.path(".envy/sites/api/generations/2");
    fs::write(generation.join("etc/api.conf"), "site = other\n").expect("it may be written to");
    fs::remove_file(generation.join("bin")).expect("it is a link");
    fs::write(generation.join("notes"), "mine").expect("nothing is there");
    flip(&generation.join("lockfile"));
    scratch.envy("verify api").fails(
        4,
        expect![[r#"
        error: 4 things in site `api` are not what they should be
          missing `generations/2/bin`
            expected a symlink to `[SCRATCH]/data/envy/store/prefixes/[DIGEST]/bin`
            found    nothing
          changed `generations/2/etc/api.conf`
            expected sha256:[..]
            found    sha256:[..]
          changed `generations/2/lockfile`
            expected sha256:[..]
            found    sha256:[..]
          extra `generations/2/notes`
            expected nothing
            found    a file
        hint: run `envy verify api --repair`
    "#]],
    );
    scratch.envy("verify api --repair").ok(expect![[r#"
        healed `generations/2/bin` by making the generation's directory again (missing)
        healed `generations/2/etc/api.conf` by making the generation's directory again (changed)
        healed `generations/2/lockfile` by making the generation's directory again (changed)
        healed `generations/2/notes` by making the generation's directory again (extra)
        verified site `api`: generation 2, 3 files, 133 B read
    "#]]);
    scratch.envy("verify api").succeeds();
    assert_eq!(scratch.read(".envy/sites/api/current/etc/api.conf"), "site = api\n");
}

#[test]
fn a_damaged_description_is_refused_and_a_new_generation_takes_its_place() {
    let scratch = built();
    let description = scratch.path(".envy/sites/api/generations/2/generation.json");
    let text = fs::read_to_string(&description).expect("it is there");
    fs::set_permissions(&description, PermissionsExt::from_mode(0o644)).expect("it is ours");
    fs::write(&description, text.replace("\"hello\"", "\"hellp\"")).expect("it may be written to now");
    scratch.envy("verify api").fails(
        4,
        expect![[r#"
        error: 1 thing in site `api` is not what it should be
          changed `generations/2/generation.json`
            expected the description that was written
            found    something else than its seal says
        hint: run `envy verify api --repair`
    "#]],
    );
    scratch.envy("env api").ends(4);
    scratch.envy("verify api --repair").ok(expect![[r#"
        switched site `api` to generation 3 (1 package)
          prefix sha256:[..]
        healed `generations/2/generation.json` by a new generation (changed)
        verified site `api`: generation 3, 3 files, 133 B read
    "#]]);
    scratch.envy("verify api").succeeds();
    scratch.envy("run api -- hello").says("hello");
    scratch.envy("verify api --generation 2").ends(4);
}

#[test]
fn a_description_that_is_missing_is_told_and_a_new_generation_takes_its_place() {
    let scratch = built();
    fs::remove_file(scratch.path(".envy/sites/api/generations/2/generation.json")).expect("it is there");
    scratch.envy("verify").fails(
        4,
        expect![[r#"
        error: 1 thing in site `api` is not what it should be
          missing `generations/2/generation.json`
            expected the description that was written
            found    nothing
        hint: run `envy verify api --repair`
    "#]],
    );
    scratch.envy("env api").fails(
        4,
        expect![[r#"
        error: the description of generation 2 of site `api` is missing
        hint: run `envy verify api --repair`, which makes a new one
    "#]],
    );
    scratch.envy("verify api --repair").succeeds().says("healed `generations/2/generation.json` by a new generation");
    scratch.envy("verify api").succeeds();
    scratch.envy("run api -- hello").says("hello");
}

#[test]
fn a_site_whose_link_to_what_it_shows_is_gone_is_not_right_and_shows_it_again() {
    let scratch = built();
    let current = scratch.path(".envy/sites/api/current");
    fs::remove_file(&current).expect("it is a link");
    for command in ["verify", "verify api", "verify api --generation 2"] {
        scratch.envy(command).fails(
            4,
            expect![[r#"
            error: 1 thing in site `api` is not what it should be
              missing `current`
                expected a symlink to `generations/2`
                found    nothing
            hint: run `envy verify api --repair`
        "#]],
        );
    }
    scratch.envy("verify --generation 1").succeeds();
    let document = scratch.envy("verify --json").ends(4).json();
    assert_eq!(document["sites"][0]["flaws"][0]["in"], "site");
    scratch.envy("verify --repair").ok(expect![[r#"
        healed `current` from the history (missing)
        verified site `api`: generation 2, 3 files, 133 B read
    "#]]);
    assert_eq!(fs::read_link(&current).expect("it is a link"), Path::new("generations/2"));
    scratch.envy("build --locked").succeeds().says("unchanged");
    // With the description gone as well, a new generation is shown.
    fs::remove_file(&current).expect("it is a link");
    fs::remove_file(scratch.path(".envy/sites/api/generations/2/generation.json")).expect("it is there");
    scratch.envy("verify").ends(4).says("2 things in site `api`");
    scratch.envy("verify --repair").succeeds();
    scratch.envy("verify").succeeds().says("generation 3");
}

#[test]
fn one_digest_of_a_lockfile_that_is_another_one_is_damage() {
    let scratch = built();
    let right = scratch.read("lockfiles/api.lock");
    let at = right.rfind("tree = \"sha256:").expect("it records a prefix") + "tree = \"sha256:".len();
    let digit = if right.as_bytes()[at] == b'0' { "1" } else { "0" };
    scratch.write("lockfiles/api.lock", format!("{}{digit}{}", &right[..at], &right[at + 1..]));
    scratch.envy("verify api").fails(
        4,
        expect![[r#"
        error: 1 thing in site `api` is not what it should be
          changed `lockfiles/api.lock`
            expected line 19: tree = "sha256:[..]"
            found    line 19: tree = "sha256:[..]"
        hint: run `envy verify api --repair`
    "#]],
    );
    scratch.envy("verify api --repair").ok(expect![[r#"
        healed `lockfiles/api.lock` from the copy that the generation has (changed)
        verified site `api`: generation 2, 3 files, 133 B read
    "#]]);
    assert_eq!(scratch.read("lockfiles/api.lock"), right);
}

#[test]
fn another_lockfile_is_no_damage() {
    let scratch = built();
    scratch.write("recipes/hello.toml", scratch.read("recipes/hello.toml").replace("echo hello", "echo hallo"));
    scratch.envy("lock").succeeds();
    scratch.envy("verify api").ok(expect![[r#"
        note: generation 2 was made from another lockfile than `lockfiles/api.lock` is now
        verified site `api`: generation 2, 3 files, 133 B read
    "#]]);
    // What it was made of is asked for no more, so that what the store lost is lost.
    flip(&prefix(&scratch).join("bin/hello"));
    scratch.envy("verify api --repair").fails(
        4,
        expect![[r#"
        note: generation 2 was made from another lockfile than `lockfiles/api.lock` is now
        error: 1 thing in site `api` is not what it should be
          changed `bin/hello`
            expected sha256:[..], executable
            found    sha256:[..], executable
          the store lacks files of generation 2, and `envy.toml` asks for others than it was made of
        hint: run `envy build api`, which makes a new generation of what the lockfile pins
    "#]],
    );
    scratch.envy("build").succeeds();
    scratch.envy("verify api").succeeds();
    scratch.envy("run api -- hello").says("hallo");
}

#[test]
fn a_quick_look_reads_only_what_was_touched() {
    let scratch = built();
    let read = |arguments: &str| {
        let document = scratch.envy(&format!("verify api --json {arguments}")).json();
        document["sites"][0]["read"].as_u64().expect("a number")
    };
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(read("") > 0);
    assert_eq!(read("--quick"), 0);
    flip(&prefix(&scratch).join("etc/home"));
    scratch.envy("verify api --quick").ends(4).says("changed `etc/home`");
    scratch.envy("verify api --quick --repair").succeeds().says("healed `etc/home` from the store (changed)");
    assert!(read("--quick") < read(""));
}

#[test]
fn a_prefix_that_is_gone_is_made_again_and_so_is_one_of_a_store_that_was_moved() {
    let scratch = built();
    scratch.shell().sh("chmod -R u+w ../data/envy/store/prefixes; rm -rf ../data/envy/store/prefixes").succeeds();
    scratch.envy("verify api").fails(
        4,
        expect![[r#"
        error: 1 thing in site `api` is not what it should be
          missing the prefix `[DIGEST]`
            expected sha256:[..]
            found    nothing
        hint: run `envy verify api --repair`
    "#]],
    );
    scratch.envy("verify api --repair").ok(expect![[r#"
        healed the prefix `[DIGEST]` from the store (missing)
        verified site `api`: generation 2, 3 files, 133 B read
    "#]]);
    let moved = scratch.root().join("elsewhere");
    fs::rename(scratch.store(), &moved).expect("it is on the same file system");
    let shell = scratch.env("ENVY_STORE", &moved);
    shell.envy("verify api").ends(4).says("made for `");
    shell.envy("verify api --repair").succeeds();
    shell.envy("verify api").succeeds();
    shell.envy("run api -- hello").says("hello");
}

#[test]
fn what_the_store_lost_comes_from_a_cache() {
    let scratch = built();
    let cache = scratch.root().join("shared");
    let manifest = format!("{}\n[remote]\ncache = \"file://{}\"\n", scratch.read("envy.toml"), cache.display());
    scratch.write("envy.toml", manifest).envy("push").succeeds();
    flip(&prefix(&scratch).join("bin/hello"));
    let healed = scratch.without_rust().envy("verify api --repair");
    healed
        .succeeds()
        .never_says("building hello")
        .says("healed `bin/hello` from the outputs that the lockfile records");
    scratch.envy("verify api").succeeds();
    scratch.envy("store verify").succeeds();
}
