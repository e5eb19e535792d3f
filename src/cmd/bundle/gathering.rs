//! What belongs into the bundle of a site: files of its project, recipes, outputs, and what these are built from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::super::caching::Caching;
use super::super::context::Context;
use super::super::project::{Locked, MANIFEST, Project};
use crate::build::Step;
use crate::bundle::{Contents, is_plain, plain};
use crate::digest::TreeDigest;
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::lock::{Lockfile, SharedRecipes, Wishes};
use crate::manifest::{FileContent, Site, Source, carried};
use crate::package::PackageId;
use crate::platform::Platform;
use crate::recipe::{BUILT_IN, Origin};
use crate::source::{self, Sources};
use crate::tree::Node;

/// Collect it. What it is built from is brought first, where that is wanted and not here.
pub fn gather(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    with_sources: bool,
    sources: &Sources<'_>,
) -> Result<Contents, Failure> {
    let (wishes, locked) = project.current_lock(context, site)?;
    require_pinned(&locked.lockfile)?;
    let mut contents = Contents {
        site: site.name.clone(),
        platform: Platform::host(),
        sources: with_sources,
        files: BTreeMap::new(),
        recipes: BTreeMap::new(),
        trees: outputs(context, project, site, &wishes, &locked.lockfile)?,
        blobs: BTreeMap::new(),
        commits: BTreeMap::new(),
    };
    manifest_and_lockfile(project, site, &locked, &mut contents)?;
    files_of_the_site(project, site, &wishes, &mut contents)?;
    recipes(context, project, &wishes, &locked.lockfile, &mut contents)?;
    shared_recipes(context, project, &locked.lockfile, &mut contents)?;
    if with_sources {
        stock(context, project, site, &wishes, &locked.lockfile, sources, &mut contents)?;
    }
    Ok(contents)
}

/// Refuse directories, which are whatever they are now.
fn require_pinned(lockfile: &Lockfile) -> Result<(), Failure> {
    let unpinned = lockfile.packages_for(Platform::host()).find(|(_, package)| !package.pin.is_fixed());
    let Some((_, package)) = unpinned else { return Ok(()) };
    Err(Failure::new(Exit::Failed, format!("`{}` is a directory, which no lockfile pins", package.id.name))
        .fact("another host could not tell whether what a bundle brings is what it should be")
        .hint("name the package by `git` in `envy.toml`, and its directory while you develop it"))
}

/// The trees that the prefix is merged of, as the lockfile records them.
fn outputs(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    wishes: &Wishes,
    lockfile: &Lockfile,
) -> Result<BTreeSet<TreeDigest>, Failure> {
    let plan = Caching::open(context, project)?.plan(context, lockfile, wishes)?;
    let (mut trees, mut missing) = (BTreeSet::new(), Vec::new());
    for planned in plan.packages.iter().filter(|planned| planned.installed) {
        match &planned.step {
            Step::Use(output, _) => drop(trees.insert(output.tree)),
            Step::Make => missing.push(&planned.id),
        }
    }
    if missing.is_empty() {
        return Ok(trees);
    }
    for id in &missing {
        let Some(recorded) = lockfile.outputs(&id.name, Platform::host()).next() else { continue };
        if let Some(path) = context.store()?.damaged_part(recorded.tree)? {
            let outcome = format!("`{}` in the store is damaged, which is of {id}", path.display());
            return Err(
                Failure::new(Exit::Verification, outcome).hint(format!("run `envy verify {} --repair`", site.name))
            );
        }
    }
    Err(not_here(site, lockfile, &missing))
}

fn not_here(site: &Site, lockfile: &Lockfile, missing: &[&PackageId]) -> Failure {
    let fact = |id: &&PackageId| match lockfile.outputs(&id.name, Platform::host()).next() {
        Some(output) => format!("{id}: its recorded output {} is not in the store", output.tree),
        None => format!("{id}: the lockfile records no output for {}", Platform::host()),
    };
    let outcome = format!("not all that site `{}` consists of is here", site.name);
    let failure = Failure::new(Exit::Failed, outcome).facts(missing.iter().map(fact));
    failure.hint(format!("run `envy build {}`, which builds it in a sandbox and records what comes out", site.name))
}

fn manifest_and_lockfile(
    project: &Project,
    site: &Site,
    locked: &Locked,
    contents: &mut Contents,
) -> Result<(), Failure> {
    let sites = project.manifest.lineage(&site.name);
    let manifest = carried::carried(&project.text, &sites)?;
    contents.files.insert(MANIFEST.to_owned(), manifest.into_bytes());
    let path = Lockfile::relative_path(&site.name);
    contents.files.insert(path.to_string_lossy().into_owned(), locked.text.clone().into_bytes());
    for package in locked.lockfile.packages.values().filter(|package| package.has_generated()) {
        let path = Lockfile::generated_path(&site.name, &package.id.name);
        add(project, &path.to_string_lossy(), contents)?;
    }
    Ok(())
}

/// Templates, copied files and patches.
fn files_of_the_site(project: &Project, site: &Site, wishes: &Wishes, contents: &mut Contents) -> Result<(), Failure> {
    for file in site.files.values() {
        if let FileContent::Template(path) | FileContent::Copy(path) = &file.content {
            add(project, path, contents)?;
        }
    }
    for path in wishes.packages().values().flat_map(|wish| &wish.patches) {
        add(project, path, contents)?;
    }
    Ok(())
}

/// Recipes that make the packages, and those that they extend: the project's own, and those of this very envy.
fn recipes(
    context: &Context<'_>,
    project: &Project,
    wishes: &Wishes,
    lockfile: &Lockfile,
    contents: &mut Contents,
) -> Result<(), Failure> {
    let book = project.book(context, Some(lockfile))?;
    for wish in wishes.packages().values() {
        let recipe = &wish.recipe;
        for name in std::iter::once(recipe.name()).chain(recipe.extends().iter().map(String::as_str)) {
            if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
                contents.recipes.insert(name.to_owned(), text.as_bytes().to_vec());
            }
            if book.origin(name) == Some(Origin::Project) {
                add(project, &format!("recipes/{name}.toml"), contents)?;
                let recipe = book.get(name)?;
                let of_versions = recipe.releases().values().flat_map(|release| &release.patches);
                for patch in recipe.patches().iter().chain(of_versions) {
                    add(project, &format!("recipes/{}", patch.name), contents)?;
                }
            }
        }
    }
    Ok(())
}

/// Recipes that projects share: those of a repository as a tree, those of a directory as files.
fn shared_recipes(
    context: &Context<'_>,
    project: &Project,
    lockfile: &Lockfile,
    contents: &mut Contents,
) -> Result<(), Failure> {
    for (name, source) in project.manifest.recipes() {
        let Some(pin) = SharedRecipes::of(&lockfile.recipes, name, source) else { continue };
        match source {
            Source::Path { path } => {
                let found = source::look_at(&project.root.join(path), &context.cache()?);
                let found = found.map_err(source::Error::from)?;
                for (below, node) in found.tree.leaves() {
                    let plain = matches!(node, Node::File(file) if !file.executable) && found.subdir.is_empty();
                    let path = format!("{}/{below}", path.trim_end_matches('/'));
                    if !plain {
                        return Err(not_carried(&path, "it is a symlink, or may be executed"));
                    }
                    add(project, &path, contents)?;
                }
            }
            _ if context.store()?.whole_tree(pin.tree)?.is_some() => drop(contents.trees.insert(pin.tree)),
            _ => {
                let outcome = format!("recipes `{name}` are not wholly in the store");
                return Err(Failure::new(Exit::Failed, outcome).hint("run `envy fetch` where there is a network"));
            }
        }
    }
    Ok(())
}

/// All that the packages are built from.
fn stock(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    wishes: &Wishes,
    lockfile: &Lockfile,
    sources: &Sources<'_>,
    contents: &mut Contents,
) -> Result<(), Failure> {
    let (supplies, platform) = (project.supplies(context, site, wishes, lockfile, sources), Platform::host());
    let ids: Vec<&PackageId> = lockfile.packages_for(platform).map(|(_, package)| &package.id).collect();
    supplies.bring_all(&ids, &[platform])?;
    let stock = supplies.stock(&ids, platform)?;
    contents.trees.extend(stock.commits.values().map(|(tree, _)| *tree));
    contents.blobs = stock.blobs;
    contents.commits = stock.commits;
    Ok(())
}

/// Add a file of the project.
fn add(project: &Project, path: &str, contents: &mut Contents) -> Result<(), Failure> {
    let name = plain(path);
    if !is_plain(&name) {
        return Err(not_carried(path, "it lies outside of the project, is hidden, or has a very long path"));
    }
    let missing =
        || Failure::new(Exit::Failed, format!("there is no `{path}`")).hint("restore it, as `envy.toml` names it");
    let bytes = disk::read_if_exists(&project.root.join(Path::new(&name)))?.ok_or_else(missing)?;
    contents.files.insert(name, bytes);
    Ok(())
}

fn not_carried(path: &str, why: &str) -> Failure {
    let failure = Failure::new(Exit::Failed, format!("`{path}` cannot be put into a bundle"));
    failure.fact(why).hint("move it to a plain place below the project's directory, and correct `envy.toml`")
}
