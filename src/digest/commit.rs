//! Commits of git repositories, by their ids.

use std::fmt;
use std::str::FromStr;

/// The id of a commit: the sha1 of what git keeps of it. It says which commit is meant; what is in it is proven by the
/// digest of its tree, which is pinned beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Commit([u8; 20]);

impl Commit {
    /// The bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// The first ten hexadecimal digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..10].to_owned()
    }
}

impl From<[u8; 20]> for Commit {
    fn from(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

/// A text is not the id of a commit.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not the id of a commit: that is 40 lowercase hexadecimal digits")]
pub struct ParseCommitError(String);

impl FromStr for Commit {
    type Err = ParseCommitError;

    fn from_str(text: &str) -> Result<Self, ParseCommitError> {
        let malformed = || ParseCommitError(text.to_owned());
        if text.len() != 40 {
            return Err(malformed());
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = super::nibble(pair[0]).zip(super::nibble(pair[1]));
            *byte = digits.map(|(high, low)| high << 4 | low).ok_or_else(malformed)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_reads_back() {
        let id = "4f1c0d2a9b8e7f6d5c4b3a291807f6e5d4c3b2a1";
        assert_eq!(id.parse::<Commit>().unwrap().to_string(), id);
        for bad in ["", "4f1c0d2", &id.to_uppercase(), &format!("{id}0")] {
            assert!(bad.parse::<Commit>().is_err(), "{bad}");
        }
    }
}
