//! Who the user is, for servers that want to know: by git's credential helpers, then by `.netrc`. Nobody is asked
//! before a server says that it wants to know, and each answer is tried once.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{Read as _, Write as _};

use super::error::Error;
use crate::download::{Login, Netrc, Secret};
use crate::process;

/// What is left to try.
pub(super) struct Logins {
    left: VecDeque<Source>,
    tried: bool,
}

enum Source {
    Helpers,
    Netrc,
}

impl Logins {
    /// Everything is left.
    pub(super) fn new() -> Self {
        Self { left: [Source::Helpers, Source::Netrc].into(), tried: false }
    }

    /// What to send next as `Authorization`.
    pub(super) fn next(&mut self, base: &str, shown: &str) -> Result<Secret, Error> {
        while let Some(source) = self.left.pop_front() {
            let login = match source {
                Source::Helpers => by_helpers(base),
                Source::Netrc => by_netrc(base).map_err(|source| Error::Netrc { url: shown.to_owned(), source })?,
            };
            if let Some(login) = login {
                self.tried = true;
                return Ok(basic(&login));
            }
        }
        let why = match self.tried {
            true => "does not take the password that git's credential helpers or `.netrc` have for it",
            false => "neither git's credential helpers nor `.netrc` have a password for it",
        };
        Err(Error::Login { url: shown.to_owned(), why })
    }
}

fn by_netrc(base: &str) -> Result<Option<Login>, crate::disk::Error> {
    let Some(host) = url::Url::parse(base).ok().and_then(|url| url.host_str().map(str::to_owned)) else {
        return Ok(None);
    };
    Ok(Netrc::load()?.login(&host, None))
}

/// What `git credential fill` says. Where there is no program `git`, and where it fails, it says nothing.
fn by_helpers(base: &str) -> Option<Login> {
    let git = process::find_program("git")?;
    // Neither the terminal nor a window is to ask anybody.
    let quiet = [("GIT_TERMINAL_PROMPT", Some(OsStr::new("0"))), ("GIT_ASKPASS", Some(OsStr::new("")))];
    let arguments = ["credential", "fill"].map(OsString::from);
    let mut helper = process::talk(git.as_os_str(), &arguments, &quiet).ok()?;
    helper.write_all(question(base)?.as_bytes()).ok()?;
    helper.fall_silent();
    let mut answer = String::new();
    helper.read_to_string(&mut answer).ok()?;
    parse(&answer)
}

/// An address as git's helpers want it.
fn question(base: &str) -> Option<String> {
    let url = url::Url::parse(base).ok()?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = url.path().trim_start_matches('/');
    Some(format!("protocol={}\nhost={}{port}\npath={path}\n\n", url.scheme(), url.host_str()?))
}

fn parse(answer: &str) -> Option<Login> {
    let value = |key: &str| answer.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    Some(Login { user: value("username")?.to_owned(), password: Secret::new(value("password")?) })
}

/// Basic authentication (RFC 7617).
fn basic(login: &Login) -> Secret {
    let text = format!("{}:{}", login.user, login.password.expose());
    Secret::new(format!("Basic {}", base64(text.as_bytes())))
}

/// The usual alphabet, padded (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| -> String {
        let number = (0..3).fold(0, |number, at| number << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
        let digit = |at: usize| match at <= group.len() {
            true => ALPHABET[(number >> (18 - 6 * at) & 63) as usize].into(),
            false => '=',
        };
        (0..4).map(digit).collect()
    };
    bytes.chunks(3).map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_told_as_servers_want_it() {
        let login = Login { user: "Aladdin".into(), password: Secret::new("open sesame") };
        assert_eq!(basic(&login).expose(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        for (text, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }

    #[test]
    fn helpers_are_asked_for_an_address_and_answer_in_lines() {
        let asked = question("https://a.example:8443/x/y").unwrap();
        assert_eq!(asked, "protocol=https\nhost=a.example:8443\npath=x/y\n\n");
        let login = parse("protocol=https\nusername=me\npassword=a=b\n").unwrap();
        assert_eq!((login.user.as_str(), login.password.expose()), ("me", "a=b"));
        assert!(parse("username=me\n").is_none());
    }
}
