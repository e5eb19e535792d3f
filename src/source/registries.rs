//! All registries of a project: crates.io, those that it names, and those that a Cargo.lock names by their addresses.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::crates::{CRATES_IO, Crates, KnownAs};
use super::git_index::GitIndexes;
use super::registry::{CargoConfig, Error, Registry};
use crate::download::{self, Downloader};

/// The registries of a project. Each is opened when it is asked for first.
#[derive(Debug)]
pub struct Registries<'a> {
    config: CargoConfig,
    own: BTreeMap<String, String>,
    downloader: &'a Downloader,
    git: &'a dyn GitIndexes,
    cache: PathBuf,
    crates_io: Crates<'a>,
    opened: OnceLock<Box<Opened<'a>>>,
}

/// A list that only grows, so that what is in it can be lent.
#[derive(Debug)]
struct Opened<'a> {
    address: Registry,
    crates: Crates<'a>,
    next: OnceLock<Box<Self>>,
}

impl<'a> Registries<'a> {
    /// The registries that cargo's configuration names, and those that the project does: addresses of indexes by name,
    /// as cargo writes them. Copies of indexes are kept below `cache`.
    pub fn new(
        config: &CargoConfig,
        own: &BTreeMap<String, String>,
        downloader: &'a Downloader,
        cache: PathBuf,
        git: &'a dyn GitIndexes,
    ) -> Self {
        let crates_io = Crates::in_place_of_crates_io(config, downloader, git, &cache);
        let (config, own) = (config.clone(), own.clone());
        Self { config, own, downloader, git, cache, crates_io, opened: OnceLock::new() }
    }

    /// crates.io, or what the configuration puts in its place.
    pub fn crates_io(&self) -> &Crates<'a> {
        &self.crates_io
    }

    /// The registry of a name, by the project or else by cargo's configuration; where both know it, they have to agree.
    pub fn named(&self, name: &str) -> Result<&Crates<'a>, Error> {
        if matches!(name, "crates-io" | CRATES_IO) {
            return Ok(&self.crates_io);
        }
        let cargo = self.config.sources.index_of(name);
        let index = match (self.own.get(name).map(String::as_str), cargo) {
            (Some(own), Some(cargo)) if !Registry::at(own).is_same(&Registry::at(cargo)) => {
                let (own, cargo) = (shown(own), shown(cargo));
                return Err(Error::Two { name: name.to_owned(), own, cargo });
            }
            (Some(index), _) | (None, Some(index)) => index,
            (None, None) => return Err(Error::Unknown { name: name.to_owned() }),
        };
        self.open(Registry::at(index), Some(name))
    }

    /// The registry of an address, as a `Cargo.lock` writes it: `registry+URL`, `sparse+URL`.
    pub fn by_address(&self, source: &str) -> Result<&Crates<'a>, Error> {
        let address = Registry::at(source);
        if address.is_crates_io() {
            return Ok(&self.crates_io);
        }
        let own = self.own.iter().map(|(name, index)| (name.as_str(), index.as_str()));
        let mut known = own.chain(self.config.sources.registries());
        let name = known.find(|(_, index)| Registry::at(index).is_same(&address)).map(|(name, _)| name.to_owned());
        self.open(address, name.as_deref())
    }

    /// The names that the registry of an address has, each with the address of its index.
    pub fn names_of(&self, source: &str) -> Vec<(String, String)> {
        let address = Registry::at(source);
        let own = self.own.iter().map(|(name, index)| (name.as_str(), index.as_str()));
        let known = own.chain(self.config.sources.registries());
        let same = known.filter(|(_, index)| Registry::at(index).is_same(&address));
        same.map(|(name, index)| (name.to_owned(), index.to_owned())).collect()
    }

    /// The registry of an address, opened now unless it was before.
    fn open(&self, address: Registry, name: Option<&str>) -> Result<&Crates<'a>, Error> {
        let mut at = &self.opened;
        loop {
            match at.get() {
                Some(opened) if opened.address.is_same(&address) => return Ok(&opened.crates),
                Some(opened) => at = &opened.next,
                None => {
                    let crates = self.open_new(&address, name)?;
                    // If someone else was quicker, theirs is looked at next.
                    let _ = at.set(Box::new(Opened { address: address.clone(), crates, next: OnceLock::new() }));
                }
            }
        }
    }

    fn open_new(&self, address: &Registry, name: Option<&str>) -> Result<Crates<'a>, Error> {
        let title = match name {
            Some(name) => format!("registry `{name}`"),
            None => format!("registry `{}`", shown(&address.address())),
        };
        let registry = self.config.sources.in_place_of(address, &title)?;
        // A token belongs to whom it is sent to.
        let replaced = !registry.is_same(address);
        let name = if replaced { self.config.sources.name_of(&registry) } else { name };
        let known_as = KnownAs { title, name: name.map(str::to_owned) };
        Ok(Crates::open(known_as, registry, &self.config, self.downloader, self.git, &self.cache))
    }
}

/// An address of an index as it may stand in a message.
fn shown(index: &str) -> String {
    match index.strip_prefix("sparse+") {
        Some(url) => format!("sparse+{}", download::shown(url)),
        None => download::shown(index.strip_prefix("registry+").unwrap_or(index)),
    }
}
