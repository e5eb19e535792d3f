//! A manifest is read or refused; one that is read stays readable when a site is added.
#![no_main]

use envy::manifest::{Manifest, edit::create_site};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(manifest) = Manifest::parse("envy.toml", text) else { return };
    let name = "fuzzed".parse().expect("this is a name");
    if manifest.site(&name).is_none()
        && let Ok(edited) = create_site(text, &name)
    {
        let edited = Manifest::parse("envy.toml", &edited).expect("an edit leaves a good manifest good");
        assert!(edited.site(&name).is_some());
    }
});
