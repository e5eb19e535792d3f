//! `envy outdated`

use super::context::Context;
use super::locking::cutoffs;
use super::project::Project;
use super::{LockMode, for_each};
use crate::failure::Failure;
use crate::index::{SiteIndex, fixed};
use crate::lock::{Lockfile, Package, Pin, Toolchain, Wish, Wishes, places};
use crate::manifest::{GitReference, Site, Source};
use crate::package::{PackageId, SiteName, Version};
use crate::resolve::{Candidate, Hidden};
use crate::source::Sources;

/// Arguments of `envy outdated`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The sites [default: all]
    sites: Vec<SiteName>,
    /// End with exit code 1 if anything is outdated
    #[arg(long)]
    exit_code: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What there is of a package beside what is locked. Nothing where a newer version is neither here nor hidden.
struct Row {
    id: PackageId,
    /// What an update would take.
    update: Option<String>,
    /// What is beyond what is asked for.
    latest: Option<Version>,
    /// The highest version that cannot be chosen.
    hidden: Option<(Version, Hidden)>,
}

impl Row {
    fn is_outdated(&self) -> bool {
        self.update.is_some() || self.latest.is_some() || self.hidden.is_some()
    }
}

/// Ask every source for what is newer than what is locked.
pub fn run(context: &Context<'_>, args: &Args) -> Result<u8, Failure> {
    let project = context.project()?;
    let sites = project.sites(&args.sites)?;
    let rows = context.with_sources(&project, LockMode::default(), |sources| {
        let _busy = context.ui.busy("asking for newer versions".to_owned());
        for_each(&sites, |site| look(context, &project, site, sources))
    })?;
    let seen: Vec<_> = sites.iter().zip(rows).collect();
    match args.json {
        true => {
            let sites: Vec<_> = seen.iter().map(|(site, rows)| document(&site.name, rows)).collect();
            context.ui.json(&serde_json::json!({ "schema": "envy.outdated/1", "sites": sites }));
        }
        false => seen.iter().for_each(|(site, rows)| tell(context, &site.name, rows)),
    }
    Ok(u8::from(args.exit_code && seen.iter().any(|(_, rows)| !rows.is_empty())))
}

fn look(context: &Context<'_>, project: &Project, site: &Site, sources: &Sources<'_>) -> Result<Vec<Row>, Failure> {
    let locked = project.locked(&site.name)?.ok_or_else(|| Failure::not_locked(&site.name))?.lockfile;
    let wishes = project.wishes(context, site, Some(&locked))?;
    let versions = locked.packages.iter().map(|(name, package)| (name.clone(), package.id.version.clone())).collect();
    let rust = locked.toolchain.as_ref().and_then(Toolchain::version);
    let places = places(&wishes, Some(&locked), None);
    let index = SiteIndex::new(sources, places, &versions, rust, cutoffs(&wishes), context.ui);
    index.prefetch()?;
    rows(&locked, &wishes, &index, sources)
}

fn rows(
    locked: &Lockfile,
    wishes: &Wishes,
    index: &SiteIndex<'_, '_>,
    sources: &Sources<'_>,
) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for (name, package) in &locked.packages {
        let Some(wish) = wishes.packages().get(name) else { continue };
        let row = match &wish.source {
            Source::Git { reference: GitReference::Versions, .. } | Source::Crate { .. } | Source::Recipe { .. } => {
                row(package, wish, &index.candidates(name)?.unwrap_or_default())
            }
            Source::Git { url, reference: reference @ (GitReference::Default | GitReference::Branch(_)), .. } => {
                moved(package, url, reference, sources)?
            }
            // What is where somebody wrote it has the one version that it has there. A tag that moved is not followed.
            Source::Git { .. }
            | Source::Archive(_)
            | Source::Path { .. }
            | Source::Carried { .. }
            | Source::Nothing => continue,
        };
        rows.extend(Some(row).filter(Row::is_outdated));
    }
    Ok(rows)
}

fn row(package: &Package, wish: &Wish, candidates: &[Candidate]) -> Row {
    let locked = &package.id.version;
    let newer = || candidates.iter().filter(|one| one.version > *locked);
    let fits = |version: &Version| wish.requirements.iter().all(|asked| asked.versions.matches(version));
    let is_stable = |version: &Version| version.pre.is_empty() || !locked.pre.is_empty();
    let visible = || newer().filter(|one| one.hidden.is_none()).map(|one| &one.version);
    let update = visible().filter(|version| fits(version)).max();
    let latest = visible().filter(|version| is_stable(version)).max().filter(|latest| Some(*latest) > update);
    let hidden = newer().filter(|one| is_stable(&one.version) && one.hidden.is_some()).max_by_key(|one| &one.version);
    let above = |one: &&Candidate| Some(&one.version) > update.max(latest);
    let hidden = hidden.filter(above).and_then(|one| Some((one.version.clone(), one.hidden.clone()?)));
    Row { id: package.id.clone(), update: update.map(ToString::to_string), latest: latest.cloned(), hidden }
}

/// A branch, which may be another commit now.
fn moved(package: &Package, url: &str, reference: &GitReference, sources: &Sources<'_>) -> Result<Row, Failure> {
    let none = Row { id: package.id.clone(), update: None, latest: None, hidden: None };
    let (Some(reference), Pin::Git { commit, .. }) = (fixed(reference), &package.pin) else { return Ok(none) };
    let now = sources.git().resolve(url, &reference).map_err(crate::source::Error::from)?;
    let update = (now != *commit).then(|| format!("commit {}", now.short()));
    Ok(Row { update, ..none })
}

fn tell(context: &Context<'_>, site: &SiteName, rows: &[Row]) {
    if rows.is_empty() {
        return context.ui.done("up to date", format!("site `{site}`"));
    }
    let none = || "-".to_owned();
    let cells = |row: &Row| {
        let update = row.update.clone().unwrap_or_else(none);
        let latest = row.latest.as_ref().map_or_else(none, ToString::to_string);
        let hidden = row.hidden.as_ref().map(|(version, why)| format!("{version} {why}")).unwrap_or_default();
        [row.id.name.to_string(), row.id.version.to_string(), update, latest, hidden]
    };
    let titles = ["package", "locked", "update", "beyond", "passed over"].map(str::to_owned);
    let lines: Vec<_> = std::iter::once(titles).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..4).map(width).collect();
    let mut text = format!("{site}\n");
    for cells in &lines {
        let aligned: String = cells.iter().zip(&widths).map(|(cell, width)| format!("  {cell:<width$}")).collect();
        text.push_str(format!("{aligned}  {}", cells[4]).trim_end());
        text.push('\n');
    }
    context.ui.result(&text);
}

fn document(site: &SiteName, rows: &[Row]) -> serde_json::Value {
    let package = |row: &Row| {
        let hidden = row.hidden.as_ref();
        serde_json::json!({
            "name": row.id.name.as_str(),
            "locked": row.id.version.to_string(),
            "update": row.update,
            "beyond": row.latest.as_ref().map(ToString::to_string),
            "hidden": hidden.map(|(version, why)| serde_json::json!({ "version": version.to_string(), "why": why.to_string() })),
        })
    };
    serde_json::json!({ "site": site.as_str(), "packages": rows.iter().map(package).collect::<Vec<_>>() })
}
