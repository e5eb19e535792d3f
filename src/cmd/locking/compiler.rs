//! The compiler that a lockfile is made for.

use std::path::Path;

use super::super::project::Project;
use crate::build::{Memo, Toolchain, Wanted};
use crate::failure::Failure;
use crate::lock::{self, Lockfile, Task, Wishes};
use crate::package::Version;
use crate::platform::Platform;
use crate::process;

/// The compiler that a lockfile is made for.
pub(super) struct Compiler {
    /// What the lockfile pins already, where that is still what is asked for.
    pinned: Option<lock::Toolchain>,
    /// The one of this host. A host without one can lock what needs no more than the pins.
    found: Option<Toolchain>,
}

impl Compiler {
    pub(super) fn find(wishes: &Wishes, old: Option<&Lockfile>) -> Result<Self, Failure> {
        let fits = |locked: &&lock::Toolchain| {
            wishes.toolchain().is_none_or(|wanted| locked.version().is_some_and(|version| wanted.matches(&version)))
        };
        let pinned = old.and_then(|old| old.toolchain.as_ref()).filter(fits).cloned();
        let wanted = pinned.as_ref().map_or(Wanted::Any(wishes.toolchain()), Wanted::Locked);
        let found = match Toolchain::find(wanted) {
            Err(_) if pinned.is_some() => None,
            found => Some(found?),
        };
        Ok(Self { pinned, found })
    }

    /// No compiler, where nothing is compiled.
    pub(super) fn none() -> Self {
        Self { pinned: None, found: None }
    }

    pub(super) fn version(&self) -> Option<Version> {
        let pinned = self.pinned.as_ref().and_then(lock::Toolchain::version);
        pinned.or_else(|| self.found.as_ref().map(|found| found.version.clone()))
    }

    /// What the lockfile says: the pins it has stay, whatever this host's compiler of that version is.
    pub(super) fn pin(&self, memo: &Memo) -> Result<Option<lock::Toolchain>, Failure> {
        let host = Platform::host();
        match (&self.pinned, &self.found) {
            (Some(pinned), Some(found)) if found.rust == pinned.rust && !pinned.content.contains_key(&host) => {
                let mut both = pinned.clone();
                both.content.extend(found.pin(host, memo)?.content);
                Ok(Some(both))
            }
            (Some(pinned), _) => Ok(Some(pinned.clone())),
            (None, Some(found)) => Ok(Some(found.pin(host, memo)?)),
            (None, None) => Ok(None),
        }
    }

    /// Have cargo make or change the Cargo.lock of the package in a directory. It knows the project's registries.
    pub(super) fn cargo_lock(
        &self,
        directory: &Path,
        task: Task<'_>,
        project: &Project,
        offline: bool,
    ) -> Result<String, Cause> {
        let found = self.found.as_ref().ok_or("this host has no rust to make it with")?;
        let mut arguments = match task {
            Task::Make => vec!["generate-lockfile".to_owned()],
            Task::Move { from, to } => {
                let (crate_and_version, to) = (format!("{}@{}", from.name, from.version), to.to_string());
                vec!["update".to_owned(), crate_and_version, "--precise".to_owned(), to]
            }
        };
        arguments.push("--manifest-path".to_owned());
        arguments.push(directory.join("Cargo.toml").to_str().ok_or("the store's path is not UTF-8")?.to_owned());
        arguments.extend(offline.then(|| "--offline".to_owned()));
        for (name, index) in project.manifest.registries() {
            let index = toml::Value::String(index.clone());
            arguments.extend(["--config".to_owned(), format!("registries.{name}.index={index}")]);
        }
        let rustc = found.rustc();
        process::capture(&found.cargo(), arguments, Some(&project.root), &[("RUSTC", rustc.as_os_str())])?;
        let text = crate::disk::read_text_if_exists(&directory.join("Cargo.lock"))?;
        Ok(text.ok_or("cargo wrote no Cargo.lock")?)
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;
