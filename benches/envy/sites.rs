//! Many generations of a site, and many sites that share what they show.

use std::cell::{Cell, RefCell};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use envy::digest::TextDigest;
use tempfile::TempDir;

use crate::cases::{ms, uv_project};
use crate::measure::{Report, Side};
use crate::scene::{Programs, Scene, done};

/// How many generations are listed, and how many sites there are.
const MANY: usize = 1_000;

/// A list of many generations, each of ten packages.
pub fn generations(report: &mut Report, programs: &Programs) {
    let scene = Scene::new(programs.clone());
    multiply(&scene.path(".envy/sites/first"));
    let list = |(name, program): (&'static str, &Path)| {
        let (scene, program) = (&scene, program.to_owned());
        Side::process(name, move || scene.command(&program, "generations first"))
    };
    let sides = scene.programs.named().into_iter().map(list).collect();
    report.group(&format!("envy generations, {MANY} of them"), sides, &[ms(20)]);
    let switch = |(name, program): (&'static str, &Path)| {
        let (scene, program, next) = (&scene, program.to_owned(), Cell::new(1));
        let command = move || {
            next.set(next.get() % MANY + 1);
            scene.command(&program, &format!("switch first {}", next.get()))
        };
        Side::process(name, command)
    };
    let sides = scene.programs.named().into_iter().map(switch).collect();
    report.group(&format!("envy switch, among {MANY} generations"), sides, &[ms(10)]);
}

/// Copy the newest generation of a site until there are many, with a line of the history for each.
fn multiply(site: &Path) {
    let template = site.join("generations/2");
    let description = fs::read_to_string(template.join("generation.json")).expect("a generation has one");
    let history = fs::read_to_string(site.join("history.jsonl")).expect("a site has one");
    let line = history.lines().last().expect("it was built").to_owned();
    let mut all = history.clone();
    for number in 3..=MANY {
        let to = site.join("generations").join(number.to_string());
        fs::create_dir(&to).expect("there is room for a directory");
        for entry in fs::read_dir(&template).expect("it can be read").flatten() {
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            match fs::read_link(&from) {
                Ok(target) => symlink(target, to).expect("nothing is there yet"),
                Err(_) => drop(fs::copy(from, to).expect("it is a file")),
            }
        }
        let path = to.join("generation.json");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("it is ours");
        fs::write(&path, numbered(&description, number)).expect("there is room");
        let moved = format!("\"from\":{},\"to\":{number}", number - 1);
        all += &line.replace("\"from\":1,\"to\":2", &moved);
        all.push('\n');
    }
    fs::write(site.join("history.jsonl"), all).expect("there is room");
    fs::remove_file(site.join("current")).expect("it was built");
    symlink(format!("generations/{MANY}"), site.join("current")).expect("it was just removed");
}

/// The description of a generation with another number, sealed anew.
fn numbered(description: &str, number: usize) -> String {
    let mut description: serde_json::Value = serde_json::from_str(description).expect("it is JSON");
    let fields = description.as_object_mut().expect("it is an object");
    fields.insert("number".to_owned(), number.into());
    if fields.remove("seal").is_some() {
        let seal = TextDigest::of(description.to_string().as_bytes());
        description["seal"] = seal.to_string().into();
    }
    format!("{description:#}\n")
}

/// Many sites of one project that show the same ten packages: the time and the disk of one, next to what others do for each.
pub fn many(report: &mut Report, programs: &Programs) {
    let scene = Scene::new(programs.clone());
    let manifest = fs::read_to_string(scene.path("envy.toml")).expect("a scene has one");
    let lockfile = fs::read_to_string(scene.path("lockfiles/first.lock")).expect("it was built");
    let name = |number: usize| format!("site-{number}");
    let mut text = manifest;
    for number in 0..MANY {
        text += &format!("[sites.{}]\nextends = [\"first\"]\n", name(number));
        fs::write(scene.path(&format!("lockfiles/{}.lock", name(number))), &lockfile).expect("there is room");
    }
    fs::write(scene.path("envy.toml"), text).expect("there is room");
    let sites = scene.path(".envy/sites");
    let envy = |count: usize| {
        let begun = Instant::now();
        let names: Vec<_> = (0..count).map(name).collect();
        done(scene.command(&scene.programs.envy, &format!("build --locked {}", names.join(" "))));
        let time = begun.elapsed();
        let (bytes, files) =
            (0..count).map(|number| disk(&sites.join(name(number)))).fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        (0..count).for_each(|number| scene.bury(&name(number)));
        Amount { time, bytes, files, count }
    };
    report.table("sites that share what they show", &["sites", "ms a site", "KiB a site", "files a site"]);
    let amounts: Vec<_> = [1, 10, 100, MANY].map(|count| (count, envy(count))).into();
    for (count, amount) in &amounts {
        report.row("envy", *count, &amount.each());
    }
    for (name, make) in peers(report) {
        for count in [1, 10] {
            report.row(name, count, &measured(count, &make).each());
        }
    }
    let most = amounts.last().expect("there are some");
    report.bound("ms a site, of many", most.1.each()[0], 10.0);
    report.bound("KiB a site, of many", most.1.each()[1], 100.0);

    let all: Vec<_> = (0..MANY).map(name).collect();
    scene.run(&format!("build --locked {}", all.join(" ")));
    let nothing = |(name, program): (&'static str, &Path)| {
        let (scene, program) = (&scene, program.to_owned());
        Side::process(name, move || scene.command(&program, "build site-0 --locked"))
    };
    let sides = scene.programs.named().into_iter().map(nothing).collect();
    report.group(&format!("nothing to do at one of {MANY} sites: envy build site-0 --locked"), sides, &[ms(25)]);
    let nothing = |(name, program): (&'static str, &Path)| {
        let (scene, program) = (&scene, program.to_owned());
        Side::process(name, move || scene.command(&program, "build --locked"))
    };
    let sides = scene.programs.named().into_iter().map(nothing).collect();
    report.group_of(5, &format!("nothing to do at {MANY} sites: envy build --locked"), sides, &[ms(1_000)]);
}

/// What so many environments take together.
struct Amount {
    time: Duration,
    bytes: u64,
    files: u64,
    count: usize,
}

impl Amount {
    /// What each takes: milliseconds, KiB, files.
    fn each(&self) -> [f64; 3] {
        let count = self.count as f64;
        [self.time.as_secs_f64() * 1e3 / count, self.bytes as f64 / 1024.0 / count, self.files as f64 / count]
    }
}

/// The bytes on disk of all that is below a directory and belongs to it alone, and how many entries that are. A file with
/// other links costs no more than its entry.
fn disk(directory: &Path) -> (u64, u64) {
    let own = fs::symlink_metadata(directory).map_or(0, |metadata| metadata.blocks() * 512);
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.fold((own, 1), |(bytes, files), entry| {
        let metadata = fs::symlink_metadata(entry.path()).expect("it is there");
        let (more, below) = match metadata.is_dir() {
            true => disk(&entry.path()),
            false if metadata.nlink() > 1 => (0, 1),
            false => (metadata.blocks() * 512, 1),
        };
        (bytes + more, files + below)
    })
}

/// Makes an environment in a directory.
type Make = Box<dyn Fn(&Path)>;

/// What else makes environments, as far as this host has it.
fn peers(report: &Report) -> Vec<(&'static str, Make)> {
    let mut peers: Vec<(&'static str, Make)> = Vec::new();
    match uv_project() {
        Ok((uv, project)) => {
            let sync = move |directory: &Path| {
                let mut command = Command::new(&uv);
                command.args(["sync", "--locked"]).current_dir(project.path());
                command.env("UV_PROJECT_ENVIRONMENT", directory);
                done(command);
            };
            peers.push(("uv sync, 12 packages", Box::new(sync)));
        }
        Err(why) => report.note(&format!("uv is left out: {why}")),
    }
    let has_venv = Command::new("python3").args(["-m", "venv", "--help"]).output().is_ok_and(|it| it.status.success());
    if has_venv {
        let venv = |directory: &Path| {
            let mut command = Command::new("python3");
            command.args(["-m", "venv", "--without-pip"]).arg(directory);
            done(command);
        };
        peers.push(("python3 -m venv, no packages", Box::new(venv)));
    } else {
        report.note("virtual environments of Python are left out: this host makes none");
    }
    peers
}

fn measured(count: usize, make: &Make) -> Amount {
    // What was made is removed at the end: whoever makes files just after many were deleted waits for the file system.
    let graves: RefCell<Vec<TempDir>> = RefCell::default();
    let place = || -> PathBuf {
        let grave = tempfile::tempdir().expect("there is room for a directory");
        let place = grave.path().join("environment");
        graves.borrow_mut().push(grave);
        place
    };
    let places: Vec<_> = (0..count).map(|_| place()).collect();
    let begun = Instant::now();
    places.iter().for_each(|place| make(place));
    let time = begun.elapsed();
    let (bytes, files) = places.iter().map(|place| disk(place)).fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    Amount { time, bytes, files, count }
}

/// Giving a site what another one shows.
pub fn promotion(report: &mut Report, scene: &Scene) {
    scene.run("create target --from first");
    scene.run("build target --locked");
    let promote = |(name, program)| {
        Side::process(name, move || scene.command(program, "promote first target"))
            .after(|| scene.run("switch target 1"))
    };
    let sides = scene.programs.named().into_iter().map(promote).collect();
    report.group("envy promote", sides, &[ms(10)]);
    scene.run("delete target --purge");
}
