//! What of a site itself is damaged: the link to what it shows, descriptions, the history. It is named, and healed.

use std::fs;
use std::path::Path;

use expect_test::expect;

use crate::scratch::Scratch;
use crate::verify::{built, flip, prefix};

const SITE: &str = ".envy/sites/api";

/// A site with generations 2 and 3.
fn built_twice() -> Scratch {
    let scratch = built();
    scratch.write("recipes/hello.toml", scratch.read("recipes/hello.toml").replace("echo hello", "echo hallo"));
    scratch.envy("build").succeeds();
    scratch
}

fn shown(scratch: &Scratch) -> String {
    let link = fs::read_link(scratch.path(format!("{SITE}/current"))).expect("it is a link");
    link.display().to_string()
}

/// Makes a file read-only no more, and writes to it.
fn damage(scratch: &Scratch, path: &str) {
    scratch.shell().sh(&format!("chmod u+w {SITE}/{path} && echo garbage >{SITE}/{path}")).succeeds();
}

#[test]
fn a_link_to_a_generation_that_is_not_there_is_named_and_healed() {
    let scratch = built();
    scratch.shell().sh(&format!("ln -sfn generations/99 {SITE}/current")).succeeds();
    for command in ["verify", "verify api"] {
        scratch.envy(command).fails(
            4,
            expect![[r#"
            error: 1 thing in site `api` is not what it should be
              target `current`
                expected a symlink to `generations/2`
                found    a symlink to `generations/99`
            hint: run `envy verify api --repair`
        "#]],
        );
    }
    scratch
        .envy("status")
        .says("! `current` leads to generation 99, which is not there, and not to 2")
        .says("`envy build api` mends it");
    scratch.envy("verify --repair").ok(expect![[r#"
        healed `current` from the history (target)
        verified site `api`: generation 2, 3 files, 133 B read
    "#]]);
    assert_eq!(shown(&scratch), "generations/2");
    scratch.envy("build --locked").succeeds().says("unchanged");
}

#[test]
fn a_shown_generation_whose_directory_is_gone_gets_another_in_its_place() {
    let scratch = built_twice();
    scratch.shell().sh(&format!("chmod -R u+w {SITE}/generations/3 && rm -r {SITE}/generations/3")).succeeds();
    scratch.envy("verify").ends(4).says("missing `generations/3/`");
    scratch.envy("verify --repair").succeeds().says("by a new generation");
    assert_eq!(shown(&scratch), "generations/4");
    scratch.envy("run api -- hello").succeeds().says("hallo");
    scratch.envy("verify").succeeds();
}

#[test]
fn what_cannot_be_healed_is_named_beside_what_can_be() {
    let scratch = built();
    scratch.write("recipes/hello.toml", scratch.read("recipes/hello.toml").replace("echo hello", "echo hallo"));
    damage(&scratch, "generations/2/generation.json");
    fs::remove_file(scratch.path(format!("{SITE}/current"))).expect("it is a link");
    scratch.envy("verify api --repair").fails(
        4,
        expect![[r#"
        healed `current` from the history (missing)
        error: 1 thing in site `api` is not what it should be
          changed `generations/2/generation.json`
            expected the description that was written
            found    something that cannot be read: expected value at line 1 column 1
          lockfile `lockfiles/api.lock` no longer matches `envy.toml`
            `hello` is locked with other params, or with another text of recipe `hello`
        hint: run `envy build api`, which makes a new generation of what the lockfile pins
    "#]],
    );
    assert_eq!(shown(&scratch), "generations/2");
    let document = scratch.envy("verify api --repair --json").ends(4).json();
    assert_eq!(document["sites"][0]["flaws"][0]["path"], "generation.json");
    scratch.envy("build api").succeeds();
    scratch.envy("verify api").succeeds();
}

#[test]
fn an_older_generation_that_nothing_tells_of_any_more_leads_to_another() {
    for break_it in [
        |scratch: &Scratch| damage(scratch, "generations/2/generation.json"),
        |scratch: &Scratch| {
            fs::remove_file(scratch.path(format!("{SITE}/generations/2/generation.json"))).expect("it is there");
        },
    ] {
        let scratch = built_twice();
        break_it(&scratch);
        for command in ["rollback api", "switch api 2"] {
            scratch
                .envy(command)
                .ends(4)
                .says("hint: take another: `envy generations api` lists them, `envy switch api N` shows one")
                .never_says("--repair");
        }
        scratch.envy("switch api 1").succeeds();
    }
}

#[test]
fn status_tells_of_a_description_that_is_damaged() {
    let scratch = built();
    damage(&scratch, "generations/2/generation.json");
    scratch
        .envy("status")
        .says("api: generation 2, drifted\n")
        .says("! generation 2 of site `api` cannot be read; `envy verify api --repair` makes a new one")
        .never_says("not built");
    let site = &scratch.envy("status --json").json()["sites"][0];
    assert_eq!((&site["generation"], &site["state"]), (&2.into(), &"drifted".into()));
    assert_eq!((&site["prefix"], &site["converged"]), (&serde_json::Value::Null, &false.into()));
    scratch.envy("status --exit-code").ends(2);
    scratch.envy("list").says("generation   2");
}

#[test]
fn a_history_that_is_lost_is_named_and_begins_again() {
    let history = format!("{SITE}/history.jsonl");
    for (text, found) in [(None, "missing"), (Some("garbage\n"), "changed"), (Some("\0\u{fffd}\n"), "changed")] {
        let scratch = built_twice();
        match text {
            Some(text) => drop(scratch.write(&history, text)),
            None => fs::remove_file(scratch.path(&history)).expect("it is there"),
        }
        scratch.envy("rollback api").fails(
            4,
            expect![[r#"
            error: the history of site `api` is lost, so nobody knows which generation to go back to
            hint: run `envy generations api` to see those there are, and `envy switch api N`
        "#]],
        );
        scratch.envy("verify").ends(4).says(&format!("{found} `history.jsonl`"));
        scratch.envy("verify --repair").succeeds().says(&format!("healed `history.jsonl` from what is left ({found})"));
        scratch.envy("verify").succeeds();
        scratch.envy("switch api 2").succeeds();
        scratch.envy("rollback api").succeeds().says("to generation 3");
    }
}

#[test]
fn without_history_and_link_the_latest_generation_is_shown() {
    let scratch = built_twice();
    fs::remove_file(scratch.path(format!("{SITE}/history.jsonl"))).expect("it is there");
    fs::remove_file(scratch.path(format!("{SITE}/current"))).expect("it is a link");
    scratch.envy("verify").ends(4).says("missing `current`").says("missing `history.jsonl`");
    scratch.envy("verify --repair").succeeds();
    assert_eq!(shown(&scratch), "generations/3");
    scratch.envy("verify").succeeds();
}

#[test]
fn one_line_of_the_history_that_is_damaged_is_named_and_the_others_stay() {
    let scratch = built_twice();
    let (path, history) = (format!("{SITE}/history.jsonl"), scratch.read(format!("{SITE}/history.jsonl")));
    // What a power cut cuts short is no damage.
    scratch.write(&path, history.clone() + &history[..40]);
    scratch.envy("verify").succeeds();
    let lines: Vec<&str> = history.lines().collect();
    scratch.write(&path, format!("{}\n{}\n{}\n", lines[0], lines[1].replace("action", "auction"), lines[2]));
    scratch.envy("verify").ends(4).says("found    line 2 that cannot be read");
    scratch.envy("verify --repair").succeeds();
    assert_eq!(scratch.read(&path), format!("{}\n{}\n", lines[0], lines[2]));
}

#[test]
fn a_bundle_names_what_is_damaged_in_the_store() {
    let scratch = built();
    let file = prefix(&scratch).join("bin/hello");
    scratch.shell().sh(&format!("chmod u+w {0} && echo more >>{0} && chmod 555 {0}", file.display())).succeeds();
    scratch
        .envy("bundle api")
        .ends(4)
        .says("data/envy/store/blobs/")
        .says("in the store is damaged, which is of hello 1.0.0\nhint: run `envy verify api --repair`");
    scratch.envy("verify api --repair").succeeds();
    scratch.envy("bundle api").succeeds();
    flip(Path::new(&file));
    scratch.envy("verify").ends(4);
}
