//! Universes that are made: the same ones each time.

use envy::package::Version;

use super::universe::Universe;

/// Numbers that look like chance (Sebastiano Vigna's SplitMix64, from a fixed seed).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// So many packages with so many versions each; a version requires up to four packages that come later.
pub fn plain(packages: u64, versions: u64) -> Universe {
    let (mut universe, mut dice) = (Universe::default(), Dice(7));
    for package in 0..packages {
        for version in 0..versions {
            let later = packages - package - 1;
            let mut requires = Vec::new();
            for _ in 0..dice.below(5).min(later) {
                let what = package + 1 + dice.below(later.min(60));
                // A package of an early version knows none of the late ones of others.
                let low = dice.below(version + 1).max(version / 2) * 4 / 5;
                requires.push((format!("p{what}"), format!(">=1.{low}, <1.{}", low + 1 + versions / 2)));
            }
            universe.add(&format!("p{package}"), Version::new(1, version, 0), &requires);
        }
    }
    for package in 0..packages.min(20) {
        universe.ask(&format!("p{package}"), "1");
    }
    universe
}

/// Pigeons that want a hole each, and holes that take one: every choice of the first has to be tried against the rest.
///
/// A pigeon's version is the hole that it takes, and it requires of that hole the version that is its own number. With
/// one hole less than pigeons there is no choice. Nobody knows a short refutation from such facts alone.
pub fn pigeons(pigeons: u64, holes: u64) -> Universe {
    let mut universe = Universe::default();
    for hole in 0..holes {
        for pigeon in 0..pigeons {
            universe.add(&format!("hole-{hole}"), Version::new(pigeon + 1, 0, 0), &[]);
        }
    }
    for pigeon in 0..pigeons {
        for hole in 0..holes {
            let requires = [(format!("hole-{hole}"), format!("={}.0.0", pigeon + 1))];
            universe.add(&format!("pigeon-{pigeon}"), Version::new(hole + 1, 0, 0), &requires);
        }
        universe.ask(&format!("pigeon-{pigeon}"), "*");
    }
    universe
}

/// Packages in a ring of random requirements between neighbours: near the point where choices cease to exist, so that
/// thousands of them fail.
pub fn tangle(packages: u64, versions: u64, tightness: u64, seed: u64) -> Universe {
    let (mut universe, mut dice) = (Universe::default(), Dice(seed));
    for package in 0..packages {
        for version in 0..versions {
            let mut requires = Vec::new();
            for _ in 0..3 {
                let what = dice.below(packages);
                let low = dice.below(versions - versions * tightness / 100);
                if what != package && requires.iter().all(|(other, _)| *other != format!("p{what}")) {
                    let after = low + versions * tightness / 100;
                    requires.push((format!("p{what}"), format!(">={}, <{}", low + 1, after + 1)));
                }
            }
            universe.add(&format!("p{package}"), Version::new(version + 1, 0, 0), &requires);
        }
        universe.ask(&format!("p{package}"), "*");
    }
    universe
}
