//! The cache that hosts share, as commands use it: outputs that lockfiles record come from it before anything is built, and a
//! cache that does not do what it should costs one line.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::context::{Context, absolute};
use super::options::switch;
use super::project::Project;
use crate::build::{Built, Origin, Plan, Planned, Step, plan};
use crate::digest::{ActionDigest, TreeDigest};
use crate::disk;
use crate::download::{Authorization, Secret, Settings};
use crate::failure::{Exit, Failure};
use crate::lock::{Lockfile, Wishes};
use crate::platform::Platform;
use crate::process;
use crate::progress::{Event, Progress as _};
use crate::remote::config::Config;
use crate::remote::{self, Address, PATIENCE, Reading, Remote};
use crate::source::{self, CargoConfig};
use crate::store::Store;

/// The cache of a project or a user, if there is one.
pub struct Caching {
    remote: Option<Remote>,
    config: Config,
    /// Whether it is left alone for the rest of this command.
    left: AtomicBool,
    /// Outputs that came from it.
    came: Mutex<BTreeSet<TreeDigest>>,
}

impl Caching {
    /// What the environment says, or else the user's configuration, or else the project.
    pub fn open(context: &Context<'_>, project: &Project) -> Result<Self, Failure> {
        let (mut config, file) = config()?;
        let own = process::variable("ENVY_REMOTE_CACHE").map(|text| (text, "`ENVY_REMOTE_CACHE`".to_owned()));
        let own = own.or(config.cache.clone().map(|text| (text, format!("`{}`", file.display()))));
        if let Some(push) = variable("ENVY_REMOTE_PUSH")? {
            config.push = Some(push);
        }
        config.trust = variable("ENVY_REMOTE_TRUST")?.unwrap_or(config.trust);
        let of_project = own.is_none();
        if of_project {
            (config.trust, config.push) = (false, config.push.filter(|push| !push));
        }
        let named = own.or_else(|| Some((project.manifest.remote_cache()?.to_owned(), "`envy.toml`".to_owned())));
        let Some((text, place)) = named.filter(|(text, _)| text != "off") else {
            return Ok(Self { remote: None, config, left: AtomicBool::new(false), came: Mutex::default() });
        };
        let address = Address::parse(&text).map_err(|error| {
            Failure::new(Exit::Failed, "the cache cannot be used")
                .fact(error.to_string())
                .fact(format!("{place} names it"))
                .hint(format!("correct it in {place}, or leave it alone with `ENVY_REMOTE_CACHE=off`"))
        })?;
        let (mut settings, authorization) = way(project, of_project)?;
        settings.offline |= context.is_frozen();
        let patience = config.timeout.unwrap_or(PATIENCE);
        let remote = Some(Remote::at(address, settings, patience, authorization));
        Ok(Self { remote, config, left: AtomicBool::new(false), came: Mutex::default() })
    }

    /// The cache, or a failure that says how to name one.
    pub fn require(&self) -> Result<&Remote, Failure> {
        self.remote.as_ref().ok_or_else(|| {
            Failure::new(Exit::Failed, "no cache is named")
                .hint("write `cache = \"file:///srv/envy-cache\"` below `[remote]` of `envy.toml` or of `~/.config/envy/config.toml`")
        })
    }

    /// Outputs that came from it while this command ran.
    pub fn came(&self) -> BTreeSet<TreeDigest> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the user said of sending.
    pub fn may_push(&self) -> Option<bool> {
        self.config.push
    }

    /// The cache, while it is any good.
    fn usable(&self) -> Option<&Remote> {
        self.remote.as_ref().filter(|remote| !self.left.load(Ordering::Relaxed) && !remote.is_out_of_reach())
    }

    /// Say once what is wrong with the cache, and go on without it.
    fn leave(&self, context: &Context<'_>, error: &remote::Error) {
        if let Some(remote) = self.remote.as_ref().filter(|_| !self.left.swap(true, Ordering::Relaxed)) {
            let text = format!("going on without the cache `{}`: {}", remote.shown(), chain(error));
            context.ui.tell(Event::Warning(&text));
        }
    }

    /// The plan of what is installed, with all outputs at hand that the lockfile records and the cache has.
    pub fn plan(&self, context: &Context<'_>, lockfile: &Lockfile, wishes: &Wishes) -> Result<Plan, Failure> {
        self.plan_with(context, lockfile, wishes, wanted)
    }

    /// The plan of a build: also what has to be there while something is made that cannot be had.
    pub fn plan_to_build(&self, context: &Context<'_>, lockfile: &Lockfile, wishes: &Wishes) -> Result<Plan, Failure> {
        self.plan_with(context, lockfile, wishes, |plan, lockfile, asked| {
            let installed = wanted(plan, lockfile, asked);
            if installed.is_empty() { next_of(plan, lockfile, asked, false) } else { installed }
        })
    }

    fn plan_with(
        &self,
        context: &Context<'_>,
        lockfile: &Lockfile,
        wishes: &Wishes,
        wanted: impl Fn(&Plan, &Lockfile, &BTreeSet<TreeDigest>) -> BTreeSet<TreeDigest>,
    ) -> Result<Plan, Failure> {
        let (store, mut asked) = (context.store()?, BTreeSet::new());
        loop {
            let planned = of_store(lockfile, wishes, store);
            let Some(remote) = self.usable() else { return Ok(planned) };
            let wanted = wanted(&planned, lockfile, &asked);
            if wanted.is_empty() {
                return Ok(planned);
            }
            let busy = context.ui.busy(format!("asking {}", remote.shown()));
            let pulled = remote.pull(&wanted, store);
            drop(busy);
            match pulled {
                Ok(came) if came.is_empty() => {}
                Ok(came) => {
                    tell_pulled(context, remote, came.len());
                    self.came.lock().unwrap_or_else(PoisonError::into_inner).extend(came);
                }
                Err(error) => self.leave(context, &error),
            }
            asked.extend(wanted);
        }
    }

    /// Ask what an action gave. That is what somebody says, so it counts only for users who believe the cache.
    pub fn ask(&self, context: &Context<'_>, action: ActionDigest) {
        let Some(remote) = self.usable().filter(|_| self.config.trust) else { return };
        let Ok(store) = context.store() else { return };
        match remote.result(action, store) {
            Ok(Some(outcome)) => {
                let text = format!("{} comes from `{}`", outcome.provenance.package, remote.shown());
                context.ui.tell(Event::Detail(&text));
                tell_pulled(context, remote, 1);
            }
            Ok(None) => {}
            Err(error) => self.leave(context, &error),
        }
    }

    /// Send what was made just now, where the user wants that.
    pub fn push_new<'b>(&self, context: &Context<'_>, outputs: impl Iterator<Item = &'b Built>) {
        let Some(remote) = self.usable().filter(|_| self.config.push == Some(true)) else { return };
        let Ok(store) = context.store() else { return };
        let new = outputs.filter(|built| built.origin != Origin::Recorded);
        let new = new.filter_map(|built| Some((built.output.as_ref()?.action, built.tree.clone())));
        let built: Vec<_> = new.map(|(action, tree)| result(store, action, tree)).collect();
        if built.is_empty() {
            return;
        }
        match remote.push(&built, store, Reading::Sizes) {
            Ok(pushed) if pushed.things == 0 => {}
            Ok(pushed) => tell_pushed(context, remote, built.len(), pushed),
            Err(error) => self.leave(context, &error),
        }
    }
}

/// How a cache is reached, and who it is told that asks. Whoever wrote a project also wrote its configuration of cargo: it
/// says nothing of the way to a cache of the user's. A project's cache is told no token, and nothing at all on a way that
/// only the project names.
fn way(project: &Project, of_project: bool) -> Result<(Settings, Authorization), Failure> {
    let of_all = CargoConfig::load(&project.root).map_err(source::Error::from)?.settings();
    let own = CargoConfig::load_of_user(&project.root).map_err(source::Error::from)?.settings();
    if of_project {
        let same = (&of_all.proxy, &of_all.ca_file) == (&own.proxy, &own.ca_file);
        return Ok((of_all, if same { Authorization::NetrcOfHost } else { Authorization::Nobody }));
    }
    let bearer = |token| Authorization::Token(Secret::new(format!("Bearer {token}")));
    let authorization = process::variable("ENVY_REMOTE_TOKEN").map_or(Authorization::Netrc, bearer);
    Ok((Settings { offline: of_all.offline, ..own }, authorization))
}

/// An output with its result, where that is what the output came by.
pub fn result(store: &Store, action: ActionDigest, tree: crate::tree::Tree) -> remote::Built {
    let outcome = store.outcome(action).ok().flatten().filter(|outcome| outcome.tree == tree.digest());
    remote::Built { tree, result: outcome.map(|outcome| (action, outcome)) }
}

/// Say what came.
fn tell_pulled(context: &Context<'_>, remote: &Remote, outputs: usize) {
    context.ui.done("pulled", format!("{} from `{}`", crate::ui::count(outputs, "output"), remote.shown()));
}

/// Say what was sent.
pub fn tell_pushed(context: &Context<'_>, remote: &Remote, outputs: usize, pushed: remote::Pushed) {
    let (outputs, bytes) = (crate::ui::count(outputs, "output"), crate::ui::bytes(pushed.bytes));
    context.ui.done("pushed", format!("{outputs} to `{}` ({bytes})", remote.shown()));
}

fn of_store(lockfile: &Lockfile, wishes: &Wishes, store: &Store) -> Plan {
    plan(lockfile, wishes.installed(Platform::host()), Platform::host(), |tree| store.whole_tree(tree).ok().flatten())
}

/// Recorded outputs of what is installed and is not here: of each package the first that nobody was asked for.
fn wanted(plan: &Plan, lockfile: &Lockfile, asked: &BTreeSet<TreeDigest>) -> BTreeSet<TreeDigest> {
    next_of(plan, lockfile, asked, true)
}

fn next_of(plan: &Plan, lockfile: &Lockfile, asked: &BTreeSet<TreeDigest>, installed: bool) -> BTreeSet<TreeDigest> {
    let missing = plan.packages.iter().filter(|one| one.step == Step::Make && one.installed == installed);
    let next = |one: &Planned| {
        let mut trees = lockfile.outputs(&one.id.name, Platform::host()).map(|output| output.tree);
        trees.find(|tree| !asked.contains(tree))
    };
    missing.filter_map(next).collect()
}

/// The user's configuration, and where it is.
fn config() -> Result<(Config, PathBuf), Failure> {
    let directory = process::path_variable("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let home = || process::path_variable("HOME").filter(|path| path.is_absolute()).map(|home| home.join(".config"));
    let Some(directory) = directory.or_else(home) else { return Ok((Config::default(), PathBuf::new())) };
    let file = absolute(directory.join("envy/config.toml"))?;
    let Some(text) = disk::read_text_if_exists(&file)? else { return Ok((Config::default(), file)) };
    Ok((Config::parse(&file.display().to_string(), &text)?, file))
}

fn variable(name: &str) -> Result<Option<bool>, Failure> {
    let read = |text: String| switch(&text).map_err(|error| Failure::new(Exit::Usage, format!("`{name}`: {error}")));
    process::variable(name).map(read).transpose()
}

/// An error with all that led to it, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<_> = causes.map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}
