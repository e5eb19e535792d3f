//! Measures envy from outside: whole processes, side by side, in turns, so that what else goes on strikes all alike.
//!
//! ```console
//! $ cargo bench                        # everything that needs no registry, each 40 times
//! $ cargo bench -- --check             # the same, and fail where a limit is passed
//! $ cargo bench -- --real fetch        # fetch this project's own crates, next to cargo
//! $ cargo bench -- --real tools        # build five small tools, next to cargo: some minutes
//! $ cargo bench -- resolver --draw docs/inside/resolver-speed.svg
//! $ cargo bench -- sites --draw docs/inside/sites.svg
//! $ cargo bench -- nothing second --against ../before/envy
//! ```
//!
//! A row has the shortest, the middle and the longest time, and a ratio is told for the shortest and for the middle: on a
//! busy machine the shortest say more. Limits go by the middle, and are meant for a machine that does nothing else. [`cases`] says what is run, [`measure`] how; `docs/inside/performance.md` has what came out.

#![allow(clippy::disallowed_methods, reason = "measuring stands outside of the program's doors")]
#![allow(clippy::print_stdout, reason = "this is the program's one output")]
#![allow(clippy::print_stderr, reason = "the harness of the tests says where it keeps a directory")]
#![allow(dead_code, reason = "the harness of the tests offers more than is used here")]

mod cases;
mod cold;
mod collect;
mod fetch;
mod git;
mod handover;
mod measure;
mod picture;
mod resolver;
mod scene;
mod sites;
mod tools;
mod unpack;
mod verify;

#[path = "../../tests/it/krate.rs"]
mod krate;
#[path = "../../tests/it/outcome.rs"]
mod outcome;
#[path = "../../tests/it/registry.rs"]
mod registry;
#[path = "../../tests/it/scratch.rs"]
mod scratch;
#[path = "../../tests/it/server.rs"]
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Measure envy, side by side with others.
#[derive(Debug, Parser)]
struct Cli {
    /// Only these: version, nothing, second, moves, generations, sites, plan, sandbox, git, unpack, resolver, relock, cold, verify, gc, handover, fetch, tools [default: all but the last two]
    cases: Vec<String>,
    /// How often each side runs
    #[arg(short = 'n', long, default_value_t = 40)]
    rounds: usize,
    /// How many blobs there are in the store that `gc` looks through
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..))]
    blobs: u32,
    /// Fail if a limit is passed
    #[arg(long)]
    check: bool,
    /// Also what needs the real registry: fetch, tools
    #[arg(long)]
    real: bool,
    /// How large the site is that is verified
    #[arg(long, value_name = "MEGABYTES", default_value_t = 1000)]
    verified: usize,
    /// The program to measure, instead of the one that was built with this
    #[arg(long, value_name = "FILE", default_value = scratch::ENVY)]
    envy: PathBuf,
    /// Another envy to measure next to it, such as one from before a change
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the process that fetches the crates of the Cargo.lock in this directory
    #[arg(long, hide = true, num_args = 2, value_names = ["PROJECT", "STORE"])]
    only_fetch: Option<Vec<PathBuf>>,
    /// Be the process that unpacks this archive into a store
    #[arg(long, hide = true, num_args = 2, value_names = ["ARCHIVE", "STORE"])]
    only_unpack: Option<Vec<PathBuf>>,
    /// Be the process that brings a tag of a git repository into the store in this directory
    #[arg(long, hide = true, num_args = 3, value_names = ["URL", "TAG", "DIRECTORY"])]
    only_git: Option<Vec<String>>,
    /// Make the fixture of real crates from the entries that cargo keeps in this directory
    #[arg(long, hide = true, value_name = "CACHE")]
    make_fixture: Option<PathBuf>,
    /// Draw the picture of `resolver` or of `sites`, whichever is named, into this file
    #[arg(long, value_name = "FILE")]
    draw: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some([project, store]) = cli.only_fetch.as_deref() {
        fetch::crates(project, store);
        return ExitCode::SUCCESS;
    }
    if let Some([archive, store]) = cli.only_unpack.as_deref() {
        unpack::into_store(archive, store);
        return ExitCode::SUCCESS;
    }
    if let Some([url, tag, directory]) = cli.only_git.as_deref() {
        git::tag(url, tag, directory.as_ref());
        return ExitCode::SUCCESS;
    }
    if let Some(cache) = cli.make_fixture.as_deref() {
        resolver::make_fixture(cache);
        return ExitCode::SUCCESS;
    }
    let mut report = measure::Report::new(cli.rounds);
    // They are started from other directories.
    let absolute = |path: PathBuf| std::path::absolute(path).expect("a path that was typed is not empty");
    let programs = scene::Programs { envy: absolute(cli.envy), against: cli.against.map(absolute) };
    if let Some(file) = cli.draw.as_deref() {
        match cli.cases.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["resolver"] => resolver::draw(file),
            ["sites"] => sites::draw(&report, &programs, file),
            _ => panic!("`--draw` draws `resolver` or `sites`: name one of them"),
        }
        return ExitCode::SUCCESS;
    }
    let wanted = |case: &str| match cli.cases.is_empty() {
        true => !["fetch", "tools"].contains(&case) || cli.real,
        false => cli.cases.iter().any(|it| it == case),
    };
    if wanted("version") {
        cases::version(&mut report, &programs);
    }
    if ["nothing", "second", "moves"].into_iter().any(wanted) {
        let scene = scene::Scene::new(programs.clone());
        if wanted("nothing") {
            cases::nothing_to_do(&mut report, &scene);
        }
        if wanted("second") {
            cases::second_site(&mut report, &scene);
        }
        if wanted("moves") {
            cases::moves(&mut report, &scene);
            sites::promotion(&mut report, &scene);
        }
    }
    if wanted("generations") {
        sites::generations(&mut report, &programs);
    }
    if wanted("sites") {
        sites::many(&mut report, &programs);
    }
    if wanted("plan") {
        cases::plan(&mut report, &programs);
    }
    if wanted("sandbox") {
        cases::sandbox(&mut report, &programs);
    }
    if wanted("resolver") {
        resolver::case(&mut report, cli.rounds);
    }
    if wanted("relock") {
        cold::relock(&mut report, &programs);
    }
    if wanted("cold") {
        cold::case(&mut report, &programs);
    }
    if wanted("handover") {
        handover::case(&mut report, &programs);
    }
    if wanted("gc") {
        collect::case(&mut report, &programs, cli.blobs as usize);
    }
    if wanted("unpack") {
        unpack::unpack(&mut report);
    }
    if wanted("git") {
        git::case(&mut report);
    }
    if wanted("verify") {
        verify::case(&mut report, &programs, cli.verified);
    }
    if wanted("fetch") && cli.real {
        cases::fetch(&mut report);
    }
    if wanted("tools") && cli.real {
        tools::case(&mut report, &programs, cli.rounds.min(3));
    }
    if cli.check && report.passed_a_limit() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
