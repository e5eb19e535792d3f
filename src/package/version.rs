//! Versions: cargo's where a text is semver, and what other projects write where it is not. Pure.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// The longest text that is a version.
const LONGEST: usize = 128;

/// A version: a place in cargo's order of versions, and the text that it was written as.
///
/// A text that is not semver may be up to three numbers, of which missing ones count as 0, perhaps with leading
/// zeros, and perhaps a letter that comes after none (`1.1.1` < `1.1.1w`). Any other text stands outside of the order:
/// no range holds it, and only the same text is equal to it.
#[derive(Clone)]
pub struct Version {
    order: semver::Version,
    /// The text, where it differs from how the order is written.
    text: Option<Box<str>>,
}

impl Version {
    /// The release of these numbers.
    pub const fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self { order: semver::Version::new(major, minor, patch), text: None }
    }

    /// Read whatever a project may call a version. As a part of file names it has no `/`, and does not begin with a `.`.
    pub fn loose(text: &str) -> Result<Self, ParseVersionError> {
        if let Ok(order) = semver::Version::parse(text) {
            return Ok(order.into());
        }
        let usual = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+~".contains(&byte);
        let fit = text.len() <= LONGEST && text.bytes().all(usual) && !text.starts_with(['.', '-']);
        if text.is_empty() || !fit {
            return Err(ParseVersionError(text.to_owned()));
        }
        Ok(Self { order: numbers(text).unwrap_or_else(|| outside(text)), text: Some(text.into()) })
    }
}

/// The place of up to three numbers and a letter.
fn numbers(text: &str) -> Option<semver::Version> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let letter = &text[digits.len()..];
    let parts = digits.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u64>>>()?;
    if parts.len() > 3 || letter.len() > 1 {
        return None;
    }
    let part = |index: usize| parts.get(index).copied().unwrap_or(0);
    let mut order = semver::Version::new(part(0), part(1), part(2));
    // In cargo's total order, what has build metadata comes after what has none.
    order.build = semver::BuildMetadata::new(letter).ok()?;
    Some(order)
}

/// A place that no range holds, of this text alone.
fn outside(text: &str) -> semver::Version {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let build = semver::BuildMetadata::new(&hex).expect("hexadecimal digits may stand in build metadata");
    let pre = semver::Prerelease::new("0").expect("0 is a pre-release");
    semver::Version { pre, build, ..semver::Version::new(0, 0, 0) }
}

/// A text is not a version.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a version: use letters, digits, `.`, `-`, `_`, `+` and `~`")]
pub struct ParseVersionError(String);

impl From<semver::Version> for Version {
    fn from(order: semver::Version) -> Self {
        Self { order, text: None }
    }
}

impl FromStr for Version {
    type Err = semver::Error;

    /// Read a version as cargo does; anything else is an error.
    fn from_str(text: &str) -> Result<Self, semver::Error> {
        text.parse::<semver::Version>().map(Self::from)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        semver::Version::deserialize(deserializer).map(Self::from)
    }
}

impl Deref for Version {
    type Target = semver::Version;

    fn deref(&self) -> &semver::Version {
        &self.order
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => f.pad(text),
            None => self.order.fmt(f),
        }
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// Two texts of one place are one version: `1.2` and `1.2.0`.
impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}
impl Eq for Version {}
impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.order.hash(state);
    }
}
impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.cmp(&other.order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loose(text: &str) -> Version {
        Version::loose(text).unwrap()
    }

    #[test]
    fn texts_that_are_not_semver_have_their_place() {
        for texts in
            [["1.1.1", "1.1.1a"], ["1.1.1a", "1.1.1w"], ["1.1.1w", "1.1.2"], ["2025.12", "2026.1"], ["7", "7.0.1"]]
        {
            assert!(loose(texts[0]) < loose(texts[1]), "{texts:?}");
        }
        assert_eq!(loose("2026.01"), loose("2026.1.0"));
        assert_eq!(loose("2026.01").to_string(), "2026.01");
    }

    #[test]
    fn a_text_outside_of_the_order_is_equal_to_itself_alone() {
        assert_eq!(loose("r2023-05"), loose("r2023-05"));
        assert_ne!(loose("r2023-05"), loose("r2023-06"));
        assert!(!semver::VersionReq::STAR.matches(&loose("r2023-05")));
    }

    #[test]
    fn what_could_leave_a_directory_is_no_version() {
        for bad in ["", ".", "..", "../x", "a/b", "-x", "a b", "1.0\n", "é", &"1".repeat(129)] {
            assert!(Version::loose(bad).is_err(), "{bad:?}");
        }
        assert!("1.1.1w".parse::<Version>().is_err(), "cargo takes only semver");
    }
}
