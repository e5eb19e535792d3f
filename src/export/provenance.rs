//! How a package was built: an in-toto statement with a predicate of SLSA's provenance, version 1. Pure.
//!
//! The subject is the tree that came out. What went in stands under `resolvedDependencies` by digest, and what was asked for
//! under `externalParameters`.

use serde_json::{Map, Value, json};

use super::purl;
use crate::digest::{ActionDigest, BlobDigest, Commit, TextDigest, TreeDigest};
use crate::platform::Platform;
use crate::store::Provenance;

/// What a statement is made of.
#[derive(Clone, Debug)]
pub struct Made<'p> {
    /// Name of the package.
    pub name: &'p str,
    /// Its version.
    pub version: &'p str,
    /// Where it comes from, as the lockfile says.
    pub source: &'p str,
    /// What it was built for.
    pub platform: Platform,
    /// The action.
    pub action: ActionDigest,
    /// What came out.
    pub tree: TreeDigest,
    /// What was said while it was built.
    pub log: BlobDigest,
    /// How it was made.
    pub provenance: &'p Provenance,
    /// The recipe and its params.
    pub recipe: TextDigest,
    /// The name of the recipe.
    pub recipe_name: &'p str,
    /// Its archive.
    pub archive: Option<BlobDigest>,
    /// Its commit.
    pub commit: Option<Commit>,
    /// Its unpacked, patched source.
    pub source_tree: Option<TreeDigest>,
    /// Its patches.
    pub patches: &'p [BlobDigest],
    /// The Cargo.lock that it was built with.
    pub cargo_lock: Option<BlobDigest>,
    /// Repositories that crates came from, with commits and trees.
    pub crate_sources: Vec<(String, Commit, TreeDigest)>,
    /// The compiler, by its files.
    pub toolchain: Option<TextDigest>,
    /// What it was built beside: names of other packages, and their trees where there is one only that each can have been.
    pub beside: Vec<(String, Option<TreeDigest>)>,
}

/// The statement, of one line.
pub fn statement(made: &Made<'_>) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": format!("{} {}", made.name, made.version), "digest": sha256(&made.tree.hex()) }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:envy:build:1",
                "externalParameters": {
                    "package": made.name,
                    "version": made.version,
                    "source": made.source,
                    "recipe": made.recipe_name,
                    "platform": made.platform.to_string(),
                },
                "internalParameters": { "action": made.action.to_string(), "sandbox": made.provenance.sandbox },
                "resolvedDependencies": dependencies(made),
            },
            "runDetails": {
                "builder": { "id": builder(made.provenance), "version": { "envy": made.provenance.envy } },
                "metadata": { "invocationId": made.action.to_string() },
                "byproducts": [{ "name": "log", "digest": sha256(&made.log.hex()) }],
            },
        },
    })
}

/// Who built it: envy, behind namespaces, at the places of these, or without any fence.
fn builder(provenance: &Provenance) -> String {
    format!("urn:envy:builder:{}", provenance.sandbox)
}

fn dependencies(made: &Made<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    if let Some(archive) = made.archive {
        all.push(named("archive", sha256(&archive.hex())));
    }
    if let Some(commit) = made.commit {
        all.push(named("commit", json!({ "gitCommit": commit.to_string() })));
    }
    if let Some(tree) = made.source_tree {
        all.push(named("source", sha256(&tree.hex())));
    }
    for (number, patch) in made.patches.iter().enumerate() {
        all.push(named(&format!("patch {}", number + 1), sha256(&patch.hex())));
    }
    all.push(named("recipe", sha256(&made.recipe.hex())));
    if let Some(lock) = made.cargo_lock {
        all.push(named("Cargo.lock", sha256(&lock.hex())));
    }
    for (name, tree) in &made.beside {
        let mut package = json!({ "name": format!("package {name}") });
        if let Some(tree) = tree {
            package["digest"] = sha256(&tree.hex());
        }
        all.push(package);
    }
    for (url, commit, tree) in &made.crate_sources {
        let mut digest = Map::new();
        digest.insert("gitCommit".to_owned(), commit.to_string().into());
        digest.insert("sha256".to_owned(), tree.hex().into());
        all.push(json!({ "uri": purl::vcs(url, &commit.to_string()), "digest": digest }));
    }
    if !made.provenance.toolchain.is_empty() {
        let mut rust = json!({ "name": format!("rust {}", made.provenance.toolchain) });
        if let Some(content) = made.toolchain {
            rust["digest"] = sha256(&content.hex());
        }
        all.push(rust);
    }
    all
}

fn named(name: &str, digest: Value) -> Value {
    json!({ "name": name, "digest": digest })
}

fn sha256(hex: &str) -> Value {
    json!({ "sha256": hex })
}
