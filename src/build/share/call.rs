//! Calls of the compiler, as cargo makes them. Pure.
//!
//! A call is understood if every argument is known to name no input but those that are listed here. What is not known, or
//! writes more than a compiled crate, is left to the build.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::build::action;

/// A call of the compiler.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// The arguments, without the program's name.
    pub arguments: Vec<String>,
    /// The whole environment.
    pub environment: BTreeMap<String, String>,
    /// The directory that it runs in.
    pub directory: String,
}

/// What a call compiles, from what, to where.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Understood<'a> {
    /// The crate's name, with the ending that cargo gives to all its files.
    pub name: String,
    /// The directory of the crate's manifest.
    pub manifest: &'a str,
    /// The file that the compiler begins with.
    pub root: &'a str,
    /// Whether a linker is run, which reads whole libraries rather than their metadata.
    pub links: bool,
    /// Where files are written.
    pub out: &'a str,
    /// Compiled crates that it names.
    pub externs: Vec<&'a str>,
    /// Directories in the build whose content it may read, none inside another.
    pub reads: Vec<&'a str>,
}

/// Long options that take a value, as `--name value` or `--name=value`.
const LONG: &[&str] = &[
    "allow",
    "cap-lints",
    "cfg",
    "check-cfg",
    "codegen",
    "color",
    "crate-name",
    "crate-type",
    "deny",
    "diagnostic-width",
    "edition",
    "emit",
    "error-format",
    "extern",
    "forbid",
    "json",
    "out-dir",
    "target",
    "warn",
];
/// Short options that take a value.
const SHORT: &[char] = &['A', 'C', 'D', 'F', 'L', 'W', 'l'];

impl Call {
    /// Understand it as a unit.
    pub fn understand(&self) -> Option<Understood<'_>> {
        let variable = |name: &str| self.environment.get(name).map(String::as_str);
        if variable("CARGO_PRIMARY_PACKAGE").is_some() {
            return None;
        }
        let mut found = Understood { manifest: variable("CARGO_MANIFEST_DIR")?, ..Understood::default() };
        found.reads.extend(variable("OUT_DIR"));
        let (mut name, mut extra, mut types) = (None, "", Vec::new());
        let mut arguments = self.arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            match option(argument, &mut arguments)? {
                ("", "" | "-") => return None,
                ("", file) if found.root.is_empty() => found.root = file,
                ("", _) => return None,
                ("crate-name", value) => name = Some(value),
                ("crate-type", value) => types.push(value),
                ("out-dir", value) => found.out = value,
                ("emit", value) if !value.split(',').all(|kind| matches!(kind, "dep-info" | "metadata" | "link")) => {
                    return None;
                }
                ("target", value) if value.ends_with(".json") => return None,
                ("extern", value) => found.externs.extend(value.split_once('=').map(|(_, path)| path)),
                ("L", value) => match value.split_once('=') {
                    Some(("dependency", _)) => {}
                    Some(("native" | "framework" | "crate" | "all", path)) => found.reads.push(path),
                    _ => found.reads.push(value),
                },
                ("C" | "codegen", value) => match value.split_once('=').unwrap_or((value, "")) {
                    ("extra-filename", value) => extra = value,
                    ("incremental" | "profile-use" | "profile-generate" | "save-temps" | "dlltool", _) => return None,
                    // A linker may go on without what it does not find.
                    (_, value) if value.contains("/envy/") => return None,
                    _ => {}
                },
                _ => {}
            }
        }
        let name = name?;
        found.links = links(name, &types)?;
        found.name = format!("{name}{extra}");
        found.reads = outermost(&found.reads);
        let apart = |path: &&str| !within(path, found.out) && !within(found.out, path);
        let known = found.reads.iter().all(|path| in_build(path) && apart(path));
        (known && in_build(found.out) && !found.root.is_empty() && !extra.is_empty()).then_some(found)
    }
}

/// The next option with its value, or a file with no name before it; nothing if it is not known.
fn option<'a>(argument: &'a str, rest: &mut impl Iterator<Item = &'a str>) -> Option<(&'a str, &'a str)> {
    if let Some(long) = argument.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        return LONG.contains(&name).then(|| value.or_else(|| rest.next())).flatten().map(|value| (name, value));
    }
    let Some(short) = argument.strip_prefix('-') else {
        // The compiler would read more arguments from a file.
        return (!argument.starts_with('@')).then_some(("", argument));
    };
    if matches!(short, "g" | "O") {
        return Some((short, ""));
    }
    let letter = short.chars().next().filter(|letter| SHORT.contains(letter))?;
    let (name, joined) = short.split_at(letter.len_utf8());
    if joined.is_empty() { rest.next().map(|value| (name, value)) } else { Some((name, joined)) }
}

/// Whether crates of these types are linked; nothing if it is no library, no macro and no build script.
fn links(name: &str, types: &[&str]) -> Option<bool> {
    let mut links = false;
    for kind in types {
        match *kind {
            "lib" | "rlib" => {}
            "proc-macro" | "cdylib" | "staticlib" => links = true,
            "bin" if name.starts_with("build_script_") => links = true,
            _ => return None,
        }
    }
    (!types.is_empty()).then_some(links)
}

/// Paths that lie in no other of them, each once.
fn outermost<'a>(paths: &[&'a str]) -> Vec<&'a str> {
    let mut outer: Vec<&str> = Vec::new();
    let mut sorted = paths.to_vec();
    sorted.sort_unstable();
    for path in sorted {
        if !outer.iter().any(|outer| within(path, outer)) {
            outer.push(path);
        }
    }
    outer
}

/// Whether a path is another or lies in it.
pub fn within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether it is a path in its shortest form below the directories that builds write to.
fn in_build(path: &str) -> bool {
    let below = [action::BUILD, action::SOURCE].iter().any(|outer| path != *outer && within(path, outer));
    below && !path[1..].split('/').any(|part| matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPS: &str = "/envy/build/target/release/deps";

    fn call(arguments: &str, environment: &[(&str, &str)]) -> Call {
        let mut all = BTreeMap::from([("CARGO_MANIFEST_DIR".to_owned(), "/envy/crates/a-1.0.0".to_owned())]);
        all.extend(environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let arguments = arguments.replace("DEPS", DEPS).split_whitespace().map(str::to_owned).collect();
        Call { arguments, environment: all, directory: "/envy/crates/a-1.0.0".to_owned() }
    }

    const LIBRARY: &str = "--crate-name a --edition=2021 /envy/crates/a-1.0.0/src/lib.rs --error-format=json \
        --json=diagnostic-rendered-ansi,artifacts,future-incompat --crate-type lib --emit=dep-info,metadata,link \
        -C opt-level=3 -C embed-bitcode=no --cfg feature=\"std\" --check-cfg cfg(docsrs,test) -C metadata=1f -C \
        extra-filename=-2e --out-dir DEPS -L dependency=DEPS --extern b=DEPS/libb-3d.rmeta --cap-lints allow";

    #[test]
    fn a_library_as_cargo_compiles_it_is_understood() {
        let call = call(LIBRARY, &[]);
        let extern_path = format!("{DEPS}/libb-3d.rmeta");
        let expected = Understood {
            name: "a-2e".into(),
            manifest: "/envy/crates/a-1.0.0",
            root: "/envy/crates/a-1.0.0/src/lib.rs",
            links: false,
            out: DEPS,
            externs: vec![&extern_path],
            reads: vec![],
        };
        assert_eq!(call.understand(), Some(expected));
    }

    #[test]
    fn directories_that_build_scripts_filled_are_inputs_each_once() {
        let out = "/envy/build/target/release/build/a-1/out";
        let arguments =
            format!("{LIBRARY} -L native={out}/lib -L native=/envy/build/target/release/build/z-2/out -l z");
        let call = call(&arguments, &[("OUT_DIR", out)]);
        let found = call.understand().unwrap();
        assert_eq!(found.reads, [out, "/envy/build/target/release/build/z-2/out"]);
    }

    #[test]
    fn macros_and_build_scripts_are_linked() {
        let macros = call(&LIBRARY.replace("--crate-type lib", "--crate-type proc-macro --extern proc_macro"), &[]);
        assert!(macros.understand().unwrap().links && macros.understand().unwrap().externs.len() == 1);
        let script = LIBRARY.replace("crate-type lib", "crate-type bin").replace("name a", "name build_script_build");
        assert!(call(&script, &[]).understand().unwrap().links);
    }

    #[test]
    fn whatever_reads_or_writes_more_is_left_to_the_build() {
        for more in [
            "-C incremental=/envy/build/target/release/incremental",
            "-C profile-use=/envy/src/p",
            "-C link-arg=-L/envy/src/lib",
            "--emit=link=/envy/build/x",
            "--emit=asm",
            "-L native=/usr/lib",
            "-L /envy/build/../host",
            "-L native=DEPS",
            "--crate-type bin",
            "--crate-type dylib",
            "--target /envy/src/own.json",
            "--sysroot /envy/src",
            "-Z unstable",
            "-o /envy/build/x",
            "@/envy/src/arguments",
            "/envy/src/another.rs",
            "-",
            "-vV",
        ] {
            assert_eq!(call(&format!("{LIBRARY} {more}"), &[]).understand(), None, "{more}");
        }
        assert_eq!(call(LIBRARY, &[("CARGO_PRIMARY_PACKAGE", "1")]).understand(), None);
        assert_eq!(call(LIBRARY, &[("OUT_DIR", "/envy/home")]).understand(), None);
        assert_eq!(call("-vV", &[]).understand(), None);
    }
}
