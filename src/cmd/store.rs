//! `envy store`

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::context::Context;
use crate::failure::{Exit, Failure};
use crate::store::{Damage, Repair, Report, Store};
use crate::ui::{bytes, count};

/// Arguments of `envy store`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print where the store is
    Path {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Say what is in the store, and how much of it
    Stats {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Check that everything in the store is what its name says, bit by bit
    Verify {
        /// Heal what is damaged of what the store has whole, and remove the rest, so that it is fetched or built again
        #[arg(long)]
        repair: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

/// Look at the store.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let store = context.store()?;
    match args.command {
        Command::Path { json: true } => {
            context.ui.json(
                &serde_json::json!({ "schema": "envy.store-path/1", "path": store.root().display().to_string() }),
            );
        }
        Command::Path { json: false } => context.ui.result(&format!("{}\n", store.root().display())),
        Command::Stats { json } => stats(context, store, json)?,
        Command::Verify { repair, json } => verify(context, store, repair, json)?,
    }
    Ok(())
}

fn stats(context: &Context<'_>, store: &Store, json: bool) -> Result<(), Failure> {
    let kinds = store.stats()?;
    if json {
        let kinds = kinds
            .into_iter()
            .map(|kind| (kind.name.to_owned(), serde_json::json!({ "count": kind.count, "bytes": kind.bytes })));
        let kinds: serde_json::Map<_, _> = kinds.collect();
        context.ui.json(&serde_json::json!({ "schema": "envy.store-stats/1", "path": store.root().display().to_string(), "kinds": kinds }));
        return Ok(());
    }
    for kind in kinds {
        let count = count(usize::try_from(kind.count).unwrap_or(usize::MAX), "entry").replace("entrys", "entries");
        context.ui.result(&format!("{:10} {count:>14} {:>10}\n", kind.name, bytes(kind.bytes)));
    }
    Ok(())
}

fn verify(context: &Context<'_>, store: &Store, repair: bool, json: bool) -> Result<(), Failure> {
    let busy = context.ui.busy(format!("verifying {}", store.root().display()));
    let report = store.verify()?;
    let repaired = if repair { store.repair(&report)? } else { BTreeMap::new() };
    drop(busy);
    if json {
        context.ui.json(&to_json(store, &report, &repaired));
    }
    if !repair && !report.damaged.is_empty() {
        return Err(damaged(&report.damaged));
    }
    for damage in &report.damaged {
        context.ui.done(word(repaired.get(&damage.path)), format!("`{}`", damage.path.display()));
        context.ui.detail(format!("expected {}", damage.expected));
        context.ui.detail(format!("found    {}", damage.found));
    }
    let checked = KINDS.map(|(kind, one)| match report.checked.get(kind) {
        Some(1) => format!("1 {one}"),
        number => format!("{} {kind}", number.unwrap_or(&0)),
    });
    context.ui.done("verified", checked.join(", "));
    if repaired.values().any(|repair| *repair == Repair::Removed) {
        context.ui.note("what was removed is fetched or built again when it is needed: run `envy build`");
    }
    Ok(())
}

/// What is verified, and one of it.
const KINDS: [(&str, &str); 5] =
    [("blobs", "blob"), ("trees", "tree"), ("results", "result"), ("prefixes", "prefix"), ("checkouts", "checkout")];

fn word(repair: Option<&Repair>) -> &'static str {
    match repair {
        Some(Repair::MadeAnew) => "made anew",
        Some(Repair::Healed) => "healed",
        Some(Repair::Removed) | None => "removed",
    }
}

fn damaged(all: &[Damage]) -> Failure {
    let outcome = match all {
        [_] => "1 thing in the store is not what it should be".to_owned(),
        all => format!("{} things in the store are not what they should be", all.len()),
    };
    let facts = all.iter().flat_map(|damage| {
        let (expected, found) = (&damage.expected, &damage.found);
        [format!("`{}`", damage.path.display()), format!("  expected {expected}"), format!("  found    {found}")]
    });
    let failure = Failure::new(Exit::Verification, outcome).facts(facts);
    failure.hint("run `envy store verify --repair`, and then `envy build` in the projects that use it")
}

fn to_json(store: &Store, report: &Report, repaired: &BTreeMap<PathBuf, Repair>) -> serde_json::Value {
    let damaged = report.damaged.iter().map(|damage| {
        let repair = repaired.get(&damage.path).map(|repair| word(Some(repair)).replace(' ', "-"));
        serde_json::json!({
            "kind": damage.kind,
            "path": damage.path.display().to_string(),
            "expected": damage.expected,
            "found": damage.found,
            "repair": repair,
        })
    });
    let damaged: Vec<_> = damaged.collect();
    serde_json::json!({
        "schema": "envy.store-verify/1",
        "path": store.root().display().to_string(),
        "checked": report.checked,
        "damaged": damaged,
    })
}
