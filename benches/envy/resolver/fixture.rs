//! Real crates as a universe: read from `benches/fixtures/crates.zst`, and how that file is made.
//!
//! ```text
//! roots axum-0_8;clap-4                   what the site asks for, in this order
//! package bytes-1                         a crate's versions that are compatible, as a package of its own
//! 1.10.1 serde-1 ^1.0.60;other-0_2 ^0.2   a version and what it requires
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use envy::package::VersionReq;
use tame_index::index::cache::ValidCacheEntry;
use tame_index::krate::{DependencyKind, IndexVersion};

use super::universe::Universe;

/// What the site asks for: services, their libraries, and tools.
const ROOTS: [&str; 20] = [
    "regex",
    "serde_json",
    "tokio",
    "clap",
    "rand",
    "chrono",
    "uuid",
    "rayon",
    "hyper",
    "tracing-subscriber",
    "tera",
    "serde_yaml",
    "reqwest",
    "axum",
    "redis",
    "lettre",
    "git2",
    "tonic",
    "actix-web",
    "sqlx",
];

/// So many of a package's newest versions.
const NEWEST: usize = 50;

const LEVEL: i32 = 19;

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/fixtures/crates.zst")
}

/// Read the fixture.
pub fn read() -> Universe {
    let packed = fs::read(file()).expect("the fixture is there");
    let text = String::from_utf8(zstd::decode_all(&packed[..]).expect("it is packed")).expect("it is text");
    let (mut universe, mut package) = (Universe::default(), String::new());
    for line in text.lines() {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("roots", roots) => roots.split(';').for_each(|root| universe.ask(root, "*")),
            ("package", name) => name.clone_into(&mut package),
            (version, requires) => universe.add(&package, version.parse().expect("a version"), &pairs(requires)),
        }
    }
    universe
}

fn pairs(requires: &str) -> Vec<(String, String)> {
    let pair = |one: &str| one.split_once(' ').map(|(what, range)| (what.to_owned(), range.to_owned()));
    requires.split(';').filter_map(pair).collect()
}

/// A version's requirements: names of packages, or of crates while they are read, and ranges.
type Versions = BTreeMap<semver::Version, Vec<(String, String)>>;

/// Make the fixture of the entries that cargo keeps of a registry's index: `registry/index/NAME/.cache` of its home.
pub fn make(cache: &Path) {
    let crates = entries(cache);
    let mut packages = BTreeMap::new();
    for (name, versions) in &crates {
        for (version, requires) in versions {
            let placed: Option<Vec<_>> =
                requires.iter().map(|(what, range)| Some((place(&crates, what, range)?, range.clone()))).collect();
            if let Some(placed) = placed {
                packages.entry(series(name, version)).or_insert_with(Versions::new).insert(version.clone(), placed);
            }
        }
    }
    for versions in packages.values_mut() {
        while versions.len() > NEWEST {
            versions.pop_first();
        }
    }
    keep_whole(&mut packages);
    let newest = |root: &&str| {
        let mut places = crates[*root].keys().rev().map(|version| series(root, version));
        places.find(|place| packages.contains_key(place))
    };
    let roots: Vec<_> = ROOTS.iter().filter_map(newest).collect();
    let text = written(&roots, &packages);
    fs::write(file(), zstd::encode_all(text.as_bytes(), LEVEL).expect("memory does not fail")).expect("there is room");
}

/// All releases of all crates that cargo was told of and that nobody took back.
fn entries(cache: &Path) -> BTreeMap<String, Versions> {
    let files = ignore::Walk::new(cache).filter_map(Result::ok).filter(|entry| entry.path().is_file());
    let crates = files.filter_map(|entry| {
        let bytes = fs::read(entry.path()).ok()?;
        let entry = ValidCacheEntry::read(&bytes).ok()?.to_krate(None).ok()??;
        let versions = entry.versions.iter().filter(|one| !one.is_yanked()).filter_map(|one| {
            let version: semver::Version = one.version.parse().ok()?;
            version.pre.is_empty().then(|| (version, requires(one)))
        });
        Some((entry.name().to_owned(), versions.collect()))
    });
    crates.collect()
}

/// What a version needs with its default features, on whatever platform.
fn requires(version: &IndexVersion) -> Vec<(String, String)> {
    let features: BTreeMap<_, _> = version.features().collect();
    let (mut on, mut open) = (BTreeSet::new(), vec!["default"]);
    while let Some(feature) = open.pop() {
        if on.insert(feature) {
            let implied = features.iter().filter(|(name, _)| **name == feature).flat_map(|(_, implied)| implied.iter());
            open.extend(implied.filter(|one| !one.contains("?/")).map(|one| {
                let one = one.strip_prefix("dep:").unwrap_or(one);
                one.split_once('/').map_or(one, |(dependency, _)| dependency)
            }));
        }
    }
    let wanted = version.dependencies().iter().filter(|one| one.kind() == DependencyKind::Normal);
    let wanted = wanted.filter(|one| !one.is_optional() || on.contains(one.name.as_str()));
    let pairs: BTreeSet<_> = wanted.map(|one| (one.crate_name().to_owned(), one.req.to_string())).collect();
    pairs.into_iter().collect()
}

/// The package that a requirement is about: that of the newest version that fits.
fn place(crates: &BTreeMap<String, Versions>, what: &str, range: &str) -> Option<String> {
    let range: VersionReq = range.parse().ok()?;
    let newest = crates.get(what)?.keys().rev().find(|version| range.matches(version))?;
    Some(series(what, newest))
}

/// Cargo takes one version of each series of compatible ones.
fn series(name: &str, version: &semver::Version) -> String {
    match (version.major, version.minor, version.patch) {
        (0, 0, patch) => format!("{name}-0_0_{patch}"),
        (0, minor, _) => format!("{name}-0_{minor}"),
        (major, ..) => format!("{name}-{major}"),
    }
}

/// Leave out versions that require what is not here, until none does.
fn keep_whole(packages: &mut BTreeMap<String, Versions>) {
    loop {
        let before = packages.clone();
        let fits = |(what, range): &(String, String)| {
            let range: VersionReq = range.parse().expect("it was read before");
            before.get(what).is_some_and(|versions| versions.keys().any(|version| range.matches(version)))
        };
        packages.values_mut().for_each(|versions| versions.retain(|_, requires| requires.iter().all(fits)));
        packages.retain(|_, versions| !versions.is_empty());
        if *packages == before {
            return;
        }
    }
}

/// The file's text, of all that the roots can reach.
fn written(roots: &[String], packages: &BTreeMap<String, Versions>) -> String {
    let (mut reached, mut open) = (BTreeSet::new(), roots.to_vec());
    while let Some(package) = open.pop() {
        if reached.insert(package.clone()) {
            open.extend(packages[&package].values().flatten().map(|(what, _)| what.clone()));
        }
    }
    let mut text = format!("roots {}\n", roots.join(";"));
    for (package, versions) in packages.iter().filter(|(package, _)| reached.contains(*package)) {
        text += &format!("package {package}\n");
        for (version, requires) in versions {
            let requires: Vec<_> = requires.iter().map(|(what, range)| format!("{what} {range}")).collect();
            text += &format!("{version} {}\n", requires.join(";"));
        }
    }
    text
}
