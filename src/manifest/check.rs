//! Compares a document with the schema: unknown keys and wrong types. Pure.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeString, DeTable, DeValue};

use super::problem::{Findings, listed, nearest};
use super::schema::{self, Key, Shape};

/// Note whatever in the document the schema doesn't allow.
pub(super) fn document(document: &DeTable<'_>, findings: &mut Findings<'_>) {
    keys(document, schema::MANIFEST, findings);
}

/// Note whatever in a table these keys don't allow.
pub(crate) fn keys(table: &DeTable<'_>, keys: &[Key], findings: &mut Findings<'_>) {
    Checker { findings }.table(table, keys);
}

/// The number that was written, if it fits.
pub(crate) fn integer(written: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(written.as_str(), written.radix()).ok()
}

struct Checker<'f, 't> {
    findings: &'f mut Findings<'t>,
}

impl Checker<'_, '_> {
    fn table(&mut self, table: &DeTable<'_>, keys: &[Key]) {
        for (name, value) in table {
            match keys.iter().find(|key| key.name == name.get_ref()) {
                Some(key) => self.value(name, value, &key.shape),
                None => self.unknown(name, keys),
            }
        }
    }

    fn unknown(&mut self, name: &Spanned<DeString<'_>>, keys: &[Key]) {
        let hint = match nearest(name.get_ref(), keys.iter().map(|key| key.name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here are {}", listed(keys.iter().map(|key| key.name))),
        };
        self.findings.add_with_hint(name.span(), format!("unknown key `{}`", name.get_ref()), hint);
    }

    fn value(&mut self, name: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>, shape: &Shape) {
        use DeValue::{Array, Boolean, Float, Integer, String, Table};
        match (shape, value.get_ref()) {
            (Shape::String | Shape::StringOrFalse | Shape::StringOr(_), String(_)) => {}
            (Shape::Scalar | Shape::Param, String(_) | Boolean(_)) => {}
            (Shape::Boolean, Boolean(_)) | (Shape::StringOrFalse, Boolean(false)) | (Shape::Scalar, Float(_)) => {}
            (Shape::Scalar | Shape::Param | Shape::Integer, Integer(written)) => {
                self.integer(name, value.span(), written);
            }
            (Shape::Strings | Shape::Param, Array(list)) => self.strings(name, list),
            (Shape::Tables(keys), Array(list)) => self.tables(name, list, keys),
            (Shape::Table(keys) | Shape::StringOr(keys), Table(table)) => self.table(table, keys),
            (Shape::Each(shape), Table(table)) => {
                table.iter().for_each(|(name, value)| self.value(name, value, shape));
            }
            (shape, value_found) => {
                // What dotted keys make has no place of its own.
                let at = if value.span().is_empty() { name.span() } else { value.span() };
                self.findings.add(at, mismatch(name.get_ref(), shape, value_found));
            }
        }
    }

    fn integer(&mut self, name: &Spanned<DeString<'_>>, at: Range<usize>, written: &DeInteger<'_>) {
        if integer(written).is_none() {
            self.findings.add(at, format!("the number of `{}` does not fit into 64 bits", name.get_ref()));
        }
    }

    fn tables(&mut self, name: &Spanned<DeString<'_>>, list: &DeArray<'_>, keys: &[Key]) {
        for element in list.iter() {
            match element.get_ref().as_table() {
                Some(table) => self.table(table, keys),
                None => {
                    let (name, found) = (name.get_ref(), kind(element.get_ref()));
                    self.findings
                        .add(element.span(), format!("`{name}` must be a list of tables, but this is {found}"));
                }
            }
        }
    }

    fn strings(&mut self, name: &Spanned<DeString<'_>>, list: &DeArray<'_>) {
        for element in list.iter().filter(|element| !element.get_ref().is_str()) {
            let (name, found) = (name.get_ref(), kind(element.get_ref()));
            self.findings.add(element.span(), format!("`{name}` must be a list of strings, but this is {found}"));
        }
    }
}

fn mismatch(name: &str, shape: &Shape, found: &DeValue<'_>) -> String {
    format!("`{name}` must be {}, not {}", shape.describe(), kind(found))
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
