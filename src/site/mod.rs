//! Sites: a named environment's directory, with numbered generations and the link to the one it shows.
//!
//! ```text
//! current -> generations/3       the generation that the site shows; replaced by a rename
//! generations/3/                 links into a ready prefix of the store, the site's own files, generation.json, lockfile
//! activate, activate.fish        plain scripts
//! var/                           the service's own data; envy never touches it
//! pinned                         numbers of generations that are never removed
//! history.jsonl                  every switch: who, when, from what, why
//! logs/                          of builds made for this site, and of its checks
//! .after-switch                  there while a switch waits for the commands after it
//! .lock                          held by whoever changes the site
//! .project                       the project that it belongs to, where sites of several may lie side by side
//! ```
//!
//! A generation is made beside the others under a temporary name, gets its number by a rename, and never changes.
//! Whoever dies in between leaves the old generation live, or the new one, and a temporary directory that the
//! next change removes.

mod activation;
mod examine;
mod files;
mod found;
mod gate;
mod generation;
mod history;
mod keeping;
mod templates;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::digest::TextDigest;
use crate::disk;
use crate::package::SiteName;
use crate::progress::Progress;
use crate::store::{self, Held};
pub use activation::{Activation, scripts, stale_scripts};
pub use files::{FileError, FileFault, Files, InTheWay, ShownFile, differences};
pub use found::prefix_in;
pub use gate::{Checks, Occasion, Refusal};
pub use generation::{Config, Generation, Member, Promoted};
pub use history::{Entry, Move};
pub use keeping::{Keeping, Read};
pub use templates::Fault;

/// Names at the top of a generation that it has for itself.
pub const OWN_NAMES: [&str; 2] = [generation::DESCRIPTION, generation::LOCKFILE];

/// The directory of one site.
#[derive(Clone, Debug)]
pub struct Place {
    name: SiteName,
    path: PathBuf,
    project: PathBuf,
}

/// A site's directory could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A generation's description cannot be read.
    #[error("generation {number} of site `{site}` cannot be read")]
    Malformed {
        /// The site.
        site: SiteName,
        /// The generation.
        number: u64,
        /// Whether the site shows it.
        is_shown: bool,
        /// What the reader said.
        #[source]
        source: serde_json::Error,
    },
    /// A generation's description is not as it was written.
    #[error("the description of generation {number} of site `{site}` is not as it was written")]
    Damaged {
        /// The site.
        site: SiteName,
        /// The generation.
        number: u64,
        /// Whether the site shows it.
        is_shown: bool,
    },
    /// A generation has no description any more.
    #[error("the description of generation {number} of site `{site}` is missing")]
    Undescribed {
        /// The site.
        site: SiteName,
        /// The generation.
        number: u64,
        /// Whether the site shows it.
        is_shown: bool,
    },
    /// There is no generation of this number.
    #[error("site `{site}` has no generation {number}{}", known(existing))]
    NoGeneration {
        /// The site.
        site: SiteName,
        /// The number.
        number: u64,
        /// Those there are.
        existing: Vec<u64>,
    },
    /// The generation is not pinned.
    #[error("generation {number} of site `{site}` is not pinned")]
    NotPinned {
        /// The site.
        site: SiteName,
        /// The number.
        number: u64,
    },
    /// Nothing was live before.
    #[error("site `{0}` has no generation to go back to")]
    NothingBefore(SiteName),
    /// Nobody knows what was live before.
    #[error("the history of site `{0}` is lost, so nobody knows which generation to go back to")]
    LostHistory(SiteName),
    /// A site of another project has this place.
    #[error("`{}` is a site of another project, `{}`", path.display(), owner.display())]
    NotOurs {
        /// The place.
        path: PathBuf,
        /// The other project.
        owner: PathBuf,
    },
    /// The site shows no generation.
    #[error("site `{0}` is not built")]
    NotBuilt(SiteName),
}

fn known(existing: &[u64]) -> String {
    match (existing.first(), existing.last()) {
        (Some(first), Some(last)) if first != last => format!("; it has {first} to {last}"),
        (Some(only), _) => format!("; it has only {only}"),
        _ => String::new(),
    }
}

impl Place {
    /// The directory of a project's site below the directory of all.
    pub fn new(sites: &Path, project: &Path, name: &SiteName) -> Self {
        Self { name: name.clone(), path: sites.join(name.as_str()), project: project.to_owned() }
    }

    /// The site.
    pub fn site(&self) -> &SiteName {
        &self.name
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The project that it belongs to.
    pub fn project(&self) -> &Path {
        &self.project
    }

    /// Where the service keeps its own data.
    pub fn var(&self) -> PathBuf {
        self.path.join("var")
    }

    /// Where logs of its builds are.
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// The link to the generation that it shows.
    pub fn current_link(&self) -> PathBuf {
        self.path.join("current")
    }

    fn generations(&self) -> PathBuf {
        self.path.join("generations")
    }

    /// The directory of a generation.
    pub fn generation_path(&self, number: u64) -> PathBuf {
        self.generations().join(number.to_string())
    }

    /// Keep other processes from changing the site; make its directories where they are missing.
    pub fn hold(&self, patience: Option<Duration>, progress: &dyn Progress) -> Result<Held, Error> {
        self.claim()?;
        for directory in [self.generations(), self.var(), self.logs()] {
            disk::create_directories(&directory)?;
        }
        let held = Held::take(&self.path.join(".lock"), &format!("site `{}`", self.name), patience, progress)?;
        disk::sweep(&self.path)?;
        for (name, _) in disk::list(&self.generations())? {
            if name.as_encoded_bytes().starts_with(b".") {
                disk::remove_tree(&self.generations().join(name))?;
            }
        }
        Ok(held)
    }

    /// Refuse the place of another project's site, and take one that is nobody's. Sites below the project need no owner:
    /// they move, and are copied, with it.
    pub fn claim(&self) -> Result<(), Error> {
        if self.path.starts_with(&self.project) {
            return self.keep_out_of_version_control();
        }
        self.require_ours()?;
        match self.owner()? {
            Some(owner) if owner == self.project => Ok(()),
            _ => Ok(disk::write_atomic(&self.owner_mark(), format!("{}\n", self.project.display()).as_bytes())?),
        }
    }

    /// Refuse the place of another project's site.
    pub fn require_ours(&self) -> Result<(), Error> {
        if self.path.starts_with(&self.project) {
            return Ok(());
        }
        // A project that is no longer there, such as one that was moved, has no sites.
        let owner = self.owner()?.filter(|owner| *owner != self.project && disk::exists(&owner.join("envy.toml")));
        owner.map_or(Ok(()), |owner| Err(Error::NotOurs { path: self.path.clone(), owner }))
    }

    /// The project that it says it belongs to.
    fn owner(&self) -> Result<Option<PathBuf>, Error> {
        let text = disk::read_text_if_exists(&self.owner_mark())?;
        Ok(text.map(|text| PathBuf::from(text.trim_end_matches('\n'))))
    }

    fn owner_mark(&self) -> PathBuf {
        self.path.join(".project")
    }

    /// Nothing in a project's `.envy` is for version control.
    fn keep_out_of_version_control(&self) -> Result<(), Error> {
        let state = self.project.join(".envy");
        let ignore = state.join(".gitignore");
        if self.path.starts_with(&state) && !disk::exists(&ignore) {
            disk::write_atomic(&ignore, b"*\n")?;
        }
        Ok(())
    }

    /// The number of the generation that it shows.
    pub fn current_number(&self) -> Option<u64> {
        let target = disk::read_link(&self.current_link())?;
        target.strip_prefix("generations").ok()?.to_str()?.parse().ok()
    }

    /// The generation that it shows, if it shows one whose files are there.
    pub fn current(&self) -> Result<Option<Generation>, Error> {
        let Some(number) = self.current_number() else { return Ok(None) };
        if !disk::is_directory(&self.generation_path(number)) {
            return Ok(None);
        }
        self.generation(number).map(Some)
    }

    /// Whether a generation's links lead into this prefix, as they do until the store moves.
    pub fn links_into(&self, generation: &Generation, prefix: &Path) -> bool {
        lead_into(&self.generation_path(generation.number), prefix)
    }

    /// The numbers of its generations, sorted.
    pub fn numbers(&self) -> Result<Vec<u64>, Error> {
        let names = disk::list_if_exists(&self.generations())?;
        let mut numbers: Vec<_> = names.iter().filter_map(|(name, _)| name.to_str()?.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Point `current` at a generation, and write down who did it and why.
    pub fn switch(
        &self,
        action: Move,
        to: &Generation,
        lockfile: Option<TextDigest>,
        note: history::Note,
    ) -> Result<(), Error> {
        let from = self.current_number();
        // The line comes first: a line whose switch never happened is known by its `from`, and counts for nothing.
        self.record(&Entry::new(action, from, to, lockfile, note))?;
        Ok(disk::symlink_atomic(&target(to.number), &self.current_link())?)
    }

    /// Show a generation that the site showed, where the link to it is gone. It was written down then.
    pub fn show_again(&self, number: u64) -> Result<(), Error> {
        Ok(disk::symlink_atomic(&target(number), &self.current_link())?)
    }

    /// Show no generation, as before the first.
    pub fn show_nothing(&self) -> Result<(), Error> {
        disk::remove_file(&self.current_link())?;
        Ok(activation::SCRIPTS.iter().try_for_each(|name| disk::remove_file(&self.path.join(name)))?)
    }

    /// Remove the site with everything in it but its data, and with that too if it is asked for.
    pub fn remove(&self, data: Data) -> Result<(), Error> {
        if data == Data::Remove {
            // What the service wrote is the likeliest to resist, and then the site should still be there.
            disk::remove_tree(&self.var())?;
        }
        self.remove_but(|name| name == "var" && data == Data::Keep)
    }

    /// Remove a site that was never there for anybody, but what was said while it was tried.
    pub fn remove_but_logs(&self) -> Result<(), Error> {
        self.remove_but(|name| ["var", "logs"].contains(&name))
    }

    fn remove_but(&self, stays: impl Fn(&str) -> bool) -> Result<(), Error> {
        if !disk::is_directory(&self.path) {
            return Ok(());
        }
        disk::remove_file(&self.current_link())?;
        let keep = |name: &str| stays(name) && disk::list(&self.path.join(name)).is_ok_and(|list| !list.is_empty());
        for (name, _) in disk::list_if_exists(&self.path)? {
            if !keep(&name.to_string_lossy()) {
                disk::remove_tree(&self.path.join(name))?;
            }
        }
        if disk::list_if_exists(&self.path)?.is_empty() {
            disk::remove_tree(&self.path)?;
        }
        Ok(())
    }
}

/// What `current` leads to.
fn target(number: u64) -> PathBuf {
    Path::new("generations").join(number.to_string())
}

/// Whether each link in a directory leads to what has its name in another one.
fn lead_into(directory: &Path, other: &Path) -> bool {
    let leads = |(name, kind): &(std::ffi::OsString, disk::Kind)| match kind {
        disk::Kind::Symlink => disk::read_link(&directory.join(name)) == Some(other.join(name)),
        disk::Kind::Directory => lead_into(&directory.join(name), &other.join(name)),
        _ => true,
    };
    disk::list_if_exists(directory).is_ok_and(|entries| entries.iter().all(leads))
}

/// What happens to a service's own data when its site is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// It stays.
    Keep,
    /// It goes.
    Remove,
}

pub use history::Note;

#[cfg(test)]
mod tests;
