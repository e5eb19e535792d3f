//! Recipes: how a package is made from its sources, as data.
//!
//! A recipe is a TOML file (`recipes/NAME.toml`; the built-in ones are embedded in the program from that
//! directory). It declares typed params, the tools of the host that its steps may run, the inputs that envy
//! brings, and its steps: shell scripts rendered by a template engine that quotes every value for the shell, so
//! that a param can never become a command. A recipe never fetches.

mod book;
mod params;
mod parse;
mod render;
#[cfg(test)]
mod unpack_tests;

use std::collections::BTreeMap;

use crate::digest::TextDigest;
pub use book::Book;
pub use params::{Params, Value};
pub use render::{Values, last_step, without_marks};

/// How a package is made.
#[derive(Clone, Debug)]
pub struct Recipe {
    name: String,
    summary: String,
    tools: Vec<String>,
    vendor: Option<String>,
    params: BTreeMap<String, Param>,
    steps: Vec<Step>,
}

/// What a recipe lets its user choose.
#[derive(Clone, Debug)]
pub struct Param {
    /// What it takes when nobody chooses; its type is the param's type.
    pub default: Value,
    /// What it is for.
    pub doc: String,
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
    #[error("there is no recipe `{0}`")]
    Unknown(String),
    /// Its file is not a recipe.
    #[error("recipe `{recipe}` cannot be read")]
    Malformed {
        /// The recipe.
        recipe: String,
        /// What the reader said.
        #[source]
        source: Box<toml::de::Error>,
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
    },
    /// A param was given a value of another type.
    #[error("param `{param}` of recipe `{recipe}` takes {expected}, not {found}")]
    ParamType {
        /// The recipe.
        recipe: String,
        /// The param.
        param: String,
        /// What it takes.
        expected: &'static str,
        /// What it was given.
        found: &'static str,
    },
    /// A step's template cannot be rendered.
    #[error("step `{step}` of recipe `{recipe}` cannot be rendered")]
    Render {
        /// The recipe.
        recipe: String,
        /// The step.
        step: String,
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

    /// The tools of the host that its steps may run, those that a param `tools` adds included.
    pub fn tools(&self, params: &Params) -> Vec<String> {
        let more = params.get("tools").and_then(Value::as_list).unwrap_or_default();
        let mut tools: Vec<_> = self.tools.iter().chain(more).cloned().collect();
        tools.sort();
        tools.dedup();
        tools
    }

    /// The Cargo.lock, by its path in the source, whose crates the build needs.
    pub fn vendor(&self) -> Option<&str> {
        self.vendor.as_deref()
    }

    /// How many steps it has.
    pub fn step_count(&self) -> usize {
        self.steps.len()
    }

    /// The name of a step, counted from one.
    pub fn step_name(&self, number: usize) -> Option<&str> {
        self.steps.get(number.checked_sub(1)?).map(|step| step.name.as_str())
    }

    /// Names this recipe with these params: whatever could change what it does, and no words about it.
    pub fn digest(&self, params: &Params) -> TextDigest {
        let steps: Vec<_> = self.steps.iter().map(|step| (&step.name, &step.run)).collect();
        let canonical = serde_json::json!({
            "recipe": self.name,
            "tools": self.tools,
            "vendor": self.vendor,
            "params": params.to_json(),
            "steps": steps,
        });
        TextDigest::of(canonical.to_string().as_bytes())
    }
}
