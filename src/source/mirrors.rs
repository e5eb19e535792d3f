//! Mirrors: other addresses for what a project names, by `[mirrors]` of `envy.toml`. Pure.
//!
//! They apply to archives and git repositories. Registries of crates have their own way, cargo's source replacement,
//! which cargo itself has to follow too. What a mirror sends is checked like all else: it can be slow or gone, not wrong.

use std::borrow::Cow;

/// A mirror that will not be asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What is to be replaced, or what replaces it, is no address.
    #[error("`{text}` in `[mirrors]` is no address")]
    Address { text: String },
    /// Someone on the way could read along where nobody could before.
    #[error("the mirror `{mirror}` of `{prefix}` is not encrypted, though what it stands for is")]
    Downgrade { prefix: String, mirror: String },
}

/// Prefixes of addresses, and what takes their place.
#[derive(Clone, Debug, Default)]
pub struct Mirrors(Vec<(String, String)>);

impl Mirrors {
    /// The longest prefix that an address has wins. An encrypted address has no mirror that is not, unless that is on
    /// this very machine.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let mut pairs = pairs.into_iter().map(checked).collect::<Result<Vec<_>, _>>()?;
        pairs.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Ok(Self(pairs))
    }

    /// Where to ask for what has this address. A mirror's own address is not replaced once more.
    pub fn rewrite<'u>(&self, url: &'u str) -> Cow<'u, str> {
        let found = self.0.iter().find_map(|(prefix, mirror)| Some((mirror, rest(url, prefix)?)));
        found.map_or(Cow::Borrowed(url), |(mirror, rest)| Cow::Owned(format!("{mirror}{rest}")))
    }
}

/// A pair whose halves both end with `/`, or neither, so that what follows can be put behind either.
fn checked((prefix, mirror): (String, String)) -> Result<(String, String), Error> {
    let (Some(from), Some(to)) = (scheme(&prefix), scheme(&mirror)) else {
        let text = if scheme(&prefix).is_none() { prefix } else { mirror };
        return Err(Error::Address { text: shown(&text) });
    };
    let encrypted = matches!(from.as_str(), "https" | "ssh" | "git+https" | "git+ssh");
    if encrypted && matches!(to.as_str(), "http" | "git" | "git+http") && !is_loopback(&mirror) {
        let (prefix, mirror) = (shown(&prefix), shown(&mirror));
        return Err(Error::Downgrade { prefix, mirror });
    }
    let bare = mirror.trim_end_matches('/');
    let mirror = if prefix.ends_with(['/', ':']) { format!("{bare}/") } else { bare.to_owned() };
    Ok((prefix, mirror))
}

/// Without what is secret, also where it is no address of the web.
pub(super) fn shown(text: &str) -> String {
    match url::Url::parse(text) {
        Ok(_) => crate::download::shown(text),
        Err(_) => text.rsplit('@').next().unwrap_or_default().to_owned(),
    }
}

/// `https` of an address, or `ssh` where it is written as `user@host:path`.
fn scheme(address: &str) -> Option<String> {
    match address.split_once("://") {
        Some((scheme, rest)) => (!scheme.is_empty() && !rest.is_empty()).then(|| scheme.to_ascii_lowercase()),
        None => {
            let (host, _) = address.split_once(':')?;
            (!host.is_empty() && !host.contains('/')).then(|| "ssh".to_owned())
        }
    }
}

fn is_loopback(address: &str) -> bool {
    url::Url::parse(address).is_ok_and(|url| crate::download::is_loopback(&url))
}

/// What follows a prefix, if that ends where a part of the address ends.
fn rest<'u>(url: &'u str, prefix: &str) -> Option<&'u str> {
    let (start, rest) = url.split_at_checked(prefix.len())?;
    // Schemes and hosts may be written in either case, paths not.
    let path = prefix.find("://").and_then(|at| Some(at + 3 + prefix[at + 3..].find('/')?)).unwrap_or(prefix.len());
    let same = start.get(..path)?.eq_ignore_ascii_case(&prefix[..path]) && start.get(path..)? == &prefix[path..];
    let at_end = prefix.ends_with(['/', ':']) || rest.is_empty() || rest.starts_with(['/', '?', '#']);
    (same && at_end).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirrors(pairs: &[(&str, &str)]) -> Result<Mirrors, String> {
        let pairs = pairs.iter().map(|(prefix, mirror)| ((*prefix).to_owned(), (*mirror).to_owned()));
        Mirrors::new(pairs).map_err(|error| error.to_string())
    }

    fn check(pairs: &[(&str, &str)], url: &str, expected: &str) {
        assert_eq!(mirrors(pairs).unwrap().rewrite(url), expected, "{pairs:?}");
    }

    #[test]
    fn the_longest_prefix_wins() {
        let pairs = [("https://a.example/", "https://m.example/a/"), ("https://a.example/x/", "https://n.example/")];
        check(&pairs, "https://a.example/y.tar?z#w", "https://m.example/a/y.tar?z#w");
        check(&pairs, "https://a.example/x/y", "https://n.example/y");
        check(&pairs, "https://b.example/x/y", "https://b.example/x/y");
        check(&[], "https://a.example/", "https://a.example/");
    }

    #[test]
    fn a_mirrors_address_is_not_replaced_again() {
        let pairs = [("https://a.example/", "https://b.example/"), ("https://b.example/", "https://c.example/")];
        check(&pairs, "https://a.example/x", "https://b.example/x");
    }

    #[test]
    fn a_prefix_ends_where_a_part_of_the_address_ends() {
        let pairs = [("https://a.example", "https://m.example")];
        for (url, expected) in [
            ("https://a.example", "https://m.example"),
            ("https://a.example/x", "https://m.example/x"),
            ("https://a.example?x", "https://m.example?x"),
            ("https://a.example.org/x", "https://a.example.org/x"),
            ("https://a.example:8080/x", "https://a.example:8080/x"),
        ] {
            check(&pairs, url, expected);
        }
        check(&[("https://a.example/x", "https://m.example")], "https://a.example/xy", "https://a.example/xy");
    }

    #[test]
    fn one_slash_stands_between_the_mirror_and_the_rest() {
        check(&[("https://a.example/", "https://m.example/a")], "https://a.example/x", "https://m.example/a/x");
        check(&[("https://a.example", "https://m.example/a/")], "https://a.example/x", "https://m.example/a/x");
        check(&[("git@a.example:", "https://m.example")], "git@a.example:x.git", "https://m.example/x.git");
    }

    #[test]
    fn hosts_fold_case_and_paths_do_not() {
        let pairs = [("https://A.example/x/", "https://m.example/")];
        check(&pairs, "HTTPS://a.EXAMPLE/x/é", "https://m.example/é");
        check(&pairs, "https://a.example/X/y", "https://a.example/X/y");
    }

    #[test]
    fn what_is_encrypted_stays_so_on_its_way() {
        let refused =
            "the mirror `http://m.example/` of `https://a.example/` is not encrypted, though what it stands for is";
        assert_eq!(mirrors(&[("https://a.example/", "http://me:word@m.example/")]).unwrap_err(), refused);
        assert!(mirrors(&[("git@a.example:", "git://m.example/")]).is_err());
        for (prefix, mirror) in [
            ("https://a.example/", "http://127.0.0.1:8080/"),
            ("https://a.example/", "http://[::1]/"),
            ("https://a.example/", "http://localhost/"),
            ("https://a.example/", "file:///srv/mirror/"),
            ("http://a.example/", "http://m.example/"),
        ] {
            assert!(mirrors(&[(prefix, mirror)]).is_ok(), "{mirror}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (prefix, mirror) in [("", "https://m.example"), ("a.example/x", "https://m.example"), ("https://a", "m")] {
            assert!(
                matches!(mirrors(&[(prefix, mirror)]), Err(text) if text.ends_with("in `[mirrors]` is no address"))
            );
        }
    }
}
