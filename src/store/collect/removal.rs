//! Removing what nothing keeps, from the top down.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::graph::{Graph, Kind, Thing};
use super::mark::Marks;
use crate::disk;
use crate::store::{Error, Store};

/// Remove all that has no mark. Prefixes and checkouts are renamed into a temporary directory first, so that nobody ever
/// sees a part of one. Files of lists whose prefix is gone are removed if they are older than what runs.
pub fn remove(store: &Store, graph: &Graph, marks: &Marks, busy: i128, temporary: &Path) -> Result<(), Error> {
    let dead: Vec<_> = graph.things().filter(|(at, _)| marks.grip(*at).is_none()).collect();
    for kind in Kind::ALL {
        let of_kind = dead.iter().filter(|(_, thing)| thing.kind == kind);
        match kind {
            Kind::Prefix | Kind::Checkout => {
                for (_, thing) in of_kind {
                    remove_directory(store, thing, temporary)?;
                }
            }
            Kind::Tree => {
                for layer in layers(graph, of_kind.map(|(at, _)| *at).collect()) {
                    let things: Vec<_> = layer.into_iter().map(|at| graph.get(at)).collect();
                    remove_files(store, &things)?;
                }
            }
            _ => remove_files(store, &of_kind.map(|(_, thing)| *thing).collect::<Vec<_>>())?,
        }
    }
    for stray in &graph.strays {
        if disk::usage(stray)?.is_some_and(|usage| usage.changed < busy) {
            disk::remove_file(stray)?;
        }
    }
    Ok(())
}

fn remove_directory(store: &Store, thing: &Thing, temporary: &Path) -> Result<(), Error> {
    let place = path(store, thing);
    let aside = temporary.join("collected");
    disk::remove_tree(&aside)?;
    if disk::exists(&place) {
        // A directory that is moved must be writable by its owner.
        disk::set_mode(&place, 0o755)?;
        disk::rename(&place, &aside)?;
    }
    if thing.kind == Kind::Prefix {
        disk::remove_file(&place.with_added_extension("patches"))?;
    }
    Ok(disk::remove_tree(&aside)?)
}

fn remove_files(store: &Store, things: &[&Thing]) -> Result<(), Error> {
    Ok(things.par_iter().with_min_len(64).try_for_each(|thing| disk::remove_file(&path(store, thing)))?)
}

/// Where a thing is.
pub fn path(store: &Store, thing: &Thing) -> PathBuf {
    let (top, hex) = (store.root().join(thing.kind.directory()), thing.name.hex());
    match thing.kind {
        Kind::Prefix => top.join(hex),
        Kind::Program => top.join(&hex[..2]).join(format!("{}.x", &hex[2..])),
        _ => top.join(&hex[..2]).join(&hex[2..]),
    }
}

/// Trees in layers: nothing in one leads to something in one before it.
fn layers(graph: &Graph, trees: Vec<u32>) -> Vec<Vec<u32>> {
    let mut above: HashMap<u32, usize> = trees.iter().map(|at| (*at, 0)).collect();
    for at in &trees {
        for below in &graph.get(*at).below {
            above.entry(*below).and_modify(|count| *count += 1);
        }
    }
    let mut layer: Vec<_> = trees.into_iter().filter(|at| above[at] == 0).collect();
    let mut layers = Vec::new();
    while !layer.is_empty() {
        let mut next = Vec::new();
        for below in layer.iter().flat_map(|at| &graph.get(*at).below) {
            let Some(count) = above.get_mut(below) else { continue };
            *count -= 1;
            if *count == 0 {
                next.push(*below);
            }
        }
        layers.push(std::mem::replace(&mut layer, next));
    }
    layers
}
