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
        Remote::at(Address::Directory(cache), Settings::default(), PATIENCE, Authorization::Nobody)
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
    let pushed = world.remote().push(std::slice::from_ref(&built), &from, Reading::Sizes).unwrap();
    // Three blobs, four directories, the whole tree, the log, the result.
    assert_eq!(pushed.things, 10);
    assert_eq!(world.remote().push(std::slice::from_ref(&built), &from, Reading::Sizes).unwrap(), Pushed::default());

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
    world.remote().push(std::slice::from_ref(&built), &from, Reading::Sizes).unwrap();
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
    world.remote().push(std::slice::from_ref(&built), &from, Reading::Sizes).unwrap();
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
        world.remote().push(std::slice::from_ref(&built), &from, Reading::Sizes).unwrap();
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
fn what_comes_first_is_proven_before_the_next_is_read() {
    let world = World::new();
    let roots = BTreeSet::from([TreeDigest::of(b"one"), TreeDigest::of(b"other")]);
    let names: Vec<_> = roots.iter().map(TreeDigest::hex).collect();
    let remote = world.remote();
    disk::create_directories(world.cached("").as_path()).unwrap();
    disk::write_atomic(&world.cached(&names[0]), b"wrong").unwrap();
    disk::create(&world.cached(&names[1])).unwrap().set_len(LARGEST + 1).unwrap();
    let error = remote.pull(&roots, &world.store("store")).unwrap_err();
    assert!(matches!(&error, Error::Wrong(wrong) if wrong.ends_with(&names[0])), "{error}");
}

#[test]
fn what_is_damaged_in_a_directory_is_sent_again() {
    let world = World::new();
    let from = world.store("from");
    let built = built(&from);
    let push = || world.remote().push(std::slice::from_ref(&built), &from, Reading::Sizes).unwrap().things;
    push();
    let text = world.cached(&BlobDigest::of(b"text").hex());
    for damage in [&b"tex!"[..], b"longer", b""] {
        disk::write_atomic(&text, damage).unwrap();
        assert_eq!(push(), 1);
        assert_eq!(disk::read(&text).unwrap(), b"text");
    }
    let result = world.directory.path().join("cache/ac").join(ActionDigest::of(b"action").hex());
    disk::write_atomic(&result, b"nonsense").unwrap();
    assert_eq!((push(), push()), (1, 0));
}

#[test]
fn a_file_of_two_sizes_is_told_and_not_taken() {
    let world = World::new();
    let (from, blob) = (world.store("from"), BlobDigest::of(b"text"));
    let mut tree = Tree::default();
    tree.insert("one", Node::File(from.put_file(b"text", false).unwrap())).unwrap();
    tree.insert("two", Node::File(File { blob, size: 5, executable: false })).unwrap();
    disk::create_directories(world.cached("").as_path()).unwrap();
    for (digest, bytes) in tree.encode().directories {
        disk::write_atomic(&world.cached(&digest.hex()), &bytes).unwrap();
    }
    let error = world.remote().pull(&[tree.digest()].into(), &world.store("to")).unwrap_err();
    assert!(matches!(error, Error::TwoSizes(two) if two == blob), "{error}");
}

#[test]
fn a_directory_that_is_not_mounted_is_told() {
    let world = World::new();
    let remote =
        Remote::at(Address::Directory("/nowhere/at/all".into()), Settings::default(), PATIENCE, Authorization::Nobody);
    let error = remote.pull(&[TreeDigest::of(b"x")].into(), &world.store("store")).unwrap_err();
    assert_eq!(error.to_string(), "there is no directory `/nowhere/at/all`");
}
