//! What is measured, and next to what.

use std::cell::RefCell;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use envy::build::sandbox::{Entry, Fence, Launcher, Setting, View};
use tempfile::TempDir;

use crate::measure::{Limit, Report, Side};
use crate::scene::{Programs, Scene};

pub const fn ms(number: u64) -> Limit {
    Limit::Time(Duration::from_millis(number))
}

/// Starting at all.
pub fn version(report: &mut Report, programs: &Programs) {
    let version = |(name, program): (&'static str, &Path)| {
        let program = program.to_owned();
        let command = move || {
            let mut command = Command::new(&program);
            command.arg("--version");
            command
        };
        Side::process(name, command)
    };
    let mut sides: Vec<_> = programs.named().into_iter().map(version).collect();
    sides.push(Side::process("true", || Command::new("true")));
    report.group("envy --version", sides, &[ms(3)]);
}

/// A build of a site that is what its lockfile says.
pub fn nothing_to_do(report: &mut Report, scene: &Scene) {
    let build = |(name, program)| Side::process(name, move || scene.command(program, "build --locked"));
    let uv = uv_project();
    let mut sides: Vec<_> = scene.programs.named().into_iter().map(build).collect();
    match &uv {
        Ok((uv, project)) => {
            let sync = move || {
                let mut command = Command::new(uv);
                command.args(["sync", "--locked"]).current_dir(project.path());
                command
            };
            sides.push(Side::process("uv sync --locked", sync));
        }
        Err(why) => report.note(&format!("uv is left out: {why}")),
    }
    let limits = [ms(5), Limit::Part { of: "uv sync --locked", at_most: 1.0 / 3.0 }];
    report.group("nothing to do: envy build --locked, 10 packages", sides, &limits);
}

/// The plan of a site whose packages are all built: recipes are rendered, and every result is looked up.
pub fn plan(report: &mut Report, programs: &Programs) {
    let scene = Scene::of_recipes(programs.clone(), 100);
    let side = |(name, program): (&'static str, &Path)| {
        let (scene, program) = (&scene, program.to_owned());
        Side::process(name, move || scene.command(&program, "build --locked --dry-run"))
    };
    let sides = scene.programs.named().into_iter().map(side).collect();
    report.group("the plan of 100 packages: envy build --locked --dry-run", sides, &[ms(20)]);
}

/// What uv is to keep as it is: twelve packages, all told.
const PYPROJECT: &str = "\
[project]
name = \"scene\"
version = \"0\"
requires-python = \">=3.9\"
dependencies = [\"flask==3.0.3\", \"requests==2.32.3\"]
";

/// uv, and a project that it has locked and synchronised.
pub fn uv_project() -> Result<(PathBuf, TempDir), String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut programs = env::split_paths(&path).map(|directory| directory.join("uv")).filter(|file| file.is_file());
    // A wrapper in some shell would be measured with it.
    let uv = programs.find(|file| fs::read(file).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF")));
    let uv = uv.ok_or("it is not on the PATH")?;
    let project = tempfile::tempdir().map_err(|error| error.to_string())?;
    fs::write(project.path().join("pyproject.toml"), PYPROJECT).map_err(|error| error.to_string())?;
    for verb in ["lock", "sync"] {
        let output =
            Command::new(&uv).arg(verb).current_dir(project.path()).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!("`uv {verb}` failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
    }
    Ok((uv, project))
}

/// Another site with the packages of the first.
pub fn second_site(report: &mut Report, scene: &Scene) {
    let gone = || {
        scene.bury("second");
        scene.run("delete second");
    };
    let fresh = || {
        gone();
        scene.run("create second --from first");
    };
    scene.run("create second --from first");
    let build =
        |(name, program)| Side::process(name, move || scene.command(program, "build second --locked")).after(fresh);
    let sides = scene.programs.named().into_iter().map(build).collect();
    report.group("a second site: envy build second --locked", sides, &[ms(10)]);
    let create =
        |(name, program)| Side::process(name, move || scene.command(program, "create second --from first")).after(gone);
    let sides = scene.programs.named().into_iter().map(create).collect();
    report.group("a second site: envy create second --from first", sides, &[]);
    gone();
}

/// Switching to another generation and back.
pub fn moves(report: &mut Report, scene: &Scene) {
    scene.run("create other --from first");
    scene.run("build other --locked");
    let switch = |((name, program), (from, to)): ((&'static str, _), (u64, u64))| {
        let command = move || scene.command(program, &format!("switch other {to}"));
        Side::process(name, command).after(move || scene.run(&format!("switch other {from}")))
    };
    let sides = scene.programs.named().into_iter().zip([(2, 1), (1, 2)]).map(switch).collect();
    report.group("envy switch", sides, &[ms(10)]);
    let back = |(name, program)| {
        let before = move || {
            scene.run("switch other 1");
            scene.run("switch other 2");
        };
        Side::process(name, move || scene.command(program, "rollback other")).after(before)
    };
    report.group("envy rollback", scene.programs.named().into_iter().map(back).collect(), &[ms(10)]);
    scene.run("delete other --purge");
}

/// Making a fence with few and with many entries, and running `true` in it.
pub fn sandbox(report: &mut Report, programs: &Programs) {
    for (launcher, name) in [(Launcher::Bubblewrap, "bubblewrap"), (Launcher::Native, "envy's own")] {
        let choice = Fence::choose_with_helper(programs.envy.clone(), Setting::Required, Some(launcher));
        let fence = match choice {
            Ok((fence, _)) => fence,
            Err(error) => {
                report.note(&format!("sandboxes of {name} are left out: {error}"));
                continue;
            }
        };
        let scratch = tempfile::tempdir().expect("there is room for a directory");
        let log = File::create(scratch.path().join("log")).expect("it was just made");
        let views = [10, 250].map(|entries| (entries, view(scratch.path(), entries)));
        let run = |(entries, view): &(usize, View)| {
            let (fence, scratch, log, view) = (&fence, scratch.path(), &log, view.clone());
            let run = move || {
                let status = fence.run(&view, scratch, log).expect("it was found to work");
                assert!(status.success(), "`true` failed ({status})");
            };
            Side::call(format!("{entries} entries"), run)
        };
        let mut sides: Vec<_> = views.iter().map(run).collect();
        sides.push(Side::process("true, without", || Command::new("true")));
        report.group(&format!("a sandbox by {name}, with `true` in it"), sides, &[]);
    }
}

/// The system, and as many more directories.
fn view(scratch: &Path, entries: usize) -> View {
    let system = ["/usr", "/bin", "/lib", "/lib64"].map(Path::new);
    let shown = |path: &&Path| Entry::ReadOnly { from: (*path).to_owned(), to: path.display().to_string() };
    let mut all: Vec<_> = system.iter().filter(|path| path.exists()).map(shown).collect();
    for number in all.len()..entries {
        let from = scratch.join(format!("in-{number}"));
        fs::create_dir_all(&from).expect("there is room for a directory");
        all.push(Entry::ReadOnly { from, to: format!("/envy/crates/{number}") });
    }
    let environment = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into();
    View { entries: all, environment, directory: "/usr".to_owned(), command: vec!["true".to_owned()] }
}

/// The crates of this very project's Cargo.lock, from the registry to the disk, with nothing there before.
pub fn fetch(report: &mut Report) {
    const ROUNDS: usize = 3;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let this = env::current_exe().expect("it runs");
    // All are removed at the end: whoever makes files just after many were deleted waits for the file system.
    let homes = RefCell::new(Vec::new());
    let empty = || {
        let home = tempfile::tempdir().expect("there is room for a directory");
        copy_config(home.path());
        homes.borrow_mut().push(home);
    };
    let home = || homes.borrow().last().map(|home: &TempDir| home.path().to_owned()).expect("one was just made");
    let envy = || {
        let mut command = Command::new(&this);
        command.arg("--only-fetch").arg(here).arg(home()).env("CARGO_HOME", home());
        command
    };
    let cargo = || {
        let mut command = Command::new(&cargo);
        command.args(["fetch", "--locked"]).current_dir(here).env("CARGO_HOME", home());
        command
    };
    let sides =
        vec![Side::process("envy", envy).after(empty), Side::process("cargo fetch --locked", cargo).after(empty)];
    let text = fs::read_to_string(here.join("Cargo.lock")).expect("cargo made it");
    let title = format!("fetching the {} crates of this project", text.matches("\nchecksum = ").count());
    let limits = [Limit::Part { of: "cargo fetch --locked", at_most: 1.0 }];
    report.group_of(ROUNDS, &title, sides, &limits);
}

/// Which registry and which proxy to use stays as the user has it.
fn copy_config(home: &Path) {
    let usual = || Some(PathBuf::from(env::var_os("HOME")?).join(".cargo"));
    let user = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(usual);
    for name in ["config.toml", "config"] {
        if let Some(config) = user.as_ref().map(|user| user.join(name)).filter(|config| config.is_file()) {
            fs::copy(config, home.join(name)).expect("it is readable");
        }
    }
}
