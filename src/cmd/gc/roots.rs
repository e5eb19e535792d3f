//! What the sites need that use a store, as they are now.

use std::path::{Path, PathBuf};

use super::presence::{Presence, presence};
use crate::disk;
use crate::failure::{Exit, Failure, in_one_line};
use crate::lock::Lockfile;
use crate::package::SiteName;
use crate::site::{Generation, Place};
use crate::store::Store;
use crate::store::collect::{Grip, Need, Root, Thing};

/// All sites that are remembered.
#[derive(Debug, Default)]
pub struct Survey {
    /// Those that are there, and what they need.
    pub roots: Vec<Root>,
    /// For each of them, how many generations it has.
    pub generations: Vec<usize>,
    /// The directories of those that are gone.
    pub gone: Vec<PathBuf>,
    /// Those of which nobody knows what they need, and why not.
    unknown: Vec<(PathBuf, String)>,
    /// What is not as it should be, but does no harm.
    pub notes: Vec<String>,
}

impl Survey {
    /// Look at all sites of a store. Those that are to be forgotten count as gone unless they are there.
    pub fn of(store: &Store, forget: &[PathBuf]) -> Result<Self, Failure> {
        let remembered = store.roots()?;
        if let Some(other) = forget.iter().find(|site| !remembered.contains(site)) {
            return Err(not_remembered(other, &remembered));
        }
        let mut survey = Self::default();
        for site in remembered {
            match presence(&site) {
                Presence::There => survey.add(site),
                Presence::Gone => survey.gone.push(site),
                Presence::Unknown(_) if forget.contains(&site) => survey.gone.push(site),
                Presence::Unknown(why) => survey.unknown.push((site, why)),
            }
        }
        if let Some(site) = forget.iter().find(|site| survey.roots.iter().any(|root| root.site == **site)) {
            return Err(Failure::new(
                Exit::Failed,
                format!("site `{}` is there, so it is not forgotten", site.display()),
            )
            .hint("run `envy delete` in its project"));
        }
        Ok(survey)
    }

    /// Refuse to go on while nobody knows what some site needs.
    pub fn require_all_known(&self) -> Result<(), Failure> {
        let Some((first, _)) = self.unknown.first() else { return Ok(()) };
        let facts = self.unknown.iter().map(|(site, why)| format!("`{}`: {why}", site.display()));
        Err(Failure::new(Exit::Failed, "some sites cannot be read, so nobody knows what they need: nothing is removed")
            .facts(facts)
            .hint("mount what is not mounted, or let this user read it")
            .hint(format!("if it is gone for good: `envy gc --forget {}`", first.display())))
    }

    fn add(&mut self, site: PathBuf) {
        match self.needs(&site) {
            Ok((needs, generations)) => {
                self.roots.push(Root { site, needs });
                self.generations.push(generations);
            }
            Err(why) => self.unknown.push((site, why)),
        }
    }

    fn needs(&mut self, site: &Path) -> Result<(Vec<Need>, usize), String> {
        let Some(place) = Place::found(site).map_err(|error| in_one_line(&error))? else {
            return Ok((Vec::new(), 0));
        };
        // What cannot be looked at is no site without generations.
        disk::usage(&site.join("generations")).map_err(|error| in_one_line(&error))?;
        let numbers = place.numbers().map_err(|error| in_one_line(&error))?;
        let mut needs = Vec::new();
        for number in &numbers {
            match place.generation(*number) {
                Ok(generation) => needs.extend(of_generation(&generation)),
                Err(crate::site::Error::Disk(error)) => return Err(in_one_line(&error)),
                // Another process may just have removed it.
                Err(_) if !disk::exists(&place.generation_path(*number)) => {}
                Err(error) => {
                    let links = place.prefixes_of(*number).map_err(|error| in_one_line(&error))?;
                    let because = format!("generation {number}");
                    let need =
                        |tree| Need { thing: Thing::Prefix(tree), grip: Grip::Generation, because: because.clone() };
                    needs.extend(links.into_iter().map(need));
                    self.notes.push(format!("{error}: what its links lead to is kept"));
                }
            }
        }
        self.add_lockfile(&place, &mut needs);
        Ok((needs, numbers.len()))
    }

    /// What the lockfile of a site names. It names what can be made again, so nothing is lost where it cannot be read.
    fn add_lockfile(&mut self, place: &Place, needs: &mut Vec<Need>) {
        let path = Lockfile::relative_path(place.site());
        let read = match disk::read_text_if_exists(&place.project().join(&path)) {
            Ok(None) => return,
            Ok(Some(text)) => Lockfile::parse(&path, &text).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match read {
            Ok(lockfile) => needs.extend(of_lockfile(place.site(), &lockfile)),
            Err(error) => {
                self.notes.push(format!("`{}`: {error}: what it names is not kept for it", place.path().display()));
            }
        }
    }
}

fn of_generation(generation: &Generation) -> Vec<Need> {
    let because = format!("generation {}", generation.number);
    let need = |thing, because| Need { thing, grip: Grip::Generation, because };
    let members = generation
        .packages
        .iter()
        .map(|member| need(Thing::Tree(member.tree), format!("{because}: {} {}", member.name, member.version)));
    let prefix = need(Thing::Prefix(generation.prefix), because.clone());
    std::iter::once(prefix).chain(members).collect()
}

fn of_lockfile(site: &SiteName, lockfile: &Lockfile) -> Vec<Need> {
    let mut needs = Vec::new();
    let path = Lockfile::relative_path(site).display().to_string();
    for package in lockfile.packages.values() {
        let because = format!("{path}: {}", package.id);
        for output in &package.outputs {
            for thing in [Thing::Tree(output.tree), Thing::Result(output.action)] {
                needs.push(Need { thing, grip: Grip::Lockfile, because: because.clone() });
            }
        }
    }
    // A prefix that was recorded elsewhere, and made here without being shown, is made again in no time.
    for (name, shared) in &lockfile.recipes {
        let because = format!("{path}: recipes `{name}`");
        // Every command reads them, even one that has nothing to do.
        for thing in [Thing::Tree(shared.tree), Thing::Checkout(shared.tree)] {
            needs.push(Need { thing, grip: Grip::Generation, because: because.clone() });
        }
    }
    needs
}

fn not_remembered(site: &Path, remembered: &[PathBuf]) -> Failure {
    let known = remembered.iter().map(|site| format!("`{}`", site.display()));
    let outcome = format!("`{}` is no site that the store remembers", site.display());
    Failure::new(Exit::Failed, outcome).facts(known).hint("name the directory of a site, as `envy gc --dry-run` does")
}
