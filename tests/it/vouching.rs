//! What `--locked` means where outputs are recorded and somebody else builds: proven, unproven, refused.

use std::path::{Path, PathBuf};

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::scratch::{Scratch, Shell};

const API: &str = "[sites.api.dependencies]\nhello = \"1\"\n";
const STRICT: &str = "[settings]\nrequire-outputs = true\n";

/// A site with one program, built and recorded.
fn built() -> (Registry, Scratch) {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", API).envy("build").succeeds();
    (registry, scratch)
}

/// Takes all that was built away: what the store has, and the site.
fn forget(scratch: &Scratch) {
    scratch.shell().sh("chmod -R u+w .envy ../data && rm -rf .envy ../data").succeeds();
}

/// Another builder: the same compiler, wrapped in a script, which is another file and thus another toolchain. It passes
/// these arguments on besides.
fn wrapped<'s>(scratch: &'s Scratch, name: &str, arguments: &str) -> Shell<'s> {
    let own: PathBuf = scratch.shell().sh("rustc --print sysroot").stdout().trim().into();
    let other = scratch.root().join(name);
    let (own, place) = (own.display(), other.display());
    // Links where they are possible, since it is large.
    let script = format!(
        "mkdir -p {place}/bin {place}/lib/rustlib && cp -l {own}/bin/rustc {place}/lib/real 2>/dev/null || cp {own}/bin/rustc {place}/lib/real
        for it in {own}/bin/cargo {own}/lib/*.so* {own}/lib/rustlib/*-linux-*; do
            to={place}/${{it#{own}/}}
            cp -rl $it ${{to%/*}} 2>/dev/null || cp -r $it ${{to%/*}}
        done
        printf '#!/bin/sh\\nexec \"${{0%%/*}}/../lib/real\" \"$@\" {arguments}\\n' >{place}/bin/rustc && chmod +x {place}/bin/rustc"
    );
    scratch.shell().sh(&script).succeeds();
    scratch.without_rust().first_on_path(&Path::new(&other).join("bin"))
}

/// What `envy status` says of the program.
fn origin(scratch: &Scratch) -> String {
    let text = scratch.envy("status").stdout().to_owned();
    text.lines().find(|line| line.starts_with("  hello")).unwrap_or_default().trim().to_owned()
}

#[test]
fn another_builder_that_makes_the_same_bytes_proves_them() {
    let (_registry, scratch) = built();
    let lockfile = scratch.read("lockfiles/api.lock");
    forget(&scratch);
    scratch.write("envy.toml", format!("{STRICT}{API}"));

    let other = wrapped(&scratch, "other", "");
    other.envy("build --locked").ok(expect![[r#"
        warning: this host's rust has the version that the lockfile pins, but other files: outputs may differ
        fetched 1 file (702 B)
        building hello 1.0.0
        built hello 1.0.0 in [TIME]
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
    "#]]);

    assert_eq!(origin(&scratch), "hello 1.0.0 (proven)");
    assert_eq!(scratch.read("lockfiles/api.lock"), lockfile, "a locked build records nothing");
}

#[test]
fn another_builder_that_makes_other_bytes_is_told_and_refused_where_outputs_are_required() {
    let (_registry, scratch) = built();
    let lockfile = scratch.read("lockfiles/api.lock");
    forget(&scratch);
    let other = wrapped(&scratch, "other", "-C link-arg=-Wl,--build-id=0xfeed");

    for command in ["build --locked --require-outputs", "build --locked"] {
        if !command.ends_with("outputs") {
            scratch.write("envy.toml", format!("{STRICT}{API}"));
        }
        let text = other.envy(command).ends(4).text();
        let text = &text[text.find("error:").expect("it fails")..];
        expect![[r#"
            error: site `api` may only have outputs that its lockfile records
              hello 1.0.0 came out otherwise than the lockfile records
                recorded sha256:[..]
                made     sha256:[..]
            hint: build with the tools that made the recorded ones, or bring those here from where they are
        "#]]
        .assert_eq(text);
        assert!(!scratch.path(".envy/sites/api/current").exists(), "nothing was shown");
        other.envy(command).ends(4).never_says("it is used, unproven");
    }

    scratch.write("envy.toml", API);
    other.envy("build --locked").says(
        "note: hello 1.0.0 was built here by another builder than the lockfile records, and came out otherwise: it is used, unproven",
    );
    assert_eq!(origin(&scratch), "hello 1.0.0 (unproven)");
    assert_eq!(scratch.read("lockfiles/api.lock"), lockfile);
    // Required from now on, what is shown already is no longer what it should be.
    scratch.write("envy.toml", format!("{STRICT}{API}"));
    scratch
        .envy("status --exit-code")
        .ends(2)
        .says("! hello 1.0.0 is not what the lockfile records, and `require-outputs` is set");
    other.envy("build --locked").ends(4);
    other.envy("run api --locked -- hello").ends(4);
    // Whoever has the pinned builder mends it.
    scratch.envy("build --locked").succeeds();
    assert_eq!(origin(&scratch), "hello 1.0.0 (proven)");
    scratch.envy("status --exit-code").succeeds();
}

#[test]
fn what_the_site_shows_is_compared_too_when_something_is_built_again() {
    let (_registry, scratch) = built();
    forget(&scratch);
    let other = wrapped(&scratch, "other", "-C link-arg=-Wl,--build-id=0xfeed");
    other.envy("build --locked").succeeds();
    assert_eq!(origin(&scratch), "hello 1.0.0 (unproven)");
    // The pinned builder makes what is recorded, which is not what the site shows.
    scratch
        .envy("verify api --rebuild")
        .ends(4)
        .says("error: `hello 1.0.0` is not what the site shows")
        .says("`hello 1.0.0` came out as the lockfile records it, and not as the site shows it")
        .says("`bin/hello` differs")
        .never_says("the same");
    let rebuilt = scratch.envy("verify api --rebuild --json").ends(4).json()["sites"][0]["rebuilt"][0].clone();
    assert_eq!((&rebuilt["same"], &rebuilt["recorded"]), (&false.into(), &rebuilt["made"]));
    assert_ne!(rebuilt["shown"], rebuilt["made"]);
}

#[test]
fn files_that_differ_are_named_where_the_recorded_ones_are_known() {
    let (_registry, scratch) = built();
    // The tree is known, and a blob of it is not here.
    let script = "for it in .envy/sites/api/current/bin/hello; do rm -f ../data/envy/store/blobs/*/$(sha256sum $it | cut -c3-64).x; done; rm -rf .envy";
    scratch.shell().sh(script).succeeds();
    let other = wrapped(&scratch, "other", "-C link-arg=-Wl,--build-id=0xfeed");
    other.envy("build --locked --require-outputs").ends(4).says("  `bin/hello` differs");
}

#[test]
fn outputs_of_another_builder_are_appended_by_an_unlocked_build() {
    let (_registry, scratch) = built();
    forget(&scratch);
    let other = wrapped(&scratch, "other", "-C link-arg=-Wl,--build-id=0xfeed");
    other.envy("build --require-outputs").succeeds();
    let lockfile: toml::Table = scratch.read("lockfiles/api.lock").parse().expect("a lockfile is TOML");
    let outputs = lockfile["package"][0]["output"].as_array().expect("it has outputs");
    assert_eq!(outputs.len(), 2, "none was replaced");
    assert_eq!(outputs[0]["platform"], outputs[1]["platform"]);
    assert_ne!(outputs[0]["tree"], outputs[1]["tree"]);

    // Each of both proves its own.
    for shell in [other, scratch.shell()] {
        forget(&scratch);
        shell.envy("build --locked --require-outputs").succeeds();
        assert_eq!(origin(&scratch), "hello 1.0.0 (proven)");
        // Each is what a build makes here, whichever prefix was recorded last.
        shell.envy("diff api").says("no difference");
    }
}

/// How many outputs of the program the lockfile has, and how many prefixes.
fn recorded(scratch: &Scratch) -> (usize, usize) {
    let text = scratch.read("lockfiles/api.lock");
    (text.matches("[[package.output]]").count(), text.matches("[[prefix]]").count())
}

#[test]
fn what_a_locked_build_made_is_recorded_by_the_next_one_that_may() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", API).envy("lock").succeeds();
    scratch.envy("build --locked").succeeds();
    scratch
        .envy("build --locked --require-outputs")
        .ends(4)
        .says("hint: record them: run `envy build` without `--locked`");
    // Whoever only runs it waits for nothing.
    scratch.without_rust().envy("run api -- hello").succeeds().says("hello 1.0.0");
    assert_eq!(recorded(&scratch), (0, 0));

    scratch.envy("build").ok(expect![[r#"
        switched site `api` to generation 3 (1 package)
          prefix sha256:[..]
    "#]]);
    assert_eq!(recorded(&scratch), (1, 1));
    let unchanged = || expect!["unchanged site `api` is at generation 3\n"];
    for command in ["build", "build --require-outputs", "build --locked --require-outputs"] {
        scratch.without_rust().envy(command).ok(unchanged());
    }
    // So it is with what another builder made.
    forget(&scratch);
    let other = wrapped(&scratch, "other", "-C link-arg=-Wl,--build-id=0xfeed");
    other.envy("build --locked").succeeds();
    assert_eq!((origin(&scratch).as_str(), recorded(&scratch)), ("hello 1.0.0 (unproven)", (1, 1)));
    other.envy("build").succeeds();
    assert_eq!(recorded(&scratch), (2, 1));
    scratch.without_rust().envy("build").says("unchanged site `api` is at generation 3");
}

#[test]
fn where_nothing_can_be_recorded_an_unlocked_build_has_nothing_to_do() {
    let (_registry, scratch) = built();
    scratch.write("envy.toml", format!("{API}\n[settings]\nsandbox = \"off\"\n"));
    forget(&scratch);
    scratch.shell().sh("rm -r lockfiles").succeeds();
    scratch.envy("build").succeeds();
    assert_eq!(recorded(&scratch), (0, 0));
    scratch.without_rust().envy("build").ok(expect![[r#"
        unchanged site `api` is at generation 2
    "#]]);
}

#[test]
fn a_build_without_a_fence_is_another_builder_too() {
    let (_registry, scratch) = built();
    forget(&scratch);
    scratch.write("envy.toml", format!("{API}\n[settings]\nsandbox = \"off\"\n"));
    scratch.envy("build --locked").succeeds();
    // Where its files are at the same places, they come out the same.
    let origin = origin(&scratch);
    assert!(["hello 1.0.0 (proven)", "hello 1.0.0 (unproven)"].contains(&origin.as_str()), "{origin}");
    let locked = scratch.envy("build --locked --require-outputs").code();
    assert_eq!(locked, if origin.ends_with("(proven)") { 0 } else { 4 });
}

#[test]
fn what_no_output_is_recorded_of_is_refused_before_anything_is_built() {
    let (registry, scratch) = built();
    let text = scratch.read("lockfiles/api.lock");
    let (pins, _) = text.split_once("[[package.output]]").expect("it has an output");
    scratch.write("lockfiles/api.lock", pins.trim_end().to_owned() + "\n");
    forget(&scratch);
    registry.go_away();
    let expected = expect![[r#"
        error: site `api` may only have outputs that its lockfile records
          no output of hello 1.0.0 is recorded for x86_64-linux-gnu
        hint: record them: run `envy build` without `--locked` on a host that fences builds, and commit the lockfile
    "#]];
    for command in ["build --locked", "build --locked --dry-run"] {
        let text = scratch.envy(&format!("{command} --require-outputs")).ends(4).text();
        expected.assert_eq(&text.replace("aarch64", "x86_64"));
    }
}

#[test]
fn a_host_that_cannot_build_what_is_required_is_told_to_bring_it() {
    let (_registry, scratch) = built();
    let rust = scratch.read("lockfiles/api.lock").parse::<toml::Table>().expect("a lockfile is TOML");
    let rust = rust["toolchain"]["rust"].as_str().expect("a text").to_owned();
    forget(&scratch);
    let text = scratch.without_rust().envy("build --locked --require-outputs").ends(4).text();
    let text = text.replace(&rust, "[RUST]").replace(rust.split(' ').next().expect("a version"), "[VERSION]");
    expect![[r#"
        error: site `api` may only have outputs that its lockfile records
          what the lockfile records of hello 1.0.0 is not here
          to build it here: there is no rust [RUST] on this host
            found: none at all
        hint: bring it here: `envy pull api` from a cache, or `envy import` of what `envy bundle api` wrote
        hint: or build the same here: run `rustup toolchain install [VERSION] --profile minimal`
    "#]]
    .assert_eq(&text);
    scratch.without_rust().envy("build --locked").ends(7);
}

#[test]
fn what_can_never_be_recorded_is_refused_where_outputs_are_required() {
    let scratch = Scratch::new();
    scratch.write("tool/Cargo.toml", "[package]\nname = 'tool'\nversion = '0.1.0'\nedition = '2024'\n");
    scratch.write("tool/src/main.rs", "fn main() {}\n");
    scratch.write("envy.toml", format!("{STRICT}[sites.api.dependencies]\ntool = {{ path = 'tool' }}\n"));
    let hint = "hint: a site with a directory cannot require outputs: take that package from git, or leave `require-outputs` off";
    scratch
        .envy("build")
        .ends(4)
        .says("tool 0.1.0 is made from a directory, of which no output is ever recorded")
        .says(hint)
        .never_says("record them");
    scratch.envy("lock").succeeds();
    scratch.envy("build --locked").ends(4).says(hint).never_says("record them");
    scratch.shell().sh("rm -r lockfiles").succeeds();
    scratch.envy("build").ends(4);
    assert!(!scratch.path("lockfiles/api.lock").exists(), "a failed build leaves nothing");

    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", format!("{STRICT}sandbox = 'off'\n{API}"));
    scratch.envy("build").ends(4).says("no output of hello 1.0.0 is recorded for");
}
