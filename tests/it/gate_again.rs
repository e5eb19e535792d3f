//! Through the gate once more: after a process that died, past what cannot be read, and of several sites at a time.

use std::thread::sleep;
use std::time::{Duration, Instant};

use expect_test::expect;

use crate::gate::{current, first, history, release};
use crate::scratch::Scratch;

const RECIPE: &str =
    "summary = 'A tool'\nextends = 'script'\n[versions.'1.0']\n[set]\nrun = ['install -D /dev/null $OUT/share/tool']\n";
const TOLD: &str = "after-switch = ['echo $RELEASE >>told; test ! -e down']";

/// Leaves the mark that a process leaves which dies between a switch and the end of the commands after it.
fn die_after_switch_from(scratch: &Scratch, before: &str) {
    scratch.write(".envy/sites/api/.after-switch", format!("{before}\n"));
}

fn has_mark(scratch: &Scratch) -> bool {
    scratch.path(".envy/sites/api/.after-switch").exists()
}

#[test]
fn a_site_that_never_left_its_generation_goes_on_showing_it() {
    let scratch = first();
    release(&scratch, 1, TOLD);
    // Whoever died had not switched yet, or had gone back already.
    die_after_switch_from(&scratch, "2");
    scratch.write("down", "").envy("build --locked").fails(9, expect![[r#"
        note: what is run after the switch of site `api` had not ended; it is run again
        error: `echo $RELEASE >>told; test ! -e down` failed after site `api` was switched to generation 2 (exit status 1)
          full log: [SCRATCH]/project/.envy/sites/api/logs/after-switch-2.log
          the site stays at generation 2, where it was before
        hint: mend the cause or `after-switch` in `envy.toml`, and type the same again; `--no-check` stays all the same
    "#]]);
    assert_eq!(current(&scratch), "generations/2");
    assert!(has_mark(&scratch), "the host is still to be told");
    scratch.shell().sh("rm down").succeeds();
    scratch.envy("build --locked").says("it is run again");
    assert_eq!((scratch.read("told").as_str(), has_mark(&scratch)), ("1\n1\n", false));
}

#[test]
fn a_site_stays_where_the_generation_before_cannot_be_read() {
    let scratch = first();
    release(&scratch, 2, TOLD);
    scratch.envy("build --locked").succeeds();
    scratch
        .shell()
        .sh("cd .envy/sites/api/generations/2 && chmod u+w generation.json && echo { >generation.json")
        .succeeds();
    die_after_switch_from(&scratch, "2");
    scratch.write("down", "").envy("build --locked").fails(9, expect![[r#"
        note: what is run after the switch of site `api` had not ended; it is run again
        unchanged site `api` stays at generation 3
        error: `echo $RELEASE >>told; test ! -e down` failed after site `api` was switched to generation 3 (exit status 1)
          full log: [SCRATCH]/project/.envy/sites/api/logs/after-switch-3.log
          the site stays at generation 3, since there is no way back: generation 2 of site `api` cannot be read
        hint: do by hand what that command is for
    "#]]);
    assert_eq!((current(&scratch).as_str(), has_mark(&scratch)), ("generations/3", false));
    scratch.envy("build --locked").ok(expect![[r#"
        unchanged site `api` is at generation 3
    "#]]);
}

#[test]
fn a_held_site_goes_on_with_what_had_begun() {
    let scratch = first();
    release(&scratch, 2, TOLD);
    scratch.envy("build --locked").succeeds();
    scratch.envy("rollback api").succeeds();
    scratch.shell().sh("rm told").succeeds();
    for command in ["build --locked", "build", "run api -- true"] {
        die_after_switch_from(&scratch, "3");
        scratch.envy(command).says("it is run again").says("site `api` is held at generation 2");
        assert!(!has_mark(&scratch), "{command}");
    }
    assert_eq!(scratch.read("told"), "1\n1\n1\n");
}

#[test]
fn whoever_wants_no_switch_runs_nothing_after_one() {
    let scratch = first();
    release(&scratch, 2, TOLD);
    scratch.envy("build --locked").succeeds();
    scratch.shell().sh("rm told").succeeds();
    die_after_switch_from(&scratch, "2");
    for command in ["build --locked --no-switch", "build --no-switch"] {
        scratch.envy(command).ok(expect![[r#"
            unchanged site `api` stays at generation 3
        "#]]);
        assert!(has_mark(&scratch) && !scratch.path("told").exists(), "{command}");
    }
}

#[test]
fn of_a_held_site_a_generation_is_made_where_none_is_to_be_shown() {
    let scratch = first();
    release(&scratch, 2, "");
    scratch.envy("build --locked").succeeds();
    scratch.envy("rollback api").succeeds();
    scratch.envy("build --locked --no-switch").ok(expect![[r#"
        built generation 3 of site `api`, not current
          run `envy switch api 3` to make it so
    "#]]);
    assert_eq!(current(&scratch), "generations/2");
    scratch.envy("build --locked").says("site `api` is held at generation 2");
}

#[test]
fn scripts_that_a_dead_process_left_behind_are_written_anew() {
    let scratch = first();
    let script = scratch.read(".envy/sites/api/activate");
    let leave_behind = || {
        scratch.shell().sh("sed -i s/ENVY_GENERATION=.2./ENVY_GENERATION=1/ .envy/sites/api/activate").succeeds();
    };
    leave_behind();
    scratch.envy("status --exit-code").ends(2).says("`activate` is not that of generation 2");
    scratch.envy("build --locked").ok(expect![[r#"
        unchanged site `api` is at generation 2
    "#]]);
    assert_eq!(scratch.read(".envy/sites/api/activate"), script);
    leave_behind();
    scratch.envy("switch api 2").succeeds();
    assert_eq!(scratch.read(".envy/sites/api/activate"), script);
    scratch.envy("status --exit-code").succeeds();
}

#[test]
fn what_still_writes_to_an_older_log_leaves_the_new_one_alone() {
    let scratch = first();
    let late = "(while test ! -e go; do sleep 0.02; done; echo late; touch gone) & fi; echo now";
    release(&scratch, 2, &format!("after-switch = ['if test ! -e begun; then touch begun; {late}']"));
    scratch.envy("build --locked").succeeds();
    scratch.envy("switch api 2 --no-check").succeeds();
    scratch.envy("switch api 3").succeeds();
    scratch.write("go", "");
    let begun = Instant::now();
    while !scratch.path("gone").exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain");
        sleep(Duration::from_millis(5));
    }
    let log = scratch.read(".envy/sites/api/logs/after-switch-3.log");
    assert_eq!(log.lines().skip(1).collect::<Vec<_>>(), ["now"], "{log}");
}

#[test]
fn a_site_that_is_refused_keeps_no_other_from_its_turn() {
    let scratch = Scratch::new();
    let manifest = |release: u32| {
        let site = |name: &str, check: &str| {
            format!("[sites.{name}]\ncheck = ['{check}']\nenv = {{ RELEASE = '{release}' }}\n")
        };
        site("a", "test $RELEASE = 1")
            + &site("b", "true")
            + &site("c", "test $RELEASE = 1 || exit 3")
            + &site("d", "true")
    };
    scratch.write("envy.toml", manifest(1)).envy("build").succeeds();
    scratch.write("envy.toml", manifest(2)).envy("build --locked").fails(
        9,
        expect![[r#"
        checked generation 2 of site `b` (1 check)
        switched site `b` to generation 2 (0 packages)
          prefix sha256:[..]
        checked generation 2 of site `d` (1 check)
        switched site `d` to generation 2 (0 packages)
          prefix sha256:[..]
        error: 2 sites are not what they should be
          generation 2 of site `a` failed its check, `test $RELEASE = 1` (exit status 1)
            full log: [SCRATCH]/project/.envy/sites/a/logs/check-2.log
            nothing was switched: the site stays at generation 1
          generation 2 of site `c` failed its check, `test $RELEASE = 1 || exit 3` (exit status 3)
            full log: [SCRATCH]/project/.envy/sites/c/logs/check-2.log
            nothing was switched: the site stays at generation 1
        hint: to look at it, run `envy build a --no-switch`, and then `envy run a --generation 2 -- sh`
        hint: to look at it, run `envy build c --no-switch`, and then `envy run c --generation 2 -- sh`
    "#]],
    );
    scratch.envy("build a b --locked").ends(9).says("error: generation 2 of site `a` failed its check");
    // Nor does one that stays though its host could not be told.
    let deaf = manifest(3).replace("check = ['true']", "after-switch = ['false']");
    scratch
        .write("envy.toml", deaf)
        .envy("build --locked --no-check")
        .ends(1)
        .says("2 sites are not what they should be");
    scratch.envy("status --exit-code").succeeds();
}

#[test]
fn older_generations_that_cannot_be_removed_are_no_failure() {
    let scratch = first();
    scratch.shell().sh("mkdir .envy/sites/api/pinned").succeeds();
    scratch.write("envy.toml", "[settings]\nkeep-generations = 2\n[sites.api]\nenv = { RELEASE = '2' }\n");
    scratch.envy("build --locked").ok(expect![[r#"
        switched site `api` to generation 3 (0 packages)
          prefix sha256:[..]
        warning: older generations of site `api` were not removed: could not read `[SCRATCH]/project/.envy/sites/api/pinned`
    "#]]);
    assert_eq!(current(&scratch), "generations/3");
}

#[test]
fn an_edit_that_is_undone_shows_nothing_where_nothing_was_shown() {
    let scratch = Scratch::new();
    let sites = "[sites.a]\n[sites.b]\ncheck = ['test -e $ENVY_PREFIX/share/tool']\n";
    let with = format!("[dependencies]\ntool = {{ recipe = 'tool', version = '1' }}\n{sites}");
    scratch.write("recipes/tool.toml", RECIPE).write("envy.toml", &with).envy("build b").succeeds();
    scratch.envy("lock").succeeds();
    let lockfiles = scratch.snapshot("lockfiles");

    scratch.envy("remove tool").ends(9).says("`envy.toml` and the lockfiles are what they were");

    assert_eq!(scratch.read("envy.toml"), with);
    lockfiles.is_still(&scratch.snapshot("lockfiles"));
    scratch.envy("status a").ok(expect![[r#"
        --- stdout ---
        a: not built
          `envy build a` mends it
    "#]]);
    assert!(!scratch.path(".envy/sites/a/current").exists() && !scratch.path(".envy/sites/a/activate").exists());
}

#[test]
fn an_edit_whose_command_after_the_switch_fails_says_what_to_type() {
    let scratch = Scratch::new();
    scratch.write("recipes/tool.toml", RECIPE).write("envy.toml", "[sites.api]\n").envy("build").succeeds();
    scratch.write("envy.toml", "[sites.api]\nafter-switch = ['test ! -e $ENVY_PREFIX/share/tool']\n");
    let text = scratch.envy("add --recipe tool --site api").ends(9).text();
    let hint: String = text.split_inclusive('\n').skip_while(|line| !line.contains("was undone")).collect();
    expect![[r#"
          the switch was undone: the site shows generation 1 again, and what is run after a switch was run for it
          `envy.toml` and the lockfiles are what they were
        hint: mend the cause or `after-switch` in `envy.toml`, and type the same again; with `--no-build`, and then `envy build api --no-check`, it stays all the same
    "#]].assert_eq(&hint);
    assert_eq!(current(&scratch), "generations/1");
    assert!(history(&scratch).ends_with("undo 2 -> 1\n"));
    scratch.envy("add --recipe tool --site api --no-build").succeeds();
    scratch.envy("build api --no-check").ends(1);
    assert_eq!(current(&scratch), "generations/2");
}

#[test]
fn lines_of_what_was_refused_or_undone_name_the_lockfile_of_that_time() {
    let scratch = Scratch::new();
    scratch.write("envy.toml", "[sites.api]\n").envy("build").succeeds();
    let gated = |gate: &str, number: u32| format!("[sites.api]\n{gate}[sites.api.env]\nNUMBER = '{number}'\n");
    scratch.write("envy.toml", gated("check = ['false']\n", 2)).envy("build --locked").ends(9);
    scratch.write("envy.toml", gated("after-switch = ['test $NUMBER != 3']\n", 3)).envy("build --locked").ends(9);
    let history = scratch.read(".envy/sites/api/history.jsonl");
    let lines: Vec<serde_json::Value> = history.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let named: Vec<_> = lines.iter().map(|line| (line["action"].as_str().unwrap(), &line["lockfile"])).collect();
    let built = &lines[lines.len() - 2]["lockfile"];
    assert!(built.is_string());
    assert!(named.contains(&("refuse", built)) && named.contains(&("undo", built)), "{named:?}");
}
