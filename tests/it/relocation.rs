//! Relocation: what was built runs where its prefix lies, knows where that is, and is found out when it is changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use envy::build::action::PLACEHOLDER;
use expect_test::expect;

use crate::packed::{Files, Tar};
use crate::registry::{Crate, Registry};
use crate::scratch::{ENVY, Scratch, Shell};

/// A site with a program that reads a file of its prefix, of which it knows only where the prefix lies. The file names
/// that too.
struct World {
    scratch: Scratch,
    _registry: Registry,
    _files: Files,
}

fn world() -> World {
    let (registry, files) = (Registry::new(), Files::new());
    let main = format!(
        "const CONF: &str = \"{PLACEHOLDER}/etc/conf\";\nfn main() {{\n    \
         print!(\"{{}}{{}}\", CONF.len(), std::fs::read_to_string(CONF).unwrap())\n}}\n"
    );
    let build = format!("fn main() {{\n    println!(\"cargo:rustc-link-arg=-Wl,-rpath,{PLACEHOLDER}/lib\")\n}}\n");
    registry.publish(Crate::new("hello", "1.0.0").bin("hello").file("src/main.rs", &main).file("build.rs", &build));
    let data = Tar::new()
        .file("data-1/etc/conf", format!(" home={PLACEHOLDER}\n"))
        .file("data-1/lib/pkgconfig/data.pc", format!("prefix={PLACEHOLDER}\n"))
        .program("data-1/bin/where", format!("#!{PLACEHOLDER}/bin/sh -e\necho {PLACEHOLDER}\n"))
        .done();
    let data = files.put("/data.tar", data);
    let scratch = Scratch::with(&registry);
    scratch
        .write("envy.toml", format!("[sites.api.dependencies]\nhello = '1'\ndata = {{ version = \"1\", {data} }}\n"));
    World { scratch, _registry: registry, _files: files }
}

/// The only prefix of a store with anything in it.
fn prefix(store: &Path) -> PathBuf {
    let entries =
        fs::read_dir(store.join("prefixes")).expect("it is there").map(|entry| entry.expect("and can be read"));
    let full = entries.map(|entry| entry.path()).find(|path| path.join("bin").is_dir());
    full.expect("a prefix is there")
}

/// What the program says of the prefix's path.
fn says_where(shell: &Shell<'_>, prefix: &Path) {
    let length = PLACEHOLDER.len() + "/etc/conf".len();
    let text = shell.envy("run api -- hello").succeeds().stdout().to_owned();
    assert_eq!(text, format!("{length} home={}\n", prefix.display()));
    let text = shell.envy("run api -- where").succeeds().stdout().to_owned();
    assert_eq!(text, format!("{}\n", prefix.display()));
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).expect("it is there");
    let last = bytes.last_mut().expect("it has bytes");
    *last ^= 1;
    let mode = fs::metadata(path).expect("it is there").permissions();
    fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("it is ours");
    fs::write(path, bytes).expect("it may be written to now");
    fs::set_permissions(path, mode).expect("it is ours");
}

#[test]
fn what_was_built_knows_where_it_lies() {
    let world = world();
    let scratch = &world.scratch;
    scratch.envy("build").succeeds();
    let prefix = prefix(&scratch.store());
    says_where(&scratch.shell(), &prefix);
    let read = |path: &str| String::from_utf8_lossy(&fs::read(prefix.join(path)).expect("it is there")).into_owned();
    assert_eq!(read("lib/pkgconfig/data.pc"), "prefix=${pcfiledir}/../..\n");
    assert!(read("bin/where").starts_with("#!/usr/bin/env -S sh -e\n"));
    assert!(read("bin/hello").contains("\0$ORIGIN/../lib\0"));
    scratch.envy("store verify").ok(expect![[r#"
        verified 11 blobs, 14 trees, 2 results, 2 prefixes, 0 checkouts
    "#]]);
}

#[test]
fn a_store_that_was_moved_works_after_a_build_that_builds_nothing() {
    let world = world();
    let scratch = &world.scratch;
    scratch.envy("build").succeeds();
    let moved = scratch.root().join("elsewhere");
    fs::rename(scratch.store(), &moved).expect("it is on the same file system");
    let shell = scratch.env("ENVY_STORE", &moved);
    shell.envy("build --locked").succeeds().never_says("building").says("switched site `api`");
    says_where(&shell, &prefix(&moved));
    shell.envy("store verify").succeeds();
}

#[test]
fn prefixes_of_a_moved_store_can_be_made_anew_at_once() {
    let world = world();
    let scratch = &world.scratch;
    scratch.envy("build").succeeds();
    let moved = scratch.root().join("elsewhere");
    fs::rename(scratch.store(), &moved).expect("it is on the same file system");
    let shell = scratch.env("ENVY_STORE", &moved);
    shell.envy("store verify").fails(
        4,
        expect![[r#"
        error: 1 thing in the store is not what it should be
          `prefixes/[DIGEST]`
            expected made for `[SCRATCH]/elsewhere/prefixes/[DIGEST]`
            found    made for `[SCRATCH]/data/envy/store/prefixes/[DIGEST]`
        hint: run `envy store verify --repair`, and then `envy build` in the projects that use it
    "#]],
    );
    shell.envy("store verify --repair").ok(expect![[r#"
        made anew `prefixes/[DIGEST]`
          expected made for `[SCRATCH]/elsewhere/prefixes/[DIGEST]`
          found    made for `[SCRATCH]/data/envy/store/prefixes/[DIGEST]`
        verified 11 blobs, 14 trees, 2 results, 2 prefixes, 0 checkouts
    "#]]);
    shell.envy("store verify").succeeds();
    shell.envy("build --locked").succeeds().never_says("building");
    says_where(&shell, &prefix(&moved));
}

#[test]
fn a_path_that_is_too_long_is_refused_and_nothing_is_shown() {
    let world = world();
    let scratch = &world.scratch;
    let long = scratch.root().join("s".repeat(150));
    let refused = scratch.env("ENVY_STORE", &long).envy("build");
    refused.ends(7).says("error: `bin/hello` has room for a path of 200 bytes, and that of its prefix has ");
    refused.says("hint: name a store whose path has at most 126 bytes: `ENVY_STORE=/srv/envy`\n");
    assert!(!long.join("prefixes").exists() && !scratch.path(".envy/sites/api/current").exists());
    scratch.envy("build").succeeds();
}

#[test]
fn one_flipped_bit_is_found_and_repaired() {
    let world = world();
    let scratch = &world.scratch;
    scratch.envy("build").succeeds();
    let prefix = prefix(&scratch.store());
    flip(&prefix.join("etc/conf"));
    scratch.envy("store verify").fails(
        4,
        expect![[r#"
            error: 1 thing in the store is not what it should be
              `prefixes/[DIGEST]/etc/conf`
                expected sha256:[..]
                found    sha256:[..]
            hint: run `envy store verify --repair`, and then `envy build` in the projects that use it
        "#]],
    );
    let document = scratch.envy("store verify --repair --json").succeeds().json();
    assert_eq!(document["schema"], "envy.store-verify/1");
    assert_eq!(document["damaged"][0]["repair"], "made-anew");
    says_where(&scratch.shell(), &prefix);

    // This one is a link to a blob.
    flip(&prefix.join("lib/pkgconfig/data.pc"));
    let document = scratch.envy("store verify --json").ends(4).json();
    let kinds: Vec<_> = document["damaged"].as_array().expect("a list").iter().map(|one| &one["kind"]).collect();
    assert_eq!(kinds, ["blobs", "prefixes"]);
    assert_eq!(document["damaged"][0]["repair"], serde_json::Value::Null);
    scratch.envy("store verify --repair").ok(expect![[r#"
        removed `blobs/3b/e1ea42b9776b105b38d1f9afd7aa8865b1ec98c36b1bcf29b992305023f550`
          expected sha256:[..]
          found    sha256:[..]
        removed `prefixes/[DIGEST]/lib/pkgconfig/data.pc`
          expected sha256:[..]
          found    sha256:[..]
        verified 11 blobs, 14 trees, 2 results, 2 prefixes, 0 checkouts
        note: what was removed is fetched or built again when it is needed: run `envy build`
    "#]]);
    scratch.envy("store verify").succeeds();
    scratch.envy("build --locked").succeeds().says("building data 1").never_says("building hello");
    says_where(&scratch.shell(), &prefix);
}

/// A package of C as its authors might write it: a library, a program that is linked with it, a static library with the
/// time in it, a pkg-config file, and a link with an absolute target.
const MAKEFILE: &str = "\
prefix = /usr/local
all: libgreet.so greet libplain.a
libgreet.so: greet.c
\tcc -shared -fPIC -Wl,-rpath,$(prefix)/lib -o $@ greet.c
libplain.a: greet.c
\tcc -c -o greet.o greet.c
\tar rcU $@ greet.o
greet: main.c libgreet.so
\tcc -DDATA='\"$(prefix)/share/greeting\"' -o $@ main.c -L. -lgreet -Wl,-rpath,$(prefix)/lib
install:
\tmkdir -p $(DESTDIR)$(prefix)/bin $(DESTDIR)$(prefix)/lib/pkgconfig $(DESTDIR)$(prefix)/share
\tcp greet $(DESTDIR)$(prefix)/bin/
\tcp libgreet.so libplain.a $(DESTDIR)$(prefix)/lib/
\tln -s $(DESTDIR)$(prefix)/lib/libgreet.so $(DESTDIR)$(prefix)/lib/libgreet.so.1
\techo 'prefix=$(prefix)' >$(DESTDIR)$(prefix)/lib/pkgconfig/greet.pc
\techo hello >$(DESTDIR)$(prefix)/share/greeting
";

const MAIN: &str = "\
#include <stdio.h>
int greet(FILE *);
int main(void) { FILE *file = fopen(DATA, \"r\"); return file ? greet(file) : 1; }
";

const GREET: &str = "\
#include <stdio.h>
int greet(FILE *file) { int c; while ((c = getc(file)) != EOF) putchar(c); return 0; }
";

/// A site with the package of C.
fn greeting(files: &Files) -> Scratch {
    let source =
        Tar::new().file("greet-1/Makefile", MAKEFILE).file("greet-1/main.c", MAIN).file("greet-1/greet.c", GREET);
    let source = files.put("/greet-1.tar", source.done());
    let scratch = Scratch::new();
    let greet = format!("greet = {{ version = \"1\", {source}, recipe = \"make\" }}");
    scratch.write("envy.toml", format!("[sites.api.dependencies]\n{greet}\n"));
    scratch
}

/// Builds as another user on a host of another name, where root may be that; in any case with another umask.
fn build_elsewhere(scratch: &Scratch) {
    if !rustix::process::getuid().is_root() {
        scratch.shell().sh(&format!("umask 077; {ENVY} build")).succeeds();
        return;
    }
    let nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    let script = format!("cp {ENVY} ../envy && chown -R 65534:65534 .. && exec {nobody} ../envy --version");
    if scratch.shell().sh(&script).code() != 0 {
        eprintln!("skipped: root cannot become another user here");
        return;
    }
    let build = format!("hostname elsewhere; umask 077; exec {nobody} ../envy build");
    scratch.shell().sh(&format!("unshare --uts sh -c '{build}'")).succeeds();
}

#[test]
fn a_package_of_c_is_the_same_wherever_and_by_whomever_it_is_built() {
    let files = Files::new();
    let (here, elsewhere) = (greeting(&files), greeting(&files));
    here.envy("build").succeeds();
    build_elsewhere(&elsewhere);
    assert_eq!(here.read("lockfiles/api.lock"), elsewhere.read("lockfiles/api.lock"), "it has the digests of outputs");
    assert!(here.read("lockfiles/api.lock").contains("[[package.output]]"));

    here.envy("run api -- greet").succeeds().says("hello");
    let prefix = prefix(&here.store());
    let loaded = here.shell().sh(&format!("env -i PATH=\"$PATH\" ldd {}", prefix.join("bin/greet").display()));
    let from_the_prefix = format!("libgreet.so => {}/bin/../lib/libgreet.so", prefix.display());
    assert!(loaded.succeeds().stdout().contains(&from_the_prefix), "{loaded}");
    let target = fs::read_link(prefix.join("lib/libgreet.so.1")).expect("it is a link");
    assert_eq!(target, Path::new("libgreet.so"));
    let moved = here.root().join("elsewhere");
    fs::rename(here.store(), &moved).expect("it is on the same file system");
    let shell = here.env("ENVY_STORE", &moved);
    shell.envy("build --locked").succeeds().never_says("building");
    shell.envy("run api -- greet").succeeds().says("hello");
}
