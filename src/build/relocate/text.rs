//! Texts: pkg-config files, the first line of scripts, files of libtool. Pure.

use crate::build::action::{TOOLCHAIN, TOOLS};
use crate::placeholder::{self, PLACEHOLDER};

const ENV: &[u8] = b"#!/usr/bin/env";

/// A pkg-config file in a directory of the prefix, with its paths relative to itself; nothing where it has none.
pub(super) fn relative_to_pkg_config(bytes: &[u8], directory: &str) -> Option<Vec<u8>> {
    if !placeholder::is_in(bytes) {
        return None;
    }
    let up = super::relative(directory, PLACEHOLDER).expect("the placeholder is below itself");
    Some(replace_all(bytes, PLACEHOLDER.as_bytes(), format!("${{pcfiledir}}/{up}").as_bytes()))
}

fn replace_all(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let (mut replaced, mut at) = (Vec::with_capacity(bytes.len()), 0);
    for found in memchr::memmem::find_iter(bytes, old) {
        replaced.extend_from_slice(&bytes[at..found]);
        replaced.extend_from_slice(new);
        at = found + old.len();
    }
    replaced.extend_from_slice(&bytes[at..]);
    replaced
}

/// A file in which the placeholder stands without the directory before it where it was staged; nothing where it does. In
/// what is no text nothing moves: slashes, which lead to the same place, are put behind it.
pub(super) fn without_destdir(bytes: &[u8], destdir: &str) -> Option<Vec<u8>> {
    let staged = format!("{destdir}{PLACEHOLDER}");
    memchr::memmem::find(bytes, staged.as_bytes())?;
    let fill = if placeholder::is_text(bytes) { String::new() } else { "/".repeat(destdir.len()) };
    Some(replace_all(bytes, staged.as_bytes(), format!("{PLACEHOLDER}{fill}").as_bytes()))
}

/// A script whose interpreter is found by its name, where it was one of the prefix or of the build's tools.
pub(super) fn with_found_interpreter(bytes: &[u8], root: &str) -> Option<Vec<u8>> {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let line = std::str::from_utf8(&bytes[..end]).ok()?.strip_prefix("#!")?.trim();
    let (interpreter, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let name = name_of(interpreter, root)?;
    let mut script = ENV.to_vec();
    script.extend_from_slice(call(name, argument.trim_start()).as_bytes());
    script.extend_from_slice(&bytes[end..]);
    Some(script)
}

/// The name of a program that is on the PATH of whoever uses the prefix.
fn name_of<'p>(path: &'p str, root: &str) -> Option<&'p str> {
    let directories = [format!("{PLACEHOLDER}/bin"), format!("{root}{TOOLS}"), format!("{root}{TOOLCHAIN}/bin")];
    let name = directories.iter().find_map(|directory| path.strip_prefix(directory.as_str())?.strip_prefix('/'))?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// What stands behind `env`. The kernel hands over all that follows an interpreter as one argument, and so does this.
fn call(name: &str, argument: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=+./:,@%".contains(letter);
    match (name, argument) {
        ("env", "") => String::new(),
        ("env", argument) => format!(" {argument}"),
        (name, "") => format!(" {name}"),
        (name, argument) if argument.chars().all(plain) => format!(" -S {name} {argument}"),
        (name, argument) => {
            format!(" -S {name} '{}'", argument.replace('\\', "\\\\").replace('\'', "\\'"))
        }
    }
}

/// Whether a file tells libtool about a library.
pub(super) fn is_of_libtool(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"libtool library file").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shebang(line: &str, root: &str) -> String {
        let script = format!("{line}\nexit\n");
        let found = with_found_interpreter(script.as_bytes(), root).map_or(script, |it| String::from_utf8(it).unwrap());
        assert_eq!(with_found_interpreter(found.as_bytes(), root), None, "it is not changed twice");
        found.strip_suffix("\nexit\n").unwrap().to_owned()
    }

    #[test]
    fn interpreters_of_the_build_are_found_by_their_name() {
        let here = format!("#!{PLACEHOLDER}/bin/perl");
        assert_eq!(shebang(&here, ""), "#!/usr/bin/env perl");
        assert_eq!(shebang(&format!("#! {PLACEHOLDER}/bin/perl  -w "), ""), "#!/usr/bin/env -S perl -w");
        assert_eq!(shebang("#!/envy/tools/sh", ""), "#!/usr/bin/env sh");
        assert_eq!(shebang("#!/envy/toolchain/bin/rustc", ""), "#!/usr/bin/env rustc");
        assert_eq!(shebang("#!/scratch/envy/tools/sh -e", "/scratch"), "#!/usr/bin/env -S sh -e");
    }

    #[test]
    fn an_argument_of_several_words_stays_one() {
        assert_eq!(shebang("#!/envy/tools/perl -w -T", ""), "#!/usr/bin/env -S perl '-w -T'");
        assert_eq!(shebang(r"#!/envy/tools/awk a\b'$c", ""), r"#!/usr/bin/env -S awk 'a\\b\'$c'");
        assert_eq!(shebang("#!/envy/tools/env python3", ""), "#!/usr/bin/env python3");
        assert_eq!(shebang("#!/envy/tools/env", ""), "#!/usr/bin/env");
    }

    #[test]
    fn other_interpreters_stay() {
        let libexec = format!("#!{PLACEHOLDER}/libexec/x");
        let deeper = format!("#!{PLACEHOLDER}/bin/x/y");
        for line in ["#!/bin/sh", "#!/usr/bin/env sh", "#!", "#!/envy/toolsmith/x", &libexec, &deeper] {
            assert_eq!(shebang(line, ""), line);
        }
        assert_eq!(with_found_interpreter(b"#!/envy/tools/sh", "").unwrap(), b"#!/usr/bin/env sh");
        assert_eq!(with_found_interpreter(b"#!/envy/tools/\xff\n", ""), None);
    }

    #[test]
    fn pkg_config_files_speak_of_where_they_are() {
        let file = format!("prefix={PLACEHOLDER}\nlibdir={PLACEHOLDER}/lib\n");
        let relocated =
            |directory| String::from_utf8(relative_to_pkg_config(file.as_bytes(), directory).unwrap()).unwrap();
        assert_eq!(relocated("lib/pkgconfig"), "prefix=${pcfiledir}/../..\nlibdir=${pcfiledir}/../../lib\n");
        assert!(relocated("lib/x86_64-linux-gnu/pkgconfig").starts_with("prefix=${pcfiledir}/../../..\n"));
        assert_eq!(relative_to_pkg_config(b"prefix=/usr\n", "lib/pkgconfig"), None);
    }

    #[test]
    fn where_files_were_staged_is_not_where_they_lie() {
        let unstaged =
            |text: String| without_destdir(text.as_bytes(), "/envy/out").map(|it| String::from_utf8(it).unwrap());
        let text = unstaged(format!("/envy/out{PLACEHOLDER}/lib and {PLACEHOLDER}"));
        assert_eq!(text.unwrap(), format!("{PLACEHOLDER}/lib and {PLACEHOLDER}"));
        let binary = unstaged(format!("\0/envy/out{PLACEHOLDER}/lib\0"));
        assert_eq!(binary.unwrap(), format!("\0{PLACEHOLDER}//////////lib\0"));
        assert_eq!(unstaged(format!("/envy/out/{PLACEHOLDER}")), None);
    }

    #[test]
    fn files_of_libtool_are_known_by_what_they_say() {
        assert!(is_of_libtool(b"# libz.la - a libtool library file\n"));
        assert!(!is_of_libtool(b"la la la\n"));
    }
}
