//! What else makes environments, as far as this host has it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use super::Amount;
use crate::cases::uv_project;
use crate::measure::Report;
use crate::scene::done;

/// Something that makes environments which share what is in them.
pub struct Peer {
    pub name: &'static str,
    /// Make one in this directory, which is not there yet.
    make: Box<dyn Fn(&Path)>,
}

impl Peer {
    fn new(name: &'static str, make: impl Fn(&Path) + 'static) -> Self {
        Self { name, make: Box::new(make) }
    }

    /// What so many take; they are gone afterwards.
    pub fn amount(&self, count: usize) -> Amount {
        // All are removed at the end: whoever makes files just after many were deleted waits for the file system.
        let all = tempfile::tempdir().expect("there is room for a directory");
        let places: Vec<_> = (0..count).map(|number| all.path().join(number.to_string())).collect();
        let begun = Instant::now();
        places.iter().for_each(|place| (self.make)(place));
        Amount::of(begun.elapsed(), &places)
    }
}

/// Those that are here; of others, the report says why they are left out.
pub fn of_host(report: &Report) -> Vec<Peer> {
    let all = [("uv", uv()), ("virtualenv", virtualenv()), ("python3 -m venv", venv()), ("Nix", nix())];
    let here = |(name, peer): (&str, Result<Peer, String>)| {
        peer.inspect_err(|why| report.note(&format!("{name} is left out: {why}"))).ok()
    };
    all.into_iter().filter_map(here).collect()
}

/// uv links files out of its cache.
fn uv() -> Result<Peer, String> {
    let (uv, project) = uv_project()?;
    Ok(Peer::new("uv sync, 12 packages", move |place| {
        let mut command = Command::new(&uv);
        command.args(["sync", "--locked"]).current_dir(project.path()).env("UV_PROJECT_ENVIRONMENT", place);
        done(command);
    }))
}

/// Packages would be copied; there are none.
fn virtualenv() -> Result<Peer, String> {
    answers(Command::new("virtualenv").arg("--version"))?;
    Ok(Peer::new("virtualenv, no packages", |place| {
        let mut command = Command::new("virtualenv");
        command.args(["--quiet", "--no-seed"]).arg(place);
        done(command);
    }))
}

fn venv() -> Result<Peer, String> {
    answers(Command::new("python3").args(["-m", "venv", "--help"]))?;
    Ok(Peer::new("python3 -m venv, no packages", |place| {
        let mut command = Command::new("python3");
        command.args(["-m", "venv", "--without-pip"]).arg(place);
        done(command);
    }))
}

/// What Nix is to show: ten programs, without a library of anybody's.
const PACKAGES: &str = "\
map (number: let name = \"tool-${toString number}\"; in derivation {
  name = \"${name}-1.0\";
  system = builtins.currentSystem;
  builder = \"/bin/sh\";
  args = [ \"-c\" \"/bin/mkdir -p $out/bin && echo ${name} > $out/bin/${name} && /bin/chmod +x $out/bin/${name}\" ];
}) (builtins.genList (number: number) 10)
";

/// A profile of Nix for each, in a store of its own. What they show is made once, as envy's prefix is.
fn nix() -> Result<Peer, String> {
    answers(Command::new("nix-env").arg("--version"))?;
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    fs::write(home.path().join("packages.nix"), PACKAGES).map_err(|error| error.to_string())?;
    fs::write(home.path().join("nix.conf"), "sandbox = false\nbuild-users-group =\nsubstituters =\n")
        .map_err(|error| error.to_string())?;
    let mut build = of_nix(&home, "nix-build");
    build.args(["--no-out-link", "packages.nix"]);
    let output = build.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("`nix-build` failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let built: Vec<PathBuf> = String::from_utf8_lossy(&output.stdout).lines().map(PathBuf::from).collect();
    Ok(Peer::new("nix-env -i, 10 packages", move |place| {
        fs::create_dir(place).expect("there is room for a directory");
        let mut install = of_nix(&home, "nix-env");
        install.arg("--profile").arg(place.join("profile")).arg("--install").args(&built);
        done(install);
    }))
}

/// A command of Nix that touches nothing outside of a directory.
fn of_nix(home: &TempDir, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(home.path()).env("HOME", home.path()).env("NIX_CONF_DIR", home.path());
    for (name, directory) in [("NIX_STORE_DIR", "store"), ("NIX_STATE_DIR", "state"), ("NIX_LOG_DIR", "log")] {
        command.env(name, home.path().join(directory));
    }
    command.env("PATH", env::var_os("PATH").unwrap_or_default());
    command
}

/// Whether a program can be started and is content.
fn answers(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
