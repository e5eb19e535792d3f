//! A bill of materials as SPDX 2.3 writes it, in JSON. Pure.

use serde_json::{Value, json};

use super::bill::{Bill, Component, Role};
use super::licence;
use crate::digest::TextDigest;

/// The format wants a time. A bill is the same whenever it is written, so it has the first one.
const CREATED: &str = "1970-01-01T00:00:00Z";

const NOBODY_SAYS: &str = "NOASSERTION";

/// The document.
pub fn document(bill: &Bill) -> Value {
    let root = json!({
        "SPDXID": identifier(&bill.root()),
        "name": bill.site,
        "downloadLocation": NOBODY_SAYS,
        "filesAnalyzed": false,
        "licenseConcluded": NOBODY_SAYS,
        "licenseDeclared": NOBODY_SAYS,
        "copyrightText": NOBODY_SAYS,
        "primaryPackagePurpose": "INSTALL",
        "comment": bill.properties.iter().map(|(name, value)| format!("{name}={value}\n")).collect::<String>(),
    });
    let packages: Vec<_> = std::iter::once(root).chain(bill.components.iter().map(package)).collect();
    let mut document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": bill.site,
        "creationInfo": {
            "created": CREATED,
            "creators": [concat!("Tool: envy-", env!("CARGO_PKG_VERSION"))],
        },
        "packages": packages,
        "relationships": relationships(bill),
    });
    let digest = TextDigest::of(document.to_string().as_bytes());
    document["documentNamespace"] = format!("urn:envy:spdx:{}", digest.hex()).into();
    document
}

fn package((name, component): (&String, &Component)) -> Value {
    let declared = component.licence.as_deref().and_then(licence::expression);
    let location = component.distribution.clone().or_else(|| Some(format!("git+{}", component.repository.as_ref()?)));
    let mut value = json!({
        "SPDXID": identifier(name),
        "name": component.name,
        "versionInfo": component.version,
        "downloadLocation": location.unwrap_or_else(|| NOBODY_SAYS.to_owned()),
        "filesAnalyzed": false,
        "licenseConcluded": NOBODY_SAYS,
        "licenseDeclared": declared.unwrap_or_else(|| NOBODY_SAYS.to_owned()),
        "copyrightText": NOBODY_SAYS,
        "primaryPackagePurpose": if component.role == Role::Asked { "APPLICATION" } else { "LIBRARY" },
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": component.purl,
        }],
    });
    if let Some(archive) = component.archive {
        value["checksums"] = json!([{ "algorithm": "SHA256", "checksumValue": archive.hex() }]);
    }
    if let Some(summary) = &component.summary {
        value["summary"] = summary.as_str().into();
    }
    if let Some(homepage) = &component.homepage {
        value["homepage"] = homepage.as_str().into();
    }
    value
}

fn relationships(bill: &Bill) -> Value {
    let relation = |from: &str, kind: &str, to: &str| json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to });
    let root = identifier(&bill.root());
    let mut all = vec![relation("SPDXRef-DOCUMENT", "DESCRIBES", &root)];
    all.extend(bill.asked.iter().map(|name| relation(&root, "DEPENDS_ON", &identifier(name))));
    for (name, component) in &bill.components {
        for needed in &component.needs {
            let is_tool = bill.components.get(needed).is_some_and(|needed| needed.role == Role::Tool);
            let (from, to) = (identifier(name), identifier(needed));
            all.push(match is_tool {
                true => relation(&to, "BUILD_DEPENDENCY_OF", &from),
                false => relation(&from, "DEPENDS_ON", &to),
            });
        }
    }
    all.into()
}

/// The format takes letters, digits, dots and dashes.
fn identifier(name: &str) -> String {
    let plain: String =
        name.chars().map(|one| if one.is_ascii_alphanumeric() || one == '.' { one } else { '-' }).collect();
    // Two names may differ in what was left out.
    format!("SPDXRef-{}-{}", plain.chars().take(80).collect::<String>(), &TextDigest::of(name.as_bytes()).hex()[..8])
}
