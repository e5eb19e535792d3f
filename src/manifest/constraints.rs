//! Reads `[constraints]`: which versions of a package would do, whoever asks for it. Pure.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::dependency::name;
use super::parse::{entries, listed_versions};
use super::problem::Findings;
use crate::package::{PackageName, Range};

/// The versions that each package is limited to. To be named here asks for nothing.
pub(super) fn constraints(document: &DeTable<'_>, findings: &mut Findings<'_>) -> BTreeMap<PackageName, Range> {
    let mut constraints = BTreeMap::new();
    for (key, value) in entries(document, "constraints") {
        if let (Some(name), Some(versions)) = (name(key, findings), listed_versions(value, findings)) {
            constraints.insert(name, versions);
        }
    }
    constraints
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::manifest::Manifest;
    use crate::manifest::tests::brief;

    #[test]
    fn a_package_is_limited_to_versions_of_cargo_or_to_one_of_a_recipe() {
        let text = "[constraints]\nzlib = '>=1.3, <2'\nopenssl = '1.1.1w'";
        let manifest = Manifest::parse("envy.toml", text).unwrap();
        let lines: Vec<_> = manifest.constraints().iter().map(|(name, to)| format!("{name} {to}")).collect();
        assert_eq!(lines, ["openssl =1.1.1w", "zlib >=1.3, <2"]);
    }

    #[test]
    fn a_constraint_that_limits_nothing_that_could_be_is_told() {
        brief("[constraints]\nzlib = '>=one'\n'z lib' = '1'\nx = { version = '1' }").is(expect![[r#"
            envy.toml:2:8: `>=one` is not a version requirement: unexpected character 'o' while parsing major version number
            envy.toml:3:1: `z lib` is not a name: use up to 64 letters, digits, `-` and `_`, beginning with a letter or digit
            envy.toml:4:5: `x` must be a string, not a table
        "#]]);
    }
}
