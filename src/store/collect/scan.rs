//! Looking at everything in a store.

use std::path::{Path, PathBuf};

use prost::Message as _;
use rayon::prelude::*;

use super::graph::{Graph, Kind, Name, Thing};
use crate::disk;
use crate::store::{Error, Store, results, sources, units};
use crate::tree::message::Directory;

/// A thing, with the names of what it leads to.
type Found = (Thing, Vec<(Kind, Name)>);

/// Everything in a store. What has no name of a digest is not ours, and passed over.
pub fn scan(store: &Store) -> Result<Graph, Error> {
    let mut found = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Program) {
        found.extend(things(store.root(), kind)?);
    }
    let mut graph = Graph::new(found);
    graph.strays = strays(store, &graph)?;
    Ok(graph)
}

fn things(store: &Path, kind: Kind) -> Result<Vec<Found>, disk::Error> {
    let top = store.join(kind.directory());
    if kind == Kind::Prefix {
        let names = disk::names_if_exists(&top)?;
        let look = |name: &std::ffi::OsString| look(kind, &top.join(name), name.to_str()?).transpose();
        return names.par_iter().filter_map(look).collect();
    }
    let each = disk::names_if_exists(&top)?.into_par_iter().map(|begin| {
        let directory = top.join(&begin);
        let begin = begin.to_str().unwrap_or_default();
        let look = |end: std::ffi::OsString| {
            look(kind, &directory.join(&end), &format!("{begin}{}", end.to_str()?)).transpose()
        };
        disk::names_if_exists(&directory)?.into_iter().filter_map(look).collect::<Result<Vec<_>, _>>()
    });
    Ok(each.collect::<Result<Vec<_>, disk::Error>>()?.into_iter().flatten().collect())
}

/// What has a name; nothing where that is no digest, or where it is gone by now.
fn look(kind: Kind, path: &Path, name: &str) -> Result<Option<Found>, disk::Error> {
    let (name, kind) = match name.strip_suffix(".x") {
        Some(name) if kind == Kind::Blob => (name, Kind::Program),
        _ => (name, kind),
    };
    let Ok(name) = Name::from_hex(name) else { return Ok(None) };
    let Some(usage) = disk::usage(path)? else { return Ok(None) };
    let bytes = if kind.is_directory() { disk::usage_alone(path)? } else { usage.bytes };
    let used = match kind.is_used_when_changed() {
        true => usage.changed,
        // A time of modification can be set, to one that is still to come too.
        false => usage.modified.min(usage.changed),
    };
    let (is_damaged, below) = match kind {
        Kind::Tree => tree(path, name)?,
        kind => (false, below(kind, path, name)?),
    };
    let thing = Thing { kind, name, bytes, used, changed: usage.changed, is_damaged, below: Vec::new() };
    Ok(Some((thing, below)))
}

/// Whether the directory of a tree is damaged, and the names of what it leads to.
fn tree(path: &Path, name: Name) -> Result<(bool, Vec<(Kind, Name)>), disk::Error> {
    let Some(bytes) = disk::read_if_exists(path)? else { return Ok((false, Vec::new())) };
    Ok((Name::of(&bytes) != name, of_directory(&bytes)))
}

/// The names of what something leads to. What cannot be read leads nowhere: it is of no use.
fn below(kind: Kind, path: &Path, name: Name) -> Result<Vec<(Kind, Name)>, disk::Error> {
    let read = || Ok(disk::read_if_exists(path)?.unwrap_or_default());
    Ok(match kind {
        Kind::Blob | Kind::Program | Kind::Tree => Vec::new(),
        // One that was laid out from a tree has the tree's name, and can be verified by it.
        Kind::Prefix | Kind::Checkout => vec![(Kind::Tree, name)],
        Kind::Result => results::read(&read()?)
            .map(|outcome| vec![(Kind::Tree, super::name(outcome.tree)), (Kind::Blob, super::name(outcome.log))])
            .unwrap_or_default(),
        Kind::Source => sources::read(&read()?).map(|(tree, _)| (Kind::Tree, super::name(tree))).into_iter().collect(),
        Kind::Unit => units::read(&read()?)
            .map(|unit| unit.files.values().map(|file| (file_kind(file.executable), super::name(file.blob))).collect())
            .unwrap_or_default(),
    })
}

fn file_kind(executable: bool) -> Kind {
    if executable { Kind::Program } else { Kind::Blob }
}

fn of_directory(bytes: &[u8]) -> Vec<(Kind, Name)> {
    let Ok(directory) = Directory::decode(bytes) else { return Vec::new() };
    let files = directory
        .files
        .iter()
        .filter_map(|file| Some((file_kind(file.is_executable), Name::from_hex(&file.digest.as_ref()?.hash).ok()?)));
    let directories = directory
        .directories
        .iter()
        .filter_map(|directory| Some((Kind::Tree, Name::from_hex(&directory.digest.as_ref()?.hash).ok()?)));
    files.chain(directories).collect()
}

/// The lists of patches whose prefix is not there.
fn strays(store: &Store, graph: &Graph) -> Result<Vec<PathBuf>, Error> {
    let top = store.root().join(Kind::Prefix.directory());
    let names = disk::names_if_exists(&top)?.into_iter();
    let is_stray = |name: &std::ffi::OsString| {
        let digits = name.to_str().and_then(|name| name.strip_suffix(".patches"));
        let prefix = digits.and_then(|digits| Name::from_hex(digits).ok());
        prefix.is_some_and(|name| graph.find(Kind::Prefix, name).is_none())
    };
    Ok(names.filter(is_stray).map(|name| top.join(name)).collect())
}
