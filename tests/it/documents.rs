//! The documents: what they show happens, what they name is there, and what is there they name.
//!
//! Each document with a transcript is a test of its own, in a world of its own with the registry of [`registry`].
//! A new document joins the list below; a test finds those that are missing from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use envy::cli::Cli;
use envy::lock::Lockfile;
use envy::manifest::Manifest;
use envy::recipe::{Book, Layer, Origin as RecipeOrigin};

use crate::registry::{Crate, Registry};
use crate::scratch::Scratch;
use crate::{docs, media};

macro_rules! documents {
    ($($name:ident: $path:literal,)*) => {
        $(#[test]
        fn $name() {
            let registry = registry();
            let scratch = Scratch::with(&registry);
            let company = Registry::other();
            company.publish(Crate::new("ledger", "2.3.0").bin("ledger"));
            write_media(&registry, &company, &scratch.root().join("media"));
            write_shown(&read($path), &scratch.root().join("shown"));
            docs::run(&read($path), &scratch);
        })*

        const RUN: &[&str] = &[$($path),*];
    };
}

documents! {
    readme: "README.md",
    tutorial: "docs/tutorial.md",
    concept_store: "docs/concepts/store.md",
    concept_manifest: "docs/concepts/manifest.md",
    concept_sources: "docs/concepts/sources.md",
    concept_recipes: "docs/concepts/recipes.md",
    concept_resolver: "docs/concepts/resolver.md",
    concept_lockfile: "docs/concepts/lockfile.md",
    concept_builds: "docs/concepts/builds.md",
    concept_sites: "docs/concepts/sites.md",
    guide_deploy: "docs/guides/deploy.md",
    guide_rollback: "docs/guides/rollback.md",
    guide_converge: "docs/guides/converge.md",
    guide_promote: "docs/guides/promote.md",
    guide_health_checks: "docs/guides/health-checks.md",
    guide_ci: "docs/guides/ci.md",
    guide_offline: "docs/guides/offline.md",
    guide_bundle: "docs/guides/bundle.md",
    guide_cache: "docs/guides/cache.md",
    guide_sbom: "docs/guides/sbom.md",
    guide_services_from_git: "docs/guides/services-from-git.md",
    guide_archives: "docs/guides/archives.md",
    guide_recipes: "docs/guides/recipes.md",
    guide_paths: "docs/guides/paths.md",
    guide_patches: "docs/guides/patches.md",
    guide_recipes_shared: "docs/guides/recipes-shared.md",
    guide_site_files: "docs/guides/site-files.md",
    guide_verify: "docs/guides/verify.md",
    guide_cooldown: "docs/guides/cooldown.md",
    guide_registries: "docs/guides/registries.md",
    guide_doctor: "docs/guides/doctor.md",
    guide_upkeep: "docs/guides/upkeep.md",
    guide_troubleshooting: "docs/guides/troubleshooting.md",
}

/// What documents fetch, beside crates.io: the crates again, as a local registry; the address of a company's registry;
/// repositories and archives, with the lines of a manifest that put them in the place of `example.org`.
fn write_media(registry: &Registry, company: &Registry, directory: &Path) {
    registry.write_local(&directory.join("crates"));
    media::write(directory);
    let index = company.index();
    fs::write(directory.join("registries.toml"), format!("\n[registries.company]\nindex = \"{index}\"\n")).unwrap();
    let mirror = format!("\n[mirrors]\n\"https://example.org/\" = \"file://{}/\"\n", directory.display());
    fs::write(directory.join("mirrors.toml"), mirror).unwrap();
}

/// The files that a document shows whole: blocks that begin with their name, as in `# recipes/knock.toml`.
fn write_shown(document: &str, directory: &Path) {
    for block in blocks(document, "toml") {
        let name = block.lines().next().and_then(|line| line.strip_prefix("# "));
        if let Some(name) = name.filter(|name| name.ends_with(".toml")) {
            let path = directory.join(name);
            fs::create_dir_all(path.parent().expect("a file is in a directory"))
                .expect("there is room for a directory");
            fs::write(path, &block).expect("there is room for a file");
        }
    }
}

/// The crates that documents speak of, under their real names and versions, with next to nothing in them.
fn registry() -> Registry {
    let registry = Registry::new();
    registry.publish(Crate::new("anstyle", "1.0.13").lib());
    for version in ["0.15.0", "0.16.0", "0.17.0"] {
        registry.publish(Crate::new("hexyl", version).bin("hexyl").dep("anstyle", "1"));
    }
    for (version, time) in [("1.58.0", "2026-01-12T08:00:00Z"), ("1.59.0", "2026-02-20T08:00:00Z")] {
        registry.publish(Crate::new("just", version).bin("just").published(time));
    }
    for version in ["0.31.0", "0.32.0"] {
        registry.publish(Crate::new("miniserve", version).bin("miniserve").feature("tls", &[]).dep("anstyle", "1"));
    }
    registry.publish(Crate::new("serde", "1.0.229").lib());
    registry
}

#[test]
fn every_document_with_a_transcript_is_run() {
    let with_transcripts = documents().into_iter().filter(|(_, text)| !docs::transcripts(text).is_empty());
    let with_transcripts: BTreeSet<_> = with_transcripts.map(|(path, _)| path).collect();
    let run: BTreeSet<_> = RUN.iter().map(|&path| path.to_owned()).collect();
    assert_eq!(with_transcripts, run, "the list in this file is not the list of documents with transcripts");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let documents = documents();
    let mut broken = Vec::new();
    for (path, text) in &documents {
        for link in links(text) {
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { path.clone() } else { beside(path, file) };
            let known =
                anchor.is_none_or(|anchor| documents.get(&target).is_some_and(|text| has_heading(text, anchor)));
            if !root().join(&target).exists() || !known {
                broken.push(format!("{path}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "these links lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_chapter_is_in_the_contents() {
    let contents = read("docs/README.md");
    let missing: Vec<_> = documents()
        .into_keys()
        .filter_map(|path| path.strip_prefix("docs/").map(str::to_owned))
        .filter(|path| path != "README.md" && !contents.contains(&format!("({path})")))
        .collect();
    assert!(missing.is_empty(), "docs/README.md does not lead to:\n{}", missing.join("\n"));
}

#[test]
fn every_variable_is_in_the_reference() {
    let sources: String = files_below("src", "rs").iter().map(|path| read(path)).collect();
    let known = quoted_variables(&sources);
    assert!(known.contains("ENVY_STORE"), "the search finds what is there");
    let reference = read("docs/reference/environment.md");
    let missing: Vec<_> = known.iter().filter(|name| !reference.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/reference/environment.md says nothing about {missing:?}");
    for (path, text) in documents() {
        let tests_own = ["ENVY_KEEP_SCRATCH", "ENVY_TEST_LONG", "ENVY_TEST_REAL"];
        let unknown: Vec<_> = variables(&text)
            .into_iter()
            .filter(|name| !known.contains(name) && !tests_own.contains(&name.as_str()))
            .collect();
        assert!(unknown.is_empty(), "{path} names {unknown:?}, which envy does not know");
    }
}

#[test]
fn every_exit_code_is_in_the_reference() {
    let reference = read("docs/reference/exit-codes.md");
    let sources = read("src/failure.rs");
    let codes =
        sources.lines().filter_map(|line| line.trim().strip_suffix(',')?.split_once(" = ")?.1.parse::<u8>().ok());
    let codes: Vec<_> = codes.collect();
    assert!(codes.contains(&3), "the search finds what is there");
    for code in codes.into_iter().chain([0, envy::failure::BUG]) {
        assert!(reference.contains(&format!("| {code} |")), "docs/reference/exit-codes.md says nothing about {code}");
    }
}

#[test]
fn every_command_that_a_document_names_exists() {
    let command = Cli::command();
    let known: BTreeSet<_> = command
        .get_subcommands()
        .flat_map(|one| std::iter::once(one.get_name()).chain(one.get_visible_aliases()))
        .collect();
    for (path, text) in documents() {
        for name in text.split("`envy ").skip(1).filter_map(|rest| rest.split([' ', '`', '\n']).next()) {
            let is_command = name.starts_with(|letter: char| letter.is_ascii_lowercase()) && name != "help";
            assert!(!is_command || known.contains(name), "{path} names `envy {name}`, which does not exist");
        }
    }
}

#[test]
fn manifests_and_lockfiles_in_documents_are_good() {
    for (path, text) in documents() {
        let toml = blocks(&text, "toml");
        let is_manifest =
            |block: &&String| ["[sites.", "[project]", "[dependencies]"].iter().any(|table| block.contains(table));
        let is_of_recipe = |block: &&String| block.starts_with("# recipes/") || block.contains("[build-dependencies]");
        for block in toml.iter().filter(is_manifest).filter(|block| !is_of_recipe(block)) {
            Manifest::parse(&path, block).unwrap_or_else(|invalid| panic!("{:#?}\n{block}", invalid.problems));
        }
        for block in toml.iter().filter(|block| block.contains("[[package]]")) {
            Lockfile::parse(Path::new(&path), block).unwrap_or_else(|error| panic!("{error:?}\n{block}"));
        }
    }
}

#[test]
fn recipes_in_documents_are_good() {
    for (path, text) in documents() {
        let directory = tempfile::tempdir().expect("there is room for a directory");
        // Where a sum does not matter, a document leaves it out.
        let text = text.replace("sha256 = \"…\"", &format!("sha256 = \"{}\"", "0".repeat(64)));
        write_shown(&text, directory.path());
        let layers = vec![Layer::Project(directory.path().join("recipes")), Layer::BuiltIn];
        let book = Book::open(layers).expect("a directory can be listed");
        for one in book.list().iter().filter(|one| one.origin == RecipeOrigin::Project) {
            book.get(&one.name).unwrap_or_else(|error| panic!("{path}: {error:?}"));
        }
    }
}

/// Every document by its path in the project.
fn documents() -> BTreeMap<String, String> {
    let top =
        ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "recipes/README.md", "lockfiles/README.md"];
    let paths = top.into_iter().map(str::to_owned).chain(files_below("docs", "md"));
    paths.map(|path| (path.clone(), read(&path))).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the project.
#[track_caller]
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

fn files_below(directory: &str, extension: &str) -> Vec<String> {
    let entries =
        fs::read_dir(root().join(directory)).unwrap_or_else(|error| panic!("cannot read {directory}: {error}"));
    let mut paths = Vec::new();
    for entry in entries.map(|entry| entry.expect("a directory can be read to its end")) {
        let path = format!("{directory}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            paths.extend(files_below(&path, extension));
        } else if entry.path().extension().is_some_and(|it| it == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    paths
}

/// The path of a link that stands in a document.
fn beside(document: &str, link: &str) -> String {
    let mut path = PathBuf::from(document);
    path.pop();
    for part in link.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(path.pop()),
            part => path.push(part),
        }
    }
    path.to_string_lossy().into_owned()
}

/// The links of a document that stay in the project.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).collect()
}

/// Whether a heading has this name in links: in lower case, with `-` for spaces and without punctuation.
fn has_heading(text: &str, anchor: &str) -> bool {
    let slug = |heading: &str| -> String {
        let kept = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
    };
    text.lines().filter(|line| line.starts_with('#')).any(|line| slug(line.trim_start_matches('#')) == anchor)
}

/// The blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    text.split(&opening).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

/// Everything that reads like a variable of envy's.
fn variables(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_uppercase() || letter == '_';
    let words = text.split(|letter| !is_part(letter));
    words.filter(|word| word.starts_with("ENVY_") && word.len() > "ENVY_".len()).map(str::to_owned).collect()
}

fn quoted_variables(source: &str) -> BTreeSet<String> {
    source.split('"').filter(|piece| variables(piece).contains(*piece)).map(str::to_owned).collect()
}
