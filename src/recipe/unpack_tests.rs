//! The recipe `unpack`, rendered and run.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use expect_test::expect;

use super::{Book, Value, Values};

fn script(root: &str, install: &[&str]) -> String {
    let (source, build, destdir) = (format!("{root}/source"), format!("{root}/build"), format!("{root}/dest"));
    let values = Values {
        prefix: "/p",
        destdir: &destdir,
        source: &source,
        build: &build,
        name: "tool",
        version: &"1.0.0".parse().unwrap(),
        platform: "x86_64-linux-gnu".parse().unwrap(),
    };
    let (book, install) = (Book::built_in(), Value::List(install.iter().map(|item| (*item).to_owned()).collect()));
    let recipe = book.get("unpack").unwrap();
    recipe.script(&recipe.params([("install", install)]).unwrap(), &values).unwrap()
}

/// What is installed of a source with these files, or what the script has to say. A name that ends in `*` may be executed.
fn run(files: &[(&str, &str)], install: &[&str]) -> Result<BTreeSet<String>, String> {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for part in ["source", "build", "dest"] {
        std::fs::create_dir(root.join(part)).unwrap();
    }
    for (name, content) in files {
        let path = root.join("source").join(name.trim_end_matches('*'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match content.strip_prefix("-> ") {
            Some(target) => std::os::unix::fs::symlink(target, &path).unwrap(),
            None => std::fs::write(&path, content).unwrap(),
        }
        if !content.starts_with("-> ") {
            // As they are in the store.
            let mode = if name.ends_with('*') { 0o555 } else { 0o444 };
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    let output = Command::new("sh").args(["-c", &script(root.to_str().unwrap(), install)]).output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8(output.stderr).unwrap());
    }
    let mut found = BTreeSet::new();
    list(&root.join("dest/p"), "", &mut found);
    Ok(found)
}

fn list(directory: &Path, prefix: &str, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().into_string().unwrap());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            list(&entry.path(), &format!("{path}/"), found);
        } else if kind.is_symlink() {
            found.insert(format!("{path} -> {}", std::fs::read_link(entry.path()).unwrap().display()));
        } else {
            let executable = entry.metadata().unwrap().permissions().mode() & 0o100 != 0;
            found.insert(format!("{path}{}", if executable { "*" } else { "" }));
        }
    }
}

fn check(files: &[(&str, &str)], install: &[&str], expected: &[&str]) {
    let expected: BTreeSet<_> = expected.iter().map(|path| (*path).to_owned()).collect();
    assert_eq!(run(files, install), Ok(expected), "{install:?}");
}

const TOOL: &[(&str, &str)] = &[
    ("x-1.0/x*", "#!/bin/sh\n"),
    ("x-1.0/man/x.1", "x"),
    ("x-1.0/man/y.1", "y"),
    ("x-1.0/link", "-> x"),
    ("a b", "a"),
];

#[test]
fn what_install_names_is_rendered_as_words() {
    let script = script("/r", &["bin/x=x-1.0/x", "share/it's=$(rm -rf /)"]);
    let puts: Vec<_> = script.lines().filter(|line| line.starts_with("put ")).collect();
    expect![[r#"
        [
            "put bin/x=x-1.0/x",
            "put 'share/it'\\''s=$(rm -rf /)'",
        ]
    "#]]
    .assert_debug_eq(&puts);
}

#[test]
fn files_and_directories_go_where_install_says() {
    check(TOOL, &["bin/x=x-1.0/x"], &["bin/x*"]);
    check(
        TOOL,
        &["bin/=x-1.0/x", "share/man/man1=x-1.0/man/"],
        &["bin/x*", "share/man/man1/x.1", "share/man/man1/y.1"],
    );
    check(TOOL, &["share/=x-1.0/man"], &["share/man/x.1", "share/man/y.1"]);
    check(TOOL, &["./=x-1.0/man"], &["man/x.1", "man/y.1"]);
    check(TOOL, &["bin/y=x-1.0/link", "data/a b=a b"], &["bin/y*", "data/a b"]);
    let all = [
        "share/x/x-1.0/x*",
        "share/x/x-1.0/man/x.1",
        "share/x/x-1.0/man/y.1",
        "share/x/x-1.0/link -> x",
        "share/x/a b",
    ];
    check(TOOL, &["share/x=."], &all);
    check(TOOL, &["share/x/=."], &all);
    check(TOOL, &["share/x=.", "share/x/x-1.0/z=a b"], &[&all[..], &["share/x/x-1.0/z"]].concat());
}

#[test]
fn what_install_cannot_do_is_said_by_name() {
    let fails = |install: &[&str], expected: &str| {
        let error = run(TOOL, install).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    fails(&["bin/x=x-2.0/x"], "install: `x-2.0/x` is not in the source, which has\na b\nx-1.0/link\n");
    fails(&["bin/x"], "install: `bin/x` is not of the form TO=FROM");
    fails(&["../x=a b"], "install: `../x` leads upwards by `..`");
    fails(&["x=../a b"], "install: `../a b` is no path in the source");
    fails(&["x=/etc/passwd"], "install: `/etc/passwd` is no path in the source");
    fails(&["x=tool-2/x-1.0/x"], "`tool-2/x-1.0/x` is not in the source, but `x-1.0/x` is");
    fails(&["x=a b", "x=x-1.0/x"], "two things are to be installed as x");
}

#[test]
fn the_usual_directories_are_copied_where_there_is_a_bin() {
    let files = [
        ("bin/x*", "x"),
        ("lib/libx.so.1*", "\x7fELF"),
        ("lib64", "-> lib"),
        ("share/x/y", "y"),
        ("README", ""),
        ("src/x.c", ""),
    ];
    check(&files, &[], &["bin/x*", "lib/libx.so.1*", "lib64 -> lib", "share/x/y"]);
}

#[test]
fn programs_are_found_wherever_they_lie() {
    let files = [
        ("x*", "\x7fELF"),
        ("deep/er/y*", "#!/bin/sh\n"),
        ("deep/libz.so*", "\x7fELF"),
        ("deep/libz.so.1*", "\x7fELF"),
        ("text*", "text"),
        ("not", "#!/bin/sh\n"),
        ("empty*", ""),
    ];
    check(&files, &[], &["bin/x*", "bin/y*"]);
}

#[test]
fn no_program_or_two_of_one_name_are_errors() {
    let error = run(&[("README", ""), ("data/x", "")], &[]).unwrap_err();
    assert!(error.contains("has to say what to install of\nREADME\ndata/x\n"), "{error}");
    let error = run(&[("a/x*", "#!x"), ("b/x*", "#!x")], &[]).unwrap_err();
    assert!(error.contains("`install` has to say which to install of\na/x\nb/x\n"), "{error}");
}
