//! Failures: what an error means for who typed the command. The one place that knows exit codes and hints.

mod builds;
mod bundles;
mod caches;
mod exports;
mod places;
mod site_files;
mod sources;

use std::error::Error as StdError;

use crate::lock::{self, Drift};
use crate::manifest;
use crate::package::SiteName;
use crate::resolve::Conflict;
use crate::{build, process, recipe, site, store, tree};

/// How a command ends when it does not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It failed.
    Failed = 1,
    /// It was asked in the wrong way.
    Usage = 2,
    /// The lockfile is missing or stale.
    Lockfile = 3,
    /// Something is not what it should be, bit by bit.
    Verification = 4,
    /// Something is needed, and the network may not be used.
    Offline = 5,
    /// No choice of versions satisfies all requirements.
    NoSolution = 6,
    /// This host is not fit.
    Host = 7,
    /// Another process holds a lock, and the wait ran out.
    Locked = 8,
    /// A generation did not pass its gate; the site shows what it showed before.
    Refused = 9,
    /// A program that was to be run cannot be executed, as a shell says it.
    NotExecutable = 126,
    /// A program that was to be run does not exist, as a shell says it.
    NotFound = 127,
}

/// The exit code of a bug in envy.
pub const BUG: u8 = 70;

/// A failure, as it is told: the outcome in a line, facts, causes, and what to type next.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The outcome.
    pub outcome: String,
    /// What there is to know about it.
    pub facts: Vec<String>,
    /// What led to it, nearest first.
    pub causes: Vec<String>,
    /// What can be typed next.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure with an outcome alone.
    pub fn new(exit: Exit, outcome: impl Into<String>) -> Self {
        Self { exit, outcome: outcome.into(), facts: Vec::new(), causes: Vec::new(), hints: Vec::new() }
    }

    /// With a fact.
    pub fn fact(mut self, fact: impl Into<String>) -> Self {
        self.facts.push(fact.into());
        self
    }

    /// With facts.
    pub fn facts(mut self, facts: impl IntoIterator<Item = String>) -> Self {
        self.facts.extend(facts);
        self
    }

    /// With something to type.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// With what helps against what is likely to blame for a build that does not come out the same.
    pub fn advice(self, causes: impl IntoIterator<Item = build::differing::Cause>) -> Self {
        builds::with_advice(self, causes)
    }

    /// A plain failure of an error, with its causes.
    fn of(exit: Exit, error: &(dyn StdError + 'static)) -> Self {
        let failure = Self::caused(exit, error);
        if is_full(error) { failure.hint(FULL) } else { failure }
    }

    /// The same, without anything to type.
    fn caused(exit: Exit, error: &(dyn StdError + 'static)) -> Self {
        let mut failure = Self::new(exit, error.to_string());
        let mut cause = error.source();
        while let Some(error) = cause {
            failure.causes.push(error.to_string());
            cause = error.source();
        }
        failure
    }

    /// One failure of those of several sites, of which there is one at least. How it ends is how the first does.
    pub fn several(failures: impl IntoIterator<Item = Self>) -> Self {
        let mut failures: Vec<_> = failures.into_iter().collect();
        if failures.len() == 1 {
            return failures.remove(0);
        }
        let mut several = Self::new(failures[0].exit, format!("{} sites are not what they should be", failures.len()));
        for failure in failures {
            several.facts.push(failure.outcome);
            several.facts.extend(failure.facts.into_iter().map(|fact| format!("  {fact}")));
            several.facts.extend(failure.causes.into_iter().map(|cause| format!("  caused by: {cause}")));
            for hint in failure.hints {
                if !several.hints.contains(&hint) {
                    several.hints.push(hint);
                }
            }
        }
        several
    }

    /// A lockfile is not what `envy.toml` asks for.
    pub fn drift(site: &SiteName, drifts: &[Drift]) -> Self {
        let path = lock::Lockfile::relative_path(site);
        Self::new(Exit::Lockfile, format!("lockfile `{}` no longer matches `envy.toml`", path.display()))
            .facts(drifts.iter().map(ToString::to_string))
            .hint(format!("run `envy lock {site}` and review the difference"))
    }

    /// There is no lockfile.
    pub fn not_locked(site: &SiteName) -> Self {
        let path = lock::Lockfile::relative_path(site);
        Self::new(Exit::Lockfile, format!("lockfile `{}` is missing", path.display()))
            .hint(format!("run `envy lock {site}` and commit the file that it writes"))
    }

    /// No choice of versions satisfies a site.
    pub fn conflict(site: &SiteName, conflict: &Conflict) -> Self {
        let mut failure = Self::new(Exit::NoSolution, format!("no choice of packages satisfies site `{site}`"));
        failure.facts = conflict.facts.iter().map(ToString::to_string).collect();
        failure.hints = conflict.hints.clone();
        failure
    }

    /// Packages of a site provide the same paths.
    pub fn collisions(site: &SiteName, collisions: &[tree::Collision]) -> Self {
        let first = &collisions[0];
        let outcome = match collisions {
            [only] => format!("two packages of site `{site}` both provide `{}`", only.path),
            more => format!("packages of site `{site}` provide {} of the same paths", more.len()),
        };
        let package = first.second.split(' ').next().unwrap_or_default();
        let facts = match collisions {
            [only] => vec![format!("{} and {}", only.first, only.second)],
            more => more.iter().map(ToString::to_string).collect(),
        };
        Self::new(Exit::Failed, outcome).facts(facts).hint(format!(
            "leave it out of one: `{package} = {{ version = \"…\", without = [\"{}\"] }}` in `envy.toml`",
            first.path
        ))
    }
}

const FULL: &str = "free some space; what was finished is kept, so that the next run goes on from there";

/// Whether an error comes of a disk that has no room left.
/// An error and what led to it, in one line.
pub fn in_one_line(error: &dyn StdError) -> String {
    std::iter::successors(Some(error), |error| (**error).source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

fn is_full(error: &(dyn StdError + 'static)) -> bool {
    let mut chain = std::iter::successors(Some(error), |error| (*error).source());
    chain.any(|error| {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        matches!(kind, Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded))
    })
}

impl From<process::Error> for Failure {
    fn from(error: process::Error) -> Self {
        Self::of(Exit::Failed, &error)
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Disk(error) => places::of_store(&error),
            store::Error::Locked { .. } => {
                Self::of(Exit::Locked, &error).hint("try again, or wait longer with `--lock-timeout`")
            }
            store::Error::Damaged { .. } => Self::of(Exit::Verification, &error)
                .hint("run `envy store verify --repair`, which takes it away, and then this command again"),
            store::Error::Lost { ref site, ref because, .. } => Self::of(Exit::Verification, &error)
                .fact(format!("site `{}` needs it: {because}", site.display()))
                .hint("run `envy store verify --repair`, and then this command again"),
            store::Error::LongPath { ref path, .. } => {
                Self::of(Exit::Host, &error).fact(format!("its path would be `{}`", path.display())).hint(format!(
                    "name a store whose path has at most {} bytes: `ENVY_STORE=/srv/envy`",
                    store::LONGEST_ROOT
                ))
            }
            _ => Self::of(Exit::Failed, &error),
        }
    }
}

impl From<manifest::Invalid> for Failure {
    fn from(invalid: manifest::Invalid) -> Self {
        let mut failure = Self::new(Exit::Failed, invalid.to_string());
        for problem in &invalid.problems {
            failure.facts.push(problem.to_string());
            if !problem.snippet.trim().is_empty() {
                let number = problem.line.to_string();
                failure.facts.push(format!("  {number} | {}", problem.snippet));
                let indent = " ".repeat(number.len() + 3 + problem.column.saturating_sub(1));
                failure.facts.push(format!("  {indent}{}", "^".repeat(problem.width.max(1))));
            }
            failure.hints.extend(problem.hint.clone());
        }
        failure.hints.dedup();
        failure
    }
}

impl From<manifest::edit::EditError> for Failure {
    fn from(error: manifest::edit::EditError) -> Self {
        Self::of(Exit::Failed, &error)
    }
}

impl From<recipe::Error> for Failure {
    fn from(error: recipe::Error) -> Self {
        use recipe::Error;
        let failure = Self::of(Exit::Failed, &error);
        let mean = |name: &String| format!("did you mean `{name}`?");
        match &error {
            Error::Malformed { source, .. } => Self::from(source.clone()),
            Error::UnknownParam { nearest: Some(name), .. } | Error::Unknown { nearest: Some(name), .. } => {
                failure.hint(mean(name))
            }
            Error::UnknownParam { has, recipe, .. } if has.is_empty() => {
                failure.fact(format!("`{recipe}` has no params"))
            }
            Error::UnknownParam { has, recipe, .. } => {
                failure.fact(format!("it has {}", has.join(", "))).hint(format!("run `envy recipe show {recipe}`"))
            }
            Error::Unknown { .. } => failure.hint("run `envy recipe list` to see those there are"),
            Error::Circle { chain } => {
                let chain = chain.join("` extends `");
                failure.fact(format!("`{chain}`")).hint("let one of them extend nothing")
            }
            Error::Fixed { recipe, .. } | Error::ParamType { recipe, .. } => {
                failure.hint(format!("run `envy recipe show {recipe}` to see what it takes"))
            }
            Error::NoVersions(recipe) => failure
                .fact(format!("recipe `{recipe}` says how to build, and not what"))
                .hint("say where the source is, by `git`, `path` or `url`"),
            Error::NoSteps(recipe) => {
                failure.hint(format!("add a `[[step]]` to `{recipe}.toml`, or `extends = \"make\"`"))
            }
            _ => failure,
        }
    }
}

impl From<lock::Error> for Failure {
    fn from(error: lock::Error) -> Self {
        let failure = Self::of(Exit::Lockfile, &error);
        match error {
            lock::Error::Disk(error) => error.into(),
            lock::Error::Conflicted { path, .. } => failure.hint(format!(
                "merge `envy.toml` first; then `envy lock {}` merges both sides, and chooses anew what they moved differently",
                path.file_stem().unwrap_or_default().to_string_lossy()
            )),
            lock::Error::Malformed { path, .. } => failure.hint(format!("restore it: `git checkout {}`", path.display())),
            lock::Error::Newer { .. } => failure.hint("use the envy that wrote it, or a later one"),
        }
    }
}

impl From<site::Error> for Failure {
    fn from(error: site::Error) -> Self {
        match error {
            site::Error::Disk(error) => error.into(),
            site::Error::Store(error) => error.into(),
            site::Error::NotOurs { .. } => Self::of(Exit::Failed, &error)
                .hint("give the site another name, or keep the sites of this project elsewhere with `--sites-dir`"),
            site::Error::NotBuilt(ref site) => {
                let hint = format!("run `envy build {site}`");
                Self::of(Exit::Failed, &error).hint(hint)
            }
            site::Error::NoGeneration { ref site, .. }
            | site::Error::NotPinned { ref site, .. }
            | site::Error::NothingBefore(ref site) => {
                let hint = format!("run `envy generations {site}` to see those there are");
                Self::of(Exit::Failed, &error).hint(hint)
            }
            site::Error::LostHistory(ref site) => Self::of(Exit::Verification, &error)
                .hint(format!("run `envy generations {site}` to see those there are, and `envy switch {site} N`")),
            // Of one that is not shown nothing tells any more what it was made of.
            site::Error::Damaged { ref site, is_shown: false, .. }
            | site::Error::Undescribed { ref site, is_shown: false, .. }
            | site::Error::Malformed { ref site, is_shown: false, .. } => {
                let hint =
                    format!("take another: `envy generations {site}` lists them, `envy switch {site} N` shows one");
                Self::of(Exit::Verification, &error).hint(hint)
            }
            site::Error::Damaged { ref site, .. } | site::Error::Undescribed { ref site, .. } => {
                let hint = format!("run `envy verify {site} --repair`, which makes a new one");
                Self::of(Exit::Verification, &error).hint(hint)
            }
            site::Error::Malformed { ref site, .. } => {
                let hint = format!("run `envy build {site}`, which makes a new one");
                Self::of(Exit::Failed, &error).hint(hint)
            }
        }
    }
}

impl From<lock::WishError> for Failure {
    fn from(error: lock::WishError) -> Self {
        match error {
            lock::WishError::Recipe(error) => error.into(),
            lock::WishError::Needed { by, source } => Self::from(source).fact(format!("`{by}` needs it")),
            lock::WishError::Stated { by, source } => {
                Self::from(source).fact(format!("`{by}` states it in `[package.metadata.envy]` of its Cargo.toml"))
            }
            lock::WishError::Differs { ref name, ref asked } => Self::new(Exit::NoSolution, error.to_string())
                .facts(asked.iter().cloned())
                .hint(format!("say the same in both places, or give one of them another name than `{name}`")),
            lock::WishError::Unsettled { .. } => Self::new(Exit::NoSolution, error.to_string())
                .hint("give the params in `envy.toml`, or take one of the conditions (`when`) of these needs away"),
            lock::WishError::NotFor { ref name, ref recipe, platform } => Self::new(
                Exit::NoSolution,
                error.to_string(),
            )
            .fact(format!("`envy recipe show {recipe}` says what it is for"))
            .hint(format!(
                "write `when = 'platform != \"{platform}\"'` beside `{name}`, or take {platform} out of `platforms`"
            )),
            lock::WishError::Circle { ref chain } => {
                let (first, others) = chain.split_first().expect("a circle has members");
                let others: Vec<_> = others.iter().map(|name| format!("`{name}`")).collect();
                Self::new(Exit::NoSolution, error.to_string())
                    .fact(format!("`{first}` needs {}", others.join(", which needs ")))
                    .hint("take one of these needs away: none of them can be built first")
            }
        }
    }
}

impl From<build::Error> for Failure {
    fn from(error: build::Error) -> Self {
        use build::Error;
        match error {
            Error::Disk(error) => return error.into(),
            Error::Store(error) => return error.into(),
            Error::Source(error) => return error.into(),
            Error::Process(error) => return error.into(),
            Error::Recipe(error) => return error.into(),
            _ => {}
        }
        let failure = |exit| Self::of(exit, &error);
        match &error {
            Error::NoToolchain { install, found, .. } => {
                let found = if found.is_empty() { "none at all".to_owned() } else { found.join(", ") };
                failure(Exit::Host)
                    .fact(format!("found: {found}"))
                    .hint(format!("run `rustup toolchain install {install} --profile minimal`"))
            }
            Error::NoTarget { target, .. } => failure(Exit::Host).hint(format!("run `rustup target add {target}`")),
            Error::NoPlaces { .. } => failure(Exit::Host).hint(
                "install `bubblewrap`, build as root, or build where namespaces are allowed and fetch from its cache",
            ),
            Error::NoTools { names, recipe } => failure(Exit::Host)
                .fact(format!("recipe `{recipe}` needs {}", if names.len() == 1 { "it" } else { "them" }))
                .hint(format!("install {}", packages(names))),
            Error::Sandbox(build::sandbox::Error::Refused { .. }) => failure(Exit::Host)
                .hint("install `bubblewrap`, or write `sandbox = \"auto\"` below `[settings]` in `envy.toml`"),
            Error::Failed { ran, last, log, recipe, takes_tools, clues, id, .. } => builds::with_clues(
                failure(Exit::Failed)
                    .facts(ran.iter().map(|line| format!("+ {line}")))
                    .facts(last.iter().map(|line| format!("| {line}")))
                    .fact(format!("full log: {}", log.display())),
                &builds::Asker { id, recipe, takes_tools: *takes_tools },
                clues,
            ),
            Error::CheckFailed { last, log, .. } => failure(Exit::Failed)
                .facts(last.iter().map(|line| format!("| {line}")))
                .fact(format!("full log: {}", log.display())),
            Error::InputsCollide { collisions, .. } => failure(Exit::Failed)
                .facts(collisions.iter().map(|one| format!("`{}`: {} and {}", one.path, one.first, one.second)))
                .hint("leave it out of one of them, in its recipe"),
            Error::ChangedInput { .. } => {
                failure(Exit::Failed).hint("let the recipe install under a name that nobody else has")
            }
            Error::Unkept { recipe, .. } => failure(Exit::Failed)
                .hint(format!("let recipe `{recipe}` install files, directories and symlinks with names in UTF-8")),
            Error::NothingInstalled { log, .. } => failure(Exit::Failed).fact(format!("full log: {}", log.display())),
            Error::NotPinned { what, expected, received, id } => failure(Exit::Verification)
                .fact(format!("its {what} has another digest"))
                .fact(format!("expected {expected}"))
                .fact(format!("received {received}"))
                .hint(format!("restore what the lockfile says of `{}`: what was published once does not change", id.name)),
            Error::StaleCargoLock(_) => failure(Exit::Lockfile).hint("run `cargo update --workspace` there, or `envy lock`"),
            Error::NoArchive { .. } => failure(Exit::Lockfile).hint("run `envy lock`"),
            Error::NoCargoLock { path, .. } => {
                failure(Exit::Lockfile).hint(format!("restore it: `git checkout {}`", path.display()))
            }
            Error::NotTheSameTwice { action, files, .. } => builds::with_advice(
                failure(Exit::Verification).fact(format!("action {action}")).facts(build::told(files)),
                files.iter().flat_map(|file| file.causes.iter().copied()),
            ),
            Error::NotReproduced { action, recorded, made, files, id } => failure(Exit::Verification)
                .fact(format!("action   {action}"))
                .fact(format!("recorded {recorded}"))
                .fact(format!("made     {made}"))
                .facts(files.iter().map(|file| format!("`{file}` differs")))
                .hint(format!(
                    "if the recorded output is wrong, take that `[[package.output]]` of `{}` out of the lockfile, and build again", id.name
                )),
            _ => failure(Exit::Failed),
        }
    }
}

/// What to install for missing tools, by Debian's names.
fn packages(tools: &[String]) -> String {
    let package = |tool: &String| match tool.as_str() {
        "cc" | "c++" => "a C compiler (Debian: `build-essential`)".to_owned(),
        other => format!("`{other}`"),
    };
    tools.iter().map(package).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_promises() {
        let codes = [
            Exit::Failed,
            Exit::Usage,
            Exit::Lockfile,
            Exit::Verification,
            Exit::Offline,
            Exit::NoSolution,
            Exit::Host,
            Exit::Locked,
            Exit::Refused,
        ];
        assert_eq!(codes.map(|code| code as u8), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
}
