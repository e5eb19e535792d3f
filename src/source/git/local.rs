//! Repositories on this machine: opened and read where they are, never fetched from.
//!
//! To fetch from a path is very slow with the library, and nothing would be gained: what is read goes into the store.

use std::path::Path;

use git2::{Reference as GitReference, Repository, RepositoryOpenFlags};

use super::objects::{Objects, commit_of};
use super::refs::Refs;

/// A repository on this machine.
pub(super) struct Local {
    repository: Repository,
}

impl Local {
    /// Open the repository at a path: bare, or with a directory of files.
    pub(super) fn open(path: &Path) -> Result<Self, git2::Error> {
        let none: [&Path; 0] = [];
        let repository = Repository::open_ext(path, RepositoryOpenFlags::NO_SEARCH, none)?;
        Ok(Self { repository })
    }

    /// Its objects.
    pub(super) fn objects(&self) -> Result<Objects, git2::Error> {
        Objects::at(&self.repository.commondir().join("objects"))
    }

    /// Its names.
    pub(super) fn refs(&self) -> Result<Refs, git2::Error> {
        let mut refs = Refs::default();
        for reference in self.repository.references()? {
            add(&mut refs, &reference?);
        }
        // A repository without commits has a head that leads nowhere.
        if let Ok(head) = self.repository.find_reference("HEAD") {
            if let Ok(Some(branch)) = head.symbolic_target() {
                refs.set_head(branch);
            }
            if let Ok(commit) = head.peel_to_commit() {
                refs.add("HEAD", commit_of(commit.id()));
            }
        }
        Ok(refs)
    }
}

/// Names that are not UTF-8 cannot be asked for, and those that lead nowhere stand for nothing.
fn add(refs: &mut Refs, reference: &GitReference<'_>) {
    let (Ok(name), Some(id)) = (reference.name(), reference.resolve().ok().and_then(|reference| reference.target()))
    else {
        return;
    };
    refs.add(name, commit_of(id));
    if let Ok(commit) = reference.peel_to_commit()
        && commit.id() != id
    {
        refs.add(&format!("{name}^{{}}"), commit_of(commit.id()));
    }
}
