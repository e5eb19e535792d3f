//! `envy verify`

mod findings;
mod lockfile;
mod rebuild;
mod repair;

use std::collections::BTreeMap;

use self::findings::{Findings, Found};
use self::rebuild::Rebuilt;
use super::Jobs;
use super::context::Context;
use super::project::Project;
use crate::failure::{Exit, Failure};
use crate::manifest::Site;
use crate::package::{PackageName, SiteName};
use crate::ui::{bytes, count};

/// Arguments of `envy verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The sites [default: all]
    sites: Vec<SiteName>,
    /// Verify this generation, instead of the current one
    #[arg(long, value_name = "N")]
    generation: Option<u64>,
    /// Mend what is damaged: of what the store has, else by building again what the lockfile pins
    #[arg(long)]
    repair: bool,
    /// Read only what was touched since it was last verified, by inode, size and times
    #[arg(long)]
    quick: bool,
    /// Build these packages again, or all that are installed, and compare what comes out bit by bit
    #[arg(long, value_name = "NAME", num_args = 0.., conflicts_with_all = ["quick", "repair", "generation"])]
    rebuild: Option<Vec<PackageName>>,
    #[command(flatten)]
    jobs: Jobs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// How much is told of what is wrong. The JSON document has all of it.
const MOST: usize = 50;

/// Compare every file of sites with what was recorded when it was built.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    if args.rebuild.is_none() && args.jobs.asked().is_some() {
        let failure = Failure::new(Exit::Usage, "`--jobs` is for `--rebuild`, and nothing else is built with it");
        return Err(failure.hint("add `--rebuild`, or leave it out"));
    }
    let project = context.project()?;
    let sites = chosen(context, &project, args)?;
    let (mut all, mut remade) = (Vec::new(), BTreeMap::new());
    for site in sites {
        let mut findings = findings::look(context, &project, site, args.generation, args.quick)?;
        if args.repair && !findings.found.is_empty() {
            findings = repair::repair(context, &project, site, findings)?;
        }
        tell(context, &findings);
        if let Some(names) = &args.rebuild {
            findings.rebuilt = rebuild::rebuild(context, &project, site, names, args.jobs, &mut remade)?;
            tell_rebuilt(context, &findings);
        }
        all.push(findings);
    }
    if args.json {
        let sites: Vec<_> = all.iter().map(Findings::to_json).collect();
        context.ui.json(&serde_json::json!({ "schema": "envy.verify/1", "sites": sites }));
    }
    failure(&all, args.repair).map_or(Ok(()), Err)
}

/// The sites that are asked for. One that is not built is nothing to verify; whoever names it is told.
fn chosen<'p>(context: &Context<'_>, project: &'p Project, args: &Args) -> Result<Vec<&'p Site>, Failure> {
    let sites = project.sites(&args.sites)?;
    if args.generation.is_some() && sites.len() != 1 {
        let failure = Failure::new(Exit::Usage, "a generation is one of one site");
        return Err(failure.hint("name the site: `envy verify SITE --generation N`"));
    }
    sites.iter().try_for_each(|site| project.place(&site.name).require_ours())?;
    if !args.sites.is_empty() {
        return Ok(sites);
    }
    let mut built = Vec::new();
    for site in sites {
        let place = project.place(&site.name);
        // One whose link to what it shows is gone was built, and that is what is wrong with it.
        if place.current_number().is_some() || place.lost_current()?.is_some() {
            built.push(site);
        } else {
            context.ui.note(format!("site `{}` is not built", site.name));
        }
    }
    Ok(built)
}

/// Say that a site is right, or what was wrong with it and is no longer.
fn tell(context: &Context<'_>, findings: &Findings) {
    for found in findings.healed().take(MOST) {
        let how = found.healed.unwrap_or_default();
        context.ui.done("healed", format!("{} {how} ({})", found.shown, found.flaw.kind));
    }
    let more = findings.healed().count().saturating_sub(MOST);
    if more > 0 {
        context.ui.detail(format!("and {more} more"));
    }
    for note in &findings.notes {
        context.ui.note(note);
    }
    if findings.left().next().is_some() {
        return;
    }
    let (files, read) = (count(findings.files, "file"), bytes(findings.read));
    let generation = findings.generation;
    context.ui.done("verified", format!("site `{}`: generation {generation}, {files}, {read} read", findings.site));
}

/// Say what came out the same.
fn tell_rebuilt(context: &Context<'_>, findings: &Findings) {
    for rebuilt in findings.rebuilt.iter().filter(|rebuilt| rebuilt.is_same()) {
        context.ui.done("the same", format!("{}, bit by bit", rebuilt.id));
    }
}

/// The failure that tells what is wrong.
fn failure(all: &[Findings], repaired: bool) -> Option<Failure> {
    let damage = damage(all, repaired);
    let other: Vec<_> = all.iter().flat_map(|findings| &findings.rebuilt).filter(|one| !one.is_same()).collect();
    if other.is_empty() {
        return damage;
    }
    let outcome = match &other[..] {
        [only] if only.is_reproduced() => format!("`{}` is not what the site shows", only.id),
        [only] => format!("`{}` is not reproducible", only.id),
        all => format!("{} packages are not reproducible", all.len()),
    };
    let failure = damage.unwrap_or_else(|| Failure::new(Exit::Verification, outcome));
    let causes: Vec<_> = other.iter().flat_map(|rebuilt| rebuilt.causes()).collect();
    Some(failure.facts(other.iter().flat_map(|rebuilt| rebuilt.facts())).advice(causes))
}

/// The failure that tells what is damaged and was not healed.
fn damage(all: &[Findings], repaired: bool) -> Option<Failure> {
    let wrong: Vec<_> = all.iter().filter(|findings| findings.left().next().is_some()).collect();
    let first = wrong.first()?;
    let number: usize = wrong.iter().map(|findings| findings.left().count()).sum();
    let outcome = match &wrong[..] {
        [only] if number == 1 => format!("1 thing in site `{}` is not what it should be", only.site),
        [only] => format!("{number} things in site `{}` are not what they should be", only.site),
        sites => format!("{number} things in {} sites are not what they should be", sites.len()),
    };
    let mut failure = Failure::new(Exit::Verification, outcome);
    for findings in &wrong {
        if wrong.len() > 1 {
            failure.facts.push(format!("site `{}`, generation {}", findings.site, findings.generation));
        }
        for found in findings.left().take(MOST) {
            let flaw = &found.flaw;
            failure.facts.push(format!("{} {}", flaw.kind, found.shown));
            failure.facts.push(format!("  expected {}", flaw.expected));
            failure.facts.push(format!("  found    {}", flaw.found));
        }
        let more = findings.left().count().saturating_sub(MOST);
        if more > 0 {
            failure.facts.push(format!("and {more} more, which `--json` names"));
        }
        failure.facts.extend(findings.why_not.iter().cloned());
    }
    let site = &first.site;
    let hint = match (repaired, first.is_current) {
        (false, true) => format!("run `envy verify {site} --repair`"),
        (false, false) => format!("run `envy verify {site} --generation {} --repair`", first.generation),
        (true, true) => format!("run `envy build {site}`, which makes a new generation of what the lockfile pins"),
        (true, false) => format!("run `envy generations {site}` to see the others"),
    };
    Some(failure.hint(hint))
}

impl Findings {
    /// What is wrong, and how it was put right where it was.
    fn to_json(&self) -> serde_json::Value {
        let flaw = |found: &Found| {
            serde_json::json!({
                "in": found.place.word(),
                "path": found.flaw.path,
                "kind": found.flaw.kind.word(),
                "expected": found.flaw.expected,
                "found": found.flaw.found,
                "healed": found.healed,
            })
        };
        serde_json::json!({
            "site": self.site.as_str(),
            "generation": self.generation,
            "prefix": self.prefix.map(|prefix| prefix.to_string()),
            "files": self.files,
            "read": self.read,
            "flaws": self.found.iter().map(flaw).collect::<Vec<_>>(),
            "rebuilt": self.rebuilt.iter().map(Rebuilt::to_json).collect::<Vec<_>>(),
        })
    }
}
