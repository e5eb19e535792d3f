//! An archive is listed or refused, and what is listed has only plain names.
#![no_main]

use envy::source::{Limits, Strip, list_archive};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 6] = ["a.tar", "a.tar.gz", "a.zip", "a.tar.xz", "a.tar.zst", "a"];

fuzz_target!(|data: &[u8]| {
    let Some((choice, archive)) = data.split_first() else { return };
    let name = NAMES[usize::from(*choice) % NAMES.len()];
    let strip = if choice & 0x80 == 0 { Strip::Common } else { Strip::Components(u32::from(choice >> 5 & 3)) };
    let limits = Limits { total: 16 << 20, ratio: 100, entries: 1000 };
    let Ok(unpacked) = list_archive(archive, name, strip, limits) else { return };
    for (path, _) in unpacked.tree.leaves() {
        assert!(!path.starts_with('/') && path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path}");
    }
});
