//! Which package a file of a site came from.

use super::super::context::Context;
use crate::digest::TextDigest;
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::lock::Lockfile;
use crate::manifest::Site;
use crate::package::PackageName;
use crate::site::{Generation, Place};
use crate::tree::Node;

/// Something at a path of what a site shows.
pub(super) struct Found {
    path: String,
    /// What it is: a digest, a link's target, or that it is a directory.
    what: String,
    /// Whether the site has it, or something in it, by itself.
    of_site: bool,
    /// The packages that have something there: one, unless it is a directory.
    pub packages: Vec<PackageName>,
    /// What the generation was made from.
    pub lockfile: Lockfile,
}

/// Look for a path in what a generation of a site shows.
pub(super) fn find(
    context: &Context<'_>,
    place: &Place,
    generation: &Generation,
    path: &str,
) -> Result<Option<Found>, Failure> {
    let path = path.to_owned();
    let at = place.generation_path(generation.number).join("lockfile");
    let lockfile = match disk::read_text_if_exists(&at)?.filter(|text| !text.is_empty()) {
        Some(text) => Lockfile::parse(&at, &text)?,
        None => Lockfile::empty(TextDigest::of(b"")),
    };
    if generation.files.contains_key(&path) {
        let what = "a file of the site's own, by `[files]` in `envy.toml`".to_owned();
        return Ok(Some(Found { path, what, of_site: true, packages: Vec::new(), lockfile }));
    }
    let store = context.store()?;
    let missing = || {
        Failure::new(Exit::Failed, format!("the store does not have all that site `{}` shows", place.site()))
            .hint(format!("run `envy build {}`, which brings what is missing", place.site()))
    };
    // What `without` leaves out of a package is not in the prefix.
    let prefix = store.tree(generation.prefix)?.ok_or_else(missing)?;
    let of_site = generation.files.keys().any(|file| path.is_empty() || is_below(file, &path));
    let top = Node::Directory(prefix.clone());
    let shown = if path.is_empty() { Some(&top) } else { prefix.get(&path) };
    let Some(shown) = shown else {
        let what = "a directory of the site's own files, by `[files]` in `envy.toml`".to_owned();
        return Ok(of_site.then(|| Found { what, path, of_site, packages: Vec::new(), lockfile }));
    };
    let is_there = |node: &Node| node == shown || matches!((node, shown), (Node::Directory(_), Node::Directory(_)));
    let mut packages = Vec::new();
    for member in &generation.packages {
        let tree = store.tree(member.tree)?.ok_or_else(missing)?;
        let has_it = if path.is_empty() { !tree.is_empty() } else { tree.get(&path).is_some_and(is_there) };
        if let (true, Ok(name)) = (has_it, member.name.parse()) {
            packages.push(name);
        }
    }
    let path = if path.is_empty() { ".".to_owned() } else { path };
    Ok(Some(Found { what: described(shown), path, of_site, packages, lockfile }))
}

/// Whether a path lies below a directory.
fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// A path from the beginning of the prefix, however it was written.
pub(super) fn in_prefix(site: &Site, asked: &str) -> String {
    let names: Vec<_> = asked.split('/').filter(|name| !["", "."].contains(name)).collect();
    // Through the site's `current`, from wherever that begins.
    let current = names.windows(2).position(|pair| pair == [site.name.as_str(), "current"]);
    names[current.map_or(0, |at| at + 2)..].join("/")
}

fn described(node: &Node) -> String {
    match node {
        Node::File(file) => format!("{}, {} bytes", file.blob, file.size),
        Node::Symlink(target) => format!("a link to `{target}`"),
        Node::Directory(_) => "a directory".to_owned(),
    }
}

impl Found {
    pub fn text(&self) -> String {
        let from: Vec<_> = self.packages.iter().map(|name| format!("`{name}`")).collect();
        let from = if from.is_empty() { String::new() } else { format!(", from {}", from.join(", ")) };
        let own = if self.of_site && !from.is_empty() { ", and files of the site's own" } else { "" };
        format!("{}: {}{from}{own}\n", self.path, self.what)
    }

    pub fn document(&self) -> serde_json::Value {
        serde_json::json!({ "path": self.path, "what": self.what, "of-site": self.of_site })
    }
}
