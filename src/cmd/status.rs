//! `envy status`

use super::LockMode;
use super::context::Context;
use super::project::{Project, config};
use super::vouching::{Vouching, unvouched};
use crate::failure::{Exit, Failure};
use crate::lock::Lockfile;
use crate::manifest::Site;
use crate::package::{PackageId, SiteName};
use crate::site::{Config, Generation, Place, differences, stale_scripts};

/// Arguments of `envy status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The sites [default: all]
    sites: Vec<SiteName>,
    /// End with 2 where a site is not what its lockfile says, or its lockfile not what envy.toml asks for
    #[arg(long)]
    exit_code: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// How the manifest, the lockfile and the directory of a site agree.
pub(super) struct State {
    pub site: SiteName,
    /// The number of the generation that it shows, whether or not that can be read.
    pub number: Option<u64>,
    /// What it shows. Of a place that is another project's, nothing is known.
    pub generation: Option<Generation>,
    pub foreign: bool,
    pub packages: usize,
    pub held: bool,
    pub lockfile: &'static str,
    /// Every way in which they do not agree.
    pub drifts: Vec<String>,
    /// Locked versions that were taken back since, as far as it is known here.
    pub yanked: Vec<PackageId>,
}

impl State {
    /// The state in a word.
    pub fn word(&self) -> &'static str {
        match (self.number, self.drifts.is_empty()) {
            _ if self.foreign => "foreign",
            (None, _) => "not built",
            _ if self.held => "held",
            (Some(_), true) => "current",
            (Some(_), false) => "drifted",
        }
    }

    /// Whether a build would find nothing to do. A site that somebody holds is where it should be.
    pub fn is_converged(&self) -> bool {
        self.generation.is_some() && self.drifts.is_empty()
    }

    /// The state as data.
    pub fn to_json(&self) -> serde_json::Value {
        let generation = self.generation.as_ref();
        serde_json::json!({
            "site": self.site.as_str(),
            "state": self.word(),
            "generation": self.number,
            "prefix": generation.map(|generation| generation.prefix.to_string()),
            "packages": self.packages,
            "converged": self.is_converged(),
            "held": self.held,
            "lockfile": self.lockfile,
            "drift": self.drifts,
            "yanked": self.yanked.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }
}

/// Look at a site.
pub(super) fn state(context: &Context<'_>, project: &Project, site: &Site) -> Result<State, Failure> {
    let place = project.place(&site.name);
    let locked = project.locked(&site.name)?;
    let mut drifts = Vec::new();
    let foreign = place.require_ours().err();
    let shown = if foreign.is_some() { Ok(None) } else { place.current() };
    let (number, generation) = match shown {
        Ok(current) => (current.as_ref().map(|current| current.number), current),
        Err(error) => {
            drifts.push(format!("{error}; `envy verify {} --repair` makes a new one", site.name));
            (place.current_number(), None)
        }
    };
    if foreign.is_none()
        && let (Some(leads), Some(lost)) = (place.current_number(), place.lost_current()?)
    {
        drifts.push(format!("`current` leads to generation {leads}, which is not there, and not to {lost}"));
    }
    drifts.extend(foreign.iter().map(ToString::to_string));
    let foreign = foreign.is_some();
    let mut lockfile = "missing";
    let mut held = false;
    let mut rendered = None;
    if let Some(locked) = &locked {
        let stale;
        (lockfile, stale) = compared(context, project, site, &locked.lockfile)?;
        drifts.extend(stale);
        if lockfile == "current" {
            // What cannot be rendered is told where files are compared.
            rendered = Some(project.config(site, &locked.lockfile));
        }
        let config = rendered.iter().flatten().next().map(Config::digest);
        held = !foreign && place.is_held(locked.digest(), config)?;
        if generation.as_ref().is_some_and(|generation| generation.lockfile != locked.digest()) && !held {
            drifts.push("the lockfile is not the one that the current generation was built from".to_owned());
        }
    } else {
        drifts.push("there is no lockfile".to_owned());
    }
    if let Some(generation) = &generation {
        if place.awaits_after_switch() {
            drifts.push(format!("what is run after the switch to generation {} has not ended", generation.number));
        }
        let stale = stale_scripts(&place, generation);
        let number = generation.number;
        drifts.extend(stale.iter().map(|(name, _)| format!("`{name}` is not that of generation {number}")));
        let wanted = config(site);
        // What a held site is held back from is no drift.
        if !held && (&generation.env, &generation.vars) != (&wanted.env, &wanted.vars) {
            drifts.push("variables changed in `envy.toml`".to_owned());
        }
        if let Some(locked) = locked.as_ref().filter(|one| lockfile == "current" && one.digest() == generation.lockfile)
        {
            drifts.extend(other_content(context, project, site, &locked.lockfile, generation)?);
        }
        match &rendered {
            Some(Ok(config)) => drifts.extend(changed_files(&place, generation, config, held)),
            Some(Err(failure)) => {
                let why = failure.facts.first().map(|fact| format!(": {fact}")).unwrap_or_default();
                drifts.push(format!("{}{why}", failure.outcome));
            }
            None => {}
        }
        let store = context.store()?;
        if !store.has_prefix(generation.prefix)? {
            drifts.push("the prefix of the current generation is not in the store".to_owned());
        } else if !place.links_into(generation, &store.prefix_path(generation.prefix)) {
            drifts.push("the current generation leads elsewhere than into the store".to_owned());
        }
    }
    let packages = generation.as_ref().map_or(0, |generation| generation.packages.len());
    let site = site.name.clone();
    Ok(State { site, number, generation, foreign, packages, held, lockfile, drifts, yanked: Vec::new() })
}

/// What of a generation is not what the project has now, though its lockfile is the same.
fn other_content(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    lockfile: &Lockfile,
    generation: &Generation,
) -> Result<Vec<String>, Failure> {
    let changed = project.changed_directories(context, site, lockfile, generation)?;
    let changed = changed.iter().map(|name| format!("the directory of `{name}` has changed"));
    let unvouched = match Vouching::of(project, false) {
        Vouching::Any => Vec::new(),
        Vouching::Recorded => unvouched(lockfile, generation),
    };
    let unvouched =
        unvouched.iter().map(|id| format!("{id} is not what the lockfile records, and `require-outputs` is set"));
    Ok(changed.chain(unvouched).collect())
}

/// Whether a lockfile is what is asked for, in a word, and how it is not.
fn compared(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    lockfile: &Lockfile,
) -> Result<(&'static str, Vec<String>), Failure> {
    match project.compare(context, site, lockfile) {
        Ok((_, drifts)) if drifts.is_empty() => Ok(("current", Vec::new())),
        Ok((_, drifts)) => Ok(("stale", drifts.iter().map(ToString::to_string).collect())),
        // Without the recipes nobody knows. Whatever builds brings them.
        Err(failure) if failure.exit == Exit::Offline => {
            let missing = failure.facts.into_iter();
            Ok((
                "unknown",
                missing.map(|what| format!("{what} are not here; `envy fetch {}` brings them", site.name)).collect(),
            ))
        }
        Err(failure) => Err(failure),
    }
}

/// How the files of a generation differ from what they would be now, and from what they were when it was made.
fn changed_files(place: &Place, generation: &Generation, config: &Config, held: bool) -> Vec<String> {
    let differ = if held { Vec::new() } else { differences(&generation.files, &config.files.shown()) };
    let differ = differ.into_iter().map(|(path, how)| format!("file `{path}` {how}"));
    let edited = place.edited_files(generation).into_iter();
    let number = generation.number;
    differ.chain(edited.map(|path| format!("file `{path}` of generation {number} was changed by hand"))).collect()
}

/// The locked crates of a site that were yanked, as the copies of the indexes have it that are here: nobody is asked.
fn yanked(context: &Context<'_>, project: &Project, site: &Site) -> Result<Vec<PackageId>, Failure> {
    let Some(locked) = project.locked(&site.name)? else { return Ok(Vec::new()) };
    let registry = |source: &str| source.strip_prefix("registry+").map(str::to_owned);
    let packages = locked.lockfile.packages.values();
    let crates: Vec<_> = packages.filter_map(|one| Some((&one.id, registry(&one.source)?))).collect();
    if crates.is_empty() {
        return Ok(Vec::new());
    }
    context.with_sources(project, LockMode::default(), |sources| {
        let is_yanked = |(id, registry): &(&PackageId, String)| {
            let versions = sources.registry(Some(registry)).ok()?.versions(std::slice::from_ref(&id.name)).ok()?;
            let versions = versions.get(&id.name)?.as_ref()?;
            Some(versions.iter().any(|one| one.version == id.version && one.yanked))
        };
        // What there is no copy of is not known to be yanked.
        Ok(crates.iter().filter(|one| is_yanked(one) == Some(true)).map(|(id, _)| (*id).clone()).collect())
    })
}

/// Say how manifest, lockfiles and sites agree, and what mends what does not. Nobody is asked for anything.
pub fn run(context: &Context<'_>, args: &Args) -> Result<u8, Failure> {
    context.freeze();
    let project = context.project()?;
    let sites = project.sites(&args.sites)?;
    let look = |site: &&Site| {
        // Only a hint: where it cannot be had, a build is what says why.
        let yanked = yanked(context, &project, site).unwrap_or_default();
        Ok(State { yanked, ..state(context, &project, site)? })
    };
    let states = sites.iter().map(look).collect::<Result<Vec<_>, Failure>>()?;
    let converged = states.iter().all(State::is_converged);
    if args.json {
        let sites: Vec<_> = states.iter().map(State::to_json).collect();
        context.ui.json(&serde_json::json!({ "schema": "envy.status/1", "converged": converged, "sites": sites }));
    } else {
        context.ui.result(&states.iter().map(describe).collect::<String>());
    }
    // As those have it who ask such programs in turn: 0 is as it should be, 1 is a failure, 2 is something to do.
    Ok(if args.exit_code && !converged { 2 } else { 0 })
}

fn describe(state: &State) -> String {
    let mut text = match state.number {
        Some(number) => format!("{}: generation {number}, {}\n", state.site, state.word()),
        None => format!("{}: {}\n", state.site, state.word()),
    };
    for member in state.generation.iter().flat_map(|generation| &generation.packages) {
        text.push_str(&format!("  {} {} ({})\n", member.name, member.version, member.origin));
    }
    for drift in &state.drifts {
        text.push_str(&format!("  ! {drift}\n"));
    }
    for id in &state.yanked {
        text.push_str(&format!("  {id} was yanked after it was locked; `envy update {}` moves it\n", id.name));
    }
    let site = &state.site;
    match state.word() {
        "held" => text.push_str(&format!("  `envy build {site} --switch` moves it to what the lockfile says\n")),
        "foreign" => {
            text.push_str("  give the site another name, or sites another place: `--sites-dir` or `ENVY_SITES`\n");
        }
        "not built" | "drifted" => text.push_str(&format!("  `envy build {site}` mends it\n")),
        _ => {}
    }
    text
}
