//! What might be typed instead, the smallest change first. Each is tried out: the problem is solved again with it.

use std::borrow::Cow;

use super::known::Known;
use super::proof::{From, Proof};
use super::question::Question;
use super::{Hidden, Index, Problem, explain, solve};
use crate::package::{PackageName, Range, Requirement, Version, VersionReq};

/// How many hints are given.
const MOST: usize = 2;

/// What would help. An index that fails here has nothing to say, and what it would have shown is left out.
pub(super) fn hints<I: Index>(problem: &Problem<'_>, known: &Known<'_, I>, proof: &Proof) -> Vec<String> {
    let trial = Trial { problem, known, proof };
    let mut hints = trial.other_names();
    for kind in [Kind::Shown, Kind::Relaxed, Kind::Overridden, Kind::Dropped] {
        if hints.len() < MOST {
            hints.extend(trial.of(kind, !hints.is_empty()));
        }
    }
    hints.truncate(MOST);
    hints
}

/// Ways to change a problem, the smallest first.
#[derive(Clone, Copy)]
enum Kind {
    Shown,
    Relaxed,
    Overridden,
    Dropped,
}

struct Trial<'a, 'i, I> {
    problem: &'a Problem<'a>,
    known: &'a Known<'i, I>,
    proof: &'a Proof,
}

impl<I: Index> Trial<'_, '_, I> {
    fn plain(&self) -> Question<'_> {
        Question::plain(self.problem)
    }

    /// What of one kind would help. To go without something is the last resort.
    fn of(&self, kind: Kind, helped: bool) -> Vec<String> {
        match kind {
            Kind::Shown => self.shown(),
            Kind::Relaxed => self.relaxed(),
            Kind::Overridden => self.overridden(),
            Kind::Dropped if helped => Vec::new(),
            Kind::Dropped => self.dropped(),
        }
    }

    /// The version of a package in the solution of a changed problem, if there is one.
    fn version(&self, question: &Question<'_>, name: &PackageName) -> Option<Version> {
        solve::search(question, self.known).ok()?.ok()?.remove(name)
    }

    /// The packages that the refutation speaks of, each once.
    fn packages(&self) -> Vec<&PackageName> {
        let mut names: Vec<_> = self.proof.edges.iter().map(|edge| &edge.to).collect();
        names.sort();
        names.dedup();
        names
    }

    /// What is asked at the top, as far as the refutation rests on it.
    fn asked(&self) -> Vec<&Requirement> {
        let counts = |asked: &&Requirement| self.proof.holds_asked(&asked.by, &asked.name);
        self.problem.requirements.iter().filter(counts).collect()
    }

    /// For names that do not exist, one that does.
    fn other_names(&self) -> Vec<String> {
        let unknown = |name: &&&PackageName| self.known.offer(name).is_ok_and(|offer| !offer.exists);
        let hint = |name: &PackageName| {
            let similar = self.known.index.similar(name);
            similar.first().map(|similar| format!("write `{similar}` instead of `{name}` in `envy.toml`"))
        };
        self.packages().iter().filter(unknown).filter_map(|name| hint(name)).collect()
    }

    /// Whether a package is asked for at the top.
    fn is_asked(&self, name: &PackageName) -> bool {
        self.problem.requirements.iter().any(|one| one.name == *name)
    }

    /// Take what is hidden.
    fn shown(&self) -> Vec<String> {
        let mut hints = Vec::new();
        for name in self.packages() {
            let Ok(offer) = self.known.offer(name) else { continue };
            let Some(wanted) = explain::unmet(&offer, self.proof) else { continue };
            if wanted.hidden(&offer).next().is_none() {
                continue;
            }
            let question = Question { shown: Some(name.clone()), ..self.plain() };
            let Some(version) = self.version(&question, name) else { continue };
            let chosen = offer.candidates.iter().find(|one| one.version == version);
            hints.extend(
                chosen
                    .and_then(|one| one.hidden.as_ref())
                    .and_then(|why| to_show(name, &version, why, self.is_asked(name))),
            );
        }
        hints
    }

    /// Ask for other versions of what is asked for at the top: higher ones sooner than lower ones.
    fn relaxed(&self) -> Vec<String> {
        let mut found = Vec::new();
        for asked in self.asked() {
            let releases = Range::Req(VersionReq::STAR);
            let ranges = [releases, Range::Any];
            let version = ranges.iter().find_map(|range| self.version(&self.with(asked, range), &asked.name));
            found.extend(version.map(|version| (asked, version)));
        }
        // What is below every version that was asked for is a step back.
        let step_back = |(asked, version): &(&Requirement, Version)| {
            let offer = self.known.offer(&asked.name).ok();
            let wanted = offer.iter().flat_map(|offer| &offer.candidates).map(|one| &one.version);
            wanted.filter(|wanted| asked.versions.matches(wanted)).min().is_some_and(|lowest| version < lowest)
        };
        found.sort_by_key(step_back);
        let hint = |(asked, version): &(&Requirement, Version)| {
            let others = self.problem.requirements.iter().any(|one| one.name == asked.name && one.by != asked.by);
            let whose = if others { format!(", where {} does", asked.by) } else { String::new() };
            format!("ask for {} {} in `envy.toml`{whose}", asked.name, compatible(version))
        };
        let mut hints: Vec<_> = found.iter().map(hint).collect();
        hints.dedup();
        hints
    }

    /// The problem with other versions of one package asked for at the top, whoever asks.
    fn with(&self, asked: &Requirement, versions: &Range) -> Question<'_> {
        let change = |one: &Requirement| match one.name == asked.name && one.by == asked.by {
            true => Requirement { versions: versions.clone(), ..one.clone() },
            false => one.clone(),
        };
        let requirements = self.problem.requirements.iter().map(change).collect();
        Question { requirements: Cow::Owned(requirements), ..self.plain() }
    }

    /// Force one requirement on all who ask for a package.
    fn overridden(&self) -> Vec<String> {
        let of_packages = |name: &PackageName| {
            let edges = self.proof.edges.iter().filter(|edge| edge.to == *name);
            edges.filter(|edge| matches!(edge.from, From::Package(..))).count() > 0
        };
        let asked_twice = |name: &PackageName| self.proof.edges.iter().filter(|edge| edge.to == *name).count() > 1;
        let names = self.packages().into_iter().filter(|name| of_packages(name) && asked_twice(name));
        names.filter_map(|name| self.forced(name)).collect()
    }

    /// The first requirement of a package that would do for everyone.
    fn forced(&self, name: &PackageName) -> Option<String> {
        let mut ranges: Vec<Range> = Vec::new();
        let asked = self.problem.requirements.iter().filter(|asked| asked.name == *name);
        ranges.extend(asked.map(|asked| asked.versions.clone()));
        for edge in &self.proof.edges {
            let From::Package(by, numbers) = &edge.from else { continue };
            let needs = self.known.needs(&self.known.offer(by).ok()?.id(*numbers.last()?)).ok()?;
            ranges.extend(needs.iter().filter(|need| need.name == *name).map(|need| need.versions.clone()));
        }
        let would_do = |range: &&Range| {
            let change = |one: &Requirement| match one.name == *name {
                true => Requirement { versions: (*range).clone(), ..one.clone() },
                false => one.clone(),
            };
            let requirements = Cow::Owned(self.problem.requirements.iter().map(change).collect());
            let forced = Some((name.clone(), (*range).clone()));
            self.version(&Question { requirements, forced, ..self.plain() }, name).is_some()
        };
        let line = self.known.index.written(name, ranges.iter().find(would_do)?)?;
        Some(format!("write `{line}` under `[overrides]`, which all have to take then"))
    }

    /// Go without what is asked for at the top. That nothing else is in the way needs no saying.
    fn dropped(&self) -> Vec<String> {
        if self.proof.edges.len() < 2 {
            return Vec::new();
        }
        let helps = |asked: &&Requirement| {
            let requirements = self.problem.requirements.iter().filter(|one| one.name != asked.name).cloned().collect();
            let question = Question { requirements: Cow::Owned(requirements), ..self.plain() };
            matches!(solve::search(&question, self.known), Ok(Ok(_)))
        };
        let first = self.asked().into_iter().find(helps);
        first.map(|asked| format!("go without `{}`, which {} requires", asked.name, asked.by)).into_iter().collect()
    }
}

/// What to type so that a hidden version can be taken. `asked`: it stands in `envy.toml` itself.
fn to_show(name: &PackageName, version: &Version, why: &Hidden, asked: bool) -> Option<String> {
    match why {
        Hidden::Newer { .. } | Hidden::NoTime { .. } => Some(format!(
            "to take it all the same, write `exclude-newer = false` beside `{name}` in `envy.toml`, or add it with `--exclude-newer false`"
        )),
        Hidden::NeedsRust { needed, .. } => Some(format!(
            "for {name} {version}, write `rust = \"{}.{}\"` under `[toolchain]` in `envy.toml`",
            needed.major, needed.minor
        )),
        Hidden::Platform { platform } if !asked => Some(format!(
            "take {platform} out of `platforms` in `envy.toml`, or ask only elsewhere for what needs `{name}`"
        )),
        Hidden::Platform { platform } => Some(format!(
            "to go without `{name}` there, write `when = 'platform != \"{platform}\"'` beside it in `envy.toml`"
        )),
        Hidden::Limited { .. } => Some(format!("let `{name}` under `[constraints]` allow {version}")),
        // What its author took back is not to be had by typing.
        Hidden::Yanked => None,
    }
}

/// A requirement that a version fulfils, with those that are compatible with it.
fn compatible(version: &Version) -> String {
    match version.pre.is_empty() && version.build.is_empty() {
        true => format!("^{}.{}", version.major, version.minor),
        false => format!("={version}"),
    }
}
