//! Mirrors: other addresses for what a manifest names, which lockfiles do not know of.

use expect_test::expect;

use crate::packed::{Files, Tar, script};
use crate::registry::checksum;
use crate::scratch::Scratch;
use crate::server::Fault;

fn tool() -> Vec<u8> {
    Tar::new().program("tool-1.0/bin/tool", script("tool")).done()
}

/// A site that wants `https://example.org/pub/tool-1.0.tar`, and the mirrors of the project.
fn wanting(mirrors: &str) -> Scratch {
    let scratch = Scratch::new();
    let sum = checksum(&tool());
    scratch.write(
        "envy.toml",
        format!(
            "[sites.api.dependencies]\n\
             tool = {{ url = \"https://example.org/pub/tool-{{version}}.tar\", version = \"1.0\", sha256 = \"{sum}\" }}\n\n\
             [mirrors]\n{mirrors}\n",
        ),
    );
    scratch
}

#[test]
fn the_mirror_of_the_longest_prefix_is_asked_and_the_lockfile_keeps_the_name() {
    let (near, far) = (Files::new(), Files::new());
    near.put("/m/tool-1.0.tar", tool());
    let scratch = wanting(&format!(
        "\"https://example.org/\" = \"{}\"\n\"https://example.org/pub/\" = \"{}\"",
        far.url("/"),
        near.url("/m/")
    ));

    scratch.envy("run api -- tool").succeeds().says("--- stdout ---\ntool\n");

    assert_eq!(near.requests(), ["GET /m/tool-1.0.tar 200"]);
    assert_eq!(far.requests(), [""; 0]);
    let locked = scratch.read("lockfiles/api.lock");
    assert!(locked.contains("source = \"archive+https://example.org/pub/tool-{version}.tar\""), "{locked}");
    assert!(!locked.contains("127.0.0.1"), "{locked}");
}

#[test]
fn another_mirror_is_no_drift() {
    let [first, second] = [Files::new(), Files::new()];
    let mirror = |files: &Files| format!("\"https://example.org/pub/\" = \"{}\"", files.url("/"));
    second.put("/tool-1.0.tar", tool());
    first.put("/tool-1.0.tar", tool());
    let scratch = wanting(&mirror(&first));
    scratch.envy("lock").succeeds();
    scratch.shell().sh("chmod -R u+w ../data && rm -r ../data/envy").succeeds();

    scratch.write("envy.toml", scratch.read("envy.toml").replace(&mirror(&first), &mirror(&second)));
    scratch.envy("build --locked").succeeds();
    assert_eq!(second.requests(), ["GET /tool-1.0.tar 200"]);
}

#[test]
fn a_directory_can_be_a_mirror() {
    let scratch = Scratch::new();
    let mirror = format!("\"https://example.org/pub/\" = \"file://{}/\"", scratch.root().display());
    scratch.write("envy.toml", wanting(&mirror).read("envy.toml")).write("../tool-1.0.tar", tool());
    scratch.envy("run api --offline -- tool").succeeds().says("--- stdout ---\ntool\n");
}

#[test]
fn a_mirror_that_serves_something_else_is_named_and_nothing_is_kept() {
    let mirror = Files::new();
    mirror.put("/tool-1.0.tar", tool());
    mirror.misbehave("/tool", Fault::WrongBytes);
    let scratch = wanting(&format!("\"https://example.org/pub/\" = \"{}\"", mirror.url("/")));
    scratch.envy("build").fails(4, expect![[r#"
        error: `tool 1.0` is not what was pinned
          from     http://127.0.0.1:[PORT]/tool-1.0.tar
          in place of https://example.org/pub/tool-1.0.tar
          expected sha256:[..]
          received sha256:[..]
        hint: nothing of it was kept; if the new content is right, correct its `sha256` in `envy.toml`, or run `envy update` where it has none
    "#]]);
    assert!(!scratch.store().join("blobs").exists(), "nothing of it was kept");
    assert!(!scratch.path("lockfiles").exists());
}

#[test]
fn a_mirror_that_is_gone_is_named_and_nobody_else_is_asked() {
    let mirror = Files::new();
    let scratch = wanting(&format!("\"https://example.org/pub/\" = \"{}\"", mirror.url("/")));
    scratch.envy("build").fails(1, expect![[r#"
        error: could not fetch `tool 1.0`
          `https://example.org/pub/tool-1.0.tar` is fetched from its mirror `http://127.0.0.1:[PORT]/tool-1.0.tar`, and from nowhere else: `http://127.0.0.1:[PORT]/tool-1.0.tar` answered 404 Not Found
        hint: try again, or correct the mirror in `[mirrors]` of `envy.toml`
    "#]]);
    mirror.go_away();
    let outcome = scratch.env("CARGO_NET_RETRY", "0").envy("build");
    outcome.ends(1).says("https://example.org/pub/tool-1.0.tar").says("http://127.0.0.1:[PORT]/tool-1.0.tar");
}

#[test]
fn a_mirror_that_anyone_can_read_along_with_is_refused() {
    let scratch = wanting("\"https://example.org/\" = \"http://mirror.example.net/\"");
    scratch.envy("build").fails(1, expect![[r#"
        error: the mirror `http://mirror.example.net/` of `https://example.org/` is not encrypted, though what it stands for is
    "#]]);
}

#[test]
fn repositories_have_mirrors_too() {
    let scratch = Scratch::new();
    let source = "../mirror/tool.git";
    scratch
        .write(format!("{source}/Cargo.toml"), "[package]\nname = \"tool\"\nversion = \"1.0.0\"\nedition = \"2021\"\n")
        .write(format!("{source}/Cargo.lock"), "version = 4\n\n[[package]]\nname = \"tool\"\nversion = \"1.0.0\"\n")
        .write(format!("{source}/src/main.rs"), "fn main() { println!(\"from the mirror\") }\n");
    scratch.in_dir(source).sh("git init -q && git add . && git commit -qm one && git tag v1.0.0").succeeds();
    let mirror = format!("file://{}/mirror/", scratch.root().display());
    scratch.write(
        "envy.toml",
        format!(
            "[sites.api.dependencies]\ntool = {{ git = \"https://example.org/tool.git\", version = \"1\" }}\n\n\
             [mirrors]\n\"https://example.org/\" = \"{mirror}\"\n",
        ),
    );
    scratch.envy("run api -- tool").succeeds().says("from the mirror");
    let locked = scratch.read("lockfiles/api.lock");
    assert!(locked.contains("source = \"git+https://example.org/tool.git?version=^1\""), "{locked}");
    assert!(!locked.contains("file:"), "{locked}");
}
