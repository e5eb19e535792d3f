//! Trees that must not be laid out.

use git2::Oid;

use super::scene::{Repo, Thing, World, oid};

/// The end of the message about a commit's tree, from the path on.
fn refusal(repo: &Repo, tree: Oid) -> String {
    let (world, commit) = (World::new(), repo.commit_tree(tree));
    let error = super::scene::causes(&world.tree(&repo.url(), commit).unwrap_err());
    error.replace(&format!("in commit {commit} of `{}` ", repo.url()), "")
}

fn check(mode: &str, name: &[u8], content: &str, expected: &str) {
    let repo = Repo::new();
    let inner = repo.raw_tree(&[(mode, name, repo.blob(content))]);
    let outer = repo.raw_tree(&[("40000", b"deep", inner)]);
    assert_eq!(refusal(&repo, outer), expected);
}

#[test]
fn names_that_could_do_harm_are_refused_by_name() {
    check("100644", b".git", "x", "`deep/.git` is what git calls its own directory");
    check("120000", b".GIT", "x", "`deep/.GIT` is what git calls its own directory");
    check("100644", b"..", "x", "`deep/..` has no plain name");
    check("100644", b"a/b", "x", "`deep/a/b` has no plain name");
    check("100644", b"\xff", "x", "`deep/\u{fffd}` has a name that is not UTF-8");
}

#[test]
fn symlinks_stay_inside() {
    let outside = "`deep/link` is a symlink that leads outside the repository";
    for target in ["/etc/passwd", "../../x", "a/../../../x", "", "a\0b"] {
        check("120000", b"link", target, outside);
    }
    check("120000", b"link", &"a/".repeat(3000), "`deep/link` is a symlink that is too long");
}

#[test]
fn nothing_is_there_twice() {
    let repo = Repo::new();
    let (one, other) = (repo.blob("1"), repo.blob("2"));
    let below = repo.raw_tree(&[("100644", b"x", one)]);
    let tree = repo.raw_tree(&[("120000", b"a", one), ("40000", b"a", below)]);
    assert_eq!(refusal(&repo, tree), "`a` is there twice");
    let tree = repo.raw_tree(&[("100644", b"a", one), ("100644", b"a", other)]);
    assert_eq!(refusal(&repo, tree), "`a` is there twice");
}

#[test]
fn what_differs_in_case_alone_may_be_there() {
    let (repo, world) = (Repo::new(), World::new());
    let commit = repo.commit(&[("README", "1"), ("readme", "2")]);
    assert_eq!(world.shown(&repo.url(), commit), "README \"1\"\nreadme \"2\"\n");
}

#[test]
fn an_object_of_another_type_is_refused() {
    let repo = Repo::new();
    let tree = repo.raw_tree(&[("40000", b"a", repo.blob("1"))]);
    assert!(refusal(&repo, tree).ends_with("an object is of another type than it is used for"));
}

#[test]
fn a_pointer_to_git_lfs_is_not_the_file() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n";
    let (repo, world) = (Repo::new(), World::new());
    let commit = repo.commit(&[("big.bin", pointer)]);
    world.tree(&repo.url(), commit).unwrap();
    let commit = repo.commit(&[("big.bin", pointer), (".gitattributes", "*.bin filter=lfs diff=lfs\n")]);
    let error = world.tree(&repo.url(), commit).unwrap_err().to_string();
    assert!(error.starts_with(&format!("`big.bin` in commit {commit} of")), "{error}");
    assert!(error.contains("Git LFS"), "{error}");
}

#[test]
fn more_bytes_than_there_may_be_are_refused() {
    let (repo, mut world) = (Repo::new(), World::new());
    let commit = repo.commit(&[("a", "12345"), ("b", "12345")]);
    world.settings.largest = 5;
    world.tree(&repo.url(), commit).unwrap();
    let commit = repo.commit(&[("a", "12345"), ("b", "6")]);
    let error = world.tree(&repo.url(), commit).unwrap_err().to_string();
    assert!(error.ends_with("has more bytes than there may be"), "{error}");
}

#[test]
fn a_tree_of_trees_that_grows_without_end_is_refused() {
    let repo = Repo::new();
    let mut tree = repo.raw_tree(&[("100644", b"a", repo.blob(""))]);
    for _ in 0..30 {
        tree = repo.raw_tree(&[("40000", b"a", tree), ("40000", b"b", tree), ("40000", b"c", tree)]);
    }
    assert!(refusal(&repo, tree).ends_with("more files than there may be"));
}

fn submodule(modules: &str) -> String {
    let repo = Repo::new();
    let commit = repo.commit(&[("a", "1")]);
    let tree = repo.tree(&[("100644", ".gitmodules", Thing::Text(modules)), ("160000", "lib", Thing::Id(oid(commit)))]);
    refusal(&repo, tree).replace(&repo.url(), "REPO")
}

#[test]
fn submodules_have_plain_addresses() {
    assert_eq!(submodule(""), "`lib` is a submodule that `.gitmodules` does not name");
    for url in ["ext::sh -c x", "-u/x", "--upload-pack=x", "ssh://-oProxyCommand=x/y", "https://me:sesame@a.example/x"]
    {
        let error = submodule(&format!("[submodule \"x\"]\npath = lib\nurl = {url}\n"));
        assert!(error.starts_with("the submodule `lib` of `REPO` cannot be had: the address"), "{error}");
        assert!(!error.contains("sesame"), "{error}");
    }
    let twice = "[submodule \"x\"]\npath = lib\nurl = a\n[submodule \"y\"]\npath = lib\nurl = b\n";
    assert_eq!(submodule(twice), "`.gitmodules` names one path twice");
}
