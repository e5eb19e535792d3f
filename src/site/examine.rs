//! Whether a generation is as it was made, beside the prefix that it links to; and making it so again.
//!
//! Its description has a seal, its copy of the lockfile and its own files have digests there, and its links lead into
//! one prefix. A generation never changes, so what differs was changed by somebody or something else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::files::Files;
use super::{Error, Generation, Place, generation};
use crate::digest::{BlobDigest, TextDigest};
use crate::disk::{self, Kind};
use crate::store::{Flaw, FlawKind};

/// What a generation has beside links and files of the site.
const OWN: [&str; 2] = [generation::DESCRIPTION, generation::LOCKFILE];

impl Place {
    /// In what a generation is not as it was made. What its prefix lacks is the prefix's own matter.
    pub fn examine(&self, generation: &Generation, prefix: &Path) -> Result<Vec<Flaw>, Error> {
        let directory = self.generation_path(generation.number);
        let mut flaws = Vec::new();
        let lockfile = disk::read_if_exists(&directory.join(generation::LOCKFILE))?;
        flaws.extend(digest_flaw(generation::LOCKFILE, &generation.lockfile, lockfile.as_deref()));
        for (path, shown) in &generation.files {
            let place = directory.join(path);
            let bytes = if disk::is_file(&place) { disk::read_if_exists(&place)? } else { None };
            let changed = match &bytes {
                Some(bytes) if BlobDigest::of(bytes) == shown.digest => None,
                Some(bytes) => {
                    let (expected, found) = (shown.digest.to_string(), BlobDigest::of(bytes).to_string());
                    Some(Flaw::new(path.clone(), FlawKind::Changed, expected, found))
                }
                None => Some(Flaw::missing(path.clone(), shown.digest.to_string())),
            };
            let mode = disk::mode(&place).map(|mode| format!("{mode:04o}")).filter(|mode| *mode != shown.mode);
            let mode = mode.filter(|_| bytes.is_some());
            flaws.extend(changed);
            flaws.extend(mode.map(|found| {
                Flaw::new(path.clone(), FlawKind::Mode, format!("mode {}", shown.mode), format!("mode {found}"))
            }));
        }
        let files: BTreeSet<&str> = generation.files.keys().map(String::as_str).collect();
        examine_links(&directory, "", prefix, &files, &mut flaws)?;
        flaws.sort();
        Ok(flaws)
    }

    /// Make a generation's directory anew, in one step: its links, its files as they are rendered now or as they lie there,
    /// whichever are the right ones, and its lockfile. Says which files could not be had.
    pub fn restore(
        &self,
        generation: &Generation,
        prefix: &Path,
        lockfile: &str,
        rendered: &Files,
    ) -> Result<Vec<String>, Error> {
        let directory = self.generation_path(generation.number);
        let (files, lost) = rendered.like(&generation.files, |path| disk::read(&directory.join(path)).ok());
        if !lost.is_empty() {
            return Ok(lost);
        }
        let description = disk::read(&directory.join(generation::DESCRIPTION))?;
        let temporary = self.begin(generation.number)?;
        files.lay_out(prefix, &temporary)?;
        disk::write_synced(&temporary.join(generation::DESCRIPTION), &description, 0o444)?;
        disk::write_new(&temporary.join(generation::LOCKFILE), lockfile.as_bytes(), 0o444)?;
        disk::replace_directory(&temporary, &directory)?;
        disk::sync_directory(directory.parent().expect("a generation lies beside others"))?;
        Ok(Vec::new())
    }

    /// The text of a lockfile that a generation was made from, wherever a generation of the site still has it whole.
    pub fn lockfile_of(&self, digest: TextDigest) -> Result<Option<String>, Error> {
        for number in self.numbers()?.into_iter().rev() {
            let bytes = disk::read_if_exists(&self.generation_path(number).join(generation::LOCKFILE)).ok().flatten();
            let text = bytes.filter(|bytes| TextDigest::of(bytes) == digest).and_then(|it| String::from_utf8(it).ok());
            if text.is_some() {
                return Ok(text);
            }
        }
        Ok(None)
    }
}

fn digest_flaw(path: &str, expected: &TextDigest, bytes: Option<&[u8]>) -> Option<Flaw> {
    let Some(bytes) = bytes else { return Some(Flaw::missing(path, expected.to_string())) };
    let found = TextDigest::of(bytes);
    (found != *expected).then(|| Flaw::new(path, FlawKind::Changed, expected.to_string(), found.to_string()))
}

/// Look at the links of one directory of a generation. `files` are the paths of the site's files, from that directory.
fn examine_links(
    directory: &Path,
    inside: &str,
    prefix: &Path,
    files: &BTreeSet<&str>,
    flaws: &mut Vec<Flaw>,
) -> Result<(), Error> {
    let mut below: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (first, rest) in files.iter().filter_map(|path| path.split_once('/')) {
        below.entry(first).or_default().insert(rest);
    }
    let there: BTreeMap<String, Kind> = disk::list_if_exists(directory)?
        .into_iter()
        .map(|(name, kind)| (name.to_string_lossy().into_owned(), kind))
        .collect();
    for (name, kind) in &there {
        let (path, target) = (format!("{inside}{name}"), prefix.join(name));
        let is_own = inside.is_empty() && OWN.contains(&name.as_str());
        match kind {
            _ if files.contains(name.as_str()) || is_own => {}
            Kind::Directory if below.contains_key(name.as_str()) => {
                let files = &below[name.as_str()];
                examine_links(&directory.join(name), &format!("{path}/"), &target, files, flaws)?;
            }
            Kind::Symlink if !below.contains_key(name.as_str()) => {
                let found = disk::read_link(&directory.join(name)).unwrap_or_default();
                if found != target {
                    let shown = |path: &Path| format!("a symlink to `{}`", path.display());
                    flaws.push(Flaw::new(path, FlawKind::Target, shown(&target), shown(&found)));
                }
            }
            _ => flaws.push(Flaw::extra(path, what(*kind))),
        }
    }
    for (name, _) in disk::list_if_exists(prefix)? {
        let name = name.to_string_lossy();
        if !there.contains_key(&*name) && !below.contains_key(&*name) {
            let expected = format!("a symlink to `{}`", prefix.join(&*name).display());
            flaws.push(Flaw::missing(format!("{inside}{name}"), expected));
        }
    }
    Ok(())
}

fn what(kind: Kind) -> &'static str {
    match kind {
        Kind::File { .. } => "a file",
        Kind::Directory => "a directory",
        Kind::Symlink => "a symlink",
        Kind::Other => "something that is neither a file, a directory nor a symlink",
    }
}
