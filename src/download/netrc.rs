//! The file `.netrc`: who the user is on which host, as curl and git read it. All but [`Netrc::load`] is pure.
//!
//! ```text
//! machine example.org login me password "my secret"
//! machine mirror.example.net
//!   login other
//!   password sesame
//! default login anonymous password guest
//! ```
//!
//! Words stand in any number of lines; a `#` where a keyword could stand makes the rest of its line a comment; a word
//! in double quotes may hold spaces and `\"`, `\\`, `\n`, `\r`, `\t`. Macros (`macdef`) are passed over, as are
//! keywords that we do not know. Whoever asks first gets the first entry that fits.

use std::path::PathBuf;

use super::secret::Secret;
use crate::disk;
use crate::process;

/// Whom a host is told that the user is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user's name there.
    pub user: String,
    /// What proves it.
    pub password: Secret,
}

/// All that a `.netrc` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Netrc {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    /// None where it is for all hosts that have no entry before it.
    host: Option<String>,
    user: Option<String>,
    password: Option<Secret>,
}

impl Netrc {
    /// The user's own: the file that `NETRC` names, else `.netrc` in the home directory. One that is not there says
    /// nothing; one that cannot be read is an error.
    pub fn load() -> Result<Self, disk::Error> {
        let Some(path) = path() else { return Ok(Self::default()) };
        Ok(disk::read_text_if_exists(&path)?.map(|text| Self::parse(&text)).unwrap_or_default())
    }

    /// What a text says. What makes no sense in it says nothing.
    pub fn parse(text: &str) -> Self {
        let mut words = Words { rest: text };
        let mut netrc = Self::default();
        while let Some(keyword) = words.keyword() {
            match keyword {
                "default" => netrc.entries.push(Entry::default()),
                "macdef" => words.skip_macro(),
                "machine" => {
                    let host = words.next().map(|host| host.to_ascii_lowercase());
                    netrc.entries.push(Entry { host: Some(host.unwrap_or_default()), ..Entry::default() });
                }
                "login" => netrc.set(words.next(), |entry, user| entry.user = Some(user)),
                "password" => netrc.set(words.next(), |entry, word| entry.password = Some(Secret::new(word))),
                "account" => drop(words.next()),
                _ => {}
            }
        }
        netrc
    }

    /// Who the user is on a host (a name or an address, without a port), or, where the address asked for names a
    /// user already, that user's password.
    pub fn login(&self, host: &str, user: Option<&str>) -> Option<Login> {
        self.login_by(user, |own| own.is_none_or(|own| own.eq_ignore_ascii_case(host)))
    }

    /// The same, of an entry that names the host.
    pub fn login_of_host(&self, host: &str, user: Option<&str>) -> Option<Login> {
        self.login_by(user, |own| own.is_some_and(|own| own.eq_ignore_ascii_case(host)))
    }

    fn login_by(&self, user: Option<&str>, is_for_host: impl Fn(Option<&str>) -> bool) -> Option<Login> {
        let fits = |entry: &&Entry| {
            is_for_host(entry.host.as_deref())
                && (user.is_none() || entry.user.is_none() || entry.user.as_deref() == user)
        };
        let entry = self.entries.iter().find(fits)?;
        let user = entry.user.as_deref().or(user).unwrap_or_default().to_owned();
        Some(Login { user, password: entry.password.clone()? })
    }

    fn set(&mut self, word: Option<String>, set: impl FnOnce(&mut Entry, String)) {
        if let (Some(entry), Some(word)) = (self.entries.last_mut(), word) {
            set(entry, word);
        }
    }
}

fn path() -> Option<PathBuf> {
    let home = || process::path_variable("HOME").or_else(|| etcetera::home_dir().ok());
    process::path_variable("NETRC").or_else(|| Some(home()?.join(".netrc")))
}

/// The words of a text, one after another.
struct Words<'t> {
    rest: &'t str,
}

impl<'t> Words<'t> {
    /// The next word, where a comment may stand before it.
    fn keyword(&mut self) -> Option<&'t str> {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty() {
                return None;
            }
            if !self.rest.starts_with('#') {
                return Some(self.plain());
            }
            self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
        }
    }

    /// The next word, whatever it begins with.
    fn next(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix('"') {
            Some(rest) => Some(self.quoted(rest)),
            None if self.rest.is_empty() => None,
            None => Some(self.plain().to_owned()),
        }
    }

    fn plain(&mut self) -> &'t str {
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn quoted(&mut self, inside: &'t str) -> String {
        let (mut word, mut letters) = (String::new(), inside.char_indices());
        while let Some((_, letter)) = letters.next() {
            match letter {
                '"' => break,
                '\\' => word.extend(letters.next().map(|(_, escaped)| match escaped {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                })),
                other => word.push(other),
            }
        }
        self.rest = letters.as_str();
        word
    }

    /// A macro ends at the first empty line.
    fn skip_macro(&mut self) {
        self.rest = self.rest.split_once("\n\n").map_or("", |(_, rest)| rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, host: &str, user: Option<&str>, expected: Option<(&str, &str)>) {
        let login = Netrc::parse(text).login(host, user);
        let told = login.as_ref().map(|login| (login.user.as_str(), login.password.expose()));
        assert_eq!(told, expected, "{host} in {text}");
    }

    const TEXT: &str = "# mine\nmachine a.example login me password #1 # why\nmachine b.example\n\tlogin you\n\
                        account x\n\tpassword \"two \\\"words\\\"\"\nmachine a.example login other password 3";

    #[test]
    fn a_host_has_the_first_entry_that_fits() {
        check(TEXT, "a.example", None, Some(("me", "#1")));
        check(TEXT, "A.EXAMPLE", Some("other"), Some(("other", "3")));
        check(TEXT, "a.example", Some("nobody"), None);
        check(TEXT, "b.example", None, Some(("you", "two \"words\"")));
        check(TEXT, "sub.a.example", None, None);
    }

    #[test]
    fn the_default_is_for_all_other_hosts() {
        let text = format!("{TEXT} default login any password 4");
        check(&text, "a.example", None, Some(("me", "#1")));
        check(&text, "c.example", None, Some(("any", "4")));
        let netrc = Netrc::parse(&text);
        assert_eq!(netrc.login_of_host("c.example", None), None);
        assert_eq!(netrc.login_of_host("a.example", None), netrc.login("a.example", None));
    }

    #[test]
    fn a_macro_is_passed_over() {
        check(
            "macdef init\nmachine a.example login no password no\n\nmachine a.example login me password 1",
            "a.example",
            None,
            Some(("me", "1")),
        );
    }

    #[test]
    fn what_makes_no_sense_says_nothing() {
        for text in
            ["", "machine", "machine a.example", "login me password 1", "machine a.example login", "\"", "x y z"]
        {
            check(text, "a.example", None, None);
        }
        check("machine a.example login me password \"open", "a.example", None, Some(("me", "open")));
    }
}
