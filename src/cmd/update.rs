//! `envy update`

use std::str::FromStr;

use super::context::Context;
use super::lock;
use super::locking::{Moves, require_known};
use crate::failure::Failure;
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
    let mut project = context.project()?;
    let _held = project.hold(context)?;
    let sites = project.sites(args.site.as_slice())?;
    if args.packages.is_empty() {
        return lock::write(context, &project, &sites, &Moves::All);
    }
    let wishes = sites.iter().map(|site| {
        let locked = project.locked(&site.name)?;
        project.wishes(context, site, locked.as_ref().map(|locked| &locked.lockfile))
    });
    let wishes = wishes.collect::<Result<Vec<_>, _>>()?;
    require_known(&wishes, args.packages.iter().map(|moving| moving.name.clone()))?;
    let moving = || args.packages.iter().map(|moving| (moving.name.clone(), moving.version.clone()));
    let asks = |(at, _): &(usize, &&crate::manifest::Site)| {
        moving().any(|(name, _)| wishes[*at].packages().contains_key(&name))
    };
    let concerned: Vec<_> = sites.iter().enumerate().filter(asks).map(|(_, site)| *site).collect();
    lock::write(context, &project, &concerned, &Moves::These(moving().collect()))
}
