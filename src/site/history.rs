//! History: one line of JSON for every switch of a site, never changed afterwards.
//!
//! Going back means going to what was live before, as the history tells it, and never by the times of directories.

use serde::{Deserialize, Serialize};

use super::{Error, Generation, Place};
use crate::digest::TextDigest;
use crate::disk;

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
        let line = serde_json::to_string(entry).expect("an entry is plain data");
        Ok(disk::append_line(&self.path().join("history.jsonl"), &line)?)
    }

    /// Every switch, oldest first. A line that was cut short by a power cut counts as not written, and one whose switch
    /// never happened, since its process died in between, as nothing.
    pub fn history(&self) -> Result<Vec<Entry>, Error> {
        let text = disk::read_text_if_exists(&self.path().join("history.jsonl"))?.unwrap_or_default();
        let mut entries: Vec<Entry> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let current = self.current_number();
        if entries.last().is_some_and(|last| Some(last.to) != current && last.from == current) {
            entries.pop();
        }
        Ok(entries)
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
        trail.pop().ok_or_else(|| Error::NothingBefore(self.site().clone()))
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

    /// Whether there is a generation of this lockfile and configuration.
    fn has_shown(&self, lockfile: TextDigest, config: TextDigest) -> Result<bool, Error> {
        let is =
            |number: &u64| self.generation(*number).is_ok_and(|one| (one.lockfile, one.config) == (lockfile, config));
        Ok(self.numbers()?.iter().any(is))
    }
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

    fn check(moves: &[(Move, u64)], expected: &[u64]) {
        let entry = |(action, to): &(Move, u64)| Entry {
            schema: String::new(),
            time: String::new(),
            action: *action,
            from: None,
            to: *to,
            prefix: String::new(),
            lockfile: None,
            note: Note::default(),
        };
        assert_eq!(trail(&moves.iter().map(entry).collect::<Vec<_>>()), expected);
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
