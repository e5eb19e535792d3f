//! What the digest of a unit contains. Pure.
//!
//! | part | by |
//! | --- | --- |
//! | the compiler with the standard libraries of host and target | content |
//! | the tools of the host, and with them the linker | content, as in an action |
//! | the platform, the way it is fenced | name |
//! | the arguments, the directory that it runs in | as they are |
//! | the environment, less what is masked | as it is |
//! | the crate's source | digest of its archive, or of the tree of its repository |
//! | compiled crates that it names, and those that they name in turn | path and content |
//! | directories that build scripts filled, which it is told of | path and content |
//! | version of this table | [`KEY`] |
//!
//! Masked are the variables of the jobserver, and `SOURCE_DATE_EPOCH`, which differs from package to package. The
//! compiler does not read it. A crate that has it compiled in says so in its dep-info, and is not shared; a macro that
//! could read it has its name somewhere in its compiled bytes, and with such a macro among the compiled crates the
//! variable counts as any other.

use std::collections::BTreeMap;

use serde::Serialize;

use super::call::Call;
use super::trees::Trees;
use super::{EPOCH, MASKED};
use crate::digest::UnitDigest;
use crate::tree::File;

/// Version of what a unit's digest contains.
const KEY: &str = "envy unit 1";

/// What all units of one build have in common.
#[derive(Clone, Debug, Serialize)]
pub struct Ground {
    /// Names the platform and the way it is fenced.
    pub platform: String,
    /// Names the compiler with the standard libraries.
    pub toolchain: Vec<String>,
    /// Names the tools.
    pub tools: String,
}

/// What a unit may read.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Where the crate's source lies, and what names its content.
    pub source: (&'a str, &'a str),
    /// Compiled crates.
    pub files: &'a BTreeMap<String, File>,
    /// Directories that build scripts filled.
    pub trees: &'a Trees,
    /// Whether it has a macro that might read the time that counts as now.
    pub tells_time: bool,
}

#[derive(Serialize)]
struct Text<'a> {
    key: &'a str,
    ground: &'a Ground,
    arguments: &'a [String],
    directory: &'a str,
    environment: &'a BTreeMap<String, String>,
    source: (&'a str, &'a str),
    files: BTreeMap<&'a str, (String, bool)>,
    trees: &'a Trees,
}

/// The environment that a unit has, but for the jobserver.
pub fn environment(call: &Call, tells_time: bool) -> BTreeMap<String, String> {
    let kept = |name: &str| !MASKED.contains(&name) || (tells_time && name == EPOCH);
    let all = call.environment.iter().filter(|(name, _)| kept(name));
    all.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The digest of a unit.
pub fn digest(ground: &Ground, call: &Call, inputs: &Inputs<'_>) -> UnitDigest {
    let text = Text {
        key: KEY,
        ground,
        arguments: &call.arguments,
        directory: &call.directory,
        environment: &environment(call, inputs.tells_time),
        source: inputs.source,
        files: inputs.files.iter().map(|(path, file)| (path.as_str(), (file.blob.hex(), file.executable))).collect(),
        trees: inputs.trees,
    };
    UnitDigest::of(&serde_json::to_vec(&text).expect("a key is plain data"))
}

/// Whether a compiled macro might read the time that counts as now.
pub fn mentions_time(bytes: &[u8]) -> bool {
    let name = EPOCH.as_bytes();
    let first = name[0];
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        if rest[at..].starts_with(name) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::share::trees::{Item, What};
    use crate::digest::BlobDigest;

    fn sample(change: impl FnOnce(&mut Call), tells_time: bool) -> UnitDigest {
        let environment = [("HOME", "/envy/home"), (EPOCH, "1"), ("CARGO_MAKEFLAGS", "-j")];
        let mut call = Call {
            arguments: vec!["--crate-name".into(), "a".into()],
            environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            directory: "/envy/crates/a-1.0.0".into(),
        };
        change(&mut call);
        let (files, trees) = (BTreeMap::new(), Trees::new());
        digest(
            &ground(),
            &call,
            &Inputs { source: ("/envy/crates/a-1.0.0", "1f"), files: &files, trees: &trees, tells_time },
        )
    }

    fn ground() -> Ground {
        Ground { platform: "x86_64-linux-gnu".into(), toolchain: vec!["2e".into()], tools: "3d".into() }
    }

    #[test]
    fn what_differs_from_build_to_build_does_not_count() {
        let same = sample(|_| {}, false);
        for name in MASKED {
            assert_eq!(sample(|call| drop(call.environment.insert((*name).into(), "other".into())), false), same);
        }
        assert_ne!(sample(|_| {}, true), same);
        assert_ne!(sample(|call| drop(call.environment.insert(EPOCH.into(), "2".into())), true), sample(|_| {}, true));
    }

    #[test]
    fn whatever_a_unit_may_read_counts() {
        let same = sample(|_| {}, false);
        assert_ne!(sample(|call| call.arguments.push("-O".into()), false), same);
        assert_ne!(sample(|call| call.directory.push('1'), false), same);
        assert_ne!(sample(|call| drop(call.environment.insert("A".into(), "b".into())), false), same);
        let call = Call { arguments: vec![], environment: BTreeMap::new(), directory: "/".into() };
        let source = ("/envy/crates/a-1.0.0", "1f");
        let (no_files, no_trees) = (BTreeMap::new(), Trees::new());
        let plain = Inputs { source, files: &no_files, trees: &no_trees, tells_time: false };
        let other_source = Inputs { source: (source.0, "2e"), ..plain };
        let file = File { blob: BlobDigest::of(b"code"), size: 4, executable: false };
        let files = BTreeMap::from([("/envy/build/libb.rmeta".to_owned(), file)]);
        let more_files = Inputs { files: &files, source, ..plain };
        let trees =
            Trees::from([("/envy/build/out".to_owned(), vec![Item { path: "x".into(), what: What::Directory }])]);
        let more_trees = Inputs { trees: &trees, files: &no_files, source, ..plain };
        let other_ground = Ground { tools: "4c".into(), ..ground() };
        let mut digests = vec![digest(&ground(), &call, &plain), digest(&other_ground, &call, &plain)];
        digests.extend([other_source, more_files, more_trees].map(|inputs| digest(&ground(), &call, &inputs)));
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), 5);
    }

    #[test]
    fn a_macro_that_reads_the_time_has_its_name_in_it() {
        assert!(mentions_time(b"\0SSSOURCE_DATE_EPOCH\0") && mentions_time(EPOCH.as_bytes()));
        assert!(!mentions_time(b"") && !mentions_time(b"SOURCE_DATE_EPOC"));
    }
}
