//! Ready prefixes, looked over before anybody begins to show them: what was not touched since it was last read is not read.

use std::path::Path;

use super::super::flaw::Flaw;
use super::super::{Error, Store};
use super::memory::Memory;
use crate::digest::TreeDigest;
use crate::tree::Tree;

/// What looking a prefix over found.
#[derive(Debug, Default)]
pub struct LookedOver {
    /// What was wrong with it.
    pub flaws: Vec<Flaw>,
    /// Whether it was made anew, and is right now.
    pub is_healed: bool,
}

impl Store {
    /// Look a ready prefix over. Where it is not right, it is made anew in one step, of what the store has whole; what is
    /// damaged of that is taken away. `tree` is what it should be, where that is known better than by its record.
    pub fn look_over(&self, digest: TreeDigest, tree: Option<&Tree>, cache: &Path) -> Result<LookedOver, Error> {
        let _using = self.using();
        let file = self.memory_of(digest, cache);
        if self.examine(digest, &Memory::recall(file.clone()))?.flaws.is_empty() {
            return Ok(LookedOver::default());
        }
        let _held = self.hold_prefix(digest)?;
        if let Some(tree) = tree {
            self.remove_damaged_directories(digest)?;
            self.put_tree(tree)?;
        }
        // Whoever held it before us may have made it anew.
        let examined = self.examine_knowing(digest, &|_, _| None)?;
        if examined.flaws.is_empty() {
            return Ok(LookedOver::default());
        }
        Memory::forget(&file)?;
        let whole = self.mend(digest, &examined)?;
        if let Some(tree) = &whole {
            self.make_prefix(tree)?;
        }
        Ok(LookedOver { flaws: examined.flaws, is_healed: whole.is_some() })
    }
}
