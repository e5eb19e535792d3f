//! Failures of builds: what the log tells of the reason, and how to answer it.

use super::{FULL, Failure};
use crate::build::Clue;
use crate::package::PackageId;

/// The built-in recipe that lets its user declare more tools.
const BY_PARAM: &str = "cargo";

/// Say what a log tells beyond its last lines.
pub(super) fn with_clues(mut failure: Failure, id: &PackageId, recipe: &str, clues: &[Clue]) -> Failure {
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
            Clue::NoRoom(line) => failure.fact(format!("there was no room left: {line}")).hint(FULL),
            Clue::TookTooLong => {
                failure.hint("if it needs longer, raise `build-timeout` below `[settings]` in `envy.toml`")
            }
        };
    }
    match tools.join(", ") {
        tools if tools.is_empty() => failure,
        tools if recipe == BY_PARAM => {
            failure.hint(format!("write `tools = [{tools}]` beside the version of `{}` in `envy.toml`", id.name))
        }
        tools => failure.hint(format!("add {tools} to `tools` of recipe `{recipe}`")),
    }
}
