//! Inputs of a build: its source, proven against the pin, and every crate of its Cargo.lock, in the store.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::action::{self, Action};
use super::{Error, Toolchain, cargo_config, cargo_lock_digest};
use crate::digest::{BlobDigest, TextDigest};
use crate::disk;
use crate::lock::{Lockfile, Package, Wish};
use crate::package::PackageId;
use crate::platform::Platform;
use crate::recipe::{Recipe, Values};
use crate::source::{self, Archive, LockedCrate, LockedSource};
use crate::store::{self, Store};
use crate::tree::{File, Node, Tree};

/// Everything that the build of one package reads, beside the toolchain and the tools.
pub struct Inputs<'a> {
    /// The package.
    pub id: PackageId,
    /// How it is made.
    pub recipe: &'a Recipe,
    /// What is asked of it.
    pub wish: &'a Wish,
    /// Digest of its archive.
    pub archive: BlobDigest,
    /// The Cargo.lock that it builds with.
    pub cargo_lock: String,
    /// The archives of the crates of that Cargo.lock.
    pub crates: Vec<Archive>,
    /// Its source with that Cargo.lock.
    source: Tree,
    /// The latest time in its archive: what counts as now.
    epoch: i64,
}

/// The Cargo.lock that was made for a package when locking: where it belongs, and its text if it is there.
pub struct Generated {
    /// Where it belongs.
    pub path: PathBuf,
    /// Its text.
    pub text: Option<String>,
}

impl<'a> Inputs<'a> {
    /// Read a package's archive, which is in the store, and prove that it is what was pinned.
    pub fn open(
        package: &Package,
        generated: Generated,
        recipe: &'a Recipe,
        wish: &'a Wish,
        store: &Store,
    ) -> Result<Self, Error> {
        let id = package.id.clone();
        let contents = source::read_crate(&store.blob_path(package.archive), &id).map_err(source::Error::from)?;
        prove(&id, "source tree", package.tree, contents.tree.digest())?;
        let cargo_lock = match contents.cargo_lock {
            _ if package.generated => {
                let missing = || Error::NoCargoLock { id: id.clone(), path: generated.path };
                generated.text.ok_or_else(missing)?
            }
            Some(text) => text,
            None => return Err(Error::NoCargoLock { id, path: "Cargo.lock".into() }),
        };
        prove(&id, "Cargo.lock", package.crates, cargo_lock_digest(&cargo_lock))?;
        let crates =
            source::locked_crates(&cargo_lock).map_err(source::Error::from)?.into_iter().filter_map(archive).collect();
        let source =
            with_cargo_lock(contents.tree, &cargo_lock).map_err(|source| Error::Layout { id: id.clone(), source })?;
        Ok(Self { id, recipe, wish, archive: package.archive, cargo_lock, crates, source, epoch: contents.newest })
    }

    /// Rust's name of the target that is built for.
    pub fn target(&self, platform: Platform) -> &str {
        let target = self.wish.params.get("target").and_then(|value| value.as_str());
        target.filter(|target| !target.is_empty()).unwrap_or_else(|| platform.rust_target())
    }

    /// The steps, with `root` before every path of `/envy`.
    pub fn script(&self, root: &str, platform: Platform) -> Result<String, Error> {
        let (name, version) = (self.id.name.to_string(), self.id.version.to_string());
        let values = Values {
            prefix: action::PLACEHOLDER,
            destdir: &format!("{root}{}", action::DESTDIR),
            source: &format!("{root}{}", action::SOURCE),
            build: &format!("{root}{}", action::BUILD),
            name: &name,
            version: &version,
            platform: &platform.to_string(),
            host: platform.rust_target(),
        };
        Ok(self.recipe.script(&self.wish.params, &values)?)
    }

    /// Cargo's configuration, with `root` before every path of `/envy`.
    pub fn cargo_config(root: &str) -> String {
        cargo_config::of_home(root, &[], &BTreeMap::new())
    }

    /// The environment, with `root` before every path of `/envy`.
    pub fn environment(&self, root: &str) -> BTreeMap<String, String> {
        let rebase = |value: String| value.replace("/envy/", &format!("{root}/envy/"));
        action::environment(self.epoch).into_iter().map(|(name, value)| (name, rebase(value))).collect()
    }

    /// The action that builds it. All crates are in the store by now.
    pub fn action(
        &self,
        store: &Store,
        platform: Platform,
        toolchain: TextDigest,
        tools: TextDigest,
        sandbox: String,
    ) -> Result<Action, Error> {
        let failed = |source| Error::Layout { id: self.id.clone(), source };
        let mut inputs = Tree::default();
        inputs.insert("envy/src", Node::Directory(self.source.clone())).map_err(failed)?;
        inputs.insert("envy/script", text_file(&self.script("", platform)?)).map_err(failed)?;
        inputs.insert("envy/cargo/config.toml", text_file(&Self::cargo_config(""))).map_err(failed)?;
        for one in &self.crates {
            let size =
                disk::file_size(&store.blob_path(one.checksum)).ok_or(store::Error::MissingBlob(one.checksum))?;
            let file = File { blob: one.checksum, size, executable: false };
            inputs
                .insert(&format!("envy/crates/{}-{}.crate", one.name, one.version), Node::File(file))
                .map_err(failed)?;
        }
        Ok(Action { inputs, environment: action::environment(self.epoch), platform, toolchain, tools, sandbox })
    }
}

impl Toolchain {
    /// Refuse a target that the compiler has no standard library for.
    pub(super) fn require_target(&self, target: &str) -> Result<(), Error> {
        if self.has_target(target) {
            return Ok(());
        }
        Err(Error::NoTarget { rust: self.version.to_string(), target: target.to_owned() })
    }
}

/// The archives that a lockfile's packages are pinned to.
pub fn archives<'a>(lockfile: &'a Lockfile, ids: impl IntoIterator<Item = &'a PackageId>) -> Vec<Archive> {
    let archive = |id: &PackageId| {
        let checksum = lockfile.packages.get(&id.name)?.archive;
        Some(Archive { name: id.name.to_string(), version: id.version.to_string(), checksum })
    };
    ids.into_iter().filter_map(archive).collect()
}

fn archive(locked: LockedCrate) -> Option<Archive> {
    match locked.source {
        LockedSource::CratesIo { checksum } => {
            Some(Archive { name: locked.name, version: locked.version.to_string(), checksum })
        }
        // Whatever is neither the package itself nor a crate of crates.io was refused when locking.
        LockedSource::Itself | LockedSource::Registry { .. } | LockedSource::Git(_) => None,
    }
}

fn with_cargo_lock(mut tree: Tree, cargo_lock: &str) -> Result<Tree, crate::tree::Error> {
    tree.remove("Cargo.lock");
    tree.insert("Cargo.lock", text_file(cargo_lock))?;
    Ok(tree)
}

fn text_file(text: &str) -> Node {
    Node::File(File { blob: BlobDigest::of(text.as_bytes()), size: text.len() as u64, executable: false })
}

fn prove<D: PartialEq + ToString>(id: &PackageId, what: &'static str, expected: D, received: D) -> Result<(), Error> {
    if expected == received {
        return Ok(());
    }
    Err(Error::NotPinned { id: id.clone(), what, expected: expected.to_string(), received: received.to_string() })
}
