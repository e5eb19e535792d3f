//! What vouches for the bytes of a site: outputs that its lockfile records.

use std::collections::BTreeMap;

use super::context::Context;
use super::project::Project;
use crate::build::{Built, Plan, Step, differing};
use crate::failure::{Exit, Failure};
use crate::lock::{Lockfile, Package};
use crate::manifest::Site;
use crate::package::PackageName;
use crate::platform::Platform;
use crate::site::{Generation, Member};

/// What may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vouching {
    /// Whatever was built of what is pinned.
    Any,
    /// Only what the lockfile records.
    Recorded,
}

impl Vouching {
    /// What a project wants, or whoever typed the command.
    pub fn of(project: &Project, asked: bool) -> Self {
        if asked || project.manifest.require_outputs() { Self::Recorded } else { Self::Any }
    }

    /// The same, or what a project wants by now.
    pub fn or_of(self, project: &Project) -> Self {
        Self::of(project, self == Self::Recorded)
    }

    /// Whether the lockfile vouches for all of a generation, as far as that matters.
    pub fn allows(self, lockfile: &Lockfile, generation: &Generation) -> bool {
        self == Self::Any || unvouched(lockfile, generation).is_empty()
    }

    /// Refuse a plan that would build what no output is recorded of, before anything is built.
    pub fn require_recorded(self, site: &Site, lockfile: &Lockfile, plan: &Plan) -> Result<(), Failure> {
        if self == Self::Any {
            return Ok(());
        }
        let to_make = plan.packages.iter().filter(|planned| planned.installed && planned.step == Step::Make);
        let packages = to_make.filter_map(|planned| lockfile.packages.get(&planned.id.name));
        let unrecorded =
            packages.filter(|package| lockfile.outputs(&package.id.name, Platform::host()).next().is_none());
        let unrecorded: Vec<_> = unrecorded.collect();
        fail(site, unrecorded.iter().copied().map(without_output).collect(), what_helps(&unrecorded, false))
    }

    /// Where a host cannot build, it can still have what is recorded: that is not here, and it may not have anything else.
    pub fn or_bring(self, site: &Site, plan: &Plan, failure: Failure) -> Failure {
        if self == Self::Any || failure.exit != Exit::Host {
            return failure;
        }
        let missing = plan.packages.iter().filter(|planned| planned.installed && planned.step == Step::Make);
        let missing = missing.map(|planned| format!("what the lockfile records of {} is not here", planned.id));
        let lack = std::iter::once(format!("to build it here: {}", failure.outcome));
        let facts = missing.chain(lack).chain(failure.facts.into_iter().map(|fact| format!("  {fact}")));
        let have = format!(
            "bring it here: `envy pull {0}` from a cache, or `envy import` of what `envy bundle {0}` wrote",
            site.name
        );
        let mut vouched = Failure::new(Exit::Verification, outcome(site)).facts(facts).hint(have);
        vouched.causes = failure.causes;
        vouched.hints.extend(failure.hints.into_iter().map(|hint| format!("or build the same here: {hint}")));
        vouched
    }

    /// Refuse outputs that the lockfile does not record.
    pub fn require_vouched(
        self,
        context: &Context<'_>,
        site: &Site,
        lockfile: &Lockfile,
        outputs: &BTreeMap<PackageName, Built>,
    ) -> Result<(), Failure> {
        if self == Self::Any {
            return Ok(());
        }
        let (mut facts, mut lacking, mut otherwise) = (Vec::new(), Vec::new(), false);
        for (name, built) in outputs {
            let recorded: Vec<_> = lockfile.outputs(name, Platform::host()).map(|output| output.tree).collect();
            let Some(first) = recorded.first().filter(|_| !recorded.contains(&built.tree.digest())) else {
                let package = lockfile.packages.get(name).filter(|_| recorded.is_empty());
                facts.extend(package.map(without_output));
                lacking.extend(package);
                continue;
            };
            otherwise = true;
            facts.push(format!("{} came out otherwise than the lockfile records", built.id));
            facts.extend(recorded.iter().map(|tree| format!("  recorded {tree}")));
            facts.push(format!("  made     {}", built.tree.digest()));
            let known = context.store()?.tree(*first)?;
            let files = known.map(|known| differing(&known, &built.tree)).unwrap_or_default();
            facts.extend(files.iter().map(|file| format!("  `{file}` differs")));
        }
        fail(site, facts, what_helps(&lacking, otherwise))
    }

    /// Refuse a generation with outputs that the lockfile does not record.
    pub fn require_generation(self, site: &Site, lockfile: &Lockfile, generation: &Generation) -> Result<(), Failure> {
        if self.allows(lockfile, generation) {
            return Ok(());
        }
        let (mut facts, mut lacking, mut otherwise) = (Vec::new(), Vec::new(), false);
        for member in not_vouched_for(lockfile, generation) {
            let name: Option<PackageName> = member.name.parse().ok();
            let recorded = name.iter().flat_map(|name| lockfile.outputs(name, Platform::host()));
            let recorded: Vec<_> = recorded.map(|output| format!("  recorded {}", output.tree)).collect();
            let package = name.as_ref().and_then(|name| lockfile.packages.get(name));
            match package.filter(|_| recorded.is_empty()) {
                Some(package) => {
                    facts.push(without_output(package));
                    lacking.push(package);
                }
                None => {
                    otherwise = true;
                    facts.push(format!("{} {} is otherwise than the lockfile records", member.name, member.version));
                    facts.extend(recorded);
                    facts.push(format!("  made     {}", member.tree));
                }
            }
        }
        fail(site, facts, what_helps(&lacking, otherwise))
    }
}

const RECORD: &str =
    "record them: run `envy build` without `--locked` on a host that fences builds, and commit the lockfile";
const BRING: &str = "build with the tools that made the recorded ones, or bring those here from where they are";
const NEVER: &str =
    "a site with a directory cannot require outputs: take that package from git, or leave `require-outputs` off";

/// What helps where packages have no output, or came out otherwise.
fn what_helps(lacking: &[&Package], otherwise: bool) -> &'static str {
    match otherwise {
        _ if lacking.iter().any(|package| !package.pin.is_fixed()) => NEVER,
        true => BRING,
        false => RECORD,
    }
}

/// The packages of a generation that a lockfile does not vouch for.
pub fn unvouched(lockfile: &Lockfile, generation: &Generation) -> Vec<String> {
    not_vouched_for(lockfile, generation).map(|member| format!("{} {}", member.name, member.version)).collect()
}

/// Whether a lockfile records all of a generation that can be recorded: what is made from a directory cannot.
pub fn is_recorded(lockfile: &Lockfile, generation: &Generation) -> bool {
    let is_fixed = |member: &Member| {
        let name: Option<PackageName> = member.name.parse().ok();
        name.and_then(|name| lockfile.packages.get(&name)).is_some_and(|package| package.pin.is_fixed())
    };
    let all_fixed = !generation.packages.is_empty() && generation.packages.iter().all(is_fixed);
    !not_vouched_for(lockfile, generation).any(is_fixed)
        && (!all_fixed || lockfile.prefixes.contains_key(&Platform::host()))
}

fn not_vouched_for<'g>(lockfile: &Lockfile, generation: &'g Generation) -> impl Iterator<Item = &'g Member> {
    let vouches = |name: &str, tree| {
        let name: Result<PackageName, _> = name.parse();
        name.is_ok_and(|name| lockfile.outputs(&name, Platform::host()).any(|output| output.tree == tree))
    };
    generation.packages.iter().filter(move |member| !vouches(&member.name, member.tree))
}

fn without_output(package: &Package) -> String {
    match package.pin.is_fixed() {
        true => format!("no output of {} is recorded for {}", package.id, Platform::host()),
        false => format!("{} is made from a directory, of which no output is ever recorded", package.id),
    }
}

fn fail(site: &Site, facts: Vec<String>, hint: &str) -> Result<(), Failure> {
    if facts.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Verification, outcome(site)).facts(facts).hint(hint))
}

fn outcome(site: &Site) -> String {
    format!("site `{}` may only have outputs that its lockfile records", site.name)
}
