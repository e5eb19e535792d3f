//! What is wrong with a site: its prefix, its generation, its lockfile.

use super::super::context::Context;
use super::super::project::Project;
use super::lockfile;
use super::rebuild::Rebuilt;
use crate::digest::TreeDigest;
use crate::disk;
use crate::failure::Failure;
use crate::lock::{Lockfile, outputs_digest};
use crate::manifest::Site;
use crate::package::{PackageName, SiteName};
use crate::platform::Platform;
use crate::site::{Error, Generation, Place};
use crate::store::{Examined, Flaw, FlawKind, Memory, Store};

/// Where something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Where {
    /// The files that were installed.
    Prefix,
    /// The directory of the generation.
    Generation,
    /// The directory of the site.
    Site,
    /// The project's lockfile.
    Lockfile,
}

impl Where {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::Generation => "generation",
            Self::Site => "site",
            Self::Lockfile => "lockfile",
        }
    }
}

/// Something that is wrong, and how it was put right.
pub struct Found {
    pub place: Where,
    /// Its path, for people.
    pub shown: String,
    pub flaw: Flaw,
    /// What it was healed from, once it is.
    pub healed: Option<&'static str>,
}

/// All that was found out about one site.
pub struct Findings {
    pub site: SiteName,
    /// The number of the generation that was looked at.
    pub generation: u64,
    pub is_current: bool,
    /// The digest of its prefix, if its description could be read.
    pub prefix: Option<TreeDigest>,
    pub files: usize,
    /// How many bytes were read.
    pub read: u64,
    pub found: Vec<Found>,
    /// What is worth saying, and not wrong.
    pub notes: Vec<String>,
    /// Why something was not healed.
    pub why_not: Vec<String>,
    /// What was built again.
    pub rebuilt: Vec<Rebuilt>,
    /// What repairing goes on from.
    pub details: Option<Details>,
}

/// What was looked at.
pub struct Details {
    pub generation: Generation,
    pub examined: Examined,
}

impl Findings {
    /// What was put right.
    pub fn healed(&self) -> impl Iterator<Item = &Found> {
        self.found.iter().filter(|found| found.healed.is_some())
    }

    /// What is still wrong.
    pub fn left(&self) -> impl Iterator<Item = &Found> {
        self.found.iter().filter(|found| found.healed.is_none())
    }

    /// Whether something is wrong there.
    pub fn is_wrong(&self, place: Where) -> bool {
        self.left().any(|found| found.place == place)
    }
}

/// Look at a generation of a site: the current one, or that of a number.
pub fn look(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    number: Option<u64>,
    quick: bool,
) -> Result<Findings, Failure> {
    let place = project.place(&site.name);
    let lost = place.lost_current()?;
    let current = lost.or_else(|| place.current_number());
    let number = number.or(current).ok_or_else(|| Error::NotBuilt(site.name.clone()))?;
    let busy = context.ui.busy(format!("verifying site {}", site.name));
    let mut findings = Findings {
        site: site.name.clone(),
        generation: number,
        is_current: current == Some(number),
        prefix: None,
        files: 0,
        read: 0,
        found: Vec::new(),
        notes: Vec::new(),
        why_not: Vec::new(),
        rebuilt: Vec::new(),
        details: None,
    };
    if lost == Some(number) {
        findings.add(Where::Site, [no_link(&place, number)]);
    }
    if findings.is_current {
        findings.add(Where::Site, place.examine_history()?);
    }
    let generation = match place.generation(number) {
        Ok(generation) => generation,
        // What the history tells of is gone with all that it was.
        Err(Error::NoGeneration { .. }) if lost == Some(number) => {
            findings.add(Where::Generation, [Flaw::missing("", "a generation that the site showed")]);
            return Ok(findings);
        }
        Err(error @ (Error::Malformed { .. } | Error::Damaged { .. } | Error::Undescribed { .. })) => {
            findings.add(Where::Generation, [description(&error)]);
            return Ok(findings);
        }
        Err(error) => return Err(error.into()),
    };
    let store = context.store()?;
    let examined = examine(store, &generation, &context.cache()?, quick)?;
    findings.prefix = Some(generation.prefix);
    (findings.files, findings.read) = (examined.files + generation.files.len(), examined.read);
    findings.add(Where::Prefix, examined.flaws.iter().cloned());
    findings.add(Where::Generation, recorded_otherwise(context, project, site, &generation)?);
    findings.add(Where::Generation, place.examine(&generation, &store.prefix_path(generation.prefix))?);
    let lockfile = lockfile::compare(context, project, site, &place, &generation)?;
    findings.notes.extend(lockfile.note.filter(|_| findings.is_current));
    findings.add(Where::Lockfile, lockfile.flaw);
    findings.details = Some(Details { generation, examined });
    drop(busy);
    Ok(findings)
}

impl Findings {
    fn add(&mut self, place: Where, flaws: impl IntoIterator<Item = Flaw>) {
        let (number, prefix) = (self.generation, self.prefix);
        let shown = |path: &str| match (place, prefix) {
            (Where::Prefix, Some(prefix)) if path.is_empty() => format!("the prefix `{}`", prefix.hex()),
            (Where::Generation, _) => format!("`generations/{number}/{path}`"),
            _ => format!("`{path}`"),
        };
        let found = |flaw: Flaw| Found { place, shown: shown(&flaw.path), flaw, healed: None };
        self.found.extend(flaws.into_iter().map(found));
    }
}

/// Read a generation's prefix back.
pub fn examine(
    store: &Store,
    generation: &Generation,
    cache: &std::path::Path,
    quick: bool,
) -> Result<Examined, Failure> {
    let file = store.memory_of(generation.prefix, cache);
    let memory = if quick { Memory::recall(file) } else { Memory::blank(file) };
    Ok(store.examine(generation.prefix, &memory)?)
}

/// The link to what a site shows is not there, or leads to nothing.
fn no_link(place: &Place, number: u64) -> Flaw {
    let expected = format!("a symlink to `generations/{number}`");
    match disk::read_link(&place.current_link()) {
        Some(found) => Flaw::new("current", FlawKind::Target, expected, format!("a symlink to `{}`", found.display())),
        None => Flaw::missing("current", expected),
    }
}

/// A description that is not as it was written.
fn description(error: &Error) -> Flaw {
    if let Error::Undescribed { .. } = error {
        return Flaw::missing("generation.json", "the description that was written");
    }
    let found = match std::error::Error::source(error) {
        Some(why) => format!("something that cannot be read: {why}"),
        None => "something else than its seal says".to_owned(),
    };
    Flaw::new("generation.json", FlawKind::Changed, "the description that was written", found)
}

/// Whether the lockfile that a generation was made from records another prefix for the very outputs that the generation has.
/// Of other outputs, such as another builder's, it may.
fn recorded_otherwise(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    generation: &Generation,
) -> Result<Option<Flaw>, Failure> {
    let Some(text) = project.place(&site.name).lockfile_of(generation.lockfile)? else { return Ok(None) };
    let Ok(lockfile) = Lockfile::parse(&Lockfile::relative_path(&site.name), &text) else { return Ok(None) };
    let recorded = generation.platform.parse().ok().and_then(|platform: Platform| lockfile.prefixes.get(&platform));
    let Some(recorded) = recorded.filter(|recorded| recorded.tree != generation.prefix) else { return Ok(None) };
    // Where the recipes cannot be read, nobody knows what is left out of the prefix.
    let Ok(wishes) = project.wishes(context, site, Some(&lockfile)) else { return Ok(None) };
    let outputs = generation.packages.iter().map(|member| Some((member.name.parse().ok()?, member.tree)));
    let Some(outputs) = outputs.collect::<Option<Vec<(PackageName, TreeDigest)>>>() else { return Ok(None) };
    let merged = outputs.iter().map(|(name, tree)| {
        let without = wishes.packages().get(name).map(|wish| wish.without.as_slice()).unwrap_or_default();
        (name, *tree, without)
    });
    let same_outputs = outputs_digest(merged) == recorded.outputs;
    let flaw = || {
        let (expected, found) = (recorded.tree.to_string(), generation.prefix.to_string());
        Flaw::new("generation.json", FlawKind::Changed, format!("prefix {expected}, as its lockfile records"), found)
    };
    Ok(same_outputs.then(flaw))
}
