//! `envy gc`

mod presence;
mod roots;
mod size;
mod telling;

use std::path::PathBuf;
use std::time::Duration;

use self::roots::Survey;
pub(super) use self::telling::{document_of, text};
use super::context::{Context, absolute};
use crate::failure::{Exit, Failure};
use crate::store::Store;
use crate::store::collect::{Collection, Policy, Reasons};

/// How long what nobody needs any more is kept, in days, where nobody says.
pub(super) const KEEP_DAYS: u32 = 14;

/// Arguments of `envy gc`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Keep what was made or used in so many days
    #[arg(long, value_name = "N", default_value_t = KEEP_DAYS, value_parser = clap::value_parser!(u32).range(..=36_500))]
    keep_days: u32,
    /// Go on until the store takes no more than this, as in `5G`, with what was not used for the longest time; what
    /// generations show is kept
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    max_size: Option<u64>,
    /// Say why the things are kept whose digest begins so, and remove nothing
    #[arg(long, value_name = "DIGEST", conflicts_with_all = ["max_size", "dry_run", "forget"])]
    why: Option<String>,
    /// Forget a site whose directory is gone for good, though it looks as if it might come back
    #[arg(long, value_name = "DIR")]
    forget: Vec<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Remove from the store what no site needs and nothing used of late.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    if let Some(digest) = &args.why {
        return telling::why(context, args, digest, &reasons(context, &digit_text(digest)?, args.keep_days)?);
    }
    let store = context.store()?;
    let policy = Policy { keep: days(args.keep_days), largest: args.max_size };
    let forget = args.forget.iter().cloned().map(absolute).collect::<Result<Vec<_>, _>>()?;
    // Nobody else collects meanwhile, or forgets a site.
    let collecting = match args.dry_run {
        true => None,
        false => Some(store.hold_collecting(context.globals.patience(), context.ui)?),
    };
    let since = store.quiet_before()?;
    let survey = Survey::of(store, &forget)?;
    survey.require_all_known()?;
    let busy = context.ui.busy(format!("looking through {}", store.root().display()));
    let collection = match &collecting {
        None => store.foretell_collection(since, &survey.roots, policy)?,
        Some(collecting) => {
            survey.gone.iter().try_for_each(|site| store.remove_root(site))?;
            let patience = context.globals.patience();
            store.collect(collecting, since, &survey.roots, policy, patience, context.ui)?
        }
    };
    drop(busy);
    telling::collection(context, args, &survey, &collection);
    tell_of_too_large(context, args, store, &collection);
    Ok(())
}

fn days(count: u32) -> Duration {
    Duration::from_secs(u64::from(count) * 24 * 60 * 60)
}

/// Why the things are kept whose digest begins with these digits.
pub(super) fn reasons(context: &Context<'_>, digits: &str, keep_days: u32) -> Result<Vec<Reasons>, Failure> {
    let store = context.store()?;
    let since = store.quiet_before()?;
    let survey = Survey::of(store, &[])?;
    survey.require_all_known()?;
    let _busy = context.ui.busy(format!("looking through {}", store.root().display()));
    Ok(store.reasons(digits, since, &survey.roots, Policy { keep: days(keep_days), largest: None })?)
}

fn tell_of_too_large(context: &Context<'_>, args: &Args, store: &Store, collection: &Collection) {
    let kept = collection.kept_bytes();
    if args.max_size.is_some_and(|largest| kept > largest) {
        let size = crate::ui::bytes(kept);
        context.ui.note(format!(
            "`{}` cannot be as small as that: {size} are what generations show, or what running processes use",
            store.root().display()
        ));
        context.ui.detail("the list above says what each site costs; `envy delete` and older generations free more");
    }
}

/// The digits that a digest begins with.
fn digit_text(text: &str) -> Result<String, Failure> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text).trim_end_matches('…').to_ascii_lowercase();
    let fine = (4..=64).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let wrong = || {
        Failure::new(Exit::Usage, format!("`{text}` is not the beginning of a digest"))
            .hint("write at least four of its hexadecimal digits, with `sha256:` before them or without")
    };
    if fine { Ok(digits) } else { Err(wrong()) }
}
