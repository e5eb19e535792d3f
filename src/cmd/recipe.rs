//! `envy recipe`

mod check;
mod list;
mod new;
mod show;

use super::context::Context;
use super::project::Project;
use crate::failure::Failure;
use crate::recipe::Book;

/// Arguments of `envy recipe`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show all recipes, and which hides which
    #[command(visible_alias = "ls")]
    List(list::Args),
    /// Show what a recipe makes, what can be chosen, and how
    Show(show::Args),
    /// Write the beginning of a recipe into the project
    New(new::Args),
    /// Look for mistakes in the project's recipes, and for what their users would miss
    Check(check::Args),
}

/// Look at recipes, or begin one.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::List(args) => list::run(context, args),
        Command::Show(args) => show::run(context, args),
        Command::New(args) => new::run(context, args),
        Command::Check(args) => check::run(context, args),
    }
}

/// The recipes that are seen from here: those of the project, if there is one, and those that come with envy.
fn seen(context: &Context<'_>) -> Result<(Option<Project>, Book), Failure> {
    let project = context.project_if_any()?;
    let book = project.as_ref().map_or_else(|| Ok(Book::built_in()), |project| project.book(context))?;
    Ok((project, book))
}
