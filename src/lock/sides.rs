//! Lockfiles that hold the markers of a merge. Pure.

/// The two sides of a text with conflict markers, and what they come of where the markers tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// What both come of, where there are markers of it.
    pub base: Option<String>,
    /// One side.
    pub ours: String,
    /// The other.
    pub theirs: String,
}

impl Sides {
    /// The sides of a text that holds markers as git writes them; nothing where it holds none, or where one is missing.
    pub fn of(text: &str) -> Option<Self> {
        let mut sides = Self::default();
        let (mut at, mut found, mut base) = (Part::Common, false, String::new());
        for line in text.split_inclusive('\n') {
            at = match (at, line.get(..7)) {
                (Part::Common, Some("<<<<<<<")) => Part::Ours,
                (Part::Ours, Some("|||||||")) => {
                    sides.base.get_or_insert_default();
                    Part::Base
                }
                (Part::Ours | Part::Base, Some("=======")) => Part::Theirs,
                (Part::Theirs, Some(">>>>>>>")) => {
                    found = true;
                    Part::Common
                }
                (at, _) => {
                    let Self { ours, theirs, .. } = &mut sides;
                    let texts: &mut [&mut String] = match at {
                        Part::Common => &mut [&mut base, ours, theirs],
                        Part::Ours => &mut [ours],
                        Part::Base => &mut [&mut base],
                        Part::Theirs => &mut [theirs],
                    };
                    texts.iter_mut().for_each(|text| text.push_str(line));
                    at
                }
            };
        }
        sides.base = sides.base.map(|_| base);
        (found && at == Part::Common).then_some(sides)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Common,
    Ours,
    Base,
    Theirs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_part_a_text_into_its_sides() {
        let sides = Sides::of("a\n<<<<<<< ours\nb\n||||||| base\nc\n=======\nd\n>>>>>>> theirs\ne\n").unwrap();
        assert_eq!(
            (sides.base.as_deref(), &*sides.ours, &*sides.theirs),
            (Some("a\nc\ne\n"), "a\nb\ne\n", "a\nd\ne\n")
        );
        let without = Sides::of("<<<<<<< ours\nb\n=======\nd\n>>>>>>> theirs\n").unwrap();
        assert_eq!(without, Sides { base: None, ours: "b\n".into(), theirs: "d\n".into() });
        assert_eq!(Sides::of("a\n<<<<<<< ours\nb\n"), None);
        assert_eq!(Sides::of("a\n"), None);
    }
}
