//! The resolver: requirements and an [`Index`] in, a [`Resolution`] or a [`Conflict`] out. Pure.
//!
//! It knows names and versions only; where they come from, and what a version needs, it asks the index. The search
//! is its own (`engine`). Highest versions win, but a version that is locked already and still fits wins over
//! a higher one, so that nothing moves that need not.

#[allow(dead_code, reason = "explanations by the proof use all of it")]
mod bits;
mod derive;
mod engine;
mod explain;
#[allow(dead_code, reason = "explanations by the proof use all of it")]
mod known;
#[allow(dead_code, reason = "explanations by the proof use all of it")]
mod proof;
mod question;
mod solve;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::package::{PackageId, PackageName, Requirement, Version};
pub use explain::{Conflict, Fact};
use known::Known;
use question::Question;

/// What is to be solved.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// What is asked for at the top.
    pub requirements: &'a [Requirement],
    /// Versions to keep where they fit.
    pub preferred: &'a BTreeMap<PackageName, Version>,
    /// Which of those that fit.
    pub strategy: Strategy,
}

/// Which of the versions that fit is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The highest.
    #[default]
    Highest,
    /// The lowest.
    Lowest,
    /// The lowest of what is asked for directly, the highest of everything else.
    LowestDirect,
}

/// Choose a version for everything that is required, directly or in turn.
///
/// # Errors
/// Only the index's own. That there is no choice is a value.
pub fn solve<I: Index>(
    requirements: &[Requirement],
    preferred: &BTreeMap<PackageName, Version>,
    index: &I,
) -> Result<Result<Resolution, Conflict>, I::Error> {
    let problem = Problem { requirements, preferred, strategy: Strategy::Highest };
    let known = Known::new(index);
    match solve::search(&Question::plain(&problem), &known)? {
        Ok(packages) => Ok(Ok(derive::resolution(packages, requirements, index)?)),
        Err(_) => derive::solve(requirements, preferred, index),
    }
}

/// The versions alone, or how many facts leave no choice: the search and nothing else, to be measured.
///
/// # Errors
/// Only the index's own.
pub fn choose<I: Index>(
    problem: &Problem<'_>,
    index: &I,
) -> Result<Result<BTreeMap<PackageName, Version>, usize>, I::Error> {
    let answer = solve::search(&Question::plain(problem), &Known::new(index))?;
    Ok(answer.map_err(|proof| proof.edges.len()))
}

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
