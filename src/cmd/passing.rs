//! Through a site's gate: a generation is tried before it is shown, and the host is told once it is.
//!
//! Whatever goes wrong, the site shows what it showed before, and the failure's code says so.

use super::context::Context;
use super::project::Project;
use super::showing::switch;
use crate::digest::TextDigest;
use crate::failure::{Exit, Failure};
use crate::manifest::Site;
use crate::site::{Generation, Move, Note, Occasion, Place, Refusal};

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

/// What there is to tell of a host that could not be told of a switch.
pub type Untold = Option<Box<Failure>>;

/// A way through the gate of a site, which this process holds.
pub struct Passage<'a> {
    pub context: &'a Context<'a>,
    pub project: &'a Project,
    pub site: &'a Site,
    pub place: &'a Place,
    pub gating: Gating,
    /// What the history calls it.
    pub action: Move,
}

impl Passage<'_> {
    /// Try a generation before it is shown. `note` is for the history, where it does not pass.
    pub fn check(&self, generation: &Generation, note: &Note) -> Result<(), Failure> {
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
        self.place.refuse(generation, note.clone())?;
        Err(self.not_passed(&refusal))
    }

    /// Show a generation, and run what is run after a switch. Where that fails, the site shows again what it did before; with
    /// the gate off it stays, and what there is to tell of that is given.
    pub fn enter(&self, to: &Generation, lockfile: Option<TextDigest>, note: Note) -> Result<Untold, Failure> {
        let before = self.place.current_number();
        if !self.site.gate.after_switch.is_empty() {
            self.place.begin_after_switch(before)?;
        }
        switch(self.place, self.action, to, lockfile, note)?;
        self.after_switch(to, before)
    }

    /// Go on with a switch whose process died before the commands after it had ended.
    pub fn resume(&self, current: &Generation) -> Result<Untold, Failure> {
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
        let Some(before) = before.filter(|before| *before != to.number) else {
            // There is nothing to go back to, so nothing is shown.
            self.place.show_nothing()?;
            self.place.end_after_switch()?;
            return Err(self.undone(&refusal, "the site shows nothing, as before".to_owned()));
        };
        let again = self.go_back(&self.place.generation(before)?, "undone, since a command after the switch failed")?;
        Err(self.undone(&refusal, again))
    }

    /// Show again what was shown before, and tell the host of that too. Gives what became of it, in a sentence.
    pub fn go_back(&self, to: &Generation, why: &str) -> Result<String, Failure> {
        switch(self.place, Move::Undo, to, None, self.project.note(Some(why.to_owned())))?;
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
            Some(current) => format!("nothing was switched: the site stays at generation {current}"),
            None => "nothing was switched: the site shows nothing yet".to_owned(),
        };
        let hint = match self.action {
            Move::Build => format!(
                "to look at it, run `envy build {site} --no-switch`, and then `envy run {site} --generation {number} -- sh`"
            ),
            Move::Promote => "to show it all the same, give `--no-check`".to_owned(),
            _ => format!(
                "to look at it, run `envy run {site} --generation {number} -- sh`; `--no-check` shows it all the same"
            ),
        };
        self.told(format!("generation {number} of site `{site}` failed {which}, `{}`", refusal.command), refusal)
            .fact(stays)
            .hint(hint)
    }

    fn undone(&self, refusal: &Refusal, became: String) -> Failure {
        let (site, number) = (self.place.site(), refusal.generation);
        let outcome = format!("`{}` failed after site `{site}` was switched to generation {number}", refusal.command);
        self.told(outcome, refusal).fact(format!("the switch was undone: {became}")).hint(
            "mend the cause or `after-switch` in `envy.toml`, and type the same again; `--no-check` stays all the same",
        )
    }

    fn not_told(&self, refusal: &Refusal) -> Failure {
        let (site, number) = (self.place.site(), refusal.generation);
        let outcome = format!("`{}` failed after site `{site}` was switched to generation {number}", refusal.command);
        let mut failure = self.told(outcome, refusal).fact("it stays there, since `--no-check` was given");
        failure.exit = Exit::Failed;
        failure.hint("do by hand what that command is for")
    }

    fn told(&self, outcome: String, refusal: &Refusal) -> Failure {
        Failure::new(Exit::Refused, format!("{outcome} ({})", refusal.ended))
            .facts(refusal.said.iter().map(|line| format!("| {line}")))
            .fact(format!("full log: {}", refusal.log.display()))
    }
}
