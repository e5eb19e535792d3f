//! Repositories on this machine.

use expect_test::expect;

use super::scene::{Repo, Thing, World, causes, oid, wanted};
use crate::progress::Silent;
use crate::source::git::{Error, Reference};
use crate::tree::Node;

#[test]
fn references_stand_for_commits() {
    let (repo, world) = (Repo::new(), World::new());
    let first = repo.commit(&[("a", "1")]);
    repo.tag("v1", first);
    let second = repo.commit(&[("a", "2")]);
    repo.light_tag("v2", second);
    let (git, url) = (world.git(), repo.url());
    let tags: Vec<_> = git.tags(&url).unwrap().into_iter().map(|tag| (tag.name, tag.commit)).collect();
    assert_eq!(tags, [("v1".to_owned(), first), ("v2".to_owned(), second)]);
    for (reference, expected) in [
        (Reference::Default, second),
        (Reference::Branch("main".into()), second),
        (Reference::Tag("v1".into()), first),
        (Reference::Rev(first.to_string().to_uppercase()), first),
        (Reference::Rev(first.short()), first),
        (Reference::Rev("v1".into()), first),
    ] {
        assert_eq!(git.resolve(&url, &reference).unwrap(), expected, "{reference}");
    }
    for reference in [Reference::Branch("v1".into()), Reference::Tag("main".into()), Reference::Rev("abcdef".into())] {
        let error = git.resolve(&url, &reference).unwrap_err();
        assert_eq!(error.to_string(), format!("`{url}` has no {reference}"));
    }
}

#[test]
fn a_tree_keeps_modes_and_links_and_nothing_is_filtered() {
    let (repo, world) = (Repo::new(), World::new());
    let tree = repo.tree(&[
        ("100644", ".gitattributes", Thing::Text("* text eol=crlf\nkept export-ignore\n")),
        ("100755", "bin/run", Thing::Text("#!/bin/sh\n")),
        ("100644", "doc/run", Thing::Text("#!/bin/sh\n")),
        ("120000", "doc/link", Thing::Text("../bin/run")),
        ("100644", "kept", Thing::Text("a\nb\r\n")),
    ]);
    let commit = repo.commit_tree(tree);
    expect![[r##"
        .gitattributes "* text eol=crlf\nkept export-ignore\n"
        bin/run* "#!/bin/sh\n"
        doc/link -> ../bin/run
        doc/run "#!/bin/sh\n"
        kept "a\nb\r\n"
    "##]]
    .assert_eq(&world.shown(&repo.url(), commit));
    assert_eq!(world.tree(&repo.url(), commit).unwrap().time, 1_700_000_000);
    assert!(!world.cache().exists(), "what is here is read where it is");
}

#[test]
fn a_repository_here_needs_no_network() {
    let (repo, world) = (Repo::new(), World::new().offline());
    let commit = repo.commit(&[("a", "1"), ("deep/b", "2")]);
    let (git, url) = (world.git(), format!("file://{}", repo.url()));
    assert!(git.has(&url, &commit));
    git.fetch(&[wanted(&url, commit, None)], &Silent).remove(0).unwrap();
    assert_eq!(git.file(&url, &commit, "deep/b").unwrap().as_deref(), Some(&b"2"[..]));
    for none in ["b", "deep", "deep/b/c", "a/b"] {
        assert_eq!(git.file(&url, &commit, none).unwrap(), None, "{none}");
    }
    git.tree(&url, &commit, &world.store, &Silent).unwrap();
}

#[test]
fn a_commit_that_is_gone_is_named_with_what_became_of_its_tag() {
    let (repo, world) = (Repo::new(), World::new());
    let commit = repo.commit(&[("a", "1")]);
    repo.tag("v1", commit);
    let gone = [7; 20].into();
    let fetch = |reference| world.git().fetch(&[wanted(&repo.url(), gone, Some(reference))], &Silent).remove(0);
    let error = fetch(Reference::Tag("v1".into())).unwrap_err();
    let expected = format!("commit {gone} is not in `{}` any more: tag `v1` is now at {commit}", repo.url());
    assert_eq!(error.to_string(), expected);
    let error = fetch(Reference::Tag("v2".into())).unwrap_err();
    assert!(error.to_string().ends_with("any more: tag `v2` is gone too"), "{error}");
}

#[test]
fn submodules_are_part_of_the_tree() {
    let (inner, outer, world) = (Repo::new(), Repo::new(), World::new());
    let part = inner.commit(&[("part.txt", "part")]);
    let name = inner.path().file_name().unwrap().to_str().unwrap();
    let modules = format!("[submodule \"x\"]\n\tpath = lib/part\n\turl = ../{name}\n");
    let tree = outer.tree(&[
        ("100644", ".gitmodules", Thing::Text(&modules)),
        ("100644", "lib/beside", Thing::Text("beside")),
        ("160000", "lib/part", Thing::Id(oid(part))),
    ]);
    let commit = outer.commit_tree(tree);
    let shown = world.shown(&outer.url(), commit);
    assert!(shown.ends_with("lib/beside \"beside\"\nlib/part/part.txt \"part\"\n"), "{shown}");
    let submodules = world.tree(&outer.url(), commit).unwrap().submodules;
    assert_eq!((submodules[0].path.as_str(), submodules[0].url.as_str()), ("lib/part", inner.url().as_str()));
    assert_eq!(submodules[0].commit, part);
}

#[test]
fn a_path_without_a_repository_is_an_error() {
    let (world, directory) = (World::new(), tempfile::tempdir().unwrap());
    let error = world.git().tags(directory.path().to_str().unwrap()).unwrap_err();
    assert!(matches!(error, Error::Repository { .. }), "{}", causes(&error));
}

#[test]
fn a_listing_has_names_and_links_and_reads_what_is_asked_for() {
    let (repo, world) = (Repo::new(), World::new());
    let module = repo.commit(&[("m", "m")]);
    let tree = repo.tree(&[
        ("100644", "Cargo.toml", Thing::Text("[workspace]")),
        ("100644", "a/Cargo.toml", Thing::Text("[package]")),
        ("120000", "b", Thing::Text("a/Cargo.toml")),
        ("160000", "m", Thing::Id(oid(module))),
    ]);
    let commit = repo.commit_tree(tree);
    let listing = world.git().listing(&repo.url(), &commit).unwrap();
    assert!(listing.has_submodules);
    let Some(Node::File(file)) = listing.tree.get("a/Cargo.toml") else { panic!("it is a file") };
    assert_eq!(listing.read(file).unwrap(), b"[package]");
    assert_eq!(listing.tree.get("b"), Some(&Node::Symlink("a/Cargo.toml".into())));
}
