//! Which packages a recipe needs, with the params that were chosen. Pure.

use std::collections::BTreeMap;

use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use super::render::param_values;
use super::{Error, Params, Recipe, Value};
use crate::manifest::{self, Invalid, Needed, Param};
use crate::platform::{Platform, facts};

/// A package that another one needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Which, in which versions, with which params.
    pub package: Needed,
    /// What for.
    pub purpose: Purpose,
}

/// What a package is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// To run: it belongs into the prefix.
    Run,
    /// To build: it is there while the other one is built.
    Build,
}

/// What a package says of itself in its Cargo.toml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// What it needs.
    pub needs: Vec<Need>,
    /// The recipe that makes it, where nobody names another.
    pub recipe: Option<String>,
    /// Values of that recipe's params, where nobody gives others.
    pub params: BTreeMap<String, Param>,
}

impl Statement {
    /// What `[package.metadata.envy]` of a Cargo.toml says; `file` is how messages call it.
    pub fn read(file: &str, text: &str) -> Result<Self, Invalid> {
        let stated = manifest::stated(file, text)?;
        let need = |purpose| move |package| Need { package, purpose };
        let run = stated.dependencies.into_iter().map(need(Purpose::Run));
        let build = stated.build_dependencies.into_iter().map(need(Purpose::Build));
        Ok(Self { needs: run.chain(build).collect(), recipe: stated.recipe, params: stated.params })
    }

    /// The recipe that makes it, where nobody names another.
    pub fn recipe(&self) -> &str {
        self.recipe.as_deref().unwrap_or("cargo")
    }
}

impl Recipe {
    /// What it needs, each on its condition.
    pub fn needs(&self) -> impl Iterator<Item = Need> {
        let run = self.dependencies.iter().map(|one| (one, Purpose::Run));
        let build = self.build_dependencies.iter().map(|one| (one, Purpose::Build));
        run.chain(build).map(|(package, purpose)| Need { package: package.clone(), purpose })
    }

    /// Whether a condition is true of params, a `-` in whose names is written `_`, on a platform.
    pub fn holds(&self, condition: Option<&str>, params: &Params, platform: Platform) -> Result<bool, Error> {
        let Some(condition) = condition else { return Ok(true) };
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let failed = |source| Error::Render {
            recipe: self.name().to_owned(),
            what: format!("the condition `{condition}`"),
            source: Box::new(source),
        };
        let expression = environment.compile_expression(condition).map_err(failed)?;
        let facts = facts(platform).map(|(name, text)| (name.to_owned(), minijinja::Value::from(text)));
        let known: BTreeMap<_, _> = facts.into_iter().chain(param_values(params)).collect();
        let unknown = expression.undeclared_variables(false).into_iter().filter(|name| !known.contains_key(name)).min();
        if let Some(name) = unknown {
            let why = format!("`{name}` is none of its params, and nothing of the platform");
            return Err(failed(minijinja::Error::new(ErrorKind::UndefinedError, why)));
        }
        Ok(expression.eval(known).map_err(failed)?.is_true())
    }
}

/// A need in its canonical form.
pub(super) fn canonical(needed: &Needed) -> serde_json::Value {
    let params = needed.params.iter().map(|(name, value)| (name.clone(), Value::from(value).to_json()));
    serde_json::json!({
        "name": needed.name.as_str(),
        "recipe": needed.recipe,
        "versions": needed.versions.to_string(),
        "params": params.collect::<serde_json::Map<_, _>>(),
        "when": needed.when,
    })
}
