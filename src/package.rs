//! Packages: names, versions, sets of versions, and who requires what.

use std::fmt;
use std::str::FromStr;

use pubgrub::Ranges;
use semver::{Comparator, Op};
pub use semver::{Version, VersionReq};

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
    pub versions: VersionReq,
    /// Who asks, for people: `site siteA`, `every site`, or a package.
    pub by: String,
}

impl Requirement {
    /// The versions that would do, as a set.
    pub fn set(&self) -> VersionSet {
        VersionSet::from(&self.versions)
    }
}

/// A set of versions, closed under union, intersection and complement.
///
/// Releases and pre-releases are kept apart, since cargo's rules treat them as two worlds: `>=1.0.0` means every
/// later release but no pre-release, and `>=1.0.0-rc.1` adds only the pre-releases of 1.0.0 itself. With one
/// range for each world every operation is exact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VersionSet {
    releases: Ranges<Version>,
    prereleases: Ranges<Version>,
}

impl pubgrub::VersionSet for VersionSet {
    type V = Version;

    fn empty() -> Self {
        Self { releases: Ranges::empty(), prereleases: Ranges::empty() }
    }

    fn singleton(version: Version) -> Self {
        let (one, none) = (Ranges::singleton(version.clone()), Ranges::empty());
        if version.pre.is_empty() {
            Self { releases: one, prereleases: none }
        } else {
            Self { releases: none, prereleases: one }
        }
    }

    fn complement(&self) -> Self {
        Self { releases: self.releases.complement(), prereleases: self.prereleases.complement() }
    }

    fn intersection(&self, other: &Self) -> Self {
        Self {
            releases: self.releases.intersection(&other.releases),
            prereleases: self.prereleases.intersection(&other.prereleases),
        }
    }

    fn contains(&self, version: &Version) -> bool {
        if version.pre.is_empty() { self.releases.contains(version) } else { self.prereleases.contains(version) }
    }
}

impl fmt::Display for VersionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.releases.is_empty(), self.prereleases.is_empty()) {
            (true, true) => f.write_str("no version"),
            (_, true) => self.releases.fmt(f),
            (true, false) => self.prereleases.fmt(f),
            (false, false) if self.releases == self.prereleases => self.releases.fmt(f),
            (false, false) => write!(f, "{} (pre-releases: {})", self.releases, self.prereleases),
        }
    }
}

impl From<&VersionReq> for VersionSet {
    /// Cargo's meaning of a requirement, after the documentation of `semver::VersionReq` and `semver::Op`.
    fn from(req: &VersionReq) -> Self {
        let releases = req.comparators.iter().fold(Ranges::full(), |all, one| all.intersection(&range(one)));
        let mut prereleases = Ranges::empty();
        for one in req.comparators.iter().filter(|one| !one.pre.is_empty()) {
            if let (Some(minor), Some(patch)) = (one.minor, one.patch) {
                // Pre-releases count only where a comparator names one of the very same release.
                let release = Version::new(one.major, minor, patch);
                let lowest = Version { pre: semver::Prerelease::new("0").expect("0 is a pre-release"), ..release.clone() };
                let same_release = Ranges::between(lowest, release);
                let allowed = req.comparators.iter().fold(same_release, |all, one| all.intersection(&range(one)));
                prereleases = prereleases.union(&allowed);
            }
        }
        Self { releases, prereleases }
    }
}

/// The versions from the lowest to the highest that a comparator allows, pre-releases between them included.
fn range(one: &Comparator) -> Ranges<Version> {
    let low = Version {
        major: one.major,
        minor: one.minor.unwrap_or(0),
        patch: one.patch.unwrap_or(0),
        pre: one.pre.clone(),
        build: semver::BuildMetadata::EMPTY,
    };
    let next_major = Version::new(one.major + 1, 0, 0);
    let next_minor = |minor: u64| Version::new(one.major, minor + 1, 0);
    let next_patch = |minor: u64, patch: u64| Version::new(one.major, minor, patch + 1);
    // The first version that is greater than everything the comparator's written part covers.
    let after = match (one.minor, one.patch) {
        (None, _) => next_major.clone(),
        (Some(minor), None) => next_minor(minor),
        (Some(minor), Some(patch)) => next_patch(minor, patch),
    };
    let complete = one.patch.is_some();
    match one.op {
        Op::Exact | Op::Wildcard if complete => Ranges::between(low.clone(), just_after(&low)),
        Op::Exact | Op::Wildcard => Ranges::between(low, after),
        Op::Greater if complete => Ranges::higher_than(just_after(&low)),
        Op::Greater => Ranges::higher_than(after),
        Op::GreaterEq => Ranges::higher_than(low),
        Op::Less => Ranges::strictly_lower_than(low),
        Op::LessEq if complete => Ranges::strictly_lower_than(just_after(&low)),
        Op::LessEq => Ranges::strictly_lower_than(after),
        Op::Tilde => match one.minor {
            None => Ranges::between(low, next_major),
            Some(minor) => Ranges::between(low, next_minor(minor)),
        },
        Op::Caret => match (one.major, one.minor, one.patch) {
            (0, Some(0), Some(patch)) => Ranges::between(low, next_patch(0, patch)),
            (0, Some(minor), _) => Ranges::between(low, next_minor(minor)),
            _ => Ranges::between(low, next_major),
        },
        _ => Ranges::empty(),
    }
}

/// The least version above every version with these numbers and this pre-release, whatever its build metadata.
fn just_after(version: &Version) -> Version {
    if version.pre.is_empty() {
        let next = Version::new(version.major, version.minor, version.patch + 1);
        Version { pre: semver::Prerelease::new("0").expect("0 is a pre-release"), ..next }
    } else {
        // Of two pre-releases that agree in all their identifiers, the longer one is greater.
        let pre = semver::Prerelease::new(&format!("{}.0", version.pre)).expect("an identifier more is still a pre-release");
        Version { pre, build: semver::BuildMetadata::EMPTY, ..version.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use pubgrub::VersionSet as _;

    fn set(req: &str) -> VersionSet {
        VersionSet::from(&req.parse::<VersionReq>().unwrap())
    }

    #[test]
    fn names_that_could_leave_a_directory_are_refused() {
        for bad in ["", "a/b", "..", ".", "-x", "a b", "é", "a\0", &"x".repeat(65)] {
            assert!(bad.parse::<PackageName>().is_err(), "{bad:?}");
        }
        for good in ["a", "ripgrep", "cargo-nextest", "x_1", "7z"] {
            assert!(good.parse::<PackageName>().is_ok(), "{good}");
        }
    }

    #[test]
    fn a_release_range_lets_no_prerelease_in() {
        assert!(!set(">=1.0.0").contains(&"2.0.0-alpha".parse().unwrap()));
        assert!(!set("^1").contains(&"1.5.0-rc.1".parse().unwrap()));
        assert!(set("^1.5.0-rc.0").contains(&"1.5.0-rc.1".parse().unwrap()));
        assert!(!set("^1.5.0-rc.0").contains(&"1.6.0-rc.1".parse().unwrap()));
    }

    fn version() -> impl Strategy<Value = Version> {
        let pre = prop_oneof![4 => Just(String::new()), 1 => Just("-0".into()), 1 => Just("-alpha".into()), 1 => Just("-alpha.1".into()), 1 => Just("-rc.2".into())];
        (0..3u64, 0..3u64, 0..3u64, pre).prop_map(|(a, b, c, pre)| format!("{a}.{b}.{c}{pre}").parse().unwrap())
    }

    fn req() -> impl Strategy<Value = VersionReq> {
        let op = prop::sample::select(vec!["", "^", "~", "=", ">", ">=", "<", "<="]);
        let whole = (op.clone(), version()).prop_map(|(op, version)| format!("{op}{version}"));
        let part = (op, 0..3u64, prop::option::of(0..3u64))
            .prop_map(|(op, major, minor)| minor.map_or(format!("{op}{major}"), |minor| format!("{op}{major}.{minor}")));
        let one = prop_oneof![3 => whole, 2 => part, 1 => Just("*".to_owned()), 1 => Just("1.*".to_owned())];
        prop::collection::vec(one, 1..3)
            .prop_map(|parts| parts.join(", "))
            .prop_filter_map("semver takes no `*` beside others", |text| text.parse().ok())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_set_holds_what_the_requirement_matches(req in req(), version in version()) {
            prop_assert_eq!(VersionSet::from(&req).contains(&version), req.matches(&version), "{} {}", req, version);
        }

        #[test]
        fn complement_and_intersection_are_exact(a in req(), b in req(), version in version()) {
            let (a, b) = (VersionSet::from(&a), VersionSet::from(&b));
            prop_assert_eq!(a.complement().contains(&version), !a.contains(&version));
            prop_assert_eq!(a.intersection(&b).contains(&version), a.contains(&version) && b.contains(&version));
            prop_assert_eq!(a.union(&b).contains(&version), a.contains(&version) || b.contains(&version));
        }
    }
}
