//! Conditions on the platform, as in `os == "linux" and libc == "gnu"`. Pure.

use std::collections::BTreeMap;
use std::fmt;

use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use super::Platform;

/// An expression over what a platform is: `os`, `arch`, `libc`, and `platform`, its whole name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    text: String,
}

/// A text is no condition on the platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseConditionError {
    /// It is no expression.
    #[error("`{text}` is not a condition: {why}")]
    Expression {
        /// The text.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// It names what nobody knows.
    #[error("`{text}` names `{name}`; a condition knows `os`, `arch`, `libc` and `platform`")]
    Unknown {
        /// The text.
        text: String,
        /// The name.
        name: String,
    },
    /// It is neither true nor false.
    #[error("`{text}` is neither true nor false; compare, as in `os == \"linux\"`")]
    NoAnswer {
        /// The text.
        text: String,
    },
}

impl Condition {
    /// Read a condition. It is tried out on every platform that envy knows, so that it never fails later.
    pub fn parse(text: &str) -> Result<Self, ParseConditionError> {
        expression(text)?;
        let text = text.to_owned();
        for platform in Platform::ALL {
            answer(&text, platform)?;
        }
        Ok(Self { text })
    }

    /// Whether it is true of a platform.
    pub fn holds(&self, platform: Platform) -> bool {
        answer(&self.text, platform).is_ok_and(|holds| holds)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What conditions know of a platform.
pub fn facts(platform: Platform) -> [(&'static str, String); 4] {
    [
        ("os", platform.os_family().to_owned()),
        ("arch", platform.arch().to_owned()),
        ("libc", platform.libc().to_owned()),
        ("platform", platform.to_string()),
    ]
}

/// Refuse a text that is no expression at all, whatever it names.
pub fn expression(text: &str) -> Result<(), ParseConditionError> {
    let wrong = |why: String| ParseConditionError::Expression { text: text.chars().take(60).collect(), why };
    if text.len() > LONGEST {
        return Err(wrong(format!("it is longer than {LONGEST} bytes")));
    }
    Environment::empty().compile_expression(text).map(drop).map_err(|error| wrong(said(&error)))
}

/// The most bytes of a condition: what is much longer takes more of the stack than there is.
const LONGEST: usize = 4096;

fn said(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

fn answer(text: &str, platform: Platform) -> Result<bool, ParseConditionError> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let wrong = |error: minijinja::Error| ParseConditionError::Expression { text: text.to_owned(), why: said(&error) };
    let expression = environment.compile_expression(text).map_err(wrong)?;
    let facts: BTreeMap<_, _> = facts(platform).into();
    let mut unknown: Vec<_> = expression.undeclared_variables(false).into_iter().collect();
    unknown.retain(|name| !facts.contains_key(name.as_str()));
    if let Some(name) = unknown.into_iter().min() {
        return Err(ParseConditionError::Unknown { text: text.to_owned(), name });
    }
    let value = expression.eval(facts).map_err(|error| match error.kind() {
        ErrorKind::UndefinedError => ParseConditionError::NoAnswer { text: text.to_owned() },
        _ => wrong(error),
    })?;
    bool::try_from(value).map_err(|_| ParseConditionError::NoAnswer { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_platforms_apart() {
        let holds = |text: &str| {
            let condition = Condition::parse(text).unwrap();
            Platform::ALL.into_iter().filter(|one| condition.holds(*one)).map(|one| one.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(holds("os == 'linux'").len(), 4);
        assert_eq!(holds("os == 'macos'"), Vec::<String>::new());
        assert_eq!(holds("arch == 'aarch64' and libc == \"musl\""), ["aarch64-linux-musl"]);
        assert_eq!(
            holds("platform in ['x86_64-linux-gnu', 'x86_64-linux-musl'] and not libc == 'gnu'"),
            ["x86_64-linux-musl"]
        );
    }

    #[test]
    fn what_it_cannot_be_is_told() {
        let wrong = |text: &str| Condition::parse(text).unwrap_err().to_string();
        assert_eq!(
            wrong("oss == 'linux'"),
            "`oss == 'linux'` names `oss`; a condition knows `os`, `arch`, `libc` and `platform`"
        );
        assert_eq!(wrong("os"), "`os` is neither true nor false; compare, as in `os == \"linux\"`");
        assert!(wrong("os = 'linux'").starts_with("`os = 'linux'` is not a condition: "), "{}", wrong("os = 'linux'"));
        assert!(wrong("os | shout == 'x'").contains("is not a condition"), "{}", wrong("os | shout == 'x'"));
        assert!(wrong("os ==").contains("is not a condition"));
        let long = format!("os == 'linux'{}", " and true".repeat(200_000));
        assert!(wrong(&long).contains("longer than 4096 bytes"));
    }
}
