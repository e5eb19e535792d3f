//! From what `envy.toml` names to everything that it takes: packages need others, with params of their own. Pure.
//!
//! What a package needs follows from its recipe and its params, and its params from who needs it. So all of it is
//! gathered again, with what is known to be needed, until nothing new comes of it.

use std::collections::{BTreeMap, BTreeSet};

use super::text::source_text;
use super::{Error, Stated, Wish};
use crate::manifest::{Dependency, Param, Site, Source};
use crate::package::{By, PackageName, Requirement};
use crate::platform::{Platform, Platforms};
use crate::recipe::{self, Book, Need, Params, Purpose, Recipe, Statement, Value};

/// How a crate is made, and what lies in a repository or a directory.
const CARGO: &str = "cargo";
/// How an archive is made.
const UNPACK: &str = "unpack";

/// How often params may lead to new needs, which lead to new params.
const ROUNDS: usize = 32;

/// A package that another one needs, on some platforms.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Edge {
    pub by: PackageName,
    pub need: Need,
    pub on: Platforms,
}

/// Everybody who asks for one name.
#[derive(Default)]
pub(super) struct Asked<'a> {
    pub site: Vec<&'a Dependency>,
    pub packages: Vec<&'a Edge>,
    /// What takes the place of what they ask for.
    pub instead: Option<&'a Dependency>,
    /// What it says itself, if that is known.
    pub stated: Option<&'a Statement>,
}

/// What takes the place of packages.
type Overrides = BTreeMap<PackageName, Dependency>;

/// What is asked of each package of a site.
pub(super) fn gather(
    site: &Site,
    overrides: &Overrides,
    book: &Book,
    stated: &Stated,
    platforms: &Platforms,
) -> Result<BTreeMap<PackageName, Wish>, Error> {
    let site = &asked_on(site, platforms);
    let mut edges: Vec<Edge> = Vec::new();
    for _ in 0..ROUNDS {
        let mut packages = wishes(site, overrides, book, &edges, stated)?;
        mark_wanted(site, &mut packages, platforms);
        let now = edges_of(site, overrides, &packages, stated)?;
        if now == edges {
            platforms.iter().try_for_each(|platform| no_circle(&packages, *platform))?;
            packages.iter().try_for_each(|(name, wish)| made_where_wanted(name, wish))?;
            return Ok(packages);
        }
        edges = now;
    }
    let by = edges.into_iter().map(|edge| edge.by).chain(site.dependencies.iter().map(|one| one.name.clone())).next();
    Err(Error::Unsettled { name: by.expect("a site that asks for nothing needs nothing") })
}

/// The site without what it asks for on none of these platforms.
fn asked_on(site: &Site, platforms: &Platforms) -> Site {
    let mut site = site.clone();
    site.dependencies.retain(|one| one.is_for_any(platforms));
    site
}

fn wishes(
    site: &Site,
    overrides: &Overrides,
    book: &Book,
    edges: &[Edge],
    stated: &Stated,
) -> Result<BTreeMap<PackageName, Wish>, Error> {
    let mut asked: BTreeMap<&PackageName, Asked<'_>> = BTreeMap::new();
    for dependency in &site.dependencies {
        asked.entry(&dependency.name).or_default().site.push(dependency);
    }
    for edge in edges {
        asked.entry(&edge.need.package.name).or_default().packages.push(edge);
    }
    let mut wishes = BTreeMap::new();
    for (name, mut asked) in asked {
        (asked.instead, asked.stated) = (overrides.get(name), stated.get(name));
        let mut wish = asked.wish(name, book)?;
        for edge in edges.iter().filter(|edge| edge.by == *name) {
            let needed = (edge.need.purpose, edge.need.package.name.clone());
            wish.needs.entry(needed).or_default().extend(&edge.on);
        }
        wishes.insert(name.clone(), wish);
    }
    Ok(wishes)
}

/// What all of these packages need, on the platforms that they are wanted on.
fn edges_of(
    site: &Site,
    overrides: &Overrides,
    packages: &BTreeMap<PackageName, Wish>,
    stated: &Stated,
) -> Result<Vec<Edge>, Error> {
    let mut edges = Vec::new();
    for (name, wish) in packages {
        let entries = site.dependencies.iter().filter(|one| one.name == *name).chain(overrides.get(name));
        edges.extend(edges_from(name, wish, entries, stated.get(name))?);
    }
    Ok(edges)
}

/// What one package needs on the platforms that it is wanted on: by its recipe, as it states itself, and as its entries say.
pub(super) fn edges_from<'a>(
    name: &PackageName,
    wish: &Wish,
    entries: impl Iterator<Item = &'a Dependency>,
    stated: Option<&Statement>,
) -> Result<Vec<Edge>, Error> {
    let mut needs: Vec<_> = wish.recipe.needs().collect();
    needs.extend(stated.filter(|_| wish.states).into_iter().flat_map(|stated| stated.needs.clone()));
    for dependency in entries {
        let run = dependency.dependencies.iter().map(|one| (one, Purpose::Run));
        let build = dependency.build_dependencies.iter().map(|one| (one, Purpose::Build));
        needs.extend(run.chain(build).map(|(package, purpose)| Need { package: package.clone(), purpose }));
    }
    let mut edges = Vec::new();
    for need in needs {
        let mut on = Platforms::new();
        for platform in &wish.platforms {
            let holds = wish.recipe.holds(need.package.when.as_deref(), &wish.params, *platform);
            // A param may be one of the recipe that the package states, which is not known yet.
            let holds = if wish.states && stated.is_none() { Ok(holds.unwrap_or(false)) } else { holds };
            if holds.map_err(|source| Error::Needed { by: name.clone(), source })? {
                on.insert(*platform);
            }
        }
        if !on.is_empty() {
            edges.push(Edge { by: name.clone(), need, on });
        }
    }
    Ok(edges)
}

impl<'a> Asked<'a> {
    pub fn wish(&self, name: &PackageName, book: &Book) -> Result<Wish, Error> {
        self.same(name)?;
        let first = self.first();
        let source = match (first, self.packages.first()) {
            (Some(first), _) => first.source.clone(),
            (None, Some(edge)) => Source::Recipe { recipe: edge.need.package.recipe.clone() },
            (None, None) => unreachable!("a name stands here because somebody asks for it"),
        };
        let named = match (&source, first.and_then(|first| first.recipe.as_deref())) {
            (Source::Recipe { recipe }, _) => Some(recipe.as_str()),
            (Source::Archive(_), None) => Some(UNPACK),
            (_, recipe) => recipe,
        };
        let recipe = match (named, self.stated) {
            (Some(named), _) => book.get(named).map_err(|error| self.blamed(error))?,
            (None, Some(stated)) => book.get(stated.recipe()).map_err(|error| of_statement(name, error))?,
            (None, None) => book.get(CARGO)?,
        };
        if matches!(source, Source::Recipe { .. }) && recipe.releases().is_empty() {
            return Err(self.blamed(recipe::Error::NoVersions(recipe.name().to_owned())));
        }
        let mut without: Vec<_> = self.entries().flat_map(|one| one.without.iter().cloned()).collect();
        without.sort();
        without.dedup();
        let requirements = self.requirements();
        Ok(Wish {
            source_text: source_text(&source, &requirements),
            patches: first.map(|first| first.patches.clone()).unwrap_or_default(),
            exclude_newer: self.entries().rev().find_map(|one| one.exclude_newer.clone()),
            params: self.all_params(name, recipe, named.is_some())?,
            states: named.is_none() || recipe.vendor().is_some(),
            recipe: recipe.clone(),
            source,
            requirements,
            without,
            needs: BTreeMap::new(),
            platforms: Platforms::new(),
            installed: Platforms::new(),
        })
    }

    /// The entry of the manifest that says what the package is, if any does.
    fn first(&self) -> Option<&'a Dependency> {
        self.instead.or(self.site.first().copied())
    }

    /// All entries of the manifest, those that count more later.
    fn entries(&self) -> impl DoubleEndedIterator<Item = &'a Dependency> {
        self.site.iter().copied().chain(self.instead)
    }

    /// An error of a recipe, with the package that needs it, where the manifest itself does not name it.
    fn blamed(&self, error: recipe::Error) -> Error {
        match (self.first(), self.packages.first()) {
            (None, Some(edge)) => Error::Needed { by: edge.by.clone(), source: error },
            _ => error.into(),
        }
    }

    fn requirements(&self) -> Vec<Requirement> {
        if let Some(instead) = self.instead {
            return vec![requirement(instead)];
        }
        let site = self.site.iter().map(|one| requirement(one));
        let packages = self.packages.iter().map(|edge| Requirement {
            name: edge.need.package.name.clone(),
            versions: edge.need.package.versions.clone(),
            by: By::Package(edge.by.clone()),
        });
        let mut requirements: Vec<_> = site.chain(packages).collect();
        requirements.sort_by(|a, b| a.by.cmp(&b.by));
        requirements
    }

    /// Refuse one name for two things: nobody could say which of them is meant. What a package needs is the work of a
    /// recipe, so a site may say that it comes from elsewhere, but not that another recipe makes it: that is for
    /// an override, which says it of all who ask.
    pub fn same(&self, name: &PackageName) -> Result<(), Error> {
        if self.instead.is_some() {
            return Ok(());
        }
        let what = |one: &&Dependency| (one.source.clone(), one.patches.clone(), one.recipe.clone());
        let of_site = self.site.windows(2).all(|pair| what(&pair[0]) == what(&pair[1]));
        let made_by = self.site.first().map(|first| match &first.source {
            Source::Recipe { recipe } => Some(recipe),
            _ => first.recipe.as_ref(),
        });
        let expected = made_by.unwrap_or_else(|| self.packages.first().map(|edge| &edge.need.package.recipe));
        let of_packages = self.packages.iter().all(|edge| Some(&edge.need.package.recipe) == expected);
        if of_site && of_packages {
            return Ok(());
        }
        let needs = |edge: &&Edge| format!("`{}` needs what recipe `{}` makes", edge.by, edge.need.package.recipe);
        let asked = self.site.iter().map(line).chain(self.packages.iter().map(needs)).collect();
        Err(Error::Differs { name: name.clone(), asked })
    }

    /// A value for each param: those that are asked for, then those that the package itself states for this recipe.
    fn all_params(&self, name: &PackageName, recipe: &Recipe, named: bool) -> Result<Params, Error> {
        let mut params = self.params(name)?;
        let Some(stated) = self.stated.filter(|_| !named || recipe.vendor().is_some()) else {
            let given = recipe.params(params);
            // Which recipe they are meant for is known when the package was read.
            let unknown = given.is_err() && !named && self.stated.is_none();
            return if unknown { Ok(recipe.params([])?) } else { given.map_err(|error| self.blamed(error)) };
        };
        let asked = recipe.params(params.clone()).map_err(|error| self.blamed(error))?;
        if stated.params.is_empty() || stated.recipe() != recipe.name() {
            return Ok(asked);
        }
        for (key, value) in &stated.params {
            params.entry(key).or_insert_with(|| value.into());
        }
        recipe.params(params).map_err(|error| of_statement(name, error))
    }

    /// The params that several ask for: lists are united, what one package switches on is on, and what the site itself
    /// says counts. What an override says takes the place of all of it.
    fn params(&self, name: &PackageName) -> Result<BTreeMap<&str, Value>, Error> {
        let mut params: BTreeMap<&str, Value> = BTreeMap::new();
        let overridden = |key: &str| self.instead.is_some_and(|instead| instead.params.contains_key(key));
        let of_packages = self.packages.iter().flat_map(|edge| &edge.need.package.params);
        for (key, value) in of_packages.filter(|(key, _)| !overridden(key)) {
            match (params.get(key.as_str()), Value::from(value)) {
                (Some(Value::Bool(true)), Value::Bool(_)) | (Some(Value::List(_)), Value::List(_)) => {}
                (Some(before), after) if *before != after && !matches!(after, Value::Bool(_)) => {
                    return Err(self.differs(name, key));
                }
                (_, after) => {
                    params.insert(key, after);
                }
            }
        }
        for (key, value) in self.site.iter().flat_map(|one| &one.params) {
            params.insert(key, value.into());
        }
        for (key, list) in &mut params {
            if let Value::List(texts) = list {
                *texts = self.united(key);
            }
        }
        for (key, value) in self.instead.iter().flat_map(|instead| &instead.params) {
            params.insert(key, value.into());
        }
        Ok(params)
    }

    fn united(&self, key: &str) -> Vec<String> {
        let given = self.packages.iter().map(|edge| &edge.need.package.params);
        let given = given.chain(self.site.iter().map(|one| &one.params)).filter_map(|params| params.get(key));
        let lists = given.filter_map(|value| if let Param::List(texts) = value { Some(texts) } else { None });
        let lists: Vec<&Vec<String>> = lists.collect();
        // What one alone says has the order that it gave, which may matter: commands of a script, arguments.
        match &lists[..] {
            [first, rest @ ..] if rest.iter().all(|list| list == first) => (*first).clone(),
            _ => lists.into_iter().flatten().cloned().collect::<BTreeSet<_>>().into_iter().collect(),
        }
    }

    fn differs(&self, name: &PackageName, key: &str) -> Error {
        let wants = |edge: &&Edge| {
            let value = Value::from(edge.need.package.params.get(key)?);
            Some(format!("`{}` needs it with {key} = {}", edge.by, value.to_json()))
        };
        Error::Differs { name: name.clone(), asked: self.packages.iter().filter_map(wants).collect() }
    }
}

fn of_statement(name: &PackageName, error: recipe::Error) -> Error {
    Error::Stated { by: name.clone(), source: error }
}

fn line(one: &&Dependency) -> String {
    let mut line = format!("{} takes it from {}", one.by, source_text(&one.source, &[requirement(one)]));
    if let Some(recipe) = &one.recipe {
        line.push_str(&format!(", by recipe `{recipe}`"));
    }
    if !one.patches.is_empty() {
        line.push_str(&format!(", with {}", one.patches.join(", ")));
    }
    line
}

fn requirement(dependency: &Dependency) -> Requirement {
    let Dependency { name, versions, by, when, .. } = dependency;
    let on = when.as_ref().map(|when| format!(" (when `{when}`)")).unwrap_or_default();
    Requirement { name: name.clone(), versions: versions.clone(), by: By::Top(format!("{by}{on}")) }
}

/// Where each package is wanted, and into which prefixes it belongs: what the site asks for there, and what that needs to
/// run. What is needed by who is not wanted himself is wanted by nobody.
fn mark_wanted(site: &Site, packages: &mut BTreeMap<PackageName, Wish>, platforms: &Platforms) {
    for platform in platforms {
        let asked = site.dependencies.iter().filter(|one| one.is_for(*platform));
        let mut open: Vec<(Purpose, PackageName)> = asked.map(|one| (Purpose::Run, one.name.clone())).collect();
        while let Some((purpose, name)) = open.pop() {
            let wish = packages.get_mut(&name).expect("whatever is asked for has a wish");
            let is_new = wish.platforms.insert(*platform);
            let is_installed = purpose == Purpose::Run && wish.installed.insert(*platform);
            if !is_new && !is_installed {
                continue;
            }
            for ((needed_for, needed), _) in wish.needs.iter().filter(|(_, on)| on.contains(platform)) {
                // What is there to build something has what it needs to run beside it, and not in the prefix.
                let both = if purpose == Purpose::Run { *needed_for } else { Purpose::Build };
                open.push((both, needed.clone()));
            }
        }
    }
}

/// Refuse a recipe that is not for a platform that its package is wanted on. Of what a recipe lists, the resolver tells.
fn made_where_wanted(name: &PackageName, wish: &Wish) -> Result<(), Error> {
    let not_for = |platform: &&Platform| !wish.recipe.is_for(None, **platform);
    match wish.platforms.iter().find(not_for).filter(|_| !matches!(wish.source, Source::Recipe { .. })) {
        None => Ok(()),
        Some(platform) => {
            let recipe = wish.recipe.name().to_owned();
            Err(Error::NotFor { name: name.clone(), recipe, platform: *platform })
        }
    }
}

/// Refuse packages that need each other on a platform.
fn no_circle(packages: &BTreeMap<PackageName, Wish>, platform: Platform) -> Result<(), Error> {
    let mut done = BTreeSet::new();
    packages.keys().try_for_each(|name| visit(name, packages, platform, &mut Vec::new(), &mut done))
}

fn visit<'p>(
    name: &'p PackageName,
    packages: &'p BTreeMap<PackageName, Wish>,
    platform: Platform,
    chain: &mut Vec<&'p PackageName>,
    done: &mut BTreeSet<&'p PackageName>,
) -> Result<(), Error> {
    if let Some(begin) = chain.iter().position(|one| *one == name) {
        let chain = chain[begin..].iter().chain([&name]).map(|one| (*one).clone()).collect();
        return Err(Error::Circle { chain });
    }
    if done.contains(name) {
        return Ok(());
    }
    chain.push(name);
    for ((_, needed), _) in packages[name].needs.iter().filter(|(_, on)| on.contains(&platform)) {
        visit(needed, packages, platform, chain, done)?;
    }
    chain.pop();
    done.insert(name);
    Ok(())
}
