//! The packages of the catalogue, built from upstream's archives: each version that can be had, in two sites.
//!
//! `.ci/bring` puts the archives into `target/real-input/catalogue`. Its files lie as below `https://`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{World, text};

/// What of the host a program of the catalogue may load: the C library, and what comes with the compiler.
const OF_THE_HOST: [&str; 10] = [
    "ld-linux",
    "libc.so.6",
    "libcrypt.so",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
];

fn input() -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/real-input/catalogue");
    assert!(directory.join("whole").exists(), "`.ci/bring` has to bring what belongs into {}", directory.display());
    directory
}

/// What takes minutes, and what is built with that: its lowest version is not built every time.
const SLOW: [&str; 6] = ["libcurl", "libpq", "nginx", "openssl", "redis", "sqlite"];

/// A world whose site `new` has the highest version of each package, and whose site `old` has the lowest of those that are
/// quick to build. It is built once for all tests, and stays in `target/tmp` until the next time.
pub fn built() -> Option<&'static World> {
    static BUILT: OnceLock<Option<World>> = OnceLock::new();
    BUILT.get_or_init(|| World::kept("catalogue").inspect(build)).as_ref()
}

fn build(world: &World) {
    std::fs::write(world.path("project/envy.toml"), manifest()).unwrap();
    world.envy("build");
    world.envy("lock --check");
}

fn manifest() -> String {
    let mut text = "[project]\nname = \"catalogue\"\n\n[mirrors]\n".to_owned();
    let directories = std::fs::read_dir(input()).unwrap().map(|entry| entry.unwrap().path());
    for directory in directories.filter(|path| path.is_dir()) {
        let host = directory.file_name().unwrap().to_str().unwrap();
        writeln!(text, "\"https://{host}/\" = \"file://{}/\"", directory.display()).unwrap();
    }
    let packages = packages();
    for (site, place) in [("new", 1), ("old", 0)] {
        writeln!(text, "\n[sites.{site}.dependencies]").unwrap();
        for (name, versions) in packages.iter().filter(|(name, _)| site == "new" || !SLOW.contains(&name.as_str())) {
            let version = if place == 1 { versions.last() } else { versions.first() }.unwrap();
            let params = if name == "redis" { ", params = { tls = true }" } else { "" };
            match name.as_str() {
                "memcached" => writeln!(text, "memcached = {{ {}, recipe = \"memcached\" }}", stand_in(version)),
                _ => writeln!(text, "{name} = {{ recipe = \"{name}\", version = \"={version}\"{params} }}"),
            }
            .unwrap();
        }
    }
    text
}

/// Each package of the catalogue with its versions that can be had, lowest first.
fn packages() -> BTreeMap<String, Vec<String>> {
    let recipes = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes")).unwrap();
    let files = recipes.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "toml"));
    let mut packages = BTreeMap::new();
    for file in files {
        let recipe: toml::Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
        let Some(versions) = recipe.get("versions").and_then(toml::Value::as_table) else { continue };
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let here = |(version, release): (&String, &toml::Value)| can_be_had(&name, version, release);
        let mut found: Vec<_> = versions.iter().filter(|one| here(*one)).map(|(version, _)| version.clone()).collect();
        found.sort_by_key(|version| numbers(version));
        assert!(!found.is_empty(), "nothing of {name} is there: {versions:?}");
        packages.insert(name, found);
    }
    packages
}

fn can_be_had(name: &str, version: &str, release: &toml::Value) -> bool {
    let Some(url) = release.get("url") else { return true };
    let file = url.as_str().unwrap().trim_start_matches("https://").replace("{version}", version);
    name == "memcached" || input().join(file).exists()
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|number| number.parse().unwrap()).collect()
}

/// Of memcached, Debian has all but a directory that the recipe does not need, packed anew.
fn stand_in(version: &str) -> String {
    let file = input().join(format!("memcached_{version}.orig.tar.xz"));
    let sum = text("sha256sum", &Command::new("sha256sum").arg(&file).output().unwrap());
    let sum = sum.split(' ').next().unwrap();
    format!("url = \"file://{}\", version = \"{version}\", sha256 = \"{sum}\"", file.display())
}

/// A program or a directory of a site.
pub fn of_site(world: &World, site: &str, path: &str) -> PathBuf {
    world.path(&format!("project/.envy/sites/{site}/current")).join(path)
}

/// Every library that a program or a library of a site loads, with where it is found.
fn loaded(world: &World, site: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for directory in ["bin", "lib"] {
        for entry in std::fs::read_dir(of_site(world, site, directory)).unwrap() {
            let path = entry.unwrap().path();
            let is_elf = path.is_file() && std::fs::read(&path).unwrap().starts_with(b"\x7fELF");
            if !is_elf {
                continue;
            }
            let said = text("ldd", &Command::new("ldd").arg(&path).output().unwrap());
            let lines = said.lines().filter_map(|line| line.split_once(" => "));
            found.extend(lines.map(|(name, place)| {
                let place = place.split(" (").next().unwrap();
                (path.file_name().unwrap().to_str().unwrap().to_owned(), name.trim().to_owned(), place.to_owned())
            }));
        }
    }
    found
}

#[test]
fn libraries_come_from_the_prefix() {
    let Some(world) = built() else { return };
    for site in ["new", "old"] {
        let prefix = std::fs::canonicalize(of_site(world, site, "lib")).unwrap();
        let loaded = loaded(world, site);
        for (file, library, place) in &loaded {
            let is_own = std::fs::canonicalize(place).is_ok_and(|place| place.starts_with(&prefix));
            let may = OF_THE_HOST.iter().any(|known| library.starts_with(known));
            assert!(is_own || may, "{site}: {file} loads {library} from {place}");
        }
        if site == "old" {
            continue;
        }
        for (file, library) in [
            ("curl", "libcurl.so.4"),
            ("curl", "libssl.so.3"),
            ("nginx", "libpcre2-8.so.0"),
            ("nginx", "libz.so.1"),
            ("psql", "libpq.so.5"),
            ("redis-server", "libcrypto.so.3"),
            ("sqlite3", "libsqlite3.so.0"),
        ] {
            let loads = loaded.iter().any(|(of, name, _)| of == file && name == library);
            // Some build all of their library into their program.
            assert!(loads || file == "sqlite3", "{site}: {file} does not load {library}");
        }
    }
}

#[test]
fn programs_are_of_the_versions_that_were_asked_for() {
    let Some(world) = built() else { return };
    let packages = packages();
    for (site, place) in [("new", 1), ("old", 0)] {
        for (package, command) in [
            ("libcurl", "curl --version"),
            ("libpq", "psql --version"),
            ("lz4", "lz4 --version"),
            ("memcached", "memcached --version"),
            ("openssl", "openssl version"),
            ("pcre2", "pcre2grep --version"),
            ("pkgconf", "pkg-config --version"),
            ("redis", "redis-cli --version"),
            ("sqlite", "sqlite3 --version"),
        ] {
            if site == "old" && SLOW.contains(&package) {
                continue;
            }
            let versions = &packages[package];
            let version = if place == 1 { versions.last() } else { versions.first() }.unwrap();
            let said = world.envy(&format!("run {site} -- {command}"));
            assert!(said.contains(version), "{site}: {command} says {said}");
        }
    }
}

#[test]
fn pkg_config_of_a_site_finds_its_libraries_where_they_are() {
    let Some(world) = built() else { return };
    let lib = of_site(world, "new", "lib");
    let here = std::fs::canonicalize(&lib).unwrap();
    for entry in std::fs::read_dir(lib.join("pkgconfig")).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let said = world.envy(&format!("run new -- pkg-config --variable=libdir {name}"));
        // Some say `${prefix}/lib` without a variable of that name.
        if !said.trim().is_empty() {
            assert_eq!(std::fs::canonicalize(said.trim()).unwrap(), here, "{name}");
        }
    }
}

#[test]
fn a_database_in_a_file_is_asked_for_words() {
    let Some(world) = built() else { return };
    let mut sqlite = Command::new(of_site(world, "new", "bin/sqlite3"));
    let sql =
        "create virtual table t using fts5(x); insert into t values ('isolated sites'); select x from t('site*');";
    assert_eq!(text("sqlite3", &sqlite.args([":memory:", sql]).output().unwrap()), "isolated sites\n");
}

#[test]
fn the_catalogue_is_the_same_where_it_is_built_again() {
    let Some(world) = built() else { return };
    let other = World::new().expect("this is asked for");
    let copied = Command::new("cp")
        .args(["-r", "envy.toml", "lockfiles"])
        .arg(other.path("project"))
        .current_dir(world.path("project"))
        .status();
    assert!(copied.unwrap().success());

    other.envy("build old --locked -j 3");

    assert!(other.envy("status old").contains("(proven)"));
    assert_eq!(other.lockfile("old"), world.lockfile("old"));
}

/// One of those that take minutes, each day another, so that all have their turn within a week.
#[test]
fn a_slow_package_is_the_same_where_it_is_built_again() {
    let Some(world) = built() else { return };
    let days = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / (24 * 60 * 60);
    let turn = SLOW[usize::try_from(days).unwrap() % SLOW.len()];

    let said = world.envy(&format!("verify new --rebuild {turn} --json"));

    assert!(said.contains("\"same\": true"), "{turn}: {said}");
}
