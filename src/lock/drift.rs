//! Drift between `envy.toml` and a lockfile, entry by entry. Pure.

use std::fmt;
use std::path::PathBuf;

use super::{Lockfile, Wishes};
use crate::digest::BlobDigest;
use crate::package::{PackageName, SiteName, Version, VersionReq};

/// One way in which the manifest and the lockfile disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// Required, but not locked.
    Unlocked(PackageName),
    /// Locked at a version that is no longer asked for.
    Version {
        /// The package.
        name: PackageName,
        /// What is asked for.
        wanted: VersionReq,
        /// What is locked.
        locked: Version,
    },
    /// Locked, but nobody asks for it.
    Unwanted(PackageName),
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
            Self::Unlocked(name) => write!(f, "`{name}` is required, but not locked"),
            Self::Version { name, wanted, locked } => {
                write!(f, "`{name}` is required at {wanted}, but locked at {locked}")
            }
            Self::Unwanted(name) => write!(f, "`{name}` is locked, but nothing requires it"),
            Self::Recipe { name, recipe } => {
                write!(f, "`{name}` is locked with other params, or with another text of recipe `{recipe}`")
            }
            Self::Toolchain { wanted, locked } => write!(f, "rust is required at {wanted}, but locked at {locked}"),
            Self::Generated { name, path } => {
                write!(f, "`{}` is not the Cargo.lock that `{name}` was locked with", path.display())
            }
            Self::Other => {
                f.write_str("the toolchain, the platforms, or what is left out of a package changed in `envy.toml`")
            }
        }
    }
}

/// Every way in which a lockfile is not what is asked for, sorted by package. `generated` tells the digest of the
/// Cargo.lock that was made for a package, where there is one.
pub fn drift(
    site: &SiteName,
    wishes: &Wishes,
    lockfile: &Lockfile,
    generated: impl Fn(&PackageName) -> Option<BlobDigest>,
) -> Vec<Drift> {
    let mut drifts = Vec::new();
    for (name, wish) in wishes.packages() {
        let Some(package) = lockfile.packages.get(name) else {
            drifts.push(Drift::Unlocked(name.clone()));
            continue;
        };
        let unmet = wish.requirements.iter().find(|asked| !asked.versions.matches(&package.id.version));
        if let Some(unmet) = unmet {
            let (wanted, locked) = (unmet.versions.clone(), package.id.version.clone());
            drifts.push(Drift::Version { name: name.clone(), wanted, locked });
        }
        if package.recipe != wish.digest {
            drifts.push(Drift::Recipe { name: name.clone(), recipe: wish.recipe.to_owned() });
        }
        if package.generated && generated(name) != Some(package.crates) {
            drifts.push(Drift::Generated { name: name.clone(), path: Lockfile::generated_path(site, name) });
        }
    }
    let unwanted = lockfile.packages.keys().filter(|name| !wishes.packages().contains_key(*name));
    drifts.extend(unwanted.cloned().map(Drift::Unwanted));
    drifts.extend(toolchain_drift(wishes, lockfile));
    if drifts.is_empty() && lockfile.requirements != wishes.digest() {
        drifts.push(Drift::Other);
    }
    drifts
}

fn toolchain_drift(wishes: &Wishes, lockfile: &Lockfile) -> Option<Drift> {
    let (wanted, locked) = (wishes.toolchain()?, lockfile.toolchain.as_ref()?);
    let fits = locked.version().is_some_and(|version| wanted.matches(&version));
    (!fits).then(|| Drift::Toolchain { wanted: wanted.clone(), locked: locked.rust.clone() })
}
