//! The placeholder: where a package believes to be installed while it is built, and how a real path takes its place. Pure.
//!
//! A text gets the real path as it is. In anything else nothing may move, so the real path is made as long as the
//! placeholder by slashes at its end, which lead to the same place. NULs, which others put there, would do for strings
//! of C alone: those of Rust have a length and no NUL at their end, so that `PLACEHOLDER/share/x` would be a path with
//! NULs in its middle; and a linker that found one string to be the end of another has readers begin behind the
//! placeholder, where nothing may have moved either.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// Where a package believes to be installed while it is built: a path of fixed length, long enough to be replaced in
/// place by any path that a prefix may really have.
pub const PLACEHOLDER: &str = concat!(
    "/envy/prefix----------------------------------------------------------------------------------------",
    "----------------------------------------------------------------------------------------------------"
);

static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(PLACEHOLDER));

/// Whether the placeholder stands in these bytes.
pub fn is_in(bytes: &[u8]) -> bool {
    FINDER.find(bytes).is_some()
}

/// Whether these bytes are a text, in which what follows the placeholder may move: they have no NUL.
pub fn is_text(bytes: &[u8]) -> bool {
    memchr::memchr(0, bytes).is_none()
}

/// What is left of a path below the placeholder, without the slash between: nothing where it is the placeholder itself.
pub fn below(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(PLACEHOLDER)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// Where a real path stands in place of the placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch {
    /// How many bytes stand before it.
    pub offset: u64,
    /// How long it is, with the slashes at its end.
    pub length: u64,
}

/// Put a real path, no longer than the placeholder, into its place wherever it stands; says where that was.
pub fn fill(bytes: &[u8], path: &str) -> (Vec<u8>, Vec<Patch>) {
    let real = if is_text(bytes) { path.as_bytes().to_vec() } else { padded(path, PLACEHOLDER.len()) };
    let (mut filled, mut patches, mut at) = (Vec::with_capacity(bytes.len()), Vec::new(), 0);
    for found in FINDER.find_iter(bytes) {
        filled.extend_from_slice(&bytes[at..found]);
        patches.push(Patch { offset: filled.len() as u64, length: real.len() as u64 });
        filled.extend_from_slice(&real);
        at = found + PLACEHOLDER.len();
    }
    filled.extend_from_slice(&bytes[at..]);
    (filled, patches)
}

/// The bytes as they were before this path was put in; nothing where it does not stand where it should.
pub fn undo(bytes: &[u8], path: &str, patches: &[Patch]) -> Option<Vec<u8>> {
    let (mut plain, mut at) = (Vec::with_capacity(bytes.len()), 0);
    for patch in patches {
        let start = usize::try_from(patch.offset).ok()?;
        let end = start.checked_add(usize::try_from(patch.length).ok()?)?;
        plain.extend_from_slice(bytes.get(at..start)?);
        if bytes.get(start..end)? != padded(path, end - start) {
            return None;
        }
        plain.extend_from_slice(PLACEHOLDER.as_bytes());
        at = end;
    }
    plain.extend_from_slice(bytes.get(at..)?);
    Some(plain)
}

fn padded(path: &str, length: usize) -> Vec<u8> {
    let mut bytes = path.as_bytes().to_vec();
    bytes.resize(length.max(bytes.len()), b'/');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &str = "/store/prefixes/ab";

    fn patched(parts: [&str; 3]) -> (String, Vec<Patch>) {
        let text = parts.join(PLACEHOLDER);
        let (filled, patches) = fill(text.as_bytes(), REAL);
        assert_eq!(undo(&filled, REAL, &patches).unwrap(), text.as_bytes());
        (String::from_utf8(filled).unwrap(), patches)
    }

    #[test]
    fn the_placeholder_has_its_length() {
        assert_eq!(PLACEHOLDER.len(), 200);
        assert!(PLACEHOLDER.rsplit('/').next().unwrap().len() < 255, "a name in a directory has fewer than 256 bytes");
    }

    #[test]
    fn a_text_gets_the_path_as_it_is() {
        let (filled, patches) = patched(["A=", "/lib:", "\n"]);
        assert_eq!(filled, format!("A={REAL}/lib:{REAL}\n"));
        assert_eq!(patches, [Patch { offset: 2, length: 18 }, Patch { offset: 25, length: 18 }]);
    }

    #[test]
    fn in_other_files_nothing_moves() {
        let (filled, patches) = patched(["\0a", "/lib\0", "b\0"]);
        assert_eq!(filled.len(), 2 + 200 + 5 + 200 + 2);
        assert_eq!(patches, [Patch { offset: 2, length: 200 }, Patch { offset: 207, length: 200 }]);
        assert_eq!(filled.replace("//", "").replace("//", ""), format!("\0a{REAL}/lib\0{REAL}b\0"));
    }

    #[test]
    fn what_is_not_as_it_was_filled_is_not_undone() {
        let (filled, patches) = fill(PLACEHOLDER.as_bytes(), REAL);
        assert_eq!(undo(&filled, "/elsewhere/prefixes", &patches), None);
        assert_eq!(undo(&filled[1..], REAL, &patches), None);
        assert_eq!(undo(b"", REAL, &[Patch { offset: u64::MAX, length: u64::MAX }]), None);
        assert_eq!(undo(&filled, REAL, &[Patch { offset: 3, length: 1 }, Patch { offset: 0, length: 1 }]), None);
    }

    #[test]
    fn what_lies_below_is_told_from_what_only_begins_alike() {
        assert_eq!(below(PLACEHOLDER), Some(""));
        assert_eq!(below(&format!("{PLACEHOLDER}/lib")), Some("lib"));
        assert_eq!(below(&format!("{PLACEHOLDER}-1")), None);
        assert_eq!(below("/envy/prefix"), None);
    }
}
