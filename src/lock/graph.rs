//! Who needs whom among the packages of a lockfile, from what the site itself asks for. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

use super::Lockfile;
use crate::package::PackageName;
use crate::recipe::Purpose;

/// The packages of a lockfile, and what leads from one to the next.
#[derive(Clone, Debug)]
pub struct Graph<'l> {
    lockfile: &'l Lockfile,
    roots: BTreeSet<&'l PackageName>,
    /// How many steps each is from the site, the shortest way.
    distances: BTreeMap<&'l PackageName, usize>,
}

/// A package, and what it is needed for by the one beside it.
pub type Edge<'l> = (&'l PackageName, Purpose);

/// How a site comes to a package: first what the site asks for, last that package.
pub type Chain<'l> = Vec<Edge<'l>>;

impl<'l> Graph<'l> {
    /// The packages of a lockfile; `asked` are those that the site itself names.
    pub fn new<'a>(lockfile: &'l Lockfile, asked: impl IntoIterator<Item = &'a PackageName>) -> Self {
        let known = |name| lockfile.packages.get_key_value(name).map(|(name, _)| name);
        let roots = asked.into_iter().filter_map(known).collect();
        let mut graph = Self { lockfile, roots, distances: BTreeMap::new() };
        graph.measure();
        graph
    }

    fn measure(&mut self) {
        let mut open: VecDeque<_> = self.roots.iter().map(|root| (*root, 0)).collect();
        while let Some((name, distance)) = open.pop_front() {
            if !self.distances.contains_key(name) {
                self.distances.insert(name, distance);
                open.extend(self.needs(name).into_iter().map(|(needed, _)| (needed, distance + 1)));
            }
        }
    }

    /// The packages that the site itself asks for, sorted.
    pub fn roots(&self) -> impl Iterator<Item = &'l PackageName> {
        self.roots.iter().copied()
    }

    /// Whether the site itself asks for a package.
    pub fn is_root(&self, name: &PackageName) -> bool {
        self.roots.contains(name)
    }

    /// The packages that the site does not come to: nobody asks for them any more.
    pub fn left_over(&self) -> impl Iterator<Item = &'l PackageName> {
        self.lockfile.packages.keys().filter(|name| !self.distances.contains_key(name))
    }

    /// What a package needs, sorted: first what it needs to run, then what it needs to be built alone.
    pub fn needs(&self, name: &PackageName) -> Vec<Edge<'l>> {
        let Some(package) = self.lockfile.packages.get(name) else { return Vec::new() };
        let run = package.dependencies.iter().map(|one| (one, Purpose::Run));
        let build = package.build_dependencies.iter().filter(|one| !package.dependencies.contains(one));
        let all = run.chain(build.map(|one| (one, Purpose::Build)));
        all.filter(|(name, _)| self.lockfile.packages.contains_key(*name)).collect()
    }

    /// Who needs a package, sorted, and what for.
    pub fn needed_by(&self, name: &PackageName) -> Vec<Edge<'l>> {
        let needing = |by: &'l PackageName| Some((by, self.needs(by).into_iter().find(|(one, _)| *one == name)?.1));
        self.lockfile.packages.keys().filter_map(needing).collect()
    }

    /// How the site comes to a package, the shortest chains first, and so many of them at most.
    pub fn chains(&self, to: &PackageName, limit: usize) -> Vec<Chain<'l>> {
        let Some((to, _)) = self.lockfile.packages.get_key_value(to) else { return Vec::new() };
        let (mut open, mut found) = (BinaryHeap::new(), Vec::new());
        // From its end to its beginning. What lies before it is as long as the shortest way to the site, so that no chain
        // is taken up that does not come among the shortest.
        let begin = |tail: Vec<Edge<'l>>| {
            let before = self.distances.get(tail.last()?.0)?;
            Some(Reverse((before + tail.len(), tail)))
        };
        open.extend(begin(vec![(to, Purpose::Run)]));
        while let Some(Reverse((_, tail))) = open.pop() {
            let head = tail.last().expect("a chain has its end").0;
            if self.is_root(head) && found.len() < limit {
                found.push(forwards(&tail));
            }
            if found.len() >= limit {
                break;
            }
            for (by, purpose) in self.needed_by(head) {
                let mut longer = tail.clone();
                // The purpose belongs to who is needed.
                longer.last_mut().expect("a chain has its end").1 = purpose;
                longer.push((by, Purpose::Run));
                open.extend(begin(longer));
            }
        }
        found
    }
}

fn forwards<'l>(tail: &[Edge<'l>]) -> Chain<'l> {
    let mut chain = tail.to_vec();
    chain.reverse();
    chain
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::digest::TextDigest;
    use crate::lock::{Package, Pin};
    use crate::package::PackageId;
    use crate::platform::Platforms;

    /// A lockfile with packages, each with what it needs to run and to be built.
    pub fn lockfile(packages: &[(&str, &[&str], &[&str])]) -> Lockfile {
        let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<PackageName>>();
        let mut lockfile = Lockfile::empty(TextDigest::of(b""));
        for (name, run, build) in packages {
            let name: PackageName = name.parse().unwrap();
            let package = Package {
                id: PackageId { name: name.clone(), version: "1.0.0".parse().unwrap() },
                source: "registry+crates.io".to_owned(),
                pin: Pin::Nothing,
                patches: Vec::new(),
                recipe: TextDigest::of(b""),
                crates: None,
                dependencies: names(run),
                build_dependencies: names(build),
                platforms: Platforms::new(),
                needed_on: BTreeMap::new(),
                stated: Default::default(),
                outputs: Vec::new(),
            };
            lockfile.packages.insert(name, package);
        }
        lockfile
    }

    fn chains(lockfile: &Lockfile, asked: &[&str], to: &str, limit: usize) -> Vec<String> {
        let asked: Vec<PackageName> = asked.iter().map(|name| name.parse().unwrap()).collect();
        let graph = Graph::new(lockfile, &asked);
        let written = |chain: &Chain<'_>| {
            let step = |(name, purpose): &Edge<'_>| match purpose {
                Purpose::Run => name.to_string(),
                Purpose::Build => format!("{name}[build]"),
            };
            chain.iter().map(step).collect::<Vec<_>>().join(" -> ")
        };
        graph.chains(&to.parse().unwrap(), limit).iter().map(written).collect()
    }

    #[test]
    fn the_shortest_chains_come_first() {
        let lockfile = lockfile(&[
            ("app", &["tls", "http"], &[]),
            ("http", &["tls"], &["tool"]),
            ("tls", &["zlib"], &["tool"]),
            ("tool", &[], &[]),
            ("zlib", &[], &[]),
        ]);
        assert_eq!(
            chains(&lockfile, &["app", "zlib"], "zlib", 9),
            ["zlib", "app -> tls -> zlib", "app -> http -> tls -> zlib"]
        );
        assert_eq!(
            chains(&lockfile, &["app"], "tool", 9),
            ["app -> http -> tool[build]", "app -> tls -> tool[build]", "app -> http -> tls -> tool[build]"]
        );
        assert_eq!(chains(&lockfile, &["app"], "tool", 1), ["app -> http -> tool[build]"]);
        assert!(chains(&lockfile, &["zlib"], "app", 9).is_empty(), "nobody asks for it");
        assert!(chains(&lockfile, &["app"], "other", 9).is_empty());
    }

    #[test]
    fn of_a_million_chains_the_first_are_found_at_once() {
        let layers: Vec<Vec<String>> =
            (0..20).map(|layer| (0..4).map(|at| format!("p{layer}-{at}")).collect()).collect();
        let names: Vec<Vec<&str>> = layers.iter().map(|layer| layer.iter().map(String::as_str).collect()).collect();
        let none: &[&str] = &[];
        let below = |layer: usize| names.get(layer + 1).map_or(none, Vec::as_slice);
        let packages: Vec<_> = (0..20).flat_map(|layer| names[layer].iter().map(move |name| (*name, layer))).collect();
        let packages: Vec<_> = packages.into_iter().map(|(name, layer)| (name, below(layer), none)).collect();
        assert_eq!(chains(&lockfile(&packages), &["p0-0"], "p19-3", 5).len(), 5);
    }

    #[test]
    fn what_the_site_does_not_come_to_is_left_over() {
        let lockfile =
            lockfile(&[("app", &["lib"], &["tool"]), ("lib", &[], &[]), ("old", &[], &[]), ("tool", &[], &[])]);
        let asked = ["app".parse().unwrap(), "new".parse().unwrap()];
        let graph = Graph::new(&lockfile, &asked);
        let names = |names: &mut dyn Iterator<Item = &PackageName>| names.map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&mut graph.left_over()), ["old"]);
        assert_eq!(names(&mut graph.roots()), ["app"]);
    }
}
