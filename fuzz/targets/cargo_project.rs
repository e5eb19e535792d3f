//! Manifests of cargo's, a lock and names from anywhere give a package or an error.
#![no_main]

use envy::digest::BlobDigest;
use envy::source::{binaries, cargo_project, lock_fits, locked_crates};
use envy::tree::{File, Node, Tree};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str, &str, &str, &str)| {
    let (top, member, lock, directory, name) = texts;
    let _ = (locked_crates(lock), lock_fits(top, lock), binaries(top, &Tree::default()));
    let mut tree = Tree::default();
    let files = [("Cargo.toml", top), ("Cargo.lock", lock), (&format!("{directory}/Cargo.toml"), member)];
    for (path, text) in files {
        let file = File { blob: BlobDigest::of(text.as_bytes()), size: text.len() as u64, executable: false };
        let _ = tree.insert(path, Node::File(file));
    }
    let read = |file: &File| {
        let texts = [top, member, lock].into_iter().find(|text| BlobDigest::of(text.as_bytes()) == file.blob);
        Ok(texts.ok_or("gone")?.as_bytes().to_vec())
    };
    for subdir in [None, Some(directory)] {
        if let Ok(Some(found)) = cargo_project(&tree, &read, name, subdir) {
            assert!(found.directory.is_empty() || tree.get(&found.directory).is_some());
        }
    }
});
