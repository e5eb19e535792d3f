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
            Some(Needed { recipe, params: params(table), when: text(table, "when"), ..plain })
        }
        _ => None,
    }
}

fn params(table: &DeTable<'_>) -> BTreeMap<String, Param> {
    let given = entries(table, "params");
    given.filter_map(|(key, value)| Some((key.get_ref().to_string(), param(value.get_ref())?))).collect()
}

/// What a package says itself that it needs: to run, and to be built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatedNeeds {
    /// To run.
    pub dependencies: Vec<Needed>,
    /// To be built.
    pub build_dependencies: Vec<Needed>,
}

/// What `[package.metadata.envy]` of a Cargo.toml says; `file` is how messages call it.
pub fn stated_needs(file: &str, text: &str) -> Result<StatedNeeds, Invalid> {
    // Whatever else is wrong with it, cargo says.
    let Ok(document) = DeTable::parse(text) else { return Ok(StatedNeeds::default()) };
    let envy = ["package", "metadata", "envy"].iter().try_fold(document.get_ref(), |at, key| table(at, key));
    let Some(envy) = envy else { return Ok(StatedNeeds::default()) };
    let mut findings = Findings::new(file, text);
    check::keys(envy, METADATA, &mut findings);
    let needs = StatedNeeds {
        dependencies: needed(envy, "dependencies", &mut findings),
        build_dependencies: needed(envy, "build-dependencies", &mut findings),
    };
    findings.into_result(needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_states_what_it_needs() {
        let text = "[package]\nname = 'p'\n[package.metadata.envy]\ndependencies = { openssl = '>=3' }\n\
                    build-dependencies.tls = { recipe = 'openssl', params = { shared = false } }";
        let needs = stated_needs("Cargo.toml", text).unwrap();
        assert_eq!(needs.dependencies[0].recipe, "openssl");
        assert_eq!(needs.dependencies[0].versions.to_string(), ">=3");
        assert_eq!(
            (needs.build_dependencies[0].name.as_str(), needs.build_dependencies[0].recipe.as_str()),
            ("tls", "openssl")
        );
        let nothing = stated_needs("Cargo.toml", "[package]\nname = 'p'\n[package.metadata.docs.rs]\nx = 1").unwrap();
        assert_eq!(nothing, StatedNeeds::default());
    }

    #[test]
    fn what_cannot_be_understood_is_told_with_its_place() {
        let invalid = stated_needs("Cargo.toml", "[package.metadata.envy.dependencys]\nopenssl = '3'").unwrap_err();
        assert_eq!(invalid.problems[0].to_string(), "Cargo.toml:1:24: unknown key `dependencys`");
    }
}
