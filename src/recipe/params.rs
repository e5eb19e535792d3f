//! Params: what a recipe lets its user choose, checked against their types. Pure.

use std::collections::BTreeMap;

use super::{Error, Recipe};
use crate::manifest::Param as Written;

/// The value of a param.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    String(String),
    /// Several texts.
    List(Vec<String>),
}

impl Value {
    /// What its type is called in messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "a bool",
            Self::Int(_) => "a whole number",
            Self::String(_) => "a string",
            Self::List(_) => "a list of strings",
        }
    }

    /// The texts of a list.
    pub fn as_list(&self) -> Option<&[String]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Its canonical form.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Bool(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::String(value) => value.as_str().into(),
            Self::List(values) => values.as_slice().into(),
        }
    }
}

impl From<&Written> for Value {
    fn from(written: &Written) -> Self {
        match written {
            Written::Bool(value) => Self::Bool(*value),
            Written::Int(value) => Self::Int(*value),
            Written::String(value) => Self::String(value.clone()),
            Written::List(values) => Self::List(values.clone()),
        }
    }
}

/// The type of a param.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Yes or no.
    Bool,
    /// A whole number.
    Int,
    /// A text.
    String,
    /// Several texts.
    List,
    /// One of these texts.
    Enum(Vec<String>),
    /// A path in the source: relative, and without `..`.
    Path,
}

impl Kind {
    /// What the types are called in a recipe.
    pub const NAMES: [&'static str; 6] = ["bool", "int", "string", "list", "enum", "path"];

    /// The type of this name; an enum has these values.
    pub fn of(name: &str, values: Vec<String>) -> Option<Self> {
        Some(match name {
            "bool" => Self::Bool,
            "int" => Self::Int,
            "string" => Self::String,
            "list" => Self::List,
            "enum" => Self::Enum(values),
            "path" => Self::Path,
            _ => return None,
        })
    }

    /// What it is called in a recipe.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::String => "string",
            Self::List => "list",
            Self::Enum(_) => "enum",
            Self::Path => "path",
        }
    }

    /// What a param is where nobody says.
    pub fn empty(&self) -> Value {
        match self {
            Self::Bool => Value::Bool(false),
            Self::Int => Value::Int(0),
            Self::String | Self::Path => Value::String(String::new()),
            Self::List => Value::List(Vec::new()),
            Self::Enum(values) => Value::String(values.first().cloned().unwrap_or_default()),
        }
    }

    /// Whether a value is of this type; if it is not, what would be.
    pub fn accepts(&self, value: &Value) -> Result<(), String> {
        match (self, value) {
            (Self::Bool, Value::Bool(_)) | (Self::Int, Value::Int(_)) => Ok(()),
            (Self::String, Value::String(_)) | (Self::List, Value::List(_)) => Ok(()),
            (Self::Enum(values), Value::String(text)) if values.contains(text) => Ok(()),
            (Self::Path, Value::String(text)) if is_inside(text) => Ok(()),
            _ => Err(self.wanted()),
        }
    }

    fn wanted(&self) -> String {
        match self {
            Self::Enum(values) => format!("one of {}", crate::manifest::listed(values.iter().map(String::as_str))),
            Self::Path => "a path in the source, relative and without `..`".to_owned(),
            other => other.empty().type_name().to_owned(),
        }
    }
}

fn is_inside(path: &str) -> bool {
    !path.starts_with('/') && !path.contains('\0') && path.split('/').all(|part| part != "..")
}

/// A value for every param of a recipe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(pub(super) BTreeMap<String, Value>);

impl Params {
    /// The value of a param.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Names and values, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The same, with each text of one list changed.
    pub fn map_list(&self, name: &str, change: impl Fn(&str) -> String) -> Self {
        let mut params = self.0.clone();
        if let Some(Value::List(list)) = params.get_mut(name) {
            list.iter_mut().for_each(|text| *text = change(text));
        }
        Self(params)
    }

    /// Their canonical form.
    pub fn to_json(&self) -> serde_json::Value {
        self.iter().map(|(name, value)| (name.to_owned(), value.to_json())).collect::<serde_json::Map<_, _>>().into()
    }
}

impl Recipe {
    /// Check what someone chose and fill in the rest.
    pub fn params<'a>(&self, chosen: impl IntoIterator<Item = (&'a str, Value)>) -> Result<Params, Error> {
        let mut params: BTreeMap<_, _> =
            self.params.iter().map(|(name, param)| (name.clone(), param.default.clone())).collect();
        for (name, value) in chosen {
            let Some(param) = self.params.get(name) else { return Err(self.unknown_param(name)) };
            let recipe = || self.name.clone();
            if let Err(expected) = param.kind.accepts(&value) {
                let found = found(&value);
                return Err(Error::ParamType { recipe: recipe(), param: name.to_owned(), expected, found });
            }
            if self.sets(name) && param.kind != Kind::List {
                return Err(Error::Fixed { recipe: recipe(), param: name.to_owned() });
            }
            params.insert(name.to_owned(), value);
        }
        Ok(Params(params))
    }

    /// The params that differ from their defaults.
    pub fn chosen<'a>(&'a self, params: &'a Params) -> impl Iterator<Item = (&'a str, &'a Value)> {
        params.iter().filter(|(name, value)| self.params.get(*name).is_none_or(|param| param.default != **value))
    }

    fn unknown_param(&self, name: &str) -> Error {
        let nearest = crate::manifest::nearest(name, self.params.keys().map(String::as_str)).map(str::to_owned);
        let has = self.params.keys().cloned().collect();
        Error::UnknownParam { recipe: self.name.clone(), param: name.to_owned(), nearest, has }
    }
}

/// A value as messages write it: the text where there is one, else its type.
fn found(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        other => other.type_name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Book;
    use super::*;

    #[test]
    fn params_are_checked_by_name_and_type() {
        let book = Book::built_in();
        let cargo = book.get("cargo").unwrap();
        let error = cargo.params([("feature", Value::List(vec![]))]).unwrap_err();
        assert_eq!(error.to_string(), "recipe `cargo` has no param `feature`");
        assert!(matches!(error, Error::UnknownParam { nearest: Some(name), .. } if name == "features"));
        let error = cargo.params([("features", Value::Bool(true))]).unwrap_err();
        assert_eq!(error.to_string(), "param `features` of recipe `cargo` takes a list of strings, not a bool");
    }

    #[test]
    fn an_enum_takes_its_values_and_a_path_stays_inside() {
        let kind = Kind::Enum(vec!["small".into(), "large".into()]);
        assert_eq!(kind.accepts(&Value::String("large".into())), Ok(()));
        assert_eq!(kind.accepts(&Value::String("huge".into())), Err("one of `small` and `large`".into()));
        assert_eq!(kind.empty(), Value::String("small".into()));
        for (path, inside) in [("a/b", true), ("", true), ("a/../b", false), ("/etc", false)] {
            assert_eq!(Kind::Path.accepts(&Value::String(path.into())).is_ok(), inside, "{path}");
        }
    }
}
