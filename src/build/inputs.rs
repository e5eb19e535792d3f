//! Inputs of a build: its source, proven against the pin, and every crate of its Cargo.lock, in the store.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::action::{self, Action};
use super::source_files::{SourceFiles, text_file};
use super::tools::Tools;
use super::vendored::Vendored;
use super::{Error, Toolchain, compilers};
use crate::digest::TextDigest;
use crate::disk;
use crate::lock::Wish;
use crate::manifest::expand;
use crate::package::PackageId;
use crate::platform::Platform;
use crate::recipe::{Params, Recipe, Values};
use crate::store::{self, Store};
use crate::tree::{File, Node, Tree};

/// Where a build has what.
pub(super) struct Places<'a> {
    pub prefix: &'a str,
    pub destdir: &'a str,
    pub source: &'a str,
    pub build: &'a str,
}

impl Places<'_> {
    /// Do something with what templates know of the build of a package there.
    pub fn with_values<T>(
        &self,
        id: &PackageId,
        wish: &Wish,
        platform: Platform,
        then: impl FnOnce(&Params, &Values<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (name, version) = (id.name.to_string(), &id.version);
        let Self { prefix, destdir, source, build } = *self;
        let values = Values { prefix, destdir, source, build, name: &name, version, platform };
        let params = wish.params.map_list("install", |text| {
            expand(text, |placeholder| match placeholder {
                "name" => Some(name.clone()),
                "version" => Some(version.to_string()),
                "os" => Some(platform.os_family().to_owned()),
                "arch" => Some(platform.arch().to_owned()),
                "platform" => Some(platform.to_string()),
                "target" => Some(platform.rust_target().to_owned()),
                _ => None,
            })
        });
        then(&params, &values)
    }
}

/// Everything that the build of one package reads, beside the toolchain and the tools.
pub struct Inputs<'a> {
    /// The package.
    pub id: PackageId,
    /// What is asked of it.
    pub wish: &'a Wish,
    /// Its source.
    pub source: SourceFiles,
    /// The crates of its Cargo.lock, where cargo builds it.
    pub crates: Option<Vendored>,
    /// What lies at the placeholder while it is built.
    pub prefix: Tree,
    /// What of that it needs to run.
    pub beside: Tree,
    /// What is built for.
    pub platform: Platform,
}

impl Inputs<'_> {
    /// How it is made.
    pub fn recipe(&self) -> &Recipe {
        &self.wish.recipe
    }

    /// The tools of the host that its recipe declares.
    pub fn declared_tools(&self) -> Vec<String> {
        self.recipe().tools(&self.wish.params, self.platform)
    }

    /// Whether it may link libraries of its site: all that a C compiler builds, and what cargo builds beside something.
    pub fn links(&self) -> bool {
        !self.prefix.is_empty() || (self.crates.is_none() && self.declared_tools().iter().any(|tool| tool == "cc"))
    }

    /// Rust's name of the target that is built for, where cargo builds.
    pub fn target(&self) -> Option<&str> {
        self.crates.as_ref()?;
        let target = self.wish.params.get("target").and_then(|value| value.as_str());
        Some(target.filter(|target| !target.is_empty()).unwrap_or_else(|| self.platform.rust_target()))
    }

    /// The steps, with `root` before every path of `/envy`.
    pub fn script(&self, root: &str) -> Result<String, Error> {
        self.with_values(root, |params, values| Ok(self.recipe().script(params, values)?))
    }

    /// The commands that try out what was built, if there are any.
    pub fn check_script(&self, root: &str) -> Result<Option<String>, Error> {
        self.with_values(root, |params, values| Ok(self.recipe().check_script(params, values)?))
    }

    fn with_values<T>(
        &self,
        root: &str,
        then: impl FnOnce(&Params, &Values<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let directory = match self.source.directory.as_str() {
            "" => String::new(),
            directory => format!("/{directory}"),
        };
        let build = match self.source.build_directory() {
            Some(directory) => format!("{root}{}/{directory}", action::SOURCE),
            None => format!("{root}{}", action::BUILD),
        };
        let places = Places {
            prefix: action::PLACEHOLDER,
            destdir: &format!("{root}{}", action::DESTDIR),
            source: &format!("{root}{}{directory}", action::SOURCE),
            build: &build,
        };
        places.with_values(&self.id, self.wish, self.platform, then)
    }

    /// Cargo's configuration, with `root` before every path of `/envy`.
    pub fn cargo_config(&self, root: &str) -> Option<String> {
        Some(self.crates.as_ref()?.config(root))
    }

    /// The environment, with `root` before every path of `/envy`.
    pub fn environment(&self, root: &str) -> Result<BTreeMap<String, String>, Error> {
        let rebase = |value: String| value.replace("/envy/", &format!("{root}/envy/"));
        Ok(self.plain_environment()?.into_iter().map(|(name, value)| (name, rebase(value))).collect())
    }

    fn plain_environment(&self) -> Result<BTreeMap<String, String>, Error> {
        let mut environment = action::environment(self.source.time, self.crates.is_some());
        if !self.prefix.is_empty() {
            let path = environment.get("PATH").cloned().unwrap_or_default();
            environment.insert("PATH".to_owned(), format!("{}/bin:{path}", action::PLACEHOLDER));
        }
        if self.links() {
            environment.extend(compilers::variables().map(|(name, value)| (name.to_owned(), value)));
        }
        environment.extend(self.with_values("", |params, values| Ok(self.recipe().environment(params, values)?))?);
        Ok(environment)
    }

    /// The scripts that stand for compilers, by name, with `root` before every path of `/envy`.
    pub fn compilers(&self, tools: &Tools, root: &str) -> BTreeMap<String, String> {
        let linking = tools.programs.iter().filter(|(name, _)| self.links() && compilers::is_one(name));
        let compiler = |name: &String, path: &PathBuf| if root.is_empty() { tools.place(name) } else { path.clone() };
        let script = |name, path| compilers::script(&compiler(name, path).to_string_lossy(), root);
        linking.map(|(name, path)| (name.clone(), script(name, path))).collect()
    }

    /// The action that builds it. All crates are in the store by now.
    pub fn action(
        &self,
        store: &Store,
        toolchain: Option<TextDigest>,
        tools: &Tools,
        sandbox: String,
    ) -> Result<Action, Error> {
        let failed = |source| Error::Layout { id: self.id.clone(), source };
        let mut inputs = Tree::default();
        inputs.insert("envy/src", Node::Directory(self.source.tree.clone())).map_err(failed)?;
        inputs.insert("envy/script", text_file(&self.script("")?)).map_err(failed)?;
        if let Some(check) = self.check_script("")? {
            inputs.insert("envy/check", text_file(&check)).map_err(failed)?;
        }
        for (name, script) in self.compilers(tools, "") {
            inputs.insert(&format!("envy/tools/{name}"), text_file(&script)).map_err(failed)?;
        }
        if !self.prefix.is_empty() {
            let at = action::PLACEHOLDER.trim_start_matches('/');
            inputs.insert(at, Node::Directory(self.prefix.clone())).map_err(failed)?;
        }
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
        let (environment, platform, tools) = (self.plain_environment()?, self.platform, tools.identity);
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
