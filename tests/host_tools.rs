//! What a build sees of the host: the declared tools work, and nothing else is there.

#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "tests stand outside of the program's doors")]
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use envy::build::sandbox::{Entry, Fence, Mode, Setting, View};
use envy::build::{Memo, Tools};

/// One store for all tests: the tools are laid out once.
static PLACE: LazyLock<PathBuf> = LazyLock::new(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("host-tools"));

fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    if !there {
        eprintln!("left out: this host has no {program}");
    }
    there
}

/// What a script says that runs with these tools, and whether it succeeded.
fn run(tools: &[&str], files: &[(&str, &str)], script: &str) -> (bool, String) {
    let (fence, _) = Fence::choose_with_helper(env!("CARGO_BIN_EXE_envy").into(), Setting::Auto, None).unwrap();
    assert_eq!(fence.mode(), Mode::Namespaces);
    let declared: Vec<String> = tools.iter().map(|&name| name.to_owned()).collect();
    let memo = Memo::open(&PLACE);
    let tools = Tools::find(&declared, "test", None, &memo).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let source = scratch.path().join("src");
    fs::create_dir(&source).unwrap();
    for (name, text) in files {
        fs::write(source.join(name), text).unwrap();
    }
    let mut entries = tools.entries(memo.copies()).unwrap();
    entries.push(Entry::Writable { from: source, to: "/envy/src".to_owned() });
    let view = View {
        entries,
        environment: [("PATH", "/envy/tools"), ("LC_ALL", "C.UTF-8")].map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
        directory: "/envy/src".to_owned(),
        command: ["/envy/tools/sh", "-ec", script].map(str::to_owned).into(),
    };
    let log = scratch.path().join("log");
    let status = fence.run(&view, scratch.path(), &File::create(&log).unwrap()).unwrap();
    (status.success(), fs::read_to_string(log).unwrap())
}

/// What a script says, which must succeed.
fn said(tools: &[&str], files: &[(&str, &str)], script: &str) -> String {
    let (succeeded, said) = run(tools, files, script);
    assert!(succeeded, "{script}: {said}");
    said
}

#[test]
fn c_programs_compile_link_and_run() {
    let program = r#"
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <crypt.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <math.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
static void *square(void *x) { *(double *)x = pow(*(double *)x, 2); return 0; }
int main(void) {
    pthread_t thread;
    double x = 12;
    pthread_create(&thread, 0, square, &x);
    pthread_join(thread, 0);
    void *self = dlopen(0, RTLD_NOW);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    printf("%.0f %d %d\n", x, self != 0, s >= 0);
    return 0;
}
"#;
    let flags = "-pthread -lm -ldl -lrt -lpthread -lresolv -lutil";
    let script = format!(
        "cc -O2 -o a a.c {flags}; ./a; cc -static -o b a.c {flags} 2>/dev/null; ./b; \
         cc -flto -O2 -o c a.c {flags}; ./c; cc -shared -fPIC -o libd.so a.c {flags}; ar rcs e.a a.c; ranlib e.a; nm libd.so | grep -c main"
    );
    assert_eq!(said(&["cc"], &[("a.c", program)], &script), "144 1 1\n144 1 1\n144 1 1\n1\n");
}

#[test]
fn cpp_programs_compile_link_and_run() {
    let program = r#"
#include <filesystem>
#include <iostream>
#include <map>
#include <thread>
int main() {
    std::map<std::string, int> words{{"one", 1}};
    std::thread([&] { words["two"] = 2; }).join();
    std::cout << words.size() << std::filesystem::exists("/") << std::endl;
}
"#;
    assert_eq!(said(&["cc"], &[("a.cc", program)], "c++ -std=c++17 -O1 -o a a.cc -pthread; ./a"), "21\n");
}

#[test]
fn libraries_and_headers_of_the_host_are_not_found() {
    let script = "
        refused() { ! \"$@\" > log 2>&1 || { echo \"$* succeeds\"; exit 1; }; }
        for header in openssl/ssl.h ncurses.h curses.h zlib.h sqlite3.h sys/sdt.h libpq-fe.h; do
            echo \"#include <$header>\" > a.c; refused cc -c a.c
        done
        echo 'int main(void) { return 0; }' > b.c; cc b.c
        for library in ssl crypto ncurses z sqlite3 pq; do refused cc b.c -l$library; done
        ls /usr/share /usr/local /var /root /home /opt 2>/dev/null || true";
    assert_eq!(said(&["cc"], &[], script), "");
}

#[test]
fn no_tool_is_there_that_is_not_declared() {
    let (succeeded, said) = run(&[], &[], "sed --version > /dev/null; tar --version > /dev/null; cc --version");
    assert!(!succeeded && said.contains("cc: not found"), "{said}");
    let script = "[ ! -e /usr/bin/perl ] && [ ! -e /usr/bin/python3 ] && [ ! -e /usr/bin/cc ]; [ -x /bin/sh ] && [ -x /usr/bin/env ]";
    run(&[], &[], script).0.then_some(()).expect("scripts find sh and env, and no tool by its path");
}

#[test]
fn the_base_set_works() {
    let script = "printf 'b\\na\\n' | sort | tr -d '\\n' | sed s/a/c/ | awk '{print $0 \"!\"}' > f; cat f; \
        tar -czf t.tar.gz f; tar -xOzf t.tar.gz; xz -k f; xz -dc f.xz; gzip -c f | gunzip; \
        diff f f && find . -name f | xargs grep -c cb; echo f | egrep -c f; sha256sum f | cut -c1-3; date -d @0 +%Y";
    assert_eq!(said(&[], &[], script), "cb!\ncb!\ncb!\ncb!\n1\n1\naa5\n1970\n");
}

#[test]
fn languages_bring_their_libraries() {
    if has("perl") {
        let script =
            "perl -MFile::Spec -MPOSIX -MIPC::Cmd -MData::Dumper -e 'print File::Spec->tmpdir, floor(2.5), qq{\\n}'";
        assert_eq!(said(&["perl"], &[], script), "/tmp2\n");
    }
    if has("python3") {
        let script = "python3 -c 'import json, hashlib, ctypes, subprocess, os; print(json.dumps([1]), os.path.exists(\"/etc/hosts\"))'";
        assert_eq!(said(&["python3"], &[], script), "[1] False\n");
    }
    if has("tclsh") {
        assert_eq!(
            said(
                &["tclsh"],
                &[("a.tcl", "package require http; puts [clock format 0 -gmt 1 -format %Y]")],
                "tclsh a.tcl"
            ),
            "1970\n"
        );
    }
    if has("git") {
        assert_eq!(
            said(
                &["git"],
                &[],
                "git init -q . && git -c user.name=a -c user.email=b commit -q --allow-empty -m x && git log --format=%s"
            ),
            "x\n"
        );
    }
}

#[test]
fn pkg_config_finds_nothing_of_the_host() {
    if has("pkg-config") {
        assert_eq!(
            said(&["pkg-config"], &[], "pkg-config --list-all; pkg-config --exists zlib || echo none"),
            "none\n"
        );
    }
}

#[test]
fn make_and_configure_tools_run() {
    if has("make") {
        assert_eq!(
            said(&["make", "cc"], &[("Makefile", "all: a\n\t./a\n"), ("a.c", "int main(void){return 0;}")], "make -s"),
            ""
        );
    }
    if has("cmake") && has("make") {
        let lists = "cmake_minimum_required(VERSION 3.10)\nproject(a C CXX)\nadd_executable(a a.c)\nfind_package(Threads REQUIRED)\n";
        said(
            &["make", "cc", "cmake"],
            &[("CMakeLists.txt", lists), ("a.c", "int main(void){return 0;}")],
            "cmake -B b . && make -C b && b/a",
        );
    }
    if has("autoconf") && has("automake") && has("libtool") {
        let text = "AC_INIT([a],[1])\nAM_INIT_AUTOMAKE([foreign])\nLT_INIT\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n";
        let tools = ["make", "cc", "autoconf", "automake", "libtool"];
        let files = [
            ("configure.ac", text),
            ("Makefile.am", "bin_PROGRAMS = a\na_SOURCES = a.c\n"),
            ("a.c", "int main(void){return 0;}"),
        ];
        said(&tools, &files, "autoreconf -fi && ./configure && make && ./a");
    }
}

#[test]
fn nothing_that_is_shown_can_be_written_to() {
    let script = "for path in /usr/bin/env /envy/tools/sh /usr/include/stdio.h; do ! (: > $path) 2>/dev/null || echo \"$path was written\"; done";
    assert_eq!(said(&["cc"], &[], script), "");
    assert!(Path::new("/usr/bin/env").exists());
}
