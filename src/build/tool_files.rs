//! What comes with a tool of the host, beside its program and the libraries that it loads: other programs that it runs,
//! and the directories that it reads. A table; what is not in it reads `share/NAME`, if anything.

use std::path::{Path, PathBuf};

use super::Error;
use super::host_files::HostFiles;
use crate::disk;
use crate::process;

/// What comes with one tool.
#[derive(Debug)]
pub(super) struct Along {
    tool: &'static str,
    /// Other tools that it runs or stands for, by their names or patterns of them.
    pub(super) programs: &'static [&'static str],
    /// Paths below the prefix that it is installed in, or patterns of them.
    paths: &'static [&'static str],
    /// How to ask it for directories, one a line.
    says: Says,
    /// Names that are left out of those directories.
    leave_out: &'static [&'static str],
}

/// How a tool is asked for the directories that it reads.
#[derive(Debug)]
enum Says {
    Nothing,
    /// By arguments.
    To(&'static [&'static str]),
    /// By a text on its input.
    Hearing(&'static str),
}

const PLAIN: Along = Along { tool: "", programs: &[], paths: &[], says: Says::Nothing, leave_out: &[] };

/// Parts of Python's library that no build needs, or that are not Python's.
const NOT_PYTHON: &[&str] = &["dist-packages", "idlelib", "site-packages", "test", "turtledemo"];

const PYTHON_LIBRARY: &str =
    "import sysconfig; print(sysconfig.get_path('stdlib')); print(sysconfig.get_path('platstdlib'))";

const AUTOCONF: &[&str] =
    &["autoconf", "autoheader", "autom4te", "autoreconf", "autoscan", "autoupdate", "ifnames", "m4", "perl"];

/// Declaring `cc` declares a C toolchain; its files are [`super::c_files`].
const CC: &[&str] = &[
    "c++",
    "cpp",
    "g++",
    "gcc",
    "ar",
    "as",
    "gcc-ar",
    "gcc-nm",
    "gcc-ranlib",
    "ld",
    "ld.bfd",
    "ld.gold",
    "nm",
    "objcopy",
    "objdump",
    "ranlib",
    "readelf",
    "size",
    "strings",
    "strip",
];

const TABLE: &[Along] = &[
    Along { tool: "autoconf", programs: AUTOCONF, paths: &["share/autoconf*"], ..PLAIN },
    Along { tool: "autoreconf", programs: AUTOCONF, paths: &["share/autoconf*"], ..PLAIN },
    Along {
        tool: "automake",
        programs: &["aclocal", "aclocal-*", "automake-*", "perl"],
        paths: &["share/automake*", "share/aclocal*"],
        ..PLAIN
    },
    Along { tool: "autopoint", programs: &["gettextize"], paths: &["share/gettext*"], ..PLAIN },
    Along { tool: "bison", programs: &["m4"], paths: &["share/bison*"], ..PLAIN },
    Along { tool: "cc", programs: CC, ..PLAIN },
    Along {
        tool: "clang",
        programs: &["clang++"],
        paths: &["lib/libclang*.so*"],
        says: Says::To(&["-print-resource-dir"]),
        ..PLAIN
    },
    Along { tool: "cmake", paths: &["share/cmake*/Modules", "share/cmake*/Templates"], ..PLAIN },
    Along { tool: "file", paths: &["share/misc/magic*"], ..PLAIN },
    Along { tool: "flex", programs: &["m4"], ..PLAIN },
    // What lies in their `share` is for debuggers.
    Along { tool: "g++", ..PLAIN },
    Along { tool: "gcc", ..PLAIN },
    Along { tool: "git", paths: &["share/git-core/templates"], says: Says::To(&["--exec-path"]), ..PLAIN },
    Along { tool: "go", says: Says::To(&["env", "GOROOT"]), ..PLAIN },
    Along { tool: "libtool", programs: &["libtoolize"], paths: &["share/libtool*", "share/aclocal*"], ..PLAIN },
    Along { tool: "libtoolize", programs: &["libtool"], paths: &["share/libtool*", "share/aclocal*"], ..PLAIN },
    Along { tool: "meson", programs: &["ninja"], ..PLAIN },
    Along { tool: "perl", says: Says::To(&["-e", "print join qq{\\n}, @INC"]), ..PLAIN },
    Along {
        tool: "protoc",
        paths: &["include/google/protobuf/*.proto", "include/google/protobuf/compiler/*.proto"],
        ..PLAIN
    },
    Along { tool: "python3", says: Says::To(&["-c", PYTHON_LIBRARY]), leave_out: NOT_PYTHON, ..PLAIN },
    Along { tool: "ruby", says: Says::To(&["-e", "puts $LOAD_PATH"]), ..PLAIN },
    Along { tool: "tclsh", says: Says::Hearing("puts $tcl_library\n"), ..PLAIN },
];

/// What comes with a tool of this name, if the table has it. `python3.12` is a `python3`, `perl5.36` a `perl`.
pub(super) fn along(name: &str) -> Option<&'static Along> {
    let is_version = |rest: &str| rest.chars().all(|letter| letter.is_ascii_digit() || letter == '.' || letter == '-');
    let exact = TABLE.iter().find(|along| along.tool == name);
    let alike = || TABLE.iter().filter(|along| matches!(along.tool, "perl" | "python3" | "tclsh" | "ruby" | "clang"));
    let python = (name == "python").then_some("python3");
    exact.or_else(|| {
        alike().find(|along| {
            Some(along.tool) == python
                || name
                    .strip_prefix(along.tool.trim_end_matches('3'))
                    .is_some_and(|rest| !rest.is_empty() && is_version(rest))
        })
    })
}

/// The other tools that come with a tool, by their names or patterns of them.
pub fn brought(name: &str) -> &'static [&'static str] {
    along(name).map_or(&[], |along| along.programs)
}

impl Along {
    /// Add what it reads, where `program` is its real file and `found` what PATH leads to.
    pub(super) fn add(&self, files: &mut HostFiles<'_>, found: &Path, program: &Path) -> Result<(), Error> {
        for pattern in self.paths {
            add_below_prefix(files, found, program, pattern)?;
        }
        for directory in self.said(found) {
            files.add_directory(&directory, self.leave_out)?;
        }
        Ok(())
    }

    /// The directories that it says it reads. One that does not answer reads none.
    fn said(&self, found: &Path) -> Vec<PathBuf> {
        let said = match &self.says {
            Says::Nothing => return Vec::new(),
            Says::To(arguments) => process::capture(found, *arguments, None, &[]),
            Says::Hearing(text) => process::ask::<&str>(found, [], &[], text.as_bytes()),
        };
        let said = String::from_utf8_lossy(&said.unwrap_or_default()).into_owned();
        said.lines().map(|line| PathBuf::from(line.trim())).filter(|path| path.is_absolute()).collect()
    }
}

/// Add what a tool that the table does not have may read: a directory of its own name.
pub(super) fn add_share(files: &mut HostFiles<'_>, name: &str, found: &Path, program: &Path) -> Result<(), Error> {
    add_below_prefix(files, found, program, &format!("share/{name}"))
}

/// Add what matches a pattern below the prefix that a program is in, or that it seems to be in.
fn add_below_prefix(files: &mut HostFiles<'_>, found: &Path, program: &Path, pattern: &str) -> Result<(), Error> {
    let mut prefixes: Vec<_> = [program, found].into_iter().filter_map(|path| path.parent()?.parent()).collect();
    prefixes.dedup();
    for path in prefixes.into_iter().flat_map(|prefix| matching(prefix, pattern)) {
        files.add_directory(&path, &[])?;
    }
    Ok(())
}

/// The paths below a directory that match a pattern, part by part.
pub(super) fn matching(directory: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut paths = vec![directory.to_owned()];
    for part in pattern.split('/') {
        let Ok(part) = glob::Pattern::new(part) else { return Vec::new() };
        let below = |path: &PathBuf| {
            let names = disk::list_if_exists(path).unwrap_or_default().into_iter();
            let names = names.filter(|(name, _)| part.matches(&name.to_string_lossy()));
            names.map(|(name, _)| path.join(name)).collect::<Vec<_>>()
        };
        paths = paths.iter().flat_map(below).collect();
    }
    paths
}

/// The file that a program says it really is, where what PATH leads to may only stand for it, as version managers have it.
pub(super) fn stands_for(name: &str, found: &Path) -> Option<PathBuf> {
    let is_python = along(name).is_some_and(|along| along.tool == "python3");
    let script = disk::read_head(found, 2).ok()? == b"#!";
    if !is_python || !script {
        return None;
    }
    let said = process::capture(found, ["-c", "import os, sys; print(os.path.realpath(sys.executable))"], None, &[]);
    let path = PathBuf::from(String::from_utf8_lossy(&said.ok()?).trim());
    disk::is_file(&path).then_some(path)
}

/// The directory of a module of Python's that a script consists of.
pub(super) fn python_module(interpreter: &Path, module: &str) -> Option<PathBuf> {
    let program = format!("import {module}, os; print(os.path.dirname({module}.__file__))");
    let said = process::capture(interpreter, ["-c", &program], None, &[]).ok()?;
    let path = PathBuf::from(String::from_utf8_lossy(&said).trim());
    path.is_absolute().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_in_a_name_does_not_matter() {
        let tool = |name| along(name).map(|along| along.tool);
        assert_eq!(tool("python3.12"), Some("python3"));
        assert_eq!(tool("python"), Some("python3"));
        assert_eq!(tool("perl5.36.0"), Some("perl"));
        assert_eq!(tool("clang-14"), Some("clang"));
        assert_eq!(tool("clang-format"), None);
        assert_eq!(tool("make"), None);
    }

    #[test]
    fn patterns_match_part_by_part() {
        let directory = tempfile::tempdir().unwrap();
        for path in ["share/cmake-3.25/Modules/a", "share/cmake-3.25/Help/b", "share/other/Modules/c"] {
            disk::write_atomic(&directory.path().join(path), b"").unwrap();
        }
        assert_eq!(
            matching(directory.path(), "share/cmake*/Modules"),
            [directory.path().join("share/cmake-3.25/Modules")]
        );
    }
}
