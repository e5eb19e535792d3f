//! Rendering a recipe's steps into one shell script. Pure.
//!
//! Whatever a template prints is quoted for the shell: a text becomes one word, a list one word for each element,
//! with empty elements left out. So a param can add an argument, but never a command.

use minijinja::value::ValueKind;
use minijinja::{Environment, Output, State, UndefinedBehavior};

use super::{Error, Params, Recipe, Value};

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
    pub version: &'a str,
    /// envy's name of the platform that is built for.
    pub platform: &'a str,
    /// Rust's name of the platform that is built on.
    pub host: &'a str,
}

/// What a step prints first, so that a log tells how far a build came.
const MARK: &str = "envy: step ";

impl Recipe {
    /// All steps as one script for `sh`, which ends at the first command that fails.
    pub fn script(&self, params: &Params, values: &Values<'_>) -> Result<String, Error> {
        let environment = environment();
        let context = context(params, values);
        let mut script = "set -eu\n".to_owned();
        for (index, step) in self.steps.iter().enumerate() {
            let failed =
                |source| Error::Render { recipe: self.name.clone(), step: step.name.clone(), source: Box::new(source) };
            let run = environment.render_str(&step.run, &context).map_err(failed)?;
            let number = index + 1;
            // Each step starts in the source, whatever the one before did.
            script.push_str(&format!("echo '{MARK}{number}'\ncd {}\n{}\n", quote(values.source), run.trim()));
        }
        Ok(script)
    }
}

/// The number of the last step that a log tells of.
pub fn last_step(log: &str) -> Option<usize> {
    log.lines().rev().find_map(|line| line.strip_prefix(MARK)?.parse().ok())
}

/// The lines of a log that the build itself printed.
pub fn without_marks(log: &str) -> impl DoubleEndedIterator<Item = &str> {
    log.lines().filter(|line| !line.starts_with(MARK))
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(write_quoted);
    environment
}

fn context(params: &Params, values: &Values<'_>) -> std::collections::BTreeMap<String, minijinja::Value> {
    let params = params.iter().map(|(name, value)| (name.replace('-', "_"), template_value(value)));
    let known = [
        ("prefix", values.prefix),
        ("destdir", values.destdir),
        ("source", values.source),
        ("build", values.build),
        ("name", values.name),
        ("version", values.version),
        ("platform", values.platform),
        ("host", values.host),
    ];
    params.chain(known.map(|(name, value)| (name.to_owned(), value.into()))).collect()
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
            version: "0.16.0",
            platform: "x86_64-linux-gnu",
            host: "x86_64-unknown-linux-gnu",
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
    fn a_log_tells_its_last_step() {
        assert_eq!(last_step("envy: step 1\nhello\nenvy: step 2\nerror"), Some(2));
        assert_eq!(last_step("nothing"), None);
    }
}
