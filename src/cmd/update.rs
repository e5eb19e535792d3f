//! `envy update`

use std::collections::BTreeMap;
use std::str::FromStr;

use super::context::Context;
use super::lock;
use super::locking::{self, Moves, require_known};
use super::options::Resolution;
use crate::failure::Failure;
use crate::lock::Wishes;
use crate::package::{PackageName, SiteName, Version};

/// Arguments of `envy update`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Packages to move: NAME, or NAME@VERSION for that very version [default: all]
    #[arg(value_name = "NAME[@VERSION]")]
    packages: Vec<Moving>,
    /// In this site alone
    #[arg(long, value_name = "SITE")]
    site: Option<SiteName>,
    /// Move what these packages need, too
    #[arg(long, requires = "packages")]
    recursive: bool,
    /// Say what would move, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Which of the versions that fit is taken
    #[arg(long, value_name = "STRATEGY", default_value = "highest", conflicts_with = "packages")]
    resolution: Resolution,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug)]
struct Moving {
    name: PackageName,
    version: Option<Version>,
}

impl FromStr for Moving {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, version) = text.split_once('@').map_or((text, None), |(name, version)| (name, Some(version)));
        let name = name.parse().map_err(|error: crate::package::ParseNameError| error.to_string())?;
        let version = version.map(|text| text.parse().map_err(|error| format!("`{text}` is not a version: {error}")));
        Ok(Self { name, version: version.transpose()? })
    }
}

/// Move locked versions to the highest that the manifest allows.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let moved = update(context, args)?;
    if args.json {
        let mut document = locking::of_sites("envy.update/1", moved);
        document["dry-run"] = args.dry_run.into();
        context.ui.json(&document);
    }
    Ok(())
}

fn update(context: &Context<'_>, args: &Args) -> Result<Vec<serde_json::Value>, Failure> {
    let mut project = context.project()?;
    let _held = project.hold(context)?;
    let sites = project.sites(args.site.as_slice())?;
    let write = if args.dry_run { lock::foretell } else { lock::write };
    if args.packages.is_empty() {
        return write(context, &project, &sites, &Moves::All(args.resolution.into()));
    }
    let wishes = sites.iter().map(|site| {
        let locked = project.locked(&site.name)?;
        project.wishes(context, site, locked.as_ref().map(|locked| &locked.lockfile))
    });
    let wishes = wishes.collect::<Result<Vec<_>, _>>()?;
    require_known(&wishes, args.packages.iter().map(|moving| moving.name.clone()))?;
    let named = || args.packages.iter().map(|moving| (moving.name.clone(), moving.version.clone()));
    let asks = |(at, _): &(usize, &&crate::manifest::Site)| {
        named().any(|(name, _)| wishes[*at].packages().contains_key(&name))
    };
    let concerned: Vec<_> = sites.iter().enumerate().filter(asks).map(|(_, site)| *site).collect();
    let mut moving: BTreeMap<_, _> = match args.recursive {
        true => wishes.iter().flat_map(|wishes| needed(wishes, named().map(|(name, _)| name))).collect(),
        false => BTreeMap::new(),
    };
    moving.extend(named());
    write(context, &project, &concerned, &Moves::These(moving))
}

/// Whatever packages need, and what that needs in turn, free to move.
fn needed(wishes: &Wishes, of: impl Iterator<Item = PackageName>) -> BTreeMap<PackageName, Option<Version>> {
    let (mut open, mut all): (Vec<_>, _) = (of.collect(), BTreeMap::new());
    while let Some(name) = open.pop() {
        let needs = wishes.packages().get(&name).into_iter().flat_map(|wish| &wish.needs);
        open.extend(needs.map(|((_, needed), _)| needed).filter(|needed| !all.contains_key(*needed)).cloned());
        all.insert(name, None);
    }
    all
}
