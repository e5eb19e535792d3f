//! Reading a recipe's file. Pure.
//!
//! The text is compared with the keys that a recipe may have, then its values are read; everything that is wrong with it
//! is told at once, each with its place.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::params::Kind;
use super::{Error, Param, Part, Release, Step, Value};
use crate::manifest::{
    self, Findings, Invalid, Item, Key, NEEDED, Needed, Shape, Source, Text, entries, now, place, strings, table, text,
};
use crate::package::Version;
use crate::platform::{Platform, Platforms};
use crate::source::Patch;

/// Every key of a recipe.
const RECIPE: &[Key] = &[
    now("summary", Shape::String),
    now("homepage", Shape::String),
    now("license", Shape::String),
    now("example", Shape::String),
    now("extends", Shape::String),
    now("tools", Shape::Strings),
    now("platforms", Shape::Strings),
    now("inputs", Shape::Table(&[now("vendor", Shape::Table(&[now("cargo-lock", Shape::String)]))])),
    now("patches", Shape::Strings),
    now("versions", Shape::Each(&Shape::Table(VERSION))),
    now("dependencies", NEEDED),
    now("build-dependencies", NEEDED),
    now("params", Shape::Each(&Shape::Table(PARAM))),
    now("set", Shape::Each(&Shape::Param)),
    now("platform", Shape::Each(&Shape::Table(PLATFORM))),
    now("env", Shape::Each(&Shape::String)),
    now("step", Shape::Tables(&[now("name", Shape::String), now("run", Shape::String)])),
    now("check", Shape::Strings),
];

const VERSION: &[Key] = &[
    now("url", Shape::String),
    now("sha256", Shape::String),
    now("strip", Shape::Integer),
    now("subdir", Shape::String),
    now("platform", Shape::Each(&Shape::Table(&[now("url", Shape::String), now("sha256", Shape::String)]))),
    now("crate", Shape::String),
    now("crate-version", Shape::String),
    now("platforms", Shape::Strings),
    now("patches", Shape::Strings),
    now("set", Shape::Each(&Shape::Param)),
];

const PARAM: &[Key] = &[
    now("type", Shape::String),
    now("default", Shape::Param),
    now("values", Shape::Strings),
    now("doc", Shape::String),
];

const PLATFORM: &[Key] = &[now("set", Shape::Each(&Shape::Param)), now("tools", Shape::Strings)];

/// What one file says, before what it extends is added.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    pub summary: String,
    pub homepage: Option<String>,
    pub license: Option<String>,
    pub example: Option<String>,
    pub extends: Option<String>,
    pub platforms: Platforms,
    pub vendor: Option<String>,
    pub patches: Vec<Patch>,
    pub releases: BTreeMap<Version, Release>,
    pub dependencies: Vec<Needed>,
    pub build_dependencies: Vec<Needed>,
    pub params: BTreeMap<String, Param>,
    /// What it says on some platforms only, and what it says everywhere.
    pub parts: Vec<(Option<Platform>, Part)>,
    pub env: BTreeMap<String, String>,
    pub steps: Vec<Step>,
    pub checks: Vec<String>,
}

/// Gives the bytes of a patch that a recipe names.
pub(super) type Read<'a> = dyn Fn(&str) -> Result<Option<Vec<u8>>, Error> + 'a;

/// Read the text of a recipe; `file` is how messages call it.
pub(super) fn read(name: &str, file: &str, text: &str, patch: &Read<'_>) -> Result<File, Error> {
    let malformed = |source| Error::Malformed { recipe: name.to_owned(), source };
    let document = document(file, text).map_err(malformed)?;
    let mut findings = Findings::new(file, text);
    let mut reader = Reader { name, findings: &mut findings, patch, failed: None };
    let read = reader.file(document.get_ref());
    if let Some(error) = reader.failed {
        return Err(error);
    }
    findings.into_result(read).map_err(malformed)
}

/// The document, with keys that a recipe may have.
fn document<'t>(file: &str, text: &'t str) -> Result<toml::Spanned<DeTable<'t>>, Invalid> {
    let mut findings = Findings::new(file, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    match errors.first() {
        Some(error) => manifest::syntax_error(error, text, &mut findings),
        None => manifest::keys(document.get_ref(), RECIPE, &mut findings),
    }
    findings.into_result(document)
}

struct Reader<'f, 't, 'p> {
    name: &'p str,
    findings: &'f mut Findings<'t>,
    patch: &'p Read<'p>,
    failed: Option<Error>,
}

impl Reader<'_, '_, '_> {
    fn file(&mut self, document: &DeTable<'_>) -> File {
        if !document.contains_key("summary") {
            self.findings.add(0..0, "a recipe says what it does in a line: `summary = \"…\"`");
        }
        let inputs = table(document, "inputs");
        let vendor = inputs.and_then(|inputs| table(inputs, "vendor")).and_then(|vendor| text(vendor, "cargo-lock"));
        let everywhere = (None, Part { tools: list(document, "tools"), set: set(document) });
        let platforms = entries(document, "platform").filter_map(|(key, value)| self.platform(key, value));
        let parts = platforms.collect::<Vec<_>>().into_iter().chain([everywhere]).collect();
        File {
            summary: text(document, "summary").unwrap_or_default(),
            homepage: text(document, "homepage"),
            license: text(document, "license"),
            example: text(document, "example"),
            extends: text(document, "extends"),
            platforms: self.platforms(document),
            vendor,
            patches: self.patches(document),
            releases: entries(document, "versions").filter_map(|(key, value)| self.release(key, value)).collect(),
            dependencies: manifest::needed(document, "dependencies", self.findings),
            build_dependencies: manifest::needed(document, "build-dependencies", self.findings),
            params: entries(document, "params").filter_map(|(key, value)| self.param(key, value)).collect(),
            parts,
            env: entries(document, "env").filter_map(|(key, value)| self.variable(key, value)).collect(),
            steps: self.steps(document),
            checks: list(document, "check"),
        }
    }

    /// The platforms that it is for; nothing where it is for all.
    fn platforms(&mut self, own: &DeTable<'_>) -> Platforms {
        let named = own.get("platforms").map(strings).unwrap_or_default();
        if own.contains_key("platforms") && named.is_empty() {
            self.findings.add(place(own, "platforms"), "`platforms` lists no platform");
        }
        let read = |(at, name): (_, &str)| name.parse().map_err(|error| (at, error));
        let mut platforms = Platforms::new();
        for one in named.into_iter().map(read) {
            match one {
                Ok(platform) => drop(platforms.insert(platform)),
                Err((at, error)) => {
                    let error: crate::platform::ParsePlatformError = error;
                    self.findings.add(at, error.to_string());
                }
            }
        }
        platforms
    }

    fn platform(&mut self, key: &Text<'_>, value: &Item<'_>) -> Option<(Option<Platform>, Part)> {
        let own = value.get_ref().as_table()?;
        match key.get_ref().parse::<Platform>() {
            Ok(platform) => Some((Some(platform), Part { tools: list(own, "tools"), set: set(own) })),
            Err(error) => {
                self.findings.add(key.span(), error.to_string());
                None
            }
        }
    }

    fn variable(&mut self, key: &Text<'_>, value: &Item<'_>) -> Option<(String, String)> {
        let name = key.get_ref().to_string();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !name.bytes().all(plain) || name.bytes().next().is_none_or(|first| first.is_ascii_digit()) {
            self.findings.add(key.span(), format!("`{name}` cannot be the name of a variable"));
        }
        Some((name, value.get_ref().as_str()?.to_owned()))
    }

    fn steps(&mut self, document: &DeTable<'_>) -> Vec<Step> {
        let mut steps = Vec::new();
        let written = document.get("step").and_then(|value| value.get_ref().as_array());
        for step in written.into_iter().flat_map(|list| list.iter()) {
            let Some(own) = step.get_ref().as_table() else { continue };
            let name = text(own, "name").unwrap_or_else(|| format!("{}", steps.len() + 1));
            match text(own, "run") {
                Some(run) => steps.push(Step { name, run }),
                None => self.findings.add(step.span(), format!("step `{name}` has no `run`")),
            }
        }
        steps
    }

    fn param(&mut self, key: &Text<'_>, value: &Item<'_>) -> Option<(String, Param)> {
        let (name, own) = (key.get_ref().to_string(), value.get_ref().as_table()?);
        let kind = self.kind(key, own)?;
        let default = match own.get("default") {
            Some(value) => manifest::param(value.get_ref()).map(|value| Value::from(&value)),
            None => Some(kind.empty()),
        };
        let default = default.unwrap_or_else(|| kind.empty());
        if let Err(wanted) = kind.accepts(&default) {
            self.findings.add(place(own, "default"), format!("the default of param `{name}` must be {wanted}"));
        }
        Some((name, Param { kind, default, doc: text(own, "doc").unwrap_or_default(), of: self.name.to_owned() }))
    }

    fn kind(&mut self, key: &Text<'_>, own: &DeTable<'_>) -> Option<Kind> {
        let Some(written) = text(own, "type") else {
            let message = format!("param `{}` has no `type`", key.get_ref());
            self.findings.add_with_hint(key.span(), message, format!("a type is one of {}", Kind::NAMES.join(", ")));
            return None;
        };
        let values = list(own, "values");
        let kind = Kind::of(&written, values.clone());
        match &kind {
            None => {
                let hint = format!("a type is one of {}", Kind::NAMES.join(", "));
                self.findings.add_with_hint(place(own, "type"), format!("`{written}` is no type of a param"), hint);
            }
            Some(Kind::Enum(values)) if values.is_empty() => {
                self.findings.add(key.span(), "an enum lists its `values`");
            }
            Some(Kind::Enum(_)) => {}
            Some(_) if !values.is_empty() => {
                self.findings.add(place(own, "values"), "only an enum lists its `values`");
            }
            Some(_) => {}
        }
        kind
    }

    fn release(&mut self, key: &Text<'_>, value: &Item<'_>) -> Option<(Version, Release)> {
        let own = value.get_ref().as_table()?;
        let version = match Version::loose(key.get_ref()) {
            Ok(version) => version,
            Err(error) => {
                self.findings.add(key.span(), error.to_string());
                return None;
            }
        };
        let (source, patches) = (self.source(key, own), self.patches(own));
        let release = Release { source, patches, set: set(own), platforms: self.platforms(own) };
        Some((version, release))
    }

    fn source(&mut self, key: &Text<'_>, own: &DeTable<'_>) -> Source {
        match (text(own, "url"), text(own, "crate")) {
            (Some(_), Some(_)) => {
                self.findings.add(place(own, "crate"), "a version has one source, and here are `url` and `crate`");
                Source::Nothing
            }
            (Some(url), None) => {
                let archive = manifest::archive(own, url, self.findings);
                let summed = archive.sha256.is_some() || archive.platforms.values().any(|one| one.sha256.is_some());
                if !summed {
                    let message = format!("version `{}` has a `url` without its `sha256`", key.get_ref());
                    self.findings.add(place(own, "url"), message);
                }
                Source::Archive(archive)
            }
            (None, Some(name)) => self.carried(key, own, name),
            (None, None) => {
                if own.contains_key("sha256") {
                    self.findings.add(place(own, "sha256"), "`sha256` goes with `url` or `crate`");
                }
                Source::Nothing
            }
        }
    }

    fn carried(&mut self, key: &Text<'_>, own: &DeTable<'_>, name: String) -> Source {
        match (text(own, "crate-version"), manifest::checksum(own, self.findings)) {
            (Some(version), Some(sha256)) => {
                Source::Carried { name, version, sha256, subdir: manifest::subdir(own, self.findings) }
            }
            _ => {
                let message = format!("version `{}` of a crate needs `crate-version` and `sha256`", key.get_ref());
                self.findings.add(place(own, "crate"), message);
                Source::Nothing
            }
        }
    }

    fn patches(&mut self, own: &DeTable<'_>) -> Vec<Patch> {
        let mut patches = Vec::new();
        for (at, name) in own.get("patches").map(strings).unwrap_or_default() {
            if name.starts_with('/') || name.split('/').any(|part| matches!(part, "" | "." | "..")) {
                self.findings.add(at, format!("`{name}` is not a file beside the recipe"));
                continue;
            }
            match (self.patch)(name) {
                Ok(Some(text)) => patches.push(Patch { name: name.to_owned(), text }),
                Ok(None) => self.findings.add(at, format!("there is no `{name}` beside the recipe")),
                Err(error) => self.failed = Some(error),
            }
        }
        patches
    }
}

fn list(own: &DeTable<'_>, key: &str) -> Vec<String> {
    let texts = own.get(key).map(strings).unwrap_or_default();
    texts.into_iter().map(|(_, text)| text.to_owned()).collect()
}

fn set(own: &DeTable<'_>) -> BTreeMap<String, Value> {
    let given = entries(own, "set");
    let value = |value: &DeValue<'_>| manifest::param(value).map(|value| Value::from(&value));
    given.filter_map(|(key, item)| Some((key.get_ref().to_string(), value(item.get_ref())?))).collect()
}
