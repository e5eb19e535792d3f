//! Where a cache is. Pure.

use std::fmt;
use std::path::PathBuf;

use crate::download::{is_loopback, shown};

/// A directory, or what an address on the web begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A directory of this host's.
    Directory(PathBuf),
    /// A server.
    Web(String),
}

/// A text that names no cache.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no address at all.
    #[error("`{0}` is no address: write `file:///srv/envy-cache` or `https://cache.example.org/envy`")]
    Malformed(String),
    /// A kind that envy does not know.
    #[error("`{0}` is neither a `file` nor an `https` address")]
    Scheme(String),
    /// Anybody on the way could read and change what comes.
    #[error("`{0}` is not encrypted, which only a server of this very machine may be")]
    Unencrypted(String),
    /// It says who asks.
    #[error("`{0}` holds credentials: leave them to `~/.netrc`, or to `ENVY_REMOTE_TOKEN`")]
    Credentials(String),
    /// It has a query or a fragment, to which nothing can be added.
    #[error("`{0}` has a query or a fragment, behind which no name can stand")]
    Query(String),
    /// A file on another host.
    #[error("`{0}` names a host: write `file:///` and a path of this one")]
    Host(String),
}

impl Address {
    /// Read an address.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let url = url::Url::parse(text).map_err(|_| Error::Malformed(text.to_owned()))?;
        let shown = shown(text);
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Credentials(shown));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Error::Query(shown));
        }
        match url.scheme() {
            "file" if url.host_str().is_some_and(|host| !host.is_empty()) => Err(Error::Host(shown)),
            "file" => url.to_file_path().map(Self::Directory).map_err(|()| Error::Malformed(shown)),
            "http" if !is_loopback(&url) => Err(Error::Unencrypted(shown)),
            "http" | "https" => Ok(Self::Web(url.as_str().trim_end_matches('/').to_owned())),
            _ => Err(Error::Scheme(shown)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "file://{}", path.display()),
            Self::Web(url) => f.write_str(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_directories_and_servers() {
        let parse = |text| Address::parse(text).map(|address| address.to_string()).map_err(|error| error.to_string());
        assert_eq!(parse("file:///srv/cache/"), Ok("file:///srv/cache/".to_owned()));
        assert_eq!(parse("https://a.example/x/"), Ok("https://a.example/x".to_owned()));
        assert_eq!(parse("http://127.0.0.1:80/x"), Ok("http://127.0.0.1/x".to_owned()));
        for (text, part) in [
            ("/srv/cache", "no address"),
            ("http://a.example/", "not encrypted"),
            ("https://me:secret@a.example/", "holds credentials"),
            ("https://a.example/?x=1", "query"),
            ("file://host/srv", "names a host"),
            ("s3://bucket", "neither"),
        ] {
            let told = parse(text).unwrap_err();
            assert!(told.contains(part) && !told.contains("secret"), "{told}");
        }
    }
}
