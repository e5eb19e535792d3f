//! What the room says about manifests, good and bad.

use expect_test::{Expect, expect};

use super::*;

/// What the room said.
pub(super) struct Said(String);

impl Said {
    pub(super) fn is(self, expected: Expect) {
        expected.assert_eq(&self.0);
    }
}

/// Everything that the room says about a text.
pub(super) fn check(text: &str) -> Said {
    Said(problems(text).iter().map(in_full).collect())
}

/// Only what was said, one line a problem.
pub(super) fn brief(text: &str) -> Said {
    Said(problems(text).iter().map(|problem| format!("{problem}\n")).collect())
}

fn problems(text: &str) -> Vec<Problem> {
    Manifest::parse("envy.toml", text).map_or_else(|invalid| invalid.problems, |_| Vec::new())
}

fn in_full(problem: &Problem) -> String {
    let caret = format!("{}{}", " ".repeat(problem.column - 1), "^".repeat(problem.width));
    let hint = problem.hint.as_ref().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    format!("{problem}\n  {}\n  {caret}\n{hint}", problem.snippet)
}

pub(super) const GOOD: &str = r#"
[project]
name = "ljworld"
envy = ">=0.1"
platforms = ["x86_64-linux-gnu", "aarch64-linux-musl"]

[toolchain]
rust = "1.95"

[dependencies]
just = "1"

[sites.siteB]

[sites.siteA]
extends = []
check = []

[sites.siteA.dependencies]
ripgrep = { version = "14", features = ["pcre2"], params = { lto = true, jobs = 3 }, without = ["share/man"] }
just.version = ">=1.30"
just.default-features = false
any = "*"

[sites.siteA.env]
DATABASE_URL = "postgres:///{site}?port={port}&{{raw}}"

[sites.siteA.vars]
port = 0x1F41
ratio = 0.5
debug = false

[mirrors]

[settings]
require-outputs = false
sandbox = "required"
"#;

#[test]
fn a_whole_manifest_is_read() {
    let manifest = Manifest::parse("envy.toml", GOOD).unwrap();
    assert_eq!(manifest.project_name(), Some("ljworld"));
    assert_eq!(manifest.platforms().len(), 2);
    assert_eq!(manifest.toolchain(), Some(&"=1.95".parse().unwrap()));
    assert_eq!(manifest.sandbox(), SandboxSetting::Required);
    assert_eq!(manifest.sites().map(|site| site.name.as_str()).collect::<Vec<_>>(), ["siteA", "siteB"]);
    assert_eq!(manifest.nearest_site("stieA").as_deref(), Some("siteA"));
    let site = manifest.site(&"siteA".parse().unwrap()).unwrap();
    assert_eq!(site.vars["port"], Value::Int(8001));
    let lines = site.dependencies.iter().map(|dependency| {
        let Dependency { name, versions, by, params, without, span, .. } = dependency;
        format!("{}:{} {name} {versions} for {by} {params:?} {without:?}\n", span.line, span.column)
    });
    expect![[r#"
        11:1 just ^1 for every site {} []
        23:1 any * for site `siteA` {} []
        21:1 just >=1.30 for site `siteA` {"no-default-features": Bool(true)} []
        20:1 ripgrep ^14 for site `siteA` {"features": List(["pcre2"]), "jobs": Int(3), "lto": Bool(true)} ["share/man"]
    "#]]
    .assert_eq(&lines.collect::<String>());
}

#[test]
fn an_empty_manifest_has_no_sites() {
    let manifest = Manifest::parse("envy.toml", "").unwrap();
    assert_eq!(manifest.platforms(), [Platform::host()]);
    assert_eq!(manifest.sites().count(), 0);
    assert_eq!((manifest.project_name(), manifest.toolchain(), manifest.sandbox()), (None, None, SandboxSetting::Auto));
}

#[test]
fn a_toolchain_fixes_the_parts_it_gives() {
    let check = |written: &str, req: &str| {
        let manifest = Manifest::parse("envy.toml", &format!("[toolchain]\nrust = '{written}'")).unwrap();
        assert_eq!(manifest.toolchain(), Some(&req.parse().unwrap()), "{written}");
    };
    check("1", "=1");
    check("1.95", "=1.95");
    check("1.95.0", "=1.95.0");
    check(">=1.80", ">=1.80");
    check("^1.80", "^1.80");
    check(">=1.80, <1.90", ">=1.80, <1.90");
    brief("[toolchain]\nrust = 'stable'").is(expect![[r#"
        envy.toml:2:8: `stable` is not a version of Rust
    "#]]);
}

#[test]
fn an_unknown_key_is_named_with_the_nearest() {
    check("[dependancies]\njust = '1'").is(expect![[r#"
        envy.toml:1:2: unknown key `dependancies`
          [dependancies]
           ^^^^^^^^^^^^
        hint: did you mean `dependencies`?
    "#]]);
    check("zebra = 1\n[project]\nnme = 'x'\nplatform = []").is(expect![[r#"
        envy.toml:1:1: unknown key `zebra`
          zebra = 1
          ^^^^^
        hint: known here are `project`, `toolchain`, `dependencies`, `sites`, `settings`, `registries`, `recipes`, `mirrors`, `overrides`, `constraints` and `remote`
        envy.toml:3:1: unknown key `nme`
          nme = 'x'
          ^^^
        hint: did you mean `name`?
        envy.toml:4:1: unknown key `platform`
          platform = []
          ^^^^^^^^
        hint: did you mean `platforms`?
    "#]]);
    check("[toolchain]\nrsut = '1'\n[settings]\nsandbocks = 'auto'").is(expect![[r#"
        envy.toml:2:1: unknown key `rsut`
          rsut = '1'
          ^^^^
        hint: did you mean `rust`?
        envy.toml:4:1: unknown key `sandbocks`
          sandbocks = 'auto'
          ^^^^^^^^^
        hint: did you mean `sandbox`?
    "#]]);
    check("[sites.a]\nevn = {}\n[sites.b.dependencies]\nx = { version = '1', featuers = [] }").is(expect![[r#"
        envy.toml:2:1: unknown key `evn`
          evn = {}
          ^^^
        hint: did you mean `env`?
        envy.toml:4:22: unknown key `featuers`
          x = { version = '1', featuers = [] }
                               ^^^^^^^^
        hint: did you mean `features`?
    "#]]);
    check("[remote]\ncahce = 'x'\n[sites.a.files]\nx = { tmplate = 'x' }").is(expect![[r#"
        envy.toml:2:1: unknown key `cahce`
          cahce = 'x'
          ^^^^^
        hint: did you mean `cache`?
        envy.toml:4:1: file `x` does not say what is in it
          x = { tmplate = 'x' }
          ^
        hint: add one of `template`, `text` and `file`
        envy.toml:4:7: unknown key `tmplate`
          x = { tmplate = 'x' }
                ^^^^^^^
        hint: did you mean `template`?
    "#]]);
}

#[test]
fn a_wrong_type_is_named_with_the_right_one() {
    brief(
        r#"dependencies = 3
        sites = ["a"]
        project.name = 1
        project.envy = true
        project.platforms = "x86_64-linux-gnu"
        toolchain.rust = 1.95
        settings = { sandbox = false, exclude-newer = true, require-outputs = 'x' }"#,
    )
    .is(expect![[r#"
            envy.toml:1:16: `dependencies` must be a table, not an integer
            envy.toml:2:17: `sites` must be a table, not a list
            envy.toml:3:24: `name` must be a string, not an integer
            envy.toml:4:24: `envy` must be a string, not a boolean
            envy.toml:5:29: `platforms` must be a list of strings, not a string
            envy.toml:6:26: `rust` must be a string, not a float
            envy.toml:7:32: `sandbox` must be a string, not a boolean
            envy.toml:7:55: `exclude-newer` must be a string or `false`, not a boolean
            envy.toml:7:79: `require-outputs` must be `true` or `false`, not a string
        "#]]);
    brief(
        r#"[sites.a]
        env = { A = 1 }
        vars = { a = [], b = 99999999999999999999, c = 1979-05-27 }
        extends = 'b'
        check = [1]
        files = { x = 'y' }
        [sites.a.dependencies]
        a = 1
        b = { version = 1, features = 'x', all-features = 'x', bins = ['x', 1], static = [] }
        [sites.a.dependencies.c]
        version = '1'
        params = { a = {}, b = [[]], c = 1.5 }
        git = true
        patches = 'x'
        strip = 'x'"#,
    )
    .is(expect![[r#"
        envy.toml:2:21: `A` must be a string, not an integer
        envy.toml:3:22: `a` must be a string, a number, `true` or `false`, not a list
        envy.toml:3:30: the number of `b` does not fit into 64 bits
        envy.toml:3:56: `c` must be a string, a number, `true` or `false`, not a date or time
        envy.toml:4:19: `extends` must be a list of strings, not a string
        envy.toml:5:18: `check` must be a list of strings, but this is an integer
        envy.toml:6:23: `x` must be a table, not a string
        envy.toml:8:13: `a` must be a version requirement or a table, not an integer
        envy.toml:9:25: `version` must be a string, not an integer
        envy.toml:9:39: `features` must be a list of strings, not a string
        envy.toml:9:59: `all-features` must be `true` or `false`, not a string
        envy.toml:9:77: `bins` must be a list of strings, but this is an integer
        envy.toml:9:90: `static` must be `true` or `false`, not a list
        envy.toml:12:24: `a` must be a string, an integer, a list of strings, `true` or `false`, not a table
        envy.toml:12:33: `b` must be a list of strings, but this is a list
        envy.toml:12:42: `c` must be a string, an integer, a list of strings, `true` or `false`, not a float
        envy.toml:13:15: `git` must be a string, not a boolean
        envy.toml:14:19: `patches` must be a list of strings, not a string
        envy.toml:15:17: `strip` must be an integer, not a string
        envy.toml:15:17: `strip` belongs to a source that is named by `url`
    "#]]);
    brief("[[sites]]\n[mirrors]\na = 1\n[overrides]\nx = 1\n[registries]\nx = 'y'\n[constraints]\nx.y = 'x'").is(
        expect![[r#"
            envy.toml:1:1: `sites` must be a table, not a list
            envy.toml:3:5: `a` must be a string, not an integer
            envy.toml:5:5: `x` must be a version requirement or a table, not an integer
            envy.toml:7:5: `x` must be a table, not a string
            envy.toml:9:1: `x` must be a string, not a table
        "#]],
    );
}

#[test]
fn a_project_names_a_cache_and_says_nothing_else_of_it() {
    let manifest = Manifest::parse("envy.toml", "[remote]\ncache = 'file:///srv/cache'").unwrap();
    assert_eq!(manifest.remote_cache(), Some("file:///srv/cache"));
    brief("[remote]\ncache = 'https://me:secret@a.example/'\npush = true\ntrust = true").is(expect![[r#"
        envy.toml:2:9: `cache` holds credentials, which are for nobody else
        envy.toml:3:8: `push` is not for a project to say
        envy.toml:4:9: `trust` is not for a project to say
    "#]]);
}

#[test]
fn a_condition_is_one_on_the_platform_and_stands_where_something_is_asked_for() {
    let text = "[dependencies]\na = { version = '1', when = 'os' }\nb = { version = '1', when = 'tls' }\n\
                c = { version = '1', when = 'os ==' }\n[overrides]\nd = { version = '1', when = 'os == \"linux\"' }\n";
    brief(text).is(expect![[r#"
        envy.toml:2:29: `os` is neither true nor false; compare, as in `os == "linux"`
        envy.toml:3:29: `tls` names `tls`; a condition knows `os`, `arch`, `libc` and `platform`
        envy.toml:4:29: `os ==` is not a condition: unexpected end of input, expected expression
        envy.toml:6:29: an override holds everywhere, and has no `when`
    "#]]);
    let manifest =
        Manifest::parse("envy.toml", "[sites.a.dependencies]\na = { version = '1', when = \"libc == 'musl'\" }");
    let asked = manifest.unwrap().sites().next().unwrap().dependencies[0].clone();
    assert!(asked.is_for("x86_64-linux-musl".parse().unwrap()) && !asked.is_for("x86_64-linux-gnu".parse().unwrap()));
}

#[test]
fn a_file_that_is_no_toml_says_where() {
    check("[project]\nname = \"x\n").is(expect![[r#"
        envy.toml:2:10: invalid basic string, expected `"`
          name = "x
                   ^
    "#]]);
    check("[dependencies]\njust = '1'\njust = '2'\n").is(expect![[r#"
        envy.toml:3:1: duplicate key `just`
          just = '2'
          ^^^^
    "#]]);
    check("a = \n").is(expect![[r#"
        envy.toml:1:5: string values must be quoted, expected literal string
          a = 
              ^
    "#]]);
    check("[sites.a]\n[sites.a]").is(expect![[r#"
        envy.toml:2:8: duplicate key `a`
          [sites.a]
                 ^
    "#]]);
    check("[project]\n\u{1}\u{1b}[31m = 1").is(expect![[r#"
        envy.toml:2:3: key with no value, expected `=`
          ��[31m = 1
            ^
    "#]]);
}

#[test]
fn conflict_markers_are_recognised() {
    check(
        "[dependencies]\n<<<<<<< HEAD\njust = '1'\n=======\njust = '2'\n>>>>>>> other\n\n<<<<<<< HEAD\n=======\n>>>>>>> other\n").is(expect![[r#"
            envy.toml:2:1: a merge conflict begins here and is not resolved yet
              <<<<<<< HEAD
              ^^^^^^^^^^^^
            envy.toml:8:1: a merge conflict begins here and is not resolved yet
              <<<<<<< HEAD
              ^^^^^^^^^^^^
        "#]])
;
}

#[test]
fn another_envy_is_asked_for_before_anything_else() {
    check("[project]\nenvy = '>=99'\nzebra = true\n[zebras]\nx = 1").is(expect![[r#"
        envy.toml:2:8: this is envy 0.1.0, but the project asks for envy >=99
          envy = '>=99'
                 ^^^^^^
    "#]]);
    check("[project]\nenvy = '>=99'\n[project]\n").is(expect![[r#"
        envy.toml:2:8: this is envy 0.1.0, but the project asks for envy >=99
          envy = '>=99'
                 ^^^^^^
    "#]]);
    check("[project]\nenvy = 'new'").is(expect![[r#"
        envy.toml:2:8: `new` is not a version requirement: unexpected character 'n' while parsing major version number
          envy = 'new'
                 ^^^^^
    "#]]);
}

#[test]
fn names_and_requirements_are_checked() {
    brief(
        r#"[project]
        platforms = ["x86_64-linux-gnu", "sparc-sunos", "x86_64-linux-gnu"]
        [settings]
        sandbox = "requird"
        [dependencies]
        "a/b" = "1"
        "a\nb" = { version = "1" }
        c = "one"
        d = { version = "1.2.3.4" }
        e = {}
        f = ""
        [sites."a b".dependencies]
        [sites.".."]
        "#).is(expect![[r#"
            envy.toml:2:42: unknown platform `sparc-sunos`; known are x86_64-linux-gnu, x86_64-linux-musl, aarch64-linux-gnu and aarch64-linux-musl
            envy.toml:2:57: platform `x86_64-linux-gnu` is listed twice
            envy.toml:4:19: `sandbox` must be `auto`, `required` or `off`, not `requird`
            envy.toml:6:9: `a/b` is not a name: use up to 64 letters, digits, `-` and `_`, beginning with a letter or digit
            envy.toml:7:9: `a\nb` is not a name: use up to 64 letters, digits, `-` and `_`, beginning with a letter or digit
            envy.toml:8:13: `one` is not a version requirement: unexpected character 'o' while parsing major version number
            envy.toml:9:25: `1.2.3.4` is not a version requirement: expected comma after patch version number, found '.'
            envy.toml:10:9: dependency `e` has no `version`
            envy.toml:11:13: `` is not a version requirement: unexpected end of input while parsing major version number
            envy.toml:12:16: `a b` is not a name: use up to 64 letters, digits, `-` and `_`, beginning with a letter or digit
            envy.toml:13:16: `..` is not a name: use up to 64 letters, digits, `-` and `_`, beginning with a letter or digit
        "#]])
;
    brief("project.platforms = []").is(expect![[r#"
        envy.toml:1:21: `platforms` lists no platform
    "#]]);
}

#[test]
fn a_param_given_twice_is_an_error() {
    check("[dependencies]\nx = { version = '1', features = ['a'], params = { features = ['b'] } }").is(expect![[r#"
        envy.toml:2:51: param `features` is given twice
          x = { version = '1', features = ['a'], params = { features = ['b'] } }
                                                            ^^^^^^^^
    "#]]);
    check("[dependencies.x]\nversion = '1'\nno-default-features = true\ndefault-features = true").is(expect![[r#"
        envy.toml:4:1: param `no-default-features` is given twice
          default-features = true
          ^^^^^^^^^^^^^^^^
    "#]]);
}

#[test]
fn placeholders_and_names_of_variables_are_checked() {
    check(
        r#"[sites.a.env]
A = "x {prefx} {prot}"
B = 'é {nothing}'
C = "tab\t{nothing}"
D = "{"
E = "a } b"
"1X" = ""
F = "{{ok}} {prefix} {site} {var} {port}"
G = "\u0000"
[sites.a.vars]
port = 1
prefix = "x"
"a-b" = 1"#,
    )
    .is(expect![[r#"
            envy.toml:2:8: unknown placeholder `{prefx}`
              A = "x {prefx} {prot}"
                     ^^^^^^^
            hint: did you mean `{prefix}`?
            envy.toml:2:16: unknown placeholder `{prot}`
              A = "x {prefx} {prot}"
                             ^^^^^^
            hint: did you mean `{port}`?
            envy.toml:3:8: unknown placeholder `{nothing}`
              B = 'é {nothing}'
                     ^^^^^^^^^
            hint: known are `{prefix}`, `{site}`, `{var}` and `{port}`; `{{` and `}}` stand for braces
            envy.toml:4:5: unknown placeholder `{nothing}`
              C = "tab\t{nothing}"
                  ^^^^^^^^^^^^^^^^
            hint: known are `{prefix}`, `{site}`, `{var}` and `{port}`; `{{` and `}}` stand for braces
            envy.toml:5:6: `{` has no partner
              D = "{"
                   ^
            hint: write `{{` for a brace
            envy.toml:6:8: `}` has no partner
              E = "a } b"
                     ^
            hint: write `}}` for a brace
            envy.toml:7:1: `1X` is not the name of a variable: use letters, digits and `_`, not beginning with a digit
              "1X" = ""
              ^^^^
            envy.toml:9:5: a variable cannot hold a NUL character
              G = "\u0000"
                  ^^^^^^^^
            envy.toml:12:1: var `prefix` would hide the `{prefix}` that every site has
              prefix = "x"
              ^^^^^^
            envy.toml:13:1: `a-b` is not the name of a variable: use letters, digits and `_`, not beginning with a digit
              "a-b" = 1
              ^^^^^
        "#]]);
}

#[test]
fn all_problems_are_told_in_the_order_of_the_text() {
    let text = "zebra = 1\n[dependencies]\nb = 'x'\na = { when = 'x', version = '1' }\n[sites.'']\nenv = 1\n[project]\nname = 1\n";
    let invalid = Manifest::parse("envy.toml", text).unwrap_err();
    assert_eq!(invalid.to_string(), "`envy.toml` has 5 errors");
    brief(text).is(expect![[r#"
        envy.toml:1:1: unknown key `zebra`
        envy.toml:4:14: `x` names `x`; a condition knows `os`, `arch`, `libc` and `platform`
        envy.toml:5:8: `` is not a name: use up to 64 letters, digits, `-` and `_`, beginning with a letter or digit
        envy.toml:6:7: `env` must be a table, not an integer
        envy.toml:8:8: `name` must be a string, not an integer
    "#]]);
}
