//! What others get of a site: bills of materials, statements of provenance, an archive.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::registry::{Crate, Registry};
use crate::repository::{MAIN, Repository, cargo_lock, manifest};
use crate::scratch::Scratch;

fn registry() -> Registry {
    let registry = Registry::new();
    registry.publish(Crate::new("low", "0.1.0").lib()).publish(Crate::new("low", "0.2.0").lib());
    registry.publish(Crate::new("mid", "1.0.0").lib().dep("low", "0.1"));
    registry.publish(Crate::new("hello", "1.0.0").bin("hello").dep("mid", "1").dep("low", "0.2"));
    registry.publish(Crate::new("other", "2.0.0").bin("other").dep("mid", "1"));
    registry
}

const RECIPE: &str = "summary = 'Holds the path of its prefix'\nlicense = 'MIT'\nhomepage = 'https://example.org/'\n\
    [versions.'1.0']\n[[step]]\nname = 'install'\nrun = '''\nmkdir -p {{ destdir }}{{ prefix }}/lib\n\
    echo prefix={{ prefix }} >{{ destdir }}{{ prefix }}/lib/paths\n'''\n";

fn built(registry: &Registry) -> Scratch {
    let scratch = Scratch::with(registry);
    scratch.write("recipes/paths.toml", RECIPE);
    let manifest = "[sites.api.dependencies]\nhello = '1'\nother = '2'\npaths = { recipe = 'paths', version = '1' }\n";
    scratch.write("envy.toml", manifest).envy("build").succeeds();
    scratch
}

fn texts<'v>(list: &'v Value, key: &str) -> Vec<&'v str> {
    list.as_array().expect("a list").iter().map(|one| one[key].as_str().expect("a text")).collect()
}

#[test]
fn a_bill_has_every_crate_once_and_what_each_needs() {
    let registry = registry();
    let scratch = built(&registry);
    let bill = scratch.envy("export api --format cyclonedx").json();
    assert_eq!((bill["bomFormat"].as_str(), bill["specVersion"].as_str()), (Some("CycloneDX"), Some("1.6")));
    assert!(bill["metadata"].get("timestamp").is_none());

    let names = texts(&bill["components"], "bom-ref");
    assert_eq!(
        names,
        [
            "package:hello@1.0.0",
            "package:other@2.0.0",
            "package:paths@1.0",
            "pkg:cargo/low@0.1.0",
            "pkg:cargo/low@0.2.0",
            "pkg:cargo/mid@1.0.0",
        ]
    );
    let known: BTreeSet<_> = names.iter().copied().chain(["site:api"]).collect();
    let mut edges = Vec::new();
    for one in bill["dependencies"].as_array().expect("a list") {
        let from = one["ref"].as_str().expect("a text");
        assert!(known.contains(from));
        for to in one["dependsOn"].as_array().into_iter().flatten() {
            let to = to.as_str().expect("a text");
            assert!(known.contains(to));
            edges.push(format!("{from} -> {to}"));
        }
    }
    assert_eq!(
        edges,
        [
            "site:api -> package:hello@1.0.0",
            "site:api -> package:other@2.0.0",
            "site:api -> package:paths@1.0",
            "package:hello@1.0.0 -> pkg:cargo/low@0.2.0",
            "package:hello@1.0.0 -> pkg:cargo/mid@1.0.0",
            "package:other@2.0.0 -> pkg:cargo/mid@1.0.0",
            "pkg:cargo/mid@1.0.0 -> pkg:cargo/low@0.1.0",
        ]
    );
    let low = &bill["components"][3];
    assert_eq!(low["hashes"][0]["content"].as_str(), Some(registry.checksum("low", "0.1.0").as_str()));
    for component in bill["components"].as_array().expect("a list") {
        assert_eq!(component["licenses"][0]["expression"].as_str(), Some("MIT"), "{component}");
    }
    assert_eq!(bill["components"][0]["purl"].as_str(), Some("pkg:cargo/hello@1.0.0"));
    assert_eq!(bill["components"][2]["purl"].as_str(), Some("pkg:generic/paths@1.0"));
}

#[test]
fn bills_are_the_same_wherever_they_are_written_and_need_sources_and_no_compiler() {
    let registry = registry();
    let scratch = built(&registry);
    for format in ["cyclonedx", "spdx"] {
        let other = Scratch::with(&registry);
        other.write("recipes/paths.toml", RECIPE).write("envy.toml", scratch.read("envy.toml"));
        other.write("lockfiles/api.lock", scratch.read("lockfiles/api.lock"));
        other.envy(&format!("export api --format {format} --offline")).ends(5);
        other.without_rust().envy(&format!("export api --format {format} -o bill.json")).succeeds();
        assert_eq!(other.read("bill.json"), scratch.envy(&format!("export api --format {format}")).stdout());
    }
    let bill = scratch.envy("export api --format spdx").json();
    let ids = texts(&bill["packages"], "SPDXID");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 7);
    let known: BTreeSet<_> = ids.into_iter().chain(["SPDXRef-DOCUMENT"]).collect();
    for end in ["spdxElementId", "relatedSpdxElement"] {
        assert!(texts(&bill["relationships"], end).into_iter().all(|id| known.contains(id)));
    }
}

#[test]
fn what_comes_from_git_is_named_by_its_commit() {
    let registry = registry();
    let scratch = Scratch::with(&registry);
    let (repository, service) = (Repository::new(&scratch, "shared"), Repository::new(&scratch, "service"));
    let library = "[package]\nname = 'shared'\nversion = '0.3.0'\nedition = '2021'\nlicense = 'Apache-2.0'\n";
    repository.write("Cargo.toml", library).write("src/lib.rs", "");
    let shared = repository.commit();
    service.write(
        "Cargo.toml",
        format!(
            "[workspace]\nmembers = ['api']\nresolver = '2'\n[workspace.package]\nlicense = 'MIT/Apache-2.0'\n\
             [workspace.dependencies]\nshared = {{ git = '{}' }}\n",
            repository.url()
        ),
    );
    service.write(
        "api/Cargo.toml",
        "[package]\nname = 'api'\nversion = '1.2.0'\nedition = '2021'\nlicense.workspace = true\n\
         [dependencies]\nshared.workspace = true\n",
    );
    service.write("api/src/main.rs", "fn main() {}\n");
    let commit = service.commit();
    scratch.write("envy.toml", format!("[sites.web.dependencies]\napi = {{ git = '{}' }}\n", service.url()));
    scratch.envy("lock").succeeds();

    let bill = scratch.envy("export web --format cyclonedx").json();
    let purls = texts(&bill["components"], "purl");
    let encoded = |url: &str, commit: &str| format!("{url}@{commit}").replace('/', "%2F").replace('@', "%40");
    assert!(
        purls.contains(&format!("pkg:cargo/api@1.2.0?vcs_url=git%2B{}", encoded(&service.url(), &commit)).as_str()),
        "{purls:?}"
    );
    assert!(
        purls.contains(
            &format!("pkg:cargo/shared@0.3.0?vcs_url=git%2B{}", encoded(&repository.url(), &shared)).as_str()
        ),
        "{purls:?}"
    );
    let licences: Vec<_> =
        bill["components"].as_array().unwrap().iter().map(|one| one["licenses"][0]["expression"].as_str()).collect();
    assert_eq!(licences, [Some("MIT OR Apache-2.0"), Some("Apache-2.0")]);
}

#[test]
fn a_statement_tells_how_each_package_was_built() {
    let registry = registry();
    let scratch = built(&registry);
    let text = scratch.envy("export api --format provenance").succeeds().stdout().to_owned();
    let statements: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(statements.len(), 3);
    let lockfile: toml::Table = scratch.read("lockfiles/api.lock").parse().expect("a lockfile is TOML");
    for (statement, package) in statements.iter().zip(lockfile["package"].as_array().expect("packages")) {
        let plain = |digest: &toml::Value| digest.as_str().expect("a text").trim_start_matches("sha256:").to_owned();
        assert_eq!(statement["_type"].as_str(), Some("https://in-toto.io/Statement/v1"));
        assert_eq!(statement["predicateType"].as_str(), Some("https://slsa.dev/provenance/v1"));
        let output = &package["output"][0];
        assert_eq!(statement["subject"][0]["digest"]["sha256"].as_str(), Some(plain(&output["tree"]).as_str()));
        let predicate = &statement["predicate"];
        assert_eq!(predicate["runDetails"]["builder"]["id"].as_str(), Some("urn:envy:builder:namespaces"));
        let inputs = predicate["buildDefinition"]["resolvedDependencies"].as_array().expect("a list");
        let digests: Vec<_> = inputs.iter().filter_map(|input| input["digest"]["sha256"].as_str()).collect();
        for key in ["archive", "tree", "recipe", "crates"] {
            assert!(
                package.get(key).is_none_or(|digest| digests.contains(&plain(digest).as_str())),
                "{key} {inputs:?}"
            );
        }
    }

    scratch.envy("bundle api").succeeds();
    let other = Scratch::new();
    fs::copy(scratch.path("api.envy"), other.path("api.envy")).unwrap();
    other.envy("import api.envy").succeeds();
    other.envy("export api --format provenance").ends(1).says("nobody here knows how the packages");
}

#[test]
fn a_directory_that_was_built_here_has_its_statement() {
    let scratch = Scratch::new();
    scratch.write("apps/one/Cargo.toml", manifest("one", "1.0.0")).write("apps/one/src/main.rs", MAIN);
    scratch.write("apps/one/Cargo.lock", cargo_lock(&[("one", "1.0.0")]));
    scratch.write("envy.toml", "[sites.api.dependencies]\none = { path = 'apps/one' }\n").envy("lock").succeeds();
    scratch.envy("export api --format provenance").ends(1).says("or are not built");
    scratch.envy("build").succeeds();
    let statement = scratch.envy("export api --format provenance").json();
    let text = scratch.read(".envy/sites/api/current/generation.json");
    let shown: Value = serde_json::from_str(&text).expect("it is JSON");
    let plain =
        |key: &str| shown["packages"][0][key].as_str().expect("a digest").trim_start_matches("sha256:").to_owned();
    assert_eq!(statement["subject"][0]["digest"]["sha256"], plain("tree"));
    let inputs = statement["predicate"]["buildDefinition"]["resolvedDependencies"].as_array().expect("a list");
    let source = plain("source");
    assert!(inputs.iter().any(|input| input["digest"]["sha256"] == *source), "{inputs:#?}");
}

#[test]
fn a_prefix_is_exported_for_the_place_where_it_will_lie() {
    let registry = registry();
    let scratch = built(&registry);
    scratch.envy("export api --format tar").ends(1).says("`lib/paths` holds the path of its prefix");
    assert!(!scratch.path("api.tar").exists());
    scratch
        .envy("export api --format tar --at /opt/api")
        .succeeds()
        .says("exported the prefix of site `api` into `api.tar`");
    scratch
        .shell()
        .sh("mkdir out && tar -xf api.tar -C out && out/bin/hello && cat out/lib/paths")
        .succeeds()
        .says("hello 1.0.0")
        .says("prefix=/opt/api");
    let first = fs::read(scratch.path("api.tar")).unwrap();
    scratch.envy("export api --format tar --at /opt/api/ -o again.tar").succeeds();
    assert!(first == fs::read(scratch.path("again.tar")).unwrap());
    scratch.envy("export api --format spdx --at /opt/api").ends(2);
    scratch.envy("export api --format oci").ends(2);
}

#[test]
fn what_was_written_is_told_to_programs_and_a_format_that_is_not_there_is_told_with_those_that_are() {
    let registry = registry();
    let scratch = built(&registry);
    let told = scratch.envy("export api --format spdx -o bill.json --json").json();
    let size = fs::metadata(scratch.path("bill.json")).unwrap().len();
    let expected = serde_json::json!({
        "schema": "envy.export/1", "site": "api", "format": "spdx", "file": "bill.json", "size": size, "prefix": null,
    });
    assert_eq!(told, expected);
    let told = scratch.envy("export api --format tar --at /opt/api --json").json();
    assert_eq!((told["file"].as_str(), told["format"].as_str()), (Some("api.tar"), Some("tar")));
    assert!(told["prefix"].as_str().is_some_and(|prefix| prefix.starts_with("sha256:")));
    scratch.envy("export api --format spdx --json").ends(2).says("two documents cannot both go to the standard output");
    let told = scratch.envy("export api --format oci").ends(2).text();
    assert!(told.contains("'oci'") && told.contains("cyclonedx, spdx, provenance, tar"), "{told}");
}
