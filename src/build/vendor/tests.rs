use std::path::Path;

use super::*;
use crate::build::cargo_config;
use crate::digest::BlobDigest;
use crate::disk;
use crate::process;
use crate::source::{CrateSource, SourceCrates, crate_sources, locked_crates};

/// A store, and a repository in it.
struct World {
    directory: tempfile::TempDir,
    store: Store,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        Self { directory, store }
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.directory.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        disk::create_directories(path.parent().unwrap()).unwrap();
        disk::write(&path, text.as_bytes()).unwrap();
    }

    fn tree(&self, files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.insert(path, text_file(text, &self.store).unwrap()).unwrap();
        }
        tree
    }

    fn text(&self, tree: &Tree, path: &str) -> String {
        let Some(Node::File(file)) = tree.get(path) else { panic!("`{path}` is a file") };
        String::from_utf8(self.store.read_file(*file).unwrap()).unwrap()
    }

    /// Lay the sources of a Cargo.lock out as a build has them, and run cargo on the package in `app`.
    fn cargo(&self, repositories: &[(&str, &Tree)], registries: &BTreeMap<String, String>) -> String {
        let cargo_lock = disk::read_text_if_exists(&self.path("app/Cargo.lock")).unwrap().unwrap();
        let sources = crate_sources(&locked_crates(&cargo_lock).unwrap()).unwrap();
        let root = self.directory.path().to_str().unwrap();
        disk::create_directories(&self.path("envy/crates")).unwrap();
        for source in &sources {
            let directory = self.path(cargo_config::crates_directory(source).trim_start_matches('/'));
            disk::create_directories(&directory).unwrap();
            self.fill(source, repositories, &directory);
        }
        self.write("envy/cargo/config.toml", &cargo_config::of_home(root, &sources, registries));
        let cargo = Path::new(env!("CARGO"));
        let rustc = cargo.with_file_name("rustc");
        let (home, target) = (self.path("envy/cargo"), self.path("target"));
        let environment = [
            ("CARGO_HOME", home.as_os_str()),
            ("HOME", home.as_os_str()),
            ("CARGO_TARGET_DIR", target.as_os_str()),
            ("RUSTC", rustc.as_os_str()),
            ("RUSTFLAGS", "".as_ref()),
        ];
        process::capture(cargo, ["build", "--frozen", "--quiet"], Some(&self.path("app")), &environment).unwrap();
        String::from_utf8(process::capture(&target.join("debug/app"), [""; 0], None, &[]).unwrap()).unwrap()
    }

    fn fill(&self, source: &CrateSource, repositories: &[(&str, &Tree)], directory: &Path) {
        match &source.crates {
            SourceCrates::Registry { archives, .. } => {
                for one in archives {
                    let name = format!("{}-{}", one.name, one.version);
                    disk::rename(&self.path(&name), &directory.join(&name)).unwrap();
                    let checksum = format!("{{\"files\":{{}},\"package\":\"{}\"}}", one.checksum.hex());
                    disk::write(&directory.join(name).join(".cargo-checksum.json"), checksum.as_bytes()).unwrap();
                }
            }
            SourceCrates::Git { source, packages } => {
                let (_, repository) =
                    repositories.iter().find(|(commit, _)| source.commit.to_string() == *commit).unwrap();
                let tree = vendor(repository, packages, &self.store).unwrap();
                assert_eq!(self.store.whole_tree(tree.digest()).unwrap(), Some(tree.clone()));
                self.store.lay_out_copy(&tree, directory, 0).unwrap();
            }
        }
    }
}

const ROOT: &str = "[workspace]
members = ['crates/*']
[workspace.package]
version = '0.3.0'
edition = '2021'
license-file = 'LICENSE'
readme = 'README.md'
[workspace.lints.rust]
unused = 'deny'
[workspace.dependencies]
helper = { path = 'crates/helper' }
leaf = { version = '1', registry = 'my' }
";
const INHERITS: &str = "version.workspace = true\nedition.workspace = true\n";

fn package(name: &str, rest: &str) -> String {
    format!("[package]\nname = '{name}'\n{rest}")
}

fn id(name: &str, version: &str) -> (String, Version) {
    (name.to_owned(), version.parse().unwrap())
}

#[test]
fn a_member_is_told_where_its_workspace_is() {
    let world = World::new();
    let member = package("one", &format!("{INHERITS}# kept\n[dependencies]\nhelper.workspace = true\n"));
    let alone = package("alone", "version = '2.0.0' # as it is\n");
    let repository = world.tree(&[
        ("Cargo.toml", ROOT),
        ("crates/one/Cargo.toml", &member),
        ("crates/alone/Cargo.toml", &alone),
        ("README.md", "read me"),
    ]);
    let packages = [id("one", "0.3.0"), id("alone", "2.0.0")];
    let tree = vendor(&repository, &packages, &world.store).unwrap();
    assert_eq!(tree.get("one-0.3.0"), Some(&Node::Symlink(".repository/crates/one".into())));
    assert_eq!(tree.get("alone-2.0.0"), Some(&Node::Symlink(".repository/crates/alone".into())));
    let adjusted = member.replace("# kept", "workspace = \"../.repository\"\n# kept");
    let found = world.text(&tree, ".repository/crates/one/Cargo.toml");
    let read = |text: &str| text.parse::<Table>().unwrap();
    assert_eq!(read(&found), read(&adjusted));
    assert!(found.contains("# kept"));
    assert_eq!(world.text(&tree, ".repository/crates/alone/Cargo.toml"), alone);
    assert_eq!(world.text(&tree, ".repository/crates/one/.cargo-checksum.json"), CHECKSUM);
    assert_eq!(world.text(&tree, ".repository/README.md"), "read me");
    let reversed: Vec<_> = packages.into_iter().rev().collect();
    assert_eq!(vendor(&repository, &reversed, &world.store).unwrap(), tree);
}

/// The workspace that a package at a directory is told, where the repository has these manifests.
fn workspace_of(manifests: &[(&str, &str)], directory: &str) -> Option<String> {
    let world = World::new();
    let files: Vec<_> = manifests.iter().map(|(path, text)| (join(path, MANIFEST), *text)).collect();
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let repository = world.tree(&files);
    let manifests = Manifests { repository: &repository, store: &world.store };
    let manifest: Table = manifests.adjusted(directory).unwrap()?.parse().unwrap();
    Some(named_workspace(&manifest).unwrap().to_owned())
}

#[test]
fn workspaces_are_found_as_cargo_finds_them() {
    let member = package("a", "version.workspace = true\n");
    let pointing = package("a", "version.workspace = true\nworkspace = '../../elsewhere'\n");
    let outside = package("a", "version.workspace = true\nworkspace = '../../../elsewhere'\n");
    let excluding = "[workspace]\nexclude = ['x']\n";
    let at = |root: &str| Some(join("../.repository", root));
    assert_eq!(workspace_of(&[("", ROOT), ("x/a", &member)], "x/a"), at(""));
    assert_eq!(workspace_of(&[("", ROOT), ("x", ROOT), ("x/a", &member)], "x/a"), at("x"));
    assert_eq!(workspace_of(&[("", ROOT), ("x", excluding), ("x/a", &member)], "x/a"), at("x"));
    assert_eq!(workspace_of(&[("", ROOT), ("x", "[workspace]\nexclude = ['a']\n"), ("x/a", &member)], "x/a"), at(""));
    assert_eq!(workspace_of(&[("", excluding), ("x/a", &member)], "x/a"), None);
    assert_eq!(workspace_of(&[("", excluding), ("xy/a", &member)], "xy/a"), at(""));
    let both = "[workspace]\nexclude = ['x']\nmembers = ['x/a']\n";
    assert_eq!(workspace_of(&[("", both), ("x/a", &member)], "x/a"), at(""));
    assert_eq!(workspace_of(&[("", ROOT), ("elsewhere", ROOT), ("x/a", &pointing)], "x/a"), at("elsewhere"));
    assert_eq!(workspace_of(&[("", ROOT), ("x/a", &outside)], "x/a"), None);
    assert_eq!(workspace_of(&[("", &format!("{ROOT}{member}"))], ""), None, "a root inherits from itself");
    assert_eq!(workspace_of(&[("x/a", &member)], "x/a"), None);
    let old = member.replace("[package]", "[project]");
    assert_eq!(workspace_of(&[("", ROOT), ("a", &old)], "a"), at(""));
}

/// Where a package `a 1.0.0` is taken from.
fn taken_from(manifests: &[(&str, &str)]) -> Result<String, String> {
    let world = World::new();
    let tree = vendor(&world.tree(manifests), &[id("a", "1.0.0")], &world.store).map_err(|error| error.to_string())?;
    let Some(Node::Symlink(target)) = tree.get("a-1.0.0") else { panic!("there is a link") };
    Ok(target.clone())
}

#[test]
fn of_two_that_say_the_same_the_first_on_cargos_way_is_taken() {
    let a = package("a", "version = '1.0.0'\n");
    let newer = package("a", "version = '1.0.1'\n");
    let check = |manifests: &[(&str, &str)], expected: &str| assert_eq!(taken_from(manifests), Ok(expected.to_owned()));
    check(&[("Cargo.toml", &a), ("b/Cargo.toml", &a)], ".repository");
    check(&[("libs/a/Cargo.toml", &a), ("libs/b/a/Cargo.toml", &a)], ".repository/libs/a");
    check(&[("a/Cargo.toml", &newer), ("b/Cargo.toml", &a)], ".repository/b");
    check(&[(".a/Cargo.toml", &a), ("b/Cargo.toml", &a)], ".repository/b");
    check(&[("target/a/Cargo.toml", &a), ("z/Cargo.toml", &a)], ".repository/z");
    check(&[(".a/Cargo.toml", &a)], ".repository/.a");
    let modules = "[submodule \"x\"]\n\tpath = deps/x\n\turl = https://a.example/x\n";
    check(&[(".gitmodules", modules), ("deps/x/Cargo.toml", &a), ("z/Cargo.toml", &a)], ".repository/z");
    check(&[(".gitmodules", modules), ("deps/x/Cargo.toml", &a)], ".repository/deps/x");
}

#[test]
fn what_is_no_manifest_is_passed_over() {
    let a = package("a", "version = '1.0.0'\n");
    let broken = [("0/Cargo.toml", "<<<"), ("1/Cargo.toml", "package = 1"), ("2/Cargo.toml", "[package]\nname = 1")];
    let with = |last: &'static str| {
        let mut manifests: Vec<(&str, &str)> = broken.into();
        manifests.push((last, &a));
        taken_from(&manifests)
    };
    assert_eq!(with("3/Cargo.toml"), Ok(".repository/3".into()));
    let missing = "the repository has no package `a 1.0.0`, which `Cargo.lock` takes from it";
    assert_eq!(with("3/cargo.toml"), Err(missing.into()));
    assert_eq!(taken_from(&[]), Err(missing.into()));
}

const COMMIT: &str = "4f1c0d2e4f1c0d2e4f1c0d2e4f1c0d2e4f1c0d2e";
const OTHER: &str = "0f1c0d2e4f1c0d2e4f1c0d2e4f1c0d2e4f1c0d2e";

/// A package in a Cargo.lock.
fn locked(name: &str, version: &str, source: &str, dependencies: &[&str]) -> String {
    let source = if source.is_empty() { String::new() } else { format!("source = \"{source}\"\n") };
    format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n{source}dependencies = {dependencies:?}\n\n")
}

/// The whole way: two commits of one repository, inheritance, paths between members, files beside them, a submodule, a
/// renamed package, and crates of another registry that a member and the package itself ask for.
#[test]
fn cargo_builds_from_what_is_laid_out() {
    let world = World::new();
    let one = format!(
        "{INHERITS}license-file.workspace = true\nreadme.workspace = true\n
        [lints]\nworkspace = true
        [dependencies]\nhelper.workspace = true
        [target.'cfg(unix)'.dependencies]\nleaf = {{ workspace = true, features = [] }}
        [dev-dependencies]\nabsent = {{ path = '../absent' }}\n"
    );
    let new = world.tree(&[
        ("Cargo.toml", ROOT),
        ("README.md", "whole"),
        (".gitmodules", "[submodule \"x\"]\npath = deps/x\n"),
        ("crates/one/Cargo.toml", &package("one", &one)),
        (
            "crates/one/src/lib.rs",
            "pub const README: &str = include_str!(\"../../../README.md\");
            pub fn said() -> String { format!(\"{README} {} {} {}\", env!(\"BESIDE\"), helper::HELP, leaf::LEAF) }",
        ),
        (
            "crates/one/build.rs",
            "fn main() {
                let beside = std::path::Path::new(env!(\"CARGO_MANIFEST_DIR\")).join(\"../../beside\");
                println!(\"cargo:rustc-env=BESIDE={}\", std::fs::read_to_string(beside).unwrap());
            }",
        ),
        ("beside", "beside"),
        (
            "crates/helper/Cargo.toml",
            &package("helper", &format!("{INHERITS}[dependencies]\nx = {{ path = '../../deps/x' }}\n")),
        ),
        ("crates/helper/src/lib.rs", "pub use x::X as HELP;"),
        ("deps/x/Cargo.toml", &package("x", "version = '0.1.0'\n")),
        ("deps/x/src/lib.rs", "pub const X: &str = \"module\";"),
    ]);
    let old = world.tree(&[
        ("Cargo.toml", &package("one", "version = '0.2.0'\n[workspace]\n")),
        ("src/lib.rs", "pub const OLD: &str = \"old\";"),
    ]);
    world.write("leaf-1.0.0/Cargo.toml", &package("leaf", "version = '1.0.0'\n"));
    world.write("leaf-1.0.0/src/lib.rs", "pub const LEAF: &str = \"leaf\";");
    world.write(
        "app/Cargo.toml",
        &package(
            "app",
            "version = '1.0.0'
            edition = '2021'
            [dependencies]
            one = { git = 'https://example.org/r.git', branch = 'a/b+c' }
            before = { package = 'one', git = 'https://example.org/r', rev = '0f1c0d2' }
            leaf = { version = '1', registry = 'my' }
            [workspace]",
        ),
    );
    let main = "fn main() { println!(\"{} {} {}\", one::said(), before::OLD, leaf::LEAF) }";
    world.write("app/src/main.rs", main);
    let at = |query: &str, commit: &str| format!("git+https://example.org/r{query}#{commit}");
    let (branch, rev) = (at(".git?branch=a%2Fb%2Bc", COMMIT), at("?rev=0f1c0d2", OTHER));
    let registry = "sparse+https://example.org/index/";
    let sum = format!("dependencies = []\nchecksum = \"{}\"", BlobDigest::of(b"leaf").hex());
    let lock = [
        locked("app", "1.0.0", "", &["leaf", "one 0.2.0", "one 0.3.0"]),
        locked("helper", "0.3.0", &branch, &["x"]),
        locked("leaf", "1.0.0", registry, &[]).replace("dependencies = []", &sum),
        locked("one", "0.2.0", &rev, &[]),
        locked("one", "0.3.0", &branch, &["helper", "leaf"]),
        locked("x", "0.1.0", &branch, &[]),
    ]
    .concat();
    world.write("app/Cargo.lock", &format!("version = 4\n\n{lock}"));
    let registries = [("my".to_owned(), registry.to_owned())].into();
    let said = world.cargo(&[(COMMIT, &new), (OTHER, &old)], &registries);
    assert_eq!(said.trim(), "whole beside module leaf old leaf");
}
