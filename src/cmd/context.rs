//! What commands share: options, the printer, and the user's store and cache.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::project::Project;
use super::{Globals, LockMode};
use crate::download::Downloader;
use crate::failure::{Exit, Failure};
use crate::process;
use crate::source::{self, Archives, CargoConfig, Git, GitSettings, Limits, Mirrors, Registries, Sources};
use crate::store::Store;
use crate::ui::Ui;

/// What commands share.
pub struct Context<'a> {
    pub globals: Globals,
    pub ui: &'a Ui,
    store: OnceLock<Store>,
    /// Whether the command at hand opens no socket, whatever the options of all commands say.
    frozen: AtomicBool,
}

impl<'a> Context<'a> {
    pub fn new(globals: Globals, ui: &'a Ui) -> Self {
        Self { globals, ui, store: OnceLock::new(), frozen: AtomicBool::new(false) }
    }

    /// The project that the command works on.
    pub fn project(&self) -> Result<Project, Failure> {
        Project::find(self.globals.project.as_deref(), self.globals.sites_dir.as_deref())
    }

    /// The project that the command works on, if it is in one.
    pub fn project_if_any(&self) -> Result<Option<Project>, Failure> {
        Project::find_if_any(self.globals.project.as_deref(), self.globals.sites_dir.as_deref())
    }

    /// The user's store.
    pub fn store(&self) -> Result<&Store, Failure> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let root = directory("ENVY_STORE", "XDG_DATA_HOME", ".local/share", "envy/store")?;
        Ok(self.store.get_or_init(|| Store::at(root).telling(Arc::new(self.ui.clone()))))
    }

    /// Where what can be fetched or computed again is kept.
    pub fn cache(&self) -> Result<PathBuf, Failure> {
        directory("ENVY_CACHE", "XDG_CACHE_HOME", ".cache", "envy")
    }

    /// Call something with all sources of a project. No connection is opened before it is needed.
    pub fn with_sources<T>(
        &self,
        project: &Project,
        mode: LockMode,
        work: impl FnOnce(&Sources<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (manifest, cache, store) = (&project.manifest, self.cache()?, self.store()?);
        let config = CargoConfig::load(&project.root).map_err(source::Error::from)?;
        let mut settings = config.settings();
        settings.offline |= self.globals.offline || mode.frozen || self.frozen.load(Ordering::Relaxed);
        let downloader = Downloader::new(settings);
        let mirrors = Mirrors::new(manifest.mirrors().clone()).map_err(source::Error::from)?;
        let usual = GitSettings::default();
        let largest = manifest.largest_source().unwrap_or(usual.largest);
        let settings = GitSettings { with_program: config.git_with_program, largest };
        let git = Git::new(&downloader, &cache, mirrors.clone(), settings);
        let registries = Registries::new(&config, manifest.registries(), &downloader, cache.clone(), &git);
        let archives = Archives::new(&downloader, &mirrors);
        let usual = Limits::default();
        let limits = Limits {
            total: manifest.largest_source().unwrap_or(usual.total),
            ratio: manifest.largest_ratio().unwrap_or(usual.ratio),
            ..usual
        };
        work(&Sources::new(registries, &git, archives, store, limits, &project.root, &cache))
    }

    /// Whether no socket may be opened.
    pub fn is_frozen(&self) -> bool {
        self.globals.offline || self.frozen.load(Ordering::Relaxed)
    }

    /// From here on, open no socket.
    pub fn freeze(&self) {
        self.frozen.store(true, Ordering::Relaxed);
    }

    /// Whether lockfiles are used as they are: asked for, or in CI, which is said. What forbids the network does so from here
    /// on.
    pub fn is_locked(&self, mode: LockMode) -> bool {
        if mode.frozen {
            self.freeze();
        }
        let asked = mode.locked || mode.frozen;
        if !asked && in_ci() {
            self.ui.note("`CI` is set, so this is as with `--locked`");
        }
        asked || in_ci()
    }
}

fn in_ci() -> bool {
    process::variable("CI").is_some_and(|value| value != "0" && value != "false")
}

/// A directory of the user's: by envy's own variable, else below the one that the XDG convention names.
fn directory(own: &str, xdg: &str, home: &str, name: &str) -> Result<PathBuf, Failure> {
    if let Some(path) = process::path_variable(own) {
        return absolute(path);
    }
    // A relative value is to be ignored, by the convention.
    if let Some(path) = process::path_variable(xdg).filter(|path| path.is_absolute()) {
        return Ok(path.join(name));
    }
    match process::path_variable("HOME").or_else(|| etcetera::home_dir().ok()) {
        Some(home_directory) if home_directory.is_absolute() => Ok(home_directory.join(home).join(name)),
        // It would be another one for whoever is elsewhere.
        Some(relative) => {
            let outcome = format!("`HOME` is `{}`, which is no absolute path", relative.display());
            Err(Failure::new(Exit::Failed, outcome)
                .hint(format!("set `HOME` to an absolute path, or `{own}` to a directory")))
        }
        None => {
            Err(Failure::new(Exit::Failed, "this user has no home directory")
                .hint(format!("set `{own}` to a directory")))
        }
    }
}

/// A path that stays right when the current directory changes.
pub fn absolute(path: PathBuf) -> Result<PathBuf, Failure> {
    if path.is_absolute() {
        return Ok(path);
    }
    let current = process::current_directory().map_err(|error| {
        Failure::new(Exit::Failed, format!("the current directory cannot be used: {error}"))
            .hint("change to one that exists")
    })?;
    Ok(current.join(path))
}
