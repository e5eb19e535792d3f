use super::*;

const JOBS: Circumstances = Circumstances { first_jobs: None, second_jobs: 3 };

/// The places in which two contents differ, and the causes, a line each.
fn check(first: &[u8], second: &[u8], expected: &[&str]) {
    let findings = contents(first, second, JOBS, 0);
    let places = findings.places.iter().map(|place| format!("{}: {} | {}", place.at, place.first, place.second));
    let causes = findings.causes.iter().map(|cause| format!("likely {cause}"));
    assert_eq!(places.chain(causes).collect::<Vec<_>>(), expected);
}

fn cause(first: &str, second: &str, expected: Option<Cause>) {
    assert_eq!(cause::of_texts(first, second, JOBS), expected, "{first} | {second}");
}

#[test]
fn a_time_is_known_by_its_look() {
    for (first, second) in [
        ("built 1795600000", "built 1795600042"),
        ("built at 12:30:01 here", "built at 12:31:44 here"),
        ("date=2026-11-25", "date=2026-11-26"),
        ("20261125", "20261126"),
        ("stamp 1795600000123", "stamp 1795600042001"),
        ("Nov 25 2026", "Nov 26 2026"),
        ("n=012345678", "n=912345670"),
    ] {
        cause(first, second, Some(Cause::Time));
    }
}

#[test]
fn other_causes_are_known_by_theirs() {
    cause("src=/tmp/build-a/x.c", "src=/tmp/build-b/x.c", Some(Cause::Path));
    cause("file:///tmp/tmp.Xa93kd/x", "file:///tmp/tmp.Yb01le/x", Some(Cause::Path));
    cause("make -j2", "make -j3", Some(Cause::Jobs));
    cause("jobs: 16", "jobs: 3", Some(Cause::Jobs));
    cause("0.5", "0,5", Some(Cause::Locale));
    cause("Straße", "Stra?e", Some(Cause::Locale));
    cause("a b c", "c a b", Some(Cause::Order));
    cause("id 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "id 99999999-4f89-11d3-9a0c-0305e82c3301", Some(Cause::Random));
    cause("seed 12345", "seed 317", Some(Cause::Random));
    cause("key deadbeefdeadbeef", "key 0123456789abcdef", Some(Cause::Random));
    cause("one", "three", None);
    cause("", "x", None);
}

#[test]
fn lines_are_named() {
    check(
        b"a\nbuilt 1795600000\n",
        b"a\nbuilt 1795600042\n",
        &["line 2: built 1795600000 | built 1795600042", "likely a time"],
    );
    check(b"b\na\nc\n", b"c\na\nb\n", &["line 1: b | c", "likely an order"]);
    check(b"A\na\nB\nb\n", b"a\nA\nb\nB\n", &["line 1: A | a", "likely an order"]);
    check(b"Alpha\nBeta\nalso\n", b"Alpha\nalso\nBeta\n", &["line 2: Beta | also", "likely a locale"]);
    check(b"a\n", b"a\nb\n", &["line 2: nothing | b", "length: 1 line | 2 lines"]);
    check(b"a\n", b"a", &["the end of its last line: ends with a new line | does not end with a new line"]);
}

#[test]
fn bytes_are_named_with_their_text_or_as_numbers() {
    check(
        b"\0\0built at 12:30\0",
        b"\0\0built at 12:31\0",
        &["byte 0xf: built at 12:30 | built at 12:31", "likely a time"],
    );
    let number = |seconds: u32| [b"\0\x01\x02\0".as_slice(), &seconds.to_le_bytes(), b"\0\0"].concat();
    check(
        &number(1_795_600_000),
        &number(1_795_600_001),
        &["byte 0x4: 80 ae 06 6b 00 00 | 81 ae 06 6b 00 00", "likely a time"],
    );
    check(b"\0alpha\0gamma\0", b"\0gamma\0alpha\0", &["byte 0x1: alpha | gamma", "likely an order"]);
}

#[test]
fn members_of_archives_are_named() {
    let member = |name: &str, content: &str| {
        format!("{:16}{:12}{:6}{:6}{:8}{:<10}`\n{content}", format!("{name}/"), 0, 0, 0, 644, content.len())
    };
    let archive = |members: &[String]| format!("!<arch>\n{}", members.concat()).into_bytes();
    let first = archive(&[member("a.o", "10:10 "), member("b.o", "same")]);
    let second = archive(&[member("a.o", "10:11 "), member("b.o", "same")]);
    check(&first, &second, &["member `a.o`, line 1: 10:10  | 10:11 ", "likely a time"]);
    let turned = archive(&[member("b.o", "same"), member("a.o", "10:10 ")]);
    check(&first, &turned, &["order of its members: a.o, b.o | b.o, a.o", "likely an order"]);
}

#[test]
fn packed_files_are_unpacked() {
    use std::io::Write as _;
    let packed = |text: &str, time: u32| {
        let mut packer = flate2::GzBuilder::new().mtime(time).write(Vec::new(), flate2::Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    check(&packed("a\n", 1), &packed("a\n", 2), &["time of packing: 1 | 2", "likely a time"]);
    check(&packed("-j2\n", 1), &packed("-j3\n", 1), &["unpacked, line 1: -j2 | -j3", "likely the number of jobs"]);
}

#[test]
fn sections_of_programs_are_named() {
    let program = std::fs::read("/bin/sh").unwrap();
    let file = object::File::parse(&*program).unwrap();
    use object::{Object as _, ObjectSection as _};
    let at = |name: &str| file.section_by_name(name).unwrap().file_range().unwrap().0 as usize;
    let flipped = |places: &[usize]| {
        let mut other = program.clone();
        places.iter().for_each(|at| other[*at] ^= 1);
        other
    };
    let places = |other: &[u8]| {
        let findings = contents(&program, other, JOBS, 0);
        (findings.places.into_iter().map(|place| place.at).collect::<Vec<_>>(), findings.causes)
    };
    let (found, _) = places(&flipped(&[at(".rodata")]));
    assert_eq!(found, ["section `.rodata`, byte 0x0"]);
    if file.section_by_name(".note.gnu.build-id").is_some() {
        let id = at(".note.gnu.build-id") + 20;
        let (found, causes) = places(&flipped(&[id]));
        assert_eq!(
            (found, causes),
            (vec!["section `.note.gnu.build-id`, byte 0x14".to_owned()], [Cause::Random].into())
        );
        let (found, _) = places(&flipped(&[id, at(".rodata")]));
        assert_eq!(found.first().map(String::as_str), Some("section `.rodata`, byte 0x0"));
    }
}
