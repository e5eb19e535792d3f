//! Reads a manifest's values. Pure.
//!
//! The document is checked against the schema first. What has a wrong type was noted there and counts as absent here.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use semver::Prerelease;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::problem::{Findings, Invalid, nearest};
use super::source::has_credentials;
use super::{Asker, Dependency, Manifest, SandboxSetting, check, constraints, dependency, recipes, sites};
use crate::package::{Range as Versions, Version, VersionReq};
use crate::platform::Platform;

pub(crate) type Text<'i> = Spanned<DeString<'i>>;
pub(crate) type Item<'i> = Spanned<DeValue<'i>>;

/// The manifest that a text stands for.
pub(super) fn manifest(file: &str, text: &str) -> Result<Manifest, Invalid> {
    let mut findings = Findings::new(file, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    let document = document.get_ref();
    if !errors.is_empty() && conflict_markers(text, &mut findings) {
        return findings.into_result(empty());
    }
    if asks_for_another_envy(document, &mut findings) {
        return findings.into_result(empty());
    }
    if let Some(error) = errors.first() {
        // Whatever follows a syntax error is more often its echo than another one.
        syntax_error(error, text, &mut findings);
        return findings.into_result(empty());
    }
    check::document(document, &mut findings);
    let manifest = read(document, &mut findings);
    findings.into_result(manifest)
}

/// The table under a key.
pub(crate) fn table<'t, 'i>(parent: &'t DeTable<'i>, key: &str) -> Option<&'t DeTable<'i>> {
    parent.get(key).and_then(|value| value.get_ref().as_table())
}

/// The entries of the table under a key, in the order of their names.
pub(crate) fn entries<'t, 'i>(
    parent: &'t DeTable<'i>,
    key: &str,
) -> impl Iterator<Item = (&'t Text<'i>, &'t Item<'i>)> + use<'t, 'i> {
    table(parent, key).into_iter().flatten()
}

/// The strings of a list, with their places.
pub(crate) fn strings<'t>(value: &'t Item<'_>) -> Vec<(Range<usize>, &'t str)> {
    let list = value.get_ref().as_array().into_iter().flat_map(|list| list.iter());
    list.filter_map(|element| Some((element.span(), element.get_ref().as_str()?))).collect()
}

pub(crate) fn syntax_error(error: &toml::de::Error, text: &str, findings: &mut Findings<'_>) {
    let at = error.span().unwrap_or(text.len()..text.len());
    let message = match error.message() {
        "duplicate key" => format!("duplicate key `{}`", findings.text(at.clone())),
        other => other.to_owned(),
    };
    findings.add(at, message);
}

fn conflict_markers(text: &str, findings: &mut Findings<'_>) -> bool {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with("<<<<<<<") {
            let message = "a merge conflict begins here and is not resolved yet";
            findings.add(offset..offset + line.trim_end().len(), message);
        }
        offset += line.len();
    }
    findings.count() > 0
}

fn asks_for_another_envy(document: &DeTable<'_>, findings: &mut Findings<'_>) -> bool {
    let Some(value) = table(document, "project").and_then(|project| project.get("envy")) else { return false };
    let wanted = value.get_ref().as_str().and_then(|text| text.parse::<VersionReq>().ok());
    let this: semver::Version = env!("CARGO_PKG_VERSION").parse().expect("cargo takes only semver");
    // A pre-release of envy already has what its release will have.
    let release = semver::Version { pre: Prerelease::EMPTY, ..this.clone() };
    match wanted {
        Some(wanted) if !wanted.matches(&release) => {
            let message = format!("this is envy {this}, but the project asks for envy {wanted}");
            findings.add(value.span(), message);
            true
        }
        _ => false,
    }
}

fn empty() -> Manifest {
    Manifest {
        project_name: None,
        platforms: vec![Platform::host()],
        toolchain: None,
        sandbox: SandboxSetting::Auto,
        build_timeout: None,
        registries: BTreeMap::new(),
        mirrors: BTreeMap::new(),
        remote_cache: None,
        recipes: BTreeMap::new(),
        exclude_newer: None,
        largest_source: None,
        largest_ratio: None,
        keep_generations: None,
        require_outputs: false,
        overrides: BTreeMap::new(),
        constraints: BTreeMap::new(),
        sites: BTreeMap::new(),
    }
}

fn read(document: &DeTable<'_>, findings: &mut Findings<'_>) -> Manifest {
    let mut manifest = empty();
    if let Some(project) = table(document, "project") {
        manifest.project_name = project.get("name").and_then(|name| name.get_ref().as_str()).map(str::to_owned);
        if let Some(wanted) = project.get("envy") {
            requirement(wanted, findings);
        }
        if let Some(list) = project.get("platforms") {
            manifest.platforms = platforms(list, findings);
        }
    }
    manifest.toolchain = table(document, "toolchain")
        .and_then(|toolchain| toolchain.get("rust"))
        .and_then(|rust| toolchain_requirement(rust, findings));
    if let Some(value) = table(document, "settings").and_then(|settings| settings.get("sandbox")) {
        manifest.sandbox = sandbox(value, findings);
    }
    manifest.exclude_newer = table(document, "settings")
        .and_then(|settings| settings.get("exclude-newer"))
        .and_then(|value| dependency::exclude_newer(value, findings));
    let setting = |key: &str| table(document, "settings").and_then(|settings| settings.get(key));
    manifest.build_timeout = setting("build-timeout").and_then(|value| duration(value, findings));
    manifest.largest_source = setting("largest-source").and_then(|value| size(value, findings));
    manifest.largest_ratio = setting("largest-ratio").and_then(|value| ratio(value, findings));
    manifest.keep_generations = setting("keep-generations").and_then(|value| kept(value, findings));
    manifest.require_outputs = setting("require-outputs").is_some_and(|value| value.get_ref().as_bool() == Some(true));
    manifest.registries = registries(document, findings);
    let mirror =
        |(from, to): (&Text<'_>, &Item<'_>)| Some((from.get_ref().to_string(), to.get_ref().as_str()?.to_owned()));
    manifest.mirrors = entries(document, "mirrors").filter_map(mirror).collect();
    manifest.recipes = recipes::recipes(document, findings);
    manifest.remote_cache = table(document, "remote").and_then(|remote| remote_cache(remote, findings));
    let overrides = dependencies(document, "overrides", &Asker::Overrides, findings);
    manifest.overrides = overrides.into_iter().map(|one| (one.name.clone(), one)).collect();
    manifest.constraints = constraints::constraints(document, findings);
    manifest.sites = sites::sites(document, findings);
    manifest
}

fn platforms(list: &Item<'_>, findings: &mut Findings<'_>) -> Vec<Platform> {
    let mut platforms = Vec::new();
    for (at, name) in strings(list) {
        match name.parse::<Platform>() {
            Ok(platform) if platforms.contains(&platform) => {
                findings.add(at, format!("platform `{platform}` is listed twice"));
            }
            Ok(platform) => platforms.push(platform),
            Err(error) => findings.add(at, error.to_string()),
        }
    }
    if list.get_ref().as_array().is_some_and(|list| list.is_empty()) {
        findings.add(list.span(), "`platforms` lists no platform");
    }
    platforms
}

/// A requirement as cargo reads it.
pub(crate) fn requirement(value: &Item<'_>, findings: &mut Findings<'_>) -> Option<VersionReq> {
    let text = value.get_ref().as_str()?;
    let parsed = text.parse();
    parsed.map_err(|error| findings.add(value.span(), format!("`{text}` is not a version requirement: {error}"))).ok()
}

/// The versions of a recipe that would do. A version that is none of cargo's stands for itself alone.
pub(super) fn listed_versions(value: &Item<'_>, findings: &mut Findings<'_>) -> Option<Versions> {
    let text = value.get_ref().as_str()?;
    match (text.parse::<VersionReq>(), Version::loose(text)) {
        (Err(_), Ok(version)) => Some(Versions::Exactly(version)),
        _ => requirement(value, findings).map(Versions::from),
    }
}

/// A toolchain's requirement: where cargo reads `1.95` as `^1.95`, here the parts that are given are fixed.
fn toolchain_requirement(value: &Item<'_>, findings: &mut Findings<'_>) -> Option<VersionReq> {
    let text = value.get_ref().as_str()?;
    let fixed = |part: &str| match part.trim() {
        bare if bare.starts_with(|c: char| c.is_ascii_digit()) => format!("={bare}"),
        compared => compared.to_owned(),
    };
    let parsed = text.split(',').map(fixed).collect::<Vec<_>>().join(", ").parse();
    parsed
        .map_err(|_| {
            let message = format!("`{text}` is not a version of Rust");
            findings.add_with_hint(value.span(), message, "name a version, as in `rust = \"1.95\"`");
        })
        .ok()
}

/// A number of bytes, as in `500 MB` or `8 GiB`.
fn size(value: &Item<'_>, findings: &mut Findings<'_>) -> Option<u64> {
    let text = value.get_ref().as_str()?;
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match text[end..].trim() {
        "" | "B" => Some(1),
        "kB" | "KB" => Some(1_000),
        "MB" => Some(1_000_000),
        "GB" => Some(1_000_000_000),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let bytes = text[..end].parse::<u64>().ok().zip(unit).and_then(|(count, unit)| count.checked_mul(unit));
    if bytes.is_none() {
        findings.add(value.span(), format!("`{text}` is not a size: write it as `500 MB` or `8 GiB`"));
    }
    bytes
}

/// A time as in `90s`, `30m` or `2h`.
pub(crate) fn duration(value: &Item<'_>, findings: &mut Findings<'_>) -> Option<Duration> {
    let text = value.get_ref().as_str()?;
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match text[end..].trim() {
        "s" => Some(1),
        "m" | "min" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    let count = text[..end].parse::<u64>().ok().filter(|count| *count > 0);
    let seconds = count.zip(unit).and_then(|(count, unit)| count.checked_mul(unit));
    if seconds.is_none() {
        findings.add(value.span(), format!("`{text}` is not a time: write it as `30m` or `2h`"));
    }
    seconds.map(Duration::from_secs)
}

fn ratio(value: &Item<'_>, findings: &mut Findings<'_>) -> Option<u64> {
    let DeValue::Integer(written) = value.get_ref() else { return None };
    let times = check::integer(written).and_then(|times| u64::try_from(times).ok()).filter(|times| *times > 0);
    if times.is_none() {
        findings.add(value.span(), "a ratio is a whole number, from 1");
    }
    times
}

fn kept(value: &Item<'_>, findings: &mut Findings<'_>) -> Option<usize> {
    let DeValue::Integer(written) = value.get_ref() else { return None };
    let count = check::integer(written).and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 1);
    if count.is_none() {
        findings.add(
            value.span(),
            "`keep-generations` is a whole number, from 2: the one that is current, and one to go back to",
        );
    }
    count
}

fn registries(document: &DeTable<'_>, findings: &mut Findings<'_>) -> BTreeMap<String, String> {
    let mut registries = BTreeMap::new();
    for (name, value) in entries(document, "registries") {
        let index = value.get_ref().as_table().and_then(|table| table.get("index"));
        match index.and_then(|index| Some((index.span(), index.get_ref().as_str()?))) {
            _ if name.get_ref() == "crates-io" => {
                let hint = "replace it in cargo's own configuration, by `[source.crates-io]`";
                findings.add_with_hint(name.span(), "`crates-io` is crates.io, and nothing else", hint);
            }
            Some((span, index)) if has_credentials(index) => {
                let hint = format!("run `cargo login --registry {}`", name.get_ref());
                findings.add_with_hint(span, "`index` holds credentials, which are for nobody else", hint);
            }
            Some((_, index)) => drop(registries.insert(name.get_ref().to_string(), index.to_owned())),
            None if !value.get_ref().is_table() => {}
            None => findings.add(name.span(), format!("registry `{}` has no `index`", name.get_ref())),
        }
    }
    registries
}

/// The cache of a project. How far it is believed is for each of its users to say.
fn remote_cache(remote: &DeTable<'_>, findings: &mut Findings<'_>) -> Option<String> {
    for key in ["push", "trust"] {
        if let Some(value) = remote.get(key) {
            let hint = "write it below `[remote]` of your own `~/.config/envy/config.toml`";
            findings.add_with_hint(value.span(), format!("`{key}` is not for a project to say"), hint);
        }
    }
    let cache = remote.get("cache")?;
    let text = cache.get_ref().as_str()?;
    if has_credentials(text) {
        let hint = "leave them to `~/.netrc`";
        findings.add_with_hint(cache.span(), "`cache` holds credentials, which are for nobody else", hint);
    }
    Some(text.to_owned())
}

fn sandbox(value: &Item<'_>, findings: &mut Findings<'_>) -> SandboxSetting {
    match value.get_ref().as_str() {
        Some("required") => SandboxSetting::Required,
        Some("off") => SandboxSetting::Off,
        Some("auto") | None => SandboxSetting::Auto,
        Some(other) => {
            let message = format!("`sandbox` must be `auto`, `required` or `off`, not `{other}`");
            match nearest(other, ["auto", "required", "off"]) {
                Some(near) => findings.add_with_hint(value.span(), message, format!("did you mean `{near}`?")),
                None => findings.add(value.span(), message),
            }
            SandboxSetting::Auto
        }
    }
}

/// The entries of a table of dependencies.
pub(super) fn dependencies(
    parent: &DeTable<'_>,
    table: &str,
    by: &Asker,
    findings: &mut Findings<'_>,
) -> Vec<Dependency> {
    entries(parent, table).filter_map(|(key, value)| dependency::read(key, value, by, findings)).collect()
}
