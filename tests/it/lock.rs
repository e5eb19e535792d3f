//! Lockfiles: what moves and what does not, what cannot be locked, and how drift is told.

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::scratch::Scratch;

/// A project with one site that requires these.
fn site(registry: &Registry, dependencies: &str) -> Scratch {
    let scratch = Scratch::with(registry);
    require(&scratch, dependencies);
    scratch
}

fn require(scratch: &Scratch, dependencies: &str) {
    scratch.write("envy.toml", format!("[sites.api.dependencies]\n{dependencies}\n"));
}

fn hello(registry: &Registry, versions: &[&str]) {
    for version in versions {
        registry.publish(Crate::new("hello", version).bin("hello"));
    }
}

/// The versions in the lockfile of the site.
fn locked(scratch: &Scratch) -> Vec<String> {
    let document: toml::Table = scratch.read("lockfiles/api.lock").parse().expect("a lockfile is TOML");
    let packages = document["package"].as_array().expect("packages");
    let text = |value: &toml::Value| value.as_str().expect("a text").to_owned();
    packages.iter().map(|package| format!("{} {}", text(&package["name"]), text(&package["version"]))).collect()
}

#[test]
fn a_new_version_moves_nothing_that_is_locked() {
    let registry = Registry::new();
    hello(&registry, &["1.0.0"]);
    registry.publish(Crate::new("just", "1.40.0").bin("just"));
    let scratch = site(&registry, "hello = '1'");
    scratch.envy("lock").succeeds();
    hello(&registry, &["1.1.0"]);
    let before = scratch.read("lockfiles/api.lock");

    scratch.envy("lock").ok(expect![[r#"
        unchanged lockfile of site `api`
    "#]]);
    assert_eq!(scratch.read("lockfiles/api.lock"), before);
    require(&scratch, "hello = '1'\njust = '1'");
    scratch.envy("lock").ok(expect![[r#"
        fetched 1 file (702 B)
        locked 2 packages for site `api`
          + just 1.40.0
    "#]]);
    require(&scratch, "hello = '>=1.0'\njust = '1'");
    scratch.envy("lock").ok(expect![[r#"
        locked 2 packages for site `api`
    "#]]);
    assert_eq!(locked(&scratch), ["hello 1.0.0", "just 1.40.0"]);
    require(&scratch, "hello = '1.1'\njust = '1'");
    scratch.envy("lock").ok(expect![[r#"
        fetched 1 file (702 B)
        locked 2 packages for site `api`
          ~ hello 1.0.0 -> 1.1.0
    "#]]);
}

#[test]
fn the_same_lockfile_comes_of_the_same_manifest() {
    let registry = Registry::new();
    hello(&registry, &["1.0.0"]);
    let text = || {
        let scratch = site(&registry, "hello = '1'");
        scratch.envy("build").succeeds();
        scratch.read("lockfiles/api.lock")
    };
    let first = text();
    assert_eq!(first, text());
    let mut shape: String = first.lines().map(|line| line.split_inclusive(" = ").next().expect("a line") .to_owned() + "\n").collect();
    shape = shape.replace("1.95.0", "");
    expect![[""]].assert_eq(&shape);
}

#[test]
fn yanked_versions_are_taken_only_where_they_are_locked() {
    let registry = Registry::new();
    hello(&registry, &["1.0.0", "1.1.0"]);
    let scratch = site(&registry, "hello = '1'");
    scratch.envy("lock").succeeds();
    registry.yank("hello", "1.1.0").publish(Crate::new("just", "1.40.0").bin("just"));

    require(&scratch, "hello = '1'\njust = '1'");
    scratch.envy("lock").succeeds();
    assert_eq!(locked(&scratch), ["hello 1.1.0", "just 1.40.0"]);

    scratch.envy("update").ok(expect![[r#"
        unchanged lockfile of site `api`
    "#]]);
    std::fs::remove_file(scratch.path("lockfiles/api.lock")).expect("it was there");
    scratch.envy("lock").ok(expect![[r#"
        note: hello 1.1.0 is passed over: it is yanked
        fetched 1 file (702 B)
        locked 2 packages for site `api`
          + hello 1.0.0
          + just 1.40.0
    "#]]);
    require(&scratch, "hello = '=1.1.0'");
    std::fs::remove_file(scratch.path("lockfiles/api.lock")).expect("it was there");
    scratch.envy("lock").fails(6, expect![[r#"
        error: no choice of packages satisfies site `api`
          site `api` requires hello =1.1.0
          hello 1.1.0 would fit, but is yanked
          the only version of hello is 1.0.0
        hint: ask for hello ^1.0 in `envy.toml`
    "#]]);
}

#[test]
fn pre_releases_are_taken_only_if_asked_for() {
    let registry = Registry::new();
    hello(&registry, &["1.0.0", "1.1.0-rc.1"]);
    registry.publish(Crate::new("early", "0.1.0-alpha.1").bin("early"));
    let scratch = site(&registry, "hello = '1'");
    scratch.envy("lock").succeeds();
    assert_eq!(locked(&scratch), ["hello 1.0.0"]);
    require(&scratch, "hello = '1.1.0-rc'");
    scratch.envy("lock").succeeds();
    assert_eq!(locked(&scratch), ["hello 1.1.0-rc.1"]);
    require(&scratch, "early = '0.1'");
    scratch.envy("lock").fails(6, expect![[r#"
        error: no choice of packages satisfies site `api`
          site `api` requires early ^0.1
          early has only pre-releases, up to 0.1.0-alpha.1, and they are taken only if asked for
        hint: ask for early =0.1.0-alpha.1 in `envy.toml`
    "#]]);
    scratch.envy("add early --site api --no-build").fails(6, expect![[r#"
        error: what is asked for cannot be had
          `envy add` requires early *
          early has only pre-releases, up to 0.1.0-alpha.1, and they are taken only if asked for
    "#]]);
}

#[test]
fn a_version_for_a_newer_rust_is_passed_over_and_that_is_said() {
    let registry = Registry::new();
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    registry.publish(Crate::new("hello", "1.1.0").bin("hello").rust_version("1.200"));
    registry.publish(Crate::new("future", "1.0.0").bin("future").rust_version("1.200"));
    let scratch = site(&registry, "hello = '1'");
    let rust = scratch.shell().sh("rustc -V").stdout().split(' ').nth(1).expect("a version").to_owned();
    let check = |text: String, expected: expect_test::Expect| expected.assert_eq(&text.replace(&rust, "[RUST]"));

    check(scratch.envy("lock").succeeds().text(), expect![[r#"
        note: hello 1.1.0 is passed over: it needs rust 1.200.0, and the toolchain is [RUST]
        fetched 1 file (702 B)
        locked 1 package for site `api`
          + hello 1.0.0
    "#]]);
    require(&scratch, "hello = '1.1'");
    check(scratch.envy("lock").ends(6).text(), expect![[r#"
        error: no choice of packages satisfies site `api`
          site `api` requires hello ^1.1
          hello 1.1.0 would fit, but needs rust 1.200.0, and the toolchain is [RUST]
          the only version of hello is 1.0.0
        hint: ask for hello ^1.0 in `envy.toml`
    "#]]);
    check(scratch.envy("add future --site api").ends(6).text(), expect![[r#"
        error: what is asked for cannot be had
          `envy add` requires future *
          future 1.0.0 would fit, but needs rust 1.200.0, and the toolchain is [RUST]
    "#]]);
}

#[test]
fn requirements_that_exclude_each_other_are_told_in_sentences() {
    let registry = Registry::new();
    hello(&registry, &["0.9.0", "1.0.0", "2.0.0"]);
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "[dependencies]\nhello = '1'\n[sites.api.dependencies]\nhello = '2'\n");
    scratch.envy("lock").fails(6, expect![[r#"
        error: no choice of packages satisfies site `api`
          every site requires hello ^1
          site `api` requires hello ^2
        hint: change one of the requirements of `hello` in `envy.toml`
    "#]]);
    scratch.write("envy.toml", "[dependencies]\nhello = '1'\n[sites.api.dependencies]\nhello = '>=0.9, <2'\n");
    scratch.envy("lock").succeeds();
    assert_eq!(locked(&scratch), ["hello 1.0.0"]);
    require(&scratch, "hello = '3'");
    scratch.envy("lock").fails(6, expect![[r#"
        error: no choice of packages satisfies site `api`
          site `api` requires hello ^3
          the versions of hello go from 0.9.0 to 2.0.0
        hint: ask for hello ^2.0 in `envy.toml`
    "#]]);
    scratch.write("envy.toml", "[dependencies]\nhello = '3'\n[sites.api.dependencies]\nhello = '2'\n");
    scratch.envy("lock").fails(6, expect![[r#"
        error: no choice of packages satisfies site `api`
          every site requires hello ^3
          site `api` requires hello ^2
          the versions of hello go from 0.9.0 to 2.0.0
        hint: ask for hello ^2.0 in `envy.toml`
    "#]]);
}

#[test]
fn a_crate_that_does_not_exist_is_told_with_names_like_it() {
    let registry = Registry::new();
    hello(&registry, &["1.0.0"]);
    registry.publish(Crate::new("cargo-binutils", "0.3.0").bin("cargo-binutils"));
    let scratch = site(&registry, "hello = '1'");
    scratch.envy("lock").succeeds();
    let before = scratch.snapshot("");

    scratch.envy("add hallo --site api").fails(6, expect![[r#"
        error: what is asked for cannot be had
          `envy add` requires hallo *
          crates.io has no crate `hallo`; there is `hello`
    "#]]);
    scratch.envy("add hallo@1 --site api").fails(6, expect![[r#"
        error: no choice of packages satisfies site `api`
          site `api` requires hallo ^1
          crates.io has no crate `hallo`; there is `hello`
        hint: write `hello` instead of `hallo` in `envy.toml`
    "#]]);
    scratch.envy("add cargo_binutils --site api").fails(6, expect![[r#"
        error: what is asked for cannot be had
          `envy add` requires cargo_binutils *
          crates.io has no crate `cargo_binutils`; there is `cargo-binutils`
    "#]]);
    scratch.envy("add something-else --site api").fails(6, expect![[r#"
        error: what is asked for cannot be had
          `envy add` requires something-else *
          crates.io has no crate `something-else`
    "#]]);
    before.is_still(&scratch.snapshot(""));
}

#[test]
fn a_library_is_not_a_package_of_a_site() {
    let registry = Registry::new();
    registry.publish(Crate::new("serde", "1.0.0").lib());
    let scratch = site(&registry, "");
    scratch.envy("add serde --site api").fails(1, expect![[r#"
        fetched 1 file (317 B)
        error: crate `serde 1.0.0` has no program: it is a library
        hint: libraries belong into a `Cargo.toml`; take `serde` out of `envy.toml`
    "#]]);
}

#[test]
fn programs_and_features_that_a_crate_does_not_have_are_refused_when_locking() {
    let registry = Registry::new();
    registry.publish(Crate::new("many", "1.0.0").bin("many").bin("other").feature("loud", &[]));
    let scratch = site(&registry, "many = { version = '1', features = ['laud'] }");
    scratch.envy("lock").fails(1, expect![[r#"
        fetched 1 file (785 B)
        error: crate `many 1.0.0` has no feature `laud`; did you mean `loud`?
        hint: ask for feature `loud`
    "#]]);
    require(&scratch, "many = { version = '1', bins = ['third'] }");
    scratch.envy("lock").fails(1, expect![[r#"
        error: crate `many 1.0.0` has no program `third`; it has `many`, `other`
    "#]]);
    require(&scratch, "many = { version = '1', binz = ['third'] }");
    scratch.envy("lock").fails(1, expect![[r#"
        error: `envy.toml` has 1 error
          envy.toml:2:25: unknown key `binz`
            2 | many = { version = '1', binz = ['third'] }
                                        ^^^^
        hint: did you mean `bins`?
    "#]]);
    require(&scratch, "many = { version = '1', params = { featurs = ['loud'] } }");
    scratch.envy("lock").fails(1, expect![[r#"
        error: recipe `cargo` has no param `featurs`; did you mean `features`?
        hint: write `features` in `envy.toml`
    "#]]);
}

#[test]
fn a_crate_without_a_cargo_lock_gets_one_when_it_is_locked_and_builds_with_it() {
    let registry = Registry::new();
    registry.publish(Crate::new("greet", "1.0.0").lib());
    let main = "fn main() { println!(\"with {}\", greet::name()) }\n";
    registry.publish(Crate::new("bare", "1.0.0").bin("bare").dep("greet", "1").file("src/main.rs", main).without_lock());
    let scratch = site(&registry, "bare = '1'");

    scratch.envy("lock").ok(expect![[r#"
        fetched 1 file (368 B)
        note: crate `bare 1.0.0` ships no Cargo.lock that fits it; making one
        locked 1 package for site `api`
          + bare 1.0.0
    "#]]);
    registry.publish(Crate::new("greet", "1.1.0").lib());
    let generated = scratch.read("lockfiles/api/bare.Cargo.lock");
    assert!(generated.contains(&registry.checksum("greet", "1.0.0")));
    scratch.envy("build").succeeds();
    scratch.envy("run api -- bare").ok(expect![[r#"
        --- stdout ---
        with greet 1.0.0
    "#]]);

    // A hand that changes it is told, and what it breaks is mended.
    scratch.write("lockfiles/api/bare.Cargo.lock", generated.replace("greet", "great"));
    scratch.envy("build --locked").fails(3, expect![[r#"
        error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
          `lockfiles/api/bare.Cargo.lock` is not the Cargo.lock that `bare` was locked with
        hint: run `envy lock api` and review the difference
    "#]]);
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 1, drifted
          bare 1.0.0 (new)
          ! `lockfiles/api/bare.Cargo.lock` is not the Cargo.lock that `bare` was locked with
          `envy build api` mends it
    "#]]);
    std::fs::remove_file(scratch.path("lockfiles/api/bare.Cargo.lock")).expect("it was there");
    scratch.envy("lock --check").fails(3, expect![[r#"
        error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
          `lockfiles/api/bare.Cargo.lock` is not the Cargo.lock that `bare` was locked with
        hint: run `envy lock api` and review the difference
    "#]]);
    scratch.envy("lock").ok(expect![[r#"
        unchanged lockfile of site `api`
    "#]]);
    scratch.envy("lock --check").succeeds();

    require(&scratch, "");
    scratch.envy("lock").succeeds();
    assert!(!scratch.path("lockfiles/api/bare.Cargo.lock").exists(), "it goes with its package");
}

#[test]
fn a_cargo_lock_that_does_not_fit_its_manifest_is_made_anew() {
    let registry = Registry::new();
    registry.publish(Crate::new("greet", "1.0.0").lib());
    let old = "version = 4\n\n[[package]]\nname = \"stale\"\nversion = \"1.0.0\"\n";
    registry.publish(Crate::new("stale", "1.0.0").bin("stale").dep("greet", "1").lock(old));
    let scratch = site(&registry, "stale = '1'");
    scratch.envy("lock").ok(expect![[r#"
        fetched 1 file (656 B)
        note: crate `stale 1.0.0` ships no Cargo.lock that fits it; making one
        locked 1 package for site `api`
          + stale 1.0.0
    "#]]);
    assert!(scratch.read("lockfiles/api/stale.Cargo.lock").contains("greet"));
}

#[test]
fn a_crate_whose_cargo_lock_leads_elsewhere_is_refused() {
    let registry = Registry::new();
    let lock = |source: &str| {
        format!(
            "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"1.0.0\"\ndependencies = [\n \"fork\",\n]\n\n[[package]]\nname = \"fork\"\nversion = \"0.1.0\"\nsource = \"{source}\"\n"
        )
    };
    let app = || Crate::new("app", "1.0.0").bin("app").manifest("[dependencies]\nfork = { version = \"0.1\", git = \"https://example.org/fork.git\" }\n");
    registry.publish(app().lock(&lock("git+https://example.org/fork.git#4f1c0d2e4f1c0d2e4f1c0d2e4f1c0d2e4f1c0d2e")));
    let scratch = site(&registry, "app = '1'");
    scratch.envy("lock").fails(1, expect![[r#"
        fetched 1 file (741 B)
        error: the Cargo.lock of `app 1.0.0` takes `fork` from git+https://example.org/fork.git#4f1c0d2e4f1c0d2e4f1c0d2e4f1c0d2e4f1c0d2e, and this version of envy builds with crates of crates.io only
    "#]]);
    registry.publish(app().lock(&lock("registry+https://crates.example.org/index")));
    scratch.envy("lock").fails(1, expect![[r#"
        fetched 1 file (748 B)
        error: the Cargo.lock of `app 1.0.0` takes `fork` from registry+https://crates.example.org/index, and this version of envy builds with crates of crates.io only
    "#]]);
}

#[test]
fn drift_is_told_entry_by_entry() {
    let registry = Registry::new();
    hello(&registry, &["1.0.0"]);
    for name in ["gone", "just", "many"] {
        registry.publish(Crate::new(name, "1.0.0").bin(name).feature("loud", &[]));
    }
    let scratch = site(&registry, "hello = '1'\ngone = '1'\nmany = '1'");
    scratch.envy("lock").succeeds();
    let before = scratch.snapshot("");
    let manifest = "[toolchain]\nrust = '<1.80'\n[sites.api.dependencies]\nhello = '2'\njust = '1'\nmany = { version = '1', features = ['loud'] }\n";
    scratch.write("envy.toml", manifest);
    let rust = scratch.shell().sh("rustc -V").stdout().trim().trim_start_matches("rustc ").to_owned();

    let text = scratch.envy("build --locked").ends(3).text().replace(&rust, "[RUST]");
    expect![[r#"
        error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
          `hello` is required at ^2, but locked at 1.0.0
          `just` is required, but not locked
          `many` is locked with other params, or with another text of recipe `cargo`
          `gone` is locked, but nothing requires it
          rust is required at <1.80, but locked at [RUST]
        hint: run `envy lock api` and review the difference
    "#]].assert_eq(&text);
    scratch.envy("lock --check").ends(3);
    scratch.envy("run api --locked -- hello").ends(3);
    let text = scratch.envy("status").succeeds().text().replace(&rust, "[RUST]");
    expect![[r#"
        --- stdout ---
        api: not built
          ! `hello` is required at ^2, but locked at 1.0.0
          ! `just` is required, but not locked
          ! `many` is locked with other params, or with another text of recipe `cargo`
          ! `gone` is locked, but nothing requires it
          ! rust is required at <1.80, but locked at [RUST]
          `envy build api` mends it
    "#]].assert_eq(&text);

    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = '1'\ngone = '1'\nmany = { version = '1', without = ['bin/many'] }\n");
    scratch.envy("lock --check").fails(3, expect![[r#"
        error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
          the platforms, or what is left out of a package, changed in `envy.toml`
        hint: run `envy lock api` and review the difference
    "#]]);
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = '1'\ngone = '1'\nmany = '1'\n");
    before.is_still(&scratch.snapshot(""));
    scratch.envy("lock --check").succeeds();
}

#[test]
fn a_lockfile_that_is_missing_is_named() {
    let registry = Registry::new();
    hello(&registry, &["1.0.0"]);
    let scratch = site(&registry, "hello = '1'");
    scratch.envy("build --locked").fails(3, expect![[r#"
        error: lockfile `lockfiles/api.lock` is missing
        hint: run `envy lock api` and commit the file that it writes
    "#]]);
    scratch.envy("lock --check").ends(3);
    assert!(registry.requests().is_empty(), "nothing is asked for before that");
    assert!(!scratch.path(".envy").exists() && !scratch.store().exists(), "nothing is written");
}

#[test]
fn lockfiles_that_cannot_be_read_are_told_apart() {
    let registry = Registry::new();
    hello(&registry, &["1.0.0"]);
    let scratch = site(&registry, "hello = '1'");
    scratch.envy("lock").succeeds();
    let good = scratch.read("lockfiles/api.lock");
    let with = |text: String| {
        scratch.write("lockfiles/api.lock", &text);
        let outcome = scratch.envy("build --locked");
        assert_eq!(scratch.envy("lock").code(), 3, "what cannot be read is not replaced unasked");
        assert_eq!(scratch.read("lockfiles/api.lock"), text);
        outcome
    };

    let ours = good.lines().nth(2).expect("it has lines");
    with(good.replace(ours, &format!("<<<<<<< HEAD\n{ours}\n=======\nrequirements = \"sha256:0\"\n>>>>>>> theirs"))).fails(3, expect![[r#"
        error: lockfile `lockfiles/api.lock` holds conflict markers of a merge (line 3)
        hint: merge `envy.toml` first; then `git checkout --ours lockfiles/api.lock && envy lock` keeps your versions and adds what is missing
    "#]]);
    with(good[..good.len() / 2].to_owned()).fails(3, expect![[r#"
        error: lockfile `lockfiles/api.lock` cannot be read
          caused by: TOML parse error at line 13, column 12
               |
            13 | version = "
               |            ^
            invalid basic string, expected `"`
        hint: restore it: `git checkout lockfiles/api.lock`
    "#]]);
    with(good.replace("version = 1\n", "version = 2\n")).fails(3, expect![[r#"
        error: lockfile `lockfiles/api.lock` has format version 2; this envy reads version 1
        hint: use the envy that wrote it, or a later one
    "#]]);
    with(good.replace("crates = \"sha256:", "crates = \"sha256:zz")).fails(3, expect![[r#"
        error: lockfile `lockfiles/api.lock` cannot be read
          caused by: `sha256:zzb2d5fd91eaaa6d55c60bf92af3db23a204a0d8d448fb24610b485e8801c91d73` is not `sha256:` and 64 lowercase hexadecimal digits
        hint: restore it: `git checkout lockfiles/api.lock`
    "#]]);
    with(good.replace("[[package]]", "[[packages]]")).fails(3, expect![[r#"
        error: lockfile `lockfiles/api.lock` cannot be read
          caused by: TOML parse error at line 11, column 3
               |
            11 | [[packages]]
               |   ^^^^^^^^
            unknown field `packages`, expected one of `version`, `requirements`, `toolchain`, `package`, `prefix`
        hint: restore it: `git checkout lockfiles/api.lock`
    "#]]);
    with(String::new()).fails(3, expect![[r#"
        error: lockfile `lockfiles/api.lock` cannot be read
          caused by: TOML parse error at line 1, column 1
              |
            1 | 
              | ^
            missing field `version`
        hint: restore it: `git checkout lockfiles/api.lock`
    "#]]);
    with("\0\u{1}".to_owned()).ends(3);
    scratch.write("lockfiles/api.lock", [0xff, 0xfe]).envy("build --locked").fails(3, expect![[""]]);
    scratch.write("lockfiles/api.lock", good).envy("lock --check").succeeds();
}

#[test]
fn two_people_who_add_different_packages_merge_cleanly() {
    let registry = Registry::new();
    for name in ["bat", "hello", "zoo"] {
        registry.publish(Crate::new(name, "1.0.0").bin(name));
    }
    let scratch = site(&registry, "hello = '1'");
    scratch.envy("lock").succeeds();
    let git = |command: &str| scratch.shell().sh(&format!("git {command}")).succeeds().text();
    git("init -q && git add envy.toml lockfiles && git commit -qm base && git checkout -qb theirs");
    require(&scratch, "hello = '1'\n\n\nzoo = '1'");
    scratch.envy("lock").succeeds();
    git("commit -qam zoo && git checkout -q main");
    require(&scratch, "bat = '1'\n\n\nhello = '1'");
    scratch.envy("lock").succeeds();
    git("commit -qam bat");

    // What names all requirements differs on both sides, and a lock tells it.
    scratch.shell().sh("git merge -q theirs").ends(1);
    let conflicts = git("diff --name-only --diff-filter=U");
    assert!(conflicts.contains("lockfiles/api.lock"), "{conflicts}");
    scratch.shell().sh("git checkout -q --ours lockfiles/api.lock && git checkout -q --ours envy.toml || true");
    require(&scratch, "bat = '1'\nhello = '1'\nzoo = '1'");
    scratch.envy("lock").ok(expect![[r#"
        locked 3 packages for site `api`
          + zoo 1.0.0
    "#]]);
}

#[test]
fn ci_behaves_as_with_locked_and_says_so() {
    let registry = Registry::new();
    hello(&registry, &["1.0.0"]);
    let scratch = site(&registry, "hello = '1'");
    scratch.env("CI", "1").envy("build").fails(3, expect![[r#"
        note: `CI` is set, so this is as with `--locked`
        error: lockfile `lockfiles/api.lock` is missing
        hint: run `envy lock api` and commit the file that it writes
    "#]]);
    scratch.env("CI", "true").envy("run api -- hello").ends(3);
    scratch.env("CI", "true").envy("build --locked").fails(3, expect![[r#"
        error: lockfile `lockfiles/api.lock` is missing
        hint: run `envy lock api` and commit the file that it writes
    "#]]);
    scratch.env("CI", "false").envy("build --dry-run").succeeds();
}
