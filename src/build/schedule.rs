//! Making everything that a plan asks for: fetch in batches, look up, build several at a time under one budget of jobs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::inputs::Inputs;
use super::run::{Copies, Runner};
use super::sandbox::{Fence, Limits, Mode, Setting};
use super::share::Sharing;
use super::source_files::SourceFiles;
use super::supplies::Supplies;
use super::tools::{Toolbox, Tools};
use super::vendored::Vendored;
use super::{Error, Memo, Plan, Step, Toolchain, Wanted, jobs::Budget, needs, queue};
use crate::digest::{ActionDigest, TreeDigest};
use crate::lock::Output;
use crate::package::{PackageId, PackageName};
use crate::platform::{Needs, Platform};
use crate::process;
use crate::progress::{Event, Progress};
use crate::store::{Held, Made, Outcome, Provenance, Store};
use crate::tree::{Node, Tree};

/// What building needs.
pub struct Builder<'a, 's> {
    /// Where everything is kept.
    pub store: &'a Store,
    /// What is asked and pinned, and where it comes from.
    pub supplies: &'a Supplies<'a, 's>,
    /// Where logs go.
    pub logs: &'a Path,
    /// How builds are fenced.
    pub setting: Setting,
    /// How long a build may take, where that is less than the longest that any may.
    pub timeout: Option<Duration>,
    /// How many jobs may run at a time.
    pub jobs: usize,
    /// What is known of the host's files.
    pub memo: &'a Memo,
    /// What is built for.
    pub platform: Platform,
    /// How long to wait for another process that builds the same.
    pub patience: Option<Duration>,
    /// Whether what is built is built twice.
    pub proof: Proof,
    /// Who is told.
    pub progress: &'a dyn Progress,
    /// Asks others what an action gave that is not here; what they know is in the store then.
    pub elsewhere: &'a (dyn Fn(ActionDigest) + Sync),
}

/// Whether one build of an action is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// It is.
    #[default]
    Once,
    /// It is built again elsewhere, with another number of jobs and at another time, and nothing is recorded where that
    /// gives other files.
    Twice,
}

/// The output of one package.
#[derive(Clone, Debug)]
pub struct Built {
    /// The package.
    pub id: PackageId,
    /// Its tree.
    pub tree: Tree,
    /// Where it comes from.
    pub origin: Origin,
    /// What a lockfile records of it.
    pub output: Option<Output>,
    /// Digest of the files of a source that is not pinned.
    pub source: Option<TreeDigest>,
    /// What it needs from the host.
    pub needs: Needs,
    /// Whether it was built just now, and not found.
    pub is_fresh: bool,
}

/// Where an output comes from, and what vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The lockfile records it, and it was here.
    Recorded,
    /// It was made, and is what the lockfile records.
    Proven,
    /// It was made, and no lockfile records anything to compare it with.
    New,
    /// It was made, and differs from what the lockfile records for other builders.
    Unproven,
    /// It was made from a directory as it is now, which no lockfile pins.
    Unpinned,
}

impl Origin {
    /// The word for it in generations and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Proven => "proven",
            Self::New => "new",
            Self::Unproven => "unproven",
            Self::Unpinned => "unpinned",
        }
    }
}

/// What all builds of a run share.
pub(super) struct Site<'a, 's> {
    pub(super) fence: Fence,
    pub(super) toolchain: Option<Toolchain>,
    toolbox: Toolbox,
    budget: Budget,
    sharing: Option<Sharing>,
    pub(super) builder: &'a Builder<'a, 's>,
}

/// One action, with what runs it.
pub(super) struct Prepared {
    pub(super) action: ActionDigest,
    pub(super) tools: Tools,
}

impl<'s> Builder<'_, 's> {
    /// The outputs of everything that is planned.
    pub fn outputs(&self, plan: &Plan) -> Result<BTreeMap<PackageName, Built>, Error> {
        let mut outputs = BTreeMap::new();
        for planned in &plan.packages {
            if let Step::Use(output, tree) = &planned.step {
                let (id, tree, needs) = (planned.id.clone(), tree.clone(), output.needs.clone());
                let output = Some(output.clone());
                let built = Built { id, tree, origin: Origin::Recorded, output, source: None, needs, is_fresh: false };
                outputs.insert(built.id.name.clone(), built);
            }
        }
        let to_make: Vec<_> = plan.to_make().collect();
        if !to_make.is_empty() {
            outputs = self.make(&to_make, outputs)?;
        }
        Ok(outputs)
    }

    /// Make packages, beside the outputs that are there.
    fn make(
        &self,
        ids: &[&PackageId],
        outputs: BTreeMap<PackageName, Built>,
    ) -> Result<BTreeMap<PackageName, Built>, Error> {
        let site = self.open(ids)?;
        let inputs = self.inputs(ids)?;
        queue::run(inputs, outputs, self.jobs, self.supplies.lockfile, &|inputs| site.make(inputs))
    }

    /// Find what building these packages takes.
    pub(super) fn open(&self, ids: &[&PackageId]) -> Result<Site<'_, 's>, Error> {
        let needs_rust = ids.iter().any(|id| self.supplies.wish(id).is_by_cargo());
        let toolchain = if needs_rust { Some(self.toolchain()?) } else { None };
        let (fence, why_not) = Fence::choose(self.setting, None)?;
        let usual = Limits::default();
        let fence =
            fence.within(Limits { time: self.timeout.map_or(usual.time, |time| time.min(usual.time)), ..usual });
        if let Some(why) = why_not {
            let warning = format!("building without a sandbox, so outputs are not recorded: {why}");
            self.progress.tell(Event::Warning(&warning));
        }
        if let Some(toolchain) = &toolchain {
            let (rust, sysroot) = (&toolchain.rust, toolchain.sysroot().display());
            self.progress.tell(Event::Detail(&format!("rust {rust} in {sysroot}")));
        }
        self.progress.tell(Event::Detail(&format!("sandbox: {}", fence.mode())));
        let budget = Budget::new(self.jobs, &self.store.temporary_directory()?)?;
        let sharing = Sharing::wanted(fence.mode());
        Ok(Site { fence, toolchain, toolbox: Toolbox::default(), budget, sharing, builder: self })
    }

    fn toolchain(&self) -> Result<Toolchain, Error> {
        let (lockfile, wishes) = (self.supplies.lockfile, self.supplies.wishes);
        let wanted = lockfile.toolchain.as_ref().map_or(Wanted::Any(wishes.toolchain()), Wanted::Locked);
        let toolchain = Toolchain::find(wanted)?;
        if let Some(locked) = lockfile.toolchain.as_ref().filter(|locked| locked.rust != toolchain.rust) {
            let note = format!("building with rust {}, while the lockfile pins {}", toolchain.rust, locked.rust);
            self.progress.tell(Event::Warning(&note));
        }
        self.tell_other_content(&toolchain)?;
        Ok(toolchain)
    }

    /// A compiler that says the same of itself as the pinned one may still be another.
    fn tell_other_content(&self, toolchain: &Toolchain) -> Result<(), Error> {
        let pinned = self.supplies.lockfile.toolchain.as_ref().filter(|pinned| pinned.rust == toolchain.rust);
        let Some(content) = pinned.and_then(|pinned| pinned.content.get(&self.platform)) else { return Ok(()) };
        if *content != toolchain.content(self.platform.rust_target(), self.memo)? {
            let text = "this host's rust has the version that the lockfile pins, but other files: outputs may differ";
            self.progress.tell(Event::Warning(text));
        }
        Ok(())
    }

    /// Bring all sources, then all crates that they name, and prove them.
    pub(super) fn inputs(&self, ids: &[&PackageId]) -> Result<Vec<Inputs<'_>>, Error> {
        let supplies = self.supplies;
        supplies.bring(ids, &[self.platform])?;
        let opened = ids.iter().map(|id| Ok((*id, SourceFiles::open(supplies, id, self.platform)?)));
        let opened = opened.collect::<Result<Vec<_>, Error>>()?;
        let locks = opened.iter().filter_map(|(id, files)| Some((*id, files.cargo.as_ref()?)));
        let items = locks.map(|(id, cargo)| supplies.crate_items(id, &cargo.lock)).collect::<Result<Vec<_>, _>>()?;
        supplies.sources.bring(&items.concat(), self.progress).map_err(Error::from)?;
        let inputs = opened.into_iter().map(|(id, source)| {
            let (crates, wish) = (Vendored::of(supplies, id, &source)?, supplies.wish(id));
            let (prefix, beside, platform) = (Tree::default(), Tree::default(), self.platform);
            Ok(Inputs { id: id.clone(), wish, source, crates, prefix, beside, platform })
        });
        inputs.collect()
    }

    pub(super) fn log_path(&self, id: &PackageId, action: ActionDigest) -> PathBuf {
        self.logs.join(format!("{}-{}-{}.log", id.name, id.version, &action.hex()[..8]))
    }
}

impl Site<'_, '_> {
    /// Find a package's result by its action, or build it.
    fn make(&self, inputs: &Inputs<'_>) -> Result<Built, Error> {
        let Builder { store, progress, patience, .. } = *self.builder;
        let Prepared { action, tools } = self.prepare(inputs)?;
        if let Some(built) = self.look_up(inputs, action)? {
            return Ok(built);
        }
        (self.builder.elsewhere)(action);
        if let Some(built) = self.look_up(inputs, action)? {
            return Ok(built);
        }
        let what = format!("the build of {}", inputs.id);
        let _lock = Held::take(&store.action_lock(action), &what, patience, progress)?;
        if let Some(built) = self.look_up(inputs, action)? {
            return Ok(built);
        }
        let _token = self.budget.take()?;
        self.build(inputs, action, &tools)
    }

    /// The action of a package, and the tools that it declares.
    pub(super) fn prepare(&self, inputs: &Inputs<'_>) -> Result<Prepared, Error> {
        let Builder { store, memo, progress, .. } = *self.builder;
        if !inputs.prefix.is_empty() && !self.fence.has_places() {
            return Err(Error::NoPlaces { id: inputs.id.clone() });
        }
        let rust = self.toolchain.as_ref().filter(|_| inputs.crates.is_some());
        let tools = self.toolbox.find(&inputs.declared_tools(), inputs.recipe().name(), rust, memo)?;
        let content = match (inputs.target(), &self.toolchain) {
            (Some(target), Some(toolchain)) => {
                toolchain.require_target(target)?;
                Some(toolchain.content(target, memo)?)
            }
            _ => None,
        };
        let action = inputs.action(store, content, &tools, self.fence.mode().to_string())?.digest();
        progress.tell(Event::Detail(&format!("the action of {} is {action}", inputs.id)));
        Ok(Prepared { action, tools })
    }

    fn look_up(&self, inputs: &Inputs<'_>, action: ActionDigest) -> Result<Option<Built>, Error> {
        let store = self.builder.store;
        let Some(outcome) = store.outcome(action)? else { return Ok(None) };
        let Some(tree) = store.whole_tree(outcome.tree)? else { return Ok(None) };
        self.judge(inputs, action, tree, &outcome).map(Some)
    }

    fn build(&self, inputs: &Inputs<'_>, action: ActionDigest, tools: &Tools) -> Result<Built, Error> {
        let Builder { store, progress, patience, jobs, memo, .. } = *self.builder;
        let package = inputs.id.to_string();
        progress.tell(Event::Building { package: &package });
        let log = self.builder.log_path(&inputs.id, action);
        let toolchain = self.toolchain.as_ref().filter(|_| inputs.crates.is_some());
        let _place = self.fence.place(patience, progress)?;
        let (fence, budget, copies, sharing) = (&self.fence, &self.budget, memo.copies(), self.sharing.as_ref());
        let copies_of = Copies::Shared;
        let runner = Runner { store, fence, toolchain, tools, copies, budget, jobs, log, sharing, memo, copies_of };
        let begun = Instant::now();
        let done = runner.run(inputs)?;
        if self.builder.proof == Proof::Twice {
            self.prove_again(inputs, &Prepared { action, tools: tools.clone() }, &done.tree, begun)?;
        }
        if let Some(counts) = done.calls {
            progress.tell(Event::Detail(&format!("calls of the compiler for {package}: {counts}")));
        }
        let encoded = done.tree.encode();
        let outcome = Outcome {
            tree: encoded.root,
            log: store.put_blob(&done.log)?,
            provenance: Provenance {
                package: package.clone(),
                envy: env!("CARGO_PKG_VERSION").to_owned(),
                sandbox: self.fence.mode().to_string(),
                toolchain: toolchain.map(|toolchain| toolchain.rust.clone()).unwrap_or_default(),
                seconds: done.seconds,
                needs: needs::of(&done.tree, store)?,
                made: Some(made_now()),
            },
        };
        store.put_outcome(action, &outcome, &encoded, done.log.len() as u64)?;
        progress.tell(Event::Built { package: &package, seconds: done.seconds });
        Ok(Built { is_fresh: true, ..self.judge(inputs, action, done.tree, &outcome)? })
    }

    /// Compare what was made with what the lockfile records.
    fn judge(&self, inputs: &Inputs<'_>, action: ActionDigest, tree: Tree, outcome: &Outcome) -> Result<Built, Error> {
        let Builder { supplies: Supplies { lockfile, .. }, platform, .. } = *self.builder;
        let recorded: Vec<_> = lockfile.outputs(&inputs.id.name, platform).collect();
        if let Some(same) = recorded.iter().find(|output| output.action == action && output.tree != outcome.tree) {
            return Err(self.not_reproduced(inputs, same, &tree));
        }
        let origin = match recorded.iter().any(|output| output.tree == outcome.tree) {
            _ if inputs.source.unpinned.is_some() => Origin::Unpinned,
            true => Origin::Proven,
            false if recorded.is_empty() => Origin::New,
            false => Origin::Unproven,
        };
        // What was built without a fence may hold anything of the host: it is used, but never recorded.
        let recordable = is_recordable(&self.fence) && inputs.source.unpinned.is_none();
        let needs = outcome.provenance.needs.clone();
        let output = recordable.then_some(Output { platform, action, tree: outcome.tree, needs });
        let needs = outcome.provenance.needs.clone();
        let (id, source) = (inputs.id.clone(), inputs.source.unpinned);
        Ok(Built { id, tree, origin, output, source, needs, is_fresh: false })
    }

    fn not_reproduced(&self, inputs: &Inputs<'_>, recorded: &Output, made: &Tree) -> Error {
        let known = self.builder.store.tree(recorded.tree).ok().flatten();
        Error::NotReproduced {
            id: inputs.id.clone(),
            action: recorded.action,
            recorded: recorded.tree,
            made: made.digest(),
            files: known.map(|known| differing(&known, made)).unwrap_or_default(),
        }
    }
}

fn is_recordable(fence: &Fence) -> bool {
    fence.mode() == Mode::Namespaces
}

/// Whether what is built on this host, fenced in this way, can be recorded.
pub fn can_record(setting: Setting) -> bool {
    Fence::choose(setting, None).is_ok_and(|(fence, _)| is_recordable(&fence))
}

/// Now, here, and by this user.
fn made_now() -> Made {
    let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let by = process::variable("USER").or_else(|| process::variable("LOGNAME")).unwrap_or_else(process::user);
    Made { time, host: process::host_name(), by: Some(by) }
}

/// Paths at which two trees differ.
pub fn differing(one: &Tree, other: &Tree) -> Vec<String> {
    let leaves = |tree: &Tree| {
        tree.leaves().into_iter().map(|(path, node)| (path, node.clone())).collect::<BTreeMap<String, Node>>()
    };
    let (one, other) = (leaves(one), leaves(other));
    let paths: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
    paths.into_iter().filter(|path| one.get(*path) != other.get(*path)).cloned().collect()
}

/// How many jobs run at a time where nobody says: one a core.
pub fn default_jobs() -> usize {
    process::cores()
}
