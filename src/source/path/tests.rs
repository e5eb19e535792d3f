use super::*;
use crate::tree::Node;

struct Scene {
    directory: tempfile::TempDir,
}

impl Scene {
    fn new(files: &[(&str, &str)]) -> Self {
        let scene = Self { directory: tempfile::tempdir().unwrap() };
        for (path, text) in files {
            scene.write(path, text);
        }
        scene
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join("home").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        disk::create_directories(self.at(path).parent().unwrap()).unwrap();
        disk::write(&self.at(path), text.as_bytes()).unwrap();
    }

    fn memo(&self) -> PathMemo {
        PathMemo::in_cache(&self.directory.path().join("cache"))
    }

    fn look(&self, path: &str) -> Result<PathSource, Error> {
        look(&self.at(path), &self.memo())
    }

    fn store(&self) -> Store {
        Store::at(self.directory.path().join("store"))
    }

    /// The root, the directory in it, and the paths of all files.
    fn shown(&self, path: &str) -> String {
        let home = self.at("");
        match self.look(path) {
            Ok(source) => {
                let root = source.root.strip_prefix(&home).unwrap().display().to_string();
                let paths: Vec<_> = source.tree.leaves().into_iter().map(|(path, _)| path).collect();
                format!("{root}:{}: {}", source.subdir, paths.join(" "))
            }
            Err(error) => {
                let text = match std::error::Error::source(&error) {
                    Some(source) => format!("{error}: {source}"),
                    None => error.to_string(),
                };
                text.replace(home.to_str().unwrap(), "")
            }
        }
    }
}

fn check(files: &[(&str, &str)], look_at: &str, expected: &str) {
    assert_eq!(Scene::new(files).shown(look_at), expected);
}

fn package(name: &str, dependencies: &str) -> String {
    format!("[package]\nname = '{name}'\n[dependencies]\n{dependencies}")
}

#[test]
fn what_git_ignores_is_left_out() {
    let files = [
        (".git/HEAD", ""),
        (".git/info/exclude", "mine\n"),
        (".gitignore", "/target\n*.log\n!keep.log\n"),
        ("app/.gitignore", "/out\n"),
        ("app/.hidden", ""),
        ("app/.envy/sites/x", ""),
        ("app/.ignore", "main.c"),
        ("app/keep.log", ""),
        ("app/main.c", ""),
        ("app/mine", ""),
        ("app/out/x", ""),
        ("app/sub/out/x", ""),
        ("app/target/x", ""),
        ("app/x.log", ""),
        ("other", ""),
    ];
    check(&files, "app", "app:: .gitignore .hidden .ignore keep.log main.c sub/out/x target/x");
}

#[test]
fn outside_of_repositories_only_rules_inside_count() {
    let files = [(".gitignore", "main.c"), ("app/.gitignore", "*.o"), ("app/main.c", ""), ("app/main.o", "")];
    check(&files, "app", "app:: .gitignore main.c");
}

#[test]
fn nested_repositories_are_plain_files_by_their_own_rules() {
    let files = [
        (".git/HEAD", ""),
        (".gitignore", "*.log"),
        ("sub/.git", "gitdir: ../.git/modules/sub"),
        ("sub/a", ""),
        ("in/.git/HEAD", ""),
        ("in/b", ""),
        ("in/b.log", ""),
    ];
    check(&files, "", ":: .gitignore in/b in/b.log sub/a");
}

#[test]
fn what_says_that_it_is_a_cache_is_left_out() {
    let tag = "Signature: 8a477f597d28d172789f06886806bc55\n";
    let files = [("a/Cargo.toml", &package("a", "")[..]), ("a/target/CACHEDIR.TAG", tag), ("a/target/x", "")];
    check(&files, "a", "a:: Cargo.toml");
    check(&[("a/target/CACHEDIR.TAG", "no"), ("a/target/x", "")], "a", "a:: target/CACHEDIR.TAG target/x");
}

#[test]
fn a_package_brings_its_workspace() {
    let files = [
        ("w/Cargo.toml", "[workspace]\nmembers = ['crates/*']\nexclude = ['apart']"),
        ("w/Cargo.lock", ""),
        ("w/crates/a/Cargo.toml", &package("a", "")),
        ("w/crates/a/src/main.rs", ""),
        ("w/crates/b/Cargo.toml", &package("b", "")),
        ("w/apart/Cargo.toml", &package("apart", "")),
        ("other/x", ""),
    ];
    let all = "Cargo.lock Cargo.toml apart/Cargo.toml crates/a/Cargo.toml crates/a/src/main.rs crates/b/Cargo.toml";
    check(&files, "w/crates/a", &format!("w:crates/a: {all}"));
    check(&files, "w", &format!("w:: {all}"));
    check(&files, "w/apart", "w/apart:: Cargo.toml");
}

#[test]
fn packages_outside_keep_their_places() {
    let files = [
        ("app/Cargo.toml", &package("app", "one = { path = '../libs/one' }")[..]),
        ("libs/one/Cargo.toml", &package("one", "[target.'cfg(unix)'.dependencies]\ntwo = { path = '../two' }")),
        ("libs/two/Cargo.toml", &package("two", "[dev-dependencies]\nthree = { path = '../three' }")),
        ("libs/three/Cargo.toml", &package("three", "")),
        ("libs/x", ""),
    ];
    check(&files, "app", ":app: app/Cargo.toml libs/one/Cargo.toml libs/two/Cargo.toml");
    check(&files, "libs/three", "libs/three:: Cargo.toml");
}

#[test]
fn packages_outside_bring_their_workspaces() {
    let files = [
        ("x/app/Cargo.toml", &package("app", "one = { path = '../../w/one' }")[..]),
        ("w/Cargo.toml", "[workspace]\nmembers = ['*']\n[workspace.dependencies]\nfar = { path = '../y/far' }"),
        ("w/one/Cargo.toml", &package("one", "far.workspace = true")),
        ("w/two/Cargo.toml", &package("two", "gone = { path = '../../gone' }")),
        ("y/far/Cargo.toml", &package("far", "")),
        ("y/near", ""),
    ];
    check(&files, "x/app", ":x/app: w/Cargo.toml w/one/Cargo.toml w/two/Cargo.toml x/app/Cargo.toml y/far/Cargo.toml");
}

#[test]
fn what_takes_the_place_of_a_crate_belongs_to_the_source() {
    let app = package("app", "[patch.crates-io]\nfork = { path = '../fork' }");
    let files = [("app/Cargo.toml", app.as_str()), ("fork/Cargo.toml", &package("fork", ""))];
    check(&files, "app", ":app: app/Cargo.toml fork/Cargo.toml");
}

#[test]
fn a_root_may_stand_beside_its_members() {
    let a = "[package]\nname = 'a'\nworkspace = '../root'";
    let files = [("root/Cargo.toml", "[workspace]\nmembers = ['../a']"), ("a/Cargo.toml", a), ("a/x", ""), ("b", "")];
    check(&files, "a", ":a: a/Cargo.toml a/x root/Cargo.toml");
}

#[test]
fn a_source_may_depend_on_what_is_above_it() {
    let top = "[package]\nname = 'top'\n[workspace]\nexclude = ['in']";
    let inner = package("in", "top = { path = '..' }");
    check(&[("t/Cargo.toml", top), ("t/in/Cargo.toml", &inner), ("x", "")], "t/in", "t:in: Cargo.toml in/Cargo.toml");
}

#[test]
fn dependencies_that_cannot_come_along_are_refused() {
    let gone = package("app", "one = { path = '../one' }");
    let error = "`app` depends on a package in `one`, where there is no `Cargo.toml`";
    check(&[("app/Cargo.toml", &gone)], "app", error);
    let scene = Scene::new(&[("app/Cargo.toml", &gone), ("real/Cargo.toml", &package("one", ""))]);
    disk::symlink(Path::new("real"), &scene.at("one")).unwrap();
    assert_eq!(scene.shown("app"), "`app` depends on a package in `one`, which is reached through a symlink");
    let absolute = package("app", "one = { path = '/nowhere/one' }");
    check(&[("app/Cargo.toml", &absolute)], "app", "`app` depends on `/nowhere/one` by an absolute path");
    let broken = Scene::new(&[("app/Cargo.toml", "[package")]).look("app").unwrap_err();
    assert!(matches!(broken, Error::Project { .. }), "{broken}");
}

#[test]
fn symlinks_may_lead_inside_only() {
    let scene = Scene::new(&[("a/dir/file", ""), ("b", "")]);
    disk::symlink(Path::new("../dir/file"), &scene.at("a/dir/link")).unwrap();
    assert_eq!(scene.look("a").unwrap().tree.get("dir/link"), Some(&Node::Symlink("../dir/file".into())));
    for target in ["../b", "/etc/passwd", "dir/../../b"] {
        disk::remove_file(&scene.at("a/link")).unwrap();
        disk::symlink(Path::new(target), &scene.at("a/link")).unwrap();
        assert_eq!(scene.shown("a"), format!("the symlink `a/link` leads to `{target}`, outside of `a`"));
    }
}

#[test]
fn what_no_tree_can_hold_is_named() {
    use std::os::unix::ffi::OsStrExt as _;
    let scene = Scene::new(&[("a/file", "")]);
    let _socket = std::os::unix::net::UnixListener::bind(scene.at("a/socket")).unwrap();
    assert_eq!(scene.shown("a"), "`a/socket` is neither a file, a directory nor a symlink");
    let scene = Scene::new(&[("a/file", "")]);
    disk::write(&scene.at("a").join(std::ffi::OsStr::from_bytes(b"x\xff")), b"").unwrap();
    assert_eq!(scene.shown("a"), "`a/x\u{fffd}` has a name that is not UTF-8");
    assert_eq!(scene.shown("a/file"), "`a/file` is not a directory");
    assert!(scene.shown("none").starts_with("could not find `none`"));
}

#[test]
fn what_may_not_be_read_is_named() {
    let scene = Scene::new(&[("a/file", ""), ("a/dir/x", "")]);
    let deny = |path: &str| disk::set_mode(&scene.at(path), 0).unwrap();
    deny("a/file");
    // Whoever may read everything has nothing to test here.
    if disk::read(&scene.at("a/file")).is_ok() {
        return;
    }
    assert!(scene.shown("a").starts_with("could not open `a/file`"));
    disk::remove_file(&scene.at("a/file")).unwrap();
    deny("a/dir");
    assert!(scene.shown("a").starts_with("could not look through `a/dir`"));
    disk::set_mode(&scene.at("a/dir"), 0o755).unwrap();
}

#[test]
fn a_tree_knows_modes_and_contents() {
    let scene = Scene::new(&[("a/run", "#!/bin/sh\n"), ("a/text", "text")]);
    disk::set_mode(&scene.at("a/run"), 0o700).unwrap();
    let file = |text: &str, executable| {
        Some(Node::File(File { blob: BlobDigest::of(text.as_bytes()), size: text.len() as u64, executable }))
    };
    let source = scene.look("a").unwrap();
    assert_eq!(source.tree.get("run").cloned(), file("#!/bin/sh\n", true));
    assert_eq!(source.tree.get("text").cloned(), file("text", false));
    disk::set_mode(&scene.at("a/run"), 0o644).unwrap();
    assert_eq!(scene.look("a").unwrap().tree.get("run").cloned(), file("#!/bin/sh\n", false));
}

#[test]
fn an_edit_of_the_same_size_is_seen_at_once() {
    let scene = Scene::new(&[("a/file", "0")]);
    for text in ["1", "2", "3", "4", "5", "6", "7", "8"] {
        scene.look("a").unwrap();
        scene.write("a/file", text);
        disk::set_time(&scene.at("a/file"), 1_000_000_000).unwrap();
        let tree = scene.look("a").unwrap().tree;
        let Some(Node::File(file)) = tree.get("file") else { panic!("a/file is a file") };
        assert_eq!(file.blob, BlobDigest::of(text.as_bytes()));
    }
}

#[test]
fn what_was_looked_at_is_not_read_again() {
    let scene = Scene::new(&[("a/file", "text"), ("a/new\nline", "other")]);
    let first = scene.look("a").unwrap();
    let cache = scene.directory.path().join("cache/paths");
    let (name, _) = disk::list(&cache).unwrap().remove(0);
    let memo = disk::read_text_if_exists(&cache.join(&name)).unwrap().unwrap();
    // A memo of the far future, so that no file is too new, with another digest.
    let (head, lines) = memo.split_once('\n').unwrap();
    let text = lines.replace(&BlobDigest::of(b"text").hex(), &BlobDigest::of(b"lie").hex());
    assert_ne!(text, lines, "{memo}");
    let head = head.rsplit_once(' ').unwrap().0;
    disk::write(&cache.join(&name), format!("{head} {}\n{text}", i64::MAX).as_bytes()).unwrap();
    let known = scene.look("a").unwrap().tree;
    assert!(matches!(known.get("file"), Some(Node::File(file)) if file.blob == BlobDigest::of(b"lie")));
    disk::write(&cache.join(&name), b"nonsense").unwrap();
    assert_eq!(scene.look("a").unwrap().tree, first.tree);
}

#[test]
fn what_was_looked_at_comes_into_the_store() {
    let scene = Scene::new(&[("a/run", "#!/bin/sh\n"), ("a/dir/text", "text")]);
    disk::set_mode(&scene.at("a/run"), 0o755).unwrap();
    disk::symlink(Path::new("run"), &scene.at("a/alias")).unwrap();
    let (source, store) = (scene.look("a").unwrap(), scene.store());
    ingest(&source, &store).unwrap();
    assert_eq!(store.whole_tree(source.tree.digest()).unwrap(), Some(source.tree));
    assert!(scene.at("a/run").exists());
}

#[test]
fn a_file_that_was_edited_meanwhile_is_named() {
    let scene = Scene::new(&[("a/file", "text"), ("a/gone", "gone")]);
    let source = scene.look("a").unwrap();
    disk::remove_file(&scene.at("a/gone")).unwrap();
    let error = ingest(&source, &scene.store()).unwrap_err();
    assert!(matches!(&error, Error::Changed(path) if *path == scene.at("a/gone")), "{error}");
    scene.write("a/gone", "gone");
    scene.write("a/file", "TEXT");
    let error = ingest(&source, &Store::at(scene.directory.path().join("other"))).unwrap_err();
    let expected = format!("`{}` was edited while it was read; run it again", scene.at("a/file").display());
    assert_eq!(error.to_string(), expected);
}
