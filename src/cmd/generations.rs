//! `envy generations`

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::context::Context;
use super::project::Project;
use crate::failure::Failure;
use crate::package::{Cutoff, SiteName};
use crate::site::{Entry, Error, Generation, Keeping, Note, Place, Read};

/// Arguments of `envy generations`.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES, group = clap::ArgGroup::new("removing").multiple(true).args(["keep", "older_than"]))]
pub struct Args {
    /// The site
    site: SiteName,
    /// Remove all but so many of the newest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
    /// Remove those that were made longer ago, such as `30d`, or before a date
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Cutoff>,
    /// With `--keep` or `--older-than`: say what would be removed, and remove nothing
    #[arg(long, requires = "removing")]
    dry_run: bool,
    /// Never remove this generation
    #[arg(long, value_name = "N")]
    pin: Vec<u64>,
    /// Allow again to remove it
    #[arg(long, value_name = "N")]
    unpin: Vec<u64>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

const NOTES: &str = "\
With both `--keep` and `--older-than`, those go that neither keeps. The generation that is current is never removed, nor
are those that are pinned.";

fn age(text: &str) -> Result<Cutoff, String> {
    Cutoff::parse(text).map_err(|error| error.to_string())
}

/// Show the generations of a site, oldest first, and the one that is current; before that, remove some, or pin them.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let project = context.project()?;
    project.site(&args.site)?;
    let place = project.place(&args.site);
    if args.removes() && !args.dry_run || !args.pin.is_empty() || !args.unpin.is_empty() {
        let _held = place.hold(context.globals.patience(), context.ui)?;
        if !args.pin.is_empty() || !args.unpin.is_empty() {
            place.pin(&args.pin, &args.unpin)?;
        }
        if args.removes() && !args.dry_run {
            return removed(context, &place, args);
        }
    }
    if args.removes() {
        return foretold(context, &place, args);
    }
    show(context, &place, args)
}

impl Args {
    fn removes(&self) -> bool {
        self.keep.is_some() || self.older_than.is_some()
    }

    fn keeping(&self) -> Keeping {
        let since = self.older_than.as_ref().map(|age| age.at(Timestamp::now()));
        Keeping { newest: self.keep.and_then(|number| usize::try_from(number).ok()), since }
    }
}

/// Remove what nothing keeps. The caller holds the site.
fn removed(context: &Context<'_>, place: &Place, args: &Args) -> Result<(), Failure> {
    let numbers = remove(place, &args.keeping())?;
    tell_removed(context, place, args, "removed", &numbers);
    Ok(())
}

fn foretold(context: &Context<'_>, place: &Place, args: &Args) -> Result<(), Failure> {
    let numbers = place.superfluous(&args.keeping())?;
    tell_removed(context, place, args, "would remove", &numbers);
    Ok(())
}

fn tell_removed(context: &Context<'_>, place: &Place, args: &Args, verb: &str, numbers: &[u64]) {
    if args.json {
        let site = place.site().as_str();
        let document = serde_json::json!({
            "schema": "envy.generations-removed/1", "site": site, "dry-run": args.dry_run, "removed": numbers,
        });
        context.ui.json(&document);
    } else if numbers.is_empty() {
        context.ui.done("unchanged", format!("site `{}` keeps all of its generations", place.site()));
    } else {
        let listed: Vec<_> = numbers.iter().map(ToString::to_string).collect();
        let count = crate::ui::count(numbers.len(), "generation");
        context.ui.done(verb, format!("{count} of site `{}`: {}", place.site(), listed.join(", ")));
    }
}

/// Remove the generations of a site that nothing keeps. The caller holds the site.
pub(super) fn remove(place: &Place, keeping: &Keeping) -> Result<Vec<u64>, Failure> {
    let numbers = place.superfluous(keeping)?;
    for number in &numbers {
        place.remove_generation(*number)?;
    }
    Ok(numbers)
}

/// After a switch, remove what the project's settings do not keep. The one that was shown before stays.
pub(super) fn tidy(context: &Context<'_>, project: &Project, place: &Place) -> Result<(), Failure> {
    let Some(newest) = project.manifest.keep_generations() else { return Ok(()) };
    let (keeping, before) = (Keeping { newest: Some(newest), since: None }, place.before_current().ok());
    let numbers = place.superfluous(&keeping)?;
    let numbers: Vec<_> = numbers.into_iter().filter(|number| Some(*number) != before).collect();
    for number in &numbers {
        place.remove_generation(*number)?;
    }
    if !numbers.is_empty() {
        let count = crate::ui::count(numbers.len(), "generation");
        context.ui.detail(format!("{count} removed, by `keep-generations` in `envy.toml`"));
    }
    Ok(())
}

/// What is known of the generations of a site beside themselves.
struct Known {
    current: Option<u64>,
    pinned: BTreeSet<u64>,
    /// How each first became current, or was refused.
    first: BTreeMap<u64, Entry>,
}

fn show(context: &Context<'_>, place: &Place, args: &Args) -> Result<(), Failure> {
    let mut first = BTreeMap::new();
    for entry in place.lines()? {
        first.entry(entry.to).or_insert(entry);
    }
    let known = Known { current: place.current_number(), pinned: place.pinned()?, first };
    let generations = place.generations_read()?;
    if args.json {
        let document = |(number, read): &Read| match read {
            Ok(generation) => known.document(generation),
            Err(error) => known.damaged(*number, error),
        };
        let list: Vec<_> = generations.iter().map(document).collect();
        context.ui.json(
            &serde_json::json!({ "schema": "envy.generations/1", "site": args.site.as_str(), "generations": list }),
        );
        return Ok(());
    }
    if generations.is_empty() {
        context.ui.note(format!("site `{0}` has no generation yet; run `envy build {0}`", args.site));
    }
    let text = |(number, read): &Read| match (read, context.globals.verbose) {
        (Ok(generation), true) => known.line(generation) + &known.details(generation),
        (Ok(generation), false) => known.line(generation),
        (Err(error), _) => format!("{} {number:>3}  {error}\n", known.mark(*number)),
    };
    context.ui.result(&generations.iter().map(text).collect::<String>());
    Ok(())
}

impl Known {
    /// Who made a generation, and why. Older ones do not say it themselves.
    fn note<'n>(&'n self, generation: &'n Generation) -> &'n Note {
        let of_history = self.first.get(&generation.number).map(|entry| &entry.note);
        of_history.filter(|_| generation.note.by.is_none()).unwrap_or(&generation.note)
    }

    /// What stands before the number of a generation.
    fn mark(&self, number: u64) -> &'static str {
        if self.current == Some(number) { "*" } else { " " }
    }

    /// One that cannot be read.
    fn damaged(&self, number: u64, error: &Error) -> serde_json::Value {
        serde_json::json!({
            "number": number,
            "current": self.current == Some(number),
            "pinned": self.pinned.contains(&number),
            "error": error.to_string(),
        })
    }

    fn line(&self, generation: &Generation) -> String {
        let number = generation.number;
        let mark = self.mark(number);
        let names: Vec<_> =
            generation.packages.iter().map(|member| format!("{} {}", member.name, member.version)).collect();
        let packages = if names.is_empty() { "empty".to_owned() } else { names.join(", ") };
        let note = self.note(generation);
        let by = note.by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
        let commit = note.commit.as_deref().and_then(|commit| commit.get(..12));
        let dirty = if note.dirty == Some(true) { "+" } else { "" };
        let commit = commit.map(|commit| format!(" at {commit}{dirty}")).unwrap_or_default();
        let from = generation.promoted.as_ref();
        let from = from.map(|it| format!(" from {} {}", it.site, it.generation)).unwrap_or_default();
        let pinned = if self.pinned.contains(&number) { " (pinned)" } else { "" };
        let why = note.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
        let prefix = generation.prefix.short();
        format!("{mark} {number:>3}  {}{by}{commit}  {prefix}…  {packages}{from}{pinned}{why}\n", generation.created)
    }

    /// What there is to know beyond its line.
    fn details(&self, generation: &Generation) -> String {
        let note = self.note(generation);
        let dirty = if note.dirty == Some(true) { ", with changes that are not in it" } else { "" };
        let lines = [
            Some(format!("prefix   {}", generation.prefix)),
            Some(format!("lockfile {}", generation.lockfile)),
            Some(format!("config   {}", generation.config)),
            note.commit.as_ref().map(|commit| format!("commit   {commit}{dirty}")),
            note.host.as_ref().map(|host| format!("host     {host}")),
        ];
        lines.into_iter().flatten().map(|line| format!("       {line}\n")).collect()
    }

    fn document(&self, generation: &Generation) -> serde_json::Value {
        let mut document = serde_json::to_value(generation).expect("a generation is plain data");
        let fields = document.as_object_mut().expect("a generation is an object");
        fields.remove("schema");
        fields.insert("current".to_owned(), (self.current == Some(generation.number)).into());
        fields.insert("pinned".to_owned(), self.pinned.contains(&generation.number).into());
        let note = serde_json::to_value(self.note(generation)).expect("a note is plain data");
        fields.extend(note.as_object().cloned().unwrap_or_default());
        document
    }
}
