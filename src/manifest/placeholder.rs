//! Placeholders in the values of `env`: `{prefix}`, `{site}`, `{var}` and `{NAME}` of a var. Pure.
//!
//! `{{` and `}}` stand for braces.

use std::ops::Range;

/// What every site knows without a var.
pub(super) const BUILT_IN: [&str; 3] = ["prefix", "site", "var"];

/// Replace the placeholders of a value. What `lookup` doesn't know stays as it is.
pub fn expand(value: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    pieces(value).into_iter().fold(String::new(), |mut expanded, piece| {
        match piece {
            Piece::Text(text) | Piece::Stray(text, _) => expanded.push_str(text),
            Piece::Name(name, at) => expanded.push_str(&lookup(name).unwrap_or_else(|| value[at].to_owned())),
        }
        expanded
    })
}

/// A part of a value.
pub(super) enum Piece<'v> {
    /// Text that stands for itself.
    Text(&'v str),
    /// A placeholder's name, and where it stands, braces included.
    Name(&'v str, Range<usize>),
    /// A brace without its partner, and where it stands.
    Stray(&'v str, Range<usize>),
}

/// The parts of a value in their order.
pub(super) fn pieces(value: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut done = 0;
    while let Some(found) = value[done..].find(['{', '}']) {
        let brace = done + found;
        pieces.push(Piece::Text(&value[done..brace]));
        let (piece, end) = at_brace(value, brace);
        pieces.push(piece);
        done = end;
    }
    pieces.push(Piece::Text(&value[done..]));
    pieces
}

/// The part that begins with the brace at this offset, and where it ends.
fn at_brace(value: &str, brace: usize) -> (Piece<'_>, usize) {
    let (this, rest) = (&value[brace..brace + 1], &value[brace + 1..]);
    if rest.starts_with(this) {
        return (Piece::Text(this), brace + 2);
    }
    match rest.find(['{', '}']) {
        Some(end) if this == "{" && rest[end..].starts_with('}') => {
            let after = brace + 1 + end + 1;
            (Piece::Name(&rest[..end], brace..after), after)
        }
        _ => (Piece::Stray(this, brace..brace + 1), brace + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_replaced_and_everything_else_stays() {
        let check = |value: &str, expected: &str| {
            let lookup = |name: &str| (name == "site").then(|| "api".to_owned());
            assert_eq!(expand(value, lookup), expected, "{value}");
        };
        check("", "");
        check("postgres:///{site}", "postgres:///api");
        check("{site}{site}é", "apiapié");
        check("{{site}} {{{site}}}", "{site} {api}");
        check("{port} { } {", "{port} { } {");
        check("a } b {c {site}", "a } b {c api");
    }
}
