//! The fetching side: all crates of a Cargo.lock into an empty store, by the calls that a build makes.

use std::path::Path;

use envy::download::Downloader;
use envy::progress::Silent;
use envy::source::{Archive, CargoConfig, Crates, LockedCrate, LockedSource, locked_crates};
use envy::store::Store;

/// Fetch what the Cargo.lock of a directory names.
pub fn crates(project: &Path, store: &Path) {
    let text = std::fs::read_to_string(project.join("Cargo.lock")).expect("there is a Cargo.lock");
    let locked = locked_crates(&text).expect("cargo wrote it");
    let wanted: Vec<_> = locked.iter().filter_map(archive).collect();
    let config = CargoConfig::load(project).expect("cargo reads its configuration too");
    let downloader = Downloader::new(config.settings());
    let crates = Crates::new(&config, &downloader, &store.join("cache"));
    crates.fetch(&wanted, &Store::at(store.join("store")), &Silent).expect("the registry has what was locked");
}

fn archive(locked: &LockedCrate) -> Option<Archive> {
    match &locked.source {
        LockedSource::CratesIo { checksum } => {
            Some(Archive { name: locked.name.clone(), version: locked.version.to_string(), checksum: *checksum })
        }
        _ => None,
    }
}
