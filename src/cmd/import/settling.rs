//! Deciding what an import writes into a project: all of it, or nothing where it would take something from somebody.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::committing::Writes;
use super::super::project::MANIFEST;
use super::record::Imported;
use crate::bundle::{Contents, plain};
use crate::digest::TextDigest;
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::lock::Lockfile;
use crate::manifest::{FileContent, Manifest, carried};
use crate::package::SiteName;
use crate::recipe::BUILT_IN;

/// What has to be written.
pub struct Settled {
    pub writes: Writes,
    /// Whether any of it is not there yet.
    pub changed: bool,
}

/// Compare the files of a bundle with those of a project.
pub fn settle(
    root: &Path,
    contents: &Contents,
    name: &SiteName,
    digest: TextDigest,
    replace: bool,
) -> Result<Settled, Failure> {
    let imported = Imported::load(root)?;
    let mut files = named(contents, name)?;
    let theirs = text(&files, MANIFEST)?;
    let manifest = Manifest::parse(MANIFEST, &theirs)?;
    require_known(&files, &manifest, name, contents)?;
    let here = disk::read_text_if_exists(&root.join(MANIFEST))?;
    let sites = manifest.lineage(name);
    let settled = match &here {
        None => theirs,
        Some(here) => {
            let wrote = |path| replace || imported.wrote(path, here.as_bytes());
            let ours = Ours { all: wrote(MANIFEST), sites: wrote(MANIFEST) || wrote(GRAFTED) };
            merged(here, &theirs, &sites, ours)?
        }
    };
    files.insert(MANIFEST.to_owned(), settled.into_bytes());
    let (mut writes, mut changed, mut somebodys) = (Writes::default(), false, Vec::new());
    for (path, bytes) in &files {
        let old = disk::read_if_exists(&root.join(path))?;
        match &old {
            Some(old) if old == bytes => continue,
            Some(old) if path != MANIFEST && !replace && !imported.wrote(path, old) => somebodys.push(path),
            _ => {}
        }
        changed = true;
        writes.write_bytes(root.join(path), bytes.clone());
    }
    if !somebodys.is_empty() {
        return Err(taken(&somebodys));
    }
    for path in imported.only_of(name).into_iter().filter(|path| !files.contains_key(path)) {
        let old = disk::read_if_exists(&root.join(&path))?;
        if old.is_some_and(|old| imported.wrote(&path, &old)) {
            changed = true;
            writes.remove(root.join(&path));
        }
    }
    let manifest = files.remove(MANIFEST).unwrap_or_default();
    match here {
        Some(here) if !replace && !imported.wrote(MANIFEST, here.as_bytes()) => {
            // One that says the same already is nobody's but its writer's.
            if here.as_bytes() != manifest || imported.wrote(GRAFTED, here.as_bytes()) {
                files.insert(GRAFTED.to_owned(), manifest);
            }
        }
        _ => drop(files.insert(MANIFEST.to_owned(), manifest)),
    }
    writes.write(root.join(Imported::path()), &imported.with(name, digest, &files).text());
    Ok(Settled { writes, changed })
}

/// The files of the project, for the name that the site gets, with recipes that this envy has otherwise.
fn named(contents: &Contents, name: &SiteName) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let (from, mut files) = (&contents.site, BTreeMap::new());
    let lockfile = |site: &SiteName| Lockfile::relative_path(site).to_string_lossy().into_owned();
    for (path, bytes) in &contents.files {
        let generated = path.strip_prefix(&format!("lockfiles/{from}/"));
        let (path, bytes) = match generated {
            _ if path == MANIFEST => {
                let text = carried::renamed(&text(&contents.files, MANIFEST)?, from, name)?;
                (path.clone(), text.into_bytes())
            }
            _ if *path == lockfile(from) => (lockfile(name), bytes.clone()),
            Some(generated) => (format!("lockfiles/{name}/{generated}"), bytes.clone()),
            None => (path.clone(), bytes.clone()),
        };
        files.insert(path, bytes);
    }
    for (recipe, text) in &contents.recipes {
        let own = BUILT_IN.iter().find(|(known, _)| known == recipe);
        if own.is_none_or(|(_, own)| own.as_bytes() != text) {
            files.entry(format!("recipes/{recipe}.toml")).or_insert_with(|| text.clone());
        }
    }
    Ok(files)
}

/// The text of a file that has to be there.
fn text(files: &BTreeMap<String, Vec<u8>>, path: &str) -> Result<String, Failure> {
    let bytes = files.get(path).ok_or_else(|| senseless(format!("it has no `{path}`")))?;
    String::from_utf8(bytes.clone()).map_err(|_| senseless(format!("its `{path}` is not UTF-8")))
}

/// Refuse files that the site does not name: a bundle has nothing else to write.
fn require_known(
    files: &BTreeMap<String, Vec<u8>>,
    manifest: &Manifest,
    name: &SiteName,
    contents: &Contents,
) -> Result<(), Failure> {
    let site =
        manifest.site(name).ok_or_else(|| senseless(format!("its `{MANIFEST}` has no site `{}`", contents.site)))?;
    let mut known: Vec<String> =
        vec![MANIFEST.to_owned(), Lockfile::relative_path(name).to_string_lossy().into_owned()];
    for file in site.files.values() {
        if let FileContent::Template(path) | FileContent::Copy(path) = &file.content {
            known.push(plain(path));
        }
    }
    known.extend(site.dependencies.iter().flat_map(|one| &one.patches).map(|path| plain(path)));
    known.extend(manifest.overrides().values().flat_map(|one| &one.patches).map(|path| plain(path)));
    let mut directories = vec!["recipes/".to_owned(), format!("lockfiles/{name}/")];
    for source in manifest.recipes().values() {
        if let crate::manifest::Source::Path { path } = source {
            directories.push(format!("{}/", plain(path)));
        }
    }
    let is_known = |path: &String| known.contains(path) || directories.iter().any(|above| path.starts_with(above));
    match files.keys().find(|path| !is_known(path)) {
        Some(path) => Err(senseless(format!("it brings `{path}`, which nothing in its `{MANIFEST}` names"))),
        None => Ok(()),
    }
}

/// Under which a manifest is remembered that somebody wrote, and that sites were put into.
const GRAFTED: &str = "envy.toml (sites)";

/// What of a manifest imports wrote, so that they may write it anew.
#[derive(Clone, Copy)]
struct Ours {
    all: bool,
    sites: bool,
}

/// The manifest of the project with the sites of the bundle.
fn merged(here: &str, theirs: &str, sites: &[SiteName], ours: Ours) -> Result<String, Failure> {
    let mine = Manifest::parse(MANIFEST, here)?;
    let differences = carried::differences(here, theirs);
    let differ = |site: &&SiteName| mine.site(site).is_some() && !carried::say_the_same(here, theirs, site);
    let others = mine.sites().any(|site| !sites.contains(&site.name));
    if !differences.is_empty() && (others || !ours.all) {
        let fact = |key: &String| format!("`[{key}]` differs, and holds for all sites");
        return Err(Failure::new(Exit::Failed, format!("`{MANIFEST}` is not what the bundle's site was built with"))
            .facts(differences.iter().map(fact))
            .hint("import it in a directory of its own, or with `--project DIR`"));
    }
    if !differences.is_empty() {
        return Ok(theirs.to_owned());
    }
    if let Some(site) = sites.iter().find(differ).filter(|_| !ours.sites) {
        return Err(Failure::new(Exit::Failed, format!("site `{site}` of `{MANIFEST}` is not the bundle's"))
            .fact("somebody wrote it, and an import takes nothing away")
            .hint("repeat the command with `--replace` to take the bundle's, or with `--site` for another name"));
    }
    Ok(carried::grafted(here, theirs, sites)?)
}

fn taken(paths: &[&String]) -> Failure {
    let outcome = match paths {
        [only] => format!("`{only}` is there with another content, and no import wrote it"),
        more => format!("{} files are there with other contents, and no import wrote them", more.len()),
    };
    Failure::new(Exit::Failed, outcome)
        .facts(paths.iter().skip(usize::from(paths.len() == 1)).map(|path| format!("`{path}`")))
        .hint("repeat the command with `--replace` to take the bundle's, or import it in a directory of its own")
}

pub fn senseless(what: String) -> Failure {
    Failure::new(Exit::Verification, "the bundle cannot be used").fact(what).hint("write it again with `envy bundle`")
}
