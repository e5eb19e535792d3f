//! The resolver: requirements and an [`Index`] in, a [`Resolution`] or a [`Conflict`] out. Pure.
//!
//! It knows names and versions only; where they come from, and what a version needs, it asks the index. Highest
//! versions win, unless a [`Strategy`] says otherwise, but a version that is locked already and still fits wins over
//! them all, so that nothing moves that need not.
//!
//! - [`known`]: what the index said, so that it is asked once
//! - [`question`]: what is asked, and what if something were otherwise
//! - [`mod@solve`]: from names to the numbers that the search, [`engine`], is over, and back
//! - [`proof`]: the facts that leave no choice
//! - [`explain`]: why there is no choice, in sentences; [`wording`]: how they are put
//! - [`hints`]: what might be typed instead, each tried out

mod engine;
mod explain;
mod hints;
mod known;
mod proof;
mod question;
mod solve;
#[cfg(test)]
mod tests;
mod wording;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::package::{PackageId, PackageName, Range, Requirement, Version};
use crate::platform::Platform;
pub use explain::Conflict;
use known::Known;
use question::Question;
pub use wording::Fact;

/// What is to be solved.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// What is asked at the top: by a site, or by what it takes its packages from.
    pub requirements: &'a [Requirement],
    /// Versions that stay where they fit.
    pub preferred: &'a BTreeMap<PackageName, Version>,
    /// Which of those that fit is taken otherwise.
    pub strategy: Strategy,
}

/// Which of several versions that fit is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The highest.
    #[default]
    Highest,
    /// The lowest, of each package.
    Lowest,
    /// The lowest of what is asked for at the top, the highest of what that needs.
    LowestDirect,
}

/// Choose a version for everything that is required, directly or in turn.
///
/// # Errors
/// Only the index's own. That there is no choice is a value.
pub fn solve<I: Index>(problem: &Problem<'_>, index: &I) -> Result<Result<Resolution, Conflict>, I::Error> {
    let known = Known::new(index);
    match solve::search(&Question::plain(problem), &known)? {
        Ok(packages) => Ok(Ok(resolution(problem, &known, packages)?)),
        Err(proof) => Ok(Err(explain::conflict(problem, &known, proof)?)),
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

/// What was chosen, and what would have been, had it not been hidden.
fn resolution<I: Index>(
    problem: &Problem<'_>,
    known: &Known<'_, I>,
    packages: BTreeMap<PackageName, Version>,
) -> Result<Resolution, I::Error> {
    let mut asked: BTreeMap<PackageName, Vec<Range>> = BTreeMap::new();
    let mut ask = |one: &Requirement| asked.entry(one.name.clone()).or_default().push(one.versions.clone());
    problem.requirements.iter().for_each(&mut ask);
    for (name, version) in &packages {
        let id = PackageId { name: name.clone(), version: version.clone() };
        known.needs(&id)?.iter().for_each(&mut ask);
    }
    let mut hidden = Vec::new();
    for (name, chosen) in &packages {
        let asked = asked.get(name).map(Vec::as_slice).unwrap_or_default();
        let offer = known.offer(name)?;
        let above = offer.candidates.iter().filter(|one| one.version > *chosen);
        for one in above.filter(|one| asked.iter().all(|range| range.matches(&one.version))) {
            let id = PackageId { name: name.clone(), version: one.version.clone() };
            // Whoever limits a name knows that it is limited.
            let told = one.hidden.clone().filter(|why| !matches!(why, Hidden::Limited { .. }));
            hidden.extend(told.map(|why| (id, why)));
        }
    }
    Ok(Resolution { packages, hidden })
}

/// What can be chosen from.
pub trait Index {
    /// Why it could not answer.
    type Error: std::error::Error + 'static;

    /// Every version of a package, or nothing where there is no such package.
    fn candidates(&self, name: &PackageName) -> Result<Option<Vec<Candidate>>, Self::Error>;

    /// What a version requires in turn.
    fn requirements(&self, id: &PackageId) -> Result<Vec<Requirement>, Self::Error>;

    /// There is no choice: what is asked from now on serves hints alone. Whoever has to fetch what he answers may refuse.
    fn only_hints_follow(&self) {}

    /// Who would have a package of this name: "crates.io".
    fn owner(&self, name: &PackageName) -> String;

    /// Names like this one that exist, for whoever mistyped.
    fn similar(&self, name: &PackageName) -> Vec<String>;

    /// A line of a manifest that asks for these versions of a package and says all that there is to say of it; nothing where
    /// one line would leave something out.
    fn written(&self, name: &PackageName, versions: &Range) -> Option<String>;
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
    /// It cannot be had for a platform that it is wanted on.
    Platform {
        /// The platform.
        platform: Platform,
    },
    /// It is outside of what the project limits the name to.
    Limited {
        /// The versions that the project allows.
        to: Range,
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
            Self::Platform { platform } => write!(f, "cannot be had for {platform}"),
            Self::Limited { to } => write!(f, "is outside of `[constraints]`, which allow {to}"),
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
