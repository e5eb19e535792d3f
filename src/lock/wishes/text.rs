//! How lockfiles and messages write what is asked for. Pure.

use crate::digest::TextDigest;
use crate::manifest::{ArchiveSource, ExcludeNewer, GitReference, Source};
use crate::package::Requirement;

/// How a limit was written.
pub(super) fn limit(limit: &ExcludeNewer) -> &str {
    match limit {
        ExcludeNewer::Off => "off",
        ExcludeNewer::Than { text, .. } => text,
    }
}

/// How a lockfile writes a source: a registry by its name, anything else as the manifest has it.
pub(in crate::lock) fn source_text(source: &Source, requirements: &[Requirement]) -> String {
    match source {
        Source::Crate { registry } => format!("registry+{}", registry.as_deref().unwrap_or("crates.io")),
        Source::Path { path } => format!("path+{path}"),
        Source::Recipe { recipe } => format!("recipe+{recipe}"),
        Source::Carried { .. } | Source::Nothing => unreachable!("only a recipe's version has such a source"),
        Source::Git { url, reference, subdir } => {
            let versions = || requirements.iter().map(|one| one.versions.to_string()).collect::<Vec<_>>().join(", ");
            let reference = match reference {
                GitReference::Versions => Some(("version", versions())),
                GitReference::Default => None,
                GitReference::Branch(name) => Some(("branch", name.clone())),
                GitReference::Tag(name) => Some(("tag", name.clone())),
                GitReference::Rev(name) => Some(("rev", name.clone())),
            };
            with_parts(
                format!("git+{url}"),
                '?',
                reference.into_iter().chain(subdir.clone().map(|path| ("subdir", path))),
            )
        }
        Source::Archive(archive) => {
            let strip = archive.strip.map(|count| ("strip", count.to_string()));
            let subdir = archive.subdir.clone().map(|path| ("subdir", path));
            let platforms = (!archive.platforms.is_empty()).then(|| ("platforms", addresses(archive)));
            // An address may have a query of its own, but no fragment.
            let parts = strip.into_iter().chain(subdir).chain(platforms);
            with_parts(format!("archive+{}", archive.url), '#', parts)
        }
    }
}

/// Names the addresses that single platforms have.
fn addresses(archive: &ArchiveSource) -> String {
    let own = archive.platforms.iter();
    let lines: String = own.map(|(platform, one)| format!("{platform} {:?}\n", one.url.as_deref())).collect();
    TextDigest::of(lines.as_bytes()).short()
}

fn with_parts(text: String, first: char, parts: impl Iterator<Item = (&'static str, String)>) -> String {
    parts.enumerate().fold(text, |text, (index, (name, value))| {
        let between = if index == 0 { first } else { '&' };
        let value = value.replace('%', "%25").replace('&', "%26").replace('#', "%23");
        format!("{text}{between}{name}={value}")
    })
}
