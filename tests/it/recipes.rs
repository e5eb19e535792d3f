//! Recipes of a project's own: packages that need each other, what is wrong with recipes, and what goes wrong in them.

use std::fs;
use std::path::PathBuf;

use expect_test::expect;

use crate::scratch::Scratch;

/// A C library, whose steps know `DESTDIR`.
const LIBRARY: &str = r#"
summary = "A library that greets"
license = "MIT"
tools = ["cc"]
check = ["test -e {{ prefix }}/lib/libgreet.so"]
[versions."1.0"]
[versions."1.1"]
[params]
word = { type = "string", default = "hello", doc = "What it says." }
[[step]]
name = "build"
run = '''
cat > greet.c <<END
const char *greet(void) { return "{{ word }}"; }
END
echo 'const char *greet(void);' > greet.h
cc -shared -fPIC -Wl,-soname,libgreet.so -o libgreet.so greet.c
'''
[[step]]
name = "install"
run = '''
mkdir -p {{ destdir }}{{ prefix }}/lib {{ destdir }}{{ prefix }}/include
cp libgreet.so {{ destdir }}{{ prefix }}/lib/
cp greet.h {{ destdir }}{{ prefix }}/include/
'''
"#;

/// A program that links the library, and knows nothing of where it lies. It is installed at the prefix itself.
const PROGRAM: &str = r#"
summary = "A program that greets"
license = "MIT"
tools = ["cc"]
check = ["hello | grep {{ word }}"]
[versions."2.0"]
[params]
word = { type = "string", default = "hello", doc = "What it is to say." }
loud = { type = "bool", doc = "Whether to shout." }
[dependencies]
greet = "1"
[[step]]
name = "build"
run = '''
cat > hello.c <<'END'
#include <greet.h>
#include <stdio.h>
int main(void) { return puts(greet()) < 0; }
END
cc {% if loud %}-DLOUD{% endif %} -o hello hello.c -lgreet
'''
[[step]]
name = "install"
run = "mkdir -p {{ prefix }}/bin && cp hello {{ prefix }}/bin/"
"#;

fn world(recipes: &[(&str, &str)], dependencies: &str) -> Scratch {
    let scratch = Scratch::new();
    for (name, text) in recipes {
        scratch.write(format!("recipes/{name}.toml"), text);
    }
    scratch.write("envy.toml", format!("[sites.api.dependencies]\n{dependencies}\n"));
    scratch
}

/// A recipe of one step for a package of one version, which lists something else beside that.
fn one_step(run: &str, more: &str) -> String {
    format!("summary = 'x'\n{more}\n[versions.\"1.0\"]\n[[step]]\nname = 'go'\nrun = '''\n{run}\n'''\n")
}

fn prefix(scratch: &Scratch) -> PathBuf {
    fs::canonicalize(scratch.path(".envy/sites/api/current/bin")).expect("the site has programs").join("..")
}

#[test]
fn a_program_links_a_library_of_another_recipe_and_finds_it_in_the_prefix() {
    let scratch = world(&[("greet", LIBRARY), ("hello", PROGRAM)], "hello = { recipe = 'hello', version = '2' }");
    scratch.envy("build").ok(expect![[r#"
        locked 2 packages for site `api`
          + greet 1.1
          + hello 2.0
        building greet 1.1
        built greet 1.1 in [TIME]
        building hello 2.0
        built hello 2.0 in [TIME]
        switched site `api` to generation 2 (2 packages)
          prefix sha256:[..]
    "#]]);
    scratch.envy("run api -- hello").ok(expect![[r#"
        --- stdout ---
        hello
    "#]]);
    let prefix = prefix(&scratch);
    assert!(prefix.join("lib/libgreet.so").exists() && prefix.join("include/greet.h").exists());
    let program = fs::read(prefix.join("bin/hello")).expect("it is there");
    assert!(String::from_utf8_lossy(&program).contains("\0$ORIGIN/../lib\0"));
    let read = scratch.shell().sh("readelf -d .envy/sites/api/current/bin/hello");
    read.says("Library runpath: [$ORIGIN/../lib]").says("[libgreet.so]");
    scratch.envy("tree api").ok(expect![[r#"
        --- stdout ---
        api
        └── hello 2.0 recipe+hello
            └── greet 1.1 recipe+greet
    "#]]);
    scratch.envy("build --locked").succeeds().never_says("building");
}

#[test]
fn a_recipe_that_changes_is_drift() {
    let scratch = world(&[("greet", LIBRARY), ("hello", PROGRAM)], "hello = { recipe = 'hello', version = '2' }");
    scratch.envy("lock").succeeds();
    scratch.write("recipes/greet.toml", LIBRARY.replace("\"What it says.\"", "\"The word.\""));
    scratch.envy("lock --check").succeeds();
    scratch.write("recipes/greet.toml", LIBRARY.replace("-shared", "-shared -O2"));
    scratch.envy("build --locked").fails(
        3,
        expect![[r#"
        error: lockfile `lockfiles/api.lock` no longer matches `envy.toml`
          `greet` is locked with other params, or with another text of recipe `greet`
        hint: run `envy lock api` and review the difference
    "#]],
    );
    scratch.write("recipes/greet.toml", LIBRARY.replace("default = \"hello\"", "default = \"moin\""));
    scratch.envy("build --locked").ends(3);
}

#[test]
fn params_that_do_not_fit_are_told() {
    let recipes = [("greet", LIBRARY), ("hello", PROGRAM)];
    let entry = |params: &str| format!("hello = {{ recipe = 'hello', version = '2', params = {{ {params} }} }}");
    world(&recipes, &entry("lod = true")).envy("lock").fails(
        1,
        expect![[r#"
        error: recipe `hello` has no param `lod`
        hint: did you mean `loud`?
    "#]],
    );
    world(&recipes, &entry("nothing = 1")).envy("lock").fails(
        1,
        expect![[r#"
        error: recipe `hello` has no param `nothing`
          it has loud, word
        hint: run `envy recipe show hello`
    "#]],
    );
    world(&recipes, &entry("loud = 'yes'")).envy("lock").fails(
        1,
        expect![[r#"
            error: param `loud` of recipe `hello` takes a bool, not `yes`
            hint: run `envy recipe show hello` to see what it takes
        "#]],
    );
}

#[test]
fn recipes_and_versions_that_are_not_there_are_told() {
    let recipes = [("greet", LIBRARY)];
    world(&recipes, "greet = { recipe = 'gret', version = '1' }").envy("lock").fails(
        1,
        expect![[r#"
        error: there is no recipe `gret`
        hint: did you mean `greet`?
    "#]],
    );
    world(&recipes, "greet = { recipe = 'greet', version = '2' }").envy("lock").fails(
        6,
        expect![[r#"
        error: no choice of packages satisfies site `api`
          site `api` requires greet ^2
          the versions of greet go from 1.0 to 1.1
        hint: ask for greet ^1.1 in `envy.toml`
    "#]],
    );
    world(&recipes, "greet = { recipe = 'make', version = '2' }").envy("lock").fails(
        1,
        expect![[r#"
        error: recipe `make` lists no versions
          recipe `make` says how to build, and not what
        hint: say where the source is, by `git`, `path` or `url`
    "#]],
    );
}

#[test]
fn packages_that_need_each_other_are_told_with_their_names() {
    let needs = |name: &str| format!("{}[dependencies]\n{name} = '1'\n", one_step("true", ""));
    let recipes = [("a", needs("b")), ("b", needs("c")), ("c", needs("a"))];
    let recipes: Vec<_> = recipes.iter().map(|(name, text)| (*name, text.as_str())).collect();
    world(&recipes, "a = { recipe = 'a' }").envy("lock").fails(
        6,
        expect![[r#"
            error: `a` needs itself
              `a` needs `b`, which needs `c`, which needs `a`
            hint: take one of these needs away: none of them can be built first
        "#]],
    );
}

#[test]
fn two_packages_that_install_one_file_are_told_with_it() {
    let text = one_step("mkdir -p {{ destdir }}{{ prefix }}/bin; touch {{ destdir }}{{ prefix }}/bin/x", "");
    let scratch = world(&[("a", &text), ("b", &text)], "a = { recipe = 'a' }\nb = { recipe = 'b' }");
    let outcome = scratch.envy("build");
    outcome.ends(1).says("error: two packages of site `api` both provide `bin/x`\n  a 1.0 and b 1.0\n");
    outcome.says("hint: leave it out of one: `b = { version = \"…\", without = [\"bin/x\"] }` in `envy.toml`");
    scratch.write(
        "envy.toml",
        "[sites.api.dependencies]\na = { recipe = 'a' }\nb = { recipe = 'b', without = ['bin/x'] }\n",
    );
    scratch.envy("build").succeeds();
}

#[test]
fn a_step_that_fails_tells_which_one_it_was_its_last_lines_and_its_log() {
    let text = one_step("echo first", "").replace("[[step]]", "[[step]]\nname = 'before'\nrun = 'true'\n[[step]]");
    let text = text.replace("echo first", "echo first >&2\nls /no/such\necho never");
    let scratch = world(&[("broken", &text)], "broken = { recipe = 'broken' }");
    let text = scratch.envy("build").ends(1).text();
    let log = text.lines().find_map(|line| line.trim().strip_prefix("full log: ")).expect("it names the log");
    let log = log.replace("[SCRATCH]", scratch.root().to_str().expect("UTF-8"));
    assert!(scratch.read(&log).contains("first"));
    let name = log.rsplit('/').next().expect("a path has a name");
    expect![[r#"
        locked 1 package for site `api`
          + broken 1.0
        building broken 1.0
        error: building `broken 1.0` failed in step 2 of 2, `go` (exit status: 2)
          + echo first >&2
          + ls /no/such
          + echo never
          | first
          | ls: cannot access '/no/such': No such file or directory
          full log: [SCRATCH]/project/.envy/sites/api/logs/[LOG]
    "#]]
    .assert_eq(&text.replace(name, "[LOG]"));
}

#[test]
fn a_check_that_fails_fails_the_build() {
    let text = PROGRAM.replace("hello | grep {{ word }}", "echo hello was asked; hello | grep goodbye");
    let scratch = world(&[("greet", LIBRARY), ("hello", &text)], "hello = { recipe = 'hello', version = '2' }");
    let outcome = scratch.envy("build");
    outcome.ends(1).says("error: `hello 2.0` was built, but its check `echo hello was asked; hello | grep goodbye` failed (exit status: 1)");
    outcome.says("  | hello was asked\n").says(".check.log");
    assert!(!scratch.path(".envy/sites/api/current").exists(), "a refused build leaves nothing behind");
}

#[test]
fn what_only_builds_need_is_not_in_the_prefix_nor_built_for_nothing() {
    let tool = one_step(
        "mkdir -p {{ destdir }}{{ prefix }}/bin\nprintf '#!/bin/sh\\necho made\\n' > {{ destdir }}{{ prefix }}/bin/maker\n\
         chmod +x {{ destdir }}{{ prefix }}/bin/maker",
        "",
    );
    let made = one_step("mkdir -p {{ destdir }}{{ prefix }}/share\nmaker > {{ destdir }}{{ prefix }}/share/made", "")
        + "[build-dependencies]\nmaker = '1'\n";
    let scratch = world(&[("maker", &tool), ("made", &made)], "made = { recipe = 'made' }");
    scratch.envy("build").succeeds().says("built maker 1.0").says("built made 1.0");
    let share = fs::canonicalize(scratch.path(".envy/sites/api/current/share")).expect("it is there");
    assert_eq!(fs::read_to_string(share.join("made")).expect("it is there"), "made\n");
    assert!(!share.join("../bin").exists(), "what built it is not in the prefix");
    // Of what built it, nothing is left and nothing is recorded; whoever has what was made does not ask for it.
    let lockfile = scratch.read("lockfiles/api.lock");
    let outputs = lockfile.split("[[package.output]]").count() - 1;
    assert_eq!(outputs, 2, "{lockfile}");
    let (before, after) = lockfile.split_once("name = \"maker\"").expect("it is locked");
    let (own, others) = after.split_once("[[package.output]]").expect("it is recorded");
    let end = others.find("\n\n").map_or("", |end| &others[end..]);
    scratch.write("lockfiles/api.lock", format!("{before}name = \"maker\"{}{end}", own.trim_end()));
    scratch.shell().sh(&format!("chmod -R u+w {0}; rm -r {0}", scratch.store().join("results").display())).succeeds();
    scratch.shell().sh("chmod -R u+w .envy; rm -r .envy/sites").succeeds();
    scratch.envy("build --locked").succeeds().never_says("building").says("switched site `api`");
}

#[test]
fn a_package_may_be_made_by_another_recipe_than_its_name_says() {
    let scratch = world(&[("greet", LIBRARY), ("hello", PROGRAM)], "");
    scratch.write(
        "envy.toml",
        "[sites.api.dependencies]\nhello = { recipe = 'hello', version = '2', params = { word = 'moin' } }\n\
         greet = { recipe = 'greet', version = '=1.0', params = { word = 'moin' } }\n",
    );
    scratch.envy("build").succeeds();
    scratch.envy("run api -- hello").ok(expect![[r#"
        --- stdout ---
        moin
    "#]]);
    scratch.write("envy.toml", "[sites.api.dependencies]\nhello = { recipe = 'hello', version = '2' }\ngreet = '1'\n");
    scratch.envy("lock").fails(
        6,
        expect![[r#"
        error: `greet` is asked for in two ways
          site `api` takes it from registry+crates.io
          `hello` needs what recipe `greet` makes
        hint: say the same in both places, or give one of them another name than `greet`
    "#]],
    );
}
