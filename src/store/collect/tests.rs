use super::*;
use crate::digest::TextDigest;
use crate::progress::Silent;
use crate::store::results::{Outcome, Provenance};
use crate::store::{Content, Unit};
use crate::tree::{Node, Tree};

/// A store that nobody used for ten days.
struct Old {
    directory: tempfile::TempDir,
}

impl Old {
    fn new(fill: impl FnOnce(&Store)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fill(&Store::at(directory.path().join("store")));
        Self { directory }
    }

    fn store(&self) -> Store {
        Store::at(self.directory.path().join("store"))
    }

    /// As if ten days had passed: nobody can set when a file changed last, so the time that it is now is moved.
    fn collect(&self, roots: &[Root], policy: Policy) -> Collection {
        let store = self.store();
        let collecting = store.hold_collecting(None, &Silent).unwrap();
        let since = Since { busy: later(0), now: later(0) };
        store.collect(&collecting, since, roots, policy, None, &Silent).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let store = self.store();
        let graph = scan::scan(&store).unwrap();
        let mut names: Vec<_> =
            graph.things().map(|(_, thing)| format!("{} {}", thing.kind.word(), &thing.name.hex()[..8])).collect();
        names.sort();
        names
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const NOTHING: Policy = Policy { keep: Duration::ZERO, largest: None };

fn later(seconds: i128) -> i128 {
    let directory = tempfile::tempdir().unwrap();
    disk::time_in(directory.path()).unwrap() + (10 * 24 * 60 * 60 + seconds) * 1_000_000_000
}

/// A tree of a program, a text in a directory, and a link.
fn tree(store: &Store, text: &str) -> Tree {
    let mut tree = Tree::default();
    let program = store.put_file(format!("#!/bin/sh\n# {text}\n").as_bytes(), true).unwrap();
    let large = store.put_file(text.repeat(10_000).as_bytes(), false).unwrap();
    tree.insert("bin/run", Node::File(program)).unwrap();
    tree.insert("share/text", Node::File(large)).unwrap();
    tree.insert("share/same", Node::Symlink("text".into())).unwrap();
    store.put_tree(&tree).unwrap();
    tree
}

fn result(store: &Store, tree: &Tree) -> ActionDigest {
    let encoded = tree.encode();
    let log = store.put_blob(encoded.root.to_string().as_bytes()).unwrap();
    let provenance = Provenance {
        package: "x 1.0.0".into(),
        envy: "0".into(),
        sandbox: "none".into(),
        toolchain: String::new(),
        seconds: 0.0,
        needs: Default::default(),
        made: None,
    };
    let action = ActionDigest::of(encoded.root.to_string().as_bytes());
    store.put_outcome(action, &Outcome { tree: encoded.root, log, provenance }, &encoded, 71).unwrap();
    action
}

fn root(name: &str, needs: &[(Thing, Grip)]) -> Root {
    let need = |(thing, grip): &(Thing, Grip)| Need { thing: *thing, grip: *grip, because: "generation 1".into() };
    Root { site: name.into(), needs: needs.iter().map(need).collect() }
}

#[test]
fn what_a_generation_shows_stays_and_all_else_goes() {
    let mut kept = TreeDigest::of(b"");
    let mut action = None;
    let old = Old::new(|store| {
        let (shown, other) = (tree(store, "shown"), tree(store, "other"));
        kept = shown.digest();
        action = Some(result(store, &shown));
        result(store, &other);
        store.materialise(&shown).unwrap();
        store.materialise(&other).unwrap();
        let content = Content { tree: tree(store, "source"), time: 0 };
        store.put_content(TextDigest::of(b"source"), &content).unwrap();
        store
            .put_unit(crate::digest::UnitDigest::of(b"call"), &Unit { files: BTreeMap::new(), said: "x".into() })
            .unwrap();
        store.checkout::<_, Error>(TextDigest::of(b"checkout"), |_| Ok(())).unwrap();
    });
    let collection = old.collect(&[root("/a", &[(Thing::Prefix(kept), Grip::Generation)])], NOTHING);
    let store = old.store();
    let freed: Vec<_> = collection.freed.iter().map(|(kind, amount)| (kind.word(), amount.count)).collect();
    let expected =
        [("prefix", 1), ("result", 1), ("source", 1), ("unit", 1), ("checkout", 1), ("tree", 6), ("blob", 5)];
    assert_eq!(freed, expected);
    assert!(store.whole_tree(kept).unwrap().is_some() && store.has_prefix(kept).unwrap());
    assert!(store.outcome(action.unwrap()).unwrap().is_some(), "where it came from is kept");
    assert!(store.verify().unwrap().damaged.is_empty());
    assert_eq!(old.names().len(), 1 + 1 + 3 + 3);
    assert_eq!(old.collect(&[], NOTHING).kept_bytes(), 0);
    assert_eq!(old.names().len(), 0);
}

#[test]
fn what_was_used_of_late_stays_with_all_that_it_leads_to() {
    let old = Old::new(|store| {
        let content = Content { tree: tree(store, "source"), time: 0 };
        store.put_content(TextDigest::of(b"source"), &content).unwrap();
    });
    let before = old.names();
    old.collect(&[], Policy { keep: 11 * DAY, largest: None });
    assert_eq!(old.names(), before);
    old.collect(&[], Policy { keep: 9 * DAY, largest: None });
    assert!(old.names().is_empty());
}

#[test]
fn a_blob_was_used_when_it_changed_last_and_all_else_when_it_was_modified() {
    let mut blob = None;
    let old = Old::new(|store| {
        let digest = store.put_blob(b"an archive").unwrap();
        disk::set_time(&store.blob_path(digest), 1_000).unwrap();
        assert!(store.has_blob(digest));
        blob = Some(digest);
        let tree = store.put_tree(&Tree::default()).unwrap();
        disk::set_time(&store.path_of("trees", &tree), 1_000).unwrap();
    });
    old.collect(&[], Policy { keep: 11 * DAY, largest: None });
    assert_eq!(old.names(), [format!("blob {}", &blob.unwrap().hex()[..8])]);
    old.collect(&[], Policy { keep: 9 * DAY, largest: None });
    assert!(old.names().is_empty());
}

#[test]
fn while_a_tree_is_lost_that_a_site_leads_to_nothing_is_removed() {
    let (mut shown, mut below) = (TreeDigest::of(b""), TreeDigest::of(b""));
    let old = Old::new(|store| {
        let tree = tree(store, "shown");
        store.materialise(&tree).unwrap();
        let Some(Node::Directory(bin)) = tree.get("bin") else { panic!("bin is a directory") };
        (shown, below) = (tree.digest(), bin.digest());
    });
    let store = old.store();
    let needing = |thing, grip| [root("/a", &[(thing, grip)])];
    let lost = |roots: &[Root]| {
        let since = Since { busy: later(0), now: later(0) };
        let before = old.names();
        let foretold = store.foretell_collection(since, roots, NOTHING).map(drop);
        let collecting = store.hold_collecting(None, &Silent).unwrap();
        let done = store.collect(&collecting, since, roots, NOTHING, None, &Silent).map(drop);
        match (foretold, done) {
            (Err(Error::Lost { how, .. }), Err(Error::Lost { .. })) => {
                assert_eq!(old.names(), before);
                Some(how)
            }
            (foretold, done) => {
                foretold.unwrap();
                done.unwrap();
                None
            }
        }
    };
    for digest in [shown, below] {
        let path = store.path_of("trees", &digest);
        let right = disk::read(&path).unwrap();
        disk::write_atomic(&path, &[&right[..], b"x"].concat()).unwrap();
        assert_eq!(lost(&needing(Thing::Tree(shown), Grip::Lockfile)), Some("damaged"));
        assert_eq!(lost(&needing(Thing::Prefix(shown), Grip::Generation)), Some("damaged"));
        disk::remove_file(&path).unwrap();
        assert_eq!(lost(&needing(Thing::Prefix(shown), Grip::Generation)), Some("missing"));
        store.repair(&store.verify().unwrap()).unwrap();
        assert_eq!(lost(&needing(Thing::Prefix(shown), Grip::Generation)), None);
        assert!(store.whole_tree(shown).unwrap().is_some());
    }
    // What only a lockfile names may never have been here.
    disk::remove_file(&store.path_of("trees", &shown)).unwrap();
    assert_eq!(lost(&needing(Thing::Tree(shown), Grip::Lockfile)), None);
}

#[test]
fn what_a_process_that_runs_made_found_or_linked_stays() {
    let (mut found, mut linked) = (None, None);
    let old = Old::new(|store| {
        tree(store, "neither");
        (found, linked) = (Some(tree(store, "found").digest()), Some(tree(store, "linked")));
    });
    // What was made within the coarseness of times counts as made by whoever began then.
    std::thread::sleep(Duration::from_millis(120));
    let store = old.store();
    // Its directory tells since when it runs.
    store.temporary_directory().unwrap();
    let other = old.store();
    assert!(
        other.quiet_before().unwrap().busy
            <= disk::usage(&store.temporary_directory().unwrap()).unwrap().unwrap().modified
    );
    let collect = || {
        let collecting = other.hold_collecting(None, &Silent).unwrap();
        let since = Since { now: later(0), ..other.quiet_before().unwrap() };
        other.collect(&collecting, since, &[], NOTHING, None, &Silent).unwrap()
    };
    let all = old.names();
    tree(&store, "made");
    assert!(store.whole_tree(found.unwrap()).unwrap().is_some());
    store.materialise(&linked.unwrap()).unwrap();
    let neither = collect();
    assert_eq!(neither.kept.keys().copied().collect::<Vec<_>>(), [Grip::Busy]);
    let counted = |kind| neither.freed.get(&kind).map(|amount| amount.count);
    assert_eq!((counted(Kind::Tree), counted(Kind::Blob), neither.freed.len()), (Some(3), Some(2), 2));
    // Three trees, two blobs; and the prefix.
    assert_eq!(old.names().len(), all.len() + 5 - 5 + 1);
    let before = old.names();
    assert_eq!((collect().freed_bytes(), old.names()), (0, before));
}

#[test]
fn a_store_is_brought_below_a_size_by_what_was_not_used_for_long() {
    let mut roots = Vec::new();
    let old = Old::new(|store| {
        let shown = tree(store, "shown").digest();
        roots.push(root("/a", &[(Thing::Tree(shown), Grip::Generation)]));
        for name in ["one", "two", "three"] {
            let content = Content { tree: tree(store, name), time: 0 };
            store.put_content(TextDigest::of(name.as_bytes()), &content).unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
        // It was fetched first, and used last.
        store.content(TextDigest::of(b"one")).unwrap().unwrap();
    });
    let all = Policy { keep: 100 * DAY, largest: None };
    let size = old.collect(&roots, all).kept_bytes();
    let collection = old.collect(&roots, Policy { largest: Some(size - 1), ..all });
    assert!(collection.kept_bytes() < size);
    let known = |name: &str| old.store().content(TextDigest::of(name.as_bytes())).unwrap().is_some();
    assert_eq!(["one", "two", "three"].map(known), [true, false, true]);
    old.collect(&roots, Policy { largest: Some(0), ..all });
    assert_eq!(["one", "two", "three"].map(known), [false; 3]);
    assert!(!old.names().is_empty(), "what a generation shows is never too much");
}

#[test]
fn what_a_site_costs_is_told_with_what_only_it_keeps() {
    let mut roots = Vec::new();
    let old = Old::new(|store| {
        let (one, two) = (tree(store, "one").digest(), tree(store, "two").digest());
        store.materialise(&store.tree(one).unwrap().unwrap()).unwrap();
        roots.push(root("/a", &[(Thing::Prefix(one), Grip::Generation), (Thing::Tree(one), Grip::Generation)]));
        roots.push(root("/b", &[(Thing::Tree(one), Grip::Generation), (Thing::Tree(two), Grip::Generation)]));
        roots.push(root("/c", &[(Thing::Tree(one), Grip::Generation)]));
    });
    let shares = old.collect(&roots, NOTHING).shares;
    let prefix = disk::usage_alone(&old.store().prefix_path(name_of(&roots[0]))).unwrap();
    assert_eq!(shares[0].alone, prefix, "a prefix is links to blobs, and its own directories");
    assert_eq!(shares[2].alone, 0);
    assert_eq!(shares[0].all, prefix + shares[2].all);
    assert_eq!(shares[1].all, shares[1].alone + shares[2].all);
    assert!(shares[2].all > 0 && shares[1].alone > 0);
}

fn name_of(root: &Root) -> TreeDigest {
    match root.needs[0].thing {
        Thing::Prefix(tree) => tree,
        _ => panic!("it needs a prefix"),
    }
}

#[test]
fn each_way_to_a_thing_is_told() {
    let mut roots = Vec::new();
    let old = Old::new(|store| {
        let one = tree(store, "one");
        store.materialise(&one).unwrap();
        roots.push(root("/a", &[(Thing::Prefix(one.digest()), Grip::Generation)]));
    });
    let store = old.store();
    let Some(Node::File(file)) = store.tree(name_of(&roots[0])).unwrap().unwrap().get("bin/run").cloned() else {
        panic!("it is a file")
    };
    let since = Since { busy: later(0), now: later(0) };
    let found = store.reasons(&file.blob.hex()[..10], since, &roots, NOTHING).unwrap();
    let [reasons] = found.as_slice() else { panic!("one thing begins so") };
    assert_eq!((reasons.kind.word(), reasons.grip, reasons.idle / 86_400), ("blob", Some(Grip::Generation), 10));
    let steps: Vec<_> = reasons.chains[0].steps.iter().map(|step| step.split(" sha256:").next().unwrap()).collect();
    assert_eq!(steps, ["prefix", "tree", "`bin/`, tree", "`run`, blob"]);
    assert_eq!(reasons.chains[0].because, "generation 1");
    assert!(store.reasons(&file.blob.hex(), since, &[], NOTHING).unwrap()[0].grip.is_none());
}

#[test]
fn two_do_not_collect_at_a_time() {
    let old = Old::new(|store| drop(tree(store, "one")));
    let _first = old.store().hold_collecting(None, &Silent).unwrap();
    let error = old.store().hold_collecting(Some(Duration::ZERO), &Silent).unwrap_err();
    assert!(error.to_string().starts_with("the collection of garbage in"), "{error}");
}
