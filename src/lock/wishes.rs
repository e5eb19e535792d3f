//! Wishes: what `envy.toml` asks of a site's packages, each name once. Pure.

use std::collections::BTreeMap;

use super::CRATES_IO;
use crate::digest::TextDigest;
use crate::manifest::{Dependency, Manifest, Param, Site};
use crate::package::{PackageName, Requirement, VersionReq};
use crate::platform::Platform;
use crate::recipe::{self, Book, Params, Value};

/// All that is asked of a site's packages.
#[derive(Clone, Debug)]
pub struct Wishes {
    packages: BTreeMap<PackageName, Wish>,
    toolchain: Option<VersionReq>,
    platforms: Vec<Platform>,
}

/// What is asked of one package.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Who asks for which versions.
    pub requirements: Vec<Requirement>,
    /// The recipe that makes it.
    pub recipe: &'static str,
    /// A value for each of the recipe's params.
    pub params: Params,
    /// Digest of the recipe with these params.
    pub digest: TextDigest,
    /// Paths that are left out of the prefix.
    pub without: Vec<String>,
}

/// Crates are made by this recipe.
const CARGO: &str = "cargo";

impl Wishes {
    /// Collect what a site asks for: what every site has, and what it has alone. Lists that several ask for are united.
    pub fn of(manifest: &Manifest, site: &Site, book: &Book) -> Result<Self, recipe::Error> {
        let mut asked: BTreeMap<&PackageName, Vec<&Dependency>> = BTreeMap::new();
        for dependency in &site.dependencies {
            asked.entry(&dependency.name).or_default().push(dependency);
        }
        let recipe = book.get(CARGO)?;
        let mut packages = BTreeMap::new();
        for (name, dependencies) in asked {
            let params = recipe.params(united(&dependencies))?;
            let mut without: Vec<_> = dependencies.iter().flat_map(|one| one.without.iter().cloned()).collect();
            without.sort();
            without.dedup();
            let requirements = dependencies.iter().map(|one| requirement(one)).collect();
            let digest = recipe.digest(&params);
            packages.insert(name.clone(), Wish { requirements, recipe: CARGO, params, digest, without });
        }
        let mut platforms = manifest.platforms().to_vec();
        platforms.sort();
        Ok(Self { packages, toolchain: manifest.toolchain().cloned(), platforms })
    }

    /// What is asked of each package.
    pub fn packages(&self) -> &BTreeMap<PackageName, Wish> {
        &self.packages
    }

    /// The versions of rustc that would do, where somebody said.
    pub fn toolchain(&self) -> Option<&VersionReq> {
        self.toolchain.as_ref()
    }

    /// Everything that is asked, for the resolver.
    pub fn requirements(&self) -> Vec<Requirement> {
        self.packages.values().flat_map(|wish| wish.requirements.iter().cloned()).collect()
    }

    /// Names all of it.
    pub fn digest(&self) -> TextDigest {
        let package = |(name, wish): (&PackageName, &Wish)| {
            let mut versions: Vec<_> = wish.requirements.iter().map(|one| one.versions.to_string()).collect();
            versions.sort();
            let value = serde_json::json!({
                "source": CRATES_IO,
                "versions": versions,
                "recipe": wish.recipe,
                "params": wish.params.to_json(),
                "without": wish.without,
            });
            (name.as_str().to_owned(), value)
        };
        let canonical = serde_json::json!({
            "packages": self.packages.iter().map(package).collect::<serde_json::Map<_, _>>(),
            "rust": self.toolchain.as_ref().map(ToString::to_string),
            "platforms": self.platforms.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        TextDigest::of(canonical.to_string().as_bytes())
    }
}

fn requirement(dependency: &Dependency) -> Requirement {
    let Dependency { name, versions, by, .. } = dependency;
    Requirement { name: name.clone(), versions: versions.clone(), by: by.to_string() }
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
