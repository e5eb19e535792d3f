//! History: one line of JSON for every switch of a site, never changed afterwards.
//!
//! Going back means going to what was live before, as the history tells it, and never by the times of directories.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Error, Generation, Place};
use crate::digest::TextDigest;
use crate::disk;
use crate::store::{Flaw, FlawKind};

/// Why a site came to show another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Move {
    /// It was created.
    Create,
    /// A build made it.
    Build,
    /// Somebody chose it.
    Switch,
    /// Somebody went back.
    Rollback,
    /// It got the packages of another site.
    Promote,
    /// The switch before failed later on, and counts for nothing.
    Undo,
    /// The generation did not pass its checks, and was not switched to.
    Refuse,
}

/// One switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    schema: String,
    /// When, in UTC.
    pub time: String,
    /// Why.
    pub action: Move,
    /// The generation that was live before.
    pub from: Option<u64>,
    /// The generation that is live since.
    pub to: u64,
    /// The tree of its prefix.
    pub prefix: String,
    /// Digest of the project's lockfile at that time, if there was one.
    pub lockfile: Option<String>,
    /// Who and from what.
    #[serde(flatten)]
    pub note: Note,
}

/// Who did something, and from what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The user.
    pub by: Option<String>,
    /// The host.
    pub host: Option<String>,
    /// The commit of the project.
    pub commit: Option<String>,
    /// Whether the project had changes that are not in that commit, where that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty: Option<bool>,
    /// What they said.
    pub message: Option<String>,
}

impl Entry {
    pub(super) fn new(
        action: Move,
        from: Option<u64>,
        to: &Generation,
        lockfile: Option<TextDigest>,
        note: Note,
    ) -> Self {
        Self {
            schema: "envy.switch/1".to_owned(),
            time: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            action,
            from,
            to: to.number,
            prefix: to.prefix.to_string(),
            lockfile: lockfile.map(|digest| digest.to_string()),
            note,
        }
    }
}

impl Place {
    pub(super) fn record(&self, entry: &Entry) -> Result<(), Error> {
        Ok(disk::append_line(&self.history_path(), &line_of(entry))?)
    }

    /// Every line, oldest first. One that was cut short by a power cut counts as not written.
    pub fn lines(&self) -> Result<Vec<Entry>, Error> {
        let bytes = disk::read_if_exists(&self.history_path())?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Every switch that counts, oldest first.
    pub fn history(&self) -> Result<Vec<Entry>, Error> {
        Ok(counted(self.lines()?, self.current_number()))
    }

    /// The generation that was shown last, where the link to it is gone, or leads to none that is there. Where no line tells
    /// of it either, it is the latest.
    pub fn lost_current(&self) -> Result<Option<u64>, Error> {
        match self.current_number() {
            Some(number) if disk::is_directory(&self.generation_path(number)) => Ok(None),
            _ => match &self.lines()?[..] {
                [] => Ok(self.numbers()?.pop()),
                lines => Ok(counted(lines.to_vec(), None).pop().map(|last| last.to)),
            },
        }
    }

    /// In what the history is not as it was written: it is gone, or has lines that nobody wrote, or does not tell of what
    /// the site shows. A line that was cut short is none of these.
    pub fn examine_history(&self) -> Result<Option<Flaw>, Error> {
        if self.numbers()?.is_empty() {
            return Ok(None);
        }
        let told = "a line for each switch";
        let Some(bytes) = disk::read_if_exists(&self.history_path())? else {
            return Ok(Some(Flaw::missing(HISTORY, told)));
        };
        let text = String::from_utf8_lossy(&bytes);
        let is_garbage = |line: &str| serde_json::from_str::<Entry>(line).is_err_and(|error| !error.is_eof());
        let found = match text.lines().position(is_garbage) {
            Some(at) => format!("line {} that cannot be read", at + 1),
            None if self.tells_of_current()? => return Ok(None),
            None => "none for what the site shows".to_owned(),
        };
        Ok(Some(Flaw::new(HISTORY, FlawKind::Changed, told, found)))
    }

    fn tells_of_current(&self) -> Result<bool, Error> {
        let Some(current) = self.current_number().filter(|number| disk::is_directory(&self.generation_path(*number)))
        else {
            return Ok(!self.lines()?.is_empty());
        };
        Ok(self.lines()?.iter().any(|line| line.action != Move::Refuse && line.to == current))
    }

    /// Keep of the history what can be read, and let it tell of the generation that the site shows. The site is held.
    pub fn mend_history(&self, shown: Option<&Generation>, note: Note) -> Result<(), Error> {
        let lines = self.lines()?;
        let text: String = lines.iter().map(|line| line_of(line) + "\n").collect();
        disk::write_atomic(&self.history_path(), text.as_bytes())?;
        match shown {
            Some(shown) if !self.tells_of_current()? => {
                let before = lines.iter().rfind(|line| line.action != Move::Refuse).map(|last| last.to);
                self.record(&Entry::new(Move::Switch, before, shown, None, note))
            }
            _ => Ok(()),
        }
    }

    fn history_path(&self) -> PathBuf {
        self.path().join(HISTORY)
    }

    /// Write down that a generation was not switched to, since it did not pass its checks.
    pub fn refuse(&self, generation: &Generation, lockfile: Option<TextDigest>, note: Note) -> Result<(), Error> {
        self.record(&Entry::new(Move::Refuse, self.current_number(), generation, lockfile, note))
    }

    /// The generation to go back to.
    pub fn before_current(&self) -> Result<u64, Error> {
        let mut trail = trail(&self.history()?);
        let existing = self.numbers()?;
        trail.retain(|number| existing.contains(number));
        // A process that died between the switch and its line left a generation live that no line tells of.
        if trail.last().copied() == self.current_number() {
            trail.pop();
        }
        let lost = || match self.examine_history() {
            Ok(Some(_)) => Error::LostHistory(self.site().clone()),
            _ => Error::NothingBefore(self.site().clone()),
        };
        trail.pop().ok_or_else(lost)
    }

    /// Whether the site is held at a generation that somebody chose, since the lockfile is still the one that they
    /// turned away from. Where that is the chosen generation's own, it is held while the configuration, if it is known,
    /// is one that the site showed and that they turned away from.
    pub fn is_held(&self, lockfile: TextDigest, config: Option<TextDigest>) -> Result<bool, Error> {
        let Some(last) = self.history()?.pop() else { return Ok(false) };
        let chosen = matches!(last.action, Move::Rollback | Move::Switch) && self.current_number() == Some(last.to);
        if !chosen || last.lockfile.as_deref() != Some(lockfile.to_string().as_str()) {
            return Ok(false);
        }
        // Whoever chose the generation that is asked for holds nothing back.
        let Ok(chosen) = self.generation(last.to) else { return Ok(false) };
        let turned_away = |config| Ok::<_, Error>(chosen.config != config && self.has_shown(lockfile, config)?);
        Ok(chosen.lockfile != lockfile || config.map_or(Ok(false), turned_away)?)
    }

    /// Whether a site that is held is held back from another configuration alone, so that a change of that ends it too.
    pub fn is_held_by_configuration(&self) -> bool {
        let last = self.history().ok().and_then(|mut lines| lines.pop());
        let chosen = last.as_ref().and_then(|last| self.generation(last.to).ok());
        chosen.zip(last).is_some_and(|(chosen, last)| last.lockfile == Some(chosen.lockfile.to_string()))
    }

    /// Whether there is a generation of this lockfile and configuration.
    fn has_shown(&self, lockfile: TextDigest, config: TextDigest) -> Result<bool, Error> {
        let is =
            |number: &u64| self.generation(*number).is_ok_and(|one| (one.lockfile, one.config) == (lockfile, config));
        Ok(self.numbers()?.iter().any(is))
    }
}

/// The name of the history in a site's directory.
const HISTORY: &str = "history.jsonl";

fn line_of(entry: &Entry) -> String {
    serde_json::to_string(entry).expect("an entry is plain data")
}

/// The switches that count. Those that never happened do not, since their process died between line and switch: whatever
/// came next began where they did. Nor do those that were undone. Pure.
fn counted(lines: Vec<Entry>, current: Option<u64>) -> Vec<Entry> {
    let lines: Vec<Entry> = lines.into_iter().filter(|line| line.action != Move::Refuse).collect();
    let next = lines.iter().skip(1).map(|next| next.from).chain([current]);
    let happened: Vec<bool> =
        lines.iter().zip(next).map(|(line, next)| next == Some(line.to) || next != line.from).collect();
    let mut counted: Vec<Entry> = Vec::new();
    for (line, _) in lines.into_iter().zip(happened).filter(|(_, happened)| *happened) {
        match line.action {
            Move::Undo => drop(counted.pop()),
            _ => counted.push(line),
        }
    }
    counted
}

/// The generations that were live and not gone back from, oldest first. Pure.
fn trail(history: &[Entry]) -> Vec<u64> {
    let mut trail: Vec<u64> = Vec::new();
    for entry in history {
        match (entry.action, trail.iter().rposition(|number| *number == entry.to)) {
            (Move::Rollback, Some(position)) => trail.truncate(position + 1),
            _ if trail.last() == Some(&entry.to) => {}
            _ => trail.push(entry.to),
        }
    }
    trail
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(action: Move, from: Option<u64>, to: u64) -> Entry {
        let (schema, time, prefix) = Default::default();
        Entry { schema, time, action, from, to, prefix, lockfile: None, note: Note::default() }
    }

    fn check(moves: &[(Move, u64)], expected: &[u64]) {
        let entries: Vec<_> = moves.iter().map(|(action, to)| entry(*action, None, *to)).collect();
        assert_eq!(trail(&entries), expected);
    }

    /// The lines that count, of these, where this generation is current in the end.
    fn counting(lines: &[(Move, u64, u64)], current: u64, expected: &[u64]) {
        let lines = lines.iter().map(|(action, from, to)| entry(*action, Some(*from).filter(|from| *from > 0), *to));
        let counted: Vec<_> = counted(lines.collect(), Some(current)).iter().map(|entry| entry.to).collect();
        assert_eq!(counted, expected);
    }

    #[test]
    fn what_never_happened_or_was_undone_or_refused_counts_for_nothing() {
        use Move::{Build, Create, Refuse, Rollback, Undo};
        let begun = [(Create, 0, 1), (Build, 1, 2)];
        let with = |more: &[(Move, u64, u64)]| [&begun[..], more].concat();
        counting(&begun, 2, &[1, 2]);
        counting(&with(&[(Refuse, 2, 3), (Build, 2, 4)]), 4, &[1, 2, 4]);
        counting(&with(&[(Build, 2, 3)]), 2, &[1, 2]);
        counting(&with(&[(Build, 2, 3), (Build, 2, 4)]), 4, &[1, 2, 4]);
        counting(&with(&[(Build, 2, 3), (Undo, 3, 2)]), 2, &[1, 2]);
        counting(&with(&[(Build, 2, 3), (Undo, 3, 2)]), 3, &[1, 2, 3]);
        counting(&with(&[(Build, 2, 3), (Undo, 3, 2), (Build, 3, 4)]), 4, &[1, 2, 3, 4]);
        counting(&with(&[(Rollback, 2, 1), (Build, 1, 3), (Undo, 3, 1)]), 1, &[1, 2, 1]);
    }

    #[test]
    fn going_back_follows_what_was_live() {
        use Move::{Build, Create, Rollback, Switch};
        check(&[(Create, 1), (Build, 2), (Build, 3)], &[1, 2, 3]);
        check(&[(Create, 1), (Build, 2), (Build, 3), (Rollback, 2)], &[1, 2]);
        check(&[(Create, 1), (Build, 2), (Build, 3), (Rollback, 2), (Rollback, 1)], &[1]);
        check(&[(Create, 1), (Build, 2), (Rollback, 1), (Build, 3)], &[1, 3]);
        check(&[(Create, 1), (Build, 2), (Switch, 1), (Build, 3)], &[1, 2, 1, 3]);
        check(&[(Create, 1), (Build, 2), (Build, 3), (Rollback, 1)], &[1]);
    }
}
