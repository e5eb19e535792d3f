//! Writing an edited project: manifest and lockfiles together, or not at all.

use std::path::{Path, PathBuf};

use super::assembling::{Assembled, Order, Recording, assemble};
use super::context::Context;
use super::locking::{self, Moves, Proposal, propose};
use super::passing::Untold;
use super::project::{MANIFEST, Project};
use super::showing::{How, Manner, Ready, Shown, ready};
use super::vouching::Vouching;
use super::{Jobs, LockMode, for_each, undo};
use crate::disk;
use crate::failure::Failure;
use crate::lock::Lockfile;
use crate::manifest::Site;
use crate::package::{PackageName, SiteName};

/// Files to be written together. Until [`keep`](Written::keep) is called, dropping the value puts the old ones back.
#[derive(Default)]
pub struct Writes(Vec<(PathBuf, Option<Vec<u8>>)>);

impl Writes {
    /// Write this file.
    pub fn write(&mut self, path: PathBuf, text: &str) {
        self.0.push((path, Some(text.as_bytes().to_vec())));
    }

    /// Write this file, which need not be a text.
    pub fn write_bytes(&mut self, path: PathBuf, bytes: Vec<u8>) {
        self.0.push((path, Some(bytes)));
    }

    /// The files that it is about.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|(path, _)| path.as_path())
    }

    /// Remove this file.
    pub fn remove(&mut self, path: PathBuf) {
        self.0.push((path, None));
    }

    /// The lockfile of a site, and the Cargo.locks that belong to it.
    pub fn lockfile(&mut self, project: &Project, site: &SiteName, lockfile: &Lockfile, proposal: &Proposal) {
        self.lockfile_of(project, site, &lockfile.text(), proposal);
    }

    /// The same, from the text of a lockfile that has the packages of a proposal.
    pub fn lockfile_of(&mut self, project: &Project, site: &SiteName, text: &str, proposal: &Proposal) {
        let lockfile = &proposal.lockfile;
        let generated = |name: &PackageName| project.root.join(Lockfile::generated_path(site, name));
        for (name, text) in &proposal.generated {
            self.write(generated(name), text);
        }
        for (name, package) in proposal.old.iter().flat_map(|old| &old.packages) {
            if package.has_generated() && lockfile.packages.get(name).is_none_or(|package| !package.has_generated()) {
                self.remove(generated(name));
            }
        }
        self.write(project.root.join(Lockfile::relative_path(site)), text);
    }

    /// Write them all, each atomically; what is the same already is left alone. What they held is in a journal until they
    /// are kept, so that even a process that is killed leaves all of them or none.
    pub fn apply(self, root: &Path) -> Result<Written, Failure> {
        let mut changed = Vec::new();
        for (path, new) in self.0 {
            let old = disk::read_if_exists(&path)?;
            if old != new {
                changed.push((path, old, new));
            }
        }
        let olds: Vec<_> = changed.iter().map(|(path, old, _)| (path.clone(), old.clone())).collect();
        if !olds.is_empty() {
            undo::note(root, &olds)?;
        }
        let written = Written { root: root.to_owned(), olds };
        for (path, _, new) in changed {
            undo::put(&path, new.as_deref())?;
        }
        Ok(written)
    }
}

/// Files that were written, with what they held before.
pub struct Written {
    root: PathBuf,
    olds: Vec<(PathBuf, Option<Vec<u8>>)>,
}

impl Written {
    /// Leave them as they are now.
    pub fn keep(mut self) -> Result<(), Failure> {
        self.olds.clear();
        Ok(undo::clear(&self.root)?)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if self.olds.is_empty() {
            return;
        }
        let put_back = self.olds.iter().rev().all(|(path, old)| undo::put(path, old.as_deref()).is_ok());
        if put_back {
            // Where this fails, the next process does the same again.
            let _ = undo::clear(&self.root);
        }
    }
}

/// What follows an edit of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Lock and build.
    Build,
    /// Lock.
    Lock,
}

/// Lock and build the sites of an edited manifest, and only then write it. What became of each is given as data.
pub fn commit(
    context: &Context<'_>,
    project: &Project,
    edited: &Project,
    sites: &[&Site],
    moves: &Moves,
    then: Then,
    jobs: Jobs,
) -> Result<Vec<serde_json::Value>, Failure> {
    context.with_sources(project, LockMode::default(), |sources| {
        let proposals = for_each(sites, |site| propose(context, edited, site, moves, sources))?;
        let mut writes = Writes::default();
        let mut finished: Vec<Option<Assembled>> = Vec::new();
        for (site, proposal) in sites.iter().zip(&proposals) {
            locking::tell(context, site, proposal);
            let assembled = match then {
                Then::Lock => None,
                Then::Build => {
                    let (lockfile, generated) = (&proposal.lockfile, &proposal.generated);
                    let vouching = Vouching::of(edited, false);
                    let order = Order { lockfile, generated, recording: Recording::On, vouching, jobs };
                    Some(assemble(context, edited, site, &order, sources)?)
                }
            };
            let lockfile = assembled.as_ref().map_or(&proposal.lockfile, |assembled| &assembled.lockfile);
            writes.lockfile(project, &site.name, lockfile, proposal);
            finished.push(assembled);
        }
        writes.write(project.root.join(MANIFEST), &edited.text);
        let texts: Vec<_> = finished.iter().flatten().map(|assembled| assembled.lockfile.text()).collect();
        let mut all = Vec::new();
        for ((site, assembled), text) in sites.iter().zip(finished.iter().flatten()).zip(&texts) {
            all.push(ready(context, edited, site, assembled, text)?);
        }
        let written = writes.apply(&project.root)?;
        let (shown, untold) = show_all(context, edited, &all)?;
        written.keep()?;
        if let Some(failure) = untold {
            return Err(*failure);
        }
        let mut built = shown.iter().map(Shown::to_json);
        let document = |(site, proposal)| {
            let mut document = locking::document(site, proposal);
            document["built"] = built.next().into();
            document
        };
        Ok(sites.iter().copied().zip(&proposals).map(document).collect())
    })
}

/// Show all of them, or none: where one fails, those before it show again what they showed.
fn show_all(context: &Context<'_>, project: &Project, all: &[Ready<'_>]) -> Result<(Vec<Shown>, Untold), Failure> {
    let (mut moved, mut every, mut untold) = (Vec::new(), Vec::new(), None);
    let manner = Manner::of_edit();
    for ready in all {
        match ready.show(context, project, &manner) {
            Ok(mut shown) => {
                if shown.how == How::Switched {
                    moved.push((ready, shown.before));
                }
                untold = untold.or(shown.untold.take());
                every.push(shown);
            }
            Err(failure) => {
                for (ready, before) in moved {
                    // The failure that led here says more than one of the undoing.
                    let _ = ready.show_again(context, project, before);
                }
                return Err(failure);
            }
        }
    }
    Ok((every, untold))
}
