//! Caches that give back what they were given, and caches that lie.

use super::*;
use crate::store::Provenance;
use crate::tree::Node;

struct World {
    directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn store(&self, name: &str) -> Store {
        Store::at(self.directory.path().join(name))
    }

    fn remote(&self) -> Remote {
        let cache = self.directory.path().join("cache");
        disk::create_directories(&cache).unwrap();
        Remote::at(Address::Directory(cache), Settings::default(), PATIENCE, None)
    }

    fn cached(&self, hex: &str) -> std::path::PathBuf {
        self.directory.path().join("cache/cas").join(hex)
    }
}

fn built(store: &Store) -> Built {
    let mut tree = Tree::default();
    tree.insert("bin/run", Node::File(store.put_file(b"#!/bin/sh\n", true).unwrap())).unwrap();
    tree.insert("bin/same", Node::File(store.put_file(b"#!/bin/sh\n", false).unwrap())).unwrap();
    tree.insert("share/deep/text", Node::File(store.put_file(b"text", false).unwrap())).unwrap();
    tree.insert("share/empty", Node::File(store.put_file(b"", false).unwrap())).unwrap();
    store.put_tree(&tree).unwrap();
    let outcome = Outcome {
        tree: tree.digest(),
        log: store.put_blob(b"log").unwrap(),
        provenance: Provenance {
            package: "run 1.0.0".into(),
            envy: "0.1.0".into(),
            sandbox: "namespaces".into(),
            toolchain: String::new(),
            seconds: 1.0,
            needs: crate::platform::Needs::default(),
            made: None,
        },
    };
    Built { tree, result: Some((ActionDigest::of(b"action"), outcome)) }
}

#[test]
fn what_was_pushed_is_pulled_by_its_tree_or_by_its_action() {
    let world = World::new();
    let (from, one, other) = (world.store("from"), world.store("one"), world.store("other"));
    let built = built(&from);
    let root = built.tree.digest();
    let pushed = world.remote().push(std::slice::from_ref(&built), &from).unwrap();
    // Three blobs, four directories, the whole tree, the log, the result.
    assert_eq!(pushed.things, 10);
    assert_eq!(world.remote().push(std::slice::from_ref(&built), &from).unwrap(), Pushed::default());

    disk::remove_file(&world.cached(&BlobDigest::of(b"").hex())).unwrap();
    assert_eq!(world.remote().pull(&[root].into(), &one).unwrap(), [root].into());
    assert_eq!(one.whole_tree(root).unwrap(), Some(built.tree.clone()));
    let action = ActionDigest::of(b"action");
    assert_eq!(one.outcome(action).unwrap(), None, "what somebody says is not taken with it");

    let (_, outcome) = built.result.unwrap();
    assert_eq!(world.remote().result(action, &other).unwrap(), Some(outcome.clone()));
    assert_eq!(other.outcome(action).unwrap(), Some(outcome));
    assert_eq!(world.remote().result(ActionDigest::of(b"another"), &other).unwrap(), None);
}

#[test]
fn what_is_not_wholly_there_is_a_miss() {
    let world = World::new();
    let (from, to) = (world.store("from"), world.store("to"));
    let built = built(&from);
    world.remote().push(std::slice::from_ref(&built), &from).unwrap();
    disk::remove_file(&world.cached(&BlobDigest::of(b"text").hex())).unwrap();
    assert!(world.remote().pull(&[built.tree.digest()].into(), &to).unwrap().is_empty());
    assert_eq!(world.remote().result(ActionDigest::of(b"action"), &to).unwrap(), None);
    assert_eq!(to.tree(built.tree.digest()).unwrap(), None);
}

#[test]
fn what_is_damaged_here_comes_again_and_what_is_whole_is_used() {
    let world = World::new();
    let (from, to) = (world.store("from"), world.store("to"));
    let built = built(&from);
    world.remote().push(std::slice::from_ref(&built), &from).unwrap();
    let (whole, damaged) = (to.put_file(b"#!/bin/sh\n", true).unwrap(), to.put_file(b"text", false).unwrap());
    disk::set_mode(&to.file_path(damaged), 0o644).unwrap();
    disk::write(&to.file_path(damaged), b"tex!").unwrap();
    let changed = || disk::usage(&to.file_path(whole)).unwrap().unwrap().changed;
    let before = changed();
    std::thread::sleep(Duration::from_millis(50));
    let to = world.store("to");
    assert_eq!(world.remote().pull(&[built.tree.digest()].into(), &to).unwrap().len(), 1);
    assert_eq!(to.read_file(damaged).unwrap(), b"text");
    assert!(changed() > before, "it is marked as used");
}

#[test]
fn what_is_not_what_its_name_says_is_never_taken() {
    let world = World::new();
    let from = world.store("from");
    let built = built(&from);
    let encoded = built.tree.encode();
    let text = BlobDigest::of(b"text").hex();
    for (name, bytes) in [(text.clone(), &b"tex!"[..]), (text, b"longer"), (encoded.root.hex(), b"")] {
        world.remote().push(std::slice::from_ref(&built), &from).unwrap();
        let right = disk::read(&world.cached(&name)).unwrap();
        disk::write_atomic(&world.cached(&name), bytes).unwrap();
        let to = world.store(&format!("to-{}", bytes.len()));
        let error = world.remote().pull(&[encoded.root].into(), &to).unwrap_err();
        assert!(matches!(&error, Error::Wrong(wrong) if wrong.ends_with(&name)), "{error}");
        assert_eq!(to.tree(encoded.root).unwrap(), None);
        disk::write_atomic(&world.cached(&name), &right).unwrap();
    }
}

#[test]
fn a_directory_that_is_not_mounted_is_told() {
    let world = World::new();
    let remote = Remote::at(Address::Directory("/nowhere/at/all".into()), Settings::default(), PATIENCE, None);
    let error = remote.pull(&[TreeDigest::of(b"x")].into(), &world.store("store")).unwrap_err();
    assert_eq!(error.to_string(), "there is no directory `/nowhere/at/all`");
}
