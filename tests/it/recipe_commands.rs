//! `envy recipe`, and `envy add --recipe`.

use expect_test::expect;

use crate::repository::Repository;
use crate::scratch::Scratch;

const GREET: &str = r#"
summary = "A program that greets"
license = "MIT"
check = ["greet"]
example = 'greet = { recipe = "greet", version = "1" }'
[versions."1.0.0"]
[versions."1.2.0"]
[versions."2.0.0"]
[params]
loud = { type = "bool", doc = "Whether to shout." }
times = { type = "int", default = 1, doc = "How often." }
words = { type = "list", default = ["hello"], doc = "What to say." }
[[step]]
name = "install"
run = '''
mkdir -p {{ destdir }}{{ prefix }}/bin
printf '#!/bin/sh\necho %s\n' {% if loud %}LOUD{% endif %} > {{ destdir }}{{ prefix }}/bin/greet
echo 'echo' {{ times }} {{ words }} >> {{ destdir }}{{ prefix }}/bin/greet
chmod +x {{ destdir }}{{ prefix }}/bin/greet
'''
"#;

fn world() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("recipes/greet.toml", GREET);
    scratch.write("envy.toml", "[sites.api.dependencies]\n");
    scratch
}

#[test]
fn recipes_are_listed_with_those_that_they_hide() {
    let scratch = world();
    scratch.write("recipes/unpack.toml", "summary = 'Ours'\nextends = 'unpack'\n");
    scratch.write("recipes/broken.toml", "summary = 1\n");
    let listed = scratch.envy("recipe list");
    let lines: Vec<_> = listed.succeeds().stdout().lines().map(|line| line.split("  ").collect::<Vec<_>>()).collect();
    let with = |name: &str| -> Vec<String> {
        let of_name = lines.iter().filter(|line| line[0] == name);
        let text = |line: &Vec<&str>| {
            line.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" | ")
        };
        of_name.map(text).collect()
    };
    assert_eq!(with("greet"), ["greet | 2.0.0, 1.2.0, 1.0.0 | project | A program that greets"]);
    assert_eq!(
        with("unpack"),
        [
            "unpack | - | project | Ours [hides built-in]",
            "unpack | - | built-in | Install what an archive holds, as it is [hidden by project]"
        ]
    );
    assert_eq!(with("broken"), ["broken | - | project | cannot be read: run `envy recipe check broken`"]);
    let json = scratch.envy("recipe list --json").succeeds().json();
    let greet = json["recipes"].as_array().unwrap().iter().find(|one| one["name"] == "greet").unwrap();
    assert_eq!(greet["versions"][2], "2.0.0");
    // Where there is no project, there is what comes with envy.
    let elsewhere = Scratch::new();
    elsewhere.envy("recipe list").succeeds().says("cargo").never_says("greet");
    elsewhere.envy("recipe show unpack").succeeds();
    elsewhere.envy("recipe check").ends(1);
}

#[test]
fn a_recipe_documents_itself() {
    let scratch = world();
    scratch.write(
        "recipes/polite.toml",
        "summary = 'Greets politely'\nextends = 'greet'\n[set]\ntimes = 2\nwords = ['please']\n[versions.'1.0']\n\
         [dependencies]\nlz4 = { version = '1', when = 'loud' }\n[platform.\"aarch64-linux-gnu\"]\ntools = ['cc']\n",
    );
    scratch.envy("recipe show polite").ok(expect![[r#"
        --- stdout ---
        polite: Greets politely
          from      project
          extends   greet
          tools     cc (on aarch64-linux-gnu)

        versions:
          1.0  no source

        needs to run:
          lz4  ^1, when loud

        params:
          loud   bool, false by default (of greet)
                 Whether to shout.
          words  list, added to what the recipe sets (of greet)
                 What to say.

        set by the recipe:
          times  2
          words  ["please"]

        steps:
          1 install

        checks:
          greet
    "#]]);
    scratch.envy("recipe show greet -v").ok(expect![[r#"
        --- stdout ---
        greet: A program that greets
          licence   MIT
          from      project

        versions:
          2.0.0  no source
          1.2.0  no source
          1.0.0  no source

        params:
          loud   bool, false by default
                 Whether to shout.
          times  int, 1 by default
                 How often.
          words  list, ["hello"] by default
                 What to say.

        steps:
          1 install  mkdir -p {{ destdir }}{{ prefix }}/bin
                     printf '#!/bin/sh\necho %s\n' {% if loud %}LOUD{% endif %} > {{ destdir }}{{ prefix }}/bin/greet
                     echo 'echo' {{ times }} {{ words }} >> {{ destdir }}{{ prefix }}/bin/greet
                     chmod +x {{ destdir }}{{ prefix }}/bin/greet

        checks:
          greet

        example:
          greet = { recipe = "greet", version = "1" }
    "#]]);
    scratch.envy("recipe show gret").fails(
        1,
        expect![[r#"
        error: there is no recipe `gret`
        hint: did you mean `greet`?
    "#]],
    );
    let json = scratch.envy("recipe show polite --json").succeeds().json();
    assert_eq!(json["schema"], "envy.recipe-show/1");
    assert_eq!(json["params"][0]["name"], "loud");
}

#[test]
fn new_recipes_pass_the_check() {
    let scratch = world();
    scratch.envy("recipe new plain").ok(expect![[r#"
        wrote `recipes/plain.toml`
    "#]]);
    scratch.envy("recipe new zlib --extends autotools --url https://example.org/zlib-1.3.1.tar.gz").ok(expect![[r#"
        wrote `recipes/zlib.toml`
        note: it hides the `zlib` of built-in
        note: fill in the `sha256` of version 1.3.1: nothing was fetched
    "#]]);
    scratch.envy("recipe new unpack --extends unpack").succeeds().says("it hides the `unpack` of built-in");
    scratch.envy("recipe check plain zlib unpack").ok(expect![[r#"
        checked 3 recipes, 3 warnings
        --- stdout ---
        recipes/zlib.toml: warning: it does not say what the licence is
          hint: say it: `license = "MIT"`
        recipes/zlib.toml: warning: nothing tries out what it builds
          hint: name a command that must succeed: `check = ["zlib --version"]`
        recipes/zlib.toml: warning: the `sha256` of version 1.3.1 is not filled in
          hint: write what `sha256sum` says of the file, once you have looked at it
    "#]]);
    let zlib = scratch.read("recipes/zlib.toml");
    assert!(zlib.contains("url = \"https://example.org/zlib-{version}.tar.gz\"\n"), "{zlib}");
    scratch.envy("recipe new plain").fails(
        1,
        expect![[r#"
        error: there is a `recipes/plain.toml` already
        hint: give the new one another name
    "#]],
    );
    scratch.envy("recipe new x --extends autotool").fails(
        1,
        expect![[r#"
        error: there is no recipe `autotool`
        hint: did you mean `autotools`?
    "#]],
    );
    scratch.envy("recipe new x --url https://example.org/main.tar.gz").fails(
        2,
        expect![[r#"
        error: it is not clear which version `https://example.org/main.tar.gz` is of
        hint: say it by `--version VERSION`
    "#]],
    );
    scratch.envy("recipe new x --url https://example.org/main.tar.gz --version 1.0").succeeds();
}

#[test]
fn a_check_tells_errors_and_warnings_and_fails_for_errors_alone() {
    let scratch = world();
    scratch.envy("recipe check").ok(expect![[r#"
        checked 1 recipe
    "#]]);
    scratch.write(
        "recipes/broken.toml",
        "summary = 'x'\ntools = ['cc']\n[versions.'1.0']\n[params]\nx = { type = 'int' }\n\
         [[step]]\nname = 'go'\nrun = 'cc {{ prefx }}; pkg-config x'\n",
    );
    scratch.write("recipes/unreadable.toml", "summary = 1\nstep = [{ name = 'x' }]\n");
    scratch.envy("recipe check").fails(
        1,
        expect![[r#"
            error: 2 errors in 2 recipes
            --- stdout ---
            recipes/broken.toml: error: step `go` has `prefx`, which is neither a param nor a value that templates know
              hint: did you mean `prefix`?
            recipes/broken.toml: warning: param `x` changes nothing: no template has it
              hint: use it, or take it out
            recipes/broken.toml: warning: param `x` does not say what it is for
              hint: say it: `doc = "…"`
            recipes/broken.toml: warning: it does not say what the licence is
              hint: say it: `license = "MIT"`
            recipes/broken.toml: warning: nothing tries out what it builds
              hint: name a command that must succeed: `check = ["broken --version"]`
            recipes/unreadable.toml:1:11: error: `summary` must be a string, not an integer
        "#]],
    );
    let json = scratch.envy("recipe check broken --json").ends(1).json();
    assert_eq!(json["recipes"][0]["findings"][0]["level"], "error");
    scratch.envy("recipe check brokn").fails(
        1,
        expect![[r#"
        error: there is no recipe `brokn`
        hint: did you mean `broken`?
    "#]],
    );
}

#[test]
fn packages_of_recipes_are_added() {
    let scratch = world();
    scratch.envy("add --recipe greet@1 --site api").succeeds();
    assert_eq!(
        scratch.read("envy.toml"),
        "[sites.api.dependencies]\ngreet = { recipe = \"greet\", version = \"1\" }\n"
    );
    scratch.envy("run api -- greet").succeeds();
    scratch.envy("remove greet --site api").succeeds();
    scratch
        .envy("add --recipe greet --site api --param loud=true --param times=3 --param words=a,b --param words=c --no-build")
        .succeeds();
    assert_eq!(
        scratch.read("envy.toml"),
        "[sites.api.dependencies]\ngreet = { recipe = \"greet\", version = \"2.0.0\", \
         params = { loud = true, times = 3, words = [\"a\", \"b\", \"c\"] } }\n"
    );
    let fails = |arguments: &str, code, expected| {
        scratch.envy(arguments).fails(code, expected);
    };
    fails(
        "add --recipe gret",
        1,
        expect![[r#"
        error: there is no recipe `gret`
        hint: did you mean `greet`?
    "#]],
    );
    fails(
        "add --recipe greet@3",
        6,
        expect![[r#"
        error: recipe `greet` lists no version 3
          it lists 2.0.0, 1.2.0, 1.0.0
        hint: run `envy add --recipe greet@2.0.0`
    "#]],
    );
    fails(
        "add --recipe make",
        1,
        expect![[r#"
        error: recipe `make` lists no versions
          recipe `make` says how to build, and not what
        hint: say where the source is, by `git`, `path` or `url`
    "#]],
    );
    fails(
        "add --recipe greet --param tims=3",
        1,
        expect![[r#"
        error: recipe `greet` has no param `tims`
        hint: did you mean `times`?
    "#]],
    );
    fails(
        "add --recipe greet --param times=often",
        1,
        expect![[r#"
            error: param `times` of recipe `greet` takes a whole number, not `often`
            hint: run `envy recipe show greet` to see what it takes
        "#]],
    );
}

#[test]
fn shared_recipes_are_listed_as_they_are_locked_and_may_be_added_before() {
    let scratch = Scratch::new();
    let recipes = Repository::new(&scratch, "recipes");
    recipes.write("greet.toml", GREET).commit();
    let manifest = format!("[recipes.company]\ngit = '{}'\n\n[sites.api.dependencies]\n", recipes.url());
    scratch.write("envy.toml", manifest);
    scratch
        .envy("recipe list")
        .succeeds()
        .says("note: shared recipes that are not locked are left out; `envy lock` pins them")
        .never_says("greet");
    scratch.envy("add --recipe greet@1 --site api").succeeds();
    scratch.envy("recipe list").succeeds().says("recipes.company  A program that greets").never_says("note:");
    scratch.envy("recipe check greet").succeeds();
    scratch.envy("recipe new greet --extends greet").succeeds().says("it hides the `greet` of recipes.company");
    scratch.envy("recipe list").succeeds().says("greet [hides recipes.company]").says("[hidden by project]");
}
