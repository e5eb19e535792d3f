//! Which generations of a site are kept: all, until somebody says otherwise.
//!
//! `pinned` lists the numbers of those that are kept whatever else is said, one a line.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;
use rayon::prelude::*;

use super::{Error, Generation, Place};
use crate::disk;

/// What is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keeping {
    /// So many of the newest; where nothing is said, as many as there are.
    pub newest: Option<usize>,
    /// Those made since; where nothing is said, none for that reason.
    pub since: Option<Timestamp>,
}

impl Keeping {
    /// The numbers of generations that nothing keeps, sorted. `protected` are kept in any case. Pure.
    pub fn superfluous(&self, generations: &[(u64, String)], protected: &BTreeSet<u64>) -> Vec<u64> {
        let beyond = generations.len().saturating_sub(self.newest.unwrap_or(0));
        let is_young = |created: &str| match self.since {
            // What cannot be read is not known to be old.
            Some(since) => created.parse::<Timestamp>().map_or(true, |created| created >= since),
            None => false,
        };
        let old = generations.iter().take(beyond).filter(|(_, created)| !is_young(created));
        old.map(|(number, _)| *number).filter(|number| !protected.contains(number)).collect()
    }
}

/// A generation by its number, as far as it can be read.
pub type Read = (u64, Result<Generation, Error>);

impl Place {
    fn pins(&self) -> PathBuf {
        self.path().join("pinned")
    }

    /// The generations that are pinned.
    pub fn pinned(&self) -> Result<BTreeSet<u64>, Error> {
        let text = disk::read_text_if_exists(&self.pins())?.unwrap_or_default();
        Ok(text.lines().filter_map(|line| line.trim().parse().ok()).collect())
    }

    /// Pin generations that are there, and unpin others. The caller holds the site.
    pub fn pin(&self, pin: &[u64], unpin: &[u64]) -> Result<BTreeSet<u64>, Error> {
        let (mut pinned, existing) = (self.pinned()?, self.numbers()?);
        if let Some(number) = pin.iter().find(|number| !existing.contains(number)) {
            return Err(Error::NoGeneration { site: self.site().clone(), number: *number, existing });
        }
        if let Some(number) = unpin.iter().find(|number| !pinned.contains(number)) {
            return Err(Error::NotPinned { site: self.site().clone(), number: *number });
        }
        pinned.extend(pin);
        pinned.retain(|number| existing.contains(number) && !unpin.contains(number));
        let lines: String = pinned.iter().map(|number| format!("{number}\n")).collect();
        disk::write_atomic(&self.pins(), lines.as_bytes())?;
        Ok(pinned)
    }

    /// All generations, sorted, each as far as it can be read.
    pub fn generations_read(&self) -> Result<Vec<Read>, Error> {
        let numbers = self.numbers()?;
        Ok(numbers.into_par_iter().map(|number| (number, self.generation(number))).collect())
    }

    /// The generations that nothing keeps. The live one, those that are pinned, and one that a switch may yet go
    /// back to are kept.
    pub fn superfluous(&self, keeping: &Keeping) -> Result<Vec<u64>, Error> {
        // Of one that cannot be read nobody knows how old it is.
        let created = |read: Result<Generation, Error>| read.map(|one| one.created).unwrap_or_default();
        let all: Vec<_> = self.generations_read()?.into_iter().map(|(number, read)| (number, created(read))).collect();
        let mut protected = self.pinned()?;
        protected.extend(self.current_number());
        protected.extend(self.before_after_switch()?);
        Ok(keeping.superfluous(&all, &protected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(newest: Option<usize>, since: Option<&str>, protected: &[u64], expected: &[u64]) {
        let generations: Vec<_> = (1..=6).map(|day| (day, format!("2026-11-0{day}T12:00:00Z"))).collect();
        let keeping = Keeping { newest, since: since.map(|text| text.parse().unwrap()) };
        assert_eq!(keeping.superfluous(&generations, &protected.iter().copied().collect()), expected);
    }

    #[test]
    fn the_newest_the_young_and_the_protected_are_kept() {
        check(Some(2), None, &[], &[1, 2, 3, 4]);
        check(Some(2), None, &[2, 6], &[1, 3, 4]);
        check(Some(9), None, &[], &[]);
        check(None, Some("2026-11-04T00:00:00Z"), &[], &[1, 2, 3]);
        check(Some(4), Some("2026-11-04T00:00:00Z"), &[1], &[2]);
        check(Some(1), Some("2026-11-04T00:00:00Z"), &[], &[1, 2, 3]);
    }

    #[test]
    fn what_cannot_be_told_by_its_age_is_kept() {
        let keeping = Keeping { newest: None, since: Some("2026-11-04T00:00:00Z".parse().unwrap()) };
        assert!(keeping.superfluous(&[(1, "yesterday".to_owned())], &BTreeSet::new()).is_empty());
    }
}
