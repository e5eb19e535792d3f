//! `envy generations`

use super::context::Context;
use crate::failure::Failure;
use crate::package::SiteName;
use crate::site::{Entry, Generation};

/// Arguments of `envy generations`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site
    site: SiteName,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Show the generations of a site, oldest first, and the one that is current.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let project = context.project()?;
    project.site(&args.site)?;
    let place = project.place(&args.site);
    let current = place.current_number();
    let numbers = place.numbers()?;
    let generations = numbers.iter().map(|number| place.generation(*number)).collect::<Result<Vec<_>, _>>()?;
    let history = place.history()?;
    if args.json {
        let list: Vec<_> = generations.iter().map(|generation| document(generation, current, &history)).collect();
        context.ui.json(
            &serde_json::json!({ "schema": "envy.generations/1", "site": args.site.as_str(), "generations": list }),
        );
        return Ok(());
    }
    if generations.is_empty() {
        context.ui.note(format!("site `{0}` has no generation yet; run `envy build {0}`", args.site));
    }
    context.ui.result(&generations.iter().map(|generation| line(generation, current, &history)).collect::<String>());
    Ok(())
}

/// How a generation first became current.
fn origin<'a>(generation: &Generation, history: &'a [Entry]) -> Option<&'a Entry> {
    history.iter().find(|entry| entry.to == generation.number)
}

fn line(generation: &Generation, current: Option<u64>, history: &[Entry]) -> String {
    let mark = if current == Some(generation.number) { "*" } else { " " };
    let names: Vec<_> =
        generation.packages.iter().map(|member| format!("{} {}", member.name, member.version)).collect();
    let packages = if names.is_empty() { "empty".to_owned() } else { names.join(", ") };
    let note = origin(generation, history).map(|entry| &entry.note);
    let by = note.and_then(|note| note.by.as_deref()).map(|by| format!(" by {by}")).unwrap_or_default();
    let why = note.and_then(|note| note.message.as_deref()).map(|message| format!(": {message}")).unwrap_or_default();
    let prefix = generation.prefix.short();
    format!("{mark} {:>3}  {}{by}  {prefix}…  {packages}{why}\n", generation.number, generation.created)
}

fn document(generation: &Generation, current: Option<u64>, history: &[Entry]) -> serde_json::Value {
    let mut document = serde_json::to_value(generation).expect("a generation is plain data");
    let fields = document.as_object_mut().expect("a generation is an object");
    fields.remove("schema");
    fields.insert("current".to_owned(), (current == Some(generation.number)).into());
    let note = origin(generation, history).map(|entry| &entry.note);
    for (name, value) in [
        ("by", note.and_then(|note| note.by.clone())),
        ("commit", note.and_then(|note| note.commit.clone())),
        ("message", note.and_then(|note| note.message.clone())),
    ] {
        fields.insert(name.to_owned(), value.into());
    }
    document
}
