//! Sets of versions, as ranges that the solver can work with. Pure.

use std::fmt;

use pubgrub::Ranges;
use semver::{Comparator, Op, VersionReq};

use super::{Range, Version};

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

impl From<&Range> for VersionSet {
    fn from(range: &Range) -> Self {
        match range {
            Range::Any => pubgrub::VersionSet::full(),
            Range::Req(req) => Self::from(req),
            Range::Exactly(version) => pubgrub::VersionSet::singleton(version.clone()),
        }
    }
}

impl From<&VersionReq> for VersionSet {
    /// Cargo's meaning of a requirement, after the documentation of `semver::VersionReq` and `semver::Op`.
    fn from(req: &VersionReq) -> Self {
        let releases = intersection(req.comparators.iter().map(releases));
        let mut prereleases = Ranges::empty();
        for one in req.comparators.iter().filter(|one| !one.pre.is_empty()) {
            // Pre-releases count only where a comparator names one of the very same release.
            let release = lowest(one);
            let release = semver::Version { pre: semver::Prerelease::EMPTY, ..(*release).clone() };
            let release = Version::from(release);
            let same_release = Ranges::between(first_prerelease(release.clone()), release);
            let allowed = intersection(req.comparators.iter().map(self::prereleases));
            prereleases = prereleases.union(&same_release.intersection(&allowed));
        }
        Self { releases, prereleases }
    }
}

fn intersection(ranges: impl Iterator<Item = Ranges<Version>>) -> Ranges<Version> {
    ranges.fold(Ranges::full(), |all, one| all.intersection(&one))
}

/// The least version that a comparator's numbers cover.
fn lowest(one: &Comparator) -> Version {
    let (minor, patch) = (one.minor.unwrap_or(0), one.patch.unwrap_or(0));
    semver::Version { pre: one.pre.clone(), ..semver::Version::new(one.major, minor, patch) }.into()
}

/// The first release above all that a comparator's numbers cover.
fn after(one: &Comparator) -> Version {
    match (one.minor, one.patch) {
        (None, _) => Version::new(one.major.saturating_add(1), 0, 0),
        (Some(minor), None) => Version::new(one.major, minor.saturating_add(1), 0),
        (Some(minor), Some(patch)) => Version::new(one.major, minor, patch.saturating_add(1)),
    }
}

/// The first release above the versions that a caret or tilde counts as compatible.
fn incompatible(one: &Comparator) -> Version {
    match (&one.op, one.major, one.minor, one.patch) {
        (Op::Tilde, major, Some(minor), _) => Version::new(major, minor.saturating_add(1), 0),
        (Op::Caret, 0, Some(0), Some(patch)) => Version::new(0, 0, patch.saturating_add(1)),
        (Op::Caret, 0, Some(minor), _) => Version::new(0, minor.saturating_add(1), 0),
        (_, major, ..) => Version::new(major.saturating_add(1), 0, 0),
    }
}

/// The releases that a comparator allows.
fn releases(one: &Comparator) -> Ranges<Version> {
    let (low, after) = (lowest(one), after(one));
    match one.op {
        // `=1.0.0-rc.1` means that pre-release alone.
        Op::Exact if !one.pre.is_empty() => Ranges::empty(),
        Op::Exact | Op::Wildcard => Ranges::between(low, after),
        // What is greater than 1.0.0-rc.1 begins with 1.0.0.
        Op::Greater if !one.pre.is_empty() => Ranges::higher_than(low),
        Op::Greater => Ranges::higher_than(after),
        Op::GreaterEq => Ranges::higher_than(low),
        Op::Less => Ranges::strictly_lower_than(low),
        Op::LessEq if !one.pre.is_empty() => Ranges::strictly_lower_than(low),
        Op::LessEq => Ranges::strictly_lower_than(after),
        Op::Tilde | Op::Caret => Ranges::between(low, incompatible(one)),
        _ => Ranges::empty(),
    }
}

/// The pre-releases that a comparator allows where pre-releases count at all.
///
/// With numbers left out, as in `~1`, only a caret means the pre-releases of what its numbers cover.
fn prereleases(one: &Comparator) -> Ranges<Version> {
    let low = lowest(one);
    let complete = one.patch.is_some();
    match one.op {
        Op::Exact if complete => Ranges::between(low.clone(), just_after(low)),
        Op::Greater if complete => Ranges::higher_than(just_after(low)),
        Op::GreaterEq if complete => Ranges::higher_than(low),
        Op::Greater | Op::GreaterEq => Ranges::higher_than(first_prerelease(after(one))),
        Op::Less if complete => Ranges::strictly_lower_than(low),
        Op::LessEq if complete => Ranges::strictly_lower_than(just_after(low)),
        Op::Less | Op::LessEq => Ranges::strictly_lower_than(first_prerelease(low)),
        Op::Tilde if complete => Ranges::between(low, first_prerelease(incompatible(one))),
        Op::Caret if complete => Ranges::between(low, first_prerelease(incompatible(one))),
        Op::Caret => Ranges::between(first_prerelease(low), first_prerelease(incompatible(one))),
        _ => Ranges::empty(),
    }
}

/// The least of all pre-releases of a release.
fn first_prerelease(release: Version) -> Version {
    let pre = semver::Prerelease::new("0").expect("0 is a pre-release");
    semver::Version { pre, ..(*release).clone() }.into()
}

/// The least version above a version, whatever that one's build metadata.
fn just_after(version: Version) -> Version {
    if version.pre.is_empty() {
        return first_prerelease(Version::new(version.major, version.minor, version.patch.saturating_add(1)));
    }
    // Of two pre-releases that agree in all identifiers of the shorter, the longer is greater.
    let pre =
        semver::Prerelease::new(&format!("{}.0", version.pre)).expect("one more identifier is still a pre-release");
    semver::Version { pre, build: semver::BuildMetadata::EMPTY, ..(*version).clone() }.into()
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
        let part = (op, 0..3u64, prop::option::of(0..3u64)).prop_map(|(op, major, minor)| {
            minor.map_or(format!("{op}{major}"), |minor| format!("{op}{major}.{minor}"))
        });
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
