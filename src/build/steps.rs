//! How a package is built, for people: what is run, with what in the environment.

use super::inputs::Places;
use super::{Error, action};
use crate::lock::Wish;
use crate::package::PackageId;
use crate::platform::Platform;

/// What is run to build a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// What the recipe adds to the environment, by name.
    pub variables: Vec<(String, String)>,
    /// The script of each step, with its name.
    pub scripts: Vec<(String, String)>,
}

impl Steps {
    /// Those of a package's recipe with the params that are asked for. The place that a package is installed into has a
    /// shorter name here than in a build.
    pub fn of(id: &PackageId, wish: &Wish, platform: Platform) -> Result<Self, Error> {
        let (destdir, source, build) = (action::DESTDIR, action::SOURCE, action::BUILD);
        let places = Places { prefix: "/envy/prefix", destdir, source, build };
        places.with_values(id, wish, platform, |params, values| {
            let variables = wish.recipe.environment(params, values)?.into_iter();
            let scripts = wish.recipe.commands(params, values)?.into_iter();
            let scripts = scripts.map(|(name, script)| (name.to_owned(), dedented(&script)));
            let variables = variables.map(|(name, value)| (name.to_string(), value.to_string())).collect();
            Ok(Self { variables, scripts: scripts.filter(|(_, script)| !script.is_empty()).collect() })
        })
    }
}

/// A script without what all of its lines begin with, and without empty lines around it. Where its lines end is for the
/// shell to say: a command may go on in the next, as may what a command reads. Pure.
fn dedented(script: &str) -> String {
    let lines = || script.lines().map(str::trim_end);
    let blank = |line: &&str| line.is_empty();
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let least = lines().filter(|line| !blank(line)).map(indent).min().unwrap_or(0);
    let lines: Vec<_> = lines().skip_while(blank).map(|line| line.get(least..).unwrap_or_default()).collect();
    lines.join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::dedented;

    #[test]
    fn a_script_is_shown_as_it_is() {
        let check = |script: &str, expected: &str| assert_eq!(dedented(script), expected);
        check("\n  make \\\n    all  \n\n  make install\n\n", "make \\\n  all\n\nmake install");
        check("  cat <<X\nab\nX\n", "  cat <<X\nab\nX");
        check(" \n", "");
    }
}
