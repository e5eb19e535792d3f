//! Packages: names, versions, sets of versions, and who requires what.

mod cutoff;
mod version;

use std::fmt;
use std::str::FromStr;

pub use cutoff::{Cutoff, Cutoffs, Error as CutoffError};
pub use semver::VersionReq;
pub use version::{ParseVersionError, Version};

/// A package's name: letters, digits, `-` and `_`, beginning with a letter or digit. It is safe as a file's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName(String);

impl PackageName {
    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text cannot name a package, a site or a recipe.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a name: use up to 64 letters, digits, `-` and `_`, beginning with a letter or digit")]
pub struct ParseNameError(String);

impl FromStr for PackageName {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, ParseNameError> {
        if is_name(text) { Ok(Self(text.to_owned())) } else { Err(ParseNameError(text.to_owned())) }
    }
}

/// A site's name, of the same form as a package's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteName(String);

impl SiteName {
    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SiteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SiteName {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, ParseNameError> {
        if is_name(text) { Ok(Self(text.to_owned())) } else { Err(ParseNameError(text.to_owned())) }
    }
}

fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    text.len() <= 64
        && text.bytes().all(inner)
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

/// One version of one package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageId {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
}

impl fmt::Display for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// What someone asks of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The package.
    pub name: PackageName,
    /// The versions that would do, as they were written.
    pub versions: Range,
    /// Who asks.
    pub by: By,
}

/// Who asks for a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// Somebody at the top, as people read it: a site, every site, an override, a command.
    Top(String),
    /// Another package, which needs it.
    Package(PackageName),
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top(asker) => f.write_str(asker),
            Self::Package(name) => write!(f, "`{name}`"),
        }
    }
}

impl From<&str> for By {
    fn from(asker: &str) -> Self {
        Self::Top(asker.to_owned())
    }
}

/// The versions that would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// All that there are, pre-releases too: where a source has only one, and nobody said which.
    Any,
    /// Those that a requirement of cargo's allows.
    Req(VersionReq),
    /// This one.
    Exactly(Version),
}

impl Range {
    /// Whether a version would do.
    pub fn matches(&self, version: &Version) -> bool {
        match self {
            Self::Any => true,
            Self::Req(req) => req.matches(version),
            // Addresses hold the text, so another text of the same version is another thing.
            Self::Exactly(only) => only == version && only.to_string() == version.to_string(),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Req(req) => req.fmt(f),
            Self::Exactly(version) => write!(f, "={version}"),
        }
    }
}

impl From<VersionReq> for Range {
    fn from(req: VersionReq) -> Self {
        Self::Req(req)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_a_directory_are_refused() {
        for bad in ["", "a/b", "..", ".", "-x", "a b", "é", "a\0", &"x".repeat(65)] {
            assert!(bad.parse::<PackageName>().is_err(), "{bad:?}");
        }
        for good in ["a", "ripgrep", "cargo-nextest", "x_1", "7z"] {
            assert!(good.parse::<PackageName>().is_ok(), "{good}");
        }
    }
}
