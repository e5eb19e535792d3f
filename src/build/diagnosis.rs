//! What the log of a failed build tells of the reason, beyond its last lines. Pure.
//!
//! A build that misses a tool says so in the words of whatever looked for it: a shell, make, a crate that runs `cmake`.
//! So does one that wants the network. Both are worth a fact and a hint, since both are answered by a declaration.

use std::path::{Path, PathBuf};

/// A reason that a log tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clue {
    /// A tool of this name was looked for, and the recipe declares none such.
    MissingTool(String),
    /// The network was wanted, in this line.
    Network(String),
    /// There was no room left to write.
    NoRoom {
        /// The line that says so.
        line: String,
        /// The directory of the host that it was built in.
        place: PathBuf,
    },
    /// It was stopped, since it took longer than it may.
    TookTooLong,
}

/// How programs say that another is not there: what stands before and after its name.
const AROUND: &[(&str, &str)] = &[
    // Build scripts of crates.
    ("is `", "` installed"),
    ("is `", "` not installed"),
    ("Is `", "` installed"),
    ("Is ", " installed?"),
    ("failed to find tool \"", "\""),
    ("Failed to find tool \"", "\""),
    ("The ", " command could not be found"),
    ("Could not find `", "`"),
    ("linker `", "` not found"),
    // configure, meson and others.
    ("The ", " script could not be found"),
    ("WARNING: '", "' is missing on your system"),
    ("Program '", "' not found"),
    ("Program(s) ['", "'] not found"),
    ("Command '", "' not found"),
];

/// Programs that run another, and say by their own name that it is not there.
const RUNNERS: &[&str] = &["env", "xargs", "nice", "nohup", "timeout"];

const NO_SUCH_FILE: &str = "No such file or directory";

/// What is said where the name of what is missing is not; and that name.
const KNOWN: &[(&str, &str)] = &[
    ("no acceptable C compiler found", "cc"),
    ("No CMAKE_C_COMPILER could be found", "cc"),
    ("No CMAKE_CXX_COMPILER could be found", "cc"),
    ("build program corresponding to \"Unix Makefiles\"", "make"),
    ("build program corresponding to \"Ninja\"", "ninja"),
    ("Could not detect Ninja", "ninja"),
    ("Unable to find libclang", "clang"),
    ("couldn't find any valid shared libraries matching: ['libclang", "clang"),
    ("Could NOT find Perl", "perl"),
    ("Could NOT find PkgConfig", "pkg-config"),
    ("Could NOT find Python3", "python3"),
    ("Could NOT find BISON", "bison"),
    ("Could NOT find FLEX", "flex"),
];

/// Programs that come with a tool of another name.
const BY_OTHER_NAME: &[(&str, &str)] = &[
    ("aclocal", "automake"),
    ("autoheader", "autoconf"),
    ("autom4te", "autoconf"),
    ("ar", "cc"),
    ("as", "cc"),
    ("c++", "cc"),
    ("g++", "cc"),
    ("gcc", "cc"),
    ("ld", "cc"),
    ("libclang", "clang"),
    ("libtoolize", "libtool"),
    ("python", "python3"),
    ("ranlib", "cc"),
    ("strip", "cc"),
];

/// What is said by those who wanted the network.
const NETWORK: &[&str] = &[
    "Could not resolve host",
    "Could not resolve hostname",
    "Couldn't resolve host",
    "Temporary failure in name resolution",
    "Name or service not known",
    "failed to lookup address",
    "failed to resolve address",
    "unable to resolve host",
    "Network is unreachable",
    "network is unreachable",
    "dns error",
    "no such host",
    "spurious network error",
    "getaddrinfo",
    "ENOTFOUND",
    "EAI_AGAIN",
    "attempting to make an HTTP request, but",
];

const NO_ROOM: &[&str] = &["No space left on device", "Disk quota exceeded", "StorageFull"];

/// How many missing tools are named: those that were missed last.
const MOST: usize = 3;

/// The reasons that a log tells; `has` says whether a tool of a name is there, and `place` is where it was built.
pub fn clues(log: &str, has: impl Fn(&str) -> bool, place: &Path) -> Vec<Clue> {
    let log = end(log);
    let mut clues: Vec<_> = missing(log, has).into_iter().map(Clue::MissingTool).collect();
    let line = |words: &[&str]| {
        let said = log.lines().rev().find(|line| words.iter().any(|word| line.contains(word)));
        said.map(|line| shortened(line.trim()))
    };
    clues.extend(line(NETWORK).map(Clue::Network));
    clues.extend(line(NO_ROOM).map(|line| Clue::NoRoom { line, place: place.to_owned() }));
    clues
}

/// How many bytes of a log's end are read: what a build fails of stands there.
const READ: usize = 256 << 10;

fn end(log: &str) -> &str {
    let from = (log.len().saturating_sub(READ)..=log.len()).find(|at| log.is_char_boundary(*at));
    from.map_or(log, |from| &log[from..])
}

/// The tools that were looked for and are not there, those that were missed last.
fn missing(log: &str, has: impl Fn(&str) -> bool) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in log.lines().rev() {
        for name in missed(line.trim_end()).into_iter().filter_map(tool).filter(|name| !has(name)) {
            if !names.contains(&name) && names.len() < MOST {
                names.push(name);
            }
        }
    }
    names.reverse();
    names
}

/// The programs that a line says are not there.
fn missed(line: &str) -> Vec<&str> {
    let known = KNOWN.iter().filter(|(said, _)| line.contains(said)).map(|(_, name)| *name);
    let around = AROUND.iter().filter_map(|(before, after)| {
        let (_, rest) = line.split_once(before)?;
        Some(rest.split_once(after)?.0)
    });
    known.chain(around).chain(by_shell(line)).collect()
}

/// The program that a shell, or what runs programs as a shell does, says is not there.
fn by_shell(line: &str) -> Option<&str> {
    let parts: Vec<&str> = line.split(": ").collect();
    let speaker = parts[0].rsplit('/').next().unwrap_or_default();
    let speaker = speaker.split('[').next().unwrap_or_default();
    match parts.as_slice() {
        [_, .., name, "not found" | "command not found"] => Some(name),
        [_, name, "Command not found"] => Some(name),
        [_, number, name, NO_SUCH_FILE] if number.starts_with("line ") => Some(name),
        [_, name, "bad interpreter", NO_SUCH_FILE] => Some(name),
        [_, name, NO_SUCH_FILE] if speaker.ends_with("make") || RUNNERS.contains(&speaker) => Some(name),
        [_, words, NO_SUCH_FILE] if words.starts_with("failed to run command ") => words.split(' ').next_back(),
        _ => None,
    }
}

/// The tool that a program belongs to, if it is one that PATH or the system's directories would lead to.
fn tool(program: &str) -> Option<String> {
    let program = program.trim_matches(|letter| matches!(letter, '"' | '\'' | '`' | '‘' | '’'));
    let name = match program.rsplit_once('/') {
        Some(("/bin" | "/usr/bin" | "/usr/local/bin" | "/sbin" | "/usr/sbin" | "/envy/tools", name)) => name,
        Some(_) => return None,
        None => program,
    };
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "+._-".contains(letter);
    if name.len() > 40 || !name.starts_with(|letter: char| letter.is_ascii_alphabetic()) || !name.chars().all(plain) {
        return None;
    }
    // A script or a source file of the package itself is no tool.
    if [".c", ".h", ".sh", ".py", ".pl", ".o", ".a", ".so", ".in", ".txt", ".toml", ".rs"]
        .iter()
        .any(|end| name.ends_with(end))
    {
        return None;
    }
    let bare = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    let bare = bare.strip_suffix('-').unwrap_or(name);
    let other = BY_OTHER_NAME.iter().find(|(other, _)| *other == bare);
    Some(other.map_or(bare, |(_, tool)| *tool).to_owned())
}

/// The longest line that is repeated in a message.
const LONGEST: usize = 160;

fn shortened(line: &str) -> String {
    if line.chars().count() <= LONGEST { line.to_owned() } else { line.chars().take(LONGEST).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(log: &str, expected: &[&str]) {
        let tools = ["sh", "sed", "make", "cc"];
        assert_eq!(missing(log, |name| tools.contains(&name)), expected, "{log}");
    }

    #[test]
    fn shells_say_what_they_do_not_find() {
        check("/envy/script: 12: cmake: not found", &["cmake"]);
        check("/envy/script: line 12: cmake: command not found", &["cmake"]);
        check("sh: 1: pkg-config: not found", &["pkg-config"]);
        check("/bin/sh: 1: exec: perl: not found\n", &["perl"]);
        check("./configure: line 4011: /usr/bin/file: No such file or directory", &["file"]);
        check("./autogen.sh: ./missing-dir/helper: not found", &[]);
        check("./build: /usr/bin/python3: bad interpreter: No such file or directory", &["python3"]);
        check("env: ‘bash’: No such file or directory", &["bash"]);
        check("/usr/bin/env: 'python3': No such file or directory", &["python3"]);
        check("/envy/script: 3: sed: not found", &[]);
    }

    #[test]
    fn make_says_what_it_does_not_find() {
        check("make: bison: No such file or directory\nmake: *** [Makefile:12: parse.c] Error 127", &["bison"]);
        check("make[2]: tclsh: Command not found", &["tclsh"]);
        check("make: *** [Makefile:7: redis-server] Error 127\n/bin/sh: 1: install-info: not found", &["install-info"]);
        check("/bin/bash: line 1: g++: command not found", &[]);
    }

    #[test]
    fn build_scripts_of_crates_say_what_they_do_not_find() {
        let cmake = "thread 'main' panicked at cmake-0.1.50/src/lib.rs:1098:5:\n\nfailed to execute command: No such file or \
            directory (os error 2)\nis `cmake` not installed?\n\nbuild script failed, must exit now";
        check(cmake, &["cmake"]);
        let pkg_config = "  Could not run `PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 pkg-config --libs --cflags openssl`\n  The \
            pkg-config command could not be found.\n\n  Most likely, you need to install a pkg-config package for your OS.";
        check(pkg_config, &["pkg-config"]);
        check("Error configuring OpenSSL build:\n    Command 'perl' not found. Is perl installed?", &["perl"]);
        check("error: linker `clang` not found\n  |\n  = note: No such file or directory (os error 2)", &["clang"]);
        check(
            "error occurred in cc-rs: failed to find tool \"nasm\": No such file or directory (os error 2)",
            &["nasm"],
        );
        check(
            "Error: Custom { kind: NotFound, error: \"Could not find `protoc`. If `protoc` is installed, try setting the `PROTOC` environment variable\" }",
            &["protoc"],
        );
        check(
            "Unable to find libclang: \"couldn't find any valid shared libraries matching: ['libclang.so', 'libclang-*.so']",
            &["clang"],
        );
    }

    #[test]
    fn other_build_systems_say_what_they_do_not_find() {
        check(
            "configure: error: The pkg-config script could not be found or is too old.  Make sure it",
            &["pkg-config"],
        );
        check(
            "CMake Error: CMake was unable to find a build program corresponding to \"Ninja\".  CMAKE_MAKE_PROGRAM is not set.",
            &["ninja"],
        );
        check("meson.build:3:0: ERROR: Program 'flex' not found or not executable", &["flex"]);
        check(
            "WARNING: 'aclocal-1.16' is missing on your system.\n/src/missing: line 81: aclocal-1.16: command not found",
            &["automake"],
        );
        check("-- Could NOT find Perl (missing: PERL_EXECUTABLE)", &["perl"]);
    }

    #[test]
    fn what_is_no_tool_is_not_called_one() {
        check("fatal error: openssl/ssl.h: No such file or directory", &[]);
        check("cat: missing.txt: No such file or directory", &[]);
        check("ld: cannot find -lssl: No such file or directory", &[]);
        check("checking for gawk... no\nchecking for mawk... mawk", &[]);
        check("error[E0433]: failed to resolve: use of undeclared crate or module `x`", &[]);
    }

    #[test]
    fn only_the_end_of_a_long_log_is_read() {
        let log = format!("sh: 1: first: not found\n{}sh: 1: second: not found\n", "ä\n".repeat(READ));
        assert_eq!(clues(&log, |_| false, Path::new("/store")), [Clue::MissingTool("second".to_owned())]);
    }

    #[test]
    fn the_last_that_are_missed_are_named_in_their_order() {
        let log: String =
            ["a1x", "b2x", "c3x", "d4x", "b2x"].map(|name| format!("sh: 1: {name}: not found\n")).concat();
        check(&log, &["c3x", "d4x", "b2x"]);
    }

    #[test]
    fn who_wants_the_network_says_so() {
        let network = |line: &str| clues(line, |_| true, Path::new("/store"));
        for line in [
            "curl: (6) Could not resolve host: example.org",
            "wget: unable to resolve host address 'example.org'",
            "fatal: unable to access 'https://example.org/x.git/': Could not resolve host: example.org",
            "ureq error: failed to lookup address information: Temporary failure in name resolution",
            "connect: Network is unreachable",
        ] {
            assert_eq!(network(&format!("one\n  {line}\nlast")), [Clue::Network(line.to_owned())]);
        }
        assert_eq!(network("all is well"), []);
        let full = "cp: error writing 'x': No space left on device";
        assert_eq!(network(full), [Clue::NoRoom { line: full.to_owned(), place: "/store".into() }]);
    }
}
