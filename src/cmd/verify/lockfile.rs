//! The project's lockfile beside the one that a generation was made from.
//!
//! A lockfile may be another one, since it was locked anew. It has no digest of its own to be checked against, but what
//! changes it for a reason changes more than one digest, or is what some generation was made from. Where one digest
//! alone is another one, the file is damaged.

use super::super::context::Context;
use super::super::project::Project;
use crate::digest::TextDigest;
use crate::disk;
use crate::failure::Failure;
use crate::lock::Lockfile;
use crate::manifest::Site;
use crate::site::{Generation, Place};
use crate::store::{Flaw, FlawKind};

/// What there is to say of a project's lockfile.
#[derive(Default)]
pub struct Compared {
    /// It is damaged.
    pub flaw: Option<Flaw>,
    /// It is another one.
    pub note: Option<String>,
}

/// Compare a project's lockfile with the one that a generation was made from.
pub fn compare(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    place: &Place,
    generation: &Generation,
) -> Result<Compared, Failure> {
    let path = Lockfile::relative_path(&site.name);
    let shown = path.display().to_string();
    let Some(bytes) = disk::read_if_exists(&project.root.join(&path))? else {
        // A site that asks for nothing needs none.
        let needed = !generation.packages.is_empty();
        let note = needed.then(|| format!("lockfile `{shown}` is missing; `envy lock {}` makes one", site.name));
        return Ok(Compared { flaw: None, note });
    };
    if TextDigest::of(&bytes) == generation.lockfile || is_of_a_generation(place, TextDigest::of(&bytes))? {
        return Ok(Compared::default());
    }
    let Some(right) = place.lockfile_of(generation.lockfile)? else { return Ok(Compared::default()) };
    let Ok(text) = String::from_utf8(bytes) else {
        let flaw = Flaw::new(shown, FlawKind::Changed, generation.lockfile.to_string(), "something that is not UTF-8");
        return Ok(Compared { flaw: Some(flaw), note: None });
    };
    let damage = damage(&right, &text).filter(|damage| !is_meant(context, project, site, &text, damage));
    let flaw = damage.map(|damage| {
        let line = |text: &str| format!("line {}: {}", damage.line, text.trim());
        Flaw::new(shown.clone(), FlawKind::Changed, line(damage.expected), line(damage.found))
    });
    let other = || format!("generation {} was made from another lockfile than `{shown}` is now", generation.number);
    Ok(Compared { note: flaw.is_none().then(other), flaw })
}

/// Whether a generation was made from this text.
fn is_of_a_generation(place: &Place, digest: TextDigest) -> Result<bool, Failure> {
    let numbers = place.numbers()?.into_iter();
    Ok(numbers.filter_map(|number| place.generation(number).ok()).any(|one| one.lockfile == digest))
}

/// The digest of what is asked for is another one whenever that is.
fn is_meant(context: &Context<'_>, project: &Project, site: &Site, text: &str, damage: &Damage<'_>) -> bool {
    if !damage.found.starts_with("requirements") {
        return false;
    }
    let lockfile = Lockfile::parse(&Lockfile::relative_path(&site.name), text).ok();
    let wishes = lockfile.and_then(|lockfile| Some((project.wishes(context, site, Some(&lockfile)).ok()?, lockfile)));
    wishes.is_some_and(|(wishes, lockfile)| wishes.digest() == lockfile.requirements)
}

/// The one line in which a text differs from the right one.
struct Damage<'t> {
    line: usize,
    expected: &'t str,
    found: &'t str,
}

/// The line of a text that differs from the right one, where no other does, and in no more than its digest or in what no
/// lockfile could have there.
fn damage<'t>(right: &'t str, text: &'t str) -> Option<Damage<'t>> {
    let (expected, found): (Vec<_>, Vec<_>) = (right.lines().collect(), text.lines().collect());
    let differ: Vec<_> = (0..expected.len()).filter(|at| expected.get(*at) != found.get(*at)).collect();
    let [at] = differ[..] else { return None };
    if expected.len() != found.len() {
        return None;
    }
    let damage = Damage { line: at + 1, expected: expected[at], found: found[at] };
    let is_one_letter = {
        let (one, other) = (damage.expected.as_bytes(), damage.found.as_bytes());
        one.len() == other.len() && one.iter().zip(other).filter(|(a, b)| a != b).count() == 1
    };
    (is_one_letter && holds_digest(damage.expected)).then_some(damage)
}

/// Whether a line has a digest or the id of a commit.
fn holds_digest(line: &str) -> bool {
    line.split(|letter: char| !letter.is_ascii_hexdigit()).any(|word| word.len() >= 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(right: &str, text: &str, expected: Option<usize>) {
        assert_eq!(damage(right, text).map(|damage| damage.line), expected, "{text}");
    }

    #[test]
    fn one_letter_of_one_digest_is_damage() {
        let line = |digit: &str| format!("version = 1\n\ntree = \"sha256:{}{digit}\"\n", "a".repeat(63));
        check(&line("0"), &line("1"), Some(3));
        check(&line("0"), &line("q"), Some(3));
        check(&line("0"), &line("0"), None);
    }

    #[test]
    fn what_changed_for_a_reason_is_no_damage() {
        let lock = |version: &str, archive: &str, tree: &str| {
            let digest = |letter: &str| letter.repeat(64);
            format!("version = \"{version}\"\narchive = \"{}\"\ntree = \"{}\"\n", digest(archive), digest(tree))
        };
        check(&lock("1.0.0", "a", "b"), &lock("1.0.1", "a", "b"), None);
        check(&lock("1.0.0", "a", "b"), &lock("1.0.0", "a", "c"), None);
        check(&lock("1.0.0", "a", "b"), &(lock("1.0.0", "a", "b") + "more\n"), None);
    }
}
