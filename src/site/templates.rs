//! Rendering templates of a site's files: what they know, and what is said where they are wrong. Pure.
//!
//! What a template prints is written as it is: nothing is quoted or escaped. A name that is not known is an error. A
//! line that holds nothing but a tag leaves no line behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use super::Place;
use crate::manifest::{self, Site, expand, nearest};

/// What templates know, by name.
pub(super) struct Known(BTreeMap<String, Value>);

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The text of the line.
    pub snippet: String,
    /// What is wrong, in a line.
    pub message: String,
    /// What could be done about it.
    pub hint: Option<String>,
}

impl Known {
    /// What the templates of a site know, with the names and versions of its packages. All paths lead through
    /// `current`: they are the same for every generation.
    pub fn of(place: &Place, site: &Site, packages: &BTreeMap<String, String>) -> Self {
        let current = place.current_link().display().to_string();
        let var = place.var().display().to_string();
        let vars: BTreeMap<_, _> =
            site.vars.iter().map(|(name, value)| (name.clone(), template_value(value))).collect();
        let lookup = |name: &str| match name {
            "prefix" => Some(current.clone()),
            "site" => Some(site.name.to_string()),
            "var" => Some(var.clone()),
            name => site.vars.get(name).map(ToString::to_string),
        };
        let env = site.env.iter().map(|(name, value)| (name.clone(), Value::from(expand(value, lookup))));
        let version = |(name, version): (&String, &String)| {
            (name.clone(), map([("version".to_owned(), Value::from(version.as_str()))]))
        };
        let packages = Packages(packages.iter().map(version).collect());
        let built_in = [
            ("prefix", Value::from(current.as_str())),
            ("current", Value::from(current.as_str())),
            ("site", Value::from(site.name.as_str())),
            ("var", Value::from(var.as_str())),
            ("vars", map(vars.clone())),
            ("env", map(env)),
            ("packages", Value::from_object(packages)),
        ];
        // What every site has comes after the vars, and so before them.
        Self(vars.into_iter().chain(built_in.map(|(name, value)| (name.to_owned(), value))).collect())
    }

    /// What a template gives.
    pub fn render(&self, template: &str) -> Result<String, Fault> {
        let rendered = environment().render_named_str("", template, map(self.0.clone()));
        rendered.map_err(|error| self.fault(template, &error))
    }

    fn fault(&self, template: &str, error: &minijinja::Error) -> Fault {
        let line = error.line().unwrap_or(1);
        let message = match error.detail() {
            Some(detail) if error.kind() == minijinja::ErrorKind::UndefinedError => detail.to_owned(),
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        };
        let hint = undefined(&message).map(|name| self.instead_of(name));
        let snippet = template.lines().nth(line - 1).unwrap_or_default();
        Fault { line, snippet: snippet.replace(|c: char| c.is_control() && c != '\t', "\u{fffd}"), message, hint }
    }

    fn instead_of(&self, name: &str) -> String {
        let names = self.names();
        match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let known = self.0.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                format!("known are {known}; `{{{{ x | default(\"…\") }}}}` is for what may be missing")
            }
        }
    }

    /// Every name that a template could have meant, with its dots.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.keys().cloned().collect();
        for outer in ["vars", "env", "packages"] {
            let Some(inner) = self.0.get(outer).and_then(|value| value.try_iter().ok()) else { continue };
            for name in inner {
                let name = format!("{outer}.{}", name.to_string().replace('-', "_"));
                names.extend((outer == "packages").then(|| format!("{name}.version")));
                names.push(name);
            }
        }
        names
    }
}

/// The expression that a message calls undefined.
fn undefined(message: &str) -> Option<&str> {
    let before = message.split("` is undefined").next().filter(|before| *before != message)?;
    Some(before.rsplit_once('`')?.1)
}

fn map(entries: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::from(entries.into_iter().collect::<BTreeMap<_, _>>())
}

fn template_value(value: &manifest::Value) -> Value {
    match value {
        manifest::Value::String(text) => text.as_str().into(),
        manifest::Value::Int(number) => (*number).into(),
        manifest::Value::Float(number) => (*number).into(),
        manifest::Value::Bool(on) => (*on).into(),
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("its delimiters are the usual ones"));
    environment
}

/// Packages by their names; a `-` may be written `_`, so that a name can stand after a dot.
#[derive(Debug)]
struct Packages(BTreeMap<String, Value>);

impl Object for Packages {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let written_so = || self.0.iter().find(|(known, _)| known.replace('-', "_") == name).map(|(_, value)| value);
        self.0.get(name).or_else(written_so).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(|name| Value::from(name.as_str())).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::manifest::Manifest;

    fn known() -> Known {
        let manifest = "[sites.api]\nenv = { URL = '{prefix}/{port}' }\n\
                        vars = { port = 8001, ratio = 0.5, debug = true, name = \"it's <x>\", env = 'hidden' }";
        let manifest = Manifest::parse("envy.toml", manifest).unwrap();
        let site = manifest.sites().next().unwrap();
        let place = Place::new(Path::new("/srv/sites"), Path::new("/project"), &site.name);
        let packages = [("contact-form", "1.2.0"), ("redis", "7.0.15")];
        Known::of(&place, site, &packages.map(|(name, version)| (name.to_owned(), version.to_owned())).into())
    }

    fn check(template: &str, expected: Expect) {
        let text = match known().render(template) {
            Ok(text) => text,
            Err(Fault { line, snippet, message, hint }) => {
                format!("{line} | {snippet}\n{message}\nhint: {}\n", hint.unwrap_or_default())
            }
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn a_template_knows_the_site_its_vars_and_its_packages() {
        check(
            "{{ port }} {{ vars.port }} {{ ratio }} {{ debug }} {{ name }} {{ vars.env }}\n\
             {{ site }} {{ prefix }} {{ current }} {{ var }} {{ env.URL }}\n\
             {{ packages.redis.version }} {{ packages.contact_form.version }} {{ packages['contact-form'].version }}\n\
             {% for name in packages %}\n{{ name }};\n{% endfor %}\n\
             {% if debug and port > 8000 %}\nlevel = {{ level | default('debug') }}\n{% endif %}\nend\n\n",
            expect![[r#"
                8001 8001 0.5 True it's <x> hidden
                api /srv/sites/api/current /srv/sites/api/current /srv/sites/api/var /srv/sites/api/current/8001
                7.0.15 1.2.0 1.2.0
                contact-form;
                redis;
                level = debug
                end

            "#]],
        );
    }

    #[test]
    fn an_undefined_name_is_an_error_with_its_line_and_the_nearest_one() {
        check(
            "a\n\nport = {{ prot }}\n",
            expect![[r#"
            3 | port = {{ prot }}
            `prot` is undefined
            hint: did you mean `port`?
        "#]],
        );
        check(
            "{% if vars.dbug %}x{% endif %}",
            expect![[r#"
            1 | {% if vars.dbug %}x{% endif %}
            `vars.dbug` is undefined
            hint: did you mean `vars.debug`?
        "#]],
        );
        check(
            "{{ packages.reddis.version }}",
            expect![[r#"
            1 | {{ packages.reddis.version }}
            `packages.reddis` is undefined
            hint: did you mean `packages.redis`?
        "#]],
        );
        check(
            "{{ packages.redis.versoin }}",
            expect![[r#"
            1 | {{ packages.redis.versoin }}
            `packages.redis.versoin` is undefined
            hint: did you mean `packages.redis.version`?
        "#]],
        );
        check(
            "{% for x in nothing_like_it %}{% endfor %}",
            expect![[r#"
            1 | {% for x in nothing_like_it %}{% endfor %}
            `nothing_like_it` is undefined
            hint: known are `current`, `debug`, `env`, `name`, `packages`, `port`, `prefix`, `ratio`, `site`, `var`, `vars`; `{{ x | default("…") }}` is for what may be missing
        "#]],
        );
    }

    #[test]
    fn a_template_that_cannot_be_read_is_an_error_with_its_line() {
        check(
            "a\n{% if port %}\n",
            expect![[r#"
            2 | {% if port %}
            syntax error: unexpected end of input, expected end of block
            hint: 
        "#]],
        );
        check(
            "a\n{{ port | shout }}\n",
            expect![[r#"
            2 | {{ port | shout }}
            unknown filter: filter shout is unknown
            hint: 
        "#]],
        );
        check(
            "{% include 'other' %}",
            expect![[r#"
            1 | {% include 'other' %}
            template not found: tried to include non-existing template 'other'
            hint: 
        "#]],
        );
    }
}
