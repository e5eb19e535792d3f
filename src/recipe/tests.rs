//! Recipes as their authors write them: read, extended, hidden, rendered.

use expect_test::{Expect, expect};

use super::*;

/// A project with these recipes, beside those of envy.
struct Scene {
    directory: tempfile::TempDir,
}

impl Scene {
    fn new(recipes: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in recipes {
            crate::disk::write(&directory.path().join(name), text.as_bytes()).unwrap();
        }
        Self { directory }
    }

    fn book(&self) -> Book {
        Book::open(vec![Layer::Project(self.directory.path().to_owned()), Layer::BuiltIn]).unwrap()
    }
}

fn script(book: &Book, name: &str, chosen: &[(&str, Value)], version: &str) -> Result<String, Error> {
    let recipe = book.get(name)?;
    let values = Values {
        prefix: "/p",
        destdir: "/d",
        source: "/s",
        build: "/b",
        name,
        version: &Version::loose(version).unwrap(),
        platform: "x86_64-linux-gnu".parse().unwrap(),
    };
    recipe.script(&recipe.params(chosen.iter().map(|(name, value)| (*name, value.clone())))?, &values)
}

/// What is wrong with a recipe of this text.
fn check_wrong(text: &str, expected: Expect) {
    let scene = Scene::new(&[("x.toml", text), ("p.diff", "")]);
    let error = scene.book().get("x").map(|_| ()).unwrap_err();
    let told = match &error {
        Error::Malformed { source, .. } => source.problems.iter().map(|one| format!("{one}\n")).collect(),
        other => format!("{other}\n"),
    };
    expected.assert_eq(&told);
}

const BASE: (&str, &str) = (
    "base.toml",
    r#"
summary = "Things that make makes"
tools = ["make"]
[params]
targets = { type = "list", default = ["default"], doc = "What to make." }
level = { type = "int", default = 1, doc = "How much." }
[env]
LEVEL = "{{ level }}"
[[step]]
name = "make"
run = "make {{ targets }}"
"#,
);

const REDIS: (&str, &str) = (
    "redis.toml",
    r#"
summary = "A server"
extends = "base"
tools = ["cc"]
[versions."7.0"]
[versions."6.2"]
set = { level = 6 }
[params]
tls = { type = "bool", default = false, doc = "With TLS." }
[set]
targets = ["all", "{% if tls %}tls={{ version }}{% endif %}"]
[platform."aarch64-linux-gnu"]
set = { targets = ["arm"] }
[dependencies]
openssl = { version = "3", when = "tls", params = { shared = true } }
[build-dependencies]
pkgconf = "2"
"#,
);

#[test]
fn a_recipe_takes_steps_and_tools_of_what_it_extends_and_sets_its_params() {
    let scene = Scene::new(&[BASE, REDIS]);
    let book = scene.book();
    let redis = book.get("redis").unwrap();
    let (linux, arm) = ("x86_64-linux-gnu".parse().unwrap(), "aarch64-linux-gnu".parse().unwrap());
    let params = redis.params([]).unwrap();
    assert_eq!(redis.tools(&params, linux), ["cc", "make"]);
    let last =
        |chosen: &[(&str, Value)]| script(&book, "redis", chosen, "7.0").unwrap().lines().last().unwrap().to_owned();
    assert_eq!(last(&[]), "make all");
    assert_eq!(last(&[("tls", Value::Bool(true))]), "make all tls=7.0");
    assert_eq!(last(&[("targets", Value::List(vec!["more & more".into()]))]), "make all 'more & more'");
    let values = |platform, version: &Version| {
        let values = Values { prefix: "/p", destdir: "/d", source: "/s", build: "/b", name: "x", version, platform };
        (redis.script(&params, &values).unwrap(), redis.environment(&params, &values).unwrap()["LEVEL"].clone())
    };
    assert!(values(arm, &Version::loose("7.0").unwrap()).0.ends_with("make arm\n"), "the platform's own counts");
    assert_eq!(values(linux, &Version::loose("6.2").unwrap()).1, "6");
}

#[test]
fn needs_follow_params() {
    let scene = Scene::new(&[BASE, REDIS]);
    let book = scene.book();
    let redis = book.get("redis").unwrap();
    let names = |tls: bool| -> Vec<_> {
        let params = redis.params([("tls", Value::Bool(tls))]).unwrap();
        let holds = |need: &Need| redis.holds(need.package.when.as_deref(), &params, Platform::host()).unwrap();
        redis.needs().filter(holds).map(|need| (need.package.name.to_string(), need.purpose)).collect()
    };
    assert_eq!(names(false), [("pkgconf".to_owned(), Purpose::Build)]);
    assert_eq!(names(true), [("openssl".to_owned(), Purpose::Run), ("pkgconf".to_owned(), Purpose::Build)]);
}

#[test]
fn a_digest_covers_what_is_extended_and_no_words() {
    let digest = |base: &str, redis: &str, version: &str| {
        let scene = Scene::new(&[(BASE.0, base), (REDIS.0, redis)]);
        let book = scene.book();
        let redis = book.get("redis").unwrap();
        redis.digest(&redis.params([]).unwrap(), Some(&Version::loose(version).unwrap()))
    };
    let first = digest(BASE.1, REDIS.1, "7.0");
    assert_eq!(digest(&BASE.1.replace("What to make.", "Targets."), REDIS.1, "7.0"), first);
    assert_eq!(
        digest(BASE.1, &format!("{}[versions.\"8.0\"]\n", REDIS.1), "7.0"),
        first,
        "another version is another's"
    );
    assert_ne!(digest(&BASE.1.replace("make {{", "gmake {{"), REDIS.1, "7.0"), first);
    assert_ne!(digest(BASE.1, &REDIS.1.replace("\"all\"", "\"some\""), "7.0"), first);
    assert_ne!(digest(BASE.1, REDIS.1, "6.2"), first, "a version may set params");
}

#[test]
fn a_project_hides_what_comes_with_envy_and_may_extend_it() {
    let scene = Scene::new(&[("cargo.toml", "summary = 'Ours'\nextends = 'cargo'\n[set]\nfeatures = ['ours']\n")]);
    let book = scene.book();
    let cargo = book.get("cargo").unwrap();
    assert_eq!((cargo.summary(), cargo.extends()), ("Ours", &["cargo".to_owned()][..]));
    assert!(script(&book, "cargo", &[], "1.0.0").unwrap().contains("--features ours"));
    let listed: Vec<_> = book.list().into_iter().filter(|one| one.name == "cargo").collect();
    assert_eq!(listed[0].origin, Origin::Project);
    assert_eq!((&listed[1].origin, &listed[1].hidden_by), (&Origin::BuiltIn, &Some(Origin::Project)));
}

#[test]
fn circles_are_told_with_their_members() {
    let extends = |name: &str| format!("summary = 'x'\nextends = '{name}'\n");
    let scene = Scene::new(&[("a.toml", &extends("b")), ("b.toml", &extends("c")), ("c.toml", &extends("a"))]);
    let book = scene.book();
    let Err(Error::Circle { chain }) = book.get("a") else { panic!("a circle is an error") };
    assert_eq!(chain, ["a", "b", "c", "a"]);
    let scene = Scene::new(&[("mine.toml", &extends("mine"))]);
    assert_eq!(scene.book().get("mine").map(|_| ()).unwrap_err().to_string(), "there is no recipe `mine`");
}

#[test]
fn everything_that_is_wrong_with_a_file_is_told_with_its_place() {
    check_wrong(
        r#"
sumary = "x"
[params]
a = { type = "number", doc = "" }
b = { type = "bool", default = "yes" }
c = { type = "enum" }
[versions."1.0"]
url = "https://example.org/x.tar.gz"
[[step]]
name = "make"
[env]
"A B" = "x"
"#,
        expect![[r#"
            recipes/x.toml:2:1: unknown key `sumary`
        "#]],
    );
    check_wrong(
        r#"
[params]
a = { type = "number", doc = "" }
b = { type = "bool", default = "yes" }
c = { type = "enum" }
[versions."1.0"]
url = "https://example.org/x.tar.gz"
[[step]]
name = "make"
[env]
"A B" = "x"
"#,
        expect![[r#"
            recipes/x.toml:1:1: a recipe says what it does in a line: `summary = "…"`
            recipes/x.toml:1:1: the default of param `c` must be one of 
            recipes/x.toml:3:14: `number` is no type of a param
            recipes/x.toml:4:32: the default of param `b` must be a bool
            recipes/x.toml:5:1: an enum lists its `values`
            recipes/x.toml:7:7: version `1.0` has a `url` without its `sha256`
            recipes/x.toml:8:1: step `make` has no `run`
            recipes/x.toml:11:1: `A B` cannot be the name of a variable
        "#]],
    );
}

#[test]
fn params_that_do_not_fit_are_told_when_a_recipe_is_read() {
    check_wrong(
        "summary = 'x'\nextends = 'cargo'\n[set]\nfeature = ['a']\n",
        expect![[r#"
        recipe `x` has no param `feature`
    "#]],
    );
    check_wrong(
        "summary = 'x'\nextends = 'cargo'\n[set]\nfeatures = true\n",
        expect![[r#"
        param `features` of recipe `x` takes a list of strings, not a bool
    "#]],
    );
    check_wrong(
        "summary = 'x'\nextends = 'cargo'\n[params]\nbins = { type = 'list' }\n",
        expect![[r#"
        recipe `x` declares param `bins`, which `cargo` has declared
    "#]],
    );
    check_wrong(
        "summary = 'x'\n",
        expect![[r#"
        recipe `x` has no steps, and extends nothing that has some
    "#]],
    );
}

#[test]
fn a_value_that_a_recipe_fixes_is_not_for_its_users() {
    let scene = Scene::new(&[BASE, ("x.toml", "summary = 'x'\nextends = 'base'\n[set]\nlevel = 3\n")]);
    let book = scene.book();
    let error = script(&book, "x", &[("level", Value::Int(4))], "1").unwrap_err();
    assert_eq!(error.to_string(), "param `level` has the value that recipe `x` gives it");
}

#[test]
fn an_undefined_name_in_a_template_is_told_with_its_step() {
    let scene = Scene::new(&[("x.toml", "summary = 'x'\n[[step]]\nname = 'go'\nrun = 'echo {{ nothing }}'\n")]);
    let error = script(&scene.book(), "x", &[], "1").unwrap_err();
    assert_eq!(error.to_string(), "step `go` of recipe `x` cannot be rendered");
}
