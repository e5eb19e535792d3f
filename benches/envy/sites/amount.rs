//! What environments take: time, disk, files.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What so many environments take together.
pub struct Amount {
    pub count: usize,
    time: Duration,
    bytes: u64,
    files: u64,
}

impl Amount {
    /// What was made at these places in this time.
    pub fn of(time: Duration, places: &[PathBuf]) -> Self {
        let (bytes, files) = places.iter().map(|place| disk(place)).fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        Self { count: places.len(), time, bytes, files }
    }

    /// What each takes: milliseconds, KiB, files.
    pub fn each(&self) -> [f64; 3] {
        let count = self.count as f64;
        [self.time.as_secs_f64() * 1e3 / count, self.bytes as f64 / 1024.0 / count, self.files as f64 / count]
    }
}

/// The bytes on disk of all that is below a directory and belongs to it alone, and how many entries that are. A file with
/// other links costs no more than its entry.
fn disk(directory: &Path) -> (u64, u64) {
    let own = fs::symlink_metadata(directory).map_or(0, |metadata| metadata.blocks() * 512);
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.fold((own, 1), |(bytes, files), entry| {
        let metadata = fs::symlink_metadata(entry.path()).expect("it is there");
        let (more, below) = match metadata.is_dir() {
            true => disk(&entry.path()),
            false if metadata.nlink() > 1 => (0, 1),
            false => (metadata.blocks() * 512, 1),
        };
        (bytes + more, files + below)
    })
}
