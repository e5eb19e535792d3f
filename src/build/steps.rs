//! How a package is built, for people: what is run, with what in the environment.

use super::inputs::Places;
use super::{Error, action};
use crate::lock::Wish;
use crate::package::PackageId;
use crate::platform::Platform;

/// What is run to build a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// What the recipe adds to the environment, each as `NAME=VALUE`.
    pub variables: Vec<String>,
    /// The commands, each with the name of its step.
    pub commands: Vec<(String, String)>,
}

impl Steps {
    /// Those of a package's recipe with the params that are asked for. The place that a package is installed into has a
    /// shorter name here than in a build.
    pub fn of(id: &PackageId, wish: &Wish, platform: Platform) -> Result<Self, Error> {
        let (destdir, source, build) = (action::DESTDIR, action::SOURCE, action::BUILD);
        let places = Places { prefix: "/envy/prefix", destdir, source, build };
        places.with_values(id, wish, platform, |params, values| {
            let variables = wish.recipe.environment(params, values)?.into_iter();
            let steps = wish.recipe.commands(params, values)?.into_iter();
            let lines = steps.flat_map(|(name, commands)| {
                let lines = commands.lines().map(|line| (name.to_owned(), line.trim().to_owned())).collect::<Vec<_>>();
                lines.into_iter().filter(|(_, line)| !line.is_empty())
            });
            let variables = variables.map(|(name, value)| format!("{name}={value}")).collect();
            Ok(Self { variables, commands: lines.collect() })
        })
    }
}
