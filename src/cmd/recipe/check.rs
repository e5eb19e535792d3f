//! `envy recipe check`

use super::super::context::Context;
use super::super::project::Project;
use super::{of_project, seen};
use crate::build::{BASE, brought};
use crate::failure::{Exit, Failure};
use crate::platform::Platform;
use crate::recipe::{Book, Finding, Level, Origin, Surroundings, lint};
use crate::ui::count;

/// Arguments of `envy recipe check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The recipes [default: all of the project's own]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Tell all that is found about recipes; any error among it is a failure.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let (project, book) = if args.names.is_empty() {
        let project = context.project()?;
        let book = of_project(context, &project)?;
        (Some(project), book)
    } else {
        seen(context)?
    };
    let names = names(&book, &args.names)?;
    if names.is_empty() {
        context.ui.note("the project has no recipes of its own; run `envy recipe new NAME` to begin one");
    }
    let checked = check(&book, project.as_ref(), &names)?;
    if args.json {
        context.ui.json(&document(&book, &checked));
    } else {
        context.ui.result(
            &checked.iter().flat_map(|one| one.found.iter().map(|found| line(&book, one, found))).collect::<String>(),
        );
    }
    let number = |level| checked.iter().flat_map(|one| &one.found).filter(|found| found.level == level).count();
    let (errors, warnings) = (number(Level::Error), number(Level::Warning));
    if errors > 0 {
        let outcome = format!("{} in {}", count(errors, "error"), count(with_errors(&checked), "recipe"));
        return Err(Failure::new(Exit::Failed, outcome));
    }
    let told = if warnings > 0 { format!(", {}", count(warnings, "warning")) } else { String::new() };
    context.ui.done("checked", format!("{}{told}", count(names.len(), "recipe")));
    Ok(())
}

struct Checked {
    name: String,
    found: Vec<Finding>,
}

/// The recipes that are meant, each of which there is.
fn names(book: &Book, asked: &[String]) -> Result<Vec<String>, Failure> {
    if asked.is_empty() {
        let own = book.list().into_iter().filter(|one| one.origin == Origin::Project);
        return Ok(own.map(|one| one.name).collect());
    }
    match asked.iter().find(|name| !book.has(name)) {
        Some(missing) => Err(book.get(missing).map(drop).expect_err("it is not there").into()),
        None => Ok(asked.to_vec()),
    }
}

fn check(book: &Book, project: Option<&Project>, names: &[String]) -> Result<Vec<Checked>, Failure> {
    let host = [Platform::host()];
    let platforms = project.map_or(&host[..], |project| project.manifest.platforms());
    let base: Vec<_> = BASE.split_whitespace().collect();
    let surroundings = Surroundings { platforms, base: &base, brought: &brought };
    let one = |name: &String| Ok(Checked { name: name.clone(), found: lint(book, name, &surroundings)? });
    names.iter().map(one).collect()
}

fn with_errors(checked: &[Checked]) -> usize {
    checked.iter().filter(|one| one.found.iter().any(|found| found.level == Level::Error)).count()
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
    }
}

fn line(book: &Book, one: &Checked, found: &Finding) -> String {
    let file = book.file(&one.name).unwrap_or_default();
    let place = found.place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
    let hint = found.hint.as_ref().map(|hint| format!("  hint: {hint}\n")).unwrap_or_default();
    format!("{file}{place}: {}: {}\n{hint}", word(found.level), found.message)
}

fn document(book: &Book, checked: &[Checked]) -> serde_json::Value {
    let finding = |found: &Finding| {
        serde_json::json!({
            "level": word(found.level),
            "line": found.place.map(|(line, _)| line),
            "column": found.place.map(|(_, column)| column),
            "message": found.message,
            "hint": found.hint,
        })
    };
    let recipe = |one: &Checked| {
        let findings: Vec<_> = one.found.iter().map(finding).collect();
        serde_json::json!({ "name": one.name, "file": book.file(&one.name), "findings": findings })
    };
    let recipes: Vec<_> = checked.iter().map(recipe).collect();
    serde_json::json!({ "schema": "envy.recipe-check/1", "recipes": recipes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::BUILT_IN;

    #[test]
    fn all_that_is_built_in_is_without_a_finding() {
        let platforms = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(|name| name.parse().unwrap());
        let base: Vec<_> = BASE.split_whitespace().collect();
        let surroundings = Surroundings { platforms: &platforms, base: &base, brought: &brought };
        let book = Book::built_in();
        for (name, _) in BUILT_IN {
            assert_eq!(lint(&book, name, &surroundings).unwrap(), [], "{name}");
        }
    }
}
