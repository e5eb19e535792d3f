//! A comparison as data. Pure.

use super::compared::Compared;
use super::side::Side;
use super::telling::Files;
use crate::cmd::tree::commit;
use crate::lock::{Aspect, Change, Package, Pin, SharedRecipes, aspects};
use crate::package::PackageName;
use crate::platform::Platform;

/// Everything that is different.
pub fn of(compared: &Compared<'_>, files: Files) -> serde_json::Value {
    let toolchain = compared
        .locked
        .toolchain
        .map(|(from, to)| serde_json::json!({ "from": from.map(|one| &one.rust), "to": to.map(|one| &one.rust) }));
    let limits = compared.locked.exclude_newer.map(|(from, to)| {
        serde_json::json!({ "from": from.map(|time| time.to_string()), "to": to.map(|time| time.to_string()) })
    });
    let packages = compared.packages().into_iter();
    let packages: Vec<_> = packages.map(|(name, (before, now))| package(compared, name, before, now)).collect();
    serde_json::json!({
        "schema": "envy.diff/1",
        "from": side(compared.from),
        "to": side(compared.to),
        "same": compared.is_same(),
        "toolchain": toolchain,
        "exclude-newer": limits,
        "recipes": compared.locked.recipes.iter().map(|(name, change)| recipes(name, change)).collect::<Vec<_>>(),
        "packages": packages,
        "config": compared.config,
        "files": of_files(compared, files),
    })
}

fn side(side: &Side) -> serde_json::Value {
    serde_json::json!({
        "name": side.label,
        "generation": side.generation.as_ref().map(|one| one.number),
        "prefix": side.prefix().map(|tree| tree.to_string()),
    })
}

fn package(
    compared: &Compared<'_>,
    name: &PackageName,
    before: Option<&Package>,
    now: Option<&Package>,
) -> serde_json::Value {
    let mut differs: Vec<_> = match before.zip(now) {
        Some((before, now)) => aspects(before, now).into_iter().map(Aspect::word).collect(),
        None => Vec::new(),
    };
    differs.extend(compared.outputs.contains_key(name).then_some("output"));
    let change = match (before, now) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    serde_json::json!({
        "name": name.as_str(),
        "change": change,
        "differs": differs,
        "from": before.map(|package| state(compared.from, name, package)),
        "to": now.map(|package| state(compared.to, name, package)),
    })
}

/// A package as it is on one side.
fn state(side: &Side, name: &PackageName, package: &Package) -> serde_json::Value {
    let outputs = side.outputs(name).into_iter().flat_map(|(platform, trees)| {
        let one = move |tree| serde_json::json!({ "platform": platform.to_string(), "tree": format!("{tree}") });
        trees.into_iter().map(one).collect::<Vec<_>>()
    });
    serde_json::json!({
        "version": package.id.version.to_string(),
        "source": package.source,
        "commit": commit(&package.pin),
        "archive": package.pin.archive(Platform::host()).map(|unpacked| unpacked.archive.to_string()),
        "tree": package.pin.tree(Platform::host()).map(|tree| tree.to_string()),
        "pinned": package.pin != Pin::Path,
        "patches": package.patches.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "recipe": package.recipe.to_string(),
        "params": side.params(name),
        "crates": package.crates.as_ref().map(|crates| crates.digest.to_string()),
        "dependencies": package.dependencies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "build-dependencies": package.build_dependencies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
    })
}

fn recipes(name: &str, change: &Change<'_, SharedRecipes>) -> serde_json::Value {
    let (_, before, now) = change.sides();
    let state = |one: &SharedRecipes| {
        let commit = one.commit.map(|commit| commit.to_string());
        serde_json::json!({ "source": one.source, "commit": commit, "tree": one.tree.to_string() })
    };
    serde_json::json!({ "name": name, "from": before.map(state), "to": now.map(state) })
}

fn of_files(compared: &Compared<'_>, files: Files) -> serde_json::Value {
    let (Some(all), Some([added, removed, changed])) = (&compared.files, compared.counts()) else {
        return serde_json::Value::Null;
    };
    let one = |(path, became): &(String, super::compared::Became)| serde_json::json!({ "path": path, "change": became.word() });
    let mut document = serde_json::json!({ "added": added, "removed": removed, "changed": changed });
    if files == Files::Listed {
        document["paths"] = all.iter().map(one).collect();
    }
    document
}
