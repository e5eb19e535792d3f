use std::collections::BTreeMap;

use super::*;
use crate::digest::TreeDigest;
use crate::progress::Silent;

fn place(directory: &Path) -> Place {
    Place::new(&directory.join("sites"), &directory.join("project"), &"api".parse().unwrap())
}

fn prefix(directory: &Path, content: &str) -> PathBuf {
    let path = directory.join(content);
    disk::create_directories(&path.join("bin")).unwrap();
    disk::write(&path.join("bin/run"), content.as_bytes()).unwrap();
    path
}

fn generation(content: &str) -> Generation {
    Generation::new("api", "x86_64-linux-gnu", TreeDigest::of(content.as_bytes()), TextDigest::of(content.as_bytes()))
}

fn build(place: &Place, directory: &Path, content: &str) -> Generation {
    let _held = place.hold(None, &Silent).unwrap();
    let added = place.add_generation(generation(content), &prefix(directory, content), "", &Files::default()).unwrap();
    place.switch(Move::Build, &added, Some(added.lockfile), Note::default()).unwrap();
    added
}

#[test]
fn current_shows_the_latest_build() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    build(&place, directory.path(), "one");
    build(&place, directory.path(), "two");
    assert_eq!(place.current_number(), Some(2));
    assert_eq!(disk::read(&place.current_link().join("bin/run")).unwrap(), b"two");
    assert_eq!(place.numbers().unwrap(), [1, 2]);
}

#[test]
fn the_same_build_twice_is_one_generation() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    build(&place, directory.path(), "one");
    build(&place, directory.path(), "one");
    assert_eq!(place.numbers().unwrap(), [1]);
}

#[test]
fn links_beside_a_file_of_the_sites_own_lead_into_the_prefix_too() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let manifest = "[sites.api.files]\n'bin/start' = { text = 'run', mode = '0700' }";
    let manifest = crate::manifest::Manifest::parse("envy.toml", manifest).unwrap();
    let files = Files::render(&place, manifest.sites().next().unwrap(), &BTreeMap::new()).unwrap();
    let _held = place.hold(None, &Silent).unwrap();
    let (one, two) = (prefix(directory.path(), "one"), prefix(directory.path(), "two"));
    let wanted = generation("one").with_config(&Config { files: files.clone(), ..Config::default() });
    let added = place.add_generation(wanted.clone(), &one, "", &files).unwrap();
    assert!(place.links_into(&added, &one) && !place.links_into(&added, &two), "the store may move");
    assert_eq!(place.add_generation(wanted.clone(), &one, "", &files).unwrap().number, 1);
    disk::write(&place.generation_path(1).join("bin/start"), b"other").unwrap();
    assert_eq!(place.edited_files(&added), ["bin/start"]);
    assert_eq!(place.add_generation(wanted, &one, "", &files).unwrap().number, 2, "it is made anew");
    assert_eq!(disk::read(&place.generation_path(2).join("bin/run")).unwrap(), b"one");
}

#[test]
fn three_rollbacks_in_a_row_go_where_the_history_says() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    for content in ["one", "two", "three", "four"] {
        build(&place, directory.path(), content);
    }
    for expected in [3, 2, 1] {
        let target = place.generation(place.before_current().unwrap()).unwrap();
        place.switch(Move::Rollback, &target, None, Note::default()).unwrap();
        assert_eq!(place.current_number(), Some(expected));
    }
    assert!(matches!(place.before_current(), Err(Error::NothingBefore(_))));
}

#[test]
fn a_rollback_holds_until_the_lockfile_changes() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let one = build(&place, directory.path(), "one");
    let two = build(&place, directory.path(), "two");
    assert!(!place.is_held(two.lockfile, None).unwrap());
    place.switch(Move::Rollback, &one, Some(two.lockfile), Note::default()).unwrap();
    assert!(place.is_held(two.lockfile, None).unwrap());
    assert!(!place.is_held(TextDigest::of(b"three"), None).unwrap());
    place.switch(Move::Switch, &two, Some(two.lockfile), Note::default()).unwrap();
    assert!(!place.is_held(two.lockfile, None).unwrap());
}

#[test]
fn a_switch_whose_line_was_never_written_can_be_undone() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    build(&place, directory.path(), "one");
    let two = place.add_generation(generation("two"), &prefix(directory.path(), "two"), "", &Files::default()).unwrap();
    disk::symlink_atomic(Path::new("generations/2"), &place.current_link()).unwrap();
    assert_eq!(place.before_current().unwrap(), 1);
    assert_eq!(two.number, 2);
}

#[test]
fn what_a_dead_process_left_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let left = place.path().join("generations/.1");
    disk::create_directories(&left).unwrap();
    build(&place, directory.path(), "one");
    assert!(!left.exists());
    assert_eq!(place.current_number(), Some(1));
}

#[test]
fn a_place_of_another_project_is_refused_while_that_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let first = place(directory.path());
    disk::create_directories(&directory.path().join("project")).unwrap();
    disk::write(&directory.path().join("project/envy.toml"), b"").unwrap();
    build(&first, directory.path(), "one");
    let second = Place::new(&directory.path().join("sites"), &directory.path().join("other"), first.site());
    assert!(matches!(second.hold(None, &Silent), Err(Error::NotOurs { .. })));
    disk::remove_file(&directory.path().join("project/envy.toml")).unwrap();
    second.hold(None, &Silent).unwrap();
    assert!(first.hold(None, &Silent).is_ok(), "the other is not there either");
}

#[test]
fn removing_a_site_keeps_its_data() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    build(&place, directory.path(), "one");
    disk::write(&place.var().join("data"), b"mine").unwrap();
    place.remove(Data::Keep).unwrap();
    assert!(place.var().join("data").exists() && !place.current_link().exists());
    place.remove(Data::Remove).unwrap();
    assert!(!place.path().exists());
}

#[test]
fn a_number_whose_switch_was_undone_is_not_given_again() {
    let directory = tempfile::tempdir().unwrap();
    let place = place(directory.path());
    let one = build(&place, directory.path(), "one");
    let two = build(&place, directory.path(), "two");
    place.switch(Move::Undo, &one, None, Note::default()).unwrap();
    place.remove_generation(two.number).unwrap();
    assert_eq!(build(&place, directory.path(), "three").number, 3, "the history tells of another one by its number");
}
