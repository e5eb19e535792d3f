//! Pinning what cargo builds: the programs and features that are asked for exist, and the Cargo.lock is settled: its
//! own, or one that cargo makes now where it ships none, or one that no longer fits its manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::super::{CrateSource, Crates, Package, Wish};
use super::{Error, Pinner, Task};
use crate::digest::{BlobDigest, TreeDigest};
use crate::disk;
use crate::manifest::Source;
use crate::package::{PackageId, PackageName};
use crate::progress::Event;
use crate::recipe::Statement;
use crate::source::{self, CargoProject, Item, LockedSource, Origin};
use crate::store::{self, Content};
use crate::tree::Node;
use crate::tree::Tree;

impl Pinner<'_, '_> {
    /// The tree and the Cargo.lock of a crate as its registry has it.
    pub(super) fn published(
        &self,
        id: &PackageId,
        wish: &Wish,
        archive: BlobDigest,
        generated: &mut BTreeMap<PackageName, String>,
    ) -> Result<(TreeDigest, ByCargo), Error> {
        let contents =
            source::read_crate(&self.sources.store().proven_blob(archive)?, id).map_err(source::Error::from)?;
        let binaries = source::binaries(&contents.manifest, &contents.tree).map_err(source::Error::from)?;
        let names: Vec<_> = binaries.into_iter().map(|binary| binary.name).collect();
        self.check_params(id, wish, &names, || self.listed_features(id, wish))?;
        let stated = stated(id, &contents.manifest)?;
        let own = contents.cargo_lock.as_ref().filter(|lock| source::lock_fits(&contents.manifest, lock));
        let crates = match own {
            Some(text) => self.settled(id, wish, text, false)?,
            None => {
                let text = self.make_for_archive(id, archive)?;
                self.made(id, wish, text, generated)?
            }
        };
        Ok((contents.tree.digest(), ByCargo { crates: Some(crates), stated }))
    }

    /// The Cargo.lock of a tree that is in the store, where cargo builds it.
    pub(super) fn crates(
        &self,
        id: &PackageId,
        wish: &Wish,
        content: &Content,
        generated: &mut BTreeMap<PackageName, String>,
    ) -> Result<ByCargo, Error> {
        if !wish.states {
            return Ok(ByCargo::default());
        }
        let project = self.sources.cargo_project(&content.tree, &id.name, subdir(wish.source_at(&id.version)))?;
        if !wish.is_by_cargo() {
            return made_otherwise(id, project);
        }
        let project = project.ok_or_else(|| Error::NoProject(id.clone()))?;
        self.check_project(id, wish, &project)?;
        self.tell_toolchain(id, &content.tree, &project);
        let stated = stated(id, &project.manifest)?;
        let crates = match project.cargo_lock.as_ref().filter(|_| project.lock_fits) {
            Some(text) => self.settled(id, wish, text, false)?,
            None => {
                let text = self.make_for_tree(id, content, &project)?;
                self.made(id, wish, text, generated)?
            }
        };
        Ok(ByCargo { crates: Some(crates), stated })
    }

    /// A directory's own Cargo.lock is not pinned; one that had to be made is, and stays as long as it fits.
    pub(super) fn unpinned_crates(
        &self,
        id: &PackageId,
        wish: &Wish,
        old: Option<&Package>,
        generated: &mut BTreeMap<PackageName, String>,
    ) -> Result<ByCargo, Error> {
        let Source::Path { path } = &wish.source else { unreachable!("only a path is not pinned") };
        if !wish.states {
            return Ok(ByCargo::default());
        }
        let directory = self.sources.directory(path)?;
        let project = self.sources.project_in(&directory, &id.name)?;
        if !wish.is_by_cargo() {
            return made_otherwise(id, project);
        }
        let project = project.ok_or_else(|| Error::NoProject(id.clone()))?;
        self.check_project(id, wish, &project)?;
        self.tell_toolchain(id, &directory.tree, &project);
        let stated = stated(id, &project.manifest)?;
        if project.cargo_lock.is_some() && project.lock_fits {
            return Ok(ByCargo { crates: None, stated });
        }
        if let Some(made) = old.filter(|old| old.has_generated()).and_then(|old| old.crates.clone()) {
            return Ok(ByCargo { crates: Some(made), stated });
        }
        let content = self.sources.ingest(&directory)?;
        let text = self.make_for_tree(id, &content, &project)?;
        Ok(ByCargo { crates: Some(self.made(id, wish, text, generated)?), stated })
    }

    fn check_project(&self, id: &PackageId, wish: &Wish, project: &CargoProject) -> Result<(), Error> {
        let names: Vec<_> = project.binaries.iter().map(|binary| binary.name.clone()).collect();
        self.check_params(id, wish, &names, || Ok(project.features.clone()))
    }

    /// Cargo is called directly, so that such a wish does not count.
    fn tell_toolchain(&self, id: &PackageId, tree: &Tree, project: &CargoProject) {
        if let Some(path) = source::toolchain_file(tree, &project.directory) {
            let note = format!("`{id}` asks for another Rust by `{path}`; it is built with the project's");
            self.progress.tell(Event::Note(&note));
        }
    }

    /// Refuse programs and features that there are not, now rather than in the middle of a build.
    fn check_params(
        &self,
        id: &PackageId,
        wish: &Wish,
        binaries: &[String],
        features: impl FnOnce() -> Result<BTreeSet<String>, Error>,
    ) -> Result<(), Error> {
        if binaries.is_empty() {
            return Err(Error::NoProgram(id.clone()));
        }
        let list = |param: &str| wish.params.get(param).and_then(|value| value.as_list()).unwrap_or_default();
        if let Some(bin) = list("bins").iter().find(|bin| !binaries.contains(bin)) {
            let has = binaries.iter().map(|binary| format!("`{binary}`")).collect();
            return Err(Error::NoSuchProgram { id: id.clone(), bin: bin.clone(), has });
        }
        // `name/feature` belongs to a dependency, which cargo knows best.
        let asked: Vec<_> = list("features").iter().filter(|feature| !feature.contains('/')).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let features = features()?;
        let Some(feature) = asked.into_iter().find(|feature| !features.contains(*feature)) else { return Ok(()) };
        let distance = |known: &&String| strsim::damerau_levenshtein(known, feature);
        let nearest = features.iter().min_by_key(distance).filter(|known| distance(known) <= 3).cloned();
        Err(Error::NoSuchFeature { id: id.clone(), feature: feature.clone(), nearest })
    }

    /// The features that the registry lists for a version.
    fn listed_features(&self, id: &PackageId, wish: &Wish) -> Result<BTreeSet<String>, Error> {
        let Source::Crate { registry } = &wish.source else { unreachable!("only registries list features") };
        let versions = self.sources.registry(registry.as_deref())?.versions(std::slice::from_ref(&id.name));
        let versions = versions.map_err(source::Error::from)?;
        let listed = versions.get(&id.name).and_then(Option::as_ref);
        let version = listed.and_then(|versions| versions.iter().find(|one| one.version == id.version));
        Ok(version.map(|version| version.features.clone()).unwrap_or_default())
    }

    fn make_for_archive(&self, id: &PackageId, archive: BlobDigest) -> Result<String, Error> {
        let store = self.sources.store();
        let directory = disk::temporary_directory_in(&store.temporary_directory()?)?;
        let top = format!("{}-{}", id.name, id.version);
        source::unpack_crate(&store.proven_blob(archive)?, &top, directory.path()).map_err(source::Error::from)?;
        let manifest = directory.path().join("Cargo.toml");
        refuse_paths_outside(id, "Cargo.toml", &disk::read_text_if_exists(&manifest)?.unwrap_or_default())?;
        self.make(id, directory.path())
    }

    fn make_for_tree(&self, id: &PackageId, content: &Content, project: &CargoProject) -> Result<String, Error> {
        let store = self.sources.store();
        let directory = disk::temporary_directory_in(&store.temporary_directory()?)?;
        for (path, node) in content.tree.leaves() {
            if let (true, Node::File(file)) = (path == "Cargo.toml" || path.ends_with("/Cargo.toml"), node) {
                refuse_paths_outside(id, &path, &String::from_utf8_lossy(&store.read_file(*file)?))?;
            }
        }
        store.lay_out_copy(&content.tree, directory.path(), content.time)?;
        self.make(id, &directory.path().join(&project.workspace))
    }

    fn make(&self, id: &PackageId, directory: &Path) -> Result<String, Error> {
        let note = format!("`{id}` ships no Cargo.lock that fits it; making one");
        self.progress.tell(Event::Note(&note));
        disk::remove_file(&directory.join("Cargo.lock"))?;
        stand_alone(&directory.join("Cargo.toml"))?;
        let failed = |source| Error::MakeCargoLock { id: id.clone(), source };
        let text = (self.cargo_lock)(directory, Task::Make).map_err(failed)?;
        self.limited(id, directory, text)
    }

    fn made(
        &self,
        id: &PackageId,
        wish: &Wish,
        text: String,
        generated: &mut BTreeMap<PackageName, String>,
    ) -> Result<Crates, Error> {
        let crates = self.settled(id, wish, &text, true)?;
        generated.insert(id.name.clone(), text);
        Ok(crates)
    }

    /// A Cargo.lock, with the trees of all repositories that it takes crates from.
    fn settled(&self, id: &PackageId, wish: &Wish, text: &str, generated: bool) -> Result<Crates, Error> {
        let failed = |source| Error::CratesFrom { id: id.clone(), source };
        let mut repositories = BTreeMap::new();
        for locked in source::locked_crates(text).map_err(source::Error::from)? {
            refuse_local(id, wish, &locked.source)?;
            match locked.source {
                LockedSource::Git(git) => drop(repositories.insert((git.url, git.commit), git.reference)),
                // Whether anybody knows this registry is better said now than in a build.
                LockedSource::Registry { address, .. } => drop(self.sources.registry_at(&address).map_err(failed)?),
                LockedSource::Itself | LockedSource::CratesIo { .. } => {}
            }
        }
        let items: Vec<_> = repositories
            .iter()
            .map(|((url, commit), reference)| {
                Item::commit(format!("{url} for {id}"), url, *commit, Some(reference.clone()))
            })
            .collect();
        self.sources.bring(&items, self.progress).map_err(failed)?;
        let source = |(url, commit): (String, _)| {
            let content = self.sources.content(&Origin::Git { url: &url, commit }, self.progress).map_err(failed)?;
            Ok(CrateSource { url, commit, tree: content.tree.digest() })
        };
        let sources = repositories.into_keys().map(source).collect::<Result<_, Error>>()?;
        // Where the archive that it comes from is gone, its text still tells which crates to bring.
        let digest = self.sources.store().put_blob(text.as_bytes())?;
        Ok(Crates { digest, generated, sources })
    }
}

/// What pinning finds out about a package that cargo builds.
#[derive(Default)]
pub(super) struct ByCargo {
    /// The Cargo.lock that it builds with.
    pub crates: Option<Crates>,
    /// What it says of itself.
    pub stated: Statement,
}

/// What a package says in its Cargo.toml, where it says too that it is made by something else than cargo.
fn made_otherwise(id: &PackageId, project: Option<CargoProject>) -> Result<ByCargo, Error> {
    let stated = project.map(|project| stated(id, &project.manifest)).transpose()?.unwrap_or_default();
    Ok(ByCargo { crates: None, stated })
}

/// What a package says of itself in its Cargo.toml.
pub fn stated(id: &PackageId, manifest: &str) -> Result<Statement, Error> {
    let invalid = |source| Error::Metadata { id: id.clone(), source };
    Statement::read(&format!("Cargo.toml of {id}"), manifest).map_err(invalid)
}

/// What comes from elsewhere does not say what of this machine is compiled into it.
fn refuse_local(id: &PackageId, wish: &Wish, from: &LockedSource) -> Result<(), Error> {
    let is_ours = match &wish.source {
        Source::Path { .. } => true,
        Source::Git { url, .. } => source::is_local(url),
        Source::Archive(archive) => source::is_local(&archive.url),
        Source::Crate { .. } | Source::Recipe { .. } | Source::Carried { .. } | Source::Nothing => false,
    };
    let address = match from {
        LockedSource::Git(git) => git.url.as_str(),
        LockedSource::Registry { address, .. } => address.trim_start_matches("registry+").trim_start_matches("sparse+"),
        LockedSource::Itself | LockedSource::CratesIo { .. } => return Ok(()),
    };
    if is_ours || !source::is_local(address) {
        return Ok(());
    }
    Err(Error::LocalCrates { id: id.clone(), from: address.to_owned() })
}

/// Refuse manifests that depend on paths outside of the source: cargo would read what lies there.
fn refuse_paths_outside(id: &PackageId, manifest: &str, text: &str) -> Result<(), Error> {
    let Ok(table) = text.parse::<toml::Table>() else { return Ok(()) };
    let directory = manifest.rsplit_once('/').map_or("", |(above, _)| above);
    let mut paths = Vec::new();
    table.iter().for_each(|(key, value)| dependency_paths(key, value, &mut paths));
    let leads_out = |path: &&String| !matches!(source::outside(directory, path), Some((0, _)));
    match paths.iter().find(leads_out) {
        None => Ok(()),
        Some(path) => Err(Error::PathOutside { id: id.clone(), manifest: manifest.to_owned(), path: path.clone() }),
    }
}

/// The paths of all dependencies below a part of a manifest.
fn dependency_paths(key: &str, value: &toml::Value, paths: &mut Vec<String>) {
    let toml::Value::Table(table) = value else { return };
    let is_dependencies = key.ends_with("dependencies") || key == "patch" || key == "replace";
    for (name, below) in table {
        match below {
            toml::Value::Table(entry) if is_dependencies => {
                paths.extend(entry.get("path").and_then(toml::Value::as_str).map(str::to_owned));
                // `[patch]` has one more level, of the registries.
                dependency_paths(key, below, paths);
            }
            below => dependency_paths(name, below, paths),
        }
    }
}

/// The directory of a source that is meant.
pub(in crate::lock) fn subdir(source: &Source) -> Option<&str> {
    match source {
        Source::Git { subdir, .. } => subdir.as_deref(),
        Source::Archive(archive) => archive.subdir.as_deref(),
        Source::Carried { subdir, .. } => subdir.as_deref(),
        Source::Crate { .. } | Source::Path { .. } | Source::Recipe { .. } | Source::Nothing => None,
    }
}

/// Make a package the root of a workspace of its own, so that cargo does not look for one above the store.
fn stand_alone(manifest: &Path) -> Result<(), store::Error> {
    let text = disk::read_text_if_exists(manifest)?.unwrap_or_default();
    if text.parse::<toml::Table>().is_ok_and(|manifest| manifest.contains_key("workspace")) {
        return Ok(());
    }
    disk::remove_file(manifest)?;
    Ok(disk::write_new(manifest, format!("{text}\n[workspace]\n").as_bytes(), 0o644)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(manifest: &str, text: &str) -> Option<String> {
        let id = PackageId { name: "app".parse().unwrap(), version: "1.0.0".parse().unwrap() };
        refuse_paths_outside(&id, manifest, text).err().map(|error| error.to_string())
    }

    #[test]
    fn paths_that_lead_out_of_a_source_are_refused() {
        let said = Some("`a/Cargo.toml` of `app 1.0.0` depends on the path `../../x`, which is not in it".to_owned());
        assert_eq!(refused("a/Cargo.toml", "[dependencies]\nx = { path = '../../x' }"), said);
        for out in [
            "[dependencies.x]\npath = '/etc'",
            "[target.'cfg(unix)'.build-dependencies]\nx = { path = '../x' }",
            "[workspace.dependencies]\nx = { path = '../x' }",
            "[patch.crates-io]\nx = { path = '../x' }",
        ] {
            assert!(refused("Cargo.toml", out).is_some(), "{out}");
        }
        for inside in
            ["[dependencies]\nx = { path = 'x' }", "[[bin]]\nname = 'x'\npath = '../x.rs'", "[package]\nname = 1"]
        {
            assert_eq!(refused("Cargo.toml", inside), None, "{inside}");
        }
        assert_eq!(refused("a/Cargo.toml", "[dependencies]\nx = { path = '../x' }"), None);
    }

    #[test]
    fn what_comes_from_elsewhere_takes_no_crates_of_this_machine() {
        let id = PackageId { name: "app".parse().unwrap(), version: "1.0.0".parse().unwrap() };
        let lock = "[[package]]\nname = 'a'\nversion = '1.0.0'\nsource = 'git+file:///srv/a#4f1c0d2e4f1c0d2e4f1c0d2e4f1c0d2e4f1c0d2e'";
        let from = source::locked_crates(lock).unwrap().remove(0).source;
        let check = |entry: &str, allowed: bool| {
            let text = format!("[sites.a.dependencies]\napp = {{ {entry} }}");
            let manifest = crate::manifest::Manifest::parse("envy.toml", &text).unwrap();
            let site = manifest.sites().next().unwrap();
            let wishes =
                crate::lock::Wishes::of(&manifest, site, &crate::recipe::Book::built_in(), &BTreeMap::new()).unwrap();
            let wish = &wishes.packages()[&id.name];
            assert_eq!(refuse_local(&id, wish, &from).is_ok(), allowed, "{entry}");
        };
        check("version = '1'", false);
        check("git = 'https://example.org/app.git'", false);
        check("url = 'https://example.org/app.tar.gz', recipe = 'cargo'", false);
        check("git = 'file:///srv/app.git'", true);
        check("path = 'app'", true);
    }
}
