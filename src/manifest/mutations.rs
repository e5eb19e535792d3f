//! What must hold of any text at all: no panic, and no edit that spoils a good manifest.

use proptest::prelude::*;

use super::tests::GOOD;
use super::*;
use crate::package::PackageName;

/// A text after each edit that it allows.
fn edits(text: &str) -> Vec<(&'static str, String)> {
    let (a, c): (SiteName, SiteName) = ("siteA".parse().unwrap(), "siteC".parse().unwrap());
    let (just, ripgrep): (PackageName, PackageName) = ("just".parse().unwrap(), "ripgrep".parse().unwrap());
    let new = edit::NewDependency { version: Some("2".into()), features: vec!["x".into()], ..Default::default() };
    let all = [
        ("adding to all", edit::add_dependency(text, edit::Where::Shared, &ripgrep, &new).ok()),
        ("adding to a site", edit::add_dependency(text, edit::Where::Site(&a), &just, &new).ok()),
        ("removing from all", edit::remove_dependency(text, edit::Where::Shared, &just).ok().flatten()),
        ("removing from a site", edit::remove_dependency(text, edit::Where::Site(&a), &ripgrep).ok().flatten()),
        ("creating", edit::create_site(text, &c).ok()),
        ("copying", edit::copy_site(text, &a, &c).ok()),
        ("deleting", edit::delete_site(text, &a).ok()),
    ];
    all.into_iter().filter_map(|(what, edited)| Some((what, edited?))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_manifest_makes_the_room_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..6usize, "[\\PC\n\r\t\\[\\]{}='\"#.,\u{0}]{0,4}|<<<<<<< |é|\"\"\"|sites|\\[\\[a\\]\\]\n|99999999999999999999"), 1..8),
    ) {
        let mut text: Vec<char> = GOOD.chars().collect();
        for (at, removed, inserted) in changes {
            let at = at.index(text.len() + 1);
            let end = (at + removed).min(text.len());
            text.splice(at..end, inserted.chars());
        }
        let text: String = text.into_iter().collect();
        let read = Manifest::parse("envy.toml", &text);
        if let Err(invalid) = &read {
            prop_assert!(!invalid.problems.is_empty());
        }
        let sites = read.iter().flat_map(Manifest::sites);
        sites.flat_map(|site| site.env.values()).for_each(|value| drop(expand(value, |_| None)));
        for (what, edited) in edits(&text) {
            let good = Manifest::parse("envy.toml", &edited).is_ok();
            prop_assert!(good || read.is_err(), "{what} spoils:\n{text}\nas:\n{edited}");
        }
    }
}
