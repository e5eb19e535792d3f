//! `envy store`

use super::context::Context;
use crate::failure::Failure;
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
    Path,
    /// Say what is in the store, and how much of it
    Stats {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

/// Look at the store.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let store = context.store()?;
    match args.command {
        Command::Path => context.ui.result(&format!("{}\n", store.root().display())),
        Command::Stats { json: true } => {
            let kinds = store
                .stats()?
                .into_iter()
                .map(|kind| (kind.name.to_owned(), serde_json::json!({ "count": kind.count, "bytes": kind.bytes })));
            let kinds: serde_json::Map<_, _> = kinds.collect();
            context
                .ui
                .json(&serde_json::json!({ "schema": "envy.store-stats/1", "path": store.root(), "kinds": kinds }));
        }
        Command::Stats { json: false } => {
            for kind in store.stats()? {
                let count =
                    count(usize::try_from(kind.count).unwrap_or(usize::MAX), "entry").replace("entrys", "entries");
                context.ui.result(&format!("{:10} {count:>14} {:>10}\n", kind.name, bytes(kind.bytes)));
            }
        }
    }
    Ok(())
}
