//! Reads `[recipes]`: where recipes come from that several projects share. Pure.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::Source;
use super::parse::{Text, entries};
use super::problem::Findings;
use super::source::{address, place, plain_path, reference, subdir, text};
use crate::package::PackageName;

/// Keys that only a repository knows.
const OF_GIT: [&str; 4] = ["tag", "branch", "rev", "subdir"];

/// What each name stands for: a repository or a directory.
pub(super) fn recipes(document: &DeTable<'_>, findings: &mut Findings<'_>) -> BTreeMap<String, Source> {
    let mut recipes = BTreeMap::new();
    for (name, value) in entries(document, "recipes") {
        let Some(entry) = value.get_ref().as_table() else { continue };
        if let Err(error) = name.get_ref().parse::<PackageName>() {
            findings.add(name.span(), error.to_string());
        }
        if let Some(source) = source(name, entry, findings) {
            recipes.insert(name.get_ref().to_string(), source);
        }
    }
    recipes
}

fn source(name: &Text<'_>, entry: &DeTable<'_>, findings: &mut Findings<'_>) -> Option<Source> {
    match (entry.contains_key("git"), entry.contains_key("path")) {
        (true, false) => Some(Source::Git {
            url: address(entry, "git", text(entry, "git")?, findings),
            reference: reference(entry, findings),
            subdir: subdir(entry, findings),
        }),
        (false, true) => {
            for key in OF_GIT.into_iter().filter(|key| entry.contains_key(*key)) {
                findings.add(place(entry, key), format!("`{key}` belongs to recipes that are named by `git`"));
            }
            Some(Source::Path { path: plain_path(entry, text(entry, "path")?, findings) })
        }
        (true, true) => {
            let message = format!("recipes `{}` have two sources, `git` and `path`", name.get_ref());
            findings.add_with_hint(place(entry, "path"), message, "keep one of them");
            None
        }
        (false, false) => {
            let message = format!("recipes `{}` have neither `git` nor `path`", name.get_ref());
            findings.add_with_hint(name.span(), message, "name a repository by `git`, or a directory by `path`");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::manifest::tests::brief;
    use crate::manifest::{GitReference, Manifest, Source};

    fn read(table: &str) -> Source {
        let text = format!("[recipes.company]\n{table}");
        Manifest::parse("envy.toml", &text).expect(table).recipes()["company"].clone()
    }

    #[test]
    fn shared_recipes_are_in_a_repository_or_in_a_directory() {
        let url = "git = 'https://example.org/recipes.git'\n";
        let git = |reference, subdir: Option<&str>| Source::Git {
            url: "https://example.org/recipes.git".into(),
            reference,
            subdir: subdir.map(str::to_owned),
        };
        assert_eq!(read(url), git(GitReference::Default, None));
        assert_eq!(read(&format!("{url}tag = 'v3'")), git(GitReference::Tag("v3".into()), None));
        assert_eq!(
            read(&format!("{url}branch = 'a'\nsubdir = 'recipes/'")),
            git(GitReference::Branch("a".into()), Some("recipes"))
        );
        assert_eq!(read(&format!("{url}rev = '4f1c0d2'")), git(GitReference::Rev("4f1c0d2".into()), None));
        assert_eq!(read("path = '../recipes'"), Source::Path { path: "../recipes".into() });
    }

    #[test]
    fn what_does_not_go_together_is_told() {
        brief(
            "[recipes.a]\n[recipes.b]\ngit = 'https://example.org/b.git'\npath = 'b'\n[recipes.c]\npath = 'c'\n\
             tag = 'v1'\nsubdir = 'x'\n[recipes.d]\ngit = 'https://me:secret@example.org/d.git'\ntag = 'v1'\n\
             branch = 'b'\nsubdir = '../x'\n[recipes.e]\ngit = 'https://example.org/e.git'\nversion = '1'\ntags = 'x'\n\
             [recipes.'f g']\npath = ''\n[recipes.h]\npath = 1\n[recipes.i]\ngit = '--upload-pack=x'\nrev = '-x'",
        )
        .is(expect![[r#"
            envy.toml:1:10: recipes `a` have neither `git` nor `path`
            envy.toml:4:8: recipes `b` have two sources, `git` and `path`
            envy.toml:7:7: `tag` belongs to recipes that are named by `git`
            envy.toml:8:10: `subdir` belongs to recipes that are named by `git`
            envy.toml:10:7: `git` holds credentials, and lockfiles repeat it
            envy.toml:12:10: `tag` and `branch` both say which commit
            envy.toml:13:10: `../x` is not a directory below the top
            envy.toml:16:1: unknown key `version`
            envy.toml:17:1: unknown key `tags`
            envy.toml:18:10: `f g` is not a name: use up to 64 letters, digits, `-` and `_`, beginning with a letter or digit
            envy.toml:19:8: `path` names no directory
            envy.toml:21:8: `path` must be a string, not an integer
            envy.toml:23:7: `git` is not an address
            envy.toml:24:7: `-x` cannot be the name of a rev
        "#]]);
        brief("[recipes]\na = 'https://example.org/a.git'").is(expect![[r#"
            envy.toml:2:5: `a` must be a table, not a string
        "#]]);
    }
}
