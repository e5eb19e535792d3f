//! Reads the `env` and the `vars` of a site. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::Value;
use super::check::integer;
use super::parse::{Item, entries, table};
use super::placeholder::{BUILT_IN, Piece, pieces};
use super::problem::{Findings, listed, nearest};

/// The site's vars.
pub(super) fn vars(site: &DeTable<'_>, findings: &mut Findings<'_>) -> BTreeMap<String, Value> {
    let mut vars = BTreeMap::new();
    for (key, value) in entries(site, "vars") {
        let name = key.get_ref().as_ref();
        if BUILT_IN.contains(&name) {
            findings.add(key.span(), format!("var `{name}` would hide the `{{{name}}}` that every site has"));
        } else if !is_variable(name) {
            findings.add(key.span(), not_a_variable(name));
        } else if let Some(value) = var(value.get_ref()) {
            vars.insert(name.to_owned(), value);
        }
    }
    vars
}

/// The site's variables, their placeholders checked: they name its own vars, or those that it takes over.
pub(super) fn env(
    site: &DeTable<'_>,
    taken: &BTreeMap<String, Value>,
    findings: &mut Findings<'_>,
) -> BTreeMap<String, String> {
    let vars = table(site, "vars").into_iter().flat_map(|vars| vars.keys()).map(|key| key.get_ref().as_ref());
    let vars = vars.filter(|name| is_variable(name) && !BUILT_IN.contains(name));
    let known: Vec<&str> = BUILT_IN.into_iter().chain(vars).chain(taken.keys().map(String::as_str)).collect();
    let mut env = BTreeMap::new();
    for (key, item) in entries(site, "env") {
        let name = key.get_ref().as_ref();
        if !is_variable(name) {
            findings.add(key.span(), not_a_variable(name));
        }
        if let Some(value) = item.get_ref().as_str() {
            env_value(item, value, &known, findings);
            env.insert(name.to_owned(), value.to_owned());
        }
    }
    env
}

fn env_value(item: &Item<'_>, value: &str, known: &[&str], findings: &mut Findings<'_>) {
    if value.contains('\0') {
        findings.add(item.span(), "a variable cannot hold a NUL character");
    }
    placeholders(item, value, known, findings);
}

/// Note placeholders of a value that nobody knows.
pub(super) fn placeholders(item: &Item<'_>, value: &str, known: &[&str], findings: &mut Findings<'_>) {
    for piece in pieces(value) {
        match piece {
            Piece::Name(name, at) if !known.contains(&name) => {
                let at = place(item, value, at, findings);
                findings.add_with_hint(at, format!("unknown placeholder `{{{name}}}`"), placeholder_hint(name, known));
            }
            Piece::Stray(brace, at) => {
                let at = place(item, value, at, findings);
                findings.add_with_hint(
                    at,
                    format!("`{brace}` has no partner"),
                    format!("write `{brace}{brace}` for a brace"),
                );
            }
            Piece::Name(..) | Piece::Text(_) => {}
        }
    }
}

/// Where a part of a value stands in the text: exactly, unless the string is written with escapes.
fn place(item: &Item<'_>, value: &str, part: Range<usize>, findings: &Findings<'_>) -> Range<usize> {
    match findings.text(item.span()).find(value) {
        Some(begin) => item.span().start + begin + part.start..item.span().start + begin + part.end,
        None => item.span(),
    }
}

fn placeholder_hint(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{{{near}}}`?"),
        None => {
            let known: Vec<String> = known.iter().map(|name| format!("{{{name}}}")).collect();
            format!("known are {}; `{{{{` and `}}}}` stand for braces", listed(known.iter().map(String::as_str)))
        }
    }
}

fn var(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(Value::String(text.to_string())),
        DeValue::Integer(written) => integer(written).map(Value::Int),
        DeValue::Float(written) => written.as_str().parse().ok().map(Value::Float),
        DeValue::Boolean(on) => Some(Value::Bool(*on)),
        _ => None,
    }
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn not_a_variable(name: &str) -> String {
    format!("`{name}` is not the name of a variable: use letters, digits and `_`, not beginning with a digit")
}
