//! Collecting garbage: a store of many blobs, of which a site needs half.

use std::fs;
use std::path::Path;
use std::time::Duration;

use envy::package::SiteName;
use envy::platform::Platform;
use envy::site::{Files, Generation, Place};
use envy::store::Store;
use envy::tree::{Node, Tree};

use crate::measure::{Limit, Report, Side};
use crate::scene::{Programs, done};
use crate::scratch::Scratch;

/// How often each side runs.
const ROUNDS: usize = 5;

/// How many files a package has, and a directory of it.
const FILES: usize = 1_000;
const IN_DIRECTORY: usize = 50;

/// What `envy gc` takes of the processor in a store of so many blobs: to decide, several times, and once to remove half.
pub fn case(report: &mut Report, programs: &Programs, blobs: usize) {
    let scratch = Scratch::new();
    fill(&scratch, blobs);
    let collect = |program: &Path, arguments: &str| {
        let like = scratch.envy_command(arguments);
        let mut command = std::process::Command::new(program);
        command.args(like.get_args()).current_dir(scratch.path("")).env_clear();
        command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    };
    let side = |(name, program): (&'static str, &Path)| {
        let program = program.to_owned();
        Side::cpu_of_process(name, move || collect(&program, "gc --dry-run --keep-days 0"))
    };
    let sides = programs.named().into_iter().map(side).collect();
    let title = format!("cpu of envy gc --dry-run, a store of {blobs} blobs, half of them needed");
    report.group_of(ROUNDS, &title, sides, &[Limit::Time(Duration::from_secs(2))]);
    let before = crate::measure::cpu_of_children();
    done(collect(&programs.envy, "gc --keep-days 0"));
    let time = crate::measure::cpu_of_children() - before;
    report.note(&format!("to remove the other half as well, once: {:.2} s of cpu", time.as_secs_f64()));
}

/// Packages of a thousand files, every other one of which a site shows.
fn fill(scratch: &Scratch, blobs: usize) {
    let store = Store::at(scratch.store());
    let temporary = store.temporary_directory().expect("there is room").join("next");
    // As `put_file_at` wants it: its directories come about with the first file of each.
    let mut shown = Tree::default();
    for package in 0..blobs.div_ceil(FILES) {
        let mut tree = Tree::default();
        for number in 0..FILES.min(blobs - package * FILES) {
            let text = format!("file {number} of package {package}\n");
            let file = store.put_file_at(text.as_bytes(), false, &temporary).expect("there is room");
            let path = format!("share/package-{package}/{}/{number}", number / IN_DIRECTORY);
            tree.insert(&path, Node::File(file)).expect("each path is new");
            if package % 2 == 0 {
                shown.insert(&path, Node::File(file)).expect("each path is new");
            }
        }
        store.put_tree(&tree).expect("there is room");
    }
    let prefix = store.materialise(&shown).expect("all of it is there");
    let name: SiteName = "first".parse().expect("a name");
    let (sites, project) = (scratch.path(".envy/sites"), scratch.path(""));
    fs::create_dir_all(sites.join("first/generations")).expect("there is room");
    let place = Place::new(&sites, &project, &name);
    let lockfile = envy::digest::TextDigest::of(b"");
    let generation = Generation::new("first", &Platform::host().to_string(), shown.digest(), lockfile);
    place.add_generation(generation, &prefix, "", &Files::default()).expect("there is room");
    store.add_root(place.path()).expect("there is room");
}
