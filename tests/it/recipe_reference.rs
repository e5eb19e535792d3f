//! The reference of the recipes that come with envy is written by this test, from what they say of themselves.
//!
//! `UPDATE_EXPECT=1 cargo test` rewrites it.

use std::fmt::Write as _;

use envy::manifest::Needed;
use envy::recipe::{BUILT_IN, Book, Kind, Recipe, Value};
use expect_test::expect_file;

const HEAD: &str = "# Recipes that come with envy\n\n\
    This chapter is written by a test from the recipes themselves; `envy recipe show NAME` tells the same, and also of your\n\
    own. What a recipe is, the [chapter on recipes](../concepts/recipes.md) says.\n";

const WAYS: &str = "\n# How something is built\n\n\
    For sources that you name yourself: `recipe = \"NAME\"` stands beside `git`, `path` or `url`. Recipes of your own extend\n\
    these.\n";

const PACKAGES: &str = "\n# Packages\n\n\
    These list versions, so they are required by name: `NAME = { recipe = \"NAME\", version = \"…\" }`, or\n\
    `envy add --recipe NAME`.\n";

#[test]
fn the_reference_of_recipes_is_what_they_say_of_themselves() {
    let book = Book::built_in();
    let all: Vec<_> = BUILT_IN.iter().map(|(name, _)| &**book.get(name).expect("a test reads all of them")).collect();
    let (packages, ways): (Vec<&Recipe>, _) = all.into_iter().partition(|recipe| !recipe.releases().is_empty());
    let mut text = HEAD.to_owned();
    text += WAYS;
    ways.into_iter().for_each(|recipe| chapter(recipe, &mut text));
    text += PACKAGES;
    packages.into_iter().for_each(|recipe| chapter(recipe, &mut text));
    expect_file!["../../docs/reference/recipes.md"].assert_eq(&text);
}

#[test]
fn every_package_of_the_catalogue_was_built_twice_and_one_that_differs_says_why() {
    let table = include_str!("../../docs/reference/reproducible.md");
    let book = Book::built_in();
    for (name, text) in BUILT_IN {
        if book.get(name).expect("a test reads all of them").releases().is_empty() {
            continue;
        }
        let row = table.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} is not in the table: `.ci/reproduce` makes it"));
        assert!(row.ends_with("| yes |") || text.contains("not reproducible"), "{row}");
    }
}

fn chapter(recipe: &Recipe, text: &mut String) {
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes everything");
    let name = recipe.name();
    line(format!(
        "\n## `{name}`\n\n{}. See [its text](../../recipes/{name}.toml).\n",
        recipe.summary().trim_end_matches('.')
    ));
    let quoted = |names: Vec<String>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let tools = recipe.declared_tools().into_iter().map(|(tool, platform)| match platform {
        Some(platform) => format!("{tool} (on {platform})"),
        None => tool.to_owned(),
    });
    let facts = [
        ("Home", recipe.homepage().map(|homepage| format!("<{homepage}>"))),
        ("Licence", recipe.license().map(str::to_owned)),
        (
            "Versions",
            (!recipe.releases().is_empty())
                .then(|| recipe.releases().keys().rev().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        ),
        ("Extends", recipe.extends().first().map(|parent| format!("[`{parent}`](#{parent})"))),
        ("Needs to run", needs(recipe.dependencies())),
        ("Needs to be built", needs(recipe.build_dependencies())),
        ("Tools", Some(quoted(tools.collect())).filter(|tools| !tools.is_empty())),
    ];
    for (name, fact) in facts.into_iter().filter_map(|(name, fact)| Some((name, fact?))) {
        line(format!("- {name}: {fact}"));
    }
    let own: Vec<_> = recipe.choices().filter(|(_, param)| param.of == name).collect();
    if !own.is_empty() {
        line("\n| param | type | default | means |\n| --- | --- | --- | --- |".to_owned());
    }
    for (name, param) in own {
        let kind = match &param.kind {
            Kind::Enum(values) => quoted(values.clone()).replace("`, `", "` or `"),
            kind => kind.name().to_owned(),
        };
        let doc = param.doc.trim_end_matches('.').replace('|', "\\|");
        line(format!("| `{name}` | {kind} | `{}` | {doc} |", param.default.to_json()));
    }
    if let Some(example) = recipe.example() {
        line(format!("\n```toml\n[sites.api.dependencies]\n{example}\n```"));
    }
}

fn needs(all: &[Needed]) -> Option<String> {
    let one = |needed: &Needed| {
        let mut text = format!("`{}` {}", needed.name, needed.versions);
        for (name, value) in &needed.params {
            write!(text, ", with `{name} = {}`", Value::from(value).to_json()).expect("a string takes everything");
        }
        if let Some(condition) = &needed.when {
            write!(text, ", when `{condition}`").expect("a string takes everything");
        }
        text
    };
    (!all.is_empty()).then(|| all.iter().map(one).collect::<Vec<_>>().join("; "))
}
