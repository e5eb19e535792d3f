//! How two builds of one action differ: in which files, where in them, and what is likely to blame. Pure, but for reading
//! the files.
//!
//! A guess at the cause is a guess. It is made from what differs alone: a text that looks like a time, a path, the same lines in
//! another order. It names where to look, and what differs is shown beside it.

mod archive;
mod bytes;
mod cause;
mod elf;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

pub use cause::Cause;

use crate::placeholder::PLACEHOLDER;
use crate::store::{self, Store};
use crate::tree::{File, Node, Tree};

/// One file in which two builds differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// Its path in the prefix.
    pub path: String,
    /// Where in it, the first few places.
    pub places: Vec<Place>,
    /// What is likely to blame.
    pub causes: BTreeSet<Cause>,
}

/// A place in a file, and what the two builds have there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it is: a line, a section, a member of an archive; empty for the file itself.
    pub at: String,
    /// What the first has.
    pub first: String,
    /// What the second has.
    pub second: String,
}

/// What is known of how the two builds were made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Circumstances {
    /// How many jobs the first ran at a time, where that is known.
    pub first_jobs: Option<usize>,
    /// How many jobs the second ran at a time.
    pub second_jobs: usize,
}

/// What was found in one file, or in a part of one.
#[derive(Default)]
struct Findings {
    places: Vec<Place>,
    causes: BTreeSet<Cause>,
}

/// How many places of a file are shown.
const MOST_PLACES: usize = 3;

/// How deep files that hold others are gone into.
const DEEPEST: usize = 3;

/// How much of a packed file is unpacked.
const MOST_UNPACKED: u64 = 256 << 20;

impl Findings {
    fn add(&mut self, at: impl Into<String>, first: impl Into<String>, second: impl Into<String>) {
        if self.places.len() < MOST_PLACES {
            self.places.push(Place { at: at.into(), first: first.into(), second: second.into() });
        }
    }

    /// What was found in a part of this.
    fn take(&mut self, part: &str, below: Self) {
        for place in below.places {
            let at = if place.at.is_empty() { part.to_owned() } else { format!("{part}, {}", place.at) };
            self.add(at, place.first, place.second);
        }
        self.causes.extend(below.causes);
    }
}

/// All files in which two trees differ. Their files are in the store.
pub fn differing(
    first: &Tree,
    second: &Tree,
    store: &Store,
    circumstances: Circumstances,
) -> Result<Vec<Differing>, store::Error> {
    let leaves = |tree: &Tree| -> BTreeMap<String, Node> {
        tree.leaves().into_iter().map(|(path, node)| (path, node.clone())).collect()
    };
    let (first, second) = (leaves(first), leaves(second));
    let paths: BTreeSet<_> = first.keys().chain(second.keys()).collect();
    let mut all = Vec::new();
    for path in paths {
        let (one, other) = (first.get(path), second.get(path));
        if one == other {
            continue;
        }
        let findings = match (one, other) {
            (Some(Node::File(one)), Some(Node::File(other))) if one.blob != other.blob => {
                files(*one, *other, store, circumstances)?
            }
            _ => {
                let mut findings = Findings::default();
                findings.add("", shown(one), shown(other));
                if let (Some(Node::Symlink(one)), Some(Node::Symlink(other))) = (one, other) {
                    findings.causes.extend(cause::of_texts(one, other, circumstances));
                }
                findings
            }
        };
        all.push(Differing { path: path.clone(), places: findings.places, causes: findings.causes });
    }
    name_causes_of_names(&mut all, circumstances);
    Ok(all)
}

/// Where one file is in the first alone and another in the second alone, their names may differ by a time or an id.
fn name_causes_of_names(all: &mut [Differing], circumstances: Circumstances) {
    let only = |all: &[Differing], nothing: fn(&Place) -> bool| -> Vec<(usize, String)> {
        let is_only = |one: &Differing| one.places.first().is_some_and(nothing);
        all.iter().enumerate().filter(|(_, one)| is_only(one)).map(|(at, one)| (at, one.path.clone())).collect()
    };
    let firsts = only(all, |place| place.second == NOTHING);
    let seconds = only(all, |place| place.first == NOTHING);
    for ((one, first), (other, second)) in firsts.into_iter().zip(seconds) {
        let causes: BTreeSet<_> = cause::of_texts(&first, &second, circumstances).into_iter().collect();
        all[one].causes.extend(causes.iter().copied());
        all[other].causes.extend(causes);
    }
}

const NOTHING: &str = "nothing";

fn shown(node: Option<&Node>) -> String {
    match node {
        None | Some(Node::Directory(_)) => NOTHING.to_owned(),
        Some(Node::File(file)) if file.executable => "a file that can be executed".to_owned(),
        Some(Node::File(_)) => "a file".to_owned(),
        Some(Node::Symlink(target)) => format!("a symlink to `{target}`"),
    }
}

fn files(first: File, second: File, store: &Store, circumstances: Circumstances) -> Result<Findings, store::Error> {
    let (one, other) = (store.read_file(first)?, store.read_file(second)?);
    let mut findings = contents(&one, &other, circumstances, 0);
    if first.executable != second.executable {
        findings.add("mode", shown(Some(&Node::File(first))), shown(Some(&Node::File(second))));
    }
    Ok(findings)
}

/// How two contents differ.
fn contents(first: &[u8], second: &[u8], circumstances: Circumstances, depth: usize) -> Findings {
    let both = |magic: &[u8]| first.starts_with(magic) && second.starts_with(magic);
    let found = match () {
        () if depth >= DEEPEST => None,
        () if both(b"\x7fELF") => elf::findings(first, second, circumstances),
        () if both(b"!<arch>\n") => archive::findings(first, second, circumstances, depth + 1),
        () if both(b"\x1f\x8b") => packed(first, second, circumstances, depth + 1),
        () => None,
    };
    let as_text = || match (std::str::from_utf8(first), std::str::from_utf8(second)) {
        (Ok(one), Ok(other)) if !one.contains('\0') && !other.contains('\0') => {
            Some(text::findings(one, other, circumstances))
        }
        _ => None,
    };
    found.or_else(as_text).unwrap_or_else(|| bytes::findings(first, second, circumstances))
}

/// How two files that gzip packed differ: in when that was, or in what they hold.
fn packed(first: &[u8], second: &[u8], circumstances: Circumstances, depth: usize) -> Option<Findings> {
    let mut findings = Findings::default();
    let time = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?));
    let (one, other) = (time(first)?, time(second)?);
    if one != other {
        findings.add("time of packing", one.to_string(), other.to_string());
        findings.causes.insert(Cause::Time);
    }
    let unpacked = |bytes: &[u8]| {
        let mut unpacked = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes).take(MOST_UNPACKED).read_to_end(&mut unpacked).ok()?;
        Some(unpacked)
    };
    let (one, other) = (unpacked(first)?, unpacked(second)?);
    if one != other {
        findings.take("unpacked", contents(&one, &other, circumstances, depth));
    }
    if findings.places.is_empty() {
        return None;
    }
    Some(findings)
}

/// How many letters of a text are shown.
const WIDTH: usize = 100;

/// A part of a text round a place, for people.
fn around(text: &str, at: usize) -> String {
    let start =
        (0..=at.min(text.len()).saturating_sub(WIDTH / 3)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let rest = &text[start..];
    let end = rest.char_indices().nth(WIDTH).map_or(rest.len(), |(end, _)| end);
    let (before, after) = (if start > 0 { "…" } else { "" }, if end < rest.len() { "…" } else { "" });
    format!("{before}{}{after}", rest[..end].replace(PLACEHOLDER, "/envy/prefix"))
}

/// How many bytes two contents have in common at their beginning.
fn common(first: &[u8], second: &[u8]) -> usize {
    first.iter().zip(second).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests;
