//! `envy add`

use std::collections::BTreeMap;
use std::str::FromStr;

use super::committing::{Then, commit};
use super::context::Context;
use super::locking::Moves;
use super::project::Project;
use super::{Jobs, LockMode};
use crate::build::{Toolchain, Wanted};
use crate::failure::{Exit, Failure};
use crate::index::CrateIndex;
use crate::manifest::Param;
use crate::manifest::edit::{self, NewDependency, Where};
use crate::package::{PackageName, Requirement, SiteName, VersionReq};
use crate::resolve::{self, Conflict, Fact};

/// Arguments of `envy add`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Crates with programs: NAME, or NAME@VERSION
    #[arg(required = true, value_name = "REQ")]
    requirements: Vec<Wanting>,
    /// For this site alone, instead of for every site
    #[arg(long, value_name = "SITE")]
    site: Option<SiteName>,
    /// Switch on these features of the crates
    #[arg(short = 'F', long, value_name = "FEATURE", value_delimiter = ',')]
    features: Vec<String>,
    /// Leave the default feature of the crates off
    #[arg(long)]
    no_default_features: bool,
    /// Build these programs of the crates alone
    #[arg(long = "bin", value_name = "NAME")]
    bins: Vec<String>,
    /// Stop after locking
    #[arg(long)]
    no_build: bool,
    #[command(flatten)]
    jobs: Jobs,
}

/// A crate as it is asked for on the command line.
#[derive(Clone, Debug)]
struct Wanting {
    name: PackageName,
    versions: Option<String>,
}

impl FromStr for Wanting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, versions) = text.split_once('@').map_or((text, None), |(name, versions)| (name, Some(versions)));
        if let Some(versions) = versions {
            versions
                .parse::<VersionReq>()
                .map_err(|error| format!("`{versions}` is not a version or a range: {error}"))?;
        }
        let name = name.parse().map_err(|error: crate::package::ParseNameError| error.to_string())?;
        Ok(Self { name, versions: versions.map(str::to_owned) })
    }
}

/// Add requirements to the manifest, lock, build, and only then write it.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let mut project = context.project()?;
    let _held = project.hold(context)?;
    let table = match &args.site {
        Some(site) => Where::Site(&project.site(site)?.name),
        None => Where::Shared,
    };
    let mut text = project.text.clone();
    for (name, version) in versions(context, &project, &args.requirements)? {
        text = edit::add_dependency(&text, table, &name, &args.dependency(version))?;
    }
    let edited = project.edited(text)?;
    let sites = edited.sites(args.site.as_slice())?;
    let then = if args.no_build { Then::Lock } else { Then::Build };
    commit(context, &project, &edited, &sites, &Moves::Needed, then, args.jobs)?;
    if sites.is_empty() {
        context.ui.note("there is no site yet that would have it; run `envy create SITE`");
    }
    Ok(())
}

impl Args {
    fn dependency(&self, version: String) -> NewDependency {
        let mut params = BTreeMap::new();
        if self.no_default_features {
            params.insert("no-default-features".to_owned(), Param::Bool(true));
        }
        if !self.bins.is_empty() {
            params.insert("bins".to_owned(), Param::List(self.bins.clone()));
        }
        NewDependency { version, features: self.features.clone(), params }
    }
}

/// The versions to write: as asked for, or the highest that could be chosen now.
fn versions(
    context: &Context<'_>,
    project: &Project,
    wanted: &[Wanting],
) -> Result<Vec<(PackageName, String)>, Failure> {
    let open: Vec<_> = wanted.iter().filter(|one| one.versions.is_none()).map(|one| one.name.clone()).collect();
    let chosen = if open.is_empty() { BTreeMap::new() } else { highest(context, project, &open)? };
    let version = |one: &Wanting| one.versions.clone().unwrap_or_else(|| chosen[&one.name].to_string());
    Ok(wanted.iter().map(|one| (one.name.clone(), version(one))).collect())
}

fn highest(
    context: &Context<'_>,
    project: &Project,
    names: &[PackageName],
) -> Result<BTreeMap<PackageName, crate::package::Version>, Failure> {
    let toolchain = Toolchain::find(Wanted::Any(project.manifest.toolchain()))?;
    let nothing = BTreeMap::new();
    context.with_crates(project, LockMode::default(), |crates| {
        let _busy = context.ui.busy("asking crates.io");
        let index = CrateIndex::new(crates, &nothing, Some(toolchain.version));
        index.prefetch(names)?;
        let any = |name: &PackageName| Requirement {
            name: name.clone(),
            versions: VersionReq::STAR.into(),
            by: "`envy add`".to_owned(),
        };
        let requirements: Vec<_> = names.iter().map(any).collect();
        let solved = resolve::solve(&requirements, &nothing, &index)?;
        solved.map(|chosen| chosen.packages).map_err(|conflict| not_had(&conflict))
    })
}

/// Nothing that could be chosen has one of the names.
fn not_had(conflict: &Conflict) -> Failure {
    let mut failure = Failure::new(Exit::NoSolution, "there is no version that could be added");
    for fact in conflict.facts.iter().filter(|fact| !matches!(fact, Fact::Requires { .. })) {
        failure.facts.push(fact.to_string());
        match fact {
            Fact::Unknown { similar, .. } => {
                failure.hints.extend(
                    similar.first().map(|similar| format!("run `envy add {similar}` if that is what you mean")),
                );
            }
            Fact::PrereleasesOnly { name, highest } => failure.hints.push(format!("run `envy add {name}@{highest}`")),
            _ => {}
        }
    }
    failure
}
