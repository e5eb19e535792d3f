//! The manifest, `envy.toml`: what a project's sites should have, as people wrote it.
//!
//! The room takes text and gives values: reading and writing the file happens elsewhere. `schema` lists every
//! key, `check` compares a document with it, `parse` reads the values, and
//! `edit` changes a text without disturbing comments and order.
//!
//! The format may gain keys. A key that this version does not know is refused, so that nothing a project asks for is
//! silently left out; a project that needs a newer envy says so in `project.envy`, which is checked before anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::digest::BlobDigest;
use crate::package::{Cutoff, PackageName, Range, SiteName, VersionReq};
use crate::platform::{Condition, Platform};

pub mod carried;
mod check;
mod constraints;
mod dependency;
pub mod edit;
#[cfg(test)]
mod edit_tests;
mod extends;
mod files;
mod gate;
mod layout;
#[cfg(test)]
mod mutations;
mod needed;
mod parse;
mod placeholder;
mod problem;
mod recipes;
mod schema;
mod sites;
mod source;
#[cfg(test)]
mod source_tests;
#[cfg(test)]
mod tests;
mod variables;

pub(crate) use check::keys;
pub(crate) use dependency::param;
pub use gate::Gate;
pub(crate) use needed::needed;
pub use needed::{Stated, stated, states_anything};
pub(crate) use parse::{Item, Text, duration, entries, strings, syntax_error, table};
pub use placeholder::expand;
pub(crate) use problem::{Findings, listed};
pub use problem::{Invalid, Problem, Span, nearest};
pub(crate) use schema::{Key, NEEDED, Shape, now};
pub(crate) use source::{archive, checksum, place, subdir, text};

/// A manifest whose every key was understood.
#[derive(Clone, Debug)]
pub struct Manifest {
    project_name: Option<String>,
    platforms: Vec<Platform>,
    toolchain: Option<VersionReq>,
    sandbox: SandboxSetting,
    build_timeout: Option<Duration>,
    registries: BTreeMap<String, String>,
    mirrors: BTreeMap<String, String>,
    remote_cache: Option<String>,
    recipes: BTreeMap<String, Source>,
    exclude_newer: Option<ExcludeNewer>,
    largest_source: Option<u64>,
    largest_ratio: Option<u64>,
    keep_generations: Option<usize>,
    require_outputs: bool,
    overrides: BTreeMap<PackageName, Dependency>,
    constraints: BTreeMap<PackageName, Range>,
    sites: BTreeMap<SiteName, Site>,
}

impl Manifest {
    /// Read a manifest; `file` is how messages call it.
    ///
    /// The `envy` that it asks for is checked before anything else: if this envy doesn't do, that is the only problem.
    pub fn parse(file: &str, text: &str) -> Result<Self, Invalid> {
        parse::manifest(file, text)
    }

    /// The project's name, if it has one.
    pub fn project_name(&self) -> Option<&str> {
        self.project_name.as_deref()
    }

    /// What the project is built for: this machine's platform unless the manifest lists others.
    pub fn platforms(&self) -> &[Platform] {
        &self.platforms
    }

    /// The versions of Rust that would do.
    pub fn toolchain(&self) -> Option<&VersionReq> {
        self.toolchain.as_ref()
    }

    /// How long a build may take, where it is less than the longest that any may.
    pub fn build_timeout(&self) -> Option<Duration> {
        self.build_timeout
    }

    /// Whether builds run in a sandbox.
    pub fn sandbox(&self) -> SandboxSetting {
        self.sandbox
    }

    /// The indexes of crate registries, by the names that the project gives them.
    pub fn registries(&self) -> &BTreeMap<String, String> {
        &self.registries
    }

    /// Beginnings of addresses, and what takes their place.
    pub fn mirrors(&self) -> &BTreeMap<String, String> {
        &self.mirrors
    }

    /// The cache that the project shares, as it is written.
    pub fn remote_cache(&self) -> Option<&str> {
        self.remote_cache.as_deref()
    }

    /// Where recipes come from that the project shares with others, by the names that it gives them: repositories and
    /// directories.
    pub fn recipes(&self) -> &BTreeMap<String, Source> {
        &self.recipes
    }

    /// How new a version may be, where the project says so.
    pub fn exclude_newer(&self) -> Option<&ExcludeNewer> {
        self.exclude_newer.as_ref()
    }

    /// The most bytes that a source may unpack to, where the project says so.
    pub fn largest_source(&self) -> Option<u64> {
        self.largest_source
    }

    /// How many times its own size an archive may unpack to, where the project says so.
    pub fn largest_ratio(&self) -> Option<u64> {
        self.largest_ratio
    }

    /// How many generations of a site are kept by those who build, where the project says so.
    pub fn keep_generations(&self) -> Option<usize> {
        self.keep_generations
    }

    /// Whether sites may only have what their lockfiles record.
    pub fn require_outputs(&self) -> bool {
        self.require_outputs
    }

    /// What takes the place of a package, whoever asks for it.
    pub fn overrides(&self) -> &BTreeMap<PackageName, Dependency> {
        &self.overrides
    }

    /// The versions that packages are limited to, whoever asks for them.
    pub fn constraints(&self) -> &BTreeMap<PackageName, Range> {
        &self.constraints
    }

    /// All sites, sorted by name.
    pub fn sites(&self) -> impl Iterator<Item = &Site> {
        self.sites.values()
    }

    /// The site of this name.
    pub fn site(&self, name: &SiteName) -> Option<&Site> {
        self.sites.get(name)
    }

    /// The sites that extend this one, or others that do, sorted by name.
    pub fn extending(&self, name: &SiteName) -> Vec<&Site> {
        let mut reached = BTreeSet::from([name]);
        loop {
            let before = reached.len();
            let more = self.sites().filter(|site| site.extends.iter().any(|parent| reached.contains(parent)));
            let more: Vec<_> = more.map(|site| &site.name).collect();
            reached.extend(more);
            if reached.len() == before {
                return self.sites().filter(|site| site.name != *name && reached.contains(&site.name)).collect();
            }
        }
    }

    /// The site that was probably meant by a name that no site has.
    pub fn nearest_site(&self, name: &str) -> Option<String> {
        problem::nearest(name, self.sites.keys().map(SiteName::as_str)).map(str::to_owned)
    }
}

/// Whether builds run in a sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SandboxSetting {
    /// Where the host can; a host that cannot builds without, and envy says so.
    #[default]
    Auto,
    /// Always; a host that cannot is an error.
    Required,
    /// Never.
    Off,
}

/// What one site should have.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its name.
    pub name: SiteName,
    /// The sites that it starts from.
    pub extends: Vec<SiteName>,
    /// What it requires: first what every site does, then what sites do that it extends, then its own.
    pub dependencies: Vec<Dependency>,
    /// Variables for its programs, with placeholders for [`expand`].
    pub env: BTreeMap<String, String>,
    /// Values that `env` may name.
    pub vars: BTreeMap<String, Value>,
    /// Files that its generations have beside their prefix, by their paths there.
    pub files: BTreeMap<String, SiteFile>,
    /// What its generations have to pass.
    pub gate: Gate,
}

/// A file of a site's own.
#[derive(Clone, Debug)]
pub struct SiteFile {
    /// What is in it.
    pub content: FileContent,
    /// Its permissions.
    pub mode: u32,
    /// Where the manifest says so.
    pub span: Span,
}

/// What is in a file of a site's own. Paths are from the project's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileContent {
    /// What this template gives.
    Template(String),
    /// What this text gives, which is a template too.
    Text(String),
    /// The bytes of this file, as they are.
    Copy(String),
}

/// A package that someone asks for, and how it should be built.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// The package.
    pub name: PackageName,
    /// Where it comes from.
    pub source: Source,
    /// The versions that would do.
    pub versions: Range,
    /// Who asks.
    pub by: Asker,
    /// The recipe that makes it, where it is not the usual one of its source.
    pub recipe: Option<String>,
    /// Patches to its source, by their paths in the project, in the order to apply them.
    pub patches: Vec<String>,
    /// How new it may be, where that differs from what the project says.
    pub exclude_newer: Option<ExcludeNewer>,
    /// The platforms that it is asked for on, where those are not all.
    pub when: Option<Condition>,
    /// Values for the recipe's params, whether written under `params` or beside `version`.
    pub params: BTreeMap<String, Param>,
    /// Paths that the prefix should not have.
    pub without: Vec<String>,
    /// What it needs beside it in the prefix, as far as it does not say so itself.
    pub dependencies: Vec<Needed>,
    /// What it needs while it is built.
    pub build_dependencies: Vec<Needed>,
    /// Where the manifest says so.
    pub span: Span,
}

impl Dependency {
    /// Whether it is asked for on a platform.
    pub fn is_for(&self, platform: Platform) -> bool {
        self.when.as_ref().is_none_or(|when| when.holds(platform))
    }

    /// Whether it is asked for on any of some platforms.
    pub fn is_for_any<'p>(&self, platforms: impl IntoIterator<Item = &'p Platform>) -> bool {
        platforms.into_iter().any(|platform| self.is_for(*platform))
    }
}

/// A package of a recipe that another package needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// The package.
    pub name: PackageName,
    /// The recipe that lists its versions.
    pub recipe: String,
    /// The versions that would do.
    pub versions: Range,
    /// Values for the recipe's params.
    pub params: BTreeMap<String, Param>,
    /// An expression over the params of who needs it, and over the platform: where it is false, it is not needed.
    pub when: Option<String>,
}

/// Where a dependency comes from, as someone wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A registry of crates: crates.io, or the one of this name.
    Crate {
        /// Its name, as in `[registries]` or in cargo's configuration.
        registry: Option<String>,
    },
    /// A git repository.
    Git {
        /// Where it is.
        url: String,
        /// Which of its commits.
        reference: GitReference,
        /// The directory in it that is meant.
        subdir: Option<String>,
    },
    /// An archive, or a program by itself.
    Archive(ArchiveSource),
    /// A directory, from the project's directory.
    Path {
        /// As it was written.
        path: String,
    },
    /// A version that a recipe lists.
    Recipe {
        /// The recipe's name.
        recipe: String,
    },
    /// A crate of crates.io that carries the source of something else. Only recipes name these.
    Carried {
        /// The crate's name.
        name: String,
        /// Its version.
        version: String,
        /// What its archive has to be.
        sha256: BlobDigest,
        /// The directory in it that is meant.
        subdir: Option<String>,
    },
    /// Nothing: a version of a recipe that makes something out of its inputs alone. Only recipes have these.
    Nothing,
}

impl Source {
    /// Where a bare version comes from.
    pub fn crates_io() -> Self {
        Self::Crate { registry: None }
    }
}

/// Which commit of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GitReference {
    /// Tags are versions, and the resolver chooses one.
    Versions,
    /// The branch that the repository shows first.
    Default,
    /// This branch.
    Branch(String),
    /// This tag.
    Tag(String),
    /// The commit of this id, or of another name that git knows.
    Rev(String),
}

/// Where an archive is, with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveSource {
    /// Its address.
    pub url: String,
    /// What it has to be.
    pub sha256: Option<BlobDigest>,
    /// What is different for some platforms.
    pub platforms: BTreeMap<Platform, PlatformArchive>,
    /// How many leading directories are taken off; nothing said: a single one that all of it lies in.
    pub strip: Option<u32>,
    /// The directory in it that is meant.
    pub subdir: Option<String>,
}

/// What of an archive is different for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformArchive {
    /// Its address.
    pub url: Option<String>,
    /// What it has to be.
    pub sha256: Option<BlobDigest>,
}

/// How new a version may be.
#[derive(Clone, Debug)]
pub enum ExcludeNewer {
    /// As new as it likes.
    Off,
    /// No newer than this.
    Than {
        /// As it was written.
        text: String,
        /// What that means.
        cutoff: Cutoff,
    },
}

/// Who asks for a dependency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker {
    /// It stands in `[dependencies]`.
    EverySite,
    /// It stands among a site's own dependencies.
    Site(SiteName),
    /// It stands in `[overrides]`, which by itself asks for nothing.
    Overrides,
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EverySite => f.write_str("every site"),
            Self::Site(name) => write!(f, "site `{name}`"),
            Self::Overrides => f.write_str("`[overrides]`"),
        }
    }
}

/// A value for a recipe's param.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Param {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    String(String),
    /// Several texts.
    List(Vec<String>),
}

/// The value of a site's var. Its text is what a placeholder becomes.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text.
    String(String),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => f.write_str(text),
            Self::Int(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
            Self::Bool(on) => on.fmt(f),
        }
    }
}
