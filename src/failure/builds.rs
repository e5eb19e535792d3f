//! Failures of builds: what the log tells of the reason, and how to answer it.

use super::{FULL, Failure};
use crate::build::Clue;
use crate::build::differing::Cause;
use crate::package::PackageId;

/// Who can declare what was missing.
pub(super) struct Asker<'a> {
    /// The package.
    pub(super) id: &'a PackageId,
    /// Its recipe.
    pub(super) recipe: &'a str,
    /// Whether who uses the recipe may declare more tools.
    pub(super) takes_tools: bool,
}

/// Say what a log tells beyond its last lines.
pub(super) fn with_clues(mut failure: Failure, asker: &Asker<'_>, clues: &[Clue]) -> Failure {
    let &Asker { id, recipe, takes_tools } = asker;
    let mut tools = Vec::new();
    for clue in clues {
        failure = match clue {
            Clue::MissingTool(name) => {
                tools.push(format!("\"{name}\""));
                failure.fact(format!("`{name}` is not among the tools of recipe `{recipe}`"))
            }
            Clue::Network(line) => failure.fact(format!("it wanted the network: {line}")).hint(
                "builds have no network: what it fetches belongs into its source, into `[inputs]` of its recipe, or into \
                 its `build-dependencies`",
            ),
            Clue::NoRoom { line, place } => failure
                .fact(format!("there was no room left: {line}"))
                .fact(format!("it was built in {}, and nothing of it is left there", place.display()))
                .hint(FULL),
            Clue::TookTooLong => {
                failure.hint("if it needs longer, raise `build-timeout` below `[settings]` in `envy.toml`")
            }
        };
    }
    match tools.join(", ") {
        tools if tools.is_empty() => failure,
        tools if takes_tools => {
            failure.hint(format!("write `tools = [{tools}]` beside the version of `{}` in `envy.toml`", id.name))
        }
        tools => failure.hint(format!("add {tools} to `tools` of recipe `{recipe}`")),
    }
}

/// Say what helps against what is likely to blame for a build that does not come out the same.
pub(super) fn with_advice(failure: Failure, causes: impl IntoIterator<Item = Cause>) -> Failure {
    let causes: std::collections::BTreeSet<_> = causes.into_iter().collect();
    causes.into_iter().fold(failure, |failure, cause| failure.hint(format!("{cause}: {}", cause.advice())))
}
