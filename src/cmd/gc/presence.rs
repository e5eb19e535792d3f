//! Whether a site is there, or gone for good.
//!
//! A site that cannot be read is not gone. It is gone where its directory is not there, and what it was in is:
//!
//! - its project is there, or the directory of all sites that it was in: somebody removed it;
//! - the project is gone too, and the nearest directory above that is still there has something in it, as a disk that is
//!   not mounted has not, and no file system is to be mounted in between by `/etc/fstab`.
//!
//! Links are followed: a site may lie on another disk than its project. A link on the way that leads to nothing may lead
//! to what is only away.
//!
//! Else nobody knows what it needs, and nothing is removed before somebody says that it is gone for good.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{self, Kind};
use crate::failure::in_one_line;

/// Where a site is.
pub enum Presence {
    There,
    Gone,
    /// Nobody knows.
    Unknown(String),
}

/// Whether a site is there, or gone for good.
pub fn presence(site: &Path) -> Presence {
    look(site).unwrap_or_else(|error| Presence::Unknown(in_one_line(&error)))
}

fn look(site: &Path) -> disk::Result<Presence> {
    let (near, kind) = nearest(site)?;
    let real = match disk::canonical(&near) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let target = disk::read_link(&near).unwrap_or_default();
            let (near, target) = (near.display(), target.display());
            return Ok(Presence::Unknown(format!("`{near}` leads to `{target}`, which is not there")));
        }
        real => real?,
    };
    let is_directory = disk::usage(&real)?.is_some_and(|usage| usage.kind == Kind::Directory);
    if near == site {
        return Ok(if is_directory { Presence::There } else { Presence::Gone });
    }
    let real_site = real.join(site.strip_prefix(&near).unwrap_or(site));
    // A link to something empty leads to what a disk may be mounted on.
    let at_the_end = match kind {
        Kind::Symlink if is_directory => emptied(&real, &real_site),
        _ => gone_unless_mounted(&real, &real_site),
    };
    Ok(if let Presence::Gone = at_the_end { gone(site)? } else { at_the_end })
}

/// What to make of it that a site is not there.
fn gone(site: &Path) -> disk::Result<Presence> {
    let sites = site.parent().unwrap_or(site);
    let project = sites.ends_with(".envy/sites").then(|| sites.ancestors().nth(2)).flatten();
    for directory in [Some(sites), project].into_iter().flatten() {
        if disk::usage(directory)?.is_some() {
            // The directory of all sites may be what a disk is mounted on.
            let is_bare = directory == sites && project.is_none();
            return Ok(if is_bare { emptied(directory, site) } else { gone_unless_mounted(directory, site) });
        }
    }
    let above = project.unwrap_or(sites);
    Ok(emptied(&nearest(above)?.0, site))
}

/// The nearest of a path and what is above it that is there, links not followed.
fn nearest(path: &Path) -> disk::Result<(PathBuf, Kind)> {
    for above in path.ancestors() {
        if let Some(usage) = disk::usage(above)? {
            return Ok((above.to_owned(), usage.kind));
        }
    }
    Ok((PathBuf::from("/"), Kind::Directory))
}

/// Something below a directory is gone. One without anything in it looks as that on which nothing is mounted now.
fn emptied(directory: &Path, site: &Path) -> Presence {
    match disk::names_if_exists(directory) {
        Ok(names) if names.is_empty() => Presence::Unknown(format!(
            "it is not there, and `{}` is empty, as if a disk were not mounted",
            directory.display()
        )),
        Ok(_) => gone_unless_mounted(directory, site),
        Err(error) => Presence::Unknown(in_one_line(&error)),
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
        assert_eq!(found(&directory.path().join(site)), expected, "{make:?} {site}");
    }

    fn found(site: &Path) -> &'static str {
        match presence(site) {
            Presence::There => "there",
            Presence::Gone => "gone",
            Presence::Unknown(_) => "unknown",
        }
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
    fn a_link_on_the_way_to_a_site_is_followed() {
        let site = "shop/.envy/sites/a";
        for link in [site, "shop/.envy/sites", "shop/.envy", "shop"] {
            let directory = tempfile::tempdir().unwrap();
            let path = |path: &str| directory.path().join(path);
            let expect = |expected: &str, what: &str| assert_eq!(found(&path(site)), expected, "{link}: {what}");
            disk::create_directories(path(link).parent().unwrap()).unwrap();
            disk::symlink(Path::new(&path("disk/data")), &path(link)).unwrap();
            expect("unknown", "it leads to nothing");
            disk::create_directories(&path("disk/data")).unwrap();
            if link != site {
                expect("unknown", "it leads to something empty");
                disk::create_directories(&path("disk/data/other")).unwrap();
                expect("gone", "it leads to something that has others");
            }
            disk::create_directories(&path(site)).unwrap();
            expect("there", "it leads to the site");
            disk::remove_tree(&path("disk/data")).unwrap();
            disk::write(&path("disk/data"), b"").unwrap();
            expect("gone", "it leads to a file");
        }
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
