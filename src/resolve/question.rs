//! What is asked of the search: requirements and preferences, and what if something were otherwise.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::proof::Proof;
use super::{Candidate, Problem, Strategy};
use crate::package::{PackageName, Range, Requirement, Version};

/// A problem, perhaps with changes that explanations are checked with.
#[derive(Clone)]
pub(super) struct Question<'a> {
    pub requirements: Cow<'a, [Requirement]>,
    pub preferred: &'a BTreeMap<PackageName, Version>,
    pub strategy: Strategy,
    /// Hidden candidates of this package count like others.
    pub shown: Option<PackageName>,
    /// Whoever requires this package, requires this of it.
    pub forced: Option<(PackageName, Range)>,
    /// Nothing counts but these facts.
    pub only: Option<&'a Proof>,
}

impl<'a> Question<'a> {
    /// A problem as it is.
    pub fn plain(problem: &Problem<'a>) -> Self {
        Self {
            requirements: Cow::Borrowed(problem.requirements),
            preferred: problem.preferred,
            strategy: problem.strategy,
            shown: None,
            forced: None,
            only: None,
        }
    }

    /// Whether a candidate can be chosen.
    pub fn offers(&self, name: &PackageName, candidate: &Candidate) -> bool {
        candidate.hidden.is_none() || self.shown.as_ref() == Some(name)
    }

    /// Those requirements of a candidate that count, as they count.
    pub fn counting<'r>(&self, name: &PackageName, number: u32, needs: &'r [Requirement]) -> Vec<Cow<'r, Requirement>> {
        let counts = |need: &&Requirement| self.only.is_none_or(|only| only.holds(name, number, &need.name));
        needs.iter().filter(counts).map(|need| self.as_forced(need)).collect()
    }

    fn as_forced<'r>(&self, need: &'r Requirement) -> Cow<'r, Requirement> {
        match &self.forced {
            Some((name, versions)) if *name == need.name => {
                Cow::Owned(Requirement { versions: versions.clone(), ..need.clone() })
            }
            _ => Cow::Borrowed(need),
        }
    }
}
