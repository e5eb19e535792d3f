//! Which crate of a lock needs which others. Pure.

use super::{Error, Lock, LockedCrate, parsed};

/// A crate of a lock, and where those stand that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedNode {
    /// The crate.
    pub locked: LockedCrate,
    /// Places of others among all, sorted.
    pub needs: Vec<usize>,
}

/// All crates of a lock, as they stand in it, with what each needs. A lock does not say which of these are built for what.
pub fn locked_graph(cargo_lock: &str) -> Result<Vec<LockedNode>, Error> {
    let Lock { root, package, metadata, .. } = parsed(cargo_lock)?;
    let packages: Vec<_> = root.into_iter().chain(package).collect();
    let names: Vec<_> = packages
        .iter()
        .map(|one| (one.name.clone(), one.version.to_string(), one.source.clone().unwrap_or_default()))
        .collect();
    let needs = |written: &String| {
        // `NAME`, `NAME VERSION` or `NAME VERSION (SOURCE)`: as much as it takes to be told apart.
        let mut words = written.splitn(3, ' ');
        let (name, version) = (words.next()?, words.next());
        let source = words.next().map(|source| source.trim_matches(['(', ')']));
        names.iter().position(|(known, of, from)| {
            known == name
                && version.is_none_or(|version| version == of)
                && source.is_none_or(|source| source == without_commit(from) || source == from)
        })
    };
    let node = |package: super::Package| {
        let mut needs: Vec<_> = package.dependencies.iter().filter_map(needs).collect();
        needs.sort_unstable();
        needs.dedup();
        Ok(LockedNode { needs, locked: package.locked(&metadata)? })
    };
    packages.into_iter().map(node).collect()
}

/// Needs name repositories without the commit.
fn without_commit(source: &str) -> &str {
    source.split('#').next().unwrap_or(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_told_apart_by_as_much_as_they_say() {
        let registry = format!("registry+{}", tame_index::CRATES_IO_INDEX);
        let sum = "0".repeat(64);
        let lock = format!(
            "version = 4\n\
             [[package]]\nname = 'app'\nversion = '1.0.0'\n\
             dependencies = ['a 1.0.0', 'a 2.0.0 ({registry})', 'b']\n\
             [[package]]\nname = 'a'\nversion = '1.0.0'\nsource = '{registry}'\nchecksum = '{sum}'\n\
             [[package]]\nname = 'a'\nversion = '2.0.0'\nsource = '{registry}'\nchecksum = '{sum}'\ndependencies = ['b']\n\
             [[package]]\nname = 'b'\nversion = '0.1.0'\n"
        );
        let graph = locked_graph(&lock).unwrap();
        assert_eq!(
            graph.iter().map(|node| node.needs.clone()).collect::<Vec<_>>(),
            [vec![1, 2, 3], vec![], vec![3], vec![]]
        );
    }
}
