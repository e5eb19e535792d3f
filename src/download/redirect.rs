//! Which redirects are followed: a few, and never from https to http.

use reqwest::redirect::{Action, Attempt, Policy};

const MOST: usize = 10;

/// Why a redirect is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It leads where we have been.
    #[error("its redirects lead in a circle")]
    Circle,
    /// One more than there may be.
    #[error("there are more than {MOST} redirects")]
    TooMany,
    /// Someone on the way could read along, or send something else.
    #[error("a redirect leads from https to http")]
    Downgrade,
}

pub(super) fn policy() -> Policy {
    Policy::custom(decide)
}

fn decide(attempt: Attempt<'_>) -> Action {
    match refusal(attempt.previous(), attempt.url()) {
        Some(refused) => attempt.error(refused),
        None => attempt.follow(),
    }
}

fn refusal(previous: &[reqwest::Url], next: &reqwest::Url) -> Option<Refused> {
    let from_https = previous.last().is_some_and(|url| url.scheme() == "https");
    if previous.contains(next) {
        Some(Refused::Circle)
    } else if previous.len() > MOST {
        Some(Refused::TooMany)
    } else if from_https && next.scheme() != "https" {
        Some(Refused::Downgrade)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(previous: &[&str], next: &str, expected: Option<Refused>) {
        let previous: Vec<_> = previous.iter().map(|url| url.parse().unwrap()).collect();
        assert_eq!(refusal(&previous, &next.parse().unwrap()), expected, "{next}");
    }

    #[test]
    fn https_is_never_left_for_http() {
        check(&["https://a.example/"], "http://a.example/", Some(Refused::Downgrade));
        check(&["http://a.example/"], "https://a.example/", None);
        check(&["https://a.example/"], "https://b.example/", None);
    }

    #[test]
    fn circles_and_long_ways_are_refused() {
        check(&["http://a.example/", "http://b.example/"], "http://a.example/", Some(Refused::Circle));
        let way: Vec<_> = (0..=MOST).map(|step| format!("http://a.example/{step}")).collect();
        let way: Vec<_> = way.iter().map(String::as_str).collect();
        check(&way, "http://a.example/end", Some(Refused::TooMany));
        check(&way[1..], "http://a.example/end", None);
    }
}
