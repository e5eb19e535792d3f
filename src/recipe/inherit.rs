//! A file and what it extends, as one recipe. Pure.

use super::file::File;
use super::{Error, Param, Recipe, Value};

impl Recipe {
    /// A recipe that extends another, or none.
    pub(super) fn of(name: &str, file: File, parent: Option<&Self>) -> Result<Self, Error> {
        let own = Self {
            name: name.to_owned(),
            summary: file.summary,
            homepage: file.homepage,
            license: file.license,
            example: file.example,
            extends: Vec::new(),
            platforms: file.platforms,
            vendor: file.vendor,
            patches: file.patches,
            releases: file.releases,
            dependencies: file.dependencies,
            build_dependencies: file.build_dependencies,
            params: file.params,
            parts: file.parts,
            env: file.env,
            steps: file.steps,
            checks: file.checks,
        };
        let recipe = match parent {
            Some(parent) => own.extending(parent)?,
            None => own,
        };
        recipe.checked()
    }

    fn extending(mut self, parent: &Self) -> Result<Self, Error> {
        if let Some((name, param)) = parent.params.iter().find(|(name, _)| self.params.contains_key(*name)) {
            let (recipe, of) = (self.name, param.of.clone());
            return Err(Error::DeclaredTwice { recipe, param: name.clone(), of });
        }
        self.extends = [std::slice::from_ref(&parent.name), parent.extends.as_slice()].concat();
        if self.platforms.is_empty() {
            self.platforms.clone_from(&parent.platforms);
        }
        self.vendor = self.vendor.or_else(|| parent.vendor.clone());
        self.params.extend(parent.params.clone());
        self.parts.extend(parent.parts.clone());
        self.dependencies.extend(parent.dependencies.clone());
        self.build_dependencies.extend(parent.build_dependencies.clone());
        for (name, value) in &parent.env {
            self.env.entry(name.clone()).or_insert_with(|| value.clone());
        }
        if self.steps.is_empty() {
            self.steps.clone_from(&parent.steps);
        }
        if self.checks.is_empty() {
            self.checks.clone_from(&parent.checks);
        }
        Ok(self)
    }

    /// With values of `set` that params can take, and something to do.
    fn checked(self) -> Result<Self, Error> {
        if self.steps.is_empty() {
            return Err(Error::NoSteps(self.name));
        }
        let of_versions = self.releases.values().map(|release| &release.set);
        for (name, value) in self.parts.iter().map(|(_, part)| &part.set).chain(of_versions).flatten() {
            let param = self.params.get(name).ok_or_else(|| self.no_param(name))?;
            self.takes(name, param, value)?;
        }
        Ok(self)
    }

    /// A template may come to anything, so only its shape is compared.
    fn takes(&self, name: &str, param: &Param, value: &Value) -> Result<(), Error> {
        let is_template = matches!(value, Value::String(text) if text.contains("{{") || text.contains("{%"));
        let expected = match param.kind.accepts(value) {
            Err(expected) if !is_template || param.kind.empty().as_str().is_none() => expected,
            _ => return Ok(()),
        };
        let (recipe, found) = (self.name.clone(), value.type_name().to_owned());
        Err(Error::ParamType { recipe, param: name.to_owned(), expected, found })
    }

    fn no_param(&self, name: &str) -> Error {
        match self.params([(name, Value::Bool(true))]) {
            Err(error) => error,
            Ok(_) => unreachable!("a param that is not there takes no value"),
        }
    }
}
