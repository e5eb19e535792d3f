//! What built programs need of the host: its C library, and others.

use std::collections::{BTreeMap, BTreeSet};

use super::Subject;
use super::distribution::Distribution;
use super::finding::Finding;
use crate::build::{Host, Lack, unfit};
use crate::failure::Failure;
use crate::lock::Output;
use crate::package::PackageName;
use crate::platform::Platform;
use crate::store::Store;
use crate::tree::Tree;

/// Whether the host can run what the lockfile of a site records for it.
pub fn look(
    store: &Store,
    subject: &Subject<'_>,
    host: &Host,
    distribution: &Distribution,
) -> Result<Vec<Finding>, Failure> {
    let Some(lockfile) = &subject.lockfile else { return Ok(Vec::new()) };
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for name in subject.wishes.installed(Platform::host()) {
        for output in lockfile.outputs(name, Platform::host()) {
            match store.whole_tree(output.tree)? {
                Some(tree) => {
                    known.push((name, output, tree));
                    break;
                }
                None => unknown.push((name, output)),
            }
        }
    }
    unknown.retain(|(name, _)| known.iter().all(|(other, _, _)| other != name));
    let parts = known.iter().map(|(name, _, tree)| (name.as_str(), tree));
    // Where packages collide, a build says so; each is looked at with itself then.
    let prefix = Tree::merge(parts).ok();
    let mut findings = Vec::new();
    for (name, output, tree) in &known {
        for one in unfit(tree, &output.needs, prefix.as_ref().unwrap_or(tree), store, host)? {
            findings.push(lacks(&format!("{name}: {one}"), &one.lack, distribution));
        }
    }
    findings.extend(by_records(&unknown, &brought(&known), host, distribution));
    if findings.is_empty() && !(known.is_empty() && unknown.is_empty()) {
        let glibc = host.glibc().map_or_else(|| "no glibc".to_owned(), |version| format!("glibc {version}"));
        findings.push(Finding::ok("programs", format!("those of site `{}` run here, with {glibc}", subject.site.name)));
    }
    Ok(findings)
}

/// The names of all files of packages that are here.
fn brought(known: &[(&PackageName, &Output, Tree)]) -> BTreeSet<String> {
    let paths = known.iter().flat_map(|(_, _, tree)| tree.leaves()).map(|(path, _)| path);
    paths.map(|path| path.rsplit('/').next().unwrap_or(&path).to_owned()).collect()
}

/// What the lockfile says of packages that are not here yet. One of them may bring a library that another needs.
fn by_records(
    unknown: &[(&PackageName, &Output)],
    brought: &BTreeSet<String>,
    host: &Host,
    distribution: &Distribution,
) -> Vec<Finding> {
    let numbers = |text: &str| text.split('.').map(|number| number.parse().unwrap_or(0)).collect::<Vec<u32>>();
    let mut lacking: BTreeMap<String, Finding> = BTreeMap::new();
    for (name, output) in unknown {
        let needs = &output.needs;
        if let Some(needed) = &needs.glibc
            && host.glibc().is_none_or(|has| numbers(has) < numbers(needed))
        {
            let has = host.glibc().unwrap_or("none");
            let text = format!("{name}: it needs glibc {needed}, this host has {has}");
            let lack = Lack::Glibc { needed: needed.clone(), symbol: None, host: None };
            lacking.insert(text.clone(), lacks(&text, &lack, distribution));
        }
        for library in &needs.libraries {
            if host.has_library(library, &[]) || brought.contains(library) {
                continue;
            }
            let text = format!("{name}: it needs `{library}`, which this host does not have");
            let mut finding = lacks(&text, &Lack::Library(library.clone()), distribution);
            if unknown.len() > 1 {
                finding.level = super::finding::Level::Note;
                finding.text.push_str("; a package of the site that is not here yet may bring it");
            }
            lacking.insert(text, finding);
        }
    }
    lacking.into_values().collect()
}

fn lacks(text: &str, lack: &Lack, distribution: &Distribution) -> Finding {
    let finding = Finding::missing("programs", text);
    match lack {
        Lack::Library(name) => match distribution.package_of_library(name) {
            Some(package) => finding.packages([package]),
            None => finding.hint(format!("install what `{name}` is in, or add a package with it to the site")),
        },
        Lack::Glibc { .. } => finding.hint("use a host with a newer C library, or build the package here"),
        Lack::Interpreter(_) => finding.hint("use a host with glibc, or a package that is linked statically"),
        Lack::Machine(_) => finding.hint("lock the site for this platform: `platforms` in `envy.toml`"),
    }
}
