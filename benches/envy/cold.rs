//! Locking: where nothing has changed, and where nothing is there yet.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::measure::{Limit, Report, Side};
use crate::registry::Registry;
use crate::scene::{Programs, Scene};

const CRATES: usize = 20;

/// Milliseconds until the registry answers.
const LATE: u64 = 50;

/// Locking a site of a hundred packages whose lockfile is what it would be.
pub fn relock(report: &mut Report, programs: &Programs) {
    let scene = Scene::of_recipes(programs.clone(), 100);
    let side = |(name, program): (&'static str, &Path)| {
        let (scene, program) = (&scene, program.to_owned());
        Side::process(name, move || scene.command(&program, "lock first"))
    };
    let sides = scene.programs.named().into_iter().map(side).collect();
    report.group("envy lock, 100 packages, nothing changed", sides, &[Limit::Time(Duration::from_millis(10))]);
}

/// Locking a site of crates with an empty store and cache, beside one client that asks for the same things.
pub fn case(report: &mut Report, programs: &Programs) {
    let registry = Registry::new();
    let scene = Scene::unlocked(programs.clone(), &registry, CRATES, LATE);
    scene.run("lock first");
    let asked: Vec<_> =
        registry.requests().iter().filter_map(|line| line.split(' ').nth(1).map(str::to_owned)).collect();
    report.note(&format!("{} requests, each answered after {LATE} ms", asked.len()));
    let host = registry.index().trim_start_matches("sparse+http://").trim_end_matches("/index/").to_owned();
    let envy = |(name, program): (&'static str, &Path)| {
        let (scene, program) = (&scene, program.to_owned());
        Side::process(name, move || scene.command(&program, "lock first")).after(|| scene.forget())
    };
    let mut sides: Vec<_> = scene.programs.named().into_iter().map(envy).collect();
    sides.push(Side::call("one parallel client", || client(&host, &asked)));
    let limit = Limit::Part { of: "one parallel client", at_most: 1.5 };
    report.group_of(15, &format!("locking {CRATES} crates, nothing there before"), sides, &[limit]);
}

/// The registry's description first, then all entries at once, then all archives at once.
fn client(host: &str, asked: &[String]) {
    let (entries, archives): (Vec<_>, Vec<_>) = asked.iter().partition(|path| path.starts_with("/index/"));
    let (config, entries): (Vec<_>, Vec<_>) = entries.into_iter().partition(|path| path.ends_with("config.json"));
    for batch in [config, entries, archives] {
        thread::scope(|scope| batch.iter().for_each(|path| drop(scope.spawn(|| get(host, path)))));
    }
}

fn get(host: &str, path: &str) {
    let mut stream = TcpStream::connect(host).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").expect("it reads");
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while !is_whole(&answer) {
        let length = stream.read(&mut buffer).expect("it answers");
        assert!(length > 0, "the answer to `{path}` was cut off");
        answer.extend_from_slice(&buffer[..length]);
    }
}

/// Whether a body of the announced length is there.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    answer.len() >= end + 4 + length.unwrap_or(0)
}
