//! Through a site's gate: a generation is tried before it is shown, and the host is told once it is.
//!
//! Whatever goes wrong, the site shows what it showed before, and the failure's code says so.

use super::context::Context;
use super::project::Project;
use crate::digest::TextDigest;
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::manifest::Site;
use crate::progress::{Event, Progress as _};
use crate::site::{Generation, Move, Note, Occasion, Place, Refusal, stale_scripts};

/// Whether a site's gate may keep it from being switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gating {
    /// It may.
    On,
    /// Nothing is checked, and a command after the switch that fails undoes nothing.
    Off,
}

impl Gating {
    /// On, unless somebody asked for no check.
    pub fn unless(no_check: bool) -> Self {
        if no_check { Self::Off } else { Self::On }
    }
}

/// What there is to tell of a host that could not be told of a switch, where the site stays all the same.
pub type Untold = Option<Box<Failure>>;

/// What is left to do where a site stays though a command after the switch failed.
const BY_HAND: &str = "do by hand what that command is for";

/// A way through the gate of a site, which this process holds.
pub struct Passage<'a> {
    pub context: &'a Context<'a>,
    pub project: &'a Project,
    pub site: &'a Site,
    pub place: &'a Place,
    pub gating: Gating,
    /// What the history calls it.
    pub action: Move,
    /// What was typed, for who has to type again.
    pub typed: Typed,
}

/// What was typed, as far as it decides what can be typed next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A command that leaves `envy.toml` as it is.
    Command,
    /// An edit of `envy.toml`, which is put back where it fails.
    Edit,
    /// An import, whose files are taken back where it fails.
    Import,
    /// The import of a site that is not here yet; where it fails, only logs stay.
    FirstImport,
}

impl Passage<'_> {
    /// Try a generation before it is shown. The project's lockfile and `note` are for the history, where it does not pass.
    pub fn check(&self, generation: &Generation, lockfile: Option<TextDigest>, note: &Note) -> Result<(), Failure> {
        let checks = &generation.check;
        if self.gating == Gating::Off || checks.is_empty() {
            return Ok(());
        }
        let limit = std::time::Duration::from_secs(checks.seconds);
        let what = format!("generation {} of site `{}`", generation.number, self.place.site());
        let count = crate::ui::count(checks.commands.len(), "check");
        let busy = self.context.ui.busy(format!("checking {what}"));
        let refusal = self.place.try_out(generation, Occasion::Check, &checks.commands, limit)?;
        drop(busy);
        let Some(refusal) = refusal else {
            self.context.ui.done("checked", format!("{what} ({count})"));
            return Ok(());
        };
        self.place.refuse(generation, lockfile, note.clone())?;
        Err(self.not_passed(&refusal))
    }

    /// Show a generation, and run what is run after a switch. Where that fails, the site shows again what it did before; with
    /// the gate off it stays, and what there is to tell of that is given.
    pub fn enter(&self, to: &Generation, lockfile: Option<TextDigest>, note: Note) -> Result<Untold, Failure> {
        let before = self.place.current_number();
        if !self.site.gate.after_switch.is_empty() {
            self.place.begin_after_switch(before)?;
        }
        switch(self.context, self.place, self.action, to, lockfile, note)?;
        self.after_switch(to, before)
    }

    /// Go on with what a process that died had begun with the generation that the site shows, if there is anything.
    pub fn resume(&self, current: &Generation) -> Result<Untold, Failure> {
        write_scripts(self.context, self.place, current);
        if !self.place.awaits_after_switch() {
            return Ok(None);
        }
        let site = self.place.site();
        self.context.ui.note(format!("what is run after the switch of site `{site}` had not ended; it is run again"));
        self.after_switch(current, self.place.before_after_switch()?)
    }

    fn after_switch(&self, to: &Generation, before: Option<u64>) -> Result<Untold, Failure> {
        let Some(refusal) = self.tell_host(to)? else {
            self.place.end_after_switch()?;
            return Ok(None);
        };
        if self.gating == Gating::Off {
            self.place.end_after_switch()?;
            return Ok(Some(Box::new(self.not_told(&refusal))));
        }
        let Some(before) = before else {
            // There is nothing to go back to, so nothing is shown.
            self.show_nothing()?;
            return Err(self.undone(&refusal, "the site shows nothing, as before".to_owned()));
        };
        if before == to.number {
            // A process died before it had switched, or once it had gone back. The host is still to be told.
            let stays = self.stays(&refusal, "where it was before".to_owned());
            return Err(stays.facts(self.put_back()).hint(self.again()));
        }
        match self.place.generation(before) {
            Ok(before) => {
                let again = self.go_back(&before, "undone, since a command after the switch failed")?;
                Err(self.undone(&refusal, again))
            }
            Err(error) => {
                self.place.end_after_switch()?;
                let stays = self.stays(&refusal, format!("since there is no way back: {error}"));
                Ok(Some(Box::new(stays.hint(BY_HAND))))
            }
        }
    }

    /// Show nothing again, as before the first switch.
    pub fn show_nothing(&self) -> Result<(), Failure> {
        self.place.show_nothing()?;
        Ok(self.place.end_after_switch()?)
    }

    /// Show again what was shown before, and tell the host of that too. Gives what became of it, in a sentence.
    pub fn go_back(&self, to: &Generation, why: &str) -> Result<String, Failure> {
        let (lockfile, note) = (self.project.lockfile(self.place.site()), self.project.note(Some(why.to_owned())));
        switch(self.context, self.place, Move::Undo, to, lockfile, note)?;
        let refusal = self.tell_host(to)?;
        self.place.end_after_switch()?;
        let number = to.number;
        Ok(match refusal {
            Some(refusal) => format!(
                "the site shows generation {number} again; but there `{}` failed too ({}): {}",
                refusal.command,
                refusal.ended,
                refusal.log.display()
            ),
            None => format!("the site shows generation {number} again, and what is run after a switch was run for it"),
        })
    }

    /// Run what is run after a switch.
    fn tell_host(&self, to: &Generation) -> Result<Option<Refusal>, Failure> {
        let gate = &self.site.gate;
        let _busy = self.context.ui.busy(format!("telling the host of generation {}", to.number));
        Ok(self.place.try_out(to, Occasion::AfterSwitch, &gate.after_switch, gate.limit())?)
    }

    fn not_passed(&self, refusal: &Refusal) -> Failure {
        let (site, number) = (self.place.site(), refusal.generation);
        let (one, of) = refusal.place;
        let which = if of == 1 { "its check".to_owned() } else { format!("check {one} of {of}") };
        let stays = match self.place.current_number() {
            _ if self.typed == Typed::FirstImport => "nothing was switched".to_owned(),
            Some(current) => format!("nothing was switched: the site stays at generation {current}"),
            None => "nothing was switched: the site shows nothing yet".to_owned(),
        };
        let hint = match (self.typed, self.action) {
            (Typed::Edit, _) => format!(
                "to look at it, type the same with `--no-build`, then run `envy build {site} --no-switch`, and then \
                 `envy run {site} --generation N -- sh` with the number that it tells"
            ),
            (Typed::Import | Typed::FirstImport, _) => format!(
                "to look at it, type the same with `--no-switch`, and then `envy run {site} --generation N -- sh` with the \
                 number that it tells"
            ),
            (Typed::Command, Move::Build) => format!(
                "to look at it, run `envy build {site} --no-switch`, and then `envy run {site} --generation {number} -- sh`"
            ),
            (Typed::Command, Move::Promote) => "to show it all the same, give `--no-check`".to_owned(),
            (Typed::Command, _) => format!(
                "to look at it, run `envy run {site} --generation {number} -- sh`; `--no-check` shows it all the same"
            ),
        };
        self.told(format!("generation {number} of site `{site}` failed {which}, `{}`", refusal.command), refusal)
            .fact(stays)
            .facts(self.put_back())
            .hint(hint)
    }

    fn undone(&self, refusal: &Refusal, became: String) -> Failure {
        self.told(self.failed_after_switch(refusal), refusal)
            .fact(format!("the switch was undone: {became}"))
            .facts(self.put_back())
            .hint(self.again())
    }

    fn stays(&self, refusal: &Refusal, why: String) -> Failure {
        let number = refusal.generation;
        self.told(self.failed_after_switch(refusal), refusal)
            .fact(format!("the site stays at generation {number}, {why}"))
    }

    fn failed_after_switch(&self, refusal: &Refusal) -> String {
        let (site, number) = (self.place.site(), refusal.generation);
        format!("`{}` failed after site `{site}` was switched to generation {number}", refusal.command)
    }

    /// What else became of an edit.
    fn put_back(&self) -> Option<String> {
        match self.typed {
            Typed::Command => None,
            Typed::Edit => Some("`envy.toml` and the lockfiles are what they were".to_owned()),
            Typed::Import => Some("the project's files are what they were".to_owned()),
            Typed::FirstImport => {
                Some("the project's files are what they were, and of the site only logs stay".to_owned())
            }
        }
    }

    /// What can be typed once a command after the switch has failed.
    fn again(&self) -> String {
        let cause = "mend the cause or `after-switch` in `envy.toml`, and type the same again";
        let site = self.place.site();
        match self.typed {
            Typed::Command => format!("{cause}; `--no-check` stays all the same"),
            Typed::Import | Typed::FirstImport => format!(
                "mend the cause, and type the same again; with `--no-switch`, and then `envy switch {site} N --no-check` with \
                 the number that it tells, it stays all the same"
            ),
            Typed::Edit => {
                format!("{cause}; with `--no-build`, and then `envy build {site} --no-check`, it stays all the same")
            }
        }
    }

    fn not_told(&self, refusal: &Refusal) -> Failure {
        let mut failure =
            self.told(self.failed_after_switch(refusal), refusal).fact("it stays there, since `--no-check` was given");
        failure.exit = Exit::Failed;
        failure.hint(BY_HAND)
    }

    fn told(&self, outcome: String, refusal: &Refusal) -> Failure {
        Failure::new(Exit::Refused, format!("{outcome} ({})", refusal.ended))
            .facts(refusal.said.iter().map(|line| format!("| {line}")))
            .fact(format!("full log: {}", refusal.log.display()))
    }
}

/// Make a generation current, with the scripts that go with it.
pub fn switch(
    context: &Context<'_>,
    place: &Place,
    action: Move,
    to: &Generation,
    lockfile: Option<TextDigest>,
    note: Note,
) -> Result<(), Failure> {
    place.switch(action, to, lockfile, note)?;
    write_scripts(context, place, to);
    Ok(())
}

/// Write the scripts that activate what a site shows, where they are others. The site shows it whether or not they can be
/// written, and the next build tries again.
pub fn write_scripts(context: &Context<'_>, place: &Place, shown: &Generation) {
    for (name, text) in stale_scripts(place, shown) {
        // They can be made again from the generation, which is where a site's truth is.
        if let Err(error) = disk::write_whole(&place.path().join(name), text.as_bytes()) {
            let number = shown.number;
            warn(context, format!("`{name}` of site `{}` is not that of generation {number}: {error}", place.site()));
        }
    }
}

/// Say what stops nothing, though somebody should look at it.
pub fn warn(context: &Context<'_>, text: String) {
    context.ui.tell(Event::Warning(&text));
}
