//! Lint: what is wrong with a recipe beyond its file, and what its users would miss. Pure, but for reading recipes.
//!
//! Every template is rendered as it would be with the defaults, and with each choice that changes something turned once,
//! for all platforms and versions; a name that nothing defines is found in all branches of a template, rendered or not.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;

use minijinja::Environment;

use super::commands::commands;
use super::describe::Template;
use super::params::Kind;
use super::render::{known_names, variable};
use super::{Book, Error, Params, Recipe, Value, Values};
use crate::manifest::{Invalid, Manifest, Needed, Source};
use crate::package::Version;
use crate::platform::Platform;

/// What the world is like that a recipe is for.
pub struct Surroundings<'a> {
    /// What is built for.
    pub platforms: &'a [Platform],
    /// The programs that every step can run.
    pub base: &'a [&'a str],
    /// The programs that come with a tool; a `*` at the end of one stands for anything.
    pub brought: &'a dyn Fn(&str) -> &'static [&'static str],
}

/// Something about a recipe that should be another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The line and the character in it, where that is known.
    pub place: Option<(usize, usize)>,
    /// What it is, in a line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something cannot work.
    Error,
    /// Someone will miss something.
    Warning,
}

/// Programs that come with the compiler of Rust, which is there where crates are.
const RUST: &[&str] = &["cargo", "rustc", "rustdoc"];

/// Everything that is found about a recipe, errors first.
pub fn lint(book: &Book, name: &str, surroundings: &Surroundings<'_>) -> Result<Vec<Finding>, Error> {
    let recipe = match book.get(name) {
        Ok(recipe) => recipe,
        Err(error) => return unusable(name, error),
    };
    let mut lint = Lint { book, recipe, surroundings, found: Vec::new() };
    lint.names();
    lint.renderings();
    lint.needs();
    lint.params();
    lint.words();
    lint.example();
    lint.found.sort_by_key(|finding| finding.level);
    Ok(lint.found)
}

/// What is found about a recipe that cannot be read, or not with what it extends.
fn unusable(name: &str, error: Error) -> Result<Vec<Finding>, Error> {
    let error = match error {
        Error::Malformed { recipe, source } if recipe == name => return Ok(problems(&source)),
        error @ (Error::Disk(_) | Error::Store(_)) => return Err(error),
        error => error,
    };
    let hint = match &error {
        Error::Unknown { nearest: Some(nearest), name: other } if other != name => {
            Some(format!("did you mean `{nearest}`?"))
        }
        Error::UnknownParam { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
        _ => None,
    };
    let message = match &error {
        Error::Unknown { name: other, .. } if other != name => format!("it extends `{other}`, but {error}"),
        Error::Unknown { .. } => format!("it extends itself, but hides no other `{name}`"),
        Error::Circle { chain } => format!("it extends itself: {}", chain.join(" → ")),
        Error::Malformed { recipe, .. } => format!("it extends `{recipe}`, which cannot be read"),
        error => error.to_string(),
    };
    Ok(vec![Finding { level: Level::Error, place: None, message, hint }])
}

fn problems(invalid: &Invalid) -> Vec<Finding> {
    let finding = |problem: &crate::manifest::Problem| Finding {
        level: Level::Error,
        place: Some((problem.line, problem.column)),
        message: problem.message.clone(),
        hint: problem.hint.clone(),
    };
    invalid.problems.iter().map(finding).collect()
}

struct Lint<'a> {
    book: &'a Book,
    recipe: &'a Recipe,
    surroundings: &'a Surroundings<'a>,
    found: Vec<Finding>,
}

impl Lint<'_> {
    fn add(&mut self, level: Level, message: impl Into<String>, hint: Option<&str>) {
        let finding = Finding { level, place: None, message: message.into(), hint: hint.map(str::to_owned) };
        if !self.found.contains(&finding) {
            self.found.push(finding);
        }
    }

    /// Names in templates that nothing defines.
    fn names(&mut self) {
        let params: BTreeSet<_> = self.recipe.params.keys().map(|name| variable(name)).collect();
        let known: BTreeSet<String> = known_names().into_iter().chain(params.iter().cloned()).collect();
        for template in self.recipe.templates() {
            let names = match names_in(&template) {
                Ok(names) => names,
                Err(error) => {
                    self.add(Level::Error, format!("{} cannot be read: {error}", template.what), None);
                    continue;
                }
            };
            let known = if template.is_condition { &params } else { &known };
            for name in names.difference(known) {
                let nearest = crate::manifest::nearest(name, known.iter().map(String::as_str));
                let hint = nearest.map(|nearest| format!("did you mean `{nearest}`?"));
                let what = if template.is_condition { "no param" } else { "neither a param nor a value" };
                let message = format!("{} has `{name}`, which is {what} that templates know", template.what);
                self.add(Level::Error, message, hint.as_deref());
            }
        }
    }

    /// Whatever cannot be rendered, and what steps run that nobody declares.
    fn renderings(&mut self) {
        let has_wrong_names = !self.found.is_empty();
        let any = Version::loose("1.0.0").expect("it is one");
        let versions: Vec<_> =
            if self.recipe.releases.is_empty() { vec![any] } else { self.recipe.releases.keys().cloned().collect() };
        for params in self.variants() {
            for &platform in self.surroundings.platforms {
                for version in &versions {
                    let values = Values {
                        prefix: "/prefix",
                        destdir: "/destdir",
                        source: "/source",
                        build: "/build",
                        name: self.recipe.name(),
                        version,
                        platform,
                    };
                    match self.rendered(&params, &values) {
                        Ok(script) => self.tools(&script, &params, platform),
                        // A name that nothing defines was told already.
                        Err(Error::Render { what, source, .. }) if !has_wrong_names => {
                            let cause = source.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                            self.add(Level::Error, format!("{what} cannot be rendered: {source}{cause}"), None);
                        }
                        Err(Error::Render { .. }) => {}
                        Err(error) => self.add(Level::Error, error.to_string(), None),
                    }
                }
            }
        }
    }

    fn rendered(&self, params: &Params, values: &Values<'_>) -> Result<String, Error> {
        let script = self.recipe.script(params, values)?;
        self.recipe.check_script(params, values)?;
        self.recipe.environment(params, values)?;
        for need in self.recipe.needs() {
            self.recipe.holds(need.package.when.as_deref(), params, values.platform)?;
        }
        Ok(script)
    }

    /// The defaults, and for each choice between few things, what else may be chosen.
    fn variants(&self) -> Vec<Params> {
        let defaults = self.recipe.params([]).expect("nothing was chosen");
        let with = |name: &str, value| {
            let mut params = defaults.clone();
            params.0.insert(name.to_owned(), value);
            params
        };
        let mut variants = vec![defaults.clone()];
        for (name, param) in self.recipe.choices() {
            match (&param.kind, &param.default) {
                (Kind::Bool, Value::Bool(on)) => variants.push(with(name, Value::Bool(!on))),
                (Kind::Enum(values), _) => {
                    variants.extend(values.iter().map(|value| with(name, Value::String(value.clone()))));
                }
                _ => {}
            }
        }
        variants
    }

    /// Programs that steps run, of which nobody says that they are there.
    fn tools(&mut self, script: &str, params: &Params, platform: Platform) {
        let declared = self.recipe.tools(params, platform);
        let rust = if self.recipe.vendor().is_some() { RUST } else { &[] };
        let brought = declared.iter().flat_map(|tool| (self.surroundings.brought)(tool)).copied();
        let there: Vec<&str> = declared
            .iter()
            .map(String::as_str)
            .chain(self.surroundings.base.iter().copied())
            .chain(rust.iter().copied())
            .chain(brought)
            .collect();
        let is_there = |name: &str| {
            there.iter().any(|one| match one.strip_suffix('*') {
                Some(begin) => name.starts_with(begin),
                None => *one == name,
            })
        };
        let may_come = !self.recipe.dependencies.is_empty() || !self.recipe.build_dependencies.is_empty();
        for name in commands(script).iter().filter(|name| !is_there(name)) {
            let message = format!("its steps run `{name}`, which is not among its tools");
            let hint = format!("add it: `tools = [\"{name}\"]`");
            if may_come {
                let hint = format!("{hint}, unless it comes with a package that the recipe needs");
                self.add(Level::Warning, message, Some(&hint));
            } else {
                self.add(Level::Error, message, Some(&hint));
            }
        }
    }

    /// Packages that it needs, and that nobody could choose.
    fn needs(&mut self) {
        for needed in self.recipe.dependencies.iter().chain(&self.recipe.build_dependencies) {
            if let Err((message, hint)) = self.fits(needed) {
                self.add(Level::Error, format!("it needs `{}`, but {message}", needed.name), hint.as_deref());
            }
        }
    }

    fn fits(&self, needed: &Needed) -> Result<(), (String, Option<String>)> {
        let recipe = self.book.get(&needed.recipe).map_err(|error| match error {
            Error::Unknown { nearest: Some(nearest), .. } => {
                (format!("there is no recipe `{}`", needed.recipe), Some(format!("did you mean `{nearest}`?")))
            }
            error => (error.to_string(), None),
        })?;
        if recipe.releases.is_empty() {
            return Err((format!("recipe `{}` lists no versions", needed.recipe), None));
        }
        if !recipe.releases.keys().any(|version| needed.versions.matches(version)) {
            let listed = listed_versions(recipe);
            return Err((format!("recipe `{}` lists no {}", needed.recipe, needed.versions), Some(listed)));
        }
        let params = needed.params.iter().map(|(name, value)| (name.as_str(), Value::from(value)));
        recipe.params(params).map(drop).map_err(|error| (error.to_string(), None))
    }

    /// Params that nothing uses, and those of which nobody learns what they are for.
    fn params(&mut self) {
        let templates = self.recipe.templates();
        let used: BTreeSet<String> =
            templates.iter().filter_map(|template| names_in(template).ok()).flatten().collect();
        let own: BTreeMap<_, _> = self.recipe.params.iter().filter(|(_, param)| param.of == self.recipe.name).collect();
        for (name, param) in own {
            // This one adds to the tools, by its name.
            let is_used = used.contains(&variable(name)) || name == "tools";
            if !is_used {
                let message = format!("param `{name}` changes nothing: no template has it");
                self.add(Level::Warning, message, Some("use it, or take it out"));
            }
            if param.doc.trim().is_empty() {
                let message = format!("param `{name}` does not say what it is for");
                self.add(Level::Warning, message, Some("say it: `doc = \"…\"`"));
            }
        }
    }

    /// What those would want to know who require what it makes.
    fn words(&mut self) {
        let recipe = self.recipe;
        if recipe.summary.trim().is_empty() {
            self.add(Level::Warning, "its summary is empty", Some("say what it is, in a line"));
        }
        if recipe.releases.is_empty() {
            return;
        }
        if recipe.license.is_none() {
            self.add(Level::Warning, "it does not say what the licence is", Some("say it: `license = \"MIT\"`"));
        }
        if recipe.checks.is_empty() {
            let hint = format!("name a command that must succeed: `check = [\"{} --version\"]`", recipe.name);
            self.add(Level::Warning, "nothing tries out what it builds", Some(&hint));
        }
        for (version, release) in &recipe.releases {
            let sums = match &release.source {
                Source::Archive(archive) => {
                    let of_platforms = archive.platforms.values().filter_map(|one| one.sha256);
                    archive.sha256.into_iter().chain(of_platforms).map(|sum| sum.to_string()).collect()
                }
                Source::Carried { sha256, .. } => vec![sha256.to_string()],
                _ => Vec::new(),
            };
            if sums.iter().any(|sum| sum.ends_with(&"0".repeat(64))) {
                let hint = "write what `sha256sum` says of the file, once you have looked at it";
                self.add(Level::Warning, format!("the `sha256` of version {version} is not filled in"), Some(hint));
            }
        }
    }

    /// Whether its example is a line of a manifest that would be accepted.
    fn example(&mut self) {
        let Some(example) = self.recipe.example() else { return };
        let manifest = match Manifest::parse("example", &format!("[sites.example.dependencies]\n{example}\n")) {
            Ok(manifest) => manifest,
            Err(invalid) => {
                let hint = invalid.problems.iter().find_map(|problem| problem.hint.clone());
                let message = format!("its example is no dependency of a site: {}", invalid.problems[0].message);
                return self.add(Level::Error, message, hint.as_deref());
            }
        };
        for dependency in manifest.sites().flat_map(|site| &site.dependencies) {
            let name = match (&dependency.source, &dependency.recipe) {
                (Source::Recipe { recipe }, _) | (_, Some(recipe)) => recipe,
                _ => continue,
            };
            let params = dependency.params.iter().map(|(name, value)| (name.as_str(), Value::from(value)));
            let accepted = self.book.get(name).and_then(|recipe| {
                let lists = recipe.releases.keys().any(|version| dependency.versions.matches(version));
                let is_listed = lists || !matches!(dependency.source, Source::Recipe { .. });
                recipe.params(params).map(|_| is_listed)
            });
            match accepted {
                Ok(true) => {}
                Ok(false) => {
                    let message =
                        format!("its example asks for {}, which recipe `{name}` does not list", dependency.versions);
                    self.add(Level::Error, message, None);
                }
                Err(error) => self.add(Level::Error, format!("its example does not work: {error}"), None),
            }
        }
    }
}

fn listed_versions(recipe: &Recipe) -> String {
    let versions: Vec<_> = recipe.releases.keys().map(ToString::to_string).collect();
    format!("it lists {}", versions.join(", "))
}

/// The names that a template looks up, except those that it sets itself.
fn names_in(template: &Template<'_>) -> Result<BTreeSet<String>, minijinja::Error> {
    let environment = Environment::new();
    let names = if template.is_condition {
        environment.compile_expression(template.text)?.undeclared_variables(false)
    } else {
        environment.template_from_str(template.text)?.undeclared_variables(false)
    };
    let functions: BTreeSet<_> = environment.globals().map(|(name, _)| name.to_owned()).collect();
    Ok(names.into_iter().filter(|name| name != "loop" && !functions.contains(name)).collect())
}
