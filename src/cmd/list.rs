//! `envy list`

use super::context::Context;
use super::status::{State, state};
use crate::failure::Failure;

/// Arguments of `envy list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Show each site with its generation and state.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    context.freeze();
    let project = context.project()?;
    let states = project.manifest.sites().map(|site| state(context, &project, site)).collect::<Result<Vec<_>, _>>()?;
    if args.json {
        let sites: Vec<_> = states.iter().map(State::to_json).collect();
        context.ui.json(&serde_json::json!({ "schema": "envy.list/1", "sites": sites }));
        return Ok(());
    }
    if states.is_empty() {
        context.ui.note("there is no site yet; run `envy create SITE`");
    }
    let width = states.iter().map(|state| state.site.as_str().len()).max().unwrap_or(0);
    let line = |state: &State| {
        let generation = state.number.map_or("-".to_owned(), |number| number.to_string());
        let packages = crate::ui::count(state.packages, "package");
        format!("{:width$}  generation {generation:>3}  {packages:>11}  {}\n", state.site.as_str(), state.word())
    };
    context.ui.result(&states.iter().map(line).collect::<String>());
    Ok(())
}
