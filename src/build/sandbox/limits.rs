//! How long a command may run, and how much it may write.

use std::fmt;
use std::time::Duration;

use crate::build::action;

/// The limits of one command. They are no part of what a build is known by: one that is stopped has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long it may run.
    pub time: Duration,
    /// How many bytes its log may have.
    pub log: u64,
}

/// The longest log: nobody reads more, and a build that repeats itself would fill the disk with it.
pub const LONGEST_LOG: u64 = 64 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(action::TIMEOUT.unsigned_abs()), log: LONGEST_LOG }
    }
}

/// Why a command was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It ran longer than this.
    TooLong(Duration),
    /// Its log grew beyond so many bytes.
    TooMuch(u64),
}

impl Limits {
    /// The limit that a command went beyond, if it did.
    pub fn exceeded(&self, time: Duration, log: u64) -> Option<Stopped> {
        if time > self.time {
            return Some(Stopped::TooLong(self.time));
        }
        (log > self.log).then_some(Stopped::TooMuch(self.log))
    }

    /// How long to wait before looking again: the longer it runs, the longer, so that little is lost at its end.
    pub(super) fn pause(time: Duration) -> Duration {
        (time / 16).clamp(Duration::from_millis(1), Duration::from_millis(50))
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(limit) => write!(f, "stopped: it took longer than {}", spoken(*limit)),
            Self::TooMuch(limit) => write!(f, "stopped: its log grew beyond {} MiB", limit >> 20),
        }
    }
}

/// A time as people say it, in the largest unit that it is whole in.
fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    let (count, unit) = match seconds {
        0 => return format!("{} milliseconds", time.as_millis()),
        seconds if seconds % 3600 == 0 => (seconds / 3600, "hour"),
        seconds if seconds % 60 == 0 => (seconds / 60, "minute"),
        seconds => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_whole_units() {
        let spoken = |seconds| spoken(Duration::from_secs(seconds));
        assert_eq!(
            [1, 90, 60, 1800, 3600, 21_600].map(spoken).join(", "),
            "1 second, 90 seconds, 1 minute, 30 minutes, 1 hour, 6 hours"
        );
    }

    #[test]
    fn what_goes_beyond_a_limit_is_stopped() {
        let limits = Limits { time: Duration::from_secs(60), log: 1 << 20 };
        assert_eq!(limits.exceeded(Duration::from_secs(60), 1 << 20), None);
        let stopped = limits.exceeded(Duration::from_secs(61), 0).unwrap();
        assert_eq!(stopped.to_string(), "stopped: it took longer than 1 minute");
        let stopped = limits.exceeded(Duration::ZERO, (1 << 20) + 1).unwrap();
        assert_eq!(stopped.to_string(), "stopped: its log grew beyond 1 MiB");
    }
}
