//! Building again: what comes out the same is said to, and what does not is shown with a likely cause.

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::scratch::Scratch;

/// A project with a recipe that runs these commands in the directory with what is installed.
fn project(commands: &str) -> Scratch {
    let scratch = Scratch::new();
    let recipe = format!(
        "summary = \"Made for a test\"\nlicense = \"MIT\"\n\n[versions.\"1.0.0\"]\n\n[[step]]\nname = \"install\"\nrun = '''\n\
         mkdir -p {{{{ destdir }}}}{{{{ prefix }}}}/share && cd {{{{ destdir }}}}{{{{ prefix }}}}/share\n{commands}\n'''\n"
    );
    scratch.write("recipes/odd.toml", recipe);
    scratch.write("envy.toml", "[sites.api.dependencies]\nodd = { recipe = \"odd\", version = \"1\" }\n");
    scratch
}

/// A command that writes something else each time, the file that it writes to, and the cause that is to be named.
const ODD: &[(&str, &str, &str)] = &[
    ("date +%N >time", "time", "a time"),
    ("date -u >date", "date", "a time"),
    ("echo \"built with $JOBS jobs\" >jobs", "jobs", "the number of jobs"),
    ("cat /proc/sys/kernel/random/uuid >id", "id", "a random number or id"),
    ("od -An -N8 -tx1 /dev/urandom | tr -d ' ' >random", "random", "a random number or id"),
    ("seq 100 | sort -R >order", "order", "an order"),
    ("echo \"made in $(mktemp -d)/x\" >path", "path", "a path"),
];

#[test]
fn what_differs_is_shown_with_its_likely_cause() {
    let commands: String = ODD.iter().map(|(command, ..)| format!("{command}\n")).collect();
    let scratch = project(&(commands + "echo same >same"));
    // `date` tells seconds, and the second build waits for the next one.
    scratch.envy("build").succeeds();
    let document = scratch.envy("verify api --rebuild --json").ends(4).json();
    let rebuilt = &document["sites"][0]["rebuilt"][0];
    assert_eq!((&rebuilt["package"], &rebuilt["same"]), (&"odd".into(), &false.into()));
    let text = scratch.envy("verify api --rebuild odd").ends(4).text();
    for (command, file, cause) in ODD {
        assert!(text.contains(&format!("`share/{file}` differs, likely by {cause}\n")), "{command}: {text}");
    }
    assert!(!text.contains("share/same"), "{text}");
}

#[test]
fn a_line_that_differs_is_shown_with_both_of_its_texts() {
    let scratch = project("echo same >same\necho \"-j$JOBS\" >>same");
    scratch.envy("build -j 4").succeeds();
    scratch.envy("verify api --rebuild -j 3").fails(
        4,
        expect![[r#"
        verified site `api`: generation 2, 1 file, 9 B read
        building odd 1.0.0
        built odd 1.0.0 in [TIME]
        error: `odd 1.0.0` is not reproducible
          `odd 1.0.0` came out otherwise when it was built again
            recorded sha256:[..]
            made     sha256:[..]
            `share/same` differs, likely by the number of jobs
              line 2
                first  -j4
                second -j3
        hint: the number of jobs: keep `$JOBS` out of what is installed
    "#]],
    );
    scratch.envy("verify api --rebuild -j 4").ok(expect![[r#"
        verified site `api`: generation 2, 1 file, 9 B read
        building odd 1.0.0
        built odd 1.0.0 in [TIME]
        the same odd 1.0.0, bit by bit
    "#]]);
    scratch.envy("verify api --rebuild other").fails(
        1,
        expect![[r#"
        verified site `api`: generation 2, 1 file, 9 B read
        error: site `api` has no package `other`
          it has `odd`
        hint: name one of these, or none for all that are installed
    "#]],
    );
}

#[test]
fn building_again_changes_nothing_that_is_recorded() {
    let scratch = project("date +%N >time");
    scratch.envy("build").succeeds();
    let sites = scratch.snapshot(".envy/sites/api/generations");
    let results = scratch.snapshot("../data/envy/store/results");
    let lockfile = scratch.read("lockfiles/api.lock");
    scratch.envy("verify api --rebuild").ends(4);
    sites.is_still(&scratch.snapshot(".envy/sites/api/generations"));
    results.is_still(&scratch.snapshot("../data/envy/store/results"));
    assert_eq!(scratch.read("lockfiles/api.lock"), lockfile);
    scratch.envy("build --locked").succeeds().says("unchanged");
}

/// Says what another crate says.
const MAIN: &str = "fn main() {\n    println!(\"{}\", name::name());\n}\n";

#[test]
fn a_crate_is_built_again_without_what_is_shared() {
    let registry = Registry::new();
    registry.publish(Crate::new("name", "1.0.0").lib());
    registry.publish(Crate::new("hello", "1.0.0").dep("name", "1").bin("hello").file("src/main.rs", MAIN));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = \"1\"\n").envy("build").succeeds();
    scratch.envy("verify api --rebuild").succeeds().says("the same hello 1.0.0, bit by bit");
    // What a build reads of unpacked crates is never read again: it is unpacked anew, and so damage there is found.
    let damage = "for it in $(grep -rl 'pub fn name' ../data/envy/store/checkouts); do chmod u+w $it; \
                  sed -i 's/1.0.0/9.9.9/' $it; done";
    scratch.shell().sh(damage).succeeds();
    scratch.shell().sh("rm -rf ../data/envy/store/results ../data/envy/store/units lockfiles").succeeds();
    scratch.envy("build").succeeds();
    let said = scratch.envy("verify api --rebuild").ends(4).text();
    assert!(said.contains("`bin/hello` differs") && said.contains("section `"), "{said}");
}

#[test]
fn a_build_that_is_checked_records_nothing_that_is_not_the_same_twice() {
    let scratch = project("date +%s >time");
    let said = scratch.envy("build --check-reproducible").ends(4).text();
    let digits = |letter: char| if letter.is_ascii_digit() { '9' } else { letter };
    let shown: String = said.lines().skip(5).map(|line| format!("{line}\n")).collect();
    expect![[r#"
          `share/time` differs, likely by a time
            line 9
              first  9999999999
              second 9999999999
        hint: a time: a build is told the time that counts by `SOURCE_DATE_EPOCH`: `date -u -d @$SOURCE_DATE_EPOCH`
    "#]]
    .assert_eq(&shown.chars().map(digits).collect::<String>());
    assert!(said.contains("error: `odd 1.0.0` was built twice, and came out otherwise the second time\n"), "{said}");
    assert!(!scratch.path("lockfiles/api.lock").exists() && !scratch.path(".envy/sites/api/current").exists());
    assert!(scratch.snapshot("../data/envy/store/results").is_empty());
    scratch.write("recipes/odd.toml", scratch.read("recipes/odd.toml").replace("date +%s", "echo $SOURCE_DATE_EPOCH"));
    scratch.envy("build --check-reproducible -j 1").ok(expect![[r#"
        locked 1 package for site `api`
          + odd 1.0.0
        building odd 1.0.0
        note: odd 1.0.0 came out the same twice, with 1 and 2 jobs
        built odd 1.0.0 in [TIME]
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]);
    scratch.envy("build --check-reproducible").ok(expect![[r#"
        unchanged site `api` is at generation 2
        note: nothing was built, so nothing was checked: `envy verify api --rebuild` does
    "#]]);
}

#[test]
fn what_was_found_and_not_built_is_said_not_to_be_checked() {
    let scratch = project("echo same >same");
    scratch.envy("build").succeeds();
    scratch.shell().sh("chmod -R u+w .envy && rm -rf .envy").succeeds();
    for command in ["build --locked --check-reproducible", "build --check-reproducible"] {
        scratch.envy(command).says("note: nothing was built, so nothing was checked: `envy verify api --rebuild` does");
    }
    let more = "[sites.api.dependencies.even]\nrecipe = 'even'\nversion = '1.0.0'\n";
    scratch.write("recipes/even.toml", scratch.read("recipes/odd.toml").replace(">same", ">even"));
    scratch.write("envy.toml", format!("{}\n{more}", scratch.read("envy.toml")));
    scratch
        .envy("build --check-reproducible")
        .says("note: even 1.0.0 came out the same twice")
        .says("note: odd 1.0.0 was not built, so it was not checked: `envy verify api --rebuild` does");
    scratch.envy("rollback api").succeeds();
    scratch.envy("build --check-reproducible").says("note: nothing was built, so nothing was checked");
}

#[test]
fn what_two_sites_have_of_one_action_is_built_once_more_and_told_of_both() {
    let scratch = project("echo same >same");
    scratch.write("envy.toml", scratch.read("envy.toml") + "[sites.web]\nextends = ['api']\n").envy("build").succeeds();
    scratch.envy("verify --rebuild").ok(expect![[r#"
        verified site `api`: generation 2, 1 file, 5 B read
        building odd 1.0.0
        built odd 1.0.0 in [TIME]
        the same odd 1.0.0, bit by bit
        verified site `web`: generation 2, 1 file, 5 B read
        the same odd 1.0.0, bit by bit
    "#]]);
}
