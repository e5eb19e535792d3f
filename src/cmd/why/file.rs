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
    /// Whether the site has it by itself, and no package.
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
    let Some(shown) = prefix.get(&path) else { return Ok(None) };
    let is_there = |node: &Node| node == shown || matches!((node, shown), (Node::Directory(_), Node::Directory(_)));
    let mut packages = Vec::new();
    for member in &generation.packages {
        let tree = store.tree(member.tree)?.ok_or_else(missing)?;
        if let (true, Ok(name)) = (tree.get(&path).is_some_and(is_there), member.name.parse()) {
            packages.push(name);
        }
    }
    Ok(Some(Found { what: described(shown), path, of_site: false, packages, lockfile }))
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
        let from = if self.of_site { String::new() } else { format!(", from {}", from.join(", ")) };
        format!("{}: {}{from}\n", self.path, self.what)
    }

    pub fn document(&self) -> serde_json::Value {
        serde_json::json!({ "path": self.path, "what": self.what, "of-site": self.of_site })
    }
}
