//! Healing what is wrong with a site: of what the store has, else of what a locked build makes again.

use std::collections::{BTreeMap, HashMap};

use super::super::assembling::{Order, Recording, assemble};
use super::super::build::{Unrecorded, Wish, bring};
use super::super::context::Context;
use super::super::passing::Gating;
use super::super::project::Project;
use super::super::showing::{Manner, Showing};
use super::super::vouching::Vouching;
use super::super::{Jobs, LockMode};
use super::findings::{Details, Findings, Where, look};
use crate::build::Origin;
use crate::digest::TextDigest;
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::lock::Lockfile;
use crate::manifest::Site;
use crate::site::Generation;
use crate::store::Memory;

/// What something was healed from; or why it could not be.
type Healed = Result<&'static str, String>;

const STORE: &str = "from the store";
const RECORDED: &str = "from the outputs that the lockfile records";
const BUILD: &str = "by building it again";
const COPY: &str = "from the copy that the generation has";
const AGAIN: &str = "by making the generation's directory again";
const NEW: &str = "by a new generation";
const HISTORY: &str = "from the history";
const REST: &str = "from what is left";

/// Put right what is wrong, and look at everything again.
pub fn repair(context: &Context<'_>, project: &Project, site: &Site, before: Findings) -> Result<Findings, Failure> {
    let mending = Mending { context, project, site };
    let (mut how, mut why_not) = (HashMap::new(), Vec::new());
    // A generation's links lead into its prefix, so that comes first; and what is shown is whole by then.
    let places = [Where::Lockfile, Where::Prefix, Where::Generation, Where::Site];
    for place in places.into_iter().filter(|place| before.is_wrong(*place)) {
        match mending.mend(place, &before) {
            Ok(Ok(from)) => drop(how.insert(place, from)),
            Ok(Err(reason)) => why_not.push(reason),
            Err(failure) if failure.exit == Exit::Locked => return Err(failure),
            // The others may be healed all the same, and none of them is forgotten over it.
            Err(failure) => {
                why_not.push(failure.outcome);
                why_not.extend(failure.facts.into_iter().chain(failure.causes).map(|fact| format!("  {fact}")));
            }
        }
    }
    let current = project.place(&site.name).current_number().filter(|_| before.is_current);
    let now = current.unwrap_or(before.generation);
    let after = look(context, project, site, Some(now), false)?;
    Ok(joined(before, after, &how, why_not))
}

/// What was found before and after, as one: what is no longer wrong was healed.
fn joined(before: Findings, after: Findings, how: &HashMap<Where, &'static str>, why_not: Vec<String>) -> Findings {
    let same_generation = before.generation == after.generation;
    let is_left = |place, path: &str| {
        same_generation && after.found.iter().any(|one| one.place == place && one.flaw.path == path)
    };
    let mut found = before.found;
    found.retain(|one| !is_left(one.place, &one.flaw.path));
    for one in &mut found {
        one.healed = how.get(&one.place).or_else(|| how.values().next()).copied();
    }
    found.extend(after.found);
    Findings { found, why_not, ..after }
}

/// What healing needs.
struct Mending<'a> {
    context: &'a Context<'a>,
    project: &'a Project,
    site: &'a Site,
}

impl Mending<'_> {
    fn mend(&self, place: Where, before: &Findings) -> Result<Healed, Failure> {
        match place {
            Where::Lockfile => self.lockfile(before),
            Where::Prefix => self.prefix(before),
            Where::Generation => self.generation(before),
            Where::Site => self.current(),
        }
    }

    /// Show again what the site showed last, unless it shows something by now; and let the history tell of it.
    fn current(&self) -> Result<Healed, Failure> {
        let place = self.project.place(&self.site.name);
        let _held = place.hold(self.context.globals.patience(), self.context.ui)?;
        if let Some(number) = place.lost_current()? {
            place.show_again(number)?;
        }
        if place.examine_history()?.is_none() {
            return Ok(Ok(HISTORY));
        }
        let note = self.project.note(Some("what the history told before is lost".to_owned()));
        place.mend_history(place.current().ok().flatten().as_ref(), note)?;
        Ok(Ok(REST))
    }

    /// Put back the text that the generation was made from.
    fn lockfile(&self, before: &Findings) -> Result<Healed, Failure> {
        let Some(Details { generation, .. }) = &before.details else { return Ok(Err(String::new())) };
        let Some(text) = self.lockfile_of(generation)? else { return Ok(Err(no_lockfile(generation))) };
        let mut project = self.context.project()?;
        let _held = project.hold(self.context)?;
        disk::write_atomic(&project.root.join(Lockfile::relative_path(&self.site.name)), text.as_bytes())?;
        Ok(Ok(COPY))
    }

    /// Make the prefix anew, of what the store has or of what can be built.
    fn prefix(&self, before: &Findings) -> Result<Healed, Failure> {
        let Some(Details { generation, examined }) = &before.details else { return Ok(Err(String::new())) };
        let store = self.context.store()?;
        Memory::forget(&store.memory_of(generation.prefix, &self.context.cache()?))?;
        if let Some(tree) = store.mend(generation.prefix, examined)? {
            store.remake(&tree)?;
            return Ok(Ok(STORE));
        }
        for member in &generation.packages {
            store.remove_damaged(member.tree)?;
        }
        self.build(generation)
    }

    /// Build what a generation was made from, and make its prefix of that.
    fn build(&self, generation: &Generation) -> Result<Healed, Failure> {
        let Self { context, project, site } = *self;
        let number = generation.number;
        let Some(text) = self.lockfile_of(generation)? else { return Ok(Err(no_lockfile(generation))) };
        let lockfile = Lockfile::parse(&Lockfile::relative_path(&site.name), &text)?;
        let (wishes, drifts) = project.compare(context, site, &lockfile)?;
        if wishes.is_none() || !drifts.is_empty() {
            return Ok(Err(format!(
                "the store lacks files of generation {number}, and `envy.toml` asks for others than it was made of"
            )));
        }
        let generated = BTreeMap::new();
        // The generation itself says what has to come out.
        let (vouching, recording, jobs) = (Vouching::Any, Recording::Off, Jobs::default());
        let order = Order { lockfile: &lockfile, generated: &generated, recording, vouching, jobs };
        let assembled = context.with_sources(project, LockMode::default(), |sources| {
            assemble(context, project, site, &order, sources).map_err(|failure| {
                failure.fact("the store does not have the damaged files whole, so they have to be built")
            })
        })?;
        let made = assembled.tree.digest();
        if made != generation.prefix {
            let expected = generation.prefix;
            return Ok(Err(format!("what was built again is {made}, while generation {number} had {expected}")));
        }
        context.store()?.remake(&assembled.tree)?;
        // They were in the store, or a cache had them.
        let were_there = assembled.members.iter().all(|member| member.origin == Origin::Recorded.word());
        Ok(Ok(if were_there { RECORDED } else { BUILD }))
    }

    /// Make the generation's directory anew; or, where nobody knows what was in it, another generation.
    fn generation(&self, before: &Findings) -> Result<Healed, Failure> {
        let Self { context, project, site } = *self;
        let place = project.place(&site.name);
        let Some(Details { generation, .. }) = &before.details else {
            if !before.is_current {
                let number = before.generation;
                return Ok(Err(format!("nothing tells any more what generation {number} was made of")));
            }
            let message = "in the place of a generation that was damaged".to_owned();
            let manner = Manner::of_build(Showing::Always, Gating::On, Some(message));
            let (mode, vouching) = (LockMode::default(), Vouching::of(project, false));
            let wish = Wish {
                mode,
                locked: true,
                unrecorded: Unrecorded::Leave,
                vouching,
                manner: &manner,
                jobs: Jobs::default(),
            };
            bring(context, project, site, &wish)?.told()?;
            return Ok(Ok(NEW));
        };
        let store = context.store()?;
        if !store.has_prefix(generation.prefix)? {
            return Ok(Err(format!("there is no prefix for generation {} to link to", generation.number)));
        }
        let Some(text) = self.lockfile_of(generation)? else { return Ok(Err(no_lockfile(generation))) };
        let lockfile = Lockfile::parse(&Lockfile::relative_path(&site.name), &text)?;
        // Where templates cannot be rendered, files may still be whole as they lie there.
        let rendered = project.config(site, &lockfile).map(|config| config.files).unwrap_or_default();
        let _held = place.hold(context.globals.patience(), context.ui)?;
        let lost = place.restore(generation, &store.prefix_path(generation.prefix), &text, &rendered)?;
        match &lost[..] {
            [] => Ok(Ok(AGAIN)),
            lost => Ok(Err(format!("`{}` is no longer rendered as it was", lost.join("`, `")))),
        }
    }

    /// The text of the lockfile that a generation was made from: a generation's copy, or the project's own.
    fn lockfile_of(&self, generation: &Generation) -> Result<Option<String>, Failure> {
        if let Some(text) = self.project.place(&self.site.name).lockfile_of(generation.lockfile)? {
            return Ok(Some(text));
        }
        let path = self.project.root.join(Lockfile::relative_path(&self.site.name));
        let bytes = disk::read_if_exists(&path)?.unwrap_or_default();
        let is_it = TextDigest::of(&bytes) == generation.lockfile;
        Ok(String::from_utf8(bytes).ok().filter(|_| is_it))
    }
}

fn no_lockfile(generation: &Generation) -> String {
    format!("the lockfile that generation {} was made from is nowhere to be found whole", generation.number)
}
