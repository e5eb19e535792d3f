//! Repositories elsewhere, over every way and with servers of different manners.

use super::scene::{Repo, Thing, World, causes, oid, wanted};
use super::server::{MODERN, Manners, OLD, Server, only_mirror};
use crate::progress::Silent;
use crate::source::Mirrors;
use crate::source::git::{Error, Reference};

/// A repository with two commits, an annotated tag on the first and a plain one on the second.
fn repo() -> (Repo, [crate::digest::Commit; 2]) {
    let repo = Repo::new();
    let many: String = (0..5000).map(|number| format!("line {}\n", number * number)).collect();
    let first = repo.commit(&[("a", "1"), ("many", &many)]);
    repo.tag("v1", first);
    let second = repo.commit(&[("a", "2"), ("many", &many)]);
    repo.light_tag("v2", second);
    (repo, [first, second])
}

const NEITHER: Manners = Manners { shallow: false, ..OLD };

fn everywhere(manners: &[Manners], check: impl Fn(&Repo, [crate::digest::Commit; 2], &Server, &str)) {
    for manners in manners {
        let (repo, commits) = repo();
        let server = Server::of(&repo, *manners);
        check(&repo, commits, &server, &server.http);
        let (repo, commits) = self::repo();
        let server = Server::of(&repo, *manners);
        check(&repo, commits, &server, &server.git);
    }
}

#[test]
fn names_are_listed_and_known_without_a_network_then() {
    everywhere(&[MODERN, OLD], |_, [first, second], server, url| {
        let world = World::new();
        let tags: Vec<_> = world.git().tags(url).unwrap().into_iter().map(|tag| (tag.name, tag.commit)).collect();
        assert_eq!(tags, [("v1".to_owned(), first), ("v2".to_owned(), second)]);
        let world = world.offline();
        let git = world.git();
        assert_eq!(git.resolve(url, &Reference::Default).unwrap(), second);
        assert_eq!(git.resolve(url, &Reference::Tag("v1".into())).unwrap(), first);
        assert_eq!(git.resolve(url, &Reference::Rev(second.short())).unwrap(), second);
        assert!(server.asked().is_empty(), "no object is sent for that");
        let error = World::new().offline().git().tags(url).unwrap_err();
        assert_eq!(error.to_string(), format!("the network is needed, and may not be used: {url}"));
    });
}

#[test]
fn a_commit_is_fetched_alone_and_is_here_from_then_on() {
    everywhere(&[MODERN, OLD, Manners { gives_any: true, ..OLD }], |_, [first, second], server, url| {
        for commit in [first, second] {
            let world = World::new();
            assert!(!world.git().has(url, &commit));
            world.fetch(url, commit).unwrap_or_else(|error| panic!("{}", causes(&error)));
            let asked = server.asked().pop().unwrap();
            assert_eq!((asked.wants.len(), asked.deepen.as_deref()), (1, Some("1")));
            let asked = server.asked().len();
            let world = world.offline();
            assert!(world.git().has(url, &commit));
            world.fetch(url, commit).unwrap();
            let shown = world.shown(url, commit);
            assert!(shown.starts_with(&format!("a \"{}\"\nmany", if commit == first { 1 } else { 2 })), "{shown}");
            assert_eq!(server.asked().len(), asked, "what is here is not asked for");
        }
    });
}

#[test]
fn of_a_second_commit_only_the_difference_is_sent() {
    everywhere(&[MODERN, OLD], |_, [first, second], server, url| {
        let world = World::new();
        world.fetch(url, second).unwrap();
        world.fetch(url, first).unwrap();
        let [one, two] = &server.asked()[..] else { panic!("two packs") };
        assert_eq!((&two.haves, &two.shallow), (&vec![second.to_string()], &vec![second.to_string()]));
        assert!(two.bytes < 600 && one.bytes > 10 * two.bytes, "{} and then {}", one.bytes, two.bytes);
        let world = world.offline();
        assert!(world.shown(url, first).starts_with("a \"1\"") && world.shown(url, second).starts_with("a \"2\""));
    });
}

#[test]
fn a_server_that_knows_names_alone_is_asked_by_name() {
    everywhere(&[OLD, Manners { modern: true, ..OLD }, NEITHER], |repo, [first, second], server, url| {
        repo.set("refs/tags/v1", None);
        let world = World::new();
        // No name is on the first commit any more, but the branch leads to it.
        let branch = Some(Reference::Branch("main".into()));
        let fetched = world.git().fetch(&[wanted(url, first, branch)], &Silent).remove(0);
        fetched.unwrap_or_else(|error| panic!("{}", causes(&error)));
        assert_eq!(server.asked().last().unwrap().wants, [second.to_string()]);
        assert!(world.offline().shown(url, first).starts_with("a \"1\""));
    });
}

#[test]
fn a_commit_that_has_vanished_is_named_with_what_its_tag_is_on_now() {
    everywhere(&[MODERN, OLD, NEITHER], |_, [_, second], _, url| {
        let (world, gone) = (World::new(), [7; 20].into());
        let tag = Some(Reference::Tag("v2".into()));
        let error = world.git().fetch(&[wanted(url, gone, tag)], &Silent).remove(0).unwrap_err();
        let expected = format!("commit {gone} is not in `{url}` any more: tag `v2` is now at {second}");
        assert_eq!(causes(&error), expected);
        assert!(!world.git().has(url, &gone));
        world.fetch(url, second).unwrap_or_else(|error| panic!("{}", causes(&error)));
    });
}

#[test]
fn the_beginning_of_an_id_is_looked_for_in_all_history() {
    everywhere(&[MODERN, OLD], |repo, [first, second], server, url| {
        repo.set("refs/tags/v1", None);
        let world = World::new();
        world.fetch(url, second).unwrap();
        assert_eq!(world.git().resolve(url, &Reference::Rev(first.short())).unwrap(), first);
        assert_eq!(server.asked().last().unwrap().deepen.as_deref(), Some("2147483647"));
        let world = world.offline();
        assert_eq!(world.git().resolve(url, &Reference::Rev(first.short())).unwrap(), first);
        let error = world.git().resolve(url, &Reference::Rev("feedfeed".into())).unwrap_err();
        assert_eq!(error.to_string(), format!("`{url}` has no revision `feedfeed`"));
        let mirror = git2::Repository::open(only_mirror(&world.cache()).unwrap()).unwrap();
        assert!(!mirror.is_shallow(), "nothing is missing before any commit");
    });
}

#[test]
fn a_transfer_that_breaks_is_begun_again() {
    everywhere(&[Manners { cuts: true, ..MODERN }, Manners { cuts: true, ..OLD }], |_, [_, second], server, url| {
        let world = World::new();
        world.fetch(url, second).unwrap_or_else(|error| panic!("{}", causes(&error)));
        assert_eq!(server.asked().len(), 2);
        let mirror = only_mirror(&world.cache()).unwrap();
        let left: Vec<_> = std::fs::read_dir(&mirror).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("incoming-")), "{left:?}");
    });
}

#[test]
fn what_a_killed_process_left_does_no_harm() {
    let (repo, [first, second]) = repo();
    let (server, world) = (Server::of(&repo, MODERN), World::new());
    world.fetch(&server.http, first).unwrap();
    let mirror = only_mirror(&world.cache()).unwrap();
    std::fs::create_dir(mirror.join("incoming-dead")).unwrap();
    std::fs::write(mirror.join("incoming-dead/pack"), "PACK").unwrap();
    std::fs::write(mirror.join(format!("whole/{second}")), "").unwrap();
    assert!(!world.git().has(&server.http, &second), "an empty list is not the end of one");
    world.fetch(&server.http, second).unwrap();
    assert!(!mirror.join("incoming-dead").exists());
    assert!(world.offline().shown(&server.http, second).starts_with("a \"2\""));
}

#[test]
fn a_damaged_mirror_is_made_anew() {
    let (repo, [first, second]) = repo();
    let (server, world) = (Server::of(&repo, MODERN), World::new());
    world.fetch(&server.http, first).unwrap();
    let packs = only_mirror(&world.cache()).unwrap().join("objects/pack");
    std::fs::remove_dir_all(&packs).unwrap();
    std::fs::create_dir(&packs).unwrap();
    assert!(!world.git().has(&server.http, &first));
    world.fetch(&server.http, second).unwrap_or_else(|error| panic!("{}", causes(&error)));
    assert!(server.asked().last().unwrap().haves.is_empty());
    world.fetch(&server.http, first).unwrap();
    let world = world.offline();
    assert!(world.shown(&server.http, first).starts_with("a \"1\""));
}

#[test]
fn two_at_a_time_bring_a_commit_once() {
    let (repo, [first, second]) = repo();
    let (server, world) = (Server::of(&repo, MODERN), World::new());
    let wanted: Vec<_> = [first, second, first, second].map(|commit| wanted(&server.http, commit, None)).into();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| world.git().fetch(&wanted, &Silent).into_iter().for_each(|one| one.unwrap()));
        }
    });
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn without_a_network_all_that_is_missing_is_named() {
    let (world, url) = (World::new().offline(), "https://a.example/x");
    let wanted = [wanted(url, [1; 20].into(), None), wanted(url, [2; 20].into(), None)];
    let missing = "app 1.0 (0101010101), app 1.0 (0202020202)";
    for result in world.git().fetch(&wanted, &Silent) {
        let error = result.unwrap_err().to_string();
        assert_eq!(error, format!("the network is needed, and may not be used: {missing}"));
    }
    assert!(!world.cache().exists());
}

#[test]
fn a_mirror_is_asked_and_what_is_here_bears_the_first_name() {
    let (repo, [first, _]) = repo();
    let (server, mut world) = (Server::of(&repo, MODERN), World::new());
    let (url, base) = ("https://a.example/x/app.git", server.http.strip_suffix("app.git").unwrap().to_owned());
    world.mirrors = Mirrors::new([("https://a.example/x/".to_owned(), base)]).unwrap();
    world.fetch(url, first).unwrap_or_else(|error| panic!("{}", causes(&error)));
    let error = world.git().resolve(url, &Reference::Tag("v9".into())).unwrap_err();
    let expected = format!(
        "`{url}` is fetched from its mirror `{}`, and from nowhere else: `{}` has no tag `v9`",
        server.http, server.http
    );
    assert_eq!(causes(&error), expected);
    world.mirrors = Mirrors::default();
    assert!(world.git().has(url, &first));
}

#[test]
fn submodules_are_fetched_with_what_they_are_part_of() {
    let (inner, [part, _]) = repo();
    let (inner_server, outer) = (Server::of(&inner, MODERN), Repo::new());
    let modules = format!("[submodule \"x\"]\n\tpath = part\n\turl = {}\n", inner_server.http);
    let things = [("100644", ".gitmodules", Thing::Text(&modules)), ("160000", "part", Thing::Id(oid(part)))];
    let commit = outer.commit_tree(outer.tree(&things));
    let (server, world) = (Server::of(&outer, MODERN), World::new());
    world.fetch(&server.http, commit).unwrap_or_else(|error| panic!("{}", causes(&error)));
    let world = world.offline();
    assert!(world.git().has(&server.http, &commit));
    assert!(world.shown(&server.http, commit).contains("part/a \"1\""));
    let lost = World::new();
    let things = [("100644", ".gitmodules", Thing::Text(&modules)), ("160000", "part", Thing::Id(oid([7; 20].into())))];
    let commit = outer.commit_tree(outer.tree(&things));
    let error = lost.fetch(&server.http, commit).unwrap_err();
    assert!(matches!(&error, Error::Submodule { source, .. } if matches!(**source, Error::Vanished { .. })), "{error}");
    assert!(!lost.git().has(&server.http, &commit), "what lacks a part is not here");
}

#[test]
fn what_comes_from_elsewhere_names_nothing_of_this_machine() {
    let (inner, [part, _]) = repo();
    let outer = Repo::new();
    let modules = format!("[submodule \"x\"]\n\tpath = part\n\turl = {}\n", inner.url());
    let things = [("100644", ".gitmodules", Thing::Text(&modules)), ("160000", "part", Thing::Id(oid(part)))];
    let commit = outer.commit_tree(outer.tree(&things));
    let (server, world) = (Server::of(&outer, MODERN), World::new());
    let error = causes(&world.fetch(&server.http, commit).unwrap_err());
    assert!(error.ends_with("is one of this machine, in a repository that is not"), "{error}");
}

#[test]
fn a_server_that_sends_nonsense_is_an_error() {
    use crate::download::loopback::{Answer, Loopback};
    let world = World::new();
    let page = Loopback::serve(|_, _| Answer::ok(b"<html>"));
    let error = causes(&world.git().tags(&page.url).unwrap_err());
    assert!(error.ends_with("the server sent what is not git's protocol"), "{error}");
    let kind = || vec![("content-type", "application/x-git-upload-pack-advertisement".to_owned())];
    for body in [&b""[..], b"00", b"0009abcde", b"zzzz", b"000eversion 2\n", b"0005a0000"] {
        let server = Loopback::serve(move |_, _| Answer::Whole("200 OK", kind(), body.to_vec()));
        let error = World::new().git().tags(&server.url).unwrap_err();
        assert!(matches!(error, Error::Talk { .. }), "{}", causes(&error));
    }
}

#[test]
fn a_repository_of_another_hash_is_told_as_such() {
    use crate::download::loopback::{Answer, Loopback};
    let kind = || vec![("content-type", "application/x-git-upload-pack-advertisement".to_owned())];
    let greeting = b"000eversion 2\n0019object-format=sha256\n0000";
    let server = Loopback::serve(move |_, _| Answer::Whole("200 OK", kind(), greeting.to_vec()));
    let error = causes(&World::new().git().tags(&server.url).unwrap_err());
    assert!(error.contains("under another hash than sha1"), "{error}");
}
