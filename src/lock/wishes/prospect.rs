//! What versions of packages would need, each by what it states: for whoever still chooses among them. Pure.
//!
//! What a version needs is told without regard to what others state, so that it is the same whatever was chosen of them.
//! Where it gives params to a package, what that needs for their sake counts as its own need. What only comes of the
//! params of several together is found when all is gathered that was chosen.

use super::gather::{Asked, Edge, edges_from};
use super::{Error, Wish};
use crate::manifest::{Dependency, Manifest, Needed, Site};
use crate::package::{By, PackageName, Range, Requirement};
use crate::platform::Platforms;
use crate::recipe::{Book, Need, Purpose, Statement};

/// What a site's packages would be, were they to state this or that.
#[derive(Clone, Copy)]
pub struct Prospect<'a> {
    manifest: &'a Manifest,
    site: &'a Site,
    book: &'a Book,
}

/// A package that another one would need.
#[derive(Clone, Debug, PartialEq)]
pub struct Prospective {
    edge: Edge,
    /// What is required of it: what an override says, where there is one.
    pub requirement: Requirement,
}

impl<'a> Prospect<'a> {
    /// Of a site, with these recipes.
    pub fn of(manifest: &'a Manifest, site: &'a Site, book: &'a Book) -> Self {
        Self { manifest, site, book }
    }

    /// What a project limits a name to.
    pub fn limit(&self, name: &PackageName) -> Option<&'a Range> {
        self.manifest.constraints().get(name)
    }

    /// Whether the project says what takes the place of a name.
    pub fn overrides(&self, name: &PackageName) -> bool {
        self.instead(name).is_some()
    }

    /// What is asked of a package that another one needs.
    pub fn wish(&self, needed: &Prospective) -> Result<Wish, Error> {
        let name = &needed.requirement.name;
        let platforms = self.wanted_on(name, [&needed.edge]);
        Ok(Wish { platforms, ..self.asked(name, vec![&needed.edge], None).wish(name, self.book)? })
    }

    /// Refuse one name for two things.
    pub fn same(&self, one: &Prospective, other: &Prospective) -> Result<(), Error> {
        let name = &one.requirement.name;
        self.asked(name, vec![&one.edge, &other.edge], None).same(name)
    }

    /// What a package needs that states this. If it is there for others alone, `needed` is one of them.
    pub fn needs(
        &self,
        name: &PackageName,
        needed: Option<&Prospective>,
        stated: &Statement,
    ) -> Result<Vec<Prospective>, Error> {
        let plain = needed.map(|needed| without_params(&needed.edge));
        let mut edges = self.edges(name, plain.iter().collect(), Some(stated))?;
        self.follow(&mut edges)?;
        Ok(edges.into_iter().map(|edge| self.prospective(edge)).collect())
    }

    /// Add what the packages need for the sake of the params that they are given.
    fn follow(&self, edges: &mut Vec<Edge>) -> Result<(), Error> {
        let mut at = 0;
        while let Some(edge) = edges.get(at).cloned() {
            at += 1;
            let name = &edge.need.package.name;
            let (with, plain) = (self.edges(name, vec![&edge], None)?, without_params(&edge));
            let without = self.edges(name, vec![&plain], None)?;
            for more in with.into_iter().filter(|one| !without.contains(one)) {
                let more = Edge { by: edge.by.clone(), ..more };
                if !edges.contains(&more) {
                    edges.push(more);
                }
            }
        }
        Ok(())
    }

    fn edges(&self, name: &PackageName, needed_by: Vec<&Edge>, stated: Option<&Statement>) -> Result<Vec<Edge>, Error> {
        let platforms = self.wanted_on(name, needed_by.iter().copied());
        let wish = Wish { platforms, ..self.asked(name, needed_by, stated).wish(name, self.book)? };
        edges_from(name, &wish, self.entries(name), stated)
    }

    fn asked<'e>(&self, name: &PackageName, packages: Vec<&'e Edge>, stated: Option<&'e Statement>) -> Asked<'e>
    where
        'a: 'e,
    {
        let site = self.of_site(name).collect();
        Asked { site, packages, instead: self.instead(name), stated }
    }

    /// What the manifest says of a name.
    fn entries(&self, name: &PackageName) -> impl Iterator<Item = &'a Dependency> {
        self.of_site(name).chain(self.instead(name))
    }

    /// What the site asks of a name on some platform.
    fn of_site(&self, name: &PackageName) -> impl Iterator<Item = &'a Dependency> {
        let (name, platforms) = (name.clone(), self.manifest.platforms());
        self.site.dependencies.iter().filter(move |one| one.name == name && one.is_for_any(platforms))
    }

    /// The platforms that a package is known to be wanted on: by the site, and by these.
    fn wanted_on<'e>(&self, name: &PackageName, needed_by: impl IntoIterator<Item = &'e Edge>) -> Platforms {
        let platforms = self.manifest.platforms().iter().copied();
        let by_site = platforms.filter(|platform| self.of_site(name).any(|one| one.is_for(*platform)));
        by_site.chain(needed_by.into_iter().flat_map(|edge| edge.on.iter().copied())).collect()
    }

    fn instead(&self, name: &PackageName) -> Option<&'a Dependency> {
        self.manifest.overrides().get(name)
    }

    fn prospective(&self, edge: Edge) -> Prospective {
        let (name, by) = (edge.need.package.name.clone(), By::Package(edge.by.clone()));
        let versions = self.instead(&name).map_or(&edge.need.package.versions, |instead| &instead.versions).clone();
        Prospective { edge, requirement: Requirement { name, versions, by } }
    }
}

impl Prospective {
    /// A package of a recipe that nobody else is known to need.
    pub fn in_itself(name: &PackageName, recipe: &str, on: Platforms) -> Self {
        let (params, versions, by) = (Default::default(), Range::Any, By::Package(name.clone()));
        let requirement = Requirement { name: name.clone(), versions: versions.clone(), by };
        let package = Needed { name: name.clone(), recipe: recipe.to_owned(), versions, params, when: None };
        let need = Need { package, purpose: Purpose::Run };
        let edge = Edge { by: name.clone(), need, on };
        Self { edge, requirement }
    }
}

fn without_params(edge: &Edge) -> Edge {
    let mut plain = edge.clone();
    plain.need.package.params.clear();
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATED: &str = "[package.metadata.envy]\ndependencies = ";

    /// What `app` would need of a site with these entries, were its Cargo.toml to end like this.
    fn needs(manifest: &str, stated: &str) -> Vec<String> {
        let text = format!("[sites.a.dependencies]\napp = {{ path = 'app' }}\n{manifest}");
        let manifest = Manifest::parse("envy.toml", &text).unwrap();
        let (site, book) = (manifest.sites().next().unwrap(), Book::built_in());
        let prospect = Prospect::of(&manifest, site, &book);
        let stated = Statement::read("Cargo.toml", stated).unwrap();
        let needs = prospect.needs(&"app".parse().unwrap(), None, &stated).unwrap();
        needs.iter().map(|one| format!("{} {}", one.requirement.name, one.requirement.versions)).collect()
    }

    #[test]
    fn a_version_needs_what_it_states_itself() {
        assert_eq!(needs("", ""), [""; 0]);
        assert_eq!(needs("", &format!("{STATED}{{ openssl = '>=3', zlib = '1' }}")), ["openssl >=3", "zlib ^1"]);
    }

    #[test]
    fn a_version_needs_what_others_need_for_the_sake_of_its_params() {
        let tls = format!("{STATED}{{ redis = {{ version = '7', params = {{ tls = true }} }} }}");
        assert_eq!(needs("", &tls), ["redis ^7", "openssl >=1.1.1"]);
        assert_eq!(
            needs("redis = { recipe = 'redis', params = { tls = true } }", &tls),
            ["redis ^7"],
            "as it is anyway"
        );
        assert_eq!(needs("redis = { recipe = 'redis', params = { tls = false } }", &tls), ["redis ^7"]);
    }

    #[test]
    fn a_version_needs_nothing_for_platforms_that_it_is_not_wanted_on() {
        let zlib = format!("{STATED}{{ zlib = {{ version = '1', when = 'libc == \"musl\"' }} }}");
        assert_eq!(needs("[project]\nplatforms = ['x86_64-linux-gnu']", &zlib), [""; 0]);
        let both = "[project]\nplatforms = ['x86_64-linux-gnu', 'x86_64-linux-musl']";
        assert_eq!(needs(both, &zlib), ["zlib ^1"]);
        let both = format!("lib = {{ path = 'lib', when = 'libc == \"musl\"' }}\n{both}");
        assert_eq!(needs(&both, &zlib), ["zlib ^1"]);
        let tls =
            format!("{STATED}{{ redis = {{ version = '7', params = {{ tls = true }}, when = 'libc == \"gnu\"' }} }}");
        assert_eq!(needs(&both, &tls), ["redis ^7", "openssl >=1.1.1"]);
    }

    #[test]
    fn an_override_says_which_version_is_needed() {
        let zlib = format!("{STATED}{{ zlib = '1' }}");
        assert_eq!(needs("[overrides]\nzlib = { recipe = 'zlib', version = '=1.3.1' }", &zlib), ["zlib =1.3.1"]);
    }

    #[test]
    fn one_name_for_what_two_recipes_make_is_refused() {
        let manifest = Manifest::parse("envy.toml", "[sites.a]").unwrap();
        let (site, book) = (manifest.sites().next().unwrap(), Book::built_in());
        let prospect = Prospect::of(&manifest, site, &book);
        let in_itself = |recipe| Prospective::in_itself(&"lib".parse().unwrap(), recipe, Platforms::new());
        let [one, other] = ["zlib", "openssl"].map(in_itself);
        assert!(prospect.same(&one, &one).is_ok() && prospect.same(&one, &other).is_err());
    }
}
