//! What an index said of each package, so that it is asked once, however often a site is solved.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::engine::Set;
use super::{Candidate, Index};
use crate::package::{PackageId, PackageName, Range, Requirement};

/// What a package offers.
pub(super) struct Offer {
    pub name: PackageName,
    /// Whether there is such a package at all.
    pub exists: bool,
    /// Its versions, the lowest first. Sets of them are bits.
    pub candidates: Vec<Candidate>,
}

impl Offer {
    /// The candidates that a range allows, those that cannot be chosen included.
    pub fn fitting(&self, range: &Range) -> Set {
        let fitting = self.numbered().filter(|(_, one)| range.matches(&one.version));
        Set::of(self.count(), fitting.map(|(number, _)| number))
    }

    /// How many candidates there are.
    pub fn count(&self) -> u32 {
        self.candidates.len() as u32
    }

    /// The candidates with their numbers.
    pub fn numbered(&self) -> impl DoubleEndedIterator<Item = (u32, &Candidate)> {
        self.candidates.iter().enumerate().map(|(number, one)| (number as u32, one))
    }

    /// The candidate of a number.
    pub fn id(&self, number: u32) -> PackageId {
        PackageId { name: self.name.clone(), version: self.candidates[number as usize].version.clone() }
    }
}

type Needs = Rc<[Requirement]>;

/// An index, with a memory.
pub(super) struct Known<'i, I> {
    pub index: &'i I,
    offers: RefCell<BTreeMap<PackageName, Rc<Offer>>>,
    needs: RefCell<HashMap<PackageId, Needs>>,
}

impl<'i, I: Index> Known<'i, I> {
    /// Nothing is known yet.
    pub fn new(index: &'i I) -> Self {
        Self { index, offers: RefCell::default(), needs: RefCell::default() }
    }

    /// What a package offers.
    pub fn offer(&self, name: &PackageName) -> Result<Rc<Offer>, I::Error> {
        if let Some(offer) = self.offers.borrow().get(name) {
            return Ok(offer.clone());
        }
        let found = self.index.candidates(name)?;
        let exists = found.is_some();
        let mut candidates = found.unwrap_or_default();
        candidates.sort_by(|a, b| a.version.cmp(&b.version));
        let offer = Rc::new(Offer { name: name.clone(), exists, candidates });
        self.offers.borrow_mut().insert(name.clone(), offer.clone());
        Ok(offer)
    }

    /// What a version requires in turn.
    pub fn needs(&self, id: &PackageId) -> Result<Needs, I::Error> {
        if let Some(needs) = self.needs.borrow().get(id) {
            return Ok(needs.clone());
        }
        let needs: Needs = self.index.requirements(id)?.into();
        self.needs.borrow_mut().insert(id.clone(), needs.clone());
        Ok(needs)
    }
}
