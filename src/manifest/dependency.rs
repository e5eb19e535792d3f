//! Reads one entry of a table of dependencies. Pure.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::check::integer;
use super::parse::{Item, Text, entries, requirement, strings};
use super::problem::Findings;
use super::schema::{DEPENDENCY, SHORT_PARAMS};
use super::{Asker, Dependency, Param};
use crate::package::{PackageName, ParseNameError, VersionReq};

/// The dependency that a key and its value stand for.
pub(super) fn read(key: &Text<'_>, value: &Item<'_>, by: &Asker, findings: &mut Findings<'_>) -> Option<Dependency> {
    let name = name(key, findings);
    let (versions, params, without) = match value.get_ref() {
        DeValue::String(_) => (requirement(value, findings), BTreeMap::new(), Vec::new()),
        DeValue::Table(table) => (version(key, table, findings), params(table, findings), without(table)),
        _ => return None,
    };
    let span = findings.span(key.span().start);
    Some(Dependency { name: name?, versions: versions?, by: by.clone(), params, without, span })
}

fn name(key: &Text<'_>, findings: &mut Findings<'_>) -> Option<PackageName> {
    let parsed = key.get_ref().parse();
    parsed.map_err(|error: ParseNameError| findings.add(key.span(), error.to_string())).ok()
}

fn version(key: &Text<'_>, table: &DeTable<'_>, findings: &mut Findings<'_>) -> Option<VersionReq> {
    if let Some(value) = table.get("version") {
        return requirement(value, findings);
    }
    // A source that only a later envy knows may do without, and was refused already.
    if !DEPENDENCY.iter().any(|known| known.later && table.contains_key(known.name)) {
        let message = format!("dependency `{}` has no `version`", key.get_ref());
        findings.add_with_hint(key.span(), message, "add one, as in `version = \"1\"`, or `version = \"*\"` for any");
    }
    None
}

fn without(table: &DeTable<'_>) -> Vec<String> {
    let paths = table.get("without").map(strings).unwrap_or_default();
    paths.into_iter().map(|(_, path)| path.to_owned()).collect()
}

/// The params of both places; one that is given twice is a problem of the later mention.
fn params(table: &DeTable<'_>, findings: &mut Findings<'_>) -> BTreeMap<String, Param> {
    let mut given: Vec<(Range<usize>, String, Param)> = table.iter().filter_map(short).collect();
    given.extend(
        entries(table, "params")
            .filter_map(|(key, value)| Some((key.span(), key.get_ref().to_string(), param(value.get_ref())?))),
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

fn param(value: &DeValue<'_>) -> Option<Param> {
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
