//! Through the gate once more: after a process that died, past what cannot be read, and of several sites at a time.

use std::thread::sleep;
use std::time::{Duration, Instant};

use expect_test::expect;

use crate::gate::{first, release};
use crate::scratch::Scratch;

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
}
