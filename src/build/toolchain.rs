//! Rust toolchains of this host: found through PATH or in rustup's directory, and called directly, past its proxies.

use std::path::{Path, PathBuf};

use super::{Error, Memo, describe};
use crate::digest::TextDigest;
use crate::disk;
use crate::lock;
use crate::package::{Version, VersionReq};
use crate::platform::Platform;
use crate::process;

/// A compiler with its cargo and standard library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    sysroot: PathBuf,
    /// As it calls itself: version, commit and date.
    pub rust: String,
    /// The version alone.
    pub version: Version,
}

/// Which compiler would do.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// The one that a lockfile pins.
    Locked(&'a lock::Toolchain),
    /// One that `envy.toml` asks for, or any: the one that PATH leads to where that will do, else the newest.
    Any(Option<&'a VersionReq>),
}

impl Toolchain {
    /// Find one on this host.
    pub fn find(wanted: Wanted<'_>) -> Result<Self, Error> {
        let on_path = on_path().and_then(|sysroot| Self::at(&sysroot));
        if let Some(toolchain) = on_path.as_ref().filter(|toolchain| wanted.exactly(toolchain)) {
            return Ok(toolchain.clone());
        }
        let mut found: Vec<_> = installed().iter().filter_map(|sysroot| Self::at(sysroot)).chain(on_path).collect();
        found.sort_by(|a, b| b.version.cmp(&a.version));
        let chosen =
            found.iter().find(|one| wanted.exactly(one)).or_else(|| found.iter().find(|one| wanted.nearly(one)));
        chosen.cloned().ok_or_else(|| wanted.missing(&found))
    }

    /// The toolchain in a directory, if there is a working one.
    fn at(sysroot: &Path) -> Option<Self> {
        let rustc = sysroot.join("bin/rustc");
        if !disk::is_file(&rustc) || !disk::is_file(&sysroot.join("bin/cargo")) {
            return None;
        }
        let said = process::capture(&rustc, ["-V"], None, &[]).ok()?;
        let rust = std::str::from_utf8(&said).ok()?.trim().strip_prefix("rustc ")?.to_owned();
        let version = rust.split(' ').next()?.parse().ok()?;
        Some(Self { sysroot: sysroot.to_owned(), rust, version })
    }

    /// The directory that it lies in.
    pub fn sysroot(&self) -> &Path {
        &self.sysroot
    }

    /// Its cargo.
    pub fn cargo(&self) -> PathBuf {
        self.sysroot.join("bin/cargo")
    }

    /// Its compiler.
    pub fn rustc(&self) -> PathBuf {
        self.sysroot.join("bin/rustc")
    }

    /// The programs that builds run.
    pub fn programs(&self) -> Vec<PathBuf> {
        let own = format!("lib/rustlib/{}/bin", Platform::host().rust_target());
        let linkers = disk::list_if_exists(&self.sysroot.join(&own)).unwrap_or_default();
        let linkers = linkers.into_iter().filter(|(_, kind)| matches!(kind, disk::Kind::File { executable: true }));
        let linkers = linkers.map(|(name, _)| self.sysroot.join(&own).join(name));
        [self.rustc(), self.cargo()].into_iter().chain(linkers).collect()
    }

    /// Whether it can build for a target of this name.
    pub fn has_target(&self, target: &str) -> bool {
        disk::is_directory(&self.sysroot.join("lib/rustlib").join(target).join("lib"))
    }

    /// Names its content: the compiler, cargo, the libraries they are made of, and the target's standard library.
    pub fn content(&self, target: &str, memo: &Memo) -> Result<TextDigest, Error> {
        let mut files = Vec::new();
        for directory in ["bin", "lib", &format!("lib/rustlib/{target}/lib"), &format!("lib/rustlib/{target}/bin")] {
            for (name, kind) in disk::list_if_exists(&self.sysroot.join(directory))? {
                let name = format!("{directory}/{}", name.to_string_lossy());
                let wanted = directory != "bin" || matches!(name.as_str(), "bin/rustc" | "bin/cargo");
                if matches!(kind, disk::Kind::File { .. } | disk::Kind::Symlink) && wanted {
                    files.push((name.clone(), self.sysroot.join(name)));
                }
            }
        }
        Ok(memo.identity(&files)?)
    }

    /// What a lockfile says of it.
    pub fn pin(&self, platform: Platform, memo: &Memo) -> Result<lock::Toolchain, Error> {
        let content = self.content(platform.rust_target(), memo)?;
        Ok(lock::Toolchain { rust: self.rust.clone(), content: [(platform, content)].into() })
    }
}

impl Wanted<'_> {
    fn exactly(&self, toolchain: &Toolchain) -> bool {
        match self {
            Self::Locked(locked) => locked.rust == toolchain.rust,
            Self::Any(wanted) => wanted.is_none_or(|wanted| wanted.matches(&toolchain.version)),
        }
    }

    /// The same version from another builder, such as a distribution's, builds other actions, but it builds.
    fn nearly(&self, toolchain: &Toolchain) -> bool {
        matches!(self, Self::Locked(locked) if locked.version().as_ref() == Some(&toolchain.version))
    }

    fn missing(&self, found: &[Toolchain]) -> Error {
        let found = found.iter().map(|toolchain| toolchain.rust.clone()).collect();
        let (wanted, install) = match self {
            Self::Locked(locked) => {
                let version = locked.version().map(|version| version.to_string());
                (locked.rust.clone(), version.unwrap_or_else(|| locked.rust.clone()))
            }
            Self::Any(wanted) => {
                let digits = |one: &semver::Comparator| match (one.minor, one.patch) {
                    (Some(minor), Some(patch)) => format!("{}.{minor}.{patch}", one.major),
                    (Some(minor), None) => format!("{}.{minor}", one.major),
                    _ => "stable".to_owned(),
                };
                let install = wanted.and_then(|wanted| wanted.comparators.first()).map_or("stable".to_owned(), digits);
                (describe(*wanted), install)
            }
        };
        Error::NoToolchain { wanted, install, found }
    }
}

/// The directory of the toolchain that PATH leads to, through rustup's proxy if need be. Nothing is installed.
fn on_path() -> Option<PathBuf> {
    let rustc = process::find_program("rustc")?;
    let said = process::capture(&rustc, ["--print", "sysroot"], None, &[("RUSTUP_AUTO_INSTALL", "0".as_ref())]).ok()?;
    Some(PathBuf::from(std::str::from_utf8(&said).ok()?.trim()))
}

/// The directories of the toolchains that rustup installed.
fn installed() -> Vec<PathBuf> {
    let home = || process::path_variable("HOME").map(|home| home.join(".rustup"));
    let Some(rustup) = process::path_variable("RUSTUP_HOME").or_else(home) else { return Vec::new() };
    let toolchains = rustup.join("toolchains");
    let names = disk::list_if_exists(&toolchains).unwrap_or_default();
    names.into_iter().map(|(name, _)| toolchains.join(name)).collect()
}
