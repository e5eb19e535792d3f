//! Five small tools that share dependencies, by envy from an empty store, next to cargo with empty targets.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::measure::{Limit, Report, Side};
use crate::scene::Programs;

/// Tools of the same weeks, so that their lockfiles agree on some crates: three with cargo's usual profile, two that are
/// optimised as a whole.
const TOOLS: [(&str, &str); 5] =
    [("b3sum", "1.8.7"), ("cargo-llvm-lines", "0.4.48"), ("fd-find", "10.5.0"), ("jql", "9.0.3"), ("zoxide", "0.10.0")];

/// A project with one site that has all five, its lockfile, and a store that holds what was fetched.
struct Workshop {
    directory: TempDir,
    programs: Programs,
    /// What is in the store before anything was built.
    fetched: BTreeSet<PathBuf>,
}

impl Workshop {
    fn new(programs: &Programs) -> Self {
        let directory = tempfile::tempdir().expect("there is room for a directory");
        let mut workshop = Self { directory, programs: programs.clone(), fetched: BTreeSet::new() };
        fs::create_dir(workshop.path("project")).expect("the directory is ours");
        let tools: String = TOOLS.iter().map(|(name, version)| format!("{name} = \"={version}\"\n")).collect();
        let manifest = format!("[sites.tools.dependencies]\n{tools}");
        fs::write(workshop.path("project/envy.toml"), manifest).expect("the directory is ours");
        for arguments in ["lock", "fetch"] {
            let output = workshop.command(&programs.envy, arguments).output().expect("envy can be started");
            assert!(output.status.success(), "envy {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        }
        workshop.fetched = workshop.blobs();
        workshop
    }

    fn blobs(&self) -> BTreeSet<PathBuf> {
        let list = |directory: &Path| fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
        list(&self.path("store/blobs")).flat_map(|directory| list(&directory)).collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, envy: &Path, arguments: &str) -> Command {
        let mut command = Command::new(envy);
        command.args(arguments.split_whitespace()).current_dir(self.path("project"));
        command.env("ENVY_STORE", self.path("store")).env("ENVY_CACHE", self.path("cache"));
        command
    }

    /// Remove everything that was ever built. What was fetched stays, and so do unpacked crates, as with cargo.
    fn forget(&self) {
        self.blobs().difference(&self.fetched).for_each(|blob| fs::remove_file(blob).expect("it is ours"));
        for name in ["store/units", "store/results", "store/trees", "store/prefixes", "project/.envy"] {
            let path = self.path(name);
            if path.exists() {
                // Prefixes are read-only directories.
                let _ = Command::new("chmod").args(["-R", "u+w"]).arg(&path).status();
                fs::remove_dir_all(&path).expect("it is ours");
            }
        }
    }
}

/// Measure all five, from nothing built to all installed.
pub fn case(report: &mut Report, programs: &Programs, rounds: usize) {
    let workshop = Workshop::new(programs);
    let build = |share: &'static str| {
        let workshop = &workshop;
        move || {
            let mut command = workshop.command(&workshop.programs.envy, "build --locked");
            command.env("ENVY_SHARE", share);
            command
        }
    };
    let homes = RefCell::new(Vec::new());
    let empty = || homes.borrow_mut().push(tempfile::tempdir().expect("there is room for a directory"));
    let first = Cell::new(true);
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let install = || {
        // The time that does not count brings what is to be fetched.
        let offline = if first.replace(false) { "" } else { "--offline" };
        let root = homes.borrow().last().map(|home: &TempDir| home.path().to_owned()).expect("one was just made");
        let tools = TOOLS.map(|(name, version)| format!("{name}@{version}")).join(" ");
        let script =
            format!("set -e; for tool in {tools}; do \"$1\" install --locked {offline} --root \"$2\" $tool; done");
        let mut command = Command::new("sh");
        command.args([OsString::from("-c"), script.into(), "sh".into(), cargo.clone(), root.into()]);
        command.current_dir(workshop.path("project")).env_remove("CARGO_TARGET_DIR");
        command
    };
    let sides = vec![
        Side::process("envy build --locked", build("on")).after(|| workshop.forget()),
        Side::process("the same, nothing shared", build("off")).after(|| workshop.forget()),
        Side::process("cargo install --locked, one by one", install).after(empty),
    ];
    let limits = [Limit::Part { of: "cargo install --locked, one by one", at_most: 0.8 }];
    report.group_of(rounds, "five small tools that share dependencies", sides, &limits);
}
