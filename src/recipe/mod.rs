//! Recipes: how a package is made from its sources, as data.
//!
//! A recipe is a TOML file (`recipes/NAME.toml`). It declares typed params, the tools of the host that its steps may run,
//! the packages and other inputs that it needs, and its steps: shell scripts rendered by a template engine that quotes
//! every value for the shell, so that a param can never become a command. A recipe that lists versions is a package that
//! can be required by its name. One recipe extends another: it takes that one's tools, params and steps, and gives values
//! to its params. A recipe never fetches.
//!
//! - [`mod@file`]: reading one file, with all that is wrong with it
//! - [`inherit`]: a file and what it extends, as one recipe
//! - [`book`]: all recipes that a project sees, in the order in which one hides another
//! - [`params`]: types of params and their values
//! - [`render`]: steps as a shell script
//! - [`needs`]: which packages a recipe needs
//! - [`describe`]: what a recipe says of itself
//! - [`mod@lint`]: what is wrong with a recipe beyond its file; [`commands`] finds which programs its steps run

mod book;
mod commands;
mod describe;
mod digest;
mod file;
mod inherit;
mod lint;
#[cfg(test)]
mod lint_tests;
mod needs;
mod params;
mod render;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod unpack_tests;

use std::collections::BTreeMap;

use crate::manifest::{Invalid, Needed, Source};
use crate::package::Version;
use crate::platform::{Platform, Platforms};
use crate::source::Patch;
pub use book::{BUILT_IN, Book, Layer, Listed, Origin};
pub use describe::Set;
pub use lint::{Finding, Level, Surroundings, lint};
pub use needs::{Need, Purpose, Statement};
pub use params::{Kind, Params, Value};
pub use render::{Values, commands_of, last_step, without_marks};

/// How a package is made: a file, with everything that it takes from those that it extends.
#[derive(Clone, Debug)]
pub struct Recipe {
    name: String,
    summary: String,
    homepage: Option<String>,
    license: Option<String>,
    example: Option<String>,
    extends: Vec<String>,
    /// The platforms that it is for; nothing says: all.
    platforms: Platforms,
    vendor: Option<String>,
    patches: Vec<Patch>,
    releases: BTreeMap<Version, Release>,
    dependencies: Vec<Needed>,
    build_dependencies: Vec<Needed>,
    params: BTreeMap<String, Param>,
    /// Its own parts first, then those of what it extends, in turn; of one recipe, those of platforms come first.
    parts: Vec<(Option<Platform>, Part)>,
    env: BTreeMap<String, String>,
    steps: Vec<Step>,
    checks: Vec<String>,
}

/// What a recipe lets its user choose.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its type.
    pub kind: Kind,
    /// What it takes when nobody chooses.
    pub default: Value,
    /// What it is for.
    pub doc: String,
    /// The recipe that declares it.
    pub of: String,
}

/// A version that a recipe lists.
#[derive(Clone, Debug)]
pub struct Release {
    /// Where its source is.
    pub source: Source,
    /// Patches to it, after those of the recipe.
    pub patches: Vec<Patch>,
    /// Values of params for this version alone.
    pub set: BTreeMap<String, Value>,
    /// The platforms that it is for; nothing says: all that the recipe is for.
    pub platforms: Platforms,
}

impl Release {
    /// Whether it can be had for a platform: it says nothing against it, and its archive has a sum there.
    fn is_for(&self, platform: Platform) -> bool {
        let has_sum = match &self.source {
            Source::Archive(archive) => {
                archive.sha256.is_some() || archive.platforms.get(&platform).is_some_and(|one| one.sha256.is_some())
            }
            _ => true,
        };
        has_sum && (self.platforms.is_empty() || self.platforms.contains(&platform))
    }
}

/// What a recipe says for all platforms, or for one.
#[derive(Clone, Debug, Default)]
struct Part {
    /// Tools of the host.
    tools: Vec<String>,
    /// Values of params, whose texts are templates.
    set: BTreeMap<String, Value>,
}

/// One step of a build.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it is called in messages.
    pub name: String,
    /// The template of its script.
    pub run: String,
}

/// A recipe cannot be used, or not like this.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of this name.
    #[error("there is no recipe `{name}`")]
    Unknown {
        /// The name.
        name: String,
        /// One that there is.
        nearest: Option<String>,
    },
    /// Its file is not a recipe.
    #[error("recipe `{recipe}` cannot be read")]
    Malformed {
        /// The recipe.
        recipe: String,
        /// What the reader said.
        #[source]
        source: Invalid,
    },
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] crate::disk::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// It extends itself, by way of others.
    #[error("recipe `{}` extends itself", chain[0])]
    Circle {
        /// From it to it.
        chain: Vec<String>,
    },
    /// It has no such param.
    #[error("recipe `{recipe}` has no param `{param}`")]
    UnknownParam {
        /// The recipe.
        recipe: String,
        /// The param that was given.
        param: String,
        /// One that it has.
        nearest: Option<String>,
        /// All that it has.
        has: Vec<String>,
    },
    /// A param was given a value of another type.
    #[error("param `{param}` of recipe `{recipe}` takes {expected}, not {found}")]
    ParamType {
        /// The recipe.
        recipe: String,
        /// The param.
        param: String,
        /// What it takes.
        expected: String,
        /// What it was given.
        found: String,
    },
    /// The recipe itself gives the param its value.
    #[error("param `{param}` has the value that recipe `{recipe}` gives it")]
    Fixed {
        /// The recipe.
        recipe: String,
        /// The param.
        param: String,
    },
    /// It declares what it extends declares already.
    #[error("recipe `{recipe}` declares param `{param}`, which `{of}` has declared")]
    DeclaredTwice {
        /// The recipe.
        recipe: String,
        /// The param.
        param: String,
        /// The recipe that it extends.
        of: String,
    },
    /// It has no steps, and extends nothing that has.
    #[error("recipe `{0}` has no steps, and extends nothing that has some")]
    NoSteps(String),
    /// It lists no version, so that there is nothing to require by its name.
    #[error("recipe `{0}` lists no versions")]
    NoVersions(String),
    /// A template cannot be rendered.
    #[error("{what} of recipe `{recipe}` cannot be rendered")]
    Render {
        /// The recipe.
        recipe: String,
        /// What of it: a step, a value, a condition.
        what: String,
        /// What the template engine said.
        #[source]
        source: Box<minijinja::Error>,
    },
}

impl Recipe {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does, in a line.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Where its subject is at home.
    pub fn homepage(&self) -> Option<&str> {
        self.homepage.as_deref()
    }

    /// The licence of what it builds, as an SPDX expression.
    pub fn license(&self) -> Option<&str> {
        self.license.as_deref()
    }

    /// A line of a manifest that uses it.
    pub fn example(&self) -> Option<&str> {
        self.example.as_deref()
    }

    /// What it extends, the nearest first.
    pub fn extends(&self) -> &[String] {
        &self.extends
    }

    /// The platforms that it is for; nothing where it is for all.
    pub fn platforms(&self) -> &Platforms {
        &self.platforms
    }

    /// Whether it makes something for a platform; of the versions that it lists, whether it makes this one.
    pub fn is_for(&self, version: Option<&Version>, platform: Platform) -> bool {
        let release = version.and_then(|version| self.releases.get(version));
        (self.platforms.is_empty() || self.platforms.contains(&platform))
            && release.is_none_or(|release| release.is_for(platform))
    }

    /// The versions that it lists.
    pub fn releases(&self) -> &BTreeMap<Version, Release> {
        &self.releases
    }

    /// The patches to every version.
    pub fn patches(&self) -> &[Patch] {
        &self.patches
    }

    /// What may be chosen, by name.
    pub fn declared(&self) -> &BTreeMap<String, Param> {
        &self.params
    }

    /// Whether it, or something that extends what declares it, gives a param its value.
    pub fn sets(&self, param: &str) -> bool {
        self.parts.iter().any(|(_, part)| part.set.contains_key(param))
    }

    /// The tools of the host that its steps may run, those that a param `tools` adds included.
    pub fn tools(&self, params: &Params, platform: Platform) -> Vec<String> {
        let more = params.get("tools").and_then(Value::as_list).unwrap_or_default();
        let own = self.parts_for(platform).flat_map(|part| &part.tools);
        let mut tools: Vec<_> = own.chain(more).cloned().collect();
        tools.sort();
        tools.dedup();
        tools
    }

    fn parts_for(&self, platform: Platform) -> impl Iterator<Item = &Part> {
        let counts = move |of: &Option<Platform>| of.is_none_or(|one| one == platform);
        self.parts.iter().filter(move |(of, _)| counts(of)).map(|(_, part)| part)
    }

    /// The Cargo.lock, by its path in the source, whose crates the build needs.
    pub fn vendor(&self) -> Option<&str> {
        self.vendor.as_deref()
    }

    /// Its steps, in their order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Commands that try out what was built.
    pub fn checks(&self) -> &[String] {
        &self.checks
    }

    /// How many steps it has.
    pub fn step_count(&self) -> usize {
        self.steps.len()
    }

    /// The name of a step, counted from one.
    pub fn step_name(&self, number: usize) -> Option<&str> {
        self.steps.get(number.checked_sub(1)?).map(|step| step.name.as_str())
    }
}
