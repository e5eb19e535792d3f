//! Actions: everything one build may read, by content, and what it runs. Pure.
//!
//! An action is an `Action` message of the Remote Execution API v2 with its `Command` and its input root, all in
//! canonical encoding, so that its digest is the one that a build farm computes. What its digest contains:
//!
//! | part | where |
//! | --- | --- |
//! | the source with its Cargo.lock | input root, `envy/src` |
//! | the archive of every crate of that Cargo.lock | input root, `envy/crates` and its like |
//! | what repositories that it names gave, normalised | input root, `envy/crates.1` and its like |
//! | the rendered steps | input root, `envy/script` |
//! | the rendered checks of what comes out | input root, `envy/check` |
//! | the outputs of all packages that it is built with, merged | input root, at the placeholder |
//! | scripts in the place of C compilers, where it may link those | input root, `envy/tools/cc` and its like |
//! | cargo's configuration | input root, `envy/cargo/config.toml` |
//! | the complete environment | `Command.environment_variables` |
//! | the compiler, its cargo and standard library, by content | platform property `envy-toolchain` |
//! | the tools of the host, by content | platform property `envy-tools` |
//! | the way it is fenced | platform property `envy-sandbox` |
//! | operating system and instruction set | platform properties `OSFamily`, `ISA` |
//! | version of this table, and the placeholder | `Action.salt` |
//!
//! Not in it: the number of jobs, which steps read from `$JOBS` as they run, and anything of the host's paths, users
//! or time. A change of what is encoded empties every cache: it goes with a new [`KEY`].

use std::collections::BTreeMap;

use prost::Message as _;

use crate::digest::{ActionDigest, BlobDigest, TextDigest};
pub use crate::placeholder::PLACEHOLDER;
use crate::platform::Platform;
use crate::tree::Tree;
use crate::tree::message::Digest;

/// Version of what an action's digest contains.
pub const KEY: &str = "envy action 2";

/// Where the source lies.
pub const SOURCE: &str = "/envy/src";
/// Where intermediate files go.
pub const BUILD: &str = "/envy/build";
/// Where installed files are collected.
pub const DESTDIR: &str = "/envy/out";
/// Where the crates lie, unpacked.
pub const CRATES: &str = "/envy/crates";
/// Where cargo's home is.
pub const CARGO_HOME: &str = "/envy/cargo";
/// Where the home directory is.
pub const HOME: &str = "/envy/home";
/// Where the compiler lies.
pub const TOOLCHAIN: &str = "/envy/toolchain";
/// Where links to the tools lie.
pub const TOOLS: &str = "/envy/tools";
/// Where the rendered steps lie.
pub const SCRIPT: &str = "/envy/script";

/// The longest that a build may take, in seconds: one class for all, since it is part of the key.
pub const TIMEOUT: i64 = 6 * 60 * 60;

/// Everything one build may read, by content, and what it runs.
#[derive(Clone, Debug)]
pub struct Action {
    /// What lies under `/` beside the toolchain and the tools.
    pub inputs: Tree,
    /// The complete environment.
    pub environment: BTreeMap<String, String>,
    /// What it builds for.
    pub platform: Platform,
    /// Names the compiler, where one is needed.
    pub toolchain: Option<TextDigest>,
    /// Names the tools.
    pub tools: TextDigest,
    /// The way it is fenced.
    pub sandbox: String,
}

impl Action {
    /// Its digest.
    pub fn digest(&self) -> ActionDigest {
        ActionDigest::of(&self.encode())
    }

    fn encode(&self) -> Vec<u8> {
        let command = self.command().encode_to_vec();
        let root = self.inputs.encode();
        let action = message::Action {
            command_digest: Some(Digest::new(&BlobDigest::of(&command).hex(), command.len() as u64)),
            input_root_digest: Some(Digest::new(&root.root.hex(), root.size)),
            timeout: Some(message::Duration { seconds: TIMEOUT }),
            salt: format!("{KEY}; {PLACEHOLDER}").into_bytes(),
            platform: Some(self.properties()),
        };
        action.encode_to_vec()
    }

    fn command(&self) -> message::Command {
        let variable =
            |(name, value): (&String, &String)| message::Property { name: name.clone(), value: value.clone() };
        message::Command {
            arguments: vec![format!("{TOOLS}/sh"), SCRIPT.to_owned()],
            environment_variables: self.environment.iter().map(variable).collect(),
            platform: Some(self.properties()),
            working_directory: SOURCE.trim_start_matches('/').to_owned(),
            output_paths: vec![format!("{DESTDIR}{PLACEHOLDER}").trim_start_matches('/').to_owned()],
            output_directory_format: message::TREE_AND_DIRECTORY,
        }
    }

    fn properties(&self) -> message::Platform {
        let mut properties = [
            ("ISA", self.platform.isa().to_owned()),
            ("OSFamily", self.platform.os_family().to_owned()),
            ("envy-sandbox", self.sandbox.clone()),
            ("envy-tools", self.tools.to_string()),
        ]
        .to_vec();
        properties.extend(self.toolchain.map(|digest| ("envy-toolchain", digest.to_string())));
        properties.sort();
        let property = |(name, value): (&str, String)| message::Property { name: name.to_owned(), value };
        message::Platform { properties: properties.into_iter().map(property).collect() }
    }
}

/// The environment of a build, with or without a compiler of Rust. `epoch` is the time that counts as now, in seconds
/// since 1970.
pub fn environment(epoch: i64, rust: bool) -> BTreeMap<String, String> {
    let path = if rust { format!("{TOOLCHAIN}/bin:{TOOLS}") } else { TOOLS.to_owned() };
    let epoch = epoch.to_string();
    let variables = [
        ("CARGO_HOME", CARGO_HOME),
        ("HOME", HOME),
        ("LC_ALL", "C.UTF-8"),
        ("PATH", &path),
        ("PWD", SOURCE),
        ("SOURCE_DATE_EPOCH", &epoch),
        ("TMPDIR", "/tmp"),
        ("TZ", "UTC"),
    ];
    let known = variables.into_iter().filter(|(name, _)| rust || *name != "CARGO_HOME");
    known.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The messages of the Remote Execution API that actions are written as, with the fields that envy uses.
mod message {
    use crate::tree::message::Digest;

    /// `Command.OutputDirectoryFormat`.
    pub const TREE_AND_DIRECTORY: i32 = 2;

    #[derive(Clone, PartialEq, Eq, prost::Message)]
    pub struct Action {
        #[prost(message, optional, tag = "1")]
        pub command_digest: Option<Digest>,
        #[prost(message, optional, tag = "2")]
        pub input_root_digest: Option<Digest>,
        #[prost(message, optional, tag = "6")]
        pub timeout: Option<Duration>,
        #[prost(bytes = "vec", tag = "9")]
        pub salt: Vec<u8>,
        #[prost(message, optional, tag = "10")]
        pub platform: Option<Platform>,
    }

    #[derive(Clone, PartialEq, Eq, prost::Message)]
    pub struct Command {
        #[prost(string, repeated, tag = "1")]
        pub arguments: Vec<String>,
        #[prost(message, repeated, tag = "2")]
        pub environment_variables: Vec<Property>,
        #[prost(message, optional, tag = "5")]
        pub platform: Option<Platform>,
        #[prost(string, tag = "6")]
        pub working_directory: String,
        #[prost(string, repeated, tag = "7")]
        pub output_paths: Vec<String>,
        #[prost(int32, tag = "9")]
        pub output_directory_format: i32,
    }

    /// `Platform.Property`, and `Command.EnvironmentVariable`, which has the same fields.
    #[derive(Clone, PartialEq, Eq, prost::Message)]
    pub struct Property {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(string, tag = "2")]
        pub value: String,
    }

    #[derive(Clone, PartialEq, Eq, prost::Message)]
    pub struct Platform {
        #[prost(message, repeated, tag = "1")]
        pub properties: Vec<Property>,
    }

    /// `google.protobuf.Duration`.
    #[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
    pub struct Duration {
        #[prost(int64, tag = "1")]
        pub seconds: i64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{File, Node};
    use expect_test::expect;

    fn sample() -> Action {
        let mut inputs = Tree::default();
        let file = File { blob: BlobDigest::of(b"fn main() {}\n"), size: 13, executable: false };
        inputs.insert("envy/src/src/main.rs", Node::File(file)).unwrap();
        Action {
            inputs,
            environment: environment(1_153_704_088, true),
            platform: "x86_64-linux-gnu".parse().unwrap(),
            toolchain: Some(TextDigest::of(b"rustc")),
            tools: TextDigest::of(b"cc"),
            sandbox: "namespaces".to_owned(),
        }
    }

    /// A change here empties every cache: it is a deliberate act, with a new `KEY`.
    #[test]
    fn the_encoding_stays_as_it_is() {
        let text: String = sample().encode().iter().map(|byte| format!("{byte:02x}")).collect();
        expect!["0a450a406334633331306135653632373063363335653931376162383763303463613132353165376261313463646630376231623664613465643762653536323265623110a90512440a4030633931623432353666383830373434313334306332323832363536336365626438333335663936313865626536646337623839353134346361383435306466104e320408e0a8014ad701656e767920616374696f6e20323b202f656e76792f7072656669782d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d52f0010a0d0a0349534112067838362d36340a110a084f5346616d696c7912056c696e75780a1a0a0c656e76792d73616e64626f78120a6e616d657370616365730a590a0e656e76792d746f6f6c636861696e12477368613235363a366663643335313838396562306361663534633435393930346539393661633734383061373834336135653861323563386336623539613066393735636131390a550a0a656e76792d746f6f6c7312477368613235363a33353562316262666339363732356364636538663461323730386664613331306138306536643133333135616563346535656564326137356665383033326365"].assert_eq(&text);
        expect!["sha256:b734f0c0d9f82550c10c9c3d0bfa5db50ce050418bbcd042c8606b84c10d50d4"]
            .assert_eq(&sample().digest().to_string());
    }

    #[test]
    fn whatever_a_build_can_read_changes_the_digest() {
        let same = sample().digest();
        let changed = |change: fn(&mut Action)| {
            let mut action = sample();
            change(&mut action);
            action.digest()
        };
        assert_eq!(changed(|_| {}), same);
        assert_ne!(changed(|action| action.sandbox = "none".into()), same);
        assert_ne!(changed(|action| action.tools = TextDigest::of(b"other cc")), same);
        assert_ne!(changed(|action| action.toolchain = Some(TextDigest::of(b"other rustc"))), same);
        assert_ne!(changed(|action| action.platform = "aarch64-linux-gnu".parse().unwrap()), same);
        assert_ne!(changed(|action| drop(action.environment.insert("A".into(), "b".into()))), same);
        assert_ne!(changed(|action| action.inputs.insert("envy/x", Node::Symlink("y".into())).unwrap()), same);
    }
}
