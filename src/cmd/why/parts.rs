//! What envy keeps and no site shows: things in the store by their paths, and what lies in a site's directory.

use std::path::{Path, PathBuf};

use crate::cmd::context::Context;
use crate::cmd::gc;
use crate::disk;
use crate::failure::Failure;
use crate::site::Place;
use crate::store::Store;
use crate::store::collect::Reasons;

/// What is in the store, by the first name of its path.
const OF_STORE: [(&str, &str); 10] = [
    ("blobs", "the bytes of files"),
    ("trees", "trees, one directory each"),
    ("results", "what actions gave"),
    ("units", "what single calls of a compiler gave"),
    ("sources", "which trees gave what was fetched"),
    ("checkouts", "what was laid out once to be read often"),
    ("prefixes", "ready prefixes, which sites lead into"),
    ("roots", "links to the sites that use this store"),
    ("locks", "what is there to be locked while something is made"),
    ("tmp", "what processes that run are at work on"),
];

/// What is in the directory of a site, by the first name of its path.
const OF_SITE: [(&str, &str); 11] = [
    ("var", "the service's own data, which envy never touches"),
    ("generations", "the site's generations"),
    ("logs", "logs of builds made for the site, and of its checks"),
    ("activate", "a script that activates what the site shows"),
    ("activate.fish", "a script that activates what the site shows"),
    ("pinned", "the numbers of generations that are never removed"),
    ("history.jsonl", "the site's history"),
    (".after-switch", "there while a switch waits for the commands after it"),
    (".lock", "held by whoever changes the site"),
    (".project", "the project that the site belongs to"),
    ("current", "the link to the generation that the site shows"),
];

/// Something that envy keeps.
pub(super) struct Part {
    /// From the top of the store or of the site's directory.
    path: String,
    what: String,
    /// Why the store keeps it.
    kept: Vec<Reasons>,
    /// The site in whose directory it is.
    place: Option<Place>,
}

/// What envy keeps at a path where something is.
pub(super) fn find(context: &Context<'_>, path: &Path) -> Result<Option<Part>, Failure> {
    if !disk::exists(path) {
        return Ok(None);
    }
    match of_store(context, path)? {
        None => Ok(of_site(path)?.or_else(|| of_cache(context, path))),
        found => Ok(found),
    }
}

fn of_store(context: &Context<'_>, path: &Path) -> Result<Option<Part>, Failure> {
    let store = context.store()?;
    let Some(below) = below(store.root(), path) else { return Ok(None) };
    let names: Vec<_> = below.iter().map(|name| name.to_string_lossy()).collect();
    let part = |what: String, kept| Part { path: shown(&below), what, kept, place: None };
    let Some(first) = names.first() else { return Ok(Some(part(the_store(store), Vec::new()))) };
    if let Some(digits) = digits(&names) {
        let mut kept = gc::reasons(context, &digits, gc::KEEP_DAYS)?;
        kept.retain(|reasons| reasons.kind.directory() == first);
        let what = match kept.first() {
            Some(reasons) => format!("{} {}", reasons.kind.word(), reasons.digest),
            None => format!("sha256:{digits}, of which nothing is whole"),
        };
        return Ok(Some(part(what, kept)));
    }
    let known = OF_STORE.iter().find(|(name, _)| name == first);
    let what = match (first.as_ref(), disk::read_link(path)) {
        ("roots", Some(site)) => format!("a link to the site in `{}`", site.display()),
        _ => known.map_or_else(
            || "in the store, though envy did not put it there".to_owned(),
            |(_, what)| (*what).to_owned(),
        ),
    };
    Ok(Some(part(what, Vec::new())))
}

fn the_store(store: &Store) -> String {
    format!("the store, `{}`", store.root().display())
}

/// The digits of the digest that a path in the store stands for: `blobs/ab/cd…`, `prefixes/abcd…`.
fn digits(names: &[std::borrow::Cow<'_, str>]) -> Option<String> {
    let digits = match names {
        [kind, name, ..] if kind == "prefixes" => name.trim_end_matches(".patches").to_owned(),
        [_, begin, end, ..] => format!("{begin}{}", end.trim_end_matches(".x")),
        _ => return None,
    };
    (digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(digits)
}

fn of_site(path: &Path) -> Result<Option<Part>, Failure> {
    let is_site = |directory: &&Path| {
        let has = |name| disk::exists(&directory.join(name));
        disk::is_directory(&directory.join("generations")) && (has("history.jsonl") || has(".lock"))
    };
    let Some(directory) = path.ancestors().find(is_site) else { return Ok(None) };
    let Some(place) = Place::found(directory)? else { return Ok(None) };
    let below = path.strip_prefix(directory).unwrap_or(path);
    let what = match below.iter().next().map(|name| name.to_string_lossy()) {
        None => "the site's directory",
        Some(first) => match OF_SITE.iter().find(|(name, _)| *name == first) {
            Some((_, what)) => what,
            None => "in the site's directory, though envy did not put it there",
        },
    };
    Ok(Some(Part { path: shown(below), what: what.to_owned(), kept: Vec::new(), place: Some(place) }))
}

fn of_cache(context: &Context<'_>, path: &Path) -> Option<Part> {
    let below = below(&context.cache().ok()?, path)?;
    let what = "in envy's cache, of what can be fetched or computed again".to_owned();
    Some(Part { path: shown(&below), what, kept: Vec::new(), place: None })
}

/// A path from a directory above it, whichever links lead to that.
fn below(directory: &Path, path: &Path) -> Option<PathBuf> {
    let real = disk::canonical(directory).ok();
    let directories = std::iter::once(directory).chain(real.as_deref());
    directories.filter_map(|directory| path.strip_prefix(directory).ok()).next().map(Path::to_owned)
}

fn shown(below: &Path) -> String {
    if below.as_os_str().is_empty() { ".".to_owned() } else { below.display().to_string() }
}

impl Part {
    /// Print what there is to say.
    pub fn tell(&self, context: &Context<'_>, asked: &str, json: bool) {
        let place = self.place.as_ref();
        if json {
            let kept: Vec<_> = self.kept.iter().map(gc::document_of).collect();
            context.ui.json(&serde_json::json!({
                "schema": "envy.why/1",
                "site": place.map(|place| place.site().as_str()),
                "directory": place.map(|place| place.path().display().to_string()),
                "generation": null,
                "what": asked,
                "found": [{ "path": self.path, "what": self.what, "of-site": place.is_some(), "packages": [], "kept": kept }],
            }));
            return;
        }
        let mut text = format!("{}: {}\n", self.path, self.what);
        self.kept.iter().for_each(|reasons| text.push_str(&gc::text(reasons, gc::KEEP_DAYS)));
        text.extend(place.map(super::located::site_line));
        context.ui.result(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_the_store_stands_for_a_digest() {
        let end = "b".repeat(62);
        let check = |path: &str, expected: Option<String>| {
            let names: Vec<_> = path.split('/').map(Into::into).collect();
            assert_eq!(digits(&names), expected, "{path}");
        };
        check(&format!("blobs/ab/{end}.x"), Some(format!("ab{end}")));
        check(&format!("checkouts/ab/{end}/src/lib.rs"), Some(format!("ab{end}")));
        check(&format!("prefixes/ab{end}.patches"), Some(format!("ab{end}")));
        check("prefixes", None);
        check("blobs/ab", None);
        check("tmp/x/y", None);
    }
}
