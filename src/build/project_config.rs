//! A project's own configuration of cargo, in the tree of its source.
//!
//! Cargo reads a configuration in the directory that it runs in, and in each above it. In the tree they are replaced by
//! what of them counts, so that the digest of the source tells what a build really reads.

use std::collections::BTreeMap;

use super::cargo_config::{self, ProjectConfig};
use crate::digest::BlobDigest;
use crate::store::{self, Store};
use crate::tree::{self, File, Node, Tree};

/// A project's configuration cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It makes no sense.
    #[error("`{path}` of the source cannot be used")]
    Config {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: cargo_config::Error,
    },
    /// It is no text.
    #[error("`{path}` of the source is not UTF-8")]
    Text {
        /// The file.
        path: String,
    },
    /// It cannot be read or written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// It cannot be put into the tree.
    #[error("the configuration of cargo cannot be laid into the source")]
    Tree(#[from] tree::Error),
}

/// A source tree in which a project's configuration holds only what counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    /// The tree. Its files are in the store.
    pub tree: Tree,
    /// What was left out, each with its file: `build.rustc-wrapper` in `.cargo/config.toml`.
    pub dropped: Vec<Dropped>,
    /// Names of registries, with their indexes.
    pub registries: BTreeMap<String, String>,
    /// The target that it builds for where nobody asks for another.
    pub target: Option<String>,
}

/// Something of a project's configuration that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The file.
    pub path: String,
    /// The key in it; none where it is no regular file, and nothing of it counts.
    pub key: Option<String>,
}

/// Replace the configurations that count for the package in a directory of a source, from the topmost down to its own.
pub fn configured(source: &Tree, directory: &str, store: &Store) -> Result<Configured, Error> {
    let tree = source.clone();
    let mut configured = Configured { tree, dropped: Vec::new(), registries: BTreeMap::new(), target: None };
    for above in ancestors(directory) {
        configured.drop_symlink(&format!("{above}.cargo"));
        // The name without an ending is the older one.
        for name in ["config", "config.toml"] {
            configured.take(&format!("{above}.cargo/{name}"), store)?;
        }
    }
    store.put_tree(&configured.tree)?;
    Ok(configured)
}

impl Configured {
    /// Whoever follows a symlink may end in a file that is not what it was looked through for.
    fn drop_symlink(&mut self, path: &str) {
        if let Some(Node::Symlink(_)) = self.tree.get(path) {
            self.tree.remove(path);
            self.dropped.push(Dropped { path: path.to_owned(), key: None });
        }
    }

    fn take(&mut self, path: &str, store: &Store) -> Result<(), Error> {
        self.drop_symlink(path);
        let Some(Node::File(file)) = self.tree.get(path) else { return Ok(()) };
        let unreadable = |_| Error::Text { path: path.to_owned() };
        let text = String::from_utf8(store.read_file(*file)?).map_err(unreadable)?;
        let unfit = |source| Error::Config { path: path.to_owned(), source };
        let ProjectConfig { text, dropped, registries, target } = cargo_config::of_project(&text).map_err(unfit)?;
        if dropped.is_empty() {
            return Ok(());
        }
        let blob: BlobDigest = store.put_blob(text.as_bytes())?;
        self.tree.remove(path);
        self.tree.insert(path, Node::File(File { blob, size: text.len() as u64, executable: false }))?;
        self.dropped.extend(dropped.into_iter().map(|key| Dropped { path: path.to_owned(), key: Some(key) }));
        // The nearest to the package counts.
        self.registries.extend(registries);
        self.target = target.or(self.target.take());
        Ok(())
    }
}

/// A directory and those above it, the topmost first, each so that a name can follow.
fn ancestors(directory: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for part in directory.split('/').filter(|part| !part.is_empty()) {
        let above = all.last().expect("the topmost is there");
        all.push(format!("{above}{part}/"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World {
        _directory: tempfile::TempDir,
        store: Store,
        tree: Tree,
    }

    fn world(files: &[(&str, &str)]) -> World {
        let directory = tempfile::tempdir().unwrap();
        let (store, mut tree) = (Store::at(directory.path().join("store")), Tree::default());
        for (path, text) in files {
            let blob = store.put_blob(text.as_bytes()).unwrap();
            tree.insert(path, Node::File(File { blob, size: text.len() as u64, executable: false })).unwrap();
        }
        World { _directory: directory, store, tree }
    }

    fn text(world: &World, tree: &Tree, path: &str) -> String {
        let Some(Node::File(file)) = tree.get(path) else { panic!("`{path}` is a file") };
        String::from_utf8(world.store.read_file(*file).unwrap()).unwrap()
    }

    fn dropped(configured: &Configured) -> Vec<String> {
        let shown = |one: &Dropped| format!("{} {}", one.path, one.key.as_deref().unwrap_or("-"));
        configured.dropped.iter().map(shown).collect()
    }

    #[test]
    fn configurations_down_to_the_package_are_looked_through() {
        let world = world(&[
            (".cargo/config.toml", "build.target = 'a'\nregistries.my.index = 'one'\nprofile.dev.debug = 1\n"),
            ("app/.cargo/config", "build = { target = 'b', rustflags = ['-g'] }\nregistries.my.index = 'two'\n"),
            ("app/below/.cargo/config.toml", "net.offline = false"),
            ("app/src/main.rs", "fn main() {}"),
        ]);
        let found = configured(&world.tree, "app", &world.store).unwrap();
        let expected = [
            ".cargo/config.toml registries",
            ".cargo/config.toml build.target",
            "app/.cargo/config registries",
            "app/.cargo/config build.target",
        ];
        assert_eq!(dropped(&found), expected);
        assert_eq!(text(&world, &found.tree, ".cargo/config.toml"), "profile.dev.debug = 1\n");
        assert_eq!(text(&world, &found.tree, "app/.cargo/config").trim(), "build = { rustflags = ['-g'] }");
        assert_eq!(text(&world, &found.tree, "app/below/.cargo/config.toml"), "net.offline = false");
        assert_eq!((found.target.as_deref(), found.registries["my"].as_str()), (Some("b"), "two"));
        assert!(world.store.whole_tree(found.tree.digest()).unwrap().is_some());
    }

    #[test]
    fn a_source_that_leaves_nothing_out_stays_as_it_is() {
        let world = world(&[(".cargo/config.toml", "[build]\nrustflags = []\n"), ("Cargo.toml", "")]);
        let found = configured(&world.tree, "", &world.store).unwrap();
        assert_eq!((&found.tree, found.dropped.len()), (&world.tree, 0));
    }

    #[test]
    fn a_symlink_does_not_count() {
        let mut world = world(&[("other", "net.offline = false")]);
        world.tree.insert(".cargo/config.toml", Node::Symlink("../other".into())).unwrap();
        world.tree.insert("app/.cargo", Node::Symlink("../other".into())).unwrap();
        let found = configured(&world.tree, "app", &world.store).unwrap();
        assert_eq!(dropped(&found), [".cargo/config.toml -", "app/.cargo -"]);
        assert_eq!(found.tree.leaves().len(), 1);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_name() {
        let world = world(&[("app/.cargo/config.toml", "<<<")]);
        let error = configured(&world.tree, "app", &world.store).unwrap_err();
        assert_eq!(error.to_string(), "`app/.cargo/config.toml` of the source cannot be used");
    }
}
