//! What replaces what: cargo's `[source]` and `[registries]` tables, and the chains of `replace-with` in them. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cargo_config2::{Config, SourceConfigValue};

use super::{CRATES_IO, Error, Registry};

/// The tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::source) struct Sources {
    sources: BTreeMap<String, Source>,
    /// Addresses of indexes, by names as files write them, or as variables do.
    registries: BTreeMap<String, String>,
    /// Whether crates.io is to be asked by its git index.
    crates_io_by_git: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Source {
    replace_with: Option<String>,
    registry: Option<String>,
    local_registry: Option<PathBuf>,
    directory: Option<PathBuf>,
    git: Option<String>,
}

impl Source {
    fn of(value: &SourceConfigValue) -> Self {
        let SourceConfigValue { replace_with, registry, local_registry, directory, git, .. } = value.clone();
        Self { replace_with, registry, local_registry, directory, git }
    }

    fn has_location(&self) -> bool {
        self.registry.is_some() || self.local_registry.is_some() || self.directory.is_some() || self.git.is_some()
    }
}

impl Sources {
    pub(super) fn of(config: &Config) -> Self {
        let protocol = config.registries.get(CRATES_IO).and_then(|registry| registry.protocol.as_ref());
        let index = |(name, value): (&String, &cargo_config2::RegistriesConfigValue)| {
            Some((name.clone(), value.index.clone()?))
        };
        Self {
            sources: config.source.iter().map(|(name, value)| (name.clone(), Source::of(value))).collect(),
            registries: config.registries.iter().filter_map(index).collect(),
            crates_io_by_git: matches!(protocol, Some(cargo_config2::RegistriesProtocol::Git)),
        }
    }

    /// What stands for crates.io.
    pub(super) fn crates_io(&self) -> Result<Registry, Error> {
        self.follow(CRATES_IO.to_owned(), "crates.io")
    }

    /// What stands for the registry whose index has an address; `title` is the registry's, for messages.
    pub(in crate::source) fn in_place_of(&self, address: &Registry, title: &str) -> Result<Registry, Error> {
        let is_it = |source: &Source| source.registry.as_deref().is_some_and(|one| Registry::at(one).is_same(address));
        match self.sources.iter().find(|(_, source)| is_it(source)) {
            Some((name, _)) => self.follow(name.clone(), title),
            None => Ok(address.clone()),
        }
    }

    /// The address of the index of one of `[registries]`. Variables say `MY_REGISTRY` where files say `my-registry`,
    /// and the library keeps the two apart.
    pub(in crate::source) fn index_of(&self, name: &str) -> Option<&str> {
        self.registries.get(&variable(name)).or_else(|| self.registries.get(name)).map(String::as_str)
    }

    /// The names and addresses of `[registries]`, as files write them before those that only variables name.
    pub(in crate::source) fn registries(&self) -> impl Iterator<Item = (&str, &str)> {
        let of_files = |name: &str| variable(name) != name;
        let (files, variables): (Vec<_>, Vec<_>) =
            self.registries.iter().map(|(name, index)| (name.as_str(), index.as_str())).partition(|it| of_files(it.0));
        files.into_iter().chain(variables)
    }

    /// The name of the one of `[registries]` whose index is this.
    pub(in crate::source) fn name_of(&self, registry: &Registry) -> Option<&str> {
        self.registries().find(|(_, index)| Registry::at(index).is_same(registry)).map(|(name, _)| name)
    }

    /// Follow the chain of replacements that begins at one of `[source]`.
    fn follow(&self, start: String, title: &str) -> Result<Registry, Error> {
        let mut chain = vec![start];
        loop {
            let name = chain.last().expect("it begins with one and only grows").clone();
            let source = self.sources.get(&name);
            if let Some(next) = source.and_then(|source| source.replace_with.clone()) {
                let circle = chain.contains(&next);
                chain.push(next);
                if circle {
                    return Err(Error::Cycle { replaced: title.to_owned(), chain });
                }
                continue;
            }
            return match source {
                Some(source) if name != CRATES_IO || source.has_location() => location(&name, source, title),
                _ if name == CRATES_IO => Ok(self.own_crates_io()),
                _ => self.index_of(&name).map(Registry::at).ok_or_else(|| {
                    let from = chain[chain.len() - 2].clone();
                    Error::Missing { from, name }
                }),
            };
        }
    }

    fn own_crates_io(&self) -> Registry {
        let by_git = self.crates_io_by_git;
        Registry::at(if by_git { tame_index::CRATES_IO_INDEX } else { tame_index::CRATES_IO_HTTP_INDEX })
    }
}

fn location(name: &str, source: &Source, title: &str) -> Result<Registry, Error> {
    let unusable = |key: &str, what| {
        Err(Error::Unusable { key: format!("source.{name}.{key}"), replaced: title.to_owned(), what })
    };
    match (&source.registry, &source.local_registry, &source.directory, &source.git) {
        (Some(url), None, None, None) => Ok(Registry::at(url)),
        (None, Some(directory), None, None) => Ok(Registry::Local { directory: directory.clone() }),
        (None, None, Some(_), None) => unusable("directory", "a directory of unpacked crates"),
        (None, None, None, Some(_)) => unusable("git", "a git repository"),
        _ => Err(Error::Unclear { name: name.to_owned() }),
    }
}

/// A registry's name as variables write it.
pub(in crate::source) fn variable(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}
