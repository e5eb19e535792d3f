//! Changes a manifest's text and leaves its comments, order and formatting alone. Pure.
//!
//! What goes away takes the comment directly above it along; a comment set off by an empty line stays.

use std::collections::BTreeMap;

use toml_edit::{Array, Decor, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::schema::{SHORT_PARAMS, SOURCE_KEYS};
use super::{Param, layout};
use crate::package::{PackageName, SiteName};

/// A manifest's text could not be changed as asked.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It is no TOML.
    #[error("could not read the manifest as TOML")]
    Syntax(#[source] toml_edit::TomlError),
    /// The site isn't there.
    #[error("there is no site `{0}`")]
    NoSite(SiteName),
    /// The site is there already.
    #[error("site `{0}` is there already")]
    SiteExists(SiteName),
    /// Something has the name of a table and is none.
    #[error("`{0}` is not a table")]
    NotATable(String),
}

/// Which table of dependencies is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where<'a> {
    /// The one for every site.
    Shared,
    /// A site's own.
    Site(&'a SiteName),
}

/// What [`add_dependency`] writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewDependency {
    /// The requirement, as it should be written, where there is one.
    pub version: Option<String>,
    /// Where it comes from, as keys and their values; nothing is crates.io, or where the entry that is there says.
    pub source: Vec<(&'static str, String)>,
    /// How new it may be: a time, a date, a duration, or `false` for as new as it likes.
    pub exclude_newer: Option<String>,
    /// The platforms that it is asked for on, as a condition, where those are not all.
    pub when: Option<String>,
    /// Features, in addition to those that an entry already has.
    pub features: Vec<String>,
    /// Other params; each replaces what an entry already has.
    pub params: BTreeMap<String, Param>,
}

/// Require a package. Of an entry that is there, the version is replaced and everything else is kept.
pub fn add_dependency(
    text: &str,
    table: Where<'_>,
    name: &PackageName,
    new: &NewDependency,
) -> Result<String, EditError> {
    let mut document = parse(text)?;
    let table = dependencies(&mut document, table)?;
    match table.get_mut(name.as_str()) {
        Some(entry) => update(entry, new),
        None => insert(table, name.as_str(), fresh(new)),
    }
    Ok(document.to_string())
}

/// Require a package no longer. Nothing, if it isn't there.
pub fn remove_dependency(text: &str, table: Where<'_>, name: &PackageName) -> Result<Option<String>, EditError> {
    let mut document = parse(text)?;
    parent(&mut document, table)?;
    let path = match table {
        Where::Shared => vec!["dependencies"],
        Where::Site(site) => vec!["sites", site.as_str(), "dependencies"],
    };
    Ok(layout::take_out(&mut document, &path, name.as_str()).then(|| print(&document, text)))
}

/// Add an empty site after all others.
pub fn create_site(text: &str, name: &SiteName) -> Result<String, EditError> {
    put_site(text, name, |sites| match sites {
        Item::Value(_) => Ok(Item::Value(InlineTable::new().into())),
        _ => Ok(Item::Table(Table::new())),
    })
}

/// Add a site, after all others, with everything that another one has.
pub fn copy_site(text: &str, from: &SiteName, to: &SiteName) -> Result<String, EditError> {
    put_site(text, to, |sites| {
        let original = sites.as_table_like().and_then(|sites| sites.get(from.as_str()));
        let mut copy = original.cloned().ok_or_else(|| EditError::NoSite(from.clone()))?;
        layout::detach(&mut copy);
        Ok(copy)
    })
}

/// Add a site, after all others, that has these tables.
pub(super) fn create_item(text: &str, name: &SiteName, item: Item) -> Result<String, EditError> {
    put_site(text, name, |_| Ok(item))
}

/// Remove a site with all its tables.
pub fn delete_site(text: &str, name: &SiteName) -> Result<String, EditError> {
    let mut document = parse(text)?;
    match layout::take_out(&mut document, &["sites"], name.as_str()) {
        true => Ok(print(&document, text)),
        false => Err(EditError::NoSite(name.clone())),
    }
}

/// The manifest of a new project.
pub fn initial(project: &str, rust: Option<&str>) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let (name, envy) =
        (quoted(project), concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR")));
    let toolchain = rust.map(|rust| {
        let line = format!("rust = {}", quoted(rust));
        format!("\n[toolchain]\n{line:<36} # what crates are built with; lockfiles pin the exact rustc\n")
    });
    let envy = format!("envy = \">={envy}\"");
    format!(
        r#"# What the sites of this project have. Commit this file and `lockfiles/`; `envy help` lists the commands.

[project]
name = {name}
{envy:<36} # an older envy refuses this file
{}
[dependencies]                       # every site has these
# just = "1"                         # a bare version is a crate from crates.io that has binaries
"#,
        toolchain.unwrap_or_default()
    )
}

pub(super) fn parse(text: &str) -> Result<DocumentMut, EditError> {
    text.parse().map_err(EditError::Syntax)
}

/// The document's text. What went away at the top takes the empty lines below it along.
fn print(document: &DocumentMut, before: &str) -> String {
    let after = document.to_string();
    if before.starts_with('\n') { after } else { after.trim_start_matches('\n').to_owned() }
}

/// The item that has, or will have, the table of dependencies.
fn parent<'d>(document: &'d mut DocumentMut, table: Where<'_>) -> Result<&'d mut Item, EditError> {
    match table {
        Where::Shared => Ok(document.as_item_mut()),
        Where::Site(name) => {
            let sites = document.get_mut("sites").and_then(Item::as_table_like_mut);
            let site = sites.and_then(|sites| sites.get_mut(name.as_str()));
            site.ok_or_else(|| EditError::NoSite(name.clone()))
        }
    }
}

/// The table of dependencies, made if it is missing in the style of its parent.
fn dependencies<'d>(document: &'d mut DocumentMut, table: Where<'_>) -> Result<&'d mut dyn TableLike, EditError> {
    let path = match table {
        Where::Shared => "dependencies".to_owned(),
        Where::Site(site) => format!("sites.{site}.dependencies"),
    };
    let parent = parent(document, table)?;
    let inline = parent.is_inline_table();
    let Some(parent) = parent.as_table_like_mut() else { return Err(EditError::NotATable(path)) };
    if !parent.contains_key("dependencies") {
        let new = if inline { Item::Value(InlineTable::new().into()) } else { Item::Table(Table::new()) };
        insert(parent, "dependencies", new);
    }
    parent.get_mut("dependencies").and_then(Item::as_table_like_mut).ok_or(EditError::NotATable(path))
}

fn put_site(
    text: &str,
    name: &SiteName,
    make: impl FnOnce(&Item) -> Result<Item, EditError>,
) -> Result<String, EditError> {
    let mut document = parse(text)?;
    if !document.contains_key("sites") {
        let mut sites = Table::new();
        sites.set_implicit(true);
        document.insert("sites", Item::Table(sites));
    }
    let sites = document.get_mut("sites").expect("it was there or has just been made");
    let mut site = make(sites)?;
    let end = layout::last_position(sites);
    let table = sites.as_table_like_mut().ok_or_else(|| EditError::NotATable("sites".into()))?;
    if table.contains_key(name.as_str()) {
        return Err(EditError::SiteExists(name.clone()));
    }
    layout::put_at(&mut site, end);
    insert(table, name.as_str(), site);
    layout::settle(&mut document, name.as_str(), end);
    Ok(document.to_string())
}

/// Add a key at the end of a table. In an inline table the space before `}` stays where it is.
fn insert(table: &mut dyn TableLike, key: &str, mut item: Item) {
    let last = table.iter_mut().last().and_then(|(_, item)| item.as_value_mut().map(Value::decor_mut));
    if let (Some(last), Some(value)) = (last, item.as_value_mut())
        && last.suffix().and_then(|space| space.as_str()) == Some(" ")
    {
        last.set_suffix("");
        *value.decor_mut() = Decor::new(" ", " ");
    }
    table.insert(key, item);
}

/// Take a key out. In an inline table the space before `}` stays where it is.
fn take_out(table: &mut dyn TableLike, key: &str) {
    let is = |decor: &Decor, space| decor.suffix().and_then(|suffix| suffix.as_str()) == Some(space);
    let removed = table.remove(key);
    let last = table.iter_mut().last().and_then(|(_, item)| item.as_value_mut().map(Value::decor_mut));
    if let (Some(removed), Some(last)) = (removed.as_ref().and_then(Item::as_value), last)
        && is(removed.decor(), " ")
        && is(last, "")
    {
        last.set_suffix(" ");
    }
}

/// A new entry: a bare version where nothing else is asked.
fn fresh(new: &NewDependency) -> Item {
    let plain = new.source.is_empty() && new.features.is_empty() && new.params.is_empty();
    if let (Some(version), true, None, None) = (&new.version, plain, &new.exclude_newer, &new.when) {
        return Item::Value(version.as_str().into());
    }
    let mut entry = Item::Value(InlineTable::new().into());
    fill(entry.as_table_like_mut().expect("an inline table is like a table"), new);
    entry
}

fn update(entry: &mut Item, new: &NewDependency) {
    if let Some(table) = entry.as_table_like_mut() {
        fill(table, new);
    } else if let Some(value) = entry.as_value_mut() {
        let decor = value.decor().clone();
        *entry = fresh(new);
        if let Some(value) = entry.as_value_mut() {
            *value.decor_mut() = decor;
        }
    }
}

fn fill(table: &mut dyn TableLike, new: &NewDependency) {
    if !new.source.is_empty() {
        // Another source takes the place of the one that was there, with all that belonged to that.
        let stays =
            |key: &str| new.source.iter().any(|(new, _)| *new == key) || key == "version" && new.version.is_some();
        for key in SOURCE_KEYS.iter().chain(&["version"]).filter(|key| !stays(key)) {
            take_out(table, key);
        }
    }
    for (key, value) in &new.source {
        set(table, key, value.as_str().into());
    }
    if let Some(version) = &new.version {
        set(table, "version", version.as_str().into());
    }
    if let Some(when) = &new.when {
        set(table, "when", when.as_str().into());
    }
    if let Some(limit) = &new.exclude_newer {
        let value = if limit == "false" { false.into() } else { limit.as_str().into() };
        set(table, "exclude-newer", value);
    }
    if !new.features.is_empty() {
        let features = all_features(holder(table, "features"), &new.features);
        set(holder(table, "features"), "features", features);
    }
    for (name, param) in &new.params {
        if name == "no-default-features" {
            take_out(table, "default-features");
        }
        set(holder(table, name), name, param.into());
    }
}

/// Where a param stands: beside the version if it may, unless it is under `params` already.
fn holder<'t>(table: &'t mut dyn TableLike, param: &str) -> &'t mut dyn TableLike {
    let long = table.get("params").and_then(Item::as_table_like).is_some_and(|params| params.contains_key(param));
    if !long && SHORT_PARAMS.contains(&param) {
        return table;
    }
    if !table.get("params").is_some_and(Item::is_table_like) {
        insert(table, "params", Item::Value(InlineTable::new().into()));
    }
    let params = table.get_mut("params").and_then(Item::as_table_like_mut);
    params.expect("it was a table or has just been made one")
}

fn all_features(table: &dyn TableLike, new: &[String]) -> Value {
    let mut features = table.get("features").and_then(Item::as_array).cloned().unwrap_or_default();
    for feature in new {
        if !features.iter().any(|known| known.as_str() == Some(feature)) {
            features.push(feature);
        }
    }
    Value::Array(features)
}

/// Set a key, in its place and with its comment if it is there.
fn set(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => insert(table, key, Item::Value(value)),
    }
}

impl From<&Param> for Value {
    fn from(param: &Param) -> Self {
        match param {
            Param::Bool(on) => (*on).into(),
            Param::Int(number) => (*number).into(),
            Param::String(text) => text.as_str().into(),
            Param::List(texts) => Self::Array(texts.iter().collect::<Array>()),
        }
    }
}
