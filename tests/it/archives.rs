//! Archives as packages: what they are unpacked to, what is pinned of them, and what is refused.

use expect_test::expect;
use tar::EntryType;

use crate::packed::{Files, Tar, bomb, bzip2, gzip, script, xz, zip, zstd};
use crate::registry::checksum;
use crate::scratch::{Scratch, Snapshot};

/// A site with dependencies, one on each line.
fn site(dependencies: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("envy.toml", format!("[sites.api.dependencies]\n{dependencies}\n"));
    scratch
}

/// The `file:` address of something in the scratch directory.
fn file_url(scratch: &Scratch, name: &str) -> String {
    format!("file://{}/{name}", scratch.root().display())
}

fn lockfile(scratch: &Scratch) -> toml::Table {
    scratch.read("lockfiles/api.lock").parse().expect("a lockfile is TOML")
}

/// A program in an archive of its own: `bin/NAME`, which prints its name.
fn tool(name: &str) -> Vec<u8> {
    Tar::new().program(&format!("{name}-1.0/bin/{name}"), script(name)).done()
}

/// What the site's prefix holds.
fn prefix(scratch: &Scratch) -> Vec<String> {
    let found = scratch
        .shell()
        .sh("cd -P .envy/sites/api/current && find -L . -type f | grep -v 'generation.json\\|lockfile' | sort");
    found.stdout().lines().map(|line| line.trim_start_matches("./").to_owned()).collect()
}

#[test]
fn every_format_is_unpacked_and_its_programs_are_found() {
    let files = Files::new();
    let packed = [
        ("plain", "plain.tar", tool("plain")),
        ("gz", "gz-1.0.tar.gz", gzip(&tool("gz"))),
        ("lzma", "lzma.tar.xz", xz(&tool("lzma"))),
        ("zst", "zst.tar.zst", zstd(&tool("zst"))),
        ("bz", "bz.tar.bz2", bzip2(&tool("bz"))),
        ("zipped", "zipped.zip", zip(&[("zipped-1.0/bin/zipped", &script("zipped"))])),
        ("misnamed", "download", gzip(&tool("misnamed"))),
        ("flat", "flat.tgz", gzip(&Tar::new().file("README", "hi").program("flat", script("flat")).done())),
        ("bare", "bare", script("bare").into_bytes()),
        ("packed", "packed.gz", gzip(script("packed").as_bytes())),
    ];
    let line = |(name, file, bytes): &(&str, &str, Vec<u8>)| {
        format!("{name} = {{ version = \"1.0\", {} }}\n", files.put(&format!("/{file}"), bytes.clone()))
    };
    let scratch = site(&packed.iter().map(line).collect::<String>());

    scratch.envy("build").succeeds();

    for (name, ..) in &packed {
        scratch.envy(&format!("run api -- {name}")).says(&format!("--- stdout ---\n{name}\n"));
    }
}

#[test]
fn addresses_and_what_to_install_know_version_name_and_platform() {
    let files = Files::new();
    let arch = std::env::consts::ARCH;
    let archive = Tar::new()
        .program(&format!("tool-1.5-linux/deep/{arch}/tool"), script("tool"))
        .file("tool-1.5-linux/share/data", "data")
        .done();
    let sum = files.put(&format!("/1.5/tool-1.5-linux-{arch}.tar"), archive);
    let sum = sum.split_once(", ").expect("a url and a sum").1;
    let url = files.url("/{version}/{name}-{version}-{os}-{arch}.tar");
    let scratch = site(&format!(
        "tool = {{ url = \"{url}\", version = \"1.5\", {sum}, install = {{ \"bin/x\" = \"deep/{{arch}}/{{name}}\", \"share/{{version}}/\" = \"share/data\" }} }}",
    ));

    scratch.envy("build").succeeds();

    assert_eq!(prefix(&scratch), ["bin/x", "share/1.5/data"]);
    assert_eq!(files.requests(), [format!("GET /1.5/tool-1.5-linux-{arch}.tar 200")]);
}

#[test]
fn data_is_installed_where_the_manifest_says_and_nowhere_else() {
    let files = Files::new();
    let data = Tar::new().file("geo-2026.1/db/a.mmdb", "a").file("geo-2026.1/db/b.mmdb", "b").done();
    let geo = files.put("/geo.tar", data);
    let scratch = site(&format!("geo = {{ {geo}, version = \"2026.1\", install = {{ \"share/geo\" = \"db\" }} }}"));
    scratch.envy("build").succeeds();
    assert_eq!(prefix(&scratch), ["share/geo/a.mmdb", "share/geo/b.mmdb"]);

    scratch.write("envy.toml", format!("[sites.api.dependencies]\ngeo = {{ {geo}, version = \"2026.1\" }}\n"));
    scratch.envy("build").ends(1).says("| the source has no program, and neither bin nor sbin").says("db/a.mmdb");
    scratch.envy("run api --locked -- true").ends(3);
}

#[test]
fn what_has_no_sum_is_recorded_as_it_is_now() {
    let scratch = Scratch::new();
    let url = file_url(&scratch, "tool.tar");
    scratch.write("../tool.tar", tool("first"));
    scratch.write("envy.toml", format!("[sites.api.dependencies]\ntool = {{ url = \"{url}\" }}\n"));
    let note = format!("recording sha256:{}, as it is now", checksum(&tool("first")));
    let built = scratch.envy("build");
    assert!(built.succeeds().stderr().contains(&note), "{built}");
    let recorded = scratch.read("lockfiles/api.lock");

    scratch.write("../tool.tar", tool("second"));
    scratch.envy("build").succeeds().never_says("recording");
    scratch.envy("lock").succeeds().never_says("recording");
    assert_eq!(scratch.read("lockfiles/api.lock"), recorded, "another content is not followed");

    scratch.envy("update tool").succeeds().says("recording");
    scratch.envy("build").succeeds();
    assert_eq!(prefix(&scratch), ["bin/second"]);
}

#[test]
fn what_is_not_there_any_more_is_told_with_both_sums() {
    let scratch = Scratch::new();
    let url = file_url(&scratch, "tool.tar");
    scratch.write("../tool.tar", tool("first"));
    scratch.write("envy.toml", format!("[sites.api.dependencies]\ntool = {{ url = \"{url}\" }}\n"));
    scratch.envy("lock").succeeds();
    scratch.shell().sh("chmod -R u+w ../data && rm -r ../data/envy").succeeds();
    scratch.write("../tool.tar", tool("second"));

    let outcome = scratch.envy("build --locked");

    outcome.ends(4);
    for bytes in [tool("first"), tool("second")] {
        assert!(outcome.stderr().contains(&checksum(&bytes)), "{outcome}");
    }
}

#[test]
fn another_sum_than_the_one_asked_for_is_refused_with_both() {
    let files = Files::new();
    files.put("/tool.tar", tool("tool"));
    let sum = "0".repeat(64);
    let scratch = site(&format!("tool = {{ url = \"{}\", sha256 = \"{sum}\" }}", files.url("/tool.tar")));
    let outcome = scratch.envy("build");
    outcome.fails(
        4,
        expect![[r#"
            error: `tool 0.0.0` is not what was pinned
              from     http://127.0.0.1:[PORT]/tool.tar
              expected sha256:[..]
              received sha256:[..]
            hint: nothing of it was kept; if the new content is right, correct its `sha256` in `envy.toml`, or run `envy update` where it has none
        "#]],
    );
    for sum in [sum, checksum(&tool("tool"))] {
        assert!(outcome.stderr().contains(&sum), "{outcome}");
    }
    assert!(!scratch.path("lockfiles").exists());
    assert!(!scratch.path(".envy/sites/api/current").exists());
}

#[test]
fn what_anyone_on_the_way_could_change_needs_a_sum() {
    let files = Files::new();
    let scratch = site(&format!("tool = {{ url = \"{}\" }}", files.url("/tool.tar")));
    scratch.envy("build").fails(
        1,
        expect![[r#"
            error: `envy.toml` has 1 error
              envy.toml:2:16: what comes over http needs its `sha256`
                2 | tool = { url = "http://127.0.0.1:[PORT]/tool.tar" }
                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            hint: add `sha256 = "…"`, or take it from https
        "#]],
    );
    assert_eq!(files.requests(), [""; 0]);
}

#[test]
fn each_platform_has_its_own_archive_and_fetch_brings_them_all() {
    let files = Files::new();
    let (x86, arm) = (files.put("/x86.tar", tool("tool")), files.put("/arm.tar", tool("other")));
    let scratch = Scratch::new();
    scratch.write(
        "envy.toml",
        format!(
            "[project]\nplatforms = [\"x86_64-linux-gnu\", \"aarch64-linux-gnu\"]\n\n\
             [sites.api.dependencies.tool]\nurl = \"https://example.org/none.tar\"\nversion = \"1.0\"\n\
             platform.x86_64-linux-gnu = {{ {x86} }}\nplatform.aarch64-linux-gnu = {{ {arm} }}\n",
        ),
    );

    scratch.envy("lock").succeeds();

    let locked = lockfile(&scratch);
    let platforms = locked["package"][0]["platform"].as_array().expect("one for each platform").iter();
    let of =
        |one: &toml::Value| [&one["platform"], &one["archive"]].map(|it| it.as_str().unwrap_or_default().to_owned());
    let expected = [("x86_64-linux-gnu", tool("tool")), ("aarch64-linux-gnu", tool("other"))];
    let expected = expected.map(|(platform, bytes)| [platform.to_owned(), format!("sha256:{}", checksum(&bytes))]);
    assert_eq!(platforms.map(of).collect::<Vec<_>>(), expected);

    let anew = "chmod -R u+w ../data && rm -r ../data/envy";
    scratch.shell().sh(anew).succeeds();
    files.forget_requests();
    scratch.envy("fetch").succeeds();
    assert_eq!(files.requests().len(), 1, "this host's alone");
    scratch.shell().sh(anew).succeeds();
    scratch.envy("fetch --all-platforms").succeeds();
    assert_eq!(files.requests().len(), 3, "both");
    files.go_away();
    scratch.envy("build --locked --offline").succeeds();
}

#[test]
fn directories_are_taken_off_as_the_manifest_says() {
    let files = Files::new();
    let deep = Tar::new().program("a/b/bin/tool", script("tool")).file("a/b/README", "").done();
    let strip = |count: &str| format!("tool = {{ {}{count} }}", files.put("/deep.tar", deep.clone()));
    let scratch = site(&strip(", strip = 2"));
    scratch.envy("build").succeeds();
    assert_eq!(prefix(&scratch), ["bin/tool"]);

    scratch.write("envy.toml", format!("[sites.api.dependencies]\n{}\n", strip(", strip = 3")));
    scratch.envy("build").fails(
        1,
        expect![[r#"
            error: could not unpack `deep.tar`
              caused by: the archive's entry `README` lies above the directories that are to be taken off
        "#]],
    );
}

#[test]
fn the_source_of_a_crate_is_built_by_cargo() {
    let files = Files::new();
    let lock = "version = 4\n\n[[package]]\nname = \"hello\"\nversion = \"1.0.0\"\n";
    let source = Tar::new()
        .file("hello-src/Cargo.toml", "[package]\nname = \"hello\"\nversion = \"1.0.0\"\nedition = \"2021\"\n")
        .file("hello-src/Cargo.lock", lock)
        .file("hello-src/src/main.rs", "fn main() { println!(\"hello from an archive\") }\n")
        .done();
    let hello = files.put("/hello.tar.zst", zstd(&source));
    let scratch = site(&format!("hello = {{ {hello}, version = \"1.0.0\", recipe = \"cargo\" }}"));
    scratch.envy("run api -- hello").succeeds().says("hello from an archive");
    assert!(lockfile(&scratch).contains_key("toolchain"));

    scratch.write("envy.toml", scratch.read("envy.toml").replace(&hello, &files.put("/tool.tar", tool("tool"))));
    scratch.envy("lock").ends(1).says("`hello 1.0.0` has no `Cargo.toml`");
}

/// What lies outside of the project, the store and the cache.
fn outside(scratch: &Scratch) -> [Snapshot; 3] {
    ["../home", "../config", "../tmp"].map(|directory| scratch.snapshot(directory))
}

#[test]
fn archives_that_reach_out_are_refused_by_name() {
    let files = Files::new();
    let good = || Tar::new().program("tool-1.0/bin/tool", script("tool"));
    let hostile = [
        ("parent", good().program("tool-1.0/../../../escaped", "x").done(), "`tool-1.0/../../../escaped`"),
        ("absolute", good().program("/tmp/envy-escaped-archive", "x").done(), "`/tmp/envy-escaped-archive`"),
        ("symlink", good().special(EntryType::Symlink, "tool-1.0/out", "../../..").done(), "`tool-1.0/out`"),
        ("hard", good().special(EntryType::Link, "tool-1.0/passwd", "/etc/passwd").done(), "`tool-1.0/passwd`"),
        ("device", good().special(EntryType::Char, "tool-1.0/null", "").done(), "`tool-1.0/null`"),
        ("pipe", good().special(EntryType::Fifo, "tool-1.0/pipe", "").done(), "`tool-1.0/pipe`"),
        ("bomb", bomb(300), "unpacks to more than it may"),
        ("page", b"<!DOCTYPE html><title>Sign in</title>".to_vec(), "is no tar or zip archive"),
        ("zip", zip(&[("bin/tool", "x"), ("../escaped", "x")]), "`../escaped`"),
    ];
    for (name, bytes, named) in hostile {
        let tool = files.put(&format!("/{name}.tar.gz"), bytes);
        let scratch = site(&format!("tool = {{ {tool}, version = \"1.0\" }}"));
        let before = outside(&scratch);

        let outcome = scratch.envy("build");

        outcome.ends(1).says(&format!("{name}.tar")).says(named);
        for (before, now) in before.iter().zip(outside(&scratch)) {
            before.is_still(&now);
        }
        assert!(!scratch.root().join("escaped").exists() && !scratch.path("lockfiles").exists(), "{name}");
    }
    assert!(!std::path::Path::new("/tmp/envy-escaped-archive").exists());
}

#[test]
fn a_site_of_archives_alone_needs_no_rust_anywhere() {
    let files = Files::new();
    let scratch = site(&format!("tool = {{ {}, version = \"1.0\" }}", files.put("/tool.tar", tool("tool"))));
    let shell = scratch.without_rust();

    shell.envy("run api -- tool").succeeds().says("--- stdout ---\ntool\n");

    assert!(!lockfile(&scratch).contains_key("toolchain"));
    shell.envy("status").succeeds();
    shell.envy("update").succeeds();
    shell.envy("build --locked --offline").succeeds();
}

/// An output's needs in the lockfile.
fn needs(scratch: &Scratch) -> toml::Value {
    lockfile(scratch)["package"][0]["output"][0]["needs"].clone()
}

#[test]
fn what_a_program_needs_of_the_host_is_recorded() {
    let scratch = Scratch::new();
    scratch.write("../main.c", "#include <stdio.h>\nint main(void) { puts(\"from C\"); }\n");
    scratch.shell().sh("cc -o ../tool ../main.c").succeeds();
    let url = file_url(&scratch, "tool");
    scratch.write("envy.toml", format!("[sites.api.dependencies]\ntool = {{ url = \"{url}\" }}\n"));
    scratch.envy("run api -- tool").succeeds().says("from C");
    assert!(needs(&scratch)["glibc"].as_str().is_some_and(|version| version.starts_with("2.")));
}

#[test]
fn a_host_that_lacks_something_is_told_so_before_anything_is_shown() {
    let scratch = Scratch::new();
    let url = |name: &str| file_url(&scratch, name);
    // A C library of the future, and a program that wants something of it.
    scratch.write("../libc.c", "int of_the_future(void) { return 0; }\n");
    scratch.write("../libc.map", "GLIBC_2.99 { of_the_future; };\n");
    scratch.write("../start.c", "int of_the_future(void);\nvoid _start(void) { of_the_future(); }\n");
    scratch.write("../missing.c", "int there(void) { return 0; }\n");
    scratch.write("../main.c", "int there(void);\nint main(void) { return there(); }\n");
    scratch
        .in_dir("..")
        .sh("cc -shared -nostdlib -Wl,-soname,libc.so.6 -Wl,--version-script=libc.map -o new.so libc.c &&
            cc -nostdlib -o new start.c new.so &&
            cc -shared -Wl,-soname,libthere.so.7 -o libthere.so missing.c && cc -o lacking main.c libthere.so")
        .succeeds();
    scratch.write("../old", script("old"));
    let wants = |name: &str| {
        scratch.write("envy.toml", format!("[sites.api.dependencies]\ntool = {{ url = \"{}\" }}\n", url(name)));
    };
    wants("old");
    scratch.envy("build").succeeds();
    let before = scratch.snapshot(".envy/sites/api/current");
    let locked = scratch.read("lockfiles/api.lock");

    wants("new");
    let outcome = scratch.envy("build");
    outcome.ends(7).says("`bin/new` needs glibc 2.99 (symbol `of_the_future@GLIBC_2.99`), this host has 2.");
    wants("lacking");
    scratch.envy("build").fails(
        7,
        expect![[r#"
            fetched 1 file (16.0 kB)
            note: `tool 0.0.0` has no `sha256` in `envy.toml`; recording sha256:[..], as it is now
            locked 1 package for site `api`
              ~ tool 0.0.0, from archive+file://[SCRATCH]/lacking instead of archive+file://[SCRATCH]/old
            building tool 0.0.0
            built tool 0.0.0 in [TIME]
            error: this host cannot run what the lockfile pins
              tool 0.0.0: `bin/lacking` needs `libthere.so.7`, which neither the prefix nor this host has
            hint: install what this host lacks, or use a source that builds the package here
        "#]],
    );

    before.is_still(&scratch.snapshot(".envy/sites/api/current"));
    assert_eq!(scratch.read("lockfiles/api.lock"), locked);
    scratch.shell().sh(".envy/sites/api/current/bin/old").says("old");
}

#[test]
fn versions_are_whatever_projects_call_them() {
    let files = Files::new();
    let line = |name: &str, version: &str| {
        let put = files.put(&format!("/{name}-{version}.tar"), tool(name));
        let sum = put.split_once(", ").expect("a url and a sum").1;
        format!("{name} = {{ url = \"{}\", version = \"{version}\", {sum} }}\n", files.url("/{name}-{version}.tar"))
    };
    let scratch = site(&(line("date", "2026.01") + &line("release", "r12") + &line("ssl", "1.1.1w")));

    scratch.envy("build").succeeds().says("+ date 2026.01").says("+ release r12").says("+ ssl 1.1.1w");

    let locked = lockfile(&scratch);
    let versions: Vec<_> =
        locked["package"].as_array().expect("three").iter().map(|one| one["version"].as_str()).collect();
    assert_eq!(versions, [Some("2026.01"), Some("r12"), Some("1.1.1w")]);
    scratch.envy("build --locked").succeeds();
    scratch.write("envy.toml", scratch.read("envy.toml").replace("r12", "r13"));
    scratch.envy("build --locked").ends(3).says("`release` is required at =r13, but locked at r12");
}

#[test]
fn an_archive_is_added_by_its_address() {
    let scratch = Scratch::new();
    scratch.write("envy.toml", "[sites.api]\n").write("../tool-1.5.tar", tool("tool"));
    let url = file_url(&scratch, "tool-{version}.tar");

    scratch.envy(&format!("add --url {url} --version 1.5 --site api")).succeeds().says("+ tool 1.5");

    scratch.envy("run api --locked -- tool").says("--- stdout ---\ntool\n");
    let before = scratch.snapshot("");
    let (url, sum) = (file_url(&scratch, "tool-1.5.tar"), "0".repeat(64));
    scratch.envy(&format!("add other --url {url} --sha256 {sum} --site api")).ends(4);
    scratch.envy("add other --url http://127.0.0.1:9/other.tar --site api").ends(1).says("needs its `sha256`");
    scratch.envy(&format!("add other@1 --url {} --site api", file_url(&scratch, "gone.tar"))).ends(1).says("gone.tar");
    before.is_still(&scratch.snapshot(""));
}

#[test]
fn another_sum_or_another_place_to_install_to_is_drift() {
    let files = Files::new();
    let (first, second) = (files.put("/tool.tar", tool("first")), files.put("/tool.tar", tool("second")));
    let scratch = site(&format!("tool = {{ {second}, version = \"1.0\" }}"));
    scratch.envy("build").succeeds();

    scratch.write("envy.toml", scratch.read("envy.toml").replace(&second, &first));
    scratch.envy("build --locked").fails(
        3,
        expect![[r#"
        error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
          `tool` shall be sha256:[..], but is locked to another archive
        hint: run `envy lock api` and review the difference
    "#]],
    );
    scratch.envy("build").ends(4);
    scratch.write("envy.toml", scratch.read("envy.toml").replace(&first, &format!("{second}, install.bin = \"bin\"")));
    scratch.envy("build --locked").ends(3).says("`tool` is locked with other params");
    scratch.envy("build").succeeds();
    assert_eq!(prefix(&scratch), ["bin/second"]);
}

#[test]
fn a_directory_of_an_archive_can_be_meant() {
    let files = Files::new();
    let two = Tar::new().program("all/one/bin/one", script("one")).program("all/two/bin/two", script("two")).done();
    let scratch = site(&format!("two = {{ {}, version = \"1.0\", subdir = \"two\" }}", files.put("/all.tar", two)));
    scratch.envy("build").succeeds();
    assert_eq!(prefix(&scratch), ["bin/two"]);
}

#[test]
fn sites_with_one_archive_fetch_and_build_it_once() {
    let files = Files::new();
    let tool = files.put("/tool.tar", tool("tool"));
    let scratch = site(&format!(
        "tool = {{ {tool}, version = \"1.0\" }}\n\n[sites.web.dependencies]\ntool = {{ {tool}, version = \"1.0\" }}"
    ));
    let outcome = scratch.envy("build");
    assert_eq!(outcome.succeeds().stderr().matches("built tool").count(), 1, "{outcome}");
    assert_eq!(files.requests().len(), 1);
}
