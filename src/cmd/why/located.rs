//! Files by their paths alone, from anywhere: through a site's `current`, through a generation, or in the store.

use std::path::{Component, Path, PathBuf};

use super::{file, making, named, parts, with_owners};
use crate::cmd::context::{Context, absolute};
use crate::cmd::project::{MANIFEST, Project};
use crate::digest::TreeDigest;
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::site::{Generation, Place, prefix_in};
use crate::store::Outcome;
use crate::tree::Node;

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
enum Spot {
    /// A path in what a site shows: its directory, and the number of a generation, or that which is current.
    Site { directory: PathBuf, number: Option<u64>, path: String },
    /// A path in a ready prefix.
    Prefix { prefix: TreeDigest, path: String },
}

/// Say which package a file is of, and where that came from.
pub(super) fn run(context: &Context<'_>, asked: &str, json: bool) -> Result<(), Failure> {
    let whole = absolute(PathBuf::from(asked))?;
    let paths = [Some(plain(&whole)), disk::canonical(&whole).ok()];
    let mut found = None;
    for path in paths.iter().flatten() {
        let spot = spot(path);
        if let Some(part) = spot.is_none().then(|| parts::find(context, path)).transpose()?.flatten() {
            part.tell(context, asked, json);
            return Ok(());
        }
        found = found.or(spot);
    }
    let found = match found {
        Some(Spot::Site { directory, number, path }) => in_site(&directory, number, &path)?,
        Some(Spot::Prefix { prefix, path }) => match shown_by(context, prefix)? {
            Some((place, generation)) => (place, generation, path),
            None => return in_store(context, asked, prefix, &path, json),
        },
        None if named::run(context, asked, json)? => return Ok(()),
        None => return Err(nowhere(asked, &whole)),
    };
    let mut text = String::new();
    let (place, generation, path) = found;
    let nothing = || {
        Failure::new(
            Exit::Failed,
            format!("generation {} of site `{}` has no `{path}`", generation.number, place.site()),
        )
        .hint(format!("`ls {}` shows what it has", place.generation_path(generation.number).display()))
    };
    let found = file::find(context, &place, &generation, &path)?.ok_or_else(nothing)?;
    // Of a project that is gone or broken, the generation still tells what it was made of.
    let shown = making::Shown::of(&place, generation.clone())?;
    let project = disk::exists(&place.project().join(MANIFEST))
        .then(|| Project::find(Some(place.project()), place.path().parent()).ok())
        .flatten();
    let site = project.as_ref().and_then(|project| project.site(place.site()).ok());
    let both = project.as_ref().zip(site);
    // What the manifest asks for now may not go with an old lockfile.
    let document = with_owners(context, both, place.site(), &found, &shown, &mut text).or_else(|_| {
        text.clear();
        with_owners(context, None, place.site(), &found, &shown, &mut text)
    })?;
    let site = site_line(&place);
    match json {
        true => context.ui.json(&serde_json::json!({
            "schema": "envy.why/1",
            "site": place.site().as_str(),
            "directory": place.path().display().to_string(),
            "generation": generation.number,
            "what": asked,
            "found": [document],
        })),
        false => context.ui.result(&format!("{text}{site}")),
    }
    Ok(())
}

/// Which site it is, and where.
pub(super) fn site_line(place: &Place) -> String {
    format!("  site     `{}` in `{}`\n", place.site(), place.path().display())
}

fn nowhere(asked: &str, whole: &Path) -> Failure {
    let failure = Failure::new(Exit::Failed, format!("`{asked}` is in no site and in no store"));
    match disk::exists(whole) {
        true => failure.fact("it is there, but envy did not put it there"),
        false => failure.fact("there is nothing at this path"),
    }
    .hint("name a file in a site, as `.envy/sites/SITE/current/bin/PROGRAM`, or a site and then a package: `envy why SITE NAME`")
}

fn in_site(directory: &Path, number: Option<u64>, path: &str) -> Result<(Place, Generation, String), Failure> {
    // Paths of one site are the same, whichever links led to it.
    let directory = if disk::is_directory(directory) { disk::canonical(directory)? } else { directory.to_owned() };
    let place = Place::found(&directory)?
        .ok_or_else(|| Failure::new(Exit::Failed, format!("`{}` is no site", directory.display())))?;
    let generation = match number {
        Some(number) => place.generation(number)?,
        None => place.current()?.ok_or_else(|| crate::site::Error::NotBuilt(place.site().clone()))?,
    };
    Ok((place, generation, path.to_owned()))
}

/// A generation that shows a prefix: one that is current, or else the latest of the first site that has one.
fn shown_by(context: &Context<'_>, prefix: TreeDigest) -> Result<Option<(Place, Generation)>, Failure> {
    let mut found = None;
    for site in context.store()?.roots()? {
        let Ok(Some(place)) = Place::found(&site) else { continue };
        let current = place.current_number();
        for number in place.numbers().unwrap_or_default().into_iter().rev() {
            let Ok(generation) = place.generation(number) else { continue };
            if generation.prefix != prefix {
                continue;
            }
            if current == Some(number) {
                return Ok(Some((place, generation)));
            }
            found.get_or_insert_with(|| (place.clone(), generation));
        }
    }
    Ok(found)
}

/// Of a prefix that no site shows, the store tells what it can.
fn in_store(context: &Context<'_>, asked: &str, prefix: TreeDigest, path: &str, json: bool) -> Result<(), Failure> {
    let store = context.store()?;
    if path.is_empty() {
        let directory = store.prefix_path(prefix);
        if let Some(part) = parts::find(context, &directory)? {
            part.tell(context, asked, json);
            return Ok(());
        }
    }
    let gone = || {
        Failure::new(Exit::Failed, format!("the store does not know what is in prefix {prefix}"))
            .hint("run `envy store verify`")
    };
    let tree = store.tree(prefix)?.ok_or_else(gone)?;
    let Some(node) = tree.get(path) else {
        return Err(Failure::new(Exit::Failed, format!("prefix {prefix} has no `{path}`")).hint("name a file in it"));
    };
    let has_it = |outcome: &Outcome| {
        let tree = store.tree(outcome.tree).ok().flatten();
        tree.is_some_and(|tree| tree.get(path) == Some(node))
    };
    let outcomes = store.outcomes(has_it)?;
    let what = match node {
        Node::File(file) => format!("{}, {} bytes", file.blob, file.size),
        Node::Symlink(target) => format!("a link to `{target}`"),
        Node::Directory(_) => "a directory".to_owned(),
    };
    if json {
        let built = |(action, outcome): &(_, Outcome)| {
            let mut built = making::document(*action, &outcome.provenance);
            built["package"] = outcome.provenance.package.as_str().into();
            built["provenance"] = serde_json::to_value(&outcome.provenance).expect("provenance is plain data");
            built
        };
        context.ui.json(&serde_json::json!({
            "schema": "envy.why/1", "site": null, "what": asked,
            "found": [{ "path": path, "what": what, "of-site": false, "built": outcomes.iter().map(built).collect::<Vec<_>>() }],
        }));
        return Ok(());
    }
    let mut text = format!("{path}: {what}\n  no site shows prefix {prefix}\n");
    for (action, outcome) in &outcomes {
        let sentence = making::sentence(*action, &outcome.provenance);
        text.push_str(&format!("{}\n  built    {sentence}\n", outcome.provenance.package));
    }
    context.ui.result(&text);
    Ok(())
}

/// A path without `.` and `..`, as it is written.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
        plain
    })
}

/// What a path leads to, by its names. The one nearest to its end counts.
fn spot(path: &Path) -> Option<Spot> {
    let names: Vec<_> = path.components().collect();
    let text = |part: &Component<'_>| part.as_os_str().to_str().map(str::to_owned);
    let rest = |from: usize| {
        let names: Option<Vec<_>> = names.get(from..).unwrap_or_default().iter().map(text).collect();
        names.map(|names| names.join("/"))
    };
    let until = |end: usize| names[..end].iter().collect::<PathBuf>();
    for at in (1..names.len()).rev() {
        match text(&names[at])?.as_str() {
            "current" if disk::read_link(&until(at + 1)).is_some_and(|to| to.starts_with("generations")) => {
                return Some(Spot::Site { directory: until(at), number: None, path: rest(at + 1)? });
            }
            "generations" if disk::exists(&until(at + 1).join(names.get(at + 1)?).join("generation.json")) => {
                let number = text(&names[at + 1])?.parse().ok()?;
                return Some(Spot::Site { directory: until(at), number: Some(number), path: rest(at + 2)? });
            }
            "prefixes" => {
                if let Some(prefix) = prefix_in(&names[at..].iter().collect::<PathBuf>()) {
                    return Some(Spot::Prefix { prefix, path: rest(at + 2)? });
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_through_current_a_generation_or_the_store() {
        let directory = tempfile::tempdir().unwrap();
        let site = directory.path().join("api");
        disk::write_atomic(&site.join("generations/3/generation.json"), b"{}").unwrap();
        disk::symlink(Path::new("generations/3"), &site.join("current")).unwrap();
        let of_site = |number, path: &str| Some(Spot::Site { directory: site.clone(), number, path: path.to_owned() });
        assert_eq!(spot(&site.join("current/bin/run")), of_site(None, "bin/run"));
        assert_eq!(spot(&plain(&site.join("var/../generations/3/bin/run"))), of_site(Some(3), "bin/run"));
        assert_eq!(spot(&site.join("generations/4/bin/run")), None);
        assert_eq!(spot(Path::new("/usr/bin/current")), None);
        let prefix = TreeDigest::of(b"x");
        let path = PathBuf::from(format!("/s/prefixes/{}/bin/run", prefix.hex()));
        assert_eq!(spot(&path), Some(Spot::Prefix { prefix, path: "bin/run".to_owned() }));
    }
}
