//! Which registry crates come from: crates.io, or what cargo's own configuration puts in its place.
//!
//! The configuration is read by `cargo-config2` (files up to the root, then `CARGO_HOME`, then variables). What it
//! leaves to its users is done here: chains of `replace-with` are followed, and what cargo would do but envy cannot
//! is refused by the name of its key, never passed over, since the other way would lead to the network unasked.

pub(super) mod sources;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use cargo_config2::{Config, ResolveOptions, Walk};

use self::sources::Sources;
use super::credentials::Credentials;
use crate::download::Settings;

/// The name by which the configuration calls crates.io.
const CRATES_IO: &str = "crates-io";

/// What envy takes over from cargo's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CargoConfig {
    /// Where crates of crates.io come from.
    pub registry: Registry,
    /// What replaces what.
    pub(super) sources: Sources,
    /// Who knows what registries want to hear from their users.
    pub(super) credentials: Credentials,
    /// Whether cargo may not use the network.
    pub offline: bool,
    /// The proxy for all requests.
    pub proxy: Option<String>,
    /// The only certificates that are trusted.
    pub ca_file: Option<PathBuf>,
    /// How long a server may send nothing.
    pub timeout: Option<Duration>,
    /// How often a failure that may pass is tried again.
    pub retries: Option<usize>,
    /// Whether the `git` program shall fetch repositories.
    pub git_with_program: bool,
}

/// A registry that crates can be resolved from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registry {
    /// A sparse index, by its address with a `/` at its end.
    Sparse { index: String },
    /// A directory with `.crate` files, and their index in its `index/`.
    Local { directory: PathBuf },
    /// An index in a git repository, by its address.
    Git { url: String },
}

impl Registry {
    /// The registry that an address is of, as cargo writes those: `sparse+URL`, `registry+URL`, `URL`.
    pub fn at(address: &str) -> Self {
        match address.strip_prefix("sparse+") {
            Some(index) => Self::Sparse { index: format!("{}/", index.trim_end_matches('/')) },
            None => Self::Git { url: address.strip_prefix("registry+").unwrap_or(address).to_owned() },
        }
    }

    /// Its address, as cargo writes it.
    pub fn address(&self) -> String {
        match self {
            Self::Sparse { index } => format!("sparse+{index}"),
            Self::Git { url } => url.clone(),
            Self::Local { directory } => directory.display().to_string(),
        }
    }

    /// Whether another address is of the same index.
    pub fn is_same(&self, other: &Self) -> bool {
        fn bare(url: &str) -> &str {
            let url = url.trim_end_matches('/');
            url.strip_suffix(".git").unwrap_or(url)
        }
        match (self, other) {
            (Self::Git { url: one }, Self::Git { url: other }) => bare(one) == bare(other),
            (one, other) => one == other,
        }
    }

    /// Whether this is crates.io itself, and not something in its place.
    pub fn is_crates_io(&self) -> bool {
        let own = [tame_index::CRATES_IO_HTTP_INDEX, tame_index::CRATES_IO_INDEX];
        own.iter().any(|address| self.is_same(&Self::at(address)))
    }
}

/// Cargo's configuration names no registry that envy can use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("could not read cargo's configuration for `{}`", directory.display())]
    Read { directory: PathBuf, source: cargo_config2::Error },
    /// It reads other files, which the library that reads it passes over.
    #[error("`{}` uses the key `include`, which envy does not follow", path.display())]
    Include { path: PathBuf },
    /// A file is not TOML.
    #[error("could not parse `{}`", path.display())]
    Parse { path: PathBuf, source: Box<toml::de::Error> },
    /// A file cannot be read.
    #[error(transparent)]
    Disk(#[from] crate::disk::Error),
    /// Sources that replace each other.
    #[error("cargo's configuration replaces {replaced} in a circle: {}", chain.join(" → "))]
    Cycle { replaced: String, chain: Vec<String> },
    /// A name that nothing has.
    #[error(
        "`source.{from}.replace-with` names `{name}`, but there is no `[source.{name}]` and no `[registries.{name}]`"
    )]
    Missing { from: String, name: String },
    /// A table that says nothing, or too much.
    #[error("`[source.{name}]` must have exactly one of `registry`, `local-registry`, `directory` and `git`")]
    Unclear { name: String },
    /// A kind of source that has no index, or one that envy does not read.
    #[error("`{key}` replaces {replaced} by {what}, which envy cannot resolve from")]
    Unusable { key: String, replaced: String, what: &'static str },
    /// A name that neither the project nor cargo knows.
    #[error("there is no registry `{name}`: neither `envy.toml` nor cargo's configuration names its index")]
    Unknown { name: String },
    /// A name that means two things.
    #[error("the registry `{name}` has the index `{own}` in `envy.toml`, and `{cargo}` in cargo's configuration")]
    Two { name: String, own: String, cargo: String },
}

#[cfg(test)]
impl Default for CargoConfig {
    fn default() -> Self {
        Self {
            registry: Registry::at(tame_index::CRATES_IO_HTTP_INDEX),
            sources: Sources::default(),
            credentials: Credentials::default(),
            git_with_program: false,
            offline: false,
            proxy: None,
            ca_file: None,
            timeout: None,
            retries: None,
        }
    }
}

impl CargoConfig {
    /// Read what counts in a directory.
    pub fn load(project_dir: &Path) -> Result<Self, Error> {
        let home = cargo_config2::cargo_home_with_cwd(project_dir);
        Self::load_with(project_dir, ResolveOptions::default(), home)
    }

    /// Read what counts everywhere: the user's own. `CARGO_HOME` may be named from a directory.
    pub fn load_of_user(directory: &Path) -> Result<Self, Error> {
        let home = cargo_config2::cargo_home_with_cwd(directory);
        Self::load_above(Path::new("/"), directory, ResolveOptions::default(), home)
    }

    /// How the network may be used by this configuration, which a command may narrow further.
    pub fn settings(&self) -> Settings {
        let (proxy, ca_file, usual) = (self.proxy.clone(), self.ca_file.clone(), Settings::default());
        let stall_timeout = self.timeout.unwrap_or(usual.stall_timeout);
        let connect_timeout = self.timeout.unwrap_or(usual.connect_timeout);
        let retries = self.retries.unwrap_or(usual.retries);
        Settings { offline: self.offline, proxy, ca_file, connect_timeout, stall_timeout, retries, ..usual }
    }

    pub(super) fn load_with(
        directory: &Path,
        options: ResolveOptions,
        cargo_home: Option<PathBuf>,
    ) -> Result<Self, Error> {
        Self::load_above(directory, directory, options, cargo_home)
    }

    /// Read the files of a directory and of those above it; what the environment says begins in `directory`.
    fn load_above(
        lowest: &Path,
        directory: &Path,
        options: ResolveOptions,
        cargo_home: Option<PathBuf>,
    ) -> Result<Self, Error> {
        let files = Walk::with_cargo_home(lowest, cargo_home.clone());
        let files = files.map(read_file).collect::<Result<Vec<_>, _>>()?;
        let config = Config::load_with_options(lowest, options.cargo_home(cargo_home.clone()))
            .map_err(|source| Error::Read { directory: lowest.to_owned(), source })?;
        let sources = Sources::of(&config);
        Ok(Self {
            registry: sources.crates_io()?,
            sources,
            credentials: Credentials::of(&config, cargo_home),
            offline: config.net.offline.unwrap_or(false),
            timeout: config
                .http
                .timeout
                .filter(|seconds| *seconds > 0)
                .map(|seconds| Duration::from_secs(seconds.into())),
            retries: config.net.retry.map(|times| times as usize),
            git_with_program: config.net.git_fetch_with_cli.unwrap_or(false),
            ca_file: config.http.cainfo.as_deref().map(|path| base_of_cainfo(&files, path, directory).join(path)),
            proxy: config.http.proxy.filter(|proxy| !proxy.is_empty()),
        })
    }
}

/// A file of the configuration, as far as the library does not tell what stands in it.
struct ConfigFile {
    path: PathBuf,
    table: toml::Table,
}

fn read_file(path: PathBuf) -> Result<ConfigFile, Error> {
    let text = crate::disk::read_text_if_exists(&path)?.unwrap_or_default();
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(source) => return Err(Error::Parse { path, source: Box::new(source) }),
    };
    if table.contains_key("include") { Err(Error::Include { path }) } else { Ok(ConfigFile { path, table }) }
}

/// Where a relative `http.cainfo` begins: above the `.cargo` that the nearest file with it is in.
fn base_of_cainfo(files: &[ConfigFile], value: &str, otherwise: &Path) -> PathBuf {
    let has_it = |file: &&ConfigFile| {
        let http = file.table.get("http").and_then(toml::Value::as_table);
        http.and_then(|http| http.get("cainfo")).and_then(toml::Value::as_str) == Some(value)
    };
    let file = files.iter().find(has_it);
    file.and_then(|file| file.path.parent()?.parent()).unwrap_or(otherwise).to_owned()
}
