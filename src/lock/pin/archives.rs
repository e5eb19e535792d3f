//! Pinning archives: one for all platforms, or one for each.

use std::collections::BTreeMap;

use super::super::{Package, Pin, Unpacked, Wish};
use super::cargo::ByCargo;
use super::{Error, Pinner};
use crate::digest::BlobDigest;
use crate::manifest::{ArchiveSource, Source, expand};
use crate::package::{PackageId, PackageName};
use crate::platform::{Platform, Platforms};
use crate::progress::Event;
use crate::source::{Origin, Patch, WantedArchive};

/// Digests of a package's archives: for each platform that has its own, or for nothing in particular.
pub(super) type Sums = BTreeMap<Option<Platform>, BlobDigest>;

/// What differs from platform to platform in an address.
const OF_PLATFORM: [&str; 4] = ["{os}", "{arch}", "{platform}", "{target}"];

/// Where an archive is for a platform, with all placeholders filled in.
pub fn archive_url(archive: &ArchiveSource, id: &PackageId, platform: Option<Platform>) -> String {
    let own = platform.and_then(|platform| archive.platforms.get(&platform)?.url.as_ref());
    expand(own.unwrap_or(&archive.url), |name| match (name, platform) {
        ("version", _) => Some(id.version.to_string()),
        ("name", _) => Some(id.name.to_string()),
        ("os", Some(platform)) => Some(platform.os_family().to_owned()),
        ("arch", Some(platform)) => Some(platform.arch().to_owned()),
        ("platform", Some(platform)) => Some(platform.to_string()),
        ("target", Some(platform)) => Some(platform.rust_target().to_owned()),
        _ => None,
    })
}

/// The name of the file at an address.
pub fn file_name(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

/// An archive that shall come.
pub(super) struct Wanted<'a> {
    pub id: &'a PackageId,
    pub archive: &'a ArchiveSource,
    /// The platforms that its package is wanted on.
    pub platforms: &'a Platforms,
    /// What is locked of it.
    pub old: Option<&'a Package>,
}

/// The sum that is asked for.
fn sum(archive: &ArchiveSource, platform: Option<Platform>) -> Option<BlobDigest> {
    platform.and_then(|platform| archive.platforms.get(&platform)?.sha256).or(archive.sha256)
}

/// The platforms that have an archive of their own; nothing where one is for all.
fn platforms(archive: &ArchiveSource, all: &Platforms) -> Vec<Option<Platform>> {
    let differs = !archive.platforms.is_empty() || OF_PLATFORM.iter().any(|marker| archive.url.contains(marker));
    if differs { all.iter().copied().map(Some).collect() } else { vec![None] }
}

/// The archive for a platform. What nobody gave a sum for is what it was when it was pinned.
fn wanted_for(
    id: &PackageId,
    archive: &ArchiveSource,
    old: Option<&Package>,
    platform: Option<Platform>,
) -> WantedArchive {
    let locked = old.and_then(|old| old.pin.archive(platform.unwrap_or(Platform::host())));
    let sha256 = sum(archive, platform).or(locked.map(|unpacked| unpacked.archive));
    WantedArchive { name: id.to_string(), url: archive_url(archive, id, platform), sha256 }
}

/// An archive that tells what the package is, of those that there are for the platforms that it is wanted on.
pub(in crate::lock) fn wanted_archive(
    id: &PackageId,
    archive: &ArchiveSource,
    old: Option<&Package>,
    wanted_on: &Platforms,
) -> WantedArchive {
    wanted_for(id, archive, old, platforms(archive, wanted_on).into_iter().next_back().flatten())
}

/// Whether a pin has an archive for each platform that the package is wanted on, with the sums that are asked for.
pub(super) fn fits(wish: &Wish, package: &Package) -> bool {
    let asked = match wish.source_at(&package.id.version) {
        Source::Archive(asked) => asked,
        Source::Carried { sha256, .. } => return matches!(&package.pin, Pin::Archive(one) if one.archive == *sha256),
        Source::Nothing => return package.pin == Pin::Nothing,
        // The recipe no longer lists the version.
        Source::Recipe { .. } => return false,
        Source::Crate { .. } | Source::Git { .. } | Source::Path { .. } => return true,
    };
    let wanted = platforms(asked, &wish.platforms);
    let pinned: Vec<_> = match &package.pin {
        Pin::Archives(each) => each.keys().copied().map(Some).collect(),
        _ => vec![None],
    };
    if wanted != pinned {
        return false;
    }
    let same = |platform, archive| sum(asked, platform).is_none_or(|wanted| wanted == archive);
    match &package.pin {
        Pin::Archive(one) => same(None, one.archive),
        Pin::Archives(each) => each.iter().all(|(platform, one)| same(Some(*platform), one.archive)),
        Pin::Crate(_) | Pin::Git { .. } | Pin::Path | Pin::Nothing => true,
    }
}

impl Pinner<'_, '_> {
    /// Have archives, all of them at once, and their sums. What nobody gave a sum for is recorded as it is now.
    pub(super) fn archives(&self, wanted: &[Wanted<'_>]) -> Result<BTreeMap<PackageId, Sums>, Error> {
        let mut requests = Vec::new();
        let mut owners = Vec::new();
        for Wanted { id, archive, platforms: wanted_on, old } in wanted {
            for platform in platforms(archive, wanted_on) {
                requests.push(wanted_for(id, archive, *old, platform));
                owners.push(((*id).clone(), platform));
            }
        }
        let digests = self.sources.bring_archives(&requests, self.progress)?;
        let mut brought: BTreeMap<PackageId, Sums> = BTreeMap::new();
        for (((id, platform), request), digest) in owners.into_iter().zip(&requests).zip(digests) {
            if request.sha256.is_none() {
                let note = format!("`{id}` has no `sha256` in `envy.toml`; recording {digest}, as it is now");
                self.progress.tell(Event::Note(&note));
            }
            brought.entry(id).or_default().insert(platform, digest);
        }
        Ok(brought)
    }

    /// What archives hold. Where each platform has its own, their Cargo.locks have to be one.
    pub(super) fn unpacked(
        &self,
        id: &PackageId,
        wish: &Wish,
        digests: &Sums,
        patches: &[Patch],
        generated: &mut BTreeMap<PackageName, String>,
    ) -> Result<(Pin, ByCargo), Error> {
        let Source::Archive(source) = wish.source_at(&id.version) else { unreachable!("archives come from archives") };
        let (mut each, mut crates): (_, Option<ByCargo>) = (BTreeMap::new(), None);
        for (platform, archive) in digests {
            let url = archive_url(source, id, *platform);
            let origin = Origin::Archive { archive: *archive, name: file_name(&url), strip: source.strip };
            let content = self.content(id, &origin, patches)?;
            let own = self.crates(id, wish, &content, generated)?;
            if crates.as_ref().is_some_and(|first| first.crates != own.crates) {
                return Err(Error::SeveralLocks(id.clone()));
            }
            crates = Some(own);
            each.insert(*platform, Unpacked { archive: *archive, tree: content.tree.digest() });
        }
        let pin = match each.get(&None) {
            Some(one) => Pin::Archive(*one),
            None => Pin::Archives(each.into_iter().filter_map(|(platform, one)| Some((platform?, one))).collect()),
        };
        Ok((pin, crates.unwrap_or_default()))
    }
}
