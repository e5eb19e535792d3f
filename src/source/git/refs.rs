//! What a repository's names stand for, as a server lists them. Pure.
//!
//! The last list that a server sent is kept beside its mirror, as `git ls-remote --symref` writes it (`⇥` is a tab):
//!
//! ```text
//! ref: refs/heads/main ⇥ HEAD
//! 4f1c0d2a9b8e7f6d5c4b3a291807f6e5d4c3b2a1 ⇥ HEAD
//! 93f40e2a9b8e7f6d5c4b3a291807f6e5d4c3b2a1 ⇥ refs/tags/v1.2.3
//! 4f1c0d2a9b8e7f6d5c4b3a291807f6e5d4c3b2a1 ⇥ refs/tags/v1.2.3^{}
//! ```

use std::collections::BTreeMap;

use super::{Reference, Tag};
use crate::digest::Commit;

/// The names of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refs {
    /// The branch that `HEAD` stands for.
    head: Option<String>,
    all: BTreeMap<String, Listed>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listed {
    id: Commit,
    /// The commit that an annotated tag is on.
    peeled: Option<Commit>,
}

impl Listed {
    fn commit(self) -> Commit {
        self.peeled.unwrap_or(self.id)
    }
}

impl Refs {
    /// Add a name; one that ends with `^{}` says what an annotated tag is on.
    pub(super) fn add(&mut self, name: &str, id: Commit) {
        match name.strip_suffix("^{}") {
            Some(tag) => {
                if let Some(listed) = self.all.get_mut(tag) {
                    listed.peeled = Some(id);
                }
            }
            None => drop(self.all.insert(name.to_owned(), Listed { id, peeled: None })),
        }
    }

    /// Say which branch `HEAD` stands for.
    pub(super) fn set_head(&mut self, branch: &str) {
        self.head = Some(branch.to_owned());
    }

    /// All tags with the commits that they are on, by name.
    pub(super) fn tags(&self) -> Vec<Tag> {
        let tag = |(name, listed): (&String, &Listed)| {
            Some(Tag { name: name.strip_prefix("refs/tags/")?.to_owned(), commit: listed.commit() })
        };
        self.all.iter().filter_map(tag).collect()
    }

    /// The commit that a reference stands for, if it is one of the names.
    pub(super) fn find(&self, reference: &Reference) -> Option<Commit> {
        self.name_of(reference).and_then(|name| self.all.get(&name)).map(|listed| listed.commit())
    }

    /// The whole name of a reference, if it is one of the names.
    pub(super) fn name_of(&self, reference: &Reference) -> Option<String> {
        let known = |name: String| self.all.contains_key(&name).then_some(name);
        match reference {
            Reference::Default => known("HEAD".to_owned()).or_else(|| known(self.head.clone()?)),
            Reference::Branch(name) => known(format!("refs/heads/{name}")),
            Reference::Tag(name) => known(format!("refs/tags/{name}")),
            Reference::Rev(name) => ["", "refs/", "refs/tags/", "refs/heads/"]
                .into_iter()
                .find_map(|prefix| known(format!("{prefix}{name}"))),
        }
    }

    /// The commits among the names whose id begins so.
    pub(super) fn beginning(&self, prefix: &str) -> Vec<Commit> {
        let mut commits: Vec<_> = self.all.values().map(|listed| listed.commit()).collect();
        commits.sort();
        commits.dedup();
        commits.retain(|commit| commit.to_string().starts_with(prefix));
        commits
    }

    /// What to ask a server for that gives nothing but what its names stand for, to get a commit that one of them is on.
    pub(super) fn tip_of(&self, commit: Commit) -> Option<Commit> {
        let fits = |listed: &&Listed| listed.id == commit || listed.peeled == Some(commit);
        let tips: Vec<_> = self.all.values().filter(fits).collect();
        let best = tips.iter().find(|listed| listed.id == commit).or(tips.first())?;
        Some(best.id)
    }

    /// What a name stands for itself.
    pub(super) fn id_of(&self, name: &str) -> Option<Commit> {
        self.all.get(name).map(|listed| listed.id)
    }

    /// What all branches and tags stand for themselves.
    pub(super) fn ids(&self) -> Vec<Commit> {
        let wanted = |name: &str| name == "HEAD" || name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
        let mut ids: Vec<_> = self.all.iter().filter(|(name, _)| wanted(name)).map(|(_, listed)| listed.id).collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// The list as text.
    pub(super) fn write(&self) -> String {
        let mut text = self.head.as_ref().map(|head| format!("ref: {head}\tHEAD\n")).unwrap_or_default();
        for (name, listed) in &self.all {
            text += &format!("{}\t{name}\n", listed.id);
            text += &listed.peeled.map(|peeled| format!("{peeled}\t{name}^{{}}\n")).unwrap_or_default();
        }
        text
    }

    /// Read such a text. Lines that make no sense say nothing.
    pub(super) fn parse(text: &str) -> Self {
        let mut refs = Self::default();
        for (left, name) in text.lines().filter_map(|line| line.split_once('\t')) {
            match (left.strip_prefix("ref: "), left.parse()) {
                (Some(branch), _) if name == "HEAD" => refs.set_head(branch),
                (_, Ok(id)) => refs.add(name, id),
                _ => {}
            }
        }
        refs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: u8) -> Commit {
        [digit; 20].into()
    }

    fn refs() -> Refs {
        let mut refs = Refs::default();
        refs.add("HEAD", id(1));
        refs.set_head("refs/heads/main");
        refs.add("refs/heads/main", id(1));
        refs.add("refs/heads/v1", id(2));
        refs.add("refs/tags/v1", id(3));
        refs.add("refs/tags/v1^{}", id(4));
        refs.add("refs/tags/v0", id(5));
        refs
    }

    fn check(reference: &Reference, expected: Option<u8>) {
        assert_eq!(refs().find(reference), expected.map(id), "{reference:?}");
    }

    #[test]
    fn references_stand_for_commits() {
        check(&Reference::Default, Some(1));
        check(&Reference::Branch("v1".into()), Some(2));
        check(&Reference::Tag("v1".into()), Some(4));
        check(&Reference::Tag("main".into()), None);
        check(&Reference::Rev("v1".into()), Some(4));
        check(&Reference::Rev("heads/v1".into()), Some(2));
        check(&Reference::Rev("refs/heads/main".into()), Some(1));
        check(&Reference::Rev("other".into()), None);
    }

    #[test]
    fn tags_are_peeled() {
        let tags: Vec<_> = refs().tags().into_iter().map(|tag| (tag.name, tag.commit)).collect();
        assert_eq!(tags, [("v0".to_owned(), id(5)), ("v1".to_owned(), id(4))]);
        assert_eq!(refs().tip_of(id(4)), Some(id(3)), "a server that knows tips alone is asked for the tag");
        assert_eq!(refs().tip_of(id(5)), Some(id(5)));
        assert_eq!(refs().tip_of(id(9)), None);
    }

    #[test]
    fn the_list_reads_back() {
        assert_eq!(Refs::parse(&refs().write()), refs());
        assert_eq!(Refs::parse("nonsense\n\tx\nref: a\tb\n"), Refs::default());
    }
}
