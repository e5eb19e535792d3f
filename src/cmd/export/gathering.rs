//! Gathering a bill of materials: the lockfile's packages, and the crates of their Cargo.locks.

use std::collections::{BTreeMap, BTreeSet};

use super::super::context::Context;
use super::super::project::Project;
use crate::build::Composition;
use crate::export::bill::{Bill, Component, Role};
use crate::export::purl::{plain, purl, vcs};
use crate::failure::Failure;
use crate::lock::{self, Graph, Lockfile, Package, Pin, Wish, Wishes, archive_url};
use crate::manifest::{Site, Source};
use crate::package::{PackageId, PackageName};
use crate::platform::Platform;
use crate::recipe::Purpose;
use crate::source::{LockedCrate, LockedNode, LockedSource, Sources};

/// The bill of a site, for this host's platform. What has to be read of sources and is not here is brought.
pub fn bill(context: &Context<'_>, project: &Project, site: &Site, sources: &Sources<'_>) -> Result<Bill, Failure> {
    let (wishes, locked) = project.current_lock(context, site)?;
    let (lockfile, platform) = (&locked.lockfile, Platform::host());
    let supplies = project.supplies(context, site, &wishes, lockfile, sources);
    let packages = lockfile.packages_for(platform).map(|(_, package)| package);
    let here: Vec<&PackageId> = packages.map(|package| &package.id).collect();
    supplies.bring_all(&here, &[platform])?;
    let asked: BTreeSet<&PackageName> = site.dependencies.iter().map(|one| &one.name).collect();
    let graph = Graph::new(lockfile, asked.iter().copied());
    let mut bill = Bill {
        site: site.name.to_string(),
        platform: platform.to_string(),
        properties: of_site(lockfile, &locked.digest().to_string(), platform),
        asked: graph
            .roots()
            .map(|name| &lockfile.packages[name])
            .filter(|one| one.is_for(platform))
            .map(|one| reference(&one.id))
            .collect(),
        components: BTreeMap::new(),
    };
    for id in here {
        let role = role(id, &asked, &wishes);
        let composition = supplies.composition(id, platform)?;
        let mut package = component(project, id, lockfile, &wishes.packages()[&id.name], platform, role);
        package.licence = package.licence.or_else(|| composition.licence.clone());
        let locked = &lockfile.packages[&id.name];
        let needed = [Purpose::Run, Purpose::Build].into_iter().flat_map(|purpose| locked.needed_on(purpose, platform));
        let needed = needed.filter_map(|name| lockfile.packages.get(name));
        package.needs = needed.filter(|one| one.is_for(platform)).map(|one| reference(&one.id)).collect();
        add_crates(id, &composition, &mut package, &mut bill);
        bill.add(reference(id), package);
    }
    Ok(bill)
}

fn of_site(lockfile: &Lockfile, digest: &str, platform: Platform) -> BTreeMap<String, String> {
    let mut properties = BTreeMap::from([
        ("envy:lockfile".to_owned(), digest.to_owned()),
        ("envy:platform".to_owned(), platform.to_string()),
    ]);
    if let Some(prefix) = lockfile.prefixes.get(&platform) {
        properties.insert("envy:prefix".to_owned(), prefix.tree.to_string());
    }
    if let Some(toolchain) = &lockfile.toolchain {
        properties.insert("envy:rust".to_owned(), toolchain.rust.clone());
    }
    properties
}

/// What names a package in the bill.
fn reference(id: &PackageId) -> String {
    format!("package:{}@{}", id.name, id.version)
}

fn role(id: &PackageId, asked: &BTreeSet<&PackageName>, wishes: &Wishes) -> Role {
    match (asked.contains(&id.name), wishes.is_installed(&id.name, Platform::host())) {
        (true, _) => Role::Asked,
        (false, true) => Role::Needed,
        (false, false) => Role::Tool,
    }
}

fn component(
    project: &Project,
    id: &PackageId,
    lockfile: &Lockfile,
    wish: &Wish,
    platform: Platform,
    role: Role,
) -> Component {
    let package = &lockfile.packages[&id.name];
    let of_recipe = matches!(wish.source, Source::Recipe { .. });
    let mut properties = BTreeMap::from([
        ("envy:source".to_owned(), package.source.clone()),
        ("envy:recipe".to_owned(), format!("{} {}", wish.recipe.name(), package.recipe)),
    ]);
    if let Some(tree) = package.pin.tree(platform) {
        properties.insert("envy:source-tree".to_owned(), tree.to_string());
    }
    for (number, output) in lockfile.outputs(&id.name, platform).enumerate() {
        properties.insert(format!("envy:output:{}", number + 1), output.tree.to_string());
    }
    if !package.patches.is_empty() {
        let patches: Vec<_> = package.patches.iter().map(ToString::to_string).collect();
        properties.insert("envy:patches".to_owned(), patches.join(" "));
    }
    let place = Place::of(project, id, package, wish, platform);
    let recipe = Some(&wish.recipe).filter(|_| of_recipe);
    Component {
        name: id.name.to_string(),
        version: id.version.to_string(),
        purl: place.purl,
        role,
        licence: recipe.and_then(|recipe| recipe.license()).map(str::to_owned),
        summary: recipe.map(|recipe| recipe.summary().to_owned()),
        archive: package.pin.archive(platform).map(|unpacked| unpacked.archive),
        distribution: place.distribution,
        repository: place.repository,
        homepage: recipe.and_then(|recipe| recipe.homepage()).map(str::to_owned),
        properties,
        needs: BTreeSet::new(),
    }
}

/// Where a package comes from, as the world names that.
struct Place {
    purl: String,
    distribution: Option<String>,
    repository: Option<String>,
}

impl Place {
    fn of(project: &Project, id: &PackageId, package: &Package, wish: &Wish, platform: Platform) -> Self {
        let kind = if wish.is_by_cargo() { "cargo" } else { "generic" };
        let (name, version) = (id.name.as_str(), id.version.to_string());
        let with = |qualifiers: &[(&str, String)]| purl(kind, name, &version, qualifiers);
        let (mut distribution, mut repository) = (None, None);
        let purl = match (wish.source_at(&id.version), &package.pin) {
            (Source::Crate { registry: Some(registry) }, _) => {
                let index = project.manifest.registries().get(registry).map_or(registry.clone(), |index| bare(index));
                with(&[("repository_url", index)])
            }
            (Source::Git { url, subdir, .. }, Pin::Git { commit, .. }) => {
                repository = Some(plain(url));
                purl_of_git(kind, name, &version, url, &commit.to_string(), subdir.as_deref())
            }
            (Source::Archive(archive), pin) => {
                let own = matches!(pin, Pin::Archives(_)).then_some(platform);
                let url = plain(&archive_url(archive, id, own));
                let sum = pin.archive(platform).map(|unpacked| unpacked.archive.to_string()).unwrap_or_default();
                distribution = Some(url.clone());
                with(&[("download_url", url), ("checksum", sum)])
            }
            (Source::Carried { name: carrier, version: of, .. }, _) => {
                let carrier = lock::carrier(carrier, of).map(|carrier| purl("cargo", carrier.name.as_str(), of, &[]));
                with(&[("download_url", carrier.unwrap_or_default())])
            }
            _ => with(&[]),
        };
        Self { purl, distribution, repository }
    }
}

fn purl_of_git(kind: &str, name: &str, version: &str, url: &str, commit: &str, subdir: Option<&str>) -> String {
    let text = purl(kind, name, version, &[("vcs_url", vcs(url, commit))]);
    subdir.map_or(text.clone(), |subdir| format!("{text}#{subdir}"))
}

/// The address of an index, without what cargo says of its kind.
fn bare(index: &str) -> String {
    index.trim_start_matches("sparse+").trim_start_matches("registry+").to_owned()
}

/// The crates of a package's Cargo.lock, and what it needs of them.
fn add_crates(id: &PackageId, composition: &Composition, package: &mut Component, bill: &mut Bill) {
    let nodes: Vec<&LockedNode> = composition.crates.iter().map(|(node, _)| node).collect();
    let names: Vec<String> = nodes.iter().map(|node| name_of(id, &node.locked)).collect();
    for ((node, licence), name) in composition.crates.iter().zip(&names) {
        let needs: BTreeSet<String> = node.needs.iter().map(|place| names[*place].clone()).collect();
        if *name == reference(id) {
            package.needs.extend(needs);
            continue;
        }
        let needs = needs.into_iter().filter(|needed| needed != name).collect();
        bill.add(name.clone(), of_crate(id, &node.locked, licence.clone(), needs));
    }
    package.needs.remove(&reference(id));
}

/// What names a crate in the bill: those that come from elsewhere are the same for all packages.
fn name_of(id: &PackageId, locked: &LockedCrate) -> String {
    let itself = locked.source == LockedSource::Itself;
    match itself {
        true if locked.name == id.name.as_str() => reference(id),
        true => format!("{}#{}@{}", reference(id), locked.name, locked.version),
        false => purl_of_crate(locked),
    }
}

fn purl_of_crate(locked: &LockedCrate) -> String {
    let (name, version) = (locked.name.as_str(), locked.version.to_string());
    match &locked.source {
        LockedSource::Registry { address, .. } => purl("cargo", name, &version, &[("repository_url", bare(address))]),
        LockedSource::Git(git) => purl_of_git("cargo", name, &version, &git.url, &git.commit.to_string(), None),
        LockedSource::Itself | LockedSource::CratesIo { .. } => purl("cargo", name, &version, &[]),
    }
}

fn of_crate(id: &PackageId, locked: &LockedCrate, licence: Option<String>, needs: BTreeSet<String>) -> Component {
    let archive = match &locked.source {
        LockedSource::CratesIo { checksum } | LockedSource::Registry { checksum, .. } => Some(*checksum),
        LockedSource::Itself | LockedSource::Git(_) => None,
    };
    let repository = match &locked.source {
        LockedSource::Git(git) => Some(plain(&git.url)),
        _ => None,
    };
    let mut properties = BTreeMap::new();
    if locked.source == LockedSource::Itself {
        properties.insert("envy:member-of".to_owned(), reference(id));
    }
    Component {
        name: locked.name.clone(),
        version: locked.version.to_string(),
        purl: purl_of_crate(locked),
        role: Role::Crate,
        licence,
        summary: None,
        archive,
        distribution: None,
        repository,
        homepage: None,
        properties,
        needs,
    }
}
