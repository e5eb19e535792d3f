//! What builds may use and how far they may go, as whoever runs envy sees it.

use expect_test::expect;

use crate::packed::{Files, Tar};
use crate::registry::{Crate, Registry};
use crate::scratch::{ENVY, Scratch};

/// A site with a package whose recipe, of the project's own, is this one step.
fn with_step(files: &Files, settings: &str, tools: &str, step: &str) -> Scratch {
    let source = Tar::new().file("x-1/x.c", "int main(void) { return 0; }\n").done();
    let source = files.put("/x.tar", source);
    let scratch = Scratch::new();
    scratch.write(
        "envy.toml",
        format!("{settings}\n[sites.api.dependencies]\nx = {{ version = \"1\", recipe = \"own\", {source} }}\n"),
    );
    let recipe = format!("summary = 'x'\ntools = [{tools}]\n[[step]]\nname = 'build'\nrun = \"\"\"\n{step}\n\"\"\"\n");
    scratch.write("recipes/own.toml", recipe);
    scratch
}

const INSTALL: &str = "install -D x {{ destdir }}{{ prefix }}/bin/x";

/// Runs envy where nobody gets namespaces, as in most containers.
fn without_namespaces(arguments: &str) -> String {
    format!("unshare -r sh -c 'echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" \"$@\"' {ENVY} {arguments}")
}

fn is_root_with_unshare(scratch: &Scratch) -> bool {
    let there = scratch.shell().sh("[ $(id -u) = 0 ] && [ -w / ] && unshare -r true").code() == 0;
    if !there {
        eprintln!("left out: not root, or no `unshare`");
    }
    there
}

#[test]
fn a_tool_that_is_missed_is_named_with_how_to_declare_it() {
    let files = Files::new();
    let scratch = with_step(&files, "", "", "cc -o x x.c");
    let outcome = scratch.envy("build");
    let error = outcome.ends(1).stderr().split_once("error: ").expect("it failed").1;
    let lines: Vec<&str> = error.lines().filter(|line| !line.contains("full log: ") && !line.contains(" | ")).collect();
    expect![[r#"
        building `x 1` failed in step 1 of 1, `build` (exit status: 127)
          + cc -o x x.c
          `cc` is not among the tools of recipe `own`
        hint: add "cc" to `tools` of recipe `own`"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn a_crate_that_misses_a_tool_is_told_to_declare_it_beside_its_version() {
    let registry = Registry::new();
    let build =
        "fn main() {\n    std::process::Command::new(\"cmake\").status().expect(\"is `cmake` installed?\");\n}\n";
    registry.publish(Crate::new("hello", "1.0.0").bin("hello").file("build.rs", build));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = \"1\"\n");
    scratch
        .envy("build")
        .says("`cmake` is not among the tools of recipe `cargo`")
        .says("hint: write `tools = [\"cmake\"]` beside the version of `hello` in `envy.toml`")
        .ends(1);
}

#[test]
fn a_build_that_wants_the_network_is_told_that_there_is_none() {
    let files = Files::new();
    let step = "echo 'curl: (6) Could not resolve host: example.org' >&2; exit 6";
    let scratch = with_step(&files, "", "", step);
    scratch
        .envy("build")
        .says("it wanted the network: curl: (6) Could not resolve host: example.org")
        .says("hint: builds have no network")
        .ends(1);
}

#[test]
fn a_build_that_hangs_ends_after_its_time() {
    let files = Files::new();
    let scratch = with_step(&files, "[settings]\nbuild-timeout = \"1s\"", "", "echo begun; sleep 1000");
    scratch
        .envy("build")
        .says("error: building `x 1` failed in step 1 of 1, `build` (stopped: it took longer than 1 second)")
        .says("| begun")
        .says("hint: if it needs longer, raise `build-timeout` below `[settings]` in `envy.toml`")
        .ends(1);
    let results = scratch.store().join("results");
    assert!(!results.exists() || results.read_dir().expect("it is there").next().is_none(), "nothing is half-made");
}

#[test]
fn a_build_that_fills_its_log_is_stopped() {
    let files = Files::new();
    let scratch = with_step(&files, "", "", "yes");
    scratch.envy("build").says("`build` (stopped: its log grew beyond 64 MiB)").ends(1);
}

#[test]
fn where_there_are_no_namespaces_required_refuses_and_auto_says_so() {
    let files = Files::new();
    let scratch = with_step(&files, "[settings]\nsandbox = \"required\"", "'cc'", &format!("cc -o x x.c\n{INSTALL}"));
    if !is_root_with_unshare(&scratch) {
        return;
    }
    scratch
        .shell()
        .sh(&without_namespaces("build"))
        .says("error: a sandbox is required, but this host allows none: envy could not make namespaces (")
        .says("hint: install `bubblewrap`, or write `sandbox = \"auto\"`")
        .ends(7);
    scratch.write("envy.toml", scratch.read("envy.toml").replace("required", "auto"));
    let outcome = scratch.shell().sh(&without_namespaces("build"));
    outcome.succeeds();
    let warnings = outcome.stderr().matches("building without a sandbox, so outputs are not recorded").count();
    assert_eq!(warnings, 1, "{}", outcome.stderr());
    assert!(!scratch.read("lockfiles/api.lock").contains("[[package.output]]"));
}

#[test]
fn root_without_namespaces_builds_what_the_fence_builds() {
    let files = Files::new();
    let c = "char const *where = __FILE__ \" {{ prefix }}\"; int main(void) { return where == 0; }";
    let step = format!(
        "echo '{c}' > /envy/src/y.c\npwd >> /envy/src/y.txt\ncc -g -o x /envy/src/y.c\n{INSTALL}\ncp y.txt {{{{ destdir }}}}{{{{ prefix }}}}/y.txt"
    );
    let scratch = with_step(&files, "", "'cc'", &step);
    if !is_root_with_unshare(&scratch) {
        return;
    }
    scratch.envy("build").succeeds();
    assert!(scratch.read("lockfiles/api.lock").contains("[[package.output]]"));
    scratch.shell().sh("chmod -R u+w .envy ../data && rm -rf .envy ../data/envy").succeeds();
    scratch.shell().sh(&without_namespaces("build --locked")).succeeds().says("building without a sandbox");
    scratch.envy("status api").says("(proven)");
}

#[test]
fn root_without_namespaces_builds_crates_as_the_fence_does() {
    let registry = Registry::new();
    registry.publish(Crate::new("low", "1.0.0").lib().file(
        "src/lib.rs",
        "pub fn name() -> &'static str {\n    concat!(env!(\"CARGO_MANIFEST_DIR\"), file!())\n}\n",
    ));
    let main = "fn main() {\n    println!(\"{} {} {}\", low::name(), file!(), env!(\"CARGO_MANIFEST_DIR\"))\n}\n";
    registry.publish(Crate::new("hello", "1.0.0").bin("hello").dep("low", "1").file("src/main.rs", main));
    let scratch = Scratch::with(&registry);
    if !is_root_with_unshare(&scratch) {
        return;
    }
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = \"1\"\n");
    scratch.envy("build").succeeds();
    scratch.shell().sh("chmod -R u+w .envy ../data && rm -rf .envy ../data/envy").succeeds();
    scratch.shell().sh(&without_namespaces("build --locked")).succeeds().says("building without a sandbox");
    scratch.envy("status api").says("(proven)");
}
