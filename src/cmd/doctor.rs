//! `envy doctor`

mod builds;
mod distribution;
mod finding;
mod places;
mod programs;
mod settings;

use self::distribution::Distribution;
use self::finding::{Finding, Level};
use super::context::Context;
use super::project::Project;
use crate::build::{Host, Planned, plan};
use crate::failure::{Exit, Failure};
use crate::lock::{Lockfile, Wishes};
use crate::manifest::Site;
use crate::package::{PackageName, SiteName};
use crate::platform::Platform;
use crate::ui::count;

/// Arguments of `envy doctor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The sites [default: all]
    sites: Vec<SiteName>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What a site needs of the host.
struct Subject<'a> {
    site: &'a Site,
    lockfile: Option<Lockfile>,
    wishes: Wishes,
    /// The packages that would have to be built here.
    to_make: Vec<PackageName>,
}

/// Say whether this host is fit, and all that it lacks.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let project = match args.sites.is_empty() {
        true => context.project_if_any()?,
        false => Some(context.project()?),
    };
    let (host, distribution) = (Host::look(), Distribution::look());
    let mut findings = vec![platform(project.as_ref())];
    let mut subjects = Vec::new();
    if let Some(project) = &project {
        for site in project.sites(&args.sites)? {
            match subject(context, project, site) {
                Ok(subject) => subjects.push(subject),
                // Other commands say so too; the rest of the host can be looked at all the same.
                Err(failure) => findings.push(Finding::unknown(&site.name, &failure)),
            }
        }
    }
    findings.extend(builds::toolchain(&subjects, project.is_some()));
    findings.extend(builds::tools(&subjects, &distribution));
    findings.extend(builds::sandbox(project.as_ref(), &distribution));
    for subject in &subjects {
        findings.extend(programs::look(context.store()?, subject, &host, &distribution)?);
    }
    findings.extend(places::look(context, project.as_ref())?);
    findings.extend(settings::look(context, project.as_ref(), &subjects)?);
    tell(context, args, &findings, &distribution)
}

fn platform(project: Option<&Project>) -> Finding {
    let host = Platform::host();
    let Some(project) = project else { return Finding::ok("platform", host.to_string()) };
    if project.manifest.platforms().contains(&host) {
        return Finding::ok("platform", host.to_string());
    }
    let named: Vec<_> = project.manifest.platforms().iter().map(ToString::to_string).collect();
    Finding::missing("platform", format!("this host is {host}, and the project is for {}", named.join(", ")))
        .hint(format!("add \"{host}\" to `platforms` in `envy.toml` and run `envy lock`"))
}

fn subject<'a>(context: &Context<'_>, project: &Project, site: &'a Site) -> Result<Subject<'a>, Failure> {
    let (store, host) = (context.store()?, Platform::host());
    let lockfile = project.locked(&site.name)?.map(|locked| locked.lockfile);
    let wishes = project.wishes(context, site, lockfile.as_ref())?;
    let to_make = match &lockfile {
        Some(lockfile) => {
            let plan = plan(lockfile, wishes.installed(host), host, |tree| store.whole_tree(tree).ok().flatten());
            let made = |planned: &&Planned| planned.step == crate::build::Step::Make;
            plan.packages.iter().filter(made).map(|planned| planned.id.name.clone()).collect()
        }
        // Nothing was built yet.
        None => wishes.installed(host).cloned().collect(),
    };
    Ok(Subject { site, lockfile, wishes, to_make })
}

fn tell(context: &Context<'_>, args: &Args, findings: &[Finding], distribution: &Distribution) -> Result<(), Failure> {
    let missing: Vec<_> = findings.iter().filter(|finding| finding.level == Level::Missing).collect();
    if args.json {
        context.ui.json(&serde_json::json!({
            "schema": "envy.doctor/1",
            "platform": Platform::host().to_string(),
            "distribution": distribution.name(),
            "fit": missing.is_empty(),
            "install": distribution.command(&packages(&missing)),
            "findings": findings.iter().map(Finding::document).collect::<Vec<_>>(),
        }));
    } else {
        context.ui.result(&findings.iter().map(Finding::line).collect::<String>());
    }
    if missing.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(Exit::Host, format!("this host lacks {}", count(missing.len(), "thing")));
    failure.facts = missing.iter().map(|finding| format!("{}: {}", finding.about, finding.text)).collect();
    failure.hints.extend(distribution.command(&packages(&missing)).map(|command| format!("run `{command}`")));
    for hint in missing.iter().filter_map(|finding| finding.hint.clone()) {
        if !failure.hints.contains(&hint) {
            failure.hints.push(hint);
        }
    }
    Err(failure)
}

fn packages(missing: &[&Finding]) -> Vec<String> {
    let mut packages: Vec<_> = missing.iter().flat_map(|finding| finding.packages.iter().cloned()).collect();
    packages.sort();
    packages.dedup();
    packages
}
