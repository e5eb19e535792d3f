//! `envy recipe show`

use std::fmt::Write as _;

use serde_json::json;

use super::super::context::Context;
use super::seen;
use crate::failure::Failure;
use crate::manifest::{Needed, Source};
use crate::platform::listed;
use crate::recipe::{Book, Param, Recipe, Release, Set, Value};
use crate::ui::Volume;

/// Arguments of `envy recipe show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The recipe
    name: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Show what a recipe says of itself; what its steps are in full with `--verbose`.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let (_, book) = seen(context)?;
    let recipe = book.get(&args.name)?;
    if args.json {
        context.ui.json(&document(&book, recipe));
        return Ok(());
    }
    context.ui.result(&text(&book, recipe, context.globals.volume() == Volume::Verbose));
    Ok(())
}

fn text(book: &Book, recipe: &Recipe, with_steps: bool) -> String {
    let mut text = format!("{}: {}\n", recipe.name(), recipe.summary());
    let origin = book.origin(recipe.name()).map(|origin| origin.to_string());
    let extends = (!recipe.extends().is_empty()).then(|| recipe.extends().join(", which extends "));
    let tools = tools(recipe);
    let facts = [
        ("homepage", recipe.homepage().map(str::to_owned)),
        ("licence", recipe.license().map(str::to_owned)),
        ("from", origin),
        ("extends", extends),
        ("for", (!recipe.platforms().is_empty()).then(|| listed(recipe.platforms()))),
        ("tools", (!tools.is_empty()).then(|| tools.join(", "))),
        ("inputs", recipe.vendor().map(|path| format!("the crates of {path}"))),
    ];
    for (name, fact) in facts.iter().filter_map(|(name, fact)| Some((name, fact.as_ref()?))) {
        writeln!(text, "  {name:8}  {fact}").expect("a string takes everything");
    }
    section(
        &mut text,
        "versions",
        recipe.releases().iter().rev().map(|(version, one)| (version.to_string(), from(one))),
    );
    section(&mut text, "needs to run", recipe.dependencies().iter().map(need));
    section(&mut text, "needs to be built", recipe.build_dependencies().iter().map(need));
    section(&mut text, "params", recipe.choices().map(|(name, param)| choice(recipe, name, param)));
    section(&mut text, "set by the recipe", recipe.values().iter().map(set));
    let variables = recipe.variables().iter().map(|(name, value)| (name.clone(), vec![value.clone()]));
    section(&mut text, "variables", variables);
    let step = |(index, step): (usize, &crate::recipe::Step)| {
        let run = step.run.trim().lines().filter(|_| with_steps).map(str::to_owned);
        (format!("{} {}", index + 1, step.name), run.collect())
    };
    section(&mut text, "steps", recipe.steps().iter().enumerate().map(step));
    section(&mut text, "checks", recipe.checks().iter().map(|check| (check.clone(), Vec::new())));
    section(&mut text, "example", recipe.example().into_iter().map(|example| (example.to_owned(), Vec::new())));
    text
}

/// A heading with entries, each a first column and lines in the second.
fn section(text: &mut String, name: &str, entries: impl Iterator<Item = (String, Vec<String>)>) {
    let entries: Vec<_> = entries.collect();
    if entries.is_empty() {
        return;
    }
    let with_lines = entries.iter().filter(|(_, lines)| !lines.is_empty());
    let width = with_lines.map(|(first, _)| first.chars().count()).max().unwrap_or(0);
    writeln!(text, "\n{name}:").expect("a string takes everything");
    for (first, lines) in entries {
        let mut lines = lines.iter();
        let head = lines.next().map_or_else(|| first.clone(), |line| format!("{first:width$}  {line}"));
        writeln!(text, "  {head}").expect("a string takes everything");
        for line in lines {
            writeln!(text, "  {:width$}  {line}", "").expect("a string takes everything");
        }
    }
}

fn tools(recipe: &Recipe) -> Vec<String> {
    let tool = |(tool, platform): (&str, Option<crate::platform::Platform>)| match platform {
        Some(platform) => format!("{tool} (on {platform})"),
        None => tool.to_owned(),
    };
    recipe.declared_tools().into_iter().map(tool).collect()
}

/// Where a version comes from, and what belongs to it alone.
fn from(release: &Release) -> Vec<String> {
    let mut lines = match &release.source {
        Source::Archive(archive) => {
            let sum = archive.sha256.map(|sum| sum.to_string());
            let others = archive.platforms.iter().map(|(platform, one)| {
                let sum = one.sha256.map(|sum| sum.to_string());
                let parts = [Some(format!("on {platform}:")), one.url.clone(), sum];
                parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
            });
            [archive.url.clone()].into_iter().chain(sum).chain(others).collect()
        }
        Source::Carried { name, version, sha256, subdir } => {
            let subdir = subdir.as_ref().map(|subdir| format!(" in {subdir}"));
            vec![format!("crate {name} {version}{}", subdir.unwrap_or_default()), sha256.to_string()]
        }
        _ => vec!["no source".to_owned()],
    };
    lines.extend(release.patches.iter().map(|patch| format!("with {}", patch.name)));
    lines
}

/// A package that is needed, as a name and what is said of it.
fn need(needed: &Needed) -> (String, Vec<String>) {
    let mut said = needed.versions.to_string();
    if needed.recipe != needed.name.as_str() {
        write!(said, " by recipe `{}`", needed.recipe).expect("a string takes everything");
    }
    for (name, value) in &needed.params {
        write!(said, ", {name} = {}", Value::from(value).to_json()).expect("a string takes everything");
    }
    if let Some(condition) = &needed.when {
        write!(said, ", when {condition}").expect("a string takes everything");
    }
    (needed.name.to_string(), vec![said])
}

fn choice(recipe: &Recipe, name: &str, param: &Param) -> (String, Vec<String>) {
    let mut said = match &param.kind {
        crate::recipe::Kind::Enum(values) => values.join(" or "),
        kind => kind.name().to_owned(),
    };
    if recipe.sets(name) {
        said.push_str(", added to what the recipe sets");
    } else {
        write!(said, ", {} by default", param.default.to_json()).expect("a string takes everything");
    }
    if param.of != recipe.name() {
        write!(said, " (of {})", param.of).expect("a string takes everything");
    }
    let doc = (!param.doc.is_empty()).then(|| param.doc.clone());
    (name.to_owned(), [said].into_iter().chain(doc).collect())
}

fn set(set: &Set<'_>) -> (String, Vec<String>) {
    let on = set.platform.map(|platform| format!(" on {platform}"));
    let of = set.version.map(|version| format!(" for {version}"));
    let name = format!("{}{}{}", set.param, on.unwrap_or_default(), of.unwrap_or_default());
    (name, vec![set.value.to_json().to_string()])
}

fn document(book: &Book, recipe: &Recipe) -> serde_json::Value {
    let needs = |all: &[Needed]| -> Vec<_> {
        let params = |needed: &Needed| {
            let params = needed.params.iter().map(|(name, value)| (name.clone(), Value::from(value).to_json()));
            params.collect::<serde_json::Map<_, _>>()
        };
        let need = |needed: &Needed| {
            json!({ "name": needed.name.as_str(), "recipe": needed.recipe, "versions": needed.versions.to_string(),
                    "params": params(needed), "when": needed.when })
        };
        all.iter().map(need).collect()
    };
    let values = |kind: &crate::recipe::Kind| match kind {
        crate::recipe::Kind::Enum(values) => Some(values.clone()),
        _ => None,
    };
    let params = recipe.choices().map(|(name, param)| {
        json!({ "name": name, "type": param.kind.name(), "values": values(&param.kind), "default": param.default.to_json(),
                "doc": param.doc, "of": param.of })
    });
    let set = recipe.values().into_iter().map(|set| {
        json!({ "param": set.param, "value": set.value.to_json(), "platform": set.platform.map(|one| one.to_string()),
                "version": set.version.map(ToString::to_string) })
    });
    let tools = recipe
        .declared_tools()
        .into_iter()
        .map(|(name, platform)| json!({ "name": name, "platform": platform.map(|one| one.to_string()) }));
    let version = |(version, release): (&crate::package::Version, &Release)| {
        let (url, sha256, carried) = match &release.source {
            Source::Archive(archive) => (Some(archive.url.clone()), archive.sha256.map(|sum| sum.to_string()), None),
            Source::Carried { name, version, sha256, .. } => {
                (None, Some(sha256.to_string()), Some(format!("{name} {version}")))
            }
            _ => (None, None, None),
        };
        let patches: Vec<_> = release.patches.iter().map(|patch| patch.name.clone()).collect();
        json!({ "version": version.to_string(), "url": url, "crate": carried, "sha256": sha256, "patches": patches })
    };
    let steps = recipe.steps().iter().map(|step| json!({ "name": step.name, "run": step.run }));
    json!({
        "schema": "envy.recipe-show/1",
        "name": recipe.name(),
        "summary": recipe.summary(),
        "homepage": recipe.homepage(),
        "license": recipe.license(),
        "origin": book.origin(recipe.name()).map(|origin| origin.to_string()),
        "extends": recipe.extends(),
        "versions": recipe.releases().iter().map(version).collect::<Vec<_>>(),
        "dependencies": needs(recipe.dependencies()),
        "build-dependencies": needs(recipe.build_dependencies()),
        "platforms": recipe.platforms().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "tools": tools.collect::<Vec<_>>(),
        "vendor": recipe.vendor(),
        "params": params.collect::<Vec<_>>(),
        "set": set.collect::<Vec<_>>(),
        "env": recipe.variables(),
        "steps": steps.collect::<Vec<_>>(),
        "checks": recipe.checks(),
        "example": recipe.example(),
    })
}
