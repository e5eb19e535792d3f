//! What `envy gc` says.

use std::fmt::Write as _;

use super::Args;
use super::roots::Survey;
use crate::cmd::context::Context;
use crate::failure::{Exit, Failure};
use crate::store::collect::{Amount, Collection, Grip, Kind, Reasons, Share};
use crate::ui::{bytes, count};

/// Say what was removed, or would be, and what each site costs.
pub fn collection(context: &Context<'_>, args: &Args, survey: &Survey, collection: &Collection) {
    survey.notes.iter().for_each(|note| context.ui.note(note));
    if args.json {
        context.ui.json(&document(context, args, survey, collection));
    } else {
        context.ui.result(&costs(survey, collection));
    }
    for site in &survey.gone {
        let verb = if args.dry_run { "would forget" } else { "forgot" };
        context.ui.done(verb, format!("`{}`, which is gone", site.display()));
    }
    let verb = if args.dry_run { "would free" } else { "freed" };
    context.ui.done(verb, format!("{}{}", bytes(collection.freed_bytes()), listed(&freed(collection))));
    let kept: Vec<_> =
        collection.kept.iter().rev().map(|(grip, amount)| kept(*grip, *amount, args.keep_days)).collect();
    context.ui.detail(format!("kept {}{}", bytes(collection.kept_bytes()), listed(&kept)));
}

fn listed(parts: &[String]) -> String {
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

fn freed(collection: &Collection) -> Vec<String> {
    collection.freed.iter().map(|(kind, amount)| numbered(*kind, amount.count)).collect()
}

fn numbered(kind: Kind, number: usize) -> String {
    match (kind, number) {
        (Kind::Prefix, 2..) => format!("{number} prefixes"),
        (kind, number) => count(number, kind.word()),
    }
}

fn kept(grip: Grip, amount: Amount, days: u32) -> String {
    let size = bytes(amount.bytes);
    match grip {
        Grip::Generation => format!("{size} by generations"),
        Grip::Busy => format!("{size} in use"),
        Grip::Lockfile => format!("{size} by lockfiles"),
        Grip::Recent => format!("{size} used in the last {}", count(usize::try_from(days).unwrap_or(0), "day")),
    }
}

/// What each site costs, the dearest first.
fn costs(survey: &Survey, collection: &Collection) -> String {
    let mut text = String::new();
    for (at, share) in by_cost(collection) {
        let (site, generations) = (survey.roots[at].site.display(), count(survey.generations[at], "generation"));
        let (all, alone) = (bytes(share.all), bytes(share.alone));
        writeln!(text, "{all:>10}  {alone:>10} alone  {site} ({generations})").expect("a string takes everything");
    }
    text
}

fn by_cost(collection: &Collection) -> Vec<(usize, Share)> {
    let mut shares: Vec<_> = collection.shares.iter().copied().enumerate().collect();
    shares.sort_by_key(|(at, share)| (std::cmp::Reverse((share.alone, share.all)), *at));
    shares
}

fn document(context: &Context<'_>, args: &Args, survey: &Survey, collection: &Collection) -> serde_json::Value {
    let amount = |amount: &Amount| serde_json::json!({ "count": amount.count, "bytes": amount.bytes });
    let sites = by_cost(collection).into_iter().map(|(at, share)| {
        serde_json::json!({
            "site": survey.roots[at].site.display().to_string(), "generations": survey.generations[at],
            "bytes": share.all, "bytes-alone": share.alone,
        })
    });
    let freed: serde_json::Map<_, _> =
        collection.freed.iter().map(|(kind, one)| (kind.directory().to_owned(), amount(one))).collect();
    let kept: serde_json::Map<_, _> =
        collection.kept.iter().map(|(grip, one)| (grip.word().to_owned(), amount(one))).collect();
    serde_json::json!({
        "schema": "envy.gc/1",
        "path": context.store().map(|store| store.root().display().to_string()).ok(),
        "dry-run": args.dry_run,
        "keep-days": args.keep_days,
        "sites": sites.collect::<Vec<_>>(),
        "forgotten": survey.gone.iter().map(|site| site.display().to_string()).collect::<Vec<_>>(),
        "freed-bytes": collection.freed_bytes(),
        "freed": freed,
        "kept-bytes": collection.kept_bytes(),
        "kept": kept,
    })
}

/// Say why things are kept.
pub fn why(context: &Context<'_>, args: &Args, digest: &str, reasons: &[Reasons]) -> Result<(), Failure> {
    let one = reasons.first().map(|first| &first.digest);
    if one.is_none() {
        return Err(Failure::new(Exit::Failed, format!("the store has nothing with the digest `{digest}`"))
            .hint("`envy generations` and lockfiles name digests; `envy store path` says where the store is"));
    }
    if reasons.iter().any(|reasons| Some(&reasons.digest) != one) {
        let each = reasons.iter().map(|reasons| format!("{} {}", reasons.kind.word(), reasons.digest)).take(12);
        return Err(Failure::new(Exit::Failed, format!("several digests begin with `{digest}`"))
            .facts(each)
            .hint("write more of its digits"));
    }
    if args.json {
        let reasons: Vec<_> = reasons.iter().map(document_of).collect();
        context.ui.json(&serde_json::json!({ "schema": "envy.gc-why/1", "found": reasons }));
        return Ok(());
    }
    context.ui.result(&reasons.iter().map(|reasons| text(reasons, args.keep_days)).collect::<String>());
    Ok(())
}

/// How many sites are told that lead to something.
const CHAINS: usize = 10;

/// The same of one thing, for people.
pub fn text(reasons: &Reasons, days: u32) -> String {
    let mut text = format!("{} {} ({})\n", reasons.kind.word(), reasons.digest, bytes(reasons.bytes));
    for chain in reasons.chains.iter().take(CHAINS) {
        text.push_str(&format!("  site `{}`\n    {}\n", chain.site.display(), chain.because));
        chain.steps.iter().for_each(|step| text.push_str(&format!("      {step}\n")));
    }
    if reasons.chains.len() > CHAINS {
        text.push_str(&format!("  and {} more sites\n", reasons.chains.len() - CHAINS));
    }
    let days = count(usize::try_from(days).unwrap_or(0), "day");
    let by_itself = match (reasons.grip, reasons.chains.is_empty()) {
        (None, _) => "nothing keeps it: `envy gc` removes it".to_owned(),
        (Some(Grip::Busy), true) => "no site needs it, but an envy that runs may use it".to_owned(),
        (Some(Grip::Recent), true) => format!("no site needs it, but it was made or used in the last {days}"),
        (Some(_), true) => "it says where something comes from that a site needs".to_owned(),
        (Some(_), false) => return text,
    };
    text.push_str(&format!("  {by_itself}\n"));
    reasons.recent.iter().flatten().for_each(|step| text.push_str(&format!("      {step}\n")));
    text
}

/// The same of one thing, as data.
pub fn document_of(reasons: &Reasons) -> serde_json::Value {
    let chain = |chain: &crate::store::collect::Chain| {
        let site = chain.site.display().to_string();
        serde_json::json!({ "site": site, "because": chain.because, "steps": chain.steps })
    };
    serde_json::json!({
        "kind": reasons.kind.word(),
        "digest": reasons.digest,
        "bytes": reasons.bytes,
        "idle-seconds": reasons.idle,
        "kept": reasons.grip.map(Grip::word),
        "sites": reasons.chains.iter().map(chain).collect::<Vec<_>>(),
        "through": reasons.recent,
    })
}
