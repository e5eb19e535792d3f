//! `envy tree`

use super::context::Context;
use crate::failure::Failure;
use crate::lock::{Lockfile, Pin, Wish};
use crate::manifest::Site;
use crate::package::SiteName;
use crate::platform::Platform;

/// Arguments of `envy tree`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The sites [default: all]
    sites: Vec<SiteName>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Show what sites consist of, as they are locked.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let project = context.project()?;
    let mut documents = Vec::new();
    for site in project.sites(&args.sites)? {
        let locked = project.locked(&site.name)?.ok_or_else(|| Failure::not_locked(&site.name))?;
        let wishes = project.wishes(context, site, Some(&locked.lockfile))?;
        let packages = wishes.packages();
        match args.json {
            true => documents.push(document(site, &locked.lockfile, packages)),
            false => context.ui.result(&drawn(site, &locked.lockfile, packages)),
        }
    }
    if args.json {
        context.ui.json(&serde_json::json!({ "schema": "envy.tree/1", "sites": documents }));
    }
    Ok(())
}

type Wishes = std::collections::BTreeMap<crate::package::PackageName, Wish>;

/// Params that were chosen, in words.
fn params(wish: Option<&Wish>) -> Vec<(String, serde_json::Value)> {
    let Some(wish) = wish else { return Vec::new() };
    wish.recipe.chosen(&wish.params).map(|(name, value)| (name.to_owned(), value.to_json())).collect()
}

fn drawn(site: &Site, lockfile: &Lockfile, wishes: &Wishes) -> String {
    let mut text = format!("{}{}\n", site.name, if lockfile.packages.is_empty() { " (empty)" } else { "" });
    let last = lockfile.packages.len();
    for (index, (name, package)) in lockfile.packages.iter().enumerate() {
        let branch = if index + 1 == last { "└──" } else { "├──" };
        let chosen: String = params(wishes.get(name)).iter().map(|(name, value)| format!(" {name}={value}")).collect();
        let built = match lockfile.outputs(name, Platform::host()).next() {
            _ if !package.pin.is_fixed() => " (unpinned)",
            Some(_) => "",
            None => " (not built)",
        };
        text.push_str(&format!("{branch} {} {}{chosen}{built}\n", package.id, package.source));
    }
    text
}

fn document(site: &Site, lockfile: &Lockfile, wishes: &Wishes) -> serde_json::Value {
    let package = |(name, package): (&crate::package::PackageName, &crate::lock::Package)| {
        let required_by: Vec<_> = wishes
            .get(name)
            .into_iter()
            .flat_map(|wish| &wish.requirements)
            .map(|one| format!("{} {}", one.by, one.versions))
            .collect();
        let outputs: Vec<_> = package.outputs.iter().map(|output| {
            serde_json::json!({ "platform": output.platform.to_string(), "action": output.action.to_string(), "tree": output.tree.to_string() })
        }).collect();
        serde_json::json!({
            "name": name.as_str(),
            "version": package.id.version.to_string(),
            "source": package.source,
            "archive": package.pin.archive(Platform::host()).map(|unpacked| unpacked.archive.to_string()),
            "commit": commit(&package.pin),
            "pinned": package.pin.is_fixed(),
            "params": params(wishes.get(name)).into_iter().collect::<serde_json::Map<_, _>>(),
            "required-by": required_by,
            "outputs": outputs,
        })
    };
    serde_json::json!({ "site": site.name.as_str(), "packages": lockfile.packages.iter().map(package).collect::<Vec<_>>() })
}

fn commit(pin: &Pin) -> Option<String> {
    match pin {
        Pin::Git { commit, .. } => Some(commit.to_string()),
        Pin::Crate(_) | Pin::Archive(_) | Pin::Archives(_) | Pin::Path | Pin::Nothing => None,
    }
}
