//! Reads which sites a site extends. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::de::DeTable;

use super::parse::strings;
use super::problem::{Findings, nearest};
use crate::package::SiteName;

/// Who extends whom, as far as that can be.
#[derive(Default)]
pub(super) struct Lineage {
    /// The sites that each one extends, in the order that it says.
    pub parents: BTreeMap<SiteName, Vec<SiteName>>,
    /// All sites, each after those that it extends.
    pub order: Vec<SiteName>,
}

/// The sites that each one says it extends, with the places where it does.
type Stated = BTreeMap<SiteName, Vec<(Range<usize>, SiteName)>>;

impl Lineage {
    /// What the tables of the sites say.
    pub fn of(tables: &BTreeMap<SiteName, &DeTable<'_>>, findings: &mut Findings<'_>) -> Self {
        let mut stated = Stated::new();
        for (name, table) in tables {
            stated.insert(name.clone(), extended(name, table, tables, findings));
        }
        let mut lineage = Self::default();
        for name in tables.keys() {
            lineage.visit(name, &stated, &mut Vec::new(), findings);
        }
        lineage
    }

    /// Bring a site in, after those that it extends.
    fn visit<'s>(
        &mut self,
        name: &'s SiteName,
        stated: &'s Stated,
        chain: &mut Vec<&'s SiteName>,
        findings: &mut Findings<'_>,
    ) {
        if self.parents.contains_key(name) {
            return;
        }
        chain.push(name);
        let mut parents = Vec::new();
        for (at, parent) in &stated[name] {
            if let Some(begin) = chain.iter().position(|one| *one == parent) {
                let circle: Vec<_> = chain[begin..].iter().chain([&parent]).map(|one| one.as_str()).collect();
                findings.add(at.clone(), format!("site `{parent}` extends itself: {}", circle.join(" → ")));
                continue;
            }
            self.visit(parent, stated, chain, findings);
            parents.push(parent.clone());
        }
        chain.pop();
        self.parents.insert(name.clone(), parents);
        self.order.push(name.clone());
    }
}

/// The sites that one names, without those that it cannot mean.
fn extended(
    name: &SiteName,
    table: &DeTable<'_>,
    tables: &BTreeMap<SiteName, &DeTable<'_>>,
    findings: &mut Findings<'_>,
) -> Vec<(Range<usize>, SiteName)> {
    let mut extended = Vec::new();
    let mut seen = BTreeSet::new();
    for (at, text) in table.get("extends").map(strings).unwrap_or_default() {
        let Some(parent) = tables.keys().find(|known| known.as_str() == text) else {
            unknown(name, text, at, tables, findings);
            continue;
        };
        if !seen.insert(parent) {
            findings.add(at, format!("site `{parent}` is listed twice"));
        } else if parent == name {
            findings.add(at, format!("site `{name}` cannot extend itself"));
        } else {
            extended.push((at, parent.clone()));
        }
    }
    extended
}

fn unknown(
    name: &SiteName,
    text: &str,
    at: Range<usize>,
    tables: &BTreeMap<SiteName, &DeTable<'_>>,
    findings: &mut Findings<'_>,
) {
    let message = format!("there is no site `{text}` that `{name}` could extend");
    match nearest(text, tables.keys().filter(|known| *known != name).map(SiteName::as_str)) {
        Some(near) => findings.add_with_hint(at, message, format!("did you mean `{near}`?")),
        None => findings.add(at, message),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::manifest::Manifest;
    use crate::manifest::tests::{brief, check};

    #[test]
    fn sites_that_cannot_be_extended_are_told_with_their_place() {
        check("[sites.base]\n[sites.a]\nextends = ['bsae', 'zzz', 'a', 'base', 'base']").is(expect![[r#"
            envy.toml:3:12: there is no site `bsae` that `a` could extend
              extends = ['bsae', 'zzz', 'a', 'base', 'base']
                         ^^^^^^
            hint: did you mean `base`?
            envy.toml:3:20: there is no site `zzz` that `a` could extend
              extends = ['bsae', 'zzz', 'a', 'base', 'base']
                                 ^^^^^
            envy.toml:3:27: site `a` cannot extend itself
              extends = ['bsae', 'zzz', 'a', 'base', 'base']
                                        ^^^
            envy.toml:3:40: site `base` is listed twice
              extends = ['bsae', 'zzz', 'a', 'base', 'base']
                                                     ^^^^^^
        "#]]);
        brief("[sites.a]\nextends = ['b']\n[sites.b]\nextends = ['c']\n[sites.c]\nextends = ['b', 'd']\n[sites.d]").is(
            expect![[r#"
                envy.toml:6:12: site `b` extends itself: b → c → b
            "#]],
        );
    }

    #[test]
    fn the_sites_that_a_change_of_one_reaches_are_those_that_extend_it_by_any_way() {
        let text = "[sites.a]\nextends = ['c']\n[sites.b]\n[sites.c]\nextends = ['d']\n[sites.d]";
        let manifest = Manifest::parse("envy.toml", text).unwrap();
        let names = |of: &str| -> Vec<String> {
            manifest.extending(&of.parse().unwrap()).iter().map(|site| site.name.to_string()).collect()
        };
        assert_eq!((names("d"), names("c"), names("b")), (vec!["a".into(), "c".into()], vec!["a".into()], vec![]));
    }
}
