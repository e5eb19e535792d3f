//! Which registry crates come from: crates.io, or what cargo's own configuration puts in its place.
//!
//! The configuration is read by `cargo-config2` (files up to the root, then `CARGO_HOME`, then variables). What it
//! leaves to its users is done here: chains of `replace-with` are followed, and what cargo would do but envy cannot
//! is refused by the name of its key, never passed over, since the other way would lead to the network unasked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cargo_config2::{Config, ResolveOptions, SourceConfigValue, Walk};

use crate::download::Settings;

/// The name by which the configuration calls crates.io.
const CRATES_IO: &str = "crates-io";

/// What envy takes over from cargo's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CargoConfig {
    /// Where crates come from.
    pub registry: Registry,
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
}

/// A registry that crates can be resolved from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registry {
    /// A sparse index, by its address with a `/` at its end.
    Sparse { index: String },
    /// A directory with `.crate` files, and their index in its `index/`.
    Local { directory: PathBuf },
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
    #[error("cargo's configuration replaces crates.io in a circle: {}", chain.join(" → "))]
    Cycle { chain: Vec<String> },
    /// A name that nothing has.
    #[error(
        "`source.{from}.replace-with` names `{name}`, but there is no `[source.{name}]` and no `[registries.{name}]`"
    )]
    Missing { from: String, name: String },
    /// A table that says nothing, or too much.
    #[error("`[source.{name}]` must have exactly one of `registry`, `local-registry`, `directory` and `git`")]
    Unclear { name: String },
    /// A kind of source that has no index, or one that envy does not read.
    #[error("`{key}` replaces crates.io by {what}, which envy cannot resolve from")]
    Unusable { key: String, what: &'static str },
}

impl CargoConfig {
    /// Read what counts in a directory.
    pub fn load(project_dir: &Path) -> Result<Self, Error> {
        Self::load_with(project_dir, ResolveOptions::default(), Walk::new(project_dir))
    }

    /// How the network may be used by this configuration, which a command may narrow further.
    pub fn settings(&self) -> Settings {
        let (proxy, ca_file, usual) = (self.proxy.clone(), self.ca_file.clone(), Settings::default());
        let stall_timeout = self.timeout.unwrap_or(usual.stall_timeout);
        let connect_timeout = self.timeout.unwrap_or(usual.connect_timeout);
        let retries = self.retries.unwrap_or(usual.retries);
        Settings { offline: self.offline, proxy, ca_file, connect_timeout, stall_timeout, retries, ..usual }
    }

    fn load_with(directory: &Path, options: ResolveOptions, files: Walk<'_>) -> Result<Self, Error> {
        let files = files.map(read_file).collect::<Result<Vec<_>, _>>()?;
        let config = Config::load_with_options(directory, options)
            .map_err(|source| Error::Read { directory: directory.to_owned(), source })?;
        Ok(Self {
            registry: registry(&config)?,
            offline: config.net.offline.unwrap_or(false),
            timeout: config
                .http
                .timeout
                .filter(|seconds| *seconds > 0)
                .map(|seconds| Duration::from_secs(seconds.into())),
            retries: config.net.retry.map(|times| times as usize),
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

/// Follow the chain of replacements that begins at crates.io.
fn registry(config: &Config) -> Result<Registry, Error> {
    let mut chain = vec![CRATES_IO.to_owned()];
    loop {
        let name = chain.last().expect("it begins with one and only grows").clone();
        let source = config.source.get(&name);
        if let Some(next) = source.and_then(|source| source.replace_with.clone()) {
            let circle = chain.contains(&next);
            chain.push(next);
            if circle {
                return Err(Error::Cycle { chain });
            }
            continue;
        }
        return match source {
            Some(source) if name != CRATES_IO || has_location(source) => location(&name, source),
            _ if name == CRATES_IO => crates_io(config),
            _ => named_registry(config, &name, &chain),
        };
    }
}

fn has_location(source: &SourceConfigValue) -> bool {
    source.registry.is_some() || source.local_registry.is_some() || source.directory.is_some() || source.git.is_some()
}

fn location(name: &str, source: &SourceConfigValue) -> Result<Registry, Error> {
    let unusable = |key: &str, what| Err(Error::Unusable { key: format!("source.{name}.{key}"), what });
    match (&source.registry, &source.local_registry, &source.directory, &source.git) {
        (Some(url), None, None, None) => address(url, || format!("source.{name}.registry")),
        (None, Some(directory), None, None) => Ok(Registry::Local { directory: directory.clone() }),
        (None, None, Some(_), None) => unusable("directory", "a directory of unpacked crates"),
        (None, None, None, Some(_)) => unusable("git", "a git repository"),
        _ => Err(Error::Unclear { name: name.to_owned() }),
    }
}

fn crates_io(config: &Config) -> Result<Registry, Error> {
    let protocol = config.registries.get(CRATES_IO).and_then(|registry| registry.protocol.as_ref());
    match protocol {
        Some(cargo_config2::RegistriesProtocol::Git) => {
            Err(Error::Unusable { key: "registries.crates-io.protocol".to_owned(), what: "its git index" })
        }
        _ => address(tame_index::CRATES_IO_HTTP_INDEX, || unreachable!("the index of crates.io is sparse")),
    }
}

/// `replace-with` may also name one of `[registries]`.
fn named_registry(config: &Config, name: &str, chain: &[String]) -> Result<Registry, Error> {
    // Variables say `MY_REGISTRY` where files say `my-registry`, and the library keeps the two apart.
    let variable = name.to_ascii_uppercase().replace('-', "_");
    let index = [variable.as_str(), name].into_iter().find_map(|name| config.registries.get(name)?.index.as_ref());
    match index {
        Some(index) => address(index, || format!("registries.{name}.index")),
        None => {
            let from = chain[chain.len() - 2].clone();
            Err(Error::Missing { from, name: name.to_owned() })
        }
    }
}

fn address(url: &str, key: impl Fn() -> String) -> Result<Registry, Error> {
    match url.strip_prefix("sparse+") {
        Some(index) => Ok(Registry::Sparse { index: format!("{}/", index.trim_end_matches('/')) }),
        None => Err(Error::Unusable { key: key(), what: "a git index" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk;

    const NO_VARIABLES: [(&str, &str); 0] = [];

    /// The configuration of a project with one file in it, and of nothing else.
    fn load(text: &str, variables: &[(&str, &str)]) -> Result<CargoConfig, String> {
        let scratch = tempfile::tempdir().unwrap();
        let project = scratch.path().join("project");
        disk::write_atomic(&project.join(".cargo/config.toml"), text.as_bytes()).unwrap();
        let options = ResolveOptions::default().cargo_home(None).env(variables.iter().copied());
        let config = CargoConfig::load_with(&project, options, Walk::with_cargo_home(&project, None));
        let root = scratch.path().display().to_string();
        let mut config = config.map_err(|error| error.to_string().replace(&root, ""))?;
        let relative = |path: &Path| PathBuf::from(path.display().to_string().replace(&root, ""));
        config.ca_file = config.ca_file.as_deref().map(relative);
        if let Registry::Local { directory } = &mut config.registry {
            *directory = relative(directory);
        }
        Ok(config)
    }

    fn sparse(index: &str) -> Registry {
        Registry::Sparse { index: index.to_owned() }
    }

    fn check(text: &str, expected: Result<Registry, &str>) {
        let registry = load(text, &NO_VARIABLES).map(|config| config.registry);
        assert_eq!(registry, expected.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn without_a_word_crates_come_from_crates_io() {
        let index = tame_index::CRATES_IO_HTTP_INDEX.strip_prefix("sparse+").unwrap();
        let config = load("", &NO_VARIABLES).unwrap();
        let nothing = CargoConfig {
            registry: sparse(index),
            offline: false,
            proxy: None,
            ca_file: None,
            timeout: None,
            retries: None,
        };
        assert_eq!(config, nothing);
    }

    #[test]
    fn replacements_are_followed_to_the_last() {
        let chain =
            "[source.crates-io]\nreplace-with = 'a'\n[source.a]\nregistry = 'https://a.example'\nreplace-with = 'b'\n";
        check(
            &format!("{chain}[source.b]\nregistry = 'sparse+https://b.example/index'"),
            Ok(sparse("https://b.example/index/")),
        );
        check(&format!("{chain}[registries.b]\nindex = 'sparse+https://b.example/'"), Ok(sparse("https://b.example/")));
        let local = Registry::Local { directory: "/project/crates".into() };
        check(&format!("{chain}[source.b]\nlocal-registry = 'crates'"), Ok(local));
        check("[source.crates-io]\nregistry = 'sparse+https://c.example/'", Ok(sparse("https://c.example/")));
    }

    #[test]
    fn a_chain_that_ends_nowhere_is_refused() {
        let a = "[source.crates-io]\nreplace-with = 'a'\n";
        check(
            a,
            Err("`source.crates-io.replace-with` names `a`, but there is no `[source.a]` and no `[registries.a]`"),
        );
        let circle = format!("{a}[source.a]\nregistry = 'sparse+https://a.example/'\nreplace-with = 'crates-io'");
        check(&circle, Err("cargo's configuration replaces crates.io in a circle: crates-io → a → crates-io"));
    }

    #[test]
    fn what_envy_cannot_resolve_from_is_refused_by_its_key() {
        let a = "[source.crates-io]\nreplace-with = 'a'\n[source.a]\n";
        let error =
            "`source.a.directory` replaces crates.io by a directory of unpacked crates, which envy cannot resolve from";
        check(&format!("{a}directory = 'vendor'"), Err(error));
        let error = "`source.a.registry` replaces crates.io by a git index, which envy cannot resolve from";
        check(&format!("{a}registry = 'https://a.example/index.git'"), Err(error));
        let error = "`source.a.git` replaces crates.io by a git repository, which envy cannot resolve from";
        check(&format!("{a}git = 'https://a.example/all.git'"), Err(error));
        let error =
            "`registries.crates-io.protocol` replaces crates.io by its git index, which envy cannot resolve from";
        check("[registries.crates-io]\nprotocol = 'git'", Err(error));
        let error = "`[source.a]` must have exactly one of `registry`, `local-registry`, `directory` and `git`";
        check(a, Err(error));
    }

    #[test]
    fn include_is_refused_rather_than_passed_over() {
        check(
            "include = ['more.toml']",
            Err("`/project/.cargo/config.toml` uses the key `include`, which envy does not follow"),
        );
    }

    #[test]
    fn what_says_how_to_use_the_network_is_taken_over() {
        let text =
            "[http]\nproxy = 'proxy.example:3128'\ncainfo = 'ca.pem'\ntimeout = 7\n[net]\noffline = true\nretry = 0";
        let config = load(text, &NO_VARIABLES).unwrap();
        let settings = config.settings();
        assert_eq!((settings.stall_timeout, settings.retries), (Duration::from_secs(7), 0));
        assert_eq!(config.proxy.as_deref(), Some("proxy.example:3128"));
        assert_eq!(config.ca_file, Some("/project/ca.pem".into()));
        assert!(config.offline);
    }

    #[test]
    fn variables_count_more_than_files() {
        let variables =
            [("CARGO_NET_OFFLINE", "true"), ("CARGO_REGISTRIES_MY_MIRROR_INDEX", "sparse+https://m.example/")];
        let config = load("[source.crates-io]\nreplace-with = 'my-mirror'", &variables).unwrap();
        assert!(config.offline);
        assert_eq!(config.registry, sparse("https://m.example/"));
    }
}
