//! Merging the lockfiles of two branches.

use crate::scratch::Scratch;

fn recipe(versions: &[&str]) -> String {
    let versions: String = versions.iter().map(|version| format!("[versions.\"{version}\"]\n")).collect();
    let run = "mkdir -p {{ destdir }}{{ prefix }}/share; echo > {{ destdir }}{{ prefix }}/share/{{ name }}";
    format!("summary = 'x'\n{versions}[[step]]\nname = 'go'\nrun = '{run}'\n")
}

fn world() -> Scratch {
    let scratch = Scratch::new();
    for name in ["base", "left", "right"] {
        scratch.write(format!("recipes/{name}.toml"), recipe(&["1.0.0", "1.1.0", "1.2.0"]));
    }
    scratch
}

/// Ask for packages, by name and version, lock them, and keep the lockfile under a name of its own.
fn lock(scratch: &Scratch, packages: &[(&str, &str)], kept: &str) {
    ask(scratch, packages);
    scratch.envy("lock").succeeds();
    scratch.write(kept, scratch.read("lockfiles/api.lock"));
}

fn ask(scratch: &Scratch, packages: &[(&str, &str)]) {
    let lines: String = packages
        .iter()
        .map(|(name, version)| format!("{name} = {{ recipe = '{name}', version = '{version}' }}\n"))
        .collect();
    scratch.write("envy.toml", format!("[sites.api.dependencies]\n{lines}"));
}

const MERGE: &str = "lock --merge base.lock ours.lock theirs.lock lockfiles/api.lock";

#[test]
fn what_each_side_added_is_in_the_merged_lockfile() {
    let scratch = world();
    lock(&scratch, &[("base", "1")], "base.lock");
    lock(&scratch, &[("base", "1"), ("left", "1")], "ours.lock");
    lock(&scratch, &[("base", "1"), ("right", "1")], "theirs.lock");
    ask(&scratch, &[("base", "1"), ("left", "1"), ("right", "1")]);
    scratch.envy(MERGE).succeeds();
    scratch.write("lockfiles/api.lock", scratch.read("ours.lock"));
    scratch.envy("lock --check").succeeds();
}

#[test]
fn nothing_is_lost_while_the_manifest_is_still_ours() {
    let scratch = world();
    lock(&scratch, &[("base", "1")], "base.lock");
    lock(&scratch, &[("base", "1"), ("right", "1.0")], "theirs.lock");
    lock(&scratch, &[("base", "1"), ("left", "1")], "ours.lock");
    scratch.envy(MERGE).says("run `envy lock api`");
    assert!(scratch.read("ours.lock").contains("name = \"right\""));
}

#[test]
fn what_both_moved_differently_is_chosen_anew() {
    let scratch = world();
    lock(&scratch, &[("base", "=1.0.0")], "base.lock");
    lock(&scratch, &[("base", "=1.1.0")], "ours.lock");
    lock(&scratch, &[("base", "=1.2.0")], "theirs.lock");
    let ours = scratch.read("ours.lock");
    scratch.write("envy.toml", "<<<<<<< ours\n");
    scratch
        .envy(MERGE)
        .ends(1)
        .says("both sides changed `base`")
        .says("a merge conflict begins here")
        .says("run `envy lock api`");
    assert_eq!(scratch.read("ours.lock"), ours);
    ask(&scratch, &[("base", "=1.1.0")]);
    scratch.envy(MERGE).succeeds();
    assert!(scratch.read("ours.lock").contains("version = \"1.1.0\""));
}

#[test]
fn what_both_moved_differently_goes_no_higher_than_the_higher_of_both() {
    let scratch = world();
    lock(&scratch, &[("base", "=1.0.0")], "base.lock");
    lock(&scratch, &[("base", "=1.1.0")], "theirs.lock");
    lock(&scratch, &[("base", "=1.0.0"), ("left", "1")], "ours.lock");
    let older = scratch.read("base.lock").replace("1.0.0", "0.9.0");
    scratch.write("base.lock", older);
    ask(&scratch, &[("base", "1"), ("left", "1")]);
    scratch.envy(MERGE).succeeds();
    assert!(scratch.read("ours.lock").contains("name = \"base\"\nversion = \"1.1.0\""));
    let marked = "<<<<<<< ours\n".to_owned() + &scratch.read("theirs.lock") + "=======\n";
    lock(&scratch, &[("base", "=1.0.0"), ("left", "1")], "ours.lock");
    scratch.write("lockfiles/api.lock", marked + &scratch.read("ours.lock") + ">>>>>>> theirs\n");
    ask(&scratch, &[("base", "1"), ("left", "1")]);
    scratch.envy("status").ends(3).says("envy lock api");
    scratch.envy("build --locked").ends(3).says("envy lock api");
    scratch.envy("lock api").succeeds().says("both sides changed `base`");
    assert!(scratch.read("lockfiles/api.lock").contains("name = \"base\"\nversion = \"1.1.0\""));
    scratch.envy("lock --check").succeeds();
}

#[test]
fn a_project_below_the_top_of_a_repository_is_found_by_its_lockfile() {
    let scratch = world();
    lock(&scratch, &[("base", "=1.0.0")], "base.lock");
    lock(&scratch, &[("base", "=1.1.0")], "ours.lock");
    lock(&scratch, &[("base", "=1.2.0")], "theirs.lock");
    let merge = "lock --merge project/base.lock project/ours.lock project/theirs.lock project/lockfiles/api.lock";
    scratch.in_dir("..").envy(merge).succeeds();
    assert!(scratch.read("ours.lock").contains("version = \"1.2.0\""));
}

#[test]
fn what_only_theirs_moved_stays_moved_though_the_manifest_is_still_ours() {
    let scratch = world();
    lock(&scratch, &[("base", "=1.0.0")], "base.lock");
    lock(&scratch, &[("base", "=1.2.0")], "theirs.lock");
    lock(&scratch, &[("base", "=1.0.0"), ("left", "1")], "ours.lock");
    scratch.envy(MERGE).succeeds();
    let merged = scratch.read("ours.lock");
    assert!(merged.contains("name = \"base\"\nversion = \"1.2.0\"") && merged.contains("\"left\""), "{merged}");
    ask(&scratch, &[("base", "=1.2.0"), ("left", "1")]);
    scratch.write("lockfiles/api.lock", merged);
    scratch.envy("lock").succeeds().never_says("~");
    scratch.envy("lock --check").succeeds();
}

/// A repository in which git has envy merge lockfiles, with one commit.
fn repository(scratch: &Scratch) {
    let program = env!("CARGO_BIN_EXE_envy");
    scratch.write(".gitattributes", "lockfiles/*.lock merge=envy\nenvy.toml merge=union\n");
    scratch.write(".gitignore", ".envy\n");
    git(
        scratch,
        &format!(
            "git init -q -b main .; git config user.name t; git config user.email t@example.org; \
             git config merge.envy.driver '{program} lock --merge %O %A %B %P'; git add -A; git commit -qm base"
        ),
    );
}

fn git(scratch: &Scratch, script: &str) {
    scratch.shell().sh(&format!("set -e; {script}")).succeeds();
}

/// A branch of main on which other packages are asked for, locked and built.
fn branch(scratch: &Scratch, name: &str, packages: &[(&str, &str)]) {
    git(scratch, &format!("git checkout -q main; git checkout -qb {name}"));
    ask(scratch, packages);
    scratch.envy("build").succeeds();
    git(scratch, &format!("git commit -qam {name}"));
}

#[test]
fn git_has_envy_merge_what_two_branches_added() {
    let scratch = world();
    ask(&scratch, &[("base", "1")]);
    scratch.envy("lock").succeeds();
    repository(&scratch);
    branch(&scratch, "left", &[("base", "1"), ("left", "1")]);
    branch(&scratch, "right", &[("base", "1"), ("right", "1")]);
    git(&scratch, "git merge -q left -m merged");
    let merged = scratch.read("lockfiles/api.lock");
    assert!(["base", "left", "right"].iter().all(|name| merged.contains(&format!("name = \"{name}\""))), "{merged}");
    assert_eq!(merged.matches("[[package.output]]").count(), 3, "what each branch built is of the merged packages too");
    scratch.envy("build --locked").succeeds().never_says("built ");
    scratch.envy("build --locked").succeeds().says("unchanged");
    scratch.envy("lock").succeeds().never_says("~");
    scratch.envy("lock --check").succeeds();
}

#[test]
fn what_two_branches_moved_differently_is_said_while_git_merges() {
    let scratch = world();
    ask(&scratch, &[("base", "=1.0.0")]);
    scratch.envy("lock").succeeds();
    repository(&scratch);
    branch(&scratch, "left", &[("base", "=1.1.0"), ("left", "1")]);
    branch(&scratch, "right", &[("base", "=1.2.0"), ("right", "1")]);
    git(&scratch, "git merge -q left -m merged 2>said; grep 'both sides changed `base`' said; rm said");
    let merged = scratch.read("lockfiles/api.lock");
    assert!(["base", "left", "right"].iter().all(|name| merged.contains(&format!("name = \"{name}\""))), "{merged}");
    assert!(merged.contains("name = \"base\"\nversion = \"1.2.0\""), "our manifest decided: {merged}");
    scratch.envy("build --locked").ends(1).says("duplicate key `base`");
    ask(&scratch, &[("base", "=1.1.0"), ("left", "1"), ("right", "1")]);
    scratch.envy("build --locked").ends(3).says("`base` is required at =1.1.0, but locked at 1.2.0");
    scratch.envy("lock").succeeds().says("~ base 1.2.0 -> 1.1.0").never_says("left");
    scratch.envy("build --locked").succeeds();
}

#[test]
fn a_side_that_is_not_there_is_not_an_empty_one() {
    let scratch = world();
    lock(&scratch, &[("base", "1")], "ours.lock");
    let ours = scratch.read("ours.lock");
    scratch
        .envy("lock --merge none.lock ours.lock ours.lock lockfiles/api.lock")
        .ends(1)
        .says("there is no file `none.lock`");
    assert_eq!(scratch.read("ours.lock"), ours);
}

#[test]
fn what_cannot_be_chosen_stops_a_merge_with_its_own_reason() {
    let scratch = world();
    lock(&scratch, &[("base", "=1.0.0")], "base.lock");
    lock(&scratch, &[("base", "=1.1.0")], "ours.lock");
    lock(&scratch, &[("base", "=1.2.0")], "theirs.lock");
    ask(&scratch, &[("base", "7")]);
    let ours = scratch.read("ours.lock");
    scratch.envy(MERGE).ends(6).says("both sides changed `base`").says("requires base ^7").says("run `envy lock api`");
    assert_eq!(scratch.read("ours.lock"), ours);
}
