//! A lockfile is read or refused; one that is read is written as something that reads the same.
#![no_main]

use std::path::Path;

use envy::lock::Lockfile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let path = Path::new("lockfiles/site.lock");
    let Ok(lockfile) = Lockfile::parse(path, text) else { return };
    let written = lockfile.text();
    let again = Lockfile::parse(path, &written).expect("what was written can be read");
    assert_eq!(again.text(), written);
});
