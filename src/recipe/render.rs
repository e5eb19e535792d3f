//! Rendering a recipe's steps into one shell script. Pure.
//!
//! Whatever a template prints is quoted for the shell: a text becomes one word, a list one word for each element,
//! with empty elements left out. So a param can add an argument, but never a command.
//!
//! Before that, params get the values that recipes set: from the recipe itself up to what it extends, each text a template
//! over what is known so far.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::value::ValueKind;
use minijinja::{Environment, Output, State, UndefinedBehavior};

use super::{Error, Params, Recipe, Value};
use crate::package::Version;
use crate::platform::Platform;

/// What the templates of steps know beside the params (a `-` in whose names is written `_`).
#[derive(Clone, Debug)]
pub struct Values<'a> {
    /// Where the package will believe that it is installed.
    pub prefix: &'a str,
    /// What to put before `prefix` when installing.
    pub destdir: &'a str,
    /// The directory with the source.
    pub source: &'a str,
    /// An empty directory for what is made on the way.
    pub build: &'a str,
    /// The package's name.
    pub name: &'a str,
    /// The package's version.
    pub version: &'a Version,
    /// What is built for.
    pub platform: Platform,
}

/// What a step prints first, so that a log tells how far a build came.
const MARK: &str = "envy: step ";

impl Recipe {
    /// All steps as one script for `sh`, which ends at the first command that fails.
    pub fn script(&self, params: &Params, values: &Values<'_>) -> Result<String, Error> {
        let mut script = "set -eu\n".to_owned();
        for (index, (_, commands)) in self.commands(params, values)?.iter().enumerate() {
            let number = index + 1;
            // Each step starts in the source, whatever the one before did.
            script.push_str(&format!("echo '{MARK}{number}'\ncd {}\n{commands}\n", quote(values.source)));
        }
        Ok(script)
    }

    /// The steps by their names, each with its commands.
    pub fn commands(&self, params: &Params, values: &Values<'_>) -> Result<Vec<(&str, String)>, Error> {
        let (quoting, context) = (quoting(), self.context(params, values)?);
        let commands = self.steps.iter().map(|step| {
            let run = self.render(&quoting, &step.run, &context, || format!("step `{}`", step.name))?;
            Ok((step.name.as_str(), run.trim().to_owned()))
        });
        commands.collect()
    }

    /// The commands that try out what was built, as one script; nothing where there are none.
    pub fn check_script(&self, params: &Params, values: &Values<'_>) -> Result<Option<String>, Error> {
        if self.checks.is_empty() {
            return Ok(None);
        }
        let (quoting, context) = (quoting(), self.context(params, values)?);
        let mut script = "set -eu\n".to_owned();
        for (index, check) in self.checks.iter().enumerate() {
            let command = self.render(&quoting, check, &context, || format!("check `{check}`"))?;
            script.push_str(&format!("echo '{MARK}{}'\n{}\n", index + 1, command.trim()));
        }
        Ok(Some(script))
    }

    /// The variables that steps see beside those of every build.
    pub fn environment(&self, params: &Params, values: &Values<'_>) -> Result<BTreeMap<String, String>, Error> {
        let (plain, context) = (plain(), self.context(params, values)?);
        let render = |(name, text): (&String, &String)| {
            Ok((name.clone(), self.render(&plain, text, &context, || format!("variable `{name}`"))?))
        };
        self.env.iter().map(render).collect()
    }

    fn render(
        &self,
        environment: &Environment<'_>,
        template: &str,
        context: &Context,
        what: impl Fn() -> String,
    ) -> Result<String, Error> {
        let failed = |source| Error::Render { recipe: self.name.clone(), what: what(), source: Box::new(source) };
        environment.render_str(template, context).map_err(failed)
    }

    /// Everything that templates know: the values that recipes set come in the place of those that they set.
    fn context(&self, params: &Params, values: &Values<'_>) -> Result<Context, Error> {
        let plain = plain();
        let mut context = known(values);
        context.extend(param_values(params));
        let of_version = self.releases.get(values.version).map(|release| &release.set);
        let parts = self.parts_for(values.platform).map(|part| &part.set);
        let mut done = BTreeSet::new();
        for (name, value) in of_version.into_iter().chain(parts).flatten() {
            // What is nearer to the user was there first, and counts.
            if !done.insert(name) {
                continue;
            }
            let what = || format!("the value of `{name}`");
            let set = match value {
                Value::String(text) => self.render(&plain, text, &context, what)?.into(),
                Value::List(texts) => {
                    let texts = texts.iter().map(|text| self.render(&plain, text, &context, what));
                    let mut texts = texts.collect::<Result<Vec<_>, _>>()?;
                    texts.extend(self.added(name, params).iter().cloned());
                    texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().into()
                }
                other => template_value(other),
            };
            context.insert(variable(name), set);
        }
        Ok(context)
    }

    /// What a user adds to a list that a recipe sets.
    fn added<'p>(&self, name: &str, params: &'p Params) -> &'p [String] {
        let (given, default) = (params.get(name), self.params.get(name).map(|param| &param.default));
        let added = given.filter(|given| default != Some(given));
        added.and_then(Value::as_list).unwrap_or_default()
    }
}

type Context = BTreeMap<String, minijinja::Value>;

/// What a script runs in a step, counted from one, line by line.
pub fn commands_of(script: &str, step: usize) -> Vec<&str> {
    let mark = format!("echo '{MARK}{step}'");
    let own = script.lines().skip_while(|line| *line != mark).skip(2);
    own.take_while(|line| !line.starts_with(&format!("echo '{MARK}"))).filter(|line| !line.trim().is_empty()).collect()
}

/// The number of the last step that a log tells of.
pub fn last_step(log: &str) -> Option<usize> {
    log.lines().rev().find_map(|line| line.strip_prefix(MARK)?.parse().ok())
}

/// The lines of a log that the build itself printed.
pub fn without_marks(log: &str) -> impl DoubleEndedIterator<Item = &str> {
    log.lines().filter(|line| !line.starts_with(MARK))
}

/// Templates whose values become words of the shell.
fn quoting() -> Environment<'static> {
    let mut environment = plain();
    environment.set_formatter(write_quoted);
    environment
}

/// Templates whose values stay as they are.
fn plain() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}

fn known(values: &Values<'_>) -> Context {
    let texts = [
        ("prefix", values.prefix.to_owned()),
        ("destdir", values.destdir.to_owned()),
        ("source", values.source.to_owned()),
        ("build", values.build.to_owned()),
        ("name", values.name.to_owned()),
        ("version", values.version.to_string()),
        ("platform", values.platform.to_string()),
        ("host", values.platform.rust_target().to_owned()),
    ];
    texts.map(|(name, text)| (name.to_owned(), text.into())).into()
}

/// Params as templates know them.
pub(super) fn param_values(params: &Params) -> impl Iterator<Item = (String, minijinja::Value)> {
    params.iter().map(|(name, value)| (variable(name), template_value(value)))
}

/// The names that templates know beside the params.
pub(super) fn known_names() -> Vec<String> {
    let version = Version::loose("0").expect("a number is a version");
    let (platform, nothing) = (Platform::host(), "");
    let (prefix, destdir, source, build, name) = (nothing, nothing, nothing, nothing, nothing);
    known(&Values { prefix, destdir, source, build, name, version: &version, platform }).into_keys().collect()
}

/// The name of a param in a template.
pub(super) fn variable(param: &str) -> String {
    param.replace('-', "_")
}

fn template_value(value: &Value) -> minijinja::Value {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::String(value) => value.as_str().into(),
        Value::List(values) => values.clone().into(),
    }
}

fn write_quoted(
    output: &mut Output<'_>,
    _state: &mut State<'_, '_>,
    value: &minijinja::Value,
) -> Result<(), minijinja::Error> {
    let text = match value.kind() {
        ValueKind::Undefined => return Err(minijinja::ErrorKind::UndefinedError.into()),
        ValueKind::Seq | ValueKind::Iterable => {
            let words: Vec<_> =
                value.try_iter()?.map(|item| item.to_string()).filter(|item| !item.is_empty()).collect();
            words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
        }
        _ => quote(&value.to_string()),
    };
    output.write_str(&text).map_err(minijinja::Error::from)
}

/// A text as one word of the shell.
fn quote(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,+@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::super::Book;
    use super::*;
    use expect_test::{Expect, expect};

    fn check(chosen: impl IntoIterator<Item = (&'static str, Value)>, expected: Expect) {
        let book = Book::built_in();
        let recipe = book.get("cargo").unwrap();
        let values = Values {
            prefix: "/p",
            destdir: "/d",
            source: "/s",
            build: "/b",
            name: "hexyl",
            version: &"0.16.0".parse().unwrap(),
            platform: "x86_64-linux-gnu".parse().unwrap(),
        };
        expected.assert_eq(&recipe.script(&recipe.params(chosen).unwrap(), &values).unwrap());
    }

    #[test]
    fn the_cargo_recipe_builds_and_installs() {
        check(
            [],
            expect![[r#"
            set -eu
            echo 'envy: step 1'
            cd /s
            cd /b
            cargo build --frozen --manifest-path /s/Cargo.toml --target-dir /b/target --profile release --bins
            echo 'envy: step 2'
            cd /s
            mkdir -p /d/p/bin
            cd /b/target/release
            find . -maxdepth 1 -type f -perm -u+x ! -name '*.so' -exec cp {} /d/p/bin/ \;
        "#]],
        );
    }

    #[test]
    fn params_become_single_words_of_the_shell() {
        check(
            [
                ("features", Value::List(vec!["pcre2".into(), "a b; rm -rf /".into()])),
                ("bins", Value::List(vec!["it's".into()])),
                ("static", Value::Bool(true)),
            ],
            expect![[r#"
                set -eu
                echo 'envy: step 1'
                cd /s
                cd /b
                cargo build --frozen --manifest-path /s/Cargo.toml --target-dir /b/target --profile release --bin 'it'\''s' --features pcre2 --features 'a b; rm -rf /' --target x86_64-unknown-linux-gnu --config 'target."x86_64-unknown-linux-gnu".rustflags=["-Ctarget-feature=+crt-static"]'
                echo 'envy: step 2'
                cd /s
                mkdir -p /d/p/bin
                cd /b/target/x86_64-unknown-linux-gnu/release
                find . -maxdepth 1 -type f -perm -u+x ! -name '*.so' -exec cp {} /d/p/bin/ \;
            "#]],
        );
    }

    #[test]
    fn a_step_is_found_in_its_script() {
        let script = "set -eu\necho 'envy: step 1'\ncd /s\nmake\n\necho 'envy: step 2'\ncd /s\nmake install\nls\n";
        assert_eq!(commands_of(script, 1), ["make"]);
        assert_eq!(commands_of(script, 2), ["make install", "ls"]);
        assert!(commands_of(script, 3).is_empty());
    }

    #[test]
    fn a_log_tells_its_last_step() {
        assert_eq!(last_step("envy: step 1\nhello\nenvy: step 2\nerror"), Some(2));
        assert_eq!(last_step("nothing"), None);
    }
}
