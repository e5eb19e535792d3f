//! Looking through files that may be large.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::{At as _, Result};

/// Files are looked at in pieces of this size.
const PIECE: usize = 4 << 20;

/// Whether something is found in a piece of a file. What is sought and is no longer than `longest` lies whole in at
/// least one piece.
pub fn any_piece(path: &Path, longest: usize, mut found: impl FnMut(&[u8]) -> bool) -> Result<bool> {
    let mut file = File::open(path).at("open", path)?;
    let size = file.metadata().at("look at", path)?.len();
    // One byte more than a small file has, so that its end is seen without moving anything.
    let room = usize::try_from(size).map_or(PIECE, |size| PIECE.min(size + 1)).max(longest);
    let (mut buffer, mut filled) = (vec![0; room], 0);
    loop {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => return Ok(found(&buffer[..filled])),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).at("read", path),
        }
        if filled == buffer.len() {
            if found(&buffer) {
                return Ok(true);
            }
            // What is sought may begin in one piece and end in the next.
            buffer.copy_within(filled + 1 - longest.., 0);
            filled = longest - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::write;

    #[test]
    fn what_is_sought_is_found_across_pieces() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let holds = |bytes: &[u8]| {
            write(&path, bytes).unwrap();
            any_piece(&path, 4, |piece| piece.windows(4).any(|window| window == b"here")).unwrap()
        };
        assert!(holds(b"here") && holds(b"and here") && !holds(b"her") && !holds(b""));
        for before in [PIECE - 4, PIECE - 2, PIECE, 2 * PIECE - 5] {
            let mut bytes = vec![b'h'; before];
            bytes.extend_from_slice(b"here");
            assert!(holds(&bytes), "{before}");
            bytes.extend_from_slice(&[b'e'; 100]);
            assert!(holds(&bytes), "{before}");
        }
        assert!(!holds(&vec![b'h'; 2 * PIECE + 7]));
    }
}
