//! Verifying a large site, next to `openssl dgst -sha256` over the same files, on as many cores.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::measure::{Limit, Report, Side};
use crate::scene::{Programs, Scene};

/// How often each side runs.
const ROUNDS: usize = 9;

/// How many files a megabyte has.
const FILES: usize = 20;

/// Verify a site of so many megabytes, in twenty times as many files.
pub fn case(report: &mut Report, programs: &Programs, megabytes: usize) {
    if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
        println!("verify is left out: there is no openssl");
        return;
    }
    let scene = Scene::of_one_large(programs.clone(), megabytes, FILES);
    let list = scene.path("files");
    let mut files = Vec::new();
    collect(&std::fs::canonicalize(scene.path(".envy/sites/first/current/share")).expect("it is built"), &mut files);
    assert_eq!(files.len(), megabytes * FILES, "the site is not as large as it should be");
    let names: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
    std::fs::write(&list, names.join("\0")).expect("there is room for a list");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut sides = Vec::new();
    for (name, program) in programs.named() {
        sides.push(Side::process(name, || scene.command(program, "verify first")));
    }
    sides.push(Side::process("openssl dgst", || {
        let mut shell = Command::new("sh");
        let line = format!("exec xargs -0 -n 500 -P {cores} openssl dgst -sha256 <\"$1\"");
        shell.args(["-c", &line, "sh"]).arg(&list);
        shell
    }));
    for (name, program) in programs.named() {
        sides.push(Side::process(format!("{name}, --quick"), || scene.command(program, "verify first --quick")));
    }
    let title = format!("verifying {} files, {megabytes} MB, on {cores} cores", files.len());
    report.group_of(ROUNDS, &title, sides, &[Limit::Part { of: "openssl dgst", at_most: 1.3 }]);
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("it is there").flatten() {
        match entry.path() {
            path if path.is_dir() => collect(&path, files),
            path => files.push(path),
        }
    }
}
