//! What two sites ask for, side by side. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::manifest::{Dependency, ExcludeNewer, Site};
use crate::package::PackageName;

/// Everything that two sites do not ask for in the same way, in a sentence each.
pub fn differences(one: &Site, other: &Site) -> Vec<String> {
    let (asked, by_other) = (by_name(one), by_name(other));
    let names: BTreeSet<_> = asked.keys().chain(by_other.keys()).collect();
    let told = names.into_iter().flat_map(|name| match (asked.get(name), by_other.get(name)) {
        (Some(_), None) => vec![format!("only `{}` asks for `{name}`", one.name)],
        (None, Some(_)) => vec![format!("only `{}` asks for `{name}`", other.name)],
        (Some(asked), Some(by_other)) => of_package(name, (one, asked), (other, by_other)),
        (None, None) => Vec::new(),
    });
    told.collect()
}

fn by_name(site: &Site) -> BTreeMap<&PackageName, Vec<&Dependency>> {
    let mut asked: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for dependency in &site.dependencies {
        asked.entry(&dependency.name).or_default().push(dependency);
    }
    asked
}

/// One thing about what is asked, as a text to be compared.
type Shown = fn(&Dependency) -> String;

fn of_package(name: &PackageName, one: (&Site, &[&Dependency]), other: (&Site, &[&Dependency])) -> Vec<String> {
    let mut told = Vec::new();
    let versions = |asked: &[&Dependency]| {
        let versions: BTreeSet<_> = asked.iter().map(|asked| asked.versions.to_string()).collect();
        versions.into_iter().collect::<Vec<_>>().join(" and ")
    };
    let (asked, by_other) = (versions(one.1), versions(other.1));
    if asked != by_other {
        told.push(format!("`{}` asks for `{name}` {asked}, and `{}` for {by_other}", one.0.name, other.0.name));
    }
    let aspects: [(&str, Shown); 7] = [
        ("source", |asked| format!("{:?}", asked.source)),
        ("recipe", |asked| format!("{:?}", asked.recipe)),
        ("params", |asked| format!("{:?}", asked.params)),
        ("patches", |asked| format!("{:?}", asked.patches)),
        ("`without`", |asked| format!("{:?}", asked.without)),
        ("needs", |asked| format!("{:?} {:?}", asked.dependencies, asked.build_dependencies)),
        ("cut-off", |asked| match &asked.exclude_newer {
            Some(ExcludeNewer::Than { text, .. }) => text.clone(),
            Some(ExcludeNewer::Off) => "off".to_owned(),
            None => String::new(),
        }),
    ];
    for (what, shown) in aspects {
        let all = |asked: &[&Dependency]| asked.iter().map(|asked| shown(asked)).collect::<BTreeSet<_>>();
        if all(one.1) != all(other.1) {
            told.push(format!("`{}` and `{}` ask for `{name}` with different {what}", one.0.name, other.0.name));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::manifest::Manifest;

    #[test]
    fn what_is_asked_differently_is_told_by_package() {
        let text = "[dependencies]\nall = '1'\n\
                    [sites.staging.dependencies]\nall = '1.2'\nsame = { version = '1', features = ['x'] }\nonly = '1'\n\
                    other = { git = 'https://example.org/a.git', version = '1' }\n\
                    [sites.staging.vars]\nport = 1\n\
                    [sites.production.dependencies]\nsame = { version = '1', features = ['x'] }\nmine = '1'\n\
                    other = { version = '2', without = ['bin/x'], exclude-newer = '7d' }\n";
        let manifest = Manifest::parse("envy.toml", text).unwrap();
        let site = |name: &str| manifest.site(&name.parse().unwrap()).unwrap();
        let told: String =
            differences(site("staging"), site("production")).into_iter().map(|line| line + "\n").collect();
        expect![[r#"
            `staging` asks for `all` ^1 and ^1.2, and `production` for ^1
            only `production` asks for `mine`
            only `staging` asks for `only`
            `staging` asks for `other` ^1, and `production` for ^2
            `staging` and `production` ask for `other` with different source
            `staging` and `production` ask for `other` with different `without`
            `staging` and `production` ask for `other` with different cut-off
        "#]]
        .assert_eq(&told);
        assert!(differences(site("staging"), site("staging")).is_empty());
    }
}
