//! A bill of materials as CycloneDX 1.6 writes it, in JSON. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::bill::{Bill, Component, Role, uuid};
use super::licence;
use crate::digest::TextDigest;

/// The document.
pub fn document(bill: &Bill) -> Value {
    let mut document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": { "components": [
                { "type": "application", "name": "envy", "version": env!("CARGO_PKG_VERSION") },
            ] },
            "component": {
                "type": "application",
                "bom-ref": bill.root(),
                "name": bill.site,
                "properties": properties(&bill.properties),
            },
        },
        "components": bill.components.iter().map(|(name, one)| component(name, one)).collect::<Vec<_>>(),
        "dependencies": dependencies(bill),
    });
    let digest = TextDigest::of(document.to_string().as_bytes());
    document["serialNumber"] = format!("urn:uuid:{}", uuid(digest)).into();
    document
}

fn component(name: &str, component: &Component) -> Value {
    let (kind, scope) = match component.role {
        Role::Asked => ("application", "required"),
        Role::Needed | Role::Crate => ("library", "required"),
        Role::Tool => ("application", "excluded"),
    };
    let mut value = json!({
        "type": kind,
        "bom-ref": name,
        "name": component.name,
        "version": component.version,
        "purl": component.purl,
        "scope": scope,
    });
    if let Some(summary) = &component.summary {
        value["description"] = summary.as_str().into();
    }
    if let Some(archive) = component.archive {
        value["hashes"] = json!([{ "alg": "SHA-256", "content": archive.hex() }]);
    }
    if let Some(written) = &component.licence {
        value["licenses"] = match licence::expression(written) {
            Some(expression) => json!([{ "expression": expression }]),
            None => json!([{ "license": { "name": written } }]),
        };
    }
    let references =
        [("distribution", &component.distribution), ("vcs", &component.repository), ("website", &component.homepage)];
    let references: Vec<_> =
        references.iter().filter_map(|(kind, url)| Some(json!({ "type": kind, "url": url.as_ref()? }))).collect();
    if !references.is_empty() {
        value["externalReferences"] = references.into();
    }
    if !component.properties.is_empty() {
        value["properties"] = properties(&component.properties);
    }
    value
}

fn dependencies(bill: &Bill) -> Value {
    let root = json!({ "ref": bill.root(), "dependsOn": bill.asked });
    let one = |(name, one): (&String, &Component)| match one.needs.is_empty() {
        true => json!({ "ref": name }),
        false => json!({ "ref": name, "dependsOn": one.needs }),
    };
    std::iter::once(root).chain(bill.components.iter().map(one)).collect()
}

fn properties(properties: &BTreeMap<String, String>) -> Value {
    properties.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}
