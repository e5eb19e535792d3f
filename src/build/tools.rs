//! Tools of the host: the base set that every build sees, and those that a recipe declares.
//!
//! A build's PATH leads to links to exactly these. They are part of what builds, so their content, and for a C
//! compiler that of everything it reads by itself, is part of the action.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Error, Memo};
use crate::digest::TextDigest;
use crate::disk;
use crate::process;

/// What every build sees where the host has it: sh, coreutils, sed, grep, awk, find, diff, patch, tar, gzip and xz.
const BASE: &[&str] = &[
    "sh",
    "[",
    "awk",
    "basename",
    "cat",
    "chmod",
    "cksum",
    "cmp",
    "comm",
    "cp",
    "cut",
    "date",
    "dd",
    "diff",
    "dirname",
    "du",
    "echo",
    "egrep",
    "env",
    "expand",
    "expr",
    "false",
    "fgrep",
    "find",
    "fmt",
    "fold",
    "gawk",
    "grep",
    "gunzip",
    "gzip",
    "head",
    "id",
    "install",
    "join",
    "ln",
    "ls",
    "mawk",
    "md5sum",
    "mkdir",
    "mkfifo",
    "mktemp",
    "mv",
    "nl",
    "nproc",
    "od",
    "paste",
    "patch",
    "printf",
    "pwd",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "sha1sum",
    "sha256sum",
    "sha512sum",
    "sleep",
    "sort",
    "split",
    "stat",
    "tail",
    "tar",
    "tee",
    "test",
    "touch",
    "tr",
    "true",
    "tsort",
    "tty",
    "uname",
    "unexpand",
    "uniq",
    "unxz",
    "wc",
    "xargs",
    "xz",
    "yes",
    "zcat",
];

/// Declaring `cc` declares a C toolchain: these come with it where the host has them.
const WITH_CC: &[&str] = &[
    "cc", "c++", "gcc", "g++", "clang", "clang++", "cpp", "ar", "as", "gcc-ar", "ld", "ld.bfd", "ld.gold", "ld.lld",
    "nm", "objcopy", "objdump", "ranlib", "readelf", "strip",
];

/// Programs that a C compiler runs, as it is asked for with `-print-prog-name`.
const CC_PROGRAMS: &[&str] = &["cc1", "cc1plus", "collect2", "as", "ld", "lto-wrapper"];

/// Files that a C compiler links, as it is asked for with `-print-file-name`.
const CC_FILES: &[&str] = &[
    "crt1.o",
    "Scrt1.o",
    "rcrt1.o",
    "crti.o",
    "crtn.o",
    "crtbegin.o",
    "crtbeginS.o",
    "crtbeginT.o",
    "crtend.o",
    "crtendS.o",
    "libgcc.a",
    "libgcc_eh.a",
    "libgcc_s.so",
    "libgcc_s.so.1",
    "libc.so",
    "libc.so.6",
    "libc.a",
    "libc_nonshared.a",
    "libm.so.6",
    "libstdc++.so.6",
    "liblto_plugin.so",
];

/// The tools of one build.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Each by its name, and the file of the host that it is.
    pub programs: BTreeMap<String, PathBuf>,
    /// Names their content, and the content of what a C compiler reads.
    pub identity: TextDigest,
}

impl Tools {
    /// Find the base set and what a recipe declares.
    pub fn find(declared: &[String], recipe: &str, memo: &Memo) -> Result<Self, Error> {
        let missing: Vec<_> = declared.iter().filter(|name| find(name).is_none()).cloned().collect();
        if !missing.is_empty() {
            return Err(Error::NoTools { names: missing, recipe: recipe.to_owned() });
        }
        let with_cc = if declared.iter().any(|name| name == "cc") { WITH_CC } else { &[] };
        let names = BASE.iter().chain(with_cc).copied().chain(declared.iter().map(String::as_str));
        let programs: BTreeMap<_, _> = names.filter_map(|name| Some((name.to_owned(), find(name)?))).collect();
        let mut files: Vec<_> = programs.iter().map(|(name, path)| (format!("tool {name}"), path.clone())).collect();
        if let Some(cc) = programs.get("cc") {
            files.extend(read_by_compiler(cc)?);
        }
        Ok(Self { identity: memo.identity(&files)?, programs })
    }
}

/// The file of this name that PATH, or failing that a usual place, leads to.
fn find(name: &str) -> Option<PathBuf> {
    let usual = ["/usr/bin", "/bin", "/usr/local/bin"].map(|directory| Path::new(directory).join(name));
    process::find_program(name).or_else(|| usual.into_iter().find(|path| disk::is_file(path)))
}

/// What a C compiler reads by itself: its own programs, start files and libraries, and the headers of the C library.
fn read_by_compiler(cc: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let mut files = Vec::new();
    for (option, names) in [("-print-prog-name", CC_PROGRAMS), ("-print-file-name", CC_FILES)] {
        for name in names {
            let said = process::capture(cc, [format!("{option}={name}")], None, &[])?;
            let path = PathBuf::from(String::from_utf8_lossy(&said).trim());
            // A compiler that has no such file says the name again.
            if path.is_absolute() && disk::is_file(&path) {
                files.push((format!("cc {name}"), path));
            }
        }
    }
    files.extend(headers(cc)?);
    Ok(files)
}

fn headers(cc: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let include = Path::new("/usr/include");
    let multiarch = process::capture(cc, ["-print-multiarch"], None, &[]).unwrap_or_default();
    let multiarch = include.join(String::from_utf8_lossy(&multiarch).trim());
    let mut files = Vec::new();
    collect_headers(include, Depth::Top, &mut files)?;
    for directory in ["bits", "sys", "gnu"] {
        for parent in [include, &multiarch] {
            collect_headers(&parent.join(directory), Depth::All, &mut files)?;
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

#[derive(Clone, Copy)]
enum Depth {
    Top,
    All,
}

fn collect_headers(directory: &Path, depth: Depth, files: &mut Vec<(String, PathBuf)>) -> Result<(), Error> {
    for (name, kind) in disk::list_if_exists(directory)? {
        let path = directory.join(name);
        match (kind, depth) {
            (disk::Kind::File { .. }, _) => files.push((format!("header {}", path.display()), path)),
            (disk::Kind::Directory, Depth::All) => collect_headers(&path, depth, files)?,
            _ => {}
        }
    }
    Ok(())
}
