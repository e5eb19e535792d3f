//! What a recipe says of itself, for documentation and for the lint. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{Param, Recipe, Value};
use crate::manifest::Needed;
use crate::package::Version;
use crate::platform::Platform;

/// A value that a recipe gives to a param.
#[derive(Clone, Copy, Debug)]
pub struct Set<'r> {
    /// The param.
    pub param: &'r str,
    /// What it is given; texts are templates.
    pub value: &'r Value,
    /// The one platform that it is so on.
    pub platform: Option<Platform>,
    /// The one version that it is so for.
    pub version: Option<&'r Version>,
}

/// A template of a recipe.
#[derive(Clone, Debug)]
pub(super) struct Template<'r> {
    /// What it is, in a message.
    pub what: String,
    pub text: &'r str,
    pub is_condition: bool,
}

impl Recipe {
    /// The packages that belong into the prefix beside what it makes, under conditions.
    pub fn dependencies(&self) -> &[Needed] {
        &self.dependencies
    }

    /// The packages that are there while it is built, under conditions.
    pub fn build_dependencies(&self) -> &[Needed] {
        &self.build_dependencies
    }

    /// The variables that its steps see, as templates.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// The tools that it declares, those of a platform alone with that.
    pub fn declared_tools(&self) -> Vec<(&str, Option<Platform>)> {
        let tools = self.parts.iter().flat_map(|(platform, part)| part.tools.iter().map(|tool| (tool, *platform)));
        let everywhere: BTreeSet<_> = tools.clone().filter(|(_, on)| on.is_none()).map(|(tool, _)| tool).collect();
        let all: BTreeSet<_> = tools.filter(|(tool, on)| on.is_none() || !everywhere.contains(tool)).collect();
        let mut all: Vec<_> = all.into_iter().map(|(tool, on)| (tool.as_str(), on)).collect();
        all.sort_by_key(|(tool, on)| (on.is_some(), *tool));
        all
    }

    /// The values that it gives to params, those that are hidden by others left out: first what holds everywhere.
    pub fn values(&self) -> Vec<Set<'_>> {
        let mut values: Vec<Set<'_>> = Vec::new();
        for (platform, part) in &self.parts {
            for (param, value) in &part.set {
                if !values.iter().any(|set| set.param == param && set.platform == *platform) {
                    values.push(Set { param, value, platform: *platform, version: None });
                }
            }
        }
        values.sort_by_key(|set| (set.platform, set.param));
        let of_versions = self.releases.iter().flat_map(|(version, release)| {
            release.set.iter().map(move |(param, value)| Set { param, value, platform: None, version: Some(version) })
        });
        values.extend(of_versions);
        values
    }

    /// The params that its user may choose. To a list that it sets, a user may add.
    pub fn choices(&self) -> impl Iterator<Item = (&str, &Param)> {
        let params = self.params.iter().map(|(name, param)| (name.as_str(), param));
        params.filter(|(name, param)| !self.sets(name) || param.default.as_list().is_some())
    }

    /// Everything that is rendered.
    pub(super) fn templates(&self) -> Vec<Template<'_>> {
        let template = |what: String, text| Template { what, text, is_condition: false };
        let mut all: Vec<_> =
            self.steps.iter().map(|step| template(format!("step `{}`", step.name), &*step.run)).collect();
        all.extend(self.checks.iter().map(|check| template(format!("check `{check}`"), check)));
        all.extend(self.env.iter().map(|(name, text)| template(format!("variable `{name}`"), text)));
        for set in self.values() {
            let texts = match set.value {
                Value::String(text) => std::slice::from_ref(text),
                Value::List(texts) => texts.as_slice(),
                Value::Bool(_) | Value::Int(_) => &[],
            };
            all.extend(texts.iter().map(|text| template(format!("the value of `{}`", set.param), text)));
        }
        for needed in self.dependencies.iter().chain(&self.build_dependencies) {
            let what = |when| format!("the condition `{when}`");
            all.extend(needed.when.as_deref().map(|when| Template {
                what: what(when),
                text: when,
                is_condition: true,
            }));
        }
        all
    }
}
