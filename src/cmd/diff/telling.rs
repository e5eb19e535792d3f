//! A comparison in lines. Pure.

use std::collections::BTreeSet;

use super::compared::{Compared, OtherOutput};
use crate::digest::TreeDigest;
use crate::lock::{Aspect, Change, Package, Pin, Toolchain, aspects};
use crate::package::PackageName;
use crate::platform::{Platform, listed};
use crate::recipe::Purpose;

/// How much is told of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// How many there are.
    Counted,
    /// Each of them.
    Listed,
}

/// Everything that is different.
pub fn text(compared: &Compared<'_>, files: Files) -> String {
    let mut lines = vec![format!("{} -> {}", compared.from.label, compared.to.label)];
    if let Some((from, to)) = compared.locked.toolchain {
        lines.push(format!("toolchain {} -> {}", rust(from), rust(to)));
    }
    if let Some((from, to)) = compared.locked.exclude_newer {
        let shown = |time: Option<jiff::Timestamp>| time.map_or_else(|| "none".to_owned(), |time| time.to_string());
        lines.push(format!("cut-off {} -> {}", shown(from), shown(to)));
    }
    lines.extend(compared.locked.recipe_lines());
    for (name, sides) in compared.packages() {
        lines.extend(package(compared, name, sides));
    }
    lines.extend(compared.config.iter().cloned());
    lines.extend(prefix(compared));
    lines.extend(of_files(compared, files));
    lines.into_iter().map(|line| line + "\n").collect()
}

fn rust(toolchain: Option<&Toolchain>) -> &str {
    toolchain.map_or("none", |toolchain| &toolchain.rust)
}

fn package(compared: &Compared<'_>, name: &PackageName, sides: (Option<&Package>, Option<&Package>)) -> Vec<String> {
    let (before, now) = match sides {
        (Some(before), Some(now)) => (before, now),
        (Some(before), None) => return vec![Change::Removed(before).to_string()],
        (None, Some(now)) => return vec![format!("{} {}", Change::Added(now), now.source)],
        (None, None) => return Vec::new(),
    };
    let told = aspects(before, now).into_iter().filter_map(|aspect| fact(compared, name, aspect, before, now));
    let outputs = compared.outputs.get(name).into_iter().flatten().map(output);
    let facts = told.chain(outputs).map(|(what, how)| format!("    {what:8} {how}"));
    [Change::Changed(before, now).to_string()].into_iter().chain(facts).collect()
}

/// One thing that is different about a package.
fn fact(
    compared: &Compared<'_>,
    name: &PackageName,
    aspect: Aspect,
    before: &Package,
    now: &Package,
) -> Option<(String, String)> {
    let how = match aspect {
        // It stands in the first line.
        Aspect::Version => return None,
        Aspect::Source => format!("{} -> {}", before.source, now.source),
        Aspect::Commit => match (&before.pin, &now.pin) {
            (Pin::Git { commit: old, .. }, Pin::Git { commit: new, .. }) => {
                format!("{} -> {}", old.short(), new.short())
            }
            _ => return None,
        },
        Aspect::Archive => {
            let archive = |one: &Package| one.pin.archive(Platform::host()).map(|unpacked| unpacked.archive);
            match (archive(before), archive(now)) {
                (Some(old), Some(new)) if old != new => format!("sha256:{}… -> sha256:{}…", old.short(), new.short()),
                _ => "another for other platforms".to_owned(),
            }
        }
        Aspect::Content => "another".to_owned(),
        Aspect::Patches => format!("{} -> {}", before.patches.len(), now.patches.len()),
        Aspect::Recipe => match params(compared, name) {
            Some(params) if !params.is_empty() => return Some(("params".to_owned(), params)),
            Some(_) => "another".to_owned(),
            None => "another, or with other params".to_owned(),
        },
        Aspect::Crates => return Some(("Cargo.lock".to_owned(), "another".to_owned())),
        Aspect::Needs => needs(before, now),
        Aspect::Platforms => format!("{} -> {}", platforms(before), platforms(now)),
    };
    Some((aspect.word().to_owned(), how))
}

/// The params that differ, where they are known on both sides.
fn params(compared: &Compared<'_>, name: &PackageName) -> Option<String> {
    let (before, now) = (compared.from.params(name)?, compared.to.params(name)?);
    let names: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let shown = |value: Option<&serde_json::Value>| value.map_or_else(|| "default".to_owned(), ToString::to_string);
    let changed = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
    let line = |name: &String| format!("{name} {} -> {}", shown(before.get(name)), shown(now.get(name)));
    Some(changed.map(line).collect::<Vec<_>>().join(", "))
}

/// What a package needs and did not need, and the other way round.
fn needs(before: &Package, now: &Package) -> String {
    let all = |one: &Package| -> BTreeSet<String> {
        let on = |needed: &(Purpose, PackageName)| {
            one.needed_on.get(needed).map(|on| format!(" on {}", listed(on))).unwrap_or_default()
        };
        let run = one.dependencies.iter().map(|name| format!("{name}{}", on(&(Purpose::Run, name.clone()))));
        let build = one.build_dependencies.iter();
        run.chain(build.map(|name| format!("{name} [build]{}", on(&(Purpose::Build, name.clone()))))).collect()
    };
    let (before, now) = (all(before), all(now));
    let gone = before.difference(&now).map(|name| format!("-{name}"));
    let new = now.difference(&before).map(|name| format!("+{name}"));
    gone.chain(new).collect::<Vec<_>>().join(", ")
}

fn platforms(one: &Package) -> String {
    if one.platforms.is_empty() { "all".to_owned() } else { listed(&one.platforms) }
}

fn output(other: &OtherOutput) -> (String, String) {
    let shown = |trees: &BTreeSet<TreeDigest>| {
        trees.iter().map(|tree| format!("sha256:{}…", tree.short())).collect::<Vec<_>>().join(" or ")
    };
    let on = if other.platform == Platform::host() { String::new() } else { format!(" on {}", other.platform) };
    ("output".to_owned(), format!("{} -> {}{on}", shown(&other.before), shown(&other.now)))
}

fn prefix(compared: &Compared<'_>) -> Option<String> {
    let shown = |tree: Option<TreeDigest>| {
        tree.map_or_else(|| "not recorded".to_owned(), |it| format!("sha256:{}…", it.short()))
    };
    match (compared.from.prefix(), compared.to.prefix()) {
        (None, None) => None,
        (from, to) if from == to => Some(format!("prefix {} on both sides", shown(from))),
        (from, to) => Some(format!("prefix {} -> {}", shown(from), shown(to))),
    }
}

fn of_files(compared: &Compared<'_>, files: Files) -> Vec<String> {
    match (&compared.files, compared.counts()) {
        (Some(all), Some(counts)) if !all.is_empty() => {
            let [added, removed, changed] = counts;
            let sum = format!("files: {added} added, {removed} removed, {changed} changed");
            let each = all.iter().map(|(path, became)| format!("  {} {path}", became.sign()));
            [sum].into_iter().chain(each.filter(|_| files == Files::Listed)).collect()
        }
        _ => Vec::new(),
    }
}
