//! Addresses of git repositories. Pure.
//!
//! ```text
//! https://example.org/apps.git       git@example.org:apps.git       /srv/git/apps.git
//! ssh://me@example.org:2222/apps     git://example.org/apps.git     file:///srv/git/apps.git
//! ```
//!
//! Plain http is refused, but on this very machine: whoever is on the way could answer that a tag is on another commit
//! before it is locked, and learn what a private repository is called. `git://` is no better, and allowed: nobody uses
//! it without knowing, and what comes has to be the commit that was locked.

use std::path::PathBuf;

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// Over HTTP; the address ends without `/`.
    Http { url: String },
    /// Over the program `ssh`.
    Ssh { user: Option<String>, host: String, port: Option<u16>, path: String },
    /// Over git's own protocol.
    Git { host: String, port: u16, path: String },
    /// On this machine.
    Local(PathBuf),
}

/// The port of git's own protocol.
const GIT_PORT: u16 = 9418;

impl Address {
    /// Read an address; the error completes the sentence "the address … ".
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.chars().any(char::is_control) {
            return Err("has characters that no address has");
        }
        if text.starts_with('/') {
            return Ok(Self::Local(text.into()));
        }
        if text.contains("://") { by_url(text) } else { by_words(text) }
    }

    /// Whether it is on this machine's file system.
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    /// One text for all ways to write an address that differ in case of scheme and host, `/` and `.git` at the end.
    pub(super) fn canonical(&self) -> String {
        let whole = match self {
            Self::Http { url } => url.clone(),
            Self::Ssh { user, host, port, path } => {
                let user = user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                format!("ssh://{user}{host}{port}/{}", path.trim_start_matches('/'))
            }
            Self::Git { host, port: GIT_PORT, path } => format!("git://{host}{path}"),
            Self::Git { host, port, path } => format!("git://{host}:{port}{path}"),
            Self::Local(path) => format!("file://{}", path.display()),
        };
        let bare = whole.trim_end_matches('/');
        bare.strip_suffix(".git").unwrap_or(bare).trim_end_matches('/').to_owned()
    }
}

fn by_url(text: &str) -> Result<Address, &'static str> {
    let url = url::Url::parse(text).map_err(|_| "is no address")?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or a fragment, which no repository's address has");
    }
    if url.password().is_some() {
        return Err(SECRET);
    }
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    let host = || plain(&host).map(str::to_owned);
    match url.scheme() {
        "http" if !crate::download::is_loopback(&url) => Err(PLAIN),
        "https" | "http" if !url.username().is_empty() => Err(SECRET),
        "https" | "http" => Ok(Address::Http { url: url.as_str().trim_end_matches('/').to_owned() }),
        "ssh" | "git+ssh" | "ssh+git" => {
            let user = Some(decoded(url.username())?).filter(|user| !user.is_empty());
            let user = user.map(|user| plain(&user).map(str::to_owned)).transpose()?;
            let whole = decoded(url.path())?;
            let path = if whole.starts_with("/~") { &whole[1..] } else { &whole[..] };
            Ok(Address::Ssh { user, host: host()?, port: url.port(), path: plain_path(path)? })
        }
        "git" if !url.username().is_empty() => Err(SECRET),
        "git" => {
            let path = plain_path(&decoded(url.path())?)?;
            Ok(Address::Git { host: host()?, port: url.port().unwrap_or(GIT_PORT), path })
        }
        "file" => Ok(Address::Local(url.to_file_path().map_err(|()| "leads to another machine")?)),
        _ => Err("is not one of https, ssh, git or file"),
    }
}

const SECRET: &str = "holds a user or a password, which everyone could read: \
    leave them to git's credential helper, to `.netrc`, or to an ssh agent";

const PLAIN: &str = "is not encrypted: anyone on the way could change what its tags are on";

/// `user@host:path`.
fn by_words(text: &str) -> Result<Address, &'static str> {
    let (front, path) = text.split_once(':').ok_or(NONE)?;
    // `ext::` and the like would run whatever stands behind it.
    if front.contains('/') || path.starts_with(':') {
        return Err(NONE);
    }
    // `user:password@host:path`.
    if path.split('/').next().is_some_and(|first| first.contains('@')) {
        return Err(SECRET);
    }
    let (user, host) = match front.rsplit_once('@') {
        Some((user, host)) => (Some(plain(user)?.to_owned()), host),
        None => (None, front),
    };
    let host = plain(&host.to_ascii_lowercase())?.to_owned();
    Ok(Address::Ssh { user, host, port: None, path: plain_path(path)? })
}

const NONE: &str = "is no address: write a url, `user@host:path`, or an absolute path";

/// A host or a user that no program takes for an option.
fn plain(word: &str) -> Result<&str, &'static str> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-._~+[]:@".contains(letter);
    if word.is_empty() || word.starts_with('-') || !word.chars().all(fits) {
        return Err("has a user or a host that cannot be one");
    }
    Ok(word)
}

fn plain_path(path: &str) -> Result<String, &'static str> {
    if path.is_empty() || path == "/" || path.starts_with('-') || path.chars().any(char::is_control) {
        return Err("has a path that cannot be one");
    }
    Ok(path.to_owned())
}

/// A text in which `%20` stands for a space.
fn decoded(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits.filter(|_| first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8")
}

/// The address that a submodule's `url` stands for: one that begins with `./` or `../` goes on from that of the
/// repository which it is a part of.
pub(super) fn joined(base: &str, url: &str) -> Result<String, &'static str> {
    if !url.starts_with("./") && !url.starts_with("../") {
        return Ok(url.to_owned());
    }
    let (mut base, mut rest) = (base.trim_end_matches('/').to_owned(), url);
    loop {
        if let Some(below) = rest.strip_prefix("./") {
            rest = below;
        } else if let Some(beside) = rest.strip_prefix("../") {
            let cut = base.rfind('/').or_else(|| base.rfind(':')).ok_or("leads above its repository's host")?;
            let separator = base[cut..].starts_with(':');
            base.truncate(if separator { cut + 1 } else { cut });
            if base.ends_with("/") || base.ends_with(':') && !separator {
                return Err("leads above its repository's host");
            }
            rest = beside;
        } else if base.ends_with(':') {
            return Ok(format!("{base}{rest}"));
        } else {
            return Ok(format!("{base}/{rest}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let found = Address::parse(text).map(|address| address.canonical());
        assert_eq!(found.as_deref().map_err(|error| *error), expected, "{text}");
    }

    #[test]
    fn addresses_that_mean_the_same_are_the_same() {
        for text in
            ["https://A.example/x.git/", "HTTPS://a.example/x", "https://a.example/x.git", "https://a.example:443/x"]
        {
            check(text, Ok("https://a.example/x"));
        }
        check("https://a.example/X", Ok("https://a.example/X"));
        check("git@A.example:x/y.git", Ok("ssh://git@a.example/x/y"));
        check("ssh://git@a.example/x/y.git", Ok("ssh://git@a.example/x/y"));
        check("ssh://a.example:2222/x", Ok("ssh://a.example:2222/x"));
        check("git://a.example:9418/x.git", Ok("git://a.example/x"));
        check("file:///srv/x.git", Ok("file:///srv/x"));
        check("/srv/x", Ok("file:///srv/x"));
        check("http://127.0.0.1:80/x", Ok("http://127.0.0.1/x"));
    }

    #[test]
    fn what_looks_like_an_option_is_refused() {
        let wrong = "has a user or a host that cannot be one";
        for text in ["-oProxyCommand=x:y", "ssh://-oProxyCommand=x/y", "ssh://-x@a/y", "a b:y", "ssh://a%20b/y", ":x"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        check("-x@a.example:y", Err(wrong));
        check("a.example:-y", Err("has a path that cannot be one"));
        check("ssh://a.example", Err("has a path that cannot be one"));
        check("a.example:x\ny", Err("has characters that no address has"));
        check("ssh://a.example/x%0ay", Err("has a path that cannot be one"));
    }

    #[test]
    fn secrets_have_no_place_in_addresses() {
        for text in [
            "https://me:word@a.example/x",
            "https://token@a.example/x",
            "ssh://me:word@a.example/x",
            "me:word@a.example:x",
        ] {
            check(text, Err(SECRET));
        }
    }

    #[test]
    fn other_ways_are_refused() {
        check("http://a.example/x", Err(PLAIN));
        for text in
            ["ext::sh -c x", "x", "./x", "../x", "ftp://a.example/x", "https://a.example/x?y", "https://a.example/x#y"]
        {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn relative_addresses_go_on_from_their_repository() {
        for (base, url, expected) in [
            ("https://a.example/x/y.git", "../z.git", "https://a.example/x/z.git"),
            ("https://a.example/x/y.git/", "./z.git", "https://a.example/x/y.git/z.git"),
            ("git@a.example:x/y.git", "../../z", "git@a.example:z"),
            ("/srv/x", "../y", "/srv/y"),
            ("https://a.example/x", "ssh://b.example/y", "ssh://b.example/y"),
        ] {
            assert_eq!(joined(base, url).unwrap(), expected);
        }
        assert!(joined("https://a.example/x", "../../z").is_err());
    }
}
