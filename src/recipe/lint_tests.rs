//! What the lint finds.

use expect_test::{Expect, expect};

use super::lint::{Surroundings, lint};
use super::{Book, Layer};
use crate::disk;
use crate::platform::Platform;

fn surroundings() -> Surroundings<'static> {
    static PLATFORMS: std::sync::LazyLock<Vec<Platform>> = std::sync::LazyLock::new(|| {
        ["x86_64-linux-gnu", "aarch64-linux-gnu"].iter().map(|name| name.parse().unwrap()).collect()
    });
    let brought = |tool: &str| -> &'static [&'static str] {
        if tool == "cc" { &["ar", "c++", "ld", "ranlib", "strip"] } else { &[] }
    };
    let base = &["cat", "chmod", "cp", "find", "ln", "mkdir", "mv", "rm", "sed", "sh", "tar", "touch"];
    Surroundings { platforms: &PLATFORMS, base, brought: Box::leak(Box::new(brought)) }
}

fn check(files: &[(&str, &str)], expected: Expect) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        disk::write(&directory.path().join(format!("{name}.toml")), text.as_bytes()).unwrap();
    }
    let book = Book::open(vec![Layer::Project(directory.path().to_owned()), Layer::BuiltIn]).unwrap();
    let mut told = String::new();
    for finding in lint(&book, files[0].0, &surroundings()).unwrap() {
        told += &format!("{:?}: {}", finding.level, finding.message);
        told += &finding.hint.map_or("\n".to_owned(), |hint| format!(" ({hint})\n"));
    }
    expected.assert_eq(&told);
}

#[test]
fn everything_undefined_is_found_even_in_branches_that_are_not_taken() {
    let text = r#"
summary = "x"
[params]
tls = { type = "bool", doc = "With TLS." }
[dependencies]
openssl = { version = "3", when = "tsl" }
[env]
X = "{{ versoin }}"
[[step]]
name = "go"
run = "{% if tls %}echo {{ prefx }}{% endif %} {% for x in range(3) %}{{ x }}{{ loop.index }}{% endfor %}"
[[step]]
name = "broken"
run = "{% if %}"
"#;
    check(
        &[("x", text)],
        expect![[r#"
        Error: step `go` has `prefx`, which is neither a param nor a value that templates know (did you mean `prefix`?)
        Error: step `broken` cannot be read: syntax error: unexpected end of block (in <string>:1)
        Error: variable `X` has `versoin`, which is neither a param nor a value that templates know (did you mean `version`?)
        Error: the condition `tsl` has `tsl`, which is no param that templates know (did you mean `tls`?)
    "#]],
    );
}

#[test]
fn tools_that_nobody_declares_are_errors_unless_a_package_may_bring_them() {
    let text = "summary = 'x'\ntools = ['cc']\n[params]\nm = { type = 'bool', doc = 'M.' }\n[[step]]\n\
                run = 'cc x && ar y; ./z; {% if m %}m4{% endif %}'\n";
    check(
        &[("x", text)],
        expect![[r#"
        Error: its steps run `m4`, which is not among its tools (add it: `tools = ["m4"]`)
    "#]],
    );
    check(
        &[("x", &format!("{text}[build-dependencies]\npkgconf = '1'\n"))],
        expect![[r#"
        Warning: its steps run `m4`, which is not among its tools (add it: `tools = ["m4"]`, unless it comes with a package that the recipe needs)
    "#]],
    );
}

#[test]
fn needs_that_nobody_could_meet_are_errors() {
    let text = r#"
summary = "x"
[[step]]
run = "true"
[dependencies]
opensl = "3"
openssl = "4"
lz4 = { params = { target = "x" } }
pcre2 = { recipe = "make" }
"#;
    check(
        &[("x", text)],
        expect![[r#"
        Error: it needs `lz4`, but recipe `lz4` has no param `target`
        Error: it needs `opensl`, but there is no recipe `opensl` (did you mean `openssl`?)
        Error: it needs `openssl`, but recipe `openssl` lists no ^4 (it lists 3.0.20, 3.5.7)
        Error: it needs `pcre2`, but recipe `make` lists no versions
    "#]],
    );
}

#[test]
fn what_users_would_miss_is_warned_about() {
    let text = format!(
        "summary = ''\nexample = 'x = {{ recipe = \"x\", version = \"2\" }}'\n[params]\na = {{ type = 'int' }}\n\
         [versions.'1.0']\nurl = 'https://example.org/x'\nsha256 = '{}'\n[[step]]\nrun = 'true'\n",
        "0".repeat(64)
    );
    check(
        &[("x", &text)],
        expect![[r#"
        Error: its example asks for ^2, which recipe `x` does not list
        Warning: param `a` changes nothing: no template has it (use it, or take it out)
        Warning: param `a` does not say what it is for (say it: `doc = "…"`)
        Warning: its summary is empty (say what it is, in a line)
        Warning: it does not say what the licence is (say it: `license = "MIT"`)
        Warning: nothing tries out what it builds (name a command that must succeed: `check = ["x --version"]`)
        Warning: the `sha256` of version 1.0 is not filled in (write what `sha256sum` says of the file, once you have looked at it)
    "#]],
    );
}

#[test]
fn recipes_that_cannot_be_read_are_told_with_all_that_is_wrong() {
    check(
        &[("x", "sumary = 'x'\ntool = []\n")],
        expect![[r#"
        Error: unknown key `sumary` (did you mean `summary`?)
        Error: unknown key `tool` (did you mean `tools`?)
    "#]],
    );
    check(
        &[("x", "summary = 'x'\nextends = 'mak'\n")],
        expect![[r#"
        Error: it extends `mak`, but there is no recipe `mak` (did you mean `make`?)
    "#]],
    );
    check(
        &[("x", "summary = 'x'\nextends = 'x'\n")],
        expect![[r#"
            Error: it extends itself, but hides no other `x`
        "#]],
    );
    check(
        &[("x", "summary = 'x'\nextends = 'y'\n"), ("y", "summary = 'y'\nextends = 'x'\n")],
        expect![[r#"
        Error: it extends itself: x → y → x
    "#]],
    );
    check(
        &[("x", "summary = 'x'\nextends = 'y'\n"), ("y", "x = 1\n")],
        expect![[r#"
        Error: it extends `y`, which cannot be read
    "#]],
    );
    check(
        &[("x", "summary = 'x'\nextends = 'make'\nexample = 'x = 1'\n[set]\ntarget = ['x']\n")],
        expect![[r#"
        Error: recipe `x` has no param `target` (did you mean `targets`?)
    "#]],
    );
}
