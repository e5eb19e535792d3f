//! What manifests say of licences. Pure.

use toml::{Table, Value};

use crate::tree::{File, Node, Tree};

/// The licence that a `Cargo.toml` names: an SPDX expression, as it is written.
pub fn licence(cargo_toml: &str) -> Option<String> {
    match named(&cargo_toml.parse().ok()?)? {
        Named::Here(text) => Some(text),
        Named::Above => None,
    }
}

/// The licence of a package of cargo's, wherever it lies in a tree.
pub fn licence_in(tree: &Tree, read: &dyn Fn(&File) -> Option<Vec<u8>>, package: &str) -> Option<String> {
    let leaves = tree.leaves();
    let table = |directory: &str| -> Option<Table> {
        let path = if directory.is_empty() { "Cargo.toml".to_owned() } else { format!("{directory}/Cargo.toml") };
        let Some(Node::File(file)) = tree.get(&path) else { return None };
        String::from_utf8(read(file)?).ok()?.parse().ok()
    };
    let directories = leaves.iter().filter_map(|(path, _)| match path.as_str() {
        "Cargo.toml" => Some(""),
        path => path.strip_suffix("/Cargo.toml"),
    });
    let is_it = |table: &Table| table.get("package").and_then(|it| it.get("name")?.as_str()) == Some(package);
    let (directory, manifest) =
        directories.filter_map(|directory| Some((directory, table(directory)?))).find(|(_, table)| is_it(table))?;
    match named(&manifest)? {
        Named::Here(text) => Some(text),
        Named::Above => {
            let ends = directory.match_indices('/').map(|(end, _)| end).chain([directory.len()]);
            let mut above: Vec<_> = std::iter::once("").chain(ends.map(|end| &directory[..end])).collect();
            above.reverse();
            above.into_iter().find_map(|directory| of_workspace(&table(directory)?))
        }
    }
}

/// Where a manifest names its licence.
enum Named {
    Here(String),
    Above,
}

fn named(manifest: &Table) -> Option<Named> {
    match manifest.get("package")?.get("license")? {
        Value::String(text) => Some(Named::Here(text.clone())),
        Value::Table(_) => Some(Named::Above),
        _ => None,
    }
}

fn of_workspace(manifest: &Table) -> Option<String> {
    Some(manifest.get("workspace")?.get("package")?.get("license")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::BlobDigest;

    #[test]
    fn a_licence_is_found_where_the_package_lies_or_in_its_workspace() {
        let files = [
            ("Cargo.toml", "[workspace]\nmembers = ['a', 'b']\n[workspace.package]\nlicense = 'MIT'\n"),
            ("a/Cargo.toml", "[package]\nname = 'a'\nlicense = 'Apache-2.0'\n"),
            ("b/Cargo.toml", "[package]\nname = 'b'\nlicense.workspace = true\n"),
        ];
        let mut tree = Tree::default();
        for (path, text) in files {
            let file = File { blob: BlobDigest::of(text.as_bytes()), size: text.len() as u64, executable: false };
            tree.insert(path, Node::File(file)).unwrap();
        }
        let read = |file: &File| {
            let found = files.iter().find(|(_, text)| BlobDigest::of(text.as_bytes()) == file.blob);
            found.map(|(_, text)| text.as_bytes().to_vec())
        };
        assert_eq!(licence_in(&tree, &read, "a").as_deref(), Some("Apache-2.0"));
        assert_eq!(licence_in(&tree, &read, "b").as_deref(), Some("MIT"));
        assert_eq!(licence_in(&tree, &read, "c"), None);
        assert_eq!(licence(files[1].1).as_deref(), Some("Apache-2.0"));
    }
}
