//! From a finished prefix to the generation that a site shows.

use std::path::PathBuf;

use super::assembling::Assembled;
use super::context::Context;
use super::generations;
use super::looking::look_over;
use super::passing::{Gating, Passage, Typed, Untold, switch, warn};
use super::project::{Project, config};
use crate::digest::{TextDigest, TreeDigest};
use crate::failure::Failure;
use crate::manifest::Site;
use crate::package::SiteName;
use crate::platform::Platform;
use crate::site::{Checks, Files, Generation, Move, Note, Place, Promoted};
use crate::store::Held;
use crate::tree::Tree;

/// What is done with a finished prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Showing {
    /// It becomes current, unless somebody went back from it.
    UnlessHeld,
    /// It becomes current.
    Always,
    /// It becomes a generation that is not current.
    Never,
}

/// How a prefix is shown.
#[derive(Clone, Debug)]
pub struct Manner {
    pub showing: Showing,
    pub gating: Gating,
    /// What the history calls it.
    pub action: Move,
    /// What was typed.
    pub typed: Typed,
    /// Why, for the history.
    pub message: Option<String>,
}

impl Manner {
    /// A build that shows what came out.
    pub fn of_build(showing: Showing, gating: Gating, message: Option<String>) -> Self {
        Self { showing, gating, action: Move::Build, typed: Typed::Command, message }
    }

    /// A build of what an edit of `envy.toml` asks for.
    pub fn of_edit() -> Self {
        Self { typed: Typed::Edit, ..Self::of_build(Showing::UnlessHeld, Gating::On, None) }
    }

    /// A build of what came in a bundle, of a site that is here or not.
    pub fn of_import(showing: Showing, is_here: bool, message: Option<String>) -> Self {
        let typed = if is_here { Typed::Import } else { Typed::FirstImport };
        Self { typed, ..Self::of_build(showing, Gating::On, message) }
    }

    /// The way of it through the gate of a site.
    pub fn passage<'a>(
        &self,
        context: &'a Context<'a>,
        project: &'a Project,
        site: &'a Site,
        place: &'a Place,
    ) -> Passage<'a> {
        Passage { context, project, site, place, gating: self.gating, action: self.action, typed: self.typed }
    }
}

/// What became of a site.
#[derive(Debug)]
pub struct Shown {
    pub site: SiteName,
    pub how: How,
    /// The generation that was current before.
    pub before: Option<u64>,
    /// The generation that is current, or that was only made.
    pub generation: u64,
    pub prefix: TreeDigest,
    /// How the host could not be told of it, though it stays.
    pub untold: Untold,
}

/// How a site came to what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It showed that already; nothing was done but to compare.
    Converged,
    /// It shows what came out.
    Unchanged,
    /// It was switched.
    Switched,
    /// It stays where somebody put it.
    Held,
    /// A generation was made, and is not current.
    Made,
    /// A generation that is not current was made before, and is still there.
    MadeBefore,
}

impl How {
    /// Whether anything is other than before.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Switched | Self::Made)
    }

    /// What it is called in data.
    pub fn word(self) -> &'static str {
        match self {
            Self::Converged | Self::Unchanged => "unchanged",
            Self::Switched => "switched",
            Self::Held => "held",
            Self::Made | Self::MadeBefore => "made",
        }
    }
}

impl Shown {
    /// What a site shows that nothing was done to.
    pub fn still(site: &SiteName, how: How, generation: &Generation) -> Self {
        let (before, prefix) = (Some(generation.number), generation.prefix);
        Self { site: site.clone(), how, before, generation: generation.number, prefix, untold: None }
    }

    /// The same, unless the host could not be told of it. What goes with it is written by now.
    pub fn told(self) -> Result<Self, Failure> {
        match self.untold {
            Some(failure) => Err(*failure),
            None => Ok(self),
        }
    }

    /// What became of it as data.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "site": self.site.as_str(),
            "state": self.how.word(),
            "changed": self.how.is_change(),
            "before": self.before,
            "generation": self.generation,
            "prefix": self.prefix.to_string(),
        })
    }
}

/// A finished prefix, and its site, which nobody else changes meanwhile.
pub struct Ready<'a> {
    site: &'a Site,
    place: Place,
    prefix: PathBuf,
    generation: Generation,
    files: Files,
    /// The text that it was made from.
    lockfile: &'a str,
    _held: Held,
}

/// Make the prefix and take hold of the site: all that may fail or wait, before anything changes.
pub fn ready<'a>(
    context: &Context<'_>,
    project: &Project,
    site: &'a Site,
    assembled: &Assembled,
    lockfile: &'a str,
) -> Result<Ready<'a>, Failure> {
    let (place, tree) = (project.place(&site.name), &assembled.tree);
    let prefix = prefix(context, project, tree)?;
    let held = place.hold(context.globals.patience(), context.ui)?;
    let digest = TextDigest::of(lockfile.as_bytes());
    let generation = Generation::new(site.name.as_str(), &Platform::host().to_string(), tree.digest(), digest)
        .with_config(&assembled.config)
        .with_checks(Checks::from(&site.gate))
        .with_packages(assembled.members.clone());
    Ok(Ready { site, place, prefix, generation, files: assembled.config.files.clone(), lockfile, _held: held })
}

/// The prefix of a tree, which is right.
fn prefix(context: &Context<'_>, project: &Project, tree: &Tree) -> Result<PathBuf, Failure> {
    let store = context.store()?;
    // One that is made now is made of bytes that are proven.
    if store.has_prefix(tree.digest())? {
        look_over(context, project, tree.digest(), Some(tree), None)?;
    }
    Ok(store.materialise(tree)?)
}

impl Ready<'_> {
    /// The same, as what another site shows.
    pub fn promoted_from(mut self, promoted: Promoted) -> Self {
        self.generation.promoted = Some(promoted);
        self
    }

    /// Make a generation of it, and show that.
    pub fn show(&self, context: &Context<'_>, project: &Project, manner: &Manner) -> Result<Shown, Failure> {
        let (site, place, digest) = (&self.site.name, &self.place, self.generation.lockfile);
        if place.numbers()?.is_empty() && !self.generation.packages.is_empty() {
            begin_empty(context, project, self.site, place, "")?;
        }
        context.store()?.add_root(place.path())?;
        // A description that cannot be read is none: a new generation takes its place.
        let current = place.current().ok().flatten();
        let passage = manner.passage(context, project, self.site, place);
        let resume = |current: &Generation| match manner.showing {
            // Whoever wants no switch wants no end of one either.
            Showing::Never => Ok(None),
            Showing::UnlessHeld | Showing::Always => passage.resume(current),
        };
        if manner.showing == Showing::UnlessHeld && place.is_held(digest, Some(self.generation.config))? {
            let untold = current.as_ref().map_or(Ok(None), resume)?;
            tell_held(context, place);
            return Ok(Shown { untold, ..Shown::still(site, How::Held, current.as_ref().unwrap_or(&self.generation)) });
        }
        if let Some(current) = current.filter(|current| self.is_shown_by(current)) {
            let untold = resume(&current)?;
            context.ui.done("unchanged", format!("site `{site}` stays at generation {}", current.number));
            return Ok(Shown { untold, ..Shown::still(site, How::Unchanged, &current) });
        }
        let note = project.note_of_making(manner.message.clone());
        let before = place.current_number();
        let (generation, is_new) = self.add(note.clone())?;
        let (number, prefix) = (generation.number, generation.prefix);
        let shown = |how, untold| Shown { site: site.clone(), how, before, generation: number, prefix, untold };
        if manner.showing == Showing::Never {
            let how = if is_new { How::Made } else { How::MadeBefore };
            context.ui.done("built", format!("generation {number} of site `{site}`, not current"));
            context.ui.detail(format!("run `envy switch {site} {number}` to make it so"));
            return Ok(shown(how, None));
        }
        if let Err(failure) = passage.check(&generation, Some(digest), &note) {
            if is_new {
                // What was never shown is nobody's.
                place.remove_generation(number)?;
            }
            return Err(failure);
        }
        let untold = passage.enter(&generation, Some(digest), note)?;
        let count = crate::ui::count(generation.packages.len(), "package");
        context.ui.done("switched", format!("site `{site}` to generation {number} ({count})"));
        context.ui.detail(format!("prefix {prefix}"));
        if let Err(failure) = generations::tidy(context, project, place) {
            // The site shows it, whatever becomes of older ones.
            warn(context, format!("older generations of site `{site}` were not removed: {}", failure.outcome));
        }
        Ok(shown(How::Switched, untold))
    }

    /// The generation of it, and whether that was made just now.
    fn add(&self, note: Note) -> Result<(Generation, bool), Failure> {
        let latest = self.place.numbers()?.last().copied();
        let generation = self.generation.clone().with_note(note);
        let generation = self.place.add_generation(generation, &self.prefix, self.lockfile, &self.files)?;
        let is_new = Some(generation.number) > latest;
        Ok((generation, is_new))
    }

    fn is_shown_by(&self, current: &Generation) -> bool {
        current.is_same_as(&self.generation)
            && current.lockfile == self.generation.lockfile
            && self.place.links_into(current, &self.prefix)
            && self.place.edited_files(current).is_empty()
    }

    /// Show again what was current before a command that failed.
    pub fn show_again(&self, context: &Context<'_>, project: &Project, before: Option<u64>) -> Result<(), Failure> {
        let manner = Manner { gating: Gating::Off, action: Move::Undo, ..Manner::of_edit() };
        let passage = manner.passage(context, project, self.site, &self.place);
        match before {
            Some(before) => {
                passage.go_back(&self.place.generation(before)?, "undone, since the command failed").map(drop)
            }
            None => passage.show_nothing(),
        }
    }
}

/// Begin a site whose directory is new or was removed: its first generation is an empty prefix, so that there is
/// something to go back to from the first that is built. It has none of the site's files, which may speak of packages. `built_from` is the text of the lockfile that asks for no more.
pub fn begin_empty(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    place: &Place,
    built_from: &str,
) -> Result<(), Failure> {
    let (store, empty) = (context.store()?, Tree::default());
    store.put_tree(&empty)?;
    let prefix = prefix(context, project, &empty)?;
    store.add_root(place.path())?;
    let lockfile = TextDigest::of(built_from.as_bytes());
    let note = project.note(None);
    let generation = Generation::new(site.name.as_str(), &Platform::host().to_string(), empty.digest(), lockfile)
        .with_config(&config(site))
        .with_note(note.clone());
    let generation = place.add_generation(generation, &prefix, built_from, &Files::default())?;
    switch(context, place, Move::Create, &generation, Some(lockfile), note)
}

/// Say that a site stays where somebody put it.
pub fn tell_held(context: &Context<'_>, place: &Place) {
    let (site, number) = (place.site(), place.current_number().unwrap_or(0));
    let until = match place.is_held_by_configuration() {
        true => "its lockfile or its configuration changes",
        false => "its lockfile changes",
    };
    context.ui.note(format!(
        "site `{site}` is held at generation {number}, until {until}; `envy build {site} --switch` moves it"
    ));
}
