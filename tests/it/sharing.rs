//! Compiled crates shared between builds: what comes out is the same, and no build can spoil it for another.

use crate::krate::Crate;
use crate::registry::Registry;
use crate::scratch::Scratch;

/// `words` has a build script whose output is compiled in; `shout` is a macro; `talk` uses both.
fn registry() -> Registry {
    let registry = Registry::new();
    let build = "fn main() {\n    println!(\"cargo:rerun-if-changed=build.rs\");\n    let out = std::env::var(\"OUT_DIR\")\
        .unwrap();\n    std::fs::write(format!(\"{out}/word.rs\"), \"pub const WORD: &str = \\\"hey\\\";\\n\").unwrap();\n}\n";
    let words = "include!(concat!(env!(\"OUT_DIR\"), \"/word.rs\"));\n";
    registry.publish(Crate::new("words", "1.0.0").file("build.rs", build).file("src/lib.rs", words));
    let shout = "#[proc_macro]\npub fn shout(_: proc_macro::TokenStream) -> proc_macro::TokenStream {\n    \
        \"\\\"HEY\\\"\".parse().unwrap()\n}\n";
    let shout = Crate::new("shout", "1.0.0").file("src/lib.rs", shout).manifest("[lib]\nproc-macro = true\n");
    registry.publish(shout);
    let talk = "pub fn talk(who: &str) -> String {\n    format!(\"{} {} {who}\", words::WORD, shout::shout!())\n}\n";
    registry.publish(Crate::new("talk", "1.0.0").dep("words", "1").dep("shout", "1").file("src/lib.rs", talk));
    for name in ["one", "two"] {
        registry.publish(program(name, "1.0.0"));
    }
    registry
}

fn program(name: &str, version: &str) -> Crate {
    let main = format!("fn main() {{\n    println!(\"{{}}\", talk::talk(\"{name} {version}\"));\n}}\n");
    Crate::new(name, version).bin(name).file("src/main.rs", &main).dep("talk", "1")
}

/// A site of each package that is named.
fn manifest(names: &[&str]) -> String {
    names.iter().map(|name| format!("[sites.{name}.dependencies]\n{name} = \"1\"\n")).collect()
}

fn trees(scratch: &Scratch, names: &[&str]) -> Vec<String> {
    let tree = |name: &&str| {
        let lockfile: toml::Table = scratch.read(format!("lockfiles/{name}.lock")).parse().expect("a lockfile is TOML");
        lockfile["package"][0]["output"][0]["tree"].as_str().expect("a digest").to_owned()
    };
    names.iter().map(tree).collect()
}

fn units(scratch: &Scratch) -> usize {
    let found = scratch.shell().sh("find ../data/envy/store/units -type f | wc -l");
    found.stdout().trim().parse().expect("a number")
}

#[test]
fn what_comes_out_is_the_same_whether_compiled_crates_are_shared_or_not() {
    let registry = registry();
    let shared = Scratch::with(&registry);
    shared.write("envy.toml", manifest(&["one", "two"]));
    // Two libraries, a macro, and the program of a build script.
    shared.envy("build one -v").succeeds().says("one 1.0.0: 0 shared, 4 made to be shared, 0 of its own");
    shared.envy("build two -v").succeeds().says("two 1.0.0: 4 shared, 0 made to be shared, 0 of its own");
    shared.envy("run two -- two").succeeds().says("hey HEY two 1.0.0");

    let alone = Scratch::with(&registry);
    alone.write("envy.toml", manifest(&["one", "two"]));
    alone.env("ENVY_SHARE", "off").envy("build -v").succeeds().never_says("shared");

    assert_eq!(trees(&shared, &["one", "two"]), trees(&alone, &["one", "two"]));
    assert_eq!((units(&shared), alone.store().join("units").exists()), (4, false));
}

#[test]
fn builds_at_the_same_time_compile_a_crate_once() {
    let registry = registry();
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.all.dependencies]\none = \"1\"\ntwo = \"1\"\n");
    let said = scratch.envy("build all -v").succeeds().text();
    let number = |word: &str| -> usize {
        let before =
            said.match_indices(word).filter_map(|(at, _)| said[..at].rsplit([' ', ':']).next()?.parse::<usize>().ok());
        before.sum::<usize>()
    };
    assert_eq!((number(" shared"), number(" made"), number(" of its own")), (4, 4, 0), "{said}");
}

#[test]
fn another_version_of_a_package_has_what_the_first_one_left() {
    let registry = registry();
    registry.publish(program("one", "1.1.0"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[sites.a.dependencies]\none = \"=1.0.0\"\n").envy("build").succeeds();
    scratch.write("envy.toml", "[sites.a.dependencies]\none = \"=1.1.0\"\n");
    scratch.envy("build -v").succeeds().says("one 1.1.0: 4 shared, 0 made to be shared, 0 of its own");
}

#[test]
fn what_looks_round_outside_of_its_crate_is_left_to_the_build() {
    let registry = Registry::new();
    let nosy = "pub const FOUND: &str = include_str!(\"/envy/src/Cargo.toml\");\n";
    registry.publish(Crate::new("nosy", "1.0.0").file("src/lib.rs", nosy));
    let timely = "pub const NOW: Option<&str> = option_env!(\"SOURCE_DATE_EPOCH\");\n";
    registry.publish(Crate::new("timely", "1.0.0").file("src/lib.rs", timely));
    // It needs what is not shared.
    registry.publish(Crate::new("after", "1.0.0").dep("nosy", "1").file("src/lib.rs", "pub use nosy::FOUND;\n"));
    let main = "fn main() {\n    println!(\"{:?} {}\", timely::NOW, after::FOUND.contains(\"one\"));\n}\n";
    let one = Crate::new("one", "1.0.0").bin("one").file("src/main.rs", main);
    registry.publish(one.dep("timely", "1").dep("after", "1"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", manifest(&["one"]));
    scratch.envy("build -v").succeeds().says("one 1.0.0: 0 shared, 0 made to be shared, 3 of its own");
    scratch.envy("run one -- one").succeeds().says("Some(\"1153704088\") true");
    assert_eq!(units(&scratch), 0);
}

/// Spoils every library that it finds beside it, and talks to envy as the wrapper does: it asks for `words` compiled from
/// its own source, and then babbles.
const EVIL: &str = r##"
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    let deps = std::path::Path::new(&out).ancestors().nth(3).unwrap().join("deps");
    for entry in std::fs::read_dir(&deps).unwrap().flatten() {
        let _ = std::fs::write(entry.path(), "evil");
    }
    let mut count = 0;
    for entry in std::fs::read_dir("/envy/share").unwrap().flatten() {
        for file in std::fs::read_dir(entry.path()).into_iter().flatten().flatten() {
            count += 1;
            assert!(std::fs::write(file.path(), "evil").is_err(), "what envy hands over can be written to");
        }
    }
    assert!(count > 0 && std::fs::remove_file("/envy/share/socket").is_err());
    let ask = |text: &str| {
        let mut stream = UnixStream::connect("/envy/share/socket").unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let arguments = format!(
        r#"["--crate-name","words","/envy/src/evil.rs","--crate-type","lib","--emit=dep-info,metadata,link","-C",
           "extra-filename=-1","--out-dir","{}"]"#,
        deps.display()
    );
    let environment = r#"{"CARGO_MANIFEST_DIR":"/envy/crates/words-1.0.0"}"#;
    let call = format!(r#"{{"arguments":{arguments},"environment":{environment},"directory":"/envy/src"}}"#);
    let request = format!("{{\"call\":{call},\"trees\":{{}}}}").replace('\n', "");
    for text in [request.as_str(), "", "{}", "babble\n", "\u{0}\n"] {
        assert_eq!(ask(text), "\"Yourself\"\n", "{text}");
    }
}
"##;

#[test]
fn a_build_cannot_spoil_what_others_are_given() {
    let registry = registry();
    // It comes after everything that it spoils.
    let evil =
        Crate::new("evil", "1.0.0").bin("evil").file("build.rs", EVIL).file("evil.rs", "").build_dep("talk", "1");
    registry.publish(evil);
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", manifest(&["evil", "one"]));
    scratch.envy("build evil -v").succeeds().says("evil 1.0.0: 0 shared, 4 made to be shared, 5 of its own");
    scratch.envy("build one -v").succeeds().says("shared");

    let alone = Scratch::with(&registry);
    alone.write("envy.toml", manifest(&["one"]));
    alone.env("ENVY_SHARE", "off").envy("build").succeeds();
    assert_eq!(trees(&scratch, &["one"]), trees(&alone, &["one"]));
}

#[test]
fn what_was_damaged_in_the_store_is_made_anew() {
    let registry = registry();
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", manifest(&["one", "two"]));
    scratch.envy("build one").succeeds();
    let spoil = "for rlib in $(grep -l -r '!<arch>' ../data/envy/store/blobs); do chmod u+w $rlib; \
                 printf evil | dd of=$rlib conv=notrunc status=none; done";
    scratch.shell().sh(spoil).succeeds();
    scratch.envy("build two -v").succeeds().says("made to be shared");
    scratch.envy("run two -- two").succeeds().says("hey HEY two 1.0.0");
}
