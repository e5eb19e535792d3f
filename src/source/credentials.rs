//! What registries want to hear from their users: tokens, from where cargo has them.
//!
//! Providers are asked as cargo asks them: the registry's own (`credential-provider`) alone, or else those of
//! `registry.global-credential-providers`, the last one first; without a word, `cargo:token`. That one knows
//! `CARGO_REGISTRIES_NAME_TOKEN` (for crates.io `CARGO_REGISTRY_TOKEN`), then `credentials.toml` in cargo's home, then
//! the configuration. A token is a [`Secret`] from where it is read to where it is sent.

mod provider;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use cargo_config2::{Config, CredentialProvider};

pub(super) use self::provider::Provider;
use super::registry::sources::variable;
use crate::disk;
use crate::download::Secret;
use crate::process;

/// A token could not be asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// A file of tokens is not TOML. What stands in it is not told.
    #[error("could not parse `{}`", path.display())]
    Parse { path: PathBuf },
    /// A provider that is part of cargo, and of cargo alone.
    #[error("cargo keeps the token for {registry} by `{provider}`, which envy cannot ask")]
    Unsupported { registry: String, provider: String },
    /// A provider that could not be run, or failed.
    #[error("the credential provider `{provider}` gave no token for {registry}")]
    Failed { registry: String, provider: String, source: process::Error },
    /// A provider that does not speak as cargo's do.
    #[error("the credential provider `{provider}` {what}")]
    Protocol { provider: String, what: &'static str },
    /// A provider that said why not.
    #[error("the credential provider `{provider}` gave no token for {registry}: {}", said.join(": "))]
    Said { registry: String, provider: String, said: Vec<String> },
}

/// Who knows tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Credentials {
    cargo_home: Option<PathBuf>,
    /// By names of registries, as files or variables write them.
    registries: BTreeMap<String, Known>,
    crates_io: Known,
    global: Vec<Provider>,
}

/// What the configuration says of one registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    token: Option<Secret>,
    provider: Option<Provider>,
}

/// Whose token is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    /// What messages call the registry.
    pub(super) title: &'a str,
    /// Its name in cargo's configuration; none for crates.io, or where it has none.
    pub(super) name: Option<&'a str>,
    /// Whether it is crates.io itself.
    pub(super) is_crates_io: bool,
    /// The address of its index, as cargo writes it.
    pub(super) index: &'a str,
}

impl Credentials {
    pub(super) fn of(config: &Config, cargo_home: Option<PathBuf>) -> Self {
        let aliases: BTreeMap<_, _> = config.credential_alias.iter().map(|(name, to)| (name.as_str(), to)).collect();
        let provider = |one: &CredentialProvider| Provider::of(one, &aliases);
        let known = |token: &Option<String>, one: &Option<CredentialProvider>| Known {
            token: token.clone().map(Secret::new),
            provider: one.as_ref().map(provider),
        };
        let registries = config
            .registries
            .iter()
            .map(|(name, value)| (name.clone(), known(&value.token, &value.credential_provider)));
        Self {
            cargo_home,
            registries: registries.collect(),
            crates_io: known(&config.registry.token, &config.registry.credential_provider),
            global: config.registry.global_credential_providers.as_ref().iter().map(provider).collect(),
        }
    }

    /// The token for a registry, as it stands in `Authorization`, or nothing where nobody knows one.
    pub(super) fn token(&self, asked: &Asked<'_>) -> Result<Option<Secret>, Error> {
        for provider in self.providers(asked) {
            let token = match provider {
                Provider::Cargo => self.own_token(asked)?,
                other => other.token(asked)?,
            };
            if token.is_some() {
                return Ok(token);
            }
        }
        Ok(None)
    }

    fn providers<'s>(&'s self, asked: &Asked<'s>) -> Vec<&'s Provider> {
        let own = match asked.name {
            Some(name) => self.known(name).find_map(|known| known.provider.as_ref()),
            None => self.crates_io.provider.as_ref().filter(|_| asked.is_crates_io),
        };
        match own {
            Some(own) => vec![own],
            None if self.global.is_empty() => vec![&Provider::Cargo],
            None => self.global.iter().rev().collect(),
        }
    }

    /// What variables say of a registry, then what files do.
    fn known<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Known> {
        let of_variables = self.registries.get(&variable(name));
        of_variables.into_iter().chain(self.registries.get(name))
    }

    fn own_token(&self, asked: &Asked<'_>) -> Result<Option<Secret>, Error> {
        let Some(name) = asked.name else {
            if !asked.is_crates_io {
                return Ok(None);
            }
            let known = self.crates_io.token.clone();
            return if known.is_some() { Ok(known) } else { self.in_file(asked, &["registry"]) };
        };
        let by_variable = self.registries.get(&variable(name)).and_then(|known| known.token.clone());
        if by_variable.is_some() {
            return Ok(by_variable);
        }
        let in_file = self.in_file(asked, &["registries", name])?;
        Ok(in_file.or_else(|| self.registries.get(name)?.token.clone()))
    }

    /// The token in a table of `credentials.toml`, or in the file that older cargos wrote, which wins like there.
    fn in_file(&self, asked: &Asked<'_>, table: &[&str]) -> Result<Option<Secret>, Error> {
        let Some(home) = &self.cargo_home else { return Ok(None) };
        let paths = [home.join("credentials"), home.join("credentials.toml")];
        let Some(path) = paths.into_iter().find(|path| disk::is_file(path)) else { return Ok(None) };
        let text = disk::read_text_if_exists(&path)?.unwrap_or_default();
        // The parser's own words would show the line with the token.
        let Ok(tables) = text.parse::<toml::Table>() else { return Err(Error::Parse { path }) };
        let found = table.iter().try_fold(&tables, |at, key| at.get(*key)?.as_table());
        let text = |key| found.and_then(|found| found.get(key)).and_then(toml::Value::as_str);
        match (text("token"), text("secret-key")) {
            (None, Some(_)) => {
                let (registry, provider) = (asked.title.to_owned(), "secret-key".to_owned());
                Err(Error::Unsupported { registry, provider })
            }
            (token, _) => Ok(token.map(Secret::new)),
        }
    }
}
