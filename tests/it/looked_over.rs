//! A ready prefix is looked over before a site begins to show it: what is damaged is made anew, or not shown.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use expect_test::expect;

use crate::scratch::Scratch;
use crate::verify::{RECIPE, flip, prefix};

fn built() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("recipes/hello.toml", RECIPE);
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = { recipe = \"hello\", version = \"1\" }\n");
    scratch.envy("build").succeeds();
    scratch
}

/// Ways to damage a prefix so that the store has what it takes to make it anew.
const HEALED: [fn(&Path); 5] = [
    |prefix| flip(&prefix.join("etc/home")),
    |prefix| within(&prefix.join("bin"), |bin| fs::remove_file(bin.join("hello")).expect("it is there")),
    |prefix| within(&prefix.join("bin"), |bin| fs::write(bin.join("evil"), "evil").expect("nothing is there")),
    |prefix| {
        within(&prefix.join("bin"), |bin| {
            fs::remove_file(bin.join("hello")).expect("it is there");
            std::os::unix::fs::symlink("/bin/false", bin.join("hello")).expect("nothing is there");
        });
    },
    |prefix| fs::set_permissions(prefix.join("etc/home"), PermissionsExt::from_mode(0o644)).expect("it is ours"),
];

fn within(directory: &Path, work: impl FnOnce(&Path)) {
    fs::set_permissions(directory, PermissionsExt::from_mode(0o755)).expect("it is ours");
    work(directory);
    fs::set_permissions(directory, PermissionsExt::from_mode(0o555)).expect("it is ours");
}

/// A second clone of the project.
fn clone(scratch: &Scratch) -> PathBuf {
    scratch.shell().sh("mkdir ../clone && cp -r envy.toml recipes lockfiles ../clone").succeeds();
    scratch.root().join("clone")
}

#[test]
fn a_damaged_prefix_is_made_anew_before_another_site_shows_it() {
    for damage in HEALED {
        let scratch = built();
        damage(&prefix(&scratch));
        scratch.envy("create second --from api").succeeds();
        scratch
            .envy("build second --locked")
            .succeeds()
            .says("is not what was built; the prefix was made anew from the store")
            .says("switched site `second`");
        for site in ["api", "second"] {
            scratch.envy(&format!("run {site} -- hello")).succeeds().says("hello");
            scratch.envy(&format!("verify {site}")).succeeds();
        }
    }
}

#[test]
fn what_the_store_does_not_have_whole_is_not_shown() {
    let scratch = built();
    let clone = clone(&scratch);
    // It is a link to its blob, which is damaged with it.
    flip(&prefix(&scratch).join("bin/hello"));
    let shell = scratch.in_dir(&clone);
    shell.envy("build --locked").fails(
        4,
        expect![[r#"
        error: `[SCRATCH]/data/envy/store/prefixes/[DIGEST]/bin/hello` is not what was built, and the store does not have it whole either
          changed `bin/hello`
            expected sha256:[..], executable
            found    sha256:[..], executable
        hint: run `envy store verify --repair`, and then this command again
    "#]],
    );
    assert!(!clone.join(".envy/sites/api/current").exists());
    scratch.envy("verify api --repair").succeeds();
    shell.envy("build --locked").succeeds().never_says("warning");
    flip(&prefix(&scratch).join("bin/hello"));
    scratch.envy("create second --from api").succeeds();
    scratch.envy("build second --locked").ends(4).says("hint: run `envy verify api --repair`");
    scratch.envy("verify api --repair").succeeds();
    scratch.envy("build second --locked").succeeds();
    scratch.envy("verify").succeeds();
}

#[test]
fn a_build_that_makes_an_output_again_makes_its_damaged_prefix_anew() {
    let scratch = built();
    flip(&prefix(&scratch).join("bin/hello"));
    let clone = clone(&scratch);
    scratch.in_dir(&clone).envy("build --locked").ends(4);
    // What was damaged is taken away by now, so that it is made again.
    scratch.in_dir(&clone).envy("build --locked").succeeds().says("building hello").says("made anew from the store");
    scratch.in_dir(&clone).envy("run api -- hello").succeeds().says("hello");
    scratch.envy("verify").succeeds();
}

#[test]
fn going_to_another_generation_looks_at_its_prefix() {
    for command in ["switch api 2", "rollback api"] {
        let scratch = built();
        let old = prefix(&scratch);
        scratch.write("recipes/hello.toml", RECIPE.replace("echo hello", "echo hallo")).envy("build").succeeds();
        flip(&old.join("etc/home"));
        scratch.envy(command).succeeds().says("the prefix was made anew from the store");
        scratch.envy("verify").succeeds();
        scratch.envy("switch api 3").succeeds().never_says("warning");
        flip(&old.join("bin/hello"));
        let failed = scratch.envy(command);
        failed.ends(4).says("changed `bin/hello`").says("hint: run `envy verify api --generation 2 --repair`");
        assert_eq!(fs::read_link(scratch.path(".envy/sites/api/current")).expect("a link"), Path::new("generations/3"));
    }
}

#[test]
fn promoting_looks_at_the_prefix() {
    let scratch = built();
    scratch.write("envy.toml", scratch.read("envy.toml") + "\n[sites.live]\nextends = [\"api\"]\n");
    flip(&prefix(&scratch).join("etc/home"));
    scratch.envy("promote api live").succeeds().says("the prefix was made anew from the store");
    scratch.envy("verify").succeeds();
}

#[test]
fn a_site_begins_with_a_prefix_that_is_empty() {
    let scratch = built();
    scratch.envy("create second").succeeds();
    let empty = fs::read_dir(scratch.store().join("prefixes")).expect("it is there");
    let is_empty = |path: &PathBuf| path.is_dir() && fs::read_dir(path).expect("it is a directory").next().is_none();
    let empty = empty.map(|entry| entry.expect("it is there").path()).find(is_empty).expect("there is one");
    within(&empty, |prefix| fs::create_dir(prefix.join("bin")).expect("nothing is there"));
    scratch.write("envy.toml", scratch.read("envy.toml") + "\n[sites.third]\nextends = [\"api\"]\n");
    scratch.envy("build third").succeeds().says("the prefix was made anew from the store");
    scratch.envy("verify --generation 1 third").succeeds();
}
