//! How a package was made: by which compiler, when, where and by whom; and since when a site shows it.

use crate::digest::{ActionDigest, TreeDigest};
use crate::failure::Failure;
use crate::lock::Lockfile;
use crate::package::PackageId;
use crate::platform::Platform;
use crate::site::{Generation, Note, Place};
use crate::store::{Provenance, Store};

/// A generation of a site, and who made it current first.
pub(super) struct Shown {
    pub generation: Generation,
    note: Option<Note>,
}

impl Shown {
    pub fn of(place: &Place, generation: Generation) -> Result<Self, Failure> {
        let history = place.history()?;
        let first = history.into_iter().find(|entry| entry.to == generation.number);
        Ok(Self { generation, note: first.map(|entry| entry.note) })
    }

    /// Since when, by whom, and from what.
    fn sentence(&self) -> String {
        let note = self.note.as_ref();
        let parts = [
            Some(format!("by generation {} of {}", self.generation.number, self.generation.created)),
            note.and_then(|note| note.by.as_ref()).map(|by| format!("by {by}")),
            note.and_then(|note| note.host.as_ref()).map(|host| format!("on {host}")),
            note.and_then(|note| note.commit.as_ref()).map(|commit| format!("at commit {commit} of the project")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// How a package was made.
#[derive(Debug, Default)]
pub(super) struct Making {
    /// What the lockfile pins to build with, where nothing tells what it was built with.
    pinned: Option<String>,
    /// Every build whose result is here and gave this output.
    built: Vec<(ActionDigest, Provenance)>,
    /// Which generation has it, and what vouches for the package.
    shown: Option<String>,
}

impl Making {
    /// What results and generations record of it.
    pub fn of(store: &Store, id: &PackageId, lockfile: &Lockfile, shown: Option<&Shown>) -> Result<Self, Failure> {
        let member = shown.and_then(|shown| shown.generation.member(id));
        let mut trees: Vec<TreeDigest> = member.map(|member| member.tree).into_iter().collect();
        if trees.is_empty() {
            trees.extend(lockfile.outputs(&id.name, Platform::host()).map(|output| output.tree));
        }
        let name = id.to_string();
        let built = store.outcomes(|one| trees.contains(&one.tree) && one.provenance.package == name)?;
        let built = built.into_iter().map(|(action, outcome)| (action, outcome.provenance)).collect();
        let by_cargo = lockfile.packages.get(&id.name).is_some_and(|package| package.crates.is_some());
        let pinned = lockfile.toolchain.as_ref().filter(|_| by_cargo).map(|toolchain| toolchain.rust.clone());
        let shown = shown.zip(member).map(|(one, member)| format!("{}, {}", one.sentence(), member.origin));
        Ok(Self { pinned, built, shown })
    }

    /// Every build whose result is here, as data.
    pub fn built(&self) -> serde_json::Value {
        self.built.iter().map(|(action, provenance)| document(*action, provenance)).collect()
    }

    /// The same, with titles.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        let compilers: std::collections::BTreeSet<_> =
            self.built.iter().map(|(_, one)| one.toolchain.as_str()).filter(|rust| !rust.is_empty()).collect();
        if !compilers.is_empty() {
            facts.push(("rust", compilers.into_iter().collect::<Vec<_>>().join(", ")));
        } else if let Some(pinned) = &self.pinned {
            facts.push(("rust", format!("{pinned}, which the lockfile pins")));
        }
        facts.extend(self.built.iter().map(|(action, provenance)| ("built", sentence(*action, provenance))));
        if self.built.is_empty() && self.shown.is_some() {
            facts.push(("built", "elsewhere: its result is not in this store".to_owned()));
        }
        facts.extend(self.shown.iter().map(|shown| ("shown", shown.clone())));
        facts
    }
}

/// When, where, by whom and how something was built, as data.
pub(super) fn document(action: ActionDigest, provenance: &Provenance) -> serde_json::Value {
    let made = provenance.made.as_ref();
    serde_json::json!({
        "action": action.to_string(),
        "time": made.map(|made| &made.time),
        "by": made.and_then(|made| made.by.as_ref()),
        "host": made.and_then(|made| made.host.as_ref()),
        "seconds": provenance.seconds,
        "envy": provenance.envy,
        "sandbox": provenance.sandbox,
        "rust": Some(&provenance.toolchain).filter(|rust| !rust.is_empty()),
    })
}

/// The same in a sentence.
pub(super) fn sentence(action: ActionDigest, provenance: &Provenance) -> String {
    let made = provenance.made.as_ref();
    let parts = [
        made.map(|made| made.time.clone()),
        made.and_then(|made| made.by.as_ref()).map(|by| format!("by {by}")),
        made.and_then(|made| made.host.as_ref()).map(|host| format!("on {host}")),
        Some(format!("in {:.1} s", provenance.seconds)),
        Some(format!("by envy {}", provenance.envy)),
        Some(match provenance.sandbox.as_str() {
            "none" => "without a sandbox".to_owned(),
            sandbox => format!("sandbox {sandbox}"),
        }),
    ];
    format!("{}, action {action}", parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
}
