//! Wishes: what `envy.toml` asks of a site's packages, each name once. Pure.

use std::collections::BTreeMap;

use crate::digest::TextDigest;
use crate::manifest::{ArchiveSource, Dependency, ExcludeNewer, GitReference, Manifest, Param, Site, Source};
use crate::package::{PackageName, Requirement, VersionReq};
use crate::platform::Platform;
use crate::recipe::{self, Book, Params, Value};

/// All that is asked of a site's packages.
#[derive(Clone, Debug)]
pub struct Wishes {
    packages: BTreeMap<PackageName, Wish>,
    toolchain: Option<VersionReq>,
    platforms: Vec<Platform>,
    exclude_newer: Option<ExcludeNewer>,
}

/// What is asked of one package.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Who asks for which versions.
    pub requirements: Vec<Requirement>,
    /// Where it comes from.
    pub source: Source,
    /// How a lockfile writes that.
    pub source_text: String,
    /// Patches to its source, by their paths in the project.
    pub patches: Vec<String>,
    /// How new it may be, where that differs from what the project says.
    pub exclude_newer: Option<ExcludeNewer>,
    /// The recipe that makes it.
    pub recipe: String,
    /// A value for each of the recipe's params.
    pub params: Params,
    /// Digest of the recipe with these params.
    pub digest: TextDigest,
    /// Paths that are left out of the prefix.
    pub without: Vec<String>,
}

/// What is asked for cannot be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A recipe is not there, or takes other params.
    #[error(transparent)]
    Recipe(#[from] recipe::Error),
    /// One name, and two things that it would stand for.
    #[error("`{name}` is asked for in two ways")]
    Differs {
        /// The name.
        name: PackageName,
        /// Who asks, and for what.
        asked: Vec<String>,
    },
}

/// How a crate is made, and what lies in a repository or a directory.
const CARGO: &str = "cargo";
/// How an archive is made.
const UNPACK: &str = "unpack";

impl Wishes {
    /// Collect what a site asks for: what every site has, and what it has alone. Lists that several ask for are united.
    pub fn of(manifest: &Manifest, site: &Site, book: &Book) -> Result<Self, Error> {
        let mut asked: BTreeMap<&PackageName, Vec<&Dependency>> = BTreeMap::new();
        for dependency in &site.dependencies {
            asked.entry(&dependency.name).or_default().push(dependency);
        }
        let wish = |(name, dependencies): (&PackageName, Vec<&Dependency>)| {
            Ok((name.clone(), Wish::of(name, &dependencies, book)?))
        };
        let packages = asked.into_iter().map(wish).collect::<Result<_, Error>>()?;
        let mut platforms = manifest.platforms().to_vec();
        platforms.sort();
        let (toolchain, exclude_newer) = (manifest.toolchain().cloned(), manifest.exclude_newer().cloned());
        Ok(Self { packages, toolchain, platforms, exclude_newer })
    }

    /// What is asked of each package.
    pub fn packages(&self) -> &BTreeMap<PackageName, Wish> {
        &self.packages
    }

    /// The versions of rustc that would do, where somebody said.
    pub fn toolchain(&self) -> Option<&VersionReq> {
        self.toolchain.as_ref()
    }

    /// What is built for, sorted.
    pub fn platforms(&self) -> &[Platform] {
        &self.platforms
    }

    /// How new a version may be, where the project says so.
    pub fn exclude_newer(&self) -> Option<&ExcludeNewer> {
        self.exclude_newer.as_ref()
    }

    /// Whether any package is built by cargo.
    pub fn needs_rust(&self, book: &Book) -> bool {
        let by_cargo = |wish: &Wish| book.get(&wish.recipe).is_ok_and(|recipe| recipe.vendor().is_some());
        self.packages.values().any(by_cargo)
    }

    /// Everything that is asked, for the resolver.
    pub fn requirements(&self) -> Vec<Requirement> {
        self.packages.values().flat_map(|wish| wish.requirements.iter().cloned()).collect()
    }

    /// Names all of it.
    pub fn digest(&self) -> TextDigest {
        let package = |(name, wish): (&PackageName, &Wish)| (name.as_str().to_owned(), wish.canonical());
        let mut canonical = serde_json::json!({
            "packages": self.packages.iter().map(package).collect::<serde_json::Map<_, _>>(),
            "rust": self.toolchain.as_ref().map(ToString::to_string),
            "platforms": self.platforms.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        if let Some(limit) = &self.exclude_newer {
            canonical["exclude-newer"] = written(limit).into();
        }
        TextDigest::of(canonical.to_string().as_bytes())
    }
}

impl Wish {
    fn of(name: &PackageName, dependencies: &[&Dependency], book: &Book) -> Result<Self, Error> {
        same(name, dependencies)?;
        let first = dependencies[0];
        let usual = if matches!(first.source, Source::Archive(_)) { UNPACK } else { CARGO };
        let recipe = book.get(first.recipe.as_deref().unwrap_or(usual))?;
        let params = recipe.params(united(dependencies))?;
        let mut without: Vec<_> = dependencies.iter().flat_map(|one| one.without.iter().cloned()).collect();
        without.sort();
        without.dedup();
        let mut requirements: Vec<_> = dependencies.iter().map(|one| requirement(one)).collect();
        requirements.sort_by(|a, b| a.by.cmp(&b.by));
        Ok(Self {
            source: first.source.clone(),
            source_text: source_text(&first.source, &requirements),
            patches: first.patches.clone(),
            exclude_newer: dependencies.iter().rev().find_map(|one| one.exclude_newer.clone()),
            recipe: recipe.name().to_owned(),
            digest: recipe.digest(&params),
            requirements,
            params,
            without,
        })
    }

    fn canonical(&self) -> serde_json::Value {
        let mut versions: Vec<_> = self.requirements.iter().map(|one| one.versions.to_string()).collect();
        versions.sort();
        let mut value = serde_json::json!({
            "source": self.source_text,
            "versions": versions,
            "recipe": self.recipe,
            "params": self.params.to_json(),
            "without": self.without,
        });
        if let Source::Archive(archive) = &self.source {
            let sums = archive.platforms.iter().map(|(platform, one)| {
                format!("{platform} {:?} {:?}", one.url.as_deref(), one.sha256.map(|sum| sum.to_string()))
            });
            value["sums"] = archive.sha256.map(|sum| sum.to_string()).into_iter().chain(sums).collect();
        }
        if !self.patches.is_empty() {
            value["patches"] = self.patches.clone().into();
        }
        if let Some(limit) = &self.exclude_newer {
            value["exclude-newer"] = written(limit).into();
        }
        value
    }
}

fn written(limit: &ExcludeNewer) -> &str {
    match limit {
        ExcludeNewer::Off => "off",
        ExcludeNewer::Than { text, .. } => text,
    }
}

/// Refuse one name for two things: nobody could say which of them is meant.
fn same(name: &PackageName, dependencies: &[&Dependency]) -> Result<(), Error> {
    let what = |one: &Dependency| (one.source.clone(), one.patches.clone(), one.recipe.clone());
    if dependencies.windows(2).all(|pair| what(pair[0]) == what(pair[1])) {
        return Ok(());
    }
    let line = |one: &&Dependency| {
        let mut line = format!("{} takes it from {}", one.by, source_text(&one.source, &[requirement(one)]));
        if let Some(recipe) = &one.recipe {
            line.push_str(&format!(", by recipe `{recipe}`"));
        }
        if !one.patches.is_empty() {
            line.push_str(&format!(", with {}", one.patches.join(", ")));
        }
        line
    };
    Err(Error::Differs { name: name.clone(), asked: dependencies.iter().map(line).collect() })
}

fn requirement(dependency: &Dependency) -> Requirement {
    let Dependency { name, versions, by, .. } = dependency;
    Requirement { name: name.clone(), versions: versions.clone(), by: by.to_string() }
}

/// How a lockfile writes a source: a registry by its name, anything else as the manifest has it.
fn source_text(source: &Source, requirements: &[Requirement]) -> String {
    match source {
        Source::Crate { registry } => format!("registry+{}", registry.as_deref().unwrap_or("crates.io")),
        Source::Path { path } => format!("path+{path}"),
        Source::Git { url, reference, subdir } => {
            let versions = || requirements.iter().map(|one| one.versions.to_string()).collect::<Vec<_>>().join(", ");
            let reference = match reference {
                GitReference::Versions => Some(("version", versions())),
                GitReference::Default => None,
                GitReference::Branch(name) => Some(("branch", name.clone())),
                GitReference::Tag(name) => Some(("tag", name.clone())),
                GitReference::Rev(name) => Some(("rev", name.clone())),
            };
            with_parts(
                format!("git+{url}"),
                '?',
                reference.into_iter().chain(subdir.clone().map(|path| ("subdir", path))),
            )
        }
        Source::Archive(archive) => {
            let strip = archive.strip.map(|count| ("strip", count.to_string()));
            let subdir = archive.subdir.clone().map(|path| ("subdir", path));
            let platforms = (!archive.platforms.is_empty()).then(|| ("platforms", addresses(archive)));
            // An address may have a query of its own, but no fragment.
            let parts = strip.into_iter().chain(subdir).chain(platforms);
            with_parts(format!("archive+{}", archive.url), '#', parts)
        }
    }
}

/// Names the addresses that single platforms have.
fn addresses(archive: &ArchiveSource) -> String {
    let own = archive.platforms.iter();
    let lines: String = own.map(|(platform, one)| format!("{platform} {:?}\n", one.url.as_deref())).collect();
    TextDigest::of(lines.as_bytes()).short()
}

fn with_parts(text: String, first: char, parts: impl Iterator<Item = (&'static str, String)>) -> String {
    parts.enumerate().fold(text, |text, (index, (name, value))| {
        let between = if index == 0 { first } else { '&' };
        let value = value.replace('%', "%25").replace('&', "%26").replace('#', "%23");
        format!("{text}{between}{name}={value}")
    })
}

impl From<&Param> for Value {
    fn from(param: &Param) -> Self {
        match param {
            Param::Bool(value) => Self::Bool(*value),
            Param::Int(value) => Self::Int(*value),
            Param::String(value) => Self::String(value.clone()),
            Param::List(values) => Self::List(values.clone()),
        }
    }
}

/// The params that several dependencies ask for: lists are united, of other values the last asker's, which is the
/// site's own, counts.
fn united<'a>(dependencies: &[&'a Dependency]) -> BTreeMap<&'a str, Value> {
    let mut params: BTreeMap<&str, Value> = BTreeMap::new();
    for (name, value) in dependencies.iter().flat_map(|one| &one.params) {
        let value = Value::from(value);
        match (params.get_mut(name.as_str()), value) {
            (Some(Value::List(all)), Value::List(more)) => {
                all.extend(more);
                all.sort();
                all.dedup();
            }
            (_, Value::List(mut list)) => {
                list.sort();
                list.dedup();
                params.insert(name, Value::List(list));
            }
            (_, value) => {
                params.insert(name, value);
            }
        }
    }
    params
}
