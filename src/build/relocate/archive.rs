//! Static archives and packed manuals: what they say of when, and by whom, they were made. Pure.

/// How a static archive begins, also one that only names its members.
pub(super) const MAGIC: &[u8] = b"!<";
/// How a file that gzip packed begins.
pub(super) const GZIP: &[u8] = b"\x1f\x8b\x08";

const ARCHIVES: [&[u8]; 2] = [b"!<arch>\n", THIN];
const THIN: &[u8] = b"!<thin>\n";

/// The header of a member: name (16 bytes), time (12), user (6), group (6), mode (8), size (10), and this end.
const HEADER: usize = 60;
const END: &[u8] = b"`\n";
const FROM_TIME_TO_GROUP: [std::ops::Range<usize>; 3] = [16..28, 28..34, 34..40];
const SIZE: std::ops::Range<usize> = 48..58;

/// A static archive whose members have no times and owners; nothing where they have none, or where this is no archive.
pub(super) fn without_times(bytes: &[u8]) -> Option<Vec<u8>> {
    if !ARCHIVES.iter().any(|magic| bytes.starts_with(magic)) {
        return None;
    }
    let (mut zeroed, mut at) = (bytes.to_vec(), MAGIC_LENGTH);
    while let Some(header) = zeroed.get_mut(at..at + HEADER) {
        if !header.ends_with(END) {
            return None;
        }
        for field in FROM_TIME_TO_GROUP {
            zero(&mut header[field]);
        }
        let size = std::str::from_utf8(&header[SIZE]).ok()?.trim_end().parse::<usize>().ok()?;
        // A thin archive has of its members only the header, but has its own tables whole.
        let is_table = header[0] == b'/' && !header[1].is_ascii_digit();
        let content = if bytes.starts_with(THIN) && !is_table { 0 } else { size };
        at = at.checked_add(HEADER + content)?.next_multiple_of(2);
    }
    (zeroed != bytes).then_some(zeroed)
}

const MAGIC_LENGTH: usize = THIN.len();

/// A field that is blank, as in the table of long names, stays so.
fn zero(field: &mut [u8]) {
    if field.iter().any(|byte| *byte != b' ') {
        field.fill(b' ');
        field[0] = b'0';
    }
}

/// A file that gzip packed, without the time that it was packed at; nothing where it has none.
pub(super) fn without_time(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut zeroed = bytes.to_vec();
    zeroed.get_mut(4..8)?.fill(0);
    (zeroed != bytes).then_some(zeroed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, owner: [&str; 3], content: &str) -> String {
        let [time, user, group] = owner;
        let size = content.len();
        let padding = if size % 2 == 1 { "\n" } else { "" };
        format!("{name:16}{time:12}{user:6}{group:6}{:8}{size:<10}`\n{content}{padding}", "644")
    }

    fn archive(magic: &str, owner: [&str; 3]) -> Vec<u8> {
        let table = member("//", ["", "", ""], "a-rather-long-name.o/\n");
        format!("{magic}{}{table}{}", member("/", owner, "odd"), member("a.o/", owner, "12345")).into_bytes()
    }

    #[test]
    fn members_lose_times_and_owners() {
        let (made, plain) =
            (archive("!<arch>\n", ["1700000000", "1000", "100"]), archive("!<arch>\n", ["0", "0", "0"]));
        assert_eq!(without_times(&made).as_ref(), Some(&plain));
        assert_eq!(without_times(&plain), None);
    }

    #[test]
    fn what_is_no_archive_to_its_end_stays() {
        let mut broken = archive("!<arch>\n", ["1", "1", "1"]);
        broken[8 + 58] = b'x';
        assert_eq!(without_times(&broken), None);
        assert_eq!(without_times(b"!<other>"), None);
        assert_eq!(without_times(b"!<arch>\n"), None);
    }

    #[test]
    fn a_thin_archive_has_only_headers_of_its_members() {
        let owner = ["1700000000", "1000", "100"];
        let thin = |owner| {
            let header = member("/0", owner, "12345")[..HEADER].to_owned();
            format!("!<thin>\n{}{header}{header}", member("//", ["", "", ""], "a.o/\n")).into_bytes()
        };
        assert_eq!(without_times(&thin(owner)).unwrap(), thin(["0", "0", "0"]));
    }

    #[test]
    fn a_packed_file_loses_its_time() {
        assert_eq!(
            without_time(b"\x1f\x8b\x08\x00\x01\x02\x03\x04\x00\x03rest").unwrap(),
            b"\x1f\x8b\x08\x00\0\0\0\0\x00\x03rest"
        );
        assert_eq!(without_time(b"\x1f\x8b\x08\x00\0\0\0\0"), None);
        assert_eq!(without_time(b"\x1f\x8b\x08"), None);
    }
}
