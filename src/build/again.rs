//! Building what was built before once more, elsewhere: not looked up, and recorded nowhere.
//!
//! The second build has a copy of everything for itself, no call of the compiler that another build made, another number of
//! jobs, and a later time. What it gives goes into the store as files, and not as the result of its action.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::differing::{self, Circumstances, Differing};
use super::inputs::Inputs;
use super::jobs::Budget;
use super::run::{Copies, Runner};
use super::schedule::{Prepared, Site};
use super::{Builder, Built, Error, queue};
use crate::digest::{ActionDigest, TreeDigest};
use crate::disk;
use crate::package::{PackageId, PackageName};
use crate::progress::Event;
use crate::tree::Tree;

/// A package that was built again.
#[derive(Clone)]
pub struct Remade {
    /// The package.
    pub id: PackageId,
    /// The action that was run.
    pub action: ActionDigest,
    /// What it gave.
    pub tree: Tree,
    /// Digest of the files of a source that is not pinned.
    pub source: Option<TreeDigest>,
    /// How many jobs it ran at a time.
    pub jobs: usize,
}

/// Another number of jobs, to see whether that matters.
pub fn other_jobs(jobs: usize) -> usize {
    if jobs <= 1 { 2 } else { jobs / 2 }
}

impl Builder<'_, '_> {
    /// Build packages again, one after another, beside the outputs of all that they need; `told` hears of each. What an
    /// action gave is in `done`, by which it is not run for another site once more.
    pub fn again(
        &self,
        ids: &[&PackageId],
        outputs: &BTreeMap<PackageName, Built>,
        done: &mut BTreeMap<ActionDigest, Remade>,
        mut told: impl FnMut(Remade) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let site = self.open(ids)?;
        for inputs in self.inputs(ids)? {
            let inputs = queue::surrounded(inputs, outputs, self.supplies.lockfile)?;
            let prepared = site.prepare(&inputs)?;
            if let Some(remade) = done.get(&prepared.action) {
                told(Remade { id: inputs.id, ..remade.clone() })?;
                continue;
            }
            let package = inputs.id.to_string();
            self.progress.tell(Event::Building { package: &package });
            std::thread::sleep(self.until_later(prepared.action)?);
            let begun = Instant::now();
            let _place = site.fence.place(self.patience, self.progress)?;
            let tree = site.run_again(&inputs, &prepared, self.jobs)?;
            self.progress.tell(Event::Built { package: &package, seconds: begun.elapsed().as_secs_f64() });
            let (id, source) = (inputs.id.clone(), inputs.source.unpinned);
            let remade = Remade { id, action: prepared.action, tree, source, jobs: self.jobs };
            done.insert(prepared.action, remade.clone());
            told(remade)?;
        }
        Ok(())
    }

    /// How long it is until a build begins later than the one that gave a result ended, where that was just now.
    fn until_later(&self, action: ActionDigest) -> Result<Duration, Error> {
        let made = self.store.outcome(action)?.and_then(|outcome| outcome.provenance.made);
        Ok(made.map_or(Duration::ZERO, |made| until_later(&made.time, Timestamp::now())))
    }
}

/// How long it is from now until something begins later than what ended at a time in whole seconds, where that was just now.
/// Pure. Another host's clock may be ahead; nobody waits for that.
fn until_later(ended: &str, now: Timestamp) -> Duration {
    let Ok(ended) = ended.parse::<Timestamp>() else { return Duration::ZERO };
    match Duration::try_from(now.duration_since(ended)) {
        Ok(since) => LATER.saturating_sub(since),
        Err(_) => Duration::ZERO,
    }
}

/// Two builds that begin so long after each other see other times, also where they count in seconds.
const LATER: Duration = Duration::from_millis(1100);

impl Site<'_, '_> {
    /// Build once more what was just built, and refuse it where it comes out otherwise.
    pub(super) fn prove_again(
        &self,
        inputs: &Inputs<'_>,
        prepared: &Prepared,
        first: &Tree,
        begun: Instant,
    ) -> Result<(), Error> {
        std::thread::sleep(LATER.saturating_sub(begun.elapsed()));
        let (jobs, store) = (self.builder.jobs, self.builder.store);
        let second = self.run_again(inputs, prepared, other_jobs(jobs))?;
        let package = &inputs.id;
        if second.digest() == first.digest() {
            let text = format!("{package} came out the same twice, with {jobs} and {} jobs", other_jobs(jobs));
            self.builder.progress.tell(Event::Note(&text));
            return Ok(());
        }
        let circumstances = Circumstances { first_jobs: Some(jobs), second_jobs: other_jobs(jobs) };
        Err(Error::NotTheSameTwice {
            id: package.clone(),
            action: prepared.action,
            files: differing::differing(first, &second, store, circumstances)?,
        })
    }

    fn run_again(&self, inputs: &Inputs<'_>, prepared: &Prepared, jobs: usize) -> Result<Tree, Error> {
        let Builder { store, memo, .. } = *self.builder;
        let scratch = disk::temporary_directory_in(&store.temporary_directory()?)?;
        let runner = Runner {
            store,
            fence: &self.fence,
            toolchain: self.toolchain.as_ref().filter(|_| inputs.crates.is_some()),
            tools: &prepared.tools,
            copies: memo.copies(),
            budget: &Budget::new(jobs, scratch.path())?,
            jobs,
            log: self.builder.log_path(&inputs.id, prepared.action).with_extension("again.log"),
            sharing: None,
            memo,
            copies_of: Copies::Own,
        };
        let _token = runner.budget.take()?;
        Ok(runner.run(inputs)?.tree)
    }
}

/// What two builds of one action gave, in words.
pub fn told(files: &[Differing]) -> Vec<String> {
    let mut lines = Vec::new();
    for file in files {
        let causes: Vec<_> = file.causes.iter().map(ToString::to_string).collect();
        let likely = if causes.is_empty() { String::new() } else { format!(", likely by {}", causes.join(" or ")) };
        lines.push(format!("`{}` differs{likely}", file.path));
        for place in &file.places {
            let at = if place.at.is_empty() { "itself" } else { &place.at };
            lines.push(format!("  {at}"));
            lines.push(format!("    first  {}", place.first));
            lines.push(format!("    second {}", place.second));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ended_just_now_is_waited_for() {
        let wait = |now: &str| until_later("2026-01-01T00:00:10Z", now.parse().unwrap()).as_millis();
        assert_eq!(wait("2026-01-01T00:00:10Z"), 1100);
        assert_eq!(wait("2026-01-01T00:00:10.9Z"), 200);
        assert_eq!(wait("2026-01-01T00:00:12Z"), 0);
        assert_eq!(wait("2026-01-01T00:00:09Z"), 0, "a clock that is ahead");
        assert_eq!(until_later("soon", Timestamp::now()), Duration::ZERO);
    }
}
