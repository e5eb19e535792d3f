//! Reading a recipe's file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Error, Param, Recipe, Step, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    summary: String,
    #[serde(default, rename = "homepage")]
    _homepage: Option<String>,
    #[serde(default)]
    tools: Vec<String>,
    #[serde(default)]
    inputs: Inputs,
    #[serde(default)]
    params: BTreeMap<String, FileParam>,
    #[serde(default)]
    step: Vec<FileStep>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Inputs {
    vendor: Option<Vendor>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Vendor {
    cargo_lock: String,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
enum FileParam {
    Bool { default: bool, doc: String },
    Int { default: i64, doc: String },
    String { default: String, doc: String },
    List { default: Vec<String>, doc: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileStep {
    name: String,
    run: String,
}

impl Recipe {
    /// Read a recipe from the text of its file.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let malformed = |source| Error::Malformed { recipe: name.to_owned(), source: Box::new(source) };
        let file: File = toml::from_str(text).map_err(malformed)?;
        Ok(Self {
            name: name.to_owned(),
            summary: file.summary,
            tools: file.tools,
            vendor: file.inputs.vendor.map(|vendor| vendor.cargo_lock),
            params: file.params.into_iter().map(|(name, param)| (name, param.into())).collect(),
            steps: file.step.into_iter().map(|step| Step { name: step.name, run: step.run }).collect(),
        })
    }
}

impl From<FileParam> for Param {
    fn from(param: FileParam) -> Self {
        let (default, doc) = match param {
            FileParam::Bool { default, doc } => (Value::Bool(default), doc),
            FileParam::Int { default, doc } => (Value::Int(default), doc),
            FileParam::String { default, doc } => (Value::String(default), doc),
            FileParam::List { default, doc } => (Value::List(default), doc),
        };
        Self { default, doc }
    }
}
