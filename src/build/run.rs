//! Running one action: lay out what it may see, run its steps behind the fence, relocate what it installed, and take it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rayon::prelude::*;

use super::action::{self, PLACEHOLDER};
use super::inputs::Inputs;
use super::jobs::Budget;
use super::relocate::relocate;
use super::sandbox::{self, Entry, Fence, Mode, Stopped, View};
use super::share::{Counts, Desk, Ground, Opening, Sharing};
use super::source_files::text_file;
use super::tools::Tools;
use super::vendored::Vendored;
use super::{Clue, Error, Memo, Toolchain, diagnosis, prefix};
use crate::disk;
use crate::package::PackageId;
use crate::process;
use crate::recipe;
use crate::source;
use crate::store::{self, Store};
use crate::tree::Tree;

/// Where in a build the jobserver's pipe is.
const JOBSERVER: &str = "/envy/jobserver";

/// The number under which a build has that pipe open. Make knows a jobserver by its name since 4.4 only; by numbers all
/// know it: make, cargo and the compiler.
const JOBSERVER_FILE: u8 = 9;

/// What running an action needs beside its inputs.
pub struct Runner<'a> {
    pub store: &'a Store,
    pub fence: &'a Fence,
    /// The compiler, where one is needed.
    pub toolchain: Option<&'a Toolchain>,
    pub tools: &'a Tools,
    /// Where the files of the tools are kept for builds.
    pub copies: &'a Store,
    /// The tokens of the jobs that may run beside this build's first.
    pub budget: &'a Budget,
    pub jobs: usize,
    /// Where the log is kept.
    pub log: PathBuf,
    /// What all builds of a run share, where they do.
    pub sharing: Option<&'a Sharing>,
    /// What is known of the host's files.
    pub memo: &'a Memo,
    /// Whether it reads what others read too.
    pub copies_of: Copies,
}

/// What of a build's inputs is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// What was unpacked for all builds is read by all, where none can write to it.
    Shared,
    /// Everything is unpacked for it alone.
    Own,
}

/// What a build gave.
pub struct Done {
    pub tree: Tree,
    pub seconds: f64,
    pub log: Vec<u8>,
    /// How calls of the compiler ended, where what they gave was shared.
    pub calls: Option<Counts>,
}

impl Runner<'_> {
    /// Run the steps of a package.
    pub fn run(&self, inputs: &Inputs<'_>) -> Result<Done, Error> {
        let begun = Instant::now();
        let scratch = disk::temporary_directory_in(&self.scratch_place()?)?;
        let mut view = self.lay_out(inputs, scratch.path())?;
        let desk = self.desk(inputs, &view, scratch.path());
        view.entries.extend(desk.iter().flat_map(Desk::entries));
        disk::create_directories(self.log.parent().expect("a log lies in a directory"))?;
        let log = disk::create(&self.log)?;
        let run = || self.fence.run(&view, scratch.path(), &log);
        let ended = desk.as_ref().map_or_else(run, |desk| desk.serve_while(run));
        let log = disk::read(&self.log)?;
        let failed = |status: String, clues| Err(self.failed(inputs, status, &String::from_utf8_lossy(&log), clues));
        match ended {
            Ok(status) if status.success() => {}
            Ok(status) => return failed(status.to_string(), Vec::new()),
            Err(sandbox::Error::Stopped(why @ Stopped::TooLong(_))) => {
                return failed(why.to_string(), vec![Clue::TookTooLong]);
            }
            Err(sandbox::Error::Stopped(why)) => return failed(why.to_string(), Vec::new()),
            Err(error) => return Err(error.into()),
        }
        let tree = self.capture(inputs, scratch.path())?;
        if tree.leaves().is_empty() {
            return Err(Error::NothingInstalled { id: inputs.id.clone(), log: self.log.clone() });
        }
        self.check(inputs, &tree)?;
        Ok(Done { tree, seconds: begun.elapsed().as_secs_f64(), log, calls: desk.map(|desk| desk.counts()) })
    }

    /// Take what the steps installed into the store.
    fn capture(&self, inputs: &Inputs<'_>, scratch: &Path) -> Result<Tree, Error> {
        let taken = |directory: &Path| -> Result<Tree, Error> {
            relocate(directory, &self.fence.root(scratch))?;
            self.store.ingest(directory).map_err(|error| match error {
                source @ (store::Error::Special(_) | store::Error::Unfit { .. }) => {
                    let recipe = inputs.recipe().name().to_string();
                    Error::Unkept { id: inputs.id.clone(), recipe, source }
                }
                error => error.into(),
            })
        };
        let own =
            installed(&inputs.id, &scratch.join("out"))?.map_or(Ok(Tree::default()), |directory| taken(&directory))?;
        if !inputs.links() {
            return Ok(own);
        }
        let beside = scratch.join("prefix");
        prefix::leave_only_new(&inputs.prefix, inputs.source.time, &beside)?;
        prefix::installed(&inputs.id, &inputs.prefix, own, &taken(&beside)?)
    }

    /// Try out what was built, in its place beside what it needs to run.
    fn check(&self, inputs: &Inputs<'_>, tree: &Tree) -> Result<(), Error> {
        let scratch = disk::temporary_directory_in(&self.scratch_place()?)?;
        let (scratch, root) = (scratch.path(), self.fence.root(scratch.path()));
        let Some(script) = inputs.check_script(&root)? else { return Ok(()) };
        let (mut entries, log) = (self.tool_entries(scratch, &BTreeMap::new())?, self.log.with_extension("check.log"));
        let collides = |collisions| Error::InputsCollide { id: inputs.id.clone(), collisions };
        let whole =
            Tree::merge([("what it needs", &inputs.beside), (inputs.id.name.as_str(), tree)]).map_err(collides)?;
        for (name, to) in [("prefix", PLACEHOLDER), ("src", action::SOURCE), ("home", action::HOME)] {
            let from = scratch.join(name);
            disk::create_directories(&from)?;
            entries.push(Entry::Writable { from, to: to.to_owned() });
        }
        prefix::lay_out(&whole, self.store, inputs.source.time, &scratch.join("prefix"))?;
        entries.extend(users(scratch)?);
        disk::write(&scratch.join("check"), script.as_bytes())?;
        entries.push(Entry::ReadOnly { from: scratch.join("check"), to: action::SCRIPT.to_owned() });
        let mut environment = action::environment(inputs.source.time, false);
        environment.insert("PATH".to_owned(), format!("{PLACEHOLDER}/bin:{root}{}", action::TOOLS));
        let command = vec![format!("{root}{}/sh", action::TOOLS), format!("{root}{}", action::SCRIPT)];
        let view = View { entries, environment, directory: format!("{root}{}", action::SOURCE), command };
        let status = self.fence.run(&view, scratch, &disk::create(&log)?)?;
        if status.success() {
            return Ok(disk::remove_file(&log)?);
        }
        let said = String::from_utf8_lossy(&disk::read(&log)?).into_owned();
        let at = recipe::last_step(&said).unwrap_or(1);
        let command = inputs.recipe().checks().get(at - 1).cloned().unwrap_or_default();
        let last = last_lines(&said);
        Err(Error::CheckFailed { id: inputs.id.clone(), command, status: status.to_string(), last, log })
    }

    /// Where a build's files lie while it runs: in the store, whence they are renamed into place. Without a fence it must
    /// not lie below the home directory, since cargo would read the user's configuration there.
    fn scratch_place(&self) -> Result<PathBuf, Error> {
        match (self.fence.mode(), self.fence.workplace()) {
            (_, Some(workplace)) => Ok(workplace.to_owned()),
            (Mode::Namespaces, _) => Ok(self.store.temporary_directory()?),
            _ => Ok(process::temporary_directory()),
        }
    }

    /// The place where the build's calls of the compiler are answered. A build does without where there can be none, and
    /// where it sees other packages, which compilers may read.
    fn desk(&self, inputs: &Inputs<'_>, view: &View, scratch: &Path) -> Option<Desk<'_>> {
        let (sharing, toolchain, crates) = (self.sharing?, self.toolchain?, inputs.crates.as_ref()?);
        if inputs.links() {
            return None;
        }
        let contents = [inputs.platform.rust_target(), inputs.target()?];
        let contents = contents.map(|target| toolchain.content(target, self.memo).map(|content| content.to_string()));
        let ground = Ground {
            platform: format!("{} in {}", inputs.platform, self.fence.mode()),
            toolchain: contents.into_iter().collect::<Result<_, _>>().ok()?,
            tools: self.tools.identity.to_string(),
        };
        let opening = Opening {
            sharing,
            store: self.store,
            fence: self.fence,
            budget: self.budget,
            jobserver: JOBSERVER,
            ground,
            sysroot: toolchain.sysroot(),
        };
        Desk::open(opening, &view.entries, crates.places(), scratch).ok()
    }

    fn failed(&self, inputs: &Inputs<'_>, status: String, log: &str, mut clues: Vec<Clue>) -> Error {
        let place = self.scratch_place().unwrap_or_default();
        clues.extend(diagnosis::clues(log, |name| self.tools.programs.contains_key(name), &place));
        let step = recipe::last_step(log).unwrap_or(1);
        Error::Failed {
            id: inputs.id.clone(),
            step,
            steps: inputs.recipe().step_count(),
            name: inputs.recipe().step_name(step).unwrap_or("set-up").to_owned(),
            // As a person would write it, whatever stands before its paths here.
            ran: inputs.script("").map(|script| first_commands(&script, step)).unwrap_or_default(),
            status,
            last: last_lines(log),
            log: self.log.clone(),
            recipe: inputs.recipe().name().to_owned(),
            takes_tools: inputs.recipe().declared().contains_key("tools"),
            clues,
        }
    }

    /// Everything that the build sees.
    fn lay_out(&self, inputs: &Inputs<'_>, scratch: &Path) -> Result<View, Error> {
        let root = self.fence.root(scratch);
        let mut entries = self.tool_entries(scratch, &inputs.compilers(self.tools, &root))?;
        let writable = |name: &str, to: &str| -> Result<(PathBuf, Entry), Error> {
            let from = scratch.join(name);
            disk::create_directories(&from)?;
            Ok((from.clone(), Entry::Writable { from, to: to.to_owned() }))
        };
        let (source, entry) = writable("src", action::SOURCE)?;
        inputs.source.lay_out(self.store, &source)?;
        entries.push(entry);
        if let Some(config) = inputs.cargo_config(&root) {
            let (cargo_home, entry) = writable("cargo", action::CARGO_HOME)?;
            disk::write(&cargo_home.join("config.toml"), config.as_bytes())?;
            entries.push(entry);
        }
        for (name, to) in [("build", action::BUILD), ("out", action::DESTDIR), ("home", action::HOME)] {
            entries.push(writable(name, to)?.1);
        }
        if let Some(crates) = &inputs.crates {
            entries.extend(self.crate_entries(crates, scratch)?);
        }
        if inputs.links() {
            let (prefix, entry) = writable("prefix", PLACEHOLDER)?;
            prefix::lay_out(&inputs.prefix, self.store, inputs.source.time, &prefix)?;
            entries.push(entry);
        }
        entries.extend(users(scratch)?);
        let script = scratch.join("script");
        disk::write(&script, inputs.script(&root)?.as_bytes())?;
        entries.push(Entry::ReadOnly { from: script, to: action::SCRIPT.to_owned() });
        let toolchain = self.toolchain.map(|toolchain| toolchain.sysroot().to_owned());
        entries.extend(toolchain.map(|from| Entry::ReadOnly { from, to: action::TOOLCHAIN.to_owned() }));
        entries.push(Entry::Writable { from: self.budget.pipe().to_owned(), to: JOBSERVER.to_owned() });
        let mut environment = inputs.environment(&root)?;
        environment.insert("JOBS".to_owned(), self.jobs.to_string());
        environment.insert("MAKEFLAGS".to_owned(), format!("-j --jobserver-auth={JOBSERVER_FILE},{JOBSERVER_FILE}"));
        Ok(View { entries, environment, directory: format!("{root}{}", action::SOURCE), command: command(&root) })
    }

    /// Whether what was unpacked for all builds is for this one too.
    fn shares(&self) -> bool {
        self.fence.mode() == Mode::Namespaces && self.copies_of == Copies::Shared
    }

    /// Crates are unpacked once, for all builds. A build without a fence could write into them, so it has its own.
    fn crate_entries(&self, crates: &Vendored, scratch: &Path) -> Result<Vec<Entry>, Error> {
        let unpacked = AtomicBool::new(false);
        let entry = |(directory, one): &(String, &source::Archive)| {
            let name = format!("{}-{}", one.name, one.version);
            let from = match self.shares() {
                true => self.store.sealed_checkout(one.checksum, |directory| {
                    unpacked.store(true, Ordering::Relaxed);
                    self.unpack(one, directory)
                })?,
                false => {
                    let own = scratch.join("crates").join(directory.trim_start_matches('/')).join(&name);
                    disk::create_directories(&own)?;
                    self.unpack(one, &own)?;
                    own
                }
            };
            Ok(Entry::ReadOnly { from, to: format!("{directory}/{name}") })
        };
        let archives: Vec<_> = crates.archives().collect();
        let mut entries = archives.par_iter().map(entry).collect::<Result<Vec<_>, Error>>()?;
        if unpacked.into_inner() {
            // Builds to come trust what lies there, so it has to survive a power cut whole.
            disk::sync_file_system(self.store.root())?;
        }
        for (to, tree) in crates.trees() {
            entries.push(Entry::ReadOnly { from: self.laid_out(tree, scratch)?, to: to.to_owned() });
        }
        if crates.has_no_plain() {
            // A directory source must be there even where nothing is asked of it.
            let empty = self.store.temporary_directory()?.join("no-crates");
            disk::create_directories(&empty)?;
            entries.push(Entry::ReadOnly { from: empty, to: action::CRATES.to_owned() });
        }
        Ok(entries)
    }

    /// What a repository gives, as a directory that all builds share, or where they could write into it, one of its own.
    fn laid_out(&self, tree: &Tree, scratch: &Path) -> Result<PathBuf, Error> {
        let digest = tree.digest();
        if self.shares() {
            return Ok(self.store.checkout(digest, |directory| self.store.lay_out_copy(tree, directory, 0))?);
        }
        let own = scratch.join("trees").join(digest.hex());
        disk::create_directories(&own)?;
        self.store.lay_out_copy(tree, &own, 0)?;
        Ok(own)
    }

    /// Lay a crate out as cargo wants it in a directory source.
    fn unpack(&self, one: &source::Archive, directory: &Path) -> Result<Tree, Error> {
        let top = format!("{}-{}", one.name, one.version);
        let archive = self.store.proven_blob(one.checksum)?;
        let mut tree = source::unpack_crate(&archive, &top, directory).map_err(source::Error::from)?;
        let checksum = format!("{{\"files\":{{}},\"package\":\"{}\"}}", one.checksum.hex());
        write_over(&directory.join(CHECKSUM), checksum.as_bytes())?;
        tree.remove(CHECKSUM);
        tree.insert(CHECKSUM, text_file(&checksum)).map_err(store::Error::from)?;
        Ok(tree)
    }

    /// The tools, with all that comes with them; without a fence, links to them. Scripts stand in the place of some.
    fn tool_entries(&self, scratch: &Path, scripts: &BTreeMap<String, String>) -> Result<Vec<Entry>, Error> {
        let is_fenced = self.fence.mode() == Mode::Namespaces;
        let mut entries = if is_fenced { self.tools.entries(self.copies)? } else { Vec::new() };
        if is_fenced && scripts.is_empty() {
            return Ok(entries);
        }
        entries.retain(|entry| entry.to() != action::TOOLS);
        let directory = scratch.join("tools");
        disk::create_directory(&directory, 0o755)?;
        for (name, script) in scripts {
            disk::write_new(&directory.join(name), script.as_bytes(), 0o755)?;
        }
        for (name, path) in self.tools.programs.iter().filter(|(name, _)| !scripts.contains_key(*name)) {
            let path = if is_fenced { self.tools.place(name) } else { path.clone() };
            disk::symlink(&path, &directory.join(name))?;
        }
        entries.push(Entry::ReadOnly { from: directory, to: action::TOOLS.to_owned() });
        Ok(entries)
    }
}

/// Where cargo looks for the sum of a crate in a directory source.
const CHECKSUM: &str = ".cargo-checksum.json";

/// Open the jobserver's pipe, and become the shell that runs the steps.
fn command(root: &str) -> Vec<String> {
    let sh = format!("{root}{}/sh", action::TOOLS);
    let script = format!("exec {JOBSERVER_FILE}<>\"$1\" && exec \"$0\" \"$2\"");
    let places = [JOBSERVER, action::SCRIPT].map(|place| format!("{root}{place}"));
    [sh.clone(), "-c".to_owned(), script, sh].into_iter().chain(places).collect()
}

/// The directory with what a build installed, if it installed anything.
///
/// A build may write all that is below `out`, so that a symlink on the way would lead to files of the host. Only real
/// directories are gone into.
fn installed(id: &PackageId, out: &Path) -> Result<Option<PathBuf>, Error> {
    let mut directory = out.to_owned();
    for part in PLACEHOLDER.split('/').filter(|part| !part.is_empty()) {
        directory.push(part);
        if !disk::exists(&directory) {
            return Ok(None);
        }
        if disk::kind(&directory)? != disk::Kind::Directory {
            let path = format!("{}/{part}", action::DESTDIR);
            return Err(Error::Misplaced { id: id.clone(), path });
        }
    }
    Ok(Some(directory))
}

/// How many of the last lines of a log are shown when a build fails.
const LAST: usize = 20;

/// The last lines of a log that say something.
fn last_lines(log: &str) -> Vec<String> {
    let said = recipe::without_marks(log).filter(|line| !line.trim().is_empty());
    let mut last: Vec<_> = said.rev().take(LAST).map(shortened).collect();
    last.reverse();
    last
}

/// How many of the first lines of a step are shown when it fails.
const FIRST: usize = 6;

/// What a step runs, as far as it is shown.
fn first_commands(script: &str, step: usize) -> Vec<String> {
    let commands = recipe::commands_of(script, step);
    let more = (commands.len() > FIRST).then(|| format!("… and {} more lines", commands.len() - FIRST));
    commands.iter().take(FIRST).map(|line| shortened(line)).chain(more).collect()
}

/// How many characters of a line are shown.
const WIDTH: usize = 240;

/// A line as a person can read it: the placeholder in a few letters, and nothing without end.
fn shortened(line: &str) -> String {
    let line = line.replace(PLACEHOLDER, "/envy/prefix");
    match line.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Write a file in the place of whatever an archive has there; a symlink there is not followed.
fn write_over(path: &Path, bytes: &[u8]) -> disk::Result<()> {
    disk::remove_tree(path)?;
    disk::write_new(path, bytes, 0o644)
}

/// A user and a group for the build to be, the same everywhere.
fn users(scratch: &Path) -> Result<Vec<Entry>, store::Error> {
    let files = [("passwd", "envy:x:1000:1000::/envy/home:/bin/sh\n"), ("group", "envy:x:1000:\n")];
    let entry = |(name, text): (&str, &str)| {
        let from = scratch.join(name);
        disk::write(&from, text.as_bytes())?;
        Ok(Entry::ReadOnly { from, to: format!("/etc/{name}") })
    };
    files.into_iter().map(entry).collect()
}
