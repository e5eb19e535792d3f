//! Collecting garbage: what sites need stays, and the rest goes.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::scratch::Scratch;

/// A project whose site shows `hello`, and another one beside it whose site shows `other`.
fn two_projects(registry: &Registry) -> Scratch {
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    registry.publish(Crate::new("other", "1.0.0").bin("other"));
    let scratch = Scratch::with(registry);
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = \"1\"\n").envy("build").succeeds();
    scratch.write("../second/envy.toml", "[sites.web.dependencies]\nother = \"1\"\n");
    scratch.in_dir("../second").envy("build").succeeds();
    scratch
}

/// How many files there are of a kind in the store.
fn count(scratch: &Scratch, kind: &str) -> usize {
    let found = scratch.shell().sh(&format!("find ../data/envy/store/{kind} -type f | wc -l"));
    found.stdout().trim().parse().expect("a number")
}

#[test]
fn what_sites_show_stays_and_what_only_a_removed_project_needed_goes() {
    let registry = Registry::new();
    let scratch = two_projects(&registry);
    let (blobs, results) = (count(&scratch, "blobs"), count(&scratch, "results"));
    scratch.envy("gc").succeeds().says("kept ").says("alone  [SCRATCH]/project/.envy/sites/api (2 generations)");
    assert_eq!((count(&scratch, "blobs"), count(&scratch, "results")), (blobs, results), "all of it is new");

    // Compiled crates and sources are caches.
    scratch.envy("gc --keep-days 0").succeeds().never_says("result");
    assert!(count(&scratch, "blobs") < blobs);
    assert_eq!((count(&scratch, "results"), count(&scratch, "units"), count(&scratch, "sources")), (2, 0, 0));
    for (directory, program) in [("", "hello"), ("../second", "other")] {
        scratch.in_dir(directory).envy("build --locked --offline").succeeds().says("unchanged");
        scratch.in_dir(directory).sh(&format!(".envy/sites/*/current/bin/{program}")).succeeds();
    }

    fs::remove_dir_all(scratch.path("../second")).unwrap();
    let foretold = scratch.envy("gc --keep-days 0 --dry-run").succeeds().text();
    assert!(foretold.contains("would forget `[SCRATCH]/second/.envy/sites/web`, which is gone"), "{foretold}");
    assert_eq!(count(&scratch, "results"), 2, "nothing was done yet");
    let done = scratch.envy("gc --keep-days 0").succeeds().text();
    let first =
        |text: &str| text.lines().find(|line| line.contains("free")).map(|line| line.replace("would free", "freed"));
    assert_eq!(first(&done), first(&foretold), "what was foretold was done");
    assert_eq!(count(&scratch, "results"), 1);

    scratch.shell().sh("rm -rf .envy").succeeds();
    scratch.without_rust().envy("build --locked --offline").succeeds();
    scratch.envy("run api -- hello").says("hello 1.0.0");
    scratch.envy("store verify").succeeds();
}

#[test]
fn a_site_that_is_only_not_there_now_is_not_gone() {
    let registry = Registry::new();
    let scratch = two_projects(&registry);
    scratch.shell().sh("mkdir ../disk && mv ../second ../disk/").succeeds();
    scratch.in_dir("../disk/second").envy("build --locked").succeeds();
    let is_whole = || {
        scratch.in_dir("../disk/second").sh(".envy/sites/web/current/bin/other").succeeds();
    };
    scratch.envy("gc --keep-days 0").succeeds().says("forgot `[SCRATCH]/second/.envy/sites/web`, which is gone");
    is_whole();

    // As if `disk` were not mounted any more.
    scratch.shell().sh("mv ../disk/second ../elsewhere").succeeds();
    scratch.envy("gc --keep-days 0").fails(
        1,
        expect![[r#"
            error: some sites cannot be read, so nobody knows what they need: nothing is removed
              `[SCRATCH]/disk/second/.envy/sites/web`: it is not there, and `[SCRATCH]/disk` is empty, as if a disk were not mounted
            hint: mount what is not mounted, or let this user read it
            hint: if it is gone for good: `envy gc --forget [SCRATCH]/disk/second/.envy/sites/web`
        "#]],
    );
    scratch.shell().sh("mv ../elsewhere ../disk/second").succeeds();
    scratch.envy("gc --keep-days 0").succeeds();
    is_whole();

    scratch.shell().sh("rm -r ../disk/second").succeeds();
    scratch.envy("gc --keep-days 0 --forget ../disk/second/.envy/sites/nobody").fails(
        1,
        expect![[r#"
            error: `[SCRATCH]/project/../disk/second/.envy/sites/nobody` is no site that the store remembers
              `[SCRATCH]/disk/second/.envy/sites/web`
              `[SCRATCH]/project/.envy/sites/api`
            hint: name the directory of a site, as `envy gc --dry-run` does
        "#]],
    );
    let site = scratch.path("../disk/second/.envy/sites/web");
    let site = site.display().to_string().replace("project/../", "");
    scratch.envy(&format!("gc --keep-days 0 --forget {site}")).succeeds().says("forgot");
    scratch.envy("gc --keep-days 0 --json").succeeds();
}

#[test]
fn a_site_behind_a_link_is_there_and_not_gone_while_what_the_link_leads_to_is_away() {
    let registry = Registry::new();
    let scratch = two_projects(&registry);
    for link in [".envy/sites/web", ".envy/sites", ".envy"] {
        let sh = |script: &str| {
            scratch.in_dir("../second").sh(script).succeeds();
        };
        sh(&format!("mkdir ../disk && mv {link} ../disk/data && ln -s \"$(realpath ../disk)/data\" {link}"));
        scratch.envy("gc --keep-days 0").succeeds().never_says("forgot");
        sh(".envy/sites/web/current/bin/other");
        sh("mv ../disk ../away");
        scratch.envy("gc --keep-days 0").ends(1).says(&format!("/second/{link}` leads to `[SCRATCH]/disk/data`"));
        sh("mv ../away ../disk");
        scratch.envy("gc --keep-days 0").succeeds().never_says("forgot");
        sh(".envy/sites/web/current/bin/other");
        sh(&format!("rm {link} && mv ../disk/data {link} && rmdir ../disk"));
    }
}

#[test]
fn nothing_is_removed_while_the_record_of_a_tree_is_lost_that_a_site_shows() {
    let registry = Registry::new();
    let scratch = two_projects(&registry);
    let record = "p=$(readlink .envy/sites/api/current/bin | sed 's,.*/prefixes/\\([^/]*\\)/.*,\\1,'); \
        t=../data/envy/store/trees/$(echo $p | cut -c1-2)/$(echo $p | cut -c3-)";
    for (how, spoil) in [("missing", "rm -f $t"), ("damaged", "chmod u+w $t && echo x >>$t")] {
        scratch.shell().sh(&format!("{record}; {spoil}")).succeeds();
        let before = count(&scratch, "blobs");
        scratch.envy("gc --keep-days 0 --dry-run").ends(4);
        scratch.envy("gc --keep-days 0").ends(4).says(&format!(
            "error: tree sha256:[..] in the store is {how}, so nobody knows what is needed: nothing is removed\n  \
             site `[SCRATCH]/project/.envy/sites/api` needs it: "
        ));
        assert_eq!(count(&scratch, "blobs"), before);
        scratch.envy("store verify --repair").succeeds().says("healed `trees/");
        scratch.envy("gc --keep-days 0").succeeds();
        scratch.envy("store verify").succeeds();
        scratch.envy("run api -- hello").says("hello 1.0.0");
    }
}

#[test]
fn a_build_that_waits_for_a_collection_says_for_whom() {
    let registry = Registry::new();
    let scratch = two_projects(&registry);
    scratch.shell().sh("rm -rf .envy").succeeds();
    let lock = fs::File::options().write(true).open(scratch.store().join("locks/collect")).expect("it is there");
    lock.lock().expect("nobody else has it");
    (&lock).write_all(b"4711").expect("it may be written to");
    let waits = scratch.envy_command("build --locked --offline").stderr(Stdio::piped()).spawn().expect("it starts");
    sleep(Duration::from_millis(2_500));
    lock.set_len(0).expect("it may be written to");
    drop(lock);
    let said = waits.wait_with_output().expect("it was started");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    let store = scratch.store();
    let note = format!(
        "note: waiting for process 4711, which holds the store `{}` alone, to remove from it what nobody needs\n",
        store.display()
    );
    assert_eq!(said.matches("note: waiting").count(), 1, "{said}");
    assert!(said.contains(&note) && said.contains("switched site `api`"), "{said}");
}

#[test]
fn it_is_told_why_a_thing_is_kept_and_what_each_site_costs() {
    let registry = Registry::new();
    let scratch = two_projects(&registry);
    let document = scratch.envy("gc --dry-run --json").succeeds().json();
    assert_eq!(document["schema"], "envy.gc/1");
    assert_eq!((document["dry-run"].as_bool(), document["sites"].as_array().map(Vec::len)), (Some(true), Some(2)));
    assert!(document["sites"][0]["bytes"].as_u64() > document["sites"][0]["bytes-alone"].as_u64());

    let lockfile: toml::Table = scratch.read("lockfiles/api.lock").parse().unwrap();
    let output = &lockfile["package"][0]["output"][0];
    let (tree, action) = (output["tree"].as_str().unwrap(), output["action"].as_str().unwrap());
    // The prefix of a site with one package is the package.
    scratch
        .envy(&format!("gc --why {tree}"))
        .succeeds()
        .says("prefix sha256:[..] (")
        .says("  site `[SCRATCH]/project/.envy/sites/api`\n    generation 2\n      prefix sha256:[..]\n      tree sha256:[..]\n");
    let why = scratch.envy(&format!("gc --why {} --json", &action[7..20])).succeeds().json();
    assert_eq!((&why["found"][0]["kind"], &why["found"][0]["kept"]), (&"result".into(), &"generation".into()));
    assert_eq!(why["found"][0]["sites"][0]["because"], "lockfiles/api.lock: hello 1.0.0");
    scratch.envy("gc --why 00000000000000").fails(
        1,
        expect![[r#"
            error: the store has nothing with the digest `00000000000000`
            hint: `envy generations` and lockfiles name digests; `envy store path` says where the store is
        "#]],
    );
    scratch.envy("gc --why nonsense").ends(2);
}

#[test]
fn a_size_is_kept_to_with_what_sites_show() {
    let registry = Registry::new();
    let scratch = two_projects(&registry);
    let before = count(&scratch, "blobs");
    scratch.envy("gc --max-size 100G").succeeds().never_says("cannot be as small");
    assert_eq!(count(&scratch, "blobs"), before);
    scratch.envy("gc --max-size 1k").succeeds().says("cannot be as small as that");
    assert!(count(&scratch, "blobs") < before);
    scratch.envy("build --locked --offline").succeeds();
    scratch.envy("run api -- hello").says("hello 1.0.0");
    scratch.envy("gc --max-size plenty").ends(2);
}

#[test]
fn killed_at_any_moment_it_leaves_a_good_store() {
    let registry = Registry::new();
    let scratch = two_projects(&registry);
    scratch.shell().sh("cp -a ../data ../before").succeeds();
    for moment in 0..12 {
        let anew = "chmod -R u+w ../data && rm -rf ../data && cp -a ../before ../data && rm -rf ../second";
        scratch.shell().sh(anew).succeeds();
        let mut child = scratch.envy_command("gc --keep-days 0").spawn().expect("envy can be started");
        sleep(Duration::from_millis(3 * moment));
        // It may have ended by now.
        let _ = child.kill();
        child.wait().expect("it was started");
        scratch.envy("store verify").succeeds();
        scratch.envy("build --locked --offline").succeeds();
        scratch.envy("run api -- hello").says("hello 1.0.0");
        // What was made within the coarseness of times counts as made now.
        sleep(Duration::from_millis(100));
        scratch.envy("gc --keep-days 0").succeeds();
        assert_eq!(count(&scratch, "results"), 1);
    }
}
