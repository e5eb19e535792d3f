//! Bundles: a site in one file, and made again where there is no network, no compiler and no project.

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::scratch::Scratch;

const MANIFEST: &str = "\
[project]
name = \"shop\"

[sites.api]
env = { PORT = \"{port}\" }
vars = { port = 8001 }

[sites.api.files]
\"etc/api.toml\" = { template = \"templates/api.toml.j2\" }
\"share/logo\" = { file = \"logo.png\", mode = \"0600\" }

[sites.api.dependencies]
hello = \"1\"

[sites.other.env]
SECRET = \"of somebody else\"
";

/// A project with a site that has a program and files of its own.
fn project(scratch: &Scratch) {
    scratch.write("envy.toml", MANIFEST);
    scratch.write("templates/api.toml.j2", "port = {{ port }}\n").write("logo.png", b"\x89PNG\xff");
}

fn registry() -> Registry {
    let registry = Registry::new();
    registry.publish(Crate::new("greet", "1.0.0").lib());
    registry.publish(Crate::new("hello", "1.0.0").bin("hello").dep("greet", "1"));
    registry
}

/// A bundle of a site that was built just now.
fn bundled(registry: &Registry, options: &str) -> (Scratch, PathBuf) {
    let scratch = Scratch::with(registry);
    project(&scratch);
    scratch.envy("build api").succeeds();
    scratch.envy(&format!("bundle api {options}")).succeeds();
    let path = scratch.path("api.envy");
    (scratch, path)
}

/// Imports a bundle on a host that has nothing: no network, no Rust, and nothing on PATH.
fn import(scratch: &Scratch, bundle: &Path, options: &str) -> crate::outcome::Outcome {
    let carried = scratch.root().join("api.envy");
    // A name that tells nothing of where it was made.
    let bundle = fs::copy(bundle, &carried).map_or(bundle, |_| &carried);
    let shell = scratch.without_rust().env("PATH", "/nowhere").env_remove("CARGO_HOME");
    shell.envy(&format!("import {} {options}", bundle.display()))
}

#[test]
fn a_site_is_bundled_and_made_again_where_there_is_nothing() {
    let registry = registry();
    let (from, _) = bundled(&registry, "");
    let said = from.envy("bundle api -o ../api.envy").succeeds().text();
    let size = said.split_once("(1 file, ").and_then(|(_, rest)| rest.split_once(')')).expect("a size").0.to_owned();
    expect![[r#"
        bundled site `api` into `../api.envy` (1 file, [SIZE])
          contents sha256:[..]
    "#]]
    .assert_eq(&said.replace(&size, "[SIZE]"));
    registry.go_away();

    let to = Scratch::new();
    let bundle = from.root().join("api.envy");
    import(&to, &bundle, "-m 'from the build host'").ok(expect![[r#"
        switched site `api` to generation 2 (1 package)
          prefix sha256:[..]
        imported site `api` from `[SCRATCH]/api.envy`
          contents sha256:[..]
    "#]]);

    to.without_rust().envy("run api --frozen -- hello").succeeds().says("hello 1.0.0");
    assert_eq!(to.read(".envy/sites/api/current/etc/api.toml"), "port = 8001\n");
    assert_eq!(fs::read(to.path("logo.png")).unwrap(), b"\x89PNG\xff");
    assert_eq!(to.read("lockfiles/api.lock"), from.read("lockfiles/api.lock"));
    assert!(!to.read("envy.toml").contains("SECRET"), "what belongs to other sites stays at home");
    to.envy("status --json").succeeds().says("\"current\"");

    let before = to.snapshot(".");
    import(&to, &bundle, "").ok(expect![[r#"
        unchanged site `api` is at generation 2
          contents sha256:[..]
    "#]]);
    to.without_rust().envy("build --frozen").ok(expect![[r#"
        unchanged site `api` is at generation 2
    "#]]);
    before.is_still(&to.snapshot("."));
}

#[test]
fn the_same_site_is_the_same_bytes_wherever_it_is_bundled() {
    let registry = registry();
    let (one, bundle) = bundled(&registry, "");
    let other = Scratch::with(&registry);
    project(&other);
    other.write("lockfiles/api.lock", one.read("lockfiles/api.lock")).envy("build --locked api").succeeds();
    other.envy("bundle api").succeeds();
    assert!(fs::read(&bundle).unwrap() == fs::read(other.path("api.envy")).unwrap());

    let imported = Scratch::new();
    import(&imported, &bundle, "").succeeds();
    imported.envy("bundle api").succeeds();
    assert!(fs::read(&bundle).unwrap() == fs::read(imported.path("api.envy")).unwrap(), "and once more from there");
}

#[test]
fn with_its_sources_a_site_is_built_anew_where_there_is_no_network() {
    let registry = registry();
    let (_from, bundle) = bundled(&registry, "--sources");
    registry.go_away();
    let to = Scratch::new();
    import(&to, &bundle, "").succeeds();
    let lockfile = to.read("lockfiles/api.lock");

    to.shell()
        .sh("cd ../data/envy/store && chmod -R u+w . && rm -rf prefixes trees; rm -f blobs/*/*.x; rm -rf $OLDPWD/.envy")
        .succeeds();
    to.envy("build --locked --offline").succeeds().says("built hello 1.0.0");
    to.envy("status").succeeds().says("hello 1.0.0 (proven)");
    assert_eq!(to.read("lockfiles/api.lock"), lockfile);
}

#[test]
fn what_is_not_a_whole_bundle_is_refused_and_leaves_nothing() {
    let registry = registry();
    let (_from, bundle) = bundled(&registry, "");
    let whole = fs::read(&bundle).unwrap();
    let to = Scratch::new();
    let (project, store) = (to.snapshot("."), || to.snapshot("../data/envy/store").len());
    let outcome = |bytes: &[u8]| {
        to.write("../bad.envy", bytes);
        let outcome = import(&to, &to.root().join("bad.envy"), "");
        project.is_still(&to.snapshot("."));
        outcome
    };
    outcome(&whole[..whole.len() - 40]).fails(
        4,
        expect![[r#"
        error: bundle `[SCRATCH]/api.envy` cannot be used, and nothing of it was taken
          its end is missing
        hint: copy it once more, and compare its sha256 with that of the original
    "#]],
    );
    outcome(b"something else").fails(
        4,
        expect![[r#"
        error: bundle `[SCRATCH]/api.envy` cannot be used, and nothing of it was taken
          it cannot be unpacked
          caused by: Unknown frame descriptor
        hint: copy it once more, and compare its sha256 with that of the original
    "#]],
    );
    let mut plain = zstd::decode_all(&whole[..]).unwrap();
    let last = plain.len() - 2000;
    plain[last] ^= 1;
    outcome(&zstd::encode_all(&plain[..], 3).unwrap()).ends(4).says("is not what it has to be");
    let left = to.snapshot("../data/envy/store");
    assert!(left.keys().all(|path| !path.starts_with("blobs") && !path.starts_with("trees")), "{left:?}");
    assert!(store() < 4, "{:?}", to.snapshot("../data/envy/store"));
    import(&to, &to.root().join("nothing.envy"), "").ends(1).says("could not open");
    project.is_still(&to.snapshot("."));
}

#[test]
fn an_import_that_has_no_room_leaves_nothing() {
    let registry = registry();
    let (_from, bundle) = bundled(&registry, "");
    let to = Scratch::new();
    fs::copy(&bundle, to.root().join("api.envy")).unwrap();
    let before = to.snapshot(".");
    let program = env!("CARGO_BIN_EXE_envy");
    let command = format!("trap '' XFSZ; ulimit -f 8; exec {program} import ../api.envy");
    to.shell().sh(&command).ends(1).says("error: could not write");
    before.is_still(&to.snapshot("."));
    let left = to.snapshot("../data/envy/store");
    assert!(left.keys().all(|path| !path.starts_with("blobs") && !path.starts_with("trees")), "{left:?}");
    to.envy("import ../api.envy").succeeds();
}

#[test]
fn a_later_bundle_takes_the_place_of_an_earlier_one_and_can_be_rolled_back() {
    let registry = registry();
    let (from, bundle) = bundled(&registry, "");
    let to = Scratch::new();
    import(&to, &bundle, "").succeeds();

    registry.publish(Crate::new("hello", "1.1.0").bin("hello").dep("greet", "1"));
    from.write("envy.toml", format!("[toolchain]\nrust = \">=1\"\n\n{}", MANIFEST.replace("8001", "8002")));
    from.write("logo.png", b"\x89PNG\x00");
    from.envy("update --site api").succeeds();
    from.envy("build api").succeeds();
    from.envy("bundle api").succeeds();
    import(&to, &bundle, "").ok(expect![[r#"
        switched site `api` to generation 3 (1 package)
          prefix sha256:[..]
        imported site `api` from `[SCRATCH]/api.envy`
          contents sha256:[..]
    "#]]);
    to.envy("run api --frozen -- hello").succeeds().says("hello 1.1.0");
    assert_eq!(to.read(".envy/sites/api/current/etc/api.toml"), "port = 8002\n");
    to.envy("rollback api").succeeds();
    to.envy("run api --frozen -- hello").succeeds().says("hello 1.0.0");
}

#[test]
fn what_somebody_wrote_is_not_replaced_unless_asked() {
    let registry = registry();
    let (_from, bundle) = bundled(&registry, "");
    let to = Scratch::new();
    to.write("templates/api.toml.j2", "my own\n");
    let before = to.snapshot(".");
    import(&to, &bundle, "").fails(
        1,
        expect![[r#"
        error: `templates/api.toml.j2` is there with another content, and no import wrote it
        hint: repeat the command with `--replace` to take the bundle's, or import it in a directory of its own
    "#]],
    );
    before.is_still(&to.snapshot("."));

    to.write("envy.toml", "# Mine.\n[sites.api.vars]\nport = 1\n\n[sites.mine]\n");
    import(&to, &bundle, "").fails(
        1,
        expect![[r#"
        error: site `api` of `envy.toml` is not the bundle's
          somebody wrote it, and an import takes nothing away
        hint: repeat the command with `--replace` to take the bundle's, or with `--site` for another name
    "#]],
    );
    to.write("envy.toml", "[toolchain]\nrust = \"1.0\"\n\n[sites.mine]\n");
    import(&to, &bundle, "--replace").fails(
        1,
        expect![[r#"
        error: `envy.toml` is not what the bundle's site was built with
          `[toolchain]` differs, and holds for all sites
        hint: import it in a directory of its own, or with `--project DIR`
    "#]],
    );

    to.write("envy.toml", "# Mine.\n[sites.mine.vars]\nport = 1\n");
    import(&to, &bundle, "--replace --site live").succeeds();
    let text = to.read("envy.toml");
    assert!(text.starts_with("# Mine.\n[sites.mine.vars]\n") && text.contains("[sites.live]"), "{text}");
    to.envy("list").ok(expect![[r#"
        --- stdout ---
        live  generation   2    1 package  current
        mine  generation   -   0 packages  not built
    "#]]);
    import(&to, &bundle, "--site live").succeeds().says("unchanged");
}

#[test]
fn what_cannot_be_bundled_says_why() {
    let registry = registry();
    let scratch = Scratch::with(&registry);
    project(&scratch);
    scratch.envy("bundle api").ends(3);
    scratch.envy("lock api").succeeds();
    scratch.envy("bundle api").fails(
        1,
        expect![[r#"
        error: not all that site `api` consists of is here
          hello 1.0.0: the lockfile records no output for x86_64-linux-gnu
        hint: run `envy build api`, which builds it in a sandbox and records what comes out
    "#]],
    );
    scratch.envy("build api").succeeds();
    let program = env!("CARGO_BIN_EXE_envy");
    let before = scratch.snapshot(".");
    scratch
        .shell()
        .sh(&format!("trap '' XFSZ; ulimit -f 1; exec {program} bundle api"))
        .ends(1)
        .says("cannot be written")
        .says("hint: name another place for it with `--output`");
    before.is_still(&scratch.snapshot("."));

    scratch.write("../outside.j2", "");
    scratch.write("envy.toml", MANIFEST.replace("templates/api", ".hidden/api")).write(".hidden/api.toml.j2", "");
    scratch.envy("bundle api").fails(
        1,
        expect![[r#"
        error: `.hidden/api.toml.j2` cannot be put into a bundle
          it lies outside of the project, is hidden, or has a very long path
        hint: move it to a plain place below the project's directory, and correct `envy.toml`
    "#]],
    );
}
