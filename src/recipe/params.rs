//! Params: what a recipe lets its user choose, checked against their types.

use std::collections::BTreeMap;

use super::{Error, Recipe};

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

/// A value for every param of a recipe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(BTreeMap<String, Value>);

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
            let Some(slot) = params.get_mut(name) else { return Err(self.unknown_param(name)) };
            if slot.type_name() != value.type_name() {
                let (expected, found) = (slot.type_name(), value.type_name());
                return Err(Error::ParamType { recipe: self.name.clone(), param: name.to_owned(), expected, found });
            }
            *slot = value;
        }
        Ok(Params(params))
    }

    /// The params that differ from their defaults.
    pub fn chosen<'a>(&'a self, params: &'a Params) -> impl Iterator<Item = (&'a str, &'a Value)> {
        params.iter().filter(|(name, value)| self.params.get(*name).is_none_or(|param| param.default != **value))
    }

    fn unknown_param(&self, name: &str) -> Error {
        let distance = |known: &&String| strsim::damerau_levenshtein(known, name);
        let nearest = self.params.keys().min_by_key(distance).filter(|known| distance(known) <= 3).cloned();
        Error::UnknownParam { recipe: self.name.clone(), param: name.to_owned(), nearest }
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
}
