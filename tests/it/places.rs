//! Where results go: files, links, pipes, devices, disks that are full; and projects at strange paths.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use expect_test::expect;
use serde_json::Value;

use crate::scratch::{ENVY, Scratch};

const RECIPE: &str = "summary = 'x'\nlicense = 'MIT'\n[versions.'1.0']\n[[step]]\nname = 'go'\nrun = '''\n\
    mkdir -p {{ destdir }}{{ prefix }}/bin; echo one >{{ destdir }}{{ prefix }}/bin/one\n'''\n";

/// A project with a site that was built.
fn built() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("recipes/one.toml", RECIPE);
    scratch.write("envy.toml", "[sites.api.dependencies]\none = { recipe = 'one', version = '1' }\n");
    scratch.envy("build").succeeds();
    scratch
}

const WRITES: [&str; 5] = [
    "bundle api",
    "export api --format tar",
    "export api --format spdx",
    "export api --format cyclonedx",
    "export api --format provenance",
];

#[test]
fn what_is_written_for_others_goes_where_a_path_leads() {
    let scratch = built();
    for write in WRITES {
        scratch.envy(&format!("{write} -o plain")).succeeds();
        let plain = fs::read(scratch.path("plain")).unwrap();
        assert!(!plain.is_empty());

        let sh = |script: &str| scratch.shell().sh(&script.replace("WRITE", &format!("{ENVY} {write}")));
        sh("rm -rf deep link pipe got; mkdir deep; ln -s deep/target link; mkfifo pipe; ln -sf /dev/null null")
            .succeeds();
        scratch.envy(&format!("{write} -o link")).succeeds();
        assert_eq!(fs::read_link(scratch.path("link")).unwrap(), Path::new("deep/target"), "{write}");
        assert_eq!(fs::read(scratch.path("deep/target")).unwrap(), plain, "{write}");

        sh("cat pipe >got & WRITE -o pipe && wait && test -p pipe && cmp got plain").succeeds();
        sh("WRITE -o /dev/stdout | cmp - plain && WRITE -o - | cmp - plain").succeeds();
        sh("echo before >got; WRITE -o /dev/stdout >>got && (echo before; cat plain) | cmp - got").succeeds();
        sh("WRITE -o null && test -L null && test -c null && test ! -e ./-").succeeds();
        sh("WRITE -o deep")
            .ends(1)
            .says("error: `deep` is a directory")
            .says("hint: name a file in it with `--output`");
        assert_eq!(fs::read_dir(scratch.path("deep")).unwrap().count(), 1, "{write}");
    }
    let said = scratch.envy("export api --format tar -o plain --json").json();
    assert_eq!(said["size"].as_u64(), fs::metadata(scratch.path("plain")).ok().map(|one| one.len()));
    scratch.envy("export api --format tar -o - --json").ends(2).says("two documents");
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let scratch = built();
    scratch.shell().sh(&format!("{ENVY} list >/dev/full")).fails(
        1,
        expect![[r#"
        error: the result could not be written to the standard output
          what the command did besides that is done
          caused by: No space left on device (os error 28)
        hint: free some space where the output goes
    "#]],
    );
    let commands =
        ["list --json", "status", "env api", "man", "export api --format spdx", "build --json", "completions bash"];
    for command in commands {
        scratch.shell().sh(&format!("{ENVY} {command} >/dev/full")).ends(1).says("could not be written");
        scratch
            .shell()
            .sh(&format!("trap '' PIPE; {{ sleep 0.2; {ENVY} {command}; echo $? >code; }} | true"))
            .succeeds();
        assert_eq!(scratch.read("code"), "0\n", "whoever closed the pipe has read enough: {command}");
    }
    scratch.shell().sh(&format!("{ENVY} export api --format tar -o - >/dev/full")).ends(1).says("No space left");
}

#[test]
fn nothing_is_promised_of_a_place_that_is_full_or_closed() {
    let scratch = built();
    scratch.shell().sh("ln -s /dev/full full").succeeds();
    for write in WRITES {
        let said = scratch.envy(&format!("{write} -o full"));
        said.ends(1)
            .says("No space left")
            .says("hint: free some space there, or name another place for it with `--output`");
        assert!(!said.text().contains("what was finished is kept"), "{said}");
    }
}

#[test]
fn a_doctor_on_a_full_disk_says_to_free_some_space() {
    let scratch = Scratch::new();
    let script =
        "mkdir -p ../data/envy/store && mount -t tmpfs -o size=4k,nr_inodes=1k none ../data/envy/store || exit 99
        echo full >../data/envy/store/full; ENVY doctor";
    let outcome = scratch.shell().sh(&format!("unshare -rm sh -c '{}'", script.replace("ENVY", ENVY)));
    if outcome.code() == 99 || outcome.text().contains("unshare:") {
        eprintln!("skipped: nothing may be mounted here");
        return;
    }
    outcome.ends(7).says("No space left on device").says("hint: free some space; `envy gc --dry-run`");
    outcome.never_says("give it another place: `ENVY_STORE`");
}

/// Every command that prints a document, each as it succeeds in the order of this list.
const DOCUMENTS: [&str; 39] = [
    "recipe new two",
    "recipe list",
    "recipe show one",
    "recipe check",
    "lock",
    "update",
    "fetch",
    "build --dry-run",
    "build",
    "status",
    "list",
    "env api",
    "verify",
    "tree",
    "outdated",
    "why api one",
    "why .envy/sites/api/current/bin/one",
    "why .envy/sites/api/generations",
    "generations api",
    "diff api api",
    "doctor",
    "store path",
    "store stats",
    "store verify",
    "push",
    "pull",
    "export api --format spdx -o spdx",
    "export api --format tar",
    "bundle api",
    "import api.envy",
    "import api.envy --site came",
    "create web",
    "add one --recipe one --site web --no-build",
    "remove one --site web --no-build",
    "promote api came",
    "switch api 1",
    "rollback api",
    "delete web",
    "gc",
];

#[test]
fn documents_are_printed_wherever_a_project_is() {
    let scratch = Scratch::new();
    let odd = |name: &str| Path::new(OsStr::from_bytes(&[name.as_bytes(), b"\xff"].concat())).to_owned();
    let shell = scratch.in_dir(odd("shop"));
    fs::create_dir(scratch.path("remote")).unwrap();
    let shell = shell.env("ENVY_REMOTE_CACHE", format!("file://{}", scratch.path("remote").display()));
    let init = shell.envy("init --json").succeeds().json();
    assert_eq!(init["schema"], "envy.init/1");
    let at = |file: &str| scratch.path(odd("shop")).join(file);
    fs::create_dir(at("recipes")).unwrap();
    fs::write(at("recipes/one.toml"), RECIPE).unwrap();
    fs::write(at("envy.toml"), "[sites.api]\n[sites.api.dependencies]\none = { recipe = 'one', version = '1' }\n")
        .unwrap();
    let (mut failed, mut printed) = (String::new(), BTreeSet::new());
    for command in DOCUMENTS {
        let said = shell.envy(&format!("{command} --json"));
        if said.code() == 0 {
            keys(&said.json(), &mut printed);
        }
        if said.code() != 0 || !said.json()["schema"].as_str().is_some_and(|schema| schema.starts_with("envy.")) {
            failed += &format!("{said}\n");
        }
    }
    assert!(failed.is_empty(), "{failed}");
    for command in ["store path", "store stats", "store verify", "gc", "doctor"] {
        shell
            .clone()
            .env("ENVY_STORE", scratch.path(odd("store")))
            .envy(&format!("{command} --json"))
            .succeeds()
            .json();
    }
    let page = include_str!("../../docs/reference/json.md");
    printed.retain(|key| !page.contains(&format!("`{key}`")));
    assert_eq!(printed.into_iter().collect::<Vec<_>>(), [""; 0], "the page on data has every key");

    let tree = shell.envy("tree api --json").json();
    let digest = tree["sites"][0]["packages"][0]["outputs"][0]["tree"].as_str().expect("a digest").to_owned();
    let why = shell.envy(&format!("gc --why {digest} --json")).succeeds().json();
    assert!(why["found"][0]["sites"].as_array().is_some_and(|sites| !sites.is_empty()), "{why:#}");
    shell.sh("rm -rf .envy").succeeds();
    let gone = shell.envy("gc --json").succeeds().json();
    assert_eq!(gone["forgotten"].as_array().map(Vec::len), Some(2), "{gone:#}");

    let mut missing = Vec::new();
    let mut program = <envy::cli::Cli as clap::CommandFactory>::command();
    program.build();
    for command in with_document(&program, "") {
        if command != "init" && !DOCUMENTS.iter().any(|typed| typed.starts_with(&command)) {
            missing.push(command);
        }
    }
    assert_eq!(missing, [""; 0], "each command with `--json` is tried above");
}

/// Every key of a document, but below those whose keys are names of something.
fn keys(document: &Value, found: &mut BTreeSet<String>) {
    const NAMES: [&str; 11] =
        ["checked", "env", "facts", "files", "freed", "kept", "kinds", "params", "provenance", "variables", "vars"];
    let below: Vec<_> = match document {
        Value::Object(object) => {
            found.extend(object.keys().cloned());
            object.iter().filter(|(key, _)| !NAMES.contains(&key.as_str())).map(|(_, value)| value).collect()
        }
        Value::Array(all) => all.iter().collect(),
        _ => Vec::new(),
    };
    below.into_iter().for_each(|value| keys(value, found));
}

/// The schemas that sources name.
fn schemas(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).expect("it is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            schemas(&path, found);
        } else {
            let text = fs::read_to_string(&path).expect("sources are text");
            found
                .extend(text.split('"').filter(|one| one.starts_with("envy.") && one.contains('/')).map(str::to_owned));
        }
    }
}

#[test]
fn the_page_on_data_knows_every_schema_that_a_command_prints() {
    let page = include_str!("../../docs/reference/json.md");
    let mut found = BTreeSet::new();
    schemas(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cmd"), &mut found);
    // What is written into a project is no output.
    found.remove("envy.imported/1");
    assert!(found.len() > 30, "{found:?}");
    let unknown: Vec<_> = found.iter().filter(|schema| !page.contains(&format!("`{schema}`"))).collect();
    assert_eq!(unknown, [""; 0]);
}

/// The commands that have `--json`.
fn with_document(command: &clap::Command, above: &str) -> Vec<String> {
    let mut found = Vec::new();
    for below in command.get_subcommands() {
        let name = format!("{above}{}", below.get_name());
        found.extend(with_document(below, &format!("{name} ")));
        if below.get_arguments().any(|argument| argument.get_long() == Some("json")) {
            found.push(name);
        }
    }
    found
}

#[test]
fn what_is_no_bundle_is_told_as_what_it_is() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("api.envy")).unwrap();
    scratch.envy("import api.envy").fails(
        1,
        expect![[r#"
            error: `api.envy` is a directory, and no bundle
            hint: name the file that `envy bundle` wrote
        "#]],
    );
}
