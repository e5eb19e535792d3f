//! The part of a manifest that one site needs, and putting that into another manifest. Pure.

use toml::{Table, Value};
use toml_edit::{DocumentMut, Item};

use super::edit::{EditError, create_item, delete_site, parse};
use super::{Manifest, layout};
use crate::package::SiteName;

/// What belongs to whoever uses a manifest, and not to what its sites are.
const OF_THE_USER: [&str; 1] = ["remote"];

impl Manifest {
    /// A site, and all that it starts from.
    pub fn lineage(&self, site: &SiteName) -> Vec<SiteName> {
        let (mut open, mut all) = (vec![site.clone()], Vec::new());
        while let Some(name) = open.pop() {
            if let Some(site) = self.site(&name).filter(|_| !all.contains(&name)) {
                open.extend(site.extends.iter().cloned());
                all.push(name);
            }
        }
        all.sort();
        all
    }
}

/// The text of a manifest with these sites alone, and without what belongs to its user.
pub fn carried(text: &str, sites: &[SiteName]) -> Result<String, EditError> {
    let document = parse(text)?;
    let there = document.get("sites").and_then(Item::as_table_like);
    let others = there.into_iter().flat_map(|sites| sites.iter()).map(|(name, _)| name.to_owned());
    let others = others.filter(|name| sites.iter().all(|site| site.as_str() != name));
    let others: Vec<SiteName> = others.filter_map(|name| name.parse().ok()).collect();
    let text = others.iter().try_fold(text.to_owned(), |text, name| delete_site(&text, name))?;
    let mut document = parse(&text)?;
    for key in OF_THE_USER {
        layout::take_out(&mut document, &[], key);
    }
    Ok(document.to_string().trim_start_matches('\n').to_owned())
}

/// The same manifest with another name for one site.
pub fn renamed(text: &str, from: &SiteName, to: &SiteName) -> Result<String, EditError> {
    if from == to {
        return Ok(text.to_owned());
    }
    delete_site(&super::edit::copy_site(text, from, to)?, from)
}

/// The top-level tables that two manifests do not have alike, sites left out: what is there is there for all sites.
pub fn differences(one: &str, other: &str) -> Vec<String> {
    let (one, other) = (shared(one), shared(other));
    let mut names: Vec<_> = one.keys().chain(other.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names.retain(|name| one.get(name) != other.get(name));
    names
}

/// Whether two manifests say the same of a site in its own tables.
pub fn say_the_same(one: &str, other: &str, site: &SiteName) -> bool {
    let of = |text: &str| Some(text.parse::<Table>().ok()?.get("sites")?.get(site.as_str())?.clone());
    of(one) == of(other)
}

/// What a manifest says for all sites, less its name, and tables that are empty.
fn shared(text: &str) -> Table {
    let mut table: Table = text.parse().unwrap_or_default();
    for key in ["sites"].into_iter().chain(OF_THE_USER) {
        table.remove(key);
    }
    if let Some(Value::Table(project)) = table.get_mut("project") {
        project.remove("name");
    }
    table.retain(|_, value| value.as_table().is_none_or(|table| !table.is_empty()));
    table
}

/// A manifest with sites of another one in it, in the place of those that have their names.
pub fn grafted(text: &str, from: &str, sites: &[SiteName]) -> Result<String, EditError> {
    let donor: DocumentMut = parse(from)?;
    let mut text = text.to_owned();
    for site in sites {
        if say_the_same(&text, from, site) {
            continue;
        }
        let item = donor.get("sites").and_then(|sites| sites.get(site.as_str()));
        let mut item = item.cloned().ok_or_else(|| EditError::NoSite(site.clone()))?;
        layout::detach(&mut item);
        let without = match delete_site(&text, site) {
            Err(EditError::NoSite(_)) => text,
            without => without?,
        };
        text = create_item(&without, site, item)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const TEXT: &str = "\
# The shop.
[project]
name = \"shop\"

[sites.base.vars]
port = 1

# Of somebody else.
[sites.other.env]
SECRET = \"x\"

[sites.web]
extends = [\"base\"]                  # begins there

[sites.web.dependencies]
hello = \"1\"

[remote]
cache = \"file:///srv/cache\"
";

    fn name(text: &str) -> SiteName {
        text.parse().unwrap()
    }

    #[test]
    fn a_site_is_carried_with_what_it_starts_from_and_nothing_of_others() {
        let manifest = Manifest::parse("envy.toml", TEXT).unwrap();
        let sites = manifest.lineage(&name("web"));
        assert_eq!(sites, [name("base"), name("web")]);
        let carried = carried(TEXT, &sites).unwrap();
        expect![[r#"
            # The shop.
            [project]
            name = "shop"

            [sites.base.vars]
            port = 1

            [sites.web]
            extends = ["base"]                  # begins there

            [sites.web.dependencies]
            hello = "1"
        "#]]
        .assert_eq(&carried);
        assert!(say_the_same(TEXT, &carried, &name("web")));
        assert!(differences(TEXT, &carried).is_empty());
        assert!(!renamed(&carried, &name("web"), &name("live")).unwrap().contains("sites.web"));
    }

    #[test]
    fn a_site_is_put_into_another_manifest() {
        let here = "[toolchain]\nrust = \"1.95\"\n\n[sites.web]\n\n[sites.mine.dependencies]\njust = \"1\"\n";
        assert_eq!(differences(here, TEXT), ["toolchain"]);
        let grafted = grafted(here, TEXT, &[name("base"), name("web")]).unwrap();
        expect![[r#"
            [toolchain]
            rust = "1.95"

            [sites.mine.dependencies]
            just = "1"

            [sites.base.vars]
            port = 1

            [sites.web]
            extends = ["base"]                  # begins there

            [sites.web.dependencies]
            hello = "1"
        "#]]
        .assert_eq(&grafted);
    }
}
