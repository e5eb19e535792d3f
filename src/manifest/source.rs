//! Reads where a dependency comes from. Pure.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::check::integer;
use super::parse::{Text, entries, table};
use super::problem::Findings;
use super::variables::placeholders;
use super::{ArchiveSource, GitReference, PlatformArchive, Source};
use crate::digest::BlobDigest;
use crate::platform::Platform;

/// Keys that each say a source of their own.
const KINDS: [&str; 4] = ["git", "path", "registry", "url"];

/// Keys that only some sources know, and those.
const PARTS: [(&str, &[&str]); 8] = [
    ("tag", &["git"]),
    ("branch", &["git"]),
    ("rev", &["git"]),
    ("subdir", &["git", "url"]),
    ("sha256", &["url"]),
    ("strip", &["url"]),
    ("platform", &["url"]),
    ("install", &["url", "git", "path"]),
];

/// What the address of an archive knows.
const PLACEHOLDERS: [&str; 6] = ["version", "name", "os", "arch", "platform", "target"];

/// Where a dependency comes from. What does not go together is a problem, and then it is a crate of crates.io.
pub(super) fn read(key: &Text<'_>, entry: &DeTable<'_>, findings: &mut Findings<'_>) -> Source {
    let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| entry.contains_key(*kind)).collect();
    if let [first, second, ..] = kinds[..] {
        let message = format!("dependency `{}` has two sources, `{first}` and `{second}`", key.get_ref());
        findings.add_with_hint(place(entry, second), message, "keep one of them");
        // A path asks for nothing more.
        return Source::Path { path: String::new() };
    }
    misplaced(entry, kinds.first().copied(), findings);
    let Some(kind) = kinds.first() else { return crate_or_recipe(entry) };
    // Anything but a text was noted before.
    let Some(value) = text(entry, kind) else { return Source::crates_io() };
    match *kind {
        "registry" => Source::Crate { registry: Some(value).filter(|name| name != "crates-io" && name != "crates.io") },
        "path" => Source::Path { path: plain_path(entry, value, findings) },
        "git" => Source::Git {
            url: address(entry, "git", value, findings),
            reference: reference(entry, findings),
            subdir: subdir(entry, findings),
        },
        _ => Source::Archive(archive(entry, value, findings)),
    }
}

/// Without a source, a name is a crate, or a package of a recipe that lists its versions.
fn crate_or_recipe(entry: &DeTable<'_>) -> Source {
    match text(entry, "recipe") {
        Some(recipe) => Source::Recipe { recipe },
        None => Source::crates_io(),
    }
}

/// Note keys that the source at hand does not know.
fn misplaced(entry: &DeTable<'_>, kind: Option<&str>, findings: &mut Findings<'_>) {
    for (part, kinds) in PARTS {
        if entry.contains_key(part) && !kind.is_some_and(|kind| kinds.contains(&kind)) {
            let belongs = kinds.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(" or ");
            findings.add(place(entry, part), format!("`{part}` belongs to a source that is named by {belongs}"));
        }
    }
    if kind == Some("path") && entry.contains_key("patches") {
        findings.add_with_hint(place(entry, "patches"), "what comes from a `path` is not patched", "edit its files");
    }
}

pub(super) fn reference(entry: &DeTable<'_>, findings: &mut Findings<'_>) -> GitReference {
    let given: Vec<_> = ["tag", "branch", "rev"].into_iter().filter_map(|key| Some((key, text(entry, key)?))).collect();
    if let [(first, _), (second, _), ..] = given[..] {
        findings.add(place(entry, second), format!("`{first}` and `{second}` both say which commit"));
    }
    for (key, name) in &given {
        // A name that begins with `-` is a flag to programs, and none that git would take.
        if name.is_empty() || name.starts_with('-') || name.chars().any(|c| c.is_control() || c == ' ') {
            findings.add(place(entry, key), format!("`{name}` cannot be the name of a {key}"));
        }
    }
    match given.first() {
        Some(("tag", name)) => GitReference::Tag(name.clone()),
        Some(("branch", name)) => GitReference::Branch(name.clone()),
        Some((_, name)) => GitReference::Rev(name.clone()),
        None if entry.contains_key("version") => GitReference::Versions,
        None => GitReference::Default,
    }
}

pub(crate) fn archive(entry: &DeTable<'_>, url: String, findings: &mut Findings<'_>) -> ArchiveSource {
    let sha256 = checksum(entry, findings);
    let platforms = platforms(entry, findings);
    let summed = sha256.is_some() || (!platforms.is_empty() && platforms.values().all(|one| one.sha256.is_some()));
    if url.starts_with("http://") && !summed {
        let hint = "add `sha256 = \"…\"`, or take it from https";
        findings.add_with_hint(place(entry, "url"), "what comes over http needs its `sha256`", hint);
    }
    let strip = match entry.get("strip").map(toml::Spanned::get_ref) {
        Some(DeValue::Integer(written)) => integer(written).and_then(|count| u32::try_from(count).ok()),
        _ => None,
    };
    if entry.contains_key("strip") && strip.is_none() {
        findings.add(place(entry, "strip"), "`strip` must be a number of directories, from 0");
    }
    ArchiveSource {
        url: address(entry, "url", url, findings),
        sha256,
        platforms,
        strip,
        subdir: subdir(entry, findings),
    }
}

fn platforms(entry: &DeTable<'_>, findings: &mut Findings<'_>) -> BTreeMap<Platform, PlatformArchive> {
    let mut platforms = BTreeMap::new();
    for (key, value) in entries(entry, "platform") {
        let Some(own) = value.get_ref().as_table() else { continue };
        match key.get_ref().parse::<Platform>() {
            Ok(platform) => {
                let url = text(own, "url").map(|url| address(own, "url", url, findings));
                platforms.insert(platform, PlatformArchive { url, sha256: checksum(own, findings) });
            }
            Err(error) => findings.add(key.span(), error.to_string()),
        }
    }
    platforms
}

pub(crate) fn checksum(entry: &DeTable<'_>, findings: &mut Findings<'_>) -> Option<BlobDigest> {
    let written = text(entry, "sha256")?;
    let digest = BlobDigest::from_hex(written.strip_prefix("sha256:").unwrap_or(&written));
    if digest.is_err() {
        let message = format!("`{written}` is not a sha256: that is 64 lowercase hexadecimal digits");
        findings.add(place(entry, "sha256"), message);
    }
    digest.ok()
}

/// An address without secrets: what stands here is copied into lockfiles.
pub(super) fn address(entry: &DeTable<'_>, key: &str, url: String, findings: &mut Findings<'_>) -> String {
    if has_credentials(&url) {
        let hint = "leave them to a credential helper, to `~/.netrc`, or to an ssh agent";
        findings.add_with_hint(place(entry, key), format!("`{key}` holds credentials, and lockfiles repeat it"), hint);
    }
    if url.is_empty() || url.starts_with('-') || url.chars().any(|c| c.is_control() || c == ' ') {
        findings.add(place(entry, key), format!("`{key}` is not an address"));
    }
    if key == "url"
        && let Some(item) = entry.get(key)
    {
        placeholders(item, &url, &PLACEHOLDERS, findings);
    }
    if key == "url" && url.contains('#') {
        findings.add(place(entry, key), "the address of an archive has no `#`");
    }
    if key == "url" && !["https://", "http://", "file://"].iter().any(|scheme| url.starts_with(scheme)) {
        findings.add(place(entry, key), "archives come by an address with `https:`, `http:` or `file:`");
    }
    url
}

/// Whether an address says who asks, other than by a user of ssh.
pub(super) fn has_credentials(url: &str) -> bool {
    let (scheme, after) = url.split_once("://").unwrap_or_default();
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    // Such as `ssh`, `git+ssh` and `registry+ssh`.
    let is_ssh = scheme.split('+').any(|word| word == "ssh");
    user.contains(':') || (!user.is_empty() && !is_ssh)
}

pub(crate) fn subdir(entry: &DeTable<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let written = text(entry, "subdir")?;
    let path = written.trim_matches('/');
    if written.starts_with('/') || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        findings.add(place(entry, "subdir"), format!("`{written}` is not a directory below the top"));
    }
    Some(path.to_owned())
}

pub(super) fn plain_path(entry: &DeTable<'_>, path: String, findings: &mut Findings<'_>) -> String {
    if path.is_empty() || path.contains('\0') {
        findings.add(place(entry, "path"), "`path` names no directory");
    }
    path
}

pub(crate) fn text(entry: &DeTable<'_>, key: &str) -> Option<String> {
    Some(entry.get(key)?.get_ref().as_str()?.to_owned())
}

/// Where a key's value stands.
pub(crate) fn place(entry: &DeTable<'_>, key: &str) -> std::ops::Range<usize> {
    entry
        .get_key_value(key)
        .map_or(0..0, |(name, value)| if value.span().is_empty() { name.span() } else { value.span() })
}

/// What `install` says, as recipes take it: `TO=FROM`, one text for each entry.
pub(super) fn install(entry: &DeTable<'_>) -> Option<Vec<String>> {
    let install = table(entry, "install")?;
    Some(
        install
            .iter()
            .filter_map(|(to, from)| Some(format!("{}={}", to.get_ref(), from.get_ref().as_str()?)))
            .collect(),
    )
}
