//! Packages that recipes list, and values for params as they are typed.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::{Args, Wanting};
use crate::failure::{Exit, Failure};
use crate::manifest::Param;
use crate::manifest::edit::NewDependency;
use crate::package::{PackageName, Version, VersionReq};
use crate::recipe::{Book, Error, Kind, Recipe, Value};

/// A value for a param, as it was typed.
#[derive(Clone, Debug)]
pub struct Given {
    name: String,
    value: String,
}

impl FromStr for Given {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// What to write of each package: where no version was asked for, the newest one that is listed.
pub(super) fn additions(book: &Book, args: &Args) -> Result<Vec<(PackageName, NewDependency)>, Failure> {
    let first = args.from.recipe.as_deref().unwrap_or_default();
    let first = Wanting::from_str(first).map_err(|error| Failure::new(Exit::Usage, error))?;
    let wanted: Vec<_> = [first].into_iter().chain(args.requirements.iter().cloned()).collect();
    if let ([_, _, ..], Some(_)) = (wanted.as_slice(), &args.from.version) {
        return Err(Failure::new(Exit::Usage, "`--version` is for one package").hint("write `NAME@VERSION` of each"));
    }
    let new = |one: Wanting| {
        let recipe = book.get(one.name.as_str())?;
        let version = one.versions.clone().or_else(|| args.from.version.clone());
        let version = asked(recipe, version)?;
        let source = vec![("recipe", one.name.as_str().to_owned())];
        Ok((one.name, args.dependency(Some(version), source, typed(recipe, &args.params)?)))
    };
    wanted.into_iter().map(new).collect()
}

/// The versions to write, of which one has to be listed.
fn asked(recipe: &Recipe, version: Option<String>) -> Result<String, Failure> {
    let releases = recipe.releases();
    let newest = releases.keys().rev().find(|version| version.pre.is_empty()).or(releases.keys().next_back());
    let newest = newest.ok_or_else(|| Error::NoVersions(recipe.name().to_owned()))?;
    let Some(version) = version else { return Ok(newest.to_string()) };
    let range = version.parse::<VersionReq>().ok();
    let exact = Version::loose(&version).ok();
    let fits = |one: &Version| range.as_ref().is_some_and(|range| range.matches(one)) || exact.as_ref() == Some(one);
    if releases.keys().any(fits) {
        return Ok(version);
    }
    let listed: Vec<_> = releases.keys().rev().map(ToString::to_string).collect();
    Err(Failure::new(Exit::NoSolution, format!("recipe `{}` lists no version {version}", recipe.name()))
        .fact(format!("it lists {}", listed.join(", ")))
        .hint(format!("run `envy add --recipe {}@{newest}`", recipe.name())))
}

/// What was typed, as values of the types that a recipe's params have.
pub(super) fn typed(recipe: &Recipe, given: &[Given]) -> Result<BTreeMap<String, Param>, Failure> {
    let mut params: BTreeMap<String, Param> = BTreeMap::new();
    for Given { name, value } in given {
        let kind = recipe.declared().get(name).map(|param| &param.kind);
        let new = match kind {
            Some(Kind::Bool) => value.parse().map(Param::Bool).ok(),
            Some(Kind::Int) => value.parse().map(Param::Int).ok(),
            Some(Kind::List) => Some(Param::List(value.split(',').map(str::to_owned).collect())),
            _ => None,
        };
        match (params.get_mut(name), new.unwrap_or_else(|| Param::String(value.clone()))) {
            (Some(Param::List(texts)), Param::List(more)) => texts.extend(more),
            (Some(_), _) => return Err(Failure::new(Exit::Usage, format!("param `{name}` is given twice"))),
            (None, new) => drop(params.insert(name.clone(), new)),
        }
    }
    // What does not fit, the recipe says best.
    recipe.params(params.iter().map(|(name, value)| (name.as_str(), Value::from(value))))?;
    Ok(params)
}
