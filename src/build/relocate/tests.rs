use super::*;
use crate::placeholder::PLACEHOLDER;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

/// A program or library of C in a directory of a prefix, with a run path to `lib` and, if need be, more arguments.
fn compile(prefix: &Path, to: &str, source: &str, arguments: &[&str]) {
    let path = prefix.join(to);
    disk::create_directories(path.parent().unwrap()).unwrap();
    let source_file = prefix.parent().unwrap().join("source.c");
    disk::write(&source_file, source.as_bytes()).unwrap();
    let run_path = format!("-Wl,-rpath,{PLACEHOLDER}/lib");
    let library_path = format!("-L{}", prefix.join("lib").display());
    let mut command = Command::new("cc");
    command.arg("-o").arg(&path).arg(&source_file).arg(&run_path).arg(&library_path).args(arguments);
    assert!(command.status().unwrap().success());
}

fn run_path(prefix: &Path, path: &str) -> String {
    let elf = crate::build::elf::Elf::read(&disk::read(&prefix.join(path)).unwrap()).unwrap();
    elf.directories.join(":")
}

fn hello(prefix: &Path) {
    compile(prefix, "lib/libhello.so", "int hello(void) { return 42; }", &["-shared", "-fPIC"]);
    let main = "int hello(void); int main(void) { return hello(); }";
    compile(prefix, "bin/hello", main, &["-lhello"]);
}

#[test]
fn a_program_finds_its_library_wherever_the_prefix_lies() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = directory.path().join("prefix");
    hello(&prefix);
    relocate(&prefix, "").unwrap();
    assert_eq!(
        (run_path(&prefix, "bin/hello"), run_path(&prefix, "lib/libhello.so")),
        ("$ORIGIN/../lib".into(), "$ORIGIN".into())
    );
    for place in ["one", "two/deeper"] {
        let moved = directory.path().join(place);
        disk::create_directories(moved.parent().unwrap()).unwrap();
        let previous = if place == "one" { prefix.clone() } else { directory.path().join("one") };
        disk::rename(&previous, &moved).unwrap();
        let status = Command::new(moved.join("bin/hello")).env_clear().status().unwrap();
        assert_eq!(status.code(), Some(42));
        for path in ["bin/hello", "lib/libhello.so"] {
            assert!(!placeholder::is_in(&disk::read(&moved.join(path)).unwrap()), "{path}");
        }
    }
}

#[test]
fn old_run_paths_are_relocated_too() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = directory.path().join("prefix");
    compile(&prefix, "libexec/x/hello", "int main(void) { return 0; }", &["-Wl,--disable-new-dtags"]);
    relocate(&prefix, "").unwrap();
    assert_eq!(run_path(&prefix, "libexec/x/hello"), "$ORIGIN/../../lib");
}

#[test]
fn a_run_path_that_something_else_uses_the_end_of_stays() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = directory.path().join("prefix");
    // GNU ld keeps one string for a run path and a name that it ends with; other linkers may keep two.
    let path = format!("-Wl,-rpath,{PLACEHOLDER}/tail");
    compile(&prefix, "tail.so", "int tail(void) { return 1; }", &["-shared", "-fPIC", "-s", &path]);
    let names = || memchr::memmem::find_iter(&disk::read(&prefix.join("tail.so")).unwrap(), "tail\0").count();
    let (before, one_string) = (names(), names() == 1);
    relocate(&prefix, "").unwrap();
    assert_eq!(names(), before, "no name is lost");
    assert_eq!(run_path(&prefix, "tail.so").starts_with(PLACEHOLDER), one_string);
}

#[test]
fn scripts_links_and_files_of_other_tools_are_relocated_once() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = directory.path().join("prefix");
    let write = |path: &str, bytes: &[u8], mode: u32| {
        let path = prefix.join(path);
        disk::create_directories(path.parent().unwrap()).unwrap();
        disk::write_new(&path, bytes, mode).unwrap();
    };
    write("bin/script", format!("#!{PLACEHOLDER}/bin/sh -e\n").as_bytes(), 0o755);
    write("lib/pkgconfig/x.pc", format!("prefix={PLACEHOLDER}\n").as_bytes(), 0o644);
    write("lib/libx.la", b"# libx.la - a libtool library file\n", 0o755);
    write("share/songs/la.la", b"la la la", 0o644);
    write("share/man/man1/x.1.gz", b"\x1f\x8b\x08\x00\x01\x02\x03\x04\x00\x03rest", 0o644);
    write("share/data/x.gz", b"\x1f\x8b\x08\x00\x01\x02\x03\x04\x00\x03rest", 0o644);
    write("etc/x.conf", format!("home {PLACEHOLDER}/share\n").as_bytes(), 0o644);
    let link = |target: &str, path: &str| disk::symlink(Path::new(target), &prefix.join(path)).unwrap();
    link(&format!("{PLACEHOLDER}/bin/script"), "bin/alias");
    link(&format!("{PLACEHOLDER}/share"), "lib/share");
    link(&format!("{PLACEHOLDER}/lib"), "lib/self");
    link(&format!("/envy/out{PLACEHOLDER}/etc/x.conf"), "etc/staged");
    link("/etc/passwd", "etc/outside");
    write("etc/staged.conf", format!("home /envy/out{PLACEHOLDER}/share\n").as_bytes(), 0o644);
    write("lib/pkgconfig/staged.pc", format!("prefix=/envy/out{PLACEHOLDER}\n").as_bytes(), 0o644);

    relocate(&prefix, "").unwrap();
    relocate(&prefix, "").unwrap();

    let read = |path: &str| String::from_utf8_lossy(&disk::read(&prefix.join(path)).unwrap()).into_owned();
    assert_eq!(read("bin/script"), "#!/usr/bin/env -S sh -e\n");
    assert_eq!(prefix.join("bin/script").metadata().unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(read("lib/pkgconfig/x.pc"), "prefix=${pcfiledir}/../..\n");
    assert!(!prefix.join("lib/libx.la").exists());
    assert_eq!(read("share/songs/la.la"), "la la la");
    assert_eq!(disk::read(&prefix.join("share/man/man1/x.1.gz")).unwrap()[4..8], [0; 4]);
    assert_eq!(
        disk::read(&prefix.join("share/data/x.gz")).unwrap()[4..8],
        [1, 2, 3, 4],
        "data is as its maker wants it"
    );
    assert_eq!(read("etc/x.conf"), format!("home {PLACEHOLDER}/share\n"), "the real path comes later");
    assert_eq!(read("etc/staged.conf"), read("etc/x.conf"));
    assert_eq!(read("lib/pkgconfig/staged.pc"), read("lib/pkgconfig/x.pc"));
    let target = |path: &str| disk::read_link(&prefix.join(path)).unwrap().into_os_string().into_string().unwrap();
    assert_eq!(
        ["bin/alias", "lib/share", "lib/self", "etc/staged", "etc/outside"].map(target),
        ["script", "../share", ".", "x.conf", "/etc/passwd"]
    );
}

#[test]
fn archives_that_were_made_at_other_times_are_equal() {
    let archives = [1_000_000_000, 1_600_000_000].map(|time| {
        let directory = tempfile::tempdir().unwrap();
        let object = directory.path().join("a-name-of-more-than-fifteen-letters.o");
        disk::write(&object, b"no object, and odd").unwrap();
        disk::set_time(&object, time).unwrap();
        let prefix = directory.path().join("prefix");
        disk::create_directory(&prefix, 0o755).unwrap();
        let made = Command::new("ar").arg("rcU").arg(prefix.join("lib.a")).arg(&object).status();
        assert!(made.unwrap().success());
        let before = disk::read(&prefix.join("lib.a")).unwrap();
        relocate(&prefix, "").unwrap();
        let after = disk::read(&prefix.join("lib.a")).unwrap();
        assert!(before != after && before.len() == after.len());
        after
    });
    assert_eq!(archives[0], archives[1]);
}

#[test]
fn names_of_one_file_get_what_is_right_where_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = directory.path().join("prefix");
    hello(&prefix);
    disk::create_directories(&prefix.join("libexec/core")).unwrap();
    disk::link_or_copy(&prefix.join("bin/hello"), &prefix.join("libexec/core/hello")).unwrap();
    assert_eq!(prefix.join("bin/hello").metadata().unwrap().nlink(), 2);
    relocate(&prefix, "").unwrap();
    assert_eq!(run_path(&prefix, "bin/hello"), "$ORIGIN/../lib");
    assert_eq!(run_path(&prefix, "libexec/core/hello"), "$ORIGIN/../../lib");
}

#[test]
fn ways_go_up_and_down() {
    let to = |path: &str| format!("{PLACEHOLDER}{path}");
    assert_eq!(relative("lib", &to("/lib/a")).as_deref(), Some("a"));
    assert_eq!(relative("", &to("/lib/./a")).as_deref(), Some("lib/a"));
    assert_eq!(relative("share/doc/x", &to("/share/lib/a/..")).as_deref(), Some("../../lib"));
    assert_eq!(relative("lib", &to("/../etc/passwd")), None);
    assert_eq!(relative("lib", "/etc/passwd"), None);
}
