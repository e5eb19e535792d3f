use super::*;
use crate::digest::ActionDigest;
use crate::placeholder::PLACEHOLDER;
use crate::tree::{File, Node, Tree};

/// A store with a ready prefix of two files, one of which holds its path, in a directory that is removable at the end.
struct Sample {
    store: Store,
    tree: Tree,
    directory: tempfile::TempDir,
}

impl Sample {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let mut tree = Tree::default();
        let run = store.put_file(b"#!/bin/sh\n", true).unwrap();
        let holder = store.put_file(format!("\0{PLACEHOLDER}/share\0").as_bytes(), false).unwrap();
        tree.insert("bin/run", Node::File(run)).unwrap();
        tree.insert("bin/alias", Node::Symlink("run".into())).unwrap();
        tree.insert("lib/holder", Node::File(holder)).unwrap();
        tree.insert("var", Node::Directory(Tree::default())).unwrap();
        store.put_tree(&tree).unwrap();
        store.materialise(&tree).unwrap();
        Self { store, tree, directory }
    }

    fn prefix(&self) -> PathBuf {
        self.store.prefix_path(self.tree.digest())
    }

    fn file(&self, path: &str) -> File {
        let Some(Node::File(file)) = self.tree.get(path) else { panic!("{path} is a file") };
        *file
    }

    /// The kinds and paths of what is damaged; `PREFIX` stands for the name of the prefix.
    fn damaged(&self) -> Vec<String> {
        let hex = self.tree.digest().hex();
        let path = |damage: &Damage| damage.path.to_string_lossy().replace(&hex, "PREFIX");
        self.store.verify().unwrap().damaged.iter().map(path).collect()
    }

    fn repair(&self) -> Vec<Repair> {
        self.store.repair(&self.store.verify().unwrap()).unwrap().into_values().collect()
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        // A prefix is read-only, which keeps its directory from being removed.
        let _ = disk::remove_tree(self.directory.path());
    }
}

/// Flip one bit of a file that is there, also where it is read-only.
fn flip(path: &Path, at: usize) {
    let mut bytes = disk::read(path).unwrap();
    bytes[at] ^= 1;
    disk::set_mode(path, 0o755).unwrap();
    let executable = path.extension().is_some_and(|extension| extension == "x");
    disk::write(path, &bytes).unwrap();
    disk::set_mode(path, if executable { 0o555 } else { 0o444 }).unwrap();
}

#[test]
fn a_store_that_nobody_touched_is_whole() {
    let sample = Sample::new();
    let report = sample.store.verify().unwrap();
    assert_eq!(report.damaged, []);
    let counts: Vec<_> = report.checked.into_iter().collect();
    assert_eq!(counts, [("blobs", 2), ("checkouts", 0), ("prefixes", 1), ("results", 0), ("trees", 4)]);
    assert!(Store::at(sample.directory.path().join("none")).verify().unwrap().damaged.is_empty());
}

#[test]
fn a_flipped_bit_of_a_blob_is_found_in_the_prefix_that_links_to_it_too() {
    let sample = Sample::new();
    flip(&sample.store.file_path(sample.file("bin/run")), 3);
    let hex = sample.file("bin/run").blob.hex();
    let blob = format!("blobs/{}/{}.x", &hex[..2], &hex[2..]);
    assert_eq!(sample.damaged(), [blob, "prefixes/PREFIX/bin/run".into()]);
    assert_eq!(sample.repair(), [Repair::Removed, Repair::Removed], "nothing is left to make the prefix of");
    assert_eq!(sample.damaged(), [""; 0]);
    assert_eq!(sample.store.whole_tree(sample.tree.digest()).unwrap(), None, "so it is built again");
    assert!(!sample.prefix().exists());
}

#[test]
fn a_flipped_bit_of_a_patched_copy_is_found_wherever_it_is() {
    let inside_of_the_path = 20;
    for at in [0, 1, inside_of_the_path, 150, 203] {
        let sample = Sample::new();
        flip(&sample.prefix().join("lib/holder"), at);
        assert_eq!(sample.damaged(), ["prefixes/PREFIX/lib/holder"], "at {at}");
        assert_eq!(sample.repair(), [Repair::MadeAnew]);
        assert_eq!(sample.damaged(), [""; 0]);
        assert!(sample.store.has_prefix(sample.tree.digest()).unwrap());
    }
}

#[test]
fn a_flipped_bit_of_a_tree_is_found() {
    let sample = Sample::new();
    let path = sample.store.path_of("trees", &sample.tree.digest());
    flip(&path, 5);
    let damage = &sample.store.verify().unwrap().damaged[..];
    let [damage] = damage else { panic!("{damage:?}") };
    assert_eq!((damage.kind, &damage.expected), ("trees", &sample.tree.digest().to_string()));
    assert_eq!(sample.repair(), [Repair::Healed], "the prefix tells what it was");
    assert_eq!(sample.damaged(), [""; 0]);
    assert!(sample.store.whole_tree(sample.tree.digest()).unwrap().is_some());
}

#[test]
fn a_directory_of_the_tree_of_a_prefix_that_is_missing_is_found_and_brought_back_from_there() {
    let sample = Sample::new();
    let Some(Node::Directory(below)) = sample.tree.get("bin") else { panic!("bin is a directory") };
    let below = below.digest();
    for digest in [below, sample.tree.digest()] {
        let path = sample.store.path_of("trees", &digest);
        disk::remove_file(&path).unwrap();
        assert_eq!(sample.damaged(), [path.strip_prefix(sample.store.root()).unwrap().to_str().unwrap()]);
        assert_eq!(sample.repair(), [Repair::Healed]);
        assert_eq!(sample.damaged(), [""; 0]);
        assert!(sample.store.whole_tree(sample.tree.digest()).unwrap().is_some());
    }
    // One that lies below one that is missing is written again too, though it has the right size.
    flip(&sample.store.path_of("trees", &below), 5);
    disk::remove_file(&sample.store.path_of("trees", &sample.tree.digest())).unwrap();
    assert_eq!(sample.repair(), [Repair::Healed, Repair::Healed]);
    assert!(sample.store.whole_tree(sample.tree.digest()).unwrap().is_some());
}

#[test]
fn what_is_whole_elsewhere_is_healed_in_its_place_and_nothing_is_removed() {
    let spoil: [fn(&Sample); 3] = [
        |sample| disk::set_mode(&sample.store.file_path(sample.file("bin/run")), 0o444).unwrap(),
        |sample| {
            sample.store.put_file(b"#!/bin/sh\n", false).unwrap();
            flip(&sample.store.file_path(sample.file("bin/run")), 3);
        },
        |sample| {
            flip(&sample.store.file_path(sample.file("lib/holder")), 3);
            disk::set_mode(&sample.prefix().join("bin"), 0o755).unwrap();
        },
    ];
    for (number, spoil) in spoil.into_iter().enumerate() {
        let sample = Sample::new();
        spoil(&sample);
        assert_eq!(sample.damaged().len(), 2, "{number}");
        assert_eq!(sample.repair(), [Repair::Healed, Repair::MadeAnew], "{number}");
        assert_eq!(sample.damaged(), [""; 0], "{number}");
        let tree = sample.store.whole_tree(sample.tree.digest()).unwrap();
        assert!(tree.is_some() && sample.store.has_prefix(sample.tree.digest()).unwrap(), "{number}");
    }
}

#[test]
fn what_somebody_else_healed_since_it_was_found_is_not_removed() {
    let sample = Sample::new();
    let action = ActionDigest::of(b"action");
    let result = sample.store.path_of("results", &action);
    sample.store.put_file(b"#!/bin/sh\n", false).unwrap();
    flip(&sample.store.file_path(sample.file("bin/run")), 3);
    disk::write_atomic(&result, b"\xff").unwrap();
    let report = sample.store.verify().unwrap();
    sample.store.repair(&report).unwrap();
    assert!(!result.exists());
    let again: Vec<_> = sample.store.repair(&report).unwrap().into_values().collect();
    assert_eq!(again, [Repair::Healed, Repair::Healed, Repair::Removed]);
    assert!(sample.store.whole_tree(sample.tree.digest()).unwrap().is_some() && sample.prefix().exists());
}

#[test]
fn what_is_taken_away_while_it_is_mended_is_of_no_help_and_no_error() {
    for path in ["bin/run", "lib/holder"] {
        let sample = Sample::new();
        let memory = Memory::blank(sample.directory.path().join("memory/file"));
        let examined = sample.store.examine(sample.tree.digest(), &memory).unwrap();
        disk::remove_file(&sample.store.file_path(sample.file(path))).unwrap();
        let directory = sample.prefix().join(path.split('/').next().unwrap());
        disk::set_mode(&directory, 0o755).unwrap();
        disk::remove_tree(&directory).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(sample.store.mend(sample.tree.digest(), &examined).unwrap(), None, "{path}");
    }
}

#[test]
fn a_result_that_cannot_be_read_is_found() {
    let sample = Sample::new();
    let path = sample.store.path_of("results", &ActionDigest::of(b"action"));
    disk::write_atomic(&path, b"\xff").unwrap();
    assert_eq!(sample.store.verify().unwrap().damaged[0].kind, "results");
    assert_eq!(sample.repair(), [Repair::Removed]);
    assert_eq!(sample.damaged(), [""; 0]);
}

#[test]
fn what_was_added_to_a_prefix_or_taken_from_it_is_found() {
    let sample = Sample::new();
    let set_modes = |mode| {
        for directory in ["bin", "lib"] {
            disk::set_mode(&sample.prefix().join(directory), mode).unwrap();
        }
    };
    set_modes(0o755);
    disk::write(&sample.prefix().join("bin/more"), b"more").unwrap();
    disk::remove_file(&sample.prefix().join("bin/alias")).unwrap();
    disk::remove_file(&sample.prefix().join("lib/holder")).unwrap();
    set_modes(0o555);
    let expected = ["bin/alias", "bin/more", "lib/holder"].map(|path| format!("prefixes/PREFIX/{path}"));
    assert_eq!(sample.damaged(), expected);
    assert_eq!(sample.repair(), [Repair::MadeAnew; 3]);
    assert_eq!(sample.damaged(), [""; 0]);
}

#[test]
fn a_directory_that_is_missing_from_a_prefix_is_found() {
    let sample = Sample::new();
    disk::set_mode(&sample.prefix(), 0o755).unwrap();
    disk::remove_tree(&sample.prefix().join("var")).unwrap();
    disk::set_mode(&sample.prefix(), 0o555).unwrap();
    assert_eq!(sample.damaged(), ["prefixes/PREFIX/var"]);
    assert_eq!(sample.repair(), [Repair::MadeAnew]);
    assert_eq!(sample.damaged(), [""; 0]);
}

#[test]
fn a_list_of_patches_that_is_lost_or_damaged_is_found() {
    for text in [None, Some("{")] {
        let sample = Sample::new();
        let list = sample.prefix().with_added_extension("patches");
        match text {
            Some(text) => disk::write(&list, text.as_bytes()).unwrap(),
            None => disk::remove_file(&list).unwrap(),
        }
        assert_eq!(sample.damaged(), ["prefixes/PREFIX/lib/holder"]);
        assert_eq!(sample.repair(), [Repair::MadeAnew]);
        assert_eq!(sample.damaged(), [""; 0]);
    }
}

#[test]
fn a_blob_with_another_mode_is_found() {
    let sample = Sample::new();
    disk::set_mode(&sample.store.file_path(sample.file("bin/run")), 0o444).unwrap();
    let report = sample.store.verify().unwrap();
    assert_eq!(report.damaged[0].found, "the same with another mode");
    assert_eq!(report.damaged.len(), 2, "the prefix links to it");
}

#[test]
fn prefixes_of_a_moved_store_are_found_and_made_anew() {
    let mut sample = Sample::new();
    let moved = sample.directory.path().join("moved");
    disk::rename(sample.store.root(), &moved).unwrap();
    sample.store = Store::at(moved);
    let report = sample.store.verify().unwrap();
    let [damage] = &report.damaged[..] else { panic!("{report:?}") };
    assert_eq!(damage.expected, format!("made for `{}`", sample.prefix().display()));
    assert_eq!(sample.repair(), [Repair::MadeAnew]);
    assert_eq!(sample.damaged(), [""; 0]);
    let holder = disk::read(&sample.prefix().join("lib/holder")).unwrap();
    assert!(holder[1..].starts_with(sample.prefix().as_os_str().as_encoded_bytes()));
}

/// What is wrong with the sample's prefix, a line each.
fn flaws(sample: &Sample) -> Vec<String> {
    let memory = Memory::blank(sample.directory.path().join("memory/file"));
    let examined = sample.store.examine(sample.tree.digest(), &memory).unwrap();
    examined.flaws.iter().map(|flaw| format!("{} {}", flaw.kind, flaw.path)).collect()
}

#[test]
fn each_way_in_which_a_prefix_is_wrong_has_a_word() {
    let sample = Sample::new();
    assert_eq!(flaws(&sample), [""; 0]);
    let path = |path: &str| sample.prefix().join(path);
    for directory in ["", "bin", "lib", "var"] {
        disk::set_mode(&path(directory), 0o755).unwrap();
    }
    flip(&path("lib/holder"), 3);
    disk::remove_file(&path("bin/alias")).unwrap();
    disk::symlink(Path::new("other"), &path("bin/alias")).unwrap();
    disk::write(&path("bin/more"), b"more").unwrap();
    disk::create_directories(&path("new/deep")).unwrap();
    disk::set_mode(&path("bin/run"), 0o755).unwrap();
    disk::remove_tree(&path("var")).unwrap();
    let found = [
        "mode ",
        "mode bin",
        "target bin/alias",
        "extra bin/more",
        "mode bin/run",
        "mode lib",
        "changed lib/holder",
        "extra new",
        "missing var",
    ];
    assert_eq!(flaws(&sample), found);
}

#[test]
fn a_file_that_lost_its_permission_to_be_executed_is_told_once() {
    let sample = Sample::new();
    disk::set_mode(&sample.prefix().join("bin/run"), 0o444).unwrap();
    assert_eq!(flaws(&sample), ["mode bin/run"]);
}

#[test]
fn a_prefix_is_mended_of_what_the_store_has() {
    let sample = Sample::new();
    let run = sample.store.file_path(sample.file("bin/run"));
    let inode = disk::identity(&run).unwrap();
    let memory = Memory::blank(sample.directory.path().join("memory/file"));
    // The blob has another name, for a file that is not executable, which is whole.
    sample.store.put_file(b"#!/bin/sh\n", false).unwrap();
    flip(&run, 3);
    // The blob of this one is lost, and the prefix has a copy.
    disk::remove_file(&sample.store.file_path(sample.file("lib/holder"))).unwrap();
    let examined = sample.store.examine(sample.tree.digest(), &memory).unwrap();
    assert_eq!(examined.flaws.len(), 1);
    let tree = sample.store.mend(sample.tree.digest(), &examined).unwrap().unwrap();
    sample.store.remake(&tree).unwrap();
    assert_eq!(flaws(&sample), [""; 0]);
    assert_ne!(disk::identity(&sample.prefix().join("bin/run")).unwrap(), inode, "it is a new file");
    assert_eq!(sample.damaged(), [""; 0]);
}

#[test]
fn what_the_store_has_lost_cannot_be_mended() {
    let sample = Sample::new();
    flip(&sample.store.file_path(sample.file("bin/run")), 3);
    flip(&sample.store.path_of("trees", &sample.tree.digest()), 3);
    let memory = Memory::blank(sample.directory.path().join("memory/file"));
    let examined = sample.store.examine(sample.tree.digest(), &memory).unwrap();
    assert_eq!(sample.store.mend(sample.tree.digest(), &examined).unwrap(), None);
    assert!(!sample.store.path_of("trees", &sample.tree.digest()).exists());
    // Who builds it again puts whole files in the place of damaged ones.
    let built = sample.directory.path().join("built");
    disk::write_atomic(&built.join("bin/run"), b"#!/bin/sh\n").unwrap();
    disk::set_mode(&built.join("bin/run"), 0o755).unwrap();
    sample.store.ingest(&built).unwrap();
    assert_eq!(sample.store.read_file(sample.file("bin/run")).unwrap(), b"#!/bin/sh\n");
}

#[test]
fn what_was_not_touched_is_not_read_again() {
    let sample = Sample::new();
    let file = sample.directory.path().join("memory/file");
    let read = |memory: &Memory| sample.store.examine(sample.tree.digest(), memory).unwrap().read;
    // A file that was changed within the tick of the clock in which it was read is not relied on.
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert!(read(&Memory::blank(file.clone())) > 0);
    assert_eq!(read(&Memory::recall(file.clone())), 0);
    flip(&sample.prefix().join("lib/holder"), 3);
    let examined = sample.store.examine(sample.tree.digest(), &Memory::recall(file)).unwrap();
    assert_eq!(examined.flaws.len(), 1);
    assert!(examined.read > 0);
}

#[test]
fn a_checkout_is_compared_with_its_seal_or_with_its_name() {
    let sample = Sample::new();
    let store = &sample.store;
    let mut tree = Tree::default();
    let file = store.put_file(b"text", false).unwrap();
    tree.insert("src/file", Node::File(file)).unwrap();
    let lay_out = |directory: &Path| store.lay_out_copy(&tree, directory, 0);
    let by_name = store.checkout(tree.digest(), lay_out).unwrap();
    let archive = store.put_blob(b"an archive").unwrap();
    let sealed = store.sealed_checkout(archive, |directory| lay_out(directory).map(|()| tree.clone())).unwrap();
    let unsealed = store.put_blob(b"unpacked before there were seals").unwrap();
    store.checkout(unsealed, |directory| store.lay_out_copy(&tree, directory, 0)).unwrap();
    assert_eq!(store.verify().unwrap().damaged, []);
    for checkout in [&by_name, &sealed] {
        disk::write(&checkout.join("src/file"), b"other").unwrap();
    }
    let mut damaged = sample.damaged();
    damaged.sort();
    let mut expected = [by_name, sealed].map(|path| path.strip_prefix(store.root()).unwrap().display().to_string());
    expected.sort();
    assert_eq!(damaged, expected);
    assert_eq!(sample.repair(), [Repair::Removed, Repair::Removed]);
    assert_eq!(sample.damaged(), [""; 0]);
}
