//! The raw bytes of a git tree.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(entries) = envy::source::read_entries(data) {
        for entry in entries {
            assert!(!entry.name.is_empty() && !entry.name.contains('/') && entry.name != "..", "a name that leads elsewhere");
            assert!(!entry.name.eq_ignore_ascii_case(".git"), "a repository inside");
        }
    }
});
