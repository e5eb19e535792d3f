//! Mirrors: other addresses for what a project names, by `[mirrors]` of `envy.toml`. Pure.

use std::borrow::Cow;

/// Prefixes of addresses, and what takes their place.
#[derive(Clone, Debug, Default)]
pub struct Mirrors(Vec<(String, String)>);

impl Mirrors {
    /// The longest prefix that an address has wins.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut pairs: Vec<_> = pairs.into_iter().collect();
        pairs.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Self(pairs)
    }

    /// Where to ask for what has this address.
    pub fn rewrite<'u>(&self, url: &'u str) -> Cow<'u, str> {
        let found = self.0.iter().find_map(|(prefix, mirror)| Some((mirror, url.strip_prefix(prefix.as_str())?)));
        found.map_or(Cow::Borrowed(url), |(mirror, rest)| Cow::Owned(format!("{mirror}{rest}")))
    }
}
