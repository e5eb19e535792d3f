//! Wishes: what is asked of a site's packages, each name once: by `envy.toml`, and by the packages that it names. Pure.

mod gather;
mod prospect;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::digest::{BlobDigest, TextDigest};
use crate::manifest::{ExcludeNewer, Manifest, Site, Source};
use crate::package::{By, PackageName, Range, Requirement, Version, VersionReq};
use crate::platform::{Platform, Platforms};
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
    platforms: Platforms,
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
    /// Which packages it needs, what for, and on which platforms.
    pub needs: BTreeMap<(Purpose, PackageName), Platforms>,
    /// The platforms that it is wanted on.
    pub platforms: Platforms,
    /// The platforms whose prefix it belongs into; on the others it is there only while others are built.
    pub installed: Platforms,
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
    /// Needs lead to params, and these to other needs, without end.
    #[error("what `{name}` needs depends on params that depend on what it needs")]
    Unsettled {
        /// One of those that do.
        name: PackageName,
    },
    /// What makes a package is not for a platform that it is wanted on.
    #[error("`{name}` is wanted on {platform}, and recipe `{recipe}` is not for that")]
    NotFor {
        /// The package.
        name: PackageName,
        /// The recipe.
        recipe: String,
        /// The platform.
        platform: Platform,
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
    /// their recipes and they themselves say. Lists that several ask for, each another one, are united. What is overridden is made as the
    /// override says, whoever asks.
    pub fn of(manifest: &Manifest, site: &Site, book: &Book, stated: &Stated) -> Result<Self, Error> {
        let platforms: Platforms = manifest.platforms().iter().copied().collect();
        let packages = gather::gather(site, manifest.overrides(), book, stated, &platforms)?;
        let (toolchain, exclude_newer) = (manifest.toolchain().cloned(), manifest.exclude_newer().cloned());
        let constraints = manifest.constraints().iter().filter(|(name, _)| packages.contains_key(*name));
        let constraints = constraints.map(|(name, to)| (name.clone(), to.clone())).collect();
        Ok(Self { packages, toolchain, platforms, exclude_newer, constraints })
    }

    /// What is asked of each package.
    pub fn packages(&self) -> &BTreeMap<PackageName, Wish> {
        &self.packages
    }

    /// The packages that belong into the prefix for a platform.
    pub fn installed(&self, platform: Platform) -> impl Iterator<Item = &PackageName> {
        self.packages.iter().filter(move |(_, wish)| wish.installed.contains(&platform)).map(|(name, _)| name)
    }

    /// Whether a package belongs into the prefix for a platform.
    pub fn is_installed(&self, name: &PackageName, platform: Platform) -> bool {
        self.packages.get(name).is_some_and(|wish| wish.installed.contains(&platform))
    }

    /// The versions of rustc that would do, where somebody said.
    pub fn toolchain(&self) -> Option<&VersionReq> {
        self.toolchain.as_ref()
    }

    /// What is built for.
    pub fn platforms(&self) -> &Platforms {
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
        let needed: BTreeSet<_> = needs.map(|((_, needed), _)| needed).collect();
        let asked = needed.into_iter().flat_map(|needed| &self.packages[needed].requirements);
        asked.filter(|one| matches!(&one.by, By::Package(by) if by == name)).cloned().collect()
    }

    /// Names all of it, as a set: what is asked of each package, each limit, and what holds for all.
    pub fn digest(&self) -> TextDigest {
        let text = |value: serde_json::Value| TextDigest::of(value.to_string().as_bytes());
        let mut all = serde_json::json!({
            "rust": self.toolchain.as_ref().map(ToString::to_string),
            "platforms": self.platforms.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        if let Some(limit) = &self.exclude_newer {
            all["exclude-newer"] = text::limit(limit).into();
        }
        let package = |(name, wish): (&PackageName, &Wish)| {
            text(serde_json::json!({ "package": name.as_str(), "wish": wish.canonical(&self.platforms) }))
        };
        let limit = |(name, to): (&PackageName, &Range)| {
            text(serde_json::json!({ "limit": name.as_str(), "to": to.to_string() }))
        };
        let packages = self.packages.iter().map(package);
        TextDigest::of_set(packages.chain(self.constraints.iter().map(limit)).chain([text(all)]))
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
        self.needs.keys().filter(move |(one, _)| *one == purpose).map(|(_, name)| name)
    }

    /// A platform that it is wanted on and that its recipe does not make a version for, of those that it lists.
    pub fn lacks(&self, version: &Version) -> Option<Platform> {
        let is_listed = matches!(self.source, Source::Recipe { .. }) && self.recipe.releases().contains_key(version);
        let mut platforms = self.platforms.iter().filter(|_| is_listed);
        platforms.find(|one| !self.recipe.is_for(Some(version), **one)).copied()
    }

    /// The listed versions that lack a platform, each with that.
    pub fn unfit(&self) -> BTreeMap<Version, Platform> {
        self.recipe.releases().keys().filter_map(|version| Some((version.clone(), self.lacks(version)?))).collect()
    }

    /// Of what it needs, what it does not need on all platforms that it is wanted on, and where it does.
    pub fn needed_on_some(&self) -> BTreeMap<(Purpose, PackageName), Platforms> {
        let some = self.needs.iter().filter(|(_, on)| **on != self.platforms);
        some.map(|(needed, on)| (needed.clone(), on.clone())).collect()
    }

    fn canonical(&self, all: &Platforms) -> serde_json::Value {
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
            value["needs"] = self.needs.keys().map(|(purpose, name)| format!("{purpose:?} {name}")).collect();
        }
        let texts = |platforms: &Platforms| platforms.iter().map(ToString::to_string).collect::<Vec<_>>();
        if self.platforms != *all {
            value["platforms"] = texts(&self.platforms).into();
        }
        if self.installed != self.platforms {
            value["installed"] = texts(&self.installed).into();
        }
        let on_some = self.needed_on_some();
        if !on_some.is_empty() {
            let line = |((purpose, name), on): (&(Purpose, PackageName), &Platforms)| {
                format!("{purpose:?} {name} on {}", texts(on).join(", "))
            };
            value["needs-on"] = on_some.iter().map(line).collect();
        }
        value
    }
}

/// Digests of patches, in their order.
pub fn sums(patches: &[Patch]) -> Vec<BlobDigest> {
    patches.iter().map(|patch| BlobDigest::of(&patch.text)).collect()
}
