//! What a lockfile's text has to be.

use super::*;
use crate::digest::Commit;
use crate::manifest::{Needed, Param};
use crate::package::Range;
use crate::platform::{Needs, Platforms};
use crate::recipe::Need;
use expect_test::expect_file;

fn unpacked() -> Unpacked {
    Unpacked { archive: BlobDigest::of(b"archive"), tree: TreeDigest::of(b"tree") }
}

fn crates(generated: bool) -> Crates {
    Crates { digest: BlobDigest::of(b"crates"), generated, sources: Vec::new() }
}

/// A package of each kind of source.
fn every_source() -> Lockfile {
    let platform: Platform = "x86_64-linux-gnu".parse().unwrap();
    let other: Platform = "aarch64-linux-gnu".parse().unwrap();
    let commit: Commit = "4f1c0d2a9b8e7f6d5c4b3a291807f6e5d4c3b2a1".parse().unwrap();
    let tree = TreeDigest::of(b"tree");
    let package = |name: &str, version: &str, source: &str, pin, crates| Package {
        id: PackageId { name: name.parse().unwrap(), version: Version::loose(version).unwrap() },
        source: source.to_owned(),
        pin,
        patches: if name == "api" { vec![BlobDigest::of(b"patch")] } else { Vec::new() },
        recipe: TextDigest::of(b"recipe"),
        crates,
        dependencies: if matches!(name, "api" | "redis") { vec!["openssl".parse().unwrap()] } else { Vec::new() },
        build_dependencies: if name == "redis" { vec!["pkgconf".parse().unwrap()] } else { Vec::new() },
        platforms: Platforms::new(),
        needed_on: BTreeMap::new(),
        stated: if name == "api" { stated() } else { Statement::default() },
        outputs: Vec::new(),
    };
    let source = CrateSource { url: "https://example.org/fork.git".to_owned(), commit, tree };
    let forked = Some(Crates { sources: vec![source], ..crates(true) });
    let git = "git+https://example.org/api.git?version=^0.16";
    let mut lockfile = Lockfile::empty(TextDigest::of(b"requirements"));
    lockfile.exclude_newer = Some("2026-11-17T00:00:00Z".parse().unwrap());
    let shared = |source: &str, commit| SharedRecipes { source: source.to_owned(), commit, tree };
    let git_recipes = shared("git+https://example.org/recipes.git?tag=v3", Some(commit));
    lockfile.recipes.insert("company".to_owned(), git_recipes);
    lockfile.recipes.insert("team".to_owned(), shared("path+../recipes", None));
    let packages = [
        package("api", "0.16.1", git, Pin::Git { commit, tree }, forked),
        package("billing", "0.1.0", "path+services/billing", Pin::Path, None),
        package("geoip", "2026.01", "archive+https://example.org/geoip.tar.zst", Pin::Archive(unpacked()), None),
        package("openssl", "3.0.15", "recipe+openssl", Pin::Archive(unpacked()), None),
        package("redis", "7.0.15", "recipe+redis", Pin::Nothing, None),
        package("own", "1.0.0", "registry+company", Pin::Crate(unpacked()), Some(crates(false))),
        package(
            "tool",
            "r12",
            "archive+https://example.org/tool-{arch}.zip#strip=1",
            Pin::Archives([(platform, unpacked()), (other, unpacked())].into()),
            None,
        ),
    ];
    lockfile.packages.extend(packages.map(|package| (package.id.name.clone(), package)));
    lockfile
}

/// What a package may state that it needs.
fn stated() -> Statement {
    let needed = |name: &str, recipe: &str, versions| Needed {
        name: name.parse().unwrap(),
        recipe: recipe.to_owned(),
        versions,
        params: BTreeMap::new(),
        when: None,
    };
    let params = [("shared".to_owned(), Param::Bool(true)), ("with".to_owned(), Param::List(vec!["a".to_owned()]))];
    let openssl = needed("openssl", "openssl", Range::Req(">=3, <4".parse().unwrap()));
    let tool = Needed { when: Some("tls".to_owned()), params: params.into(), ..needed("tool", "pkgconf", Range::Any) };
    let needs = vec![Need { package: openssl, purpose: Purpose::Run }, Need { package: tool, purpose: Purpose::Build }];
    Statement { needs, ..Statement::default() }
}

fn sample() -> Lockfile {
    let platform: Platform = "x86_64-linux-gnu".parse().unwrap();
    let package = |name: &str, outputs| Package {
        id: PackageId { name: name.parse().unwrap(), version: "1.0.0".parse().unwrap() },
        source: "registry+crates.io".to_owned(),
        pin: Pin::Crate(unpacked()),
        patches: Vec::new(),
        recipe: TextDigest::of(b"recipe"),
        crates: Some(crates(name == "just")),
        dependencies: Vec::new(),
        build_dependencies: Vec::new(),
        platforms: Platforms::new(),
        needed_on: BTreeMap::new(),
        stated: Statement::default(),
        outputs,
    };
    let output = |needs| Output { platform, action: ActionDigest::of(b"action"), tree: TreeDigest::of(b"out"), needs };
    let needs = Needs { glibc: Some("2.34".into()), libraries: vec!["libgcc_s.so.1".into()], interpreter: None };
    let mut lockfile = Lockfile::empty(TextDigest::of(b"requirements"));
    let content = [(platform, TextDigest::of(b"content"))].into();
    lockfile.toolchain = Some(Toolchain { rust: "1.95.0 (59807616e 2026-04-14)".into(), content });
    for package in [package("hexyl", vec![output(needs)]), package("just", vec![])] {
        lockfile.packages.insert(package.id.name.clone(), package);
    }
    lockfile.prefixes.insert(platform, Prefix { outputs: TextDigest::of(b"outputs"), tree: TreeDigest::of(b"prefix") });
    lockfile
}

fn parse(text: &str) -> Result<Lockfile, String> {
    use std::error::Error as _;
    Lockfile::parse(Path::new("lockfiles/a.lock"), text).map_err(|error| {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{error}{cause}")
    })
}

#[test]
fn version_1_has_this_form() {
    expect_file!["golden/version-1.lock"].assert_eq(&sample().text());
}

#[test]
fn every_source_has_its_form() {
    expect_file!["golden/every-source.lock"].assert_eq(&every_source().text());
}

#[test]
fn text_reads_back() {
    for lockfile in [sample(), every_source()] {
        assert_eq!(parse(&lockfile.text()).unwrap(), lockfile);
    }
}

#[test]
fn what_is_for_some_platforms_reads_back() {
    let [here, there] = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(|name| name.parse::<Platform>().unwrap());
    let mut lockfile = sample();
    let [lib, tool] = ["lib", "tool"].map(|name| name.parse::<PackageName>().unwrap());
    let package = lockfile.packages.values_mut().next().unwrap();
    package.platforms = [there, here].into();
    package.dependencies = vec![lib.clone(), tool.clone()];
    package.build_dependencies = vec![tool.clone()];
    package.needed_on =
        [((Purpose::Run, lib.clone()), [here].into()), ((Purpose::Build, tool.clone()), [there].into())].into();
    assert_eq!(parse(&lockfile.text()).unwrap(), lockfile);
    let package = lockfile.packages.values().next().unwrap();
    let needed = |purpose, platform| package.needed_on(purpose, platform).cloned().collect::<Vec<_>>();
    assert_eq!(needed(Purpose::Run, here), [lib, tool.clone()]);
    assert_eq!((needed(Purpose::Run, there), needed(Purpose::Build, there)), (vec![tool.clone()], vec![tool]));
    assert!(needed(Purpose::Build, here).is_empty());
}

#[test]
fn a_need_of_a_version_that_is_none_of_cargos_reads_back() {
    let mut lockfile = every_source();
    let stating = lockfile.packages.values_mut().find(|package| !package.stated.needs.is_empty()).unwrap();
    stating.stated.needs[0].package.versions = Range::Exactly(Version::loose("1.1.1w").unwrap());
    assert_eq!(parse(&lockfile.text()).unwrap(), lockfile);
}

#[test]
fn how_a_package_says_that_it_is_made_reads_back() {
    let mut lockfile = every_source();
    let stating = lockfile.packages.values_mut().find(|package| !package.stated.needs.is_empty()).unwrap();
    stating.stated.recipe = Some("make".to_owned());
    stating.stated.params = [("targets".to_owned(), Param::List(vec!["all".to_owned()]))].into();
    let text = lockfile.text();
    assert!(text.contains("stated-recipe = \"make\"\nstated-params = { targets = [\"all\"] }\n"), "{text}");
    assert_eq!(parse(&text).unwrap(), lockfile);
}

#[test]
fn what_is_no_lockfile_is_refused() {
    let text = sample().text();
    let check = |text: &str, expected: &str| {
        let error = parse(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    check(&format!("{text}\n<<<<<<< ours\n"), "conflict markers");
    check(&text.replace("version = 1\n", "version = 2\n"), "format version 2");
    check(&text.replace("sha256:", "md5:"), "lowercase hexadecimal");
    check(&text.replace("name = \"just\"", "name = \"hexyl\""), "`hexyl` is there twice");
    check(&text.replace("name = \"just\"", "name = \"../just\""), "is not a name");
    check(&text.replace("registry+crates.io", "oci+redis"), "cannot use");
    check(&text.replace("registry+crates.io", "git+file:///x"), "is not pinned as its source");
    check(&text.replace("crates = ", "crate = "), "unknown field");
    let text = every_source().text();
    check(&text.replace("name = \"team\"", "name = \"company\""), "recipes `company` are there twice");
    check(&text.replace("name = \"team\"", "name = \"../team\""), "is not a name");
    check(&text.replace("path+../recipes", "git+../recipes"), "are not pinned as their source");
    check(&text.replace("path+../recipes", "oci+recipes"), "cannot use");
    check(&text[..text.len() / 2], "cannot be read");
    check("", "missing field");
}

#[test]
fn an_interpreter_is_told_where_it_is_unusual() {
    let needs_of =
        |interpreter: Option<&str>| Needs { interpreter: interpreter.map(str::to_owned), ..Needs::default() };
    assert_eq!(super::format::needs(&needs_of(None)), "");
    let text = super::format::needs(&needs_of(Some("/lib/ld-musl-x86_64.so.1")));
    assert_eq!(text, "needs = { interpreter = \"/lib/ld-musl-x86_64.so.1\" }\n");
}
