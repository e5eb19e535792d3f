//! `envy recipe`

mod check;
mod list;
mod new;
mod show;

use super::context::Context;
use super::locking::Moves;
use super::project::{Locked, Project};
use super::{LockMode, sharing};
use crate::digest::TextDigest;
use crate::failure::Failure;
use crate::lock::{Lockfile, SharedRecipes};
use crate::manifest::Source;
use crate::recipe::{Book, Layer};
use crate::source::Sources;

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
    let Some(project) = context.project_if_any()? else { return Ok((None, Book::built_in())) };
    let book = of_project(context, &project)?;
    Ok((Some(project), book))
}

/// The recipes of a project. Shared ones are as lockfiles pin them, and left out where none does.
fn of_project(context: &Context<'_>, project: &Project) -> Result<Book, Failure> {
    if let Some(book) = locked(context, project)? {
        return Ok(book);
    }
    context.ui.note("shared recipes that are not locked are left out; `envy lock` pins them");
    Ok(Book::open(vec![Layer::Project(project.root.join("recipes")), Layer::BuiltIn])?)
}

/// The recipes that something new may be made by: shared ones are as lockfiles pin them, or where none does, as they are now.
pub(super) fn of_additions(context: &Context<'_>, project: &Project) -> Result<Book, Failure> {
    if let Some(book) = locked(context, project)? {
        return Ok(book);
    }
    let pin = |sources: &Sources<'_>| sharing::pin_all(context, project, None, &Moves::Needed, sources);
    let recipes = context.with_sources(project, LockMode::default(), pin)?;
    let lockfile = Lockfile { recipes, ..Lockfile::empty(TextDigest::of(b"")) };
    project.book(context, Some(&lockfile))
}

/// The recipes of a project whose shared ones need no lockfile, or are all in one.
fn locked(context: &Context<'_>, project: &Project) -> Result<Option<Book>, Failure> {
    let named = project.manifest.recipes();
    if named.values().all(|source| matches!(source, Source::Path { .. })) {
        return project.book(context, None).map(Some);
    }
    for site in project.manifest.sites() {
        let Some(Locked { lockfile, .. }) = project.locked(&site.name)? else { continue };
        if named.iter().all(|(name, source)| SharedRecipes::of(&lockfile.recipes, name, source).is_some()) {
            return project.book(context, Some(&lockfile)).map(Some);
        }
    }
    Ok(None)
}
