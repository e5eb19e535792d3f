//! Drift between `envy.toml` and a lockfile, entry by entry. Pure.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{Lockfile, Package, Pin, SharedDrift, Wish, Wishes};
use crate::digest::BlobDigest;
use crate::manifest::Source;
use crate::package::{PackageId, PackageName, Range, SiteName, Version, VersionReq};
use crate::platform::Platform;

/// One way in which the manifest and the lockfile disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// Recipes that the project shares with others are not locked as it names them.
    Shared(SharedDrift),
    /// Required, but not locked.
    Unlocked(PackageName),
    /// Locked at a version that is no longer asked for.
    Version {
        /// The package.
        name: PackageName,
        /// What is asked for.
        wanted: Range,
        /// What is locked.
        locked: Version,
    },
    /// Locked at a version outside of those that it is limited to.
    Limited {
        /// The package.
        name: PackageName,
        /// What it is limited to.
        to: Range,
        /// What is locked.
        locked: Version,
    },
    /// Locked, but nobody asks for it.
    Unwanted(PackageName),
    /// Locked from somewhere else.
    Source {
        /// The package.
        name: PackageName,
        /// Where it shall come from.
        wanted: String,
        /// Where it is locked from.
        locked: String,
    },
    /// Locked to another archive than the one whose sum is asked for.
    Archive {
        /// The package.
        name: PackageName,
        /// What is asked for.
        wanted: BlobDigest,
    },
    /// Locked at a version that its recipe lists no more.
    Unlisted {
        /// The package.
        id: PackageId,
        /// Its recipe.
        recipe: String,
    },
    /// Locked at a version that cannot be had for a platform that it is wanted on.
    Lacking {
        /// The package.
        id: PackageId,
        /// The platform.
        platform: Platform,
    },
    /// Locked with other patches.
    Patches {
        /// The package.
        name: PackageName,
    },
    /// Locked with other params, or another text of its recipe.
    Recipe {
        /// The package.
        name: PackageName,
        /// Its recipe.
        recipe: String,
    },
    /// The pinned compiler is not one that is asked for.
    Toolchain {
        /// What is asked for.
        wanted: VersionReq,
        /// What is locked.
        locked: String,
    },
    /// The Cargo.lock that was made for a package is not there, or not the one that was locked.
    Generated {
        /// The package.
        name: PackageName,
        /// Where it should be, from the project's directory.
        path: PathBuf,
    },
    /// Something else that `envy.toml` asks: a file left out, the platforms, or that no compiler is asked for any more.
    Other,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shared(drift) => drift.fmt(f),
            Self::Unlocked(name) => write!(f, "`{name}` is required, but not locked"),
            Self::Version { name, wanted, locked } => {
                write!(f, "`{name}` is required at {wanted}, but locked at {locked}")
            }
            Self::Limited { name, to, locked } => {
                write!(f, "`{name}` is limited to {to} by `[constraints]`, but locked at {locked}")
            }
            Self::Source { name, wanted, locked } => {
                write!(f, "`{name}` shall come from {wanted}, but is locked from {locked}")
            }
            Self::Archive { name, wanted } => write!(f, "`{name}` shall be {wanted}, but is locked to another archive"),
            Self::Unlisted { id, recipe } => write!(f, "recipe `{recipe}` no longer lists `{id}`, which is locked"),
            Self::Lacking { id, platform } => {
                write!(f, "`{id}` is locked, and cannot be had for {platform}, where it is wanted")
            }
            Self::Patches { name } => write!(f, "`{name}` is locked with other patches, or with other texts of them"),
            Self::Unwanted(name) => write!(f, "`{name}` is locked, but nothing requires it"),
            Self::Recipe { name, recipe } => {
                write!(f, "`{name}` is locked with other params, or with another text of recipe `{recipe}`")
            }
            Self::Toolchain { wanted, locked } => write!(f, "rust is required at {wanted}, but locked at {locked}"),
            Self::Generated { name, path } => {
                write!(f, "`{}` is not the Cargo.lock that `{name}` was locked with", path.display())
            }
            Self::Other => {
                f.write_str(
                    "something else changed in `envy.toml`: the toolchain, the platforms, an address, a sum, a limit, or what is left out of a package",
                )
            }
        }
    }
}

/// Every way in which a lockfile is not what is asked for, sorted by package. `digest` tells the digest of a file of the
/// project, by its relative path, where there is one.
pub fn drift(
    site: &SiteName,
    wishes: &Wishes,
    lockfile: &Lockfile,
    digest: impl Fn(&Path) -> Option<BlobDigest>,
) -> Vec<Drift> {
    let mut drifts = Vec::new();
    for (name, wish) in wishes.packages() {
        match lockfile.packages.get(name) {
            Some(package) => package_drift(site, wish, package, &digest, &mut drifts),
            None => drifts.push(Drift::Unlocked(name.clone())),
        }
    }
    let unwanted = lockfile.packages.keys().filter(|name| !wishes.packages().contains_key(*name));
    drifts.extend(unwanted.cloned().map(Drift::Unwanted));
    drifts.extend(limit_drift(wishes, lockfile));
    drifts.extend(toolchain_drift(wishes, lockfile));
    if drifts.is_empty() && lockfile.requirements != wishes.digest() {
        drifts.push(Drift::Other);
    }
    drifts
}

fn package_drift(
    site: &SiteName,
    wish: &Wish,
    package: &Package,
    digest: &impl Fn(&Path) -> Option<BlobDigest>,
    drifts: &mut Vec<Drift>,
) {
    let name = || package.id.name.clone();
    let unmet = wish.requirements.iter().find(|asked| !asked.versions.matches(&package.id.version));
    // What is not pinned has whatever version it has now.
    if let Some(unmet) = unmet.filter(|_| package.pin.is_fixed()) {
        let (wanted, locked) = (unmet.versions.clone(), package.id.version.clone());
        drifts.push(Drift::Version { name: name(), wanted, locked });
    } else if package.source != wish.source_text {
        let (wanted, locked) = (wish.source_text.clone(), package.source.clone());
        drifts.push(Drift::Source { name: name(), wanted, locked });
    } else if matches!(wish.source_at(&package.id.version), Source::Recipe { .. }) {
        drifts.push(Drift::Unlisted { id: package.id.clone(), recipe: wish.recipe.name().to_owned() });
    } else if let Some(platform) = wish.lacks(&package.id.version) {
        drifts.push(Drift::Lacking { id: package.id.clone(), platform });
    } else if let Some(wanted) = other_archive(wish, package) {
        drifts.push(Drift::Archive { name: name(), wanted });
    }
    let of_recipe = super::sums(&wish.recipe_patches(&package.id.version)).into_iter().map(Some);
    let patches: Vec<_> = of_recipe.chain(wish.patches.iter().map(|path| digest(Path::new(path)))).collect();
    if package.pin.is_fixed() && !patches.iter().copied().eq(package.patches.iter().copied().map(Some)) {
        drifts.push(Drift::Patches { name: name() });
    }
    if package.recipe != wish.digest(&package.id.version) {
        drifts.push(Drift::Recipe { name: name(), recipe: wish.recipe.name().to_owned() });
    }
    if let Some(crates) = package.crates.as_ref().filter(|crates| crates.generated) {
        let path = Lockfile::generated_path(site, &package.id.name);
        if digest(&path) != Some(crates.digest) {
            drifts.push(Drift::Generated { name: name(), path });
        }
    }
}

/// The sum that is asked for, where the locked archive has another.
fn other_archive(wish: &Wish, package: &Package) -> Option<BlobDigest> {
    let asked = match wish.source_at(&package.id.version) {
        Source::Archive(asked) => asked,
        Source::Carried { sha256, .. } => {
            let locked = |one: &super::Unpacked| one.archive != *sha256;
            return matches!(&package.pin, Pin::Archive(one) if locked(one)).then_some(*sha256);
        }
        _ => return None,
    };
    let differs = |platform: Option<Platform>, archive: BlobDigest| {
        let own = platform.and_then(|platform| asked.platforms.get(&platform)?.sha256);
        own.or(asked.sha256).filter(|wanted| *wanted != archive)
    };
    match &package.pin {
        Pin::Archive(one) => differs(None, one.archive),
        Pin::Archives(each) => each.iter().find_map(|(platform, one)| differs(Some(*platform), one.archive)),
        Pin::Crate(_) | Pin::Git { .. } | Pin::Path | Pin::Nothing => None,
    }
}

/// What is locked outside of its limits. What is not pinned has whatever version it has now.
fn limit_drift(wishes: &Wishes, lockfile: &Lockfile) -> impl Iterator<Item = Drift> {
    wishes.constraints().iter().filter_map(|(name, to)| {
        let package = lockfile.packages.get(name).filter(|package| package.pin.is_fixed())?;
        let locked = package.id.version.clone();
        (!to.matches(&locked)).then(|| Drift::Limited { name: name.clone(), to: to.clone(), locked })
    })
}

fn toolchain_drift(wishes: &Wishes, lockfile: &Lockfile) -> Option<Drift> {
    let (wanted, locked) = (wishes.toolchain()?, lockfile.toolchain.as_ref()?);
    let fits = locked.version().is_some_and(|version| wanted.matches(&version));
    (!fits).then(|| Drift::Toolchain { wanted: wanted.clone(), locked: locked.rust.clone() })
}
