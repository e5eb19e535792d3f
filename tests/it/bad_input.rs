//! What people mistype, and builds that fail: told clearly, and nothing is lost.

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::scratch::{Scratch, Snapshot};

/// What a failed command must not touch: all of the project but the logs of builds.
fn kept(scratch: &Scratch) -> Snapshot {
    scratch.shell().sh("rm -rf .envy/sites/*/logs").succeeds();
    scratch.snapshot("")
}

#[test]
fn a_malformed_manifest_is_told_by_line_and_column() {
    let scratch = Scratch::new();
    let check = |text: &str, expected: expect_test::Expect| {
        scratch.write("envy.toml", text).envy("list").fails(1, expected);
    };
    check(
        "[sites.api\n",
        expect![[r#"
        error: `envy.toml` has 1 error
          envy.toml:1:11: unclosed table, expected `]`
            1 | [sites.api
                          ^
    "#]],
    );
    check(
        "[sites.api]\ndependancies = {}\n[site.web]\n",
        expect![[r#"
        error: `envy.toml` has 2 errors
          envy.toml:2:1: unknown key `dependancies`
            2 | dependancies = {}
                ^^^^^^^^^^^^
          envy.toml:3:2: unknown key `site`
            3 | [site.web]
                 ^^^^
        hint: did you mean `dependencies`?
        hint: did you mean `sites`?
    "#]],
    );
    check(
        "[sites.api.dependencies]\nhello = 1\nworld = \"one\"\n",
        expect![[r#"
        error: `envy.toml` has 2 errors
          envy.toml:2:9: `hello` must be a version requirement or a table, not an integer
            2 | hello = 1
                        ^
          envy.toml:3:9: `one` is not a version requirement: unexpected character 'o' while parsing major version number
            3 | world = "one"
                        ^^^^^
    "#]],
    );
    check(
        "[sites.'../etc']\n",
        expect![[r#"
        error: `envy.toml` has 1 error
          envy.toml:1:8: `../etc` is not a name: use up to 64 letters, digits, `-` and `_`, beginning with a letter or digit
            1 | [sites.'../etc']
                       ^^^^^^^^
    "#]],
    );
    check(
        "[sites.api.dependencies]\n'a/b' = \"1\"\n",
        expect![[r#"
        error: `envy.toml` has 1 error
          envy.toml:2:1: `a/b` is not a name: use up to 64 letters, digits, `-` and `_`, beginning with a letter or digit
            2 | 'a/b' = "1"
                ^^^^^
    "#]],
    );
    check(
        "[sites.api.dependencies]\nhello = { version = \"1\", when = 'oss == \"linux\"' }\n",
        expect![[r#"
            error: `envy.toml` has 1 error
              envy.toml:2:33: `oss == "linux"` names `oss`; a condition knows `os`, `arch`, `libc` and `platform`
                2 | hello = { version = "1", when = 'oss == "linux"' }
                                                    ^^^^^^^^^^^^^^^^
        "#]],
    );
    check(
        "[project]\nenvy = \">=99\"\n[nonsense]\n",
        expect![[r#"
        error: `envy.toml` has 1 error
          envy.toml:2:8: this is envy 0.1.0, but the project asks for envy >=99
            2 | envy = ">=99"
                       ^^^^^^
    "#]],
    );
    check(
        "<<<<<<< HEAD\n[sites.api]\n=======\n>>>>>>> theirs\n",
        expect![[r#"
        error: `envy.toml` has 1 error
          envy.toml:1:1: a merge conflict begins here and is not resolved yet
            1 | <<<<<<< HEAD
                ^^^^^^^^^^^^
    "#]],
    );
    scratch.write("envy.toml", [b'a', 0xff]).envy("list").fails(
        1,
        expect![[r#"
        error: could not read as UTF-8 `[SCRATCH]/project/envy.toml`
          caused by: invalid utf-8 sequence of 1 bytes from index 1
    "#]],
    );
}

#[test]
fn a_site_that_does_not_exist_is_told_with_the_nearest() {
    let scratch = Scratch::new();
    scratch.write("envy.toml", "[sites.staging]\n");
    for command in [
        "build stagging",
        "run stagging -- true",
        "status stagging",
        "lock stagging",
        "tree stagging",
        "env stagging",
        "rollback stagging",
        "switch stagging 1",
        "generations stagging",
        "delete stagging",
        "create new --from stagging",
        "add hello --site stagging",
        "remove hello --site stagging",
        "update --site stagging",
    ] {
        scratch.envy(command).fails(
            1,
            expect![[r#"
            error: there is no site `stagging` in `envy.toml`
            hint: did you mean `staging`?
        "#]],
        );
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused_before_anything_is_done() {
    let scratch = Scratch::new();
    scratch.write("envy.toml", "[sites.api]\n");
    let before = scratch.snapshot("");
    scratch.envy("create ../escape").fails(2, expect![[r#"
        error: invalid value '../escape' for '<SITE>': `../escape` is not a name: use up to 64 letters, digits, `-` and `_`, beginning with a letter or digit

        For more information, try '--help'.
    "#]]);
    scratch.envy("add a/b --site api").fails(2, expect![[r#"
        error: invalid value 'a/b' for '[REQ]...': `a/b` is not a name: use up to 64 letters, digits, `-` and `_`, beginning with a letter or digit

        For more information, try '--help'.
    "#]]);
    for command in [
        "create a/b",
        "create ..",
        "create ''",
        "create -- -x",
        "delete ../x",
        "run .. -- true",
        "add ../x",
        "add x --site ../y",
        "remove a/b",
        "update a/b",
        "build api/..",
        "create con:aux",
        "create 'a b'",
        "add hello@../../x",
        "update hello@1",
    ] {
        scratch.envy(command).ends(2);
    }
    before.is_still(&scratch.snapshot(""));
}

#[test]
fn commands_that_do_not_exist_are_told_with_the_nearest() {
    let scratch = Scratch::new();
    scratch.envy("buidl").fails(
        2,
        expect![[r#"
            error: unrecognized subcommand 'buidl'

              tip: some similar subcommands exist: 'bundle', 'build'

            Usage: envy [OPTIONS] <COMMAND>

            For more information, try '--help'.
        "#]],
    );
    scratch.envy("build --lokced").fails(
        2,
        expect![[r#"
        error: unexpected argument '--lokced' found

          tip: a similar argument exists: '--locked'

        Usage: envy build --locked [SITES]...

        For more information, try '--help'.
    "#]],
    );
}

#[test]
fn a_build_that_fails_shows_its_last_lines_its_step_and_its_log() {
    let registry = Registry::new();
    registry.publish(
        Crate::new("broken", "1.0.0")
            .bin("broken")
            .file("src/main.rs", "compile_error!(\"no luck today\");\nfn main() {}\n"),
    );
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "# mine\n[sites.api.dependencies]\nhello = \"1\"\n").envy("build").succeeds();
    let before = kept(&scratch);

    let outcome = scratch.envy("add broken --site api");
    let text = outcome.ends(1).text();
    let log = text.lines().find_map(|line| line.trim().strip_prefix("full log: ")).expect("it names the log");
    let log = log.replace("[SCRATCH]", scratch.root().to_str().expect("UTF-8"));
    let name = log.rsplit('/').next().expect("a path has a name");
    expect![[r#"
        fetched 1 file (463 B)
        locked 2 packages for site `api`
          + broken 1.0.0
        building broken 1.0.0
        error: building `broken 1.0.0` failed in step 1 of 2, `build` (exit status: 101)
          + cd /envy/build
          + cargo build --frozen --manifest-path /envy/src/Cargo.toml --target-dir /envy/build/target --profile release --bins
          |    Compiling broken v1.0.0 (/envy/src)
          | error: no luck today
          |  --> src/main.rs:1:1
          |   |
          | 1 | compile_error!("no luck today");
          |   | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          | error: could not compile `broken` (bin "broken") due to 1 previous error
          full log: [SCRATCH]/project/.envy/sites/api/logs/[LOG]
    "#]]
    .assert_eq(&text.replace(name, "[LOG]"));
    assert!(scratch.read(&log).contains("no luck today"));

    before.is_still(&kept(&scratch));
    scratch.envy("run api -- hello").succeeds();
}

#[test]
fn a_failed_edit_leaves_everything_as_it_was() {
    let registry = Registry::new();
    for (name, version) in [("hello", "1.0.0"), ("hello", "2.0.0"), ("hello", "3.0.0"), ("other", "1.0.0")] {
        registry.publish(Crate::new(name, version).bin("hello"));
    }
    registry.publish(Crate::new("greet", "1.0.0").lib());
    registry.publish(Crate::new("bare", "1.0.0").bin("bare").dep("greet", "1").without_lock());
    let scratch = Scratch::with(&registry);
    scratch.write("envy.toml", "# mine\n[dependencies]\nhello = \"1\"\n\n[sites.api]\n").envy("build").succeeds();
    let before = kept(&scratch);
    let after = |command: &str, code: i32| {
        scratch.envy(command).ends(code);
        before.is_still(&kept(&scratch));
    };

    after("add hello@2 --site api", 6);
    after("add nothing --site api", 6);
    after("add greet --site api", 1);
    after("add other --site api", 1);
    after("add bare other --site api", 1);
    after("create api", 1);
    after("remove other", 1);
    registry.misbehave("/crates/hello/3", crate::registry::Fault::NotFound);
    after("add hello@3", 1);
    registry.go_away();
    after("add another@1 --site api", 1);
    after("add another@1 --site api --offline", 5);
    // A site that cannot be made is none.
    scratch.write(".envy/sites/web", "a file where a directory belongs");
    let before = kept(&scratch);
    scratch.envy("create web").fails(
        1,
        expect![[r#"
        error: could not create directory `[SCRATCH]/project/.envy/sites/web/generations`
          caused by: Not a directory (os error 20)
    "#]],
    );
    before.is_still(&kept(&scratch));
}

#[test]
fn what_cannot_be_kept_names_its_package_and_recipe() {
    let scratch = Scratch::new();
    let check = |run: &str, expected: expect_test::Expect| {
        let run =
            format!("mkdir -p {{{{ destdir }}}}{{{{ prefix }}}}/bin; cd {{{{ destdir }}}}{{{{ prefix }}}}/bin; {run}");
        let step = format!("[[step]]\nname = 'go'\nrun = \"\"\"{run}\"\"\"\n");
        scratch.write("recipes/odd.toml", format!("summary = 'x'\ntools = ['mkfifo']\n[versions.'1.0']\n{step}"));
        scratch.write("envy.toml", "[sites.api.dependencies]\nodd = { recipe = 'odd', version = '1' }\n");
        let outcome = scratch.envy("build");
        let error = outcome.ends(1).stderr().split_once("error: ").expect("it failed").1.to_owned();
        expected.assert_eq(&error);
    };
    check(
        "mkfifo f",
        expect![[r#"
            what `odd 1.0` installed cannot be taken into the store
              caused by: `bin/f` is neither a file, a directory nor a symlink
            hint: let recipe `odd` install files, directories and symlinks with names in UTF-8
        "#]],
    );
    check(
        "echo > $(printf '\\\\377')",
        expect![[r#"
            what `odd 1.0` installed cannot be taken into the store
              caused by: `bin/�` cannot be kept
              caused by: `bin/�` cannot stand in a tree: every part of a path must be a plain name
            hint: let recipe `odd` install files, directories and symlinks with names in UTF-8
        "#]],
    );
}

#[test]
fn a_home_that_is_no_absolute_path_is_refused() {
    let scratch = Scratch::new();
    scratch.write("envy.toml", "[sites.api]\n");
    let shell = || scratch.env("HOME", "relhome").env_remove("XDG_DATA_HOME");
    shell().envy("build").fails(
        1,
        expect![[r#"
            error: `HOME` is `relhome`, which is no absolute path
            hint: set `HOME` to an absolute path, or `ENVY_STORE` to a directory
        "#]],
    );
    assert!(!scratch.path("relhome").exists(), "nothing is made");
}
