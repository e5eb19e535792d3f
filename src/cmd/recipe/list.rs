//! `envy recipe list`

use anstyle::Style;

use super::super::context::Context;
use super::seen;
use crate::failure::Failure;
use crate::recipe::{Book, Listed, Origin, Recipe};

/// Arguments of `envy recipe list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A recipe as it is listed; one that cannot be read has no more than a name.
struct Line<'b> {
    listed: Listed,
    recipe: Option<&'b Recipe>,
    /// Where those come from that it hides.
    hides: Vec<Origin>,
}

/// Show each recipe with its versions, where it comes from, and which others of its name there are.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let (_, book) = seen(context)?;
    let lines = lines(&book);
    if args.json {
        let recipes: Vec<_> = lines.iter().map(Line::to_json).collect();
        context.ui.json(&serde_json::json!({ "schema": "envy.recipe-list/1", "recipes": recipes }));
        return Ok(());
    }
    context.ui.result(&table(&lines));
    Ok(())
}

fn lines(book: &Book) -> Vec<Line<'_>> {
    let all = book.list();
    let line = |(index, listed): (usize, &Listed)| {
        let same = |one: &&Listed| one.name == listed.name;
        let behind = all[..index].iter().filter(same).count();
        let is_first = listed.hidden_by.is_none();
        let hides = all[index + 1..].iter().filter(same).filter(|_| is_first).map(|one| one.origin.clone()).collect();
        let recipe = book.hidden(&listed.name, behind).ok().map(|recipe| &**recipe);
        Line { listed: listed.clone(), recipe, hides }
    };
    all.iter().enumerate().map(line).collect()
}

/// How many versions are shown.
const SHOWN: usize = 4;

impl Line<'_> {
    /// The newest versions, if it lists any.
    fn versions(&self) -> String {
        let releases = self.recipe.map(|recipe| recipe.releases().keys().rev().map(ToString::to_string));
        let all: Vec<_> = releases.into_iter().flatten().collect();
        match all.len() {
            0 => "-".to_owned(),
            count if count > SHOWN => format!("{}, … ({count})", all[..SHOWN].join(", ")),
            _ => all.join(", "),
        }
    }

    fn summary(&self) -> String {
        let summary = match self.recipe {
            Some(recipe) => recipe.summary().to_owned(),
            None => format!("cannot be read: run `envy recipe check {}`", self.listed.name),
        };
        let hides: Vec<_> = self.hides.iter().map(ToString::to_string).collect();
        match &self.listed.hidden_by {
            Some(origin) => format!("{summary} [hidden by {origin}]"),
            None if hides.is_empty() => summary,
            None => format!("{summary} [hides {}]", hides.join(", ")),
        }
    }

    fn to_json(&self) -> serde_json::Value {
        let versions = self.recipe.map(|recipe| recipe.releases().keys().map(ToString::to_string).collect::<Vec<_>>());
        serde_json::json!({
            "name": self.listed.name,
            "origin": self.listed.origin.to_string(),
            "hidden-by": self.listed.hidden_by.as_ref().map(ToString::to_string),
            "versions": versions,
            "summary": self.recipe.map(Recipe::summary),
            "extends": self.recipe.map(Recipe::extends),
            "readable": self.recipe.is_some(),
        })
    }
}

fn table(lines: &[Line<'_>]) -> String {
    let cells = |line: &Line<'_>| [line.listed.name.clone(), line.versions(), line.listed.origin.to_string()];
    let rows: Vec<_> = lines.iter().map(cells).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [names, versions, origins] = [0, 1, 2].map(width);
    let line = |(line, [name, list, origin]): (&Line<'_>, &[String; 3])| {
        let style = if line.listed.hidden_by.is_some() { Style::new().dimmed() } else { Style::new() };
        let summary = line.summary();
        format!("{style}{name:names$}  {list:versions$}  {origin:origins$}  {summary}{style:#}\n")
    };
    lines.iter().zip(&rows).map(line).collect()
}
