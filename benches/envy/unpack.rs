//! The unpacking side: an archive of 300 MB into an empty store, next to `tar -x` into an empty directory.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use envy::source::{Limits, Strip, unpack_archive};
use envy::store::Store;
use tempfile::TempDir;

use crate::measure::{Limit, Report, Side};

/// How often each side runs: an archive is large, and disks are slow.
const ROUNDS: usize = 7;

/// Sizes of files in bytes, and how many there are of each: 5,000 files, 300 MB.
const SIZES: [(usize, usize); 5] = [(4_900, 2_000), (20_000, 2_000), (55_555, 890), (1_000_000, 100), (10_000_000, 10)];

/// Unpack a file into the store at a path, which is what is timed.
pub fn into_store(archive: &Path, store: &Path) {
    let name = archive.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let store = Store::at(store.to_owned());
    unpack_archive(archive, &name, Strip::Common, Limits::default(), &store).expect("it is a good archive");
}

/// Unpacking, plain and packed.
pub fn unpack(report: &mut Report) {
    let scratch = tempfile::tempdir().expect("there is room for a directory");
    let plain = scratch.path().join("large.tar");
    write_archive(BufWriter::new(File::create(&plain).expect("there is room for a file")));
    let packed = scratch.path().join("large.tar.gz");
    let gzip = flate2::write::GzEncoder::new(
        File::create(&packed).expect("there is room for a file"),
        flate2::Compression::new(6),
    );
    write_archive(gzip);
    for archive in [&plain, &packed] {
        side_by_side(report, scratch.path(), archive);
    }
}

fn side_by_side(report: &mut Report, scratch: &Path, archive: &Path) {
    let this = std::env::current_exe().expect("it runs");
    // All are removed at the end: whoever makes files just after many were deleted waits for the file system.
    let places: RefCell<Vec<TempDir>> = RefCell::default();
    let empty = || {
        // What an earlier one wrote is not written back while a later one runs.
        let synced = Command::new("sync").arg("-f").arg(scratch).status();
        assert!(synced.is_ok_and(|status| status.success()), "`sync` failed");
        places.borrow_mut().push(tempfile::tempdir_in(scratch).expect("there is room for a directory"));
    };
    let place = || places.borrow().last().map(|place| place.path().to_owned()).expect("one was just made");
    let envy = || {
        let mut command = Command::new(&this);
        command.arg("--only-unpack").arg(archive).arg(place().join("store"));
        command
    };
    let tar = || {
        let mut command = Command::new("tar");
        command.arg("-xf").arg(archive).arg("-C").arg(place());
        command
    };
    let synced = || {
        let mut command = Command::new("sh");
        let (archive, place): (_, PathBuf) = (archive, place());
        command.args(["-c", "tar -xf \"$1\" -C \"$2\" && sync -f \"$2\"", "sh"]).arg(archive).arg(place);
        command
    };
    let sides = vec![
        Side::process("envy", envy).after(empty),
        Side::process("tar -x", tar).after(empty),
        Side::process("tar -x, and sync", synced).after(empty),
    ];
    let name = archive.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let title = format!("unpacking {name}: 5,000 files, 300 MB");
    report.group_of(ROUNDS, &title, sides, &[Limit::Part { of: "tar -x", at_most: 1.2 }]);
}

/// Write an archive of which half can be packed; the same each time.
fn write_archive(to: impl Write) {
    let mut builder = tar::Builder::new(to);
    let (mut chance, mut number) = (0x9e37_79b9_7f4a_7c15_u64, 0);
    for (size, count) in SIZES {
        for _ in 0..count {
            let content = if number % 2 == 0 { noise(size, &mut chance) } else { text(size, number) };
            let mut header = tar::Header::new_gnu();
            header.set_mode(if number % 10 == 0 { 0o755 } else { 0o644 });
            header.set_size(size as u64);
            let path = format!("large-1.0/part-{}/file-{number}", number % 50);
            builder.append_data(&mut header, path, &content[..]).expect("there is room for it");
            number += 1;
        }
    }
    let done: io::Result<()> = builder.into_inner().and_then(|mut to| to.flush());
    done.expect("there is room for it");
}

/// Bytes that nobody can pack.
fn noise(size: usize, state: &mut u64) -> Vec<u8> {
    let next = || {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    };
    std::iter::repeat_with(next).flat_map(u64::to_le_bytes).take(size).collect()
}

/// Lines that can be packed, other ones in each file.
fn text(size: usize, number: usize) -> Vec<u8> {
    let line = |at: usize| format!("{number}: line {at} of a file that holds nothing but such lines\n").into_bytes();
    (0..).flat_map(line).take(size).collect()
}
