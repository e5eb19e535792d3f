//! From a finished prefix to the generation that a site shows.

use std::path::PathBuf;

use super::assembling::Assembled;
use super::context::Context;
use super::project::{Project, config};
use crate::digest::TextDigest;
use crate::failure::Failure;
use crate::manifest::Site;
use crate::platform::Platform;
use crate::site::{Files, Generation, Move, Note, Place, scripts};
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
    let place = project.place(&site.name);
    let prefix = context.store()?.materialise(&assembled.tree)?;
    let held = place.hold(context.globals.patience(), context.ui)?;
    let digest = TextDigest::of(lockfile.as_bytes());
    let generation =
        Generation::new(site.name.as_str(), &Platform::host().to_string(), assembled.tree.digest(), digest)
            .with_config(&assembled.config)
            .with_packages(assembled.members.clone());
    Ok(Ready { site, place, prefix, generation, files: assembled.config.files.clone(), lockfile, _held: held })
}

impl Ready<'_> {
    /// Make a generation of it, and show that. Gives the number of the generation that was current before, if that changed.
    pub fn show(
        &self,
        context: &Context<'_>,
        project: &Project,
        showing: Showing,
        message: Option<String>,
    ) -> Result<Option<u64>, Failure> {
        let (site, place, digest) = (&self.site.name, &self.place, self.generation.lockfile);
        if place.numbers()?.is_empty() && !self.generation.packages.is_empty() {
            begin_empty(context, project, self.site, place, "")?;
        }
        context.store()?.add_root(place.path())?;
        if showing != Showing::Always && place.is_held(digest, Some(self.generation.config))? {
            tell_held(context, place);
            return Ok(None);
        }
        // A description that cannot be read is none: a new generation takes its place.
        let current = place.current().ok().flatten();
        if let Some(current) = current.filter(|current| self.is_shown_by(current)) {
            context.ui.done("unchanged", format!("site `{site}` stays at generation {}", current.number));
            return Ok(None);
        }
        let before = place.current_number();
        let generation = place.add_generation(self.generation.clone(), &self.prefix, self.lockfile, &self.files)?;
        if showing == Showing::Never {
            context.ui.done("built", format!("generation {} of site `{site}`, not current", generation.number));
            context.ui.detail(format!("run `envy switch {site} {}` to make it so", generation.number));
            return Ok(None);
        }
        switch(place, Move::Build, &generation, Some(digest), project.note(message))?;
        let count = crate::ui::count(generation.packages.len(), "package");
        context.ui.done("switched", format!("site `{site}` to generation {} ({count})", generation.number));
        context.ui.detail(format!("prefix {}", generation.prefix));
        Ok(before)
    }

    fn is_shown_by(&self, current: &Generation) -> bool {
        current.is_same_as(&self.generation)
            && current.lockfile == self.generation.lockfile
            && self.place.links_into(current, &self.prefix)
            && self.place.edited_files(current).is_empty()
    }

    /// Show again what was current before a command that failed.
    pub fn show_again(&self, project: &Project, before: u64) -> Result<(), Failure> {
        let note = project.note(Some("undone, since the command failed".to_owned()));
        switch(&self.place, Move::Rollback, &self.place.generation(before)?, None, note)
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
    let prefix = store.materialise(&empty)?;
    store.add_root(place.path())?;
    let lockfile = TextDigest::of(built_from.as_bytes());
    let generation = Generation::new(site.name.as_str(), &Platform::host().to_string(), empty.digest(), lockfile)
        .with_config(&config(site));
    let generation = place.add_generation(generation, &prefix, built_from, &Files::default())?;
    switch(place, Move::Create, &generation, Some(lockfile), project.note(None))
}

/// Say that a site stays where somebody put it.
pub fn tell_held(context: &Context<'_>, place: &Place) {
    let (site, number) = (place.site(), place.current_number().unwrap_or(0));
    context.ui.note(format!(
        "site `{site}` is held at generation {number}, until its lockfile changes; `envy build {site} --switch` moves it"
    ));
}

/// Make a generation current, with the scripts that go with it.
pub fn switch(
    place: &Place,
    action: Move,
    to: &Generation,
    lockfile: Option<TextDigest>,
    note: Note,
) -> Result<(), Failure> {
    place.switch(action, to, lockfile, note)?;
    for (name, text) in scripts(place, to) {
        let path = place.path().join(name);
        if crate::disk::read_if_exists(&path)?.as_deref() != Some(text.as_bytes()) {
            // They can be made again from the generation, which is where a site's truth is.
            crate::disk::write_whole(&path, text.as_bytes())?;
        }
    }
    Ok(())
}
