//! A site's packages as a tree of lines. Pure.

use std::collections::BTreeSet;

use super::Seen;
use crate::lock::{Edge, Graph, Wish};
use crate::package::PackageName;
use crate::platform::{Platform, listed};
use crate::recipe::Purpose;

/// A site with what it asks for and what that needs; or a package with who asks for it.
pub fn of(seen: &Seen<'_>, invert: Option<&PackageName>, depth: Option<usize>) -> String {
    let graph = seen.graph();
    let mut drawing = Drawing { seen, graph: &graph, depth, drawn: BTreeSet::new(), text: String::new() };
    match invert.and_then(|name| seen.lockfile.packages.get_key_value(name)) {
        Some((name, _)) => {
            drawing.text = format!("{}\n", drawing.line(name));
            drawing.below(Kind::NeededBy(name), "", 1);
        }
        None => {
            let is_empty = seen.lockfile.packages.is_empty() && seen.site.dependencies.is_empty();
            drawing.text = format!("{}{}\n", seen.site.name, if is_empty { " (empty)" } else { "" });
            drawing.below(Kind::Site, "", 1);
        }
    }
    drawing.text
}

struct Drawing<'s> {
    seen: &'s Seen<'s>,
    graph: &'s Graph<'s>,
    depth: Option<usize>,
    /// What has been drawn with all that is below it.
    drawn: BTreeSet<&'s PackageName>,
    text: String,
}

/// What branches are drawn for.
enum Kind<'s> {
    Site,
    Needs(&'s PackageName),
    NeededBy(&'s PackageName),
}

/// One branch.
enum Branch<'s> {
    /// A package; it is needed for this by the one above, or needs that one for this.
    Package(Edge<'s>),
    /// The site, above which nothing is.
    Site,
    /// Something that the lockfile does not have.
    NotLocked(&'s PackageName),
    /// Something that is asked for on no platform of the project.
    Nowhere(&'s PackageName),
    /// Something that only the lockfile has.
    LeftOver(&'s PackageName),
}

impl<'s> Drawing<'s> {
    fn branches(&self, kind: &Kind<'s>) -> Vec<Branch<'s>> {
        match kind {
            Kind::Site => {
                let asked: BTreeSet<_> = self.seen.site.dependencies.iter().map(|one| &one.name).collect();
                let left_over = self.graph.left_over().map(Branch::LeftOver);
                asked.into_iter().map(|name| self.asked(name)).chain(left_over).collect()
            }
            Kind::Needs(name) => self.graph.needs(name).into_iter().map(Branch::Package).collect(),
            Kind::NeededBy(name) => {
                let site = self.graph.is_root(name).then_some(Branch::Site);
                site.into_iter().chain(self.graph.needed_by(name).into_iter().map(Branch::Package)).collect()
            }
        }
    }

    fn asked(&self, name: &'s PackageName) -> Branch<'s> {
        match self.seen.lockfile.packages.contains_key(name) {
            true => Branch::Package((name, Purpose::Run)),
            false if self.seen.wishes.packages().contains_key(name) => Branch::NotLocked(name),
            false => Branch::Nowhere(name),
        }
    }

    /// Draw the branches of something, each with all that is below it.
    fn below(&mut self, kind: Kind<'s>, margin: &str, level: usize) {
        if self.depth.is_some_and(|depth| level > depth) {
            return;
        }
        let branches = self.branches(&kind);
        let inverted = matches!(kind, Kind::NeededBy(_));
        let last = branches.len();
        for (index, branch) in branches.into_iter().enumerate() {
            let (arm, inside) = if index + 1 == last { ("└── ", "    ") } else { ("├── ", "│   ") };
            self.text.push_str(margin);
            self.text.push_str(arm);
            let inside = format!("{margin}{inside}");
            match branch {
                Branch::Site => self.text.push_str(&format!("site {}\n", self.seen.site.name)),
                Branch::NotLocked(name) => self.text.push_str(&format!("{name} (not locked)\n")),
                Branch::Nowhere(name) => {
                    self.text.push_str(&format!("{name} (for none of the project's platforms)\n"));
                }
                Branch::Package((name, purpose)) => self.package(name, mark(purpose), inverted, &inside, level),
                Branch::LeftOver(name) => self.package(name, " (not required)", inverted, &inside, level),
            }
        }
    }

    fn package(&mut self, name: &'s PackageName, mark: &str, inverted: bool, inside: &str, level: usize) {
        let kind = if inverted { Kind::NeededBy(name) } else { Kind::Needs(name) };
        let has_branches = !self.branches(&kind).is_empty();
        // What is cut off by the depth is shown nowhere, so that another mention of it is not folded.
        let is_cut_off = self.depth.is_some_and(|depth| level >= depth);
        let is_drawn = !is_cut_off && !self.drawn.insert(name);
        let folded = if has_branches && is_drawn { " (*)" } else { "" };
        self.text.push_str(&format!("{}{mark}{folded}\n", self.line(name)));
        if !is_drawn {
            self.below(kind, inside, level + 1);
        }
    }

    /// A package with its source, the params that were chosen, and what is special about it.
    fn line(&self, name: &PackageName) -> String {
        let package = &self.seen.lockfile.packages[name];
        let chosen: String = params(self.seen.wishes.packages().get(name))
            .iter()
            .map(|(name, value)| format!(" {name}={value}"))
            .collect();
        let built = match self.seen.lockfile.outputs(name, Platform::host()).next() {
            _ if !package.pin.is_fixed() => " (unpinned)",
            _ if !package.is_for(Platform::host()) => "",
            Some(_) => "",
            None => " (not built)",
        };
        let on = match package.platforms.is_empty() {
            true => String::new(),
            false => format!(" (on {} only)", listed(&package.platforms)),
        };
        format!("{} {}{chosen}{on}{built}", package.id, package.source)
    }
}

fn mark(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Run => "",
        Purpose::Build => " [build]",
    }
}

/// Params that were chosen, in words.
pub fn params(wish: Option<&Wish>) -> Vec<(String, serde_json::Value)> {
    let Some(wish) = wish else { return Vec::new() };
    wish.recipe.chosen(&wish.params).map(|(name, value)| (name.to_owned(), value.to_json())).collect()
}
