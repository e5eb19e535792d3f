//! A registry's index as text, after cargo's book (*Registry Index*): where a crate's file is, what its lines say,
//! and where the archives are. Pure.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::digest::BlobDigest;
use crate::package::Version;

/// The newest form of lines that we understand. Cargo passes over lines of a newer one, and so do we.
const NEWEST_FORM: u32 = 2;

/// One version of a crate, as the index tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrateVersion {
    /// The version.
    pub version: Version,
    /// Digest of its archive.
    pub checksum: BlobDigest,
    /// Whether its authors took it back.
    pub yanked: bool,
    /// The oldest Rust that it says to build with.
    pub rust_version: Option<Version>,
    /// When it was published, where the index says so.
    pub published: Option<jiff::Timestamp>,
    /// The features one can ask for, those of optional dependencies included.
    pub features: BTreeSet<String>,
}

/// Where the index keeps a crate's lines: `ri/pg/ripgrep`.
pub(super) fn path_of(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    format!("{}/{name}", prefix(&name))
}

fn prefix(name: &str) -> String {
    match name.len() {
        1 => "1".to_owned(),
        2 => "2".to_owned(),
        3 => format!("3/{}", &name[..1]),
        _ => format!("{}/{}", &name[..2], &name[2..4]),
    }
}

/// Where an archive is, by the `dl` of the index's `config.json`. Without markers, `/NAME/VERSION/download` follows it.
pub(super) fn download_url(dl: &str, name: &str, version: &str, checksum: BlobDigest) -> String {
    let markers = [
        ("{crate}", name.to_owned()),
        ("{version}", version.to_owned()),
        ("{prefix}", prefix(name)),
        ("{lowerprefix}", prefix(&name.to_ascii_lowercase())),
        ("{sha256-checksum}", checksum.hex()),
    ];
    if !markers.iter().any(|(marker, _)| dl.contains(marker)) {
        return format!("{}/{name}/{version}/download", dl.trim_end_matches('/'));
    }
    markers.iter().fold(dl.to_owned(), |url, (marker, value)| url.replace(marker, value))
}

/// What the index says of itself.
pub(super) const CONFIG: &str = "config.json";

/// Whether a text may be the index's file of this name. A page to log in at, as a hotel's network serves it, is not
/// to be taken for a crate without versions, and not to be kept.
pub(super) fn is_text_of_one(name: &str, text: &[u8]) -> bool {
    let is_json = |text: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
    if name == CONFIG {
        return is_json(text);
    }
    let mut lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).peekable();
    lines.peek().is_none() || lines.any(is_json)
}

/// The names of the crates that lines are of. An index folds case, so the name can differ from the one asked for.
pub(super) fn names(lines: &[u8]) -> BTreeSet<String> {
    understood(lines).map(|line| line.name).collect()
}

/// The versions of the crate of exactly this name, or nothing where no line is of it.
pub(super) fn versions(lines: &[u8], name: &str) -> Option<Vec<CrateVersion>> {
    let versions: Vec<_> = understood(lines).filter(|line| line.name == name).filter_map(Line::version).collect();
    if versions.is_empty() { None } else { Some(versions) }
}

/// The lines that can be understood; like cargo, we pass over the others, which are for newer programs.
fn understood(lines: &[u8]) -> impl Iterator<Item = Line> {
    let lines = lines.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok());
    lines.filter(|line| line.v.unwrap_or(1) <= NEWEST_FORM)
}

#[derive(Deserialize)]
struct Line {
    name: String,
    vers: String,
    cksum: String,
    #[serde(default)]
    deps: Vec<Dependency>,
    #[serde(default)]
    features: Features,
    features2: Option<Features>,
    #[serde(default)]
    yanked: Option<bool>,
    rust_version: Option<String>,
    pubtime: Option<String>,
    v: Option<u32>,
}

type Features = std::collections::BTreeMap<String, Vec<String>>;

#[derive(Deserialize)]
struct Dependency {
    name: String,
    #[serde(default)]
    optional: bool,
}

impl Line {
    fn version(self) -> Option<CrateVersion> {
        Some(CrateVersion {
            version: self.vers.parse().ok()?,
            checksum: BlobDigest::from_hex(&self.cksum).ok()?,
            yanked: self.yanked.unwrap_or(false),
            rust_version: self.rust_version.as_deref().and_then(padded),
            published: self.pubtime.as_deref().and_then(|time| time.parse().ok()),
            features: self.features(),
        })
    }

    /// An optional dependency is a feature too, unless some feature names it by `dep:`.
    fn features(&self) -> BTreeSet<String> {
        let both = || self.features.iter().chain(self.features2.iter().flatten());
        let hidden: BTreeSet<&str> =
            both().flat_map(|(_, turns_on)| turns_on).filter_map(|item| item.strip_prefix("dep:")).collect();
        let optional = self.deps.iter().filter(|one| one.optional && !hidden.contains(one.name.as_str()));
        both().map(|(name, _)| name.clone()).chain(optional.map(|one| one.name.clone())).collect()
    }
}

/// `1.70` means 1.70.0.
fn padded(text: &str) -> Option<Version> {
    let dots = text.split('-').next()?.matches('.').count();
    format!("{text}{}", &".0.0"[..2 * 2usize.saturating_sub(dots)]).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_have_places_of_their_own() {
        for (name, path) in
            [("a", "1/a"), ("ab", "2/ab"), ("abc", "3/a/abc"), ("Abcd", "ab/cd/abcd"), ("ripgrep", "ri/pg/ripgrep")]
        {
            assert_eq!(path_of(name), path);
        }
    }

    #[test]
    fn archives_are_where_the_index_says() {
        let checksum = BlobDigest::of(b"");
        let check = |dl: &str, expected: &str| assert_eq!(download_url(dl, "Foo-bar", "1.0.0", checksum), expected);
        check("https://a.example/crates/", "https://a.example/crates/Foo-bar/1.0.0/download");
        check("https://a.example/{crate}-{version}.crate", "https://a.example/Foo-bar-1.0.0.crate");
        check("https://a.example/{prefix}/{lowerprefix}/{crate}", "https://a.example/Fo/o-/fo/o-/Foo-bar");
        check("https://a.example/{sha256-checksum}", &format!("https://a.example/{}", checksum.hex()));
    }

    fn line(rest: &str) -> String {
        let checksum = BlobDigest::of(b"").hex();
        format!(r#"{{"name":"a","vers":"1.0.0","cksum":"{checksum}"{rest}}}"#)
    }

    fn only(rest: &str) -> CrateVersion {
        versions(line(rest).as_bytes(), "a").unwrap().remove(0)
    }

    #[test]
    fn a_line_says_all_that_matters() {
        let rest =
            r#","yanked":true,"rust_version":"1.70","pubtime":"2026-04-14T01:02:03Z","deps":[],"features":{},"x":1"#;
        let version = only(rest);
        assert!(version.yanked);
        assert_eq!(version.rust_version, Some(Version::new(1, 70, 0)));
        assert_eq!(version.published, Some("2026-04-14T01:02:03Z".parse().unwrap()));
        for (text, full) in [("1", "1.0.0"), ("1.70.1", "1.70.1"), ("1.70-beta", "")] {
            assert_eq!(padded(text), full.parse().ok(), "{text}");
        }
    }

    #[test]
    fn optional_dependencies_are_features_unless_they_are_hidden() {
        let deps =
            r#","deps":[{"name":"x","optional":true},{"name":"y","optional":true},{"name":"z","optional":false}]"#;
        let version = only(&format!(r#"{deps},"features":{{"default":["x"]}},"features2":{{"why":["dep:y"]}}"#));
        assert_eq!(version.features, ["default", "why", "x"].map(str::to_owned).into());
    }

    #[test]
    fn lines_that_make_no_sense_are_passed_over() {
        let lines = [line(""), "nonsense".into(), line(r#","v":3"#), line(r#","v":2"#), String::new()].join("\n");
        assert_eq!(versions(lines.as_bytes(), "a").unwrap().len(), 2);
        assert_eq!(versions(lines.as_bytes(), "A"), None, "the index folds case, names do not");
        assert_eq!(names(lines.as_bytes()), BTreeSet::from(["a".to_owned()]));
    }
}
