//! The resolver against small universes: told ones here, random ones in `properties`.

use std::collections::BTreeMap;
use std::convert::Infallible;

use expect_test::{Expect, expect};

use super::*;

mod asking;
mod conflicts;
mod oracle;
mod properties;

/// Packages with their versions, what hides them, and what each requires.
#[derive(Clone, Debug, Default)]
struct Universe {
    versions: BTreeMap<PackageName, Vec<Candidate>>,
    requirements: BTreeMap<PackageId, Vec<Requirement>>,
}

impl Index for Universe {
    type Error = Infallible;

    fn candidates(&self, name: &PackageName) -> Result<Option<Vec<Candidate>>, Infallible> {
        Ok(self.versions.get(name).cloned())
    }

    fn requirements(&self, id: &PackageId) -> Result<Vec<Requirement>, Infallible> {
        Ok(self.requirements.get(id).cloned().unwrap_or_default())
    }

    fn owner(&self, _name: &PackageName) -> String {
        "crates.io".to_owned()
    }

    fn similar(&self, name: &PackageName) -> Vec<String> {
        let known = self.versions.keys().map(|known| known.as_str().to_owned());
        known.filter(|known| strsim::levenshtein(known, name.as_str()) < 3).collect()
    }

    fn written(&self, name: &PackageName, versions: &Range) -> Option<String> {
        Some(format!("{name} = {{ recipe = \"{name}\", version = \"{versions}\" }}"))
    }
}

fn name(text: &str) -> PackageName {
    text.parse().unwrap()
}

fn asks(by: &str, what: &str, versions: &str) -> Requirement {
    Requirement {
        name: name(what),
        versions: versions.parse::<crate::package::VersionReq>().unwrap().into(),
        by: by.into(),
    }
}

fn cutoff() -> Timestamp {
    "2026-11-17T08:00:00Z".parse().unwrap()
}

impl Universe {
    fn with(mut self, what: &str, versions: &[&str]) -> Self {
        let candidates = versions.iter().map(|text| {
            let (version, mark) = text.split_once(' ').unwrap_or((text, ""));
            let needs =
                |needed: &str| Hidden::NeedsRust { needed: needed.parse().unwrap(), have: Version::new(1, 95, 0) };
            let hidden = match mark {
                "" => None,
                "yanked" => Some(Hidden::Yanked),
                "timeless" => Some(Hidden::NoTime { cutoff: cutoff() }),
                time if time.ends_with('Z') => {
                    Some(Hidden::Newer { published: time.parse().unwrap(), cutoff: cutoff() })
                }
                needed => Some(needs(needed)),
            };
            Candidate { version: version.parse().unwrap(), hidden }
        });
        self.versions.insert(name(what), candidates.collect());
        self
    }

    fn requires(mut self, id: &str, what: &str, versions: &str) -> Self {
        let (package, version) = id.split_once(' ').unwrap();
        let key = PackageId { name: name(package), version: version.parse().unwrap() };
        self.requirements.entry(key).or_default().push(asks(id, what, versions));
        self
    }

    fn solve(&self, requirements: &[Requirement], locked: &[(&str, &str)]) -> Result<Resolution, Conflict> {
        let preferred = locked.iter().map(|(package, version)| (name(package), version.parse().unwrap())).collect();
        let problem = Problem { requirements, preferred: &preferred, strategy: Strategy::Highest };
        super::solve(&problem, self).unwrap()
    }
}

fn check_chosen(universe: &Universe, requirements: &[Requirement], locked: &[(&str, &str)], expected: &str) {
    let chosen = universe.solve(requirements, locked).unwrap().packages;
    let chosen: Vec<_> = chosen.iter().map(|(name, version)| format!("{name} {version}")).collect();
    assert_eq!(chosen.join(", "), expected);
}

fn check_conflict(universe: &Universe, requirements: &[Requirement], expected: Expect) {
    let conflict = universe.solve(requirements, &[]).unwrap_err();
    let facts: String = conflict.facts.iter().map(|fact| format!("{fact}\n")).collect();
    let hints: String = conflict.hints.iter().map(|hint| format!("hint: {hint}\n")).collect();
    expected.assert_eq(&format!("{facts}{hints}"));
}

fn hexyl() -> Universe {
    Universe::default().with("hexyl", &["0.15.0", "0.16.0", "0.16.1", "0.16.2 yanked", "0.17.0", "0.18.0 1.99.0"])
}

#[test]
fn the_highest_version_that_fits_is_chosen() {
    check_chosen(&hexyl(), &[asks("site `a`", "hexyl", "0.16")], &[], "hexyl 0.16.1");
    check_chosen(&hexyl(), &[asks("site `a`", "hexyl", "*")], &[], "hexyl 0.17.0");
}

#[test]
fn a_locked_version_that_still_fits_stays() {
    check_chosen(&hexyl(), &[asks("site `a`", "hexyl", "0.16")], &[("hexyl", "0.16.0")], "hexyl 0.16.0");
    check_chosen(&hexyl(), &[asks("site `a`", "hexyl", "0.16.1")], &[("hexyl", "0.16.0")], "hexyl 0.16.1");
}

#[test]
fn versions_that_cannot_be_chosen_are_told() {
    let hidden = hexyl().solve(&[asks("site `a`", "hexyl", ">=0.17")], &[]).unwrap().hidden;
    assert_eq!(hidden.len(), 1);
    assert_eq!(hidden[0].1.to_string(), "needs rust 1.99.0, and the toolchain is 1.95.0");
}

#[test]
fn requirements_in_turn_are_followed_and_searched() {
    let universe = Universe::default()
        .with("a", &["1.0.0", "1.1.0"])
        .with("b", &["1.0.0", "2.0.0"])
        .requires("a 1.1.0", "b", "2")
        .requires("a 1.0.0", "b", "1");
    check_chosen(&universe, &[asks("site `s`", "a", "1"), asks("site `s`", "b", "1")], &[], "a 1.0.0, b 1.0.0");
}

#[test]
fn a_version_that_does_not_exist_is_explained() {
    check_conflict(
        &hexyl(),
        &[asks("site `a`", "hexyl", "^0.99")],
        expect![[r#"
        site `a` requires hexyl ^0.99
        the versions of hexyl go from 0.15.0 to 0.17.0
        hint: ask for hexyl ^0.17 in `envy.toml`
    "#]],
    );
}

#[test]
fn two_askers_that_disagree_are_both_named() {
    check_conflict(
        &hexyl(),
        &[asks("site `a`", "hexyl", "0.16"), asks("every site", "hexyl", "0.17")],
        expect![[r#"
            every site requires hexyl ^0.17
            site `a` requires hexyl ^0.16
            hint: ask for hexyl ^0.17 in `envy.toml`, where site `a` does
            hint: ask for hexyl ^0.16 in `envy.toml`, where every site does
        "#]],
    );
}

#[test]
fn an_unknown_name_gets_the_nearest() {
    check_conflict(
        &hexyl(),
        &[asks("site `a`", "hexly", "1")],
        expect![[r#"
        site `a` requires hexly ^1
        crates.io has no crate `hexly`; there is `hexyl`
        hint: write `hexyl` instead of `hexly` in `envy.toml`
    "#]],
    );
    check_conflict(
        &hexyl(),
        &[asks("site `a`", "nothing-like-it", "1")],
        expect![[r#"
            site `a` requires nothing-like-it ^1
            crates.io has no crate `nothing-like-it`
        "#]],
    );
}

#[test]
fn versions_that_would_fit_but_are_hidden_say_why() {
    check_conflict(
        &hexyl(),
        &[asks("site `a`", "hexyl", "=0.16.2")],
        expect![[r#"
        site `a` requires hexyl =0.16.2
        hexyl 0.16.2 would fit, but is yanked
        the versions of hexyl go from 0.15.0 to 0.17.0
        hint: ask for hexyl ^0.17 in `envy.toml`
    "#]],
    );
    check_conflict(
        &hexyl(),
        &[asks("site `a`", "hexyl", "^0.18")],
        expect![[r#"
            site `a` requires hexyl ^0.18
            hexyl 0.18.0 would fit, but needs rust 1.99.0, and the toolchain is 1.95.0
            the versions of hexyl go from 0.15.0 to 0.17.0
            hint: for hexyl 0.18.0, write `rust = "1.99"` under `[toolchain]` in `envy.toml`
            hint: ask for hexyl ^0.17 in `envy.toml`
        "#]],
    );
    check_conflict(
        &Universe::default().with("gone", &["1.0.0 yanked"]),
        &[asks("site `a`", "gone", "1")],
        expect![[r#"
            site `a` requires gone ^1
            gone 1.0.0 would fit, but is yanked
        "#]],
    );
}

#[test]
fn versions_after_the_cut_off_say_when_they_were_published() {
    let universe = Universe::default()
        .with("new", &["1.0.0", "2.0.0 2026-11-20T00:00:00Z", "2.0.1 2026-11-17T09:00:00Z"])
        .with("old", &["1.0.0 timeless"]);
    check_conflict(
        &universe,
        &[asks("site `a`", "new", "2")],
        expect![[r#"
            site `a` requires new ^2
            new 2.0.1 would fit, but was published 2026-11-17T09:00:00Z, after the cut-off 2026-11-17T08:00:00Z
            new 2.0.0 would fit, but was published 2026-11-20, after the cut-off 2026-11-17
            the only version of new is 1.0.0
            hint: to take it all the same, write `exclude-newer = false` beside `new` in `envy.toml`, or add it with `--exclude-newer false`
            hint: ask for new ^1.0 in `envy.toml`
        "#]],
    );
    check_conflict(
        &universe,
        &[asks("site `a`", "old", "1")],
        expect![[r#"
            site `a` requires old ^1
            old 1.0.0 would fit, but has no publish time, and the cut-off 2026-11-17 is in force
            hint: to take it all the same, write `exclude-newer = false` beside `old` in `envy.toml`, or add it with `--exclude-newer false`
        "#]],
    );
    let passed_over = universe.solve(&[asks("site `a`", "new", ">=1")], &[]).unwrap().hidden;
    let shown: Vec<_> = passed_over.iter().map(|(id, why)| format!("{id} {why}")).collect();
    assert_eq!(
        shown,
        [
            "new 2.0.0 was published 2026-11-20, after the cut-off 2026-11-17",
            "new 2.0.1 was published 2026-11-17T09:00:00Z, after the cut-off 2026-11-17T08:00:00Z",
        ]
    );
}

#[test]
fn prereleases_are_taken_only_if_asked_for() {
    let universe = Universe::default().with("new", &["1.0.0-alpha.1", "1.0.0-alpha.2"]);
    check_conflict(
        &universe,
        &[asks("site `a`", "new", "*")],
        expect![[r#"
        site `a` requires new *
        new has only pre-releases, up to 1.0.0-alpha.2, and they are taken only if asked for
        hint: ask for new =1.0.0-alpha.2 in `envy.toml`
    "#]],
    );
    check_chosen(&universe, &[asks("site `a`", "new", "1.0.0-alpha.1")], &[], "new 1.0.0-alpha.2");
}
