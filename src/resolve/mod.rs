//! The resolver: requirements and an [`Index`] in, a [`Resolution`] or a [`Conflict`] out. Pure.
//!
//! It knows names and versions only; where they come from, and what a version needs, it asks the index. The search
//! is PubGrub (Natalie Weizenbaum, "PubGrub: Next-Generation Version Solving", 2018), through the crate of that name,
//! which this room alone knows. Highest versions win, but a version that is locked already and still fits wins over
//! a higher one, so that nothing moves that need not.

mod explain;
mod solve;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::package::{PackageId, PackageName, Requirement, Version};
pub use explain::{Conflict, Fact};
pub use solve::solve;

/// What can be chosen from.
pub trait Index {
    /// Why it could not answer.
    type Error: std::error::Error + 'static;

    /// Every version of a package, or nothing where there is no such package.
    fn candidates(&self, name: &PackageName) -> Result<Option<Vec<Candidate>>, Self::Error>;

    /// What a version requires in turn.
    fn requirements(&self, id: &PackageId) -> Result<Vec<Requirement>, Self::Error>;

    /// Who would have a package of this name: "crates.io".
    fn owner(&self, name: &PackageName) -> String;

    /// Names like this one that exist, for whoever mistyped.
    fn similar(&self, name: &PackageName) -> Vec<String>;
}

/// One version that an index offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The version.
    pub version: Version,
    /// Why it cannot be chosen, if it cannot.
    pub hidden: Option<Hidden>,
}

/// Why a version that exists cannot be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// Its author took it back, and no lockfile holds it yet.
    Yanked,
    /// It wants a newer compiler.
    NeedsRust {
        /// The oldest that would do.
        needed: Version,
        /// The one there is.
        have: Version,
    },
    /// It is too new: what it is may not have been found out yet.
    Newer {
        /// When it was published.
        published: Timestamp,
        /// The last moment that would do.
        cutoff: Timestamp,
    },
    /// Nobody says when it was published, and that matters.
    NoTime {
        /// The last moment that would do.
        cutoff: Timestamp,
    },
}

impl std::fmt::Display for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Yanked => f.write_str("is yanked"),
            Self::NeedsRust { needed, have } => write!(f, "needs rust {needed}, and the toolchain is {have}"),
            Self::Newer { published, cutoff } => {
                let [published, cutoff] = moments(*published, *cutoff);
                write!(f, "was published {published}, after the cut-off {cutoff}")
            }
            Self::NoTime { cutoff } => {
                let cutoff = cutoff.strftime("%F");
                write!(f, "has no publish time, and the cut-off {cutoff} is in force")
            }
        }
    }
}

/// Two moments by their days, or by their seconds where both are in one day (UTC).
fn moments(one: Timestamp, other: Timestamp) -> [String; 2] {
    let written = |format: &str| [one, other].map(|time| time.strftime(format).to_string());
    let days = written("%F");
    if days[0] == days[1] { written("%FT%TZ") } else { days }
}

/// One version for every package that is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolution {
    /// The chosen packages.
    pub packages: BTreeMap<PackageName, Version>,
    /// Versions above the chosen ones that fit too but cannot be chosen, and why.
    pub hidden: Vec<(PackageId, Hidden)>,
}
