//! Bundles that come back as they were, and bundles that nobody honest wrote.

use super::*;
use crate::tree::{Node, Tree};

fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::at(directory.path().join("store"));
    (directory, store)
}

fn contents(store: &Store) -> Contents {
    let mut tree = Tree::default();
    let program = store.put_file(b"#!/bin/sh\n", true).unwrap();
    tree.insert("bin/run", Node::File(program)).unwrap();
    tree.insert("share/text", Node::File(store.put_file(b"text", false).unwrap())).unwrap();
    tree.insert("share/link", Node::Symlink("text".to_owned())).unwrap();
    let digest = store.put_tree(&tree).unwrap();
    let archive = store.put_blob(b"archive").unwrap();
    Contents {
        site: "api".parse().unwrap(),
        platform: Platform::host(),
        sources: true,
        files: [("envy.toml".to_owned(), b"[sites.api]\n".to_vec())].into(),
        recipes: [("make".to_owned(), b"summary = 'make'\n".to_vec())].into(),
        trees: [digest].into(),
        blobs: [(archive, 7)].into(),
        commits: [(TextDigest::of(b"commit"), (digest, 5))].into(),
    }
}

fn packed(contents: &Contents, store: &Store) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(contents, store, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_bundle_comes_back_as_it_was_in_another_store() {
    let ((_one, from), (_two, to)) = (store(), store());
    let contents = contents(&from);
    let bytes = packed(&contents, &from);
    assert_eq!(bytes, packed(&contents, &from), "the same contents are the same bytes");
    let mut arrived = receive(&bytes[..], &to).unwrap();
    assert_eq!(to.whole_tree(*contents.trees.first().unwrap()).unwrap(), None, "nothing has its place yet");
    arrived.keep(&to).unwrap();
    assert_eq!(
        to.whole_tree(*contents.trees.first().unwrap()).unwrap(),
        from.whole_tree(*contents.trees.first().unwrap()).unwrap()
    );
    assert_eq!(to.read_blob(BlobDigest::of(b"archive")).unwrap(), b"archive");
    assert_eq!(to.content(TextDigest::of(b"commit")).unwrap(), None, "a bundle names nothing in a store");
    assert_eq!(arrived.contents.commits, contents.commits);
    assert_eq!((arrived.contents.files, arrived.contents.recipes), (contents.files, contents.recipes));
    assert_eq!(bytes, packed(&self::contents(&to), &to));
}

#[test]
fn what_is_damaged_in_the_store_is_taken_from_the_bundle_and_what_is_whole_is_used() {
    let ((_one, from), (_two, to)) = (store(), store());
    let bytes = packed(&contents(&from), &from);
    let (whole, damaged) = (to.put_file(b"#!/bin/sh\n", true).unwrap(), to.put_file(b"text", false).unwrap());
    crate::disk::set_mode(&to.file_path(damaged), 0o644).unwrap();
    crate::disk::write(&to.file_path(damaged), b"tex!").unwrap();
    let changed = || crate::disk::usage(&to.file_path(whole)).unwrap().unwrap().changed;
    let before = changed();
    std::thread::sleep(std::time::Duration::from_millis(50));
    let to = Store::at(to.root().to_owned());
    let mut arrived = receive(&bytes[..], &to).unwrap();
    assert!(changed() > before, "it is marked as used");
    arrived.keep(&to).unwrap();
    assert_eq!(to.read_file(damaged).unwrap(), b"text");
}

/// Files with their names.
type Files = Vec<(String, Vec<u8>)>;

/// Every file of a bundle, and a bundle of files.
fn files(bytes: &[u8]) -> Files {
    let plain = zstd::decode_all(bytes).unwrap();
    let mut archive = tar::Archive::new(&plain[..]);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), bytes)
    });
    entries.collect()
}

fn of(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut packer = Packer::new(Vec::new()).unwrap();
    for (path, bytes) in files {
        packer.add(path, bytes.len() as u64, &bytes[..]).unwrap();
    }
    packer.finish().unwrap()
}

fn refused(bytes: &[u8]) -> String {
    let (_directory, store) = store();
    let error = receive(bytes, &store).map(|_| ()).unwrap_err();
    let left: Vec<_> =
        ["blobs", "trees", "sources"].into_iter().filter(|kind| store.root().join(kind).exists()).collect();
    assert_eq!(left, [""; 0], "nothing is left of it");
    let mine = store.temporary_directory().unwrap();
    assert_eq!(disk::list(&mine).unwrap().len(), 1, "nothing but the lock is left");
    error.to_string()
}

#[test]
fn whatever_is_changed_in_a_bundle_is_found() {
    let (_directory, from) = store();
    let bytes = packed(&contents(&from), &from);
    let files = files(&bytes);
    assert_eq!(of(&files), bytes);
    for (at, (path, content)) in files.iter().enumerate() {
        let changed = |change: &dyn Fn(&mut Files)| {
            let mut files = files.clone();
            change(&mut files);
            refused(&of(&files));
        };
        changed(&|files| drop(files.remove(at)));
        changed(&|files| files.insert(at, (path.clone(), content.clone())));
        changed(&|files| files[at].0.push('x'));
        changed(&|files| files[at].1.push(b'x'));
        if !content.is_empty() {
            changed(&|files| files[at].1[content.len() / 2] ^= 1);
        }
    }
    for end in (0..bytes.len()).step_by(7) {
        refused(&bytes[..end]);
    }
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    let (_directory, from) = store();
    for path in ["../evil", "/etc/passwd", ".git/hooks/post-checkout", "a//b", "a/../../b", "a/./b", "", "a\nb"] {
        let mut contents = contents(&from);
        contents.files.insert(path.to_owned(), b"evil".to_vec());
        let header = Header::of(&contents, &BTreeMap::new()).to_bytes();
        let told = refused(&of(&[(HEADER.to_owned(), header)]));
        assert!(told.contains("is no path in a project"), "{path}: {told}");
    }
}

#[test]
fn a_symlink_in_the_place_of_a_file_is_refused() {
    let (_directory, from) = store();
    let plain = zstd::decode_all(&packed(&contents(&from), &from)[..]).unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    for (at, entry) in tar::Archive::new(&plain[..]).entries().unwrap().enumerate() {
        let mut entry = entry.unwrap();
        let mut header = entry.header().clone();
        if at == 1 {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_link_name("/etc/passwd").unwrap();
            header.set_size(0);
            header.set_cksum();
            archive.append(&header, io::empty()).unwrap();
        } else {
            archive.append(&header, &mut entry).unwrap();
        }
    }
    let bytes = zstd::encode_all(&archive.into_inner().unwrap()[..], 3).unwrap();
    assert_eq!(
        refused(&bytes),
        "`built-in/make.toml` was expected, and a symlink `built-in/make.toml` of 0 bytes is there"
    );
}

#[test]
fn a_blob_of_two_sizes_is_refused_before_any_of_it_comes() {
    let (_directory, from) = store();
    let mut contents = contents(&from);
    let (mut tree, blob) = (Tree::default(), BlobDigest::of(b"text"));
    tree.insert("one", Node::File(File { blob, size: 4, executable: false })).unwrap();
    tree.insert("two", Node::File(File { blob, size: 5, executable: false })).unwrap();
    let directories = BTreeMap::from_iter(tree.encode().directories);
    (contents.trees, contents.commits) = ([tree.digest()].into(), BTreeMap::new());
    let mut files = vec![(HEADER.to_owned(), Header::of(&contents, &directories).to_bytes())];
    files.extend(named(&contents.files, &contents.recipes).map(|(path, bytes)| (path, bytes.clone())));
    files.extend(directories.iter().map(|(digest, bytes)| (directory_path(*digest), bytes.clone())));
    let told = refused(&of(&files));
    assert_eq!(told, format!("what it says of itself makes no sense: blob {blob} has two sizes"));
}

#[test]
fn something_else_is_no_bundle() {
    refused(b"");
    refused(b"PK\x03\x04 something else");
    let other = of(&[(HEADER.to_owned(), b"{}".to_vec())]);
    assert_eq!(refused(&other), "it does not begin as a bundle does");
    let later = of(&[(HEADER.to_owned(), br#"{"schema": "envy.bundle/2"}"#.to_vec())]);
    assert_eq!(refused(&later), "it is of format `envy.bundle/2`, which this envy does not know");
}
