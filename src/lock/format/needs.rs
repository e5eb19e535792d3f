//! How a lockfile writes which packages another one needs, and on which platforms.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Package, Source, quoted, read};
use crate::manifest::{Needed, Param};
use crate::package::{PackageName, Range, Version};
use crate::platform::{Platforms, expression};
use crate::recipe::{Need, Purpose, Statement};

/// What a package needs on some of its platforms.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileNeededOn {
    name: String,
    #[serde(default)]
    build: bool,
    platforms: Vec<String>,
}

/// What a package says itself that it needs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileNeed {
    name: String,
    recipe: Option<String>,
    version: Option<String>,
    #[serde(default)]
    build: bool,
    #[serde(default)]
    params: BTreeMap<String, FileParam>,
    when: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum FileParam {
    Bool(bool),
    Int(i64),
    String(String),
    List(Vec<String>),
}

/// What a package needs on some of its platforms alone.
pub(super) fn needed_on(package: &Package, text: &mut String) {
    for ((purpose, name), on) in &package.needed_on {
        let build = if *purpose == Purpose::Build { "build = true\n" } else { "" };
        let on = platform_list(on);
        text.push_str(&format!("\n[[package.needed-on]]\nname = \"{name}\"\n{build}platforms = [{on}]\n"));
    }
}

/// What a package says itself that it needs.
pub(super) fn stated(need: &Need) -> String {
    let Needed { name, recipe, versions, params: given, when } = &need.package;
    let mut text = format!("\n[[package.stated]]\nname = \"{name}\"\n");
    if recipe != name.as_str() {
        text.push_str(&format!("recipe = {}\n", quoted(recipe)));
    }
    if *versions != Range::Any {
        text.push_str(&format!("version = {}\n", quoted(&versions.to_string())));
    }
    if need.purpose == Purpose::Build {
        text.push_str("build = true\n");
    }
    if !given.is_empty() {
        text.push_str(&format!("params = {}\n", params(given)));
    }
    text.extend(when.iter().map(|when| format!("when = {}\n", quoted(when))));
    text
}

/// How a package says itself that it is made.
pub(super) fn stated_making(stated: &Statement) -> String {
    let recipe = stated.recipe.iter().map(|recipe| format!("stated-recipe = {}\n", quoted(recipe)));
    let params = (!stated.params.is_empty()).then(|| format!("stated-params = {}\n", params(&stated.params)));
    recipe.chain(params).collect()
}

pub(super) fn read_params(given: &BTreeMap<String, FileParam>) -> BTreeMap<String, Param> {
    given.iter().map(|(name, value)| (name.clone(), value.into())).collect()
}

fn params(given: &BTreeMap<String, Param>) -> String {
    let given: Vec<_> = given.iter().map(|(name, value)| format!("{} = {}", key(name), param(value))).collect();
    format!("{{ {} }}", given.join(", "))
}

pub(super) fn platform_list(platforms: &Platforms) -> String {
    platforms.iter().map(|platform| format!("\"{platform}\"")).collect::<Vec<_>>().join(", ")
}

fn param(value: &Param) -> String {
    match value {
        Param::Bool(value) => value.to_string(),
        Param::Int(value) => value.to_string(),
        Param::String(text) => quoted(text),
        Param::List(texts) => format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ")),
    }
}

/// A key, quoted where it has to be.
fn key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { quoted(name) }
}

pub(super) fn platforms(texts: &[String]) -> Result<Platforms, Source> {
    texts.iter().map(|text| read(text)).collect()
}

impl FileNeededOn {
    pub(super) fn read(&self) -> Result<((Purpose, PackageName), Platforms), Source> {
        let purpose = if self.build { Purpose::Build } else { Purpose::Run };
        Ok(((purpose, read(&self.name)?), platforms(&self.platforms)?))
    }
}

/// A range as it is written. A version that is none of cargo's stands for itself alone, after a `=`.
fn range(text: &str) -> Result<Range, Source> {
    match text.parse() {
        Ok(req) => Ok(Range::Req(req)),
        Err(error) => match text.strip_prefix('=') {
            Some(only) => Ok(Range::Exactly(Version::loose(only)?)),
            None => Err(Source::from(error)),
        },
    }
}

impl FileNeed {
    pub(super) fn read(&self) -> Result<Need, Source> {
        let versions = self.version.as_deref().map_or(Ok(Range::Any), range)?;
        let params = read_params(&self.params);
        self.when.as_deref().map(expression).transpose()?;
        let recipe = self.recipe.clone().unwrap_or_else(|| self.name.clone());
        let package = Needed { name: read(&self.name)?, recipe, versions, params, when: self.when.clone() };
        Ok(Need { package, purpose: if self.build { Purpose::Build } else { Purpose::Run } })
    }
}

impl From<&FileParam> for Param {
    fn from(param: &FileParam) -> Self {
        match param {
            FileParam::Bool(value) => Self::Bool(*value),
            FileParam::Int(value) => Self::Int(*value),
            FileParam::String(text) => Self::String(text.clone()),
            FileParam::List(texts) => Self::List(texts.clone()),
        }
    }
}
