//! Handing a site over: writing its bundle and making it from that, beside tar and zstd with the same bytes, which are
//! made to survive a power cut as envy's are.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::measure::{Limit, Report, Side};
use crate::scene::{Programs, Scene};

/// How large the package is, in megabytes, and in how many files each lies.
const MEGABYTES: usize = 64;
const FILES: usize = 30;

/// One package of many files.
pub fn case(report: &mut Report, programs: &Programs) {
    let scene = Scene::of_one_large(programs.clone(), MEGABYTES, FILES);
    scene.run("bundle first -o first.envy");
    let bundle = scene.path("first.envy");
    let has_zstd = Command::new("zstd").arg("--version").output().is_ok();
    if !has_zstd {
        report.note("tar is left out: there is no zstd");
    }
    let files = MEGABYTES * FILES;
    writing(report, &scene, has_zstd, &format!("envy bundle, {MEGABYTES} MB in {files} files"));
    importing(report, &scene, &bundle, has_zstd, &format!("envy import, {MEGABYTES} MB in {files} files"));
}

fn writing(report: &mut Report, scene: &Scene, has_zstd: bool, title: &str) {
    let bundle = |(name, program): (&'static str, &Path)| {
        let program = program.to_owned();
        Side::process(name, move || scene.command(&program, "bundle first -o again.envy"))
    };
    let mut sides: Vec<_> = scene.programs.named().into_iter().map(bundle).collect();
    let mut limits = Vec::new();
    if has_zstd {
        let prefix = fs::canonicalize(scene.path(".envy/sites/first/current/share")).expect("the site was built");
        let to = scene.path("peer.tar.zst");
        let tar = move || shell("tar --zstd -cf \"$1\" -C \"$2\" . && sync \"$1\"", &[&to, &prefix]);
        sides.push(Side::process("tar --zstd -c, and sync", tar));
        limits.push(Limit::Part { of: "tar --zstd -c, and sync", at_most: 2.0 });
    }
    report.group_of(10, title, sides, &limits);
}

fn importing(report: &mut Report, scene: &Scene, bundle: &Path, has_zstd: bool, title: &str) {
    let number = Cell::new(0);
    // A store and a project of its own each time; what was there is not removed meanwhile.
    let place = |number: usize| scene.path(&format!("import-{number}"));
    let fresh = || {
        number.set(number.get() + 1);
        fs::create_dir_all(place(number.get())).expect("there is room for a directory");
    };
    let import = |(name, program): (&'static str, &Path)| {
        let (program, number) = (program.to_owned(), &number);
        let command = move || {
            let place: PathBuf = place(number.get());
            let mut command = scene.command(&program, "import");
            command.arg(bundle).arg("--project").arg(place.join("project")).env("ENVY_STORE", place.join("store"));
            command
        };
        Side::process(name, command).after(fresh)
    };
    let mut sides: Vec<_> = scene.programs.named().into_iter().map(import).collect();
    let mut limits = Vec::new();
    if has_zstd {
        let tar = || shell("tar --zstd -xf \"$1\" -C \"$2\" && sync -f \"$2\"", &[bundle, &place(number.get())]);
        sides.push(Side::process("tar --zstd -x, and sync", tar).after(fresh));
        limits.push(Limit::Part { of: "tar --zstd -x, and sync", at_most: 2.5 });
    }
    report.group_of(10, title, sides, &limits);
}

/// Lines of shell with these arguments.
fn shell(script: &str, arguments: &[&Path]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-ec", script, "sh"]).args(arguments);
    command
}
