//! Reads one entry of a table of dependencies. Pure.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::check::integer;
use super::needed::needed;
use super::parse::{Item, Text, entries, listed_versions, requirement, strings};
use super::problem::Findings;
use super::schema::SHORT_PARAMS;
use super::{ArchiveSource, Asker, Dependency, ExcludeNewer, GitReference, Param, Source, source};
use crate::package::{Cutoff, PackageName, ParseNameError, Range as Versions, Version};
use crate::platform::Condition;

/// The dependency that a key and its value stand for.
pub(super) fn read(key: &Text<'_>, value: &Item<'_>, by: &Asker, findings: &mut Findings<'_>) -> Option<Dependency> {
    let name = name(key, findings);
    let span = findings.span(key.span().start);
    let bare = |versions| {
        Some(Dependency {
            name: name.clone()?,
            source: Source::crates_io(),
            versions,
            by: by.clone(),
            recipe: None,
            patches: Vec::new(),
            exclude_newer: None,
            when: None,
            params: BTreeMap::new(),
            without: Vec::new(),
            dependencies: Vec::new(),
            build_dependencies: Vec::new(),
            span,
        })
    };
    match value.get_ref() {
        DeValue::String(_) => bare(requirement(value, findings)?.into()),
        DeValue::Table(table) => {
            let source = source::read(key, table, findings);
            let params = params(table, findings);
            let dependency = bare(versions(key, table, &source, findings)?)?;
            let recipe = table.get("recipe").and_then(|recipe| recipe.get_ref().as_str()).map(str::to_owned);
            let exclude_newer = table.get("exclude-newer").and_then(|value| exclude_newer(value, findings));
            let when = table.get("when").and_then(|value| condition(value, by, findings));
            Some(Dependency {
                source,
                recipe,
                patches: list(table, "patches"),
                exclude_newer,
                when,
                params,
                without: list(table, "without"),
                dependencies: needed(table, "dependencies", findings),
                build_dependencies: needed(table, "build-dependencies", findings),
                ..dependency
            })
        }
        _ => None,
    }
}

/// The platforms that it is asked for on.
fn condition(value: &Item<'_>, by: &Asker, findings: &mut Findings<'_>) -> Option<Condition> {
    if *by == Asker::Overrides {
        let hint = "a package has one version and one source, on all platforms";
        findings.add_with_hint(value.span(), "an override holds everywhere, and has no `when`", hint);
        return None;
    }
    let parsed = Condition::parse(value.get_ref().as_str()?);
    parsed.map_err(|error| findings.add(value.span(), error.to_string())).ok()
}

/// How new something may be.
pub(super) fn exclude_newer(value: &Item<'_>, findings: &mut Findings<'_>) -> Option<ExcludeNewer> {
    match value.get_ref() {
        DeValue::Boolean(false) => Some(ExcludeNewer::Off),
        DeValue::String(text) => {
            let cutoff = Cutoff::parse(text).map_err(|error| findings.add(value.span(), error.to_string())).ok()?;
            Some(ExcludeNewer::Than { text: text.to_string(), cutoff })
        }
        _ => None,
    }
}

pub(super) fn name(key: &Text<'_>, findings: &mut Findings<'_>) -> Option<PackageName> {
    let parsed = key.get_ref().parse();
    parsed.map_err(|error: ParseNameError| findings.add(key.span(), error.to_string())).ok()
}

/// The versions that would do. A crate has to say; an archive names the only one there is; of other sources, any does.
fn versions(key: &Text<'_>, table: &DeTable<'_>, source: &Source, findings: &mut Findings<'_>) -> Option<Versions> {
    let Some(value) = table.get("version") else { return without_version(key, source, findings) };
    match source {
        Source::Archive(_) => {}
        Source::Recipe { .. } => return listed_versions(value, findings),
        _ => return Some(requirement(value, findings)?.into()),
    }
    let text = value.get_ref().as_str()?;
    let parsed = Version::loose(text);
    let noted = parsed.map_err(|error| findings.add(value.span(), format!("an archive has one version, but {error}")));
    noted.ok().map(Versions::Exactly)
}

fn without_version(key: &Text<'_>, source: &Source, findings: &mut Findings<'_>) -> Option<Versions> {
    let hint = match source {
        Source::Crate { .. } => "add one, as in `version = \"1\"`, or `version = \"*\"` for any",
        Source::Archive(ArchiveSource { url, .. }) if url.contains("{version}") => {
            "its `url` names it by `{version}`: add it, as in `version = \"1.2\"`"
        }
        Source::Git { reference: GitReference::Versions, .. } => {
            unreachable!("tags are versions where a version is asked for")
        }
        Source::Git { .. } | Source::Path { .. } | Source::Archive(_) => return Some(Versions::Any),
        // A recipe lists few versions, and each was chosen to be there.
        Source::Recipe { .. } | Source::Carried { .. } | Source::Nothing => return Some(Versions::Any),
    };
    findings.add_with_hint(key.span(), format!("dependency `{}` has no `version`", key.get_ref()), hint);
    None
}

fn list(table: &DeTable<'_>, key: &str) -> Vec<String> {
    let texts = table.get(key).map(strings).unwrap_or_default();
    texts.into_iter().map(|(_, text)| text.to_owned()).collect()
}

/// The params of both places; one that is given twice is a problem of the later mention.
fn params(table: &DeTable<'_>, findings: &mut Findings<'_>) -> BTreeMap<String, Param> {
    let mut given: Vec<(Range<usize>, String, Param)> = table.iter().filter_map(short).collect();
    given.extend(
        entries(table, "params")
            .filter_map(|(key, value)| Some((key.span(), key.get_ref().to_string(), param(value.get_ref())?))),
    );
    given.extend(
        source::install(table)
            .map(|install| (source::place(table, "install"), "install".to_owned(), Param::List(install))),
    );
    given.sort_by_key(|(at, ..)| at.start);
    let mut params = BTreeMap::new();
    for (at, name, value) in given {
        match params.entry(name) {
            Entry::Occupied(first) => findings.add(at, format!("param `{}` is given twice", first.key())),
            Entry::Vacant(free) => {
                free.insert(value);
            }
        }
    }
    params
}

/// A param that stands beside `version`.
fn short((key, value): (&Text<'_>, &Item<'_>)) -> Option<(Range<usize>, String, Param)> {
    let value = param(value.get_ref())?;
    match (key.get_ref().as_ref(), value) {
        // Cargo says what it wants, the recipe says what it leaves out.
        ("default-features", Param::Bool(on)) => Some((key.span(), "no-default-features".into(), Param::Bool(!on))),
        (name, value) if SHORT_PARAMS.contains(&name) => Some((key.span(), name.to_owned(), value)),
        _ => None,
    }
}

pub(crate) fn param(value: &DeValue<'_>) -> Option<Param> {
    match value {
        DeValue::Boolean(on) => Some(Param::Bool(*on)),
        DeValue::Integer(written) => integer(written).map(Param::Int),
        DeValue::String(text) => Some(Param::String(text.to_string())),
        DeValue::Array(list) => {
            Some(Param::List(list.iter().filter_map(|element| element.get_ref().as_str()).map(str::to_owned).collect()))
        }
        _ => None,
    }
}
