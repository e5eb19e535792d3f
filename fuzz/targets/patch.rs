//! A patch is applied or refused; what comes of it has only plain names, and its files are there.
#![no_main]

use std::sync::LazyLock;

use envy::source::{Patch, patched};
use envy::store::Store;
use envy::tree::{Node, Tree};
use libfuzzer_sys::fuzz_target;

static STORE: LazyLock<(tempfile::TempDir, Store, Tree)> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("there is room for a store");
    let store = Store::at(directory.path().to_owned());
    let mut tree = Tree::default();
    for (path, text) in [("a", "one\ntwo\nthree\n"), ("d/b", "one\r\ntwo\r\n"), ("d/c", "")] {
        let file = store.put_file(text.as_bytes(), false).expect("the store takes a file");
        tree.insert(path, Node::File(file)).expect("paths differ");
    }
    tree.insert("link", Node::Symlink("d".into())).expect("paths differ");
    (directory, store, tree)
});

fuzz_target!(|text: &[u8]| {
    let (_, store, tree) = &*STORE;
    let patch = Patch { name: "fuzzed.patch".into(), text: text.to_vec() };
    let Ok(after) = patched(tree, &[patch], store) else { return };
    assert_ne!(after, *tree);
    for (path, node) in after.leaves() {
        assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path}");
        assert!(!matches!(node, Node::File(file) if !store.has_file(*file)), "{path}");
    }
});
