//! Where a repository is, by its address and the project's mirrors. Pure.

use super::address::Address;
use super::error::Error;
use crate::source::mirrors::{self, Mirrors};

/// A repository that a project names.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// As it is named, fit to be shown.
    pub(super) shown: String,
    /// Who is asked, fit to be shown.
    pub(super) asked: String,
    /// Where to ask.
    pub(super) address: Address,
    /// The address as the program `git` is told it.
    pub(super) url: String,
    /// The address as the project names it.
    pub(super) named: String,
    /// One text for all ways to name the repository.
    pub(super) key: String,
}

impl Place {
    /// Where the repository with this address is asked for.
    pub(super) fn of(url: &str, mirrors: &Mirrors) -> Result<Self, Error> {
        let key = parse(url)?.canonical();
        let asked = mirrors.rewrite(url).into_owned();
        let address = parse(&asked).map_err(|error| match asked == url {
            true => error,
            false => Error::Mirror { url: shown(url), mirror: shown(&asked), source: Box::new(error) },
        })?;
        Ok(Self { shown: shown(url), asked: shown(&asked), address, url: asked, named: url.to_owned(), key })
    }

    /// An error, with both addresses where a mirror was asked.
    pub(super) fn explain(&self, error: Error) -> Error {
        match error {
            Error::Offline { .. } | Error::Disk(_) | Error::Store(_) | Error::Mirror { .. } => error,
            source if self.asked != self.shown => {
                let (url, mirror) = (self.shown.clone(), self.asked.clone());
                Error::Mirror { url, mirror, source: Box::new(source) }
            }
            error => error,
        }
    }
}

fn parse(url: &str) -> Result<Address, Error> {
    Address::parse(url).map_err(|what| Error::Address { url: shown(url), what })
}

/// An address without what is secret in it.
pub(super) fn shown(url: &str) -> String {
    match url.starts_with('/') || url.contains("://") {
        true if url.starts_with('/') => url.to_owned(),
        true => mirrors::shown(url).escape_debug().to_string(),
        // What stands before a host is no scheme.
        false => url.rsplit('@').next().unwrap_or_default().escape_debug().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Result<Place, String> {
        let pair = ("https://a.example/".to_owned(), "https://m.example/a/".to_owned());
        Place::of(url, &Mirrors::new([pair]).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_mirror_is_asked_and_both_are_named() {
        let place = place("https://a.example/x.git").unwrap();
        assert_eq!((place.key.as_str(), place.url.as_str()), ("https://a.example/x", "https://m.example/a/x.git"));
        let error = place.explain(Error::NoReference { url: place.asked.clone(), what: "tag `v1`".into() });
        let expected =
            "`https://a.example/x.git` is fetched from its mirror `https://m.example/a/x.git`, and from nowhere else";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn secrets_are_refused_without_being_told() {
        for url in ["https://me:sesame@b.example/x", "https://sesame@b.example/x", "me:sesame@b.example:x"] {
            let error = place(url).unwrap_err();
            assert!(error.contains("holds a user or a password") && !error.contains("sesame"), "{error}");
        }
    }
}
