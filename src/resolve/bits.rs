//! Sets of a package's candidates, as bits: each stands for the candidate of that number, the lowest version first.

use std::fmt;

use smallvec::SmallVec;

/// A set of numbers, closed under union, intersection and complement: either these, or all but these.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Bits {
    /// The last word is not zero, so that equal sets are equal.
    words: SmallVec<[u64; 2]>,
    inverted: bool,
}

const WORD: u32 = u64::BITS;

impl Bits {
    fn new(mut words: SmallVec<[u64; 2]>, inverted: bool) -> Self {
        while words.last() == Some(&0) {
            words.pop();
        }
        Self { words, inverted }
    }

    /// The set of these numbers.
    pub fn of(numbers: impl IntoIterator<Item = u32>) -> Self {
        let mut words: SmallVec<[u64; 2]> = SmallVec::new();
        for number in numbers {
            let index = (number / WORD) as usize;
            if words.len() <= index {
                words.resize(index + 1, 0);
            }
            words[index] |= 1 << (number % WORD);
        }
        Self::new(words, false)
    }

    /// The numbers below a limit that are in the set, in their order.
    pub fn below(&self, limit: u32) -> impl DoubleEndedIterator<Item = u32> + '_ {
        (0..limit).filter(|number| self.has(*number))
    }

    /// Whether a number is in the set.
    pub fn has(&self, number: u32) -> bool {
        let word = self.words.get((number / WORD) as usize).copied().unwrap_or(0);
        (word >> (number % WORD) & 1 == 1) != self.inverted
    }

    /// Word by word; the shorter set goes on with zeros as far as `length` says.
    fn zip(&self, other: &Self, length: usize, with: impl Fn(u64, u64) -> u64) -> SmallVec<[u64; 2]> {
        let word = |set: &Self, index: usize| set.words.get(index).copied().unwrap_or(0);
        (0..length).map(|index| with(word(self, index), word(other, index))).collect()
    }
}

impl pubgrub::VersionSet for Bits {
    type V = u32;

    fn empty() -> Self {
        Self { words: SmallVec::new(), inverted: false }
    }

    fn singleton(number: u32) -> Self {
        Self::of([number])
    }

    fn complement(&self) -> Self {
        Self { words: self.words.clone(), inverted: !self.inverted }
    }

    fn intersection(&self, other: &Self) -> Self {
        let (mine, others) = (self.words.len(), other.words.len());
        match (self.inverted, other.inverted) {
            (false, false) => Self::new(self.zip(other, mine.min(others), |a, b| a & b), false),
            (false, true) => Self::new(self.zip(other, mine, |a, b| a & !b), false),
            (true, false) => Self::new(self.zip(other, others, |a, b| !a & b), false),
            (true, true) => Self::new(self.zip(other, mine.max(others), |a, b| a | b), true),
        }
    }

    fn contains(&self, number: &u32) -> bool {
        self.has(*number)
    }

    fn is_disjoint(&self, other: &Self) -> bool {
        let pairs = self.words.iter().zip(&other.words);
        match (self.inverted, other.inverted) {
            (false, false) => pairs.clone().all(|(a, b)| a & b == 0),
            (false, true) => self.words.len() <= other.words.len() && pairs.clone().all(|(a, b)| a & !b == 0),
            (true, false) => other.words.len() <= self.words.len() && pairs.clone().all(|(a, b)| b & !a == 0),
            (true, true) => false,
        }
    }

    fn subset_of(&self, other: &Self) -> bool {
        let opposite = Self { words: other.words.clone(), inverted: !other.inverted };
        self.is_disjoint(&opposite)
    }
}

impl fmt::Debug for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = (0..self.words.len() as u32 * WORD).filter(|number| self.has(*number) != self.inverted);
        if self.inverted {
            f.write_str("all but ")?;
        }
        f.debug_set().entries(numbers).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use pubgrub::VersionSet as _;

    fn bits() -> impl Strategy<Value = Bits> {
        let numbers = prop::collection::vec(0..200u32, 0..6);
        (numbers, any::<bool>()).prop_map(|(numbers, inverted)| {
            let set = Bits::of(numbers);
            if inverted { set.complement() } else { set }
        })
    }

    proptest! {
        #[test]
        fn sets_of_bits_are_sets(a in bits(), b in bits(), number in 0..200u32) {
            prop_assert_eq!(a.complement().has(number), !a.has(number));
            prop_assert_eq!(a.intersection(&b).has(number), a.has(number) && b.has(number));
            prop_assert_eq!(a.union(&b).has(number), a.has(number) || b.has(number));
            prop_assert_eq!(a.is_disjoint(&b), a.intersection(&b) == Bits::empty());
            prop_assert_eq!(a.subset_of(&b), a == a.intersection(&b));
            prop_assert_eq!(a.complement().complement(), a);
        }
    }
}
