//! Many generations of a site, and many sites that share what they show.

mod amount;
mod peers;

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Instant;

use envy::digest::TextDigest;

use crate::cases::ms;
use crate::measure::{Report, Side};
use crate::picture::{self, Line, Panel, Scale};
use crate::scene::{Programs, Scene, done};
use amount::Amount;

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

/// The description of a generation with another number, sealed anew: by the digest of its text with naughts for the digits
/// of the seal.
fn numbered(description: &str, number: usize) -> String {
    let mut description: serde_json::Value = serde_json::from_str(description).expect("it is JSON");
    let open = "0".repeat(64);
    description["number"] = number.into();
    description["seal"] = format!("sha256:{open}").into();
    let text = format!("{description:#}\n");
    text.replace(&open, &TextDigest::of(text.as_bytes()).hex())
}

/// Many sites of one project that show the same ten packages.
struct Many {
    scene: Scene,
}

impl Many {
    /// Ask for them, all locked, none built.
    fn new(programs: &Programs) -> Self {
        let scene = Scene::new(programs.clone());
        let mut manifest = fs::read_to_string(scene.path("envy.toml")).expect("a scene has one");
        let lockfile = fs::read_to_string(scene.path("lockfiles/first.lock")).expect("it was built");
        for number in 0..MANY {
            let name = name(number);
            manifest += &format!("[sites.{name}]\nextends = [\"first\"]\n");
            fs::write(scene.path(&format!("lockfiles/{name}.lock")), &lockfile).expect("there is room");
        }
        fs::write(scene.path("envy.toml"), manifest).expect("there is room");
        Self { scene }
    }

    /// Build so many of them by one command.
    fn build(&self, count: usize) {
        let names: Vec<_> = (0..count).map(name).collect();
        done(self.scene.command(&self.scene.programs.envy, &format!("build --locked {}", names.join(" "))));
    }

    /// What so many take; they are gone afterwards.
    fn amount(&self, count: usize) -> Amount {
        let begun = Instant::now();
        self.build(count);
        let time = begun.elapsed();
        let places: Vec<_> = (0..count).map(|number| self.scene.path(".envy/sites").join(name(number))).collect();
        let amount = Amount::of(time, &places);
        (0..count).for_each(|number| self.scene.bury(&name(number)));
        amount
    }
}

fn name(number: usize) -> String {
    format!("site-{number}")
}

/// What sites take, envy's and those of others: for each who makes them, amounts by their number.
fn amounts(report: &Report, many: &Many) -> Vec<(&'static str, Vec<Amount>)> {
    let ours = [1, 10, 100, MANY].map(|count| many.amount(count)).into();
    let mut all = vec![("envy, 10 packages", ours)];
    for peer in peers::of_host(report) {
        all.push((peer.name, [1, 10, 100].map(|count| peer.amount(count)).into()));
    }
    all
}

/// The time and the disk of a site, next to what others do for each, and what it takes to find that nothing is to be done.
pub fn many(report: &mut Report, programs: &Programs) {
    let many = Many::new(programs);
    report.table("sites that share what they show", &["sites", "ms a site", "KiB a site", "files a site"]);
    let all = amounts(report, &many);
    for (name, amounts) in &all {
        for amount in amounts {
            report.row(name, amount.count, &amount.each());
        }
    }
    let [ms_each, kib_each, _] = all[0].1.last().expect("there are some").each();
    report.bound("ms a site, of many", ms_each, 10.0);
    report.bound("KiB a site, of many", kib_each, 100.0);

    many.build(MANY);
    let scene = &many.scene;
    let nothing = |arguments: &'static str| {
        let side = move |(name, program): (&'static str, &Path)| {
            let program: PathBuf = program.to_owned();
            Side::process(name, move || scene.command(&program, arguments))
        };
        scene.programs.named().into_iter().map(side).collect::<Vec<_>>()
    };
    let one = nothing("build site-0 --locked");
    report.group(&format!("nothing to do at one of {MANY} sites: envy build site-0 --locked"), one, &[ms(25)]);
    let each = nothing("build --locked");
    report.group_of(5, &format!("nothing to do at {MANY} sites: envy build --locked"), each, &[ms(1_000)]);
}

/// Draw the time and the disk of a site against how many there are.
pub fn draw(report: &Report, programs: &Programs, file: &Path) {
    let colours = ["#2166ac", "#b35806", "#1b7837", "#762a83", "#8c510a"];
    let all = amounts(report, &Many::new(programs));
    let lines = |which: usize| {
        let line = |((name, amounts), colour): (&(&'static str, Vec<Amount>), &'static str)| {
            let points = amounts.iter().map(|amount| (amount.count as f64, amount.each()[which])).collect();
            Line { name, colour, points }
        };
        all.iter().zip(colours).map(line).collect()
    };
    let panels = [("milliseconds a site", 0), ("KiB of its own a site", 1)];
    let panels = panels.map(|(up, which)| Panel { across: "sites", up, scale: Scale::Powers, lines: lines(which) });
    std::fs::write(file, picture::draw(&panels)).expect("there is room for a picture");
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
