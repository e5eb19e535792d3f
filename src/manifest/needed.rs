//! Reads which packages of recipes another one needs. Pure.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::dependency::{name, param};
use super::parse::{Item, Text, entries, listed_versions, table};
use super::problem::{Findings, Invalid};
use super::schema::METADATA;
use super::source::text;
use super::{Needed, Param, check};
use crate::package::Range;
use crate::platform::expression;

/// What the table under a key names, in the order of the names.
pub(crate) fn needed(parent: &DeTable<'_>, key: &str, findings: &mut Findings<'_>) -> Vec<Needed> {
    entries(parent, key).filter_map(|(key, value)| one(key, value, findings)).collect()
}

/// A requirement by itself, or with more to say. Both are packages of recipes: nothing here is a crate.
fn one(key: &Text<'_>, value: &Item<'_>, findings: &mut Findings<'_>) -> Option<Needed> {
    let name = name(key, findings)?;
    let bare = |versions| Needed {
        recipe: name.as_str().to_owned(),
        name: name.clone(),
        versions,
        params: BTreeMap::new(),
        when: None,
    };
    match value.get_ref() {
        DeValue::String(_) => Some(bare(listed_versions(value, findings)?)),
        DeValue::Table(table) => {
            let versions = match table.get("version") {
                Some(version) => listed_versions(version, findings)?,
                None => Range::Any,
            };
            let plain = bare(versions);
            let recipe = text(table, "recipe").unwrap_or_else(|| plain.recipe.clone());
            if let Some(when) = table.get("when") {
                let text = when.get_ref().as_str().unwrap_or_default();
                expression(text).unwrap_or_else(|error| findings.add(when.span(), error.to_string()));
            }
            Some(Needed { recipe, params: params(table), when: text(table, "when"), ..plain })
        }
        _ => None,
    }
}

fn params(table: &DeTable<'_>) -> BTreeMap<String, Param> {
    let given = entries(table, "params");
    given.filter_map(|(key, value)| Some((key.get_ref().to_string(), param(value.get_ref())?))).collect()
}

/// What a package says itself: what it needs, and how it is made where nobody says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// What it needs to run.
    pub dependencies: Vec<Needed>,
    /// What it needs to be built.
    pub build_dependencies: Vec<Needed>,
    /// The recipe that makes it.
    pub recipe: Option<String>,
    /// Values of the recipe's params.
    pub params: BTreeMap<String, Param>,
}

/// The table of a Cargo.toml in which a package speaks to envy.
fn metadata<'t, 'i>(document: &'t DeTable<'i>) -> Option<&'t DeTable<'i>> {
    ["package", "metadata", "envy"].iter().try_fold(document, |at, key| table(at, key))
}

/// Whether a Cargo.toml has anything to say to envy.
pub fn states_anything(text: &str) -> bool {
    text.contains("envy") && DeTable::parse(text).is_ok_and(|document| metadata(document.get_ref()).is_some())
}

/// What `[package.metadata.envy]` of a Cargo.toml says; `file` is how messages call it.
pub fn stated(file: &str, toml: &str) -> Result<Stated, Invalid> {
    // Whatever else is wrong with it, cargo says.
    let Ok(document) = DeTable::parse(toml) else { return Ok(Stated::default()) };
    let Some(envy) = metadata(document.get_ref()) else { return Ok(Stated::default()) };
    let mut findings = Findings::new(file, toml);
    check::keys(envy, METADATA, &mut findings);
    let stated = Stated {
        dependencies: needed(envy, "dependencies", &mut findings),
        build_dependencies: needed(envy, "build-dependencies", &mut findings),
        recipe: text(envy, "recipe"),
        params: params(envy),
    };
    findings.into_result(stated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_states_what_it_needs() {
        let text = "[package]\nname = 'p'\n[package.metadata.envy]\ndependencies = { openssl = '>=3' }\n\
                    build-dependencies.tls = { recipe = 'openssl', params = { shared = false } }";
        let needs = stated("Cargo.toml", text).unwrap();
        assert_eq!(needs.dependencies[0].recipe, "openssl");
        assert_eq!(needs.dependencies[0].versions.to_string(), ">=3");
        assert_eq!(
            (needs.build_dependencies[0].name.as_str(), needs.build_dependencies[0].recipe.as_str()),
            ("tls", "openssl")
        );
        let nothing = stated("Cargo.toml", "[package]\nname = 'p'\n[package.metadata.docs.rs]\nx = 1").unwrap();
        assert_eq!(nothing, Stated::default());
    }

    #[test]
    fn a_package_states_how_it_is_made() {
        let text = "[package]\nname = 'p'\n[package.metadata.envy]\nrecipe = 'make'\nparams = { targets = ['all'] }";
        let made = stated("Cargo.toml", text).unwrap();
        assert_eq!(made.recipe.as_deref(), Some("make"));
        assert_eq!(made.params["targets"], Param::List(vec!["all".to_owned()]));
        assert!(states_anything(text) && !states_anything("[package]\nname = 'envy'"));
    }

    #[test]
    fn what_cannot_be_understood_is_told_with_its_place() {
        let invalid = stated("Cargo.toml", "[package.metadata.envy.dependencys]\nopenssl = '3'").unwrap_err();
        assert_eq!(invalid.problems[0].to_string(), "Cargo.toml:1:24: unknown key `dependencys`");
    }
}
