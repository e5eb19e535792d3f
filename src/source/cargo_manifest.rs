//! What a `Cargo.toml` says, as far as envy needs it. Pure.
//!
//! A manifest inside a `.crate` was normalised by the cargo that published it, more by newer ones: old ones leave the
//! finding of binaries to whoever reads them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Value;

use super::cargo_lock;
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
    let manifest = parse(cargo_toml)?;
    let Some(package) = &manifest.package else { return Ok(Vec::new()) };
    let (mut names, mut paths, mut binaries) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    for listed in &manifest.bin {
        // Cargo takes the package's name where there is none, which only very old manifests rely on.
        let name = listed.name.as_ref().unwrap_or(&package.name);
        names.insert(name.as_str());
        paths.extend(listed.path.as_deref().map(|path| path.strip_prefix("./").unwrap_or(path)));
        binaries.insert(name.clone(), listed.required_features.clone());
    }
    // Packages of the first edition that list one binary list them all.
    let first_edition = package.edition.as_ref().is_none_or(|edition| edition.as_str() == Some("2015"));
    if package.autobins.unwrap_or(!first_edition || manifest.bin.is_empty()) {
        for (name, path) in found(&package.name, tree) {
            if !names.contains(name.as_str()) && !paths.contains(path.as_str()) {
                binaries.insert(name, Vec::new());
            }
        }
    }
    Ok(binaries.into_iter().map(|(name, required_features)| Binary { name, required_features }).collect())
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
    let Some(package) = &manifest.package else { return false };
    let version = package.version.as_ref().map_or(Some("0.0.0"), Value::as_str);
    let itself = locked.iter().any(|one| {
        let same_version = version.is_none_or(|version| one.version.to_string() == version);
        one.source == cargo_lock::LockedSource::Itself && one.name == package.name && same_version
    });
    itself
        && manifest.dependencies().all(|(name, dependency)| {
            let Some(wanted) = Wanted::of(name, dependency) else { return false };
            locked.iter().any(|one| one.name == wanted.name && wanted.versions.allow(&one.version))
        })
}

/// Whether a package brings needs of its own, in `[package.metadata.envy]`.
pub fn has_envy_metadata(cargo_toml: &str) -> bool {
    let metadata = parse(cargo_toml).ok().and_then(|manifest| manifest.package?.metadata);
    metadata.is_some_and(|metadata| metadata.get("envy").is_some())
}

fn parse(cargo_toml: &str) -> Result<Manifest, Error> {
    toml::from_str(cargo_toml).map_err(|error| Error(Box::new(error)))
}

/// One dependency: the name of its package, and the versions that would do.
struct Wanted<'m> {
    name: &'m str,
    versions: Versions,
}

/// A requirement, or any version at all, pre-releases too.
struct Versions(Option<VersionReq>);

impl Versions {
    fn allow(&self, version: &Version) -> bool {
        self.0.as_ref().is_none_or(|requirement| requirement.matches(version))
    }
}

impl<'m> Wanted<'m> {
    fn of(name: &'m str, dependency: &'m Value) -> Option<Self> {
        let (package, version) = match dependency {
            Value::String(version) => (name, Some(version.as_str())),
            Value::Table(table) => {
                let text = |key| table.get(key).and_then(Value::as_str);
                (text("package").unwrap_or(name), text("version"))
            }
            _ => return None,
        };
        let versions = version.map(str::parse).transpose().ok()?;
        Some(Self { name: package, versions: Versions(versions) })
    }
}

type Dependencies = BTreeMap<String, Value>;

#[derive(Deserialize)]
struct Manifest {
    // Cargo's earliest manifests called it a project.
    #[serde(alias = "project")]
    package: Option<Package>,
    #[serde(default)]
    bin: Vec<Bin>,
    #[serde(flatten)]
    own: DependencyTables,
    #[serde(default)]
    target: BTreeMap<String, DependencyTables>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    /// A text, or a table that leaves it to the workspace.
    version: Option<Value>,
    edition: Option<Value>,
    autobins: Option<bool>,
    metadata: Option<Value>,
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

impl Manifest {
    fn dependencies(&self) -> impl Iterator<Item = (&str, &Value)> {
        let tables = std::iter::once(&self.own).chain(self.target.values());
        let maps =
            tables.flat_map(|tables| [&tables.dependencies, &tables.dev_dependencies, &tables.build_dependencies]);
        maps.flatten().map(|(name, dependency)| (name.as_str(), dependency))
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

    #[test]
    fn needs_of_its_own_are_seen() {
        assert!(has_envy_metadata("[package]\nname = 'p'\n[package.metadata.envy.dependencies]\nzlib = '1'"));
        assert!(!has_envy_metadata("[package]\nname = 'p'\n[package.metadata.docs.rs]\nall-features = true"));
    }
}
