use super::*;
use crate::digest::BlobDigest;
use std::collections::BTreeMap;

struct Scene {
    tree: Tree,
    texts: BTreeMap<BlobDigest, Vec<u8>>,
}

fn scene(files: &[(&str, &str)]) -> Scene {
    let (mut tree, mut texts) = (Tree::default(), BTreeMap::new());
    for (path, text) in files {
        let blob = BlobDigest::of(text.as_bytes());
        texts.insert(blob, text.as_bytes().to_vec());
        tree.insert(path, Node::File(File { blob, size: text.len() as u64, executable: false })).unwrap();
    }
    Scene { tree, texts }
}

impl Scene {
    fn find(&self, name: &str, subdir: Option<&str>) -> Result<Option<CargoProject>, Error> {
        cargo_project(&self.tree, &|file| self.texts.get(&file.blob).cloned().ok_or("gone".into()), name, subdir)
    }

    fn found(&self, name: &str) -> CargoProject {
        self.find(name, None).unwrap().unwrap()
    }
}

/// What is found: `PACKAGE VERSION in DIRECTORY of WORKSPACE`.
fn check(files: &[(&str, &str)], name: &str, subdir: Option<&str>, expected: &str) {
    let shown = match scene(files).find(name, subdir) {
        Ok(None) => "nothing".to_owned(),
        Ok(Some(one)) => format!("{} {} in `{}` of `{}`", one.package, one.version, one.directory, one.workspace),
        Err(error) => error.to_string(),
    };
    assert_eq!(shown, expected, "{files:?}");
}

const A: &str = "[package]\nname = 'a'\nversion = '1.2.3'\nedition = '2021'\n";
const B: &str = "[package]\nname = 'b'\nversion = '0.1.0'\nedition = '2021'\n";

#[test]
fn the_package_at_the_top_is_taken_whatever_its_name() {
    check(&[("Cargo.toml", A)], "a", None, "a 1.2.3 in `` of ``");
    check(&[("Cargo.toml", A)], "other", None, "a 1.2.3 in `` of ``");
    check(&[("Cargo.toml", "[package]\nname = 'a'")], "a", None, "a 0.0.0 in `` of ``");
    check(&[("README", "")], "a", None, "nothing");
    check(&[("Cargo.toml", "")], "a", None, "`Cargo.toml` has neither `[package]` nor `[workspace]`");
    check(&[("Cargo.toml", "[package")], "a", None, "`Cargo.toml` cannot be used");
    check(
        &[("Cargo.toml", "[package]\nname = 'a'\nversion = 'one'")],
        "a",
        None,
        "`Cargo.toml` has a version that cargo would not take",
    );
}

#[test]
fn a_member_is_found_by_its_name() {
    let root = "[workspace]\nmembers = ['crates/*', 'tool']\nexclude = ['crates/old']";
    let files = [("Cargo.toml", root), ("crates/x/Cargo.toml", A), ("tool/Cargo.toml", B), ("tool/src/main.rs", "")];
    check(&files, "a", None, "a 1.2.3 in `crates/x` of ``");
    check(&files, "b", None, "b 0.1.0 in `tool` of ``");
    check(&files, "c", None, "the workspace of `Cargo.toml` has no package `c`; members with programs are `b`");
    let files = [("Cargo.toml", root), ("crates/old/Cargo.toml", A), ("crates/deep/er/Cargo.toml", B)];
    let none = "the workspace of `Cargo.toml` has no package `a`; none of its members has programs";
    check(&files, "a", None, none);
    check(&files, "b", None, &none.replace("`a`", "`b`"));
}

#[test]
fn patterns_of_members_may_cross_directories() {
    let files = [("Cargo.toml", "[workspace]\nmembers = ['crates/**']"), ("crates/deep/er/Cargo.toml", B)];
    check(&files, "b", None, "b 0.1.0 in `crates/deep/er` of ``");
    let files = [("Cargo.toml", "[workspace]\nmembers = ['crates/***']"), ("crates/deep/er/Cargo.toml", B)];
    check(&files, "b", None, "`Cargo.toml` has a pattern of members, `crates/***`, that makes no sense");
}

#[test]
fn what_members_depend_on_by_path_is_a_member_too() {
    let a = format!("{A}[workspace]\n[target.'cfg(unix)'.dev-dependencies]\nb = {{ path = './libs/../libs/b' }}");
    let files = [("Cargo.toml", a.as_str()), ("libs/b/Cargo.toml", B)];
    check(&files, "b", None, "b 0.1.0 in `libs/b` of ``");
    let a = "[workspace]\nmembers = ['x/a']\n[workspace.dependencies]\nb = { path = 'libs/b' }";
    let member = format!("{A}[dependencies]\nb.workspace = true");
    let files = [("Cargo.toml", a), ("libs/b/Cargo.toml", B), ("x/a/Cargo.toml", member.as_str())];
    check(&files, "b", None, "b 0.1.0 in `libs/b` of ``");
}

#[test]
fn the_root_package_is_taken_if_it_alone_can_be_meant() {
    let root = format!("{A}[workspace]\nmembers = ['b']");
    let files = [("Cargo.toml", root.as_str()), ("src/main.rs", ""), ("b/Cargo.toml", B)];
    check(&files, "repository", None, "a 1.2.3 in `` of ``");
    check(&files, "b", None, "b 0.1.0 in `b` of ``");
}

#[test]
fn a_tree_without_a_manifest_at_the_top_is_entered_if_there_is_one_way() {
    check(&[("app/Cargo.toml", A), ("app/in/Cargo.toml", B)], "x", None, "a 1.2.3 in `app` of `app`");
    let two = [("one/Cargo.toml", A), ("two/Cargo.toml", B)];
    check(&two, "b", None, "b 0.1.0 in `two` of `two`");
    let choices = "there is no `Cargo.toml` at the top, but in `one` and `two`: name one by `subdir`";
    check(&two, "c", None, choices);
    check(&two, "c", Some("two"), "b 0.1.0 in `two` of `two`");
    let deep = "there is no `Cargo.toml` at the top, but in `x/one`: name one by `subdir`";
    check(&[("x/one/Cargo.toml", A)], "a", None, deep);
}

#[test]
fn a_subdirectory_must_be_there() {
    let files = [("Cargo.toml", "[workspace]\nmembers = ['a', 'in/b']"), ("a/Cargo.toml", A), ("in/b/Cargo.toml", B)];
    check(&files, "zzz", Some("./a/"), "a 1.2.3 in `a` of ``");
    check(&files, "a", Some("in"), "nothing");
    check(&files, "b", Some("."), "b 0.1.0 in `in/b` of ``");
    check(&files, "a", Some("none"), "there is no directory `none` inside");
    for bad in ["/a", "../a", "a/../.."] {
        check(&files, "a", Some(bad), &format!("`subdir = \"{bad}\"` must be a directory inside, relative to the top"));
    }
}

#[test]
fn a_workspace_below_is_searched() {
    let files = [("rust/Cargo.toml", "[workspace]\nmembers = ['b']"), ("rust/b/Cargo.toml", B), ("x/Cargo.toml", A)];
    check(&files, "b", Some("rust"), "b 0.1.0 in `rust/b` of `rust`");
}

#[test]
fn the_root_is_the_nearest_that_does_not_exclude() {
    let top = "[workspace]\nmembers = ['*']\nexclude = ['apart']";
    let files = [("Cargo.toml", top), ("apart/a/Cargo.toml", A), ("b/Cargo.toml", B)];
    check(&files, "a", Some("apart/a"), "a 1.2.3 in `apart/a` of `apart/a`");
    check(&files, "b", Some("b"), "b 0.1.0 in `b` of ``");
    let named = format!("{A}workspace = '../roots/one'");
    let files = [("roots/one/Cargo.toml", "[workspace]\nmembers = ['../../a']"), ("a/Cargo.toml", named.as_str())];
    check(&files, "a", Some("a"), "a 1.2.3 in `a` of `roots/one`");
    let gone = format!("{A}workspace = '../gone'");
    check(
        &[("a/Cargo.toml", gone.as_str())],
        "a",
        None,
        "`a/Cargo.toml` belongs to a workspace at `../gone`, which is not there",
    );
}

#[test]
fn what_is_left_to_the_workspace_is_inherited() {
    let root = "[workspace]\nmembers = ['a']\n[workspace.package]\nversion = '7.0.0'\nedition = '2015'";
    let a = "[package]\nname = 'a'\nversion.workspace = true\nedition.workspace = true\n[[bin]]\nname = 'x'\n\
             path = 'x.rs'";
    let scene = scene(&[("Cargo.toml", root), ("a/Cargo.toml", a), ("a/src/main.rs", "")]);
    let found = scene.found("a");
    assert_eq!(found.version.to_string(), "7.0.0");
    assert_eq!(found.binaries.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["x"]);
    assert_eq!(found.manifest, a);
}

#[test]
fn features_are_those_that_can_be_asked_for() {
    let a = format!(
        "{A}[features]\ndefault = []\nfull = ['dep:hidden', 'b?/c']\n[dependencies]\nb = {{ version = '1', optional = \
         true }}\nhidden = {{ version = '1', optional = true }}\nplain = '1'\n[target.'cfg(unix)'.dependencies]\n\
         unix = {{ version = '1', optional = true }}"
    );
    let found = scene(&[("Cargo.toml", &a)]).found("a");
    assert_eq!(found.features.into_iter().collect::<Vec<_>>(), ["b", "default", "full", "unix"]);
}

const LOCK: &str = "version = 4\n[[package]]\nname = 'a'\nversion = '1.2.3'\n[[package]]\nname = 'b'\nversion = \
                    '0.1.0'\n[[package]]\nname = 'c'\nversion = '2.0.0'\nsource = 'git+https://a.example/#4f1c0d2e4f1c0d2e4f1c0d2e4f1c0d2e4f1c0d2e'\n";

fn fits(root: &str, a: &str, b: &str, lock: Option<&str>) -> bool {
    let (a, b) = (format!("{A}{a}"), format!("{B}{b}"));
    let root = format!("[workspace]\nmembers = ['a', 'b']\n{root}");
    let mut files = vec![("Cargo.toml", root.as_str()), ("a/Cargo.toml", &a), ("b/Cargo.toml", &b)];
    files.extend(lock.map(|lock| ("Cargo.lock", lock)));
    scene(&files).found("a").lock_fits
}

#[test]
fn a_lock_has_to_answer_every_member() {
    assert!(fits("", "", "", Some(LOCK)));
    assert!(!fits("", "", "", None));
    assert!(!fits("", "", "[dependencies]\nd = '1'", Some(LOCK)));
    assert!(!fits("", "", "[dependencies]\nc = '1'", Some(LOCK)));
    assert!(fits("", "[dependencies]\nb = { path = '../b' }", "[dependencies]\nc = '2'", Some(LOCK)));
    assert!(!fits("", "[dependencies]\nc = { path = '../c' }", "", Some(LOCK)), "`c` is locked from elsewhere");
    assert!(!fits("", "", "", Some("version = 4\n[[package]]\nname = 'a'\nversion = '1.2.3'")));
}

#[test]
fn what_is_left_to_the_workspace_has_to_be_locked_as_it_says() {
    let root = "[workspace.dependencies]\nother = { version = '2', package = 'c' }\nd = '1'";
    assert!(fits(root, "[dependencies]\nother.workspace = true", "", Some(LOCK)));
    assert!(!fits(root, "[dependencies]\nd.workspace = true", "", Some(LOCK)));
    assert!(!fits(root, "[dependencies]\nunknown.workspace = true", "", Some(LOCK)));
    assert!(!fits("[workspace.dependencies]\nc = '3'", "[dependencies]\nc.workspace = true", "", Some(LOCK)));
}

#[test]
fn a_broken_lock_is_an_error() {
    check(&[("Cargo.toml", A), ("Cargo.lock", "<<<<")], "a", None, "`Cargo.lock` cannot be used");
}

#[test]
fn a_manifest_may_be_a_symlink_inside() {
    let mut scene = scene(&[("real/manifest", A)]);
    scene.tree.insert("Cargo.toml", Node::Symlink("./real/manifest".into())).unwrap();
    assert_eq!(scene.found("a").directory, "");
    scene.tree.insert("x/Cargo.toml", Node::Symlink("Cargo.toml".into())).unwrap();
    assert!(scene.find("a", Some("x")).unwrap().is_none(), "a circle leads to no file");
}

#[test]
fn paths_are_brought_into_plain_form() {
    assert_eq!(join("a/b", "../c/./d/"), Some("a/c/d".into()));
    assert_eq!(join("", "."), Some(String::new()));
    assert_eq!(join("a", "../../b"), None);
    assert_eq!(outside("a", "../../../b/c"), Some((2, "b/c".into())));
    assert_eq!(outside("a", "../../b/../c"), Some((1, "c".into())));
    assert_eq!(outside("a", "/b"), None);
}

#[test]
fn the_nearest_wish_for_a_compiler_is_found() {
    let check = |directory: &str, expected: Option<&str>| {
        let scene = scene(&[("rust-toolchain.toml", ""), ("app/rust-toolchain", ""), ("x/y", "")]);
        assert_eq!(toolchain_file(&scene.tree, directory).as_deref(), expected);
    };
    check("", Some("rust-toolchain.toml"));
    check("x", Some("rust-toolchain.toml"));
    check("app", Some("app/rust-toolchain"));
    check("app/below", Some("app/rust-toolchain"));
    assert_eq!(toolchain_file(&Tree::default(), ""), None);
}
