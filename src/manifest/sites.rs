//! Reads the sites, each with what it takes from those that it extends. Pure.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::extends::Lineage;
use super::parse::{dependencies, entries};
use super::problem::Findings;
use super::{Asker, Dependency, Site, SiteFile, files, gate, variables};
use crate::package::SiteName;

/// All sites, by their names.
pub(super) fn sites(document: &DeTable<'_>, findings: &mut Findings<'_>) -> BTreeMap<SiteName, Site> {
    let shared = dependencies(document, "dependencies", &Asker::EverySite, findings);
    let mut tables = BTreeMap::new();
    for (key, value) in entries(document, "sites") {
        let Some(table) = value.get_ref().as_table() else { continue };
        match key.get_ref().parse::<SiteName>() {
            Ok(name) => drop(tables.insert(name, table)),
            Err(error) => findings.add(key.span(), error.to_string()),
        }
    }
    let lineage = Lineage::of(&tables, findings);
    let mut sites = BTreeMap::new();
    for name in lineage.order {
        let parents: Vec<&Site> = lineage.parents[&name].iter().map(|parent| &sites[parent]).collect();
        let site = site(name.clone(), tables[&name], &shared, &parents, findings);
        sites.insert(name, site);
    }
    sites
}

fn site(
    name: SiteName,
    table: &DeTable<'_>,
    shared: &[Dependency],
    parents: &[&Site],
    findings: &mut Findings<'_>,
) -> Site {
    let own = dependencies(table, "dependencies", &Asker::Site(name.clone()), findings);
    let mut vars = taken(parents, |parent| &parent.vars);
    let mut env = taken(parents, |parent| &parent.env);
    let mut files = taken(parents, |parent| &parent.files);
    env.extend(variables::env(table, &vars, findings));
    vars.extend(variables::vars(table, findings));
    files.extend(files::files(table, findings));
    if let Some(extends) = table.get("extends").filter(|_| !parents.is_empty())
        && let Some((above, below)) = one_below_another(table, &files)
    {
        let message = format!("`{above}` and `{below}` cannot both be files, and one of them comes from here");
        findings.add(extends.span(), message);
    }
    let dependencies = [shared, &inherited(parents, &own), &own].concat();
    let extends = parents.iter().map(|parent| parent.name.clone()).collect();
    let gate = gate::gate(table, parents, findings);
    Site { name, extends, dependencies, env, vars, files, gate }
}

/// What the sites that are extended have of something: where several have the same, the last one's.
fn taken<V: Clone>(parents: &[&Site], of: impl Fn(&Site) -> &BTreeMap<String, V>) -> BTreeMap<String, V> {
    let all = parents.iter().flat_map(|parent| of(parent));
    all.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// What the sites that are extended require, but for what the site says itself. What comes by two ways counts once.
fn inherited(parents: &[&Site], own: &[Dependency]) -> Vec<Dependency> {
    let mut inherited: Vec<Dependency> = Vec::new();
    let theirs = parents.iter().flat_map(|parent| &parent.dependencies).filter(|one| one.by != Asker::EverySite);
    for one in theirs {
        let is_replaced = own.iter().any(|own| own.name == one.name);
        let is_known = inherited.iter().any(|known| known.name == one.name && known.by == one.by);
        if !is_replaced && !is_known {
            inherited.push(one.clone());
        }
    }
    inherited
}

/// A file, and another one that would lie below it. Of those that are both the site's own, its files tell.
fn one_below_another<'f>(table: &DeTable<'_>, files: &'f BTreeMap<String, SiteFile>) -> Option<(&'f str, &'f str)> {
    let is_own = |path: &str| entries(table, "files").any(|(key, _)| key.get_ref() == path);
    let pairs =
        files.keys().flat_map(|path| path.match_indices('/').map(move |(end, _)| (&path[..end], path.as_str())));
    pairs.into_iter().find(|(above, below)| files.contains_key(*above) && !(is_own(above) && is_own(below)))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::manifest::Manifest;
    use crate::manifest::tests::brief;

    fn site(text: &str, name: &str) -> String {
        let manifest = Manifest::parse("envy.toml", text).unwrap();
        let site = manifest.site(&name.parse().unwrap()).unwrap();
        let dependencies =
            site.dependencies.iter().map(|one| format!("{} {} for {}\n", one.name, one.versions, one.by));
        let vars = site.vars.iter().map(|(name, value)| format!("{{{name}}} {value}\n"));
        let env = site.env.iter().map(|(name, value)| format!("{name}={value}\n"));
        let files = site.files.iter().map(|(path, file)| format!("{path} {:?}\n", file.content));
        dependencies.chain(vars).chain(env).chain(files).collect()
    }

    #[test]
    fn a_site_starts_from_those_that_it_extends_and_what_it_says_itself_counts() {
        let text = "[dependencies]\nall = '1'\n\
                    [sites.api]\nextends = ['web', 'jobs']\ndependencies = { own = '1', two = '9', all = '2' }\n\
                    env = { A = '{port}{name}' }\nvars = { name = 'api' }\n\
                    [sites.web]\nextends = ['base']\ndependencies = { two = '2', three = '3' }\n\
                    env = { A = 'web', B = 'web', P = '{port}' }\nfiles = { 'etc/a' = { text = 'web' } }\n\
                    [sites.jobs]\nextends = ['base']\ndependencies = { three = '4' }\nenv = { B = 'jobs' }\n\
                    [sites.base]\ndependencies = { one = '1' }\nvars = { port = 80, name = 'base' }\n\
                    files = { 'etc/a' = { text = 'base' }, 'etc/b' = { text = 'base' } }\n";
        expect![[r#"
            all ^1 for every site
            one ^1 for site `base`
            three ^3 for site `web`
            three ^4 for site `jobs`
            all ^2 for site `api`
            own ^1 for site `api`
            two ^9 for site `api`
            {name} api
            {port} 80
            A={port}{name}
            B=jobs
            P={port}
            etc/a Text("base")
            etc/b Text("base")
        "#]]
        .assert_eq(&site(text, "api"));
        expect![[r#"
            all ^1 for every site
            one ^1 for site `base`
        "#]]
        .assert_eq(&site(text, "base").split_inclusive('\n').take(2).collect::<String>());
    }

    #[test]
    fn a_file_does_not_lie_below_one_that_is_taken_over() {
        brief(
            "[sites.a.files]\netc = { text = '' }\n[sites.b]\nextends = ['a']\n[sites.b.files]\n\
             'etc/x' = { text = '' }",
        )
        .is(expect![[r#"
            envy.toml:4:11: `etc` and `etc/x` cannot both be files, and one of them comes from here
        "#]]);
    }

    #[test]
    fn placeholders_may_name_vars_that_are_taken_over_and_no_others() {
        brief("[sites.a.vars]\nport = 1\n[sites.b]\nextends = ['a']\nenv = { A = '{port}', B = '{prt}' }").is(expect![
            [r#"
                envy.toml:5:28: unknown placeholder `{prt}`
            "#]
        ]);
    }
}
