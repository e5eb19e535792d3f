//! Cargo's configuration in a build. Pure.
//!
//! Two files count. The one in cargo's home is envy's: crates are where envy laid them, and nowhere else. The other is the
//! project's own, where the source is a repository or a directory of the user's: what it says of compiling counts, what
//! it says of this host, of the network and of where crates come from does not.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use toml_edit::{DocumentMut, Item, TableLike};

use super::action;
use crate::source::{CrateSource, SourceCrates};

/// A project's configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("could not understand the project's configuration of cargo")]
pub struct Error(#[source] Box<toml_edit::TomlError>);

const CRATES_IO: &str = r#"[source.crates-io]
replace-with = "envy"

[source.envy]
directory = "/envy/crates"
"#;

const OFFLINE: &str = r#"
[net]
offline = true

[build]
incremental = false
"#;

/// Where the crates of a source other than crates.io lie in a build.
pub fn crates_directory(source: &CrateSource) -> String {
    format!("{}.{}", action::CRATES, source.number)
}

/// The configuration in cargo's home, with `root` before every path of `/envy`. `registries` are the names that manifests
/// may call registries by, and their indexes.
pub fn of_home(root: &str, sources: &[CrateSource], registries: &BTreeMap<String, String>) -> String {
    let mut text = CRATES_IO.replace("\"/envy/", &format!("\"{root}/envy/"));
    for source in sources {
        let directory = format!("{root}{}", crates_directory(source));
        let (number, directory) = (source.number, quoted(&directory));
        text += &format!("\n[source.\"replaced-{number}\"]\n{}", original(&source.crates));
        text += &format!("replace-with = \"envy-{number}\"\n\n[source.\"envy-{number}\"]\ndirectory = {directory}\n");
    }
    for (name, index) in registries {
        text += &format!("\n[registries.{}]\nindex = {}\n", quoted(name), quoted(index));
    }
    text + OFFLINE
}

/// The source that is replaced, in cargo's words.
fn original(crates: &SourceCrates) -> String {
    match crates {
        SourceCrates::Registry { address, .. } => {
            // Cargo knows an index that is asked over HTTP by `sparse+`, and one in git by nothing.
            format!("registry = {}\n", quoted(address.strip_prefix("registry+").unwrap_or(address)))
        }
        SourceCrates::Git { source, .. } => {
            let asked = source.reference.key().map(|(key, name)| format!("{key} = {}\n", quoted(name)));
            format!("git = {}\n{}", quoted(&source.url), asked.unwrap_or_default())
        }
    }
}

/// A string in TOML. JSON escapes all that TOML wants escaped, but the last control character of ASCII.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// What of a project's own configuration counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectConfig {
    /// It, with its comments and in its order.
    pub text: String,
    /// Keys that were left out, in the order of [`LEFT_OUT`].
    pub dropped: Vec<String>,
    /// Names that it gives to registries, with the address of their index: cargo wants to know those of all registries
    /// that a manifest calls by name.
    pub registries: BTreeMap<String, String>,
    /// The target that it builds for, left out as well, since where programs come to lie depends on it.
    pub target: Option<String>,
}

/// Keys that do not count: they name other sources of crates, the network, secrets, programs or directories of the host,
/// or what envy decides.
const LEFT_OUT: &[&str] = &[
    "include",
    "paths",
    "source",
    "net",
    "http",
    "registry",
    "registries",
    "credential-alias",
    "install",
    "build.artifact-dir",
    "build.build-dir",
    "build.dep-info-basedir",
    "build.incremental",
    "build.jobs",
    "build.out-dir",
    "build.rustc",
    "build.rustc-wrapper",
    "build.rustc-workspace-wrapper",
    "build.rustdoc",
    "build.target",
    "build.target-dir",
];

/// What of a project's configuration counts in a build.
pub fn of_project(text: &str) -> Result<ProjectConfig, Error> {
    let mut document: DocumentMut = text.parse().map_err(|error| Error(Box::new(error)))?;
    let (registries, target) = (registries(&document), target(&document));
    let mut dropped = Vec::new();
    for key in LEFT_OUT {
        let removed = match key.split_once('.') {
            None => document.remove(key).is_some(),
            Some((table, key)) => table_in(&mut document, table).is_some_and(|table| table.remove(key).is_some()),
        };
        if removed {
            dropped.push((*key).to_owned());
        }
    }
    Ok(ProjectConfig { text: document.to_string(), dropped, registries, target })
}

fn table_in<'a>(document: &'a mut DocumentMut, key: &str) -> Option<&'a mut dyn TableLike> {
    document.get_mut(key)?.as_table_like_mut()
}

fn registries(document: &DocumentMut) -> BTreeMap<String, String> {
    let named = |(name, item): (&str, &Item)| Some((name.to_owned(), item.get("index")?.as_str()?.to_owned()));
    let all = document.get("registries").and_then(Item::as_table_like);
    all.into_iter().flat_map(TableLike::iter).filter_map(named).collect()
}

/// The one target, also where it stands in a list.
fn target(document: &DocumentMut) -> Option<String> {
    let target = document.get("build")?.get("target")?;
    let only = || target.as_array().filter(|all| all.len() == 1)?.get(0)?.as_str();
    target.as_str().or_else(only).map(str::to_owned)
}
