//! What a refutation rests on: the facts of a universe that by themselves leave no choice.

use std::collections::BTreeSet;

use crate::package::{By, PackageName};

/// Facts that leave no choice: who requires what. Which candidates there are at all counts among the facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Proof {
    pub edges: Vec<Edge>,
}

/// Somebody requires a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub from: From,
    pub to: PackageName,
    /// The candidates of it that would do, by their numbers.
    pub allowed: BTreeSet<u32>,
}

/// Who requires.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum From {
    /// Somebody who asks at the top.
    Asker(By),
    /// These candidates of a package, by their numbers.
    Package(PackageName, Vec<u32>),
}

impl Proof {
    /// Whether the requirement of a candidate for a package is one of the facts.
    pub fn holds(&self, name: &PackageName, number: u32, to: &PackageName) -> bool {
        let is = |from: &From| matches!(from, From::Package(by, versions) if by == name && versions.contains(&number));
        self.edges.iter().any(|edge| edge.to == *to && is(&edge.from))
    }

    /// Whether a candidate requires anything by these facts.
    pub fn is_from(&self, name: &PackageName, number: u32) -> bool {
        let is = |from: &From| matches!(from, From::Package(by, versions) if by == name && versions.contains(&number));
        self.edges.iter().any(|edge| is(&edge.from))
    }

    /// Whether what somebody asks for at the top is one of the facts.
    pub fn holds_asked(&self, by: &By, to: &PackageName) -> bool {
        self.edges.iter().any(|edge| edge.to == *to && matches!(&edge.from, From::Asker(asker) if asker == by))
    }
}

impl From {
    /// Whether it is the same who requires, in whatever versions.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Asker(one), Self::Asker(other)) => one == other,
            (Self::Package(one, _), Self::Package(other, _)) => one == other,
            _ => false,
        }
    }
}
