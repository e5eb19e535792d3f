//! What comes out of a build: recorded, used as it is, proven, or refused.

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::scratch::Scratch;

const API: &str = "[sites.api.dependencies]\nhello = \"1\"\n";

/// A site with one program, built and recorded.
fn built() -> (Registry, Scratch) {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", API).envy("build").succeeds();
    (registry, scratch)
}

fn lockfile(scratch: &Scratch) -> toml::Table {
    scratch.read("lockfiles/api.lock").parse().expect("a lockfile is TOML")
}

/// The lockfile's only output.
fn output(scratch: &Scratch) -> toml::Table {
    lockfile(scratch)["package"][0]["output"][0].as_table().expect("an output").clone()
}

/// Removes the lines of `lockfiles/api.lock` from the first that begins so.
fn cut(scratch: &Scratch, from: &str) {
    let text = scratch.read("lockfiles/api.lock");
    scratch.write("lockfiles/api.lock", text.split(from).next().expect("a beginning").trim_end().to_owned() + "\n");
}

fn remove(scratch: &Scratch, path: &str) {
    scratch.shell().sh(&format!("chmod -R u+w {path} && rm -rf {path}")).succeeds();
}

#[test]
fn an_unlocked_build_records_what_came_out_and_what_it_needs() {
    let (_registry, scratch) = built();
    let (lockfile, output) = (lockfile(&scratch), output(&scratch));
    assert!(output["needs"]["glibc"].as_str().is_some_and(|version| version.starts_with("2.")), "{output}");
    assert!(output.keys().eq(["action", "needs", "platform", "tree"]), "{output}");
    assert_eq!(lockfile["prefix"].as_array().map(Vec::len), Some(1));
    let status = scratch.envy("status --json").json();
    assert_eq!(status["sites"][0]["prefix"].as_str(), lockfile["prefix"][0]["tree"].as_str());
}

#[test]
fn recorded_outputs_are_used_where_there_is_no_compiler_and_no_network() {
    let (registry, scratch) = built();
    registry.go_away();
    remove(&scratch, ".envy");
    let lockfile = scratch.read("lockfiles/api.lock");

    scratch.without_rust().envy("build --locked --offline").ok(expect![[r#"
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]);

    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, current
          hello 1.0.0 (recorded)
    "#]]);
    scratch.without_rust().envy("run api --frozen -- hello").succeeds().says("hello 1.0.0");
    assert_eq!(scratch.read("lockfiles/api.lock"), lockfile);
    // Every way to look at a site does without a compiler, and so does an empty one.
    for command in [
        "list",
        "tree",
        "lock --check",
        "lock",
        "build --dry-run",
        "generations api",
        "env api",
        "create other",
        "init --project other",
    ] {
        if command.starts_with("init") {
            scratch.in_dir("other");
        }
        scratch.without_rust().envy(command).succeeds();
    }
}

#[test]
fn whoever_has_to_build_and_cannot_is_told_what_to_install() {
    let (_registry, scratch) = built();
    let rust = lockfile(&scratch)["toolchain"]["rust"].as_str().expect("a text").to_owned();
    let version = rust.split(' ').next().expect("a version").to_owned();
    let said = |text: String| text.replace(&rust, "[RUST]").replace(&version, "[VERSION]");
    remove(&scratch, ".envy ../data");

    let outcome = scratch.without_rust().envy("build --locked");
    expect![[r#"
        error: there is no rust [RUST] on this host
          found: none at all
        hint: run `rustup toolchain install [VERSION] --profile minimal`
    "#]]
    .assert_eq(&said(outcome.ends(7).text()));
    scratch.without_rust().envy("update").succeeds();
    remove(&scratch, "lockfiles");
    scratch.without_rust().envy("lock").fails(
        7,
        expect![[r#"
        error: there is no rust toolchain on this host
          found: none at all
        hint: run `rustup toolchain install stable --profile minimal`
    "#]],
    );

    scratch.write("envy.toml", format!("[toolchain]\nrust = \"1.200\"\n{API}"));
    let outcome = scratch.envy("lock").ends(7).text();
    let start: String =
        outcome.lines().filter(|line| !line.contains("found:")).map(|line| format!("{line}\n")).collect();
    expect![[r#"
        error: there is no rust =1.200 on this host
        hint: run `rustup toolchain install 1.200 --profile minimal`
    "#]]
    .assert_eq(&start);
}

#[test]
fn whoever_builds_again_proves_what_is_recorded() {
    let (_registry, scratch) = built();
    let lockfile = scratch.read("lockfiles/api.lock");
    remove(&scratch, ".envy ../data");

    scratch.envy("build --locked").ok(expect![[r#"
        fetched 1 file (702 B)
        building hello 1.0.0
        built hello 1.0.0 in [TIME]
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]);

    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, current
          hello 1.0.0 (proven)
    "#]]);
    assert_eq!(scratch.read("lockfiles/api.lock"), lockfile);
}

#[test]
fn other_bytes_of_the_same_action_are_refused() {
    let (_registry, scratch) = built();
    let tree = output(&scratch)["tree"].as_str().expect("a text").to_owned();
    let wrong = format!("sha256:{}", "0".repeat(64));
    cut(&scratch, "[[prefix]]");
    scratch.write("lockfiles/api.lock", scratch.read("lockfiles/api.lock").replace(&tree, &wrong));
    let before = scratch.snapshot(".envy/sites/api/generations");

    // Found by its action.
    scratch.envy("build --locked").fails(4, expect![[r#"
        error: building `hello 1.0.0` gave other files than the lockfile records for the very same action
          action   sha256:[..]
          recorded sha256:[..]
          made     sha256:[..]
        hint: if the recorded output is wrong, take that `[[package.output]]` of `hello` out of the lockfile, and build again
    "#]]);
    scratch.envy("build").ends(4);
    // Built once more.
    remove(&scratch, "../data/envy/store/results");
    scratch.envy("build --locked").fails(4, expect![[r#"
        building hello 1.0.0
        built hello 1.0.0 in [TIME]
        error: building `hello 1.0.0` gave other files than the lockfile records for the very same action
          action   sha256:[..]
          recorded sha256:[..]
          made     sha256:[..]
        hint: if the recorded output is wrong, take that `[[package.output]]` of `hello` out of the lockfile, and build again
    "#]]);
    before.is_still(&scratch.snapshot(".envy/sites/api/generations"));
}

#[test]
fn a_prefix_that_is_made_of_none_of_the_outputs_listed_is_a_damaged_lockfile() {
    let (_registry, scratch) = built();
    let text = scratch.read("lockfiles/api.lock");
    let prefix = lockfile(&scratch)["prefix"][0].as_table().expect("a prefix").clone();
    let (outputs, tree) =
        (prefix["outputs"].as_str().expect("a text"), output(&scratch)["tree"].as_str().expect("a text").to_owned());
    let other = |digest: &str| {
        let digit = if digest.ends_with('0') { "1" } else { "0" };
        text.replace(digest, &format!("{}{digit}", &digest[..digest.len() - 1]))
    };
    for damaged in [other(outputs), other(&tree)] {
        scratch.write("lockfiles/api.lock", &damaged);
        let before = scratch.snapshot(".envy/sites");
        scratch.envy("build api --locked").ends(4).says("error: lockfile `lockfiles/api.lock` is not consistent").says(
            "hint: restore it, or run `envy build api` without `--locked`, which records what comes out, and review the difference",
        );
        before.is_still(&scratch.snapshot(".envy/sites"));
    }
    // Outputs of other builders beside it, or a package without one, are no damage.
    let listed = &text[text.find("[[package.output]]").expect("an output")..text.find("[[prefix]]").expect("a prefix")];
    let another = listed.replace(&tree, &format!("sha256:{}", "1".repeat(64)));
    let action = output(&scratch)["action"].as_str().expect("a text").to_owned();
    let another = another.replace(&action, &format!("sha256:{}", "1".repeat(64)));
    let text = text.replace("[[prefix]]", &format!("{another}[[prefix]]"));
    scratch.write("lockfiles/api.lock", text).envy("build --locked").succeeds();
    // It is written anew where it may be.
    scratch.write("lockfiles/api.lock", other(outputs)).envy("build").succeeds();
    assert_eq!(lockfile(&scratch)["prefix"][0]["outputs"].as_str(), Some(outputs));
}

#[test]
fn files_that_differ_are_named_where_they_are_known() {
    let (registry, scratch) = built();
    registry.publish(Crate::new("other", "1.0.0").bin("hello"));
    let tree = output(&scratch)["tree"].as_str().expect("a text").to_owned();
    let first = scratch.read("lockfiles/api.lock");
    scratch.write("envy.toml", "[sites.api.dependencies]\nother = \"1\"\n").envy("build").succeeds();
    let other = output(&scratch)["tree"].as_str().expect("a text").to_owned();
    assert_ne!(tree, other);
    // The lockfile says of `hello` what came of `other`, and the store lacks a blob of it: it is built, and differs.
    scratch.write("envy.toml", API).write("lockfiles/api.lock", first.replace(&tree, &other));
    cut(&scratch, "[[prefix]]");
    scratch.shell().sh("for it in .envy/sites/api/current/bin/hello; do rm -f ../data/envy/store/blobs/*/$(sha256sum $it | cut -c3-64).x; done").succeeds();
    scratch.envy("build --locked").fails(4, expect![[r#"
        error: building `hello 1.0.0` gave other files than the lockfile records for the very same action
          action   sha256:[..]
          recorded sha256:[..]
          made     sha256:[..]
          `bin/hello` differs
        hint: if the recorded output is wrong, take that `[[package.output]]` of `hello` out of the lockfile, and build again
    "#]]);
}

#[test]
fn a_prefix_that_is_not_the_recorded_one_is_refused() {
    let (_registry, scratch) = built();
    let text = scratch.read("lockfiles/api.lock");
    let tree = lockfile(&scratch)["prefix"][0]["tree"].as_str().expect("a text").to_owned();
    let (start, end) = text.split_once("[[prefix]]").expect("it has one");
    let wrong = format!("{start}[[prefix]]{}", end.replace(&tree, &format!("sha256:{}", "0".repeat(64))));
    scratch.write("lockfiles/api.lock", wrong);
    scratch.envy("build --locked").fails(
        4,
        expect![[r#"
        error: the prefix of site `api` is not the one that the lockfile records
          recorded sha256:[..]
          made     sha256:[..]
        hint: restore `lockfiles/api.lock`; the outputs it lists do not make the prefix it names
    "#]],
    );
    scratch.envy("build").ends(4);
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, drifted
          hello 1.0.0 (new)
          ! the lockfile is not the one that the current generation was built from
          `envy build api` mends it
    "#]]);
}

#[test]
fn what_is_built_without_a_fence_is_used_but_never_recorded() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", format!("{API}\n[settings]\nsandbox = \"off\"\n"));

    scratch.envy("build").ok(expect![[r#"
        fetched 1 file (702 B)
        locked 1 package for site `api`
          + hello 1.0.0
        warning: building without a sandbox, so outputs are not recorded: the sandbox is switched off
        building hello 1.0.0
        built hello 1.0.0 in [TIME]
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]);

    let lockfile = lockfile(&scratch);
    assert!(lockfile["package"][0].get("output").is_none() && lockfile.get("prefix").is_none(), "{lockfile}");
    scratch.envy("run api -- hello").says("hello 1.0.0");
    scratch.envy("build").ok(expect![[r#"
        unchanged site `api` is at generation 2
    "#]]);

    // With a fence it is another action, and recorded.
    scratch.write("envy.toml", API);
    remove(&scratch, ".envy");
    scratch.envy("build").succeeds().says("building hello 1.0.0");
    assert!(output(&scratch).contains_key("tree"));
}

#[test]
fn collisions_name_both_packages_and_without_mends_them() {
    let registry = Registry::new();
    registry.publish(Crate::new("one", "1.0.0").bin("convert"));
    registry.publish(Crate::new("two", "2.0.0").bin("convert").bin("two"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.media.dependencies]\none = \"1\"\ntwo = \"2\"\n");

    scratch.envy("build -j1").fails(
        1,
        expect![[r#"
        fetched 2 files (1.5 kB)
        locked 2 packages for site `media`
          + one 1.0.0
          + two 2.0.0
        building one 1.0.0
        built one 1.0.0 in [TIME]
        building two 2.0.0
        built two 2.0.0 in [TIME]
        error: two packages of site `media` both provide `bin/convert`
          one 1.0.0 and two 2.0.0
        hint: leave it out of one: `two = { version = "…", without = ["bin/convert"] }` in `envy.toml`
    "#]],
    );
    assert!(!scratch.path("lockfiles/media.lock").exists(), "what was not built is not recorded");
    scratch.write(
        "envy.toml",
        "[sites.media.dependencies]\none = \"1\"\ntwo = { version = \"2\", without = [\"bin/convert\"] }\n",
    );
    scratch.envy("build").ok(expect![[r#"
        locked 2 packages for site `media`
          + one 1.0.0
          + two 2.0.0
        switched site `media` to generation 2 (2 packages)
          prefix sha256:[..]
    "#]]);
    scratch.shell().sh("ls .envy/sites/media/current/bin; .envy/sites/media/current/bin/convert").ok(expect![[r#"
        --- stdout ---
        convert
        two
        convert 1.0.0
    "#]]);
    scratch.write("envy.toml", "[sites.media.dependencies]\none = \"1\"\ntwo = { version = \"2\", without = [\"bin/convert\", \"bin/nothing\"] }\n");
    scratch.envy("build").fails(
        1,
        expect![[r#"
        locked 2 packages for site `media`
        error: `bin/nothing` is to be left out of `two 2.0.0`, which does not have it
          it has `bin/two`
        hint: correct `without` in `envy.toml`
    "#]],
    );
}

#[test]
fn a_static_program_needs_nothing_of_the_host() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = { version = \"1\", static = true }\n");
    scratch.envy("build").succeeds();
    assert!(output(&scratch).get("needs").is_none(), "{}", output(&scratch));
    scratch.envy("run api -- hello").succeeds();
}

#[test]
fn a_target_that_is_not_installed_ends_with_what_to_type() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(&registry);
    let rust = scratch.shell().sh("rustc -V").stdout().split(' ').nth(1).expect("a version").to_owned();
    scratch.write(
        "envy.toml",
        "[sites.api.dependencies]\nhello = { version = \"1\", target = \"x86_64-unknown-linux-nowhere\" }\n",
    );
    let text = scratch.envy("build").ends(7).text().replace(&rust, "[RUST]");
    expect![[r#"
        fetched 1 file (702 B)
        locked 1 package for site `api`
          + hello 1.0.0
        error: rust [RUST] has no standard library for x86_64-unknown-linux-nowhere on this host
        hint: run `rustup target add x86_64-unknown-linux-nowhere`
    "#]]
    .assert_eq(&text);
}

#[test]
fn the_same_source_gives_the_same_bytes_in_other_places_with_other_jobs() {
    let digests: Vec<_> = ["-j1", "-j2"]
        .iter()
        .map(|jobs| {
            let registry = Registry::new();
            let main = "fn main() { println!(\"{} {}\", env!(\"CARGO_MANIFEST_DIR\"), file!()) }\n";
            registry.publish(Crate::new("hello", "1.0.0").bin("hello").file("src/main.rs", main));
            let scratch = Scratch::with(&registry);
            scratch.write("envy.toml", API).envy(&format!("build {jobs}")).succeeds();
            scratch.envy("run api -- hello").says("/envy/src src/main.rs");
            output(&scratch)
        })
        .collect();
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn pins_that_were_changed_by_hand_are_refused() {
    let (_registry, scratch) = built();
    cut(&scratch, "[[package.output]]");
    let text = scratch.read("lockfiles/api.lock");
    remove(&scratch, ".envy ../data/envy/store/results");
    let with = |key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).expect("it has the key");
        scratch.write("lockfiles/api.lock", text.replace(line, &format!("{key} = \"sha256:{}\"", "0".repeat(64))));
        scratch.envy("build --locked")
    };
    with("archive").fails(
        4,
        expect![[r#"
        error: `hello 1.0.0` is not what was pinned
          from     http://127.0.0.1:[PORT]/crates/hello/1.0.0/download
          expected sha256:[..]
          received sha256:[..]
        hint: nothing of it was kept; restore the lockfile if it was edited, else tell the owner of the registry
    "#]],
    );
    with("tree").fails(
        4,
        expect![[r#"
            error: `hello 1.0.0` is not what the lockfile pinned
              its source tree has another digest
              expected sha256:[..]
              received sha256:[..]
            hint: restore what the lockfile says of `hello`: what was published once does not change
        "#]],
    );
    with("crates").fails(
        4,
        expect![[r#"
            error: `hello 1.0.0` is not what the lockfile pinned
              its Cargo.lock has another digest
              expected sha256:[..]
              received sha256:[..]
            hint: restore what the lockfile says of `hello`: what was published once does not change
        "#]],
    );
    with("recipe").fails(
        3,
        expect![[r#"
        error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
          `hello` is locked with other params, or with another text of recipe `cargo`
        hint: run `envy lock api` and review the difference
    "#]],
    );
    with("requirements").fails(
        3,
        expect![[r#"
            error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
              something else changed in `envy.toml`: the toolchain, the platforms, an address, a sum, a limit, or what is left out of a package
            hint: run `envy lock api` and review the difference
        "#]],
    );
    // Another compiler of the same version is another builder, and its output is new here.
    with("x86_64-linux-gnu").succeeds();
    assert!(!scratch.envy("status").text().contains("drift"), "a site is what the lockfile says");
}

#[test]
fn a_build_that_leads_its_output_elsewhere_takes_nothing_of_the_host() {
    let registry = Registry::new();
    let build = format!(
        "fn main() {{\n    let place = std::path::Path::new(\"/envy/out{}\");\n    \
         std::fs::create_dir_all(place.parent().unwrap()).unwrap();\n    \
         std::os::unix::fs::symlink(\"/proc/self/cwd\", place).unwrap();\n}}\n",
        envy::build::action::PLACEHOLDER
    );
    registry.publish(Crate::new("evil", "1.0.0").bin("evil").file("build.rs", &build));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.api]\n").write("precious.txt", "mine");

    scratch.envy("add evil@1 --site api").ends(1).says("left no real directory at `/envy/out/");

    assert_eq!(scratch.read("precious.txt"), "mine");
    assert_eq!(scratch.read("envy.toml"), "[sites.api]\n");
}
