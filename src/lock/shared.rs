//! Recipes that projects share, in a lockfile: what `[recipes]` of `envy.toml` names, pinned, and how it drifts. Pure.
//!
//! ```toml
//! [[recipes]]
//! name = "company"
//! source = "git+https://example.org/recipes.git?tag=v3"
//! commit = "…"                         # of a repository
//! tree = "sha256:…"                    # all of its files; of a directory, as it was when it was locked
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;

use super::format::{Source as Cause, quoted, read};
use super::wishes::source_text;
use crate::digest::{Commit, TreeDigest};
use crate::manifest::Source;
use crate::package::PackageName;

/// Recipes of one name of `[recipes]`, pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedRecipes {
    /// Where they come from, as a text.
    pub source: String,
    /// The commit, where that is a repository.
    pub commit: Option<Commit>,
    /// Digest of all files of the repository or the directory.
    pub tree: TreeDigest,
}

impl SharedRecipes {
    /// How a lockfile writes where recipes come from.
    pub fn source_text(source: &Source) -> String {
        source_text(source, &[])
    }

    /// What a lockfile pins of these recipes, if it does so from where they shall come from.
    pub fn of<'a>(pins: &'a BTreeMap<String, Self>, name: &str, source: &Source) -> Option<&'a Self> {
        pins.get(name).filter(|pin| pin.source == Self::source_text(source))
    }
}

/// One way in which `[recipes]` and a lockfile disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharedDrift {
    /// Named, but not locked.
    Unlocked(String),
    /// Locked from somewhere else.
    Source {
        /// Their name.
        name: String,
        /// Where they shall come from.
        wanted: String,
        /// Where they are locked from.
        locked: String,
    },
    /// A directory that is not as it was when it was locked.
    Changed(String),
    /// Locked, but named no more.
    Unwanted(String),
}

impl SharedDrift {
    /// Whether nobody knows which recipes are meant.
    pub fn hides_recipes(&self) -> bool {
        matches!(self, Self::Unlocked(_) | Self::Source { .. })
    }
}

impl fmt::Display for SharedDrift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlocked(name) => write!(f, "recipes `{name}` are named, but not locked"),
            Self::Source { name, wanted, locked } => {
                write!(f, "recipes `{name}` shall come from {wanted}, but are locked from {locked}")
            }
            Self::Changed(name) => write!(f, "recipes `{name}` changed since they were locked"),
            Self::Unwanted(name) => write!(f, "recipes `{name}` are locked, but named no more"),
        }
    }
}

/// Every way in which the pins are not what is named, by name. `now` has the digests of the directories as they are.
pub fn shared_drift(
    named: &BTreeMap<String, Source>,
    pins: &BTreeMap<String, SharedRecipes>,
    now: &BTreeMap<String, TreeDigest>,
) -> Vec<SharedDrift> {
    let names: BTreeSet<_> = named.keys().chain(pins.keys()).collect();
    let drift = |name: &String| match (named.get(name), pins.get(name)) {
        (Some(_), None) => Some(SharedDrift::Unlocked(name.clone())),
        (None, Some(_)) => Some(SharedDrift::Unwanted(name.clone())),
        (Some(source), Some(pin)) => {
            let (name, wanted, locked) = (name.clone(), SharedRecipes::source_text(source), pin.source.clone());
            match now.get(&name) {
                _ if wanted != locked => Some(SharedDrift::Source { name, wanted, locked }),
                Some(now) if *now != pin.tree => Some(SharedDrift::Changed(name)),
                _ => None,
            }
        }
        (None, None) => None,
    };
    names.into_iter().filter_map(drift).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileRecipes {
    name: String,
    source: String,
    commit: Option<String>,
    tree: String,
}

/// The blocks of all of them.
pub(super) fn write(recipes: &BTreeMap<String, SharedRecipes>, text: &mut String) {
    for (name, SharedRecipes { source, commit, tree }) in recipes {
        text.push_str(&format!("\n[[recipes]]\nname = \"{name}\"\nsource = {}\n", quoted(source)));
        text.extend(commit.iter().map(|commit| format!("commit = \"{commit}\"\n")));
        text.push_str(&format!("tree = \"{tree}\"\n"));
    }
}

pub(super) fn read_all(blocks: &[FileRecipes]) -> Result<BTreeMap<String, SharedRecipes>, Cause> {
    let mut recipes = BTreeMap::new();
    for FileRecipes { name, source, commit, tree } in blocks {
        read::<PackageName>(name)?;
        let kind = source.split_once('+').map_or("", |(kind, _)| kind);
        let commit = match (kind, commit) {
            ("git", Some(commit)) => Some(read(commit)?),
            ("path", None) => None,
            ("git" | "path", _) => {
                return Err(format!("recipes `{name}` are not pinned as their source `{source}` has to be").into());
            }
            _ => {
                let message = format!("recipes `{name}` have source `{source}`, which this version of envy cannot use");
                return Err(message.into());
            }
        };
        let pin = SharedRecipes { source: source.clone(), commit, tree: read(tree)? };
        if recipes.insert(name.clone(), pin).is_some() {
            return Err(format!("recipes `{name}` are there twice").into());
        }
    }
    Ok(recipes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::GitReference;

    #[test]
    fn drift_of_shared_recipes_is_told_by_name() {
        let git = |tag: &str| Source::Git {
            url: "https://example.org/recipes.git".into(),
            reference: GitReference::Tag(tag.into()),
            subdir: None,
        };
        let path = |path: &str| Source::Path { path: path.into() };
        let pin = |source: &Source, tree: &[u8]| SharedRecipes {
            source: SharedRecipes::source_text(source),
            commit: None,
            tree: TreeDigest::of(tree),
        };
        let named = [("a", git("v1")), ("b", git("v2")), ("c", path("c")), ("d", path("d")), ("e", path("e"))];
        let named = named.map(|(name, source)| (name.to_owned(), source)).into();
        let pins = [
            ("a", pin(&git("v1"), b"a")),
            ("b", pin(&git("v1"), b"b")),
            ("c", pin(&path("c"), b"c")),
            ("d", pin(&path("d"), b"d")),
            ("f", pin(&path("f"), b"f")),
        ];
        let pins = pins.map(|(name, pin)| (name.to_owned(), pin)).into();
        let now = [("c", b"c"), ("d", b"D"), ("e", b"e")];
        let now = now.map(|(name, bytes)| (name.to_owned(), TreeDigest::of(bytes))).into();
        let drifts = shared_drift(&named, &pins, &now);
        assert_eq!(
            drifts.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "recipes `b` shall come from git+https://example.org/recipes.git?tag=v2, but are locked from \
                 git+https://example.org/recipes.git?tag=v1",
                "recipes `d` changed since they were locked",
                "recipes `e` are named, but not locked",
                "recipes `f` are locked, but named no more",
            ]
        );
        assert_eq!(drifts.iter().map(SharedDrift::hides_recipes).collect::<Vec<_>>(), [true, false, true, false]);
    }
}
