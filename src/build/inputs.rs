//! Inputs of a build: its source, proven against the pin, and every crate of its Cargo.lock, in the store.

use std::collections::BTreeMap;

use super::action::{self, Action};
use super::source_files::{SourceFiles, text_file};
use super::vendored::Vendored;
use super::{Error, Toolchain};
use crate::digest::TextDigest;
use crate::disk;
use crate::lock::Wish;
use crate::manifest::expand;
use crate::package::PackageId;
use crate::platform::Platform;
use crate::recipe::{Recipe, Values};
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
    /// Its source.
    pub source: SourceFiles,
    /// The crates of its Cargo.lock, where cargo builds it.
    pub crates: Option<Vendored>,
}

impl Inputs<'_> {
    /// Rust's name of the target that is built for, where cargo builds.
    pub fn target(&self, platform: Platform) -> Option<&str> {
        self.crates.as_ref()?;
        let target = self.wish.params.get("target").and_then(|value| value.as_str());
        Some(target.filter(|target| !target.is_empty()).unwrap_or_else(|| platform.rust_target()))
    }

    /// The steps, with `root` before every path of `/envy`.
    pub fn script(&self, root: &str, platform: Platform) -> Result<String, Error> {
        let (name, version) = (self.id.name.to_string(), self.id.version.to_string());
        let directory = match self.source.directory.as_str() {
            "" => String::new(),
            directory => format!("/{directory}"),
        };
        let build = match self.source.build_directory() {
            Some(directory) => format!("{root}{}/{directory}", action::SOURCE),
            None => format!("{root}{}", action::BUILD),
        };
        let values = Values {
            prefix: action::PLACEHOLDER,
            destdir: &format!("{root}{}", action::DESTDIR),
            source: &format!("{root}{}{directory}", action::SOURCE),
            build: &build,
            name: &name,
            version: &version,
            platform: &platform.to_string(),
            host: platform.rust_target(),
        };
        let params = self.wish.params.map_list("install", |text| {
            expand(text, |placeholder| match placeholder {
                "name" => Some(name.clone()),
                "version" => Some(version.clone()),
                "os" => Some(platform.os_family().to_owned()),
                "arch" => Some(platform.arch().to_owned()),
                "platform" => Some(platform.to_string()),
                "target" => Some(platform.rust_target().to_owned()),
                _ => None,
            })
        });
        Ok(self.recipe.script(&params, &values)?)
    }

    /// Cargo's configuration, with `root` before every path of `/envy`.
    pub fn cargo_config(&self, root: &str) -> Option<String> {
        Some(self.crates.as_ref()?.config(root))
    }

    /// The environment, with `root` before every path of `/envy`.
    pub fn environment(&self, root: &str) -> BTreeMap<String, String> {
        let rebase = |value: String| value.replace("/envy/", &format!("{root}/envy/"));
        self.plain_environment().into_iter().map(|(name, value)| (name, rebase(value))).collect()
    }

    fn plain_environment(&self) -> BTreeMap<String, String> {
        action::environment(self.source.time, self.crates.is_some())
    }

    /// The action that builds it. All crates are in the store by now.
    pub fn action(
        &self,
        store: &Store,
        platform: Platform,
        toolchain: Option<TextDigest>,
        tools: TextDigest,
        sandbox: String,
    ) -> Result<Action, Error> {
        let failed = |source| Error::Layout { id: self.id.clone(), source };
        let mut inputs = Tree::default();
        inputs.insert("envy/src", Node::Directory(self.source.tree.clone())).map_err(failed)?;
        inputs.insert("envy/script", text_file(&self.script("", platform)?)).map_err(failed)?;
        if let Some(crates) = &self.crates {
            inputs.insert("envy/cargo/config.toml", text_file(&crates.config(""))).map_err(failed)?;
            for (directory, one) in crates.archives() {
                let path = store.blob_path(one.checksum);
                let size = disk::file_size(&path).ok_or(store::Error::MissingBlob(one.checksum))?;
                let file = File { blob: one.checksum, size, executable: false };
                let path = format!("{directory}/{}-{}.crate", one.name, one.version);
                inputs.insert(path.trim_start_matches('/'), Node::File(file)).map_err(failed)?;
            }
            for (path, tree) in crates.trees() {
                inputs.insert(path.trim_start_matches('/'), Node::Directory(tree.clone())).map_err(failed)?;
            }
        }
        let environment = self.plain_environment();
        Ok(Action { inputs, environment, platform, toolchain, tools, sandbox })
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
