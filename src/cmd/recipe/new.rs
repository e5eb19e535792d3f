//! `envy recipe new`

use std::fmt::Write as _;

use super::super::context::Context;
use super::of_project;
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::lock::file_name;
use crate::package::{PackageName, Version};
use crate::recipe::{Book, Recipe};

/// Arguments of `envy recipe new`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to call it
    name: PackageName,
    /// Take the steps of another recipe, such as `make`, `autotools` or `cargo`
    #[arg(long, value_name = "NAME")]
    extends: Option<String>,
    /// Let it list a version, whose archive is here
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The version that the archive is of [default: the one that its name has]
    #[arg(long, value_name = "VERSION", requires = "url")]
    version: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Write a recipe that `recipe check` accepts, with what may stand in one as comments.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let mut project = context.project()?;
    let _held = project.hold(context)?;
    let book = of_project(context, &project)?;
    let name = args.name.as_str();
    let file = format!("recipes/{name}.toml");
    let path = project.root.join(&file);
    if disk::exists(&path) {
        return Err(
            Failure::new(Exit::Failed, format!("there is a `{file}` already")).hint("give the new one another name")
        );
    }
    let parent = args.extends.as_deref().map(|parent| book.get(parent)).transpose()?;
    let release = args.url.as_deref().map(|url| Listing::of(url, args.version.as_deref())).transpose()?;
    let text = text(name, parent.map(|parent| &**parent), release.as_ref());
    disk::create_directories(&project.root.join("recipes"))?;
    disk::write_atomic(&path, text.as_bytes())?;
    context.ui.done("wrote", format!("`{file}`"));
    told(context, &book, args, release.as_ref());
    if args.json {
        let path = path.display().to_string();
        context.ui.json(&serde_json::json!({ "schema": "envy.recipe-new/1", "recipe": name, "path": path }));
    }
    Ok(())
}

fn told(context: &Context<'_>, book: &Book, args: &Args, release: Option<&Listing>) {
    let name = args.name.as_str();
    if let Some(origin) = book.origin(name) {
        context.ui.note(format!("it hides the `{name}` of {origin}"));
    }
    if let Some(release) = release {
        context.ui.note(format!("fill in the `sha256` of version {}: nothing was fetched", release.version));
    }
}

/// A version that the recipe begins with.
struct Listing {
    url: String,
    version: String,
}

impl Listing {
    /// The version is said, or is the number in the name of the archive.
    fn of(url: &str, said: Option<&str>) -> Result<Self, Failure> {
        let unclear = || {
            Failure::new(Exit::Usage, format!("it is not clear which version `{url}` is of"))
                .hint("say it by `--version VERSION`")
        };
        let version = match said {
            Some(version) => version.to_owned(),
            None => version_in(file_name(url)).ok_or_else(unclear)?,
        };
        Version::loose(&version).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        Ok(Self { url: url.replace(&version, "{version}"), version })
    }
}

/// The first number with a point in it, with a letter that may follow; else the first number after a `-`, `_` or `v`.
fn version_in(name: &str) -> Option<String> {
    let begins = name.match_indices(|letter: char| letter.is_ascii_digit()).map(|(at, _)| at);
    let begins = begins.filter(|at| *at > 0 && name[..*at].ends_with(['-', '_', 'v']));
    let number = |at: usize| {
        let end = name[at..].find(|letter: char| !(letter.is_ascii_digit() || letter == '.'));
        let number = end.map_or(&name[at..], |end| &name[at..at + end]).trim_end_matches('.');
        let rest = &name[at + number.len()..];
        let letter =
            rest.chars().next().filter(|_| rest.chars().nth(1).is_none_or(|next| !next.is_ascii_alphanumeric()));
        format!("{number}{}", letter.filter(char::is_ascii_lowercase).map(String::from).unwrap_or_default())
    };
    let numbers: Vec<_> = begins.map(number).collect();
    numbers.iter().find(|number| number.contains('.')).or(numbers.first()).cloned()
}

fn text(name: &str, parent: Option<&Recipe>, release: Option<&Listing>) -> String {
    let mut text =
        format!("# How `{name}` is made. `envy recipe check {name}` looks for mistakes.\nsummary = \"{name}\"\n");
    text += "# homepage = \"https://example.org/\"\n# license = \"MIT\"\n";
    if let Some(parent) = parent {
        writeln!(text, "# Steps, tools and params are those of `{0}`: see `envy recipe show {0}`.", parent.name())
            .expect("a string takes everything");
        writeln!(text, "extends = \"{}\"", parent.name()).expect("a string takes everything");
    }
    text += "# Tools of the host that its steps run, beside sh, coreutils, sed, grep, awk, find, tar and the like.\n";
    text += "# tools = [\"cc\"]\n";
    text += "# Commands that must succeed once it is built, with its own programs first on PATH.\n";
    writeln!(text, "# check = [\"{name} --version\"]").expect("a string takes everything");
    if let Some(Listing { url, version }) = release {
        text += "\n# Nothing was fetched: look at the archive, and write here what `sha256sum` says of it.\n";
        let (key, url) = (toml::Value::from(version.as_str()), toml::Value::from(url.as_str()));
        writeln!(text, "[versions.{key}]\nurl = {url}\nsha256 = \"{}\"", "0".repeat(64))
            .expect("a string takes everything");
    }
    text += "\n# Packages that belong into the prefix with it, and those that are there only while it is built.\n";
    text += "# [dependencies]\n# openssl = { version = \"3\", when = \"tls\" }\n";
    text += "# [build-dependencies]\n# pkgconf = \"1\"\n";
    text += "\n# What its users may choose; `{{ tls }}` is the value in templates.\n";
    text += "# [params]\n# tls = { type = \"bool\", default = false, doc = \"Build with TLS.\" }\n";
    match parent {
        Some(parent) => text += &choices(parent),
        None => text += STEPS,
    }
    text
}

/// Steps that install what lies at the top of the source under the package's name.
const STEPS: &str = r#"
# Steps are scripts for `sh`, each of which begins in the source. What is installed goes to `{{ destdir }}{{ prefix }}`.
[[step]]
name = "install"
run = """
mkdir -p {{ destdir }}{{ prefix }}/bin
cp {{ name }} {{ destdir }}{{ prefix }}/bin/
"""
"#;

/// What the other recipe lets choose, as comments.
fn choices(parent: &Recipe) -> String {
    let mut text = format!(
        "\n# Values for the params of `{}`. What is not here stays a choice of whoever uses the recipe.\n# [set]\n",
        parent.name()
    );
    for (name, param) in parent.choices() {
        let value = match &param.default {
            crate::recipe::Value::List(texts) => toml::Value::from(texts.clone()),
            crate::recipe::Value::Bool(on) => toml::Value::from(*on),
            crate::recipe::Value::Int(number) => toml::Value::from(*number),
            crate::recipe::Value::String(text) => toml::Value::from(text.as_str()),
        };
        writeln!(text, "# {name} = {value}    # {}", param.doc).expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_the_name_of_an_archive() {
        let check = |name: &str, expected: Option<&str>| assert_eq!(version_in(name).as_deref(), expected, "{name}");
        check("redis-7.0.15.tar.gz", Some("7.0.15"));
        check("openssl-1.1.1w.tar.gz", Some("1.1.1w"));
        check("v1.10.0.tar.gz", Some("1.10.0"));
        check("sqlite-autoconf-3460000.tar.gz", Some("3460000"));
        check("lib-x86_64-2.1.zip", Some("2.1"));
        check("main.tar.gz", None);
    }
}
