//! What the sites need that use a store, as they are now.
//!
//! A site that cannot be read is not gone. It is gone where its directory is not there, and what it was in is:
//!
//! - its project is there, or the directory of all sites that it was in: somebody removed it;
//! - the project is gone too, and the nearest directory above that is still there has something in it, as a disk that is
//!   not mounted has not, and no file system is to be mounted in between by `/etc/fstab`.
//!
//! Else nobody knows what it needs, and nothing is removed before somebody says that it is gone for good.

use std::path::{Path, PathBuf};

use crate::disk;
use crate::failure::{Exit, Failure};
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

/// Where a site is.
enum Presence {
    There,
    Gone,
    /// Nobody knows.
    Unknown(String),
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
        let Some(place) = Place::found(site).map_err(|error| with_cause(&error))? else {
            return Ok((Vec::new(), 0));
        };
        // What cannot be looked at is no site without generations.
        disk::usage(&site.join("generations")).map_err(|error| with_cause(&error))?;
        let numbers = place.numbers().map_err(|error| with_cause(&error))?;
        let mut needs = Vec::new();
        for number in &numbers {
            match place.generation(*number) {
                Ok(generation) => needs.extend(of_generation(&generation)),
                Err(crate::site::Error::Disk(error)) => return Err(with_cause(&error)),
                // Another process may just have removed it.
                Err(_) if !disk::exists(&place.generation_path(*number)) => {}
                Err(error) => {
                    let links = place.prefixes_of(*number).map_err(|error| with_cause(&error))?;
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
                self.notes.push(format!("`{}`: {error}: what it names is not kept for it", place.path().display()))
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

fn with_cause(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn not_remembered(site: &Path, remembered: &[PathBuf]) -> Failure {
    let known = remembered.iter().map(|site| format!("`{}`", site.display()));
    let outcome = format!("`{}` is no site that the store remembers", site.display());
    Failure::new(Exit::Failed, outcome).facts(known).hint("name the directory of a site, as `envy gc --dry-run` does")
}

/// Whether a site is there, or gone for good.
fn presence(site: &Path) -> Presence {
    match disk::usage(site) {
        Ok(Some(usage)) if usage.kind == disk::Kind::Directory => return Presence::There,
        Ok(Some(_)) => return Presence::Gone,
        Err(error) => return Presence::Unknown(with_cause(&error)),
        Ok(None) => {}
    }
    let sites = site.parent().unwrap_or(site);
    let project = sites.ends_with(".envy/sites").then(|| sites.ancestors().nth(2)).flatten();
    for directory in [Some(sites), project].into_iter().flatten() {
        match disk::usage(directory) {
            // The directory of all sites may be what a disk is mounted on.
            Ok(Some(_)) if directory == sites && project.is_none() => return emptied(directory, site),
            Ok(Some(_)) => return gone_unless_mounted(directory, site),
            Ok(None) => {}
            Err(error) => return Presence::Unknown(with_cause(&error)),
        }
    }
    match nearest(project.unwrap_or(sites)) {
        Ok(directory) => emptied(&directory, site),
        Err(error) => Presence::Unknown(with_cause(&error)),
    }
}

/// The nearest directory above a path that is there.
fn nearest(path: &Path) -> disk::Result<PathBuf> {
    for above in path.ancestors().skip(1) {
        if disk::usage(above)?.is_some() {
            return Ok(above.to_owned());
        }
    }
    Ok(PathBuf::from("/"))
}

/// Something below a directory is gone. One without anything in it looks as that on which nothing is mounted now.
fn emptied(directory: &Path, site: &Path) -> Presence {
    match disk::names_if_exists(directory) {
        Ok(names) if names.is_empty() => Presence::Unknown(format!(
            "it is not there, and `{}` is empty, as if a disk were not mounted",
            directory.display()
        )),
        Ok(_) => gone_unless_mounted(directory, site),
        Err(error) => Presence::Unknown(with_cause(&error)),
    }
}

fn gone_unless_mounted(directory: &Path, site: &Path) -> Presence {
    let table = disk::read_text_if_exists(Path::new("/etc/fstab")).ok().flatten().unwrap_or_default();
    let mounted = disk::read_text_if_exists(Path::new("/proc/self/mountinfo")).ok().flatten().unwrap_or_default();
    match unmounted(&table, &mounted, directory, site) {
        Some(place) => Presence::Unknown(format!("it is not there, and nothing is mounted at `{}`", place.display())),
        None => Presence::Gone,
    }
}

/// The place at or below a directory where a disk is to be mounted for a site, and is not. Pure.
fn unmounted(table: &str, mounted: &str, directory: &Path, site: &Path) -> Option<PathBuf> {
    let places = table.lines().filter(|line| !line.trim_start().starts_with('#'));
    let places = places.filter_map(|line| line.split_whitespace().nth(1)).map(unescaped);
    let mounted: Vec<_> = mounted.lines().filter_map(|line| line.split(' ').nth(4)).map(unescaped).collect();
    places.into_iter().find(|place| {
        site.starts_with(place) && (place.starts_with(directory) || directory == *place) && !mounted.contains(place)
    })
}

/// A path as those tables write it: blanks and the like in octal.
fn unescaped(text: &str) -> PathBuf {
    let named = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    PathBuf::from(named.iter().fold(text.to_owned(), |text, (code, one)| text.replace(code, one)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(make: &[&str], site: &str, expected: &str) {
        let directory = tempfile::tempdir().unwrap();
        make.iter().for_each(|path| disk::create_directories(&directory.path().join(path)).unwrap());
        let found = match presence(&directory.path().join(site)) {
            Presence::There => "there",
            Presence::Gone => "gone",
            Presence::Unknown(_) => "unknown",
        };
        assert_eq!(found, expected, "{make:?} {site}");
    }

    #[test]
    fn a_site_is_gone_only_where_what_it_was_in_is_there() {
        let site = "disk/shop/.envy/sites/a";
        check(&[site], site, "there");
        check(&["disk/shop/.envy/sites"], site, "gone");
        check(&["disk/shop/src"], site, "gone");
        check(&["disk/other"], site, "gone");
        check(&["disk"], site, "unknown");
        check(&["srv/sites/b"], "srv/sites/a", "gone");
        check(&["srv/sites"], "srv/sites/a", "unknown");
        check(&["srv/else"], "srv/sites/a", "gone");
    }

    #[test]
    fn what_is_to_be_mounted_and_is_not_is_not_gone() {
        let table =
            "# <file system> <mount point>\nUUID=1 / ext4 defaults 0 1\n/dev/sdb1 /mnt/my\\040disk ext4 noauto 0 2\n";
        let (site, below) = (Path::new("/mnt/my disk/shop/.envy/sites/a"), Path::new("/mnt"));
        let root = "29 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n";
        assert_eq!(unmounted(table, root, below, site).as_deref(), Some(Path::new("/mnt/my disk")));
        let both = format!("{root}40 29 8:17 / /mnt/my\\040disk rw - ext4 /dev/sdb1 rw\n");
        assert_eq!(unmounted(table, &both, below, site), None);
        assert_eq!(unmounted(table, root, below, Path::new("/mnt/shop/.envy/sites/a")), None);
    }
}
