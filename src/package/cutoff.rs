//! Cut-off times: versions published after them are passed over, by `exclude-newer` of `envy.toml`. Pure.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, civil};

use super::PackageName;

/// A cut-off that makes no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No text that we know.
    #[error(
        "`{}` is neither a time (`2026-11-17T09:30:00Z`) nor a date (`2026-11-17`) nor a span of time (`7d`, `2 weeks`, `P7D`)",
        text.escape_debug()
    )]
    Unknown { text: String },
    /// A span that leads to the future, or further back than there are times.
    #[error("`{}` before now is no time in the past", text.escape_debug())]
    Range { text: String },
}

/// A cut-off as someone wrote it.
#[derive(Clone, Debug)]
pub enum Cutoff {
    /// The same whenever it is asked for.
    Fixed(Timestamp),
    /// So long before now.
    Before(Span),
}

impl Cutoff {
    /// A time as RFC 3339 has it, a date (its first moment, in UTC), or a span of time before now. A bare number is
    /// refused: nobody can say of what.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let unknown = || Error::Unknown { text: text.to_owned() };
        if text.contains('[') {
            return Err(unknown());
        }
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(Self::Fixed(time));
        }
        if text.len() == "2026-11-17".len()
            && let Ok(date) = text.parse::<civil::Date>()
        {
            return date.to_zoned(TimeZone::UTC).map(|zoned| Self::Fixed(zoned.timestamp())).map_err(|_| unknown());
        }
        let span: Span = text.parse().map_err(|_| unknown())?;
        if before(span, Timestamp::UNIX_EPOCH).is_none() {
            return Err(Error::Range { text: text.to_owned() });
        }
        Ok(Self::Before(span))
    }

    /// The moment that it means now, to the second. What is published later counts as too new.
    pub fn at(&self, now: Timestamp) -> Timestamp {
        let time = match self {
            Self::Fixed(time) => *time,
            // It led somewhere from the epoch, so it leads somewhere from now.
            Self::Before(span) => before(*span, now).unwrap_or(Timestamp::UNIX_EPOCH),
        };
        Timestamp::from_second(time.as_second()).unwrap_or(time)
    }
}

/// The moment so long before another, if there is one.
fn before(span: Span, now: Timestamp) -> Option<Timestamp> {
    let then = now.to_zoned(TimeZone::UTC).checked_sub(span).ok()?.timestamp();
    (!span.is_negative()).then_some(then)
}

/// The moments in force for the packages of a site.
#[derive(Clone, Debug, Default)]
pub struct Cutoffs {
    /// For all packages that have none of their own.
    pub all: Option<Timestamp>,
    /// For single packages; nothing where they are free of it.
    pub own: BTreeMap<PackageName, Option<Timestamp>>,
}

impl Cutoffs {
    /// Whether any is in force.
    pub fn are_set(&self) -> bool {
        self.all.is_some() || self.own.values().any(Option::is_some)
    }

    /// The one in force for a package.
    pub fn of(&self, name: &PackageName) -> Option<Timestamp> {
        self.own.get(name).copied().unwrap_or(self.all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let now = "2026-11-24T10:20:30.5Z".parse().unwrap();
        let time = Cutoff::parse(text).map(|cutoff| cutoff.at(now).to_string()).map_err(|error| error.to_string());
        match expected {
            Ok(expected) => assert_eq!(time.as_deref(), Ok(expected), "{text}"),
            Err(expected) => assert!(time.as_ref().is_err_and(|error| error.contains(expected)), "{text}: {time:?}"),
        }
    }

    #[test]
    fn times_and_dates_are_as_they_are() {
        check("2026-11-17T09:30:00.25+02:00", Ok("2026-11-17T07:30:00Z"));
        check("2026-11-17 09:30:00Z", Ok("2026-11-17T09:30:00Z"));
        check("2026-11-17", Ok("2026-11-17T00:00:00Z"));
        check("2030-01-01", Ok("2030-01-01T00:00:00Z"));
    }

    #[test]
    fn spans_of_time_lead_back_from_now() {
        for week in ["7d", "7 days", "1 week", "1w", "P7D", "P1W", "168h", " 7d "] {
            check(week, Ok("2026-11-17T10:20:30Z"));
        }
        check("1mo", Ok("2026-10-24T10:20:30Z"));
        check("0s", Ok("2026-11-24T10:20:30Z"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "soon", "7", "2026-11", "2026-13-01", "2026-11-17T09:30:00", "false", "2026-11-17T09:30:00Z[UTC]"]
        {
            check(text, Err("is neither a time"));
        }
        for text in ["-7d", "7 days ago", "19000y"] {
            check(text, Err("before now is no time in the past"));
        }
    }

    #[test]
    fn a_packages_own_cut_off_counts_more() {
        let [all, own] =
            ["2026-01-01", "2026-02-01"].map(|date| Cutoff::parse(date).unwrap().at(Timestamp::UNIX_EPOCH));
        let [a, b, c] = ["a", "b", "c"].map(|name| name.parse::<PackageName>().unwrap());
        let cutoffs = Cutoffs { all: Some(all), own: [(a.clone(), Some(own)), (b.clone(), None)].into() };
        assert_eq!([a, b, c].map(|name| cutoffs.of(&name)), [Some(own), None, Some(all)]);
    }
}
