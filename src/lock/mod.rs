//! Lockfiles: a resolution with its pins and outputs, `lockfiles/SITE.lock`.
//!
//! A lockfile says what goes in (versions, digests of archives and of their trees, recipes with params, the
//! Cargo.lock, the toolchain) and what comes out (one tree for each action that was built, one for the prefix). It
//! is text for people to review and to merge: sorted, one block a package, and nothing of the host that wrote it.
//! Registries stand in it by name, other sources as `envy.toml` has them; the one time is that of a cut-off.

mod candidates;
mod difference;
mod drift;
mod format;
#[cfg(test)]
mod format_tests;
mod graph;
mod merge;
mod pin;
mod promoted;
mod shared;
mod sides;
mod wishes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::digest::{ActionDigest, BlobDigest, Commit, TextDigest, TreeDigest};
use crate::disk;
use crate::package::{PackageId, PackageName, SiteName, Version};
use crate::platform::{Needs, Platform, Platforms};
use crate::recipe::{Purpose, Statement};
pub use candidates::{Candidates, Error as CandidatesError, Ground, places};
pub use difference::{Aspect, Change, Difference, aspects};
pub use drift::{Drift, drift};
pub use graph::{Chain, Edge, Graph};
pub use merge::{Merged, merge};
pub use pin::{
    Error as PinError, Pinned, Pinner, Task, all_patches, archive_url, carrier, file_name, kept_commit, same_origin,
    stated,
};
pub use shared::{SharedDrift, SharedRecipes, shared_drift};
pub use sides::Sides;
pub use wishes::{Error as WishError, Prospect, Prospective, Stated, Wish, Wishes, sums};

/// What a site's packages are pinned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lockfile {
    /// Digest of what `envy.toml` asked when this was written.
    pub requirements: TextDigest,
    /// No version that was published after this time was chosen, where something set a limit.
    pub exclude_newer: Option<jiff::Timestamp>,
    /// What builds; nothing where there is nothing to build.
    pub toolchain: Option<Toolchain>,
    /// The recipes that the project shares with others, by the names of `[recipes]`.
    pub recipes: BTreeMap<String, SharedRecipes>,
    /// The packages.
    pub packages: BTreeMap<PackageName, Package>,
    /// For each platform, the prefix that the outputs make.
    pub prefixes: BTreeMap<Platform, Prefix>,
}

/// The pinned compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// As it calls itself: version, commit and date.
    pub rust: String,
    /// For each platform that it was looked at on, the digest of its files.
    pub content: BTreeMap<Platform, TextDigest>,
}

impl Toolchain {
    /// The version alone.
    pub fn version(&self) -> Option<Version> {
        self.rust.split(' ').next()?.parse().ok()
    }
}

/// One pinned package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Name and version.
    pub id: PackageId,
    /// Where it comes from, as a text: a registry by its name, anything else by what was written.
    pub source: String,
    /// What that gave.
    pub pin: Pin,
    /// Digests of the patches to it, in their order.
    pub patches: Vec<BlobDigest>,
    /// Digest of its recipe and the recipe's params.
    pub recipe: TextDigest,
    /// The Cargo.lock that it builds with, if it is built by cargo. What is not pinned brings its own.
    pub crates: Option<Crates>,
    /// The packages that it needs beside it in the prefix, sorted.
    pub dependencies: Vec<PackageName>,
    /// The packages that it needs while it is built, sorted.
    pub build_dependencies: Vec<PackageName>,
    /// The platforms that it is for; nothing says: all of the project's.
    pub platforms: Platforms,
    /// Of what it needs, what it does not need on all of its platforms, and on which it does.
    pub needed_on: BTreeMap<(Purpose, PackageName), Platforms>,
    /// What it says of itself, in its Cargo.toml.
    pub stated: Statement,
    /// What was built, by whom ever: one for each action.
    pub outputs: Vec<Output>,
}

impl Package {
    /// The packages that it needs for something.
    pub fn needed(&self, purpose: Purpose) -> &[PackageName] {
        match purpose {
            Purpose::Run => &self.dependencies,
            Purpose::Build => &self.build_dependencies,
        }
    }

    /// The packages that it needs for something on a platform.
    pub fn needed_on(&self, purpose: Purpose, platform: Platform) -> impl Iterator<Item = &PackageName> {
        let is_there = move |name: &&PackageName| {
            let some = self.needed_on.iter().find(|((one, needed), _)| *one == purpose && needed == *name);
            some.is_none_or(|(_, on)| on.contains(&platform))
        };
        self.needed(purpose).iter().filter(is_there)
    }

    /// Whether it is for a platform: it says nothing else, and where each platform has an archive of its own, so has this.
    pub fn is_for(&self, platform: Platform) -> bool {
        let is_pinned = !matches!(self.pin, Pin::Archives(_)) || self.pin.archive(platform).is_some();
        is_pinned && (self.platforms.is_empty() || self.platforms.contains(&platform))
    }

    /// Whether it was asked what it says of itself: what cargo builds was, and whatever said something.
    pub fn was_asked(&self) -> bool {
        self.crates.is_some() || self.stated != Statement::default() || !self.pin.is_fixed()
    }

    /// Whether a Cargo.lock was made for it.
    pub fn has_generated(&self) -> bool {
        self.crates.as_ref().is_some_and(|crates| crates.generated)
    }
}

/// What a source gave: the content of a package, by digest. Trees are those of the unpacked and patched source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// An archive of a registry.
    Crate(Unpacked),
    /// A commit.
    Git {
        /// Its id.
        commit: Commit,
        /// Its tree, with those of its submodules.
        tree: TreeDigest,
    },
    /// One archive for every platform.
    Archive(Unpacked),
    /// An archive for each platform.
    Archives(BTreeMap<Platform, Unpacked>),
    /// Nothing: a directory is whatever it is now.
    Path,
    /// Nothing, since there is no source: a recipe makes it out of what it needs.
    Nothing,
}

/// An archive and what was in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// Digest of the file.
    pub archive: BlobDigest,
    /// Digest of the unpacked, patched source.
    pub tree: TreeDigest,
}

impl Pin {
    /// The source's tree for a platform, if it is pinned.
    pub fn tree(&self, platform: Platform) -> Option<TreeDigest> {
        match self {
            Self::Git { tree, .. } => Some(*tree),
            Self::Path | Self::Nothing => None,
            _ => self.archive(platform).map(|unpacked| unpacked.tree),
        }
    }

    /// The archive for a platform, if it is one.
    pub fn archive(&self, platform: Platform) -> Option<Unpacked> {
        match self {
            Self::Crate(unpacked) | Self::Archive(unpacked) => Some(*unpacked),
            Self::Archives(each) => each.get(&platform).copied(),
            Self::Git { .. } | Self::Path | Self::Nothing => None,
        }
    }

    /// Whether it says what the content is.
    pub fn is_fixed(&self) -> bool {
        *self != Self::Path
    }
}

/// The Cargo.lock that a package builds with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crates {
    /// Digest of its text.
    pub digest: BlobDigest,
    /// Whether it was made when locking, since the package ships none that fits.
    pub generated: bool,
    /// The git repositories that it takes crates from, sorted.
    pub sources: Vec<CrateSource>,
}

/// A git repository that crates are taken from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CrateSource {
    /// Where it is.
    pub url: String,
    /// The commit that the Cargo.lock names.
    pub commit: Commit,
    /// Digest of its tree.
    pub tree: TreeDigest,
}

/// What one action gave.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Output {
    /// What it runs on.
    pub platform: Platform,
    /// The action.
    pub action: ActionDigest,
    /// The installed tree.
    pub tree: TreeDigest,
    /// What it needs from the host.
    pub needs: Needs,
}

/// The prefix that a site's outputs make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Digest of the outputs that it merges.
    pub outputs: TextDigest,
    /// Its tree.
    pub tree: TreeDigest,
}

/// A lockfile cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// It holds the two sides of a merge.
    #[error("lockfile `{}` holds conflict markers of a merge (line {line})", path.display())]
    Conflicted {
        /// The file.
        path: PathBuf,
        /// The first marker's line, counted from one.
        line: usize,
    },
    /// It is not a lockfile.
    #[error("lockfile `{}` cannot be read", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A later envy wrote it.
    #[error("lockfile `{}` has format version {version}; this envy reads version 1", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version it says.
        version: i64,
    },
}

impl Lockfile {
    /// The lockfile of a site that asks for no package.
    pub fn empty(requirements: TextDigest) -> Self {
        Self {
            requirements,
            exclude_newer: None,
            toolchain: None,
            recipes: BTreeMap::new(),
            packages: BTreeMap::new(),
            prefixes: BTreeMap::new(),
        }
    }

    /// Where the lockfile of a site is, from the project's directory.
    pub fn relative_path(site: &SiteName) -> PathBuf {
        Path::new("lockfiles").join(format!("{site}.lock"))
    }

    /// Where the Cargo.lock that was made for a package is, from the project's directory.
    pub fn generated_path(site: &SiteName, package: &PackageName) -> PathBuf {
        Path::new("lockfiles").join(site.as_str()).join(format!("{package}.Cargo.lock"))
    }

    /// What its packages say of themselves, as far as they were asked.
    pub fn stated(&self) -> Stated {
        let asked = self.packages.iter().filter(|(_, package)| package.was_asked());
        asked.map(|(name, package)| (name.clone(), package.stated.clone())).collect()
    }

    /// The packages that are for a platform.
    pub fn packages_for(&self, platform: Platform) -> impl Iterator<Item = (&PackageName, &Package)> {
        self.packages.iter().filter(move |(_, package)| package.is_for(platform))
    }

    /// These packages, and all that they need to run on a platform.
    pub fn closure<'a>(
        &'a self,
        of: impl IntoIterator<Item = &'a PackageName>,
        platform: Platform,
    ) -> BTreeSet<&'a PackageName> {
        let (mut open, mut all): (Vec<_>, BTreeSet<_>) = (of.into_iter().collect(), BTreeSet::new());
        while let Some(name) = open.pop() {
            if let Some(package) = self.packages.get(name).filter(|_| all.insert(name)) {
                open.extend(package.needed_on(Purpose::Run, platform));
            }
        }
        all
    }

    /// What is there while a package is built for a platform: what it needs, with all that this needs to run.
    pub fn inputs(&self, name: &PackageName, platform: Platform) -> BTreeSet<&PackageName> {
        let needed =
            |package| [Purpose::Run, Purpose::Build].map(|purpose| Package::needed_on(package, purpose, platform));
        self.closure(self.packages.get(name).into_iter().flat_map(needed).flatten(), platform)
    }

    /// What is there when a package runs on a platform: all that it needs for that.
    pub fn beside(&self, name: &PackageName, platform: Platform) -> BTreeSet<&PackageName> {
        let needed = |package| Package::needed_on(package, Purpose::Run, platform);
        self.closure(self.packages.get(name).into_iter().flat_map(needed), platform)
    }

    /// The outputs of a package for a platform.
    pub fn outputs(&self, name: &PackageName, platform: Platform) -> impl Iterator<Item = &Output> {
        let outputs = self.packages.get(name).map(|package| package.outputs.as_slice()).unwrap_or_default();
        outputs.iter().filter(move |output| output.platform == platform)
    }
}

impl Lockfile {
    /// Whether the prefix that it records for a platform can be made of outputs that it lists, one of each of these packages,
    /// with what is left out of it. Nobody can tell where it records no prefix, or a package has no output there, as one that
    /// is made from a directory, or where there are too many ways.
    pub fn lists_what_its_prefix_is_made_of<'a>(
        &self,
        platform: Platform,
        installed: impl IntoIterator<Item = (&'a PackageName, &'a [String])>,
    ) -> Option<bool> {
        let recorded = self.prefixes.get(&platform)?;
        let mut ways: Vec<Vec<(&PackageName, TreeDigest, &[String])>> = vec![Vec::new()];
        for (name, without) in installed.into_iter().filter(|(name, _)| self.packages.contains_key(*name)) {
            let trees: BTreeSet<_> = self.outputs(name, platform).map(|output| output.tree).collect();
            let with = |tree| move |way: &Vec<_>| [way.as_slice(), &[(name, tree, without)]].concat();
            ways = trees.into_iter().flat_map(|tree| ways.iter().map(with(tree)).collect::<Vec<_>>()).collect();
            if ways.is_empty() || ways.len() > MOST_WAYS {
                return None;
            }
        }
        Some(ways.into_iter().any(|way| outputs_digest(way) == recorded.outputs))
    }
}

/// Of how many ways to make a prefix each is looked at.
const MOST_WAYS: usize = 4096;

/// Digest of the outputs that a prefix merges, with what is left out of each.
pub fn outputs_digest<'a>(
    outputs: impl IntoIterator<Item = (&'a PackageName, TreeDigest, &'a [String])>,
) -> TextDigest {
    let line = |(name, tree, without): (&PackageName, TreeDigest, &[String])| {
        let left_out: String = without.iter().map(|path| format!(" without {path:?}")).collect();
        format!("{name} {tree}{left_out}\n")
    };
    TextDigest::of(outputs.into_iter().map(line).collect::<String>().as_bytes())
}
