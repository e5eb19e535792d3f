//! The book: all recipes that a project sees. In this version these are the ones that come with envy.

use std::collections::BTreeMap;

use super::{Error, Recipe};

/// The texts of `recipes/`, in the program.
const BUILT_IN: [(&str, &str); 2] =
    [("cargo", include_str!("../../recipes/cargo.toml")), ("unpack", include_str!("../../recipes/unpack.toml"))];

/// All recipes that a project sees, by name.
#[derive(Clone, Debug)]
pub struct Book {
    recipes: BTreeMap<String, Recipe>,
}

impl Book {
    /// The recipes that come with envy.
    pub fn built_in() -> Self {
        let read = |(name, text): (&str, &str)| {
            let recipe = Recipe::parse(name, text).expect("a test reads every built-in recipe");
            (name.to_owned(), recipe)
        };
        Self { recipes: BUILT_IN.into_iter().map(read).collect() }
    }

    /// The recipe of this name.
    pub fn get(&self, name: &str) -> Result<&Recipe, Error> {
        self.recipes.get(name).ok_or_else(|| Error::Unknown(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_recipe_reads() {
        let book = Book::built_in();
        for (name, _) in BUILT_IN {
            assert!(!book.get(name).unwrap().summary().is_empty());
        }
        assert!(book.get("carg").is_err());
    }
}
