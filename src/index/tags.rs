//! Tags as versions: `v1.2.3`, `1.2.3`, and in a repository of several packages `NAME-v1.2.3` and the like. Pure.

use std::collections::BTreeMap;

use crate::digest::Commit;
use crate::package::{PackageName, Version};
use crate::source::Tag;

/// A tag that is a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionTag {
    /// The version.
    pub version: Version,
    /// The tag's own name.
    pub tag: String,
    /// The commit that it is on.
    pub commit: Commit,
}

/// The versions of a package among the tags of its repository, lowest first.
///
/// Where tags name the package, only those count: the others are of its neighbours, or of all of them. Of two tags for
/// one version, the one with `v` counts, which is what most people write.
pub fn version_tags(name: &PackageName, tags: &[Tag]) -> Vec<VersionTag> {
    let named = collect(tags, |tag| own(name.as_str(), tag));
    if named.is_empty() { collect(tags, plain) } else { named }
}

fn collect(tags: &[Tag], version: impl Fn(&str) -> Option<Version>) -> Vec<VersionTag> {
    let mut versions: BTreeMap<Version, VersionTag> = BTreeMap::new();
    for tag in tags {
        let Some(version) = version(&tag.name) else { continue };
        // What both have in common ends with the version, so that only a `v` before it tells them apart.
        let text = version.to_string();
        let has_v = |name: &str| name.strip_suffix(text.as_str()).is_some_and(|before| before.ends_with('v'));
        let known = versions.get(&version).is_some_and(|known| has_v(&known.tag) || !has_v(&tag.name));
        if !known {
            versions.insert(version.clone(), VersionTag { version, tag: tag.name.clone(), commit: tag.commit });
        }
    }
    versions.into_values().collect()
}

/// The version of `NAME-v1.2.3`, `NAME-1.2.3`, `NAME/v1.2.3`, `NAME/1.2.3` or `NAME@1.2.3`.
fn own(name: &str, tag: &str) -> Option<Version> {
    let rest = tag.strip_prefix(name)?;
    plain(rest.strip_prefix(['-', '/', '@'])?)
}

/// The version of `v1.2.3` or `1.2.3`.
fn plain(tag: &str) -> Option<Version> {
    tag.strip_prefix('v').unwrap_or(tag).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tags: &[&str], expected: &[&str]) {
        let commit: Commit = [7; 20].into();
        let tags: Vec<_> = tags.iter().map(|name| Tag { name: (*name).to_owned(), commit }).collect();
        let found: Vec<_> = version_tags(&"api".parse().unwrap(), &tags).into_iter().map(|one| one.tag).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn tags_that_are_semver_are_versions() {
        check(&["v1.2.3", "1.10.0", "v1.9.0", "nightly", "v1.2", "release-2"], &["v1.2.3", "v1.9.0", "1.10.0"]);
        check(&["1.0.0", "v1.0.0"], &["v1.0.0"]);
        check(&["v2.0.0-rc.1"], &["v2.0.0-rc.1"]);
    }

    #[test]
    fn a_v_in_a_name_is_none_before_a_version() {
        let commit: Commit = [7; 20].into();
        let tags = ["envy-1.0.0", "envy-v1.0.0"].map(|name| Tag { name: name.to_owned(), commit });
        assert_eq!(version_tags(&"envy".parse().unwrap(), &tags)[0].tag, "envy-v1.0.0");
    }

    #[test]
    fn where_tags_name_packages_only_its_own_count() {
        check(&["v9.0.0", "api-v1.0.0", "api/1.1.0", "web-v3.0.0", "api-extra-v7.0.0"], &["api-v1.0.0", "api/1.1.0"]);
        check(&["web-v3.0.0", "v9.0.0"], &["v9.0.0"]);
    }
}
