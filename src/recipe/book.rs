//! The book: all recipes that a project sees, in layers of which an earlier one hides what a later one has.
//!
//! A recipe is read when it is asked for, since most commands need none or few. One that extends its own name extends
//! what it hides.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::file;
use super::{Error, Recipe};
use crate::disk;

/// The texts of `recipes/`, in the program.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("autotools", include_str!("../../recipes/autotools.toml")),
    ("cargo", include_str!("../../recipes/cargo.toml")),
    ("cmake", include_str!("../../recipes/cmake.toml")),
    ("jemalloc", include_str!("../../recipes/jemalloc.toml")),
    ("libcurl", include_str!("../../recipes/libcurl.toml")),
    ("libevent", include_str!("../../recipes/libevent.toml")),
    ("libpq", include_str!("../../recipes/libpq.toml")),
    ("lz4", include_str!("../../recipes/lz4.toml")),
    ("make", include_str!("../../recipes/make.toml")),
    ("memcached", include_str!("../../recipes/memcached.toml")),
    ("meson", include_str!("../../recipes/meson.toml")),
    ("nginx", include_str!("../../recipes/nginx.toml")),
    ("openssl", include_str!("../../recipes/openssl.toml")),
    ("pcre2", include_str!("../../recipes/pcre2.toml")),
    ("pkgconf", include_str!("../../recipes/pkgconf.toml")),
    ("redis", include_str!("../../recipes/redis.toml")),
    ("script", include_str!("../../recipes/script.toml")),
    ("sqlite", include_str!("../../recipes/sqlite.toml")),
    ("unpack", include_str!("../../recipes/unpack.toml")),
    ("zlib", include_str!("../../recipes/zlib.toml")),
    ("zstd", include_str!("../../recipes/zstd.toml")),
];

/// Patches that built-in recipes name.
const BUILT_IN_PATCHES: &[(&str, &[u8])] = &[];

/// Where recipes come from, and how their files are read.
#[derive(Clone, Debug)]
pub enum Layer {
    /// The project's own, in this directory.
    Project(PathBuf),
    /// Shared recipes of this name, in a directory.
    Directory(String, PathBuf),
    /// Those that come with envy.
    BuiltIn,
}

/// Where a recipe comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The project's `recipes/`.
    Project,
    /// What `[recipes]` names so.
    Shared(String),
    /// envy itself.
    BuiltIn,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project => f.write_str("project"),
            Self::Shared(name) => write!(f, "recipes.{name}"),
            Self::BuiltIn => f.write_str("built-in"),
        }
    }
}

/// A recipe that a project sees, or that is hidden by another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Where the one comes from that hides it.
    pub hidden_by: Option<Origin>,
}

/// All recipes that a project sees, by name.
#[derive(Clone, Debug)]
pub struct Book {
    layers: Vec<Layer>,
    /// By name, in which layers it is, the one that counts first.
    entries: Arc<BTreeMap<String, Vec<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    layer: usize,
    recipe: OnceLock<Arc<Recipe>>,
}

impl Book {
    /// The recipes that come with envy.
    pub fn built_in() -> Self {
        Self::open(vec![Layer::BuiltIn]).expect("what is in the program can be listed")
    }

    /// The recipes of these layers.
    pub fn open(layers: Vec<Layer>) -> Result<Self, Error> {
        let mut entries: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for (layer, one) in layers.iter().enumerate() {
            for name in one.names()? {
                entries.entry(name).or_default().push(Entry { layer, recipe: OnceLock::new() });
            }
        }
        Ok(Self { layers, entries: Arc::new(entries) })
    }

    /// The recipe of this name.
    pub fn get(&self, name: &str) -> Result<&Arc<Recipe>, Error> {
        self.read(name, 0, &mut Vec::new())
    }

    /// Whether there is a recipe of this name.
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Where the recipe of this name comes from.
    pub fn origin(&self, name: &str) -> Option<Origin> {
        Some(self.layers[self.entries.get(name)?.first()?.layer].origin())
    }

    /// How messages call the file of the recipe of this name.
    pub fn file(&self, name: &str) -> Option<String> {
        Some(self.layers[self.entries.get(name)?.first()?.layer].file(name))
    }

    /// Every recipe, hidden ones too, by name.
    pub fn list(&self) -> Vec<Listed> {
        let mut listed = Vec::new();
        for (name, entries) in self.entries.iter() {
            let mut hidden_by = None;
            for entry in entries {
                let origin = self.layers[entry.layer].origin();
                listed.push(Listed { name: name.clone(), origin: origin.clone(), hidden_by: hidden_by.clone() });
                hidden_by.get_or_insert(origin);
            }
        }
        listed
    }

    /// The recipe of this name that so many others hide.
    pub fn hidden(&self, name: &str, behind: usize) -> Result<&Arc<Recipe>, Error> {
        self.read(name, behind, &mut Vec::new())
    }

    /// The recipe of a name, without the first so many that hide others.
    fn read(&self, name: &str, skip: usize, chain: &mut Vec<(String, usize)>) -> Result<&Arc<Recipe>, Error> {
        let entries = self.entries.get(name).map(Vec::as_slice).unwrap_or_default();
        let entry = entries.get(skip).ok_or_else(|| self.unknown(name))?;
        if let Some(recipe) = entry.recipe.get() {
            return Ok(recipe);
        }
        if chain.iter().any(|(known, at)| known == name && *at == skip) {
            let chain = chain.iter().map(|(name, _)| name.clone()).chain([name.to_owned()]).collect();
            return Err(Error::Circle { chain });
        }
        chain.push((name.to_owned(), skip));
        let recipe = self.parse(name, skip, &self.layers[entry.layer], chain)?;
        chain.pop();
        Ok(entry.recipe.get_or_init(|| Arc::new(recipe)))
    }

    fn parse(&self, name: &str, at: usize, layer: &Layer, chain: &mut Vec<(String, usize)>) -> Result<Recipe, Error> {
        let text = layer.text(name)?.ok_or_else(|| self.unknown(name))?;
        let file = file::read(name, &layer.file(name), &text, &|patch| layer.patch(patch))?;
        let parent = match &file.extends {
            Some(parent) if parent == name => Some(self.read(parent, at + 1, chain)?),
            Some(parent) => Some(self.read(parent, 0, chain)?),
            None => None,
        };
        Recipe::of(name, file, parent.map(|parent| &**parent))
    }

    fn unknown(&self, name: &str) -> Error {
        let nearest = crate::manifest::nearest(name, self.entries.keys().map(String::as_str)).map(str::to_owned);
        Error::Unknown { name: name.to_owned(), nearest }
    }
}

impl Layer {
    fn origin(&self) -> Origin {
        match self {
            Self::Project(_) => Origin::Project,
            Self::Directory(name, _) => Origin::Shared(name.clone()),
            Self::BuiltIn => Origin::BuiltIn,
        }
    }

    /// The names of its recipes.
    fn names(&self) -> Result<Vec<String>, Error> {
        let files: Vec<String> = match self {
            Self::Project(directory) | Self::Directory(_, directory) => {
                let listed = disk::list_if_exists(directory)?;
                listed.into_iter().filter_map(|(name, _)| name.into_string().ok()).collect()
            }
            Self::BuiltIn => return Ok(BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect()),
        };
        let names = files.iter().filter_map(|file| file.strip_suffix(".toml"));
        Ok(names.filter(|name| name.parse::<crate::package::PackageName>().is_ok()).map(str::to_owned).collect())
    }

    /// How messages call the file of a recipe.
    fn file(&self, name: &str) -> String {
        match self {
            Self::Project(_) => format!("recipes/{name}.toml"),
            Self::Directory(..) => format!("{}/{name}.toml", self.origin()),
            Self::BuiltIn => format!("built-in {name}.toml"),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>, Error> {
        if let Self::BuiltIn = self {
            return Ok(BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned()));
        }
        let bytes = self.bytes(&format!("{name}.toml"))?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn patch(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::BuiltIn => {
                Ok(BUILT_IN_PATCHES.iter().find(|(known, _)| *known == name).map(|(_, text)| text.to_vec()))
            }
            _ => self.bytes(name),
        }
    }

    fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Project(directory) | Self::Directory(_, directory) => {
                Ok(disk::read_if_exists(&directory.join(Path::new(path)))?)
            }
            Self::BuiltIn => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_recipe_reads() {
        let book = Book::built_in();
        for (name, _) in BUILT_IN {
            assert!(!book.get(name).unwrap().summary().is_empty(), "{name}");
        }
        assert!(matches!(book.get("carg"), Err(Error::Unknown { nearest: Some(name), .. }) if name == "cargo"));
    }

    #[test]
    fn all_of_the_directory_is_built_in() {
        let files =
            disk::list(Path::new("recipes")).unwrap().into_iter().filter_map(|(name, _)| name.into_string().ok());
        let mut recipes: Vec<_> = files.filter_map(|name| name.strip_suffix(".toml").map(str::to_owned)).collect();
        recipes.sort();
        assert_eq!(recipes, BUILT_IN.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }
}
