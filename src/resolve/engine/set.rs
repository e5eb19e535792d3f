//! What a package can be, as bits: one for each candidate, the lowest version first, and a last one for "not here".

use smallvec::SmallVec;

/// A set of candidates of one package, and whether the package may be absent.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(in crate::resolve) struct Set {
    words: SmallVec<[u64; 2]>,
}

impl Set {
    /// Nothing of so many candidates.
    pub fn none(candidates: u32) -> Self {
        Self { words: SmallVec::from_elem(0, candidates as usize / 64 + 1) }
    }

    /// These of so many candidates.
    pub fn of(candidates: u32, numbers: impl IntoIterator<Item = u32>) -> Self {
        let mut set = Self::none(candidates);
        numbers.into_iter().for_each(|number| set.insert(number));
        set
    }

    /// Everything but this set, of so many candidates.
    pub fn complement(&self, candidates: u32) -> Self {
        let mut words: SmallVec<_> = self.words.iter().map(|word| !word).collect();
        let unused = 63 - candidates % 64;
        if let Some(last) = words.last_mut() {
            *last &= u64::MAX >> unused;
        }
        Self { words }
    }

    pub fn insert(&mut self, number: u32) {
        self.words[number as usize / 64] |= 1 << (number % 64);
    }

    pub fn has(&self, number: u32) -> bool {
        self.words[number as usize / 64] >> (number % 64) & 1 == 1
    }

    /// Whether the two have nothing in common.
    pub fn misses(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).all(|(a, b)| a & b == 0)
    }

    /// Whether all of this is in the other.
    pub fn is_within(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).all(|(a, b)| a & !b == 0)
    }

    pub fn and(&self, other: &Self) -> Self {
        Self { words: self.words.iter().zip(&other.words).map(|(a, b)| a & b).collect() }
    }

    /// Take in all of the other.
    pub fn join(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a |= b);
    }

    pub fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    pub fn lowest(&self) -> Option<u32> {
        let at = self.words.iter().position(|word| *word != 0)?;
        Some(at as u32 * 64 + self.words[at].trailing_zeros())
    }

    pub fn highest(&self) -> Option<u32> {
        let at = self.words.iter().rposition(|word| *word != 0)?;
        Some(at as u32 * 64 + 63 - self.words[at].leading_zeros())
    }

    /// Its numbers, the lowest first.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.words.len() as u32 * 64).filter(|number| self.has(*number))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const CANDIDATES: u32 = 130;

    fn numbers(set: &Set) -> BTreeSet<u32> {
        set.numbers().collect()
    }

    proptest! {
        #[test]
        fn sets_of_bits_are_sets(
            count in prop::sample::select(vec![3u32, 62, 63, 64, 65, 127, 128, CANDIDATES]),
            a in prop::collection::btree_set(0..=CANDIDATES, 0..9),
            b in prop::collection::btree_set(0..=CANDIDATES, 0..9),
        ) {
            let of = |numbers: &BTreeSet<u32>| Set::of(count, numbers.iter().copied().filter(|one| *one <= count));
            let (one, other) = (of(&a), of(&b));
            let [a, b] = [numbers(&one), numbers(&other)];
            prop_assert_eq!(numbers(&one.and(&other)), &a & &b);
            prop_assert_eq!(one.misses(&other), a.is_disjoint(&b));
            prop_assert_eq!(one.is_within(&other), a.is_subset(&b));
            prop_assert_eq!(numbers(&one.complement(count)), &(0..=count).collect() - &a);
            prop_assert_eq!((one.lowest(), one.highest()), (a.first().copied(), a.last().copied()));
            prop_assert_eq!(one.count() as usize, a.len());
            let mut joined = one;
            joined.join(&other);
            prop_assert_eq!(numbers(&joined), &a | &b);
        }
    }
}
