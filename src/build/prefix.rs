//! What a build finds at the placeholder prefix: the outputs of the packages that it needs, merged; and what it put there
//! beside them.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Built, Error};
use crate::disk;
use crate::package::{PackageId, PackageName};
use crate::store::Store;
use crate::tree::{Node, Tree};

/// The outputs of these packages in one tree.
pub fn merged<'a>(
    id: &PackageId,
    names: impl IntoIterator<Item = &'a PackageName>,
    outputs: &BTreeMap<PackageName, Built>,
) -> Result<Tree, Error> {
    let parts: Vec<_> = names.into_iter().map(|name| (name.as_str(), &outputs[name].tree)).collect();
    let collides = |collisions| Error::InputsCollide { id: id.clone(), collisions };
    Tree::merge(parts).map_err(collides)
}

/// Lay inputs out in an empty directory, as a copy: steps that ignore `DESTDIR` write beside them.
pub fn lay_out(inputs: &Tree, store: &Store, time: i64, to: &Path) -> Result<(), Error> {
    Ok(store.lay_out_copy(inputs, to, time)?)
}

/// Take away what was laid out and is as it was, so that what is left is what steps wrote.
pub fn leave_only_new(inputs: &Tree, time: i64, directory: &Path) -> Result<(), Error> {
    for (path, node) in inputs.leaves() {
        let path = directory.join(path);
        let same = match node {
            Node::File(file) => {
                let as_it_was = (file.size, i128::from(time) * 1_000_000_000);
                disk::stamp(&path).is_ok_and(|stamp| (stamp.size, stamp.modified) == as_it_was)
            }
            Node::Symlink(target) => disk::read_link(&path).is_some_and(|now| now == Path::new(target)),
            Node::Directory(_) => false,
        };
        if same {
            disk::remove_file(&path)?;
        }
    }
    Ok(())
}

/// What a build installed: what is in its own place, and what steps wrote beside the inputs, which stay as they were.
pub fn installed(id: &PackageId, inputs: &Tree, own: Tree, beside: &Tree) -> Result<Tree, Error> {
    let mut all = own;
    for (path, node) in beside.leaves() {
        match inputs.get(&path) {
            Some(before) if before == node => {}
            Some(_) => return Err(Error::ChangedInput { id: id.clone(), path }),
            None if all.get(&path).is_some() => {}
            None => {
                let failed = |source| Error::Layout { id: id.clone(), source };
                all.insert(&path, node.clone()).map_err(failed)?;
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> PackageId {
        PackageId { name: "x".parse().unwrap(), version: "1.0.0".parse().unwrap() }
    }

    #[test]
    fn what_steps_write_beside_the_inputs_counts_as_installed() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("store"));
        let mut inputs = Tree::default();
        inputs.insert("lib/a.so", Node::File(store.put_file(b"a", false).unwrap())).unwrap();
        inputs.insert("lib/b.so", Node::Symlink("a.so".into())).unwrap();
        let to = directory.path().join("prefix");
        disk::create_directories(&to).unwrap();
        lay_out(&inputs, &store, 1_000_000_000, &to).unwrap();
        disk::write(&to.join("lib/new.so"), b"new").unwrap();
        let now = || {
            leave_only_new(&inputs, 1_000_000_000, &to).unwrap();
            installed(&id(), &inputs, Tree::default(), &store.ingest(&to).unwrap())
        };
        let paths: Vec<_> = now().unwrap().leaves().into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["lib/new.so"]);
        disk::write(&to.join("lib/a.so"), b"changed").unwrap();
        assert!(matches!(now(), Err(Error::ChangedInput { path, .. }) if path == "lib/a.so"));
    }
}
