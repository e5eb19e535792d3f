//! What a `Cargo.toml` says, as far as envy needs it. Pure.
//!
//! A manifest inside a `.crate` was normalised by the cargo that published it, more by newer ones: old ones leave the
//! finding of binaries to whoever reads them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Value;

use super::cargo_lock::{self, LockedCrate, LockedSource};
use crate::package::{Version, VersionReq};
use crate::tree::{Node, Tree};

/// A manifest makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("could not understand `Cargo.toml`")]
pub struct Error(#[source] Box<toml::de::Error>);

/// A program that a package makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// Its name.
    pub name: String,
    /// The features without which it is not made.
    pub required_features: Vec<String>,
}

/// The programs that a package makes, by name: those it lists, and those that cargo finds in its files.
pub fn binaries(cargo_toml: &str, tree: &Tree) -> Result<Vec<Binary>, Error> {
    Ok(parse(cargo_toml)?.binaries(tree, None))
}

impl Manifest {
    /// The programs that its package makes; `workspace` is what the package may leave things to.
    pub(super) fn binaries(&self, tree: &Tree, workspace: Option<&Workspace>) -> Vec<Binary> {
        let Some(package) = &self.package else { return Vec::new() };
        let (mut names, mut paths, mut binaries) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        for listed in &self.bin {
            // Cargo takes the package's name where there is none, which only very old manifests rely on.
            let name = listed.name.as_ref().unwrap_or(&package.name);
            names.insert(name.as_str());
            paths.extend(listed.path.as_deref().map(|path| path.strip_prefix("./").unwrap_or(path)));
            binaries.insert(name.clone(), listed.required_features.clone());
        }
        // Packages of the first edition that list one binary list them all.
        let edition = inherited(package.edition.as_ref(), workspace.and_then(|all| all.package.edition.as_ref()));
        let first_edition = edition.is_none_or(|edition| edition.as_str() == Some("2015"));
        if package.autobins.unwrap_or(!first_edition || self.bin.is_empty()) {
            for (name, path) in found(&package.name, tree) {
                if !names.contains(name.as_str()) && !paths.contains(path.as_str()) {
                    binaries.insert(name, Vec::new());
                }
            }
        }
        binaries.into_iter().map(|(name, required_features)| Binary { name, required_features }).collect()
    }
}

/// A value, which may leave it to the workspace by being a table that says so.
fn inherited<'v>(own: Option<&'v Value>, of_workspace: Option<&'v Value>) -> Option<&'v Value> {
    match own {
        Some(Value::Table(_)) if of_workspace.is_some() => of_workspace,
        own => own,
    }
}

/// The binaries that cargo finds by their places: `src/main.rs`, `src/bin/NAME.rs` and `src/bin/NAME/main.rs`.
fn found(package: &str, tree: &Tree) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if is_file(tree, "src/main.rs") {
        found.push((package.to_owned(), "src/main.rs".to_owned()));
    }
    if let Some(Node::Directory(bin)) = tree.get("src/bin") {
        for (name, node) in bin.entries() {
            match (node, name.strip_suffix(".rs")) {
                (Node::File(_) | Node::Symlink(_), Some(stem)) => {
                    found.push((stem.to_owned(), format!("src/bin/{name}")));
                }
                (Node::Directory(below), _) if is_file(below, "main.rs") => {
                    found.push((name.to_owned(), format!("src/bin/{name}/main.rs")));
                }
                _ => {}
            }
        }
    }
    found
}

fn is_file(tree: &Tree, path: &str) -> bool {
    matches!(tree.get(path), Some(Node::File(_) | Node::Symlink(_)))
}

/// Whether a lock is one of this very package: it has the package at its version, and for each dependency of any
/// kind a package that would do. What a workspace decides is taken as fitting, since only its root knows.
pub fn lock_fits(cargo_toml: &str, cargo_lock: &str) -> bool {
    let (Ok(manifest), Ok(locked)) = (parse(cargo_toml), cargo_lock::locked_crates(cargo_lock)) else { return false };
    manifest.fits(&locked, None)
}

impl Manifest {
    /// Whether locked crates have its package and answer its dependencies; `workspace` is what they may be left to.
    pub(super) fn fits(&self, locked: &[LockedCrate], workspace: Option<&Workspace>) -> bool {
        let Some(package) = &self.package else { return false };
        let version = package.version_value(workspace).map_or(Some("0.0.0"), Value::as_str);
        let itself = locked.iter().any(|one| {
            let same_version = version.is_none_or(|version| one.version.to_string() == version);
            one.source == LockedSource::Itself && one.name == package.name && same_version
        });
        itself
            && self.dependencies().all(|(name, dependency)| {
                let Some(wanted) = Wanted::of(name, dependency, workspace) else { return false };
                locked.iter().any(|one| wanted.allows(one))
            })
    }
}

/// Read a `Cargo.toml`.
pub(super) fn parse(cargo_toml: &str) -> Result<Manifest, Error> {
    toml::from_str(cargo_toml).map_err(|error| Error(Box::new(error)))
}

/// One dependency: the name of its package, and the versions that would do.
struct Wanted<'m> {
    name: &'m str,
    versions: Versions,
    /// Whether it has to be a package that lies beside this one.
    beside: bool,
}

/// A requirement, or any version at all, pre-releases too.
struct Versions(Option<VersionReq>);

impl Versions {
    fn allow(&self, version: &Version) -> bool {
        self.0.as_ref().is_none_or(|requirement| requirement.matches(version))
    }
}

impl<'m> Wanted<'m> {
    fn of(name: &'m str, dependency: &'m Value, workspace: Option<&'m Workspace>) -> Option<Self> {
        let (package, version, beside) = match dependency {
            Value::String(version) => (name, Some(version.as_str()), false),
            Value::Table(table) if leaves_to_workspace(table) && workspace.is_some() => {
                return Self::of(name, workspace?.dependencies.get(name)?, None);
            }
            Value::Table(table) => {
                let text = |key| table.get(key).and_then(Value::as_str);
                (text("package").unwrap_or(name), text("version"), table.contains_key("path"))
            }
            _ => return None,
        };
        let versions = version.map(str::parse).transpose().ok()?;
        Some(Self { name: package, versions: Versions(versions), beside })
    }

    fn allows(&self, one: &LockedCrate) -> bool {
        let place = !self.beside || one.source == LockedSource::Itself;
        place && one.name == self.name && self.versions.allow(&one.version)
    }
}

fn leaves_to_workspace(table: &toml::Table) -> bool {
    table.get("workspace").and_then(Value::as_bool) == Some(true)
}

type Dependencies = BTreeMap<String, Value>;

/// What a `Cargo.toml` says.
#[derive(Deserialize)]
pub(super) struct Manifest {
    // Cargo's earliest manifests called it a project.
    #[serde(alias = "project")]
    pub package: Option<Package>,
    #[serde(default)]
    bin: Vec<Bin>,
    #[serde(flatten)]
    own: DependencyTables,
    #[serde(default)]
    target: BTreeMap<String, DependencyTables>,
    pub workspace: Option<Workspace>,
    #[serde(default)]
    features: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    patch: BTreeMap<String, Dependencies>,
    #[serde(default)]
    replace: Dependencies,
}

/// The table `[package]`.
#[derive(Deserialize)]
pub(super) struct Package {
    pub name: String,
    /// A text, or a table that leaves it to the workspace.
    version: Option<Value>,
    edition: Option<Value>,
    autobins: Option<bool>,
    /// Where its workspace's root is, if it says so.
    pub workspace: Option<String>,
}

impl Package {
    fn version_value<'v>(&'v self, workspace: Option<&'v Workspace>) -> Option<&'v Value> {
        inherited(self.version.as_ref(), workspace.and_then(|all| all.package.version.as_ref()))
    }

    /// Its version as text; `workspace` is what it may leave it to. Nothing where it is no text.
    pub fn version<'v>(&'v self, workspace: Option<&'v Workspace>) -> Option<&'v str> {
        self.version_value(workspace).map_or(Some("0.0.0"), Value::as_str)
    }
}

/// The table `[workspace]`.
#[derive(Deserialize)]
pub(super) struct Workspace {
    /// Directories of packages, or patterns of them.
    #[serde(default)]
    pub members: Vec<String>,
    /// Directories below which nothing is a member.
    #[serde(default)]
    pub exclude: Vec<String>,
    #[serde(default)]
    package: WorkspacePackage,
    #[serde(default)]
    dependencies: Dependencies,
}

#[derive(Default, Deserialize)]
struct WorkspacePackage {
    version: Option<Value>,
    edition: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Bin {
    name: Option<String>,
    path: Option<String>,
    #[serde(default, alias = "required_features")]
    required_features: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct DependencyTables {
    #[serde(default)]
    dependencies: Dependencies,
    #[serde(default, alias = "dev_dependencies")]
    dev_dependencies: Dependencies,
    #[serde(default, alias = "build_dependencies")]
    build_dependencies: Dependencies,
}

/// A dependency on a package in another directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PathDependency<'m> {
    /// The directory, as written.
    pub path: &'m str,
    /// Whether it is relative to the workspace's root, not to the package.
    pub of_workspace: bool,
    /// Whether only tests need it.
    pub dev: bool,
}

impl Manifest {
    fn tables(&self) -> impl Iterator<Item = &DependencyTables> {
        std::iter::once(&self.own).chain(self.target.values())
    }

    fn dependencies(&self) -> impl Iterator<Item = (&str, &Value)> {
        let maps = self
            .tables()
            .flat_map(|tables| [&tables.dependencies, &tables.dev_dependencies, &tables.build_dependencies]);
        maps.flatten().map(|(name, dependency)| (name.as_str(), dependency))
    }

    /// Its dependencies on packages in other directories; `workspace` is what they may be left to.
    pub(super) fn path_dependencies<'m>(&'m self, workspace: Option<&'m Workspace>) -> Vec<PathDependency<'m>> {
        let kinds = self.tables().flat_map(|tables| {
            [(&tables.dependencies, false), (&tables.build_dependencies, false), (&tables.dev_dependencies, true)]
        });
        let all = kinds.flat_map(|(map, dev)| map.iter().map(move |(name, dependency)| (name, dependency, dev)));
        let found = all.filter_map(|(name, dependency, dev)| {
            let inherits = dependency.as_table().is_some_and(leaves_to_workspace);
            let dependency = if inherits { workspace?.dependencies.get(name)? } else { dependency };
            let path = dependency.get("path")?.as_str()?;
            Some(PathDependency { path, of_workspace: inherits, dev })
        });
        found.collect()
    }

    /// The directories whose packages take the places of others, as written.
    pub(super) fn patched_paths(&self) -> impl Iterator<Item = &str> {
        let patches = self.patch.values().flat_map(BTreeMap::values).chain(self.replace.values());
        patches.filter_map(|patch| patch.get("path")?.as_str())
    }

    /// The features that can be asked for: those it lists, and optional dependencies that none of those hides.
    pub(super) fn features(&self) -> BTreeSet<String> {
        let hidden: BTreeSet<_> = self.features.values().flatten().filter_map(|one| one.strip_prefix("dep:")).collect();
        let maps = self.tables().flat_map(|tables| [&tables.dependencies, &tables.build_dependencies]);
        let optional = maps.flatten().filter(|(name, dependency)| {
            let optional = dependency.get("optional").and_then(Value::as_bool) == Some(true);
            optional && !hidden.contains(name.as_str())
        });
        self.features.keys().chain(optional.map(|(name, _)| name)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::BlobDigest;
    use crate::tree::File;

    fn tree(paths: &[&str]) -> Tree {
        let mut tree = Tree::default();
        for path in paths {
            tree.insert(path, Node::File(File { blob: BlobDigest::of(b""), size: 0, executable: false })).unwrap();
        }
        tree
    }

    fn check(manifest: &str, paths: &[&str], expected: &[&str]) {
        let binaries = binaries(&format!("[package]\nname = 'p'\n{manifest}"), &tree(paths)).unwrap();
        let text = |one: Binary| [vec![one.name], one.required_features].concat().join(" ");
        assert_eq!(binaries.into_iter().map(text).collect::<Vec<_>>(), expected, "{manifest}");
    }

    const FILES: [&str; 5] =
        ["src/main.rs", "src/bin/a.rs", "src/bin/b/main.rs", "src/bin/c/other.rs", "src/bin/README"];

    #[test]
    fn binaries_are_found_by_their_places() {
        check("edition = '2021'", &FILES, &["a", "b", "p"]);
        check("", &FILES, &["a", "b", "p"]);
        check("edition = '2021'\nautobins = false", &FILES, &[]);
        check("edition = '2021'", &["src/lib.rs"], &[]);
    }

    #[test]
    fn listed_binaries_join_those_that_are_found() {
        let listed = "[[bin]]\nname = 'x'\npath = 'src/main.rs'\nrequired-features = ['f', 'g']\n[[bin]]\nname = 'a'";
        check(&format!("edition = '2021'\n{listed}"), &FILES, &["a", "b", "x f g"]);
        check(&format!("edition = '2015'\n{listed}"), &FILES, &["a", "x f g"]);
        check(&format!("autobins = true\n{listed}"), &FILES, &["a", "b", "x f g"]);
    }

    const LOCK: &str =
        "version = 4\n[[package]]\nname = 'p'\nversion = '1.0.0'\n[[package]]\nname = 'real'\nversion = '2.1.0'\n";

    fn fits(dependencies: &str) -> bool {
        lock_fits(&format!("[package]\nname = 'p'\nversion = '1.0.0'\n{dependencies}"), LOCK)
    }

    #[test]
    fn a_lock_fits_if_it_answers_every_dependency() {
        assert!(fits(""));
        assert!(fits(
            "[dependencies]\nreal = '2'\n[dev-dependencies]\nreal = { version = '>=2.1' }\n[build-dependencies]\nreal = '*'"
        ));
        assert!(fits(
            "[target.'cfg(unix)'.dependencies]\nrenamed = { version = '2', package = 'real', optional = true }"
        ));
        assert!(fits("[dependencies]\nreal = { workspace = true }"));
        for other in ["dependencies", "dev-dependencies", "build-dependencies", "target.'cfg(windows)'.dependencies"] {
            assert!(!fits(&format!("[{other}]\nreal = '3'")), "{other}");
            assert!(!fits(&format!("[{other}]\nunknown = '1'")), "{other}");
        }
    }

    #[test]
    fn a_lock_of_another_package_or_version_fits_not() {
        assert!(!lock_fits("[package]\nname = 'p'\nversion = '1.0.1'", LOCK));
        assert!(!lock_fits("[package]\nname = 'real'\nversion = '2.1'", LOCK));
        assert!(!lock_fits("[package]\nname = 'p'\nversion = '1.0.0'", "nonsense"));
        assert!(lock_fits("[package]\nname = 'p'\nversion.workspace = true", LOCK));
    }
}
