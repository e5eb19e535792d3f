//! The user's own configuration, `$XDG_CONFIG_HOME/envy/config.toml`: which cache is used, and how far it is believed. Pure.
//!
//! ```toml
//! [remote]
//! cache = "https://cache.example.org/envy"
//! push = true                          # builds send what they make; `false`: nothing is ever sent
//! trust = true                         # results that no lockfile vouches for count
//! timeout = "10s"                      # how long it may say nothing
//! ```

use std::time::Duration;

use toml::de::DeTable;

use crate::manifest::{self, Findings, Invalid, Key, Shape, duration, now, table, text};

const CONFIG: &[Key] = &[now("remote", Shape::Table(REMOTE))];

const REMOTE: &[Key] = &[
    now("cache", Shape::String),
    now("push", Shape::Boolean),
    now("trust", Shape::Boolean),
    now("timeout", Shape::String),
];

/// What a user says of caches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Where the cache is.
    pub cache: Option<String>,
    /// Whether builds send what they make; `false` forbids to send at all.
    pub push: Option<bool>,
    /// Whether results count that no lockfile vouches for.
    pub trust: bool,
    /// How long a cache may say nothing.
    pub timeout: Option<Duration>,
}

impl Config {
    /// Read a configuration; `file` is how messages call it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Invalid> {
        let mut findings = Findings::new(file, text);
        let (document, errors) = DeTable::parse_recoverable(text);
        let document = document.get_ref();
        if let Some(error) = errors.first() {
            manifest::syntax_error(error, text, &mut findings);
            return findings.into_result(Self::default());
        }
        manifest::keys(document, CONFIG, &mut findings);
        let config = table(document, "remote").map(|remote| read(remote, &mut findings));
        findings.into_result(config.unwrap_or_default())
    }
}

fn read(remote: &DeTable<'_>, findings: &mut Findings<'_>) -> Config {
    let boolean = |key: &str| remote.get(key).and_then(|value| value.get_ref().as_bool());
    Config {
        cache: text(remote, "cache"),
        push: boolean("push"),
        trust: boolean("trust") == Some(true),
        timeout: remote.get("timeout").and_then(|value| duration(value, findings)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_and_what_it_does_not_know_is_told() {
        let text = "[remote]\ncache = 'file:///srv/cache'\npush = true\ntimeout = '2s'\n";
        let expected = Config {
            cache: Some("file:///srv/cache".to_owned()),
            push: Some(true),
            trust: false,
            timeout: Some(Duration::from_secs(2)),
        };
        assert_eq!(Config::parse("config.toml", text).unwrap(), expected);
        assert_eq!(Config::parse("config.toml", "").unwrap(), Config::default());
        let told = Config::parse("config.toml", "[remote]\ncahce = 'x'\n").unwrap_err();
        assert!(told.problems[0].to_string().contains("cahce"), "{told:?}");
    }
}
