//! Wishes: what is asked of a site's packages, each name once: by `envy.toml`, and by the packages that it names. Pure.

mod gather;
mod prospect;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::digest::{BlobDigest, TextDigest};
use crate::manifest::{ExcludeNewer, Manifest, Site, Source};
use crate::package::{By, PackageName, Range, Requirement, Version, VersionReq};
use crate::platform::Platform;
use crate::recipe::{self, Book, Params, Purpose, Recipe, Statement};
use crate::source::Patch;
pub use prospect::{Prospect, Prospective};
pub(super) use text::source_text;

/// What packages say of themselves, in the `[package.metadata.envy]` of their Cargo.toml. Of those that are not here,
/// nobody knows yet.
pub type Stated = BTreeMap<PackageName, Statement>;

/// All that is asked of a site's packages.
#[derive(Clone, Debug)]
pub struct Wishes {
    packages: BTreeMap<PackageName, Wish>,
    toolchain: Option<VersionReq>,
    platforms: Vec<Platform>,
    exclude_newer: Option<ExcludeNewer>,
    constraints: BTreeMap<PackageName, Range>,
}

/// What is asked of one package.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Who asks for which versions.
    pub requirements: Vec<Requirement>,
    /// Where it comes from.
    pub source: Source,
    /// How a lockfile writes that.
    pub source_text: String,
    /// Patches to its source, by their paths in the project.
    pub patches: Vec<String>,
    /// How new it may be, where that differs from what the project says.
    pub exclude_newer: Option<ExcludeNewer>,
    /// The recipe that makes it.
    pub recipe: Arc<Recipe>,
    /// A value for each of the recipe's params.
    pub params: Params,
    /// Whether it has a say itself, in its Cargo.toml: nobody wants it made otherwise than by cargo.
    pub states: bool,
    /// Paths that are left out of the prefix.
    pub without: Vec<String>,
    /// Which packages it needs, and what for.
    pub needs: BTreeSet<(Purpose, PackageName)>,
    /// Whether it belongs into the prefix; if not, it is there only while others are built.
    pub installed: bool,
}

/// What is asked for cannot be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A recipe is not there, or takes other params.
    #[error(transparent)]
    Recipe(#[from] recipe::Error),
    /// A package needs what no recipe makes, or makes like that.
    #[error("what `{by}` needs cannot be had")]
    Needed {
        /// The package.
        by: PackageName,
        /// Why not.
        #[source]
        source: recipe::Error,
    },
    /// What a package says of itself cannot be.
    #[error("what `{by}` states of itself cannot be had")]
    Stated {
        /// The package.
        by: PackageName,
        /// Why not.
        #[source]
        source: recipe::Error,
    },
    /// One name, and two things that it would stand for.
    #[error("`{name}` is asked for in two ways")]
    Differs {
        /// The name.
        name: PackageName,
        /// Who asks, and for what.
        asked: Vec<String>,
    },
    /// Packages need each other, so that none of them can be built first.
    #[error("`{}` needs itself", chain[0])]
    Circle {
        /// From it to it.
        chain: Vec<PackageName>,
    },
}

impl Wishes {
    /// Collect what a site asks for: what every site has, what it has alone, and what those packages need in turn, as
    /// their recipes and they themselves say. Lists that several ask for are united. What is overridden is made as the
    /// override says, whoever asks.
    pub fn of(manifest: &Manifest, site: &Site, book: &Book, stated: &Stated) -> Result<Self, Error> {
        let packages = gather::gather(site, manifest.overrides(), book, stated)?;
        let mut platforms = manifest.platforms().to_vec();
        platforms.sort();
        let (toolchain, exclude_newer) = (manifest.toolchain().cloned(), manifest.exclude_newer().cloned());
        let constraints = manifest.constraints().iter().filter(|(name, _)| packages.contains_key(*name));
        let constraints = constraints.map(|(name, to)| (name.clone(), to.clone())).collect();
        Ok(Self { packages, toolchain, platforms, exclude_newer, constraints })
    }

    /// What is asked of each package.
    pub fn packages(&self) -> &BTreeMap<PackageName, Wish> {
        &self.packages
    }

    /// The packages that belong into the prefix.
    pub fn installed(&self) -> impl Iterator<Item = &PackageName> {
        self.packages.iter().filter(|(_, wish)| wish.installed).map(|(name, _)| name)
    }

    /// Whether a package belongs into the prefix.
    pub fn is_installed(&self, name: &PackageName) -> bool {
        self.packages.get(name).is_some_and(|wish| wish.installed)
    }

    /// The versions of rustc that would do, where somebody said.
    pub fn toolchain(&self) -> Option<&VersionReq> {
        self.toolchain.as_ref()
    }

    /// What is built for, sorted.
    pub fn platforms(&self) -> &[Platform] {
        &self.platforms
    }

    /// How new a version may be, where the project says so.
    pub fn exclude_newer(&self) -> Option<&ExcludeNewer> {
        self.exclude_newer.as_ref()
    }

    /// The versions that packages are limited to, of those that are asked for.
    pub fn constraints(&self) -> &BTreeMap<PackageName, Range> {
        &self.constraints
    }

    /// Whether any package is built by cargo.
    pub fn needs_rust(&self) -> bool {
        self.packages.values().any(Wish::is_by_cargo)
    }

    /// What is asked at the top: by the site itself, and not by its packages.
    pub fn asked(&self) -> Vec<Requirement> {
        let asked = self.packages.values().flat_map(|wish| &wish.requirements);
        asked.filter(|one| matches!(one.by, By::Top(_))).cloned().collect()
    }

    /// What a package requires of others.
    pub fn needs_of(&self, name: &PackageName) -> Vec<Requirement> {
        let needs = self.packages.get(name).into_iter().flat_map(|wish| &wish.needs);
        // What is needed for two purposes is required once.
        let needed: BTreeSet<_> = needs.map(|(_, needed)| needed).collect();
        let asked = needed.into_iter().flat_map(|needed| &self.packages[needed].requirements);
        asked.filter(|one| matches!(&one.by, By::Package(by) if by == name)).cloned().collect()
    }

    /// Names all of it.
    pub fn digest(&self) -> TextDigest {
        let package = |(name, wish): (&PackageName, &Wish)| (name.as_str().to_owned(), wish.canonical());
        let mut canonical = serde_json::json!({
            "packages": self.packages.iter().map(package).collect::<serde_json::Map<_, _>>(),
            "rust": self.toolchain.as_ref().map(ToString::to_string),
            "platforms": self.platforms.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        if let Some(limit) = &self.exclude_newer {
            canonical["exclude-newer"] = text::limit(limit).into();
        }
        if !self.constraints.is_empty() {
            let limit = |(name, to): (&PackageName, &Range)| (name.as_str().to_owned(), to.to_string().into());
            canonical["constraints"] = self.constraints.iter().map(limit).collect::<serde_json::Map<_, _>>().into();
        }
        TextDigest::of(canonical.to_string().as_bytes())
    }
}

impl Wish {
    /// Where one version comes from: what the recipe lists for it, where the recipe lists versions.
    pub fn source_at(&self, version: &Version) -> &Source {
        match &self.source {
            Source::Recipe { .. } => {
                self.recipe.releases().get(version).map_or(&self.source, |release| &release.source)
            }
            other => other,
        }
    }

    /// The patches that the recipe has to a version.
    pub fn recipe_patches(&self, version: &Version) -> Vec<Patch> {
        match &self.source {
            Source::Recipe { .. } => self.recipe.patches_of(version),
            _ => Vec::new(),
        }
    }

    /// Digest of the recipe with these params, for a version.
    pub fn digest(&self, version: &Version) -> TextDigest {
        let listed = matches!(self.source, Source::Recipe { .. });
        self.recipe.digest(&self.params, listed.then_some(version))
    }

    /// Whether cargo builds it.
    pub fn is_by_cargo(&self) -> bool {
        self.recipe.vendor().is_some()
    }

    /// The packages that it needs for something.
    pub fn needed(&self, purpose: Purpose) -> impl Iterator<Item = &PackageName> {
        self.needs.iter().filter(move |(one, _)| *one == purpose).map(|(_, name)| name)
    }

    fn canonical(&self) -> serde_json::Value {
        let mut versions: Vec<_> = self.requirements.iter().map(|one| one.versions.to_string()).collect();
        versions.sort();
        versions.dedup();
        let mut value = serde_json::json!({
            "source": self.source_text,
            "versions": versions,
            "recipe": self.recipe.name(),
            "params": self.params.to_json(),
            "without": self.without,
        });
        if let Source::Archive(archive) = &self.source {
            let sums = archive.platforms.iter().map(|(platform, one)| {
                format!("{platform} {:?} {:?}", one.url.as_deref(), one.sha256.map(|sum| sum.to_string()))
            });
            value["sums"] = archive.sha256.map(|sum| sum.to_string()).into_iter().chain(sums).collect();
        }
        if !self.patches.is_empty() {
            value["patches"] = self.patches.clone().into();
        }
        if let Some(limit) = &self.exclude_newer {
            value["exclude-newer"] = text::limit(limit).into();
        }
        if !self.needs.is_empty() {
            value["needs"] = self.needs.iter().map(|(purpose, name)| format!("{purpose:?} {name}")).collect();
        }
        value
    }
}

/// Digests of patches, in their order.
pub fn sums(patches: &[Patch]) -> Vec<BlobDigest> {
    patches.iter().map(|patch| BlobDigest::of(&patch.text)).collect()
}
